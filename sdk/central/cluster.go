package central

import (
	"crypto/sha256"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central/registry"
)

// CalloutAccount is the account of a cluster in which posts and centrals meet.
const CalloutAccount = "POSTS"

// maxSeed bounds the file with central's seed, in bytes.
const maxSeed = 256

// connectCluster goes to a cluster that somebody else runs. Where it asks who
// may connect, central answers over a connection of the auth account, and works
// over a second one that it lets in itself.
func (r *Central) connectCluster(c Config, auth *registry.Registry, account nkeys.KeyPair) (*nats.Conn, error) {
	seed, err := os.ReadFile(c.Creds)
	if err != nil || len(seed) > maxSeed {
		return nil, fault.New("central.broker_key", "read central's key: %v", err).WithHint("--broker needs --broker-key, a file with an nkey seed")
	}
	defer clear(seed)
	key, err := nkeys.ParseDecoratedNKey(seed)
	if err != nil {
		return nil, fault.New("central.broker_key", "the file holds no nkey seed").WithHint("nk -gen user makes one")
	}
	r.URL = c.Broker
	nc, err := r.dial(c.Broker, key)
	if err != nil || !c.Callout {
		return nc, err
	}
	stop, err := auth.ServeCallout(nc, account, CalloutAccount)
	if err != nil {
		return nil, err
	}
	r.closing(stop)
	work, err := workKey(seed)
	if err != nil {
		return nil, err
	}
	if auth.Central, err = work.PublicKey(); err != nil {
		return nil, fault.Wrap("central.broker", err)
	}
	return r.dial(c.Broker, work)
}

// workKey is derived from the seed at the cluster, so that every central of it
// lets the others in.
func workKey(seed []byte) (nkeys.KeyPair, error) {
	sum := sha256.Sum256(append([]byte("watchpost/central-work/1\x00"), seed...))
	pair, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, sum[:])
	return pair, fault.Wrap("central.broker", err)
}

func (r *Central) dial(url string, key nkeys.KeyPair) (*nats.Conn, error) {
	public, err := key.PublicKey()
	if err != nil {
		return nil, fault.Wrap("central.broker", err)
	}
	nc, err := nats.Connect(url, nats.Nkey(public, key.Sign), nats.Name("central"), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort())
	if err != nil {
		return nil, fault.Wrap("central.broker", err)
	}
	r.closing(func() error { nc.Close(); return nil })
	return nc, nil
}
