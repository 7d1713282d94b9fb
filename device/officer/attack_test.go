package officer

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

const right = "four words not of one kind"

// hashed is the form of the right password, made once: it costs 64 MiB.
var hashed = sync.OnceValue(func() string { return HashPassword(right) })

func of(id string, roles ...Role) Account {
	return Account{ID: id, Name: "Name of " + id, Roles: roles, Password: hashed(), Expires: now.Add(time.Hour)}
}

func signer(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func owners(names ...string) []Owner {
	var out []Owner
	for _, n := range names {
		out = append(out, Owner{n, signer(n).Public().(ed25519.PublicKey)})
	}
	return out
}

func trust() Trust {
	return Trust{Site: "desk-1", Owners: owners("ministry", "data-protection", "police"), LastEdition: 7, Now: now}
}

func target() Target {
	return Target{Site: "desk-1", Created: now.Add(-time.Hour), Expires: now.Add(time.Hour), Accounts: Accounts{Version: 1, Edition: 7, Accounts: []Account{of("o1", Officer)}}}
}

// published signs a target by the names.
func published(t *testing.T, target Target, names ...string) []byte {
	t.Helper()
	raw, err := Publish(target)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if raw, err = Sign(raw, n, signer(n)); err != nil {
			t.Fatal(err)
		}
	}
	return raw
}

// edited changes the parts of a signed file after it was signed.
func edited(t *testing.T, raw []byte, f func(*Signed)) []byte {
	t.Helper()
	var s Signed
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	f(&s)
	out, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAttackOnAccounts is whoever wants an account that two owners did not
// give, or an old one back.
func TestAttackOnAccounts(t *testing.T) {
	two := []string{"ministry", "police"}
	good := published(t, target(), two...)
	if a, err := OpenSigned(good, trust()); err != nil || a.Edition != 7 || a.Accounts[0].ID != "o1" {
		t.Fatalf("%+v %v", a, err)
	}
	change := func(f func(*Target)) Target { c := target(); f(&c); return c }
	for _, c := range []struct {
		name string
		raw  []byte
		t    func(*Trust)
		code fault.Code
	}{
		{"one signature", published(t, target(), "ministry"), nil, "officer.too_few"},
		{"no signature", published(t, target()), nil, "officer.too_few"},
		{"one owner twice", edited(t, good, func(s *Signed) { s.Signatures[1] = s.Signatures[0] }), nil, "officer.same_owner"},
		{"a stranger's signature", published(t, target(), "ministry", "stranger"), nil, "officer.unknown_owner"},
		{"one owner under another's name", edited(t, good, func(s *Signed) { s.Signatures[1].Signature = s.Signatures[0].Signature }), nil, "officer.signature"},
		{"an account added after signing", edited(t, good, func(s *Signed) {
			s.Target = []byte(strings.Replace(string(s.Target), `"o1"`, `"o2"`, 1))
		}), nil, "officer.signature"},
		{"a role raised after signing", edited(t, good, func(s *Signed) {
			s.Target = []byte(strings.Replace(string(s.Target), `["officer"]`, `["auditor"]`, 1))
		}), nil, "officer.signature"},
		{"an older edition", published(t, change(func(t *Target) { t.Accounts.Edition = 6 }), two...), nil, "officer.rollback"},
		{"of another post", published(t, change(func(t *Target) { t.Site = "desk-2" }), two...), nil, "officer.site"},
		{"run out", published(t, change(func(t *Target) { t.Expires = now }), two...), nil, "officer.signed_expired"},
		{"of tomorrow", published(t, change(func(t *Target) { t.Created = now.Add(time.Hour); t.Expires = now.Add(2 * time.Hour) }), two...), nil, "officer.not_yet"},
		{"a post that names one owner", good, func(t *Trust) { t.Owners = t.Owners[:1] }, "officer.owners"},
		{"a post that names one key twice", good, func(t *Trust) { t.Owners[1].Key = t.Owners[0].Key }, "officer.owners"},
		{"a second form in one file", append(append([]byte{}, good...), good...), nil, "officer.signed_format"},
		{"a key that the form does not have", []byte(strings.Replace(string(good), `"format"`, `"x":1,"format"`, 1)), nil, "officer.signed_format"},
		{"another form", edited(t, good, func(s *Signed) { s.Format = 2 }), nil, "officer.signed_format"},
		{"too much", []byte(strings.Repeat(" ", 2*MaxBytes+1)), nil, "officer.too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			judge := trust()
			if c.t != nil {
				c.t(&judge)
			}
			if a, err := OpenSigned(c.raw, judge); fault.CodeOf(err) != c.code || a != nil {
				t.Errorf("%v %v, want %s", a, err, c.code)
			}
		})
	}
	t.Run("a password that was hashed cheaply", func(t *testing.T) {
		weak := target()
		weak.Accounts.Accounts[0].Password = strings.Replace(hashed(), "m=65536,t=3", "m=64,t=1", 1)
		if _, err := Publish(weak); fault.CodeOf(err) != "officer.password_weak" {
			t.Errorf("%v, want officer.password_weak", err)
		}
	})
	t.Run("a name for an id", func(t *testing.T) {
		named := target()
		named.Accounts.Accounts[0].ID = "Ada Example"
		if _, err := Publish(named); fault.CodeOf(err) != "officer.id" {
			t.Errorf("%v, want officer.id", err)
		}
	})
}

