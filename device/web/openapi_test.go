package web

import (
	"bytes"
	"flag"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write openapi.yaml from the code")

// TestOpenAPIIsCommitted holds the committed description equal to the code:
// the page's types are generated from the file.
func TestOpenAPIIsCommitted(t *testing.T) {
	s := New(Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now, Limits: DefaultLimits()})
	got, err := s.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.yaml", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("openapi.yaml is not what the code says: go test ./device/web -run OpenAPI -update, then generate the page's types")
	}
}
