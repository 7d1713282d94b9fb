package main

import (
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

func orderCommand(o *shared) *cobra.Command {
	var by, reason, list, record string
	var edition uint64
	var posts []string
	var life time.Duration
	cmd := &cobra.Command{
		Use:   "order",
		Short: "Recall a record, replace a list's key, lock, unlock or wipe posts",
		Long: `Files an order to posts as a proposal. Two operators sign it ("watchpost-central
proposal"); it then goes out at once, and to posts that are away when they come back. A
lock by central's own key needs no second person: an officer at the post undoes it, or
two operators from here.`,
		Example: `  watchpost-central order recall --list national --record N-17 --by anna --reason "court order"
  watchpost-central order wipe --post gate-7 --by anna --reason "stolen"
  watchpost-central order lock --post desk-1 --by anna --reason "left open" --passphrase-file pass`,
	}
	propose := func(cmd *cobra.Command, order *linkv1.Order, subject string, posts []string) error {
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
			return propose(cmd, &linkv1.Order{What: &linkv1.Order_Recall{Recall: &linkv1.RecallRecord{List: list, Record: record, Edition: edition}}}, list+"/"+record, posts)
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
			return propose(cmd, &linkv1.Order{What: &linkv1.Order_Wipe{Wipe: &linkv1.WipePost{}}}, posts[0], posts)
		},
	}
	lock := &cobra.Command{
		Use: "lock --post NAME", Short: "Lock a post, by central's key", Args: cobra.NoArgs,
		Long:    "Locks a post at once. It gets no lease any more, and stays locked over a restart, until an\nofficer unlocks it there with a PIN or passphrase, or two operators do (order unlock).",
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
	unlock := &cobra.Command{
		Use: "unlock --post NAME", Short: "Lift the lock of posts, by two", Args: cobra.NoArgs,
		Long:    "Lifts a lock: with the second signature a post that opens by a lease gets one again, and\nopens when it has checked the signatures itself. One that opens by a PIN still wants it.",
		Example: `  watchpost-central order unlock --post gate-7 --by anna --reason "all clear"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(posts) == 0 {
				return fault.New("usage", "name the posts: --post")
			}
			return propose(cmd, &linkv1.Order{What: &linkv1.Order_Unlock{Unlock: &linkv1.UnlockPost{}}}, posts[0], posts)
		},
	}
	cmd.AddCommand(recall, wipe, lock, unlock, rekeyCommand(o, propose, &posts), orderStatusCommand(o))
	f := cmd.PersistentFlags()
	f.StringVar(&by, "by", "", "your name as operator")
	f.StringVar(&reason, "reason", "", "why: it stands in the posts' audit logs; no names")
	f.StringArrayVar(&posts, "post", nil, "post that it is for, repeatable; a recall without is for all")
	f.DurationVar(&life, "life", 30*24*time.Hour, "a post that comes back later than this refuses it")
	return cmd
}
