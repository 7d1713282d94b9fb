package encounter

import (
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/screening"
)

var update = flag.Bool("update", false, "write the published schema anew")

func published(t *testing.T) *jsonschema.Schema {
	t.Helper()
	word := func(words []string) *jsonschema.Schema {
		s := &jsonschema.Schema{Type: "string"}
		for _, w := range words {
			s.Enum = append(s.Enum, w)
		}
		return s
	}
	opts := &jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[Outcome]():          word(outcomeWords),
		reflect.TypeFor[AgeClass]():         word(ageWords),
		reflect.TypeFor[Finding]():          word(findingWords),
		reflect.TypeFor[State]():            word(stateWords),
		reflect.TypeFor[StepState]():        word(stepWords),
		reflect.TypeFor[StepName]():         word([]string{string(StepDocument), string(StepFace), string(StepFingers), string(StepPresentation)}),
		reflect.TypeFor[screening.Answer](): word([]string{"unknown", "clear", "candidates", "not-verified"}),
		reflect.TypeFor[inspect.Result]():   word([]string{"unknown", "pass", "fail", "not-assessable", "not-performed"}),
		reflect.TypeFor[pad.Kind]():         word([]string{"unknown", "flash", "turn", "blink"}),
		reflect.TypeFor[Display]():          word([]string{string(ToOfficer), string(ToTraveller)}),
		reflect.TypeFor[policy.Severity]():  word([]string{"ignore", "notice", "refer"}),
	}}
	data := map[EventKind]reflect.Type{
		EventOpened: reflect.TypeFor[Encounter](), EventResumed: reflect.TypeFor[Encounter](), EventAnswer: reflect.TypeFor[Encounter](),
		EventStep: reflect.TypeFor[Step](), EventFinger: reflect.TypeFor[FingerFacts](), EventChallenge: reflect.TypeFor[ChallengeData](), EventPresentation: reflect.TypeFor[PresentationFacts](), EventProgress: reflect.TypeFor[Progress](), EventInspection: reflect.TypeFor[inspect.Inspection](),
		EventComparison: reflect.TypeFor[ComparisonData](), EventScreening: reflect.TypeFor[Nothing](), EventLateHit: reflect.TypeFor[LateHitData](),
		EventAdjudicated: reflect.TypeFor[[]Candidate](), EventOutcome: reflect.TypeFor[Decision](), EventDevice: reflect.TypeFor[DeviceData](),
	}
	s, err := jsonschema.For[Event](opts)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []any
	s.Defs = make(map[string]*jsonschema.Schema)
	for _, k := range EventKinds() {
		kinds = append(kinds, string(k))
		d, err := jsonschema.ForType(data[k], opts)
		if err != nil {
			t.Fatalf("%s: %v", k, err)
		}
		s.Defs[string(k)] = d
		var is any = string(k)
		s.AllOf = append(s.AllOf, &jsonschema.Schema{
			If:   &jsonschema.Schema{Properties: map[string]*jsonschema.Schema{"kind": {Const: &is}}, Required: []string{"data"}},
			Then: &jsonschema.Schema{Properties: map[string]*jsonschema.Schema{"data": {Ref: "#/$defs/" + string(k)}}},
		})
	}
	s.Properties["kind"] = &jsonschema.Schema{Type: "string", Enum: kinds}
	s.Properties["data"] = &jsonschema.Schema{Description: "by kind; absent once the encounter is closed"}
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "Watchpost event, version 1"
	return s
}

func TestEventsSchemaIsTheGoForm(t *testing.T) {
	raw, err := json.MarshalIndent(published(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want := string(raw) + "\n"
	if *update {
		if err := os.WriteFile("events.schema.json", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if EventsSchema() != want {
		t.Error("events.schema.json is not the Go form; after a wanted change run: go test -run Schema -update")
	}
}

// TestEventsKeepTheirSchema walks an encounter with a candidate and a late hit
// and holds every event against the published schema.
func TestEventsKeepTheirSchema(t *testing.T) {
	var s jsonschema.Schema
	if err := json.Unmarshal([]byte(EventsSchema()), &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	b.result = screening.Result{Answer: screening.Candidates, Candidates: []screening.Candidate{candidate()}, Coverage: []screening.Coverage{{Source: "local"}}}
	e := b.walk(true, Adult)
	late := candidate()
	late.Record = "r2"
	b.late(screening.Reply{Source: "central", Candidates: []screening.Candidate{late}})
	for _, r := range []string{"r1", "r2"} {
		if _, err := b.post.Adjudicate(e.ID, AdjudicateRequest{Officer: "o1", List: "l", Record: r, Finding: Undecided, Reason: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := b.post.Events.Next(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Referred}); err != nil {
		t.Fatal(err)
	}
	after, err := b.post.Events.Next(t.Context(), 0) // with the data forgotten
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[EventKind]bool)
	for _, ev := range append(all, after...) {
		seen[ev.Kind] = true
		raw, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := json.Unmarshal(raw, &doc); err != nil {
			t.Fatal(err)
		}
		if err := resolved.Validate(doc); err != nil {
			t.Errorf("%s: %v", ev.Kind, err)
		}
	}
	for _, k := range []EventKind{EventOpened, EventStep, EventProgress, EventInspection, EventComparison, EventScreening, EventAnswer, EventLateHit, EventAdjudicated, EventOutcome} {
		if !seen[k] {
			t.Errorf("no %s was seen", k)
		}
	}
	var doc any = map[string]any{"seq": 1, "time": "2026-11-21T00:00:00Z", "kind": "encounter.outcome", "data": map[string]any{"outcome": "shot"}}
	if resolved.Validate(doc) == nil {
		t.Error("an outcome that does not exist fits the schema")
	}
}
