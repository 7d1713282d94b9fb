package demo

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/device/watchlist/store"
	"github.com/watchpost/watchpost/hwtest/wire"
	"github.com/watchpost/watchpost/sdk/client"
)

// central's program, and the list that only central holds.
const (
	centralProgram = "watchpost-central"
	alertList      = "border-alerts"
	alertOwner     = "Neighbouring Authority"
	alertRecord    = "ALERT-0001"
)

// Central is the central service of a demonstration, behind a wire that can be
// cut. It is for one goroutine.
type Central struct {
	Wire    *wire.Proxy
	dir     string
	bin     string
	metrics string // address that it serves them at, host:port; "" serves none
	process *process
	log     *log
	keys    struct {
		SignKey string `json:"sign_key"`
		SealKey string `json:"seal_key"`
		Public  string `json:"public"` // what lists' keys are wrapped to
	}
}

// StartCentral makes a central whose list holds the document of that number,
// and runs it. The caller ends it with Stop.
func StartCentral(ctx context.Context, o Options, number string) (*Central, error) {
	dir, err := os.MkdirTemp("", "watchpost-central-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for central: %w", err)
	}
	c := &Central{dir: dir, bin: o.Bin, metrics: o.CentralMetrics, log: &log{also: o.Log}}
	if err := c.begin(ctx, number); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Central) begin(ctx context.Context, number string) error {
	// PostgreSQL runs as another user, which has to pass through.
	if err := os.Chmod(c.dir, 0o711); err != nil {
		return fmt.Errorf("open central's folder: %w", err)
	}
	if err := os.WriteFile(c.passphrase(), []byte(rand.Text()), 0o600); err != nil {
		return fmt.Errorf("write central's passphrase: %w", err)
	}
	out, err := c.run(ctx, "init")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, &c.keys); err != nil {
		return fmt.Errorf("read central's keys: %w", err)
	}
	if err := c.list(ctx, number); err != nil {
		return err
	}
	address, err := c.serve()
	if err != nil {
		return err
	}
	c.Wire, err = wire.Listen(address)
	return err
}

func (c *Central) passphrase() string { return filepath.Join(c.dir, "passphrase") }

// run runs one command of central's and returns what it prints.
func (c *Central) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, centralProgram), c.flags(args)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, c.log
	if err := cmd.Run(); err != nil {
		return nil, fault.New("bench.program", "%s %s: %w\n%s", centralProgram, args[0], err, c.log.tail()).WithHint("make build puts the programs into bin/")
	}
	return out.Bytes(), nil
}

func (c *Central) flags(args []string) []string {
	return append(args, "--state", c.State(), "--passphrase-file", c.passphrase())
}

// serve starts the service and returns its address once it answers.
func (c *Central) serve() (string, error) {
	args := c.flags([]string{"serve", "--listen", "127.0.0.1:0", "--page=", "--metrics=" + c.metrics, "--lists", filepath.Join(c.dir, "lists")})
	p := &process{name: centralProgram, cmd: exec.Command(filepath.Join(c.bin, centralProgram), args...), done: make(chan struct{})}
	p.cmd.Stderr = c.log
	// A group of its own, as start gives it: Ctrl-C at the terminal is for us.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	said, err := p.cmd.StdoutPipe()
	if err != nil {
		return "", fmt.Errorf("listen to central: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return "", fault.New("bench.program", "%s: %w", centralProgram, err).WithHint("make build puts the programs into bin/")
	}
	line, readErr := bufio.NewReader(said).ReadBytes('\n')
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	c.process = p
	var running struct {
		URL string `json:"url"`
	}
	if err := errors.Join(readErr, json.Unmarshal(line, &running)); err != nil {
		return "", fault.New("bench.not_ready", "%s does not answer: %w\n%s", centralProgram, err, c.log.tail())
	}
	return strings.TrimPrefix(running.URL, "nats://"), nil
}

// list publishes the list that only central holds.
func (c *Central) list(ctx context.Context, number string) error {
	to, err := base64.StdEncoding.DecodeString(c.keys.Public)
	if err != nil {
		return fmt.Errorf("read central's keys: %w", err)
	}
	ring := vault.NewRing()
	defer ring.Close()
	key, err := ring.Random()
	if err != nil {
		return err
	}
	keys := filepath.Join(c.dir, "lists", "keys", alertList)
	lists := filepath.Join(c.dir, "lists", "lists")
	if err := errors.Join(os.MkdirAll(keys, 0o700), os.MkdirAll(lists, 0o700)); err != nil {
		return fmt.Errorf("make folders for central's list: %w", err)
	}
	now := time.Now().UTC()
	b, err := store.Create(filepath.Join(lists, alertList), ring, key, store.Spec{
		List: alertList, Generation: 1, Owner: alertOwner, LegalBasis: "Neighbouring Act, section 2", Purpose: Purpose,
		Handling: record.Handling{Action: record.Refer, Confirm: true, Contact: "neighbour's desk"},
		Created:  now.Add(hourOfList), Expires: now.Add(30 * 24 * time.Hour),
	})
	if err != nil {
		return err
	}
	defer b.Abort()
	if err := b.Add(&record.Record{
		Schema: record.SchemaVersion, ID: alertRecord, Edition: 1,
		Documents: []record.Document{{Type: "P", Issuer: "UTO", Number: number, Status: record.DocumentStolen}},
	}); err != nil {
		return err
	}
	if _, err := b.Finish(ctx); err != nil {
		return err
	}
	wrapped, err := vault.WrapTo(to, key, vault.ScopeList, alertList)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(keys, vault.Recipient(to).ID()), wrapped, 0o600)
}

// config is what the post's configuration says of this central.
func (c *Central) config() *config.Central {
	return &config.Central{URL: "nats://" + c.Wire.Addr(), SignKey: c.keys.SignKey, SealKey: c.keys.SealKey}
}

// register makes the post's key in its own vault and tells central its public
// half.
func (c *Central) register(ctx context.Context, state string, v *vault.Vault) error {
	key, err := uplink.OpenKey(state, v)
	if err != nil {
		return err
	}
	defer key.Wipe()
	public, err := key.PublicKey()
	if err != nil {
		return fmt.Errorf("the post's public key: %w", err)
	}
	_, err = c.run(ctx, "device", "add", site, public)
	return err
}

// linkLimit is how long the post may take to see what the wire does.
const linkLimit = time.Minute

// connected waits until the post says that its link is up.
func (c *Central) connected(ctx context.Context, api *client.Client) error {
	return waitFor(ctx, api, "the link is up", func(s *client.System) bool { return s.Link == "up" })
}

// waitFor asks the post for its state until it is as it must be.
func waitFor(ctx context.Context, api *client.Client, what string, ok func(*client.System) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, linkLimit, fmt.Errorf("not within %s: %s", linkLimit, what))
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		sys, err := api.System(ctx)
		if err == nil && ok(sys) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
		}
	}
}

// Stop ends central and removes all that it kept.
func (c *Central) Stop() error {
	var errs []error
	if c.Wire != nil {
		errs = append(errs, c.Wire.Close())
	}
	if c.process != nil {
		if err := c.process.stop(); err != nil {
			errs = append(errs, fmt.Errorf("%w\n%s", err, c.log.tail()))
		}
	}
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}
