// Package record holds what a watchlist says about one subject: its Go form,
// its JSON form with a published schema, and the rules a record must keep.
//
// The form is complete from the first version (design section 5): later work
// fills fields, it does not reshape them. Decoding is strict: unknown and
// doubled keys are refused, because a field that nobody reads is a warning
// that nobody sees.
package record

import (
	_ "embed"
	"log/slog"
	"time"
)

// SchemaVersion is the version of the record's form.
const SchemaVersion = 1

//go:embed record.schema.json
var schema string

// Schema returns the published JSON schema (draft 2020-12) of a record. A
// test holds it equal to the Go form.
func Schema() string { return schema }

// Record is one entry of a list about one subject: a person, or documents
// alone (stolen blanks, lost passports) where the subject has no name. A
// Record is a value; whoever shares one must not change it.
type Record struct {
	Schema     int        `json:"schema" jsonschema:"version of this form, 1"`
	ID         string     `json:"id" jsonschema:"identifier of the record within its list, never reused"`
	Edition    uint64     `json:"edition" jsonschema:"rises with each change of the record, from 1"`
	List       string     `json:"list,omitempty" jsonschema:"identifier of the list; from the list where absent"`
	Owner      string     `json:"owner,omitempty" jsonschema:"authority that answers for the record; from the list where absent"`
	LegalBasis string     `json:"legal_basis,omitempty" jsonschema:"act that allows the record; from the list where absent"`
	Purpose    string     `json:"purpose,omitempty" jsonschema:"what the record may be searched for; from the list where absent"`
	Handling   Handling   `json:"handling,omitzero" jsonschema:"what an officer does on a confirmed match; from the list where absent"`
	Issued     *time.Time `json:"issued,omitempty" jsonschema:"when this edition was made, RFC 3339"`
	Review     *time.Time `json:"review,omitempty" jsonschema:"when the owner must look at the record again, RFC 3339"`
	Expires    *time.Time `json:"expires,omitempty" jsonschema:"after this the record no longer counts, RFC 3339; from the list where absent"`

	Names         []Name     `json:"names,omitempty"`
	Births        []Birth    `json:"births,omitempty" jsonschema:"dates of birth as reported; several may be stated"`
	Sex           Sex        `json:"sex,omitempty" jsonschema:"M, F or X as in Doc 9303; absent where unknown"`
	Nationalities []string   `json:"nationalities,omitempty" jsonschema:"three-letter codes of Doc 9303-3 section 5, D or DEU for Germany"`
	Documents     []Document `json:"documents,omitempty"`
	Faces         []Face     `json:"faces,omitempty"`
	Fingers       []Finger   `json:"fingers,omitempty"`
	Redress       []Redress  `json:"redress,omitempty" jsonschema:"findings that a person is not this subject"`

	Photographs []Photograph `json:"photographs,omitempty" jsonschema:"pictures of the subject for an officer's eye, at most 4"`
	Prints      []Print      `json:"prints,omitempty" jsonschema:"images of fingers, turned into fingers on the way into a list and never held by one"`
}

// Name is one name of the subject.
type Name struct {
	Full      string      `json:"full,omitempty" jsonschema:"whole name where its parts are not known"`
	Primary   string      `json:"primary,omitempty" jsonschema:"primary identifier of Doc 9303: family name"`
	Secondary string      `json:"secondary,omitempty" jsonschema:"secondary identifier of Doc 9303: given names"`
	Script    string      `json:"script" jsonschema:"ISO 15924 code such as Latn, Arab, Cyrl"`
	Language  string      `json:"language,omitempty" jsonschema:"BCP 47 tag where the owner knows it"`
	Kind      NameKind    `json:"kind"`
	Quality   NameQuality `json:"quality"`
}

// Birth is one reported date of birth, with how well it is known.
type Birth struct {
	Date      string    `json:"date" jsonschema:"YYYY-MM-DD, YYYY-MM or YYYY, Gregorian"`
	Until     string    `json:"until,omitempty" jsonschema:"end of a range, in the form of date"`
	Precision Precision `json:"precision"`
	Place     string    `json:"place,omitempty"`
	Country   string    `json:"country,omitempty" jsonschema:"three-letter code"`
}

// Document is one document of the subject, or a document that is listed itself.
type Document struct {
	Type   string         `json:"type,omitempty" jsonschema:"document code of Doc 9303 such as P, ID, V; absent where unknown"`
	Issuer string         `json:"issuer,omitempty" jsonschema:"three-letter code of the issuing state; absent where unknown"`
	Number string         `json:"number" jsonschema:"as printed"`
	Status DocumentStatus `json:"status"`
}

// Face is one face template.
type Face struct {
	Model    string     `json:"model" jsonschema:"name of the engine's model"`
	Version  string     `json:"version" jsonschema:"version of the model"`
	Vector   Vector     `json:"vector"`
	Images   int        `json:"images" jsonschema:"how many pictures were averaged, from 1"`
	Quality  float64    `json:"quality,omitempty" jsonschema:"0 to 100 by the engine named in model, 0 where not assessed"`
	Captured *time.Time `json:"captured,omitempty" jsonschema:"when the picture was taken, RFC 3339"`
}

// Finger is one finger template.
type Finger struct {
	Position int            `json:"position" jsonschema:"ISO/IEC 19794-2 finger position, 0 unknown, 1 right thumb to 10 left little finger"`
	Format   FingerFormat   `json:"format"`
	Template []byte         `json:"template" jsonschema:"finger minutiae record, base64"`
	Quality  int            `json:"quality,omitempty" jsonschema:"0 to 100"`
	Impress  FingerPressing `json:"impression"`
}

// Handling is what an officer does once a match is confirmed. It is an
// instruction of the owner, never an act of the machine.
type Handling struct {
	Action  Action `json:"action"`
	Confirm bool   `json:"confirm" jsonschema:"the owner must confirm before anything is done"`
	Contact string `json:"contact,omitempty" jsonschema:"whom to ask for confirmation"`
}

// Redress points at a signed finding that a person with such evidence is not
// this subject. It is bound to biometrics or a document, never to a name.
type Redress struct {
	ID      string    `json:"id" jsonschema:"number of the finding"`
	Kind    string    `json:"kind" jsonschema:"suppress or downgrade"`
	Expires time.Time `json:"expires" jsonschema:"RFC 3339"`
}

// Expired tells whether the record no longer counts at now.
func (r *Record) Expired(now time.Time) bool { return r.Expires != nil && !now.Before(*r.Expires) }

// LogValue keeps the subject out of logs: list, id and edition only.
func (r Record) LogValue() slog.Value {
	return slog.GroupValue(slog.String("list", r.List), slog.String("id", r.ID), slog.Uint64("edition", r.Edition))
}

// String keeps the subject out of formatted text.
func (r Record) String() string { return "record " + r.List + "/" + r.ID }
