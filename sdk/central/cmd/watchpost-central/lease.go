package main

import (
	"crypto/ed25519"
	"path/filepath"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/lease"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

func leaseCommand(o *shared) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lease",
		Short: "Register posts that open by a lease",
		Long: `A gate has nobody who types a PIN: its vault opens at boot with a half that central
(or a watchpost-central at the site) gives out for a time, renews, and refuses once the
post is reported missing ("device missing"). What the workshop was told by
"watchpost keys init --unlock lease" is registered here, after "device add".`,
		Example: `  watchpost-central lease add eyJwb3N0IjoiZ2F0ZS03Ii... --life 12h
  watchpost-central lease list`,
	}
	var life time.Duration
	add := &cobra.Command{
		Use: "add REGISTRATION", Short: "Register a post for leases", Args: cobra.ExactArgs(1),
		Long: `Registers the post that the registration names; one before is replaced. --life is how
long a lease lasts without renewal: how long the post works while the link is down, and
at most how long a box that was carried away running stays open.`,
		Example: "  watchpost-central lease add eyJwb3N0IjoiZ2F0ZS03Ii... --life 12h",
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := o.checkRegistration(cmd, args[0], life)
			if err != nil {
				return err
			}
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				if err := s.AddLease(cmd.Context(), l); err != nil {
					return err
				}
				l, err := s.LeaseOf(cmd.Context(), l.Device)
				if err != nil {
					return err
				}
				return row(cmd, l)
			})
		},
	}
	add.Flags().DurationVar(&life, "life", 12*time.Hour, "how long a lease lasts, 1s to 168h")
	cmd.AddCommand(add, &cobra.Command{
		Use: "list", Short: "Print the posts that open by a lease", Args: cobra.NoArgs,
		Long:    "Prints one JSON object a post.",
		Example: "  watchpost-central lease list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				all, err := s.Leases(cmd.Context())
				if err != nil {
					return err
				}
				for _, l := range all {
					if err := row(cmd, l); err != nil {
						return err
					}
				}
				return nil
			})
		},
	})
	return cmd
}

// checkRegistration reads a registration and finds out whether this central can
// open its half, so that a mistake shows in the workshop and not at the gate.
func (o *shared) checkRegistration(cmd *cobra.Command, word string, life time.Duration) (l store.Lease, err error) {
	reg, err := lease.DecodeRegistration(word)
	if err != nil {
		return l, err
	}
	if !linkv1.ValidPost(reg.Post) {
		return l, fault.New("lease.form", "the post's name cannot be one on the link")
	}
	if life < time.Second || life > lease.MaxLife {
		return l, fault.New("usage", "--life is 1s to %v", lease.MaxLife)
	}
	passphrase, err := o.passphrase(cmd.InOrStdin())
	if err != nil {
		return l, err
	}
	defer clear(passphrase)
	if err := vault.Harden(); err != nil {
		return l, err
	}
	v, err := vault.Open(cmd.Context(), filepath.Join(o.state, central.VaultFile), passphrase)
	if err != nil {
		return l, err
	}
	defer v.Lock()
	id, err := central.Identity(o.state, v)
	if err != nil {
		return l, err
	}
	if err := (&lease.Releaser{OpenWith: id.OpenWith}).Check(reg); err != nil {
		return l, err
	}
	key, err := nkeys.Encode(nkeys.PrefixByteUser, ed25519.PublicKey(reg.BootKey))
	if err != nil {
		return l, fault.Wrap("lease.form", err)
	}
	return store.Lease{Device: reg.Post, BootKey: string(key), Registration: word, Seconds: int32(life / time.Second)}, nil
}
