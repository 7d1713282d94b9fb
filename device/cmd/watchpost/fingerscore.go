package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
)

func fingerScoreCommand() *cobra.Command {
	var pairs string
	cmd := &cobra.Command{
		Use:   "score --pairs F [--dpi N]",
		Short: "Compare pairs of fingerprint images",
		Long: `Compares fingerprints. Each image is read once, however many pairs name it.

In: --pairs, a CSV file without header (RFC 4180; "-" reads standard input):
  imageA,imageB
More columns are allowed and not echoed. Several images of one side are joined
by ";": the best of their comparisons counts. Paths are taken as given, from the
folder the command runs in. --dpi is the resolution of all images, 500 if not
given.

Out: CSV without header, one row a pair, in the same order:
  imageA,imageB,score
score: the natural logarithm of the likelihood ratio of one finger against two;
higher is more alike. B compared with A is a comparison of its own, and may
score somewhat otherwise than A with B. It is empty when an image of the pair
failed or the row names no two sides, the reason is on standard error, and the
exit status is 3.`,
		Example: "  watchpost finger score --pairs pairs.csv > scores.csv\n" +
			"  echo 'a.png,b.png' | watchpost finger score --pairs - --dpi 569",
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&pairs, "pairs", "", "CSV file of pairs, - for standard input")
	_ = cmd.MarkFlagRequired("pairs") // the flag exists: it was defined on the line above
	dpi := dpiFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := readPairs(cmd, pairs)
		if err != nil {
			return err
		}
		f, err := newFingers(cmd, *dpi)
		if err != nil {
			return err
		}
		defer f.Close()
		prints, err := f.named(cmd.Context(), list)
		if err != nil {
			return err
		}
		scores, err := comparePairs(cmd.Context(), list, prints)
		if err != nil {
			return err
		}
		out := newRows(cmd)
		for i, p := range list {
			text := ""
			if s := scores[i]; s.ok {
				text = strconv.FormatFloat(s.score, 'f', 6, 64)
			} else {
				out.Failed()
			}
			if err := out.CSV(p.a, p.b, text); err != nil {
				return err
			}
		}
		return out.End()
	}
	return cmd
}

// named extracts every image that the pairs name; one that failed has no
// entry, and its reason is told.
func (f *fingers) named(ctx context.Context, list []pair) (map[string]*finger.Template, error) {
	var paths []string
	prints := make(map[string]*finger.Template)
	for _, p := range list {
		if p.err != nil {
			continue
		}
		for _, path := range slices.Concat(images(p.a), images(p.b)) {
			if _, seen := prints[path]; !seen {
				prints[path] = nil
				paths = append(paths, path)
			}
		}
	}
	err := f.all(ctx, paths, func(i int, t *finger.Template, err error) error {
		if err != nil {
			fmt.Fprintf(f.errOut, "finger: %s: %v\n", paths[i], err)
		}
		prints[paths[i]] = t
		return nil
	})
	return prints, err
}

type scoreOrNot struct {
	score float64
	ok    bool
}

// comparePairs scores the pairs on all cores, until ctx ends.
func comparePairs(ctx context.Context, list []pair, prints map[string]*finger.Template) ([]scoreOrNot, error) {
	out := make([]scoreOrNot, len(list))
	const chunk = 64
	next := make(chan int)
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			m := finger.NewMatcher()
			for start := range next {
				for i := start; i < min(start+chunk, len(list)); i++ {
					out[i] = compareSides(m, list[i], prints)
				}
			}
		})
	}
	for start := 0; start < len(list) && ctx.Err() == nil; start += chunk {
		next <- start
	}
	close(next)
	wg.Wait()
	return out, fault.Wrap("call.canceled", ctx.Err())
}

// compareSides is the best score among the images of two sides, all of which
// must have a print.
func compareSides(m *finger.Matcher, p pair, prints map[string]*finger.Template) (best scoreOrNot) {
	if p.err != nil {
		return scoreOrNot{}
	}
	for _, a := range images(p.a) {
		for _, b := range images(p.b) {
			ta, tb := prints[a], prints[b]
			if ta == nil || tb == nil {
				return scoreOrNot{}
			}
			if s := m.Score(ta, tb); !best.ok || s > best.score {
				best = scoreOrNot{s, true}
			}
		}
	}
	return best
}
