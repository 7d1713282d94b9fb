package main

import (
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/cmd/unlock"
	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/provision"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/vault"
)

// postFlags are what commands on a post's own files need.
type postFlags struct {
	config string
	by     unlock.Flags
}

func (p *postFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&p.config, "config", "", "configuration of the post")
	p.by.Register(c.Flags())
	require(c, "config")
}

// postFiles is a post's state, opened beside a daemon that does not run.
type postFiles struct {
	config *config.Config
	trust  provision.Trust
	vault  *vault.Vault
}

// open reads the configuration and unlocks the vault. The caller locks it.
func (p *postFlags) open(cmd *cobra.Command) (*postFiles, error) {
	conf, err := config.Read(p.config)
	if err != nil {
		return nil, err
	}
	trust, err := trustOf(conf)
	if err != nil {
		return nil, err
	}
	v, err := p.by.Open(cmd.Context(), conf.StateDir(), conf, cmd.InOrStdin())
	if err != nil {
		return nil, err
	}
	return &postFiles{conf, trust, v}, nil
}

func (p *postFiles) provisionDir() string {
	return filepath.Join(p.config.StateDir(), install.ProvisionFolder)
}

// lists opens the lists in force. The caller closes them.
func (p *postFiles) lists(cmd *cobra.Command) (*install.Open, error) {
	applied, err := provision.Current(p.provisionDir(), p.trust)
	if err != nil {
		return nil, err
	}
	return install.OpenLists(cmd.Context(), p.config.StateDir(), applied, p.vault)
}

func listApplyCommand() *cobra.Command {
	var flags postFlags
	var dir, feed string
	c := &cobra.Command{
		Use:   "apply (--dir DIR | --feed DIR) --config FILE (--passphrase-file FILE | --tpm DEVICE [--pin-file FILE] [--lease])",
		Short: "Take a provisioning folder, or a feed's folder, into a post",
		Long: `Verify the folder, copy it into the post's state and install its lists: keys for this
device into the vault, generations into the stores. Lists that the folder does not
name are withdrawn. A running post takes the folder itself ("watchpostd --provision").

One JSON object a list comes out, as of "list build".

With --feed the folder or stick of a feed ("list fetch") is taken: by the daemon where it
runs, in force at once and without secrets, else into the post's files. The root is the
configuration's. A row for each target that changed or was refused comes out: {target,
version, segment, withdrawn}, or {target, error: {code}} and exit status 3; nothing where
all was there already.`,
		Example: `  watchpost list apply --feed /media/stick --config post.yaml
  watchpost list apply --dir folder --config post.yaml --passphrase-file passphrase
  watchpost list apply --dir folder --config post.yaml --tpm /dev/tpmrm0 --pin-file pin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (dir == "") == (feed == "") {
				return fault.New("usage", "give --dir or --feed")
			}
			if feed != "" {
				return applyFeed(cmd, &flags, feed)
			}
			post, err := flags.open(cmd)
			if err != nil {
				return err
			}
			defer post.vault.Lock()
			applied, err := provision.Apply(post.provisionDir(), dir, post.trust)
			if err != nil {
				return err
			}
			all, err := install.Lists(cmd.Context(), post.config.StateDir(), applied, post.vault)
			out := newRows(cmd)
			for _, m := range all {
				err = errors.Join(err, out.JSON(listRowOf(m)))
			}
			if err != nil {
				return err
			}
			return out.End()
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "provisioning folder")
	c.Flags().StringVar(&feed, "feed", "", "folder of a feed, a stick's for one")
	flags.add(c)
	return c
}

func listStatCommand() *cobra.Command {
	var flags postFlags
	var deep bool
	c := &cobra.Command{
		Use:   "stat --config FILE (--passphrase-file FILE | --tpm DEVICE [--pin-file FILE]) [--deep]",
		Short: "Show the lists of a post that does not run",
		Long: `One JSON object a list comes out, as of "list build". --deep reads every record and
every table, and says store.damaged where anything is not as it was made. While the
daemon runs the lists are locked (store.locked).`,
		Example: `  watchpost list stat --config post.yaml --passphrase-file passphrase --deep`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			post, err := flags.open(cmd)
			if err != nil {
				return err
			}
			defer post.vault.Lock()
			open, err := post.lists(cmd)
			if err != nil {
				return err
			}
			defer open.Close()
			out := newRows(cmd)
			for _, l := range open.Lists {
				if deep {
					if err := l.Verify(cmd.Context()); err != nil {
						return fault.New("store.damaged", "list %s: %w", l.Manifest().List, err)
					}
				}
				if err := out.JSON(listRowOf(l.Manifest())); err != nil {
					return err
				}
			}
			return out.End()
		},
	}
	c.Flags().BoolVar(&deep, "deep", false, "read everything")
	flags.add(c)
	return c
}