// TestAttackOnSignIn is whoever signs in with what is no longer, or never was,
// theirs.
func TestAttackOnSignIn(t *testing.T) {
	revoked, expired, later := of("revoked", Officer), of("expired", Officer), of("later", Officer)
	revoked.Revoked = now
	expired.Expires = now
	later.Revoked = now.Add(time.Second)
	a := &Accounts{Version: 1, Edition: 1, Accounts: []Account{revoked, expired, later, of("o1", Officer)}}
	for _, c := range []struct {
		name, id, password string
		code               fault.Code
	}{
		{"a revoked account", "revoked", right, "officer.revoked"},
		{"an expired account", "expired", right, "officer.expired"},
		{"a wrong password", "o1", right + " ", "officer.refused"},
		{"no password", "o1", "", "officer.refused"},
		{"an account that is not there", "o2", right, "officer.refused"},
		{"a revoked account and a wrong password", "revoked", "x", "officer.refused"}, // says no more than for any other
	} {
		t.Run(c.name, func(t *testing.T) {
			if acc, err := a.SignIn(c.id, c.password, now); fault.CodeOf(err) != c.code || acc != nil {
				t.Errorf("%v %v, want %s", acc, err, c.code)
			}
		})
	}
	if _, err := a.SignIn("later", right, now); err != nil {
		t.Errorf("an account that is revoked later: %v", err)
	}
}

// TestAttackOnRoles is an officer who does what needs another role.
func TestAttackOnRoles(t *testing.T) {
	for _, c := range []struct {
		name string
		has  Role
		need []Role
	}{
		{"an officer who reads reports", Officer, []Role{Supervisor, Auditor}},
		{"an officer who confirms as second", Officer, []Role{Supervisor}},
		{"an administrator who searches", Administrator, []Role{Officer}},
		{"an administrator who reads the log", Administrator, []Role{Auditor, Supervisor}},
		{"an auditor who searches", Auditor, []Role{Officer}},
		{"a supervisor who searches", Supervisor, []Role{Officer}},
		{"anybody where no role is named", Officer, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := of("x", c.has)
			if err := a.Need(c.need...); fault.CodeOf(err) != "officer.role" {
				t.Errorf("%v, want officer.role", err)
			}
		})
	}
	both := of("x", Officer, Supervisor)
	if err := both.Need(Supervisor); err != nil {
		t.Error(err)
	}
}

func TestAttackByEasyPasswords(t *testing.T) {
	for _, c := range []struct {
		name, password string
		code           fault.Code
	}{
		{"eleven characters", "kq7 vw2 zt9", "officer.password_short"},
		{"eleven characters in more bytes", "ääääööööüüü", "officer.password_short"},
		{"one word", "password1234", "officer.password_common"},
		{"two of the words", "Summer2026!Border", "officer.password_common"},
		{"rows of keys", "qwertyuiop123", "officer.password_common"},
		{"the alphabet", "abcdefghijklmnop", "officer.password_common"},
		{"digits only", "271828182845904", "officer.password_common"},
		{"one letter", strings.Repeat("x", 40), "officer.password_common"},
		{"the officer's id", "officer-17-officer-17", "officer.password_common"},
		{"the officer's name", "Ada.Example.2026", "officer.password_common"},
		{"no text", strings.Repeat("\xff", 20), "officer.password_short"},
		{"more than the API takes", strings.Repeat("kq7 vw2 ", 33), "officer.password_long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if hash, err := NewPassword(c.password, "officer-17", "Ada Example"); fault.CodeOf(err) != c.code || hash != "" {
				t.Errorf("%q %v, want %s", hash, err, c.code)
			}
		})
	}
	for _, good := range []string{"correct horse", right, "kq7vw2zt9mxb", "ночь улица фонарь", "summer rain on tin"} {
		if err := CheckPassword(good, "officer-17", "Ada Example"); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func FuzzOpenSigned(f *testing.F) {
	raw, err := json.Marshal(Signed{Format: 1, Target: []byte(`{"site":"desk-1","accounts":{"version":1,"edition":7,"accounts":[]}}`)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"format":1,"target":"","signatures":[{"owner":"ministry","signature":""}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if a, err := OpenSigned(raw, trust()); err == nil {
			t.Errorf("accounts that nobody signed: %v", a)
		}
		// What is signed is parsed too, in case an owner is careless.
		_, _ = openTarget(raw, trust())
	})
}
