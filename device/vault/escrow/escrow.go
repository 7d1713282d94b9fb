// Package escrow opens a vault by two persons of several, each with a key of
// their own that never was on the box: for the day when the TPM is broken, the
// PIN forgotten or the officer gone.
//
// The key that opens is split for each pair of persons into two halves, one
// random, the other the exclusive or of it and the key; each half is sealed to
// its person's public key (HPKE, RFC 9180, 2022). One person's halves are
// random bytes: alone they tell nothing. Persons' keys are X25519 (RFC 7748,
// 2016) in PEM, as `openssl genpkey -algorithm X25519` makes them.
//
// The file with the halves is no secret of the box and is kept elsewhere; it
// opens nothing without the vault file.
package escrow

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// Kind is the name of this way of unlocking in a vault file.
const Kind = "escrow"

// Bounds.
const (
	maxFile    = 256 << 10 // bytes
	minPersons = 2
	maxPersons = 8
	idSize     = 16
	halfSize   = 32 + vault.KeySize + 16 // HPKE: X25519 key, text, tag
)

// What opening can end in.
var (
	ErrFile    = &fault.Error{Code: "escrow.file"}    // not an escrow file, or not as it was written
	ErrPersons = &fault.Error{Code: "escrow.persons"} // two different persons of the file are needed
	ErrKey     = &fault.Error{Code: "escrow.key"}     // not an X25519 key
	ErrOther   = &fault.Error{Code: "escrow.other"}   // the file of another vault, or an earlier one
)

// file is an escrow file.
type file struct {
	Format  int      `json:"format"`
	ID      []byte   `json:"id"`      // of the way in: which vault
	Persons [][]byte `json:"persons"` // public keys, X25519
	Pairs   []pair   `json:"pairs"`   // of all persons with each other, in order
	Sum     []byte   `json:"sum"`     // SHA-256 of the file with this field empty
}

// pair are the halves of two persons, by their place in the file.
type pair struct {
	A     int    `json:"a"`
	B     int    `json:"b"`
	HalfA []byte `json:"half_a"`
	HalfB []byte `json:"half_b"`
}

// params is what the vault file keeps in clear.
type params struct {
	ID []byte `json:"id"`
}

func kem() hpke.KEM { return hpke.DHKEM(ecdh.X25519()) }

// info binds a half to its vault, pair and side.
func info(id, own, other []byte) []byte {
	return vault.Identity("watchpost/escrow/1", string(id), string(own), string(other))
}

// Unlocker is the way in by escrow. The zero value is not useful.
type Unlocker struct {
	id  []byte
	key []byte
	// of New only
	file *file
}

var _ vault.Unlocker = (*Unlocker)(nil)

// Kind implements vault.Unlocker.
func (*Unlocker) Kind() string { return Kind }

// String keeps the key out of formatted text.
func (*Unlocker) String() string { return "[escrow]" }

// GoString keeps the key out of formatted text.
func (*Unlocker) GoString() string { return "[escrow]" }

// New makes a way in for any two of the persons whose public keys lie in the
// PEM files. It is given to vault.ReplaceUnlock, then written by Write.
func New(publicKeys []string) (*Unlocker, error) {
	if len(publicKeys) < minPersons || len(publicKeys) > maxPersons {
		return nil, fault.New(ErrPersons.Code, "%d persons; %d to %d share an escrow", len(publicKeys), minPersons, maxPersons)
	}
	u := &Unlocker{id: make([]byte, idSize), key: make([]byte, vault.KeySize)}
	rand.Read(u.id)
	rand.Read(u.key)
	f := &file{Format: 1, ID: u.id}
	for _, path := range publicKeys {
		pub, err := readPublic(path)
		if err != nil {
			return nil, err
		}
		for _, p := range f.Persons {
			if bytes.Equal(p, pub) {
				return nil, fault.New(ErrPersons.Code, "the same key twice: two persons are needed")
			}
		}
		f.Persons = append(f.Persons, pub)
	}
	for a := range f.Persons {
		for b := a + 1; b < len(f.Persons); b++ {
			p, err := f.split(a, b, u.key)
			if err != nil {
				return nil, err
			}
			f.Pairs = append(f.Pairs, p)
		}
	}
	var err error
	f.Sum, err = f.sum()
	u.file = f
	return u, err
}

