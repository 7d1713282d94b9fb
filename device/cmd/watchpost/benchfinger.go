package main

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
	fingermeasure "github.com/watchpost/watchpost/device/watchlist/fingers/measure"
)

const benchFingersHelp = `With --fingers M people of ten made-up fingers are searched. --like DIR[@DPI],...
takes prints named FINGER_IMPRESSION.ext: the crowd gets the counts, density and
distances of their minutiae, and they are hidden in it, one impression of each
finger enrolled, the others searched. --searches bounds the searches.

  fingers: {persons, prints, kernel, cores, memory_bytes, memory_bytes_a_person,
    fill_seconds, insert_delete_us,
    filter_48_per_second    templates of 48 cylinders against 48, one core
    filter_crowd_per_second the same with this crowd's templates
    alike                   quantiles of the scores of different fingers, real
                            against the crowd and real against real: filter, and
                            comparison by minutiae only
    searches: [{fingers, positions_known, mate_searches, p50_ms, p95_ms,
      p50_cpu_ms, threshold, fnir_exhaustive, loss, mates_passed, other_searches,
      others_at_threshold, others_score_1e3, fnir_at_others_score}]}
threshold is the score whose stated FPIR in this list is 1e-3. fnir: mates missed
by the search at that score; fnir_exhaustive: by comparing all fully; loss: what
the filter stages cost. others_score_1e3: the score that one in a thousand of the
searches without a mate reached, the highest where they were fewer.`

// likeFolder is a folder of prints and their resolution.
type likeFolder struct {
	dir string
	dpi float64
}

func likeFolders(text string) ([]likeFolder, error) {
	var out []likeFolder
	for part := range strings.SplitSeq(text, ",") {
		f := likeFolder{part, finger.DPI}
		if at := strings.LastIndex(part, "@"); at >= 0 {
			dpi, err := strconv.ParseFloat(part[at+1:], 64)
			if err != nil {
				return nil, fault.New("usage", "--like %s: no resolution after @", part)
			}
			f = likeFolder{part[:at], dpi}
		}
		out = append(out, f)
	}
	return out, nil
}

// benchFingers measures searches among fingers into row.
func benchFingers(cmd *cobra.Command, row *galleryRow, persons, searches int, like string) error {
	setup := fingermeasure.Setup{Persons: persons, Searches: searches, Others: searches}
	if like != "" {
		folders, err := likeFolders(like)
		if err != nil {
			return err
		}
		row.Like = like
		for _, f := range folders {
			real, err := impressionsIn(cmd, f)
			if err != nil {
				return err
			}
			for _, r := range real {
				row.LikeImages += len(r)
			}
			setup.Real = append(setup.Real, real...)
		}
		if len(setup.Real) < 4 {
			return fault.New("bench.like", "%d fingers with two impressions in %s, four are needed", len(setup.Real), like)
		}
	}
	p := newProgress(cmd.ErrOrStderr(), "bench: fingers", 0)
	setup.Progress = func(what string, done, of int) { p.tell(what, done, of) }
	var err error
	row.Fingers, err = fingermeasure.Run(cmd.Context(), setup)
	return err
}

// impressionsIn extracts the prints of a folder by finger: what the name says
// before its last underscore. Fingers with one impression are left out.
func impressionsIn(cmd *cobra.Command, folder likeFolder) ([][]*finger.Template, error) {
	files, err := imagesBelow(folder.dir)
	if err != nil {
		return nil, err
	}
	f, err := newFingers(cmd, folder.dpi)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	by := map[string][]*finger.Template{}
	var names []string
	err = f.all(cmd.Context(), files, func(i int, t *finger.Template, err error) error {
		stem := strings.TrimSuffix(filepath.Base(files[i]), filepath.Ext(files[i]))
		at := strings.LastIndex(stem, "_")
		if err != nil || at < 0 {
			return nil // a print that cannot be enrolled says nothing about searches
		}
		name := filepath.Join(filepath.Dir(files[i]), stem[:at])
		if by[name] == nil {
			names = append(names, name)
		}
		by[name] = append(by[name], t)
		return nil
	})
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return len(by[n]) < 2 })
	var out [][]*finger.Template
	for _, n := range names {
		out = append(out, by[n])
	}
	return out, nil
}
