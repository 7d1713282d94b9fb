package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/device/vault"
)

// linkKey is what "keys link" prints.
type linkKey struct {
	PublicKey string `json:"public_key"` // nkey of type user
}

func keysLinkCommand(state *string, unlock *unlockFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "link",
		Short: "Show the key by which central knows this post",
		Long: `Prints the public half of the key by which central knows this post, making the key at
the first call. The private half is derived from a key that only the vault opens; it
never leaves the box. Central's operator registers it under the post's name:
watchpost-central device add NAME KEY. The daemon must not run on the same state folder.`,
		Example: "  watchpost keys link --state /var/lib/watchpost --passphrase-file passphrase",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			public, err := linkPublicKey(cmd.Context(), cmd, *state, unlock)
			if err != nil {
				return err
			}
			out := newRows(cmd)
			if err := out.JSON(linkKey{public}); err != nil {
				return err
			}
			return out.End()
		},
	}
}

func linkPublicKey(ctx context.Context, cmd *cobra.Command, state string, unlock *unlockFlags) (string, error) {
	if state == "" {
		state = config.DefaultState()
	}
	u, forget, err := unlock.unlocker(cmd.InOrStdin())
	if err != nil {
		return "", err
	}
	defer forget()
	if err := vault.Harden(); err != nil {
		return "", err
	}
	v, err := vault.Open(ctx, filepath.Join(state, install.VaultFile), u)
	if err != nil {
		return "", err
	}
	defer v.Lock()
	key, err := uplink.OpenKey(state, v)
	if err != nil {
		return "", err
	}
	defer key.Wipe()
	public, err := key.PublicKey()
	return public, fault.Wrap("link.key", err)
}
