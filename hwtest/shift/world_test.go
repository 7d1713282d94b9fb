// Package shift_test runs the product as officers meet it over a shift: real
// daemon, capture process, central and software TPM, and the command line.
package shift_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/device/post/keysapi"
	"github.com/watchpost/watchpost/device/provision"
	"github.com/watchpost/watchpost/hwtest/bench"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	swtpm "github.com/watchpost/watchpost/hwtest/tpm"
	"github.com/watchpost/watchpost/sdk/client"
)

// Limits: what is not answered within them hangs.
const (
	commandLimit = 30 * time.Second
	readyLimit   = 60 * time.Second
	lookAgain    = 20 * time.Millisecond
)

// binaries is where make build puts the programs.
func binaries(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WATCHPOST_BIN")
	if dir == "" {
		dir = filepath.Join("..", "..", "bin")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"watchpost", "watchpostd", "watchpost-capture", "watchpost-central"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Fatalf("%v: run `make build`, or name the programs' folder in WATCHPOST_BIN", err)
		}
	}
	return dir
}

// desk is one post with all that it is given.
type desk struct {
	t         *testing.T
	bin, dir  string
	state     string
	config    string
	provision string
	chip      *swtpm.TPM
	client    *client.Client
	daemon    *process
	pcscd     string                        // socket of its pcscd, "" for none
	owners    map[string]ed25519.PrivateKey // by their ids: a and b
}

// account of an officer whose password is the PIN as well.
type account struct {
	id, pin string
	expires time.Time
}

const shiftPIN = "482913"

// newDesk makes the files of a post without a reader. change alters its
// configuration.
func newDesk(t *testing.T, workplace policy.Workplace, officers []account, change func(*config.Config)) *desk {
	t.Helper()
	return newDeskWith(t, workplace, officers, change, nil)
}

// newDeskWith is newDesk with the reader of a bench.
func newDeskWith(t *testing.T, workplace policy.Workplace, officers []account, change func(*config.Config), reader *bench.Bench) *desk {
	t.Helper()
	dir := swtpm.Dir(t) // sockets lie in it
	d := &desk{t: t, bin: binaries(t), dir: dir, state: filepath.Join(dir, "s"), config: filepath.Join(dir, "post.yaml"),
		provision: filepath.Join(dir, "provision"), chip: swtpm.ForTest(t, ""), owners: map[string]ed25519.PrivateKey{}}
	d.client = client.NewSocket(filepath.Join(d.state, "admin.sock"))
	d.must(os.MkdirAll(d.state, 0o700))
	files := filepath.Join(d.provision, provision.FilesName)
	d.must(os.MkdirAll(files, 0o700))
	d.anchors(filepath.Join(files, "trust"))
	p := policy.Default(workplace)
	p.Owner = "test"
	raw, err := policy.Encode(p)
	d.must(err)
	d.write(filepath.Join(files, "policy.yaml"), raw)
	accounts := officer.Accounts{Version: officer.Version, Edition: 1}
	for _, o := range officers {
		accounts.Accounts = append(accounts.Accounts, officer.Account{ID: o.id, Name: o.id, Roles: []officer.Role{officer.Officer}, Password: officer.HashPassword(o.pin), Expires: o.expires})
	}
	raw, err = json.Marshal(accounts)
	d.must(err)
	d.write(filepath.Join(files, "accounts.json"), raw)
	now := time.Now().UTC()
	_, err = provision.Publish(d.provision, provision.Header{Site: "post-1", Version: 1, Created: now.Add(-time.Minute), Expires: now.Add(time.Hour)}, provision.KindOf)
	d.must(err)
	cfg := config.Default(workplace)
	cfg.Post, cfg.State, cfg.HTTP.Listen, cfg.Metrics.Listen, cfg.Capture.Virtual = "post-1", d.state, "", "", true
	for _, id := range []string{"a", "b"} {
		public, private, err := ed25519.GenerateKey(nil)
		d.must(err)
		d.must(provision.Sign(d.provision, id, private))
		d.owners[id] = private
		cfg.Owners = append(cfg.Owners, config.Owner{ID: id, PublicKey: base64.StdEncoding.EncodeToString(public)})
	}
	if reader != nil {
		cfg.Capture.Reader = reader.ReaderName(0)
	}
	if change != nil {
		change(cfg)
	}
	raw, err = config.Encode(cfg)
	d.must(err)
	d.write(d.config, raw)
	d.write(filepath.Join(dir, "pin"), []byte(shiftPIN))
	d.pcscd = filepath.Join(dir, "no-pcscd")
	if reader != nil {
		d.pcscd = reader.PCSCDSocket()
	}
	d.startCapture(cfg.Capture.Camera)
	return d
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) write(path string, raw []byte) {
	d.t.Helper()
	d.must(os.WriteFile(path, raw, 0o600))
}

