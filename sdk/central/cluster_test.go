package central_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/registry"
)

// node is one server of a cluster of three, run from a configuration file.
type node struct {
	config string
	s      *server.Server
}

func (n *node) start(t *testing.T) {
	t.Helper()
	o, err := server.ProcessConfigFile(n.config)
	if err != nil {
		t.Fatal(err)
	}
	o.NoSigs, o.NoLog = true, true
	if n.s, err = server.NewServer(o); err != nil {
		t.Fatal(err)
	}
	go n.s.Start()
	if !n.s.ReadyForConnections(wait) {
		t.Fatal("a server of the cluster is not ready")
	}
}

func (n *node) kill() { n.s.Shutdown(); n.s.WaitForShutdown() }

// TestAttackCluster: three NATS servers that ask central who may connect. One
// after the other is killed, and the service goes on; who may not connect may
// not there either.
func TestAttackCluster(t *testing.T) {
	w := newWorld(t)
	b, stranger, retired := w.box().enrol(), w.box(), w.box().enrol()
	if err := w.c.Store.RetireDevice(t.Context(), retired.name, "test", ""); err != nil {
		t.Fatal(err)
	}
	if err := w.c.Close(); err != nil { // the same central goes to the cluster
		t.Fatal(err)
	}
	dir := t.TempDir()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	w.config.Creds = filepath.Join(dir, "central.nk")
	if err := os.WriteFile(w.config.Creds, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(t.Context(), filepath.Join(w.config.State, central.VaultFile), w.config.Unlocker)
	if err != nil {
		t.Fatal(err)
	}
	account, err := central.Account(w.config.State, v)
	v.Lock()
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := account.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	ports := hold(t, 6)
	var routes, urls []string
	for i := range 3 {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[3+i]))
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", ports[i]))
	}
	nodes := make([]*node, 3)
	for i := range nodes {
		nodes[i] = &node{config: filepath.Join(dir, fmt.Sprintf("n%d.conf", i))}
		text := fmt.Sprintf("server_name: n%d\nlisten: \"127.0.0.1:%d\"\ncluster { name: c, listen: \"127.0.0.1:%d\", routes: [ %s ] }\n%s",
			i, ports[i], ports[3+i], strings.Join(routes, ", "), registry.CalloutConfig(issuer, public))
		if err := os.WriteFile(nodes[i].config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		nodes[i].start(t)
		defer func() { nodes[i].kill() }()
	}
	w.config.Broker, w.config.Callout = strings.Join(urls, ","), true
	if w.c, err = central.Run(context.Background(), w.config); err != nil {
		t.Fatal(err)
	}
	l := b.link()
	count := uint64(0)
	well := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		count++
		return l.Hello(ctx, count, make([]byte, 16))
	}
	w.again(well)
	for i, n := range nodes {
		n.kill()
		w.again(well)
		n.start(t)
		t.Logf("server %d of 3 was killed: service goes on", i)
	}
	for name, who := range map[string]*box{"a stranger": stranger, "a retired post": retired} {
		t.Run(name, func(t *testing.T) {
			if err := who.refused(); err == nil {
				t.Error("was let in")
			}
		})
	}
	t.Run("wrong device subject", func(t *testing.T) { b.speaksFor(t, stranger) })
}

// hold returns n ports that nobody else is given until the test ends. Their
// sockets are bound and do not listen, so that a server which names one of them
// may listen there, and again after it was killed.
func hold(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Close(fd); err != nil {
				t.Error(err)
			}
		})
		err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		if err != nil {
			t.Fatal(err)
		}
		at, err := unix.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, at.(*unix.SockaddrInet4).Port)
	}
	return ports
}
