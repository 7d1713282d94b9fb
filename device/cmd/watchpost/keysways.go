package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/cmd/unlock"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/erase"
	"github.com/watchpost/watchpost/device/vault/tpm"
)

// newWay is a way in that is being made.
type newWay struct {
	officer        string
	pinFile        string
	passphraseFile string
}

func (n *newWay) register(c *cobra.Command, officer bool) {
	c.Flags().StringVar(&n.pinFile, "new-pin-file", "", "file with the new PIN, - for standard input")
	c.Flags().StringVar(&n.passphraseFile, "new-passphrase-file", "", "file with the new passphrase, - for standard input")
	if officer {
		c.Flags().StringVar(&n.officer, "new-officer", "", "whose it is: the officer's id, as in the accounts")
	}
}

// unlocker returns the new way and what wipes its secret. chip is the TPM of
// the box, "" for none; v gives what ways by one TPM share.
func (n *newWay) unlocker(cmd *cobra.Command, dir, chip string, v *vault.Vault) (vault.Unlocker, func(), error) {
	switch {
	case (n.pinFile == "") == (n.passphraseFile == ""):
		return nil, nil, fault.New("usage", "one of --new-pin-file and --new-passphrase-file is needed")
	case n.passphraseFile != "":
		passphrase, err := unlock.Passphrase(n.passphraseFile, cmd.InOrStdin())
		if err != nil {
			return nil, nil, err
		}
		return unlock.NamedPassphrase(n.officer, passphrase), func() { clear(passphrase) }, nil
	case chip == "":
		return nil, nil, fault.New("usage", "--new-pin-file goes with --tpm")
	}
	pin, err := unlock.PIN(n.pinFile, cmd.InOrStdin())
	if err != nil {
		return nil, nil, err
	}
	u := tpm.Unlocker{Device: chip, Officer: n.officer, PIN: pin, Boots: filepath.Join(dir, tpm.BootFile)}
	if u, err = u.Beside(erase.ChipOf(v)); err != nil {
		clear(pin)
		return nil, nil, err
	}
	return u, func() { clear(pin) }, nil
}

func keysPINCommand(k *keysFlags) *cobra.Command {
	var n newWay
	c := &cobra.Command{
		Use:   "pin",
		Short: "Change a PIN or a passphrase",
		Long: `Opens the vault with the PIN or passphrase of now and puts the new one in its place. With
a TPM the chip then forgets the old one: a copy of the disk made before does not open by
it any more. Nothing else changes; lists and encounters stay.`,
		Example: `  watchpost keys pin --state /var/lib/watchpost --tpm /dev/tpmrm0 --pin-file old --new-pin-file new
  watchpost keys pin --state D --tpm /dev/tpmrm0 --officer anna --pin-file old --new-pin-file new`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n.officer = k.by.Officer
			if k.by.Lease || (k.by.TPM == "") != (n.pinFile == "") {
				return fault.New("usage", "a PIN is changed into a PIN, a passphrase into a passphrase")
			}
			return k.withNew(cmd, &n, func(ctx context.Context, v *vault.Vault, way vault.Unlocker) error {
				before, err := v.ReplaceUnlock(ctx, way)
				if err != nil {
					return err
				}
				return erase.Way(ctx, k.by.TPM, way.Kind(), before)
			})
		},
	}
	n.register(c, false)
	return c
}

func keysAddCommand(k *keysFlags) *cobra.Command {
	var n newWay
	c := &cobra.Command{
		Use:   "add",
		Short: "Give an officer a PIN or passphrase of their own",
		Long: `Opens the vault and adds one more way into it: a PIN (with --tpm) or a passphrase of an
officer's own. At a desk the officer's sign-in then unlocks the post, where the PIN is the
password of the account as well. Each PIN takes a place in the TPM.`,
		Example: `  watchpost keys add --state D --tpm /dev/tpmrm0 --pin-file pin --new-officer anna --new-pin-file anna.pin`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return k.withNew(cmd, &n, func(ctx context.Context, v *vault.Vault, way vault.Unlocker) error { return v.AddUnlock(ctx, way) })
		},
	}
	n.register(c, true)
	return c
}

func keysRemoveCommand(k *keysFlags) *cobra.Command {
	var w vault.Way
	c := &cobra.Command{
		Use:   "remove",
		Short: "Take a way into the vault away",
		Long: `Opens the vault and takes a way into it away: --kind and --name as "keys" shows them under
unlock_by. With a TPM the chip forgets it too, so that no copy of the disk opens by it. The
last way cannot be taken away (vault.last_slot).`,
		Example: `  watchpost keys remove --state D --tpm /dev/tpmrm0 --pin-file pin --kind tpm --name anna`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, v, err := k.open(cmd)
			if err != nil {
				return err
			}
			defer v.Lock()
			params, err := v.RemoveUnlock(w)
			if err != nil {
				return err
			}
			return errors.Join(erase.Way(cmd.Context(), k.by.TPM, w.Kind, params), showOpen(cmd, v, keyState{}))
		},
	}
	c.Flags().StringVar(&w.Kind, "kind", "", "passphrase, tpm, lease or escrow")
	c.Flags().StringVar(&w.Name, "name", "", "whose")
	require(c, "kind")
	return c
}

// withNew opens the vault, makes the new way and lets f take it in.
func (k *keysFlags) withNew(cmd *cobra.Command, n *newWay, f func(context.Context, *vault.Vault, vault.Unlocker) error) error {
	dir, v, err := k.open(cmd)
	if err != nil {
		return err
	}
	defer v.Lock()
	way, forget, err := n.unlocker(cmd, dir, k.by.TPM, v)
	if err != nil {
		return err
	}
	defer forget()
	if err := f(cmd.Context(), v, way); err != nil {
		return err
	}
	return showOpen(cmd, v, keyState{})
}
