package bench

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// local plays cards from this process to a vpcd on this machine's (or this
// namespace's) loopback address. It is safe for concurrent use.
type local struct {
	onEvent func(Event)
	events  chan Event
	told    sync.WaitGroup // the goroutine that tells events

	mu     sync.Mutex // guards all below
	slots  [Slots]*card
	closed bool
}

// card is one card on a slot, until done is closed.
type card struct {
	take context.CancelFunc
	done chan struct{}
}

func newLocal(onEvent func(Event)) *local {
	l := &local{onEvent: onEvent, events: make(chan Event, Slots)}
	l.told.Go(func() {
		for e := range l.events {
			l.onEvent(e)
		}
	})
	return l
}

func (l *local) insert(ctx context.Context, slot int, doc *passport.Document) error {
	chip, err := passport.NewChip(doc)
	if err != nil {
		return err
	}
	c, link, err := l.lay(ctx, slot, chip)
	if err != nil {
		return err
	}
	timer := time.NewTimer(seenTimeout)
	defer timer.Stop()
	select {
	case <-link.Seen():
		return nil
	case <-c.done:
		return fault.New(codeSlot, "the reader did not keep the card in slot %d", slot)
	case <-timer.C:
		err = fault.New(codeSlot, "pcscd did not see the card in slot %d within %v", slot, seenTimeout)
	case <-ctx.Done():
		err = fault.Wrap(codeSlot, ctx.Err())
	}
	c.take()
	<-c.done
	return err
}

// lay connects a card to a free slot.
func (l *local) lay(ctx context.Context, slot int, chip *passport.Chip) (*card, *passport.VPCD, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, nil, ErrClosed
	case l.slots[slot] != nil:
		return nil, nil, fault.New(codeSlot, "a card lies on slot %d already", slot)
	}
	link, err := passport.DialVPCD(ctx, slotAddr(slot))
	if err != nil {
		return nil, nil, err
	}
	served, take := context.WithCancel(context.WithoutCancel(ctx)) // the card outlives the call that laid it
	c := &card{take: take, done: make(chan struct{})}
	l.slots[slot] = c
	go l.serve(served, slot, c, link, chip)
	return c, link, nil
}

func (l *local) serve(ctx context.Context, slot int, c *card, link *passport.VPCD, chip *passport.Chip) {
	err := link.Serve(ctx, chip)
	c.take()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slots[slot] = nil
	if err != nil && !l.closed {
		e := Event{Kind: "hung-up", Slot: slot}
		if errors.Is(err, passport.ErrTorn) {
			e.Kind = "torn"
		}
		select {
		case l.events <- e:
		default: // nobody listens; a card must not hang on that
		}
	}
	close(c.done)
}

func (l *local) remove(ctx context.Context, slot int) error {
	l.mu.Lock()
	c := l.slots[slot]
	l.mu.Unlock()
	if c == nil {
		return fault.New(codeSlot, "no card lies on slot %d", slot)
	}
	c.take()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return fault.Wrap(codeSlot, ctx.Err())
	}
}

// plug is for who owns the reader, and this bench only plays its cards.
func (l *local) plug(context.Context, bool) error {
	return fault.New(codeSlot, "the reader belongs to another pcscd and stays plugged in")
}

func (l *local) close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	slots := l.slots
	l.mu.Unlock()
	for _, c := range slots {
		if c != nil {
			c.take()
			<-c.done
		}
	}
	l.mu.Lock()
	close(l.events) // no serve is left that could send
	l.mu.Unlock()
	l.told.Wait()
	return nil
}
