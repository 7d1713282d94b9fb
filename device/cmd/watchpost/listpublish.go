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
)

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
