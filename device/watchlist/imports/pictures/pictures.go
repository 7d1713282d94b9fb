// Package pictures turns the pictures of a record into what a list holds:
// photographs into small JPEGs and face templates, images of prints into
// finger templates.
//
// The pictures are outside files of a list that somebody hostile may have
// written. They are decoded by the decode role alone; this package handles
// their bytes and the raw pixels that come back.
package pictures

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/photograph"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// MaxFile is the largest picture taken, in bytes.
const MaxFile = 8 << 20

// maxPrints is how many images of prints a record may bring: as many as
// fingers, each twice, with room.
const maxPrints = 32

// patience is how long one picture may take to be decoded.
const patience = 30 * time.Second

// Raster is raw pixels: 3 bytes each of RGB or 1 of grey, upright, rows from
// the top without gaps.
type Raster struct {
	Pix           []byte
	Width, Height int
	DPI           float64 // as the file states, 0 where it does not
}

// Found is the largest face of a picture.
type Found struct {
	Template template.Face
	Quality  float64 // 0 to 100
	Faces    int     // seen
}

// Decoder is the decode role.
type Decoder interface {
	// Ready says that faces can be had: an error is about the machine.
	Ready(ctx context.Context) error
	RGB(ctx context.Context, img []byte) (Raster, error)
	Grey(ctx context.Context, img []byte) (Raster, error)
	Face(ctx context.Context, img []byte) (Found, error)
}

// Maker prepares records. It is safe for concurrent use.
type Maker struct {
	Decoder Decoder
	// Root is the folder that paths of pictures are relative to and never
	// leave, also not by a link; nil where there is none.
	Root *os.Root

	ready      sync.Once
	readyErr   error
	extractors sync.Pool
}

// Needed tells whether a record has pictures to be prepared.
func Needed(r *record.Record) bool { return len(r.Photographs)+len(r.Prints) > 0 }

// Prepare replaces the pictures of a record by what a list holds. A picture
// that cannot be taken is left out and told as a problem, and the record stays;
// whether it is still one that can be found is for its own rules to say. Faces
// are computed where the record brings no template of the engine's model.
// Notes are problems that cost nothing. The error is about the machine or ctx.
func (m *Maker) Prepare(ctx context.Context, r *record.Record) (problems, notes []imports.Problem, err error) {
	if !Needed(r) {
		return nil, nil, nil
	}
	if m.ready.Do(func() { m.readyErr = m.Decoder.Ready(ctx) }); m.readyErr != nil {
		return nil, nil, m.readyErr
	}
	p := preparing{m: m, r: r}
	given := slices.Clone(r.Faces)
	photographs, prints := r.Photographs, r.Prints
	r.Photographs, r.Prints = nil, nil
	if len(photographs) > record.MaxPhotographs {
		p.broken("photographs", "record.too_many", fmt.Sprintf("more than %d", record.MaxPhotographs))
		photographs = photographs[:record.MaxPhotographs]
	}
	if len(prints) > maxPrints {
		p.broken("prints", "record.too_many", fmt.Sprintf("more than %d", maxPrints))
		prints = prints[:maxPrints]
	}
	for i, photo := range photographs {
		if err := p.photograph(ctx, fmt.Sprintf("photographs[%d]", i), photo, given); err != nil {
			return nil, nil, err
		}
	}
	for i, print := range prints {
		if err := p.print(ctx, fmt.Sprintf("prints[%d]", i), print); err != nil {
			return nil, nil, err
		}
	}
	return p.problems, p.notes, nil
}

// preparing is one record under way.
type preparing struct {
	m               *Maker
	r               *record.Record
	problems, notes []imports.Problem
}

func (p *preparing) broken(field string, code fault.Code, reason string) {
	p.problems = append(p.problems, imports.Problem{Field: field, Code: code, Reason: reason})
}

// cannot notes why a picture was left out; only the end of ctx goes further.
func (p *preparing) cannot(ctx context.Context, field string, err error) error {
	if ctx.Err() != nil {
		return fault.Wrap("import.stopped", context.Cause(ctx))
	}
	p.broken(field, fault.CodeOf(err), reasonOf(fault.CodeOf(err)))
	return nil
}

// reasonOf says for people why a picture was left out. The decoder's own words
// are not repeated: they are about bytes that somebody else chose.
func reasonOf(code fault.Code) string {
	if reason, ok := reasons[code]; ok {
		return reason
	}
	return "it could not be decoded"
}

var reasons = map[fault.Code]string{
	"image.format":      "no picture, or a damaged one",
	"image.truncated":   "the picture ends too early",
	"image.too_large":   "the picture is too large",
	"image.unsupported": "a kind of picture that is not read",
	"call.deadline":     "it took too long to decode",
	"capture.lost":      "the picture ended the process that decoded it",
	"picture.file":      "its path leads nowhere that may be read",
	"picture.empty":     "neither a path nor a picture, or both",
	"finger.enrol":      "too little of a print can be seen",
	"finger.image_size": "too small or too large for a print",
	"finger.dpi":        "its resolution is not that of a print",
}

