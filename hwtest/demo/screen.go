package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/watchpost/watchpost/sdk/client"
)

// screen prints what happens for a person at a terminal.
type screen struct {
	out   io.Writer
	quiet bool
	ready time.Duration // from make to a post that takes commands, 0 without make
}

func (s *screen) line(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

func (s *screen) step(text string) {
	if !s.quiet {
		s.line("  · %s", text)
	}
}

func (s *screen) system(sys *client.System, took time.Duration) {
	s.ready = sinceMake()
	if s.quiet {
		return
	}
	for _, l := range sys.Lists {
		s.line("  · list %s of %s, generation %d: %s records, %s faces, %s documents", l.List, l.Owner, l.Generation,
			thousands(l.Records), thousands(l.Faces), thousands(l.Documents))
	}
	s.line("  · ready: daemon %d ms, bench and list %.1f s", sys.ReadyMS, took.Seconds())
}

func (s *screen) begin(k encounterCase) {
	if !s.quiet {
		s.line("\n(%s) %s", k.letter, k.title)
	}
}

// event prints what a person would want to see pass by.
func (s *screen) event(ev client.Event) {
	if s.quiet || ev.Kind != "step.changed" {
		return
	}
	var st client.Step
	if json.Unmarshal(ev.Data, &st) == nil && st.State == "done" {
		s.line("    %-9s done in %d ms", st.Name, st.Millis)
	}
}

// marks say a result without colour.
var marks = map[string]string{"pass": "ok", "fail": "FAIL", "not-assessable": "??", "not-performed": "--", "unknown": "??"}

// shown are the checks that a layman needs; all others are in the inspection.
var shown = []string{"sod.signature", "ds.chain", "dg1.hash", "dg2.hash", "portrait.match"}

func (s *screen) review(e *client.Encounter) {
	if s.quiet {
		return
	}
	if e.Inspection != nil {
		var parts []string
		for _, c := range e.Inspection.Checks {
			if slices.Contains(shown, c.Code) || c.Result == "fail" {
				parts = append(parts, c.Code+" "+marks[c.Result])
			}
		}
		s.line("    chip      %s %s, %s", e.Inspection.Access.Protocol, e.Inspection.Access.Cipher, strings.Join(parts, ", "))
	}
	if c := e.Comparison; c != nil {
		s.line("    1:1       cosine %.3f, needs %.3f, false match rate at this score %.0e", c.Score, c.Threshold, c.FMR)
	}
	s.line("    answer    %s in %d ms %s", e.Answer, e.AnswerMS, brackets(strings.Join(e.Missing, "; ")))
	for _, c := range e.Candidates {
		explain := ""
		if len(c.Scores) > 0 {
			explain = c.Scores[0].Explain
		}
		s.line("    candidate %s of %s: %s; handling: %s", c.Record, c.Owner, explain, c.Handling)
	}
}

func (s *screen) end(k encounterCase, e *client.Encounter) {
	outcome := "none"
	if e.Decision != nil {
		outcome = e.Decision.Outcome
	}
	if s.quiet {
		s.line("(%s) %-55s %s → %s", k.letter, k.title, e.Answer, outcome)
		return
	}
	if e.Advice != nil {
		for _, r := range e.Advice.Reasons {
			if r.Severity == "refer" {
				s.line("    because   %s %s %s %s", r.Code, r.Result, r.Reason, brackets(r.Clause))
			}
		}
	}
	s.line("    outcome   %s. %s", strings.ToUpper(outcome), k.says)
}

func (s *screen) failure(k encounterCase, err error, log string) {
	s.line("(%s) %s: NOT AS IT MUST BE: %v", k.letter, k.title, err)
	if log != "" {
		s.line("the programs said last:\n%s", log)
	}
}

// figures prints the product's own measurements.
func (s *screen) figures(sc *script, sys *client.System, begun time.Time) {
	s.line("\n  %-28s %8s %8s   n", "measured by the product", "p50", "p95")
	for _, f := range []struct {
		name string
		all  []time.Duration
	}{{"chip present → inspection", sc.inspection}, {"last capture → answer", sc.answer}} {
		s.line("  %-28s %8s %8s   %d", f.name, quantile(f.all, 0.5), quantile(f.all, 0.95), len(f.all))
	}
	s.line("  %-28s %8s", "start → ready", (time.Duration(sys.ReadyMS) * time.Millisecond).String())
	s.line("  %-28s %8.1f s", "this demonstration", time.Since(begun).Seconds())
	if d := sinceMake(); d > 0 {
		s.line("  %-28s %8.1f s", "make → ready", s.ready.Seconds())
		s.line("  %-28s %8.1f s (%.1f min)", "make → end", d.Seconds(), d.Minutes())
	}
}

// quantile returns the nearest-rank quantile.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	i := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[max(0, min(len(sorted)-1, i))]
}

func brackets(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// open tells how the page is reached.
func (s *screen) open(w *World, all []encounterCase) {
	s.line("\n  page        %s   (its certificate is the post's own: accept it once)", w.URL)
	s.line("  officer     %s   password %s", officerID, w.Password)
	s.line("  supervisor  %s   password %s", secondID, w.Second)
	s.line("  colleague   %s   password %s", thirdID, w.Third)
	s.line("")
	for i, k := range all {
		if i == 0 || all[i-1].letter != k.letter {
			s.line("  %s  %s", k.letter, k.title)
		}
	}
	s.keys()
}

// keys tells what may be typed.
func (s *screen) keys() {
	s.line("  a letter and Enter puts that person at the post; x takes the passport away;\n  cut, stall and restore do that to the link to central; q ends")
}

// stands tells who is at the post now, and what is printed on the passport.
func (s *screen) stands(now standing) {
	switch {
	case now.Person == "":
		s.line("  → %s", now.Title)
	case now.MRZ == "":
		s.line("  → (%s) %s", now.Person, now.Title)
	default:
		s.line("  → (%s) %s; on the data page: %s", now.Person, now.Title, now.MRZ)
	}
}
