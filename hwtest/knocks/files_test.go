package knocks_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startRefused is how long a daemon may take to refuse: the passphrase's key
// derivation and a lock's second are within.
const startRefused = time.Minute

// desk is a copy of the state that a post has left, with its configuration.
type desk struct {
	*stage
	t          *testing.T
	state      string
	config     string
	passphrase string
}

// desk copies the still state into a folder of the test's own.
func (s *stage) desk(t *testing.T) *desk {
	t.Helper()
	dir := t.TempDir()
	d := &desk{s, t, filepath.Join(dir, "state"), filepath.Join(dir, "post.yaml"), s.world.Passphrase}
	if err := os.CopyFS(d.state, os.DirFS(s.still)); err != nil {
		t.Fatal(err)
	}
	d.rewrite(func(raw string) string { return raw })
	return d
}

// rewrite writes the configuration anew, for this desk's state.
func (d *desk) rewrite(change func(string) string) {
	d.t.Helper()
	raw, err := os.ReadFile(d.world.Config)
	if err != nil {
		d.t.Fatal(err)
	}
	text := strings.ReplaceAll(string(raw), d.world.State, d.state)
	if err := os.WriteFile(d.config, []byte(change(text)), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// run runs a program of the product and returns its exit status and what it
// wrote to standard output and standard error.
func (s *stage) run(t *testing.T, env []string, name string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startRefused)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%s %s hangs:\n%s", name, strings.Join(args, " "), errs.String())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// refused runs a program that must say no: exit status 3, and on standard
// error a line "NAME: code: cause" with a hint below it.
func (s *stage) refused(t *testing.T, code, name string, args ...string) {
	t.Helper()
	status, _, stderr := s.run(t, nil, name, args...)
	if status != 3 {
		t.Errorf("%s: exit status %d, must be 3", name, status)
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	at := -1
	for i, l := range lines {
		if strings.HasPrefix(l, name+": ") {
			at = i
		}
	}
	if at < 0 || !(strings.HasPrefix(lines[at], name+": "+code+":") || lines[at] == name+": "+code) {
		t.Errorf("%s does not say %s:\n%s", name, code, stderr)
		return
	}
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "  ") || strings.TrimSpace(last) == "" {
		t.Errorf("%s says %s without a hint:\n%s", name, code, stderr)
	}
	if strings.Contains(stderr, "goroutine ") {
		t.Errorf("%s panics:\n%s", name, stderr)
	}
}

// daemon starts the daemon on this desk, which must refuse.
func (d *desk) daemon(code string) {
	d.t.Helper()
	d.refused(d.t, code, "watchpostd", "--config", d.config, "--passphrase-file", d.passphrase)
}

// cli runs a command on this desk's post files, which must refuse.
func (d *desk) cli(code string) {
	d.t.Helper()
	d.refused(d.t, code, "watchpost", "list", "stat", "--deep", "--config", d.config, "--passphrase-file", d.passphrase)
}

// damage changes a file below the state.
func (d *desk) damage(file string, change func([]byte) []byte) {
	d.t.Helper()
	found, err := filepath.Glob(filepath.Join(d.state, file))
	if err != nil || len(found) != 1 {
		d.t.Fatalf("%s is %d files (%v)", file, len(found), err)
	}
	raw, err := os.ReadFile(found[0])
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.Remove(found[0]); err != nil { // it may be read-only
		d.t.Fatal(err)
	}
	if err := os.WriteFile(found[0], change(raw), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// Ways to damage a file.
func cut(raw []byte) []byte    { return raw[:len(raw)/2] }
func empty([]byte) []byte      { return nil }
func zeroed(raw []byte) []byte { return make([]byte, len(raw)) }
func flipped(raw []byte) []byte {
	raw[len(raw)/2] ^= 0x40
	return raw
}
func tail(raw []byte) []byte {
	for i := 2 * 4096; i < len(raw); i++ { // behind the two pages that name the others
		raw[i] = 0xA5
	}
	return raw
}

// TestDeskIsSound holds that the copied state starts as it is, so that what
// the other tests see comes from the damage that they do.
func TestDeskIsSound(t *testing.T) {
	d := onStage(t).desk(t)
	status, stdout, stderr := d.run(t, nil, "watchpost", "list", "stat", "--deep", "--config", d.config, "--passphrase-file", d.passphrase)
	if status != 0 || !strings.Contains(stdout, `"records"`) {
		t.Fatalf("exit status %d: %s%s", status, stdout, stderr)
	}
	// Nothing is wrong but that nobody serves the devices.
	d.daemon("capture.lost")
}

func TestWrongPassphrase(t *testing.T) {
	d := onStage(t).desk(t)
	d.passphrase = filepath.Join(t.TempDir(), "passphrase")
	for _, k := range []struct{ text, code string }{
		{"not the passphrase of this vault\n", "vault.passphrase"},
		{"", "vault.passphrase"},
		{strings.Repeat("x", 8192), "vault.passphrase"},
	} {
		if err := os.WriteFile(d.passphrase, []byte(k.text), 0o600); err != nil {
			t.Fatal(err)
		}
		d.daemon(k.code)
		d.cli(k.code)
	}
	d.passphrase = filepath.Join(t.TempDir(), "nowhere")
	d.daemon("vault.passphrase_file")
	d.cli("vault.passphrase_file")
}

func TestBadConfig(t *testing.T) {
	d := onStage(t).desk(t)
	for _, k := range []struct {
		name, code string
		change     func(string) string
	}{
		{"unknown key", "config.format", func(s string) string { return s + "surprise: 1\n" }},
		{"unknown key below", "config.format", func(s string) string { return strings.Replace(s, "capture:\n", "capture:\n  surprise: 1\n", 1) }},
		{"key twice", "config.format", func(s string) string { return s + "version: 1\n" }},
		{"no YAML", "config.format", func(string) string { return "{[" }},
		{"another version", "config.version", func(s string) string { return strings.Replace(s, "version: 1", "version: 9", 1) }},
		{"log level", "config.log", func(s string) string { return strings.Replace(s, "level: debug", "level: chatty", 1) }},
		{"workplace", "config.workplace", func(s string) string { return strings.Replace(s, "workplace: desk", "workplace: roof", 1) }},
		{"too large", "config.too_large", func(s string) string { return s + "#" + strings.Repeat("x", 1<<17) }},
	} {
		t.Run(k.name, func(t *testing.T) {
			d.t = t
			d.rewrite(k.change)
			d.daemon(k.code)
			d.cli(k.code)
		})
	}
	d.t = t
	d.config = filepath.Join(t.TempDir(), "nowhere.yaml")
	d.daemon("config.missing")
}

// TestUnknownKeyIsNamed holds that the line names what is wrong.
func TestUnknownKeyIsNamed(t *testing.T) {
	d := onStage(t).desk(t)
	d.rewrite(func(s string) string { return s + "surprise: 1\n" })
	_, _, stderr := d.run(t, nil, "watchpostd", "--config", d.config, "--passphrase-file", d.passphrase)
	if !strings.Contains(stderr, "surprise") {
		t.Errorf("the unknown key is not named:\n%s", stderr)
	}
}

// TestUsage holds the exit status of flags that are not there.
func TestUsage(t *testing.T) {
	s := onStage(t)
	for _, args := range [][]string{{"--no-such-flag"}, {}, {"a-word"}} {
		if status, _, stderr := s.run(t, nil, "watchpostd", args...); status != 2 || stderr == "" {
			t.Errorf("watchpostd %v: exit status %d, %q", args, status, stderr)
		}
	}
}

// TestLocked starts a second daemon, and the command line, on the state of the
// post that runs.
func TestLocked(t *testing.T) {
	s := onStage(t)
	s.refused(t, "store.locked", "watchpostd", "--config", s.world.Config, "--passphrase-file", s.world.Passphrase)
	s.refused(t, "store.locked", "watchpost", "list", "stat", "--config", s.world.Config, "--passphrase-file", s.world.Passphrase)
	// The post that runs has not noticed.
	if _, err := s.client.System(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDamagedStore(t *testing.T) {
	s := onStage(t)
	for _, k := range []struct {
		name, file, code string
		change           func([]byte) []byte
	}{
		// Half of the file may be room to grow into, which nobody misses.
		{"post.db cut", "post.db", "store.damaged", func(raw []byte) []byte { return raw[:len(raw)/4] }},
		{"post.db cut to a page", "post.db", "store.damaged", func(raw []byte) []byte { return raw[:4096] }},
		{"post.db zeroed", "post.db", "store.damaged", zeroed},
		{"post.db without its tail", "post.db", "store.damaged", tail},
		{"post.db of words", "post.db", "store.damaged", func([]byte) []byte { return []byte(strings.Repeat("not a database\n", 2000)) }},
		{"post.key flipped", "post.key", "post.key_damaged", flipped},
		{"vault cut", "vault.json", "vault.damaged", cut},
		{"vault flipped", "vault.json", "vault.damaged", flipped},
		{"vault empty", "vault.json", "vault.damaged", empty},
	} {
		t.Run(k.name, func(t *testing.T) {
			d := s.desk(t)
			d.damage(k.file, k.change)
			d.daemon(k.code)
		})
	}
	t.Run("post.db without its key", func(t *testing.T) {
		d := s.desk(t)
		if err := os.Remove(filepath.Join(d.state, "post.key")); err != nil {
			t.Fatal(err)
		}
		d.daemon("post.key_missing")
	})
}

// TestDamagedList damages the generation in force: start and command line
// refuse, for a list with a hole that nobody sees is worse than none.
func TestDamagedList(t *testing.T) {
	s := onStage(t)
	const generation = "lists/*/gen-*/"
	for _, k := range []struct {
		name, file string
		change     func([]byte) []byte
	}{
		{"records cut", generation + "records.db", cut},
		{"records zeroed", generation + "records.db", zeroed},
		{"faces flipped", generation + "faces-00000.chunk", flipped},
		{"faces cut", generation + "faces-00000.chunk", cut},
		{"documents flipped", generation + "documents-00000.chunk", flipped},
		{"CURRENT of words", "lists/*/CURRENT", func([]byte) []byte { return []byte("the newest\n") }},
	} {
		t.Run(k.name, func(t *testing.T) {
			d := s.desk(t)
			d.damage(k.file, k.change)
			d.cli("store.damaged")
			d.daemon("store.damaged")
		})
	}
}

// corruptModels returns a folder of models of which one has a flipped bit.
func corruptModels(t *testing.T) string {
	t.Helper()
	from := os.Getenv("WATCHPOST_MODELS")
	if from == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		from = filepath.Join(cache, "watchpost", "models")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatalf("%v: make deps fetches the models", err)
	}
	path := filepath.Join(dir, "shape_predictor_5_face_landmarks.dat")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, flipped(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCorruptModelOnTheCommandLine computes a template with damaged and with
// missing models.
func TestCorruptModelOnTheCommandLine(t *testing.T) {
	s := onStage(t)
	picture := filepath.Join(s.scenes["astronaut"], "000.jpg")
	for models, code := range map[string]string{corruptModels(t): "models.corrupt", t.TempDir(): "models.missing"} {
		status, stdout, stderr := s.run(t, []string{"WATCHPOST_MODELS=" + models}, "watchpost", "face", "template", picture)
		if status != 3 || !strings.Contains(stdout+stderr, code) {
			t.Errorf("%s: exit status %d: %s%s", code, status, stdout, stderr)
		}
		if !strings.Contains(stderr, "make deps") {
			t.Errorf("%s has no hint: %s", code, stderr)
		}
	}
}
