package shard

import (
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

// Limits of a question and an answer.
const (
	MaxCandidates = 50 // the contract's
	maxFingers    = 10
	maxDocuments  = 8
	maxText       = 256     // bytes of a name, number, purpose
	maxFinger     = 4 << 10 // bytes of a minutiae record: some 680 minutiae
)

// modalities pairs the wire's numbers with the engine's words.
var modalities = map[screeningv1.Modality]screening.Modality{
	screeningv1.Modality_MODALITY_FACE:     screening.Face,
	screeningv1.Modality_MODALITY_FINGER:   screening.Finger,
	screeningv1.Modality_MODALITY_NAME:     screening.Name,
	screeningv1.Modality_MODALITY_DOCUMENT: screening.Document,
}

func onWire(m screening.Modality) screeningv1.Modality {
	for wire, word := range modalities {
		if word == m {
			return wire
		}
	}
	return screeningv1.Modality_MODALITY_UNSPECIFIED
}

// Question reads a question from the wire; call.invalid for what cannot be
// one. A person whose age is not known to be an adult's is the post's to
// withhold: it knows the policy.
func Question(in *screeningv1.AskRequest) (screening.Question, error) {
	q := screening.Question{Encounter: in.Encounter, Officer: in.Officer, Purpose: in.Purpose, Withheld: map[screening.Modality]string{}}
	if in.Encounter == "" || in.Officer == "" || in.Purpose == "" || tooLong(in.Encounter, in.Officer, in.Purpose) {
		return q, invalid("encounter, officer and purpose are needed")
	}
	for _, w := range in.Withheld {
		m, ok := modalities[w.GetModality()]
		if !ok || tooLong(w.Reason) {
			return q, invalid("withheld: no modality")
		}
		q.Withheld[m] = w.Reason
	}
	if f := in.Face; f != nil {
		t := template.Face{Model: f.Model.GetModel(), Version: f.Model.GetVersion(), Images: int(f.Frames), Agreement: f.Agreement}
		if len(f.Vector) != len(t.Vector) || f.Frames > 1000 || f.Quality > 100 || tooLong(t.Model, t.Version) {
			return q, invalid("face: length, frames or quality")
		}
		copy(t.Vector[:], f.Vector)
		if err := t.Check(); err != nil {
			return q, invalid("face: not a template")
		}
		q.Face = &screening.FaceProbe{Template: t, Frames: int(f.Frames), Quality: int(f.Quality)}
	}
	if len(in.Fingers) > maxFingers || len(in.Documents) > maxDocuments {
		return q, invalid("too many probes")
	}
	for _, f := range in.Fingers {
		if f.GetPosition() > 10 || len(f.GetTemplate()) > maxFinger || f.GetQuality() > 100 {
			return q, invalid("finger: position, size or quality")
		}
		q.Fingers = append(q.Fingers, screening.FingerProbe{Position: int(f.Position), Template: f.Template, Quality: int(f.Quality)})
	}
	if n := in.Name; n != nil {
		if tooLong(n.Primary, n.Secondary, n.BirthDate, n.Sex) || tooLong(n.Nationalities...) || len(n.Nationalities) > maxDocuments {
			return q, invalid("name: too long")
		}
		q.Name = &screening.NameProbe{
			Primary: n.Primary, Secondary: n.Secondary, Truncated: n.Truncated, BirthDate: n.BirthDate, Sex: n.Sex,
			Nationalities: n.Nationalities, Vouched: n.Vouched,
		}
	}
	for _, d := range in.Documents {
		if tooLong(d.GetType(), d.GetIssuer(), d.GetNumber()) {
			return q, invalid("document: too long")
		}
		q.Documents = append(q.Documents, screening.DocumentProbe{Type: d.GetType(), Issuer: d.GetIssuer(), Number: d.GetNumber()})
	}
	return q, nil
}

func tooLong(all ...string) bool {
	return slices.ContainsFunc(all, func(s string) bool { return len(s) > maxText })
}

func invalid(what string) error { return fault.New("call.invalid", "%s", what) }

// response writes what the lists said.
func response(r screening.Reply) *screeningv1.AskResponse {
	out := new(screeningv1.AskResponse)
	for _, c := range r.Candidates {
		k := &screeningv1.Candidate{
			List: c.List, Record: c.Record, Edition: c.Edition, Owner: c.Owner, LegalBasis: c.LegalBasis, Purpose: c.Purpose,
			Handling: c.Handling, Confirm: c.Confirm, Contact: c.Contact, Name: c.Name, ExpiresMs: millis(c.Expires), Alarm: c.Alarm,
		}
		for _, s := range c.Scores {
			k.Scores = append(k.Scores, &screeningv1.Score{Modality: onWire(s.Modality), Value: s.Value, Fmr: s.FMR, Fpir: s.FPIR, Llr: s.LLR, Explain: s.Explain})
		}
		out.Candidates = append(out.Candidates, k)
	}
	for _, c := range r.Coverage {
		k := &screeningv1.Coverage{
			List: c.List, Owner: c.Owner, Generation: c.Generation, IssuedMs: millis(c.Issued), Stale: c.Stale,
			Records: uint64(c.Records), Shards: uint32(c.Shards), Answered: uint32(c.Answered),
		}
		for _, m := range c.Asked {
			k.Asked = append(k.Asked, onWire(m))
		}
		for m, why := range c.NotAsked {
			k.NotAsked = append(k.NotAsked, &screeningv1.Withheld{Modality: onWire(m), Reason: why})
		}
		out.Coverage = append(out.Coverage, k)
	}
	return out
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
