package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	audited "github.com/watchpost/watchpost/device/audit/witness"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/uplink/witness"
)

// witnessKeyFile is a witness's private key in its state folder.
const witnessKeyFile = "witness.key"

// witnessing is the one line that "audit witness" prints when it listens.
type witnessing struct {
	URL string `json:"url"` // audit.witness.url in a post's configuration
	Key string `json:"key"` // audit.witness.key there
}

func auditWitnessCommand() *cobra.Command {
	var listen, state, name, cert, certKey string
	var logs []string
	c := &cobra.Command{
		Use:   "witness --state DIR --log-key KEY...",
		Short: "Keep heads of other people's posts, until told to end",
		Long: `A witness for posts that somebody else runs: it takes a head only if it continues the
last one, keeps it, and signs for it. Run it where central's operator has no hand, for
one at the data protection authority. It speaks c2sp.org/tlog-witness (add-checkpoint,
cosignature/v1), so a public witness can take its place, and it can witness other logs.

Its key is made at the first start. One line of JSON on standard output says where it
listens and by which key it signs: both go into the post's configuration (audit.witness).
Heads lie in --state as files; "audit verify --witness DIR" reads them there.

Without --cert it speaks plain HTTP and listens on this machine only.`,
		Example: `  watchpost audit witness --state /srv/witness --name witness.example/w1 \
      --log-key "$(watchpost audit key --state /var/lib/watchpost)" \
      --listen 192.0.2.7:8447 --cert cert.pem --key key.pem`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			host, _, err := net.SplitHostPort(listen)
			if err != nil {
				return fault.New("usage", "--listen is HOST:PORT")
			}
			if ip := net.ParseIP(host); cert == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
				return fault.New("usage", "beyond this machine a witness speaks TLS: --cert and --key")
			}
			if err := os.MkdirAll(state, 0o700); err != nil {
				return fault.Wrap("audit.medium", err)
			}
			s, err := newWitness(state, name, logs, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)))
			if err != nil {
				return err
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return fault.New("audit.listen", "%w", err)
			}
			url := "http://" + l.Addr().String()
			if cert != "" {
				pair, err := tls.LoadX509KeyPair(cert, certKey)
				if err != nil {
					return fault.New("audit.tls", "read the certificate: %w", err)
				}
				l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13})
				url = "https://" + l.Addr().String()
			}
			out := newRows(cmd)
			if err := out.JSON(witnessing{url, s.Key.Key()}); err != nil {
				return err
			}
			return serveUntil(cmd.Context(), l, s)
		},
	}
	f := c.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8447", "address to listen on")
	f.StringVar(&state, "state", "", "folder of the key and the heads")
	f.StringVar(&name, "name", "watchpost/witness", "name of the witness's key, a URL without its scheme")
	f.StringArrayVar(&logs, "log-key", nil, "key of a log to witness, as \"audit key\" prints it")
	f.StringVar(&cert, "cert", "", "certificate (PEM)")
	f.StringVar(&certKey, "key", "", "its private key (PEM)")
	require(c, "state", "log-key")
	return c
}

func newWitness(state, name string, logs []string, log *slog.Logger) (*witness.Server, error) {
	key, err := witnessKey(filepath.Join(state, witnessKeyFile))
	if err != nil {
		return nil, err
	}
	cosigner, err := checkpoint.NewCosigner(name, key)
	if err != nil {
		return nil, err
	}
	folder, err := audited.OpenFolder(state)
	if err != nil {
		return nil, err
	}
	s := &witness.Server{Folder: folder, Logs: map[string][]note.Verifier{}, Key: cosigner, Now: time.Now, Log: log}
	for _, text := range logs {
		v, err := checkpoint.ParseKey(auditKeyText(text))
		if err != nil {
			return nil, err
		}
		s.Logs[v.Name()] = append(s.Logs[v.Name()], v)
	}
	return s, nil
}

// witnessKey reads the witness's private key, making it at the first call.
func witnessKey(path string) (ed25519.PrivateKey, error) {
	seed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		seed = make([]byte, ed25519.SeedSize)
		_, _ = rand.Read(seed) // never fails (crypto/rand)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, fault.Wrap("audit.medium", err)
		}
		_, err = f.Write(seed)
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return nil, errors.Join(fault.Wrap("audit.medium", err), os.Remove(path))
		}
	} else if err != nil {
		return nil, fault.Wrap("audit.medium", err)
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fault.New("audit.key_form", "the witness's key file has another size than %d bytes", ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// serveUntil serves h on l until ctx ends, and lets calls under way end for up
// to three seconds.
func serveUntil(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return fault.Wrap("audit.listen", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	err := s.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.Close() // somebody has connected and asks nothing
	}
	return fault.Wrap("audit.listen", err)
}
