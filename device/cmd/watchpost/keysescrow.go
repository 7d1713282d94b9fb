package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/cmd/unlock"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/escrow"
)

func keysEscrowCommand(k *keysFlags) *cobra.Command {
	var persons []string
	var file string
	c := &cobra.Command{
		Use:   "escrow --person PUB.pem --person PUB.pem [--person PUB.pem]... --out FILE",
		Short: "Let two of several persons open the vault together",
		Long: `Adds a way into the vault that any two of the persons open together ("keys recover"), and
writes the escrow file, to be kept away from the box. An escrow before it is replaced and
opens no more. Persons' keys are X25519, made and kept by each person:

  openssl genpkey -algorithm X25519 -out me.pem
  openssl pkey -in me.pem -pubout -out me.pub.pem

Nobody alone can open anything, and nobody without the box's vault file. 2 to 8 persons.`,
		Example: "  watchpost keys escrow --state D --tpm /dev/tpmrm0 --pin-file pin --person a.pub.pem --person b.pub.pem --person c.pub.pem --out desk-1.escrow",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			way, err := escrow.New(persons)
			if err != nil {
				return err
			}
			_, v, err := k.open(cmd)
			if err != nil {
				return err
			}
			defer v.Lock()
			// The file first: a way in that nobody has is of no use.
			if err := way.Write(file); err != nil {
				return err
			}
			if _, err := v.ReplaceUnlock(cmd.Context(), way); err != nil {
				return err
			}
			return showOpen(cmd, v, keyState{})
		},
	}
	c.Flags().StringArrayVar(&persons, "person", nil, "public key of a person (PEM)")
	c.Flags().StringVar(&file, "out", "", "where to write the escrow file")
	require(c, "person", "out")
	return c
}

func keysRecoverCommand(k *keysFlags) *cobra.Command {
	var keys []string
	var file string
	c := &cobra.Command{
		Use:   "recover --escrow FILE --escrow-key KEY.pem --escrow-key KEY.pem",
		Short: "Open the vault by two persons and give it a new way in",
		Long: `Opens the vault by the escrow file and the private keys of two persons, and puts one new
way in, of --tpm and --pin-file or of --passphrase-file, in the place of all others but the
escrow: for a box whose TPM is broken or was exchanged, whose PIN is forgotten, or whose
officer is gone. Officers' own PINs are added again with "keys add".

Do it on the box that will hold the vault file, in the workshop: two persons' keys are in
its memory for a moment.`,
		Example: `  watchpost keys recover --state D --escrow desk-1.escrow --escrow-key a.pem --escrow-key b.pem --tpm /dev/tpmrm0 --pin-file new
  watchpost keys recover --state D --escrow desk-1.escrow --escrow-key a.pem --escrow-key b.pem --passphrase-file new`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if k.by.Lease {
				return fault.New("usage", "a lease is enrolled afterwards")
			}
			return k.recover(cmd, file, keys)
		},
	}
	c.Flags().StringVar(&file, "escrow", "", "the escrow file")
	c.Flags().StringArrayVar(&keys, "escrow-key", nil, "private key of a person (PEM), twice")
	require(c, "escrow", "escrow-key")
	return c
}

func (k *keysFlags) recover(cmd *cobra.Command, file string, keys []string) error {
	dir, conf, err := k.dir()
	if err != nil {
		return err
	}
	if err := noOpenDaemon(cmd.Context(), dir); err != nil {
		return err
	}
	if err := vault.Harden(); err != nil {
		return err
	}
	persons, err := escrow.Open(file, keys)
	if err != nil {
		return err
	}
	way, forget, err := k.by.Unlocker(dir, conf, cmd.InOrStdin())
	if err != nil {
		return err
	}
	defer forget()
	v, err := vault.Open(cmd.Context(), filepath.Join(dir, install.VaultFile), persons)
	if err != nil {
		return err
	}
	defer v.Lock()
	if err := onlyWay(cmd, v, way, k.by); err != nil {
		return err
	}
	if err := v.ForgetChip(filepath.Join(dir, vault.StartsFile)); err != nil {
		return err
	}
	return showOpen(cmd, v, keyState{})
}

// onlyWay gives the vault one way in beside the escrow.
func onlyWay(cmd *cobra.Command, v *vault.Vault, way vault.Unlocker, by unlock.Flags) error {
	if _, err := v.ReplaceUnlock(cmd.Context(), way); err != nil {
		return err
	}
	own := vault.Way{Kind: way.Kind(), Name: by.Officer}
	for _, w := range v.State().UnlockBy {
		if w == own || w.Kind == escrow.Kind {
			continue
		}
		if _, err := v.RemoveUnlock(w); err != nil {
			return err
		}
	}
	return nil
}
