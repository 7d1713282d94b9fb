package main

import (
	"crypto/tls"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/shard"
)

// running is the one line that serve prints when calls are answered.
type running struct {
	URL     string `json:"url"`
	Lists   int    `json:"lists"`
	Records int    `json:"records"`
	Feed    string `json:"feed,omitempty"` // where posts fetch it
	Page    string `json:"page,omitempty"` // of the administration
	// SHA-256 of the page's certificate, as a browser shows it.
	Fingerprint string `json:"page_fingerprint,omitempty"`
	Metrics     string `json:"metrics,omitempty"`
}

func serveCommand(o *shared) *cobra.Command {
	var listen, lists, brokerURL, brokerKey, certFile, keyFile, feed, feedListen, page, metrics string
	var headsLate time.Duration
	var shards int
	var worst float64
	var callout bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer posts until told to end (SIGINT, SIGTERM)",
		Long: `Starts the broker, the database and the worker, and answers posts. One line of JSON
on standard output says when and where: {"url", "lists", "records", "feed", "page",
"page_fingerprint", "metrics"}.

--lists is a folder laid out as for provisioning: lists/LIST/ is a sealed generation,
keys/LIST/RECIPIENT its key wrapped for this central (watchpost-central keys).
Without --cert the broker speaks plain TCP: contents are sealed all the same, but a
listener sees who speaks when. With --broker posts are let in by that cluster's rules.

--feed is the folder of a feed (watchpost list stage). What two have signed in it
(watchpost-central feed) is published, told to the posts at once, and served at
--feed-listen with ranges: HTTPS with --cert and --key, plain on loopback alone.

The administration page is at --page (HTTPS, a certificate of its own below the state
folder), for whom "watchpost-central operator password" has given access; figures for
Prometheus are at --metrics. Both are for this machine: from elsewhere use a tunnel.`,
		Example: `  watchpost-central serve --state D --passphrase-file pass --lists /srv/lists
  watchpost-central serve --state D --passphrase-file pass --dsn postgres://central@db/central --broker nats://hub:4222 --broker-key hub.nk`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if feed == "" && feedListen != "" {
				return fault.New("usage", "--feed-listen goes with --feed")
			}
			if shards != 0 && lists != "" || shards < 0 || shards > shard.MaxShards {
				return fault.New("usage", "--shards is 1 to %d and stands in the place of --lists", shard.MaxShards)
			}
			if err := checkWorstGroup(worst); err != nil {
				return err
			}
			passphrase, err := o.passphrase(cmd.InOrStdin())
			if err != nil {
				return err
			}
			defer clear(passphrase)
			if err := vault.Harden(); err != nil {
				return err
			}
			c := central.Config{
				State: o.state, Unlocker: passphrase, Lists: lists, Shards: shards, WorstGroup: worst, DSN: o.dsn, Listen: listen, Broker: brokerURL, Creds: brokerKey,
				Callout: callout, HeadsLate: headsLate, Feed: feed, FeedListen: feedListen, Page: page, Metrics: metrics, Log: o.log(cmd.ErrOrStderr()),
			}
			if o.debug {
				c.Stderr = cmd.ErrOrStderr()
			}
			if certFile != "" {
				pair, err := tls.LoadX509KeyPair(certFile, keyFile)
				if err != nil {
					return fault.New("central.tls", "read the certificate: %w", err).WithHint("--cert and --key are PEM files that belong together")
				}
				c.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
			}
			s, err := central.Run(cmd.Context(), c)
			if err != nil {
				return err
			}
			out := running{URL: s.URL, Feed: s.FeedURL, Page: s.PageURL, Fingerprint: s.PageFingerprint, Metrics: s.MetricsURL}
			if s.Lists != nil {
				out.Lists, out.Records = len(s.Lists.Loaded), s.Lists.Records()
			}
			if err := row(cmd, out); err != nil {
				return err
			}
			// What starting took is several times what serving does; left alone,
			// the collector would let the heap grow to twice that.
			debug.FreeOSMemory()
			<-cmd.Context().Done()
			return s.Close()
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:4222", "address of the embedded broker")
	f.StringVar(&lists, "lists", "", "folder of lists to search (default: none)")
	f.StringVar(&feed, "feed", "", "folder of the feed to publish (default: none)")
	f.StringVar(&feedListen, "feed-listen", "", "address where posts fetch the feed (default: bundles alone)")
	f.StringVar(&page, "page", "127.0.0.1:8444", "address of the administration page on this machine (--page= for none)")
	f.StringVar(&metrics, "metrics", "127.0.0.1:9465", "address of the metrics on this machine (--metrics= for none)")
	f.IntVar(&shards, "shards", 0, "ask so many shards of workers on other machines (watchpost-central worker) instead of --lists")
	worstGroupFlag(cmd, &worst)
	f.StringVar(&brokerURL, "broker", "", "NATS cluster to use instead of the embedded broker")
	f.StringVar(&brokerKey, "broker-key", "", "file with central's nkey seed at that cluster")
	f.BoolVar(&callout, "broker-callout", false, "the cluster asks central who may connect (watchpost-central callout prints its configuration)")
	f.StringVar(&certFile, "cert", "", "certificate of the embedded broker and the feed (PEM)")
	f.StringVar(&keyFile, "key", "", "its private key (PEM)")
	f.DurationVar(&headsLate, "heads-late", central.DefaultHeadsLate, "alarm when a post shows no head of its audit log for so long")
	return cmd
}
