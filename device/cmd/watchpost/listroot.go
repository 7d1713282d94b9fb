package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/device/listfeed/target"
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

func listDelegateCommand() *cobra.Command {
	var dir, owner string
	var keys, kinds []string
	var needs, days int
	var remove, show bool
	c := &cobra.Command{
		Use:   "delegate --repo DIR --owner OWNER (--key PUBLICKEY... --kind KIND... | --remove) | --show",
		Short: "Say who may sign what in a feed, for two to sign",
		Long: `Add an owner to a feed, change who may sign for him, or strike him off: then posts
withdraw what he published and destroy its keys. --kind names what he may publish under
his name: ` + kindNames() + `
Each but list, segment and devices belongs to one owner alone, and who publishes sealed
targets needs devices as well. KIND/NAME allows one name only.

DIR/staged/targets.json is written; those whom the root names for it (--targets of "list
root") sign it with "list sign", and "list publish", or central, puts it in place.
--show prints the delegations, staged ones before published ones: {owner, threshold,
key_ids, paths} a row.`,
		Example: `  watchpost list delegate --repo feed --owner un --key $DORA --key $EMIL --kind list --kind segment --kind devices
  watchpost list sign --key anna.key --passphrase-file words feed/staged/targets.json
  watchpost list delegate --repo feed --owner un --remove`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := repo.Open(dir)
			if err != nil {
				return err
			}
			if show {
				return showOwners(cmd, r)
			}
			expires := time.Now().AddDate(0, 0, days)
			if !target.ValidPart(owner) {
				return fault.New("usage", "--owner is of a-z, 0-9, '_', '.', '-'")
			}
			if _, err := r.RootBytes(); err != nil { // who may sign is not known
				return err
			}
			if remove {
				err = r.StageWithout(owner, expires)
			} else {
				err = stageOwner(r, owner, keys, kinds, needs, expires)
			}
			if err != nil {
				return err
			}
			return sayStaged(cmd, r, roleTop, expires)
		},
	}
	f := c.Flags()
	f.StringVar(&dir, "repo", "", "folder of the feed")
	f.StringVar(&owner, "owner", "", "name of the owner in the feed")
	f.StringArrayVar(&keys, "key", nil, "public key of one who signs for him, base64")
	f.StringArrayVar(&kinds, "kind", nil, "what he may publish: KIND or KIND/NAME")
	f.IntVar(&needs, "threshold", 2, "signatures that his targets need, at least 2")
	f.IntVar(&days, "days", 365, "days until the delegations run out")
	f.BoolVar(&remove, "remove", false, "strike the owner off")
	f.BoolVar(&show, "show", false, "print the delegations")
	require(c, "repo")
	return c
}

// kinds of targets that can be delegated, in the order of the help.
var kinds = []target.Kind{
	target.KindList, target.KindSegment, target.KindDevices, target.KindTrust, target.KindAnchors, target.KindCRL, target.KindDeviation,
	target.KindPolicy, target.KindThresholds, target.KindAccounts, target.KindModels,
}

func kindNames() string {
	var names []string
	for _, k := range kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ") + "."
}

func stageOwner(r *repo.Repo, owner string, keys, allowed []string, needs int, expires time.Time) error {
	public, err := publicKeys(keys)
	if err != nil {
		return err
	}
	if needs < 2 || len(public) < needs || len(allowed) == 0 {
		return fault.New("usage", "an owner has at least two who sign for him (--key), and something to publish (--kind)")
	}
	o := repo.Owner{Name: owner, Keys: public, Threshold: needs}
	for _, text := range allowed {
		kind, name, one := strings.Cut(text, "/")
		if !target.Kind(kind).Known() || one && !target.ValidPart(name) {
			return fault.New("usage", "--kind %q is none of %s", text, kindNames())
		}
		if !one {
			name = "*"
		}
		o.Paths = append(o.Paths, owner+"/"+kind+"/"+name)
	}
	return r.StageOwner(o, expires)
}

// ownerRow is what is said of a delegation.
type ownerRow struct {
	Owner     string   `json:"owner"`
	Threshold int      `json:"threshold"`
	KeyIDs    []string `json:"key_ids"`
	Paths     []string `json:"paths"`
}

