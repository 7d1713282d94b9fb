package passport

import (
	"bytes"
	"encoding/binary"

	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// aid is the application of the LDS (Doc 9303-10 (2021), 3.5).
var aid = []byte{0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01}

const masterFile = 0x3F00

// selectTarget names what a SELECT asks for: MF, LDS, a file, or "".
func (c *Chip) selectTarget(cmd command) string {
	switch {
	case cmd.p1 == 0x00 && (len(cmd.data) == 0 || binaryID(cmd.data) == masterFile):
		return "MF"
	case cmd.p1 == 0x04 && bytes.Equal(cmd.data, aid):
		return "LDS"
	case cmd.p1 == 0x00 || cmd.p1 == 0x02:
		return c.nameOfID(binaryID(cmd.data))
	}
	return ""
}

// nameOfID names a file of the selected directory. EF.CVCA may have an
// identifier of the issuer's choice.
func (c *Chip) nameOfID(id uint16) string {
	if c.state.inLDS && c.trust != nil && c.trust.File != 0 {
		switch id {
		case c.trust.File:
			return fileCVCA
		case groupFiles[fileCVCA]:
			return ""
		}
	}
	return nameOf(c.state.files, id)
}

func binaryID(data []byte) uint16 {
	if len(data) != 2 {
		return 0
	}
	return binary.BigEndian.Uint16(data)
}

func nameOf(files map[string]uint16, id uint16) string {
	for name, fid := range files {
		if fid == id {
			return name
		}
	}
	return ""
}

// selectFile is SELECT (Doc 9303-10 (2021), 3.6.1): the master file, the
// application, or a file of the selected directory by its identifier.
func (c *Chip) selectFile(cmd command) ([]byte, int) {
	if cmd.p2&0xF3 != 0 || cmd.p1 != 0x00 && cmd.p1 != 0x02 && cmd.p1 != 0x04 {
		return nil, swP1P2
	}
	target := c.selectTarget(cmd)
	switch target {
	case "":
		return nil, swNotFound
	case "MF":
		c.state.files, c.state.inLDS, c.state.current = masterFiles, false, ""
		return nil, swOK
	case "LDS":
		c.state.files, c.state.inLDS, c.state.current = groupFiles, true, ""
		return nil, swOK
	}
	if sw := c.mayRead(target); sw != swOK {
		return nil, sw
	}
	c.state.current = target
	return nil, swOK
}

// mayRead says whether a file of the selected directory is there and open.
func (c *Chip) mayRead(name string) int {
	if c.state.inLDS || name == "CardSecurity" {
		if !c.doc.Access.Open && !c.state.granted {
			return swSecurity
		}
	}
	if _, ok := c.doc.Files[name]; !ok {
		return swNotFound
	}
	if (name == "DG3" || name == "DG4") && !c.mayReadBiometrics(name) {
		return swSecurity
	}
	return swOK
}

// readTarget names the file that a READ BINARY is for and whether it selects
// it by a short identifier.
func (c *Chip) readTarget(cmd command) (name string, bySFI bool) {
	if cmd.ins == insReadBinary {
		if cmd.p1&0x80 != 0 {
			return c.nameOfSFI(cmd.p1 & 0x1F), true
		}
		return c.state.current, false
	}
	id := uint16(cmd.p1)<<8 | uint16(cmd.p2)
	switch {
	case id == 0:
		return c.state.current, false
	case id < 0x1F:
		return c.nameOfSFI(byte(id)), true
	}
	return c.nameOfID(id), true
}

func (c *Chip) nameOfSFI(sfi byte) string {
	if !c.state.inLDS {
		for name, s := range masterSFI {
			if s == sfi {
				return name
			}
		}
		return ""
	}
	if sfi == 0x1C && c.trust != nil && c.trust.File != 0 {
		return "" // DG14 names no short identifier for a file of the issuer's choice
	}
	return nameOf(groupFiles, 0x0100|uint16(sfi))
}

// readBinary is READ BINARY (ISO/IEC 7816-4:2020, 11.3.3): with a 15-bit
// offset, with a short file identifier and an 8-bit offset, or with the offset
// in DO 54 and the answer in DO 53.
func (c *Chip) readBinary(cmd command, d damage) ([]byte, int) {
	odd := cmd.ins == insReadBinaryOdd
	name, bySFI := c.readTarget(cmd)
	switch {
	case odd && c.doc.Limits.NoOddINS:
		return nil, swINS
	case !odd && bySFI && cmd.p1&0x60 != 0, bySFI && c.doc.Limits.NoSFI:
		return nil, swP1P2
	case name == "" && bySFI:
		return nil, swNotFound
	case name == "":
		return nil, swNoFile
	}
	if sw := c.mayRead(name); sw != swOK {
		return nil, sw
	}
	offset := int(cmd.p1)<<8 | int(cmd.p2)
	if bySFI {
		offset = int(cmd.p2)
		c.state.current = name
	}
	if odd {
		var ok bool
		if offset, ok = offsetObject(cmd.data); !ok {
			return nil, swData
		}
	} else if len(cmd.data) > 0 {
		return nil, swLength
	}
	if cmd.ne == 0 {
		return nil, swLength
	}
	if d.has(KindEmptyRead) {
		return nil, swOK
	}
	if d.has(KindEndlessRead) {
		return inDiscretionary(odd, make([]byte, min(d.bytes, cmd.ne))), swOK
	}
	content := c.doc.Files[name]
	if name == fileCVCA && c.trust != nil && len(c.trust.Points) > len(c.doc.Terminal.Points) {
		content = referencesFile(c.trust.Points)
	}
	return c.readAt(content, offset, cmd.ne, odd, d)
}

func (c *Chip) readAt(content []byte, offset, ne int, odd bool, d damage) ([]byte, int) {
	if offset >= len(content) {
		return nil, swOffset
	}
	want := ne
	if odd {
		want = max(ne-1-len(der.Length(ne)), 1) // DO 53 is part of what Le counts
	}
	if limit := c.doc.Limits.MaxRead; limit > 0 && want > limit {
		over := c.doc.Limits.OverRead
		if over != "" && over != "short" {
			sw := mustStatus(over)
			if sw>>8 == 0x6C {
				sw |= limit & 0xFF
			}
			return nil, sw
		}
		want = limit
	}
	if d.has(KindShortRead) {
		want = min(want, d.bytes)
	}
	rest := content[offset:]
	sw := swOK
	if len(rest) < ne && len(rest) <= want && c.doc.Limits.AtEnd != "" {
		sw = mustStatus(c.doc.Limits.AtEnd)
	}
	return inDiscretionary(odd, rest[:min(want, len(rest))]), sw
}

func inDiscretionary(odd bool, data []byte) []byte {
	if !odd {
		return bytes.Clone(data)
	}
	return der.TLV(0x53, data)
}

func offsetObject(data []byte) (int, bool) {
	o, rest, ok := nextObject(data)
	if !ok || o.tag != 0x54 || len(rest) != 0 || len(o.value) == 0 || len(o.value) > 4 {
		return 0, false
	}
	offset := 0
	for _, b := range o.value {
		offset = offset<<8 | int(b)
	}
	return offset, true
}
