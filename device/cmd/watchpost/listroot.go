package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/repo"
)

// Roles of a feed's top.
const (
	roleRoot = "root"
	roleTop  = "targets"
)

// stagedRow is what is said of metadata that wait for signatures.
type stagedRow struct {
	Role    string    `json:"role"`
	Version int64     `json:"version"`
	Expires time.Time `json:"expires"`
	Staged  string    `json:"staged"`
	May     []string  `json:"may_sign"`
	Needed  int       `json:"needed"`
}

// sayStaged writes the row of what was staged of a role.
func sayStaged(cmd *cobra.Command, r *repo.Repo, role string, expires time.Time) error {
	p, err := r.Progress(role)
	if err != nil {
		return err
	}
	out := newRows(cmd)
	if err := out.JSON(stagedRow{role, p.Version, expires.UTC().Truncate(time.Second), r.StagedName(role), p.May, p.Needed}); err != nil {
		return err
	}
	return out.End()
}

func publicKeys(all []string) ([]ed25519.PublicKey, error) {
	var out []ed25519.PublicKey
	for _, text := range all {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, fault.New("usage", "a public key has 32 bytes, in base64 as \"list signkey\" prints it")
		}
		if slices.ContainsFunc(out, func(k ed25519.PublicKey) bool { return k.Equal(ed25519.PublicKey(raw)) }) {
			return nil, fault.New("usage", "a key stands twice: each person signs for himself")
		}
		out = append(out, raw)
	}
	return out, nil
}

func listRootCommand() *cobra.Command {
	var dir, snapshot, timestamp string
	var root, top []string
	var rootNeeds, topNeeds, days int
	c := &cobra.Command{
		Use:   "root --repo DIR [--root PUBLICKEY...] [--targets PUBLICKEY...] [--snapshot PUBLICKEY --timestamp PUBLICKEY]",
		Short: "Write a feed's first root, or the next one, for its keepers to sign",
		Long: `The root says who may sign what at the top of a feed: its keepers (--root), who say
who comes after them; who delegates to owners (--targets; the keepers where it is left
out); and the two online keys of whoever publishes, which prove that the feed is alive
and nothing else ("watchpost-central feed keys" prints them, "list publish" makes them).

Where the feed has a root already, the next one is written: what is left out stays as
it is. A lost or stolen key goes by naming those that stay and the new one. The next
root needs the signatures of the old keepers and of the new ones.

DIR/staged/root.json is written; at least --root-threshold keepers sign it with "list
sign --key KEY root.json" on machines of their own, and "list publish", or central, puts
it in place. One JSON object comes out: {role, version, expires, staged, may_sign, needed}.`,
		Example: `  watchpost list root --repo feed --root $ANNA --root $BORIS --root $CARLA --snapshot $SNAPSHOT --timestamp $TIMESTAMP
  watchpost list sign --key anna.key --passphrase-file words feed/staged/root.json
  watchpost list root --repo feed --root $ANNA --root $CARLA --root $DORA`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := repo.Open(dir)
			if err != nil {
				return err
			}
			s, err := r.NextRoot()
			if err != nil {
				return err
			}
			if err := rootKeys(cmd, &s, root, top, snapshot, timestamp); err != nil {
				return err
			}
			if rootNeeds > 0 {
				s.RootThreshold = rootNeeds
			}
			if topNeeds > 0 {
				s.TargetsThreshold = topNeeds
			}
			s.RootThreshold, s.TargetsThreshold = max(s.RootThreshold, 2), max(s.TargetsThreshold, 2)
			switch {
			case len(s.Root) < s.RootThreshold || len(s.Targets) < s.TargetsThreshold:
				return fault.New("usage", "fewer keys than signatures are asked for: at least two persons decide")
			case s.Snapshot == nil || s.Timestamp == nil:
				return fault.New("usage", "give --snapshot and --timestamp, the publisher's public keys")
			}
			s.Expires = time.Now().AddDate(0, 0, days)
			raw, err := repo.Root(s)
			if err != nil {
				return err
			}
			if err := r.StageRaw(roleRoot, raw); err != nil {
				return err
			}
			return sayStaged(cmd, r, roleRoot, s.Expires)
		},
	}
	f := c.Flags()
	f.StringVar(&dir, "repo", "", "folder of the feed")
	f.StringArrayVar(&root, "root", nil, "public key of a keeper of the root, base64")
	f.IntVar(&rootNeeds, "root-threshold", 0, "keepers who must sign the next root, at least 2; 0 is 2, or as before")
	f.StringArrayVar(&top, "targets", nil, "public key of who delegates to owners, base64")
	f.IntVar(&topNeeds, "targets-threshold", 0, "of them who must sign, at least 2; 0 is 2, or as before")
	f.StringVar(&snapshot, "snapshot", "", "the publisher's public key of snapshots, base64")
	f.StringVar(&timestamp, "timestamp", "", "the publisher's public key of timestamps, base64")
	f.IntVar(&days, "days", 365, "days until the root runs out")
	require(c, "repo")
	return c
}

// rootKeys puts the keys that are given in the place of those before.
func rootKeys(cmd *cobra.Command, s *repo.RootSpec, root, top []string, snapshot, timestamp string) error {
	keepers, err := publicKeys(root)
	if err != nil {
		return err
	}
	delegate, err := publicKeys(top)
	if err != nil {
		return err
	}
	if len(keepers) > 0 {
		if len(s.Targets) == 0 && len(delegate) == 0 || sameKeys(s.Root, s.Targets) && len(delegate) == 0 {
			delegate = keepers
		}
		s.Root = keepers
	}
	if len(delegate) > 0 {
		s.Targets = delegate
	}
	for _, one := range []struct {
		text string
		into *ed25519.PublicKey
	}{{snapshot, &s.Snapshot}, {timestamp, &s.Timestamp}} {
		if one.text == "" {
			continue
		}
		keys, err := publicKeys([]string{one.text})
		if err != nil {
			return err
		}
		*one.into = keys[0]
	}
	return nil
}

func sameKeys(a, b []ed25519.PublicKey) bool {
	return slices.EqualFunc(a, b, func(x, y ed25519.PublicKey) bool { return x.Equal(y) })
}
