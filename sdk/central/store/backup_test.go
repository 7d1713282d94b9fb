package store_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/watchpost/watchpost/sdk/central/centraltest"
	"github.com/watchpost/watchpost/sdk/central/postgres"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// TestBackup: what was committed is there after a restore into another
// PostgreSQL, gives the same receipts, and a damaged backup leaves nothing.
func TestBackup(t *testing.T) {
	s, pg := open(t)
	first, err := s.Deliver(t.Context(), "desk-1", outcome("a"))
	if err != nil {
		t.Fatal(err)
	}
	var dump bytes.Buffer
	if err := postgres.Dump(t.Context(), pg.DSN(), &dump, io.Discard); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Deliver(t.Context(), "desk-1", outcome("after the backup")); err != nil {
		t.Fatal(err)
	}
	other := centraltest.Postgres(t)
	again(t, func() error { // it may still be starting
		cut := dump.Bytes()[:dump.Len()*2/3]
		if postgres.Restore(t.Context(), other.DSN(), bytes.NewReader(cut), io.Discard) == nil {
			t.Fatal("half a backup was taken")
		}
		return postgres.Restore(t.Context(), other.DSN(), bytes.NewReader(dump.Bytes()), io.Discard)
	})
	if err := postgres.Restore(t.Context(), other.DSN(), bytes.NewReader(dump.Bytes()), io.Discard); err == nil {
		t.Error("a backup was read over a database that is not empty")
	}
	back, err := store.Open(t.Context(), other.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if rows, _, err := back.Outcomes(t.Context(), "desk-1"); err != nil || rows != 1 {
		t.Fatalf("%d outcomes, %v", rows, err)
	}
	if c, err := back.Deliver(t.Context(), "desk-1", outcome("a")); err != nil || c.MS != first.MS {
		t.Fatalf("another receipt: %+v, %v", c, err)
	}
}
