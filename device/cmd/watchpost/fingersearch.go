package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
	people "github.com/watchpost/watchpost/device/watchlist/fingers"
)

// fingerHits is how many candidates a search prints.
const fingerHits = 20

// searchRow is one row of "finger search".
type searchRow struct {
	Probe      string      `json:"probe"`
	Candidates []searchHit `json:"candidates"`
	MS         float64     `json:"ms"`
}

// How much of a folder is compared how closely. Whole templates take 40 KB
// each; the prints of a larger folder beyond them are compared by minutiae.
const (
	wholePrints = 10_000
	fullPrints  = 2000 // fully compared: all of a small folder
	filterShare = 50   // pass the filter of a larger one: one in so many
)

type searchHit struct {
	File  string  `json:"file"`
	Score float64 `json:"score"`
}

// failedProbe is a probe that could not be searched with.
type failedProbe struct {
	Probe string   `json:"probe"`
	Error rowError `json:"error"`
}

func fingerSearchCommand() *cobra.Command {
	var gallery string
	var probes []string
	cmd := &cobra.Command{
		Use:   "search --gallery DIR --probe IMG... [--dpi N]",
		Short: "Search prints in a folder of prints",
		Long: `Compares each probe with every print of a gallery.

In: --gallery, a folder, searched with all below it, of fingerprint images.
--probe, one or more images; it may be given again, and what follows the flags
are probes too. --dpi is the resolution of all images, 500 if not given.

Out: one JSON object a probe, in the order given:
  {probe, candidates: [{file, score}], ms}
candidates: the 20 best, best first; score as of "finger score". Folders of up to
2,000 prints are compared one by one, larger ones through the filter of the
watchlist; beyond 10,000 prints by minutiae only. ms: the search alone, on all
cores, without extraction. A probe that fails gives
{probe, error: {code}} and exit status 3; a gallery image that fails is told on
standard error, left out, and makes the exit status 3 as well.`,
		Example: "  watchpost finger search --gallery prints/ --probe latent.png",
		Args:    cobra.ArbitraryArgs,
	}
	cmd.Flags().StringVar(&gallery, "gallery", "", "folder of prints")
	cmd.Flags().StringArrayVar(&probes, "probe", nil, "print to search with")
	_ = cmd.MarkFlagRequired("gallery") // both flags exist: they were defined above
	_ = cmd.MarkFlagRequired("probe")
	dpi := dpiFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, more []string) error {
		files, err := imagesBelow(gallery)
		if err != nil {
			return err
		}
		f, err := newFingers(cmd, *dpi)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.search(cmd, files, append(probes, more...))
	}
	return cmd
}

func (f *fingers) search(cmd *cobra.Command, files, probes []string) error {
	out := newRows(cmd)
	x := people.New()
	var names []string
	err := f.all(cmd.Context(), files, func(i int, t *finger.Template, err error) error {
		if err != nil {
			fmt.Fprintf(f.errOut, "finger: gallery: %s: %v\n", files[i], err)
			out.Failed()
			return nil
		}
		kept := people.Print{Packed: t.AppendPacked(nil)}
		if len(names) < wholePrints {
			kept.Whole = t
		}
		names = append(names, files[i])
		return x.Insert(people.Person(len(names)-1), []people.Print{kept})
	})
	if err != nil {
		return err
	}
	err = f.all(cmd.Context(), probes, func(i int, t *finger.Template, err error) error {
		if err != nil {
			fmt.Fprintf(f.errOut, "finger: probe: %s: %v\n", probes[i], err)
			out.Failed()
			return out.JSON(failedProbe{probes[i], rowError{fault.CodeOf(err)}})
		}
		start := time.Now()
		hits, err := x.Search(cmd.Context(), people.Query{
			Probes: []people.Probe{{Template: t}}, Top: fingerHits,
			Effort: people.Effort{Relaxed: max(fullPrints, len(names)/filterShare), Full: fullPrints},
		})
		if err != nil {
			return err
		}
		row := searchRow{Probe: probes[i], Candidates: make([]searchHit, len(hits)), MS: float64(time.Since(start).Microseconds()) / 1000}
		for k, h := range hits {
			row.Candidates[k] = searchHit{names[h.Person], h.Fingers[0].Score}
		}
		return out.JSON(row)
	})
	if err != nil {
		return err
	}
	return out.End()
}
