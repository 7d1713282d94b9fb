package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Kind is what a proposal is about.
type Kind string

// Kinds.
const (
	KindOrder     Kind = "order"     // content is a linkv1.Order, signed as such
	KindEnrolment Kind = "enrolment" // content is a request's text; also renews
	KindList      Kind = "list"      // content is metadata staged in a feed, signed as such; the subject is their role
)

// Errors of proposals.
var (
	ErrSameOperator = &fault.Error{Code: "approve.same_operator"}
	ErrSignature    = &fault.Error{Code: "approve.signature", Hint: "sign exactly what central shows: watchpost-central proposal show, then proposal sign"}
	ErrNotWaiting   = &fault.Error{Code: "approve.not_waiting"} // decided, withdrawn or not there
	ErrTooOld       = &fault.Error{Code: "approve.expired"}     // nobody else has signed in time
	ErrOvertaken    = &fault.Error{Code: "order.overtaken", Hint: "a later order has gone to one of the posts: propose this one again"}
)

// Proposal is what waits for the word of two, or has had it.
type Proposal struct {
	ID       []byte     `json:"id"`
	Kind     Kind       `json:"kind"`
	Subject  string     `json:"subject"`
	Reason   string     `json:"reason"`
	Content  []byte     `json:"content"`
	Made     time.Time  `json:"made"`
	MadeBy   string     `json:"made_by"`
	Expires  time.Time  `json:"expires"`
	State    string     `json:"state"` // waiting, approved, withdrawn
	Decided  *time.Time `json:"decided,omitempty"`
	Approved []string   `json:"approved"` // who, in order
	Needed   int        `json:"needed"`   // how many different operators must approve; 0 of a new one is least
	// Of a list that was approved: when it went out, or why it cannot.
	Published *time.Time `json:"published,omitempty"`
	Refused   *string    `json:"refused,omitempty"`
}

// least is how many different operators must approve.
const least = 2

const proposalColumns = `SELECT p.id, p.kind, p.subject, p.reason, p.content, p.made, p.made_by, p.expires, p.state, p.decided,
	coalesce(array_agg(a.operator ORDER BY a.at, a.operator) FILTER (WHERE a.operator IS NOT NULL), '{}'), p.needed, p.published, p.refused
	FROM proposals p LEFT JOIN approvals a ON a.proposal = p.id `

// Propose files what two have to approve before it counts.
func (s *Store) Propose(ctx context.Context, p Proposal) error {
	return s.within(ctx, func(tx pgx.Tx) error { return propose(ctx, tx, p) })
}

func propose(ctx context.Context, tx pgx.Tx, p Proposal) error {
	if len(p.Content) == 0 || len(p.Content) > linkv1.MaxMessage || p.Reason == "" || len(p.Reason) > 256 || p.MadeBy == "" {
		return fault.New("central.proposal", "a proposal has content, a reason of at most 256 bytes and somebody who made it")
	}
	_, err := tx.Exec(ctx, "INSERT INTO proposals (id, kind, subject, reason, content, made_by, expires, needed) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)",
		p.ID, string(p.Kind), p.Subject, p.Reason, p.Content, p.MadeBy, p.Expires, max(p.Needed, least))
	if err != nil {
		return err
	}
	return chronicle(ctx, tx, p.MadeBy, string(p.Kind)+".proposed", p.Subject, p.Reason)
}

// Proposals returns those of a state, "" for all, newest first, at most limit.
func (s *Store) Proposals(ctx context.Context, state string, limit int) ([]Proposal, error) {
	rows, err := s.pool.Query(ctx, proposalColumns+"WHERE $1 = '' OR p.state = $1 GROUP BY p.id ORDER BY p.made DESC LIMIT $2", state, limit)
	if err != nil {
		return nil, coded(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Proposal])
	return all, coded(err)
}

