// Package folder reads a folder of pictures as records: a picture ID.jpg is a
// record of that identifier with one photograph; a folder ID is a record with
// the photographs and prints in it, and with what its record.json says.
//
//	DIR/
//	    4711.jpg                 record 4711, one photograph
//	    4712/
//	        record.json          the rest of the record, if there is more
//	        front.png side.jp2   photographs, in the order of their names
//	        finger-2.wsq         a print of position 2 (1 to 10, 0 unknown)
//	        finger-7-latent.png  of position 7, with its impression
package folder

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/pictures"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

const recordName = "record.json"

// maxEntries bounds what is read of one record's folder.
const maxEntries = 256

var (
	pictureForm = regexp.MustCompile(`(?i)\.(jpe?g|png|jp2|j2k|tiff?|pgm|ppm|wsq)$`)
	printForm   = regexp.MustCompile(`(?i)^finger-([0-9]{1,2})(-[a-z-]+)?\.[a-z0-9]+$`)
)

// Read reads the folder that p has as its root, in the order of names. What is
// neither a picture nor a folder is reported; rows carry the entry's name as
// their file.
func Read(ctx context.Context, p *pictures.Maker, m *imports.Maker, take imports.Take) error {
	entries, err := fs.ReadDir(p.Root.FS(), ".") // sorted
	if err != nil {
		return fault.Wrap("input.read", err)
	}
	order := pictures.Order[*row]{Ahead: 2 * runtime.GOMAXPROCS(0)}
	defer order.Wait()
	hand := func(r *row) error {
		if r.err != nil {
			return r.err
		}
		out := imports.Row{Line: 1, Problems: r.problems}
		if r.record != nil {
			out = m.Row(1, r.record, r.problems)
		}
		out.File = r.name
		return take(out)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return fault.Wrap("import.stopped", err)
		}
		r := entry(p.Root, e)
		work := func() {
			problems, notes, err := p.Prepare(ctx, r.record)
			r.problems, r.err = append(append(r.problems, problems...), notes...), err
		}
		if r.record == nil || !pictures.Needed(r.record) {
			work = nil
		}
		if err := order.Add(r, work, hand); err != nil {
			return err
		}
	}
	return order.Finish(hand)
}

// row is one entry under way.
type row struct {
	name     string
	record   *record.Record // nil: problems say why
	problems []imports.Problem
	err      error // ends the import
}

func (r *row) broken(field string, code fault.Code, reason string) *row {
	r.problems = append(r.problems, imports.Problem{Field: field, Code: code, Reason: reason})
	return r
}

// entry turns one entry of the folder into a record whose pictures are to be
// prepared.
func entry(root *os.Root, e fs.DirEntry) *row {
	r := &row{name: e.Name()}
	switch {
	case e.IsDir():
		return r.folder(root)
	case !e.Type().IsRegular():
		return r.broken("", "picture.file", "neither a regular file nor a folder")
	case !pictureForm.MatchString(e.Name()):
		return r.broken("", "image.unsupported", "a name that no picture has")
	}
	id := strings.TrimSuffix(e.Name(), path.Ext(e.Name()))
	r.record = &record.Record{ID: id, Photographs: []record.Photograph{{File: e.Name()}}}
	return r
}

// folder gathers one record's folder.
func (r *row) folder(root *os.Root) *row {
	dir, err := root.Open(r.name)
	if err != nil {
		return r.broken("", "picture.file", "the folder cannot be read")
	}
	defer dir.Close()
	entries, err := dir.ReadDir(maxEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) || len(entries) > maxEntries {
		return r.broken("", "import.limit", "the folder cannot be read, or holds too much")
	}
	names := make(map[string]fs.DirEntry, len(entries))
	for _, e := range entries {
		names[e.Name()] = e
	}
	out := &record.Record{}
	if _, ok := names[recordName]; ok {
		if out, err = parse(root, path.Join(r.name, recordName)); err != nil {
			r.problems = append(r.problems, imports.Problems(err)...)
			return r
		}
	}
	if out.ID == "" {
		out.ID = r.name
	}
	for i := range out.Photographs { // of record.json: relative to it
		if f := &out.Photographs[i].File; *f != "" {
			*f = path.Join(r.name, *f)
		}
	}
	for i := range out.Prints {
		if f := &out.Prints[i].File; *f != "" {
			*f = path.Join(r.name, *f)
		}
	}
	for _, name := range sorted(names) {
		r.add(out, name, names[name])
	}
	r.record = out
	return r
}

// add takes one file of a record's folder.
func (r *row) add(out *record.Record, name string, e fs.DirEntry) {
	print := printForm.FindStringSubmatch(name)
	switch {
	case name == recordName:
	case !e.Type().IsRegular():
		r.broken(name, "picture.file", "no regular file")
	case !pictureForm.MatchString(name):
		r.broken(name, "image.unsupported", "a name that no picture has")
	case named(out, path.Join(r.name, name)): // record.json has said more of it
	case print != nil:
		position, err := strconv.Atoi(print[1])
		if err != nil || position > 10 {
			r.broken(name, "record.range", "a position is 0 to 10")
			return
		}
		out.Prints = append(out.Prints, record.Print{
			Position: position, Impress: record.FingerPressing(strings.TrimPrefix(strings.ToLower(print[2]), "-")), File: path.Join(r.name, name),
		})
	default:
		out.Photographs = append(out.Photographs, record.Photograph{File: path.Join(r.name, name)})
	}
}

func named(r *record.Record, file string) bool {
	for _, p := range r.Photographs {
		if p.File == file {
			return true
		}
	}
	for _, p := range r.Prints {
		if p.File == file {
			return true
		}
	}
	return false
}

// parse reads a record.json, which may leave schema and id out.
func parse(root *os.Root, name string) (*record.Record, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, fault.New("picture.file", "record.json cannot be opened")
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fault.New("picture.file", "record.json is no regular file")
	}
	raw, err := io.ReadAll(io.LimitReader(f, record.MaxSize+1))
	if err != nil {
		return nil, fault.New("picture.file", "record.json cannot be read")
	}
	r, err := record.Parse(raw)
	if err != nil {
		return nil, err
	}
	if r.Schema != 0 && r.Schema != record.SchemaVersion {
		return nil, fault.New("record.range", "another version of the record's form")
	}
	return r, nil
}

func sorted(of map[string]fs.DirEntry) []string {
	var names []string
	for name := range of {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
