package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/audit/witness"
	"github.com/watchpost/watchpost/device/fault"
)

// Head is a signed head of a post's audit log as central keeps it.
type Head struct {
	Device    string    `json:"device"`
	Number    int64     `json:"number"`
	Lines     int64     `json:"lines"`
	Signed    time.Time `json:"signed"`
	Committed int64     `json:"committed_ms"`
	Key       string    `json:"key"`  // of the post, as first shown
	Head      string    `json:"head"` // the signed note
}

// HeadAlarm says what was wrong with a post's heads.
type HeadAlarm struct {
	Device string     `json:"device"`
	Raised time.Time  `json:"raised"`
	Code   string     `json:"code"`
	Ended  *time.Time `json:"ended,omitempty"`
	Head   string     `json:"head,omitempty"` // what was shown
}

// HeadLate is the code of a head that has not come in time.
const HeadLate = "audit.head_late"

// raiseAlarm keeps the same complaint about the same head once.
const raiseAlarm = "INSERT INTO audit_alarms (device, code, head) VALUES ($1,$2,$3) ON CONFLICT DO NOTHING"

// TakeHead judges a head of a post against the last one held and commits it.
// It returns the time of the commit, the same for a head shown again. What a
// post must not show (another key, a fork, an old head) is kept as an alarm and
// refused with its code; a witness.HeldError asks for another proof.
func (s *Store) TakeHead(ctx context.Context, device, key string, sub witness.Submission) (checkpoint.Checkpoint, int64, error) {
	var head checkpoint.Checkpoint
	var ms int64
	var refused error
	err := s.within(ctx, func(tx pgx.Tx) error {
		refused, ms = nil, time.Now().UnixMilli()
		// One head of a post at a time: the judgement and the row belong
		// together. The register's row is there and is not changed by others.
		tag, err := tx.Exec(ctx, "SELECT 1 FROM devices WHERE id = $1 AND retired IS NULL FOR NO KEY UPDATE", device)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrDevice
		}
		verifier, err := pin(ctx, tx, device, key)
		if err == nil {
			head, err = checkpoint.Open(sub.Head, checkpoint.Origin(device), verifier)
		}
		if err == nil && head.Number == checkpoint.NoNumber {
			err = fault.New(checkpoint.ErrForm.Code, "a post's head has a number")
		}
		if err == nil {
			err = takeHead(ctx, tx, device, head, sub, &ms)
		}
		if alarming(err) {
			refused = err
			_, err = tx.Exec(ctx, raiseAlarm, device, string(fault.CodeOf(refused)), sub.Head)
		}
		return err
	})
	var held *witness.HeldError
	if errors.As(err, &held) {
		return head, 0, held
	}
	return head, ms, errors.Join(refused, err)
}

// alarming reports whether err says that a log was changed or is not the
// post's, rather than that the database failed or a proof is missing.
func alarming(err error) bool {
	for _, code := range []*fault.Error{checkpoint.ErrKey, checkpoint.ErrForged, checkpoint.ErrOrigin, witness.ErrFork, witness.ErrReplayed} {
		if errors.Is(err, &fault.Error{Code: code.Code}) || fault.CodeOf(err) == code.Code {
			return true
		}
	}
	return false
}

// pin returns the key of a post's heads: the first that it ever showed.
func pin(ctx context.Context, tx pgx.Tx, device, key string) (note.Verifier, error) {
	shown, err := checkpoint.ParseKey(key)
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO audit_keys (device, key) VALUES ($1,$2) ON CONFLICT (device) DO NOTHING", device, key); err != nil {
		return nil, err
	}
	var pinned string
	if err := tx.QueryRow(ctx, "SELECT key FROM audit_keys WHERE device = $1", device).Scan(&pinned); err != nil {
		return nil, err
	}
	if pinned != key {
		return nil, fault.New(checkpoint.ErrKey.Code, "the post shows another audit key than before")
	}
	return shown, nil
}

