package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/gallery"
	"github.com/watchpost/watchpost/device/watchlist/gallery/measure"

	fingermeasure "github.com/watchpost/watchpost/device/watchlist/fingers/measure"
)

func benchCommand() *cobra.Command {
	group := &cobra.Command{Use: "bench", Short: "Measure the engines on this machine"}
	group.AddCommand(benchStartCommand(), benchGalleryCommand())
	return group
}

// mostLike bounds how many images of a folder a crowd is taken from: the
// covariance of 128 values does not get better with more.
const mostLike = 600

// galleryRow is the output of "bench gallery".
type galleryRow struct {
	*measure.Result
	Like       string                `json:"like"`        // "synthetic", or how the crowd was drawn
	LikeImages int                   `json:"like_images"` // images that gave a template
	Fingers    *fingermeasure.Result `json:"fingers,omitempty"`
}

func benchGalleryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gallery [--faces N] [--fingers M] [--like DIR]",
		Short: "Time searches in a list of made-up people",
		Long: `Fills a gallery with N made-up face templates and times searches in it.

In: --like DIR, a folder of face photographs (any depth, up to 600 of them are
used): templates are drawn with the mean and covariance of theirs, so that
the gallery is as crowded as one of real people. Without it, a built-in
spectrum is used. Nothing of the photographs is kept.

Out: one JSON object.
  faces, kernel (plain, avx2, avx512), cores, repeats
  ms: {top50_scan, top50, radius, radius_cold}  milliseconds a query on one
      core: the best 50 by comparing every template; the same through the
      filter; all above radius_cosine, where one in 100,000 comparisons of this
      crowd lies; and that right after a scan. Each is a probe's best of the
      repeats, the median of eight probes.
  ms_two_cores                     the same, a query on two cores
  throughput_two_cores             times as many queries a second as one core
                                   each, until both are answered
  memory_bound                     ms to read every template once on one core,
                                   in turns with the scan and like it a probe's
                                   best of the repeats, the median of eight
  memory_read_best                 the best of all these reads
  memory_bytes: {templates, codes, labels}
  fill_seconds, insert_delete_us   to load, and to put in and take out one
  identical                        every answer of the filter was the scan's

Other work on the machine is measured too: more --repeats find quieter
moments.

` + benchFingersHelp,
		Example: "  watchpost bench gallery --faces 1000000\n  watchpost bench gallery --faces 100000 --like photographs/\n" +
			"  watchpost bench gallery --fingers 100000 --like fvc2002_db1_b,fvc2002_db2_b@569,fvc2000_db2_b",
		Args: cobra.NoArgs,
	}
	faces := cmd.Flags().Int("faces", 0, "how many face templates, to 10,000,000")
	fingers := cmd.Flags().Int("fingers", 0, "how many ten-print sets, to 1,000,000")
	searches := cmd.Flags().Int("searches", 210, "finger searches of each kind, with a mate and without; 1 to 100,000")
	like := cmd.Flags().String("like", "", "folder of photographs or prints that the made-up ones resemble")
	repeats := cmd.Flags().Int("repeats", 30, "searches a probe, 1 to 10,000; the best counts")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *faces < 0 || *faces > 10_000_000 || *fingers < 0 || *fingers > 1_000_000 || *faces+*fingers == 0 {
			return fault.New("usage", "--faces to 10000000, --fingers to 1000000, one of them above 0")
		}
		if *repeats < 1 || *repeats > 10_000 || *searches < 1 || *searches > 100_000 {
			return fault.New("usage", "--repeats 1 to 10000, --searches 1 to 100000")
		}
		row := galleryRow{Like: "synthetic"}
		if *fingers > 0 {
			if err := benchFingers(cmd, &row, *fingers, *searches, *like); err != nil {
				return err
			}
			if *faces == 0 {
				return newRows(cmd).JSON(row)
			}
		}
		crowd := measure.Synthetic(1)
		if *like != "" {
			templates, err := templatesOf(cmd, *like)
			if err != nil {
				return err
			}
			if crowd, err = measure.Like(templates); err != nil {
				return err
			}
			row.Like, row.LikeImages = *like, len(templates)
		}
		var err error
		if row.Result, err = benchFaces(cmd.Context(), crowd, *faces, *repeats); err != nil {
			return err
		}
		out := newRows(cmd)
		if err := out.JSON(row); err != nil {
			return err
		}
		return out.End()
	}
	return cmd
}

// benchFaces measures, and returns when ctx ends: drawing and loading millions
// of templates takes a minute and does not look at ctx. What it leaves behind
// then ends with the process.
func benchFaces(ctx context.Context, crowd *measure.Crowd, faces, repeats int) (*measure.Result, error) {
	type ended struct {
		result *measure.Result
		err    error
	}
	done := make(chan ended, 1)
	go func() {
		r, err := measure.Run(ctx, crowd.Rows(faces, 1), measure.Probes(crowd), repeats)
		done <- ended{r, err}
	}()
	select {
	case e := <-done:
		return e.result, e.err
	case <-ctx.Done():
		return nil, fault.Wrap("call.canceled", ctx.Err())
	}
}

// templatesOf computes the templates of a folder's images; what is no image
// with a face is passed over.
func templatesOf(cmd *cobra.Command, dir string) ([]gallery.Template, error) {
	files, err := filesBelow(dir)
	if err != nil {
		return nil, err
	}
	if step := (len(files) + mostLike - 1) / mostLike; step > 1 {
		some := files[:0]
		for i := 0; i < len(files); i += step {
			some = append(some, files[i])
		}
		files = some
	}
	d := newDecoder(cmd.ErrOrStderr())
	defer d.Close()
	var templates []gallery.Template
	err = d.faces(cmd.Context(), files, func(_ int, f capture.Face, err error) error {
		if err == nil {
			templates = append(templates, f.Template.Vector)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(templates) == 0 {
		return nil, fault.New("bench.like", "no picture in %s shows a face", dir)
	}
	return templates, nil
}
