package link_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/uplink"
)

// patience is long: nothing here is about how fast.
const patience = 20 * time.Second

// farm is a central and its workers, each a process of its own.
type farm struct {
	*world
	t     *testing.T
	bin   string
	pass  string
	parts string
	link  *uplink.Link
}

// hand is one worker.
type hand struct {
	name, state string
	keys        struct{ Link, Public string }
	cmd         *exec.Cmd
}

// run runs a command of watchpost-central and returns what it prints, what it
// says, and its exit status.
func (f *farm) run(state string, args ...string) (out, said string, exit int) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, f.bin, append(args, "--state", state, "--passphrase-file", f.pass)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // told by its state
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

func (f *farm) ok(state string, args ...string) string {
	f.t.Helper()
	out, said, exit := f.run(state, args...)
	if exit != 0 {
		f.t.Fatalf("watchpost-central %s: exit %d\n%s", strings.Join(args, " "), exit, said)
	}
	return out
}

// start runs a program that stays, until it has said that it works.
func (f *farm) start(state string, args ...string) *exec.Cmd {
	f.t.Helper()
	cmd := exec.Command(f.bin, append(args, "--state", state, "--passphrase-file", f.pass)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		f.t.Fatalf("%s did not say that it works: %q, %v", args[0], line, err)
	}
	return cmd
}

func (f *farm) hire(name string) *hand {
	f.t.Helper()
	h := &hand{name: name, state: filepath.Join(f.dir, name)}
	if err := json.Unmarshal([]byte(f.ok(h.state, "worker", "init")), &h.keys); err != nil {
		f.t.Fatal(err)
	}
	return h
}

// works starts a worker on a part.
func (f *farm) works(h *hand, part string) {
	f.t.Helper()
	h.cmd = f.start(h.state, "worker", "serve", "--part", part, "--broker", "nats://"+f.config.Listen)
}

func (h *hand) kill() { _ = h.cmd.Process.Kill(); _ = h.cmd.Wait() }

// split writes parts for workers by shard.
func (f *farm) split(name string, of ...[]*hand) string {
	f.t.Helper()
	out := filepath.Join(f.dir, name)
	args := []string{"worker", "split", "--lists", f.config.Lists, "--into", fmt.Sprint(len(of)), "--out", out}
	for i, hands := range of {
		for _, h := range hands {
			args = append(args, "--for", fmt.Sprintf("%d=%s", i, h.keys.Public))
		}
	}
	f.ok(f.config.State, args...)
	return out
}

func (f *farm) part(i int) string { return filepath.Join(f.parts, fmt.Sprintf("part-%d", i)) }

// ask screens a document as a post does.
func (f *farm) ask(number string) (screening.Answer, []screening.Coverage) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	r := screener(f.t, f.link).Screen(ctx, question(number), nil)
	var from []screening.Coverage
	for _, c := range r.Coverage {
		if c.Source == uplink.Name {
			from = append(from, c)
		}
	}
	return r.Answer, from
}

// whole fails unless a document that nobody lists is clear, with both shards.
func (f *farm) whole(t *testing.T) {
	t.Helper()
	answer, from := f.ask("Y7654321")
	if answer != screening.Clear || len(from) != 1 || from[0].Shards != 2 || from[0].Answered != 2 || from[0].Records != many {
		t.Errorf("%v, %+v", answer, from)
	}
}

// partial fails unless a document that nobody lists is not verified, for one of
// two shards answers.
func (f *farm) partial(t *testing.T) {
	t.Helper()
	if answer, from := f.ask("Y7654321"); answer != screening.NotVerified || len(from) != 1 || from[0].Shards != 2 || from[0].Answered != 1 {
		t.Errorf("%v, %+v", answer, from)
	}
}

// partly is partial, and fails unless the records of one shard are found and
// those of the other are not verified.
func (f *farm) partly(t *testing.T) {
	t.Helper()
	f.partial(t)
	found := 0
	for i := range many {
		switch answer, _ := f.ask(documentOf(i)); answer {
		case screening.Candidates:
			found++
		case screening.NotVerified:
		default:
			t.Fatalf("record %d is %v", i, answer)
		}
	}
	if found == 0 || found == many {
		t.Errorf("%d of %d records are found by one shard of two", found, many)
	}
}

