package pki

// CRL is a parsed certificate revocation list (RFC 5280:2008 5).
type CRL struct {
	Raw []byte
}
