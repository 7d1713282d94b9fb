package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/cmd/unlock"
	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
)

func officerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "officer",
		Short: "Accounts of officers: hash a password, sign and verify accounts",
		Long: `Officers sign in with accounts that two persons named in the post's configuration have
signed: inside a provisioning folder (files/accounts.json), or as a signed accounts file.
A post never makes an account. device/officer/accounts.schema.json is the form.`,
		Example: "  watchpost officer hash --id officer-7 --password-file pw",
	}
	cmd.AddCommand(officerHashCommand(), officerSignCommand(), officerVerifyCommand())
	return cmd
}

func officerHashCommand() *cobra.Command {
	var id, name, file string
	c := &cobra.Command{
		Use:   "hash --id ID --password-file FILE",
		Short: "Turn a password into what stands in an accounts file",
		Long: `Prints {id, password}, with the password as argon2id (RFC 9106: 64 MiB, 3 passes, 4 lanes).
One of fewer than 12 characters, or made of what guessers try first (words of a short
list, rows of keys, the officer's own id and name), is refused with a code. Leaked
passwords cannot be asked offline.`,
		Example: "  watchpost officer hash --id officer-7 --name \"Ada Example\" --password-file -",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			password, err := unlock.Password(file, cmd.InOrStdin())
			if err != nil {
				return err
			}
			defer clear(password)
			hash, err := officer.NewPassword(string(password), id, name)
			if err != nil {
				return err
			}
			out := newRows(cmd)
			if err := out.JSON(map[string]string{"id": id, "password": hash}); err != nil {
				return err
			}
			return out.End()
		},
	}
	f := c.Flags()
	f.StringVar(&id, "id", "", "the account's id")
	f.StringVar(&name, "name", "", "the officer's name, which the password must not hold")
	f.StringVar(&file, "password-file", "", "file with the password, - for standard input")
	require(c, "id", "password-file")
	return c
}

// maxAccountsFile bounds what is read; a signed file holds accounts in base64.
const maxAccountsFile = 2 * officer.MaxBytes

func readAccounts(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxAccountsFile {
		return nil, fault.New("officer.too_large", "%d bytes, at most %d", info.Size(), maxAccountsFile)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New("officer.file", "%w", err)
	}
	return raw, nil
}

func officerSignCommand() *cobra.Command {
	var accounts, file, owner, keyFile, site string
	var days int
	c := &cobra.Command{
		Use:   "sign --file FILE --owner ID --key FILE [--accounts FILE --site POST]",
		Short: "Sign accounts as one of their owners",
		Long: `Adds your signature to a signed accounts file. A post wants two, of two owners named in
its configuration. The first to sign gives --accounts and --site: the file is then made
anew. The second leaves them out, and signs the same on a machine of his own.

--key FILE is an Ed25519 private key, PKCS #8 in PEM, as "openssl genpkey -algorithm
ed25519" makes it.`,
		Example: `  watchpost officer sign --file accounts.signed --accounts accounts.json --site desk-1 --owner anna --key anna.pem
  watchpost officer sign --file accounts.signed --owner boris --key boris.pem`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := signingKey(keyFile)
			if err != nil {
				return err
			}
			if (accounts != "") != (site != "") {
				return fault.New("usage", "--accounts and --site go together")
			}
			var raw []byte
			if accounts == "" {
				raw, err = readAccounts(file)
			} else {
				raw, err = publishAccounts(accounts, site, days)
			}
			if err != nil {
				return err
			}
			if raw, err = officer.Sign(raw, owner, key); err != nil {
				return err
			}
			return replaceFile(file, raw)
		},
	}
	f := c.Flags()
	f.StringVar(&file, "file", "", "the signed accounts file")
	f.StringVar(&accounts, "accounts", "", "accounts to publish (JSON)")
	f.StringVar(&site, "site", "", "the post that they are for")
	f.StringVar(&owner, "owner", "", "your id in the post's configuration")
	f.StringVar(&keyFile, "key", "", "your private key (PEM)")
	f.IntVar(&days, "days", 90, "after so many days the file is not accepted any more")
	require(c, "file", "owner", "key")
	return c
}

func publishAccounts(path, site string, days int) ([]byte, error) {
	raw, err := readAccounts(path)
	if err != nil {
		return nil, err
	}
	a, err := officer.Decode(raw)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	return officer.Publish(officer.Target{Site: site, Created: now, Expires: now.AddDate(0, 0, days), Accounts: *a})
}

// officerRow is what is said of one account: no name, no password.
type officerRow struct {
	ID      string         `json:"id"`
	Roles   []officer.Role `json:"roles"`
	Expires time.Time      `json:"expires"`
	Revoked *time.Time     `json:"revoked,omitempty"`
}

func officerVerifyCommand() *cobra.Command {
	var file, conf string
	var last int
	c := &cobra.Command{
		Use:   "verify --file FILE --config FILE",
		Short: "Judge a signed accounts file as a post would",
		Long: `Checks the signatures against the owners in the post's configuration, the post's name,
the dates and the edition, and prints one row an account: {id, roles, expires, revoked}.
Exit status 3 with a code (officer.too_few, officer.signature, officer.rollback...).`,
		Example: "  watchpost officer verify --file accounts.signed --config post.yaml --last-edition 6",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Read(conf)
			if err != nil {
				return err
			}
			trust := officer.Trust{Site: cfg.Post, LastEdition: last, Now: time.Now()}
			for _, o := range cfg.Owners {
				key, err := o.Key()
				if err != nil {
					return err
				}
				trust.Owners = append(trust.Owners, officer.Owner{ID: o.ID, Key: key})
			}
			raw, err := readAccounts(file)
			if err != nil {
				return err
			}
			a, err := officer.OpenSigned(raw, trust)
			if err != nil {
				return err
			}
			out := newRows(cmd)
			for _, acc := range a.Accounts {
				row := officerRow{ID: acc.ID, Roles: acc.Roles, Expires: acc.Expires}
				if !acc.Revoked.IsZero() {
					row.Revoked = &acc.Revoked
				}
				if err := out.JSON(row); err != nil {
					return err
				}
			}
			return out.End()
		},
	}
	f := c.Flags()
	f.StringVar(&file, "file", "", "the signed accounts file")
	f.StringVar(&conf, "config", "", "configuration of the post")
	f.IntVar(&last, "last-edition", 0, "edition that the post has taken in already")
	require(c, "file", "config")
	return c
}
