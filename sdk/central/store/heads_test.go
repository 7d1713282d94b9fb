package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit/audittest"
	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/audit/witness"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central/store"
)

func TestHeads(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	l := audittest.New(t, "desk-1")
	l.Work(t, 3, 5) // heads 1, 2, 3 over 6, 11, 16 lines

	take := func(sub witness.Submission) error {
		_, _, err := s.TakeHead(ctx, "desk-1", l.KeyText(), sub)
		return err
	}
	if err := take(l.Submission(t, 0, 0)); err != nil {
		t.Fatal(err)
	}
	_, first, err := s.TakeHead(ctx, "desk-1", l.KeyText(), l.Submission(t, 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, again, err := s.TakeHead(ctx, "desk-1", l.KeyText(), l.Submission(t, 1, 6)); err != nil || again != first {
		t.Errorf("shown again: committed %d, %v; first %d", again, err, first)
	}
	var held *witness.HeldError
	if err := take(l.Submission(t, 2, 1)); !errors.As(err, &held) || held.Lines != 6 {
		t.Errorf("a proof from another size: %v", err)
	}
	forked := l.Clone()
	forked.RawHeads = forked.RawHeads[:1]
	forked.RawLines, forked.RawHashes = forked.RawLines[:1], forked.RawHashes[:1]
	forked.Searches(t, "o9", 10)
	forked.Sign(t, checkpoint.Interval)
	forked.Sign(t, checkpoint.Interval)
	other := audittest.NewWithKey(t, "desk-1", "thief")

	for code, err := range map[fault.Code]error{
		"audit.fork":        take(forked.Submission(t, 2, 6)),
		"audit.replayed":    take(l.Submission(t, 0, 0)),
		"audit.head_origin": take(audittest.New(t, "desk-2").Submission(t, 0, 0)),
		"audit.head_forged": take(witness.Submission{Head: []byte(strings.Replace(string(l.RawHeads[2]), "\n11\n", "\n12\n", 1)), From: 6}),
		"audit.head_key": func() error {
			_, _, err := s.TakeHead(ctx, "desk-1", other.KeyText(), other.Submission(t, 0, 0))
			return err
		}(),
	} {
		if fault.CodeOf(err) != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	if _, _, err := s.TakeHead(ctx, "desk-9", l.KeyText(), l.Submission(t, 0, 0)); !errors.Is(err, store.ErrDevice) {
		t.Errorf("a head of a post that is not registered: %v", err)
	}
	if err := take(l.Submission(t, 3, 6)); err != nil { // head 2 was never shown
		t.Fatal(err)
	}

	var got []store.Head
	if err := s.Heads(ctx, "desk-1", func(h store.Head) error { got = append(got, h); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[2].Number != 3 || got[2].Lines != 16 || got[2].Head != string(l.RawHeads[3]) || got[2].Key != l.KeyText() {
		t.Errorf("held: %+v", got)
	}
	alarms, err := s.HeadAlarms(ctx)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, a := range alarms {
		seen[a.Code]++
	}
	for _, code := range []string{"audit.fork", "audit.replayed", "audit.head_origin", "audit.head_forged", "audit.head_key", "audit.head_missing"} {
		if seen[code] != 1 {
			t.Errorf("%d alarms of %s, want 1: %v", seen[code], code, seen)
		}
	}
}

func TestLateHeads(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	if late, err := s.LateHeads(ctx, time.Hour); err != nil || len(late) != 0 {
		t.Fatalf("a post that was just registered is late: %v %v", late, err)
	}
	if late, err := s.LateHeads(ctx, 0); err != nil || len(late) != 1 || late[0] != "desk-1" {
		t.Fatalf("%v %v", late, err)
	}
	if late, err := s.LateHeads(ctx, 0); err != nil || len(late) != 0 {
		t.Errorf("the same alarm twice: %v %v", late, err)
	}
	l := audittest.New(t, "desk-1")
	if _, _, err := s.TakeHead(ctx, "desk-1", l.KeyText(), l.Submission(t, 0, 0)); err != nil {
		t.Fatal(err)
	}
	alarms, err := s.HeadAlarms(ctx)
	if err != nil || len(alarms) != 1 || alarms[0].Code != "audit.head_late" || alarms[0].Ended == nil {
		t.Errorf("a head came, the alarm goes on: %+v %v", alarms, err)
	}
	if late, err := s.LateHeads(ctx, time.Hour); err != nil || len(late) != 0 {
		t.Errorf("late after a head: %v %v", late, err)
	}
	l.Sign(t, checkpoint.Stop)
	if _, _, err := s.TakeHead(ctx, "desk-1", l.KeyText(), l.Submission(t, 1, 1)); err != nil {
		t.Fatal(err)
	}
	if late, err := s.LateHeads(ctx, 0); err != nil || len(late) != 0 {
		t.Errorf("a post that said that it stops is late: %v %v", late, err)
	}
}
