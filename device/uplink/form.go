package uplink

import (
	"math"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

// Limits of an answer.
const (
	maxCandidates = 50 // the contract's
	maxCoverage   = 1000
	maxScores     = 64
	maxText       = 1024 // bytes of one field
	maxLLR        = 1000 // either way; no engine states as much
)

// words pairs the wire's numbers with the screener's words.
var words = map[screeningv1.Modality]screening.Modality{
	screeningv1.Modality_MODALITY_FACE:     screening.Face,
	screeningv1.Modality_MODALITY_FINGER:   screening.Finger,
	screeningv1.Modality_MODALITY_NAME:     screening.Name,
	screeningv1.Modality_MODALITY_DOCUMENT: screening.Document,
}

func onWire(m screening.Modality) screeningv1.Modality {
	for wire, word := range words {
		if word == m {
			return wire
		}
	}
	return screeningv1.Modality_MODALITY_UNSPECIFIED
}

// question writes what may be asked; what is withheld does not leave the box.
func question(q screening.Question) *screeningv1.AskRequest {
	out := &screeningv1.AskRequest{Encounter: q.Encounter, Officer: q.Officer, Purpose: q.Purpose}
	for m, why := range q.Withheld {
		out.Withheld = append(out.Withheld, &screeningv1.Withheld{Modality: onWire(m), Reason: why})
	}
	if q.Asks(screening.Face) {
		t := q.Face.Template
		out.Face = &screeningv1.FaceProbe{
			Model:  &screeningv1.FaceModel{Model: t.Model, Version: t.Version},
			Vector: append([]float32(nil), t.Vector[:]...), Frames: uint32(q.Face.Frames), Quality: uint32(q.Face.Quality), Agreement: t.Agreement,
		}
	}
	if q.Asks(screening.Finger) {
		for _, f := range q.Fingers {
			out.Fingers = append(out.Fingers, &screeningv1.FingerProbe{Position: uint32(f.Position), Template: f.Template, Quality: uint32(f.Quality)})
		}
	}
	if q.Asks(screening.Name) {
		n := q.Name
		out.Name = &screeningv1.NameProbe{
			Primary: n.Primary, Secondary: n.Secondary, Truncated: n.Truncated, BirthDate: n.BirthDate, Sex: n.Sex,
			Nationalities: n.Nationalities, Vouched: n.Vouched,
		}
	}
	if q.Asks(screening.Document) {
		for _, d := range q.Documents {
			out.Documents = append(out.Documents, &screeningv1.DocumentProbe{Type: d.Type, Issuer: d.Issuer, Number: d.Number})
		}
	}
	return out
}

// reply reads an answer; ErrReply for one that cannot be shown or ordered.
func reply(in *screeningv1.AskResponse) (screening.Reply, error) {
	out := screening.Reply{Source: Name}
	if len(in.Candidates) > maxCandidates || len(in.Coverage) > maxCoverage {
		return out, odd("more candidates or lists than the contract allows")
	}
	for _, c := range in.Candidates {
		k := screening.Candidate{
			Source: Name, List: c.List, Record: c.Record, Edition: c.Edition, Owner: c.Owner, LegalBasis: c.LegalBasis, Purpose: c.Purpose,
			Handling: c.Handling, Confirm: c.Confirm, Contact: c.Contact, Name: c.Name, Expires: instant(c.ExpiresMs), Alarm: c.Alarm,
		}
		if k.List == "" || k.Record == "" || tooLong(k.List, k.Record, k.Owner, k.LegalBasis, k.Purpose, k.Handling, k.Contact, k.Name) || len(c.Scores) > maxScores {
			return out, odd("a candidate without list or record, or too long")
		}
		for _, s := range c.Scores {
			m, ok := words[s.Modality]
			if !ok || !rate(s.Fmr) || !rate(s.Fpir) || math.IsNaN(s.Value) || math.IsInf(s.Value, 0) || !(math.Abs(s.Llr) <= maxLLR) || tooLong(s.Explain) {
				return out, odd("a score that is none")
			}
			k.Scores = append(k.Scores, screening.Score{Modality: m, Value: s.Value, FMR: s.Fmr, FPIR: s.Fpir, LLR: s.Llr, Explain: s.Explain})
		}
		out.Candidates = append(out.Candidates, k)
	}
	for _, c := range in.Coverage {
		k := screening.Coverage{
			Source: Name, List: c.List, Owner: c.Owner, Generation: c.Generation, Issued: instant(c.IssuedMs), Stale: c.Stale,
			Records: int(min(c.Records, math.MaxInt)), Shards: int(c.Shards), Answered: int(c.Answered), NotAsked: map[screening.Modality]string{},
		}
		if k.List == "" || tooLong(k.List, k.Owner) || len(c.Asked) > len(words) || len(c.NotAsked) > maxScores {
			return out, odd("a coverage without list, or too long")
		}
		for _, m := range c.Asked {
			if word, ok := words[m]; ok { // an unknown number is no modality that we ask
				k.Asked = append(k.Asked, word)
			}
		}
		for _, w := range c.NotAsked {
			if tooLong(w.Reason) {
				return out, odd("a reason that is too long")
			}
			if word, ok := words[w.Modality]; ok {
				k.NotAsked[word] = w.Reason
			}
		}
		out.Coverage = append(out.Coverage, k)
	}
	return out, nil
}

func odd(what string) error { return fault.New(ErrReply.Code, "%s", what) }

func rate(f float64) bool { return f >= 0 && f <= 1 } // false for NaN

func tooLong(all ...string) bool {
	for _, s := range all {
		if len(s) > maxText {
			return true
		}
	}
	return false
}

func instant(ms int64) time.Time {
	if ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
