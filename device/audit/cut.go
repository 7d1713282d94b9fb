package audit

import (
	"encoding/json"
	"sort"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/watchpost/watchpost/device/fault"
)

// Lines are kept for as long as policy says (retention.audit). One whose time
// has run out is cut: its text goes, and in its place stands the hash that the
// tree was made of, so that every head ever signed still holds. Only the oldest
// lines are cut, only lines under a head that every witness has, and a line of
// the log says so each time: what is gone without that word was taken out.

// factCut is the fact of a LinesCut line that counts all lines cut so far.
const factCut = "lines"

// stub stands for a line that was cut.
type stub struct {
	Seq int64     `json:"seq"`
	Cut tlog.Hash `json:"cut"` // RFC 6962 hash of the line's text
}

// IsCut reports whether l stands for a line whose time of keeping has run out:
// it has a number and nothing else.
func (l Line) IsCut() bool { return l.Cut != nil }

// Cut cuts lines written before before, at most limit of them, none at or
// after covered: the number of lines under heads that are kept elsewhere. It
// returns how many it cut. It must run inside one transaction.
func Cut(s Store, now, before time.Time, covered int64, limit int) (int, error) {
	n, err := s.Lines()
	if err != nil {
		return 0, fault.Wrap("audit.read", err)
	}
	first, err := firstKept(s, n)
	if err != nil {
		return 0, err
	}
	seq := first
	for ; seq < min(n-1, covered) && seq-first < int64(limit); seq++ {
		raw, err := s.Line(seq)
		if err != nil {
			return 0, fault.New("audit.missing_line", "line %d: %w", seq, err)
		}
		var line Line
		if json.Unmarshal(raw, &line) != nil || line.Seq != seq {
			return 0, fault.New("audit.changed_line", "what stands as line %d is another", seq)
		}
		if !line.Time.Before(before) {
			break
		}
		gone, err := json.Marshal(stub{seq, tlog.RecordHash(raw)})
		if err != nil {
			return 0, fault.Wrap("audit.encode", err)
		}
		if err := s.PutLine(seq, gone); err != nil {
			return 0, fault.Wrap("audit.write", err)
		}
	}
	if seq == first {
		return 0, nil
	}
	_, err = Append(s, Line{Time: now, Actor: "post", Action: LinesCut, Facts: map[string]string{
		factCut: strconv.FormatInt(seq, 10), "before": before.UTC().Format(time.RFC3339),
	}})
	return int(seq - first), err
}

// firstKept is the number of the first line that was not cut; those that were
// stand before all others.
func firstKept(s Store, n int64) (int64, error) {
	var failed error
	i := sort.Search(int(n), func(i int) bool {
		raw, err := s.Line(int64(i))
		var line Line
		if err == nil {
			err = json.Unmarshal(raw, &line)
		}
		if err != nil {
			failed = fault.New("audit.missing_line", "line %d: %w", i, err)
		}
		return err != nil || !line.IsCut()
	})
	return int64(i), failed
}

// cuts follows, while a log is read again, what was cut and what the log says
// of it.
type cuts struct {
	cut  int64 // lines that were, from the first on
	told int64 // lines that the log says were
}

// note looks at one line, in order. Lines are cut from the first on.
func (c *cuts) note(line Line) error {
	switch {
	case line.IsCut() && line.Seq != c.cut:
		return fault.New("audit.missing_line", "line %d was taken out between others", line.Seq)
	case line.IsCut():
		c.cut++
	case line.Action == LinesCut && line.Actor == "post":
		if n, err := strconv.ParseInt(line.Facts[factCut], 10, 64); err == nil && n <= line.Seq {
			c.told = max(c.told, n)
		}
	}
	return nil
}

// end says whether the log accounts for all that is gone.
func (c *cuts) end() error {
	if c.cut > c.told {
		return fault.New("audit.missing_line", "line %d is gone, and no line says that its time had run out", c.told)
	}
	return nil
}

// hashesOf returns the hashes that line seq adds to the tree.
func hashesOf(seq int64, raw []byte, line Line, r tlog.HashReader) ([]tlog.Hash, error) {
	if line.IsCut() {
		return tlog.StoredHashesForRecordHash(seq, *line.Cut, r)
	}
	return tlog.StoredHashes(seq, raw, r)
}