// file writes a secret where a command reads it.
func (d *desk) file(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	d.write(path, []byte(text))
	return path
}

func (d *desk) anchors(dir string) {
	d.t.Helper()
	issuer, err := pki.New(pki.Spec{Seed: "home", Country: "UT", State: "UTO"})
	d.must(err)
	im, err := trust.NewImporter(context.Background(), dir, nil)
	d.must(err)
	defer im.Close()
	_, err = im.Import("csca.der", issuer.CSCA.DER)
	d.must(err)
	d.must(im.Commit())
}

// process is a program that runs beside the test.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	said bytes.Buffer // after done
	line *bufio.Reader
}

func start(t *testing.T, bin string, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(bin, args...), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = &p.said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.line = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// wait returns the exit status; nobody reads the program's output any more.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	timer := time.AfterFunc(readyLimit, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// startCapture runs the devices role, with a folder for a camera where one is
// named.
func (d *desk) startCapture(camera string) {
	d.t.Helper()
	pictures := filepath.Join(d.dir, "camera")
	d.must(os.MkdirAll(pictures, 0o700))
	cameras := "cameras: []\n"
	if camera != "" {
		cameras = fmt.Sprintf("cameras:\n- {id: %s, kind: images, path: %s, fps: 30, loop: true}\n", camera, pictures)
	}
	conf := d.file("capture.yaml", cameras)
	socket := filepath.Join(d.state, "capture.sock")
	start(d.t, filepath.Join(d.bin, "watchpost-capture"), []string{"PCSCLITE_CSOCK_NAME=" + d.pcscd}, "devices", "--socket", socket, "--config", conf)
	d.until("the capture process listens", func() bool { // its socket is there a moment before
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return false
		}
		d.must(conn.Close())
		return true
	})
}

// until waits for what to become true.
func (d *desk) until(what string, holds func() bool) {
	d.t.Helper()
	deadline := time.After(readyLimit)
	for !holds() {
		select {
		case <-deadline:
			d.t.Fatalf("not within %v: %s", readyLimit, what)
		case <-time.After(lookAgain):
		}
	}
}

// run starts the daemon and waits until it answers about its keys.
func (d *desk) run(args ...string) {
	d.t.Helper()
	d.daemon = start(d.t, filepath.Join(d.bin, "watchpostd"), nil, append([]string{"--config", d.config, "--tpm", d.chip.Address()}, args...)...)
	d.until("the daemon answers", func() bool {
		if err := d.daemon.cmd.Process.Signal(syscall.Signal(0)); err != nil {
			d.t.Fatalf("the daemon has ended: %v", err)
		}
		out, _, code := d.try("keys")
		var state struct {
			Daemon *keysapi.State `json:"daemon"`
		}
		return code == 0 && json.Unmarshal(out, &state) == nil && state.Daemon != nil
	})
}

// try runs a command of watchpost on the post and returns what it prints.
func (d *desk) try(args ...string) (out, said []byte, code int) {
	d.t.Helper()
	return d.command("watchpost", append(args, "--config", d.config)...)
}

func (d *desk) command(name string, args ...string) (out, said []byte, code int) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, name), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		d.t.Fatal(err)
	}
	return stdout.Bytes(), stderr.Bytes(), cmd.ProcessState.ExitCode()
}

// ok runs a command that must succeed.
func (d *desk) ok(args ...string) []byte {
	d.t.Helper()
	out, said, code := d.try(args...)
	if code != 0 {
		d.t.Fatalf("watchpost %s: exit %d\n%s", strings.Join(args, " "), code, said)
	}
	return out
}

// refused runs a command that must fail with a code.
func (d *desk) refused(code string, args ...string) {
	d.t.Helper()
	_, said, exit := d.try(args...)
	if exit != 3 || !bytes.HasPrefix(said, []byte("watchpost: "+code+":")) && !bytes.HasPrefix(said, []byte("watchpost: "+code+"\n")) {
		d.t.Fatalf("watchpost %s: exit %d, want 3 and %s\n%s", strings.Join(args, " "), exit, code, said)
	}
}

// keys is what the daemon says of its keys.
func (d *desk) keys() keysapi.State {
	d.t.Helper()
	var state struct {
		Daemon *keysapi.State `json:"daemon"`
	}
	d.must(json.Unmarshal(d.ok("keys"), &state))
	if state.Daemon == nil {
		d.t.Fatal("no daemon answers")
	}
	return *state.Daemon
}

