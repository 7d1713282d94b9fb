package feeds

import (
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/clock"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
)

// Where post.db keeps what nobody may put back: the latest time that the post
// has seen without an act that the audit log tells of, and the highest edition
// of accounts that was in force.
const (
	FloorCursor    = "clock.floor"
	AccountsCursor = "accounts.edition"
)

// RaiseClock makes a clock tell no time before the last one that is kept: that
// of the last line of the audit log, or of the last idle minutes.
func RaiseClock(c *clock.Clock, s *store.Store) error {
	raw, err := s.Cursor(FloorCursor)
	if err != nil {
		return err
	}
	var kept time.Time
	if raw != nil {
		if err := kept.UnmarshalBinary(raw); err != nil {
			return fault.Wrap("store.damaged", err)
		}
		c.Raise(kept)
	}
	head, err := s.AuditHead()
	if err != nil || head.Lines == 0 {
		return err
	}
	lines, err := s.AuditLines(head.Lines-1, 1)
	if err != nil {
		return err
	}
	for _, raw := range lines {
		var last audit.Line
		if err := json.Unmarshal(raw, &last); err != nil {
			return fault.Wrap("store.damaged", err)
		}
		c.Raise(last.Time)
	}
	return nil
}

// Edition is the highest edition of accounts taken in, 0 for none.
func Edition(s *store.Store) (int, error) {
	raw, err := s.Cursor(AccountsCursor)
	if err != nil || len(raw) != 8 {
		return 0, err
	}
	return int(binary.BigEndian.Uint64(raw)), nil
}
