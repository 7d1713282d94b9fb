package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/carrier"
)

// feedRow is what is said of a target of a feed.
type feedRow struct {
	Target  string     `json:"target"`
	Version uint64     `json:"version,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
	Objects int        `json:"objects,omitempty"`
	Bytes   int64      `json:"bytes,omitempty"`
	Fetched *int64     `json:"fetched,omitempty"`
	Error   *rowError  `json:"error,omitempty"`
}

// openCarrier opens a feed's address or folder. The caller closes it.
func openCarrier(from, ca string) (interface {
	listfeed.Carrier
	Close() error
}, error) {
	if !strings.Contains(from, "://") {
		return carrier.OpenFolder(from)
	}
	var conf *tls.Config
	if ca != "" {
		raw, err := os.ReadFile(ca)
		if err != nil {
			return nil, fault.Wrap("input.read", err)
		}
		conf = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS13}
		if !conf.RootCAs.AppendCertsFromPEM(raw) {
			return nil, fault.New("usage", "--ca holds no certificate")
		}
	}
	return carrier.NewHTTPS(from, conf)
}

func listFetchCommand() *cobra.Command {
	var feed, root, out, ca string
	c := &cobra.Command{
		Use:   "fetch --feed URL|DIR --root ROOT.json --out DIR",
		Short: "Copy a whole feed to a stick or folder, going on where a cut came",
		Long: `Bring everything that a feed has, for all posts, into a folder that any post can take
it from ("list apply --feed DIR", or "feed: from:" in its configuration). Nothing is
believed: signatures, dates, versions and hashes are checked by --root, the feed's root
as its owner handed it over; an older feed than the folder's is refused. No key is
needed: what is copied stays sealed.

Interrupt it, pull the stick, run it again: what came is not fetched twice, to the byte.
Until the end the folder is still the feed that it was. Progress goes to standard error.
A row a target comes out: {target, version, expires, objects, bytes, fetched}, or
{target, error: {code}} and exit status 3.`,
		Example: `  watchpost list fetch --feed https://feeds.example/un --root root.json --out /media/stick`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return copyFeed(cmd, feed, ca, root, out)
		},
	}
	c.Flags().StringVar(&feed, "feed", "", "https://HOST/PATH, or a folder")
	c.Flags().StringVar(&root, "root", "", "root metadata of the feed, as its owner handed it over")
	c.Flags().StringVar(&out, "out", "", "folder of the copy, made where it is not there")
	c.Flags().StringVar(&ca, "ca", "", "certificate authority of the server (PEM); the system's where left out")
	require(c, "feed", "root", "out")
	return c
}

// copyFeed copies or, without out, checks a feed.
func copyFeed(cmd *cobra.Command, feed, ca, root, out string) error {
	raw, err := os.ReadFile(root)
	if err != nil {
		return fault.Wrap("input.read", err)
	}
	from, err := openCarrier(feed, ca)
	if err != nil {
		return err
	}
	defer from.Close()
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	told := teller(cmd)
	got, err := listfeed.Copy(ctx, from, listfeed.CopyOptions{Root: raw, To: out, Now: time.Now, Told: told})
	rows := newRows(cmd)
	for _, t := range got.Targets {
		row := feedRow{Target: t.Path.String(), Version: t.Version, Objects: t.Objects, Bytes: t.Bytes}
		if !t.Expires.IsZero() {
			row.Expires = &t.Expires
		}
		if out != "" {
			row.Fetched = &t.Fetched
		}
		if t.Err != nil {
			row = feedRow{Target: strings.TrimRight(t.Path.String(), "/"), Error: &rowError{fault.CodeOf(t.Err)}}
			rows.Failed()
		}
		if err := rows.JSON(row); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "root %d, timestamp %d, fresh until %s\n", got.Root, got.Timestamp, got.Fresh.UTC().Format(time.RFC3339))
	return rows.End()
}

// tellEvery is how often progress is said.
const tellEvery = time.Second

// teller says progress to standard error, once a second and at each target's
// end.
func teller(cmd *cobra.Command) func(listfeed.Progress) {
	var last time.Time
	return func(p listfeed.Progress) {
		if now := time.Now(); p.Objects == p.Of || now.Sub(last) >= tellEvery {
			last = now
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d of %d objects, %d of %d bytes\n", p.Path, p.Objects, p.Of, p.Bytes, p.OfBytes)
		}
	}
}

// verifyFeed says whether a feed is whole, by a root or a post's configuration.
func verifyFeed(cmd *cobra.Command, feed, ca, root, configFile string) error {
	if root == "" {
		conf, err := config.Read(configFile)
		if err != nil {
			return err
		}
		if conf.Feed == nil {
			return fault.New("config.feed", "the post takes nothing from a feed").WithHint("give --root ROOT.json, or feed: in the configuration")
		}
		root = conf.Feed.Root
		if ca == "" {
			ca = conf.Feed.CA
		}
	}
	return copyFeed(cmd, feed, ca, root, "")
}