func (p *preparing) photograph(ctx context.Context, field string, photo record.Photograph, given []record.Face) error {
	if len(photo.SHA256) > 0 {
		p.broken(field, "record.conflict", "a digest stands for a picture that is not there")
		return nil
	}
	img, err := p.m.read(photo.File, photo.Image)
	if err != nil {
		return p.cannot(ctx, field, err)
	}
	small, err := p.small(ctx, img)
	if err != nil {
		return p.cannot(ctx, field, err)
	}
	p.r.Photographs = append(p.r.Photographs, record.Photograph{Image: small, Captured: photo.Captured})
	return p.face(ctx, field, img, photo, given)
}

func (p *preparing) small(ctx context.Context, img []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	raster, err := p.m.Decoder.RGB(ctx, img)
	if err != nil {
		return nil, err
	}
	return photograph.Encode(raster.Pix, raster.Width, raster.Height)
}

// face adds the template of a photograph.
func (p *preparing) face(ctx context.Context, field string, img []byte, photo record.Photograph, given []record.Face) error {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := p.m.Decoder.Face(within, img)
	if fault.CodeOf(err) == "face.none" {
		p.notes = append(p.notes, imports.Problem{Field: field, Code: "face.none", Reason: "kept to be looked at: no face to search by was found in it"})
		return nil
	}
	if err != nil {
		return p.cannot(ctx, field, err)
	}
	if slices.ContainsFunc(given, func(f record.Face) bool {
		return f.Model == found.Template.Model && f.Version == found.Template.Version
	}) {
		return nil // the list's own, perhaps of a better picture
	}
	if found.Faces > 1 {
		p.notes = append(p.notes, imports.Problem{Field: field, Code: "face.several", Reason: "several faces: the largest is searched by"})
	}
	p.r.Faces = append(p.r.Faces, record.Face{
		Model: found.Template.Model, Version: found.Template.Version, Vector: slices.Clone(found.Template.Vector[:]), Images: 1,
		Quality: found.Quality, Captured: photo.Captured,
	})
	return nil
}

// impressions are ISO/IEC 19794-2:2005, table 3.
var impressions = map[record.FingerPressing]uint8{
	record.PressedLive: 0, record.RolledLive: 1, record.PressedInk: 2, record.RolledInk: 3, record.Latent: 7,
}

func (p *preparing) print(ctx context.Context, field string, print record.Print) error {
	img, err := p.m.read(print.File, print.Image)
	if err != nil {
		return p.cannot(ctx, field, err)
	}
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	raster, err := p.m.Decoder.Grey(within, img)
	if err != nil {
		return p.cannot(ctx, field, err)
	}
	dpi := float64(print.DPI)
	if print.DPI == 0 {
		if dpi = raster.DPI; !(dpi >= 100 && dpi <= 2000) { // what no scanner has
			dpi = finger.DPI
		}
	}
	e, ok := p.m.extractors.Get().(*finger.Extractor)
	if !ok {
		e = finger.NewExtractor()
	}
	defer p.m.extractors.Put(e)
	t, err := e.Extract(&finger.Image{Pix: raster.Pix, Width: raster.Width, Height: raster.Height, DPI: dpi})
	if err != nil {
		return p.cannot(ctx, field, err)
	}
	if print.Position < 0 || print.Position > 10 {
		p.broken(field, "record.range", "a position is 0 to 10")
		return nil
	}
	if print.Impress == "" {
		print.Impress = record.PressUnstated
	}
	text, err := finger.MarshalISO([]finger.View{{Template: t, Position: uint8(print.Position), Impression: impressions[print.Impress]}})
	if err != nil {
		return p.cannot(ctx, field, err)
	}
	p.r.Fingers = append(p.r.Fingers, record.Finger{
		Position: print.Position, Format: record.MinutiaeISO19794, Template: text, Quality: max(t.Quality, 0), Impress: print.Impress,
	})
	return nil
}

// read returns a picture's bytes: the picture itself, or the file.
func (m *Maker) read(file string, img []byte) ([]byte, error) {
	switch {
	case (file == "") == (len(img) == 0):
		return nil, fault.New("picture.empty", "neither a path nor a picture, or both")
	case file == "":
		return img, nil
	case m.Root == nil || !record.LocalFile(file):
		return nil, fault.New("picture.file", "a path that is not below the folder of the records")
	}
	f, err := m.Root.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fault.New("picture.file", "it cannot be opened")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Mode().Type()&^fs.ModePerm != 0 {
		return nil, fault.New("picture.file", "it is no regular file")
	}
	if info.Size() > MaxFile {
		return nil, fault.New("image.too_large", "%d bytes, at most %d", info.Size(), MaxFile)
	}
	raw, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil || len(raw) > MaxFile {
		return nil, fault.New("picture.file", "it cannot be read")
	}
	return raw, nil
}
