package pki

import (
	"math/big"
	"time"

	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// MaxCRLBytes bounds one CRL.
const MaxCRLBytes = 32 << 20

// CRL is a parsed certificate revocation list (RFC 5280:2008 5). Slices alias Raw.
type CRL struct {
	Raw, RawTBS, RawIssuer []byte

	Issuer         Name
	ThisUpdate     time.Time
	NextUpdate     time.Time // zero when absent, which Doc 9303-12:2021 7.1.4 does not allow
	Number         *big.Int  // nil when absent
	AuthorityKeyID []byte
	Algorithm      Algorithm
	Signature      []byte
	// UnknownCritical are critical extensions of the list or of an entry that
	// limit or move its scope (delta, indirect, by reason) or are unknown. A
	// list that has any must not be used to call a certificate good.
	UnknownCritical []string
	// IssuingPoint is the value of issuingDistributionPoint, which is in
	// UnknownCritical too; nil when absent.
	IssuingPoint []byte
	Deviations   []Deviation

	revoked map[string]Revocation
}

// Revocation is one entry of a CRL.
type Revocation struct {
	Serial *big.Int
	Time   time.Time
	Reason int // RFC 5280:2008 5.3.1; -1 when not stated
}

// Revoked looks a serial number up.
func (c *CRL) Revoked(serial *big.Int) (Revocation, bool) {
	r, ok := c.revoked[serial.String()]
	return r, ok
}

// Len is the count of revoked certificates.
func (c *CRL) Len() int { return len(c.revoked) }

// CheckSignatureFrom verifies the list's signature with issuer's key. Names
// and key usage are not judged. Errors as PublicKey.Verify.
func (c *CRL) CheckSignatureFrom(issuer *Certificate) error {
	return issuer.PublicKey.Verify(c.Algorithm, c.RawTBS, c.Signature)
}

// ParseCRL reads one CRL, which must fill raw. It keeps raw. Errors:
// ErrMalformed, ErrTooLarge.
func ParseCRL(raw []byte) (*CRL, error) {
	if len(raw) > MaxCRLBytes {
		return nil, fault.New(ErrTooLarge.Code, "CRL of %d bytes", len(raw))
	}
	outer, rest, err := der.Parse(raw)
	if err != nil {
		return nil, asMalformed(err)
	}
	if len(rest) != 0 {
		return nil, malformedf("%d bytes after the CRL", len(rest))
	}
	c, err := parseCRL(outer)
	if err != nil {
		return nil, asMalformed(err)
	}
	return c, nil
}

func parseCRL(outer der.Element) (*CRL, error) {
	if outer.ID != der.Sequence {
		return nil, malformedf("CRL is no sequence")
	}
	c := &CRL{Raw: outer.Raw, revoked: map[string]Revocation{}}
	r := outer.Reader()
	tbs, err := r.Expect(der.Sequence)
	if err != nil {
		return nil, err
	}
	c.RawTBS = tbs.Raw
	alg, err := r.Next()
	if err != nil {
		return nil, err
	}
	if c.Algorithm, err = parseAlgorithm(alg); err != nil {
		return nil, err
	}
	signature, err := r.Expect(der.BitString)
	if err != nil {
		return nil, err
	}
	if c.Signature, _, err = signature.Bits(); err != nil {
		return nil, err
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	return c, c.parseTBS(tbs.Reader())
}

func (c *CRL) parseTBS(r *der.Reader) error {
	if _, _, err := r.Optional(der.Integer); err != nil { // version
		return err
	}
	inner, err := r.Expect(der.Sequence)
	if err != nil {
		return err
	}
	a, err := parseAlgorithm(inner)
	if err != nil {
		return err
	}
	if o := c.Algorithm; a.Scheme != o.Scheme || a.Hash != o.Hash || a.MGFHash != o.MGFHash || a.SaltLength != o.SaltLength {
		c.Algorithm.Err = fault.New(ErrAlgorithm.Code, "signature algorithm %s outside and %s inside", o.OID, a.OID)
	}
	issuer, err := r.Expect(der.Sequence)
	if err != nil {
		return err
	}
	c.RawIssuer = issuer.Raw
	if c.Issuer, err = parseName(issuer); err != nil {
		return err
	}
	if err := c.parseDates(r); err != nil {
		return err
	}
	if list, ok, err := r.Optional(der.Sequence); err != nil {
		return err
	} else if ok {
		for er := list.Reader(); !er.Empty(); {
			if err := c.parseEntry(er); err != nil {
				return err
			}
		}
	}
	if e, ok, err := r.Optional(der.ContextConstructed(0)); err != nil {
		return err
	} else if ok {
		if err := c.parseExtensions(e.Reader()); err != nil {
			return err
		}
	}
	return r.End()
}

func (c *CRL) parseDates(r *der.Reader) error {
	e, err := r.Next()
	if err != nil {
		return err
	}
	var strict bool
	if c.ThisUpdate, strict, err = e.Time(); err != nil {
		return err
	}
	if !strict {
		c.Deviations = appendDeviation(c.Deviations, DeviationTime)
	}
	if r.Is(der.UTCTime) || r.Is(der.GeneralizedTime) {
		if e, err = r.Next(); err != nil {
			return err
		}
		if c.NextUpdate, strict, err = e.Time(); err != nil {
			return err
		}
		if !strict {
			c.Deviations = appendDeviation(c.Deviations, DeviationTime)
		}
	}
	return nil
}

func (c *CRL) parseEntry(er *der.Reader) error {
	entry, err := er.Expect(der.Sequence)
	if err != nil {
		return err
	}
	r := entry.Reader()
	serial, err := r.Expect(der.Integer)
	if err != nil {
		return err
	}
	rev := Revocation{Reason: -1}
	if rev.Serial, err = serial.Int(); err != nil {
		return err
	}
	date, err := r.Next()
	if err != nil {
		return err
	}
	if rev.Time, _, err = date.Time(); err != nil {
		return err
	}
	if r.Is(der.Sequence) {
		extensions, err := parseExtensions(r)
		if err != nil {
			return err
		}
		for _, x := range extensions {
			const reasonCode, invalidityDate = "2.5.29.21", "2.5.29.24"
			switch x.OID {
			case reasonCode:
				e, err := der.NewReader(x.Value).Expect(der.Enumerated)
				if err != nil {
					return err
				}
				if rev.Reason, err = e.SmallInt(255); err != nil {
					return err
				}
			case invalidityDate:
			default:
				if x.Critical {
					c.UnknownCritical = append(c.UnknownCritical, x.OID)
				}
			}
		}
	}
	c.revoked[rev.Serial.String()] = rev
	return r.End()
}

func (c *CRL) parseExtensions(r *der.Reader) error {
	extensions, err := parseExtensions(r)
	if err != nil {
		return err
	}
	for _, x := range extensions {
		in := der.NewReader(x.Value)
		switch x.OID {
		case oidCRLNumber:
			e, err := in.Expect(der.Integer)
			if err != nil {
				return err
			}
			if c.Number, err = e.Int(); err != nil {
				return err
			}
		case oidAuthorityKeyID:
			if c.AuthorityKeyID, err = authorityKeyID(in); err != nil {
				return err
			}
		case oidIssuerAltName:
		default:
			// deltaCRLIndicator and issuingDistributionPoint narrow the scope
			// even where a careless issuer did not mark them critical.
			if x.OID == oidIssuingPoint {
				c.IssuingPoint = x.Value
			}
			if x.Critical || x.OID == oidDeltaCRL || x.OID == oidIssuingPoint {
				c.UnknownCritical = append(c.UnknownCritical, x.OID)
			}
		}
	}
	return nil
}
