package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

func operatorCommand(o *shared) *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   "operator",
		Short: "Who may approve",
		Long: `Operators approve enrolments, orders and lists, two of them each time, with keys that are
on their own machines only: the same names and keys that the posts' configuration has as
owners. A retired name or key is never used again.`,
		Example: `  openssl pkey -in anna.pem -pubout -outform DER | tail -c 32 | base64
  watchpost-central operator add anna GAjF...= --by admin`,
	}
	add := &cobra.Command{
		Use: "add NAME KEY", Short: "Add an operator", Args: cobra.ExactArgs(2),
		Long: "Adds who may approve: a name and the 32 bytes of an Ed25519 public key in base64.", Example: "  watchpost-central operator add anna GAjF...= --by admin",
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := base64.StdEncoding.DecodeString(args[1])
			if err != nil {
				return fault.New("central.operator", "the key is 32 bytes in base64")
			}
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				return s.AddOperator(cmd.Context(), args[0], ed25519.PublicKey(key), nil, by)
			})
		},
	}
	retire := &cobra.Command{
		Use: "retire NAME", Short: "Take an operator's rights", Args: cobra.ExactArgs(1),
		Long: "Takes the rights of an operator for good.", Example: "  watchpost-central operator retire anna --by admin",
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withStore(cmd.Context(), func(s *store.Store) error { return s.RetireOperator(cmd.Context(), args[0], by) })
		},
	}
	for _, c := range []*cobra.Command{add, retire} {
		c.Flags().StringVar(&by, "by", "admin", "who does this, for the history")
	}
	cmd.AddCommand(add, retire, printAll(o, "list", "Print all operators", (*store.Store).Operators))
	return cmd
}

