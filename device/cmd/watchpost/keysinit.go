package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/lease"
	"github.com/watchpost/watchpost/device/vault/tpm"
)

// defaultTPM is the kernel's TPM, shared with others by its resource manager.
const defaultTPM = "/dev/tpmrm0"

// enrolled is what "keys init" prints.
type enrolled struct {
	keyState
	// Registration is what whoever releases a gate's keys is given:
	// watchpost-central lease add REGISTRATION.
	Registration string `json:"registration,omitempty"`
}

func keysInitCommand(k *keysFlags) *cobra.Command {
	var by, bootKey string
	c := &cobra.Command{
		Use:   "init",
		Short: "Make the vault of a new post",
		Long: `Makes a vault with a fresh device key. A vault that is there is never overwritten.

--unlock passphrase    opens by --passphrase-file: benches, and boxes without a TPM
--unlock tpm           opens only on this box, as it is booted now (PCR 7 and 11), and
                       with the PIN of --pin-file (at least 6 bytes): ten wrong ones
                       shut it, then one more is taken every ten minutes. Without a PIN
                       whoever has the box has the keys
--unlock lease         opens by the box's half (--tpm, no PIN) and by one that central, or
                       keys.releaser of the configuration, gives out at boot and refuses
                       for a box that is reported missing. Needs --config. Prints a
                       registration for: watchpost-central lease add REGISTRATION

With --boot-key PUB.pem (ECDSA P-256) a vault by TPM opens under every boot that the
maker of the image has signed (keys boot sign), so that an update does not shut it.
The TPM's own authorisations must be free, or its lockout limit set to at most 32.

Prints the state of the new vault and the key by which central knows the post.`,
		Example: `  watchpost keys init --state /var/lib/watchpost --passphrase-file passphrase
  watchpost keys init --state /var/lib/watchpost --unlock tpm --tpm /dev/tpmrm0 --pin-file pin --boot-key maker.pub.pem
  watchpost keys init --config gate.yaml --unlock lease --tpm /dev/tpmrm0`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := k.chosen(by); err != nil {
				return err
			}
			if k.by.TPM != "" && k.by.PINFile == "" && !k.by.Lease {
				cmd.PrintErrln("no --pin-file: whoever has the box will have the keys")
			}
			return k.init(cmd, bootKey)
		},
	}
	c.Flags().StringVar(&by, "unlock", "", "how the vault opens: passphrase, tpm or lease (default: as the other flags say)")
	c.Flags().StringVar(&bootKey, "boot-key", "", "with --tpm: public key of whoever signs the boots of the image (PEM)")
	return c
}

// chosen makes the flags agree with --unlock.
func (k *keysFlags) chosen(by string) error {
	switch by {
	case "":
	case vault.PassphraseKind:
		if k.by.TPM != "" || k.by.Lease {
			return fault.New("usage", "--unlock passphrase excludes --tpm and --lease")
		}
	case tpm.Kind:
		if k.by.Lease {
			return fault.New("usage", "--unlock tpm excludes --lease")
		}
		if k.by.TPM == "" {
			k.by.TPM = defaultTPM
		}
	case lease.Kind:
		k.by.Lease = true
		if k.by.TPM == "" && k.by.PassphraseFile == "" {
			k.by.TPM = defaultTPM
		}
	default:
		return fault.New("usage", "--unlock is passphrase, tpm or lease")
	}
	return nil
}

func (k *keysFlags) init(cmd *cobra.Command, bootKey string) error {
	dir, conf, err := k.dir()
	if err != nil {
		return err
	}
	if err := noOpenDaemon(cmd.Context(), dir); err != nil {
		return err
	}
	way, forget, err := k.by.Unlocker(dir, conf, cmd.InOrStdin())
	if err != nil {
		return err
	}
	defer forget()
	if bootKey != "" {
		if way, err = signedBoots(way, bootKey); err != nil {
			return err
		}
	}
	if err := vault.Harden(); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap("post.state", err)
	}
	v, err := createVault(cmd.Context(), filepath.Join(dir, install.VaultFile), way)
	if err != nil {
		return err
	}
	defer v.Lock()
	return printEnrolled(cmd, dir, v, way)
}

func printEnrolled(cmd *cobra.Command, dir string, v *vault.Vault, way vault.Unlocker) error {
	r, err := v.Recipient()
	if err != nil {
		return err
	}
	out := enrolled{keyState: keyState{State: v.State(), Device: r.ID()}}
	if out.Link, err = linkPublic(dir, v); err != nil {
		return err
	}
	if l, ok := way.(*lease.Unlocker); ok {
		if out.Registration, err = l.Registration().Encode(); err != nil {
			return err
		}
	}
	return printOne(cmd, out)
}

// createVault asks for the place first, so that a vault that is there already
// does not cost a TPM one of its places. What a vault before left beside it,
// count of starts and key of the link, says nothing of the new one.
func createVault(ctx context.Context, path string, u vault.Unlocker) (*vault.Vault, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fault.New("vault.exists", "a vault file is there already")
	}
	v, err := vault.Create(ctx, path, u)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(filepath.Dir(path), vault.StartsFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		v.Lock()
		return nil, fault.Wrap("post.state", err)
	}
	return v, nil
}

// signedBoots makes a way in by TPM one under boots that a maker signs.
func signedBoots(way vault.Unlocker, path string) (vault.Unlocker, error) {
	chip, ok := way.(tpm.Unlocker)
	if !ok {
		return nil, fault.New("usage", "--boot-key goes with --tpm, without a lease")
	}
	der, err := pemBlock(path, "PUBLIC KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if pub, ok := key.(*ecdsa.PublicKey); err == nil && ok {
		chip.BootKey = pub
		return chip, nil
	}
	return nil, fault.New("tpm.boot_key", "%s is not a public key for ECDSA", path)
}

// maxPEM bounds a key file in bytes.
const maxPEM = 16 << 10

func pemBlock(path, kind string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.New("tpm.boot_key", "%w", err)
	}
	if info.Size() > maxPEM {
		return nil, fault.New("tpm.boot_key", "%s is no key: %d bytes", path, info.Size())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New("tpm.boot_key", "%w", err)
	}
	for {
		var block *pem.Block
		if block, raw = pem.Decode(raw); block == nil {
			return nil, fault.New("tpm.boot_key", "no %s in %s", kind, path).
				WithHint("a pair is made with: openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt")
		}
		if block.Type == kind {
			return block.Bytes, nil
		}
	}
}
