package uplink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

// Outbox keeps outcomes until they are delivered.
type Outbox interface {
	Outbox(limit int) ([]store.Waiting, error)
	Delivered(seq int64, line audit.Line) error
}

// Timing and limits of the sender.
const (
	deliverLimit = 10 * time.Second // one outcome, central's commit included
	lookEvery    = 2 * time.Second  // for outcomes that nobody told us of
	batch        = 64
	atOnce       = 8         // outcomes under way; one commit of central's can carry them all
	refusedAgain = time.Hour // an outcome that central refused is tried again
)

// Sender brings outcomes from the outbox to central, the oldest are begun
// first. One sender runs at a post.
type Sender struct {
	link   *Link
	outbox Outbox
	now    func() time.Time
	log    *slog.Logger
	wake   chan struct{}

	mu      sync.Mutex
	refused map[int64]time.Time // when central refused it
}

// NewSender returns a sender for Run.
func NewSender(l *Link, outbox Outbox, now func() time.Time, log *slog.Logger) *Sender {
	return &Sender{link: l, outbox: outbox, now: now, log: log, wake: make(chan struct{}, 1), refused: map[int64]time.Time{}}
}

// Wake says that there may be a new outcome. It never blocks.
func (s *Sender) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends. A failure is tried again with growing pauses;
// an outcome that central refuses for good does not hold up the others.
func (s *Sender) Run(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	failures := 0
	for {
		if s.link.waitUp(ctx) != nil {
			return
		}
		more, err := s.deliverSome(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Warn("outcomes wait", "code", string(fault.CodeOf(err)))
			select {
			case <-time.After(backoff(failures)):
			case <-ctx.Done():
				return
			}
			failures++
			continue
		}
		failures = 0
		if more {
			continue
		}
		select {
		case <-s.wake:
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// deliverSome delivers what waits, a batch at most, and says whether there may
// be more. After an error no more are begun: it would meet them too.
func (s *Sender) deliverSome(ctx context.Context) (more bool, err error) {
	s.mu.Lock()
	maps.DeleteFunc(s.refused, func(_ int64, at time.Time) bool { return s.now().Sub(at) > refusedAgain })
	aside := len(s.refused)
	s.mu.Unlock()
	waiting, err := s.outbox.Outbox(batch + aside)
	if err != nil {
		return false, err
	}
	var work errgroup.Group
	work.SetLimit(atOnce)
	var failed atomic.Bool
	for _, w := range waiting {
		if s.isRefused(w.Seq) {
			continue
		}
		if failed.Load() {
			break
		}
		more = true
		work.Go(func() error {
			err := s.deliver(ctx, w)
			if err == nil {
				return nil
			}
			if fault.IsRetryable(err) || errors.Is(err, ErrClosed) || ctx.Err() != nil {
				failed.Store(true)
				return err
			}
			s.refuse(w.Seq, err)
			return nil
		})
	}
	return more, work.Wait()
}

func (s *Sender) isRefused(seq int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, refused := s.refused[seq]
	return refused
}

// refuse keeps an outcome aside for whoever has to find out why: it is not
// lost, and not hidden, for it stays in the count of the outbox.
func (s *Sender) refuse(seq int64, err error) {
	s.mu.Lock()
	s.refused[seq] = s.now()
	s.mu.Unlock()
	s.log.Error("central refuses an outcome", "seq", seq, "code", string(fault.CodeOf(err)))
}

// deliver brings one outcome to central and takes it out of the outbox once
// the receipt has been checked.
func (s *Sender) deliver(ctx context.Context, w store.Waiting) error {
	ctx, cancel := context.WithTimeout(ctx, deliverLimit)
	defer cancel()
	request, err := outcome(w.Message)
	if err != nil {
		return err
	}
	// The receipt is for the post that the link speaks for; a message of
	// another name (the post was renamed) is still ours to deliver.
	request.Post = s.link.o.Post
	want, err := linkv1.Digest(request)
	if err != nil {
		return fault.Wrap("link.outcome", err)
	}
	a, err := s.link.call(ctx, linkv1.DeliverSubject(s.link.o.Post), &linkv1.Call{
		PatienceMs: uint32(deliverLimit.Milliseconds()), What: &linkv1.Call_Deliver{Deliver: request},
	})
	if err != nil {
		return err
	}
	d := a.GetDeliver()
	receipt, err := linkv1.OpenReceipt(s.link.o.SignKey, d.GetReceipt(), d.GetSignature())
	if err != nil {
		return fault.New("link.receipt", "%w", err).AsRetryable()
	}
	if receipt.Post != request.Post || receipt.Id != request.Id || !bytes.Equal(receipt.RequestSha256, want) {
		return fault.New("link.receipt", "a receipt for something else")
	}
	err = s.outbox.Delivered(w.Seq, audit.Line{
		Time: s.now(), Actor: "post", Action: audit.OutcomeDelivered, Encounter: request.Encounter,
		Facts: map[string]string{"committed_ms": strconv.FormatInt(receipt.CommittedMs, 10), "receipt": d.Receipt},
	})
	if err != nil { // the disk may have room again: central gives the same receipt
		return fault.New("link.not_noted", "%w", err).AsRetryable()
	}
	return nil
}

// outcome writes a message of the outbox in the contract's words. The reason
// that an officer typed stays on the box: it is free text about a person.
func outcome(raw []byte) (*screeningv1.DeliverRequest, error) {
	var m encounter.Message
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fault.New("link.outcome", "a message of the outbox cannot be read")
	}
	var answer screening.Answer
	if err := answer.UnmarshalText([]byte(m.Answer)); err != nil {
		return nil, fault.New("link.outcome", "a message of the outbox has no answer")
	}
	// The numbers of the wire are the post's own.
	out := &screeningv1.DeliverRequest{
		Id: m.ID, Post: m.Post, Encounter: m.ID, Officer: m.Decision.Officer, Second: m.Decision.Second, Purpose: m.Purpose,
		ClosedMs: m.Decision.Time.UnixMilli(), Outcome: screeningv1.OutcomeKind(m.Decision.Outcome), Answer: screeningv1.Answer(answer), Override: m.Decision.Override,
	}
	for _, code := range slices.Sorted(maps.Keys(m.Checks)) {
		out.Checks = append(out.Checks, &screeningv1.Check{Code: code, Result: m.Checks[code]})
	}
	for _, c := range m.Candidate {
		var finding encounter.Finding
		if err := finding.UnmarshalText([]byte(c.Finding)); err != nil {
			return nil, fault.New("link.outcome", "a message of the outbox has no finding")
		}
		out.Adjudications = append(out.Adjudications, &screeningv1.Adjudication{
			List: c.List, Record: c.Record, Finding: screeningv1.Finding(finding), Officer: m.Decision.Officer,
		})
	}
	return out, nil
}