func (f *file) split(a, b int, key []byte) (p pair, err error) {
	one, two := make([]byte, len(key)), make([]byte, len(key))
	defer clear(one)
	defer clear(two)
	rand.Read(one)
	subtle.XORBytes(two, one, key)
	p = pair{A: a, B: b}
	if p.HalfA, err = seal(f.Persons[a], info(f.ID, f.Persons[a], f.Persons[b]), one); err != nil {
		return p, err
	}
	p.HalfB, err = seal(f.Persons[b], info(f.ID, f.Persons[b], f.Persons[a]), two)
	return p, err
}

func seal(to, context, half []byte) ([]byte, error) {
	pub, err := kem().NewPublicKey(to)
	if err != nil {
		return nil, fault.New(ErrKey.Code, "a person's key: %w", err)
	}
	out, err := hpke.Seal(pub, hpke.HKDFSHA256(), hpke.AES256GCM(), context, half)
	return out, fault.Wrap(ErrKey.Code, err)
}

func (f *file) sum() ([]byte, error) {
	c := *f
	c.Sum = nil
	raw, err := json.Marshal(c)
	sum := sha256.Sum256(raw)
	return sum[:], fault.Wrap(ErrFile.Code, err)
}

// Write writes the escrow file, which must not be there yet.
func (u *Unlocker) Write(path string) error {
	raw, err := json.Marshal(u.file)
	if err != nil {
		return fault.Wrap(ErrFile.Code, err)
	}
	h, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fault.New(ErrFile.Code, "write the escrow file: %w", err)
	}
	_, err = h.Write(append(raw, '\n'))
	if err = errors.Join(err, h.Sync(), h.Close()); err != nil {
		os.Remove(path)
		return fault.Wrap(ErrFile.Code, err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fault.Wrap(ErrFile.Code, err)
	}
	return fault.Wrap(ErrFile.Code, errors.Join(dir.Sync(), dir.Close()))
}

// Open joins the halves of two persons, whose private keys lie in PEM files.
func Open(path string, privateKeys []string) (*Unlocker, error) {
	raw, err := readAtMost(path, maxFile)
	if err != nil {
		return nil, fault.New(ErrFile.Code, "%w", err)
	}
	f, err := decode(raw)
	if err != nil {
		return nil, err
	}
	if len(privateKeys) != 2 {
		return nil, fault.New(ErrPersons.Code, "%d keys; two persons open an escrow together", len(privateKeys)).
			WithHint("give --escrow-key twice, with the keys of two persons")
	}
	var keys [2]hpke.PrivateKey
	var at [2]int
	for i, p := range privateKeys {
		if keys[i], err = readPrivate(p); err != nil {
			return nil, err
		}
		at[i] = -1
		for n, person := range f.Persons {
			if bytes.Equal(person, keys[i].PublicKey().Bytes()) {
				at[i] = n
			}
		}
		if at[i] < 0 {
			return nil, fault.New(ErrPersons.Code, "key %d is of nobody in this escrow", i+1)
		}
	}
	if at[0] == at[1] {
		return nil, fault.New(ErrPersons.Code, "twice the same person: another one is needed")
	}
	return f.join(at, keys)
}

