package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/watchpost/watchpost/device/fault"
)

// Errors of posts that are to lock.
var (
	// ErrMissing says that a post is reported missing.
	ErrMissing = &fault.Error{Code: "link.missing", Hint: "if the post is back where it belongs: watchpost-central device found NAME"}
	// ErrRolledBack says that a post's disk is an old image, or a copy.
	ErrRolledBack = &fault.Error{Code: "post.counter", Hint: "find out who put an old disk image back, then enrol the post anew under another name"}
	// ErrLocked says that an order has locked the post. It is lifted by another,
	// or by an officer there.
	ErrLocked = &fault.Error{Code: "command.lock", Retryable: true, Hint: "two operators lift it (watchpost-central order unlock), or an officer at the post"}
	// ErrNoLease says that a post was not registered for leases.
	ErrNoLease = &fault.Error{Code: "lease.unknown", Hint: "register what the workshop was told: watchpost-central lease add"}
)

// Lease is a post whose vault opens by a lease.
type Lease struct {
	Device       string    `json:"device"`
	BootKey      string    `json:"boot_key"` // nkey of type user
	Registration string    `json:"-"`
	Seconds      int32     `json:"seconds"` // how long one lasts
	Registered   time.Time `json:"registered"`
}

// AddLease registers a post for leases, in the place of a registration before.
// ErrDevice if there is no such post in use.
func (s *Store) AddLease(ctx context.Context, l Lease) error {
	return s.within(ctx, func(tx pgx.Tx) error {
		if err := inUse(ctx, tx, l.Device); err != nil && !errors.Is(err, ErrMissing) {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO leases (device, boot_key, registration, seconds) VALUES ($1,$2,$3,$4)
			ON CONFLICT (device) DO UPDATE SET boot_key = $2, registration = $3, seconds = $4, registered = now()`,
			l.Device, l.BootKey, l.Registration, l.Seconds)
		if stateOf(err) == uniqueClash {
			return ErrDeviceExists
		}
		return err
	})
}

const leaseColumns = "SELECT l.device, l.boot_key, l.registration, l.seconds, l.registered FROM leases l "

// Leases returns the posts in use that are registered for leases.
func (s *Store) Leases(ctx context.Context) ([]Lease, error) {
	rows, err := s.pool.Query(ctx, leaseColumns+"JOIN devices d ON d.id = l.device WHERE d.retired IS NULL ORDER BY l.device")
	if err != nil {
		return nil, coded(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Lease])
	return all, coded(err)
}

// LeaseOf returns the registration of a post, ErrNoLease if there is none. One
// that was retired has its registration still, so that it can be told.
func (s *Store) LeaseOf(ctx context.Context, device string) (Lease, error) {
	return s.lease(ctx, "WHERE l.device = $1", device)
}

// LeaseByKey returns the registration of a boot key.
func (s *Store) LeaseByKey(ctx context.Context, bootKey string) (Lease, error) {
	return s.lease(ctx, "WHERE l.boot_key = $1", bootKey)
}

func (s *Store) lease(ctx context.Context, where, arg string) (Lease, error) {
	rows, err := s.pool.Query(ctx, leaseColumns+where, arg)
	if err != nil {
		return Lease{}, coded(err)
	}
	l, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Lease])
	if errors.Is(err, pgx.ErrNoRows) {
		return Lease{}, ErrNoLease
	}
	return l, coded(err)
}

// Released records a call for a lease before it is answered. It returns the
// refusal that the post gets: ErrMissing, ErrDevice, ErrRolledBack, or
// ErrLocked while an order has locked it, or ErrReplayed for a call that came
// before. A refusal is recorded as well.
func (s *Store) Released(ctx context.Context, device string, call []byte, renewal bool) error {
	var refusal error
	err := s.within(ctx, func(tx pgx.Tx) error {
		refusal = inUse(ctx, tx, device)
		if refusal == nil {
			refusal = rolledBack(ctx, tx, device)
		}
		if refusal == nil {
			refusal = locked(ctx, tx, device)
		}
		var code *string
		if refusal != nil {
			text := string(fault.CodeOf(coded(refusal)))
			code = &text
		}
		if errors.Is(refusal, ErrDevice) {
			return nil // there may be no row to point to
		}
		_, err := tx.Exec(ctx, "INSERT INTO releases (device, call, renewal, refused) VALUES ($1,$2,$3,$4)", device, call, renewal, code)
		if stateOf(err) == uniqueClash {
			return ErrReplayed
		}
		return err
	})
	if err != nil {
		return err
	}
	return coded(refusal)
}

// inUse returns ErrDevice for a post that is not in use and ErrMissing for one
// that is reported missing.
func inUse(ctx context.Context, tx pgx.Tx, device string) error {
	var retired, missing *time.Time
	err := tx.QueryRow(ctx, "SELECT retired, missing FROM devices WHERE id = $1", device).Scan(&retired, &missing)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ErrDevice
	case err != nil:
		return err
	case retired != nil:
		return ErrDevice
	case missing != nil:
		return ErrMissing
	}
	return nil
}

func rolledBack(ctx context.Context, tx pgx.Tx, device string) error {
	var at *time.Time
	err := tx.QueryRow(ctx, "SELECT rolled_back FROM contacts WHERE device = $1", device).Scan(&at)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err == nil && at != nil {
		return ErrRolledBack
	}
	return err
}

// locked returns ErrLocked while a lock waits to be lifted.
func locked(ctx context.Context, tx pgx.Tx, device string) error {
	var number *int64
	err := tx.QueryRow(ctx, "SELECT locked FROM devices WHERE id = $1", device).Scan(&number)
	if err == nil && number != nil {
		return ErrLocked
	}
	return err
}

// SetMissing reports a post missing, or found again. by and reason are for the
// history: neither happens without its line there.
func (s *Store) SetMissing(ctx context.Context, device string, missing bool, by, reason string) error {
	what := "device.found"
	if missing {
		what = "device.missing"
	}
	return s.within(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE devices SET missing = CASE WHEN $2 THEN coalesce(missing, now()) END WHERE id = $1 AND retired IS NULL`, device, missing)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrDevice
		}
		if err != nil {
			return err
		}
		return chronicle(ctx, tx, by, what, device, reason)
	})
}
