package main

import (
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/slap"
	"github.com/watchpost/watchpost/device/fault"
)

// slapRow is one row of "finger slap".
type slapRow struct {
	File       string       `json:"file"`
	Hand       string       `json:"hand"`
	Confidence float64      `json:"confidence"`
	Fingers    []slapFinger `json:"fingers"`
	Missing    []int        `json:"missing"`
	Findings   []fault.Code `json:"findings"`
}

type slapFinger struct {
	Position   int        `json:"position"`
	Box        [4]float64 `json:"box"` // left, top, width, height before it is turned about its middle
	Angle      float64    `json:"angle"`
	Bounds     [4]float64 `json:"bounds"` // left, top, width, height of what the turned box takes
	Quality    int        `json:"quality"`
	Confidence float64    `json:"confidence"`
}

func fingerSlapCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "slap IMG... [--dpi N] [--expect right|left|thumbs] [--gone N,...]",
		Short: "Find the fingers of a hand pressed at once",
		Long: `Parts pictures of several fingers pressed at once into fingertips, cut at the
first joint, and tells whose hand it is and which finger each is.

In: images with dark ridges on a light ground, fingers pointing to the upper edge,
turned by at most 45 degrees. --dpi is their resolution, 500 if not given.
--expect: what the person was asked for; it is believed unless the picture speaks
against it. Without it the picture alone decides. --gone: positions that will not
be there (missing, bandaged, refused).

Out: one JSON object an image, in the order given:
  {file, hand, confidence, fingers: [{position, box, angle, bounds, quality,
  confidence}], missing, findings}
hand: right, left, thumbs, or unknown where it cannot be told (below a confidence
of 0.7 findings say slap.hand_unclear: three neighbours may be of either hand); position: 1 to 10
as in ISO/IEC 19794-4 (right thumb to little, left thumb to little), 0 unknown; box: [left, top,
width, height] in pixels, to be turned about its middle by angle, degrees clockwise;
bounds: the upright rectangle about the turned box; quality 0 to 100, our own
measure; confidence 0 to 1. fingers go from left to right. missing: positions of
the hand that are not in the picture and not in --gone. findings: slap.too_many,
slap.too_few, slap.wrong_hand, slap.hand_unclear, slap.turned, slap.cut_off.

An image that fails gives {file, error: {code}}: slap.empty (no finger),
slap.image_size, slap.dpi, image.format, image.truncated, image.too_large,
image.unsupported, file.open. The exit status is then 3.`,
		Example: "  watchpost finger slap --expect right hand.png\n  watchpost finger slap --dpi 1000 --gone 9 --expect left scans/*.wsq",
		Args:    cobra.MinimumNArgs(1),
	}
	dpi := dpiFlag(cmd)
	expect := cmd.Flags().String("expect", "", "hand that was asked for: right, left or thumbs")
	gone := cmd.Flags().IntSlice("gone", nil, "positions that will not be there, 1 to 10")
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		want := slap.Expect{Hand: slap.ParseHand(*expect), Gone: *gone}
		if *expect != "" && want.Hand == slap.Unknown {
			return fault.New("usage", "--expect %q: right, left or thumbs", *expect)
		}
		for _, p := range *gone {
			if p < 1 || p > 10 {
				return fault.New("usage", "--gone %d: 1 to 10", p)
			}
		}
		f, err := newFingers(cmd, *dpi)
		if err != nil {
			return err
		}
		defer f.Close()
		out := newRows(cmd)
		for _, path := range files {
			var r *slap.Result
			var img *finger.Image
			if img, err = f.grey(cmd.Context(), path); err == nil {
				r, err = slap.Segment(img, want)
			}
			if ctx := cmd.Context().Err(); ctx != nil {
				return fault.Wrap("call.canceled", ctx)
			}
			if err != nil {
				fmt.Fprintf(f.errOut, "finger: %s: %v\n", path, err)
				out.Failed()
				err = out.JSON(failedRow{path, rowError{fault.CodeOf(err)}})
			} else {
				err = out.JSON(newSlapRow(path, r))
			}
			if err != nil {
				return err
			}
		}
		return out.End()
	}
	return cmd
}

func newSlapRow(path string, r *slap.Result) slapRow {
	row := slapRow{File: path, Hand: r.Hand.String(), Confidence: thousandths(r.Confidence),
		Fingers: []slapFinger{}, Missing: []int{}, Findings: []fault.Code{}}
	for _, f := range r.Fingers {
		b := f.Box
		row.Fingers = append(row.Fingers, slapFinger{
			Position: f.Position,
			Box:      [4]float64{tenths(b.X - b.Width/2), tenths(b.Y - b.Height/2), tenths(b.Width), tenths(b.Height)},
			Angle:    tenths(b.Angle), Bounds: bounds(b), Quality: f.Quality, Confidence: thousandths(f.Confidence),
		})
	}
	row.Missing = append(row.Missing, r.Missing...)
	row.Findings = append(row.Findings, r.Findings...)
	return row
}

func bounds(b slap.Box) [4]float64 {
	sin, cos := math.Sincos(b.Angle * math.Pi / 180)
	w := math.Abs(cos)*b.Width + math.Abs(sin)*b.Height
	h := math.Abs(sin)*b.Width + math.Abs(cos)*b.Height
	return [4]float64{tenths(b.X - w/2), tenths(b.Y - h/2), tenths(w), tenths(h)}
}

func tenths(v float64) float64      { return math.Round(v*10) / 10 }
func thousandths(v float64) float64 { return math.Round(v*1000) / 1000 }
