package audit_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/audittest"
	"github.com/watchpost/watchpost/device/fault"
)

// cutLog is a log of 62 lines under heads, of which the first 20 are cut.
func cutLog(t *testing.T) *audittest.Log {
	t.Helper()
	l := audittest.New(t, "p1")
	l.Work(t, 6, 10)
	covered, err := l.Lines()
	if err != nil {
		t.Fatal(err)
	}
	n, err := audit.Cut(l, l.Now, audittest.Start.Add(20*time.Second), covered, 1000)
	if err != nil || n != 20 {
		t.Fatalf("%d lines cut, %v", n, err)
	}
	l.Sign(t, "interval")
	return l
}

func check(t *testing.T, l *audittest.Log) error {
	t.Helper()
	_, all, err := audit.Check(l, audit.Rules{Origin: l.Origin, Key: l.Verifier(t), MaxGap: time.Hour}, audit.Evidence{Source: "post", Heads: l.RawHeads})
	for _, f := range all {
		if err == nil {
			err = f.Err
		}
	}
	return err
}

func TestCutKeepsEveryHead(t *testing.T) {
	before := audittest.New(t, "p1")
	before.Work(t, 6, 10)
	l := cutLog(t)
	if err := check(t, l); err != nil {
		t.Fatal(err)
	}
	for i, h := range before.RawHeads { // all heads of before, kept by somebody
		if !bytes.Equal(h, l.RawHeads[i]) {
			t.Fatalf("head %d is another", i)
		}
	}
	if bytes.Contains(bytes.Join(l.RawLines[:20], nil), []byte("border_check")) {
		t.Error("a cut line still says something")
	}
	seen := 0
	for line, err := range audit.Lines(func(from int64, limit int) ([][]byte, error) {
		end := min(from+int64(limit), int64(len(l.RawLines)))
		return l.RawLines[from:end], nil
	}) {
		if err != nil {
			t.Fatal(err)
		}
		if line.IsCut() != (line.Seq < 20) {
			t.Errorf("line %d: cut %v", line.Seq, line.IsCut())
		}
		seen++
	}
	if seen != len(l.RawLines) {
		t.Errorf("%d of %d lines read", seen, len(l.RawLines))
	}
	// Again: nothing is old enough; later: the next ones.
	if n, err := audit.Cut(l, l.Now, audittest.Start.Add(20*time.Second), 1000, 1000); n != 0 || err != nil {
		t.Errorf("cut again: %d, %v", n, err)
	}
	if n, err := audit.Cut(l, l.Now, l.Now, 1000, 5); n != 5 || err != nil {
		t.Errorf("five more: %d, %v", n, err)
	}
	if err := check(t, l); err != nil {
		t.Error(err)
	}
}

func TestCutSpares(t *testing.T) {
	for name, c := range map[string]struct {
		before  time.Duration
		covered int64
		want    int
	}{
		"what is not under a head elsewhere": {time.Hour, 7, 7},
		"all of a witness that has nothing":  {time.Hour, 0, 0},
		"what is young enough":               {3 * time.Second, 61, 3},
		"the last line":                      {time.Hour, 1000, 60},
	} {
		t.Run(name, func(t *testing.T) {
			l := audittest.New(t, "p1")
			l.Work(t, 6, 10)
			if n, err := audit.Cut(l, l.Now, audittest.Start.Add(c.before), c.covered, 1000); n != c.want || err != nil {
				t.Errorf("%d lines cut, want %d, %v", n, c.want, err)
			}
		})
	}
}

// TestAttackCut makes lines look as if their time had run out.
func TestAttackCut(t *testing.T) {
	stub := func(t *testing.T, l *audittest.Log, seq int64) []byte { // as a cut of this very line would leave it
		t.Helper()
		c := l.Clone()
		if _, err := audit.Cut(c, c.Now, c.Now.Add(time.Hour), seq+1, 1000); err != nil {
			t.Fatal(err)
		}
		return c.RawLines[seq]
	}
	for name, tc := range map[string]struct {
		do   func(*testing.T, *audittest.Log)
		code fault.Code
	}{
		"one line more than the log says": {func(t *testing.T, l *audittest.Log) { l.RawLines[20] = stub(t, l, 20) }, "audit.missing_line"},
		"one between others":              {func(t *testing.T, l *audittest.Log) { l.RawLines[40] = stub(t, l, 40) }, "audit.missing_line"},
		"a line put back with other words": {func(_ *testing.T, l *audittest.Log) {
			l.RawLines[19] = bytes.Replace(l.RawLines[25], []byte(`"seq":25`), []byte(`"seq":19`), 1)
		}, "audit.changed_line"},
		"another hash in its place": {func(_ *testing.T, l *audittest.Log) {
			l.RawLines[5] = bytes.Replace(l.RawLines[6], []byte(`"seq":6`), []byte(`"seq":5`), 1)
		}, "audit.changed_line"},
		"and the stored hashes with it": {func(t *testing.T, l *audittest.Log) {
			made := audittest.NewWithKey(t, "p1", "p1")
			made.Searches(t, "somebody else", 61)
			if _, err := audit.Cut(made, made.Now, audittest.Start.Add(20*time.Second), 1000, 1000); err != nil {
				t.Fatal(err)
			}
			l.RawLines, l.RawHashes = made.RawLines, made.RawHashes
		}, "audit.rewritten"},
	} {
		t.Run(name, func(t *testing.T) {
			l := cutLog(t)
			tc.do(t, l)
			if err := check(t, l); fault.CodeOf(err) != tc.code {
				t.Errorf("%v, want %s", err, tc.code)
			}
		})
	}
}

// copied is lines without the hashes that were stored with them.
type copied [][]byte

func (c copied) Lines() (int64, error)          { return int64(len(c)), nil }
func (c copied) Line(seq int64) ([]byte, error) { return c[seq], nil }

// TestAttackCutTail takes away the line that accounts for those cut, and all
// after it.
func TestAttackCutTail(t *testing.T) {
	l := cutLog(t)
	said := len(l.RawLines) - 1
	if _, _, err := audit.Check(copied(l.RawLines), audit.Rules{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := audit.Check(copied(l.RawLines[:said]), audit.Rules{}); fault.CodeOf(err) != "audit.missing_line" {
		t.Errorf("%v, want audit.missing_line", err)
	}
}
