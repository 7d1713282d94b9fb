package shift_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/encounter/policy"
)

// source is a row of "audit verify".
type source struct {
	Source string `json:"source"`
	Lines  int64  `json:"lines"`
	Heads  int    `json:"heads"`
	Error  struct {
		Code string `json:"code"`
	} `json:"error"`
}

// TestWitnesses is a real post whose audit heads go to a service over HTTP and
// onto a medium, and what both say once somebody has been at the log.
func TestWitnesses(t *testing.T) {
	tomorrow := time.Now().Add(24 * time.Hour)
	d := newDesk(t, policy.Desk, []account{{"anna", "annas-pin", tomorrow}}, nil)
	d.ok("keys", "init", "--unlock", "tpm", "--tpm", d.chip.Address(), "--pin-file", filepath.Join(d.dir, "pin"))
	pin := []string{"--pin-file", filepath.Join(d.dir, "pin")}

	// The log's key is made at the first opening; a witness has to know it.
	d.run(append(pin, "--provision", d.provision)...)
	d.until("open", func() bool { return !d.keys().Locked })
	d.stop()
	key := strings.TrimSpace(string(d.log(0, "key")))
	held := filepath.Join(d.dir, "witness")
	w := start(t, filepath.Join(d.bin, "watchpost"), nil, "audit", "witness", "--state", held, "--log-key", key, "--listen", "127.0.0.1:0")
	line, err := w.line.ReadBytes('\n')
	if err != nil {
		w.wait(t)
		t.Fatalf("the witness has ended\n%s", w.said.String())
	}
	var listens struct{ URL, Key string }
	d.must(json.Unmarshal(line, &listens))
	medium := filepath.Join(d.dir, "medium")
	d.must(os.Mkdir(medium, 0o700))
	d.configure(func(c *config.Config) {
		c.Audit = &config.Audit{Witness: &config.Witness{URL: listens.URL, Key: listens.Key}, Medium: medium}
	})

	// Wrong PINs at a locked post are in the log as soon as it can be written to.
	d.run("--locked")
	d.refused("vault.pin", "keys", "unlock", "--tpm", d.chip.Address(), "--pin-file", d.file("wrong", "a wrong pin"))
	d.refused("vault.unlocker", "keys", "unlock", "--tpm", d.chip.Address(), "--officer", "anna", "--pin-file", d.file("wrong", "a wrong pin"))
	d.ok("keys", "unlock", "--tpm", d.chip.Address(), "--pin-file", filepath.Join(d.dir, "pin"))
	d.stop()
	var refused struct {
		Facts map[string]string `json:"facts"`
	}
	rows := bytes.Split(bytes.TrimSpace(d.log(0, "list", "--action", "keys.unlock_refused")), []byte("\n"))
	d.must(json.Unmarshal(rows[0], &refused))
	if len(rows) != 2 || refused.Facts["code"] != "vault.pin" || refused.Facts["by"] != "tpm" || bytes.Contains(rows[1], []byte("anna")) {
		t.Fatalf("refused openings in the log: %s", rows)
	}
	if _, err := time.Parse(time.RFC3339, refused.Facts["at"]); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(d.state, "refusals.jsonl")); !os.IsNotExist(err) {
		t.Fatalf("the refusals are told and still there: %v", err)
	}

	// Both witnesses hold the whole log: a post's last act is a head over it. It
	// waits half a second for them, and a machine may stand still for as long: one
	// of a few stops brings it.
	for stops := 1; ; stops++ {
		all := d.verified(0, key, held, medium)
		short := slices.IndexFunc(all, func(s source) bool { return s.Error.Code != "" || s.Lines == 0 || s.Lines != all[0].Lines })
		if short < 0 {
			break
		}
		if stops == 3 {
			t.Fatalf("%+v, the log has %d lines", all[short], all[0].Lines)
		}
		d.run(pin...)
		d.until("open", func() bool { return !d.keys().Locked })
		d.stop()
	}

	// The log as it was a moment ago, put back after more was written.
	db := filepath.Join(d.state, "post.db")
	before, err := os.ReadFile(db)
	d.must(err)
	had := map[string]int64{held: d.octets(held), medium: d.octets(medium)}
	d.run(pin...)
	d.until("open", func() bool { return !d.keys().Locked })
	d.until("both witnesses have heard of it", func() bool { return d.octets(held) > had[held] && d.octets(medium) > had[medium] })
	d.stop()
	d.write(db, before)
	for _, s := range d.verified(3, key, held, medium) {
		if want := map[bool]string{true: "audit.truncated"}[strings.HasPrefix(s.Source, "witness:")]; s.Error.Code != want {
			t.Errorf("after an old log was put back: %+v, want %q", s, want)
		}
	}
}

// verified runs "audit verify" against folders of heads.
func (d *desk) verified(exit int, key string, folders ...string) (all []source) {
	d.t.Helper()
	args := []string{"verify", "--key", key}
	for _, f := range folders {
		args = append(args, "--witness", f)
	}
	out := d.log(exit, args...)
	for row := range bytes.Lines(out) {
		var s source
		d.must(json.Unmarshal(row, &s))
		all = append(all, s)
	}
	if len(all) != 2+len(folders) {
		d.t.Fatalf("audit verify: %s", out)
	}
	return all
}

// log runs a command on the audit log of a post that does not run.
func (d *desk) log(exit int, args ...string) []byte {
	d.t.Helper()
	out, said, code := d.command("watchpost", append(append([]string{"audit"}, args...), "--state", d.state)...)
	if code != exit {
		d.t.Fatalf("audit %s: exit %d, want %d\n%s%s", strings.Join(args, " "), code, exit, out, said)
	}
	return out
}

// octets is the size of all files in a folder.
func (d *desk) octets(dir string) (all int64) {
	d.t.Helper()
	d.must(filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if os.IsNotExist(err) { // replaced this very moment
			return nil
		}
		if err == nil {
			all += info.Size()
		}
		return err
	}))
	return all
}

// stop ends the daemon in order.
func (d *desk) stop() {
	d.t.Helper()
	d.must(d.daemon.cmd.Process.Signal(syscall.SIGTERM))
	if exit := d.daemon.wait(d.t); exit != 0 {
		d.t.Fatalf("the daemon ended with %d\n%s", exit, d.daemon.said.String())
	}
}

// configure writes the post's configuration anew.
func (d *desk) configure(change func(*config.Config)) {
	d.t.Helper()
	c, err := config.Read(d.config)
	d.must(err)
	change(c)
	raw, err := config.Encode(c)
	d.must(err)
	d.write(d.config, raw)
}
