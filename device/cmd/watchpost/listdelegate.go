package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

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
