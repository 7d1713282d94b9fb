package record

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/watchpost/watchpost/device/fault"
)

// Limits of a record, far above what lists hold.
const (
	maxText     = 512 // bytes of one text
	maxID       = 128 // bytes of an identifier
	maxNames    = 256
	maxBirths   = 32
	maxNations  = 16
	maxDocs     = 256
	maxFaces    = 64
	maxFingers  = 64
	maxTemplate = 32 << 10 // bytes of one finger template
	maxRedress  = 256
)

// ErrInvalid says that a record breaks its rules; Problems tells which.
var ErrInvalid = &fault.Error{Code: "record.invalid"}

// Problem is one broken rule: the field by its JSON path, without its value,
// and a stable code: record.required, record.word, record.text, record.date,
// record.range, record.too_many, record.conflict, record.template or
// record.picture.
type Problem struct {
	Field string     `json:"field"`
	Code  fault.Code `json:"code"`
}

// Problems are all broken rules of a record, in the order of its fields.
type Problems []Problem

// Error implements error, with fields and codes and no values.
func (p Problems) Error() string {
	var b strings.Builder
	for i, q := range p {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s (%s)", q.Field, q.Code)
	}
	return b.String()
}

var (
	scriptForm   = regexp.MustCompile(`^[A-Z][a-z]{3}$`)
	languageForm = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
	countryForm  = regexp.MustCompile(`^([A-Z]{3}|D)$`)
	docTypeForm  = regexp.MustCompile(`^[A-Z][A-Z<]?$`)
)

// checker collects problems.
type checker struct{ found Problems }

func (c *checker) add(code fault.Code, format string, args ...any) {
	c.found = append(c.found, Problem{Field: fmt.Sprintf(format, args...), Code: code})
}

