package lds

import (
	"bytes"
	"strings"

	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// SecurityInfo announces one protocol of the chip (Doc 9303-11, 8th edition
// 2021, clause 9.2). Slices alias the file.
type SecurityInfo struct {
	OID       string // protocol, dotted decimal
	Kind      InfoKind
	Version   int    // protocol version; -1 where the kind has none
	Parameter int    // PACE: parameter id; chip authentication: key id; -1 where not given
	Required  []byte // required data as it came, tag and length included
	Optional  []byte // optional data as it came, nil where absent
	Raw       []byte // the whole SecurityInfo
}

// InfoKind tells what a SecurityInfo is about. The numbers are published and
// never reused.
type InfoKind uint8

// Kinds of SecurityInfo.
const (
	InfoOther                 InfoKind = 0
	InfoPACE                  InfoKind = 1
	InfoPACEDomainParameters  InfoKind = 2
	InfoChipAuthentication    InfoKind = 3
	InfoChipAuthenticationKey InfoKind = 4
	InfoTerminal              InfoKind = 5
	InfoActiveAuthentication  InfoKind = 6
)

// String returns the word used in inspections.
func (k InfoKind) String() string {
	switch k {
	case InfoPACE:
		return "pace"
	case InfoPACEDomainParameters:
		return "pace_domain_parameters"
	case InfoChipAuthentication:
		return "chip_authentication"
	case InfoChipAuthenticationKey:
		return "chip_authentication_key"
	case InfoTerminal:
		return "terminal_authentication"
	case InfoActiveAuthentication:
		return "active_authentication"
	}
	return "other"
}

// Object identifiers under bsi-de (0.4.0.127.0.7) and of ICAO.
const (
	oidPACE                 = "0.4.0.127.0.7.2.2.4"
	oidChipAuthentication   = "0.4.0.127.0.7.2.2.3"
	oidPublicKey            = "0.4.0.127.0.7.2.2.1"
	oidTerminal             = "0.4.0.127.0.7.2.2.2"
	oidActiveAuthentication = "2.23.136.1.1.5"
)

// kindOf tells the kind by the protocol: PACE has the mapping as one arc and
// the cipher as another, domain parameters the mapping alone.
func kindOf(oid string) InfoKind {
	under := func(root string) (arcs int, ok bool) {
		rest, ok := strings.CutPrefix(oid, root)
		return strings.Count(rest, "."), ok && (rest == "" || rest[0] == '.')
	}
	if arcs, ok := under(oidPACE); ok && arcs == 2 {
		return InfoPACE
	} else if ok && arcs == 1 {
		return InfoPACEDomainParameters
	}
	if arcs, ok := under(oidChipAuthentication); ok && arcs == 2 {
		return InfoChipAuthentication
	}
	if arcs, ok := under(oidPublicKey); ok && arcs == 1 {
		return InfoChipAuthenticationKey
	}
	switch oid {
	case oidTerminal:
		return InfoTerminal
	case oidActiveAuthentication:
		return InfoActiveAuthentication
	}
	return InfoOther
}

// maxInfos bounds the SecurityInfos of one file.
const maxInfos = 128

// ParseSecurityInfos reads the SET OF SecurityInfo that EF.CardAccess holds
// and EF.CardSecurity signs. Unknown protocols are kept. An entry whose own
// fields cannot be read is kept with Version and Parameter -1: a chip may
// offer what this edition does not know.
func ParseSecurityInfos(raw []byte) ([]SecurityInfo, error) {
	if len(raw) > MaxFile {
		return nil, fault.New(ErrTooLarge.Code, "file of %d bytes", len(raw))
	}
	set, _, err := der.Parse(raw)
	if err != nil || set.ID != der.Set {
		return nil, malformed("security infos are no set")
	}
	var infos []SecurityInfo
	for r := set.Reader(); !r.Empty(); {
		if len(infos) == maxInfos {
			return infos, fault.New(ErrTooLarge.Code, "over %d security infos", maxInfos)
		}
		e, err := r.Expect(der.Sequence)
		if err != nil {
			return infos, malformed("security info %d: %v", len(infos)+1, err)
		}
		info, err := securityInfo(e)
		if err != nil {
			return infos, malformed("security info %d: %v", len(infos)+1, err)
		}
		infos = append(infos, info)
	}
	if len(infos) == 0 {
		return nil, fault.New(ErrEmpty.Code, "no security info")
	}
	return infos, nil
}

// ParseDG14 reads the SecurityInfos of EF.DG14 (Doc 9303-10, clause 4.7.14).
func ParseDG14(raw []byte) ([]SecurityInfo, error) {
	file, err := open(raw, tags[14])
	if err != nil {
		return nil, err
	}
	return ParseSecurityInfos(file.Content)
}

func securityInfo(e der.Element) (SecurityInfo, error) {
	info := SecurityInfo{Version: -1, Parameter: -1, Raw: e.Raw}
	r := e.Reader()
	oid, err := r.Next()
	if err != nil {
		return info, err
	}
	if info.OID, err = oid.OID(); err != nil {
		return info, err
	}
	info.Kind = kindOf(info.OID)
	required, err := r.Next()
	if err != nil {
		return info, err
	}
	info.Required = required.Raw
	number := func(e der.Element) int {
		if v, err := e.SmallInt(1 << 30); err == nil {
			return v
		}
		return -1
	}
	if required.ID == der.Integer {
		info.Version = number(required)
	}
	if r.Empty() {
		return info, nil
	}
	optional, err := r.Next()
	if err != nil {
		return info, err
	}
	info.Optional = optional.Raw
	if optional.ID == der.Integer {
		info.Parameter = number(optional)
	}
	return info, nil
}

// Missing returns those of infos that are not in signed, byte for byte. What
// EF.CardAccess announces must stand in EF.DG14, which is signed (Doc
// 9303-11, clause 4.4).
func Missing(infos, signed []SecurityInfo) []SecurityInfo {
	var missing []SecurityInfo
	for _, i := range infos {
		found := false
		for _, s := range signed {
			found = found || bytes.Equal(i.Raw, s.Raw)
		}
		if !found {
			missing = append(missing, i)
		}
	}
	return missing
}
