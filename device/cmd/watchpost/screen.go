package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/screening/local"
)

// screenRow is the answer to one question.
type screenRow struct {
	Answer     screening.Answer      `json:"answer"`
	Candidates []screening.Candidate `json:"candidates"`
	Coverage   []screening.Coverage  `json:"coverage"`
	Missing    []string              `json:"missing"`
	MS         float64               `json:"ms"`
}

func screenCommand() *cobra.Command {
	var flags postFlags
	var faceFile, name string
	var documents, prints []string
	var frames int
	c := &cobra.Command{
		Use:   "screen --config FILE --passphrase-file FILE [--face FILE] [--finger [POSITION=]FILE]... [--doc CODE,ISSUER,NUMBER]... [--name FAMILY,GIVEN,YYYY-MM-DD]",
		Short: "Ask the lists of a post that does not run one question",
		Long: `Search the post's lists by a face template, fingers and document numbers, as an
encounter would, by the default policy of its workplace.

--face FILE is a line of "watchpost face template" ({model, vector: 128 floats of unit
length}); - reads standard input. --finger gives a line of "watchpost finger
template" and which finger it is: 1, right thumb, to 10, left little finger; 0 or
nothing where that is unknown. --doc gives a document's code, issuing state and
number; code and state may be empty.

--name gives family name, given names and birth date; each may be empty. Names find
nobody in this version; with --face they say more of who was found: a face too weak
alone is a candidate where name and birth date bear it.

One JSON object comes out: {answer: clear | candidates | not-verified, candidates,
coverage, missing, ms}. A face match states its false match rate and the rate for
the number of faces searched; so does a match of fingers, which is an alarm only
where two of them agree. llr is the natural logarithm of how much likelier a score is
for one person than for two; where a candidate has several kinds of score, fused adds
them up and states the rates of the sum.`,
		Example: `  watchpost face template photo.jpg | watchpost screen --config post.yaml --passphrase-file pass --face -
  watchpost screen --config post.yaml --passphrase-file pass --finger 2=right.json --finger 7=left.json
  watchpost screen --config post.yaml --passphrase-file pass --doc P,UTO,L898902C3`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := screening.Question{Encounter: "command", Officer: "command", Purpose: "measurement"}
			for _, d := range documents {
				parts := strings.Split(d, ",")
				if len(parts) != 3 {
					return fault.New("usage", "--doc is CODE,ISSUER,NUMBER")
				}
				q.Documents = append(q.Documents, screening.DocumentProbe{Type: parts[0], Issuer: parts[1], Number: parts[2]})
			}
			if name != "" {
				parts := strings.Split(name, ",")
				if len(parts) != 3 {
					return fault.New("usage", "--name is FAMILY,GIVEN,YYYY-MM-DD")
				}
				q.Name = &screening.NameProbe{Primary: parts[0], Secondary: parts[1], BirthDate: parts[2]}
			}
			if faceFile != "" {
				face, err := readFace(cmd, faceFile, frames)
				if err != nil {
					return err
				}
				q.Face = face
			}
			if len(prints) > finger.MaxFingers {
				return fault.New("usage", "--finger is given %d times, %d at most", len(prints), finger.MaxFingers)
			}
			for _, text := range prints {
				p, err := readFinger(cmd, text)
				if err != nil {
					return err
				}
				q.Fingers = append(q.Fingers, p)
			}
			if q.Face == nil && len(q.Documents)+len(q.Fingers) == 0 {
				return fault.New("usage", "--face, --finger or --doc is needed")
			}
			return screenOnce(cmd, &flags, q)
		},
	}
	c.Flags().StringVar(&faceFile, "face", "", "face template, one JSON object")
	c.Flags().IntVar(&frames, "frames", 1, "how many frames the template is the mean of")
	c.Flags().StringArrayVar(&prints, "finger", nil, "finger template, one JSON object: [POSITION=]FILE")
	c.Flags().StringArrayVar(&documents, "doc", nil, "document: CODE,ISSUER,NUMBER")
	c.Flags().StringVar(&name, "name", "", "name and birth date: FAMILY,GIVEN,YYYY-MM-DD")
	flags.add(c)
	return c
}

func readFace(cmd *cobra.Command, name string, frames int) (*screening.FaceProbe, error) {
	const max = 1 << 20
	in, err := openInput(cmd, name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	raw, err := io.ReadAll(io.LimitReader(in, max))
	if err != nil {
		return nil, fault.Wrap("input.read", err)
	}
	// Other fields of a template's line (file, box, quality) are of no use here.
	var line struct {
		Model     string    `json:"model"`
		Version   string    `json:"version"`
		Agreement float64   `json:"agreement"`
		Vector    []float32 `json:"vector"`
	}
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&line); err != nil || len(line.Vector) != template.FaceDimensions {
		return nil, fault.New("input.face", "not a line of \"face template\" with a vector of %d values", template.FaceDimensions)
	}
	// "face template" prints model and version as one word.
	if line.Version == "" {
		if at := strings.LastIndexByte(line.Model, '/'); at >= 0 {
			line.Model, line.Version = line.Model[:at], line.Model[at+1:]
		}
	}
	face := template.Face{Model: line.Model, Version: line.Version, Images: frames, Agreement: line.Agreement, Vector: [template.FaceDimensions]float32(line.Vector)}
	if err := face.Check(); err != nil {
		return nil, fault.Wrap("input.face", err)
	}
	return &screening.FaceProbe{Template: face, Frames: frames}, nil
}

func screenOnce(cmd *cobra.Command, flags *postFlags, q screening.Question) error {
	post, err := flags.open(cmd)
	if err != nil {
		return err
	}
	defer post.vault.Lock()
	open, err := post.lists(cmd)
	if err != nil {
		return err
	}
	defer open.Close()
	rules := policy.Default(post.config.Workplace)
	source, err := local.New(local.Limits{
		FPIR: rules.Biometric.IdentificationFPIR, MaxCandidates: rules.Biometric.MaxCandidates,
		AlarmMaxList: rules.Biometric.FaceAlarmMaxList, AlarmMinFrames: rules.Biometric.FaceAlarmMinFrames,
		Faces: rules.Biometric.FaceCurve(),
	}, time.Now, open.Lists...)
	if err != nil {
		return err
	}
	screener, err := screening.New(screening.Rules{
		Required: []string{local.Name}, Performed: []screening.Modality{screening.Face, screening.Finger, screening.Document},
		MaxListAge: rules.Search.MaxListAge.Of(), MaxCandidates: rules.Biometric.MaxCandidates,
		FPIR: rules.Biometric.IdentificationFPIR,
	}, time.Now, source)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), rules.Deadlines.Answer.Of())
	defer cancel()
	begin := time.Now()
	res := screener.Screen(ctx, q, nil)
	took := time.Since(begin)
	screener.Wait()
	out := newRows(cmd)
	row := screenRow{res.Answer, res.Candidates, res.Coverage, res.Missing, float64(took.Microseconds()) / 1000}
	if row.Candidates == nil {
		row.Candidates = []screening.Candidate{}
	}
	if row.Missing == nil {
		row.Missing = []string{}
	}
	if err := out.JSON(row); err != nil {
		return err
	}
	return out.End()
}
