package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/image/tiff"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/prints"
	"github.com/watchpost/watchpost/hwtest/gen/slaps"
)

func slapsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "slaps", Short: "Pictures of several fingers pressed at once, with the truth about them"}
	cmd.AddCommand(slapsMakeCommand())
	return cmd
}

func slapsMakeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "make --out DIR [--n N] [--seed S] [--joints] [--masters M | --prints DIR [--dpi N]]",
		Short: "Compose slaps of prints",
		Long: `Lays prints of single fingers on a platen of 3.2 by 3.0 inches at 500 dpi as the
four fingers of a right or left hand or two thumbs: turned up to 30 degrees, every
third with fingers that touch or overlap, every fifth hand with one finger missing,
some with tips only, on a dirty platen. With --joints the second joints are in view.

Writes slap_0001.png and so on, and truth.jsonl, one row a slap:
  {file, code, hand, rotation, dpi, fingers: [{position, box: {x, y, width, height,
  angle}, print}], missing, overlap, joints, tips_only}
Boxes go to the first joint; x and y are the middle, the angle is clockwise.

The prints are invented ones, --masters of them, grown in some seconds each, or
the pictures of a folder (--prints: PNG or TIFF, one finger each, at --dpi), which
keep their size. The same flags give the same pictures.`,
		Example: "  hwtest slaps make --n 200 --out slaps\n  hwtest slaps make --out slaps --prints fvc2002_db1_b --dpi 500",
		Args:    cobra.NoArgs,
	}
	out := cmd.Flags().String("out", "", "folder to write to, made if it is not there")
	n := cmd.Flags().Int("n", 10, "slaps, 1 to 10000")
	seed := cmd.Flags().Uint64("seed", 1, "number of the first slap")
	joints := cmd.Flags().Bool("joints", false, "second joints touch the platen too")
	masters := cmd.Flags().Int("masters", 8, "invented fingers to choose from, 4 to 1000")
	from := cmd.Flags().String("prints", "", "folder of prints to compose instead")
	dpi := cmd.Flags().Float64("dpi", 500, "resolution of the pictures in --prints, 100 to 2000")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *out == "" || *n < 1 || *n > 10000 || *masters < 4 || *masters > 1000 || !(*dpi >= 100 && *dpi <= 2000) {
			return fault.New("usage", "--out DIR, --n 1 to 10000, --masters 4 to 1000, --dpi 100 to 2000")
		}
		pool, err := slapPrints(cmd, *from, *dpi, *masters)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(*out, 0o755); err != nil {
			return fault.Wrap(codeWrite, err)
		}
		truth, err := os.Create(filepath.Join(*out, "truth.jsonl"))
		if err != nil {
			return fault.Wrap(codeWrite, err)
		}
		err = func() error {
			rows := json.NewEncoder(truth)
			for i := range *n {
				if err := cmd.Context().Err(); err != nil {
					return fault.Wrap("hwtest.cancelled", err)
				}
				s := *seed + uint64(i)
				l := slaps.Draw(rand.New(rand.NewPCG(s, 2)))
				l.Natural, l.Joints = *from != "", *joints
				g, t := slaps.Compose(pool, l, s)
				t.File = fmt.Sprintf("slap_%04d.png", i+1)
				if err := errors.Join(writePNG(filepath.Join(*out, t.File), g), rows.Encode(t)); err != nil {
					return fault.Wrap(codeWrite, err)
				}
			}
			return nil
		}()
		return errors.Join(err, fault.Wrap(codeWrite, truth.Close()))
	}
	return cmd
}

// slapPrints are the prints to compose: those of a folder, or invented ones.
func slapPrints(cmd *cobra.Command, dir string, dpi float64, masters int) ([]*slaps.Print, error) {
	var pool []*slaps.Print
	if dir == "" {
		for i := range masters {
			fmt.Fprintf(cmd.ErrOrStderr(), "finger %d of %d\n", i+1, masters)
			m := prints.NewMaster(uint64(i) + 1)
			pool = append(pool, slaps.NewPrint(m.Impression(prints.Condition{Area: 1, Noise: 0.2, Distortion: 1.5}, uint64(i)), prints.DPI))
		}
		return pool, nil
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fault.Wrap("file.open", err)
	}
	for _, f := range files {
		ext := strings.ToLower(filepath.Ext(f.Name()))
		if ext != ".png" && ext != ".tif" && ext != ".tiff" {
			continue
		}
		g, err := readGrey(filepath.Join(dir, f.Name()), ext == ".png")
		if err != nil {
			return nil, fault.New("image.format", "%s: %v", f.Name(), err)
		}
		pool = append(pool, slaps.NewPrint(g, dpi))
	}
	if len(pool) < 4 {
		return nil, fault.New("usage", "--prints: %d pictures, at least 4 are needed", len(pool))
	}
	return pool, nil
}

func readGrey(path string, isPNG bool) (*image.Gray, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	decode := tiff.Decode
	if isPNG {
		decode = png.Decode
	}
	img, err := decode(f)
	if err != nil {
		return nil, err
	}
	g := image.NewGray(image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy()))
	draw.Draw(g, g.Rect, img, img.Bounds().Min, draw.Src)
	return g, nil
}

func writePNG(path string, g *image.Gray) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	return errors.Join(enc.Encode(f, g), f.Close())
}
