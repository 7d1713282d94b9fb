package inspect

import (
	"crypto"
	"errors"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/fault"
)

// onSOD are the checks that rest on EF.SOD.
var onSOD = []Code{
	SODAlgorithm, SODSignature, DSChain, DSValidity, DSKeyUsage, DSCountry, DSDocumentType, DSRevocation, CSCATrust, CSCAValidity, DGUnlisted,
}

// securityObject judges EF.SOD by itself: form, algorithms, signature.
func (j *judge) securityObject() {
	raw, ok := j.in.Files[lds.SOD]
	if !ok {
		if why := j.in.Unread[lds.SOD]; why != "" {
			j.notPerformed(why, SODFormat)
		}
		return
	}
	object, signed, oddities, err := readSOD(raw)
	if err != nil {
		j.set(SODFormat, Fail, string(fault.CodeOf(err)))
		j.notPerformed(reasonBadSOD, onSOD...)
		return
	}
	j.object = object
	j.set(SODFormat, Pass, tolerated(oddities))
	j.signer = firstGood(signed)
	if errors.Is(j.signer.Signature, pki.ErrNoSigner) {
		j.signer = firstGood(signed, j.heldSigners()...)
	}
	j.judgeSignature()
	j.judgeAlgorithms()
}

// readSOD takes EF.SOD apart. oddities are departures from the standard that
// were tolerated.
func readSOD(raw []byte) (object *lds.SecurityObject, signed *pki.SignedData, oddities []string, err error) {
	message, tagged, err := lds.UnwrapSOD(raw)
	if err != nil {
		return nil, nil, nil, err
	}
	if !tagged {
		oddities = append(oddities, "no_outer_tag")
	}
	if signed, err = pki.ParseSignedData(message); err != nil {
		return nil, nil, nil, err
	}
	if !pki.IsSecurityObject(signed.EContentType) {
		return nil, nil, nil, fault.New(pki.ErrContentType.Code, "EF.SOD signs no security object")
	}
	if object, err = lds.ParseSecurityObject(signed.EContent); err != nil {
		return nil, nil, nil, err
	}
	for _, d := range signed.Deviations {
		oddities = append(oddities, string(d))
	}
	if object.Version == 1 && object.LDSVersion == "" {
		oddities = append(oddities, "no_lds_version")
	}
	for _, n := range object.Groups() {
		if object.Hash != 0 && len(object.Hashes[n]) != object.Hash.Size() {
			oddities = append(oddities, "hash_length_"+groupList([]int{n}))
		}
	}
	if len(signed.Signers) > 1 {
		oddities = append(oddities, "several_signers")
	}
	return object, signed, oddities, nil
}

// maxSigners bounds how many signers are tried; the standard wants one.
const maxSigners = 4

// firstGood verifies the signers in turn and returns the first whose
// signature holds, else the result of the first.
func firstGood(signed *pki.SignedData, extra ...*pki.Certificate) pki.SignerResult {
	first := signed.VerifySigner(0, extra...)
	if first.OK() {
		return first
	}
	for i := 1; i < min(len(signed.Signers), maxSigners); i++ {
		if r := signed.VerifySigner(i, extra...); r.OK() {
			return r
		}
	}
	return first
}

// heldSigners are the document signers that the store holds.
func (j *judge) heldSigners() []*pki.Certificate {
	store, ok := j.in.Trust.(signerStore)
	if !ok {
		return nil
	}
	var held []*pki.Certificate
	for _, e := range store.Entries() {
		if e.Kind == trust.KindDS {
			held = append(held, e.Certificate)
		}
	}
	return held
}

// judgeSignature says whether the signature holds under the signer's
// certificate, and nothing about whose certificate that is.
func (j *judge) judgeSignature() {
	result, reason := verdictOf(j.signer)
	j.set(SODSignature, result, reason)
}

// verdictOf turns what verification found into a result. An algorithm that is
// not known here is no proof of forgery; all else that does not verify is a
// failure.
func verdictOf(r pki.SignerResult) (Result, string) {
	if r.OK() {
		odd := make([]string, 0, len(r.Deviations))
		for _, d := range r.Deviations {
			odd = append(odd, string(d))
		}
		return Pass, tolerated(odd)
	}
	for _, err := range []error{r.Format, r.Digest, r.Signature} {
		switch {
		case err == nil:
		case errors.Is(err, pki.ErrNoSigner):
			return NotAssessable, reasonNoSigner
		case errors.Is(err, pki.ErrAlgorithm), errors.Is(err, pki.ErrForbiddenHash), errors.Is(err, pki.ErrCurve) && namedCurve(r.Certificate):
			return NotAssessable, string(fault.CodeOf(err))
		default:
			return Fail, string(fault.CodeOf(err))
		}
	}
	return NotAssessable, reasonNoSigner
}

// namedCurve reports whether a signer's key names its curve: one that is not
// known here may be sound. Parameters written out that are no curve's are not.
func namedCurve(c *pki.Certificate) bool { return c != nil && !c.PublicKey.Explicit }

// judgeAlgorithms judges by policy what hashes and signatures are made with.
func (j *judge) judgeAlgorithms() {
	if _, err := pki.HashByOID(j.object.HashOID); err != nil {
		j.set(SODAlgorithm, Fail, string(fault.CodeOf(err))+": hashes")
		return
	}
	for _, err := range []error{j.signer.Digest, j.signer.Algorithm.Err} {
		if errors.Is(err, pki.ErrAlgorithm) || errors.Is(err, pki.ErrForbiddenHash) {
			j.set(SODAlgorithm, Fail, string(fault.CodeOf(err))+": signature")
			return
		}
	}
	if ds := j.signer.Certificate; ds != nil {
		if why := keyRefused(ds.PublicKey); why != "" {
			j.set(SODAlgorithm, Fail, why+": signer_key")
			return
		}
	}
	var weak []string
	if j.object.Hash == crypto.SHA1 {
		weak = append(weak, "hashes")
	}
	if j.signer.WeakHash {
		weak = append(weak, "signature")
	}
	if ds := j.signer.Certificate; ds != nil && ds.Algorithm.WeakHash() {
		weak = append(weak, "signer_certificate")
	}
	switch {
	case len(weak) == 0:
		j.set(SODAlgorithm, Pass, "")
	case j.in.Policy.AllowSHA1:
		j.set(SODAlgorithm, Pass, "sha1_allowed: "+strings.Join(weak, " "))
	default:
		j.set(SODAlgorithm, Fail, "sha1: "+strings.Join(weak, " "))
	}
}

// minModulusBits is the shortest RSA modulus of a document signer that
// sod.algorithm passes: 829 bits were factored in public in 2020. Doc
// 9303-12:2021 4.1.6 asks for appropriate lengths and names none.
const minModulusBits = 1024

// keyRefused is why no signature by that key can be relied on, "" where it can.
func keyRefused(k *pki.PublicKey) string {
	switch {
	case k.Err != nil:
		return string(fault.CodeOf(k.Err))
	case (k.RSA != nil || k.DSA != nil) && k.Bits() < minModulusBits:
		return "short_key"
	}
	return ""
}

// tolerated is the reason of a check that passed in spite of oddities.
func tolerated(oddities []string) string {
	if len(oddities) == 0 {
		return ""
	}
	return "tolerated: " + strings.Join(oddities, " ")
}

// day writes a time as inspections show it.
func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
