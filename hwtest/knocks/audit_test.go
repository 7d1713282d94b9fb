package knocks_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/hwtest/demo"
)

// auditCommand runs "watchpost audit ARGS" and returns its exit status and its
// rows.
func (s *stage) auditCommand(t *testing.T, args ...string) (int, []map[string]any) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.bin, "watchpost"), append([]string{"audit"}, args...)...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	_ = cmd.Run() // the status says it
	if said.Len() > 0 {
		t.Logf("watchpost audit %s: %s", args[0], said.String())
	}
	var rows []map[string]any
	dec := json.NewDecoder(&out)
	for dec.More() {
		row := map[string]any{}
		if err := dec.Decode(&row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return cmd.ProcessState.ExitCode(), rows
}

// TestAuditOfARealPost holds the log of a real daemon against what a real
// central holds of it, while it runs and after it has stopped, and looks in it
// for what the daemon does by itself.
func TestAuditOfARealPost(t *testing.T) {
	s := onStage(t)
	s.show(t, demo.Man.Name)
	p := s.arrive(t, true)
	lay := s.passport(t, demo.Man)
	lift := s.lay(t, lay)
	holder := lay.Person()
	p.done(p.read(holder.Key()))
	p.done(p.face())
	e := p.answered()
	for _, c := range e.Candidates {
		if _, err := s.client.Adjudicate(t.Context(), p.id, c, "same_person", "the ears"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.client.Decide(t.Context(), p.id, "referred", "the ears"); err != nil {
		t.Fatal(err)
	}
	lift()

	// Heads go to central every few seconds once the link is up: the first run may
	// have brought none. The run that goes on signs the third.
	central := filepath.Join(t.TempDir(), "heads.jsonl")
	for begun := time.Now(); ; time.Sleep(tryEvery) {
		raw, err := s.central.Heads(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(central, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if held := bytes.Count(raw, []byte("\n")); held > 2 {
			break
		} else if time.Since(begun) > stepLimit {
			t.Fatalf("central holds %d heads of a post that was started twice", held)
		}
	}
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(s.world.Second), 0o600); err != nil {
		t.Fatal(err)
	}
	status, rows := s.auditCommand(t, "verify", "--state", s.world.State, "--officer", demo.SecondID, "--password-file", password, "--central", central)
	if status != 0 || len(rows) != 3 || rows[2]["source"] != "central" || rows[2]["heads"].(float64) < 2 {
		t.Errorf("the running post: status %d, %v", status, rows)
	}
	if status, _ := s.auditCommand(t, "verify", "--state", s.world.State); status != 3 {
		t.Errorf("files that a daemon has open: status %d", status)
	}
	status, rows = s.auditCommand(t, "report", "--state", s.world.State, "--officer", demo.SecondID, "--password-file", password)
	if status != 0 || rows[0]["total"].(map[string]any)["searches"].(float64) < 1 {
		t.Errorf("report: status %d, %v", status, rows)
	}
	if status, rows := s.auditCommand(t, "verify", "--state", s.still); status != 0 {
		t.Errorf("a post that stopped in order: status %d, %v", status, rows)
	}
	// What stopped is an old image by now: its post has gone on. By itself it
	// is in order; only what was kept elsewhere shows it.
	status, rows = s.auditCommand(t, "verify", "--state", s.still, "--central", central)
	if failed, _ := rows[2]["error"].(map[string]any); status != 3 || failed["code"] != "audit.truncated" {
		t.Errorf("an old image of the disk: status %d, %v", status, rows)
	}

	seen := map[audit.Action]bool{}
	err := store.ReadAudit(s.still, func(st *store.Store) error {
		for line, err := range audit.Lines(st.AuditLines) {
			if err != nil {
				return err
			}
			seen[line.Action] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []audit.Action{
		audit.PostStarted, audit.PostStopped, audit.KeysUnlocked, audit.KeyMade, audit.Provisioned, audit.AccountsChanged, audit.ListChanged,
	} {
		if !seen[want] {
			t.Errorf("nothing tells of %s", want)
		}
	}
	_, rows = s.auditCommand(t, "list", "--state", s.world.State, "--officer", demo.SecondID, "--password-file", password)
	all, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, personal := range []string{holder.Surname, holder.DocumentNumber, holder.Born, strings.ReplaceAll(holder.Born[2:], "-", ""), "LISTED", "ears", s.world.Password} {
		if strings.Contains(string(all), personal) {
			t.Errorf("the log holds %q", personal)
		}
	}
}
