package web

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/screening"
)

// publishWords gives the enumerations of other packages their published words
// in the description, so that clients in other languages get them as types and
// other words are refused before they reach the encounter.
func publishWords(r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[encounter.Outcome](), reflect.TypeFor[outcomeWord]())
	r.RegisterTypeAlias(reflect.TypeFor[encounter.AgeClass](), reflect.TypeFor[ageWord]())
	r.RegisterTypeAlias(reflect.TypeFor[encounter.Finding](), reflect.TypeFor[findingWord]())
	r.RegisterTypeAlias(reflect.TypeFor[encounter.State](), reflect.TypeFor[stateWord]())
	r.RegisterTypeAlias(reflect.TypeFor[encounter.StepState](), reflect.TypeFor[stepWord]())
	r.RegisterTypeAlias(reflect.TypeFor[screening.Answer](), reflect.TypeFor[answerWord]())
	r.RegisterTypeAlias(reflect.TypeFor[inspect.Result](), reflect.TypeFor[resultWord]())
}

type (
	outcomeWord string
	ageWord     string
	findingWord string
	stateWord   string
	stepWord    string
	answerWord  string
	resultWord  string
)

func (outcomeWord) Schema(huma.Registry) *huma.Schema { return wordsOf(encounter.Evacuated) }
func (ageWord) Schema(huma.Registry) *huma.Schema     { return wordsOf(encounter.Minor) }
func (findingWord) Schema(huma.Registry) *huma.Schema { return wordsOf(encounter.Undecided) }
func (stateWord) Schema(huma.Registry) *huma.Schema   { return wordsOf(encounter.Closed) }
func (stepWord) Schema(huma.Registry) *huma.Schema    { return wordsOf(encounter.Skipped) }
func (answerWord) Schema(huma.Registry) *huma.Schema  { return wordsOf(screening.NotVerified) }
func (resultWord) Schema(huma.Registry) *huma.Schema  { return wordsOf(inspect.NotPerformed) }

// wordsOf lists the words of an enumeration from 0 to last.
func wordsOf[T interface {
	~uint8
	String() string
}](last T) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for n := T(0); n <= last; n++ {
		s.Enum = append(s.Enum, n.String())
	}
	s.PrecomputeMessages()
	return s
}