// TestAttackWorkers: a list split over two shards with two workers each, real
// processes all. A killed worker is covered by its replica, a shard without
// workers makes the answer partial, a partial answer is never clear, and who is
// no worker of a shard does not make it look covered.
func TestAttackWorkers(t *testing.T) {
	w := newWorldOf(t, many)
	if err := w.central.Close(); err != nil {
		t.Fatal(err)
	}
	w.central = nil
	f := &farm{world: w, t: t, bin: program(t), pass: filepath.Join(w.dir, "pass")}
	if err := os.WriteFile(f.pass, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	hands := map[string]*hand{}
	for _, name := range []string{"w0a", "w0b", "w1a", "w1b", "stranger"} {
		hands[name] = f.hire(name)
	}
	f.parts = f.split("parts", []*hand{hands["w0a"], hands["w0b"], hands["stranger"]}, []*hand{hands["w1a"], hands["w1b"]})
	central := f.start(f.config.State, "serve", "--shards", "2", "--listen", f.config.Listen)
	t.Cleanup(func() { _ = central.Process.Signal(syscall.SIGTERM); _ = central.Wait() }) // its database ends in order
	for name, h := range hands {
		if name != "stranger" {
			f.ok(f.config.State, "worker", "add", name, h.keys.Link, "--shard", name[1:2])
			f.works(h, f.part(int(name[1]-'0')))
		}
	}
	f.link = f.world.link(t, func(o *uplink.Options) { o.Budget = patience })
	until(t, time.Minute, "up", f.link.Up)
	until(t, time.Minute, "whole", func() bool { answer, _ := f.ask("Y7654321"); return answer == screening.Clear })

	t.Run("all there", func(t *testing.T) {
		f.whole(t)
		for i := range many {
			if answer, _ := f.ask(documentOf(i)); answer != screening.Candidates {
				t.Errorf("record %d is %v", i, answer)
			}
		}
		until(t, time.Minute, "listed with what they hold", func() bool {
			return strings.Count(f.ok(f.config.State, "worker", "list"), `"list":"wanted"`) == 4
		})
	})
	t.Run("killed: its replica answers", func(t *testing.T) {
		hands["w0a"].kill()
		for range 5 {
			f.whole(t)
		}
	})
	t.Run("hanging: its replica answers", func(t *testing.T) {
		if err := hands["w1a"].cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			f.whole(t)
		}
		if err := hands["w1a"].cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	})
	hands["w0b"].kill()
	t.Run("both of a shard killed: partial, never clear", f.partly)
	t.Run("a stranger with the right part", func(t *testing.T) {
		f.works(hands["stranger"], f.part(0)) // waits for a broker that does not let it in
		f.partly(t)
		hands["stranger"].kill()
	})
	refused := func(t *testing.T, h *hand, part, code string) {
		t.Helper()
		if _, said, exit := f.run(h.state, "worker", "serve", "--part", part, "--broker", "nats://"+f.config.Listen); exit != 3 || !strings.HasPrefix(said, "watchpost-central: "+code+":") {
			t.Errorf("exit %d, want 3 and %s\n%s", exit, code, said)
		}
	}
	t.Run("the part of another shard", func(t *testing.T) { refused(t, hands["w0a"], f.part(1), "central.lists") })
	t.Run("a part that says it is another", func(t *testing.T) {
		forged := filepath.Join(f.dir, "forged")
		if err := os.CopyFS(forged, os.DirFS(f.part(1))); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(forged, "part.json"), []byte(`{"shard":0,"of":2,"split":"00000000000000000000000000000000"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, hands["w1b"], forged, "vault.open")
	})
	t.Run("no part at all", func(t *testing.T) { refused(t, hands["w0a"], f.dir, "central.part") })
	t.Run("a part of another split", func(t *testing.T) {
		three := f.split("three", []*hand{hands["w0a"]}, []*hand{hands["w1a"]}, []*hand{hands["w1b"]})
		h := hands["w0a"]
		f.works(h, filepath.Join(three, "part-0"))
		until(t, time.Minute, "told", func() bool { return strings.Contains(f.ok(f.config.State, "worker", "list"), `"of":3`) })
		f.partial(t)
		h.kill()
	})
	t.Run("retired at work, and started again", func(t *testing.T) {
		f.works(hands["w0a"], f.part(0))
		until(t, time.Minute, "whole", func() bool { answer, _ := f.ask("Y7654321"); return answer == screening.Clear })
		f.ok(f.config.State, "worker", "retire", "w0a")
		until(t, time.Minute, "out", func() bool { answer, _ := f.ask("Y7654321"); return answer == screening.NotVerified })
		f.partly(t)
		hands["w0a"].kill()
		f.works(hands["w0a"], f.part(0))
		f.partly(t)
		hands["w0a"].kill()
	})
	t.Run("split anew, one worker on its new part", func(t *testing.T) {
		again := f.split("again", []*hand{hands["w0b"]}, []*hand{hands["w1a"]})
		f.works(hands["w0b"], filepath.Join(again, "part-0"))
		until(t, time.Minute, "whole", func() bool { answer, _ := f.ask("Y7654321"); return answer == screening.Clear })
		f.whole(t)
		hands["w0b"].kill()
		f.partial(t)
	})
	t.Run("started again", func(t *testing.T) {
		f.works(hands["w0b"], f.part(0))
		until(t, time.Minute, "whole", func() bool { answer, _ := f.ask("Y7654321"); return answer == screening.Clear })
		f.whole(t)
	})
}