func enrolCommand(o *shared) *cobra.Command {
	var by, reason string
	c := &cobra.Command{
		Use: "enrol REQUEST --by NAME --reason TEXT", Short: "File a post's request; two have to approve it", Args: cobra.ExactArgs(1),
		Long: `Files the request that the box shows ("watchpost keys request") as a proposal and prints
it with its code: read the code from the box and compare. With the second approval the
post is registered and gets its certificate with its first contact.`,
		Example: `  watchpost-central enrol CkUKBmRlc2st... --by anna --reason "new desk, hall B"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				p, err := s.ProposeEnrolment(cmd.Context(), args[0], reason, by)
				return printProposal(cmd, p, err)
			})
		},
	}
	c.Flags().StringVar(&by, "by", "", "your name as operator")
	c.Flags().StringVar(&reason, "reason", "", "why, for the history")
	return c
}

func orderCommand(o *shared) *cobra.Command {
	var by, reason, list, record string
	var edition uint64
	var posts []string
	var life time.Duration
	cmd := &cobra.Command{
		Use:   "order",
		Short: "Recall a record, lock or wipe posts",
		Long: `Files an order to posts as a proposal. Two operators sign it ("watchpost-central
proposal"); it then goes out at once, and to posts that are away when they come back. A
lock by central's own key needs no second person: who has the PIN undoes it.`,
		Example: `  watchpost-central order recall --list national --record N-17 --by anna --reason "court order"
  watchpost-central order wipe --post gate-7 --by anna --reason "stolen"
  watchpost-central order lock --post desk-1 --by anna --reason "left open" --passphrase-file pass`,
	}
	propose := func(cmd *cobra.Command, order *linkv1.Order, subject string) error {
		order.Reason, order.ExpiresMs = reason, time.Now().Add(life).UnixMilli()
		return o.withStore(cmd.Context(), func(s *store.Store) error {
			p, err := s.ProposeOrder(cmd.Context(), order, posts, subject, by)
			return printProposal(cmd, p, err)
		})
	}
	recall := &cobra.Command{
		Use: "recall --list LIST --record ID [--edition N] [--post NAME]...", Short: "Take a record out of the answers, at all posts or some", Args: cobra.NoArgs,
		Long:    "Until an edition of the record above --edition comes with its list, no post that has the\norder finds it. Without --edition it is never found again.",
		Example: `  watchpost-central order recall --list national --record N-17 --by anna --reason "court order"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return propose(cmd, &linkv1.Order{What: &linkv1.Order_Recall{Recall: &linkv1.RecallRecord{List: list, Record: record, Edition: edition}}}, list+"/"+record)
		},
	}
	recall.Flags().StringVar(&list, "list", "", "list of the record")
	recall.Flags().StringVar(&record, "record", "", "id of the record")
	recall.Flags().Uint64Var(&edition, "edition", 0, "highest edition that is recalled, 0 for all")
	wipe := &cobra.Command{
		Use: "wipe --post NAME", Short: "Destroy the keys of a post", Args: cobra.NoArgs,
		Long:    "The post destroys its keys when it takes the order; everything it sealed stays shut.",
		Example: `  watchpost-central order wipe --post gate-7 --by anna --reason "stolen"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(posts) == 0 {
				return fault.New("usage", "name the posts: --post")
			}
			return propose(cmd, &linkv1.Order{What: &linkv1.Order_Wipe{Wipe: &linkv1.WipePost{}}}, posts[0])
		},
	}
	lock := &cobra.Command{
		Use: "lock --post NAME", Short: "Lock a post, by central's key", Args: cobra.NoArgs,
		Long:    "Locks a post at once. A post that opens by a lease opens again: report it missing as well\n(watchpost-central device missing).",
		Example: `  watchpost-central order lock --post desk-1 --by anna --reason "left open" --passphrase-file pass`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(posts) != 1 {
				return fault.New("usage", "name one post: --post")
			}
			passphrase, err := o.passphrase(cmd.InOrStdin())
			if err != nil {
				return err
			}
			defer clear(passphrase)
			v, err := vault.Open(cmd.Context(), filepath.Join(o.state, central.VaultFile), passphrase)
			if err != nil {
				return err
			}
			defer v.Lock()
			id, err := central.Identity(o.state, v)
			if err != nil {
				return err
			}
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				return s.SendLock(cmd.Context(), posts[0], reason, by, life, func(content []byte) []byte { return linkv1.SignOrder(content, id.SignWith) })
			})
		},
	}
	cmd.AddCommand(recall, wipe, lock)
	f := cmd.PersistentFlags()
	f.StringVar(&by, "by", "", "your name as operator")
	f.StringVar(&reason, "reason", "", "why: it stands in the posts' audit logs; no names")
	f.StringArrayVar(&posts, "post", nil, "post that it is for, repeatable; a recall without is for all")
	f.DurationVar(&life, "life", 30*24*time.Hour, "a post that comes back later than this refuses it")
	return cmd
}

func fleetCommand(o *shared) *cobra.Command {
	cmd := printAll(o, "fleet", "Print all posts with what they hold", (*store.Store).Fleet)
	cmd.Long = "Prints one JSON object a post in use: lists and their ages, version, last contact, last\nhead of the audit log, outcomes that wait, orders not receipted, certificate, marks."
	incidents := printAll(o, "incidents", "Print what operators have to look into", func(s *store.Store, cmd context.Context) ([]store.Incident, error) { return s.Incidents(cmd, 1000) })
	history := printAll(o, "history", "Print who did what, newest first", func(s *store.Store, cmd context.Context) ([]store.Event, error) { return s.History(cmd, 1000) })
	cmd.AddCommand(incidents, history)
	return cmd
}

// printAll is a command that prints what the store returns, one row each.
func printAll[T any](o *shared, use, short string, all func(*store.Store, context.Context) ([]T, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs, Long: short + ", one JSON object each.", Example: "  watchpost-central " + use + " --state D",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				rows, err := all(s, cmd.Context())
				if err != nil {
					return err
				}
				for _, r := range rows {
					if err := row(cmd, r); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}
