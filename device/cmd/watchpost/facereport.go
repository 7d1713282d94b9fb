package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/biometric/calibration"
	"github.com/watchpost/watchpost/device/biometric/demographic"
	"github.com/watchpost/watchpost/device/biometric/face"
	"github.com/watchpost/watchpost/device/fault"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// faceReport holds the flags of "face report".
type faceReport struct {
	pairs, groups, picture, cohort string
	fmr, threshold                 float64
	engine                         func() (decodev1.FaceEngine, error)
}

func faceReportCommand() *cobra.Command {
	var o faceReport
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
	cmd.Flags().StringVar(&o.pairs, "pairs", "", "CSV file of pairs, - for standard input")
	cmd.Flags().StringVar(&o.groups, "groups", "", "CSV file of images and their groups")
	cmd.Flags().StringVar(&o.picture, "picture", "", "draw the rates to this PNG or SVG file")
	cmd.Flags().StringVar(&o.cohort, "cohort", "", "folder of images of other people, to normalise by, as in face score")
	cmd.Flags().Float64Var(&o.fmr, "fmr", 1e-3, "false match rate that the policy states")
	cmd.Flags().Float64Var(&o.threshold, "threshold", 0, "score to count at, instead of the post's for --fmr")
	_ = cmd.MarkFlagRequired("pairs")  // both flags exist: they
	_ = cmd.MarkFlagRequired("groups") // were defined above
	o.engine = engineFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return o.run(cmd) }
	return cmd
}

// check refuses flags that cannot be before the work of minutes, and finds the
// threshold where none was given.
func (o *faceReport) check(cmd *cobra.Command) error {
	if !(o.fmr > 0 && o.fmr < 1) {
		return fault.New("usage", "--fmr %v: above 0 and below 1", o.fmr)
	}
	if !cmd.Flags().Changed("threshold") {
		var ok bool
		if o.threshold, ok = calibration.FaceThreshold(o.fmr); !ok {
			return fault.New("report.threshold", "no threshold is known for a false match rate of %g", o.fmr).
				WithHint("state a higher --fmr, or a --threshold")
		}
	}
	if o.picture == "" {
		return nil
	}
	if p := strings.ToLower(filepath.Ext(o.picture)); p != ".png" && p != ".svg" {
		return fault.New("usage", "--picture %q: .png or .svg", o.picture)
	}
	if in, err := os.Stat(filepath.Dir(o.picture)); err != nil || !in.IsDir() {
		return fault.New("usage", "--picture %q: there is no such folder", o.picture)
	}
	return nil
}

func (o *faceReport) run(cmd *cobra.Command) error {
	which, err := o.engine()
	if err != nil {
		return err
	}
	if err := o.check(cmd); err != nil {
		return err
	}
	out := newRows(cmd)
	all, err := o.compare(cmd, out, which)
	if err != nil {
		return err
	}
	report, err := demographic.Measure(all, o.threshold)
	if err != nil {
		return err
	}
	for _, g := range report.Groups {
		if err := out.JSON(groupRowOf(g, o.threshold)); err != nil {
			return err
		}
	}
	report.All.Name = "*"
	last := groupRowOf(report.All, o.threshold)
	hold := demographic.Hold(all, o.threshold, o.fmr)
	last.Hold = &hold
	if !cmd.Flags().Changed("cohort") && !cmd.Flags().Changed("threshold") { // the calibration's own
		factor := min(max(1, o.fmr/calibration.FaceFMR(hold)), mostFactor)
		last.Factor = &factor
	}
	if err := out.JSON(last); err != nil {
		return err
	}
	if o.picture != "" {
		if err := drawReport(o.picture, report, o.fmr); err != nil {
			return err
		}
	}
	return out.End()
}

// compare scores the pairs; what is left out is noted with out.
func (o *faceReport) compare(cmd *cobra.Command, out *rows, engine decodev1.FaceEngine) ([]demographic.Comparison, error) {
	errOut := cmd.ErrOrStderr()
	list, same, failed, err := readLabelled(cmd, o.pairs)
	if err != nil {
		return nil, err
	}
	people, err := readGroups(o.groups)
	if err != nil {
		return nil, err
	}
	if outside := placeSides(list, people); outside > 0 {
		fmt.Fprintf(errOut, "face: %d sides of the pairs are in no group: they count for everybody only\n", outside)
	}
	who, told := identify(list, same, people)
	fmt.Fprintf(errOut, "face: who is who: %s\n", told)
	fit := calibration.FaceFit()
	fmt.Fprintf(errOut, "face: the post's calibration: %s; %d people, %d comparisons of different people, of one person %s; extrapolated below %g\n",
		fit.On, fit.People, fit.NonMated, fit.Mated, fit.LeastFMR)
	s := faceScorer{decoder: newDecoder(errOut), errOut: errOut, faces: make(map[string]faceOrError)}
	s.decoder.use(engine)
	defer s.decoder.Close()
	normaliser, err := s.load(cmd, list, o.cohort)
	if err != nil {
		return nil, err
	}
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
	return all, nil
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
