package inspect

import (
	"errors"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/fault"
)

// onSigner are the checks that rest on the document signer's certificate.
var onSigner = []Code{DSChain, DSValidity, DSKeyUsage, DSCountry, DSDocumentType, DSRevocation, CSCATrust, CSCAValidity}

// signerCertificate judges the certificate that EF.SOD was signed with.
func (j *judge) signerCertificate() {
	if j.object == nil {
		return
	}
	ds := j.signer.Certificate
	if ds == nil {
		j.notPerformed(reasonNoSigner, onSigner...)
		return
	}
	j.describeSigner(ds)
	j.settle(DSValidity, j.dates(ds))
	j.judgeUsage(ds)
	j.judgeCountry(ds)
	j.judgeDocumentType(ds)
	j.judgeChain(ds)
}

// finding is a result with its reason.
type finding struct {
	result Result
	reason string
}

func (j *judge) settle(code Code, f finding) { j.set(code, f.result, f.reason) }

// dates judges a certificate's validity at the time of judgement. The signing
// time that EF.SOD claims is the signer's own word and counts for nothing.
func (j *judge) dates(c *pki.Certificate) finding {
	switch {
	case j.in.At.IsZero():
		return finding{NotAssessable, reasonNoClock}
	case j.in.At.Before(c.NotBefore):
		return finding{Fail, reasonNotYet}
	case j.in.At.After(c.NotAfter):
		return finding{Fail, reasonExpired}
	}
	return finding{Pass, ""}
}

// judgeUsage wants the usage of a document signer: to sign, and not to sign
// certificates or lists.
func (j *judge) judgeUsage(ds *pki.Certificate) {
	var wrong []string
	if !ds.HasKeyUsage {
		wrong = append(wrong, "no_key_usage")
	} else if !ds.HasUsage(pki.KeyUsageDigitalSignature) {
		wrong = append(wrong, "not_for_signatures")
	}
	if ds.IsCA || ds.HasKeyUsage && ds.HasUsage(pki.KeyUsageCertSign) {
		wrong = append(wrong, "is_ca")
	}
	if ds.ExtKeyUsage != nil {
		wrong = append(wrong, "other_purpose") // master list, deviation list and seal signers have one, document signers none
	}
	if len(ds.UnknownCritical) > 0 {
		wrong = append(wrong, "unknown_critical_extension")
	}
	if len(wrong) > 0 {
		j.set(DSKeyUsage, Fail, strings.Join(wrong, " "))
		return
	}
	j.set(DSKeyUsage, Pass, "")
}

// judgeCountry wants the signer of the issuer that DG1 names.
func (j *judge) judgeCountry(ds *pki.Certificate) {
	issuer, subject := ds.Issuer.Country(), ds.Subject.Country()
	country := issuer
	if country == "" {
		country = subject
	}
	switch {
	case country == "":
		j.set(DSCountry, Fail, "signer_without_country")
	case issuer != "" && subject != "" && issuer != subject:
		j.set(DSCountry, Fail, "signer_countries_differ")
	case j.zone == nil:
		j.set(DSCountry, NotPerformed, reasonNoDG1)
	case trust.CountryMatches(country, j.zone.Issuer):
		j.set(DSCountry, Pass, "")
	case trust.Countries(j.zone.Issuer) == nil:
		j.set(DSCountry, NotAssessable, "unknown_issuer")
	default:
		j.set(DSCountry, Fail, "country_mismatch")
	}
}

// judgeDocumentType compares the document code with the signer's list, where
// one letter stands for every code that begins with it.
func (j *judge) judgeDocumentType(ds *pki.Certificate) {
	switch {
	case ds.DocumentTypes == nil:
		j.set(DSDocumentType, NotPerformed, "no_list") // certificates of before 2014 have none
		return
	case j.zone == nil:
		j.set(DSDocumentType, NotPerformed, reasonNoDG1)
		return
	}
	for _, t := range ds.DocumentTypes {
		t = strings.TrimRight(t, "< ")
		if t == j.zone.DocumentCode || len(t) == 1 && strings.HasPrefix(j.zone.DocumentCode, t) {
			j.set(DSDocumentType, Pass, "")
			return
		}
	}
	j.set(DSDocumentType, Fail, "not_in_list")
}

// judgeChain looks for the anchor, and judges it and the revocation lists.
func (j *judge) judgeChain(ds *pki.Certificate) {
	if j.in.Trust == nil {
		j.notPerformed(reasonNoStore, DSChain, DSRevocation, CSCATrust, CSCAValidity)
		return
	}
	chain := j.in.Trust.Chain(ds, j.in.now())
	switch {
	case chain.State == trust.ChainFound && chain.Issuer != nil:
		j.anchored(chain)
		return
	case chain.State == trust.ChainNoAnchor:
		j.set(DSChain, NotAssessable, "no_anchor_for_country")
		j.set(CSCATrust, NotAssessable, "no_anchor_for_country")
	case errors.Is(chain.Err, pki.ErrAlgorithm), errors.Is(chain.Err, pki.ErrForbiddenHash):
		j.set(DSChain, NotAssessable, string(fault.CodeOf(chain.Err)))
		j.notPerformed(reasonNoChain, CSCATrust)
	default:
		j.set(DSChain, Fail, "no_anchor_fits")
		j.notPerformed(reasonNoChain, CSCATrust)
	}
	j.notPerformed(reasonNoChain, DSRevocation, CSCAValidity)
}

