package tpm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	swtpm "github.com/watchpost/watchpost/hwtest/tpm"
)

func makerKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// approve appends the boot as it is now to the box's file of signed boots.
func approve(t testing.TB, device, path string, key *ecdsa.PrivateKey) {
	t.Helper()
	values, err := ReadBoot(t.Context(), device)
	if err != nil {
		t.Fatal(err)
	}
	b, err := SignBoot(key, "image", values...)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(append(raw, '\n')); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// newSignedBox is a box whose vault opens under signed boots.
func newSignedBox(t testing.TB, device string, key *ecdsa.PrivateKey) box {
	t.Helper()
	b := box{u: Unlocker{Device: device, PIN: pin, Boots: filepath.Join(t.TempDir(), BootFile), BootKey: &key.PublicKey}, path: filepath.Join(t.TempDir(), "vault.json")}
	approve(t, device, b.u.Boots, key)
	b.create(t)
	b.u.BootKey = nil // at enrolment only
	return b
}

func TestSignedUpdateKeepsTheVault(t *testing.T) {
	dir := swtpm.Dir(t)
	device, stop := startTPM(t, dir)
	key := makerKey(t)
	b := newSignedBox(t, device, key)
	b.mustOpen(t)
	for range 2 { // each update boots another image
		extend(t, device, 11)
		wantCode(t, b.open(t, b.u), "tpm.policy") // not signed yet
		approve(t, device, b.u.Boots, key)
		b.mustOpen(t)
	}
	stop()
	startTPM(t, dir) // and the first image again, which is signed as well
	b.mustOpen(t)
}

// TestPolicyDigestIsTheChips holds our computation against the chip's.
func TestPolicyDigestIsTheChips(t *testing.T) {
	device := newTPM(t)
	extend(t, device, 7)
	extend(t, device, 11)
	key := makerKey(t)
	newSignedBox(t, device, key).mustOpen(t)
}

// TestAttackSignedBoot is what somebody with another image, or an older
// approval, tries.
func TestAttackSignedBoot(t *testing.T) {
	setup := func(t *testing.T) (box, *ecdsa.PrivateKey) {
		key := makerKey(t)
		return newSignedBox(t, newTPM(t), key), key
	}
	boots := func(t *testing.T, b box) []SignedBoot {
		t.Helper()
		all, err := readBoots(b.u.Boots)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	put := func(t *testing.T, b box, all ...SignedBoot) {
		t.Helper()
		var out []byte
		for _, x := range all {
			raw, err := json.Marshal(x)
			if err != nil {
				t.Fatal(err)
			}
			out = append(append(out, raw...), '\n')
		}
		if err := os.WriteFile(b.u.Boots, out, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, pcr := range []uint32{7, 11} {
		t.Run("boot that nobody signed, register "+map[uint32]string{7: "7", 11: "11"}[pcr], func(t *testing.T) {
			b, _ := setup(t)
			extend(t, b.u.Device, pcr)
			wantCode(t, b.open(t, b.u), "tpm.policy")
		})
	}
	t.Run("signed by another key", func(t *testing.T) {
		b, _ := setup(t)
		extend(t, b.u.Device, 11)
		approve(t, b.u.Device, b.u.Boots, makerKey(t))
		wantCode(t, b.open(t, b.u), "tpm.boot_signature")
	})
	t.Run("signature of another boot", func(t *testing.T) {
		b, key := setup(t)
		old := boots(t, b)[0]
		extend(t, b.u.Device, 11)
		approve(t, b.u.Device, b.u.Boots, key)
		forged := boots(t, b)[1]
		forged.Signature = old.Signature
		put(t, b, forged)
		wantCode(t, b.open(t, b.u), "tpm.boot_signature")
	})
	t.Run("approval renamed to the boot as it is", func(t *testing.T) {
		b, _ := setup(t)
		old := boots(t, b)[0]
		extend(t, b.u.Device, 11)
		values, err := ReadBoot(t.Context(), b.u.Device)
		if err != nil {
			t.Fatal(err)
		}
		old.Policy = pcrPolicy(BootPCRs(), values)
		put(t, b, old)
		wantCode(t, b.open(t, b.u), "tpm.boot_signature")
	})
	t.Run("signature that is none", func(t *testing.T) {
		b, _ := setup(t)
		for _, bad := range [][]byte{nil, {1}, {0x30, 0}, {0x30, 6, 2, 1, 0, 2, 1, 0}} {
			x := boots(t, b)[0]
			x.Signature = bad
			put(t, b, x)
			wantCode(t, b.open(t, b.u), "tpm.boot_signature")
		}
	})
	t.Run("key of the attacker's put in the vault file", func(t *testing.T) {
		b, _ := setup(t)
		thief := makerKey(t)
		if err := os.Remove(b.u.Boots); err != nil {
			t.Fatal(err)
		}
		approve(t, b.u.Device, b.u.Boots, thief)
		p := b.decoded(t)
		var err error
		if p.BootKey, err = thief.PublicKey.Bytes(); err != nil {
			t.Fatal(err)
		}
		wantCode(t, b.derive(t, b.u, p), "tpm.policy")
	})
	t.Run("signed form shown as the plain one", func(t *testing.T) {
		b, _ := setup(t)
		p := b.decoded(t)
		p.Policy = policyPCR
		wantCode(t, b.derive(t, b.u, p), "tpm.policy")
	})
	t.Run("plain vault shown as a signed one", func(t *testing.T) {
		thief := makerKey(t)
		b := newBox(t, newTPM(t))
		b.u.Boots = filepath.Join(t.TempDir(), BootFile)
		extend(t, b.u.Device, 11)
		approve(t, b.u.Device, b.u.Boots, thief)
		p := b.decoded(t)
		p.Policy = policySigned
		var err error
		if p.BootKey, err = thief.PublicKey.Bytes(); err != nil {
			t.Fatal(err)
		}
		wantCode(t, b.derive(t, b.u, p), "tpm.policy")
	})
	t.Run("approvals taken away", func(t *testing.T) {
		b, _ := setup(t)
		if err := os.Remove(b.u.Boots); err != nil {
			t.Fatal(err)
		}
		wantCode(t, b.open(t, b.u), "tpm.policy")
	})
	t.Run("approvals damaged", func(t *testing.T) {
		b, _ := setup(t)
		raw, err := os.ReadFile(b.u.Boots)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range [][]byte{raw[:len(raw)/2], []byte(`{"image":"x"}`), append([]byte("{}{}\n"), raw...), make([]byte, maxBootFile+1)} {
			if err := os.WriteFile(b.u.Boots, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			wantCode(t, b.open(t, b.u), "tpm.boot_file")
		}
	})
	t.Run("signed boot, wrong PIN", func(t *testing.T) {
		b, _ := setup(t)
		thief := b.u
		thief.PIN = []byte("000000")
		wantCode(t, b.open(t, thief), "vault.pin")
		b.mustOpen(t)
	})
	t.Run("enrolled under a boot that nobody signed", func(t *testing.T) {
		u := Unlocker{Device: newTPM(t), PIN: pin, BootKey: &makerKey(t).PublicKey}
		for range indexes { // each would take places if it left any behind
			_, err := vault.Create(t.Context(), filepath.Join(t.TempDir(), "v"), u)
			wantCode(t, err, "tpm.policy")
		}
	})
}

func TestSignBootRefuses(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := make([]byte, 32)
	for name, c := range map[string]struct {
		key    *ecdsa.PrivateKey
		values [][]byte
		code   fault.Code
	}{
		"another curve":  {p384, [][]byte{good, good}, "tpm.boot_key"},
		"one register":   {makerKey(t), [][]byte{good}, "tpm.boot_values"},
		"short register": {makerKey(t), [][]byte{good, good[:31]}, "tpm.boot_values"},
	} {
		_, err := SignBoot(c.key, "image", c.values...)
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzBoots(f *testing.F) {
	b, err := SignBoot(makerKey(f), "image", make([]byte, 32), make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	raw, err := json.Marshal(b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte("\n\n{}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		all, err := decodeBoots(raw)
		if err != nil && (all != nil || fault.CodeOf(err) != "tpm.boot_file") {
			t.Fatalf("%v, %v", all, err)
		}
	})
}
