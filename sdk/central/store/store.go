// Package store is central's system of record: devices, who asked, and
// outcomes, in PostgreSQL. A method that writes returns after the commit is on
// disk.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/watchpost/watchpost/device/fault"
)

// Errors of the store.
var (
	// ErrUnavailable says that the database cannot be reached or did not
	// commit; the same call may succeed later.
	ErrUnavailable = &fault.Error{Code: "central.store_unavailable", Retryable: true}
	// ErrConflict says that another outcome was delivered under the same id.
	ErrConflict = &fault.Error{Code: "sink.conflict"}
	// ErrReplayed says that a question was asked before.
	ErrReplayed = &fault.Error{Code: "link.replayed"}
	// ErrDevice says that a post is not registered or was retired.
	ErrDevice = &fault.Error{Code: "link.device", Hint: "register the post's key: watchpost-central device add"}
	// ErrDeviceExists says that an id or key is or was in use; retired ones
	// are never used again.
	ErrDeviceExists = &fault.Error{Code: "central.device_exists", Hint: "ids and keys are never used again: choose another"}
	// ErrUnsafe says that the database would confirm what is not on disk.
	ErrUnsafe = &fault.Error{Code: "central.store_unsafe", Hint: "the database runs with fsync off: switch it on"}
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	migrateLimit = time.Minute
	maxConns     = 8
	uniqueClash  = "23505" // unique_violation (PostgreSQL, appendix A)
	noSuchRow    = "23503" // foreign_key_violation
	checkFailed  = "23514" // check_violation
)

// Store is an open database. It is safe for concurrent use.
type Store struct{ pool *pgxpool.Pool }

// Open connects to dsn and brings the schema up to date; several centrals may
// do so at once. ErrUnavailable if it cannot be reached, ErrUnsafe if it runs
// without fsync.
func Open(ctx context.Context, dsn string) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// pgx leaves the password out of this error.
		return nil, fault.New("central.dsn", "%w", err).WithHint("give --dsn as postgres://user@host/database or in keyword form")
	}
	cfg.MaxConns = maxConns
	cfg.ConnConfig.RuntimeParams["synchronous_commit"] = "on" // a receipt means that it is on disk
	cfg.ConnConfig.RuntimeParams["application_name"] = "watchpost-central"
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 2 * time.Second
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, coded(err)
	}
	s := &Store{pool}
	if err := s.check(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	db := stdlib.OpenDBFromPool(pool)
	if err := errors.Join(migrate(ctx, db), db.Close()); err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

// check waits for a database that is starting and refuses an unsafe one.
func (s *Store) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrateLimit)
	defer cancel()
	var fsync string
	for {
		err := s.pool.QueryRow(ctx, "SHOW fsync").Scan(&fsync)
		if err == nil {
			break
		}
		var pg *pgconn.PgError
		starting := errors.As(err, &pg) && pg.Code == "57P03" // cannot_connect_now
		if !starting {
			return coded(err)
		}
		select {
		case <-ctx.Done():
			return coded(err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	if fsync != "on" {
		return ErrUnsafe
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, migrateLimit)
	defer cancel()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fault.Wrap("central.migrate", err)
	}
	one, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return fault.Wrap("central.migrate", err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(one), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fault.Wrap("central.migrate", err)
	}
	_, err = p.Up(ctx)
	return fault.Wrap("central.migrate", err)
}

// Close waits for queries under way.
func (s *Store) Close() { s.pool.Close() }

// coded gives a database's error its code. The text of the database may quote
// values, so only its SQLSTATE is passed on.
func coded(err error) error {
	if err == nil {
		return nil
	}
	if fault.CodeOf(err) != fault.Unknown {
		return err
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return fault.New(ErrUnavailable.Code, "SQLSTATE %s", pg.Code).AsRetryable()
	}
	return fault.New(ErrUnavailable.Code, "%w", err).AsRetryable()
}

// stateOf is the SQLSTATE of an error, "" for others.
func stateOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// within runs f in a transaction and returns after the commit.
func (s *Store) within(ctx context.Context, f func(pgx.Tx) error) error {
	return coded(pgx.BeginFunc(ctx, s.pool, f))
}
