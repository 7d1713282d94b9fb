package inspect

import (
	"slices"
	"strconv"
	"strings"
)

// Code names one check. A published code keeps its meaning for ever.
type Code string

// Check codes (design section 5). The checks of single data groups are made
// by GroupHash and GroupFormat.
const (
	MRZFormat             Code = "mrz.format"              // the optically read zone has a form of Doc 9303
	MRZCheckDigits        Code = "mrz.check_digits"        // every check digit of the zone is right
	MRZMatch              Code = "mrz.match"               // optical zone and DG1 say the same
	ChipPresent           Code = "chip.present"            // a chip answered
	ChipExpected          Code = "chip.expected"           // a document of this issuer, kind and date should have a chip, and has
	AccessProtocol        Code = "access.protocol"         // access control was used and is one of ours
	AccessDowngrade       Code = "access.downgrade"        // the strongest protocol that the chip offers was used
	COMMatch              Code = "com.match"               // EF.COM and EF.SOD list the same data groups
	SODFormat             Code = "sod.format"              // EF.SOD can be read
	SODAlgorithm          Code = "sod.algorithm"           // its algorithms are allowed by policy
	SODSignature          Code = "sod.signature"           // the document signer signed it
	DSChain               Code = "ds.chain"                // a trusted CSCA signed the document signer
	DSValidity            Code = "ds.validity"             // the document signer's dates
	DSKeyUsage            Code = "ds.key_usage"            // the document signer may sign documents
	DSCountry             Code = "ds.country"              // document signer and document name the same issuer
	DSDocumentType        Code = "ds.document_type"        // the document signer may sign this type of document
	DSRevocation          Code = "ds.revocation"           // the document signer is not on its CSCA's CRL
	CSCATrust             Code = "csca.trust"              // where the anchor comes from
	CSCAValidity          Code = "csca.validity"           // the anchor's dates
	DGUnlisted            Code = "dg.unlisted"             // no data group is present that EF.SOD does not vouch for
	CardAccessMatch       Code = "card_access.match"       // EF.CardAccess and DG14 agree
	CardSecuritySignature Code = "card_security.signature" // EF.CardSecurity is signed
	ChipAuthentication    Code = "chip.authentication"     // the chip holds the private key of DG14
	ActiveAuthentication  Code = "active.authentication"   // the chip holds the private key of DG15
	PACECAM               Code = "pace.cam"                // PACE with Chip Authentication Mapping
	TerminalAuth          Code = "terminal.authentication" // the chip accepted our terminal
	DocumentExpiry        Code = "document.expiry"         // the document's own date of expiry
	DocumentDeviation     Code = "document.deviation"      // a deviation list names this kind of document
	PortraitDecode        Code = "portrait.decode"         // the portrait of DG2 is a picture
	PortraitMatch         Code = "portrait.match"          // the live face is that of DG2
	PortraitMorph         Code = "portrait.morph"          // DG2 is not likely to be a mixture of two people
	SealSignature         Code = "seal.signature"          // the visible digital seal is signed
	SealValidity          Code = "seal.validity"           // the seal's signer and dates
	PresentationAttack    Code = "presentation.attack"     // the live face is a face, not a picture of one (ISO/IEC 30107-3)
)

// Groups is the highest number of a data group (Doc 9303-10, 8th edition 2021, clause 4.7).
const Groups = 16

// GroupHash is the check of the hash of data group n, 1 to Groups: "dg1.hash".
func GroupHash(n int) Code { return groupCode(n, "hash") }

// GroupFormat is the check that data group n can be read: "dg1.format".
func GroupFormat(n int) Code { return groupCode(n, "format") }

func groupCode(n int, what string) Code { return Code("dg" + strconv.Itoa(n) + "." + what) }

var fixedCodes = []Code{
	MRZFormat, MRZCheckDigits, MRZMatch, ChipPresent, ChipExpected, AccessProtocol, AccessDowngrade, COMMatch,
	SODFormat, SODAlgorithm, SODSignature, DSChain, DSValidity, DSKeyUsage, DSCountry, DSDocumentType, DSRevocation,
	CSCATrust, CSCAValidity, DGUnlisted, CardAccessMatch, CardSecuritySignature, ChipAuthentication,
	ActiveAuthentication, PACECAM, TerminalAuth, DocumentExpiry, DocumentDeviation, PortraitDecode, PortraitMatch,
	PortraitMorph, SealSignature, SealValidity,
}

// personCodes are of the person at the post: no inspection of a document has
// them.
var personCodes = []Code{PresentationAttack}

// Codes returns every check code there is, those of the data groups spelt out.
// A policy may be written for these and no others.
func Codes() []Code {
	all := slices.Concat(fixedCodes, personCodes)
	for n := 1; n <= Groups; n++ {
		all = append(all, GroupHash(n), GroupFormat(n))
	}
	return all
}

// Known reports whether c is one of Codes.
func (c Code) Known() bool {
	if slices.Contains(fixedCodes, c) || slices.Contains(personCodes, c) {
		return true
	}
	rest, ok := strings.CutPrefix(string(c), "dg")
	if !ok {
		return false
	}
	number, what, ok := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	return ok && err == nil && n >= 1 && n <= Groups && strconv.Itoa(n) == number && (what == "hash" || what == "format")
}
