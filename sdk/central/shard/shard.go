// Package shard searches parts of a list on several workers at once and says
// which of them answered. A worker holds lists in clear and is run by their
// owner or by leave of it (design section 6).
package shard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
	"google.golang.org/protobuf/proto"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/vault"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

// subject is where one of the workers of shard n takes a search. Posts cannot
// publish there.
func subject(n int) string { return fmt.Sprintf("search.%d", n) }

// subjectAll is where all workers of shard n take it.
func subjectAll(n int) string { return fmt.Sprintf("search.%d.all", n) }

// Subjects are those that workers of shard n listen to.
func Subjects(n int) (one, all string) { return subject(n), subjectAll(n) }

const (
	replicas = "replicas" // queue group of the workers of a shard

	// When one worker has not answered after a quarter of the patience, all are
	// asked; not sooner than a search of a full shard takes, and not so late
	// that a second could not answer.
	hedgePart  = 4
	hedgeLeast = 50 * time.Millisecond
	hedgeMost  = 250 * time.Millisecond
)

// workingHeader says that a worker is at a search, workerHeader whose an answer
// is: so an asker knows when nobody is left to wait for.
const (
	workingHeader = "Watchpost-Working"
	workerHeader  = "Watchpost-Worker"
)

// searchHeader carries the id of a search, the same for all workers.
const searchHeader = "Watchpost-Search"

// codeHeader carries the code of an error.
const codeHeader = "Watchpost-Code"

// patienceHeader carries how long the asker waits, as time.Duration prints it.
const patienceHeader = "Watchpost-Patience"

// Searcher holds lists.
type Searcher interface {
	Ask(ctx context.Context, q screening.Question) (screening.Reply, error)
}

// Worker is a shard that is being served. Close ends it.
type Worker struct{ subs []*nats.Subscription }

// Close takes no more searches; those under way are answered.
func (w *Worker) Close() error {
	var errs []error
	for _, s := range w.subs {
		errs = append(errs, s.Unsubscribe())
	}
	return errors.Join(errs...)
}

// Serve answers searches of shard n until the worker is closed. At most parallel
// searches run at once; one more is refused with source.busy. Workers of the
// same n are replicas: they hold the same, and a search goes to one of them. Who
// gets no answer in time asks all; a worker that is at the search already goes
// on and does not begin it twice. Questions and answers are sealed under key, as
// central seals them: a broker between the two neither reads nor makes one.
func Serve(nc *nats.Conn, at Place, parallel int, lists Searcher, key *vault.Key, log *slog.Logger) (*Worker, error) {
	n := at.Shard
	slots := make(chan struct{}, parallel)
	known := searches{under: map[string]bool{}}
	us := nuid.Next()
	take := func(m *nats.Msg) {
		id := m.Header.Get(searchHeader)
		begun, under := known.begin(id)
		if m.Subject == subjectAll(n) && (!begun || under) {
			at := nats.NewMsg(m.Reply)
			at.Header.Set(workingHeader, us)
			if err := m.RespondMsg(at); err != nil {
				log.Warn("search not answered", "shard", m.Subject, "cause", err)
			}
		}
		if begun {
			return
		}
		done := func() { known.end(id) }
		select {
		case slots <- struct{}{}:
		default:
			done()
			respond(m, us, nil, fault.New("source.busy", "%d searches under way", parallel), log)
			return
		}
		go func() {
			defer done()
			out, err := search(m, at, id, lists, key)
			<-slots // before the answer: whoever has it may ask the next
			respond(m, us, out, err, log)
		}()
	}
	w := new(Worker)
	for _, subscribe := range []func() (*nats.Subscription, error){
		func() (*nats.Subscription, error) { return nc.QueueSubscribe(subject(n), replicas, take) },
		func() (*nats.Subscription, error) { return nc.Subscribe(subjectAll(n), take) },
	} {
		sub, err := subscribe()
		if err != nil {
			return nil, fault.Wrap("central.broker", errors.Join(err, w.Close()))
		}
		w.subs = append(w.subs, sub)
	}
	return w, nil
}

// searches are those that a worker has begun. Safe for concurrent use.
type searches struct {
	mu    sync.Mutex
	under map[string]bool // by id: still under way
	ended []string        // the oldest first
}

// keptSearches bounds what is remembered: more than come within one's patience.
const keptSearches = 4096

// begin notes that a search begins, unless it was begun before.
func (s *searches) begin(id string) (begun, under bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	under, begun = s.under[id]
	if id == "" {
		return false, false
	}
	if !begun {
		s.under[id] = true
	}
	return begun, under
}

func (s *searches) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" {
		return
	}
	s.under[id] = false
	if s.ended = append(s.ended, id); len(s.ended) > keptSearches {
		delete(s.under, s.ended[0])
		s.ended = s.ended[1:]
	}
}

// search answers one question, sealed.
func search(m *nats.Msg, at Place, id string, lists Searcher, key *vault.Key) ([]byte, error) {
	patience, err := time.ParseDuration(m.Header.Get(patienceHeader))
	if err != nil {
		return nil, fault.New("call.no_deadline", "a search without patience")
	}
	plain, err := unseal(key, at, toWorker, id, m.Data)
	if err != nil {
		return nil, err
	}
	in := new(screeningv1.AskRequest)
	if proto.Unmarshal(plain, in) != nil {
		return nil, fault.New("call.invalid", "no question")
	}
	q, err := Question(in)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := lists.Ask(ctx, q)
	if err != nil {
		return nil, err
	}
	out, err := proto.Marshal(response(r))
	if err != nil {
		return nil, fault.Wrap("call.invalid", err)
	}
	return seal(key, at, fromWorker, id, out)
}

func respond(m *nats.Msg, us string, out []byte, err error, log *slog.Logger) {
	reply := nats.NewMsg(m.Reply)
	reply.Header.Set(workerHeader, us)
	reply.Data = out
	if err != nil {
		reply.Header.Set(codeHeader, string(fault.CodeOf(err)))
		log.Warn("search failed", "shard", m.Subject, "code", string(fault.CodeOf(err)))
	}
	if err := m.RespondMsg(reply); err != nil {
		log.Warn("search not answered", "shard", m.Subject, "cause", err)
	}
}
