package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
)

func fingerCommand() *cobra.Command {
	group := &cobra.Command{Use: "finger", Short: "Extract, compare and search fingerprints"}
	group.AddCommand(fingerTemplateCommand(), fingerScoreCommand(), fingerSearchCommand(), fingerMatchCommand(), fingerSlapCommand())
	return group
}

// dpiFlag adds --dpi to a command.
func dpiFlag(cmd *cobra.Command) *float64 {
	return cmd.Flags().Float64("dpi", finger.DPI, "resolution of the images in dots an inch, 100 to 2000; what a file states is not believed")
}

// fingers extracts the templates of image files.
type fingers struct {
	decoder *decoder
	errOut  io.Writer
	dpi     float64
}

func newFingers(cmd *cobra.Command, dpi float64) (*fingers, error) {
	if !(dpi >= 100 && dpi <= 2000) {
		return nil, fault.New("usage", "--dpi %v: 100 to 2000", dpi)
	}
	return &fingers{newDecoder(cmd.ErrOrStderr()), cmd.ErrOrStderr(), dpi}, nil
}

func (f *fingers) Close() { f.decoder.Close() }

// print is the template of one image.
func (f *fingers) print(ctx context.Context, e *finger.Extractor, path string) (*finger.Template, time.Duration, error) {
	img, err := f.grey(ctx, path)
	if err != nil {
		return nil, 0, err
	}
	start := time.Now()
	t, err := e.Extract(img)
	return t, time.Since(start), err
}

// all extracts the prints of many files on all cores and calls each with every
// index, from one goroutine and in the order of paths. The first error that
// each returns ends the work.
func (f *fingers) all(ctx context.Context, paths []string, each func(i int, t *finger.Template, err error) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		print *finger.Template
		took  time.Duration
		err   error
	}
	results := make([]chan result, len(paths))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(runtime.NumCPU(), max(1, len(paths))) {
		wg.Go(func() {
			e := finger.NewExtractor()
			for i := range next {
				t, took, err := f.print(ctx, e, paths[i])
				results[i] <- result{t, took, err}
			}
		})
	}
	wg.Go(func() {
		defer close(next)
		for i := range paths {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	})
	defer wg.Wait()
	defer cancel()
	progress := newProgress(f.errOut, "finger", len(paths))
	for i := range paths {
		select {
		case r := <-results[i]:
			if r.err == nil {
				progress.took(r.took)
			}
			progress.step()
			if err := each(i, r.print, r.err); err != nil {
				return err
			}
		case <-ctx.Done():
			return fault.Wrap("call.canceled", ctx.Err())
		}
	}
	progress.end()
	return nil
}

// fingerRow is one row of "finger template".
type fingerRow struct {
	File     string `json:"file"`
	Minutiae int    `json:"minutiae"`
	Quality  int    `json:"quality"`
	Template string `json:"template"` // ISO/IEC 19794-2:2005, base64
}

func fingerTemplateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "template IMG... [--dpi N]",
		Short: "Extract the minutiae of each image",
		Long: `Extracts one minutiae template an image.

In: images of one finger each (WSQ, JPEG, JPEG 2000, PNG, PGM, TIFF, BMP; dark ridges on
light ground). --dpi is their resolution, 500 if not given.

Out: one JSON object an image, in the order given:
  {file, minutiae, quality, template}
minutiae: how many were found. quality: 0 to 100, our own measure. template:
an ISO/IEC 19794-2:2005 finger minutiae record in base64, coordinates at 500 dpi.

An image that fails gives {file, error: {code}}: finger.enrol (under 12
minutiae), finger.image_size, image.format, image.truncated, image.too_large,
image.unsupported, file.open. The exit status is then 3.`,
		Example: "  watchpost finger template thumb.png\n  watchpost finger template --dpi 569 prints/*.tif > templates.jsonl",
		Args:    cobra.MinimumNArgs(1),
	}
	dpi := dpiFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		f, err := newFingers(cmd, *dpi)
		if err != nil {
			return err
		}
		defer f.Close()
		out := newRows(cmd)
		err = f.all(cmd.Context(), files, func(i int, t *finger.Template, err error) error {
			var record []byte
			if err == nil {
				record, err = finger.MarshalISO([]finger.View{{Template: t}})
			}
			if err != nil {
				fmt.Fprintf(f.errOut, "finger: %s: %v\n", files[i], err)
				out.Failed()
				return out.JSON(failedRow{files[i], rowError{fault.CodeOf(err)}})
			}
			return out.JSON(fingerRow{files[i], len(t.Minutiae), t.Quality, base64.StdEncoding.EncodeToString(record)})
		})
		if err != nil {
			return err
		}
		return out.End()
	}
	return cmd
}
