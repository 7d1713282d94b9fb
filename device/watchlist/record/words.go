package record

import "slices"

// The words of a record are strings on the wire; a word that is not listed
// here is refused. The empty word is not stated, and is refused where the
// field is required.
type (
	// Sex as in Doc 9303.
	Sex string
	// NameKind says where a name comes from.
	NameKind string
	// NameQuality says how far the owner trusts a name.
	NameQuality string
	// Precision says how well a date of birth is known.
	Precision string
	// DocumentStatus says why a document is listed.
	DocumentStatus string
	// FingerFormat is the form of a finger template.
	FingerFormat string
	// FingerPressing is how a print was taken (ISO/IEC 19794-2 impression type).
	FingerPressing string
	// Action is what an officer does on a confirmed match.
	Action string
)

// The words.
const (
	Male        Sex = "M"
	Female      Sex = "F"
	Unspecified Sex = "X"

	NamePrimary        NameKind = "primary"
	NameAlias          NameKind = "alias"
	NameBirth          NameKind = "birth"
	NameFormer         NameKind = "former"
	NameTransliterated NameKind = "transliterated"
	NameNick           NameKind = "nick"

	NameGood    NameQuality = "good"
	NameLow     NameQuality = "low"
	NameUnknown NameQuality = "unknown"

	ToDay   Precision = "day"
	ToMonth Precision = "month"
	ToYear  Precision = "year"
	Circa   Precision = "circa"
	Range   Precision = "range"

	DocumentLost      DocumentStatus = "lost"
	DocumentStolen    DocumentStatus = "stolen"
	DocumentBlank     DocumentStatus = "stolen-blank"
	DocumentRevoked   DocumentStatus = "revoked"
	DocumentForged    DocumentStatus = "forged"
	DocumentOfSubject DocumentStatus = "of-subject"

	MinutiaeISO19794 FingerFormat = "iso-19794-2"

	PressedLive   FingerPressing = "live-plain"
	RolledLive    FingerPressing = "live-rolled"
	PressedInk    FingerPressing = "ink-plain"
	RolledInk     FingerPressing = "ink-rolled"
	Latent        FingerPressing = "latent"
	PressUnstated FingerPressing = "unknown"

	Refer         Action = "refer"
	RefuseEntry   Action = "refuse-entry"
	Detain        Action = "detain"
	CheckDiscreet Action = "check-discreetly"
	SeizeDocument Action = "seize-document"
	Protect       Action = "protect"
	Inform        Action = "inform-owner"
)

var words = map[string][]string{
	"sex":        {"M", "F", "X"},
	"kind":       {"primary", "alias", "birth", "former", "transliterated", "nick"},
	"quality":    {"good", "low", "unknown"},
	"precision":  {"day", "month", "year", "circa", "range"},
	"status":     {"lost", "stolen", "stolen-blank", "revoked", "forged", "of-subject"},
	"format":     {"iso-19794-2"},
	"impression": {"live-plain", "live-rolled", "ink-plain", "ink-rolled", "latent", "unknown"},
	"action":     {"refer", "refuse-entry", "detain", "check-discreetly", "seize-document", "protect", "inform-owner"},
	"redress":    {"suppress", "downgrade"},
}

func isWord(of, word string) bool { return slices.Contains(words[of], word) }
