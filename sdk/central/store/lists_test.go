package store_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("lists " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// TestAttackLists: a list is approved by as many different operators as its feed
// asks, each by a signature that the feed's metadata need.
func TestAttackLists(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	for _, name := range []string{"anna", "boris", "carla", "gone"} {
		if err := s.AddOperator(ctx, name, keyOf(name).Public().(ed25519.PublicKey), nil, "test"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.RetireOperator(ctx, "gone", "test"); err != nil {
		t.Fatal(err)
	}
	raw, err := repo.Delegations(1, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.ProposeList(ctx, "targets", raw, 3, "test", "anna", time.Now().Add(time.Hour))
	if err != nil || p.Needed != 3 {
		t.Fatalf("%+v, %v", p, err)
	}
	signature := func(name string) []byte {
		out, err := store.SignProposal(store.KindList, raw, keyOf(name))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	approve := func(name string, signature []byte) (bool, error) {
		return s.Approve(ctx, p.ID, name, signature, time.Hour)
	}
	waits := func(t *testing.T) {
		t.Helper()
		if all, err := s.ApprovedLists(ctx); err != nil || len(all) != 0 {
			t.Errorf("it counts as approved: %v, %v", all, err)
		}
	}
	for name, c := range map[string]struct {
		by        string
		signature []byte
		code      fault.Code
	}{
		"an approval's signature":    {"anna", linkv1.SignApproval("list", raw, keyOf("anna")), "approve.signature"},
		"an order's signature":       {"anna", linkv1.SignOrder(raw, keyOf("anna")), "approve.signature"},
		"a signature over the bytes": {"anna", ed25519.Sign(keyOf("anna"), raw), "approve.signature"},
		"another's signature":        {"anna", signature("boris"), "approve.signature"},
		"no signature":               {"anna", nil, "approve.signature"},
		"a stranger":                 {"mallory", signature("mallory"), "approve.unknown_operator"},
		"a retired operator":         {"gone", signature("gone"), "approve.unknown_operator"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := approve(c.by, c.signature); fault.CodeOf(err) != c.code {
				t.Errorf("ended in %v, must be %s", err, c.code)
			}
			waits(t)
		})
	}
	for _, name := range []string{"anna", "boris"} {
		if done, err := approve(name, signature(name)); done || err != nil {
			t.Fatalf("%s: %v, %v", name, done, err)
		}
	}
	t.Run("two of three needed", waits)
	t.Run("the same operator again", func(t *testing.T) {
		if _, err := approve("boris", signature("boris")); !errors.Is(err, store.ErrSameOperator) {
			t.Error(err)
		}
		waits(t)
	})
	if done, err := approve("carla", signature("carla")); !done || err != nil {
		t.Fatal(done, err)
	}
	all, err := s.ApprovedLists(ctx)
	if err != nil || len(all) != 1 || len(all[0].By) != 3 || all[0].Role != "targets" {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := s.Published(ctx, p.ID, ""); err != nil {
		t.Fatal(err)
	}
	t.Run("published twice", func(t *testing.T) {
		if err := s.Published(ctx, p.ID, "listfeed.other_text"); !errors.Is(err, store.ErrNotWaiting) {
			t.Error(err)
		}
		if now, err := s.ProposalByID(ctx, p.ID); err != nil || now.Published == nil || now.Refused != nil {
			t.Errorf("%+v, %v", now, err)
		}
		waits(t)
	})
}

// TestAttackLock: a post that an order has locked gets no lease until two lift
// the lock, or the post says that an officer has.
func TestAttackLock(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	call := byte(0)
	lease := func() error {
		call++
		return s.Released(ctx, "desk-1", []byte{call}, false)
	}
	lock := func() store.Proposal {
		t.Helper()
		if err := s.SendLock(ctx, "desk-1", "test", "anna", time.Hour, func(c []byte) []byte { return linkv1.SignOrder(c, keyOf("central")) }); err != nil {
			t.Fatal(err)
		}
		all, err := s.Proposals(ctx, "approved", 1)
		if err != nil {
			t.Fatal(err)
		}
		return all[0]
	}
	count := uint64(0)
	hello := func(command, locked uint64) {
		t.Helper()
		count++
		h := &linkv1.HelloRequest{Starts: 1, Run: make([]byte, 16), Count: count, Command: command, Locked: locked, AuditNumber: -1}
		if _, err := s.Hello(ctx, "desk-1", h); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(t *testing.T) {
		t.Helper()
		if err := lease(); !errors.Is(err, store.ErrLocked) || !fault.IsRetryable(err) {
			t.Errorf("a lease ended in %v", err)
		}
	}
	if err := lease(); err != nil {
		t.Fatal(err)
	}
	lock()
	t.Run("before the post has taken it", refused)
	hello(0, 0)
	t.Run("a hello from before", refused)
	hello(1, 1)
	t.Run("when it has", refused)
	hello(1, 0)
	if err := lease(); err != nil {
		t.Errorf("after an officer's unlocking: %v", err)
	}
	for _, name := range []string{"anna", "boris"} {
		if err := s.AddOperator(ctx, name, keyOf(name).Public().(ed25519.PublicKey), nil, "test"); err != nil {
			t.Fatal(err)
		}
	}
	lock()
	o := &linkv1.Order{ExpiresMs: time.Now().Add(time.Hour).UnixMilli(), Reason: "test", What: &linkv1.Order_Unlock{Unlock: &linkv1.UnlockPost{}}}
	p, err := s.ProposeOrder(ctx, o, []string{"desk-1"}, "desk-1", "anna")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("an unlock proposed", refused)
	for i, name := range []string{"anna", "boris"} {
		if done, err := s.Approve(ctx, p.ID, name, linkv1.SignOrder(p.Content, keyOf(name)), time.Hour); err != nil || done != (i == 1) {
			t.Fatal(done, err)
		}
		if i == 0 {
			t.Run("an unlock signed by one", refused)
		}
	}
	if err := lease(); err != nil {
		t.Errorf("after an unlock by two: %v", err)
	}
}
