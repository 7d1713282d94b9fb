package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/folder"
	"github.com/watchpost/watchpost/device/watchlist/imports/own"
	"github.com/watchpost/watchpost/device/watchlist/imports/pictures"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// listDecoder lets a list's pictures be decoded by the decode process.
type listDecoder struct{ d *decoder }

// Ready implements pictures.Decoder.
func (l listDecoder) Ready(ctx context.Context) error {
	_, err := l.d.ready(ctx)
	return err
}

// RGB implements pictures.Decoder.
func (l listDecoder) RGB(ctx context.Context, img []byte) (pictures.Raster, error) {
	return l.pixels(ctx, func(c *capture.DecodeClient) (capture.Pixels, error) { return c.DecodeRGB(ctx, img) })
}

// Grey implements pictures.Decoder.
func (l listDecoder) Grey(ctx context.Context, img []byte) (pictures.Raster, error) {
	return l.pixels(ctx, func(c *capture.DecodeClient) (capture.Pixels, error) { return c.DecodeGrey(ctx, img) })
}

func (l listDecoder) pixels(ctx context.Context, decode func(*capture.DecodeClient) (capture.Pixels, error)) (pictures.Raster, error) {
	var p capture.Pixels
	err := l.d.do(ctx, func(c *capture.DecodeClient) (err error) {
		p, err = decode(c)
		return err
	})
	return pictures.Raster{Pix: p.Pix, Width: p.Width, Height: p.Height, DPI: p.DPI}, err
}

// Face implements pictures.Decoder.
func (l listDecoder) Face(ctx context.Context, img []byte) (pictures.Found, error) {
	var f capture.Face
	err := l.d.do(ctx, func(c *capture.DecodeClient) (err error) {
		f, err = c.FaceTemplate(ctx, img, l.d.engine)
		return err
	})
	return pictures.Found{Template: f.Template, Quality: f.Quality, Faces: f.Faces}, err
}

// listPictures prepares the pictures of records whose paths are relative to a
// folder; none for standard input. The caller closes it. The decode process is
// started by the first picture.
type listPictures struct {
	pictures.Maker
	decoder *decoder
}

func openListPictures(cmd *cobra.Command, dir string) (*listPictures, error) {
	l := &listPictures{decoder: newDecoder(cmd.ErrOrStderr())}
	l.Decoder = listDecoder{l.decoder}
	if dir == "" {
		return l, nil
	}
	var err error
	if l.Root, err = os.OpenRoot(dir); err != nil {
		return nil, fault.Wrap("input.read", err)
	}
	return l, nil
}

// folderOf is the folder that paths in a file of records are relative to.
func folderOf(name string) string {
	if name == "-" {
		return ""
	}
	return filepath.Dir(name)
}

// Close ends the decode process.
func (l *listPictures) Close() {
	l.decoder.Close()
	if l.Root != nil {
		_ = l.Root.Close() // read only
	}
}

// readRecordsFile reads files of records with their pictures as one list.
func readRecordsFile(cmd *cobra.Command, files []string, m *imports.Maker, sink *importSink) error {
	for _, name := range files {
		p, err := openListPictures(cmd, folderOf(name))
		if err != nil {
			return err
		}
		err = new(importFlags).eachFile(own.Reader(cmd.Context(), &p.Maker))(cmd, []string{name}, m, sink)
		p.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// readFolders reads folders of pictures as one list.
func readFolders(cmd *cobra.Command, dirs []string, m *imports.Maker, sink *importSink) error {
	for _, dir := range dirs {
		p, err := openListPictures(cmd, dir)
		if err != nil {
			return err
		}
		err = folder.Read(cmd.Context(), &p.Maker, m, func(r imports.Row) error {
			r.File = filepath.Join(dir, r.File)
			return sink.row(cmd, r)
		})
		p.Close()
		if err != nil {
			return fault.New("import.file", "%s: %w", dir, err)
		}
	}
	return nil
}

// pictured reads records for "list build", whose pictures go through the decode
// process whatever was done to them before: who builds a list answers for it.
// A picture that cannot be taken ends the reading with its line.
func pictured(ctx context.Context, in io.Reader, p *pictures.Maker) iter.Seq2[*record.Record, error] {
	type row struct {
		record   *record.Record
		line     int
		problems []imports.Problem
		err      error
	}
	return func(yield func(*record.Record, error) bool) {
		order := pictures.Order[*row]{Ahead: 2 * runtime.GOMAXPROCS(0)}
		defer order.Wait()
		errStop := errors.New("enough")
		hand := func(r *row) error {
			err := r.err
			if err == nil && len(r.problems) > 0 {
				first := r.problems[0]
				err = fault.New(first.Code, "%s: %s", first.Field, first.Reason)
			}
			if err != nil {
				return fault.New("list.record", "line %d: %w", r.line, err)
			}
			if !yield(r.record, nil) {
				return errStop
			}
			return nil
		}
		err := readLines(in, func(line int, r *record.Record) error {
			out := &row{record: r, line: line}
			var work func()
			if pictures.Needed(r) {
				work = func() { out.problems, _, out.err = p.Prepare(ctx, r) }
			}
			return order.Add(out, work, hand)
		})
		if err == nil {
			err = order.Finish(hand)
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(nil, err)
		}
	}
}
