package publish_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/sdk/central/publish"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// queue stands for central's database: whatever a hostile one says.
type queue struct {
	mu    sync.Mutex // protects what follows
	all   []store.Approved
	ended map[string]string // code by id, "" for published
	wake  func()
	noted chan string
}

func newQueue() *queue { return &queue{ended: map[string]string{}, noted: make(chan string, 16)} }

func (q *queue) ApprovedLists(context.Context) ([]store.Approved, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(q.all), func(a store.Approved) bool { _, ended := q.ended[string(a.ID)]; return ended }), nil
}

func (q *queue) Published(_ context.Context, id []byte, code string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended[string(id)] = code
	q.noted <- code
	return nil
}

func (q *queue) WaitLists(ctx context.Context, f func()) error {
	q.mu.Lock()
	q.wake = f
	q.mu.Unlock()
	f()
	<-ctx.Done()
	return fault.New("central.database", "gone")
}

// approve puts what was approved into the queue and returns how it ended.
func (q *queue) approve(t *testing.T, a store.Approved) fault.Code {
	t.Helper()
	q.mu.Lock()
	q.all = append(q.all, a)
	wake := q.wake
	q.mu.Unlock()
	if wake != nil {
		wake()
	}
	select {
	case code := <-q.noted:
		return fault.Code(code)
	case <-time.After(time.Minute):
		t.Fatal("the approval is not dealt with")
		return ""
	}
}

// TestAttackQueue: whatever the database says was approved, only what two
// approvers of the feed have signed, and what is still staged, is published and
// announced.
func TestAttackQueue(t *testing.T) {
	k := target.KeyName{Name: "un-sc", Epoch: 1}
	signed := func(t *testing.T, raw []byte, by ...string) (out []store.Approver) {
		t.Helper()
		for _, name := range by {
			s, err := repo.Signature(raw, feedtest.Key(name))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, store.Approver{Key: feedtest.Public(name)[0], Signature: s})
		}
		return out
	}
	type world struct {
		*feedtest.World
		t      *testing.T
		q      *queue
		staged []byte
	}
	for name, c := range map[string]struct {
		code fault.Code
		what func(w *world) store.Approved
	}{
		"signed by one": {"listfeed.signatures", func(w *world) store.Approved {
			return store.Approved{Role: "un", Metadata: w.staged, By: signed(w.t, w.staged, "anna")}
		}},
		"signed by nobody": {"listfeed.signatures", func(w *world) store.Approved { return store.Approved{Role: "un", Metadata: w.staged} }},
		"signed by two strangers": {"listfeed.signatures", func(w *world) store.Approved {
			return store.Approved{Role: "un", Metadata: w.staged, By: signed(w.t, w.staged, "mallory", "trudy")}
		}},
		"the same signer twice": {"listfeed.signatures", func(w *world) store.Approved {
			return store.Approved{Role: "un", Metadata: w.staged, By: append(signed(w.t, w.staged, "anna"), signed(w.t, w.staged, "anna")...)}
		}},
		"a signature under another's key": {"listfeed.signatures", func(w *world) store.Approved {
			by := signed(w.t, w.staged, "anna", "mallory")
			by[1].Key = feedtest.Public("boris")[0]
			return store.Approved{Role: "un", Metadata: w.staged, By: by}
		}},
		"signatures of something else": {"listfeed.signatures", func(w *world) store.Approved {
			other := append([]byte(nil), w.staged...)
			w.Must(w.Repo.Stage("un", w.Now.Add(2*time.Hour), nil))
			now, err := w.Repo.ReadStaged("un")
			w.Must(err)
			return store.Approved{Role: "un", Metadata: now, By: signed(w.t, other, "anna", "boris")}
		}},
		"something else staged meanwhile": {"listfeed.other_text", func(w *world) store.Approved {
			w.Must(w.Repo.Stage("un", w.Now.Add(time.Hour), []repo.Entry{w.Segment("un", k, target.Change{Op: target.OpWithdraw, ID: "p2"})}))
			return store.Approved{Role: "un", Metadata: w.staged, By: signed(w.t, w.staged, "anna", "boris")}
		}},
		"of another owner's role": {"listfeed.not_staged", func(w *world) store.Approved {
			return store.Approved{Role: "site", Metadata: w.staged, By: signed(w.t, w.staged, "anna", "boris")}
		}},
		"an earlier publication again": {"listfeed.not_staged", func(w *world) store.Approved {
			before := w.staged
			if code := w.q.approve(w.t, store.Approved{ID: []byte("first"), Role: "un", Metadata: before, By: signed(w.t, before, "anna", "boris")}); code != "" {
				w.t.Fatal(code)
			}
			w.Must(w.Repo.Stage("un", w.Now.Add(time.Hour), []repo.Entry{w.Segment("un", k, target.Change{Op: target.OpWithdraw, ID: "p2"})}))
			next, err := w.Repo.ReadStaged("un")
			w.Must(err)
			if code := w.q.approve(w.t, store.Approved{ID: []byte("second"), Role: "un", Metadata: next, By: signed(w.t, next, "anna", "boris")}); code != "" {
				w.t.Fatal(code)
			}
			return store.Approved{Role: "un", Metadata: before, By: signed(w.t, before, "anna", "boris")}
		}},
		"a role that is a path":  {"listfeed.not_staged", func(w *world) store.Approved { return store.Approved{Role: "../un", Metadata: w.staged} }},
		"metadata that are none": {"listfeed.not_staged", func(w *world) store.Approved { return store.Approved{Role: "nobody", Metadata: []byte("{")} }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := feedtest.Dir(t)
			w := &world{World: feedtest.New(t, dir), t: t, q: newQueue()}
			d := w.Device()
			w.Commit("un", append(w.Generation("un", k, 1, feedtest.Record("un-sc", "p1", "N1"), feedtest.Record("un-sc", "p2", "N2")), w.Devices("un", k, d))...)
			w.Must(w.Repo.Stage("un", w.Now.Add(time.Hour), []repo.Entry{w.Segment("un", k, target.Change{Op: target.OpWithdraw, ID: "p1"})}))
			var err error
			w.staged, err = w.Repo.ReadStaged("un")
			w.Must(err)
			p, err := publish.Open(publish.Options{Dir: dir, Keys: feedtest.Online(), Now: func() time.Time { return w.Now }})
			w.Must(err)
			defer p.Close()
			announced := make(chan *target.Bundle, 8)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				p.Carry(ctx, w.q, func(b *target.Bundle) error { announced <- b; return nil }, slog.New(slog.DiscardHandler))
			}()
			a := c.what(w)
			before := len(announced)
			a.ID = []byte("attack")
			if code := w.q.approve(t, a); code != c.code {
				t.Errorf("ended in %q, must be %s", code, c.code)
			}
			stop()
			<-done
			if len(announced) != before {
				t.Error("it was announced")
			}
			if raw, err := w.Repo.ReadStaged("un"); err == nil { // is not in force
				if there, err := w.Repo.IsPublished("un", raw); err != nil || there {
					t.Errorf("published: %v", err)
				}
			}
		})
	}
}

