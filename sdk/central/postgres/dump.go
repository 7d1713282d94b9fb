package postgres

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"

	"github.com/watchpost/watchpost/device/fault"
)

// Dump writes the whole database to w in pg_dump's own form: one state, taken
// in one transaction, while central goes on. What it says goes to says.
func Dump(ctx context.Context, dsn string, w, says io.Writer) error {
	program, err := beside("pg_dump")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, "--format=custom", "--no-owner", "--dbname="+dsn)
	cmd.Stdout, cmd.Stderr = w, says
	return fault.Wrap("central.dump", cmd.Run())
}

// Restore reads what Dump wrote into an empty database, all or nothing.
func Restore(ctx context.Context, dsn string, r io.Reader, says io.Writer) error {
	program, err := beside("pg_restore")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, "--single-transaction", "--exit-on-error", "--no-owner", "--dbname="+dsn)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, says, says
	return fault.Wrap("central.restore", cmd.Run())
}

// beside is the program of that name that belongs to the server: another
// version's may not read it. Where initdb is a link, it stands where that leads.
func beside(name string) (string, error) {
	bin, err := Find()
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(filepath.Join(bin, "initdb")); err == nil {
		bin = filepath.Dir(real)
	}
	program, err := exec.LookPath(filepath.Join(bin, name))
	if err != nil {
		return "", fault.New(ErrMissing.Code, "%s is not beside initdb", name).WithHint("install Debian's package postgresql-client")
	}
	return program, nil
}
