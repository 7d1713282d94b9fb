package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/biometric/face"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/capture"
)

func faceScoreCommand() *cobra.Command {
	var pairs, cohort string
	cmd := &cobra.Command{
		Use:   "score --pairs F [--cohort DIR]",
		Short: "Compare pairs of face images",
		Long: `Compares faces. Each image is read once, however many pairs name it.

In: --pairs, a CSV file without header (RFC 4180; "-" reads standard input):
  imageA,imageB
Several images of one side are joined by ";": their templates are averaged.
More columns are allowed and not echoed. Paths are taken as given, from the
folder the command runs in.

Out: CSV without header, one row a pair, in the same order:
  imageA,imageB,score
score: the cosine of the two templates; higher is more alike; at most 1. It is
empty when an image of the pair failed or the row names no two sides, the reason
is on standard error, and the exit status is 3.

--cohort: a folder, searched with all below it, of images of other people. Each
score is then normalised by how alike the two are to those people, on the same
scale. From about 100 images on this lowers misses at a set false match rate;
a small cohort counts for little and cannot harm. Images that also stand in
the pairs are left out of it.`,
		Example: "  watchpost face score --pairs pairs.csv > scores.csv\n" +
			"  echo 'chip.jp2,live1.jpg;live2.jpg' | watchpost face score --pairs -",
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&pairs, "pairs", "", "CSV file of pairs, - for standard input")
	cmd.Flags().StringVar(&cohort, "cohort", "", "folder of images of other people, to normalise by")
	_ = cmd.MarkFlagRequired("pairs") // the flag exists: it was defined two lines above
	engine := engineFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		which, err := engine()
		if err != nil {
			return err
		}
		list, err := readPairs(cmd, pairs)
		if err != nil {
			return err
		}
		s := faceScorer{decoder: newDecoder(cmd.ErrOrStderr()), errOut: cmd.ErrOrStderr(), faces: make(map[string]faceOrError)}
		s.decoder.use(which)
		defer s.decoder.Close()
		return s.run(cmd, list, cohort)
	}
	return cmd
}

type faceOrError struct {
	face template.Face
	err  error
}

// faceScorer holds the templates of one run. It is for one goroutine.
type faceScorer struct {
	decoder *decoder
	errOut  io.Writer
	faces   map[string]faceOrError
}

func (s *faceScorer) run(cmd *cobra.Command, list []pair, cohortDir string) error {
	cohort, err := s.load(cmd, list, cohortDir)
	if err != nil {
		return err
	}
	return s.write(cmd, list, cohort)
}

// load computes the templates of all images of the pairs, and the normaliser
// over the images below cohortDir.
func (s *faceScorer) load(cmd *cobra.Command, list []pair, cohortDir string) (*face.Cohort, error) {
	var paths []string
	seen := make(map[string]bool)
	for _, p := range list {
		if p.err != nil {
			continue
		}
		for _, side := range [...]string{p.a, p.b} {
			for _, path := range images(side) {
				if !seen[path] {
					seen[path] = true
					paths = append(paths, path)
				}
			}
		}
	}
	err := s.decoder.faces(cmd.Context(), paths, func(i int, f capture.Face, err error) error {
		s.faces[paths[i]] = faceOrError{f.Template, err}
		if err != nil {
			fmt.Fprintf(s.errOut, "face: %s: %v\n", paths[i], err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.cohort(cmd, cohortDir, paths)
}

func (s *faceScorer) write(cmd *cobra.Command, list []pair, cohort *face.Cohort) error {
	out := newRows(cmd)
	placed := make(map[string]face.Subject)
	for _, p := range list {
		score, err := s.score(p, cohort, placed)
		text := ""
		if err != nil {
			out.Failed()
		} else {
			text = strconv.FormatFloat(score, 'f', 9, 64)
		}
		if err := out.CSV(p.a, p.b, text); err != nil {
			return err
		}
	}
	return out.End()
}

func (s *faceScorer) score(p pair, cohort *face.Cohort, placed map[string]face.Subject) (float64, error) {
	if p.err != nil {
		return 0, p.err
	}
	var sides [2]face.Subject
	for i, side := range [...]string{p.a, p.b} {
		subject, ok := placed[side]
		if !ok {
			t, err := s.side(side)
			if err != nil {
				return 0, err
			}
			if subject, err = cohort.Place(&t); err != nil {
				return 0, err
			}
			placed[side] = subject
		}
		sides[i] = subject
	}
	return cohort.Score(sides[0], sides[1])
}

// side returns the template of one side. Every image it names must have one:
// a score of fewer pictures than asked for would be another score.
func (s *faceScorer) side(side string) (template.Face, error) {
	var all []template.Face
	for _, path := range images(side) {
		f := s.faces[path]
		if f.err != nil {
			return template.Face{}, f.err
		}
		all = append(all, f.face)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return template.Mean(all)
}

// cohort returns the normaliser over the images below dir that are none of
// paths; with no dir, one that changes nothing.
func (s *faceScorer) cohort(cmd *cobra.Command, dir string, paths []string) (*face.Cohort, error) {
	if dir == "" {
		return face.NewCohort(nil)
	}
	taken := make(map[string]bool)
	for _, p := range paths {
		taken[canonical(p)] = true
	}
	files, err := imagesBelow(dir)
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, func(path string) bool { return taken[canonical(path)] })
	var members []template.Face
	err = s.decoder.faces(cmd.Context(), files, func(i int, f capture.Face, err error) error {
		if err != nil {
			fmt.Fprintf(s.errOut, "face: cohort: %s: %v\n", files[i], err)
			return nil
		}
		members = append(members, f.Template)
		return nil
	})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(s.errOut, "face: cohort of %d images\n", len(members))
	if len(members) == 0 {
		fmt.Fprintln(s.errOut, "face: no image below --cohort that is not in the pairs shows a face: scores are not normalised")
	}
	return face.NewCohort(members)
}

// canonical returns path in a form in which two names of one file are the same.
func canonical(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p
	}
	if p, err := filepath.Abs(path); err == nil {
		path = p
	}
	return path
}
