package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/registry"
)

// publicKeys is what "init" and "keys" print; nothing of it is secret.
type publicKeys struct {
	SignKey   string `json:"sign_key"`  // central.sign_key in a post's configuration
	SealKey   string `json:"seal_key"`  // central.seal_key there
	Recipient string `json:"recipient"` // name of the key file in keys/LIST/
	Public    string `json:"public"`    // what owners of lists wrap keys to, base64
}

func initCommand(o *shared) *cobra.Command {
	return &cobra.Command{
		Use:     "init",
		Short:   "Make the vault and keys of a new central",
		Long:    "Makes a vault with fresh keys and prints the public ones. A vault that is there is never\noverwritten.",
		Example: "  watchpost-central init --state /var/lib/watchpost-central --passphrase-file pass",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return showKeys(cmd, o, vault.Create) },
	}
}

func keysCommand(o *shared) *cobra.Command {
	return &cobra.Command{
		Use:   "keys",
		Short: "Print central's public keys",
		Long: `Prints one JSON object: sign_key and seal_key go into the section "central" of a
post's configuration; recipient and public are for owners of lists. No secret is
ever printed.`,
		Example: "  watchpost-central keys --state /var/lib/watchpost-central --passphrase-file pass",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return showKeys(cmd, o, vault.Open) },
	}
}

// withVault runs f with the vault of the state folder; make makes one where there
// is none.
func (o *shared) withVault(cmd *cobra.Command, make bool, f func(*vault.Vault) error) error {
	passphrase, err := o.passphrase(cmd.InOrStdin())
	if err != nil {
		return err
	}
	defer clear(passphrase)
	if err := vault.Harden(); err != nil {
		return err
	}
	path, open := filepath.Join(o.state, central.VaultFile), vault.Open
	if _, err := os.Stat(path); make && errors.Is(err, fs.ErrNotExist) {
		open = vault.Create
		if err := os.MkdirAll(o.state, 0o711); err != nil {
			return fault.Wrap("central.state", err)
		}
	}
	v, err := open(cmd.Context(), path, passphrase)
	if err != nil {
		return err
	}
	defer v.Lock()
	return f(v)
}

func showKeys(cmd *cobra.Command, o *shared, open func(context.Context, string, vault.Unlocker) (*vault.Vault, error)) error {
	passphrase, err := o.passphrase(cmd.InOrStdin())
	if err != nil {
		return err
	}
	defer clear(passphrase)
	if err := vault.Harden(); err != nil {
		return err
	}
	if err := os.MkdirAll(o.state, 0o711); err != nil {
		return fault.Wrap("central.state", err)
	}
	v, err := open(cmd.Context(), filepath.Join(o.state, central.VaultFile), passphrase)
	if err != nil {
		return err
	}
	defer v.Lock()
	id, err := central.Identity(o.state, v)
	if err != nil {
		return err
	}
	r, err := v.Recipient()
	if err != nil {
		return err
	}
	text := base64.StdEncoding.EncodeToString
	return row(cmd, publicKeys{
		SignKey: text(id.SignWith.Public().(ed25519.PublicKey)), SealKey: text(id.OpenWith.PublicKey().Bytes()),
		Recipient: r.ID(), Public: text(r),
	})
}

func calloutCommand(o *shared) *cobra.Command {
	return &cobra.Command{
		Use: "callout NKEY", Short: "Print what has a NATS cluster ask central who may connect", Args: cobra.ExactArgs(1),
		Long: `Prints the part of a NATS configuration (for every server of the cluster) with which the
cluster asks central who may connect and what for (auth callout). NKEY is the public nkey
(U...) whose seed "serve --broker-key" is given.`,
		Example: `  nk -gen user > hub.nk && nk -inkey hub.nk -pubout
  watchpost-central callout UC4A... --state D --passphrase-file pass >> nats.conf
  watchpost-central serve --state D --passphrase-file pass --broker nats://n1:4222,nats://n2:4222,nats://n3:4222 --broker-key hub.nk --broker-callout`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := registry.ParseKey(args[0]); err != nil {
				return err
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
			account, err := central.Account(o.state, v)
			if err != nil {
				return err
			}
			defer account.Wipe()
			issuer, err := account.PublicKey()
			if err != nil {
				return fault.Wrap("central.key", err)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), registry.CalloutConfig(issuer, args[0]))
			return fault.Wrap("output.write", err)
		},
	}
}
