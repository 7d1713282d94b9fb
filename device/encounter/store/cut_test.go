package store

import (
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/checkpoint"
)

// TestCutAudit keeps a log on disk for a time, and judges it as an auditor
// does: from the file, without a key, against every head ever signed.
func TestCutAudit(t *testing.T) {
	dir, open, failed := t.TempDir(), true, []error(nil)
	s := signed(t, dir, &open, &failed)
	for i := range 30 {
		if err := s.Commit(Change{Audit: []audit.Line{line(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Unix(1000, 0)
	for _, step := range []struct {
		before, covered int64
		want            int
	}{{12, 30, 12}, {12, 30, 0}, {20, 15, 3}, {20, 30, 5}} {
		if n, err := s.CutAudit(now, time.Unix(step.before, 0), step.covered); n != step.want || err != nil {
			t.Fatalf("before %d, %d covered: %d cut, want %d, %v", step.before, step.covered, n, step.want, err)
		}
	}
	if err := s.SignHead(checkpoint.Stop); err != nil {
		t.Fatal(err)
	}
	before, err := s.AuditHead()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	err = ReadAudit(dir, func(s *Store) error {
		own, err := s.Heads(0, 100)
		if err != nil {
			return err
		}
		head, all, err := s.CheckAudit(rules(t), audit.Evidence{Source: "post", Heads: own})
		if err != nil || head != before || all[0].Err != nil || all[0].Heads != len(own) || len(own) < 11 {
			t.Errorf("%+v, want %+v; %d heads, %+v, %v", head, before, len(own), all, err)
		}
		lines, err := s.AuditLines(0, 100)
		if err != nil || len(lines) != 33 { // three cuts wrote a line each
			t.Errorf("%d lines, %v", len(lines), err)
		}
		return nil
	})
	if err != nil || len(failed) != 0 {
		t.Error(err, failed)
	}
}
