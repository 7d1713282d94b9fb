package main

import (
	"encoding/base64"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/registry"
	"github.com/watchpost/watchpost/sdk/central/shard"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// workerKeys are what "worker init" prints; nothing of it is secret.
type workerKeys struct {
	Link      string `json:"link"`      // for "worker add"
	Recipient string `json:"recipient"` // name of its key files
	Public    string `json:"public"`    // for "worker split --for"
}

func workerCommand(o *shared) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Hold parts of lists on other machines",
		Long: `Lists that are too large for one machine are split into parts ("worker split"), each for
the workers of one shard; workers of the same shard are replicas. A part opens for its
workers and at its place alone. Central ("serve --shards N") asks all shards together; an
answer says how many of them it covers, and one that lacks a shard is never clear.

A worker goes to central's broker with a key of its own, may listen to its shard's
questions and answer them, and nothing else. Questions and answers are sealed between
central and the workers: the broker reads neither.`,
		Example: `  watchpost-central worker init  --state W --passphrase-file wpass                    # on the worker: {link, recipient, public}
  watchpost-central worker add w0a UABC... --shard 0 --state D                       # at central
  watchpost-central worker split --lists /srv/lists --into 2 --for 0=PUBLIC --for 1=PUBLIC --out parts --state D --passphrase-file pass
  watchpost-central serve --shards 2 --state D --passphrase-file pass                # at central
  watchpost-central worker serve --part parts/part-0 --broker tls://central:4222 --state W --passphrase-file wpass`,
	}
	cmd.AddCommand(workerInitCommand(o), workerAddCommand(o), workerRetireCommand(o), printAll(o, "list", "Print all workers with what they say that they hold", (*store.Store).Workers),
		workerSplitCommand(o), workerServeCommand(o))
	return cmd
}

func workerInitCommand(o *shared) *cobra.Command {
	return &cobra.Command{
		Use: "init", Short: "Make the vault of a worker and print its public keys", Args: cobra.NoArgs,
		Long:    "Makes the vault of a worker, where there is none, and prints {link, recipient, public}.",
		Example: "  watchpost-central worker init --state W --passphrase-file wpass",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.withVault(cmd, true, func(v *vault.Vault) error {
				key, err := central.WorkerKey(o.state, v)
				if err != nil {
					return err
				}
				defer key.Wipe()
				link, err := key.PublicKey()
				if err != nil {
					return fault.Wrap("central.key", err)
				}
				r, err := v.Recipient()
				if err != nil {
					return err
				}
				return row(cmd, workerKeys{link, r.ID(), base64.StdEncoding.EncodeToString(r)})
			})
		},
	}
}

func workerAddCommand(o *shared) *cobra.Command {
	var at int
	var by string
	c := &cobra.Command{
		Use: "add NAME LINK --shard N", Short: "Let a worker answer for a shard", Args: cobra.ExactArgs(2),
		Long:    "Registers a worker's key (worker init) for one shard. A retired name or key is never used again.",
		Example: "  watchpost-central worker add w0a UABC... --shard 0 --state D",
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := registry.ParseKey(args[1]); err != nil {
				return err
			}
			if at < 0 || at >= shard.MaxShards {
				return fault.New("usage", "--shard is 0 to %d", shard.MaxShards-1)
			}
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				return s.AddWorker(cmd.Context(), args[0], args[1], at, by)
			})
		},
	}
	c.Flags().IntVar(&at, "shard", -1, "which one, from 0")
	c.Flags().StringVar(&by, "by", "admin", "who does this, for the history")
	return c
}

func workerRetireCommand(o *shared) *cobra.Command {
	var by string
	c := &cobra.Command{
		Use: "retire NAME", Short: "Take a worker's rights", Args: cobra.ExactArgs(1),
		Long:    "Takes a worker's rights for good: the broker ends its connection within a second and\nrefuses every other (a cluster that asks by callout: within the hour). It still holds its part and the key of searches: split anew, and give central another key, where it was stolen.",
		Example: "  watchpost-central worker retire w0a --state D",
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withStore(cmd.Context(), func(s *store.Store) error { return s.RetireWorker(cmd.Context(), args[0], by) })
		},
	}
	c.Flags().StringVar(&by, "by", "admin", "who does this, for the history")
	return c
}

