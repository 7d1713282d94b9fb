package lds

import (
	"encoding/hex"
	"log/slog"
	"strings"

	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// Details are the further particulars of a person (DG11) or of a document
// (DG12), by stable name. They hold personal data. Texts are as the chip has
// them, fillers included; dates are YYYYMMDD or YYYYMMDDhhmmss.
type Details struct {
	Fields map[string]string
	Images []Image // proof of citizenship (DG11), the document's sides (DG12)
}

// LogValue keeps personal data out of logs.
func (Details) LogValue() slog.Value { return slog.StringValue("details (redacted)") }

// String keeps personal data out of the fmt verbs.
func (Details) String() string { return "details (redacted)" }

// form is how a field's bytes are read.
type form uint8

const (
	formText  form = 1
	formDate  form = 2 // ASCII digits, or two digits a byte
	formImage form = 3
)

type detail struct {
	name string
	form form
}

// personTags follow Doc 9303-10, clause 4.7.11.
var personTags = map[der.ID]detail{
	0x5F0E: {"full_name", formText},
	0x5F0F: {"other_names", formText},
	0x5F10: {"personal_number", formText},
	0x5F2B: {"birth_date", formDate},
	0x5F11: {"place_of_birth", formText},
	0x5F42: {"address", formText},
	0x5F12: {"telephone", formText},
	0x5F13: {"profession", formText},
	0x5F14: {"title", formText},
	0x5F15: {"summary", formText},
	0x5F16: {"proof_of_citizenship", formImage},
	0x5F17: {"other_documents", formText},
	0x5F18: {"custody", formText},
}

// issueTags follow Doc 9303-10, clause 4.7.12.
var issueTags = map[der.ID]detail{
	0x5F19: {"authority", formText},
	0x5F26: {"date_of_issue", formDate},
	0x5F1A: {"other_persons", formText},
	0x5F1B: {"endorsements", formText},
	0x5F1C: {"tax", formText},
	0x5F1D: {"front", formImage},
	0x5F1E: {"rear", formImage},
	0x5F55: {"personalized", formDate},
	0x5F56: {"personalization_device", formText},
}

// maxDetails bounds the elements of DG11 and DG12.
const maxDetails = 128

// ParseDG11 reads the additional personal details of EF.DG11. What was read
// before an error is returned with it.
func ParseDG11(raw []byte) (*Details, error) { return details(raw, tags[11], personTags) }

// ParseDG12 reads the additional document details of EF.DG12, as ParseDG11.
func ParseDG12(raw []byte) (*Details, error) { return details(raw, tags[12], issueTags) }

func details(raw []byte, tag der.ID, known map[der.ID]detail) (*Details, error) {
	d := &Details{Fields: map[string]string{}}
	file, err := open(raw, tag)
	if err != nil {
		return d, err
	}
	budget := maxDetails
	return d, d.read(file, known, &budget)
}

// read takes the fields of one level. The list of tags (5C) is not judged:
// chips are read by what they hold.
func (d *Details) read(e der.Element, known map[der.ID]detail, budget *int) error {
	for r := e.Reader(); !r.Empty(); {
		if *budget--; *budget < 0 {
			return fault.New(ErrTooLarge.Code, "over %d details", maxDetails)
		}
		field, err := r.Next()
		if err != nil {
			return malformed("details: %v", err)
		}
		if field.ID == 0xA0 && e.ID != 0xA0 { // other names, other persons
			if err := d.read(field, known, budget); err != nil {
				return err
			}
			continue
		}
		if what, ok := known[field.ID]; ok {
			d.add(what, field.Content)
		}
	}
	return nil
}

func (d *Details) add(what detail, value []byte) {
	switch what.form {
	case formImage:
		d.Images = append(d.Images, newImage(value, what.name, 0, 0))
	case formDate:
		d.set(what.name, date(value))
	case formText:
		d.set(what.name, text(value))
	}
}

// set joins a field that occurs several times (other names).
func (d *Details) set(name, value string) {
	if old, ok := d.Fields[name]; ok {
		value = old + "; " + value
	}
	d.Fields[name] = value
}

// date reads a date of ASCII digits, or of two digits a byte as older chips
// have it (Doc 9303-10, clause 4.7.11: 4 bytes BCD or 8 bytes ASCII).
func date(b []byte) string {
	if len(b) == 4 || len(b) == 7 {
		return text([]byte(hex.EncodeToString(b)))
	}
	return text(b)
}

// text reads UTF-8, bytes that are none replaced, control characters dropped.
func text(b []byte) string {
	s := strings.ToValidUTF8(string(b), "\uFFFD")
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7F {
			return -1
		}
		return r
	}, s)
}

