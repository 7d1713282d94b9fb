package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/durable"
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
			b, err := o.dump(cmd, args[0])
			if err != nil {
				return err
			}
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

// dump writes the database beside path and gives it that name when it is whole
// and on disk: half a backup, left by a kill or a power cut, never has it. It
// takes no other file's place.
func (o *shared) dump(cmd *cobra.Command, path string) (b store.Backup, err error) {
	taken := fault.New("central.dump_exists", "%s is there already", path).WithHint("choose another name")
	if _, err := os.Lstat(path); err == nil { // before the work of minutes
		return b, taken
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
	if err != nil {
		return b, fault.Wrap("central.dump", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // what cannot be removed is no backup by its name
		}
	}()
	b = store.Backup{At: time.Now().UTC(), File: filepath.Base(path)}
	sum := sha256.New()
	if err := errors.Join(postgres.Dump(cmd.Context(), o.database(), io.MultiWriter(f, sum), cmd.ErrOrStderr()), f.Sync(), f.Close()); err != nil {
		return b, err
	}
	info, err := os.Stat(f.Name())
	if err != nil {
		return b, fault.Wrap("central.dump", err)
	}
	b.Bytes, b.SHA256 = info.Size(), sum.Sum(nil)
	err = unix.Renameat2(unix.AT_FDCWD, f.Name(), unix.AT_FDCWD, path, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) { // a file system that cannot refuse, some network ones; looked at above
		err = os.Rename(f.Name(), path)
	}
	if errors.Is(err, fs.ErrExist) {
		return b, taken
	}
	if err != nil {
		return b, fault.Wrap("central.dump", err)
	}
	return b, fault.Wrap("central.dump", durable.SyncDir(filepath.Dir(path)))
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