// ProposalByID returns one, ErrNotWaiting if there is none.
func (s *Store) ProposalByID(ctx context.Context, id []byte) (Proposal, error) {
	rows, err := s.pool.Query(ctx, proposalColumns+"WHERE p.id = $1 GROUP BY p.id", id)
	if err != nil {
		return Proposal{}, coded(err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Proposal])
	if errors.Is(err, pgx.ErrNoRows) {
		return Proposal{}, ErrNotWaiting
	}
	return p, coded(err)
}

// Approve adds an operator's signature. With the second of two different
// operators the proposal takes effect in the same transaction, and approved is
// true. certify makes the certificate that an enrolment or renewal needs.
func (s *Store) Approve(ctx context.Context, id []byte, operator string, signature []byte, life time.Duration) (approved bool, err error) {
	err = s.within(ctx, func(tx pgx.Tx) error {
		approved = false
		var p Proposal
		var kind string
		err := tx.QueryRow(ctx, "SELECT id, kind, subject, reason, content, expires, state, needed FROM proposals WHERE id = $1 FOR UPDATE", id).
			Scan(&p.ID, &kind, &p.Subject, &p.Reason, &p.Content, &p.Expires, &p.State, &p.Needed)
		p.Kind = Kind(kind)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrNotWaiting
		case err != nil:
			return err
		case p.State != "waiting":
			return ErrNotWaiting
		case !time.Now().Before(p.Expires):
			return ErrTooOld
		}
		if err := checkApproval(ctx, tx, p, operator, signature); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO approvals (proposal, operator, signature) VALUES ($1,$2,$3)", id, operator, signature)
		if stateOf(err) == uniqueClash {
			return ErrSameOperator
		}
		if err != nil {
			return err
		}
		if err := chronicle(ctx, tx, operator, kind+".approved", p.Subject, p.Reason); err != nil {
			return err
		}
		var n int
		// Who has left since counts no more: a key may have left with him.
		err = tx.QueryRow(ctx, "SELECT count(*) FROM approvals a JOIN operators o ON o.id = a.operator WHERE a.proposal = $1 AND o.retired IS NULL", id).Scan(&n)
		if err != nil || n < p.Needed {
			return err
		}
		approved = true
		if _, err := tx.Exec(ctx, "UPDATE proposals SET state = 'approved', decided = now() WHERE id = $1", id); err != nil {
			return err
		}
		return effect(ctx, tx, p, life)
	})
	return approved && err == nil, err
}

// checkApproval judges one signature by the operator's key.
func checkApproval(ctx context.Context, tx pgx.Tx, p Proposal, operator string, signature []byte) error {
	var key []byte
	err := tx.QueryRow(ctx, "SELECT public_key FROM operators WHERE id = $1 AND retired IS NULL AND role = 'operator'", operator).Scan(&key)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrOperator
	}
	if err != nil {
		return err
	}
	if !checkProposal(p.Kind, p.Content, key, signature) {
		return ErrSignature
	}
	return nil
}

// effect does what two have approved.
func effect(ctx context.Context, tx pgx.Tx, p Proposal, life time.Duration) error {
	switch p.Kind {
	case KindOrder:
		return sendOrder(ctx, tx, p.ID, p.Content)
	case KindEnrolment:
		return enrol(ctx, tx, string(p.Content), life)
	case KindList: // its publisher looks for what was approved
		_, err := tx.Exec(ctx, "SELECT pg_notify($1, '')", listsChannel)
		return err
	}
	return nil
}

// Withdraw takes a waiting proposal back.
func (s *Store) Withdraw(ctx context.Context, id []byte, by, reason string) error {
	return s.within(ctx, func(tx pgx.Tx) error {
		var kind, subject string
		err := tx.QueryRow(ctx, "UPDATE proposals SET state = 'withdrawn', decided = now() WHERE id = $1 AND state = 'waiting' RETURNING kind, subject", id).Scan(&kind, &subject)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotWaiting
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE order_targets SET state = 'withdrawn' WHERE proposal = $1", id); err != nil {
			return err
		}
		return chronicle(ctx, tx, by, kind+".withdrawn", subject, reason)
	})
}
