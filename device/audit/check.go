package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/fault"
)

// Log is a log to be checked: a post's own, or a copy of its lines.
type Log interface {
	Lines() (int64, error)
	Line(seq int64) ([]byte, error) // as written
}

// Hashes is a Log that holds the hashes stored with its lines as well, which
// tell where a line was changed.
type Hashes interface {
	Log
	Hash(index int64) ([]byte, error)
}

// Evidence is the heads that one place holds of a log.
type Evidence struct {
	Source string // "post", "central", "witness"...
	Heads  [][]byte
}

// Rules of Check.
type Rules struct {
	Origin string        // of the log
	Key    note.Verifier // the post's audit key
	MaxGap time.Duration // how long a line may wait for a head over it; 0 does not ask
}

// Finding is what Check found about one source of evidence.
type Finding struct {
	Source string
	Heads  int       // that are good and fit the log
	Covers int64     // lines under the last of them
	Last   time.Time // when that was signed
	Err    error     // coded; nil if all is well
}

// Check reads every line again, and holds the log against all heads of each
// source. The first error is that of the log by itself:
//
//	audit.missing_line   a line is not there
//	audit.changed_line   a line is not the one that was written
//
// the errors of a source are:
//
//	audit.head_form, audit.head_key, audit.head_forged, audit.head_origin
//	                     as checkpoint.Open
//	audit.fork           two heads of one number differ
//	audit.truncated      a head covers more lines than the log has
//	audit.rewritten      the log is no continuation of a head
//	audit.head_missing   no head, a number is left out, or a line waited too
//	                     long for a head
func Check(log Log, r Rules, sources ...Evidence) (Head, []Finding, error) {
	all := make([]*witnessed, len(sources))
	roots := map[int64]tlog.Hash{}
	for i, e := range sources {
		all[i] = open(e, r)
		for _, h := range all[i].heads {
			roots[h.Lines] = tlog.Hash{}
		}
	}
	t := &timeline{}
	head, err := replay(log, roots, t)
	out := make([]Finding, len(all))
	for i, w := range all {
		if err == nil {
			w.judge(head.Lines, roots, t, r.MaxGap)
		}
		out[i] = w.Finding
	}
	return head, out, err
}

// witnessed is one source under judgement.
type witnessed struct {
	Finding
	heads []checkpoint.Checkpoint // by number
}

func (w *witnessed) fail(code fault.Code, format string, args ...any) {
	if w.Err == nil {
		w.Err = fault.New(code, format, args...)
	}
}

// open reads the heads of a source. A bad one does not hide what the others
// say.
func open(e Evidence, r Rules) *witnessed {
	w := &witnessed{Finding: Finding{Source: e.Source}}
	for i, raw := range e.Heads {
		c, err := checkpoint.Open(raw, r.Origin, r.Key)
		switch {
		case err != nil:
			w.fail(fault.CodeOf(err), "head %d of %s: %w", i, e.Source, err)
		case c.Number == checkpoint.NoNumber:
			w.fail(checkpoint.ErrForm.Code, "head %d of %s has no number", i, e.Source)
		default:
			w.heads = append(w.heads, c)
		}
	}
	slices.SortStableFunc(w.heads, func(a, b checkpoint.Checkpoint) int { return int(min(1, max(-1, a.Number-b.Number))) })
	return w
}

// judge holds the heads against the log.
func (w *witnessed) judge(lines int64, roots map[int64]tlog.Hash, t *timeline, maxGap time.Duration) {
	if len(w.heads) == 0 {
		w.fail("audit.head_missing", "%s holds no head", w.Source)
		return
	}
	var before *checkpoint.Checkpoint
	for i := range w.heads {
		h := &w.heads[i]
		switch {
		case h.Lines > lines:
			w.fail("audit.truncated", "%d lines, head %d of %s covers %d", lines, h.Number, w.Source, h.Lines)
			return
		case roots[h.Lines] != h.Root:
			w.fail("audit.rewritten", "the first %d lines are not those under head %d of %s", h.Lines, h.Number, w.Source)
			return
		case before == nil:
		case h.Number == before.Number:
			if *h != *before {
				w.fail("audit.fork", "%s holds two heads of number %d", w.Source, h.Number)
			}
			continue
		case h.Number != before.Number+1:
			w.fail("audit.head_missing", "%s holds no head %d", w.Source, before.Number+1)
		case h.Lines < before.Lines:
			w.fail("audit.fork", "head %d of %s covers fewer lines than the one before", h.Number, w.Source)
		}
		from := int64(0)
		if before != nil {
			from = before.Lines
		}
		if waited := t.waited(from, h.Lines, h.Time); before != nil && maxGap > 0 && waited > maxGap {
			w.fail("audit.head_missing", "lines %d to %d waited %s for a head", from, h.Lines-1, waited.Round(time.Second))
		}
		w.Heads, w.Covers, w.Last = w.Heads+1, h.Lines, h.Time
		before = h
	}
	if waited := t.waited(before.Lines, lines, time.Time{}); maxGap > 0 && waited > maxGap {
		w.fail("audit.head_missing", "lines from %d on wait for a head since %s", before.Lines, waited.Round(time.Second))
	}
}

