package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

func faceCommand() *cobra.Command {
	group := &cobra.Command{Use: "face", Short: "Compute and compare face templates"}
	group.AddCommand(faceTemplateCommand(), faceScoreCommand(), faceReportCommand())
	return group
}

// faceRow is one row of "face template".
type faceRow struct {
	File       string                   `json:"file"`
	Faces      int                      `json:"faces"`
	Box        [4]int                   `json:"box"` // x, y, width, height
	Quality    float64                  `json:"quality"`
	Components map[string]componentJSON `json:"components"`
	Absent     map[string]absentJSON    `json:"not_assessable"`
	Model      string                   `json:"model"`
	Vector     []float32                `json:"vector"`
}

// failedRow is a row of JSON output whose file could not be answered.
type failedRow struct {
	File  string   `json:"file"`
	Error rowError `json:"error"`
}

// engineFlag adds --engine to a command and returns how to read it.
func engineFlag(cmd *cobra.Command) func() (decodev1.FaceEngine, error) {
	name := cmd.Flags().String("engine", "dlib", "face engine: dlib, or go-face where the capture program was built to compare")
	return func() (decodev1.FaceEngine, error) {
		switch *name {
		case "dlib":
			return decodev1.FaceEngine_FACE_ENGINE_DLIB, nil
		case "go-face":
			return decodev1.FaceEngine_FACE_ENGINE_GO_FACE, nil
		}
		return 0, fault.New("usage", "no face engine %q: dlib or go-face", *name)
	}
}

func faceTemplateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "template IMG...",
		Short: "Compute the template of the largest face of each image",
		Long: `Computes one face template an image.

In: image files (JPEG, JPEG 2000, PNG, PGM, TIFF, BMP; grey or colour, turned
upright by EXIF), at most 64 megapixels and 32 MiB each.

Out: one JSON object an image, in the order given:
  {file, faces, box: [x,y,width,height], quality, components, model, vector}
faces: how many were seen; the largest was taken (of several about as large,
the most central). box: pixels of the upright image. quality: 0 to 100, our
own measure, not the standard's unified score. components: measures after
ISO/IEC 29794-5, each {name as the standard's, value 0 to 100, native, unit,
threshold: {min, max, source} of native, advice}; advice is a text key, there
only where a bound is not kept. not_assessable: the other measures of the
standard, each {name, reason}: five points and no trained network do not tell
them, or this picture does not. model: name and version; only vectors of the same model are to be compared. vector: 128
numbers, unit length; two faces compare by their scalar product.

An image that fails gives {file, error: {code}}: face.none, image.format,
image.truncated, image.too_large, image.unsupported, file.open. The exit
status is then 3.`,
		Example: "  watchpost face template portrait.jpg live.png",
		Args:    cobra.MinimumNArgs(1),
	}
	engine := engineFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		which, err := engine()
		if err != nil {
			return err
		}
		d := newDecoder(cmd.ErrOrStderr())
		d.use(which)
		defer d.Close()
		out := newRows(cmd)
		err = d.faces(cmd.Context(), files, func(i int, f capture.Face, err error) error {
			if err != nil {
				fmt.Fprintf(d.errOut, "face: %s: %v\n", files[i], err)
				out.Failed()
				return out.JSON(failedRow{files[i], rowError{fault.CodeOf(err)}})
			}
			return out.JSON(rowOf(files[i], f))
		})
		if err != nil {
			return err
		}
		return out.End()
	}
	return cmd
}

func rowOf(file string, f capture.Face) faceRow {
	return faceRow{
		File: file, Faces: f.Faces, Box: [4]int{f.Box.Min.X, f.Box.Min.Y, f.Box.Dx(), f.Box.Dy()},
		Quality: f.Quality, Components: componentsOf(f.Components), Absent: absentOf(f.Components),
		Model: f.Template.Model + "/" + f.Template.Version, Vector: f.Template.Vector[:],
	}
}
