package pki

import "github.com/watchpost/watchpost/device/fault"

// ParseCertificate reads one X.509 certificate. Errors: ErrMalformed,
// ErrTooLarge. An unusable key or algorithm is no parse error: see
// PublicKey.Err and Algorithm.Err.
func ParseCertificate(raw []byte) (*Certificate, error) {
	return nil, fault.New("pki.unfinished", "certificate parser is not built yet")
}
