package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Device is a post that may speak to central.
type Device struct {
	ID        string     `json:"id"`
	PublicKey string     `json:"public_key"` // nkey of type user
	Added     time.Time  `json:"added"`
	Retired   *time.Time `json:"retired,omitempty"`
	Missing   *time.Time `json:"missing,omitempty"`   // reported missing: it gets nothing
	Recipient []byte     `json:"recipient,omitempty"` // X25519, keys of lists are wrapped to it
	// Certificate in force: serial number and end; nil for a post that was
	// registered without one.
	Certificate *int64     `json:"certificate,omitempty"`
	Expires     *time.Time `json:"expires,omitempty"`
	RolledBack  *time.Time `json:"rolled_back,omitempty"` // marked: an old disk image, or a copy
}

// AddDevice registers a post. The caller has checked that the key is one.
func (s *Store) AddDevice(ctx context.Context, id, publicKey string) error {
	if !linkv1.ValidPost(id) {
		return fault.New("central.device_id", "an id has 1 to 64 letters, digits, _ and -")
	}
	_, err := s.pool.Exec(ctx, "INSERT INTO devices (id, public_key) VALUES ($1, $2)", id, publicKey)
	if stateOf(err) == uniqueClash {
		return ErrDeviceExists
	}
	return coded(err)
}

// RetireDevice takes a post's rights from its next call on. ErrDevice if there
// is none of that id in use. by and reason are for the history.
func (s *Store) RetireDevice(ctx context.Context, id, by, reason string) error {
	return s.within(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE devices SET retired = now() WHERE id = $1 AND retired IS NULL", id)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrDevice
		}
		if err != nil {
			return err
		}
		return chronicle(ctx, tx, by, "device.retired", id, reason)
	})
}

const deviceColumns = `SELECT id, public_key, added, retired, missing, recipient, certificate, expires, c.rolled_back
	FROM devices LEFT JOIN contacts c ON c.device = id `

// Devices returns all posts, retired ones too, by id.
func (s *Store) Devices(ctx context.Context) ([]Device, error) {
	rows, err := s.pool.Query(ctx, deviceColumns+"ORDER BY id")
	if err != nil {
		return nil, coded(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Device])
	return all, coded(err)
}

// DeviceByID returns a post in use, ErrDevice if there is none.
func (s *Store) DeviceByID(ctx context.Context, id string) (Device, error) {
	return s.device(ctx, "WHERE id = $1 AND retired IS NULL", id)
}

// DeviceByKey returns the post in use that has the key, ErrDevice if there is
// none.
func (s *Store) DeviceByKey(ctx context.Context, publicKey string) (Device, error) {
	return s.device(ctx, "WHERE public_key = $1 AND retired IS NULL", publicKey)
}

func (s *Store) device(ctx context.Context, where string, arg string) (Device, error) {
	rows, err := s.pool.Query(ctx, deviceColumns+where, arg)
	if err != nil {
		return Device{}, coded(err)
	}
	d, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Device])
	if errors.Is(err, pgx.ErrNoRows) {
		return Device{}, ErrDevice
	}
	return d, coded(err)
}
