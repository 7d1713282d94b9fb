package record

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// MaxPhotographs is how many photographs one record holds at most.
const MaxPhotographs = 4

// MaxPhotograph is the largest photograph of a record in bytes: with its seal
// it fits a block of package store, so that no photograph is told from another
// by its length.
const MaxPhotograph = 16_000

// Photograph is one picture of the subject, for the eye of the officer who
// adjudicates. No engine searches by it. In a file of records it is a path or
// the picture itself; a list holds a small JPEG made anew by the decode role,
// and a record read out of a list holds that picture's SHA-256 alone. Exactly
// one of the three is set.
type Photograph struct {
	File     string     `json:"file,omitempty" jsonschema:"path of a picture relative to the file of records; list import and list build read it through the decode process"`
	Image    []byte     `json:"image,omitempty" jsonschema:"the picture, base64: JPEG, JPEG 2000, PNG, TIFF or PNM on the way into a list, a small JPEG in one"`
	SHA256   []byte     `json:"digest,omitempty" jsonschema:"SHA-256 of a picture that a list holds apart, base64"`
	Captured *time.Time `json:"captured,omitempty" jsonschema:"when the picture was taken, RFC 3339"`
}

// Print is the image of one finger on the way into a list, where the decode
// role and the finger engine make a template of it. A list never holds one.
type Print struct {
	Position int            `json:"position" jsonschema:"as of a finger"`
	Impress  FingerPressing `json:"impression"`
	DPI      int            `json:"dpi,omitempty" jsonschema:"pixels an inch; what the image states, else 500, where absent"`
	File     string         `json:"file,omitempty" jsonschema:"path of an image relative to the file of records"`
	Image    []byte         `json:"image,omitempty" jsonschema:"the image, base64: WSQ, PNG, JPEG 2000, TIFF, PGM or JPEG"`
}

// photographs checks what a list may hold: nothing that is still to be read.
func (c *checker) photographs(all []Photograph, prints []Print) {
	if len(prints) > 0 {
		c.add("record.picture", "prints")
	}
	if !c.count("photographs", len(all), MaxPhotographs) {
		return
	}
	for i, p := range all {
		at := fmt.Sprintf("photographs[%d]", i)
		switch {
		case p.File != "":
			c.add("record.picture", "%s.file", at)
		case len(p.Image) > 0 && len(p.SHA256) > 0, len(p.Image)+len(p.SHA256) == 0:
			c.add("record.conflict", "%s.image", at)
		case len(p.Image) > MaxPhotograph || len(p.Image) > 0 && !strings.HasPrefix(string(p.Image), "\xff\xd8\xff"):
			c.add("record.picture", "%s.image", at)
		case len(p.SHA256) > 0 && len(p.SHA256) != 32:
			c.add("record.range", "%s.digest", at)
		}
	}
}

// LocalFile tells whether a picture's path stays below the folder of the file
// that names it: relative, with '/', clean, and without a control character.
func LocalFile(name string) bool {
	return name != "" && len(name) <= maxText && !strings.ContainsFunc(name, isControl) && !strings.Contains(name, `\`) &&
		!path.IsAbs(name) && path.Clean(name) == name && name != ".." && !strings.HasPrefix(name, "../") && name != "."
}
