package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/postgres"
	"github.com/watchpost/watchpost/sdk/central/store"
)

func backupCommand(o *shared) *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Write the database to a file, while central runs", Args: cobra.ExactArgs(1),
		Long: `Writes the whole database to a new file, in the form of pg_dump, as it stood at one moment,
prints {at, file, bytes, sha256}, and notes it, so that page and metrics know its age.
The file tells who searched and what was decided: keep it as closely as the database. The
vault (vault.json and central.key in the state folder) is not in it; copy both once.`,
		Example: "  watchpost-central backup central-2026-11-22.dump --state D",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // never over another
			if err != nil {
				return fault.Wrap("central.dump", err)
			}
			b := store.Backup{At: time.Now().UTC(), File: filepath.Base(args[0])}
			sum := sha256.New()
			err = errors.Join(postgres.Dump(cmd.Context(), o.database(), io.MultiWriter(f, sum), cmd.ErrOrStderr()), f.Sync(), f.Close())
			if err != nil {
				return errors.Join(err, os.Remove(args[0])) // half a backup is none
			}
			info, err := os.Stat(args[0])
			if err != nil {
				return fault.Wrap("central.dump", err)
			}
			b.Bytes, b.SHA256 = info.Size(), sum.Sum(nil)
			// The page and the metrics say how old the last one is.
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				if err := s.AddBackup(cmd.Context(), b); err != nil {
					return err
				}
				return row(cmd, struct {
					At     time.Time `json:"at"`
					File   string    `json:"file"`
					Bytes  int64     `json:"bytes"`
					SHA256 string    `json:"sha256"`
				}{b.At, b.File, b.Bytes, hex.EncodeToString(b.SHA256)})
			})
		},
	}
}

func restoreCommand(o *shared) *cobra.Command {
	return &cobra.Command{
		Use: "restore FILE", Short: "Read a backup into an empty database", Args: cobra.ExactArgs(1),
		Long: `Reads what "backup" wrote into an empty database, all of it or nothing. With the private
database it is started for this, so that central must not run. Posts that have started
or been ordered since the backup are told apart: who was taken for a copy wrongly is
enrolled anew.`,
		Example: "  watchpost-central restore central-2026-11-22.dump --state NEW",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			f, err := os.Open(args[0])
			if err != nil {
				return fault.Wrap("central.restore", err)
			}
			defer f.Close()
			if o.dsn == "" {
				if err := os.MkdirAll(o.state, 0o711); err != nil { // PostgreSQL's account passes through
					return fault.Wrap("central.state", err)
				}
				pg, err := postgres.Start(cmd.Context(), postgres.Options{Dir: central.PostgresDir(o.state)})
				if err != nil {
					return err
				}
				defer func() { _ = pg.Stop() }() // what was committed is on disk
			}
			return postgres.Restore(cmd.Context(), o.database(), f, cmd.ErrOrStderr())
		},
	}
}

// database is the one that serve uses.
func (o *shared) database() string {
	if o.dsn != "" {
		return o.dsn
	}
	return postgres.DSN(central.PostgresDir(o.state))
}
