package trust

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
)

const (
	indexName    = "trust.json"
	lockName     = "trust.lock"
	blobSuffix   = ".der"
	indexVersion = 1

	// lockTimeout is how long an import waits for another (design section 12).
	lockTimeout = time.Second
	lockPoll    = 20 * time.Millisecond
)

// index is the form of trust.json. Certificates and CRLs lie in it, so that
// one rename changes all of the store at once; deviation lists, which are
// large and rarely read, lie beside it under their digest.
type index struct {
	Version      int                `json:"version"`
	Lists        []List             `json:"lists"`
	Certificates []indexCertificate `json:"certificates"`
	CRLs         []indexCRL         `json:"crls"`
}

type indexCertificate struct {
	DER         []byte       `json:"der"`
	Fingerprint string       `json:"fingerprint"`
	Kind        Kind         `json:"kind"`
	Provenance  []Provenance `json:"provenance"`
}

type indexCRL struct {
	DER    []byte `json:"der"`
	Digest string `json:"digest"`
	File   string `json:"file"`
	Signer string `json:"signer"`
}

// load reads a store; nil without error when dir holds none.
func load(dir string) (*Store, error) {
	raw, err := os.ReadFile(filepath.Join(dir, indexName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.New(ErrDamaged.Code, "cannot read the store: %v", err)
	}
	var x index
	if err := json.Unmarshal(raw, &x); err != nil {
		return nil, fault.New(ErrDamaged.Code, "%s: %v", indexName, err)
	}
	if x.Version != indexVersion {
		return nil, fault.New(ErrDamaged.Code, "%s is of version %d, this program reads %d", indexName, x.Version, indexVersion)
	}
	s := newStore(dir)
	s.lists = x.Lists
	for i, ic := range x.Certificates {
		c, err := pki.ParseCertificate(ic.DER)
		if err != nil || c.Fingerprint() != ic.Fingerprint || s.byFingerprint[ic.Fingerprint] != nil {
			return nil, fault.New(ErrDamaged.Code, "certificate %d is not what was imported", i)
		}
		switch ic.Kind {
		case KindCSCA, KindLink, KindDS:
		default:
			return nil, fault.New(ErrDamaged.Code, "certificate %d is of kind %q", i, ic.Kind)
		}
		s.add(newEntry(c, ic.Kind, ic.Fingerprint, ic.Provenance))
	}
	for i, ic := range x.CRLs {
		c, err := pki.ParseCRL(ic.DER)
		if err != nil || digest(ic.DER) != ic.Digest {
			return nil, fault.New(ErrDamaged.Code, "CRL %d is not what was imported", i)
		}
		s.crls = append(s.crls, &heldCRL{crl: c, signer: s.byFingerprint[ic.Signer], file: ic.File, key: ic.Signer})
	}
	return s, nil
}

// save replaces the index on disk with s.
func (s *Store) save() error {
	x := index{Version: indexVersion, Lists: s.lists}
	for _, e := range s.entries {
		x.Certificates = append(x.Certificates, indexCertificate{DER: e.Certificate.Raw, Fingerprint: e.Fingerprint, Kind: e.Kind, Provenance: e.Provenance})
	}
	for _, h := range s.crls {
		x.CRLs = append(x.CRLs, indexCRL{DER: h.crl.Raw, Digest: digest(h.crl.Raw), File: h.file, Signer: h.key})
	}
	raw, err := json.Marshal(x)
	if err != nil {
		return fault.Wrap(ErrWrite.Code, err)
	}
	return fault.Wrap(ErrWrite.Code, durable.Replace(filepath.Join(s.dir, indexName), raw))
}

// lock takes the store's lock and returns what releases it. It waits at most
// lockTimeout, or until ctx ends. Error: ErrLocked.
func lock(ctx context.Context, dir string) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.Wrap(ErrWrite.Code, err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			// Closing the file releases the lock.
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = f.Close()
			return nil, fault.Wrap(ErrWrite.Code, err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, ErrLocked
		case <-tick.C:
		}
	}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
