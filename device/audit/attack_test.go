package audit_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/audittest"
	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/audit/witness"
	"github.com/watchpost/watchpost/device/fault"
)

// evidence is a log of 4 rounds of 6 lines, as it was, and what central and a
// witness hold of it.
type evidence struct {
	log              *audittest.Log
	central, witness [][]byte
	rules            audit.Rules
}

func newEvidence(t *testing.T) *evidence {
	l := audittest.New(t, "desk-1")
	l.Work(t, 4, 6)
	return &evidence{log: l, central: slices.Clone(l.RawHeads), witness: slices.Clone(l.RawHeads),
		rules: audit.Rules{Origin: l.Origin, Key: l.Verifier(t), MaxGap: time.Minute}}
}

// verdict is the first code that a check of everything ends in.
func (e *evidence) verdict() fault.Code {
	_, all, err := audit.Check(e.log, e.rules,
		audit.Evidence{Source: "post", Heads: e.log.RawHeads}, audit.Evidence{Source: "central", Heads: e.central}, audit.Evidence{Source: "witness", Heads: e.witness})
	if err != nil {
		return fault.CodeOf(err)
	}
	for _, f := range all {
		if f.Err != nil {
			return fault.CodeOf(f.Err)
		}
	}
	return ""
}

// rewritten is a log that its owner writes anew from line n on, with his own
// key and clock: the strongest attacker there is.
func (e *evidence) rewritten(t *testing.T, n int) {
	t.Helper()
	f := audittest.New(t, "desk-1")
	f.Searches(t, "o1", n-1)
	for len(f.RawLines) < len(e.log.RawLines) {
		f.Searches(t, "o9", 1)
	}
	f.RawHeads = nil
	*e.log = *f
	e.log.Sign(t, checkpoint.Start)
}

