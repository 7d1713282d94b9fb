package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/cmd/unlock"
	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/post/keysapi"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/device/vault"
)

// keyState is what "keys" prints.
type keyState struct {
	vault.State
	Device string         `json:"device,omitempty"` // short name of the public key, while open
	Link   string         `json:"link,omitempty"`   // public nkey by which central knows the post
	Daemon *keysapi.State `json:"daemon,omitempty"` // what a running daemon says
}

// keysFlags are those of all commands on keys.
type keysFlags struct {
	state  string
	config string
	by     unlock.Flags
}

// dir is the state folder: of --state, else of the configuration.
func (k *keysFlags) dir() (string, *config.Config, error) {
	if k.config == "" {
		if k.state == "" {
			return config.DefaultState(), nil, nil
		}
		return k.state, nil, nil
	}
	conf, err := config.Read(k.config)
	if err != nil {
		return "", nil, err
	}
	if k.state != "" && k.state != conf.StateDir() {
		return "", nil, fault.New("usage", "--state and the configuration name different folders")
	}
	return conf.StateDir(), conf, nil
}

// open opens the vault beside a daemon that does not run, or whose keys are
// locked. The caller locks it.
func (k *keysFlags) open(cmd *cobra.Command) (dir string, v *vault.Vault, err error) {
	dir, conf, err := k.dir()
	if err != nil {
		return "", nil, err
	}
	if err := noOpenDaemon(cmd.Context(), dir); err != nil {
		return "", nil, err
	}
	v, err = k.by.Open(cmd.Context(), dir, conf, cmd.InOrStdin())
	return dir, v, err
}

func keysCommand() *cobra.Command {
	k := new(keysFlags)
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Show the state of a post's keys, change them, lock and unlock",
		Long: `Prints the state of the vault as one JSON object: how it opens, and what a running
daemon says of it. With a way in (--passphrase-file, or --tpm and --pin-file) also of
which lists it holds keys, and the device's public key, to which owners of lists wrap
their keys. No secret is ever printed.

Commands that change keys need a daemon that does not run or whose keys are locked.
device/vault/UNLOCK.md tells which command belongs to which hour of a box's life.`,
		Example: `  watchpost keys --state /var/lib/watchpost
  watchpost keys --state /var/lib/watchpost --tpm /dev/tpmrm0 --pin-file pin
  watchpost keys lock --state /var/lib/watchpost`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return k.show(cmd) },
	}
	f := cmd.PersistentFlags()
	f.StringVar(&k.state, "state", "", "state folder of the post (default: where the daemon keeps it)")
	f.StringVar(&k.config, "config", "", "configuration of the post, instead of --state; needed for leases")
	k.by.Register(f)
	cmd.AddCommand(keysInitCommand(k), keysLinkCommand(k), keysRequestCommand(k), keysLockCommand(k), keysUnlockCommand(k), keysPINCommand(k),
		keysAddCommand(k), keysRemoveCommand(k), keysEscrowCommand(k), keysRecoverCommand(k), keysRotateCommand(k), keysBootCommand(k), keysWipeCommand(k))
	return cmd
}

func (k *keysFlags) show(cmd *cobra.Command) error {
	dir, conf, err := k.dir()
	if err != nil {
		return err
	}
	var state keyState
	if state.Daemon, err = daemonState(cmd.Context(), dir); err != nil {
		return err
	}
	if !k.by.Given() || state.Daemon != nil && !state.Daemon.Locked {
		ways, err := vault.Ways(filepath.Join(dir, install.VaultFile))
		if err != nil {
			return err
		}
		state.State = vault.State{Format: vault.Format, Locked: true, UnlockBy: ways}
		if state.Daemon != nil {
			state.Locked = state.Daemon.Locked
		}
		return printOne(cmd, state)
	}
	v, err := k.by.Open(cmd.Context(), dir, conf, cmd.InOrStdin())
	if err != nil {
		return err
	}
	defer v.Lock()
	return showOpen(cmd, v, state)
}

// showOpen prints what an open vault says.
func showOpen(cmd *cobra.Command, v *vault.Vault, state keyState) error {
	r, err := v.Recipient()
	if err != nil {
		return err
	}
	state.State, state.Device = v.State(), r.ID()
	return printOne(cmd, state)
}

// printOne prints one JSON object and nothing else.
func printOne(cmd *cobra.Command, v any) error {
	out := newRows(cmd)
	if err := out.JSON(v); err != nil {
		return err
	}
	return out.End()
}

// linkKey is what "keys link" prints.
type linkKey struct {
	PublicKey string `json:"public_key"` // nkey of type user
}

func keysLinkCommand(k *keysFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "link",
		Short: "Show the key by which central knows this post",
		Long: `Prints the public half of the key by which central knows this post, making the key at
the first call. The private half is derived from a key that only the vault opens; it
never leaves the box. Central's operator registers it under the post's name:
watchpost-central device add NAME KEY.`,
		Example: "  watchpost keys link --state /var/lib/watchpost --passphrase-file passphrase",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, v, err := k.open(cmd)
			if err != nil {
				return err
			}
			defer v.Lock()
			public, err := linkPublic(dir, v)
			if err != nil {
				return err
			}
			return printOne(cmd, linkKey{public})
		},
	}
}

func linkPublic(dir string, v *vault.Vault) (string, error) {
	key, err := uplink.OpenKey(dir, v)
	if err != nil {
		return "", err
	}
	defer key.Wipe()
	public, err := key.PublicKey()
	return public, fault.Wrap("link.key", err)
}
