package inspect

// rule says what a check rests on, and why it was not performed unless a
// judgement says otherwise.
type rule struct {
	code   Code
	clause string
	reason string
}

// Reasons that several checks share.
const (
	reasonNoChip    = "no_chip_session" // the files came without a chip
	reasonNoSOD     = "no_sod"
	reasonBadSOD    = "sod_unreadable"
	reasonNoSigner  = "no_signer_certificate"
	reasonNoStore   = "no_store"
	reasonNoChain   = "no_chain"
	reasonNoDG1     = "no_dg1"
	reasonAbsent    = "not_present"
	reasonNoClock   = "no_time"
	reasonExpired   = "expired"
	reasonNotYet    = "not_yet_valid"
	reasonDG1       = "read_from_dg1"
	reasonSupported = "unsupported_hash"

	reasonUnverified = "signer_unverified" // the signature holds, but whose it is was not judged
)

// Documents that rules cite, editions as judged by.
const (
	part3  = "ICAO Doc 9303-3:2021, "
	part9  = "ICAO Doc 9303-9:2021, "
	part10 = "ICAO Doc 9303-10:2021, "
	part11 = "ICAO Doc 9303-11:2021, "
	part12 = "ICAO Doc 9303-12:2021, "
	part13 = "ICAO Doc 9303-13:2021, "
)

// before and after are the checks in the order of an inspection; those of the
// single data groups stand between them.
var before = []rule{
	{MRZFormat, part3 + "4", "no_zone"},
	{MRZCheckDigits, part3 + "4.9", "no_zone"},
	{MRZMatch, part11 + "5.1", "no_optical_zone"},
	{ChipPresent, part11 + "4.2", reasonNoChip},
	{ChipExpected, part9 + "2.3", reasonNoChip},
	{AccessProtocol, part11 + "4.2", reasonNoChip},
	{AccessDowngrade, part11 + "4.2", reasonNoChip},
	{COMMatch, part10 + "4.6.1", "no_com"},
	{SODFormat, part10 + "4.6.2", reasonNoSOD},
	{SODAlgorithm, part12 + "4.1.6", reasonNoSOD},
	{SODSignature, part11 + "5.1", reasonNoSOD},
	{DSChain, part12 + "6.1.2", reasonNoSOD},
	{DSValidity, part12 + "6.1.2", reasonNoSOD},
	{DSKeyUsage, part12 + "7.1.1", reasonNoSOD},
	{DSCountry, part12 + "7.1.1.1", reasonNoSOD},
	{DSDocumentType, part12 + "7.1.1.6", reasonNoSOD},
	{DSRevocation, part12 + "6.1.2", reasonNoSOD},
	{CSCATrust, part12 + "6.1.1", reasonNoSOD},
	{CSCAValidity, part12 + "6.1.1", reasonNoSOD},
}

var after = []rule{
	{DGUnlisted, part10 + "4.5.2", reasonNoSOD},
	{CardAccessMatch, part11 + "4.4", "no_card_access"},
	{CardSecuritySignature, part10 + "3.11.4", "no_card_security"},
	{ChipAuthentication, part11 + "6.2", reasonNoChip},
	{ActiveAuthentication, part11 + "6.1", reasonNoChip},
	{PACECAM, part11 + "4.4", reasonNoChip},
	{TerminalAuth, part11 + "7.1", reasonNoChip},
	{DocumentExpiry, part3 + "4.8", "no_zone"},
	{DocumentDeviation, part12 + "10", "no_deviation_list"},
	{PortraitDecode, part9 + "4.1", "no_decoder"},
	{PortraitMatch, part9 + "4.1", "no_live_face"},
	{PortraitMorph, "ISO/IEC 20059", "no_live_face"},
	{SealSignature, part13 + "3", "no_seal"},
	{SealValidity, part13 + "3", "no_seal"},
}

const (
	clauseHash   = part11 + "5.1"
	clauseFormat = part10 + "4.7"
)
