package pki

import (
	"crypto"

	"github.com/watchpost/watchpost/device/fault"
)

// HashByOID returns the hash function of a digest algorithm identifier.
// Errors: ErrAlgorithm, ErrForbiddenHash.
func HashByOID(oid string) (crypto.Hash, error) {
	return 0, fault.New("pki.unfinished", "not built yet")
}

// IsWeakHash reports whether h is SHA-1, which verifies but is left to policy.
func IsWeakHash(h crypto.Hash) bool { return h == crypto.SHA1 }
