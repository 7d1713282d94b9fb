package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/publish"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// stagedRow is what waits in a feed's folder, and how far its signing is.
type stagedRow struct {
	Role    string   `json:"role"`
	Version int64    `json:"version"`
	Signed  []string `json:"signed"` // ids of keys
	Needed  int      `json:"needed"`
	Set     []string `json:"set"` // targets that are new or another
	Removed []string `json:"removed"`
}

func feedCommand(o *shared) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "feed",
		Short: "Have a feed's lists signed by two, and publish them",
		Long: `A feed is a folder of signed metadata and sealed objects (watchpost list stage). What is
staged in it is proposed here, signed by two operators, and published by "serve --feed",
which tells the posts at once and serves the folder to those that fetch.

An operator signs for a feed with the key that the feed's delegations name:
"proposal sign" or, on a copy of the staged file, "watchpost list sign".`,
		Example: `  watchpost-central feed keys --state D
  watchpost-central feed propose un --feed /srv/feed --by anna --reason "edition of 22 November" --state D > p.json
  watchpost-central proposal sign p.json --by anna --key anna.pem > a.json
  watchpost-central proposal approve a.json --state D
  watchpost-central feed approve boris.json --by boris --state D`,
	}
	keys := &cobra.Command{
		Use: "keys", Short: "Print the public keys of snapshot and timestamp", Args: cobra.NoArgs,
		Long:    "Prints {snapshot, timestamp}: the two keys of this central that the feed's root names, 32\nbytes each in base64. They are made at the first call. They prove that the feed is alive,\nand can change nothing in it.",
		Example: "  watchpost-central feed keys --state D",
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := publish.LoadKeys(central.FeedKeys(o.state))
			if err != nil {
				return err
			}
			text := func(k ed25519.PrivateKey) string {
				return base64.StdEncoding.EncodeToString(k.Public().(ed25519.PublicKey))
			}
			return row(cmd, map[string]string{"snapshot": text(k.Snapshot), "timestamp": text(k.Timestamp)})
		},
	}
	staged := &cobra.Command{
		Use: "staged --feed DIR", Short: "Print what is staged in a feed, and who has signed in the folder", Args: cobra.NoArgs,
		Long: "Prints one JSON object a role: what would change, and how far its signing is.", Example: "  watchpost-central feed staged --feed /srv/feed",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := openRepo(dir)
			if err != nil {
				return err
			}
			roles, err := r.Staged()
			if err != nil {
				return err
			}
			for _, role := range roles {
				p, err := r.Progress(role)
				if err != nil {
					return err
				}
				set, removed, err := r.Differences(role)
				if err != nil {
					return err
				}
				if err := row(cmd, stagedRow{role, p.Version, append([]string{}, p.Signed...), p.Needed, paths(set), paths(removed)}); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.AddCommand(keys, staged, feedProposeCommand(o, &dir), feedApproveCommand(o))
	for _, c := range cmd.Commands() {
		if c == staged || c.Name() == "propose" {
			c.Flags().StringVar(&dir, "feed", "", "folder of the feed")
		}
	}
	return cmd
}

func paths(all []target.Path) []string {
	out := []string{}
	for _, p := range all {
		out = append(out, p.String())
	}
	return out
}

// openRepo opens a feed that is there.
func openRepo(dir string) (*repo.Repo, error) {
	if dir == "" {
		return nil, fault.New("usage", "--feed is needed: the folder of the feed")
	}
	if _, err := os.Stat(filepath.Join(dir, "metadata")); err != nil {
		return nil, fault.New("central.feed", "no feed in this folder: %w", err).WithHint("watchpost list stage --repo makes one")
	}
	return repo.Open(dir)
}

func feedProposeCommand(o *shared, dir *string) *cobra.Command {
	var by, reason string
	var life time.Duration
	c := &cobra.Command{
		Use: "propose ROLE --feed DIR --by NAME --reason TEXT", Short: "File what is staged for a role; as many as the feed asks have to sign it", Args: cobra.ExactArgs(1),
		Long:    "Files the staged metadata of a role (an owner, targets or root) as a proposal and prints\nit. With the last signature it is published. What is staged anew meanwhile has to be\nproposed anew.",
		Example: `  watchpost-central feed propose un --feed /srv/feed --by anna --reason "court order" --state D`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := openRepo(*dir)
			if err != nil {
				return err
			}
			raw, err := r.ReadStaged(args[0])
			if err != nil {
				return err
			}
			p, err := r.Progress(args[0])
			if err != nil {
				return err
			}
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				made, err := s.ProposeList(cmd.Context(), args[0], raw, p.Needed, reason, by, time.Now().Add(life))
				return printProposal(cmd, made, err)
			})
		},
	}
	c.Flags().StringVar(&by, "by", "", "your name as operator")
	c.Flags().StringVar(&reason, "reason", "", "why, for the history")
	c.Flags().DurationVar(&life, "life", 7*24*time.Hour, "void if not signed by then")
	return c
}

func feedApproveCommand(o *shared) *cobra.Command {
	var by string
	c := &cobra.Command{
		Use: "approve FILE --by NAME", Short: "Hand in a copy of staged metadata that \"watchpost list sign\" has signed", Args: cobra.ExactArgs(1),
		Long:    "Finds the proposal that the copy is of, takes the signature by your key out of it, and\nprints {id, approved}: true with the last signature, when it is published.",
		Example: "  watchpost-central feed approve un.json --by boris --state D",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return fault.Wrap("proposal.form", err)
			}
			raw, err := io.ReadAll(io.LimitReader(f, target.MaxMetadata+1))
			if err = errors.Join(err, f.Close()); err != nil {
				return fault.Wrap("proposal.form", err)
			}
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				p, signature, err := signedCopy(cmd, s, raw, by)
				if err != nil {
					return err
				}
				approved, err := s.Approve(cmd.Context(), p.ID, by, signature, store.DefaultCertificateLife)
				if err != nil {
					return err
				}
				r := struct {
					ID       string `json:"id"`
					Approved bool   `json:"approved"`
				}{hex.EncodeToString(p.ID), approved}
				return row(cmd, r)
			})
		},
	}
	c.Flags().StringVar(&by, "by", "", "your name as operator")
	return c
}

// signedCopy finds the proposal that raw is a signed copy of, and by's signature
// in it.
func signedCopy(cmd *cobra.Command, s *store.Store, raw []byte, by string) (store.Proposal, []byte, error) {
	waiting, err := s.Proposals(cmd.Context(), "waiting", 1000)
	if err != nil {
		return store.Proposal{}, nil, err
	}
	at := slices.IndexFunc(waiting, func(p store.Proposal) bool { return p.Kind == store.KindList && repo.SameText(p.Content, raw) })
	if at < 0 {
		return store.Proposal{}, nil, store.ErrNotWaiting
	}
	all, err := s.Operators(cmd.Context())
	if err != nil {
		return store.Proposal{}, nil, err
	}
	for _, who := range all {
		if who.ID != by {
			continue
		}
		signature, err := repo.SignatureOf(raw, who.Key)
		if err == nil && signature == nil {
			err = store.ErrSignature
		}
		return waiting[at], signature, err
	}
	return store.Proposal{}, nil, store.ErrOperator
}

// sayTargets says what somebody is about to sign for, from the content itself.
func sayTargets(cmd *cobra.Command, content []byte) error {
	all, err := repo.TargetsOf(content)
	for _, t := range all {
		cmd.PrintErrln("  " + t)
	}
	return err
}
