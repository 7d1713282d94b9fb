package main

import (
	"bytes"
	"context"
	"image/png"
	"os"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
)

// matchRow is the row of "finger match".
type matchRow struct {
	A       string  `json:"a"`
	B       string  `json:"b"`
	Score   float64 `json:"score"`
	FMR     float64 `json:"fmr"` // stated down to finger.FMRFloor
	Matched int     `json:"matched"`
	Picture string  `json:"picture,omitempty"`
}

func fingerMatchCommand() *cobra.Command {
	var picture string
	cmd := &cobra.Command{
		Use:   "match A B --picture OUT.png [--dpi N]",
		Short: "Compare two prints and draw what matched",
		Long: `Compares two fingerprint images and draws the minutiae that lay on each other.

In: two images; --dpi is their resolution, 500 if not given.

Out: {a, b, score, fmr, matched, picture}; score as of "finger score"; fmr: how
often two different fingers score as high, not stated below 1e-4; matched: how
many minutiae lay on each other. --picture writes both prints side by side as a
PNG file: matched minutiae are blue, round and joined by lines, the others
orange and square. An existing file is overwritten.`,
		Example: "  watchpost finger match thumb1.png thumb2.png --picture joined.png",
		Args:    cobra.ExactArgs(2),
	}
	cmd.Flags().StringVar(&picture, "picture", "", "PNG file to write")
	dpi := dpiFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := newFingers(cmd, *dpi)
		if err != nil {
			return err
		}
		defer f.Close()
		e := finger.NewExtractor()
		var img [2]*finger.Image
		var t [2]*finger.Template
		for i, path := range args {
			if img[i], err = f.grey(cmd.Context(), path); err != nil {
				return err
			}
			if t[i], err = e.Extract(img[i]); err != nil {
				return err
			}
		}
		score, pairs := finger.NewMatcher().Match(t[0], t[1])
		if picture != "" {
			var b bytes.Buffer
			if err := png.Encode(&b, finger.Draw(img[0], img[1], t[0], t[1], pairs)); err != nil {
				return fault.Wrap("output.encode", err)
			}
			if err := os.WriteFile(picture, b.Bytes(), 0o600); err != nil {
				return fault.Wrap("output.write", err)
			}
		}
		out := newRows(cmd)
		if err := out.JSON(matchRow{args[0], args[1], score, finger.FMR(score), len(pairs), picture}); err != nil {
			return err
		}
		return out.End()
	}
	return cmd
}

// grey decodes an image file.
func (f *fingers) grey(ctx context.Context, path string) (*finger.Image, error) {
	file, err := readImage(path)
	if err != nil {
		return nil, err
	}
	var p capture.Pixels
	err = f.decoder.do(ctx, func(c *capture.DecodeClient) error {
		var err error
		p, err = c.DecodeGrey(ctx, file)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &finger.Image{Pix: p.Pix, Width: p.Width, Height: p.Height, DPI: f.dpi}, nil
}