func takeHead(ctx context.Context, tx pgx.Tx, device string, head checkpoint.Checkpoint, sub witness.Submission, ms *int64) error {
	var held *checkpoint.Checkpoint
	var raw []byte
	var committed int64
	err := tx.QueryRow(ctx, "SELECT head, committed_ms FROM audit_heads WHERE device = $1 ORDER BY number DESC LIMIT 1", device).Scan(&raw, &committed)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
	case err != nil:
		return err
	default:
		c, err := checkpoint.Parse(raw)
		if err != nil {
			return err
		}
		held = &c
	}
	repeated, err := witness.Judge(held, head, sub.From, sub.Proof)
	if err != nil {
		return err
	}
	if repeated {
		*ms = committed
		return nil
	}
	first := int64(0)
	if held != nil {
		first = held.Number + 1
	}
	if head.Number != first {
		// It is kept: what it covers is worth knowing. That one is missing is
		// kept as well.
		if _, err := tx.Exec(ctx, raiseAlarm, device, string(witness.ErrNumber.Code), sub.Head); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, "INSERT INTO audit_heads (device, number, lines, signed, why, head, committed_ms) VALUES ($1,$2,$3,$4,$5,$6,$7)",
		device, head.Number, head.Lines, head.Time, string(head.Why), sub.Head, *ms); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE audit_alarms SET ended = now() WHERE device = $1 AND code = $2 AND ended IS NULL", device, HeadLate)
	return err
}

// Heads calls f with the heads of a post in order, or of all posts for "".
func (s *Store) Heads(ctx context.Context, device string, f func(Head) error) error {
	rows, err := s.pool.Query(ctx, `SELECT h.device, h.number, h.lines, h.signed, h.committed_ms, k.key, h.head
		FROM audit_heads h JOIN audit_keys k USING (device) WHERE $1 = '' OR h.device = $1 ORDER BY h.device, h.number`, device)
	if err != nil {
		return coded(err)
	}
	defer rows.Close()
	for rows.Next() {
		var h Head
		var raw []byte
		if err := rows.Scan(&h.Device, &h.Number, &h.Lines, &h.Signed, &h.Committed, &h.Key, &raw); err != nil {
			return coded(err)
		}
		h.Head, h.Signed = string(raw), h.Signed.UTC()
		if err := f(h); err != nil {
			return err
		}
	}
	return coded(rows.Err())
}

// HeadAlarms returns what was ever wrong with heads, newest last.
func (s *Store) HeadAlarms(ctx context.Context) ([]HeadAlarm, error) {
	rows, err := s.pool.Query(ctx, "SELECT device, raised, code, ended, head FROM audit_alarms ORDER BY raised, device")
	if err != nil {
		return nil, coded(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a HeadAlarm, err error) {
		var raw []byte
		err = row.Scan(&a.Device, &a.Raised, &a.Code, &a.Ended, &raw)
		a.Raised, a.Head = a.Raised.UTC(), strings.ToValidUTF8(string(raw), "?")
		return a, err
	})
	return all, coded(err)
}

// LateHeads raises an alarm for every post in use whose last head, or whose
// registration where it has shown none, is older than limit, and returns the
// posts for which it is new. A post whose last head says that it stopped or
// locked is silent for a reason that it has signed.
func (s *Store) LateHeads(ctx context.Context, limit time.Duration) ([]string, error) {
	rows, err := s.pool.Query(ctx, `INSERT INTO audit_alarms (device, code)
		SELECT d.id, $1 FROM devices d
		LEFT JOIN LATERAL (SELECT committed_ms, why FROM audit_heads WHERE device = d.id ORDER BY number DESC LIMIT 1) h ON true
		WHERE d.retired IS NULL AND coalesce(h.why, '') NOT IN ($3, $4)
		AND coalesce(to_timestamp(h.committed_ms / 1000.0), d.added) < now() - $2::interval
		ON CONFLICT DO NOTHING RETURNING device`, HeadLate, limit, string(checkpoint.Stop), string(checkpoint.Lock))
	if err != nil {
		return nil, coded(err)
	}
	late, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return late, coded(err)
}
