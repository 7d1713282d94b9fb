package inspect

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/watchpost/watchpost/device/document/lds"
	docpki "github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

// TestOddFiles: what data sets and old chips do to files is tolerated where
// the signature covers it all the same, and said.
func TestOddFiles(t *testing.T) {
	utopia := issuer(t, pki.Spec{CSCA: fast, DS: fast})
	sound := files(t, utopia, lines(t, nil))
	signedWithTail := bytes.Clone(sound[lds.Group(14)])
	signedWithTail = append(signedWithTail, 0, 0, 0)
	tailed, err := utopia.SOD(map[int][]byte{1: sound[lds.Group(1)], 2: sound[lds.Group(2)], 14: signedWithTail})
	if err != nil {
		t.Fatal(err)
	}
	message, _, err := lds.UnwrapSOD(sound[lds.SOD])
	if err != nil {
		t.Fatal(err)
	}
	indefinite := append(append([]byte{0x77, 0x80}, message...), 0, 0)
	for name, tc := range map[string]struct {
		file lds.File
		raw  []byte
		sod  []byte
		want expect
	}{
		"EF.SOD of indefinite length": {lds.SOD, indefinite, nil, expect{SODFormat: "pass tolerated: der.trailing_bytes", SODSignature: "pass", GroupHash(1): "pass"}},
		"EF.SOD without its tag":      {lds.SOD, message, nil, expect{SODFormat: "pass tolerated: no_outer_tag", SODSignature: "pass", GroupHash(1): "pass"}},
		"indefinite and empty":        {lds.SOD, []byte{0x77, 0x80, 0, 0}, nil, expect{SODFormat: "fail pki.malformed"}},
		"a tail that was not signed":  {lds.Group(14), signedWithTail, nil, expect{GroupHash(14): "pass", GroupFormat(14): "pass tolerated: trailing_bytes"}},
		"a tail that was signed":      {lds.Group(14), signedWithTail, tailed, expect{GroupHash(14): "pass tolerated: trailing_bytes_hashed", GroupFormat(14): "pass tolerated: trailing_bytes"}},
		"a signed tail that is gone":  {lds.Group(14), sound[lds.Group(14)], tailed, expect{GroupHash(14): "fail hash_mismatch"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := map[lds.File][]byte{}
			for n, b := range sound {
				f[n] = b
			}
			f[tc.file] = tc.raw
			if tc.sod != nil {
				f[lds.SOD] = tc.sod
			}
			compare(t, Judge(Input{Files: f, At: at, Trust: store(t, utopia.CSCA.DER)}), tc.want)
		})
	}
}

// TestRevokedCSCA: a revoked CSCA vouches for nobody, though the chain holds.
func TestRevokedCSCA(t *testing.T) {
	utopia := issuer(t, pki.Spec{CSCA: fast, DS: fast})
	f := files(t, utopia, lines(t, nil))
	csca := store(t, utopia.CSCA.DER).Entries()[0].Certificate
	crl, err := utopia.CRL(at.AddDate(0, 0, -10), csca.Serial)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, Judge(Input{Files: f, At: at, Trust: store(t, utopia.CSCA.DER, crl)}), expect{DSChain: "pass", CSCATrust: "fail revoked"})
	if crl, err = utopia.CRL(at.AddDate(0, 0, -10), new(big.Int).Add(csca.Serial, big.NewInt(1_000_000))); err != nil {
		t.Fatal(err)
	}
	compare(t, Judge(Input{Files: f, At: at, Trust: store(t, utopia.CSCA.DER, crl)}), expect{DSChain: "pass", CSCATrust: "pass source: certificate"})
}

// TestShortKeys: a modulus that can be factored signs nothing that counts.
func TestShortKeys(t *testing.T) {
	for bits, want := range map[int]string{512: "short_key", 1023: "short_key", 1024: "", 4096: ""} {
		k := &docpki.PublicKey{RSA: &docpki.RSAKey{N: new(big.Int).Lsh(big.NewInt(1), uint(bits-1)), E: big.NewInt(65537)}}
		if got := keyRefused(k); got != want {
			t.Errorf("%d bits: %q", bits, got)
		}
	}
	if got := keyRefused(&docpki.PublicKey{Err: docpki.ErrCurve}); got != "pki.curve" {
		t.Errorf("unknown curve: %q", got)
	}
}
