package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central/approval"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

func printProposal(cmd *cobra.Command, p store.Proposal, err error) error {
	if err != nil {
		return err
	}
	r, err := approval.RowOf(p)
	if err != nil {
		return err
	}
	return row(cmd, r)
}

func proposalCommand(o *shared) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "proposal",
		Short: "What waits for a second signature, and what had it",
		Long: `Orders to posts, enrolments and lists take effect when two different operators have
signed them, each on a machine of their own: "proposal show" prints what is to be signed,
"proposal sign" signs it there and needs no database, "proposal approve" hands the
signature in. Nothing of a proposal ever changes; what two have not signed in time is void.`,
		Example: `  watchpost-central proposal list --state D
  watchpost-central proposal show 1f0c... --state D > p.json
  watchpost-central proposal sign p.json --by anna --key anna.pem > anna.json
  watchpost-central proposal approve anna.json --state D`,
	}
	cmd.AddCommand(proposalList(o), proposalShow(o), proposalSign(), proposalApprove(o), proposalWithdraw(o))
	return cmd
}

func proposalList(o *shared) *cobra.Command {
	var all bool
	list := &cobra.Command{
		Use: "list", Short: "Print what waits, or everything", Args: cobra.NoArgs,
		Long: "Prints one JSON object a proposal, newest first.", Example: "  watchpost-central proposal list --all",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				state := "waiting"
				if all {
					state = ""
				}
				found, err := s.Proposals(cmd.Context(), state, 1000)
				if err != nil {
					return err
				}
				for _, p := range found {
					if err := printProposal(cmd, p, nil); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	list.Flags().BoolVar(&all, "all", false, "decided ones too")
	return list
}

// proposalID reads the id of a proposal or an order from the command line.
func proposalID(arg string) ([]byte, error) {
	id, err := approval.ParseID(arg)
	if err != nil {
		return nil, fault.New("usage", "an id is 32 hexadecimal digits")
	}
	return id, nil
}

func proposalShow(o *shared) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Print one proposal", Args: cobra.ExactArgs(1),
		Long: "Prints one proposal with what is to be signed.", Example: "  watchpost-central proposal show 1f0c... > p.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := proposalID(args[0])
			if err != nil {
				return err
			}
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				p, err := s.ProposalByID(cmd.Context(), id)
				return printProposal(cmd, p, err)
			})
		},
	}
}

func proposalSign() *cobra.Command {
	var by, keyFile string
	sign := &cobra.Command{
		Use: "sign FILE --by NAME --key PEM", Short: "Sign a proposal on your own machine", Args: cobra.ExactArgs(1),
		Long: `Reads what "proposal show" printed, says on standard error what it is, and prints your
signature. --key is an Ed25519 private key, PKCS #8 in PEM, as for "watchpost list sign".`,
		Example: "  watchpost-central proposal sign p.json --by anna --key anna.pem > anna.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			var p approval.Row
			if err := readRow(args[0], &p); err != nil {
				return err
			}
			key, err := signingKey(keyFile)
			if err != nil {
				return err
			}
			content, err := base64.StdEncoding.DecodeString(p.Content)
			if err != nil {
				return fault.New("proposal.form", "no content in base64")
			}
			signature, err := store.SignProposal(p.Kind, content, key)
			if err != nil {
				return err
			}
			cmd.PrintErrf("%s of %s: %s\n", p.Kind, p.Subject, p.Reason)
			switch p.Kind {
			case store.KindOrder: // what is signed is said from the content, not from the words beside it
				order, err := linkv1.ReadOrder(content)
				if err != nil {
					return fault.Wrap("order.form", err)
				}
				cmd.PrintErrln(protojson.Format(order))
			case store.KindEnrolment:
				cmd.PrintErrf("compare with the box: %s\n", linkv1.EnrolmentCode(string(content)))
			case store.KindList:
				if err := sayTargets(cmd, content); err != nil {
					return err
				}
			}
			return row(cmd, approval.Signed{ID: p.ID, By: by, Signature: base64.StdEncoding.EncodeToString(signature)})
		},
	}
	sign.Flags().StringVar(&by, "by", "", "your name as operator")
	sign.Flags().StringVar(&keyFile, "key", "", "your private key")
	return sign
}

func proposalApprove(o *shared) *cobra.Command {
	return &cobra.Command{
		Use: "approve FILE", Short: "Hand a signature in", Args: cobra.ExactArgs(1),
		Long: "Reads what \"proposal sign\" printed, checks it and prints {approved}: true with the\nsecond of two different operators, when the proposal takes effect.", Example: "  watchpost-central proposal approve anna.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			var in approval.Signed
			if err := readRow(args[0], &in); err != nil {
				return err
			}
			id, signature, err := in.Open()
			if err != nil {
				return err
			}
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				approved, err := s.Approve(cmd.Context(), id, in.By, signature, store.DefaultCertificateLife)
				if err != nil {
					return err
				}
				return row(cmd, struct {
					Approved bool `json:"approved"`
				}{approved})
			})
		},
	}
}

func proposalWithdraw(o *shared) *cobra.Command {
	var by, reason string
	withdraw := &cobra.Command{
		Use: "withdraw ID --by NAME --reason TEXT", Short: "Take a waiting proposal back", Args: cobra.ExactArgs(1),
		Long: "Takes a proposal back that has not been approved.", Example: `  watchpost-central proposal withdraw 1f0c... --by anna --reason "wrong post"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := proposalID(args[0])
			if err != nil {
				return err
			}
			return o.withStore(cmd.Context(), func(s *store.Store) error { return s.Withdraw(cmd.Context(), id, by, reason) })
		},
	}
	withdraw.Flags().StringVar(&by, "by", "", "your name as operator")
	withdraw.Flags().StringVar(&reason, "reason", "", "why, for the history")
	return withdraw
}

func readRow(name string, into any) error {
	f, err := os.Open(name)
	if err != nil {
		return fault.Wrap("proposal.form", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, approval.MaxBytes))
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	return fault.Wrap("proposal.form", err)
}

// signingKey reads an Ed25519 private key, PKCS #8 in PEM.
func signingKey(name string) (ed25519.PrivateKey, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fault.Wrap("proposal.key", err)
	}
	defer clear(raw)
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fault.New("proposal.key", "not a PEM file")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fault.New("proposal.key", "not an Ed25519 key in PKCS #8").WithHint("openssl genpkey -algorithm ed25519 -out anna.pem")
	}
	return private, nil
}