func showOwners(cmd *cobra.Command, r *repo.Repo) error {
	all, err := r.Owners()
	if err != nil {
		return err
	}
	out := newRows(cmd)
	for _, o := range all {
		ids := []string{}
		for _, k := range o.Keys {
			id, err := repo.KeyID(k)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		if err := out.JSON(ownerRow{o.Name, o.Threshold, ids, o.Paths}); err != nil {
			return err
		}
	}
	return out.End()
}

// publishedRow is what became of metadata that waited for signatures.
type publishedRow struct {
	Role      string `json:"role"`
	Version   int64  `json:"version"`
	Published bool   `json:"published"`
	Signed    int    `json:"signed"`
	Needed    int    `json:"needed"`
}

func listPublishCommand() *cobra.Command {
	var dir, keys string
	var copies []string
	var hours int
	var keysOnly bool
	c := &cobra.Command{
		Use:   "publish --repo DIR --online KEYS [--with SIGNED.json]... | --keys-only --online KEYS",
		Short: "Publish in a feed's folder what two have signed, without central",
		Long: `Put what is staged and has its signatures in place, and sign a fresh snapshot and
timestamp with the online keys in the folder KEYS (made there at the first call). They
prove that the feed is alive and nothing else: run this every day, or posts call their
lists stale after --hours. Central does the same by itself ("watchpost-central serve
--feed DIR").

--with takes a copy that was signed elsewhere, named as its role: un.json. What lacks
signatures stays staged. A row for each role that was staged comes out: {role, version,
published, signed, needed}; exit status 3 where one was not published. --keys-only
prints {snapshot, timestamp}, the public keys for "list root".`,
		Example: `  watchpost list publish --keys-only --online keys
  watchpost list publish --repo feed --online keys --with boris/un.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			on, err := repo.LoadOnline(keys)
			if err != nil {
				return err
			}
			if keysOnly {
				out := newRows(cmd)
				text := func(k ed25519.PrivateKey) string {
					return base64.StdEncoding.EncodeToString(k.Public().(ed25519.PublicKey))
				}
				if err := out.JSON(map[string]string{"snapshot": text(on.Snapshot), "timestamp": text(on.Timestamp)}); err != nil {
					return err
				}
				return out.End()
			}
			if dir == "" || hours < 1 {
				return fault.New("usage", "give --repo, and at least one hour")
			}
			return publishFeed(cmd, dir, on, copies, time.Duration(hours)*time.Hour)
		},
	}
	f := c.Flags()
	f.StringVar(&dir, "repo", "", "folder of the feed")
	f.StringVar(&keys, "online", "", "folder of the online keys")
	f.StringArrayVar(&copies, "with", nil, "a signed copy of what is staged, named ROLE.json")
	f.IntVar(&hours, "hours", 24, "hours until posts miss the next timestamp")
	f.BoolVar(&keysOnly, "keys-only", false, "print the public keys and publish nothing")
	require(c, "online")
	return c
}

// snapshotLife is how long a snapshot lasts that was made without central.
const snapshotLife = 7 * 24 * time.Hour

func publishFeed(cmd *cobra.Command, dir string, on repo.Online, copies []string, life time.Duration) error {
	r, err := repo.Open(dir)
	if err != nil {
		return err
	}
	for _, name := range copies {
		raw, err := os.ReadFile(name)
		if err != nil {
			return fault.Wrap("input.read", err)
		}
		if err := r.Accept(roleOfFile(name), raw); err != nil {
			return err
		}
	}
	staged, err := r.Staged()
	if err != nil {
		return err
	}
	var rows []publishedRow
	for _, role := range staged {
		p, err := r.Progress(role)
		if fault.CodeOf(err) == "listfeed.no_target" || fault.CodeOf(err) == "listfeed.wrong_owner" || fault.CodeOf(err) == "listfeed.root" {
			p = repo.Progress{Role: role} // what delegates to it may be published now
		} else if err != nil {
			return err
		}
		rows = append(rows, publishedRow{Role: role, Version: p.Version, Signed: len(p.Signed), Needed: p.Needed})
	}
	published, err := r.Publish(time.Now(), on, max(snapshotLife, life), life)
	if err != nil {
		return err
	}
	out := newRows(cmd)
	for _, row := range rows {
		if row.Published = slices.Contains(published, row.Role); !row.Published {
			out.Failed()
		}
		if err := out.JSON(row); err != nil {
			return err
		}
	}
	return out.End()
}

// roleOfFile is the role that a staged file's name tells.
func roleOfFile(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	return strings.TrimSuffix(name, ".json")
}