// TestAttackOnTheKeptLog is whoever changes a log and hopes that nobody sees.
func TestAttackOnTheKeptLog(t *testing.T) {
	other := audittest.New(t, "desk-2")
	other.Work(t, 4, 6)
	thief := audittest.NewWithKey(t, "desk-1", "thief")
	thief.Work(t, 4, 6)
	for _, c := range []struct {
		name string
		do   func(t *testing.T, e *evidence)
		code fault.Code
	}{
		{"a tampered line", func(_ *testing.T, e *evidence) {
			e.log.RawLines[7] = bytes.Replace(e.log.RawLines[7], []byte("o1"), []byte("o2"), 1)
		}, "audit.changed_line"},
		{"swapped lines", func(_ *testing.T, e *evidence) {
			e.log.RawLines[7], e.log.RawLines[8] = e.log.RawLines[8], e.log.RawLines[7]
		}, "audit.changed_line"},
		{"a line taken out of the middle", func(_ *testing.T, e *evidence) {
			e.log.RawLines = slices.Delete(e.log.RawLines, 7, 8)
		}, "audit.changed_line"},
		{"a record emptied", func(_ *testing.T, e *evidence) { e.log.RawLines[7] = nil }, "audit.missing_line"},
		{"a record cut", func(_ *testing.T, e *evidence) { e.log.RawLines[7] = e.log.RawLines[7][:20] }, "audit.changed_line"},
		{"a stored hash cut", func(_ *testing.T, e *evidence) { e.log.RawHashes[9] = e.log.RawHashes[9][:31] }, "audit.changed_line"},
		{"line and hash changed together", func(t *testing.T, e *evidence) {
			heads := e.log.RawHeads
			e.rewritten(t, 7)
			e.log.RawHeads = heads
		}, "audit.rewritten"},
		{"the end removed", func(_ *testing.T, e *evidence) { e.log.RawLines = e.log.RawLines[:20] }, "audit.truncated"},
		{"the end removed, with its heads", func(_ *testing.T, e *evidence) {
			e.log.RawLines, e.log.RawHashes, e.log.RawHeads = e.log.RawLines[:7], e.log.RawHashes[:11], e.log.RawHeads[:2]
		}, "audit.truncated"},
		{"all removed", func(_ *testing.T, e *evidence) { e.log.RawLines, e.log.RawHashes, e.log.RawHeads = nil, nil, nil }, "audit.head_missing"},
		{"written anew with the post's own key", func(t *testing.T, e *evidence) { e.rewritten(t, 7) }, "audit.rewritten"},
		{"written anew, and central forged to match", func(t *testing.T, e *evidence) {
			e.rewritten(t, 7)
			e.central = e.log.RawHeads
		}, "audit.rewritten"},
		{"an old state put back", func(_ *testing.T, e *evidence) {
			e.log.RawLines, e.log.RawHashes, e.log.RawHeads = e.log.RawLines[:13], e.log.RawHashes[:23], e.log.RawHeads[:3]
		}, "audit.truncated"},
		{"central's copy forged", func(_ *testing.T, e *evidence) {
			e.central[2] = bytes.Replace(e.central[2], []byte("\n13\n"), []byte("\n12\n"), 1)
		}, "audit.head_forged"},
		{"central's copy of another post", func(_ *testing.T, e *evidence) { e.central = other.RawHeads }, "audit.head_origin"},
		{"central's copy by another key", func(_ *testing.T, e *evidence) { e.central = thief.RawHeads }, "audit.head_key"},
		{"two heads of one number at central", func(t *testing.T, e *evidence) {
			two := e.log.Clone()
			two.RawHeads = two.RawHeads[:4]
			two.Now = two.Now.Add(time.Second)
			e.central = append(e.central, two.Sign(t, checkpoint.Interval))
		}, "audit.fork"},
		{"the witness's folder wiped", func(_ *testing.T, e *evidence) { e.witness = nil }, "audit.head_missing"},
		{"a head taken out at the witness", func(_ *testing.T, e *evidence) { e.witness = slices.Delete(e.witness, 2, 3) }, "audit.head_missing"},
		{"noise at the witness", func(_ *testing.T, e *evidence) { e.witness[1] = []byte("nothing\n\n") }, "audit.head_form"},
		{"heads held back for an hour", func(t *testing.T, e *evidence) {
			e.log.Searches(t, "o1", 1)
			e.log.Now = e.log.Now.Add(time.Hour)
			e.log.Sign(t, checkpoint.Interval)
			e.central, e.witness = e.log.RawHeads, e.log.RawHeads
		}, "audit.head_missing"},
		{"no heads at all at the end", func(t *testing.T, e *evidence) {
			e.log.Searches(t, "o1", 1)
			e.log.Now = e.log.Now.Add(time.Hour)
			e.log.Searches(t, "o1", 1)
		}, "audit.head_missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEvidence(t)
			if code := e.verdict(); code != "" {
				t.Fatalf("the untouched log: %s", code)
			}
			c.do(t, e)
			if code := e.verdict(); code != c.code {
				t.Errorf("%q, want %q", code, c.code)
			}
		})
	}
	t.Run("a night without power is no gap", func(t *testing.T) {
		e := newEvidence(t)
		e.log.Searches(t, "o1", 2)
		e.log.Now = e.log.Now.Add(14 * time.Hour)
		e.log.Append(t, audit.Line{Actor: "post", Action: audit.PostStarted})
		e.log.Sign(t, checkpoint.Start)
		e.central, e.witness = e.log.RawHeads, e.log.RawHeads
		if code := e.verdict(); code != "" {
			t.Error(code)
		}
	})
}

