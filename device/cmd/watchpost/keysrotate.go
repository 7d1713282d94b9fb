package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/vault"
)

func keysRotateCommand(k *keysFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Give the post a fresh device key",
		Long: `Makes a fresh device key and wraps by it what the old one wrapped: the keys of lists, of
post.db and of the link. Every way into the vault stays as it is. The device's public key
(device, recipient) becomes another: tell the owners of lists before their next issue.
A power cut leaves a vault that opens; run the command again to end what was begun.

Keys of lists and of generations are rotated by their owners: a list key by "list build"
with a new key, which replaces the old one here with the next folder, a generation's with
each generation.`,
		Example: "  watchpost keys rotate --state /var/lib/watchpost --tpm /dev/tpmrm0 --pin-file pin",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, v, err := k.open(cmd)
			if err != nil {
				return err
			}
			defer v.Lock()
			if err := v.Rotate(filepath.Join(dir, vault.StartsFile), wrappedFiles(dir)...); err != nil {
				return err
			}
			return showOpen(cmd, v, keyState{})
		},
	}
}

// wrappedFiles are the files of a state folder that hold a key wrapped by the
// device key: device/post and device/uplink make them.
func wrappedFiles(dir string) []vault.WrappedFile {
	return []vault.WrappedFile{
		{Path: filepath.Join(dir, "post.key"), Scope: vault.ScopeStore, Name: "post.db"},
		{Path: filepath.Join(dir, "link.key"), Scope: vault.ScopeStore, Name: "link"},
	}
}