func workerSplitCommand(o *shared) *cobra.Command {
	var lists, out string
	var into int
	var to []string
	c := &cobra.Command{
		Use: "split --lists DIR --into N --for SHARD=PUBLIC... --out DIR", Short: "Split lists into parts for workers", Args: cobra.NoArgs,
		Long: `Divides each list of a folder, as for "serve --lists", by its records into N parts of about
one size and writes part-0 to part-(N-1) below --out, sealed anew for the workers named
with --for: SHARD=PUBLIC, PUBLIC being what "worker init" printed; several of a shard are
replicas. Prints one JSON object a part: {dir, shard, of, workers, records}. Run it with
central's state and passphrase, while "serve" does not use the same lists.`,
		Example: "  watchpost-central worker split --lists /srv/lists --into 2 --for 0=9jxW...= --for 1=Qm2d...= --out parts --state D --passphrase-file pass",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if lists == "" || out == "" || into < 1 || into > shard.MaxShards {
				return fault.New("usage", "--lists, --out and --into (1 to %d) are needed", shard.MaxShards)
			}
			workers, err := workersOf(to, into)
			if err != nil {
				return err
			}
			return o.withVault(cmd, false, func(v *vault.Vault) error {
				ring := vault.NewRing()
				defer ring.Close()
				search, err := central.SearchKey(o.state, v, ring)
				if err != nil {
					return err
				}
				parts, err := shard.Split(cmd.Context(), shard.SplitOptions{
					Folder: lists, State: filepath.Join(o.state, "split"), Vault: v, Into: into, For: workers, Search: search, Out: out,
				})
				if err != nil {
					return err
				}
				for _, p := range parts {
					if err := row(cmd, p); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	f := c.Flags()
	f.StringVar(&lists, "lists", "", "folder of whole lists")
	f.IntVar(&into, "into", 0, "number of parts")
	f.StringArrayVar(&to, "for", nil, "SHARD=PUBLIC of a worker, repeatable")
	f.StringVar(&out, "out", "", "folder of the parts, not there yet")
	return c
}

// workersOf reads --for.
func workersOf(to []string, into int) ([][]vault.Recipient, error) {
	out := make([][]vault.Recipient, into)
	for _, one := range to {
		at, public, ok := strings.Cut(one, "=")
		n, err := strconv.Atoi(at)
		key, kerr := base64.StdEncoding.DecodeString(public)
		if !ok || err != nil || kerr != nil || n < 0 || n >= into || len(key) == 0 {
			return nil, fault.New("usage", "--for is SHARD=PUBLIC, with a shard from 0 to %d", into-1)
		}
		out[n] = append(out[n], key)
	}
	if at := slices.IndexFunc(out, func(w []vault.Recipient) bool { return len(w) == 0 }); at >= 0 {
		return nil, fault.New("usage", "shard %d has no worker: --for %d=PUBLIC", at, at)
	}
	return out, nil
}

func workerServeCommand(o *shared) *cobra.Command {
	var part, url, ca string
	var worst float64
	c := &cobra.Command{
		Use: "serve --part DIR --broker URL", Short: "Answer for a part until told to end (SIGINT, SIGTERM)", Args: cobra.NoArgs,
		Long: `Takes a part (worker split) into this worker's state, loads it, and answers central's
questions. One line of JSON on standard output says that it does: {"shard", "of", "lists",
"records"}. A broker that is away is waited for.`,
		Example: "  watchpost-central worker serve --part parts/part-0 --broker tls://central:4222 --ca ca.pem --state W --passphrase-file wpass",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if part == "" || url == "" {
				return fault.New("usage", "--part and --broker are needed")
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
			w, err := central.RunWorker(cmd.Context(), central.WorkerConfig{
				State: o.state, Unlocker: passphrase, Part: part, Broker: url, CA: ca, WorstGroup: worst, Log: o.log(cmd.ErrOrStderr()),
			})
			if err != nil {
				return err
			}
			out := struct {
				Shard   int `json:"shard"`
				Of      int `json:"of"`
				Lists   int `json:"lists"`
				Records int `json:"records"`
			}{w.At.Shard, w.At.Of, len(w.Lists.Loaded), w.Lists.Records()}
			if err := row(cmd, out); err != nil {
				return err
			}
			<-cmd.Context().Done()
			return w.Close()
		},
	}
	f := c.Flags()
	f.StringVar(&part, "part", "", "folder of the part")
	f.StringVar(&url, "broker", "", "URL of central's broker")
	f.StringVar(&ca, "ca", "", "file of the broker's certificate authority (PEM)")
	worstGroupFlag(c, &worst)
	return c
}

// worstGroupFlag is the factor that posts have in their policy.
func worstGroupFlag(c *cobra.Command, into *float64) {
	c.Flags().Float64Var(into, "face-worst-group", 0, "1 to 1000: hold error rates of faces for the group of persons with the most false matches, as face_worst_group of the posts' policy; 0 as calibrated")
}

func checkWorstGroup(f float64) error {
	if f == 0 || f >= 1 && f <= 1000 {
		return nil
	}
	return fault.New("usage", "--face-worst-group is 1 to 1000, or 0")
}