// TestAttackOnWitnesses is a post that shows its witness what it should not.
func TestAttackOnWitnesses(t *testing.T) {
	l := audittest.New(t, "desk-1")
	l.Work(t, 3, 4) // heads over 1, 5, 9, 13 lines
	fork := l.Clone()
	fork.RawLines, fork.RawHashes, fork.RawHeads = fork.RawLines[:5], fork.RawHashes[:8], fork.RawHeads[:2]
	fork.Searches(t, "o9", 4)
	fork.Sign(t, checkpoint.Interval)
	fork.Searches(t, "o9", 4)
	fork.Sign(t, checkpoint.Interval)
	same := l.Clone() // as many lines as are held, other ones
	same.RawHeads = same.RawHeads[:3]
	same.RawHeads = append(same.RawHeads, fork.RawHeads[2], fork.RawHeads[2])
	shrunk := l.Clone()
	shrunk.RawLines, shrunk.RawHashes = shrunk.RawLines[:6], shrunk.RawHashes[:10]
	shrunk.Sign(t, checkpoint.Interval)
	bad := l.Submission(t, 3, 9)
	bad.Proof = slices.Clone(bad.Proof)
	bad.Proof[0][3] ^= 1
	long := l.Submission(t, 3, 9)
	for len(long.Proof) <= witness.MaxProof {
		long.Proof = append(long.Proof, long.Proof[0])
	}
	forged := l.Submission(t, 3, 9)
	forged.Head = bytes.Replace(forged.Head, []byte("\n13\n"), []byte("\n14\n"), 1)
	over := l.Submission(t, 2, 9)
	over.From = 99
	needless := l.Submission(t, 3, 9)
	needless.From = 0
	for _, c := range []struct {
		name string
		sub  witness.Submission
		code fault.Code
	}{
		{"another history", fork.Submission(t, 3, 9), "audit.fork"},
		{"another tree of the same size", witness.Submission{Head: fork.RawHeads[2], From: 9}, "audit.fork"},
		{"a later head over fewer lines", witness.Submission{Head: shrunk.RawHeads[4], From: 6}, "audit.fork"},
		{"a proof with one bit changed", bad, "audit.fork"},
		{"an old head again", l.Submission(t, 1, 5), "audit.replayed"},
		{"the first head again", l.Submission(t, 0, 0), "audit.replayed"},
		{"a head of another post", audittest.New(t, "desk-2").Submission(t, 0, 0), "audit.head_origin"},
		{"a head by another key", audittest.NewWithKey(t, "desk-1", "thief").Submission(t, 0, 0), "audit.head_key"},
		{"a changed head", forged, "audit.head_forged"},
		{"more lines before than after", over, "audit.head_size"},
		{"below zero", witness.Submission{Head: l.RawHeads[3], From: -1}, "audit.head_size"},
		{"a proof where none is needed", needless, "audit.head_size"},
		{"a proof without end", long, "audit.head_size"},
		{"noise", witness.Submission{Head: []byte("x\n\n")}, "audit.head_form"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			f, err := witness.OpenFolder(dir)
			if err != nil {
				t.Fatal(err)
			}
			from := int64(0)
			for n := range 3 {
				if err := f.Add(l.Submission(t, n, from), l.Origin, l.Verifier(t)); err != nil {
					t.Fatal(err)
				}
				from = l.Checkpoint(t, n).Lines
			}
			if err := f.Add(c.sub, l.Origin, l.Verifier(t)); fault.CodeOf(err) != c.code {
				t.Errorf("%v, want %s", err, c.code)
			}
			if files, err := os.ReadDir(filepath.Join(dir, "watchpost%2Fdesk-1")); err != nil || len(files) != 3 {
				t.Errorf("%d files: what was refused has left something: %v", len(files), err)
			}
			if err := f.Add(l.Submission(t, 3, 9), l.Origin, l.Verifier(t)); err != nil {
				t.Errorf("the true head after it: %v", err)
			}
		})
	}
	t.Run("a folder whose last head was spoilt", func(t *testing.T) {
		dir := t.TempDir()
		f, err := witness.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Add(l.Submission(t, 0, 0), l.Origin, l.Verifier(t)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "watchpost%2Fdesk-1", "000000000000.head"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.Add(l.Submission(t, 1, 1), l.Origin, l.Verifier(t)); fault.CodeOf(err) != "audit.head_form" {
			t.Errorf("%v: a witness that cannot read what it holds must take nothing", err)
		}
	})
	t.Run("a medium that is not there", func(t *testing.T) {
		if _, err := witness.OpenFolder(filepath.Join(t.TempDir(), "none")); fault.CodeOf(err) != "audit.medium" || !fault.IsRetryable(err) {
			t.Error(err)
		}
	})
}

