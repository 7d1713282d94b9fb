package inspect

import "log/slog"

// Data is what the files say, for the officer. Nothing in it is vouched for
// unless the checks say so. It holds personal data.
type Data struct {
	MRZ     *Zone              `json:"mrz,omitempty"`     // of DG1
	Groups  []Group            `json:"groups,omitempty"`  // every data group listed or present, by number
	Face    []Picture          `json:"face,omitempty"`    // of DG2
	Finger  []Picture          `json:"finger,omitempty"`  // of DG3
	Iris    []Picture          `json:"iris,omitempty"`    // of DG4
	Person  map[string]string  `json:"person,omitempty"`  // of DG11
	Issue   map[string]string  `json:"issue,omitempty"`   // of DG12
	Other   []string           `json:"other,omitempty"`   // names of files read that are not data groups
	Signer  *SignerInformation `json:"signer,omitempty"`  // of EF.SOD
	Signed  map[string]string  `json:"signed,omitempty"`  // algorithms of EF.SOD
	Entries []map[string]any   `json:"entries,omitempty"` // SecurityInfos of DG14
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
	Bytes   int    `json:"bytes"`   // size of the file
	SHA256  string `json:"sha256,omitempty"`
}

// Picture describes one biometric image without carrying it.
type Picture struct {
	Format   string `json:"format"` // "jpeg", "jpeg2000", "jpeg2000-codestream", "wsq", "png", "raw", "unknown"
	Bytes    int    `json:"bytes"`
	Width    int    `json:"width"`  // pixels, 0 unknown
	Height   int    `json:"height"` // pixels, 0 unknown
	Standard string `json:"standard"`
	Position int    `json:"position,omitempty"` // finger or eye position of the record
}

// SignerInformation tells who signed EF.SOD.
type SignerInformation struct {
	Subject   string `json:"subject"`
	Issuer    string `json:"issuer"`
	Serial    string `json:"serial"`
	NotBefore string `json:"not_before"`
	NotAfter  string `json:"not_after"`
	SHA256    string `json:"sha256"` // of the certificate
}

// LogValue keeps personal data out of logs.
func (Data) LogValue() slog.Value { return slog.StringValue("data (redacted)") }

// String keeps personal data out of the fmt verbs.
func (Data) String() string { return "data (redacted)" }

// LogValue keeps personal data out of logs.
func (Document) LogValue() slog.Value { return slog.StringValue("document (redacted)") }

// String keeps personal data out of the fmt verbs.
func (Document) String() string { return "document (redacted)" }
