package shift

import (
	"errors"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/post/keysapi"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/tpm"
	"github.com/watchpost/watchpost/device/web"
)

// TestWhenKeysLock puts the clock forward over an opening.
func TestWhenKeysLock(t *testing.T) {
	begun := time.Date(2026, 11, 22, 21, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		keys  *config.Keys
		after time.Duration
		work  time.Duration // last work, after begun
		why   string
	}{
		{"nothing is configured", nil, 1000 * time.Hour, 0, ""},
		{"just before idle", &config.Keys{LockIdle: policy.Duration(15 * time.Minute)}, 15*time.Minute - 1, 0, ""},
		{"idle", &config.Keys{LockIdle: policy.Duration(15 * time.Minute)}, 15 * time.Minute, 0, WhyIdle},
		{"work puts idleness off", &config.Keys{LockIdle: policy.Duration(15 * time.Minute)}, 20 * time.Minute, 10 * time.Minute, ""},
		{"idle since that work", &config.Keys{LockIdle: policy.Duration(15 * time.Minute)}, 25 * time.Minute, 10 * time.Minute, WhyIdle},
		{"within the shift", &config.Keys{Shift: policy.Duration(8 * time.Hour)}, 8*time.Hour - 1, 0, ""},
		{"the shift's length", &config.Keys{Shift: policy.Duration(8 * time.Hour)}, 8 * time.Hour, 8 * time.Hour, WhyShift},
		{"before the time of day", &config.Keys{ShiftEnds: "22:00"}, time.Hour - 1, 0, ""},
		{"the time of day", &config.Keys{ShiftEnds: "22:00"}, time.Hour, time.Hour, WhyShift},
		{"the earlier of two ends", &config.Keys{ShiftEnds: "22:00", Shift: policy.Duration(30 * time.Minute)}, 30 * time.Minute, 0, WhyShift},
		{"the time of day on the next day", &config.Keys{ShiftEnds: "20:00"}, 22 * time.Hour, 22 * time.Hour, ""},
		{"and then", &config.Keys{ShiftEnds: "20:00"}, 23 * time.Hour, 23 * time.Hour, WhyShift},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := config.Default(policy.Desk)
			conf.Keys = c.keys
			s := &Shift{o: Options{Config: conf, Now: func() time.Time { return begun.Add(c.after) }}}
			s.set(keysapi.State{Since: begun, Ends: s.ends(begun)}, nil)
			s.used.Store(begun.Add(c.work).UnixNano())
			if why := s.over(&opened{since: begun}); why != c.why {
				t.Errorf("locks because of %q, want %q", why, c.why)
			}
		})
	}
}

// TestTriesAreCounted bounds guessing of passphrases at a locked post.
func TestTriesAreCounted(t *testing.T) {
	var c tries
	now := time.Now()
	for range triesAtAll {
		if !c.may(now) {
			t.Fatal("refused too early")
		}
		c.note(now, fault.New("vault.passphrase", "wrong"))
	}
	if c.may(now) || c.may(now.Add(triesFor-1)) {
		t.Error("one more is tried")
	}
	if !c.may(now.Add(triesFor)) {
		t.Error("never again")
	}
	for range 2 * triesAtAll { // what is no wrong secret does not count
		c.note(now.Add(triesFor), nil)
		c.note(now.Add(triesFor), errors.New("disk"))
		c.note(now.Add(triesFor), fault.New("tpm.missing", "x"))
	}
	if !c.may(now.Add(triesFor)) {
		t.Error("counted what was no wrong secret")
	}
}

// TestWayOfASignIn makes a way into the vault of what an officer types.
func TestWayOfASignIn(t *testing.T) {
	var got keysapi.Secrets
	s := &Shift{o: Options{Now: time.Now, With: func(g keysapi.Secrets) (Way, error) { got = g; return Way{}, nil }}}
	s.set(keysapi.State{Locked: true, UnlockBy: []vault.Way{{Kind: tpm.Kind}, {Kind: tpm.Kind, Name: "anna"}, {Kind: vault.PassphraseKind, Name: "ben"}, {Kind: "escrow"}}}, nil)
	for _, c := range []struct {
		name, body string
		code       fault.Code
		want       string // which secret is given
	}{
		{"PIN", `{"id":"anna","password":"p"}`, "", "pin"},
		{"passphrase", `{"id":"ben","password":"p"}`, "", "passphrase"},
		{"no way of this name", `{"id":"carl","password":"p"}`, web.ErrLocked.Code, ""},
		{"the way that is nobody's", `{"id":"","password":"p"}`, "request.invalid", ""},
		{"no password", `{"id":"anna","password":""}`, "request.invalid", ""},
		{"no JSON", `id=anna`, "request.invalid", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got = keysapi.Secrets{}
			_, err := s.wayIn([]byte(c.body))
			if fault.CodeOf(err) != c.code {
				t.Fatalf("%v, want %q", err, c.code)
			}
			if (c.want == "pin") != (len(got.PIN) > 0) || (c.want == "passphrase") != (len(got.Passphrase) > 0) {
				t.Errorf("given %d bytes of PIN, %d of passphrase", len(got.PIN), len(got.Passphrase))
			}
		})
	}
}