func (c *checker) text(field, s string, max int, required bool) {
	switch {
	case s == "" && required:
		c.add("record.required", "%s", field)
	case len(s) > max || !utf8.ValidString(s) || strings.ContainsFunc(s, isControl):
		c.add("record.text", "%s", field)
	}
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

func (c *checker) word(field, of, s string) {
	if s == "" {
		c.add("record.required", "%s", field)
	} else if !isWord(of, s) {
		c.add("record.word", "%s", field)
	}
}

func (c *checker) form(field, s string, form *regexp.Regexp) {
	if s != "" && !form.MatchString(s) {
		c.add("record.word", "%s", field)
	}
}

func (c *checker) count(field string, n, max int) bool {
	if n > max {
		c.add("record.too_many", "%s", field)
		return false
	}
	return true
}

// Validate checks every rule and returns Problems under the code
// record.invalid, or nil.
func (r *Record) Validate() error {
	c := &checker{}
	if r.Schema != SchemaVersion {
		c.add("record.range", "schema")
	}
	c.text("id", r.ID, maxID, true)
	if r.Edition == 0 {
		c.add("record.range", "edition")
	}
	c.text("list", r.List, maxID, true)
	c.text("owner", r.Owner, maxText, true)
	c.text("legal_basis", r.LegalBasis, maxText, true)
	c.text("purpose", r.Purpose, maxText, true)
	c.word("handling.action", "action", string(r.Handling.Action))
	c.text("handling.contact", r.Handling.Contact, maxText, false)
	if r.Handling.Confirm && r.Handling.Contact == "" {
		c.add("record.conflict", "handling.contact") // whom would the officer ask
	}
	if r.Expires == nil {
		c.add("record.required", "expires")
	} else if r.Issued != nil && r.Expires.Before(*r.Issued) {
		c.add("record.conflict", "expires")
	}
	if r.Sex != "" {
		c.word("sex", "sex", string(r.Sex))
	}
	c.names(r.Names)
	c.births(r.Births)
	if c.count("nationalities", len(r.Nationalities), maxNations) {
		for i, n := range r.Nationalities {
			if !countryForm.MatchString(n) {
				c.add("record.word", "nationalities[%d]", i)
			}
		}
	}
	c.documents(r.Documents)
	c.faces(r.Faces)
	c.fingers(r.Fingers)
	c.redress(r.Redress)
	c.photographs(r.Photographs, r.Prints)
	if len(r.Names)+len(r.Documents)+len(r.Faces)+len(r.Fingers) == 0 {
		c.add("record.required", "names") // nothing could ever match it
	}
	if len(c.found) == 0 {
		return nil
	}
	return fault.Wrap("record.invalid", c.found)
}

func (c *checker) names(names []Name) {
	if !c.count("names", len(names), maxNames) {
		return
	}
	for i, n := range names {
		at := fmt.Sprintf("names[%d].", i)
		c.text(at+"full", n.Full, maxText, n.Primary == "" && n.Secondary == "")
		c.text(at+"primary", n.Primary, maxText, false)
		c.text(at+"secondary", n.Secondary, maxText, false)
		if n.Script == "" {
			c.add("record.required", "%sscript", at)
		}
		c.form(at+"script", n.Script, scriptForm)
		c.form(at+"language", n.Language, languageForm)
		c.word(at+"kind", "kind", string(n.Kind))
		c.word(at+"quality", "quality", string(n.Quality))
	}
}

// dateForms are the forms of a date by its length.
var dateForms = map[int]string{4: "2006", 7: "2006-01", 10: time.DateOnly}

func parseDate(s string) (time.Time, bool) {
	t, err := time.Parse(dateForms[len(s)], s)
	return t, err == nil && dateForms[len(s)] != "" && t.Year() >= 1850
}

func (c *checker) births(births []Birth) {
	if !c.count("births", len(births), maxBirths) {
		return
	}
	for i, b := range births {
		at := fmt.Sprintf("births[%d].", i)
		from, ok := parseDate(b.Date)
		if !ok {
			c.add("record.date", "%sdate", at)
		}
		c.word(at+"precision", "precision", string(b.Precision))
		wantLength := map[Precision]int{ToDay: 10, ToMonth: 7, ToYear: 4}[b.Precision]
		if ok && wantLength != 0 && len(b.Date) != wantLength {
			c.add("record.conflict", "%sprecision", at)
		}
		until, untilOK := parseDate(b.Until)
		switch {
		case (b.Precision == Range) != (b.Until != ""):
			c.add("record.conflict", "%suntil", at)
		case b.Until != "" && !untilOK:
			c.add("record.date", "%suntil", at)
		case b.Until != "" && ok && until.Before(from):
			c.add("record.conflict", "%suntil", at)
		}
		c.text(at+"place", b.Place, maxText, false)
		c.form(at+"country", b.Country, countryForm)
	}
}

func (c *checker) documents(docs []Document) {
	if !c.count("documents", len(docs), maxDocs) {
		return
	}
	for i, d := range docs {
		at := fmt.Sprintf("documents[%d].", i)
		c.form(at+"type", d.Type, docTypeForm)
		c.form(at+"issuer", d.Issuer, countryForm)
		c.text(at+"number", d.Number, 64, true)
		c.word(at+"status", "status", string(d.Status))
	}
}

func (c *checker) faces(faces []Face) {
	if !c.count("faces", len(faces), maxFaces) {
		return
	}
	for i, f := range faces {
		at := fmt.Sprintf("faces[%d].", i)
		c.text(at+"model", f.Model, maxID, true)
		c.text(at+"version", f.Version, maxID, true)
		if len(f.Vector) == 0 || len(f.Vector) > MaxVector || !f.Vector.unitLength() {
			c.add("record.template", "%svector", at)
		}
		if f.Images < 1 || f.Images > 1000 {
			c.add("record.range", "%simages", at)
		}
		if !(f.Quality >= 0 && f.Quality <= 100) {
			c.add("record.range", "%squality", at)
		}
	}
}

func (c *checker) fingers(fingers []Finger) {
	if !c.count("fingers", len(fingers), maxFingers) {
		return
	}
	for i, f := range fingers {
		at := fmt.Sprintf("fingers[%d].", i)
		if f.Position < 0 || f.Position > 10 {
			c.add("record.range", "%sposition", at)
		}
		c.word(at+"format", "format", string(f.Format))
		// "FMR\0" opens every record of ISO/IEC 19794-2:2005, clause 7.3.1; the
		// finger engine reads the rest.
		if len(f.Template) < 24 || len(f.Template) > maxTemplate || string(f.Template[:4]) != "FMR\x00" {
			c.add("record.template", "%stemplate", at)
		}
		if f.Quality < 0 || f.Quality > 100 {
			c.add("record.range", "%squality", at)
		}
		c.word(at+"impression", "impression", string(f.Impress))
	}
}

func (c *checker) redress(redress []Redress) {
	if !c.count("redress", len(redress), maxRedress) {
		return
	}
	for i, q := range redress {
		at := fmt.Sprintf("redress[%d].", i)
		c.text(at+"id", q.ID, maxID, true)
		c.word(at+"kind", "redress", q.Kind)
		if q.Expires.IsZero() {
			c.add("record.required", "%sexpires", at)
		}
	}
}
