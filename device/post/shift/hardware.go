package shift

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/device/post"
	"github.com/watchpost/watchpost/device/post/keysapi"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/erase"
	"github.com/watchpost/watchpost/device/vault/hardware"
	"github.com/watchpost/watchpost/device/vault/lease"
	"github.com/watchpost/watchpost/device/vault/tpm"
	"github.com/watchpost/watchpost/device/web"
)

// hardwareKeys adds and removes officers' hardware keys while the vault is
// open. It is safe for concurrent use.
type hardwareKeys struct {
	state string
	chip  string // "" where there is no TPM
	keys  *vault.Vault

	mu sync.Mutex // one at a time: a TPM takes one user, and the file is read and written
}

var _ web.UnlockKeys = (*hardwareKeys)(nil)

// Credentials implements web.UnlockKeys.
func (h *hardwareKeys) Credentials() ([][]byte, error) {
	keys, err := hardware.Read(h.state)
	out := make([][]byte, len(keys))
	for i, k := range keys {
		out[i] = k.Credential
	}
	return out, err
}

// AddKey implements web.UnlockKeys. The way in stands in the vault before the
// file says that it is there.
func (h *hardwareKeys) AddKey(ctx context.Context, of string, credential, salt, given []byte) (string, error) {
	secret, err := hardware.Secret(given)
	if err != nil {
		return "", err
	}
	defer clear(secret)
	h.mu.Lock()
	defer h.mu.Unlock()
	k := hardware.Key{Officer: of, Credential: credential, Salt: salt}
	way, err := h.way(k.Name(), secret)
	if err != nil {
		return "", err
	}
	before, err := h.keys.ReplaceUnlock(ctx, way)
	if err == nil {
		err = erase.Way(ctx, h.chip, way.Kind(), before)
	}
	if err != nil {
		return "", err
	}
	return k.Name(), hardware.Put(h.state, k)
}

// RemoveKey implements web.UnlockKeys. The file forgets the key last: a cut
// before leaves a key that is asked for and opens nothing.
func (h *hardwareKeys) RemoveKey(ctx context.Context, credential []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys, err := hardware.Read(h.state)
	if err != nil {
		return err
	}
	k, ok := hardware.Find(keys, credential)
	if !ok {
		return nil
	}
	for _, w := range h.keys.State().UnlockBy {
		if w.Name != k.Name() {
			continue
		}
		before, err := h.keys.RemoveUnlock(w)
		if err == nil {
			err = erase.Way(ctx, h.chip, w.Kind, before)
		}
		if err != nil {
			return err
		}
	}
	return hardware.Remove(h.state, credential)
}

// way makes a way in of a key's secret, of the kind that the vault opens by.
func (h *hardwareKeys) way(name string, secret []byte) (vault.Unlocker, error) {
	ways := h.keys.State().UnlockBy
	if slices.ContainsFunc(ways, func(w vault.Way) bool { return w.Kind == lease.Kind }) {
		return nil, fault.New(hardware.ErrRefused.Code, "this post opens by a lease").WithHint("nobody unlocks a gate by hand")
	}
	params := erase.ChipOf(h.keys)
	if params == nil {
		return vault.OfficerPassphrase{Officer: name, Passphrase: secret}, nil
	}
	if h.chip == "" {
		return nil, fault.New("tpm.missing", "the daemon was started without its TPM").WithHint("start it with --tpm")
	}
	u := tpm.Unlocker{Device: h.chip, Officer: name, PIN: secret, Boots: filepath.Join(h.state, tpm.BootFile)}
	return u.Beside(params)
}

// askedKeys is what a browser has to ask of hardware keys. Whose they are is
// not told to who has not signed in.
type askedKeys struct {
	Keys []askedKey `json:"keys"`
}

type askedKey struct {
	Credential []byte `json:"credential"`
	Salt       []byte `json:"salt"`
}

// serveKeys answers what belongs to hardware keys while the post is locked,
// and reports whether it did.
func (s *Shift) serveKeys(w http.ResponseWriter, r *http.Request) bool {
	switch r.Method + " " + r.URL.Path {
	case "GET " + keysapi.HardwarePath:
		s.tellKeys(w)
	case "POST " + keysapi.HardwarePath:
		s.byHardware(w, r)
	default:
		return false
	}
	return true
}

func (s *Shift) tellKeys(w http.ResponseWriter) {
	keys, err := hardware.Read(s.o.Config.StateDir())
	if err != nil {
		web.AnswerError(w, err)
		return
	}
	out := askedKeys{Keys: make([]askedKey, len(keys))}
	for i, k := range keys {
		out.Keys[i] = askedKey{k.Credential, k.Salt}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(out) // whoever asked has gone
}

// byHardware unlocks by what a hardware key gave. The officer then signs in
// with the key as on any other day; an account that may not leaves the post
// locked.
func (s *Shift) byHardware(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	defer clear(raw)
	if err != nil {
		web.AnswerError(w, fault.New("request.too_large", "more than %d bytes", maxBody))
		return
	}
	var in struct{ Credential, Secret []byte }
	defer func() { clear(in.Secret) }()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if dec.Decode(&in) != nil { // the cause may quote the secret
		web.AnswerError(w, fault.New("request.invalid", "not what a hardware key unlocks by"))
		return
	}
	way, err := s.hardwareWay(in.Credential, in.Secret)
	if err == nil {
		err = s.ask(r.Context(), request{way: &way})
		s.tries.note(s.o.Now(), err)
	}
	if code := fault.CodeOf(err); code == "vault.pin" || code == "vault.passphrase" {
		err = hardware.ErrRefused // nobody typed anything
	}
	if err != nil {
		web.AnswerError(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Shift) hardwareWay(credential, given []byte) (Way, error) {
	if !s.tries.may(s.o.Now()) {
		return Way{}, errTries()
	}
	keys, err := hardware.Read(s.o.Config.StateDir())
	if err != nil {
		return Way{}, err
	}
	k, ok := hardware.Find(keys, credential)
	if !ok {
		return Way{}, hardware.ErrRefused
	}
	secret, err := hardware.Secret(given)
	if err != nil {
		return Way{}, err
	}
	ways, err := vault.Ways(filepath.Join(s.o.Config.StateDir(), install.VaultFile))
	if err != nil {
		clear(secret)
		return Way{}, err
	}
	secrets := keysapi.Secrets{Officer: k.Name()}
	switch {
	case slices.Contains(ways, vault.Way{Kind: tpm.Kind, Name: k.Name()}):
		secrets.PIN = secret
	case slices.Contains(ways, vault.Way{Kind: vault.PassphraseKind, Name: k.Name()}):
		secrets.Passphrase = secret
	default:
		clear(secret)
		return Way{}, hardware.ErrRefused
	}
	return s.o.With(secrets)
}

// ownerInForce refuses an opening by the hardware key of an officer whose
// account may not be used any more: nobody signs in with it, and the post
// would stand open.
func (s *Shift) ownerInForce(p *post.Post, by vault.Way, now time.Time) (string, error) {
	if !strings.HasPrefix(by.Name, hardware.Prefix) {
		return actor(by), nil
	}
	keys, err := hardware.Read(s.o.Config.StateDir())
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(keys, func(k hardware.Key) bool { return k.Name() == by.Name })
	if i < 0 {
		return "", hardware.ErrRefused
	}
	a := p.Accounts().Find(keys[i].Officer)
	if a == nil {
		return "", officer.ErrRefused
	}
	return a.ID, a.InForce(now)
}
