package escrow

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Fatalf("got code %q (%v), want %q", got, err, code)
	}
}

// person makes the key files of a person.
func person(t testing.TB, dir, name string) (private, public string) {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.MarshalPKIXPublicKey(key.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	private, public = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".pub.pem")
	write(t, private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	write(t, public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub}))
	return private, public
}

func write(t testing.TB, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// safe is a vault with an escrow of three persons.
type safe struct {
	dir, path, file string
	private, public [4]string // the last is of nobody in the escrow
}

func newSafe(t testing.TB) *safe {
	t.Helper()
	s := &safe{dir: t.TempDir()}
	s.path, s.file = filepath.Join(s.dir, "vault.json"), filepath.Join(s.dir, "escrow")
	for i := range s.private {
		s.private[i], s.public[i] = person(t, s.dir, fmt.Sprint(i))
	}
	u, err := New(s.public[:3])
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Create(t.Context(), s.path, u)
	if err != nil {
		t.Fatal(err)
	}
	v.Lock()
	if err := u.Write(s.file); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *safe) open(t testing.TB, file string, keys ...string) error {
	t.Helper()
	u, err := Open(file, keys)
	if err != nil {
		return err
	}
	v, err := vault.Open(t.Context(), s.path, u)
	if err == nil {
		v.Lock()
	}
	return err
}

func TestAnyTwoOpen(t *testing.T) {
	s := newSafe(t)
	for _, pair := range [][2]int{{0, 1}, {1, 0}, {0, 2}, {2, 0}, {1, 2}, {2, 1}} {
		if err := s.open(t, s.file, s.private[pair[0]], s.private[pair[1]]); err != nil {
			t.Errorf("persons %v: %v", pair, err)
		}
	}
	u, err := Open(s.file, []string{s.private[0], s.private[1]})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%v %+v %#v", u, u, u); got != "[escrow] [escrow] [escrow]" {
		t.Errorf("printed: %s", got)
	}
}

// TestKeysOfOpenSSL takes persons' keys as they are told to make them.
func TestKeysOfOpenSSL(t *testing.T) {
	bin, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: openssl is not installed")
	}
	dir := t.TempDir()
	var private, public []string
	for _, name := range []string{"a", "b"} {
		key, pub := filepath.Join(dir, name), filepath.Join(dir, name+".pub")
		for _, args := range [][]string{{"genpkey", "-algorithm", "X25519", "-out", key}, {"pkey", "-in", key, "-pubout", "-out", pub}} {
			if out, err := exec.Command(bin, args...).CombinedOutput(); err != nil {
				t.Fatalf("openssl %v: %v %s", args, err, out)
			}
		}
		private, public = append(private, key), append(public, pub)
	}
	u, err := New(public)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "escrow")
	if err := u.Write(file); err != nil {
		t.Fatal(err)
	}
	got, err := Open(file, private)
	if err != nil || !bytes.Equal(got.key, u.key) {
		t.Fatalf("the key does not come back: %v", err)
	}
}

