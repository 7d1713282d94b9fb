package store

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// ordersChannel is where a committed order is announced to every central.
const ordersChannel = "watchpost_orders"

// OrderState is what became of an order at one post.
type OrderState struct {
	Device string     `json:"device"`
	Number int64      `json:"number"`
	State  string     `json:"state"` // proposed, sent, done, refused, withdrawn
	Code   *string    `json:"code,omitempty"`
	Done   *time.Time `json:"done,omitempty"`
}

// ProposeOrder gives an order its id and its numbers, and files it. devices are
// the posts that it is for, none for all in use. It returns the proposal as it
// has to be signed.
func (s *Store) ProposeOrder(ctx context.Context, o *linkv1.Order, devices []string, subject, by string) (Proposal, error) {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	now := time.Now()
	if o.IssuedMs == 0 {
		o.IssuedMs = now.UnixMilli()
	}
	o.Id = id
	p := Proposal{ID: id, Kind: KindOrder, Subject: subject, Reason: o.Reason, MadeBy: by, Expires: time.UnixMilli(o.ExpiresMs)}
	err := s.within(ctx, func(tx pgx.Tx) error {
		o.Targets = nil
		// In the order of names, so that two proposals cannot wait for each other.
		rows, err := tx.Query(ctx, `UPDATE devices d SET last_number = last_number + 1
			FROM (SELECT id FROM devices WHERE retired IS NULL AND (cardinality($1::text[]) = 0 OR id = ANY($1)) ORDER BY id FOR UPDATE) w
			WHERE d.id = w.id RETURNING d.id, d.last_number`, append([]string{}, devices...)) // never NULL
		if err != nil {
			return err
		}
		var device string
		var number int64
		if _, err := pgx.ForEachRow(rows, []any{&device, &number}, func() error {
			o.Targets = append(o.Targets, &linkv1.OrderTarget{Post: device, Number: uint64(number)})
			return nil
		}); err != nil {
			return err
		}
		if len(o.Targets) == 0 || len(devices) > 0 && len(o.Targets) != len(devices) {
			return ErrDevice
		}
		slices.SortFunc(o.Targets, func(a, b *linkv1.OrderTarget) int { return compare(a.Post, b.Post) })
		if p.Content, err = linkv1.OrderContent(o); err != nil {
			return fault.Wrap("order.form", err)
		}
		if err := propose(ctx, tx, p); err != nil {
			return err
		}
		sum := linkv1.OrderDigest(p.Content)
		targets := make([][]any, 0, len(o.Targets))
		for _, t := range o.Targets {
			targets = append(targets, []any{id, t.Post, int64(t.Number), sum})
		}
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"order_targets"}, []string{"proposal", "device", "number", "sha256"}, pgx.CopyFromRows(targets))
		return err
	})
	if err != nil {
		return Proposal{}, err
	}
	return s.ProposalByID(ctx, id)
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// sendOrder puts an approved order into the queue of its posts.
func sendOrder(ctx context.Context, tx pgx.Tx, id, content []byte) error {
	var overtaken bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM order_targets t JOIN order_targets l ON l.device = t.device AND l.number > t.number AND l.state IN ('sent', 'done', 'refused')
		WHERE t.proposal = $1)`, id).Scan(&overtaken)
	if err != nil {
		return err
	}
	if overtaken { // a post would refuse the lower number
		return ErrOvertaken
	}
	if _, err := tx.Exec(ctx, "UPDATE order_targets SET state = 'sent' WHERE proposal = $1", id); err != nil {
		return err
	}
	if err := noteLock(ctx, tx, id, content); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "SELECT pg_notify($1, encode($2::bytea, 'hex'))", ordersChannel, id)
	return err
}

// noteLock keeps leases from posts that are locked from now on, and lets those
// have them that are unlocked: what they do with it is judged there.
func noteLock(ctx context.Context, tx pgx.Tx, id, content []byte) error {
	o, err := linkv1.ReadOrder(content)
	if err != nil {
		return fault.Wrap("order.form", err)
	}
	switch {
	case o.GetLock() != nil:
		_, err = tx.Exec(ctx, "UPDATE devices d SET locked = t.number FROM order_targets t WHERE t.proposal = $1 AND d.id = t.device", id)
	case o.GetUnlock() != nil:
		_, err = tx.Exec(ctx, "UPDATE devices d SET locked = NULL FROM order_targets t WHERE t.proposal = $1 AND d.id = t.device", id)
	}
	return err
}

// SendLock files a lock that central's own key has signed and sends it. sign
// makes the signature.
func (s *Store) SendLock(ctx context.Context, device, reason, by string, life time.Duration, sign func(content []byte) []byte) error {
	now := time.Now()
	o := &linkv1.Order{IssuedMs: now.UnixMilli(), ExpiresMs: now.Add(life).UnixMilli(), Reason: reason, What: &linkv1.Order_Lock{Lock: &linkv1.LockPost{}}}
	p, err := s.ProposeOrder(ctx, o, []string{device}, device, by)
	if err != nil {
		return err
	}
	signature := sign(p.Content)
	return s.within(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE proposals SET state = 'approved', decided = now(), central = $2 WHERE id = $1", p.ID, signature); err != nil {
			return err
		}
		return sendOrder(ctx, tx, p.ID, p.Content)
	})
}

// OrderStates returns what became of an order, by post.
func (s *Store) OrderStates(ctx context.Context, id []byte) ([]OrderState, error) {
	rows, err := s.pool.Query(ctx, "SELECT device, number, state, code, done FROM order_targets WHERE proposal = $1 ORDER BY device", id)
	if err != nil {
		return nil, coded(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[OrderState])
	return all, coded(err)
}

// Targets returns the posts that an approved order waits for.
func (s *Store) Targets(ctx context.Context, id []byte) ([]string, error) {
	rows, err := s.pool.Query(ctx, "SELECT device FROM order_targets WHERE ($1::bytea IS NULL OR proposal = $1) AND state = 'sent' GROUP BY device", id)
	if err != nil {
		return nil, coded(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return all, coded(err)
}

// WaitOrders calls f with the id of each order that is sent from now on, and
// with nil when it has begun to listen: what came before is f's to look for.
// It returns when ctx ends or the connection is lost.
func (s *Store) WaitOrders(ctx context.Context, f func(id []byte)) error {
	return s.listen(ctx, ordersChannel, func(said string) {
		if said == "" {
			f(nil)
		} else if id, err := hexID(said); err == nil {
			f(id)
		}
	})
}

// pendingOrders are those that a post has not receipted, lowest number first.
func pendingOrders(ctx context.Context, tx pgx.Tx, device string) ([]*linkv1.SignedOrder, error) {
	rows, err := tx.Query(ctx, `SELECT p.content, p.central, array_agg(a.operator ORDER BY a.operator) FILTER (WHERE a.operator IS NOT NULL),
		array_agg(a.signature ORDER BY a.operator) FILTER (WHERE a.operator IS NOT NULL)
		FROM order_targets t JOIN proposals p ON p.id = t.proposal LEFT JOIN approvals a ON a.proposal = p.id
		WHERE t.device = $1 AND t.state = 'sent' GROUP BY t.number, p.id ORDER BY t.number LIMIT $2`, device, linkv1.MaxOrders)
	if err != nil {
		return nil, err
	}
	var out []*linkv1.SignedOrder
	size := 0
	var content, central []byte
	var by []string
	var signatures [][]byte
	_, err = pgx.ForEachRow(rows, []any{&content, &central, &by, &signatures}, func() error {
		o := &linkv1.SignedOrder{Content: slices.Clone(content)}
		if central != nil {
			o.Signatures = append(o.Signatures, &linkv1.OrderSignature{By: linkv1.CentralSigner, Signature: slices.Clone(central)})
		}
		for i := range by {
			o.Signatures = append(o.Signatures, &linkv1.OrderSignature{By: by[i], Signature: slices.Clone(signatures[i])})
		}
		if size += len(content) + 512; size <= linkv1.MaxOrder || out == nil { // one reply holds them
			out = append(out, o)
		}
		return nil
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return out, err
}

// receipted notes what a post says of an order. One that is not known, or was
// receipted before, changes nothing.
func receipted(ctx context.Context, tx pgx.Tx, device string, r *linkv1.CommandReceipt) error {
	state := "done"
	var code *string
	if r.Code != "" {
		state, code = "refused", &r.Code
	}
	_, err := tx.Exec(ctx, "UPDATE order_targets SET state = $3, code = $4, done = now() WHERE device = $1 AND sha256 = $2 AND state = 'sent'", device, r.OrderSha256, state, code)
	return err
}
