package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/biometric/calibration"
	"github.com/watchpost/watchpost/device/biometric/demographic"
	"github.com/watchpost/watchpost/device/biometric/face"
	"github.com/watchpost/watchpost/device/fault"
)

func faceReportCommand() *cobra.Command {
	var pairs, groups, picture, cohort string
	var fmr, threshold float64
	cmd := &cobra.Command{
		Use:   "report --pairs F --groups CSV [--picture OUT.png]",
		Short: "Error rates of face comparison for each group of people",
		Long: `Compares faces and counts errors by group (ISO/IEC 19795-10).

In: --pairs, a CSV file without header ("-" reads standard input):
  imageA,imageB[,same]
same: 1, true, same, mated or genuine where the two show one person; 0, false,
different, non-mated or impostor where not. --groups, a CSV file without header:
  image,group[,subject]
An image of --pairs is known in --groups by the same path, letter for letter; a side
of several images is in a group where all of them are.
Where the pairs do not tell who is who, the subjects of --groups do; without
these, images of one folder show one person, or, where all lie in one folder,
images whose names differ by their last number only. Standard error says which
it was.

Out: one JSON object a group, in order of name, then one for everybody:
  {group, subjects, threshold, mated, fnmr, fnmr_low, fnmr_high,
   nonmated, fmr, fmr_low, fmr_high}
mated, nonmated: how many pairs were counted. fnmr, fmr: shares; null where no
pair was. low, high: the 95 % interval, by a bootstrap over people. nonmated are
pairs within the group; for everybody ("group": "*") all pairs, and
  {hold, factor}: the lowest threshold at which no group has a higher fmr than
--fmr, and how many times that is of the rate that the post's calibration states
there (not with --cohort or --threshold): face_worst_group of a policy, which then
holds every rate for that group.

The threshold is the one a post uses for --fmr, unless --threshold sets it. A
row that is no pair, and a pair with an image that failed, is left out, the
reason is on standard error, and the exit status is 3.

--picture draws the rates with their intervals.`,
		Example: "  watchpost face report --pairs pairs.csv --groups groups.csv --picture groups.png",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVar(&pairs, "pairs", "", "CSV file of pairs, - for standard input")
	cmd.Flags().StringVar(&groups, "groups", "", "CSV file of images and their groups")
	cmd.Flags().StringVar(&picture, "picture", "", "draw the rates to this PNG or SVG file")
	cmd.Flags().StringVar(&cohort, "cohort", "", "folder of images of other people, to normalise by, as in face score")
	cmd.Flags().Float64Var(&fmr, "fmr", 1e-3, "false match rate that the policy states")
	cmd.Flags().Float64Var(&threshold, "threshold", 0, "score to count at, instead of the post's for --fmr")
	_ = cmd.MarkFlagRequired("pairs")  // both flags exist: they
	_ = cmd.MarkFlagRequired("groups") // were defined above
	engine := engineFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		which, err := engine()
		if err != nil {
			return err
		}
		if !(fmr > 0 && fmr < 1) {
			return fault.New("usage", "--fmr %v: above 0 and below 1", fmr)
		}
		if !cmd.Flags().Changed("threshold") {
			var ok bool
			if threshold, ok = calibration.FaceThreshold(fmr); !ok {
				return fault.New("report.threshold", "no threshold is known for a false match rate of %g", fmr).
					WithHint("state a higher --fmr, or a --threshold")
			}
		}
		if p := strings.ToLower(filepath.Ext(picture)); picture != "" && p != ".png" && p != ".svg" {
			return fault.New("usage", "--picture %q: .png or .svg", picture)
		}
		if in, err := os.Stat(filepath.Dir(picture)); picture != "" && (err != nil || !in.IsDir()) { // before the work of minutes
			return fault.New("usage", "--picture %q: there is no such folder", picture)
		}
		list, same, failed, err := readLabelled(cmd, pairs)
		if err != nil {
			return err
		}
		people, err := readGroups(groups)
		if err != nil {
			return err
		}
		if outside := placeSides(list, people); outside > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "face: %d sides of the pairs are in no group: they count for everybody only\n", outside)
		}
		who, told := identify(list, same, people)
		fmt.Fprintf(cmd.ErrOrStderr(), "face: who is who: %s\n", told)
		fit := calibration.FaceFit()
		fmt.Fprintf(cmd.ErrOrStderr(), "face: the post's calibration: %s; %d people, %d comparisons of different people, of one person %s; extrapolated below %g\n",
			fit.On, fit.People, fit.NonMated, fit.Mated, fit.LeastFMR)
		s := faceScorer{decoder: newDecoder(cmd.ErrOrStderr()), errOut: cmd.ErrOrStderr(), faces: make(map[string]faceOrError)}
		s.decoder.use(which)
		defer s.decoder.Close()
		normaliser, err := s.load(cmd, list, cohort)
		if err != nil {
			return err
		}
		out := newRows(cmd)
		if failed {
			out.Failed()
		}
		var all []demographic.Comparison
		placed := make(map[string]face.Subject)
		for _, p := range list {
			score, err := s.score(p, normaliser, placed)
			if err != nil {
				out.Failed()
				continue
			}
			all = append(all, demographic.Comparison{
				SubjectA: who[p.a], SubjectB: who[p.b], GroupA: people[p.a].group, GroupB: people[p.b].group, Score: score,
			})
		}
		report, err := demographic.Measure(all, threshold)
		if err != nil {
			return err
		}
		for _, g := range report.Groups {
			if err := out.JSON(groupRowOf(g, threshold)); err != nil {
				return err
			}
		}
		report.All.Name = "*"
		last := groupRowOf(report.All, threshold)
		hold := demographic.Hold(all, threshold, fmr)
		last.Hold = &hold
		if !cmd.Flags().Changed("cohort") && !cmd.Flags().Changed("threshold") { // the calibration's own
			factor := min(max(1, fmr/calibration.FaceFMR(hold)), mostFactor)
			last.Factor = &factor
		}
		if err := out.JSON(last); err != nil {
			return err
		}
		if picture != "" {
			if err := drawReport(picture, report, fmr); err != nil {
				return err
			}
		}
		return out.End()
	}
	return cmd
}