// Contact is a person to notify (DG16). It holds personal data.
type Contact struct {
	Recorded  string `json:"recorded"` // YYYYMMDD
	Name      string `json:"name"`
	Telephone string `json:"telephone"`
	Address   string `json:"address"`
}

// LogValue keeps personal data out of logs.
func (Contact) LogValue() slog.Value { return slog.StringValue("contact (redacted)") }

// String keeps personal data out of the fmt verbs.
func (Contact) String() string { return "contact (redacted)" }

// ParseDG16 reads the persons to notify of EF.DG16 (Doc 9303-10, clause
// 4.7.16). What was read before an error is returned with it.
func ParseDG16(raw []byte) ([]Contact, error) {
	file, err := open(raw, tags[16])
	if err != nil {
		return nil, err
	}
	r := file.Reader()
	count, err := r.Expect(der.Integer)
	if err != nil {
		return nil, malformed("number of persons: %v", err)
	}
	declared, err := count.SmallInt(maxInstances)
	if err != nil {
		return nil, malformed("number of persons: %v", err)
	}
	var contacts []Contact
	for !r.Empty() && len(contacts) < maxInstances {
		person, err := r.Next()
		if err != nil {
			return contacts, malformed("person %d: %v", len(contacts)+1, err)
		}
		var c Contact
		for fields := person.Reader(); !fields.Empty(); {
			f, err := fields.Next()
			if err != nil {
				return contacts, malformed("person %d: %v", len(contacts)+1, err)
			}
			switch f.ID {
			case 0x5F50:
				c.Recorded = date(f.Content)
			case 0x5F51:
				c.Name = text(f.Content)
			case 0x5F52:
				c.Telephone = text(f.Content)
			case 0x5F53:
				c.Address = text(f.Content)
			}
		}
		contacts = append(contacts, c)
	}
	if len(contacts) != declared {
		return contacts, malformed("%d persons where %d are declared", len(contacts), declared)
	}
	return contacts, nil
}

// ParseDisplayed reads the displayed images of DG5 (portrait, tag 5F40), DG6
// (reserved, same form) and DG7 (signature or usual mark, tag 5F43), Doc
// 9303-10, clauses 4.7.5 to 4.7.7. What was read before an error is returned
// with it.
func ParseDisplayed(n int, raw []byte) ([]Image, error) {
	if n < 5 || n > 7 {
		return nil, malformed("data group %d holds no displayed image", n)
	}
	file, err := open(raw, tags[n])
	if err != nil {
		return nil, err
	}
	r := file.Reader()
	if _, err := r.Expect(der.Integer); err != nil {
		return nil, malformed("number of displayed images: %v", err)
	}
	var images []Image
	for !r.Empty() && len(images) < maxInstances {
		e, err := r.Next()
		if err != nil {
			return images, malformed("displayed image %d: %v", len(images)+1, err)
		}
		if e.ID != 0x5F40 && e.ID != 0x5F41 && e.ID != 0x5F42 && e.ID != 0x5F43 {
			continue
		}
		img := newImage(e.Content, "displayed", 0, 0)
		images = append(images, img)
		if err := img.check("displayed"); err != nil {
			return images, err
		}
	}
	if len(images) == 0 {
		return nil, fault.New(ErrEmpty.Code, "no displayed image")
	}
	return images, nil
}