// anchored judges a chain that was found.
func (j *judge) anchored(chain trust.Chain) {
	var odd []string
	if chain.IssuerNameDiffers {
		odd = append(odd, "issuer_name_differs")
	}
	j.set(DSChain, Pass, tolerated(odd))
	c := chain.Issuer.Certificate
	source := "unknown"
	if n := len(chain.Issuer.Provenance); n > 0 {
		p := chain.Issuer.Provenance[n-1]
		source = string(p.Kind)
		if p.List != "" {
			source += " " + p.List
		}
		if !p.Edition.IsZero() {
			source += " " + p.Edition.UTC().Format(time.DateOnly)
		}
	}
	j.set(CSCATrust, Pass, "source: "+source)
	if chain.AnchorRevoked {
		j.set(CSCATrust, Fail, "revoked")
	}
	j.data.Anchor = &Anchor{
		Subject: c.Subject.String(), NotBefore: day(c.NotBefore), NotAfter: day(c.NotAfter), SHA256: c.Fingerprint(),
		Source: source, Path: len(chain.Path),
	}
	j.settle(CSCAValidity, j.dates(c))
	j.settle(DSRevocation, j.revocation(chain.Revocation))
}

// byCountry says that the list has another issuer name than the signer's
// certificate.
func byCountry(r trust.Revocation) string {
	if r.ByCountry {
		return " issuer_name_differs"
	}
	return ""
}

// revocation reads what the held lists say of the signer. A list that names it
// counts whatever its age; to call it good a list must be of its time.
func (j *judge) revocation(r trust.Revocation) finding {
	switch r.State {
	case trust.RevocationRevoked:
		return finding{Fail, "revoked" + byCountry(r)}
	case trust.RevocationGood:
		switch limit := j.in.Policy.MaxCRLAge; {
		case j.in.At.IsZero():
			return finding{NotAssessable, reasonNoClock}
		case limit > 0 && r.Age(j.in.At) > limit:
			return finding{NotAssessable, "list_old: " + day(r.ThisUpdate)}
		}
		return finding{Pass, "list_of: " + day(r.ThisUpdate) + byCountry(r)}
	case trust.RevocationStale:
		return finding{NotAssessable, "list_stale: " + day(r.NextUpdate)}
	case trust.RevocationUnusable:
		return finding{NotAssessable, "list_unusable"}
	}
	return finding{NotAssessable, "no_list"}
}

func (j *judge) describeSigner(ds *pki.Certificate) {
	j.data.Signer = &Signer{
		Subject: ds.Subject.String(), Issuer: ds.Issuer.String(), Serial: ds.Serial.Text(16),
		NotBefore: day(ds.NotBefore), NotAfter: day(ds.NotAfter), SHA256: ds.Fingerprint(), Key: ds.PublicKey.String(),
		Algorithm: j.signer.Algorithm.String(), Digest: pki.HashName(j.signer.DigestHash), Hashes: pki.HashName(j.object.Hash),
		SigningTime: day(j.signer.SigningTime),
	}
}

// cardSecurity judges EF.CardSecurity: its signature, and its signer by the
// same anchors. It reports whether a trusted signer vouches for the file.
func (j *judge) cardSecurity() (trusted bool) {
	raw, ok := j.in.Files[lds.CardSecurity]
	if !ok {
		if why := j.in.Unread[lds.CardSecurity]; why != "" {
			j.notPerformed(why, CardSecuritySignature)
		}
		return false
	}
	signed, err := pki.ParseSignedData(raw)
	if err == nil {
		_, err = lds.ParseSecurityInfos(signed.EContent)
	}
	if err != nil {
		j.set(CardSecuritySignature, Fail, string(fault.CodeOf(err)))
		return false
	}
	r := firstGood(signed)
	result, reason := verdictOf(r)
	if result == Pass && j.in.Trust == nil {
		reason = reasonUnverified
	} else if result == Pass {
		switch chain := j.in.Trust.Chain(r.Certificate, j.in.now()); chain.State {
		case trust.ChainFound:
			trusted = true
		case trust.ChainNoAnchor:
			result, reason = NotAssessable, "no_anchor_for_country"
		default:
			result, reason = Fail, "no_anchor_fits"
		}
	}
	j.set(CardSecuritySignature, result, reason)
	return trusted
}