// timeline is when lines were written, and where a run of the post began.
type timeline struct {
	at     []int64 // milliseconds since 1970
	cut    int     // lines of which no time is known
	starts []int64 // numbers of lines that begin a run
}

// add notes the next line. One that was cut is as old as the first that was
// not: how long it waited for a head is not known any more.
func (t *timeline) add(line Line) {
	at := line.Time.UnixMilli()
	if line.IsCut() {
		t.cut++
	} else if len(t.at) == t.cut { // the first that was not
		for i := range t.at {
			t.at[i] = at
		}
	}
	t.at = append(t.at, at)
}

// waited is the longest that a line of [from, to) had to wait for a head
// signed at signed; a zero signed stands for the last of the lines. Time in
// which the post was off is not counted.
func (t *timeline) waited(from, to int64, signed time.Time) time.Duration {
	var longest int64
	for from < to {
		next, end := to, t.at[to-1]
		if i, _ := slices.BinarySearch(t.starts, from+1); i < len(t.starts) && t.starts[i] < to {
			next = t.starts[i]
			end = t.at[next-1]
		} else if !signed.IsZero() {
			end = signed.UnixMilli()
		}
		longest = max(longest, end-t.at[from])
		from = next
	}
	return time.Duration(longest) * time.Millisecond
}

// replay computes the tree anew from the lines and fills in the roots asked.
func replay(log Log, roots map[int64]tlog.Hash, t *timeline) (Head, error) {
	n, err := log.Lines()
	if err != nil {
		return Head{}, fault.Wrap("audit.read", err)
	}
	stored, _ := log.(Hashes)
	fresh := &memory{}
	var gone cuts
	note := func(size int64) error {
		if _, asked := roots[size]; !asked && size != n {
			return nil
		}
		h, err := tlog.TreeHash(size, fresh)
		roots[size] = h
		return fault.Wrap("audit.damaged", err)
	}
	if err := note(0); err != nil {
		return Head{}, err
	}
	for seq := range n {
		raw, err := log.Line(seq)
		if err != nil {
			return Head{}, fault.New("audit.missing_line", "line %d: %w", seq, err)
		}
		var line Line
		if err := json.Unmarshal(raw, &line); err != nil || line.Seq != seq {
			return Head{}, fault.New("audit.changed_line", "what stands as line %d is another", seq)
		}
		if err := gone.note(line); err != nil {
			return Head{}, err
		}
		hashes, err := hashesOf(seq, raw, line, fresh)
		if err != nil {
			return Head{}, fault.Wrap("audit.damaged", err)
		}
		first := tlog.StoredHashIndex(0, seq)
		for i, h := range hashes {
			fresh.hashes = append(fresh.hashes, h)
			if stored == nil {
				continue
			}
			if held, err := stored.Hash(first + int64(i)); err != nil || !bytes.Equal(held, h[:]) {
				return Head{}, fault.New("audit.changed_line", "line %d does not have the hash that was stored with it", seq)
			}
		}
		t.add(line)
		if line.Action == PostStarted {
			t.starts = append(t.starts, seq)
		}
		if err := note(seq + 1); err != nil {
			return Head{}, err
		}
	}
	if err := gone.end(); err != nil {
		return Head{}, err
	}
	root := roots[n]
	return Head{Lines: n, Root: base64.StdEncoding.EncodeToString(root[:])}, nil
}
