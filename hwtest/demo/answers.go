package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/watchpost/watchpost/hwtest/wire"
	"github.com/watchpost/watchpost/sdk/client"
)

// answerBudget is design section 10's: last capture to answer, p95.
const answerBudget = time.Second

// linkCase is one state of the link while answers are timed.
type linkCase struct {
	name    string
	prepare wire.State // before the encounter
	ask     wire.State // from before the last capture on
	missing string     // what the answer must say of central, "" nothing
}

var linkCases = []linkCase{
	{"with the link", wire.Open, wire.Open, ""},
	{"with the link cut", wire.Cut, wire.Cut, "central: link.not_asked"},
	// The link is believed to be up when the question goes out: what takes
	// the longest. A link that has stalled for some seconds is known to be
	// down and is like one that was cut.
	{"with the link stalling", wire.Open, wire.Stalled, "central: source.deadline"},
}

// Answers times the answer of n encounters each with the link, with the link
// cut and with a link that takes connections and stalls, and fails where a p95
// is above the budget.
func Answers(ctx context.Context, o Options, n int) (err error) {
	show := &screen{out: o.Out, quiet: o.Quiet}
	t, err := set(ctx, o, show)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.clear()) }()
	// Persons with and without papers, listed and not.
	var persons []encounterCase
	for _, k := range t.all {
		if k.letter == "a" || k.letter == "b" || k.letter == "c" || k.letter == "f" && k.age == "adult" {
			persons = append(persons, k)
		}
	}
	show.line("  %-28s %8s %8s %8s   n    (%s faces, %s numbers)", "last capture → answer", "p50", "p95", "max", thousands(t.options.Faces+1), thousands(t.options.Documents))
	for _, c := range linkCases {
		var all []time.Duration
		for i := range n {
			took, err := t.timed(ctx, persons[i%len(persons)], c)
			if err != nil {
				return fmt.Errorf("%s, answer %d: %w\n%s", c.name, i+1, err, t.post.log.tail())
			}
			all = append(all, took)
		}
		p95 := quantile(all, 0.95)
		show.line("  %-28s %8s %8s %8s   %d", c.name, quantile(all, 0.5), p95, slices.Max(all), len(all))
		if p95 > answerBudget {
			err = errors.Join(err, fmt.Errorf("%s p95 is %s, at most %s", c.name, p95, answerBudget))
		}
	}
	return err
}

// timed walks one person to the answer and returns how long the post says that
// it took after the last capture.
func (t *table) timed(ctx context.Context, k encounterCase, c linkCase) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, encounterLimit, fmt.Errorf("the encounter took longer than %s", encounterLimit))
	defer cancel()
	link := t.options.Central.Wire
	link.Set(c.prepare)
	want := linkWord(c.prepare)
	if err := waitFor(ctx, t.client, "the link is "+want, func(y *client.System) bool { return y.Link == want }); err != nil {
		return 0, err
	}
	if err := t.world.Show(t.script.scenes[k.sitter.Name]); err != nil {
		return 0, err
	}
	e, err := t.client.Open(ctx, Purpose, k.passport != nil, client.Declared{Age: "adult"})
	if err != nil {
		return 0, err
	}
	defer func() {
		// The outcome is no part of this; it goes out when the link is there.
		_, derr := t.client.Decide(context.WithoutCancel(ctx), e.ID, "abandoned", "only the answer was wanted")
		err = errors.Join(err, derr)
	}()
	if k.passport != nil {
		if err := t.bench.Insert(ctx, 0, *k.passport); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, t.bench.Remove(context.WithoutCancel(ctx), 0)) }()
		if _, err := t.client.ReadDocument(ctx, e.ID, key(k.passport)); err != nil {
			return 0, err
		}
		if err := t.reached(ctx, e.ID, func(e *client.Encounter) bool { return e.Steps[0].State == "done" }); err != nil {
			return 0, err
		}
	}
	link.Set(c.ask)
	if _, err := t.client.CaptureFace(ctx, e.ID); err != nil {
		return 0, err
	}
	var done *client.Encounter
	if err := t.reached(ctx, e.ID, func(e *client.Encounter) bool { done = e; return e.State == "review" }); err != nil {
		return 0, err
	}
	if c.missing != "" && !slices.Contains(done.Missing, c.missing) {
		return 0, fmt.Errorf("what is missing is %q, must name %q", done.Missing, c.missing)
	}
	if c.missing == "" && len(done.Missing) > 0 {
		return 0, fmt.Errorf("with the link the answer misses %q", done.Missing)
	}
	return time.Duration(done.AnswerMS) * time.Millisecond, nil
}

// reached asks for the encounter until it is as it must be, or a step failed.
func (t *table) reached(ctx context.Context, id string, ok func(*client.Encounter) bool) error {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		e, err := t.client.Get(ctx, id)
		if err != nil {
			return err
		}
		if ok(e) {
			return nil
		}
		for _, st := range e.Steps {
			if st.State == "failed" {
				return fmt.Errorf("step %s: %s (%s)", st.Name, st.Code, strings.TrimSpace(st.Hint))
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func linkWord(s wire.State) string {
	if s == wire.Cut {
		return "down"
	}
	return "up"
}
