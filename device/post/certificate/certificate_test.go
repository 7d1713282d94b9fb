package certificate

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func open(t *testing.T, dir string, c *clock, names ...string) *Local {
	t.Helper()
	l, err := Open(dir, c.now, names...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestCertificateOfThePost(t *testing.T) {
	dir, c := filepath.Join(t.TempDir(), "tls"), &clock{time.Now()}
	l := open(t, dir, c, "127.0.0.1", "desk.example")
	for _, name := range []string{keyFile, certFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(l.current.Leaf)
	for name, good := range map[string]bool{"localhost": true, "127.0.0.1": true, "desk.example": true, "elsewhere.example": false} {
		served, err := l.Get(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := served.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); (err == nil) != good {
			t.Errorf("as %s: %v", name, err)
		}
	}
	if again := open(t, dir, c, "127.0.0.1", "desk.example"); again.Fingerprint() != l.Fingerprint() {
		t.Error("a restart makes another certificate")
	}
	other := open(t, dir, c, "other.example")
	if other.Fingerprint() == l.Fingerprint() || other.current.Leaf.VerifyHostname("other.example") != nil {
		t.Error("another name is not in the certificate")
	}
}

func TestRenewal(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	l := open(t, dir, c)
	first := l.Fingerprint()
	key := l.current.PrivateKey
	for _, step := range []struct {
		after time.Duration
		same  bool
	}{{lifetime - renewBefore - 48*time.Hour, true}, {48 * time.Hour, false}} {
		c.at = c.at.Add(step.after)
		got, err := l.Get(nil)
		if err != nil {
			t.Fatal(err)
		}
		if (l.Fingerprint() == first) != step.same || c.at.After(got.Leaf.NotAfter) {
			t.Errorf("after %s: the same %v, until %s", step.after, l.Fingerprint() == first, got.Leaf.NotAfter)
		}
	}
	if l.current.PrivateKey != key {
		t.Error("renewing changed the key")
	}
	second := open(t, dir, c)
	if second.Fingerprint() != l.Fingerprint() {
		t.Error("what was renewed was not kept")
	}
	c.at = c.at.AddDate(-3, 0, 0) // the clock was wrong when it was made
	if _, err := second.Get(nil); err != nil || second.current.Leaf.NotBefore.After(c.at) {
		t.Errorf("a certificate from the future: %v", err)
	}
}

func TestDamagedFilesAreTold(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"key cut":     func(dir string) error { return os.Truncate(filepath.Join(dir, keyFile), 20) },
		"cert cut":    func(dir string) error { return os.Truncate(filepath.Join(dir, certFile), 20) },
		"cert empty":  func(dir string) error { return os.Truncate(filepath.Join(dir, certFile), 0) },
		"key another": func(dir string) error { return os.WriteFile(filepath.Join(dir, keyFile), []byte("x"), 0o600) },
		"folder": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, keyFile)), os.Mkdir(filepath.Join(dir, keyFile), 0o700))
		},
	} {
		dir, c := t.TempDir(), &clock{time.Now()}
		open(t, dir, c)
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, c.now); fault.CodeOf(err) != "certificate.damaged" && fault.CodeOf(err) != "certificate.state" {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir, c := t.TempDir(), &clock{time.Now()}
	open(t, dir, c)
	if err := os.Remove(filepath.Join(dir, certFile)); err != nil { // a power cut between the two files
		t.Fatal(err)
	}
	open(t, dir, c)
}
