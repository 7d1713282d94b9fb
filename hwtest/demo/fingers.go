package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"path/filepath"
	"sync/atomic"
	"time"

	extract "github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/hwtest/finger"
	"github.com/watchpost/watchpost/hwtest/gen/prints"
	"github.com/watchpost/watchpost/sdk/client"
)

// The person whose fingers are on the list, with no photograph.
const (
	recordFingers = "DEMO-0002"
	fingersSeed   = 2
	sensorID      = "prints"
)

// listedFingers are the positions that the list holds.
var listedFingers = []int{2, 3, 4, 5, 7}

// FingerSocket is where the virtual sensor listens, in a folder of its own.
func (w *World) FingerSocket() string { return filepath.Join(w.Dir, "sensor", "s") }

// fingerRecord is the listed person: templates of earlier touches.
func fingerRecord(p *finger.Person) (*record.Record, error) {
	r := &record.Record{
		Schema: record.SchemaVersion, ID: recordFingers, Edition: 1,
		Names: []record.Name{{Full: "FOUND BY FINGERS", Script: "Latn", Kind: record.NamePrimary, Quality: record.NameLow}},
	}
	e := extract.NewExtractor()
	for _, position := range listedFingers {
		print, err := p.Print(position, finger.Good, 0)
		if err != nil {
			return nil, err
		}
		t, err := e.Extract(&extract.Image{Pix: print.Pix, Width: prints.Width, Height: prints.Height, DPI: prints.DPI})
		if err != nil {
			return nil, fmt.Errorf("enrol finger %d: %w", position, err)
		}
		iso, err := extract.MarshalISO([]extract.View{{Template: t, Position: uint8(position)}})
		if err != nil {
			return nil, err
		}
		r.Fingers = append(r.Fingers, record.Finger{Position: position, Format: record.MinutiaeISO19794, Template: iso, Quality: t.Quality, Impress: record.PressedLive})
		// What will be laid down: growing a finger takes seconds, and the post does
		// not wait for it.
		for _, touch := range []finger.Touch{finger.Dry, finger.Good} {
			if _, err := p.Print(position, touch, 1); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// feeder lays the fingers of who stands at the post on the sensor, each when
// the post asks for it, and lifts one that its capture has not taken.
type feeder struct {
	sensor finger.Sensor
	// again signs in anew: a session does not outlive the daemon, nor its keys.
	again  func(context.Context) (*client.Client, error)
	person atomic.Pointer[finger.Person] // nil: nobody, who gives nothing

	// Of run alone: what lies on the sensor, and how it is lifted. lift returns
	// when the sensor is free.
	of   asking
	lift func()
}

// asking names what is asked for: one finger, or hand, of one encounter.
type asking struct {
	encounter string
	position  int
}

// layLimit is how long a finger waits for a capture that has just begun.
const layLimit = 10 * time.Second

// run follows the post until ctx ends. A finger is dry the first time it is
// asked for and good from then on; of a hand one finger stays off the first time.
func (f *feeder) run(ctx context.Context, c *client.Client) error {
	asked := map[asking]uint64{}
	after := uint64(0)
	var since time.Time // what was asked for before is not answered any more
	f.lift = func() {}
	defer func() { f.lift() }()
	for ctx.Err() == nil {
		err := c.Watch(ctx, after, func(ev client.Event) (bool, error) {
			after = ev.Seq
			return true, f.happened(ctx, ev, since, asked)
		}, func() (bool, error) { return true, nil }) // a capture that was missed fails, and the officer asks again
		f.lift()
		if err != nil && ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond): // a post that starts anew
			}
			begun := time.Now()
			if other, err := f.again(ctx); err == nil {
				c, after, since = other, 0, begun // its events are counted anew
			}
		}
	}
	return nil
}

// happened lays down what is asked for and lifts what is asked for no more: left
// there, the next capture would take it for the finger that it asks for.
func (f *feeder) happened(ctx context.Context, ev client.Event, since time.Time, asked map[asking]uint64) error {
	if ev.Kind == "encounter.outcome" && ev.Encounter == f.of.encounter {
		f.lift()
	}
	var now client.Finger
	if ev.Kind != "finger.changed" || json.Unmarshal(ev.Data, &now) != nil {
		return nil
	}
	of := asking{ev.Encounter, now.Position}
	if now.State != "running" && of == f.of {
		f.lift()
	}
	p := f.person.Load()
	if ev.Time.Before(since) || now.State != "running" || now.Advice != "place" || p == nil {
		return nil
	}
	f.lift() // the sensor has one capture at a time: that of before is over
	asked[of]++
	print, err := give(p, now.Position, asked[of])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, layLimit)
	done := make(chan struct{})
	f.of, f.lift = of, func() { cancel(); <-done }
	go func() {
		defer close(done)
		// The officer sees that no finger came; here nobody can help it.
		_ = f.sensor.Lay(ctx, print)
	}()
	return nil
}

// give is what a person lays down that has been asked for something n times.
func give(p *finger.Person, position int, n uint64) (*image.Gray, error) {
	if position > finger.Last {
		lay := finger.Lacking
		if n > 1 {
			lay = finger.Whole
		}
		return p.Slap(position, lay, 1)
	}
	touch := finger.Dry
	if n > 1 {
		touch = finger.Good
	}
	return p.Print(position, touch, 1)
}

// fingers has the script take what is to be taken of an encounter and go on.
func (s *script) fingers(ctx context.Context, id string, positions []int) error {
	for _, position := range positions {
		for {
			if _, err := s.client.CaptureFinger(ctx, id, position); err != nil {
				return err
			}
			f, err := s.finger(ctx, id, position)
			if err != nil {
				return err
			}
			s.show.finger(f)
			if f.State == "taken" {
				break
			}
			if f.State != "open" || f.Tries == 0 {
				return fmt.Errorf("finger %d is %s: %s (%s)", position, f.State, f.Code, f.Hint)
			}
		}
	}
	_, err := s.client.EndFingers(ctx, id)
	return err
}

// finger waits until the sensor has answered.
func (s *script) finger(ctx context.Context, id string, position int) (client.Finger, error) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		e, err := s.client.Get(ctx, id)
		if err != nil {
			return client.Finger{}, err
		}
		for _, f := range e.Fingers {
			if f.Position == position && f.State != "running" {
				return f, nil
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return client.Finger{}, context.Cause(ctx)
		}
	}
}

func (s *screen) finger(f client.Finger) {
	if s.quiet {
		return
	}
	why := ""
	if f.Code != "" {
		why = ", " + f.Code
	}
	what := "finger"
	if f.Position > finger.Last {
		what = "hand"
	}
	s.line("    %s %-2d %s, try %d, quality %d%s", what, f.Position, f.State, f.Tries, f.Quality, why)
}
