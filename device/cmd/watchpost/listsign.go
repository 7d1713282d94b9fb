package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/provision"
	"github.com/watchpost/watchpost/device/provision/install"
)

// folderRow is what is said of a provisioning folder.
type folderRow struct {
	Dir     string    `json:"dir"`
	Site    string    `json:"site"`
	Version uint64    `json:"version"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Files   int       `json:"files"`
}

func folderRowOf(dir string, m *provision.Manifest) folderRow {
	return folderRow{dir, m.Site, m.Version, m.Created, m.Expires, len(m.Files)}
}

func listSignCommand() *cobra.Command {
	var dir, owner, keyFile, site, words string
	var version uint64
	var days int
	c := &cobra.Command{
		Use:   "sign --key FILE [--passphrase-file FILE] METADATA.json | --dir DIR --owner ID --key FILE [--version N --site POST]",
		Short: "Sign a feed's metadata, or a provisioning folder, as one of its owners",
		Long: `Add your signature to a provisioning folder. A post wants two, of two owners named in
its configuration. Every file is read before: you sign for what is there.

The first to sign gives --version and --site: the manifest is then written anew from
what lies below DIR/files, and earlier signatures are removed. The second leaves them
out, and signs the same manifest on a machine of his own.

With METADATA.json instead of --dir, what central has staged of a feed is signed in its
file, which goes back to central: {file, signer, key_id} comes out.

--key FILE is one of "list signkey", or an Ed25519 private key, PKCS #8 in PEM, as
"openssl genpkey -algorithm ed25519" makes it.`,
		Example: `  openssl genpkey -algorithm ed25519 -out anna.pem
  watchpost list sign --dir folder --owner anna --key anna.pem --version 7 --site post-1
  watchpost list sign --dir folder --owner boris --key boris.pem
  watchpost list sign --key anna.key --passphrase-file words un.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if dir != "" || owner != "" || version != 0 || site != "" {
					return fault.New("usage", "METADATA.json goes with --key and --passphrase-file only")
				}
				return signMetadata(cmd, args[0], keyFile, words)
			}
			if dir == "" || owner == "" {
				return fault.New("usage", "give METADATA.json, or --dir and --owner")
			}
			key, _, err := approverKey(keyFile, words)
			if err != nil {
				return err
			}
			if (version != 0) != (site != "") {
				return fault.New("usage", "--version and --site go together")
			}
			if version != 0 {
				now := time.Now()
				h := provision.Header{Site: site, Version: version, Created: now, Expires: now.AddDate(0, 0, days)}
				if _, err := provision.Publish(dir, h, provision.KindOf); err != nil {
					return err
				}
			}
			return provision.Sign(dir, owner, key)
		},
	}
	f := c.Flags()
	f.StringVar(&dir, "dir", "", "provisioning folder")
	f.StringVar(&owner, "owner", "", "your id in the posts' configuration")
	f.StringVar(&keyFile, "key", "", "your private key")
	f.Uint64Var(&version, "version", 0, "write a new manifest of this version, higher than any before")
	f.StringVar(&site, "site", "", "name of the post that the folder is for")
	f.IntVar(&days, "days", 7, "days until a new manifest runs out")
	f.StringVar(&words, "passphrase-file", "", "file whose first line is the key's passphrase")
	require(c, "key")
	return c
}

func signingKey(name string) (ed25519.PrivateKey, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fault.Wrap("list.signing_key", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fault.New("list.signing_key", "not a PEM file")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fault.New("list.signing_key", "not a PKCS #8 private key")
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fault.New("list.signing_key", "not an Ed25519 key")
	}
	return private, nil
}

// trustOf is what a post's configuration accepts.
func trustOf(c *config.Config) (provision.Trust, error) {
	t := provision.Trust{Site: c.Post, Now: time.Now()}
	for _, o := range c.Owners {
		key, err := o.Key()
		if err != nil {
			return t, err
		}
		t.Owners = append(t.Owners, provision.Owner{ID: o.ID, Key: key})
	}
	return t, nil
}

func listVerifyCommand() *cobra.Command {
	var dir, configFile, feed, root, ca string
	c := &cobra.Command{
		Use:   "verify --dir DIR --config FILE | --feed URL|DIR (--root ROOT.json | --config FILE)",
		Short: "Say whether a post would take a provisioning folder or a feed",
		Long: `Judge a folder as the post of the configuration would: two signatures of its owners,
site, dates, version against what the post has applied, and every file. Nothing is
changed. One JSON object comes out: {dir, site, version, created, expires, files};
a refused folder gives a code on standard error and exit status 3.

With --feed every signature, date, version and hash of a feed is checked, by --root or by
the configuration's feed.root; no key is needed. A row a target comes out: {target,
version, expires, objects, bytes}, or {target, error: {code}} and exit status 3.`,
		Example: `  watchpost list verify --dir folder --config post.yaml
  watchpost list verify --feed /media/stick --root root.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (feed == "") == (dir == "") || configFile == "" && (dir != "" || root == "") {
				return fault.New("usage", "give --dir and --config, or --feed and --root or --config")
			}
			if feed != "" {
				return verifyFeed(cmd, feed, ca, root, configFile)
			}
			conf, err := config.Read(configFile)
			if err != nil {
				return err
			}
			trust, err := trustOf(conf)
			if err != nil {
				return err
			}
			now, err := provision.Current(filepath.Join(conf.StateDir(), install.ProvisionFolder), trust)
			if err == nil {
				trust.LastVersion = now.Manifest.Version
			} else if fault.CodeOf(err) != "provision.none" {
				return err
			}
			m, err := provision.Verify(dir, trust)
			if err != nil {
				return err
			}
			out := newRows(cmd)
			if err := out.JSON(folderRowOf(dir, m)); err != nil {
				return err
			}
			return out.End()
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "provisioning folder")
	c.Flags().StringVar(&configFile, "config", "", "configuration of the post")
	c.Flags().StringVar(&feed, "feed", "", "a feed instead: https://HOST/PATH, or a folder")
	c.Flags().StringVar(&root, "root", "", "root metadata of the feed")
	c.Flags().StringVar(&ca, "ca", "", "certificate authority of the server (PEM)")
	return c
}
