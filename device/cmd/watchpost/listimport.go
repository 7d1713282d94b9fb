package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/notice"
	"github.com/watchpost/watchpost/device/watchlist/imports/number"
	"github.com/watchpost/watchpost/device/watchlist/imports/ofac"
	"github.com/watchpost/watchpost/device/watchlist/imports/plain"
	"github.com/watchpost/watchpost/device/watchlist/imports/un"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// importFlags are what "list import" is told.
type importFlags struct {
	spec                     imports.Spec
	numbers                  number.Options
	format, out, idKey       string
	action, expires          string
	issuer, docType, columns string
	status, charset          string
}

func listImportCommand() *cobra.Command {
	var o importFlags
	c := &cobra.Command{
		Use:   "import --format un|ofac|notices|numbers|records|folder FILE...",
		Short: "Turn a foreign list into records, as list build takes them",
		Long: `Read a list in the form of its publisher and write records, one JSON object a line
(see "list schema"), to standard output or, whole or not at all, to --out FILE.

  un        UN Security Council consolidated list, XML
  ofac      OFAC: sdn.csv (or cons_prim.csv), with alt.csv, add.csv and comments of the
            same list, in any order; they are told apart by their columns
  notices   a table of persons in the manner of INTERPOL notices, CSV with a header:
            id, name or family name and forename, alias, original name, date of birth,
            place of birth, country of birth, sex, nationality, passport, document
            number, document type, document issuer
  numbers   document numbers, text or CSV: number, issuer, type, status, id, or in the
            order of a header or of --columns; any length, read as a stream
  records   this product's own form; checked, and completed from the flags
  folder    folders of pictures: ID.jpg is a record with one photograph; a folder ID one
            with the photographs in it, prints named finger-N or finger-N-IMPRESSION
            (N: 1 right thumb to 10 left little finger), and the rest in record.json

Lists and tables are read as UTF-8 or UTF-16, parted by commas, semicolons or tabs;
XML also in the ISO 8859 and Windows character sets that it declares, tables in the
one that --charset names.
Records of the last two forms may bring photographs and images of prints: a path below
the folder of the file, or base64, at most 8 MiB each (JPEG, JPEG 2000, PNG, TIFF, PNM,
WSQ). Pictures are decoded by a private decode process alone. Of a photograph comes a JPEG
of at most 320 pixels a side and 16,000 bytes and, where the record brings none of the
engine's model, a face template; of a print a finger template. A picture that cannot be
taken is left out and told with its reason; the record stays if anything is left to find
it by, and is told as broken otherwise.

What the flags state holds for every record that does not say otherwise; what nobody
states is left out, and "list build" fills it in. A row that has no identifier gets one
from --id-key: HMAC-SHA-256 of the document or person, the same in every edition.

Each entry that is lost, and each field left out of an entry that is kept, is told on
standard error, one JSON object a line, without what stood there:
{file, line, kept, problems: [{field, code, reason}]}; at the end come the counts.
Organisations, ships and aircraft are skipped and counted, unless --organisations.
Exit status 3 if an entry was lost or a file could not be read to its end.`,
		Example: `  watchpost list import --format un --list un-sc --owner "UN Security Council" \
    --legal-basis "Resolution 1267" --purpose border_check UN_consolidated.xml > un.jsonl
  watchpost list import --format ofac sdn.csv alt.csv add.csv > ofac.jsonl
  watchpost list import --format numbers --type P --status stolen --id-key ids.key stolen.csv --out stolen.jsonl
  watchpost list import --format folder --list missing photographs/ --out missing.jsonl`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error { return o.run(cmd, files) },
	}
	f := c.Flags()
	f.StringVar(&o.format, "format", "", "un, ofac, notices, numbers, records or folder")
	f.StringVar(&o.out, "out", "", "file of the records; standard output where not given")
	f.StringVar(&o.spec.List, "list", "", "identifier of the list")
	f.StringVar(&o.spec.Owner, "owner", "", "authority that answers for the records")
	f.StringVar(&o.spec.LegalBasis, "legal-basis", "", "act that allows the records")
	f.StringVar(&o.spec.Purpose, "purpose", "", "what the records may be searched for")
	f.StringVar(&o.action, "action", "", "what an officer does on a confirmed match")
	f.BoolVar(&o.spec.Handling.Confirm, "confirm", false, "the owner must confirm before anything is done; needs --action and --contact")
	f.StringVar(&o.spec.Handling.Contact, "contact", "", "whom to ask for confirmation")
	f.Uint64Var(&o.spec.Edition, "edition", 1, "edition of each record")
	f.StringVar(&o.expires, "expires", "", "when the records run out, YYYY-MM-DD or RFC 3339")
	f.BoolVar(&o.spec.Organisations, "organisations", false, "take organisations, ships and aircraft in as well")
	f.StringVar(&o.idKey, "id-key", "", "file of the key for identifiers, 32 bytes in base64; made when it is not there")
	f.StringVar(&o.columns, "columns", "", "numbers: meaning of the columns, by commas: number,issuer,type,status,id; empty ones are not read")
	f.StringVar(&o.issuer, "issuer", "", "numbers: issuing state of rows without one")
	f.StringVar(&o.docType, "type", "", "numbers: document code of rows without one, such as P or ID")
	f.StringVar(&o.status, "status", string(record.DocumentStolen), "numbers: status of rows without one: lost, stolen, stolen-blank, revoked, forged")
	f.StringVar(&o.charset, "charset", "", "ofac, notices, numbers: character set of the files, such as iso-8859-1 or windows-1251, where it is neither UTF-8 nor UTF-16")
	require(c, "format")
	return c
}

