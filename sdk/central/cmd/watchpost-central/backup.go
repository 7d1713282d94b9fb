package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/postgres"
)

func backupCommand(o *shared) *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Write the database to a file, while central runs", Args: cobra.ExactArgs(1),
		Long: `Writes the whole database to a new file, in the form of pg_dump, as it stood at one moment.
The file tells who searched and what was decided: keep it as closely as the database. The
vault (vault.json and central.key in the state folder) is not in it; copy both once.`,
		Example: "  watchpost-central backup central-2026-11-22.dump --state D",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // never over another
			if err != nil {
				return fault.Wrap("central.dump", err)
			}
			defer func() {
				err = errors.Join(err, f.Sync(), f.Close())
				if err != nil {
					err = errors.Join(err, os.Remove(args[0])) // half a backup is none
				}
			}()
			return postgres.Dump(cmd.Context(), o.database(), f, cmd.ErrOrStderr())
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
