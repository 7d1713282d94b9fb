package inspect

import (
	"log/slog"

	"github.com/watchpost/watchpost/device/document/lds"
)

// Data is what the files say, for the officer. Nothing in it is vouched for
// unless the checks say so. It holds personal data.
type Data struct {
	MRZ        *Zone             `json:"mrz,omitempty"`         // of DG1
	Groups     []Group           `json:"groups,omitempty"`      // every data group listed or present, by number
	Face       []Picture         `json:"face,omitempty"`        // of DG2
	Finger     []Picture         `json:"finger,omitempty"`      // of DG3
	Iris       []Picture         `json:"iris,omitempty"`        // of DG4
	Displayed  []Picture         `json:"displayed,omitempty"`   // of DG5 to DG7 and DG11, DG12
	Person     map[string]string `json:"person,omitempty"`      // of DG11
	Issue      map[string]string `json:"issue,omitempty"`       // of DG12
	Notify     []lds.Contact     `json:"notify,omitempty"`      // of DG16
	Protocols  []Protocol        `json:"protocols,omitempty"`   // of DG14
	CardAccess []Protocol        `json:"card_access,omitempty"` // of EF.CardAccess
	Signer     *Signer           `json:"signer,omitempty"`      // of EF.SOD
	Anchor     *Anchor           `json:"anchor,omitempty"`      // that the signer was found under
}

// Zone is a machine readable zone taken apart.
type Zone struct {
	Format      string            `json:"format"`
	Lines       []string          `json:"lines"`
	Fields      map[string]string `json:"fields"`
	CheckDigits map[string]bool   `json:"check_digits"`
	Valid       bool              `json:"valid"`
}

// Group is the state of one data group.
type Group struct {
	Number  int    `json:"number"`
	Present bool   `json:"present"` // its file was read
	Listed  bool   `json:"listed"`  // EF.SOD holds a hash of it
	Bytes   int    `json:"bytes"`   // size of the file, 0 where it is not there
	SHA256  string `json:"sha256,omitempty"`
}

// Picture describes one biometric or displayed image without carrying it.
type Picture struct {
	Group    int    `json:"group"`
	Format   string `json:"format"` // "jpeg", "jpeg2000", "jpeg2000-codestream", "wsq", "png", "raw", "unknown"
	Bytes    int    `json:"bytes"`
	Width    int    `json:"width"`  // pixels, 0 unknown
	Height   int    `json:"height"` // pixels, 0 unknown
	Standard string `json:"standard"`
	Position int    `json:"position,omitempty"` // finger or eye position of the record
}

// Protocol is one SecurityInfo.
type Protocol struct {
	OID       string `json:"oid"`
	Kind      string `json:"kind"`
	Version   int    `json:"version"`   // -1 where it has none
	Parameter int    `json:"parameter"` // PACE parameter id or chip authentication key id, -1 where it has none
}

// Signer tells who signed EF.SOD and how.
type Signer struct {
	Subject     string `json:"subject"`
	Issuer      string `json:"issuer"`
	Serial      string `json:"serial"` // hexadecimal
	NotBefore   string `json:"not_before"`
	NotAfter    string `json:"not_after"`
	SHA256      string `json:"sha256"` // of the certificate
	Key         string `json:"key"`
	Algorithm   string `json:"algorithm"` // of the signature
	Digest      string `json:"digest"`    // of the message digest
	Hashes      string `json:"hashes"`    // algorithm of the data group hashes
	SigningTime string `json:"signing_time,omitempty"`
}

// Anchor tells which CSCA certificate verified the signer's, and whence it came.
type Anchor struct {
	Subject   string `json:"subject"`
	NotBefore string `json:"not_before"`
	NotAfter  string `json:"not_after"`
	SHA256    string `json:"sha256"`
	Source    string `json:"source"`
	Path      int    `json:"path"` // certificates from it to a self-signed one, both included
}

// LogValue keeps personal data out of logs.
func (Data) LogValue() slog.Value { return slog.StringValue("data (redacted)") }

// String keeps personal data out of the fmt verbs.
func (Data) String() string { return "data (redacted)" }

// LogValue keeps personal data out of logs.
func (Document) LogValue() slog.Value { return slog.StringValue("document (redacted)") }

// String keeps personal data out of the fmt verbs.
func (Document) String() string { return "document (redacted)" }

// LogValue keeps personal data out of logs.
func (Zone) LogValue() slog.Value { return slog.StringValue("zone (redacted)") }

// String keeps personal data out of the fmt verbs.
func (Zone) String() string { return "zone (redacted)" }
