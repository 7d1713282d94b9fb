package store

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// listsChannel is where a list that was approved is announced to the publisher.
const listsChannel = "watchpost_lists"

// maxNeeded bounds how many a feed may ask to sign.
const maxNeeded = 16

// SignProposal is an operator's word for a proposal: for an order what the posts
// judge, for a list what its feed's metadata need, so that one signature serves
// central and the posts.
func SignProposal(kind Kind, content []byte, key ed25519.PrivateKey) ([]byte, error) {
	switch kind {
	case KindOrder:
		return linkv1.SignOrder(content, key), nil
	case KindList:
		return repo.Signature(content, key)
	}
	return linkv1.SignApproval(string(kind), content, key), nil
}

// checkProposal reports whether signature is key's word for the proposal.
func checkProposal(kind Kind, content []byte, key ed25519.PublicKey, signature []byte) bool {
	switch kind {
	case KindOrder: // the same signature goes to the posts
		return linkv1.CheckOrderSignature(content, key, signature)
	case KindList:
		return repo.CheckSignature(content, key, signature)
	}
	return linkv1.CheckApproval(string(kind), content, key, signature)
}

// ProposeList files metadata of a feed that are staged for a role. needed is
// how many the feed asks to sign.
func (s *Store) ProposeList(ctx context.Context, role string, metadata []byte, needed int, reason, by string, expires time.Time) (Proposal, error) {
	if needed > maxNeeded {
		return Proposal{}, fault.New("central.proposal", "a feed that asks for %d signatures, at most %d", needed, maxNeeded)
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	p := Proposal{ID: id, Kind: KindList, Subject: role, Reason: reason, Content: metadata, MadeBy: by, Expires: expires, Needed: max(needed, least)}
	if err := s.Propose(ctx, p); err != nil {
		return Proposal{}, err
	}
	return s.ProposalByID(ctx, id)
}

// Approved is metadata of a feed that as many as needed have signed.
type Approved struct {
	ID       []byte
	Role     string
	Metadata []byte
	By       []Approver
}

// Approver is one of them.
type Approver struct {
	Key       ed25519.PublicKey
	Signature []byte
}

// ApprovedLists returns what was approved and has neither gone out nor been
// refused, in the order of approval.
func (s *Store) ApprovedLists(ctx context.Context) ([]Approved, error) {
	rows, err := s.pool.Query(ctx, `SELECT p.id, p.subject, p.content, array_agg(o.public_key ORDER BY a.at, o.id), array_agg(a.signature ORDER BY a.at, o.id)
		FROM proposals p JOIN approvals a ON a.proposal = p.id JOIN operators o ON o.id = a.operator
		WHERE p.kind = 'list' AND p.state = 'approved' AND p.published IS NULL AND p.refused IS NULL GROUP BY p.id ORDER BY p.decided, p.id`)
	if err != nil {
		return nil, coded(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Approved, error) {
		var a Approved
		var keys, signatures [][]byte
		err := row.Scan(&a.ID, &a.Role, &a.Metadata, &keys, &signatures)
		for i := range keys {
			a.By = append(a.By, Approver{keys[i], signatures[i]})
		}
		return a, err
	})
	return all, coded(err)
}

// Published notes that approved metadata went out, or, with a code, that they
// cannot.
func (s *Store) Published(ctx context.Context, id []byte, code string) error {
	return s.within(ctx, func(tx pgx.Tx) error {
		var role, reason string
		err := tx.QueryRow(ctx, `UPDATE proposals SET published = CASE WHEN $2 = '' THEN now() END, refused = nullif($2, '')
			WHERE id = $1 AND kind = 'list' AND state = 'approved' AND published IS NULL AND refused IS NULL RETURNING subject, reason`, id, code).Scan(&role, &reason)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotWaiting
		}
		if err != nil {
			return err
		}
		what := "list.published"
		if code != "" {
			what, reason = "list.refused", code
		}
		return chronicle(ctx, tx, linkv1.CentralSigner, what, role, reason)
	})
}

// WaitLists calls f when it has begun to listen, and whenever a list was
// approved, until ctx ends or the connection is lost.
func (s *Store) WaitLists(ctx context.Context, f func()) error {
	return s.listen(ctx, listsChannel, func(string) { f() })
}

// listen calls f with "" when it listens to a channel, and with what is said
// there from then on.
func (s *Store) listen(ctx context.Context, channel string, f func(said string)) error {
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return coded(err)
	}
	conn := c.Hijack() // it listens: nobody else may have it
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return coded(err)
	}
	f("")
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return coded(err)
		}
		f(n.Payload)
	}
}
