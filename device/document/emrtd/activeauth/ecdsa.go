package activeauth

import (
	"crypto"
	"strings"

	// Verify hashes with whatever the chip names.
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/fault"
)

// oidPlain is ecdsa-plain-signatures (BSI TR-03111 v2.10, 5.2.1.1); the hash
// follows as one arc.
const oidPlain = "0.4.0.127.0.7.1.1.4.1."

var plainHashes = map[string]crypto.Hash{
	"1": crypto.SHA1, "2": crypto.SHA224, "3": crypto.SHA256, "4": crypto.SHA384, "5": crypto.SHA512,
}

// guesses are the hashes tried where DG14 names none, or another than the
// chip uses: documents of both kinds are in use. No order is safer: a forger
// gains a factor of five over finding a signature by chance.
var guesses = [...]crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA224, crypto.SHA1}

// verifyECDSA checks a plain signature r||s; a DER value is taken too, which
// some chips send.
func (k *Key) verifyECDSA(challenge, signature []byte) error {
	scheme := pki.SchemePlainECDSA
	if len(signature) != k.SignatureLen() {
		if len(signature) == 0 || signature[0] != 0x30 {
			return fault.New(ErrLength.Code, "%d octets, want %d", len(signature), k.SignatureLen())
		}
		scheme = pki.SchemeECDSA
	}
	hashes := guesses[:]
	if k.hash != "" {
		h, ok := plainHashes[strings.TrimPrefix(k.hash, oidPlain)]
		if !ok {
			return fault.New(ErrHash.Code, "algorithm %s", k.hash)
		}
		hashes = append([]crypto.Hash{h}, hashes...)
	}
	var err error
	for _, h := range hashes {
		if err = k.public.Verify(pki.Algorithm{OID: k.hash, Scheme: scheme, Hash: h}, challenge, signature); err == nil {
			return nil
		}
	}
	return fault.Wrap(ErrSignature.Code, err)
}