// TestCosignature holds the message and the key id of c2sp.org/tlog-cosignature
// by taking one apart.
func TestCosignature(t *testing.T) {
	l := audittest.New(t, "desk-1")
	c, err := checkpoint.NewCosigner("witness.example/w1", audittest.Key("w1"))
	if err != nil {
		t.Fatal(err)
	}
	line, err := c.Cosign(l.RawHeads[0], time.Unix(1679315147, 0))
	if err != nil {
		t.Fatal(err)
	}
	key, err := checkpoint.ParseWitnessKey(c.Key())
	if err != nil {
		t.Fatal(err)
	}
	both, err := checkpoint.WithCosignature(l.RawHeads[0], line, key)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(both, note.VerifierList(key, l.Verifier(t)))
	if err != nil || len(n.Sigs) != 2 {
		t.Fatalf("%v %v", n, err)
	}
	if _, err := checkpoint.Open(both, l.Origin, l.Verifier(t)); err != nil {
		t.Errorf("a head with a cosignature: %v", err)
	}
	for name, text := range map[string]string{
		"a post's key": l.KeyText(), "another id": strings.Replace(c.Key(), "+", "+0", 1), "no base64": c.Key() + "!", "nothing": "", "a name with a plus": "a+b+c",
	} {
		if _, err := checkpoint.ParseWitnessKey(text); fault.CodeOf(err) != "audit.key_form" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := checkpoint.ParseKey(c.Key()); fault.CodeOf(err) != "audit.key_form" {
		t.Errorf("a witness's key as a post's: %v", err)
	}
}

func FuzzCheckpoint(f *testing.F) {
	l := audittest.New(f, "desk-1")
	l.Work(f, 2, 3)
	for _, h := range l.RawHeads {
		f.Add(h)
	}
	f.Add([]byte("o\n0\nAAAA\n\n— o AAAA\n"))
	key := l.Verifier(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := checkpoint.Parse(raw); err == nil && c.Text() != "" && (c.Lines < 0 || c.Number < checkpoint.NoNumber) {
			t.Errorf("%+v", c)
		}
		c, err := checkpoint.Open(raw, l.Origin, key)
		if err == nil && !slices.ContainsFunc(l.RawHeads, func(h []byte) bool { p, _ := checkpoint.Parse(h); return p == c }) {
			t.Errorf("a head that was never signed: %+v", c)
		}
		if err != nil && fault.CodeOf(err) == fault.Unknown {
			t.Errorf("an uncoded error: %v", err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	l := audittest.New(f, "desk-1")
	l.Work(f, 2, 3)
	f.Add(l.Submission(f, 2, 4).Encode())
	f.Add([]byte("old 0\n\nx\n0\nAAAA\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := witness.Decode(raw)
		if err != nil {
			if fault.CodeOf(err) == fault.Unknown {
				t.Errorf("an uncoded error: %v", err)
			}
			return
		}
		if !bytes.Equal(s.Encode(), raw) {
			t.Errorf("%q is read and written as %q", raw, s.Encode())
		}
		next, err := checkpoint.Parse(s.Head)
		if err != nil {
			t.Fatal(err)
		}
		held := l.Checkpoint(t, 1)
		var asks *witness.HeldError
		if _, err := witness.Judge(&held, next, s.From, s.Proof); err != nil && !errors.As(err, &asks) && fault.CodeOf(err) == fault.Unknown {
			t.Errorf("an uncoded error: %v", err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	l := audittest.New(b, "desk-1")
	b.ResetTimer()
	for range b.N {
		l.Append(b, audit.Line{Actor: "o1", Action: audit.Searched, Purpose: "border_check"})
	}
}

func BenchmarkSignHead(b *testing.B) {
	l := audittest.New(b, "desk-1")
	l.Searches(b, "o1", 1000)
	b.ResetTimer()
	for range b.N {
		l.Sign(b, checkpoint.Interval)
		l.RawHeads = l.RawHeads[:1]
	}
}

func BenchmarkCheck100kLines(b *testing.B) {
	l := audittest.New(b, "desk-1")
	l.Work(b, 400, 250)
	rules := audit.Rules{Origin: l.Origin, Key: l.Verifier(b)}
	b.ResetTimer()
	for range b.N {
		if _, all, err := audit.Check(l, rules, audit.Evidence{Source: "post", Heads: l.RawHeads}); err != nil || all[0].Err != nil {
			b.Fatal(err, all)
		}
	}
}
