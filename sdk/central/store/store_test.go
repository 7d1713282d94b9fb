package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central/centraltest"
	"github.com/watchpost/watchpost/sdk/central/postgres"
	"github.com/watchpost/watchpost/sdk/central/store"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

func open(t *testing.T) (*store.Store, *postgres.Instance) {
	t.Helper()
	pg := centraltest.Postgres(t)
	s, err := store.Open(t.Context(), pg.DSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.AddDevice(t.Context(), "desk-1", "U1"); err != nil {
		t.Fatal(err)
	}
	return s, pg
}

func outcome(id string) *screeningv1.DeliverRequest {
	return &screeningv1.DeliverRequest{
		Id: id, Post: "desk-1", Encounter: id, Officer: "o", Purpose: "test", ClosedMs: 1, Outcome: screeningv1.OutcomeKind_OUTCOME_KIND_REFERRED,
		Adjudications: []*screeningv1.Adjudication{{List: "l", Record: "r", Finding: screeningv1.Finding_FINDING_SAME_PERSON, Officer: "o"}},
	}
}

func TestStore(t *testing.T) {
	s, pg := open(t)
	ctx := t.Context()

	t.Run("an outcome is committed once", func(t *testing.T) {
		first, err := s.Deliver(ctx, "desk-1", outcome("a"))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				again, err := s.Deliver(ctx, "desk-1", outcome("a"))
				if err != nil || again.MS != first.MS {
					t.Errorf("delivered again: %+v, %v; first %+v", again, err, first)
				}
			})
		}
		wg.Wait()
		if rows, ids, err := s.Outcomes(ctx, "desk-1"); err != nil || rows != 1 || ids != 1 {
			t.Fatalf("%d rows, %d ids, %v", rows, ids, err)
		}
	})
	t.Run("another outcome of the same id is refused", func(t *testing.T) {
		r := outcome("a")
		r.Outcome = screeningv1.OutcomeKind_OUTCOME_KIND_ADMITTED
		if _, err := s.Deliver(ctx, "desk-1", r); !errors.Is(err, store.ErrConflict) {
			t.Fatal(err)
		}
	})
	t.Run("strangers and retired posts", func(t *testing.T) {
		if _, err := s.Deliver(ctx, "desk-9", outcome("b")); !errors.Is(err, store.ErrDevice) {
			t.Error(err)
		}
		if err := s.Searched(ctx, store.Search{Device: "desk-9", Call: []byte{1}}); !errors.Is(err, store.ErrDevice) {
			t.Error(err)
		}
		if _, err := s.DeviceByKey(ctx, "U9"); !errors.Is(err, store.ErrDevice) {
			t.Error(err)
		}
		if err := s.AddDevice(ctx, "old", "U2"); err != nil {
			t.Fatal(err)
		}
		if err := s.RetireDevice(ctx, "old", "test", ""); err != nil {
			t.Fatal(err)
		}
		for name, err := range map[string]error{
			"retired again": s.RetireDevice(ctx, "old", "test", ""),
			"by id":         second(s.DeviceByID(ctx, "old")),
			"by key":        second(s.DeviceByKey(ctx, "U2")),
		} {
			if !errors.Is(err, store.ErrDevice) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, err := range map[string]error{
			"retired id":  s.AddDevice(ctx, "old", "U3"),
			"retired key": s.AddDevice(ctx, "new", "U2"),
			"id in use":   s.AddDevice(ctx, "desk-1", "U4"),
		} {
			if !errors.Is(err, store.ErrDeviceExists) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, id := range []string{"", "a.b", "*", ">", "a b", "ä"} {
			if err := s.AddDevice(ctx, id, "U5"); err == nil {
				t.Errorf("device %q was taken", id)
			}
		}
	})
	t.Run("a question is answered once", func(t *testing.T) {
		q := store.Search{Device: "desk-1", Call: []byte("0123456789abcdef"), Encounter: "e", Officer: "o", Purpose: "p"}
		if err := s.Searched(ctx, q); err != nil {
			t.Fatal(err)
		}
		if err := s.Searched(ctx, q); !errors.Is(err, store.ErrReplayed) {
			t.Fatal(err)
		}
	})
	t.Run("a second central finds the schema in place", func(t *testing.T) {
		again, err := store.Open(ctx, pg.DSN())
		if err != nil {
			t.Fatal(err)
		}
		again.Close()
	})
}

func second[A any](_ A, err error) error { return err }

// TestPostgresKilled: nothing that was said to be committed is lost when the
// database is killed, and it comes back by itself.
func TestPostgresKilled(t *testing.T) {
	s, pg := open(t)
	committed := map[string]int64{} // when, by outcome
	for round := range 3 {
		for i := range 20 {
			id := fmt.Sprintf("%d-%d", round, i)
			if i == 10 {
				kill(t, pg)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if c, err := s.Deliver(ctx, "desk-1", outcome(id)); err == nil {
				committed[id] = c.MS
			}
			cancel()
		}
		back := fmt.Sprintf("%d-back", round)
		again(t, func() error {
			c, err := s.Deliver(t.Context(), "desk-1", outcome(back))
			committed[back] = c.MS
			return err
		})
	}
	// A backend of the killed one may have taken the last outcome; only then the
	// new one starts. One that was given up may still commit now, which is why
	// nothing is counted: what was lost would be committed anew, and later.
	for id, first := range committed {
		var now store.Commit
		again(t, func() (err error) { now, err = s.Deliver(t.Context(), "desk-1", outcome(id)); return err })
		if now.MS != first {
			t.Errorf("outcome %s was committed at %d and had to be written again at %d", id, first, now.MS)
		}
	}
}

// kill ends the postmaster and all its processes by force.
func kill(t *testing.T, pg *postgres.Instance) {
	t.Helper()
	// A backend of the last postmaster may still answer while the next starts,
	// is refused for its sake and ends.
	again(t, func() error {
		pid := pg.PID()
		if pid <= 1 {
			return errors.New("no postmaster runs")
		}
		return syscall.Kill(-pid, syscall.SIGKILL)
	})
}

// again calls f until it succeeds, for at most a minute.
func again(t *testing.T, f func() error) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("still after a minute: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := store.Open(t.Context(), "postgres://%zz"); err == nil {
		t.Error("no DSN was taken")
	}
	if _, err := store.Open(t.Context(), postgres.DSN(t.TempDir())); fault.CodeOf(err) != store.ErrUnavailable.Code {
		t.Errorf("nobody there: %v", err)
	}
	pg := centraltest.Postgres(t)
	var c *pgx.Conn
	again(t, func() (err error) { c, err = pgx.Connect(t.Context(), pg.DSN()); return err }) // it may still be starting
	defer c.Close(context.Background())
	for _, q := range []string{"ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"} {
		if _, err := c.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	again(t, func() error {
		s, err := store.Open(t.Context(), pg.DSN())
		if err == nil {
			s.Close()
			return errors.New("a database without fsync was taken")
		}
		if !errors.Is(err, store.ErrUnsafe) {
			return err
		}
		return nil
	})
}

// TestRestartInPlace: what was written is there after a stop.
func TestRestartInPlace(t *testing.T) {
	if os.Getenv("CI") != "true" {
		if _, err := postgres.Find(); err != nil {
			t.Skip("SKIPPED: PostgreSQL is not installed")
		}
	}
	dir := centraltest.Dir(t)
	for range 2 {
		i, err := postgres.Start(t.Context(), postgres.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(t.Context(), i.DSN())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AddDevice(t.Context(), "desk-1", "U1"); err != nil && !errors.Is(err, store.ErrDeviceExists) {
			t.Fatal(err)
		}
		s.Close()
		if err := i.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}
