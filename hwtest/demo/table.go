package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/watchpost/watchpost/hwtest/bench"
	"github.com/watchpost/watchpost/hwtest/finger"
	"github.com/watchpost/watchpost/sdk/client"
)

// table is everything of a demonstration, set and running: bench, central,
// list, processes and the officer's script.
type table struct {
	options Options // filled
	bench   *bench.Bench
	world   *World
	post    *Post
	client  *client.Client
	script  *script
	all     []encounterCase
	remote  remote
	system  *client.System // as the post began
	closers []func() error // in the order of setting
}

// set starts everything. After an error nothing is left; the caller ends it
// with clear.
func set(ctx context.Context, o Options, show *screen) (t *table, err error) {
	begun := time.Now()
	o = o.filled()
	t = &table{}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.clear())
			t = nil
		}
	}()
	dir, err := os.MkdirTemp("", "watchpost-demo-")
	if err != nil {
		return t, fmt.Errorf("make a folder for the demonstration: %w", err)
	}
	t.closing(func() error { return os.RemoveAll(dir) })

	show.step("a bench: pcscd with a virtual reader, in namespaces of its own")
	if t.bench, err = bench.Start(ctx, bench.Options{Helper: o.Helper}); err != nil {
		return t, err
	}
	t.closing(t.bench.Close)
	o.Reader = t.bench.ReaderName(0)

	pictures := Portraits{Dir: o.Portraits}
	if t.remote, err = centralCases(pictures); err != nil {
		return t, err
	}
	show.step("central: watchpost-central with a broker and a PostgreSQL of its own, and one document on a list that the post does not hold")
	if o.Central, err = StartCentral(ctx, o, t.remote.number()); err != nil {
		return t, err
	}
	t.closing(o.Central.Stop)
	t.options = o

	show.step(fmt.Sprintf("a list: %s synthetic faces, %s lost documents, one real photograph; anchors of one country; signed by two bench keys",
		thousands(o.Faces), thousands(o.Documents)))
	if t.world, err = NewWorld(ctx, dir, o); err != nil {
		return t, err
	}
	if t.all, err = cases(pictures); err != nil {
		return t, err
	}
	scenes := make(map[string]string)
	for _, s := range []Sitter{Man, Astronaut} {
		if scenes[s.Name], err = pictures.Scene(dir, s); err != nil {
			return t, err
		}
	}

	show.step("the product: watchpost-capture devices, watchpostd")
	if t.post, t.client, err = StartPost(ctx, t.world, o, t.bench.PCSCDSocket()); err != nil {
		return t, err
	}
	t.closing(t.post.Stop)
	if t.system, err = t.client.System(ctx); err != nil {
		return t, err
	}
	show.system(t.system, time.Since(begun))
	t.script = &script{client: t.client, bench: t.bench, world: t.world, scenes: scenes, show: show}
	t.feed(o)
	return t, nil
}

// feed has the person at the post give fingers when they are asked for.
func (t *table) feed(o Options) {
	t.script.feeder = &feeder{sensor: finger.Sensor{Socket: t.world.FingerSocket()}, again: t.world.signedIn}
	t.script.person = o.person()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- t.script.feeder.run(ctx, t.client) }()
	t.closing(func() error { stop(); return <-done })
}

func (t *table) closing(f func() error) { t.closers = append(t.closers, f) }

// clear ends everything, the last first.
func (t *table) clear() error {
	var errs []error
	for len(t.closers) > 0 {
		last := len(t.closers) - 1
		errs = append(errs, t.closers[last]())
		t.closers = t.closers[:last]
	}
	return errors.Join(errs...)
}
