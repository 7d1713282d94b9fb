package store

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Codes of incidents.
const clonedCode = "device.cloned"

// Due is what a post gets for its hello.
type Due struct {
	Orders []*linkv1.SignedOrder
	Renew  bool // the certificate is to be renewed now: Certificate says what is new
	Device Device
}

// HeldList is a list in force at a post, as it told.
type HeldList struct {
	List       string `json:"list"`
	Generation uint64 `json:"generation"`
	IssuedMS   int64  `json:"issued_ms"`
	Stale      bool   `json:"stale"`
}

// Hello records what a post tells of itself and returns what it is due.
// ErrRolledBack, from then on for good, if its count of starts is lower than the
// last, the same in another run, or its count of hellos has not grown within a
// run: then an old disk image was put back, or the identity speaks from two
// places. Both are refused from then on, and an incident is kept.
func (s *Store) Hello(ctx context.Context, device string, h *linkv1.HelloRequest) (Due, error) {
	lists := make([]HeldList, 0, len(h.Lists))
	for _, l := range h.Lists {
		lists = append(lists, HeldList{l.GetList(), l.GetGeneration(), l.GetIssuedMs(), l.GetStale()})
	}
	held, err := json.Marshal(lists)
	if err != nil {
		return Due{}, fault.Wrap("call.invalid", err)
	}
	var due Due
	var refusal error
	err = s.within(ctx, func(tx pgx.Tx) error {
		due, refusal = Due{}, nil
		var known bool
		var last, count int64
		var run []byte
		err := tx.QueryRow(ctx, `SELECT d.id, d.public_key, d.added, d.retired, d.missing, d.recipient, d.certificate, d.expires,
			c.rolled_back, c.starts IS NOT NULL, coalesce(c.starts, 0), coalesce(c.run, ''), coalesce(c.count, 0)
			FROM devices d LEFT JOIN contacts c ON c.device = d.id WHERE d.id = $1 FOR UPDATE OF d`, device).
			Scan(&due.Device.ID, &due.Device.PublicKey, &due.Device.Added, &due.Device.Retired, &due.Device.Missing, &due.Device.Recipient, &due.Device.Certificate,
				&due.Device.Expires, &due.Device.RolledBack, &known, &last, &run, &count)
		switch {
		case errors.Is(err, pgx.ErrNoRows) || err == nil && due.Device.Retired != nil:
			refusal = ErrDevice
		case err != nil:
			return err
		case due.Device.Missing != nil:
			refusal = ErrMissing
		case due.Device.RolledBack != nil:
			refusal = ErrRolledBack
		case known && !continues(h, last, run, count):
			refusal = ErrRolledBack
			return mark(ctx, tx, device, h, last, run)
		}
		if refusal != nil {
			return nil
		}
		batch := new(pgx.Batch)
		if len(h.Receipts) == 0 && known && int64(h.Starts) == last {
			// Nothing but that the post is there: it need not wait for the disk.
			batch.Queue("SET LOCAL synchronous_commit = off")
		}
		batch.Queue(`INSERT INTO contacts AS c (device, starts, run, count, version, lists, audit_number, audit_lines, audit_sha256, waiting, command, workplace)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12) ON CONFLICT (device) DO UPDATE SET starts = $2, run = $3, told = now(), count = $4, version = $5, lists = $6,
			audit_number = $7, audit_lines = $8, audit_sha256 = $9, waiting = $10, command = $11, workplace = $12`,
			device, int64(h.Starts), h.Run, int64(h.Count), h.Version, held, h.AuditNumber, h.AuditLines, h.AuditSha256, int32(h.Waiting), int64(h.Command), h.Workplace)
		if h.Locked == 0 { // an officer has unlocked it there
			batch.Queue("UPDATE devices SET locked = NULL WHERE id = $1 AND locked <= $2", device, int64(h.Command))
		}
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		for _, r := range h.Receipts {
			if err := receipted(ctx, tx, device, r); err != nil {
				return err
			}
		}
		due.Orders, err = pendingOrders(ctx, tx, device)
		return err
	})
	if err == nil {
		err = coded(refusal)
	}
	return due, err
}