// TestAttackEscrow is what one person, a stranger, or somebody with the file
// tries.
func TestAttackEscrow(t *testing.T) {
	s := newSafe(t)
	raw, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(t *testing.T, change func(*file)) string {
		f := new(file)
		if err := json.Unmarshal(raw, f); err != nil {
			t.Fatal(err)
		}
		change(f)
		if f.Sum, err = f.sum(); err != nil { // an attacker makes the sum fit
			t.Fatal(err)
		}
		out, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "escrow")
		write(t, path, out)
		return path
	}
	plain := func(t *testing.T, raw []byte) string {
		path := filepath.Join(t.TempDir(), "escrow")
		write(t, path, raw)
		return path
	}
	a, b, c, stranger := s.private[0], s.private[1], s.private[2], s.private[3]
	for _, x := range []struct {
		name string
		file func(*testing.T) string
		keys []string
		code fault.Code
	}{
		{"one person alone", nil, []string{a}, "escrow.persons"},
		{"one person twice", nil, []string{a, a}, "escrow.persons"},
		{"a person and a stranger", nil, []string{a, stranger}, "escrow.persons"},
		{"two strangers", nil, []string{stranger, stranger}, "escrow.persons"},
		{"three persons", nil, []string{a, b, c}, "escrow.persons"},
		{"nobody", nil, nil, "escrow.persons"},
		{"public keys", nil, []string{s.public[0], s.public[1]}, "escrow.key"},
		{"no file", func(*testing.T) string { return s.file + ".none" }, []string{a, b}, "escrow.file"},
		{"truncated", func(t *testing.T) string { return plain(t, raw[:len(raw)/2]) }, []string{a, b}, "escrow.file"},
		{"something follows", func(t *testing.T) string { return plain(t, append(bytes.Clone(raw), '{')) }, []string{a, b}, "escrow.file"},
		{"one byte changed", func(t *testing.T) string {
			return plain(t, bytes.Replace(raw, []byte(`"a":0,"b":1`), []byte(`"a":0,"b":2`), 1))
		}, []string{a, b}, "escrow.file"},
		{"half of one person changed", func(t *testing.T) string {
			return changed(t, func(f *file) { f.Pairs[0].HalfA[40] ^= 1 })
		}, []string{a, b}, "escrow.file"},
		{"halves of two pairs swapped", func(t *testing.T) string {
			return changed(t, func(f *file) { f.Pairs[0].HalfA, f.Pairs[1].HalfA = f.Pairs[1].HalfA, f.Pairs[0].HalfA })
		}, []string{a, b}, "escrow.file"},
		{"a stranger put in the place of a person", func(t *testing.T) string {
			pub, err := readPublic(s.public[3])
			if err != nil {
				t.Fatal(err)
			}
			return changed(t, func(f *file) { f.Persons[1] = pub })
		}, []string{a, stranger}, "escrow.file"},
		{"pair taken out", func(t *testing.T) string {
			return changed(t, func(f *file) { f.Pairs = f.Pairs[1:] })
		}, []string{a, b}, "escrow.file"},
		{"another vault's escrow", func(*testing.T) string { return newSafe(t).file }, []string{a, b}, "escrow.persons"},
		{"escrow of the same persons for another vault", func(t *testing.T) string {
			u, err := New(s.public[:3])
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "escrow")
			if err := u.Write(path); err != nil {
				t.Fatal(err)
			}
			return path
		}, []string{a, b}, "escrow.other"},
		{"made by an attacker under the id of the vault", func(t *testing.T) string {
			u, err := New(s.public[:3])
			if err != nil {
				t.Fatal(err)
			}
			return changed(t, func(f *file) {
				id := f.ID
				*f = *u.file
				f.ID = id
				for i, p := range f.Pairs {
					if f.Pairs[i], err = f.split(p.A, p.B, make([]byte, vault.KeySize)); err != nil {
						t.Fatal(err)
					}
				}
			})
		}, []string{a, b}, "vault.open"},
	} {
		t.Run(x.name, func(t *testing.T) {
			path := s.file
			if x.file != nil {
				path = x.file(t)
			}
			wantCode(t, s.open(t, path, x.keys...), x.code)
			if err := s.open(t, s.file, a, b); err != nil {
				t.Fatalf("the rightful way in is shut: %v", err)
			}
		})
	}
	t.Run("replaced escrow", func(t *testing.T) {
		s := newSafe(t)
		old, err := Open(s.file, []string{s.private[0], s.private[1]})
		if err != nil {
			t.Fatal(err)
		}
		v, err := vault.Open(t.Context(), s.path, old)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Lock()
		u, err := New(s.public[:2])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.ReplaceUnlock(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		wantCode(t, s.open(t, s.file, s.private[0], s.private[1]), "escrow.other")
	})
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	_, a := person(t, dir, "a")
	private, b := person(t, dir, "b")
	for name, c := range map[string]struct {
		keys []string
		code fault.Code
	}{
		"one person":    {[]string{a}, "escrow.persons"},
		"same twice":    {[]string{a, b, a}, "escrow.persons"},
		"nine persons":  {[]string{a, a, a, a, a, a, a, a, a}, "escrow.persons"},
		"a private key": {[]string{a, private}, "escrow.key"},
		"no file":       {[]string{a, dir}, "escrow.key"},
	} {
		_, err := New(c.keys)
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	u, err := New([]string{a, b})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, u.Write(a), "escrow.file") // never over a file
}

func FuzzEscrowFile(f *testing.F) {
	s := newSafe(f)
	raw, err := os.ReadFile(s.file)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"format":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := decode(raw)
		if (got == nil) == (err == nil) || err != nil && fault.CodeOf(err) != ErrFile.Code {
			t.Fatalf("%v, %v", got, err)
		}
	})
}
