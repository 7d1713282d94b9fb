// Package certificate makes and renews the certificate of a post's HTTPS
// listener where no authority gives it one: self-signed, its key never leaves
// the state folder, and whoever opens the page the first time accepts it by its
// fingerprint.
package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
)

const (
	// lifetime stays below what browsers take (CA/Browser Forum, Baseline
	// Requirements 2.0, section 6.3.2: 398 days).
	lifetime = 365 * 24 * time.Hour
	// renewBefore leaves time for whoever has pinned the old fingerprint.
	renewBefore = 30 * 24 * time.Hour
	// backdate lets a browser in whose clock is behind the post's.
	backdate = 24 * time.Hour

	keyFile  = "key.pem"
	certFile = "cert.pem"
)

// Local is the certificate of this post. It is safe for concurrent use.
type Local struct {
	dir   string
	now   func() time.Time
	hosts []string

	mu      sync.Mutex // protects current
	current *tls.Certificate
}

// Open reads the certificate below dir, and makes one where there is none or
// where it has run out. names are the address listened on and the page's host;
// the names of this machine itself are always in it. The key is kept when the certificate is
// renewed.
func Open(dir string, now func() time.Time, names ...string) (*Local, error) {
	l := &Local{dir: dir, now: now, hosts: []string{"localhost", "127.0.0.1", "::1"}}
	for _, name := range names {
		if ip := net.ParseIP(name); name != "" && !slices.Contains(l.hosts, name) && (ip == nil || !ip.IsUnspecified()) {
			l.hosts = append(l.hosts, name)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap("certificate.state", err)
	}
	held, err := l.read()
	if err != nil {
		return nil, err
	}
	if held != nil && l.good(held.Leaf) {
		l.current = held
		return l, nil
	}
	var key *ecdsa.PrivateKey
	if held != nil {
		key, _ = held.PrivateKey.(*ecdsa.PrivateKey) // read checked it
	}
	return l, l.renew(key)
}

// Get implements tls.Config.GetCertificate. A certificate about to run out is
// renewed; if that fails, the old one serves as long as it can.
func (l *Local) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.good(l.current.Leaf) {
		key, _ := l.current.PrivateKey.(*ecdsa.PrivateKey) // made or checked here
		if err := l.renew(key); err != nil && !l.now().Before(l.current.Leaf.NotAfter) {
			return nil, err
		}
	}
	return l.current, nil
}

// Fingerprint returns the SHA-256 of the certificate in hexadecimal, as
// browsers show it.
func (l *Local) Fingerprint() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := sha256.Sum256(l.current.Leaf.Raw)
	return hex.EncodeToString(sum[:])
}

// good reports whether a certificate serves for a while and names every host.
func (l *Local) good(c *x509.Certificate) bool {
	now := l.now()
	if now.Before(c.NotBefore) || !now.Before(c.NotAfter.Add(-renewBefore)) {
		return false
	}
	return !slices.ContainsFunc(l.hosts, func(h string) bool { return c.VerifyHostname(h) != nil })
}

// read returns what lies below the folder, nil where nothing does.
func (l *Local) read() (*tls.Certificate, error) {
	key, err := os.ReadFile(filepath.Join(l.dir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Wrap("certificate.state", err)
	}
	cert, err := os.ReadFile(filepath.Join(l.dir, certFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a power cut between the two files
	}
	if err != nil {
		return nil, fault.Wrap("certificate.state", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err == nil {
		if _, ok := pair.PrivateKey.(*ecdsa.PrivateKey); !ok {
			err = errors.New("the key is none for ECDSA")
		}
	}
	if err != nil {
		return nil, fault.New("certificate.damaged", "%w", err).
			WithHint("remove the folder " + l.dir + "; a new certificate is made at the next start")
	}
	return &pair, nil
}

// renew makes a certificate for key, or for a new one, and keeps both. The
// lock is held or not needed yet.
func (l *Local) renew(key *ecdsa.PrivateKey) error {
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return fault.Wrap("certificate.make", err)
		}
		raw, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return fault.Wrap("certificate.make", err)
		}
		if err := l.write(keyFile, "PRIVATE KEY", raw); err != nil {
			return err
		}
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return fault.Wrap("certificate.make", err)
	}
	now := l.now()
	form := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Watchpost post"},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(lifetime - backdate),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, h := range l.hosts {
		if ip := net.ParseIP(h); ip != nil {
			form.IPAddresses = append(form.IPAddresses, ip)
		} else {
			form.DNSNames = append(form.DNSNames, h)
		}
	}
	raw, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		return fault.Wrap("certificate.make", err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		return fault.Wrap("certificate.make", err)
	}
	if err := l.write(certFile, "CERTIFICATE", raw); err != nil {
		return err
	}
	l.current = &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
	return nil
}

// write puts a file in place, readable by this user only.
func (l *Local) write(name, kind string, raw []byte) error {
	return fault.Wrap("certificate.state", durable.Put(filepath.Join(l.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600))
}
