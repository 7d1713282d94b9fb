package store

import (
	"bytes"
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

// Commit is what is known of a committed outcome.
type Commit struct {
	SHA256 []byte // of the request
	MS     int64  // time of the commit, milliseconds since 1970 UTC
}

// Deliver commits an outcome and returns after it is on disk. The same
// outcome again gives the same Commit and leaves one row; another outcome of
// the same id is ErrConflict.
func (s *Store) Deliver(ctx context.Context, device string, r *screeningv1.DeliverRequest) (Commit, error) {
	sum, err := linkv1.Digest(r)
	if err != nil {
		return Commit{}, fault.Wrap("call.invalid", err)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		return Commit{}, fault.Wrap("call.invalid", err)
	}
	c := Commit{SHA256: sum, MS: time.Now().UnixMilli()}
	err = s.within(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `INSERT INTO outcomes (device, id, encounter, officer, second, purpose, closed, outcome, answer, override, request, request_sha256, committed_ms)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13) ON CONFLICT (device, id) DO NOTHING`,
			device, r.Id, r.Encounter, r.Officer, r.Second, r.Purpose, time.UnixMilli(r.ClosedMs), int16(r.Outcome), int16(r.Answer), r.Override, raw, sum, c.MS)
		if stateOf(err) == noSuchRow {
			return ErrDevice
		}
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return s.earlier(ctx, tx, device, r.Id, &c)
		}
		rows := make([][]any, 0, len(r.Adjudications))
		for _, a := range r.Adjudications {
			rows = append(rows, []any{device, r.Id, a.List, a.Record, int64(a.Edition), int16(a.Finding), a.Officer})
		}
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"adjudications"},
			[]string{"device", "outcome", "list", "record", "edition", "finding", "officer"}, pgx.CopyFromRows(rows))
		return err
	})
	return c, err
}

// earlier reads what the first delivery of an id committed.
func (s *Store) earlier(ctx context.Context, tx pgx.Tx, device, id string, c *Commit) error {
	var sum []byte
	if err := tx.QueryRow(ctx, "SELECT request_sha256, committed_ms FROM outcomes WHERE device = $1 AND id = $2", device, id).Scan(&sum, &c.MS); err != nil {
		return err
	}
	if !bytes.Equal(sum, c.SHA256) {
		return ErrConflict
	}
	return nil
}

// Outcomes counts outcomes, and the ids among them, of a device.
func (s *Store) Outcomes(ctx context.Context, device string) (rows, ids int, err error) {
	err = s.pool.QueryRow(ctx, "SELECT count(*), count(DISTINCT id) FROM outcomes WHERE device = $1", device).Scan(&rows, &ids)
	return rows, ids, coded(err)
}

// Search is who asked for what purpose.
type Search struct {
	Device    string
	Call      []byte
	Encounter string
	Officer   string
	Purpose   string
}

// Searched records a question before it is answered. ErrReplayed if the call
// was recorded before.
func (s *Store) Searched(ctx context.Context, q Search) error {
	_, err := s.pool.Exec(ctx, "INSERT INTO searches (device, call, encounter, officer, purpose) VALUES ($1,$2,$3,$4,$5)",
		q.Device, q.Call, q.Encounter, q.Officer, q.Purpose)
	switch stateOf(err) {
	case uniqueClash:
		return ErrReplayed
	case noSuchRow:
		return ErrDevice
	}
	return coded(err)
}

// Answered adds how many candidates a question had.
func (s *Store) Answered(ctx context.Context, device string, call []byte, candidates int) error {
	_, err := s.pool.Exec(ctx, "UPDATE searches SET candidates = $3 WHERE device = $1 AND call = $2", device, call, candidates)
	return coded(err)
}

// Searches counts the questions of a device.
func (s *Store) Searches(ctx context.Context, device string) (n int, err error) {
	err = s.pool.QueryRow(ctx, "SELECT count(*) FROM searches WHERE device = $1", device).Scan(&n)
	return n, coded(err)
}