// groupRow is one row of "face report".
type groupRow struct {
	Group     string   `json:"group"`
	Subjects  int      `json:"subjects"`
	Threshold float64  `json:"threshold"`
	Mated     int      `json:"mated"`
	FNMR      *float64 `json:"fnmr"`
	FNMRLow   float64  `json:"fnmr_low"`
	FNMRHigh  float64  `json:"fnmr_high"`
	NonMated  int      `json:"nonmated"`
	FMR       *float64 `json:"fmr"`
	FMRLow    float64  `json:"fmr_low"`
	FMRHigh   float64  `json:"fmr_high"`
	Hold      *float64 `json:"hold,omitempty"`
	Factor    *float64 `json:"factor,omitempty"`
}

// mostFactor is the highest that a policy takes.
const mostFactor = 1000

func groupRowOf(g demographic.Group, threshold float64) groupRow {
	value := func(r demographic.Rate) *float64 {
		if r.Of == 0 {
			return nil
		}
		return &r.Value
	}
	return groupRow{
		Group: g.Name, Subjects: g.Subjects, Threshold: threshold,
		Mated: g.FNMR.Of, FNMR: value(g.FNMR), FNMRLow: g.FNMR.Low, FNMRHigh: g.FNMR.High,
		NonMated: g.FMR.Of, FMR: value(g.FMR), FMRLow: g.FMR.Low, FMRHigh: g.FMR.High,
	}
}

// lastNumber is what tells pictures of one person apart in a file's name.
var lastNumber = regexp.MustCompile(`[-_ ]?\d+$`)

// identify numbers the people behind the sides of the pairs, and says how it
// knew them.
func identify(list []pair, same []bool, people map[string]person) (who map[string]int, told string) {
	name := func(side string) string { return people[side].subject }
	told = "the third column of --groups"
	switch {
	case same != nil:
		return united(list, same), "the third column of --pairs"
	case !allNamed(list, name):
		folders := make(map[string]bool)
		for _, p := range list {
			folders[filepath.Dir(images(p.a)[0])], folders[filepath.Dir(images(p.b)[0])] = true, true
		}
		name = func(side string) string { return filepath.Dir(images(side)[0]) }
		told = "a folder a person"
		if len(folders) == 1 {
			name = func(side string) string {
				base := filepath.Base(images(side)[0])
				return lastNumber.ReplaceAllString(strings.TrimSuffix(base, filepath.Ext(base)), "")
			}
			told = "the file names without their last number"
		}
	}
	who = make(map[string]int)
	number := make(map[string]int)
	for _, p := range list {
		for _, side := range [...]string{p.a, p.b} {
			n := name(side)
			if _, ok := number[n]; !ok {
				number[n] = len(number)
			}
			who[side] = number[n]
		}
	}
	return who, told
}

func allNamed(list []pair, name func(string) string) bool {
	for _, p := range list {
		if name(p.a) == "" || name(p.b) == "" {
			return false
		}
	}
	return true
}

// united makes one person of all sides that mated pairs join.
func united(list []pair, same []bool) map[string]int {
	parent := make(map[string]string)
	var root func(string) string
	root = func(s string) string {
		if p, ok := parent[s]; ok && p != s {
			parent[s] = root(p)
			return parent[s]
		}
		parent[s] = s
		return s
	}
	for i, p := range list {
		a, b := root(p.a), root(p.b)
		if same[i] {
			parent[a] = b
		}
	}
	who, number := make(map[string]int), make(map[string]int)
	for _, p := range list {
		for _, side := range [...]string{p.a, p.b} {
			r := root(side)
			if _, ok := number[r]; !ok {
				number[r] = len(number)
			}
			who[side] = number[r]
		}
	}
	return who
}
