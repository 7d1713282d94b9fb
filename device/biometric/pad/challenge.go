// Package pad is presentation attack detection by challenge (terms of ISO/IEC
// 30107-1:2023 and -3:2023): the post asks for something that is drawn anew each time, and
// judges what the camera saw. It needs no model: five points, mean colours of a
// few places of the face, templates of the frames.
//
// Screen flashes ask whether the face is shaded like a solid by light that
// comes from one side and then the other; a head turn asks whether the points
// move like a solid's and stay one person's; a blink asks for lids that stay shut
// until told. None of them tells a good solid mask, and what is known of their error rates comes from
// simulation alone (hwtest pad): Judged says so until a bench has run.
package pad

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// Kind is what a challenge asks for. The numbers are published.
type Kind uint8

// Kinds. Turn and Blink are for those to whom flashes may be harmful, too.
const (
	KindUnknown Kind = 0
	Flash       Kind = 1
	Turn        Kind = 2
	Blink       Kind = 3
)

var kindWords = [...]string{"unknown", "flash", "turn", "blink"}

func (k Kind) String() string {
	if int(k) < len(kindWords) {
		return kindWords[k]
	}
	return kindWords[0]
}

// MarshalText writes the word.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a word; an unknown one is an error.
func (k *Kind) UnmarshalText(text []byte) error {
	for i, w := range kindWords {
		if w == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return fault.New("pad.kind", "no kind of challenge is called that")
}

// Cue is what the screen shows during a step.
type Cue string

// Cues. Left and right are the person's own. Flashes light that half of the
// screen, all of it or nothing; turns are arrows; Ahead is a mark in the middle.
// Eyes are shut from EyesShut until EyesOpen is said: who has them shut sees no sign.
const (
	Dark      Cue = "dark"
	LightLeft Cue = "light_left"
	LightRite Cue = "light_right"
	Full      Cue = "full"
	Ahead     Cue = "ahead"
	TurnLeft  Cue = "turn_left"
	TurnRite  Cue = "turn_right"
	EyesShut  Cue = "eyes_shut"
	EyesOpen  Cue = "eyes_open"
)

// Step is one cue and how long it is shown.
type Step struct {
	Cue    Cue `json:"cue"`
	Millis int `json:"millis"`
}

// Challenge is one drawn demand. It is not secret once it is shown, and no use
// before.
type Challenge struct {
	Kind  Kind   `json:"kind"`
	Steps []Step `json:"steps"`
}

// Length is how long the challenge is shown.
func (c Challenge) Length() time.Duration {
	sum := 0
	for _, s := range c.Steps {
		sum += s.Millis
	}
	return time.Duration(sum) * time.Millisecond
}

// Times of the steps. A flash step of 400 ms makes at most 2.5 changes and 1.25
// flashes a second, where WCAG 2.2 (success criterion 2.3.1) allows 3 flashes;
// light is white, so that no saturated red is shown either.
const (
	flashMillis = 400
	flashSteps  = 8
	aheadMillis = 800
	turnMillis  = 1500
	turnSteps   = 4
	// Eyes are shut for 0.9 or 1.55 s, once or (four times in five) twice, and open for 1,
	// 1.65 or 2.3 s in between: apart by more than the times of one answer may differ
	// (shutSpread), so that a recording made for other times does not fit. The last
	// second and more is for who hears late that they may be opened.
	shutMillis   = 900
	openMillis   = 1000
	stepMillis   = 650
	openMore     = 1000 // drawn before the first of two
	openMoreOnce = 2500 // before the only one
	openLast     = 1400
)

// Unpredictable draws from the system's random source: what a post draws
// challenges with. A bench that is to be repeated brings a seed instead.
func Unpredictable() *rand.Rand { return rand.New(system{}) }

type system struct{}

func (system) Uint64() uint64 {
	var b [8]byte
	_, _ = crand.Read(b[:]) // never fails (crypto/rand)
	return binary.NativeEndian.Uint64(b[:])
}

// Draw draws a challenge of a kind.
func Draw(kind Kind, r *rand.Rand) (Challenge, error) {
	c := Challenge{Kind: kind}
	switch kind {
	case Flash:
		// Each cue stands at least once before and once after the middle: light
		// that drifts cannot be taken for an answer. Some 400 orders, and no cue
		// follows itself.
		first, second := flashes(r), flashes(r)
		for second[0] == first[len(first)-1] || slices.Equal(first, second) {
			second = flashes(r)
		}
		for _, cue := range append(first, second...) {
			c.Steps = append(c.Steps, Step{cue, flashMillis})
		}
	case Turn:
		c.Steps = append(c.Steps, Step{Ahead, aheadMillis})
		for _, cue := range turns(r) {
			c.Steps = append(c.Steps, Step{cue, turnMillis})
		}
	case Blink:
		c.Steps = closedEyes(r)
	default:
		return Challenge{}, fault.New("pad.kind", "no challenge of kind %d", kind)
	}
	return c, nil
}

// flashes returns the cues of flashes in a random order.
func flashes(r *rand.Rand) []Cue {
	cues := []Cue{Dark, LightLeft, LightRite, Full}
	r.Shuffle(len(cues), func(i, k int) { cues[i], cues[k] = cues[k], cues[i] })
	return cues
}

// turns draws one of 14 orders of turning left, right and back, none the same
// twice in a row, with both sides among them.
func turns(r *rand.Rand) []Cue {
	for {
		all := [...]Cue{Ahead, TurnLeft, TurnRite}
		before := 0 // the person looks ahead at first
		var cues []Cue
		for range turnSteps {
			before = (before + 1 + r.IntN(2)) % 3
			cues = append(cues, all[before])
		}
		if slices.Contains(cues, TurnLeft) && slices.Contains(cues, TurnRite) {
			return cues
		}
	}
}

// closedEyes draws when eyes are shut, and for how long.
func closedEyes(r *rand.Rand) []Step {
	times, more := 2, openMore
	if r.IntN(5) == 0 {
		times, more = 1, openMoreOnce
	}
	steps := []Step{{Ahead, openMillis + r.IntN(more)}}
	for k := range times {
		if k > 0 {
			steps = append(steps, Step{EyesOpen, openMillis + r.IntN(3)*stepMillis})
		}
		steps = append(steps, Step{EyesShut, shutMillis + r.IntN(2)*stepMillis})
	}
	return append(steps, Step{EyesOpen, openLast})
}

// at returns the step that is shown at a time since the start, and for how
// long it has been; nil before the first and after the last.
func (c Challenge) at(t time.Duration) (s *Step, index int, shown time.Duration) {
	if t < 0 {
		return nil, 0, 0
	}
	for i := range c.Steps {
		length := time.Duration(c.Steps[i].Millis) * time.Millisecond
		if t < length {
			return &c.Steps[i], i, t
		}
		t -= length
	}
	return nil, 0, 0
}