func (o *importFlags) run(cmd *cobra.Command, files []string) error {
	read, err := o.reader()
	if err != nil {
		return err
	}
	if err := o.complete(); err != nil {
		return err
	}
	sink, err := newImportSink(cmd, o.out)
	if err != nil {
		return err
	}
	defer sink.abandon()
	if err := read(cmd, files, imports.NewMaker(o.spec), sink); err != nil {
		return err
	}
	if sink.garbled && o.charset == "" && slices.Contains(tables, o.format) {
		fmt.Fprintln(cmd.ErrOrStderr(), "rows are broken for their text: where the file is neither UTF-8 nor UTF-16, name its character set with --charset")
	}
	return sink.finish()
}

// tables are the formats that cannot declare their character set.
var tables = []string{"ofac", "notices", "numbers"}

// complete turns the flags that have a form of their own into the spec.
func (o *importFlags) complete() error {
	o.spec.Handling.Action = record.Action(o.action)
	if o.action == "" && (o.spec.Handling.Confirm || o.spec.Handling.Contact != "") {
		return fault.New("usage", "--confirm and --contact need --action")
	}
	if o.expires == "" {
		return nil
	}
	t, err := time.Parse(time.DateOnly, o.expires)
	if err != nil {
		if t, err = time.Parse(time.RFC3339, o.expires); err != nil {
			return fault.New("usage", "--expires is neither YYYY-MM-DD nor RFC 3339")
		}
	}
	o.spec.Expires = &t
	return nil
}

type importReader func(cmd *cobra.Command, files []string, m *imports.Maker, sink *importSink) error

func (o *importFlags) reader() (importReader, error) {
	name, err := importNamer(o.idKey)
	if err != nil {
		return nil, err
	}
	if _, ok := plain.Charset(o.charset, nil); o.charset != "" && !ok {
		return nil, fault.New("usage", "--charset %q is not known: iso-8859-1, -2, -5, -6, -9 or -15, windows-1250, -1251, -1252, -1254 or -1256, koi8-r", o.charset)
	}
	if o.charset != "" && !slices.Contains(tables, o.format) {
		return nil, fault.New("usage", "--charset is for ofac, notices and numbers; the other formats say theirs")
	}
	switch o.format {
	case "un":
		return o.eachFile(un.Read), nil
	case "records":
		return readRecordsFile, nil
	case "folder":
		return readFolders, nil
	case "notices":
		return o.eachFile(notice.Reader(name)), nil
	case "numbers":
		o.numbers = number.Options{Issuer: o.issuer, Type: strings.ToUpper(o.docType), Status: record.DocumentStatus(o.status), Name: name}
		if o.columns != "" {
			o.numbers.Columns = strings.Split(o.columns, ",")
		}
		if err := number.CheckColumns(o.numbers.Columns); err != nil {
			return nil, err
		}
		return o.eachFile(number.Reader(o.numbers)), nil
	case "ofac":
		return o.readOFAC, nil
	}
	return nil, fault.New("usage", "--format is one of un, ofac, notices, numbers, records, folder")
}

// text is in, in UTF-8 where its character set was stated.
func (o *importFlags) text(in io.Reader) io.Reader {
	if utf8, ok := plain.Charset(o.charset, in); ok {
		return utf8
	}
	return in
}

// eachFile reads files one after the other as one list.
func (o *importFlags) eachFile(read imports.Reader) importReader {
	return func(cmd *cobra.Command, files []string, m *imports.Maker, sink *importSink) error {
		for _, name := range files {
			in, err := openInput(cmd, name)
			if err != nil {
				return err
			}
			err = read(o.text(in), m, func(r imports.Row) error {
				r.File = name
				return sink.row(cmd, r)
			})
			if err := errors.Join(err, in.Close()); err != nil {
				return fault.New("import.file", "%s: %w", name, err)
			}
		}
		return nil
	}
}

