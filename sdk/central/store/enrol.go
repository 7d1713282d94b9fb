package store

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Life of certificates.
const (
	// DefaultCertificateLife is how long a certificate holds.
	DefaultCertificateLife = 90 * 24 * time.Hour
	// RenewWithin is how long after its end a certificate is still renewed by
	// itself: a box that was in a store for a winter comes back without a
	// journey. After that two have to approve it again.
	RenewWithin = 180 * 24 * time.Hour
	// requestLife is how long a request may wait for its second approval.
	requestLife = 7 * 24 * time.Hour
)

// Errors of enrolment.
var (
	// ErrCertificate says that a certificate ran out too long ago.
	ErrCertificate = &fault.Error{Code: "link.expired", Hint: "show a new request on the box (watchpost keys request) and have two approve it"}
	// ErrRequest says that a request is none, or for a name that is taken.
	ErrRequest = &fault.Error{Code: "enrol.request"}
	// ErrTwoNeeded says that one person cannot do this any more.
	ErrTwoNeeded = &fault.Error{Code: "central.two_needed", Hint: "operators are named here: watchpost-central enrol propose, and two of them approve"}
)

// ProposeEnrolment files the request of a post, which its code names.
func (s *Store) ProposeEnrolment(ctx context.Context, text, reason, by string) (Proposal, error) {
	r, err := linkv1.OpenEnrolmentRequest(text)
	if err != nil {
		return Proposal{}, fault.Wrap(ErrRequest.Code, err)
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	p := Proposal{ID: id, Kind: KindEnrolment, Subject: r.Post, Reason: reason, Content: []byte(text), MadeBy: by, Expires: time.Now().Add(requestLife)}
	if err := s.Propose(ctx, p); err != nil {
		return Proposal{}, err
	}
	return s.ProposalByID(ctx, id)
}

// enrol registers the post of a request that two have approved, or gives the
// post of the same key a new certificate.
func enrol(ctx context.Context, tx pgx.Tx, text string, life time.Duration) error {
	r, err := linkv1.OpenEnrolmentRequest(text)
	if err != nil {
		return fault.Wrap(ErrRequest.Code, err)
	}
	key, err := nkeys.Encode(nkeys.PrefixByteUser, ed25519.PublicKey(r.LinkKey))
	if err != nil {
		return fault.Wrap(ErrRequest.Code, err)
	}
	tag, err := tx.Exec(ctx, `INSERT INTO devices (id, public_key, recipient, certificate, expires) VALUES ($1,$2,$3,1,now() + $4::interval) ON CONFLICT DO NOTHING`,
		r.Post, string(key), r.Recipient, life)
	if err != nil || tag.RowsAffected() == 1 {
		return err
	}
	// Only the same identity is renewed: a retired name or key stays retired.
	tag, err = tx.Exec(ctx, `UPDATE devices SET certificate = coalesce(certificate, 0) + 1, expires = now() + $4::interval, recipient = $3
		WHERE id = $1 AND public_key = $2 AND retired IS NULL`, r.Post, string(key), r.Recipient, life)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrDeviceExists
	}
	return err
}

// Renew gives a post a new certificate where a third of its life or less is
// left and it may have one. ErrCertificate for one that ran out too long ago.
func (s *Store) Renew(ctx context.Context, device string, life time.Duration) (Device, error) {
	d, err := s.DeviceByID(ctx, device)
	if err != nil || d.Certificate == nil {
		return d, err
	}
	if err := d.Usable(time.Now()); err != nil {
		return d, err
	}
	if time.Until(*d.Expires) > life/3 {
		return d, nil
	}
	_, err = s.pool.Exec(ctx, "UPDATE devices SET certificate = certificate + 1, expires = now() + $2::interval WHERE id = $1 AND retired IS NULL AND certificate = $3", device, life, *d.Certificate)
	if err != nil {
		return d, coded(err)
	}
	return s.DeviceByID(ctx, device)
}

// Usable says why a post may not speak to central: missing, marked as a copy,
// or with a certificate that ran out too long ago; nil where it may.
func (d *Device) Usable(now time.Time) error {
	switch {
	case d.Missing != nil:
		return ErrMissing
	case d.RolledBack != nil:
		return ErrRolledBack
	case d.Expires != nil && now.After(d.Expires.Add(RenewWithin)):
		return ErrCertificate
	}
	return nil
}

// Expired reports whether the certificate has run out: until it is renewed the
// post may say hello and nothing else.
func (d *Device) Expired(now time.Time) bool { return d.Expires != nil && now.After(*d.Expires) }

// Same reports whether the request is of this device's key.
func (d *Device) Same(r *linkv1.EnrolmentRequest) bool {
	raw, err := nkeys.Decode(nkeys.PrefixByteUser, []byte(d.PublicKey))
	return err == nil && bytes.Equal(raw, r.LinkKey)
}
