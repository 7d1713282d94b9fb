package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/watchpost/watchpost/device/fault"
)

// ErrWorker says that a worker is not registered, or was retired.
var ErrWorker = &fault.Error{Code: "link.worker", Hint: "register it: watchpost-central worker add NAME LINK --shard N"}

// Worker holds a part of lists on another machine. Those of one shard hold the
// same.
type Worker struct {
	ID        string           `json:"id"`
	PublicKey string           `json:"public_key"` // nkey of type user
	Shard     int              `json:"shard"`
	Added     time.Time        `json:"added"`
	Retired   *time.Time       `json:"retired,omitempty"`
	Told      *time.Time       `json:"told,omitempty"`  // last word of presence
	Holds     *json.RawMessage `json:"holds,omitempty"` // as it said: {shard, of, lists}
}

const workerColumns = "SELECT id, public_key, shard, added, retired, told, holds FROM workers "

// AddWorker registers a worker for a shard. A retired name or key is never used
// again.
func (s *Store) AddWorker(ctx context.Context, id, publicKey string, shard int, by string) error {
	return s.within(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO workers (id, public_key, shard) VALUES ($1,$2,$3)", id, publicKey, shard)
		if stateOf(err) == uniqueClash {
			return fault.New("central.worker", "the name or the key is another worker's")
		}
		if err != nil {
			return err
		}
		return chronicle(ctx, tx, by, "worker.added", id, "")
	})
}

// RetireWorker takes a worker's rights for good.
func (s *Store) RetireWorker(ctx context.Context, id, by string) error {
	return s.within(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE workers SET retired = now() WHERE id = $1 AND retired IS NULL", id)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrWorker
		}
		if err != nil {
			return err
		}
		return chronicle(ctx, tx, by, "worker.retired", id, "")
	})
}

// Workers returns all, by shard and name.
func (s *Store) Workers(ctx context.Context) ([]Worker, error) {
	rows, err := s.pool.Query(ctx, workerColumns+"ORDER BY shard, id")
	if err != nil {
		return nil, coded(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Worker])
	return all, coded(err)
}

// WorkerByKey returns the worker of a key, ErrWorker where there is none in use.
func (s *Store) WorkerByKey(ctx context.Context, publicKey string) (Worker, error) {
	rows, err := s.pool.Query(ctx, workerColumns+"WHERE public_key = $1 AND retired IS NULL", publicKey)
	if err != nil {
		return Worker{}, coded(err)
	}
	w, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Worker])
	if errors.Is(err, pgx.ErrNoRows) {
		return Worker{}, ErrWorker
	}
	return w, coded(err)
}

// RetiredWorkers returns the public keys of all workers whose rights were
// taken. None of them is ever used again.
func (s *Store) RetiredWorkers(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, "SELECT public_key FROM workers WHERE retired IS NOT NULL")
	if err != nil {
		return nil, coded(err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return keys, coded(err)
}

// WorkerHolds notes what a worker says that it holds, ErrWorker where it is not
// registered for this shard.
func (s *Store) WorkerHolds(ctx context.Context, publicKey string, shard int, holds []byte) error {
	tag, err := s.pool.Exec(ctx, "UPDATE workers SET told = now(), holds = $3 WHERE public_key = $1 AND shard = $2 AND retired IS NULL", publicKey, shard, holds)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrWorker
	}
	return coded(err)
}