func (o *importFlags) readOFAC(cmd *cobra.Command, files []string, m *imports.Maker, sink *importSink) error {
	var open []ofac.File
	for _, name := range files {
		in, err := openInput(cmd, name)
		if err != nil {
			return err
		}
		defer in.Close()
		open = append(open, ofac.File{Name: name, In: o.text(in)})
	}
	return fault.Wrap("import.file", ofac.Read(open, m, func(r imports.Row) error { return sink.row(cmd, r) }))
}

// importNamer makes identifiers under a key, so that a document number, of
// which there are few enough to try all, cannot be found from one. It returns
// nil without a key.
func importNamer(file string) (func(string) string, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		raw := make([]byte, sha256.Size)
		if _, err := rand.Read(raw); err != nil {
			return nil, fault.Wrap("import.key", err)
		}
		text = []byte(base64.StdEncoding.EncodeToString(raw) + "\n")
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, fault.Wrap("import.key", err)
		}
		_, err = f.Write(text)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, fault.Wrap("import.key", err)
		}
	} else if err != nil {
		return nil, fault.Wrap("import.key", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != sha256.Size {
		return nil, fault.New("import.key", "the key for identifiers is not 32 bytes in base64")
	}
	mac := hmac.New(sha256.New, key)
	return func(text string) string {
		mac.Reset()
		mac.Write([]byte(text))
		return hex.EncodeToString(mac.Sum(nil)[:16])
	}, nil
}

// importSink writes records and tells what was left out. It is for one
// goroutine.
type importSink struct {
	out    *bufio.Writer
	enc    *json.Encoder
	errOut io.Writer
	file   *os.File // nil for standard output
	name   string

	records, notes, broken int
	skipped                int
	garbled                bool // a row was broken for its text
}

func newImportSink(cmd *cobra.Command, name string) (*importSink, error) {
	s := &importSink{errOut: cmd.ErrOrStderr(), name: name}
	var w io.Writer = cmd.OutOrStdout()
	if name != "" {
		f, err := os.CreateTemp(filepath.Dir(name), ".import-*") // mode 0600
		if err != nil {
			return nil, fault.Wrap("output.write", err)
		}
		s.file, w = f, f
	}
	s.out = bufio.NewWriterSize(w, 256<<10)
	s.enc = json.NewEncoder(s.out)
	s.enc.SetEscapeHTML(false)
	return s, nil
}

// importReport is what is said of an entry that is not whole.
type importReport struct {
	File     string            `json:"file"`
	Line     int               `json:"line"`
	Kept     bool              `json:"kept"`
	Problems []imports.Problem `json:"problems"`
}

func (s *importSink) row(cmd *cobra.Command, r imports.Row) error {
	if err := cmd.Context().Err(); err != nil {
		return fault.Wrap("import.stopped", err)
	}
	switch {
	case r.Skipped != "":
		s.skipped++
		return nil
	case r.Broken():
		s.broken++
		s.garbled = s.garbled || slices.ContainsFunc(r.Problems, func(p imports.Problem) bool { return p.Code == "record.text" })
	default:
		s.records++
		if err := s.enc.Encode(r.Record); err != nil {
			return fault.Wrap("output.write", err)
		}
		if len(r.Problems) == 0 {
			return nil
		}
		s.notes++
	}
	enc := json.NewEncoder(s.errOut)
	enc.SetEscapeHTML(false)
	return fault.Wrap("output.write", enc.Encode(importReport{r.File, r.Line, !r.Broken(), r.Problems}))
}

// finish puts the file in place and tells the counts.
func (s *importSink) finish() error {
	if err := s.out.Flush(); err != nil {
		return fault.Wrap("output.write", err)
	}
	if s.file != nil {
		f := s.file
		s.file = nil
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fault.Wrap("output.write", errors.Join(err, os.Remove(f.Name())))
		}
		if err := os.Rename(f.Name(), s.name); err != nil {
			return fault.Wrap("output.write", errors.Join(err, os.Remove(f.Name())))
		}
	}
	fmt.Fprintf(s.errOut, "records %d, of these without some field %d; broken %d; skipped %d\n", s.records, s.notes, s.broken, s.skipped)
	if s.broken > 0 {
		return errSomeFailed
	}
	return nil
}

// abandon removes what finish has not put in place.
func (s *importSink) abandon() {
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
	}
}
