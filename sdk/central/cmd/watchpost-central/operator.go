package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/sdk/central/store"
)

func operatorCommand(o *shared) *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   "operator",
		Short: "Who may approve, and who may sign in to the administration page",
		Long: `Operators approve enrolments, orders and lists, two of them each time, with keys that are
on their own machines only: the same names and keys that the posts' configuration has as
owners. Administrators report posts missing and revoke them; auditors read. They have no
key here. A retired name or key is never used again.

Nobody signs in to the page without a password; "operator password" sets it.`,
		Example: `  openssl pkey -in anna.pem -pubout -outform DER | tail -c 32 | base64
  watchpost-central operator add anna GAjF...= --by admin
  watchpost-central operator password anna --password-file anna.txt
  watchpost-central operator add dora --role auditor --password-file dora.txt`,
	}
	var role, passwordFile string
	add := &cobra.Command{
		Use: "add NAME [KEY]", Short: "Add an operator, or who signs nothing", Args: cobra.RangeArgs(1, 2),
		Long: `Adds who may approve: a name and the 32 bytes of an Ed25519 public key in base64. With
--role administrator or auditor there is no key, and --password-file is needed.`,
		Example: "  watchpost-central operator add anna GAjF...= --by admin\n  watchpost-central operator add dora --role auditor --password-file dora.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			if store.Role(role) != store.RoleOperator {
				return o.addReader(cmd, args, store.Role(role), passwordFile, by)
			}
			if len(args) != 2 || passwordFile != "" {
				return fault.New("usage", "an operator has a key; the password is set by: operator password")
			}
			key, err := base64.StdEncoding.DecodeString(args[1])
			if err != nil {
				return fault.New("central.operator", "the key is 32 bytes in base64")
			}
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				return s.AddOperator(cmd.Context(), args[0], ed25519.PublicKey(key), nil, by)
			})
		},
	}
	add.Flags().StringVar(&role, "role", string(store.RoleOperator), "operator, administrator or auditor")
	retire := &cobra.Command{
		Use: "retire NAME", Short: "Take somebody's rights", Args: cobra.ExactArgs(1),
		Long: "Takes somebody's rights for good: signatures count no more, and the page's session ends.", Example: "  watchpost-central operator retire anna --by admin",
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withStore(cmd.Context(), func(s *store.Store) error { return s.RetireOperator(cmd.Context(), args[0], by) })
		},
	}
	password := &cobra.Command{
		Use: "password NAME --password-file FILE", Short: "Give somebody access to the page, or another password", Args: cobra.ExactArgs(1),
		Long:    "Sets the password by which somebody signs in to the administration page, kept as\nargon2id. It is at least 12 characters and not of what guessers try first.",
		Example: "  watchpost-central operator password anna --password-file anna.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			hash, err := readPassword(cmd.InOrStdin(), passwordFile, args[0])
			if err != nil {
				return err
			}
			return o.withStore(cmd.Context(), func(s *store.Store) error { return s.SetPassword(cmd.Context(), args[0], hash, by) })
		},
	}
	for _, c := range []*cobra.Command{add, retire, password} {
		c.Flags().StringVar(&by, "by", "admin", "who does this, for the history")
	}
	for _, c := range []*cobra.Command{add, password} {
		c.Flags().StringVar(&passwordFile, "password-file", "", "file with the password, - for standard input")
	}
	cmd.AddCommand(add, retire, password, printAll(o, "list", "Print all operators", (*store.Store).Operators))
	return cmd
}

func (o *shared) addReader(cmd *cobra.Command, args []string, role store.Role, passwordFile, by string) error {
	if len(args) != 1 {
		return fault.New("usage", "who signs nothing has no key here")
	}
	hash, err := readPassword(cmd.InOrStdin(), passwordFile, args[0])
	if err != nil {
		return err
	}
	return o.withStore(cmd.Context(), func(s *store.Store) error { return s.AddReader(cmd.Context(), args[0], role, hash, by) })
}

// readPassword reads a password and returns its argon2id form.
func readPassword(stdin io.Reader, name, whose string) (string, error) {
	if name == "" {
		return "", fault.New("usage", "--password-file is needed")
	}
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", fault.Wrap("central.password", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, officer.PasswordMost+2)) // and its line's end
	if err != nil {
		return "", fault.Wrap("central.password", err)
	}
	defer clear(raw)
	return officer.NewPassword(string(bytes.TrimRight(raw, "\r\n")), whose)
}
