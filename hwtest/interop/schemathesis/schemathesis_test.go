// Package schemathesis has schemathesis, signed in, call every operation of a
// running post by its published description. Nothing but tests is in it.
package schemathesis

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// version is pinned: another one makes other requests.
const version = "4.32.5"

// startLimit is how long the post may take to come up beside other tests.
const startLimit = 3 * time.Minute

// TestInteropSchemathesis lets schemathesis call the API of a post on real
// parts (hwtest up --post), with all of its checks. It fails if schemathesis
// finds anything, or if an operation never succeeds.
func TestInteropSchemathesis(t *testing.T) {
	if os.Getenv("WATCHPOST_INTEROP") == "" {
		t.Skip("a real counterpart: make interop")
	}
	tool := install(t)
	post := start(t)
	seeds := newSeeds(t, post)
	server := httptest.NewServer(seeds)
	defer server.Close()

	dir := t.TempDir()
	report := filepath.Join(dir, "report.ndjson")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tool, "run", strings.TrimSuffix(post.URL, "/")+"/v1/openapi.json",
		"--tls-verify", "false", // the post's certificate is its own
		"--checks", "all", "--mode", "all", "--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure",
		"--workers", "1", "--max-examples", "12", "--seed", "1", "--generation-database", "none", "--no-color",
		"--rate-limit", "auto", // the post's own limits hold: it says when to come back
		// Seconds. The post's own longest deadline of a call is 15, then it answers with its code.
		"--request-timeout", "30", "--max-response-time", "20",
		"--report", "ndjson", "--report-ndjson-path", report)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "SCHEMATHESIS_HOOKS=hooks", "PYTHONPATH="+here, "PYTHONDONTWRITEBYTECODE=1", "WATCHPOST_SEEDS="+server.URL)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("schemathesis found failures: %v", err)
	}
	good := succeeded(t, report)
	operations := seeds.operations()
	for _, op := range operations {
		if good[op] == 0 {
			t.Errorf("%s never reached 2xx", op)
		}
		t.Logf("%5d answers 2xx  %s", good[op], op)
	}
	t.Logf("%d operations, schemathesis %s", len(operations), version)
}

// install returns the program, in an environment of its own in the cache.
func install(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "watchpost", "schemathesis-"+version)
	tool := filepath.Join(dir, "bin", "schemathesis")
	if exec.CommandContext(t.Context(), tool, "--version").Run() == nil {
		return tool
	}
	for _, args := range [][]string{{"python3", "-m", "venv", "--clear", dir}, {filepath.Join(dir, "bin", "pip"), "install", "-q", "schemathesis==" + version}} {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	return tool
}

// post is how a running post is reached, as hwtest up --post says it.
type post struct {
	URL        string `json:"url"`
	Officer    string `json:"officer"`
	Password   string `json:"password"`
	Supervisor string `json:"supervisor"`
	Second     string `json:"supervisor_password"`
	Socket     string `json:"admin_socket"`
	mrz        string // of the passport on the reader
	// put has the person of a letter stand at the post.
	put func(letter string) error
}

// start runs a post whose officer holds every role that an operation asks for,
// with a listed person and their passport at it.
func start(t *testing.T) post {
	t.Helper()
	bin := os.Getenv("WATCHPOST_BIN")
	if bin == "" {
		bin = filepath.Join("..", "..", "..", "bin")
	}
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	free, err := net.Listen("tcp", "127.0.0.1:0") // the usual port may be another post's
	if err != nil {
		t.Fatal(err)
	}
	listen := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "hwtest"), "up", "--post", "--bin", bin, "--faces", "2000", "--documents", "2000", "--listen", listen,
		"--officer-roles", "supervisor,administrator,auditor",
		"--presentation", "advise") // as it ships, policy asks for no challenge, and the operation could never succeed
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: make build puts the programs into bin/", err)
	}
	t.Cleanup(func() {
		_, _ = io.WriteString(in, "q\n") // it may have ended by itself; Wait tells
		if err := cmd.Wait(); err != nil {
			t.Errorf("the post ended with %v:\n%s", err, said.String())
		}
	})
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			lines <- slices.Clone(scan.Bytes())
		}
	}()
	next := func(v any) {
		select {
		case line, open := <-lines:
			if !open {
				t.Fatal("the post ended")
			}
			if err := json.Unmarshal(line, v); err != nil {
				t.Fatal(err)
			}
		case <-ctx.Done():
			t.Fatal("the post did not come up")
		}
	}
	var p post
	var stands struct {
		MRZ string `json:"mrz"`
	}
	next(&p)
	next(&stands) // (a), whom a post starts with
	if _, err := io.WriteString(in, "b\n"); err != nil {
		t.Fatal(err)
	}
	next(&stands)
	p.mrz = stands.MRZ
	p.put = func(letter string) error {
		if _, err := io.WriteString(in, letter+"\n"); err != nil {
			return err
		}
		select {
		case _, open := <-lines:
			if !open {
				return errors.New("the post ended")
			}
			return nil
		case <-time.After(startLimit):
			return errors.New("nobody came")
		}
	}
	return p
}

// succeeded counts, by schemathesis' own report, the answers 2xx of each
// operation ("GET /v1/system").
func succeeded(t *testing.T, report string) map[string]int {
	t.Helper()
	raw, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	good := make(map[string]int)
	for line := range bytes.Lines(raw) {
		var event struct {
			ScenarioFinished *struct {
				Recorder struct {
					Cases map[string]struct {
						Value struct {
							Method string `json:"method"`
							Path   string `json:"path"`
						} `json:"value"`
					} `json:"cases"`
					Interactions map[string]struct {
						Response *struct {
							Status int `json:"status_code"`
						} `json:"response"`
					} `json:"interactions"`
				} `json:"recorder"`
			} `json:"ScenarioFinished"`
		}
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		if event.ScenarioFinished == nil {
			continue
		}
		r := event.ScenarioFinished.Recorder
		for id, i := range r.Interactions {
			if i.Response != nil && i.Response.Status/100 == http.StatusOK/100 {
				c := r.Cases[id].Value
				good[strings.ToUpper(c.Method)+" "+c.Path]++
			}
		}
	}
	return good
}