// continues reports whether a hello continues the one before.
func continues(h *linkv1.HelloRequest, last int64, run []byte, count int64) bool {
	switch starts := int64(h.Starts); {
	case starts > last:
		return true
	case starts < last || !bytes.Equal(h.Run, run):
		return false
	}
	return h.Count == 0 || int64(h.Count) > count
}

// mark refuses a post for good and keeps why.
func mark(ctx context.Context, tx pgx.Tx, device string, h *linkv1.HelloRequest, last int64, run []byte) error {
	if _, err := tx.Exec(ctx, "UPDATE contacts SET rolled_back = now() WHERE device = $1", device); err != nil {
		return err
	}
	detail, err := json.Marshal(map[string]any{
		"known": map[string]any{"starts": last, "run": hex.EncodeToString(run)}, "other": map[string]any{"starts": h.Starts, "run": hex.EncodeToString(h.Run)},
	})
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO incidents (device, code, detail) VALUES ($1,$2,$3)", device, clonedCode, detail); err != nil {
		return err
	}
	return chronicle(ctx, tx, "central", clonedCode, device, "two runs or an old disk image in one name")
}

// Incident is something that operators have to look into.
type Incident struct {
	Device string          `json:"device"`
	Raised time.Time       `json:"raised"`
	Code   string          `json:"code"`
	Detail json.RawMessage `json:"detail"`
}

// Incidents returns all, newest first, at most limit.
func (s *Store) Incidents(ctx context.Context, limit int) ([]Incident, error) {
	rows, err := s.pool.Query(ctx, "SELECT device, raised, code, detail FROM incidents ORDER BY raised DESC LIMIT $1", limit)
	if err != nil {
		return nil, coded(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Incident])
	return all, coded(err)
}

// Standing is what central knows of a post.
type Standing struct {
	Device
	Told        *time.Time `json:"told,omitempty"` // last hello
	Starts      int64      `json:"starts"`
	Version     string     `json:"version"`
	Lists       []HeldList `json:"lists"`
	AuditNumber int64      `json:"audit_number"` // -1: none
	AuditLines  int64      `json:"audit_lines"`
	Waiting     int32      `json:"waiting"` // outcomes in its outbox
	Command     int64      `json:"command"` // highest number of an order that it has taken
	Orders      int64      `json:"orders"`  // sent and not receipted
	Workplace   string     `json:"workplace,omitempty"`
	Locked      *int64     `json:"locked,omitempty"` // number of the order that has locked it
}

// Fleet returns all posts that are not retired, by name.
func (s *Store) Fleet(ctx context.Context) ([]Standing, error) {
	rows, err := s.pool.Query(ctx, `SELECT d.id, d.public_key, d.added, d.retired, d.missing, d.recipient, d.certificate, d.expires, c.rolled_back,
		c.told, coalesce(c.starts, 0), coalesce(c.version, ''), coalesce(c.lists, '[]'), coalesce(c.audit_number, -1), coalesce(c.audit_lines, 0),
		coalesce(c.waiting, 0), coalesce(c.command, 0), (SELECT count(*) FROM order_targets t WHERE t.device = d.id AND t.state = 'sent'), coalesce(c.workplace, ''), d.locked
		FROM devices d LEFT JOIN contacts c ON c.device = d.id WHERE d.retired IS NULL ORDER BY d.id`)
	if err != nil {
		return nil, coded(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f Standing, err error) {
		var lists []byte
		err = row.Scan(&f.ID, &f.PublicKey, &f.Added, &f.Retired, &f.Missing, &f.Recipient, &f.Certificate, &f.Expires, &f.RolledBack,
			&f.Told, &f.Starts, &f.Version, &lists, &f.AuditNumber, &f.AuditLines, &f.Waiting, &f.Command, &f.Orders, &f.Workplace, &f.Locked)
		if err == nil {
			err = json.Unmarshal(lists, &f.Lists)
		}
		return f, err
	})
	return all, coded(err)
}

func hexID(s string) ([]byte, error) {
	id, err := hex.DecodeString(s)
	if err != nil || len(id) != 16 {
		return nil, fault.New("central.proposal", "no id of a proposal")
	}
	return id, nil
}
