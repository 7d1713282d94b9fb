// Package centraltest gives tests the real parts that central leans on.
package centraltest

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/watchpost/watchpost/sdk/central/postgres"
)

// Postgres runs a private PostgreSQL until the test ends. Where it is not
// installed the test is skipped, in CI (CI=true) it fails.
func Postgres(t testing.TB) *postgres.Instance {
	t.Helper()
	i, err := postgres.Start(context.Background(), postgres.Options{Dir: Dir(t)})
	if errors.Is(err, postgres.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: PostgreSQL is not installed; apt-get install postgresql")
	}
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		if err := i.Stop(); err != nil {
			t.Error(err)
		}
	})
	return i
}

// Dir is a folder that an unprivileged account can reach, which t.TempDir is
// not when the test runs as root.
func Dir(t testing.TB) string {
	t.Helper()
	d, err := os.MkdirTemp("", "wpc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(d); err != nil {
			t.Error(err)
		}
	})
	return d
}
