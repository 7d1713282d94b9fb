package liveness

import (
	"math/rand/v2"
	"time"

	"github.com/watchpost/watchpost/device/biometric/pad"
)

// lowering is a time for which lids are down, and how far.
type lowering struct {
	from, to time.Duration
	depth    float64
}

// Manners of people who are asked to shut their eyes. They are guesses, no counts of
// real people; how often people blink, and for how long, is known: some 15 times a
// minute, 0.1 to 0.4 s.
const (
	halfShut   = 0.15 // who lowers the lids by half or more, not all the way
	trembling  = 0.15 // whose lids tremble meanwhile
	inattent   = 0.1  // who is late by up to a second more, once
	blinkEvery = 4.0  // seconds
	lidsMove   = 120 * time.Millisecond
)

// manner is how the lids of a person move who hears each sign delay seconds late.
func manner(r *rand.Rand, c pad.Challenge, delay float64) func(time.Duration) float64 {
	after := func(lo, hi float64) time.Duration { return time.Duration(between(r, lo, hi) * float64(time.Second)) }
	depth := 1.0
	if r.Float64() < halfShut {
		depth = between(r, 0.5, 0.95)
	}
	trembles := r.Float64() < trembling
	late := time.Duration(0)
	if r.Float64() < inattent {
		late = after(0.3, 1)
	}
	var down []lowering
	var up []time.Duration // moments at which trembling lids come up by half
	at := time.Duration(0)
	for _, s := range c.Steps {
		length := time.Duration(s.Millis) * time.Millisecond
		if s.Cue == pad.EyesShut {
			from := at + after(delay-0.1, delay+0.25) + late
			to := at + length + after(delay-0.1, delay+0.25)
			late = 0
			down = append(down, lowering{from, max(from, to), depth})
			for t := from + after(0.1, 0.5); trembles && t < to; t += after(0.15, 0.7) {
				up = append(up, t)
			}
		}
		at += length
	}
	for t := after(0, blinkEvery); t < at; t += after(0.3, 2*blinkEvery) {
		down = append(down, lowering{t, t + after(0, 0.28), 1})
	}
	return func(t time.Duration) float64 {
		shut := 0.0
		for _, d := range down {
			// Lids come down within lidsMove, and up again after the end.
			far := min(float64(t-d.from), float64(d.to+lidsMove-t)) / float64(lidsMove)
			shut = max(shut, d.depth*max(0, min(1, far)))
		}
		for _, u := range up {
			if t >= u && t < u+lidsMove {
				shut *= 0.6
			}
		}
		return shut
	}
}
