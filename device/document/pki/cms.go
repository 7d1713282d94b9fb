package pki

import "github.com/watchpost/watchpost/device/fault"

// ParseSignedData reads one CMS SignedData (RFC 5652:2009 5.1), given as a
// ContentInfo. EF.SOD's own tag 77 must be taken off before. Errors:
// ErrMalformed, ErrTooLarge, ErrContentType.
func ParseSignedData(raw []byte) (*SignedData, error) {
	return nil, fault.New("pki.unfinished", "CMS parser is not built yet")
}

// VerifySigner checks signer i with the embedded certificates and extra ones
// (nil entries are skipped). Chain and dates are not judged.
func (s *SignedData) VerifySigner(i int, extra ...*Certificate) SignerResult {
	return SignerResult{}
}
