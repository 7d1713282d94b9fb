package store

import (
	"context"
	"crypto/ed25519"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/watchpost/watchpost/device/fault"
)

// Operator is a person who may approve, with the public half of a key that is
// on that person's own machine only.
type Operator struct {
	ID       string     `json:"id"`
	Key      []byte     `json:"public_key,omitempty"` // Ed25519, 32 bytes; of an operator only
	Password *string    `json:"-"`                    // argon2id; nil has no access to the page
	Added    time.Time  `json:"added"`
	Retired  *time.Time `json:"retired,omitempty"`
	Role     Role       `json:"role"`
}

// Role is what a person may do at the administration page.
type Role string

// Roles. One person has one.
const (
	RoleOperator      Role = "operator"      // proposes, signs with a key of their own, withdraws
	RoleAdministrator Role = "administrator" // reports posts missing or found; decides nothing that counts by two
	RoleAuditor       Role = "auditor"       // reads
)

// Errors of operators.
var (
	// ErrOperator says that nobody of that name may approve.
	ErrOperator = &fault.Error{Code: "approve.unknown_operator", Hint: "watchpost-central operator list shows who may approve"}
	// ErrOperatorExists says that a name or key is or was in use.
	ErrOperatorExists = &fault.Error{Code: "central.operator_exists", Hint: "names and keys are never used again: choose another"}
)

const operatorColumns = "SELECT id, public_key, password, added, retired, role FROM operators "

// AddOperator adds who may approve. by says who added, for the history.
func (s *Store) AddOperator(ctx context.Context, id string, key ed25519.PublicKey, password *string, by string) error {
	if len(key) != ed25519.PublicKeySize || id == "" || id == "central" {
		return fault.New("central.operator", "an operator has a name, not central, and an Ed25519 key of 32 bytes")
	}
	return s.within(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO operators (id, public_key, password) VALUES ($1,$2,$3)", id, []byte(key), password)
		switch stateOf(err) {
		case uniqueClash:
			return ErrOperatorExists
		case checkFailed:
			return fault.New("central.operator", "a name has 1 to 64 letters, digits, _, . and -")
		}
		if err != nil {
			return err
		}
		return chronicle(ctx, tx, by, "operator.added", id, "")
	})
}

// AddReader adds who may sign in and not approve.
func (s *Store) AddReader(ctx context.Context, id string, role Role, password, by string) error {
	if id == "" || id == "central" || role != RoleAdministrator && role != RoleAuditor {
		return fault.New("central.operator", "who signs nothing is an administrator or an auditor")
	}
	return s.within(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO operators (id, role, password) VALUES ($1,$2,$3)", id, string(role), password)
		switch stateOf(err) {
		case uniqueClash:
			return ErrOperatorExists
		case checkFailed:
			return fault.New("central.operator", "a name has 1 to 64 letters, digits, _, . and -")
		}
		if err != nil {
			return err
		}
		return chronicle(ctx, tx, by, "operator.added", id, string(role))
	})
}

// SetPassword gives somebody access to the page, or another password.
func (s *Store) SetPassword(ctx context.Context, id, password, by string) error {
	return s.within(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE operators SET password = $2 WHERE id = $1 AND retired IS NULL", id, password)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrOperator
		}
		if err != nil {
			return err
		}
		return chronicle(ctx, tx, by, "operator.password", id, "")
	})
}

// RetireOperator takes an operator's rights for good.
func (s *Store) RetireOperator(ctx context.Context, id, by string) error {
	return s.within(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE operators SET retired = now() WHERE id = $1 AND retired IS NULL", id)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrOperator
		}
		if err != nil {
			return err
		}
		return chronicle(ctx, tx, by, "operator.retired", id, "")
	})
}

// Operators returns all, retired ones too, by name.
func (s *Store) Operators(ctx context.Context) ([]Operator, error) {
	rows, err := s.pool.Query(ctx, operatorColumns+"ORDER BY id")
	if err != nil {
		return nil, coded(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Operator])
	return all, coded(err)
}

// OperatorByID returns an operator who is not retired, ErrOperator if there is
// none.
func (s *Store) OperatorByID(ctx context.Context, id string) (Operator, error) {
	rows, err := s.pool.Query(ctx, operatorColumns+"WHERE id = $1 AND retired IS NULL", id)
	if err != nil {
		return Operator{}, coded(err)
	}
	o, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Operator])
	if errors.Is(err, pgx.ErrNoRows) {
		return Operator{}, ErrOperator
	}
	return o, coded(err)
}

// Event is one line of central's history.
type Event struct {
	Number  int64     `json:"number"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	What    string    `json:"what"`
	Subject string    `json:"subject"`
	Reason  string    `json:"reason,omitempty"`
}

// chronicle writes one line of the history in the transaction of what it tells.
func chronicle(ctx context.Context, tx pgx.Tx, who, what, subject, reason string) error {
	_, err := tx.Exec(ctx, "INSERT INTO history (who, what, subject, reason) VALUES ($1,$2,$3,$4)", who, what, subject, reason)
	return err
}

// Note writes a line of the history for what has no row of its own: who signed
// in, what was refused.
func (s *Store) Note(ctx context.Context, who, what, subject, reason string) error {
	return s.within(ctx, func(tx pgx.Tx) error { return chronicle(ctx, tx, who, what, subject, reason) })
}

// History returns the newest lines, at most limit.
func (s *Store) History(ctx context.Context, limit int) ([]Event, error) {
	return s.HistoryOf(ctx, "", limit)
}

// HistoryOf returns the newest lines about a subject (a post, a list with its
// records, a person), "" for all, at most limit.
func (s *Store) HistoryOf(ctx context.Context, subject string, limit int) ([]Event, error) {
	rows, err := s.pool.Query(ctx, `SELECT number, at, who, what, subject, reason FROM history
		WHERE $1 = '' OR subject = $1 OR starts_with(subject, $1 || '/') ORDER BY number DESC LIMIT $2`, subject, limit)
	if err != nil {
		return nil, coded(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Event])
	return all, coded(err)
}
