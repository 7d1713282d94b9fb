package command

import (
	"errors"
	"testing"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

func locking(number uint64) *linkv1.Order {
	o := recalling(number, "")
	o.What = &linkv1.Order_Lock{Lock: &linkv1.LockPost{}}
	return o
}

func unlocking(number uint64) *linkv1.Order {
	o := recalling(number, "")
	o.What = &linkv1.Order_Unlock{Unlock: &linkv1.UnlockPost{}}
	return o
}

// TestAttackLock: a lock is lifted by two owners or by an officer at the post,
// and by nothing else.
func TestAttackLock(t *testing.T) {
	for name, c := range map[string]struct {
		code  fault.Code
		order *linkv1.SignedOrder
	}{
		"unlock by central alone":           {"command.too_few", signed(unlocking(9), "central")},
		"unlock by one owner":               {"command.too_few", signed(unlocking(9), "anna")},
		"unlock by one owner and central":   {"command.too_few", signed(unlocking(9), "anna", "central")},
		"unlock by one owner twice":         {"command.same_owner", signed(unlocking(9), "anna", "anna")},
		"unlock by a stranger":              {"command.unknown_owner", signed(unlocking(9), "anna", "mallory")},
		"unlock from before the lock":       {"command.replayed", both(unlocking(4))},
		"unlock under a number passed over": {"command.order", both(unlocking(6))},
		"lock's signatures under an unlock": {"command.signature", &linkv1.SignedOrder{Content: both(unlocking(9)).Content, Signatures: both(locking(9)).Signatures}},
		"unlock of another post": {"command.other_post", func() *linkv1.SignedOrder {
			o := unlocking(9)
			o.Targets = o.Targets[:1]
			return both(o)
		}()},
		"unlock that has run out": {"command.expired", func() *linkv1.SignedOrder {
			o := unlocking(9)
			o.IssuedMs, o.ExpiresMs = o.IssuedMs-2000, o.IssuedMs-1000
			return both(o)
		}()},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.must(both(unlocking(4))) // of a lock that is long over
			if _, err := b.take(signed(locking(7), "central")); !errors.Is(err, ErrLocked) || b.ledger.Locked() != 7 {
				t.Fatalf("%v, locked by %d", err, b.ledger.Locked())
			}
			b.restart()
			if _, err := b.take(c.order); fault.CodeOf(err) != c.code {
				t.Errorf("ended in %v, must be %s", err, c.code)
			}
			if b.ledger.Locked() != 7 {
				t.Error("the lock was lifted")
			}
			b.restart()
			b.must(both(unlocking(10)))
			if b.ledger.Locked() != 0 {
				t.Error("two owners do not lift the lock")
			}
		})
	}
}

// TestLift: an officer's own unlocking lifts a lock, and is written down.
func TestLift(t *testing.T) {
	b := newBox(t)
	if _, err := b.take(signed(locking(3), "central")); !errors.Is(err, ErrLocked) {
		t.Fatal(err)
	}
	for range 2 { // the second has nothing to lift
		if err := b.ledger.Lift("officer"); err != nil || b.ledger.Locked() != 0 {
			t.Fatal(err)
		}
	}
	b.restart()
	if b.ledger.Locked() != 0 || b.ledger.Last() != 3 {
		t.Fatalf("locked by %d, last %d", b.ledger.Locked(), b.ledger.Last())
	}
	lifts := 0
	for line, err := range audit.Lines(b.store.AuditLines) {
		if err != nil {
			t.Fatal(err)
		}
		if line.Actor == "officer" && line.Facts["command"] == "unlock" && line.Facts["number"] == "3" {
			lifts++
		}
	}
	if lifts != 1 {
		t.Errorf("%d audit lines of lifting", lifts)
	}
}
