package labkey_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd/termauth/labkey"
	"github.com/watchpost/watchpost/hwtest/gen/cvc"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

func hierarchy(t testing.TB, s cvc.Spec) *cvc.Hierarchy {
	t.Helper()
	h, err := cvc.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestChains(t *testing.T) {
	h := hierarchy(t, cvc.Spec{Linked: true})
	k, err := labkey.Parse(h.PEM())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		authorities []string
		want        [][]byte
	}{
		"old authority":   {[]string{"UTCVWATCH00001"}, h.Chain()},
		"new authority":   {[]string{"UTCVWATCH00002"}, h.Chain()[1:]},
		"both, new first": {[]string{"UTCVWATCH00002", "UTCVWATCH00001"}, h.Chain()[1:]},
		"unknown":         {[]string{"XXCVWATCH00001"}, nil},
		"unknown and old": {[]string{"XXCVWATCH00001", "UTCVWATCH00001"}, h.Chain()},
		"none":            {nil, nil},
		"the verifier":    {[]string{"UTDVWATCH00001"}, h.Chain()[2:]},
		"terminal's own":  {[]string{"UTISWATCH00001"}, nil},
	} {
		got, err := k.Certificates(t.Context(), tc.authorities)
		if err != nil || !slices.EqualFunc(got, tc.want, slices.Equal[[]byte]) {
			t.Errorf("%s: %d certificates, %v", name, len(got), err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	sound := hierarchy(t, cvc.Spec{})
	rsa := hierarchy(t, cvc.Spec{CVCA: pki.Scheme{Key: "rsa-1024", Hash: "sha256"}})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: sound.Terminal.Key.PKCS8()})
	certificate := func(raw []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CV CERTIFICATE", Bytes: raw})
	}
	broken := slices.Clone(sound.Terminal.Key.PKCS8())
	broken[3] ^= 0xFF
	for name, file := range map[string][]byte{
		"empty":                 nil,
		"no PEM":                []byte("hello"),
		"key alone":             private,
		"certificates alone":    certificate(sound.Terminal.Raw),
		"verifier alone":        slices.Concat(private, certificate(sound.DV.Raw)),
		"two keys":              slices.Concat(private, private, certificate(sound.Terminal.Raw)),
		"certificate broken":    slices.Concat(private, certificate(sound.Terminal.Raw[:20])),
		"key broken":            slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: broken}), certificate(sound.Terminal.Raw)),
		"key empty":             slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY"}), certificate(sound.Terminal.Raw)),
		"certificate for RSA":   slices.Concat(private, certificate(rsa.Terminal.Raw)),
		"certificate for ECDSA": slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rsa.Terminal.Key.PKCS8()}), certificate(sound.Terminal.Raw)),
	} {
		if k, err := labkey.Parse(file); !errors.Is(err, labkey.ErrFile) || k != nil {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
}

// TestPrintsNothing: a key stays out of text and logs.
func TestPrintsNothing(t *testing.T) {
	k, err := labkey.Parse(hierarchy(t, cvc.Spec{}).PEM())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("key", "key", k)
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k), out.String()} {
		if strings.Count(text, "redacted") != 1 || len(text) > 150 {
			t.Errorf("%q", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(hierarchy(f, cvc.Spec{}).PEM())
	f.Add(hierarchy(f, cvc.Spec{CVCA: pki.Scheme{Key: "rsa-1024", Hash: "sha1"}}).PEM())
	f.Fuzz(func(t *testing.T, file []byte) {
		if k, err := labkey.Parse(file); (err == nil) != (k != nil) || err != nil && !errors.Is(err, labkey.ErrFile) {
			t.Errorf("%v", err)
		}
	})
}