func (f *file) join(at [2]int, keys [2]hpke.PrivateKey) (*Unlocker, error) {
	for _, p := range f.Pairs {
		halves := [2][]byte{p.HalfA, p.HalfB}
		switch at {
		case [2]int{p.A, p.B}:
		case [2]int{p.B, p.A}:
			halves[0], halves[1] = halves[1], halves[0]
		default:
			continue
		}
		key := make([]byte, vault.KeySize)
		for i := range halves {
			half, err := hpke.Open(keys[i], hpke.HKDFSHA256(), hpke.AES256GCM(), info(f.ID, f.Persons[at[i]], f.Persons[at[1-i]]), halves[i])
			if err != nil || len(half) != len(key) {
				return nil, fault.New(ErrFile.Code, "a half does not open: the file was changed")
			}
			subtle.XORBytes(key, key, half)
			clear(half)
		}
		return &Unlocker{id: f.ID, key: key}, nil
	}
	return nil, fault.New(ErrFile.Code, "the file lacks these two persons' halves")
}

func decode(raw []byte) (*file, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	f := new(file)
	if err := dec.Decode(f); err != nil {
		return nil, fault.New(ErrFile.Code, "not an escrow file: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.New(ErrFile.Code, "something follows the escrow")
	}
	sum, err := f.sum()
	if err != nil {
		return nil, err
	}
	n := len(f.Persons)
	if f.Format != 1 || len(f.ID) != idSize || n < minPersons || n > maxPersons || len(f.Pairs) > n*(n-1)/2 || !bytes.Equal(sum, f.Sum) {
		return nil, fault.New(ErrFile.Code, "the escrow file is not as it was written")
	}
	for _, p := range f.Pairs {
		if p.A < 0 || p.B <= p.A || p.B >= n || len(p.HalfA) != halfSize || len(p.HalfB) != halfSize {
			return nil, fault.New(ErrFile.Code, "the escrow file is not as it was written")
		}
	}
	return f, nil
}

// Enrol implements vault.Unlocker.
func (u *Unlocker) Enrol(context.Context) (json.RawMessage, error) {
	raw, err := json.Marshal(params{u.id})
	return raw, fault.Wrap(ErrFile.Code, err)
}

// Derive implements vault.Unlocker.
func (u *Unlocker) Derive(_ context.Context, raw json.RawMessage) ([]byte, error) {
	var p params
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fault.New("vault.damaged", "the parameters of the escrow are not of the form")
	}
	if !bytes.Equal(p.ID, u.id) {
		return nil, fault.New(ErrOther.Code, "this escrow file is another vault's, or was replaced by a later one").
			WithHint("find the file that was written last for this post")
	}
	return bytes.Clone(u.key), nil
}

// maxPEM bounds a key file in bytes.
const maxPEM = 16 << 10

func readAtMost(path string, most int64) ([]byte, error) {
	h, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	raw, err := io.ReadAll(io.LimitReader(h, most+1))
	if err == nil && int64(len(raw)) > most {
		err = errors.New("the file is too large")
	}
	return raw, err
}

func readBlock(path, kind string) ([]byte, error) {
	raw, err := readAtMost(path, maxPEM)
	if err != nil {
		return nil, fault.New(ErrKey.Code, "%w", err)
	}
	defer clear(raw)
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != kind {
		return nil, fault.New(ErrKey.Code, "no %s in the file", kind).WithHint("persons' keys are made with: openssl genpkey -algorithm X25519")
	}
	return block.Bytes, nil
}

func readPublic(path string) ([]byte, error) {
	der, err := readBlock(path, "PUBLIC KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if pub, ok := key.(*ecdh.PublicKey); err == nil && ok && pub.Curve() == ecdh.X25519() {
		return pub.Bytes(), nil
	}
	return nil, fault.New(ErrKey.Code, "not the public half of an X25519 key")
}

func readPrivate(path string) (hpke.PrivateKey, error) {
	der, err := readBlock(path, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	defer clear(der)
	key, err := x509.ParsePKCS8PrivateKey(der)
	priv, ok := key.(*ecdh.PrivateKey)
	if err != nil || !ok || priv.Curve() != ecdh.X25519() {
		return nil, fault.New(ErrKey.Code, "not an X25519 key")
	}
	out, err := kem().NewPrivateKey(priv.Bytes())
	return out, fault.Wrap(ErrKey.Code, err)
}
