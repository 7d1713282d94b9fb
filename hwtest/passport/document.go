package passport

import (
	"encoding/hex"
	"log/slog"
	"math/big"
	"slices"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

const (
	codeProfile fault.Code = "passport.profile"
	codeTorn    fault.Code = "passport.torn"
)

// ErrTorn is what Transmit returns once the card has left the field, until
// Reset puts it back.
var ErrTorn = &fault.Error{Code: codeTorn}

// Document is a personalised chip: the files and secrets that a Chip holds and
// nothing of how they were made. It can be written as JSON and carried to
// another process. It holds private keys of test documents.
type Document struct {
	// Files by name: CardAccess, CardSecurity, ATR_INFO, DIR, COM, SOD, CVCA, DG1 to DG16.
	Files    map[string][]byte `json:"files"`
	Secret   Secret            `json:"secret"`
	Access   Access            `json:"access"`
	Terminal *TerminalTrust    `json:"terminal,omitempty"` // nil: DG3 and DG4 are open to nobody
	Limits   Limits            `json:"limits"`
	Faults   []Fault           `json:"faults"`
	Air      Air               `json:"air"`
}

// Secret is what a chip never gives out.
type Secret struct {
	AccessInfo string    `json:"access_info"` // MRZ information for BAC and the MRZ password of PACE
	CAN        string    `json:"can,omitempty"`
	ChipKeys   []ChipKey `json:"chip_keys,omitempty"`
	ActiveKey  *pki.Key  `json:"active_key,omitempty"`
	MappingKey *big.Int  `json:"mapping_key,omitempty"` // static key of PACE-CAM
}

// LogValue keeps holder and keys out of logs.
func (d Document) LogValue() slog.Value { return slog.StringValue("document(redacted)") }

// String keeps holder and keys out of %v.
func (d Document) String() string { return "document(redacted)" }

// Access says how the files of the application are guarded. The zero value is
// BAC alone.
type Access struct {
	Open  bool   `yaml:"open,omitempty" json:"open,omitempty"`     // no access control: files are read in plain
	NoBAC bool   `yaml:"no_bac,omitempty" json:"no_bac,omitempty"` // PACE only
	PACE  []PACE `yaml:"pace,omitempty" json:"pace,omitempty"`     // offers, in the order of EF.CardAccess
	CAN   string `yaml:"can,omitempty" json:"-"`                   // card access number, six digits; "" is none
}

// Limits is what the chip's transport can do. The zero value is a chip with
// extended length and large buffers.
type Limits struct {
	NoExtended bool   `yaml:"no_extended,omitempty" json:"no_extended,omitempty"` // extended length APDUs get 6700
	MaxRead    int    `yaml:"max_read,omitempty" json:"max_read,omitempty"`       // largest READ BINARY in octets of plain data; 0 is no limit
	OverRead   string `yaml:"over_read,omitempty" json:"over_read,omitempty"`     // answer to a larger one: "short" (default), or a status such as "6700", "6282", "6C00" (with the length that fits in its second octet)
	AtEnd      string `yaml:"at_end,omitempty" json:"at_end,omitempty"`           // status when a file ends before Le octets: "9000" (default) or "6282"
	MaxCommand int    `yaml:"max_command,omitempty" json:"max_command,omitempty"` // largest command APDU in octets, 0 is 65535
	NoSFI      bool   `yaml:"no_sfi,omitempty" json:"no_sfi,omitempty"`           // READ BINARY with a short file identifier gets 6A86
	NoOddINS   bool   `yaml:"no_odd_ins,omitempty" json:"no_odd_ins,omitempty"`   // READ BINARY B1 gets 6D00
}

// fileIDs are the identifiers of Doc 9303-10 (2021), 3.11 and table 38. Short
// identifiers are the lower five bits.
var (
	masterFiles = map[string]uint16{"CardAccess": 0x011C, "CardSecurity": 0x011D, "ATR_INFO": 0x2F01, "DIR": 0x2F00}
	masterSFI   = map[string]byte{"CardAccess": 0x1C, "CardSecurity": 0x1D, "ATR_INFO": 0x01, "DIR": 0x1E}
	groupFiles  = map[string]uint16{
		"COM": 0x011E, "SOD": 0x011D, fileCVCA: 0x011C,
		"DG1": 0x0101, "DG2": 0x0102, "DG3": 0x0103, "DG4": 0x0104, "DG5": 0x0105, "DG6": 0x0106, "DG7": 0x0107, "DG8": 0x0108,
		"DG9": 0x0109, "DG10": 0x010A, "DG11": 0x010B, "DG12": 0x010C, "DG13": 0x010D, "DG14": 0x010E, "DG15": 0x010F, "DG16": 0x0110,
	}
)

const maxFile = 1 << 20 // octets; far above any passport, still nothing that fills a memory

// check refuses a document that no chip could hold.
func (d *Document) check() error {
	for name, content := range d.Files {
		if masterFiles[name] == 0 && groupFiles[name] == 0 {
			return fault.New(codeProfile, "no file is named %q", name)
		}
		if len(content) > maxFile {
			return fault.New(codeProfile, "%s: %d octets, the limit is %d", name, len(content), maxFile)
		}
	}
	if !d.Access.Open && d.Secret.AccessInfo == "" {
		return fault.New(codeProfile, "access control without MRZ information")
	}
	if err := checkAuthenticity(d); err != nil {
		return err
	}
	if l := d.Limits; l.MaxRead < 0 || l.MaxCommand < 0 {
		return fault.New(codeProfile, "limits: a number is negative")
	}
	for name, status := range map[string]string{"over_read": d.Limits.OverRead, "at_end": d.Limits.AtEnd} {
		if _, ok := parseStatus(status); !ok && status != "" && (status != "short" || name != "over_read") {
			return fault.New(codeProfile, "limits.%s: %q is no status", name, status)
		}
	}
	return checkFaults(d.Faults)
}

// parseStatus reads a status word of four hexadecimal digits.
func parseStatus(s string) (int, bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 2 {
		return 0, false
	}
	return int(b[0])<<8 | int(b[1]), true
}

// mustStatus is parseStatus for what check has accepted.
func mustStatus(s string) int {
	status, _ := parseStatus(s)
	return status
}

// atr is a PC/SC ATR of a contactless card (PC/SC part 3, 3.1.3.2.3.1) whose
// historical octets are compact TLV with the card capabilities (ISO/IEC
// 7816-4:2020, 12.2.2): selection by name, identifier and short identifier, and
// extended length where the chip has it.
func (d *Document) atr() []byte {
	capabilities := byte(0x40)
	if d.Limits.NoExtended {
		capabilities = 0
	}
	out := []byte{0x3B, 0x85, 0x80, 0x01, 0x80, 0x73, 0x94, 0x21, capabilities}
	check := byte(0)
	for _, b := range out[1:] {
		check ^= b
	}
	return append(slices.Clone(out), check)
}
