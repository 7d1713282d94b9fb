package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Agreement says whether the head of its audit log that a post named last is
// the one that central was shown.
type Agreement string

// Agreements.
const (
	HeadNone    Agreement = "none"    // the post has named none
	HeadAwaited Agreement = "awaited" // central was not shown that one yet
	HeadAgrees  Agreement = "agrees"
	HeadDiffers Agreement = "differs" // another text under the same number
)

// Witnessed is the newest head of a post that central keeps.
type Witnessed struct {
	Device    string     `json:"-"`
	Number    int64      `json:"number"` // -1: none
	Lines     int64      `json:"lines"`
	Signed    *time.Time `json:"signed,omitempty"` // by the post's clock
	Agreement Agreement  `json:"agreement"`
}

// LastHeads returns the newest head of every post in use, by name.
func (s *Store) LastHeads(ctx context.Context) ([]Witnessed, error) {
	rows, err := s.pool.Query(ctx, `SELECT d.id, coalesce(l.number, -1), coalesce(l.lines, 0), l.signed,
		CASE WHEN c.audit_sha256 IS NULL OR c.audit_number < 0 THEN 'none' WHEN h.head IS NULL THEN 'awaited' WHEN sha256(h.head) = c.audit_sha256 THEN 'agrees' ELSE 'differs' END
		FROM devices d LEFT JOIN contacts c ON c.device = d.id LEFT JOIN audit_heads h ON h.device = d.id AND h.number = c.audit_number
		LEFT JOIN LATERAL (SELECT number, lines, signed FROM audit_heads WHERE device = d.id ORDER BY number DESC LIMIT 1) l ON true
		WHERE d.retired IS NULL ORDER BY d.id`)
	if err != nil {
		return nil, coded(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Witnessed])
	return all, coded(err)
}

// Backup is one that was written whole.
type Backup struct {
	At     time.Time `json:"at"` // state that it holds
	File   string    `json:"file"`
	Bytes  int64     `json:"bytes"`
	SHA256 []byte    `json:"sha256"`
}

// AddBackup notes a backup that is on disk.
func (s *Store) AddBackup(ctx context.Context, b Backup) error {
	_, err := s.pool.Exec(ctx, "INSERT INTO backups (at, file, bytes, sha256) VALUES ($1,$2,$3,$4)", b.At, b.File, b.Bytes, b.SHA256)
	return coded(err)
}

// Backups returns the newest, at most limit.
func (s *Store) Backups(ctx context.Context, limit int) ([]Backup, error) {
	rows, err := s.pool.Query(ctx, "SELECT at, file, bytes, sha256 FROM backups ORDER BY at DESC LIMIT $1", limit)
	if err != nil {
		return nil, coded(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Backup])
	return all, coded(err)
}

// OrderTally is at how many posts an order has come to each state.
type OrderTally map[string]int

// OrderTallies counts the states of orders, by the id of the proposal.
func (s *Store) OrderTallies(ctx context.Context, ids [][]byte) (map[string]OrderTally, error) {
	rows, err := s.pool.Query(ctx, "SELECT proposal, state, count(*) FROM order_targets WHERE proposal = ANY($1) GROUP BY proposal, state", ids)
	if err != nil {
		return nil, coded(err)
	}
	out := make(map[string]OrderTally, len(ids))
	var id []byte
	var state string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&id, &state, &n}, func() error {
		if out[string(id)] == nil {
			out[string(id)] = OrderTally{}
		}
		out[string(id)][state] = n
		return nil
	})
	return out, coded(err)
}

// Waiting counts what central waits for.
type Waiting struct {
	Proposals int64 // without their second signature, and in time
	Orders    int64 // approved, not receipted: one for each post
}

// CountWaiting counts what waits now.
func (s *Store) CountWaiting(ctx context.Context) (Waiting, error) {
	var w Waiting
	err := s.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM proposals WHERE state = 'waiting' AND expires > now()),
		(SELECT count(*) FROM order_targets WHERE state = 'sent')`).Scan(&w.Proposals, &w.Orders)
	return w, coded(err)
}

// LastBackup returns the newest backup, nil where there is none.
func (s *Store) LastBackup(ctx context.Context) (*Backup, error) {
	all, err := s.Backups(ctx, 1)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}
