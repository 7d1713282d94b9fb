package shift_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/hwtest/authenticator"
)

// socket calls the API of a desk as a program does.
type socket struct {
	d     *desk
	http  *http.Client
	token string
}

func (d *desk) socket() *socket {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(d.state, "admin.sock"))
	}
	return &socket{d: d, http: &http.Client{Timeout: commandLimit, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// call makes one call that must end in code, "" for none.
func (s *socket) call(code, method, path string, in, out any) {
	t := s.d.t
	t.Helper()
	raw, err := json.Marshal(in)
	s.d.must(err)
	r, err := http.NewRequestWithContext(t.Context(), method, "http://post"+path, bytes.NewReader(raw))
	s.d.must(err)
	r.Header.Set("Content-Type", "application/json")
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	answer, err := s.http.Do(r)
	s.d.must(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	s.d.must(err)
	var failed struct{ Code string }
	if answer.StatusCode >= 400 {
		_ = json.Unmarshal(body, &failed) // judged below
	}
	if failed.Code != code || code == "" && answer.StatusCode >= 400 {
		t.Fatalf("%s %s: %d %q, want %q", method, path, answer.StatusCode, failed.Code, code)
	}
	if out != nil && answer.StatusCode < 400 {
		s.d.must(json.Unmarshal(body, out))
	}
}

func (s *socket) signIn(id, password string) {
	s.d.t.Helper()
	var in struct{ Token string }
	s.call("", http.MethodPost, "/v1/session", map[string]string{"id": id, "password": password}, &in)
	s.token = in.Token
}

// passkey registers k for who is signed in, and returns its id.
func (s *socket) passkey(k *authenticator.Key) string {
	s.d.t.Helper()
	var begun struct {
		Ceremony string
		Options  json.RawMessage
	}
	s.call("", http.MethodPost, "/v1/passkey-ceremonies", nil, &begun)
	credential, err := k.Create(begun.Options)
	s.d.must(err)
	var made struct{ ID string }
	s.call("", http.MethodPost, "/v1/passkeys", map[string]any{"ceremony": begun.Ceremony, "name": "a key", "credential": json.RawMessage(credential)}, &made)
	return made.ID
}

// TestAttackHardwareKey unlocks a desk with a real TPM by a hardware key, and
// tries what should not.
func TestAttackHardwareKey(t *testing.T) {
	d := newDesk(t, policy.Desk, []account{{"anna", "annas-pin", time.Now().Add(24 * time.Hour)}, {"ben", "bens-pin", time.Now().Add(24 * time.Hour)}}, nil)
	pin := []string{"--tpm", d.chip.Address(), "--pin-file", filepath.Join(d.dir, "pin")}
	d.ok(append([]string{"keys", "init", "--unlock", "tpm"}, pin...)...)
	d.run("--pin-file", filepath.Join(d.dir, "pin"), "--provision", d.provision)
	d.until("open", func() bool { return !d.keys().Locked })
	const hardware = "/v1/keys/hardware"
	s := d.socket()
	s.signIn("anna", "annas-pin")
	key, err := authenticator.New("localhost", "https://localhost")
	d.must(err)
	id := s.passkey(key)
	salt, secret := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	s.call("passkey.not_found", http.MethodPut, "/v1/passkeys/AAAA/unlock", map[string]any{"salt": salt, "secret": secret}, nil)
	s.call("", http.MethodPut, "/v1/passkeys/"+id+"/unlock", map[string]any{"salt": salt, "secret": secret}, nil)
	other := d.socket()
	other.signIn("ben", "bens-pin")
	given := func(credential, secret []byte) map[string]any {
		return map[string]any{"credential": credential, "secret": secret}
	}
	locked := func(t *testing.T) {
		d.ok("keys", "lock")
		if k := d.keys(); !k.Locked {
			t.Fatalf("%+v", k)
		}
	}

	t.Run("another officer's passkey cannot be made to unlock", func(*testing.T) {
		other.call("passkey.not_found", http.MethodPut, "/v1/passkeys/"+id+"/unlock", map[string]any{"salt": salt, "secret": secret}, nil)
	})
	locked(t)
	t.Run("who has not signed in is told no officer", func(t *testing.T) {
		var told struct{ Keys []map[string][]byte }
		s.call("", http.MethodGet, hardware, nil, &told)
		if len(told.Keys) != 1 || len(told.Keys[0]) != 2 || !bytes.Equal(told.Keys[0]["credential"], key.ID) || !bytes.Equal(told.Keys[0]["salt"], salt) {
			t.Errorf("told %v", told)
		}
	})
	t.Run("a guessed secret", func(*testing.T) {
		s.call("vault.hardware_key", http.MethodPost, hardware, given(key.ID, bytes.Repeat([]byte{3}, 32)), nil)
	})
	t.Run("a short secret", func(*testing.T) {
		s.call("vault.hardware_key", http.MethodPost, hardware, given(key.ID, secret[:31]), nil)
	})
	t.Run("an unknown key", func(*testing.T) {
		s.call("vault.hardware_key", http.MethodPost, hardware, given([]byte("unknown"), secret), nil)
	})
	t.Run("no answer of a key", func(*testing.T) {
		s.call("request.invalid", http.MethodPost, hardware, map[string]any{"pin": shiftPIN}, nil)
	})
	t.Run("the key itself", func(t *testing.T) {
		s.call("", http.MethodPost, hardware, given(key.ID, secret), nil)
		if k := d.keys(); k.Locked {
			t.Fatalf("%+v", k)
		}
		s.call("session.expired", http.MethodGet, "/v1/session", nil, nil) // unlocking signs nobody in
	})
	t.Run("the file of keys names another officer, who is gone", func(t *testing.T) {
		locked(t)
		path := filepath.Join(d.state, "hardware-keys.json")
		raw, err := os.ReadFile(path)
		d.must(err)
		d.write(path, bytes.ReplaceAll(raw, []byte(`"anna"`), []byte(`"carl"`)))
		s.call("officer.refused", http.MethodPost, hardware, given(key.ID, secret), nil)
		if k := d.keys(); !k.Locked {
			t.Errorf("open for an officer who is gone: %+v", k)
		}
		d.write(path, raw)
	})
	t.Run("removed, a copy of the file and the vault opens nothing", func(t *testing.T) {
		files := map[string][]byte{}
		for _, name := range []string{"hardware-keys.json", "vault.json"} {
			raw, err := os.ReadFile(filepath.Join(d.state, name))
			d.must(err)
			files[name] = raw
		}
		d.ok(append([]string{"keys", "unlock"}, pin...)...)
		s.signIn("anna", "annas-pin")
		s.call("", http.MethodDelete, "/v1/passkeys/"+id, nil, nil)
		locked(t)
		s.call("vault.hardware_key", http.MethodPost, hardware, given(key.ID, secret), nil)
		for name, raw := range files {
			d.write(filepath.Join(d.state, name), raw)
		}
		s.call("tpm.wiped", http.MethodPost, hardware, given(key.ID, secret), nil)
	})
}