// wantAPI checks the code that a call ended in, "" for none.
func (d *desk) wantAPI(err error, code string) {
	d.t.Helper()
	var e *client.Error
	switch {
	case err == nil && code == "":
	case errors.As(err, &e) && e.Code == code:
	default:
		d.t.Fatalf("the API says %v, want %q", err, code)
	}
}

// hub is a watchpost-central of the test's own.
type hub struct {
	d       *desk
	dir     string
	keys    struct{ SignKey, SealKey string }
	address string
	feed    string // where the feed is served, "" where none is
}

// newHub runs a central. more makes further flags of "serve", once its state is
// there; nil is none.
func newHub(t *testing.T, d *desk, more func(*hub) []string) *hub {
	t.Helper()
	dir, err := os.MkdirTemp("", "wps")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	h := &hub{d: d, dir: dir}
	if err := os.WriteFile(filepath.Join(dir, "pass"), []byte("a passphrase of the test"), 0o600); err != nil {
		t.Fatal(err)
	}
	var keys struct {
		SignKey string `json:"sign_key"`
		SealKey string `json:"seal_key"`
	}
	if err := json.Unmarshal(h.ok("init"), &keys); err != nil {
		t.Fatal(err)
	}
	h.keys.SignKey, h.keys.SealKey = keys.SignKey, keys.SealKey
	args := h.flags("serve", "--listen", "127.0.0.1:0", "--page=", "--metrics=")
	if more != nil {
		args = append(args, more(h)...)
	}
	p := start(t, filepath.Join(d.bin, "watchpost-central"), nil, args...)
	line, err := p.line.ReadBytes('\n')
	var running struct {
		URL  string `json:"url"`
		Feed string `json:"feed"`
	}
	if err := errors.Join(err, json.Unmarshal(line, &running)); err != nil {
		t.Fatalf("central does not answer: %v\n%s", err, p.said.String())
	}
	h.feed = running.Feed
	h.address = strings.TrimPrefix(running.URL, "nats://")
	t.Cleanup(func() { // before the processes are killed: PostgreSQL ends in order
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_ = p.cmd.Wait()
	})
	return h
}

func (h *hub) flags(args ...string) []string {
	return append(args, "--state", filepath.Join(h.dir, "s"), "--passphrase-file", filepath.Join(h.dir, "pass"))
}

func (h *hub) ok(args ...string) []byte {
	h.d.t.Helper()
	out, said, code := h.d.command("watchpost-central", h.flags(args...)...)
	if code != 0 {
		h.d.t.Fatalf("watchpost-central %s: exit %d\n%s", strings.Join(args, " "), code, said)
	}
	return out
}

// skipWithout skips a test whose counterpart is not installed.
func skipWithout(t *testing.T, missing error, what string) {
	t.Helper()
	if missing == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skipf("SKIPPED: %s is not installed (make deps)", what)
}

// operators makes people of keys operators of central.
func (h *hub) operators(of map[string]ed25519.PrivateKey) {
	h.d.t.Helper()
	for id, key := range of {
		h.ok("operator", "add", id, base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)))
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			h.d.t.Fatal(err)
		}
		raw := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		if err := os.WriteFile(h.key(id), raw, 0o600); err != nil {
			h.d.t.Fatal(err)
		}
	}
}

func (h *hub) key(id string) string { return filepath.Join(h.dir, id+".pem") }

// sign signs a proposal, as a command printed it, on a machine of by's own, and
// hands it in. It reports whether the proposal took effect.
func (h *hub) sign(proposal []byte, by string) bool {
	h.d.t.Helper()
	write := func(name string, raw []byte) string {
		path := filepath.Join(h.dir, name)
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			h.d.t.Fatal(err)
		}
		return path
	}
	signed := h.ok("proposal", "sign", write("p.json", proposal), "--by", by, "--key", h.key(by))
	return h.approved(h.ok("proposal", "approve", write("s.json", signed)))
}

func (h *hub) approved(out []byte) bool {
	h.d.t.Helper()
	var in struct {
		Approved bool `json:"approved"`
	}
	if err := json.Unmarshal(out, &in); err != nil {
		h.d.t.Fatal(err)
	}
	return in.Approved
}

// idOf is the id of a proposal as it was printed.
func (h *hub) idOf(proposal []byte) string {
	h.d.t.Helper()
	var in struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(proposal, &in); err != nil {
		h.d.t.Fatal(err)
	}
	return in.ID
}
