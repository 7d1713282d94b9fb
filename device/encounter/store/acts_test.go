package store

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
)

// The tests of crashes let a process of its own carry out acts, numbered from
// 0, and say each when it is done. Each act is one transaction, and what the
// store holds after so many acts follows from their number alone (after).

const actsEach = 6 // of one encounter; the later ones act on those before it

// act carries out act n.
func act(s *Store, n int) error {
	k := n / actsEach
	line := audit.Line{Actor: "o1", Action: "test.act", Encounter: strconv.Itoa(n)}
	switch n % actsEach {
	case 0:
		return s.Commit(Change{Encounter: id(k), State: state(k, 0), Audit: []audit.Line{line}})
	case 1:
		return s.Commit(Change{Encounter: id(k), State: state(k, 1), Audit: []audit.Line{line, line}})
	case 2:
		return s.Commit(Change{
			Encounter: id(k), State: state(k, 2), Outbox: message(k), Audit: []audit.Line{line},
			Close: &Closing{StateUntil: int64(2000 + k), Evidence: evidence(k), EvidenceUntil: int64(1000 + k)},
		})
	case 3:
		return s.Delivered(int64(k-2+1), line) // its number counts from 1; none before the third encounter
	case 4:
		return s.Expire(Kept{int64(1000 + k - 3), KindEvidence, id(k - 3)}, line)
	}
	if err := s.SetCursor("act", []byte(strconv.Itoa(n)), line); err != nil {
		return err
	}
	return nil
}

func id(k int) string { return fmt.Sprintf("e%04d", k) }

// state and the like differ in length, so that pages split and merge.
func state(k, step int) []byte {
	return []byte(fmt.Sprintf("state %d of %s.", step, id(k)) + strings.Repeat("s", (k*7919+step*104729)%9000))
}

func evidence(k int) []byte {
	return []byte("evidence of " + id(k) + strings.Repeat("e", k*6101%20000))
}

func message(k int) []byte { return []byte("message of " + id(k)) }

// after tells what the store holds after n acts.
func after(n int) string {
	var b strings.Builder
	done := func(k, step int) bool { return k >= 0 && k*actsEach+step < n }
	lines := 0
	for i := range n {
		if lines++; i%actsEach == 1 {
			lines++
		}
	}
	fmt.Fprintf(&b, "%d lines\n", lines)
	for k := 0; done(k, 0); k++ {
		step := 0
		for step < 2 && done(k, step+1) {
			step++
		}
		fmt.Fprintf(&b, "%s: %s\n", id(k), short(state(k, step)))
	}
	for k := 0; done(k, 2); k++ {
		if !done(k+3, 4) {
			fmt.Fprintf(&b, "evidence %s: %s\n", id(k), short(evidence(k)))
		}
	}
	for k := 0; done(k, 2); k++ {
		if !done(k+2, 3) {
			fmt.Fprintf(&b, "message %d: %s\n", k+1, short(message(k)))
		}
	}
	cursor := ""
	for k := 0; done(k, 5); k++ {
		cursor = strconv.Itoa(k*actsEach + 5)
	}
	fmt.Fprintf(&b, "cursor %s\n", cursor)
	return b.String()
}

func short(b []byte) string { return fmt.Sprintf("%.24s %d", b, len(b)) }

// holds tells what a store holds, in the words of after, and the first error.
func holds(s *Store) (string, error) {
	head, err := s.VerifyAudit()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d lines\n", head.Lines)
	var ids []string
	err = s.Encounters(func(id string, state []byte, err error) error {
		ids = append(ids, id)
		fmt.Fprintf(&b, "%s: %s\n", id, short(state))
		return err
	})
	if err != nil {
		return "", err
	}
	due, err := s.Due(1<<40, 1<<20)
	if err != nil {
		return "", err
	}
	for _, id := range ids {
		e, err := s.Evidence(id)
		if kept := slices.ContainsFunc(due, func(k Kept) bool { return k.Kind == KindEvidence && k.ID == id }); kept != (err == nil) {
			return "", fmt.Errorf("evidence of %s: due %v, %w", id, kept, err)
		}
		if err == nil {
			fmt.Fprintf(&b, "evidence %s: %s\n", id, short(e))
		}
	}
	box, err := s.Outbox(1 << 20)
	if err != nil {
		return "", err
	}
	for _, w := range box {
		fmt.Fprintf(&b, "message %d: %s\n", w.Seq, short(w.Message))
	}
	cursor, err := s.Cursor("act")
	fmt.Fprintf(&b, "cursor %s\n", cursor)
	return b.String(), err
}

// stands returns after how many acts a store stands, of those that may be.
func stands(s *Store, may ...int) (int, error) {
	have, err := holds(s)
	if err != nil {
		return 0, err
	}
	for _, n := range may {
		if have == after(n) {
			return n, nil
		}
	}
	want := after(may[0])
	for i, l := range strings.Split(have, "\n") {
		if w := strings.Split(want, "\n"); i >= len(w) || w[i] != l {
			return 0, fmt.Errorf("not what is held after any of %v acts; line %d is %q", may, i, l)
		}
	}
	return 0, fmt.Errorf("less than after %v acts", may)
}

// TestActs holds that after tells the truth; the crash tests lean on it.
func TestActs(t *testing.T) {
	s := open(t, t.TempDir(), newGCM(t, 1))
	for n := range 60 {
		if err := act(s, n); err != nil {
			t.Fatal(err)
		}
		if _, err := stands(s, n+1); err != nil {
			t.Fatalf("act %d: %v", n, err)
		}
	}
}

// actor is what the child process does: acts from FROM to TO in the folder
// DIR, all on one thread, saying "done N" after each or "failed CODE".
func actor(t *testing.T, dir string) {
	runtime.LockOSThread()
	from, _ := strconv.Atoi(os.Getenv("WATCHPOST_TEST_FROM"))
	to, err := strconv.Atoi(os.Getenv("WATCHPOST_TEST_TO"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, newGCM(t, 1))
	for n := from; err == nil && n < to; n++ {
		if err = act(s, n); err == nil {
			fmt.Printf("done %d\n", n)
		}
	}
	if err != nil {
		fmt.Printf("failed %s\n", fault.CodeOf(err))
	}
	if s != nil {
		_ = s.Close() // it may be what fails
	}
}
