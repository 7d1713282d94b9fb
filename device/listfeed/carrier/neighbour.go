package carrier

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// Pin is the SHA-256 of a box's public key (SubjectPublicKeyInfo), in hex.
type Pin string

// PinOf returns the pin of a public key.
func PinOf(k ed25519.PublicKey) (Pin, error) {
	raw, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		return "", fault.Wrap("listfeed.pin", err)
	}
	sum := sha256.Sum256(raw)
	return Pin(hex.EncodeToString(sum[:])), nil
}

// Valid reports whether p has the form of a pin.
func (p Pin) Valid() bool {
	raw, err := hex.DecodeString(string(p))
	return err == nil && len(raw) == sha256.Size
}

// Mutual returns a TLS configuration for one side between boxes: it shows a
// certificate of key and takes only the other boxes that are pinned. No
// authority is asked and no date is looked at, since a box's clock may be
// wrong.
func Mutual(key ed25519.PrivateKey, others ...Pin) (*tls.Config, error) {
	for _, p := range others {
		if !p.Valid() {
			return nil, fault.New("listfeed.pin", "a pin has 64 hex digits")
		}
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "watchpost box"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280 (2008), 4.1.2.5: no end
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, fault.Wrap("listfeed.pin", err)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		Certificates:       []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		ClientAuth:         tls.RequireAnyClientCert,
		InsecureSkipVerify: true, // by the pin below instead of names and authorities
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) != 1 {
				return fault.New("listfeed.pin", "a box shows one certificate")
			}
			sum := sha256.Sum256(s.PeerCertificates[0].RawSubjectPublicKeyInfo)
			if !slices.Contains(others, Pin(hex.EncodeToString(sum[:]))) {
				return fault.New("listfeed.pin", "a box that is not pinned")
			}
			return nil
		},
	}, nil
}

// Limits of serving.
const (
	serveHeader = 5 * time.Second
	serveWrite  = 10 * time.Minute // a chunk over the slowest link that is of use
	serveAtOnce = 8
	serveIdle   = time.Minute // a connection without a request
)

// Serve gives what lies in a mirror (listfeed.Options) to pinned boxes on l
// until ctx ends.
func Serve(ctx context.Context, l net.Listener, mirror *Folder, conf *tls.Config) error {
	s := &http.Server{
		Handler: &handler{mirror, make(chan struct{}, serveAtOnce)}, TLSConfig: conf, ReadHeaderTimeout: serveHeader, WriteTimeout: serveWrite, IdleTimeout: serveIdle,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       log.New(io.Discard, "", 0), // who is turned away would fill it
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	err := s.ServeTLS(l, "", "")
	if ctx.Err() != nil {
		return nil
	}
	return fault.Wrap("listfeed.serve", err)
}

type handler struct {
	from  *Folder
	turns chan struct{}
}

// ServeHTTP gives names of a repository, with ranges.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	default:
		w.Header().Set("Retry-After", strconv.Itoa(1))
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	name := r.URL.Path[min(1, len(r.URL.Path)):]
	f, size, err := h.from.open(name)
	if err != nil || size > target.MaxSealed {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, f) // never held in memory: who fetches slowly costs a file
}

// Handler serves a folder's repository without TLS of its own, for a central
// service that has its own.
func Handler(from *Folder) http.Handler {
	return &handler{from, make(chan struct{}, 256)}
}