// TestPublishedOnce: central ended between publishing and noting it. The next
// announces it again and notes it; nothing is signed anew.
func TestPublishedOnce(t *testing.T) {
	dir := feedtest.Dir(t)
	w := feedtest.New(t, dir)
	d := w.Device()
	k := target.KeyName{Name: "un-sc", Epoch: 1}
	w.Commit("un", append(w.Generation("un", k, 1, feedtest.Record("un-sc", "p1", "N1")), w.Devices("un", k, d))...)
	w.Must(w.Repo.Stage("un", w.Now.Add(time.Hour), []repo.Entry{w.Segment("un", k, target.Change{Op: target.OpWithdraw, ID: "p1"})}))
	staged, err := w.Repo.ReadStaged("un")
	w.Must(err)
	w.SignStaged("un", "anna", "boris")
	w.Publish()
	p, err := publish.Open(publish.Options{Dir: dir, Keys: feedtest.Online(), Now: func() time.Time { return w.Now }})
	w.Must(err)
	defer p.Close()
	q := newQueue()
	announced := make(chan *target.Bundle, 8)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Carry(ctx, q, func(b *target.Bundle) error { announced <- b; return nil }, slog.New(slog.DiscardHandler))
	}()
	if code := q.approve(t, store.Approved{ID: []byte("x"), Role: "un", Metadata: staged}); code != "" {
		t.Fatal(code)
	}
	stop()
	<-done
	if len(announced) != 1 {
		t.Errorf("announced %d times", len(announced))
	}
	if ok, err := w.Repo.IsPublished("un", staged); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}
