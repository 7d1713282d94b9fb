package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// maxWrapped bounds one wrapped key in bytes: the order's form takes no more.
const maxWrapped = 256

// proposer files an order.
type proposer func(cmd *cobra.Command, order *linkv1.Order, subject string, posts []string) error

func rekeyCommand(o *shared, propose proposer, posts *[]string) *cobra.Command {
	var list, dir string
	c := &cobra.Command{
		Use: "rekey --list LIST --wrapped DIR [--post NAME]...", Short: "Replace the key of a list, at all posts that it is wrapped for or some", Args: cobra.NoArgs,
		Long: `Sends posts a new key of a list. DIR holds one file a post, named after its recipient, with
the key wrapped for it: keys/LIST of the provisioning folder that the list's owner has built
with the new key (watchpost list build --for). Central never sees the key. Generations
under the old key are not opened any more: those under the new one have to be there by
provisioning, or come after. Posts that were enrolled are known by their recipient; without
--post the order goes to each that DIR has a file for.`,
		Example: `  watchpost-central order rekey --list national --wrapped folder/files/keys/national --by anna --reason "laptop lost"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if list == "" || dir == "" {
				return fault.New("usage", "--list and --wrapped are needed")
			}
			wrapped, err := readWrapped(dir)
			if err != nil {
				return err
			}
			to := *posts
			if len(to) == 0 {
				if err := o.withStore(cmd.Context(), func(s *store.Store) error {
					to, err = holders(cmd.Context(), s, wrapped)
					return err
				}); err != nil {
					return err
				}
			}
			return propose(cmd, &linkv1.Order{What: &linkv1.Order_Rekey{Rekey: &linkv1.NewListKey{List: list, Wrapped: wrapped}}}, list, to)
		},
	}
	c.Flags().StringVar(&list, "list", "", "list whose key it is")
	c.Flags().StringVar(&dir, "wrapped", "", "folder of the wrapped keys")
	return c
}

func readWrapped(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fault.Wrap("order.wrapped", err)
	}
	out := map[string][]byte{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, fault.Wrap("order.wrapped", err)
		}
		if !info.Mode().IsRegular() || info.Size() == 0 || info.Size() > maxWrapped {
			return nil, fault.New("order.wrapped", "%s is no wrapped key", e.Name())
		}
		if out[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, fault.Wrap("order.wrapped", err)
		}
	}
	if len(out) == 0 {
		return nil, fault.New("order.wrapped", "the folder holds no wrapped key")
	}
	return out, nil
}

// holders are the posts in use that a key is wrapped for.
func holders(ctx context.Context, s *store.Store, wrapped map[string][]byte) ([]string, error) {
	all, err := s.Devices(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, d := range all {
		if d.Retired == nil && len(d.Recipient) > 0 && wrapped[vault.Recipient(d.Recipient).ID()] != nil {
			out = append(out, d.ID)
		}
	}
	if len(out) == 0 {
		return nil, fault.New("order.no_holder", "the key is wrapped for no post that was enrolled").WithHint("name the posts with --post, or wrap the key for them: watchpost list build --for")
	}
	slices.Sort(out)
	return out, nil
}

func orderStatusCommand(o *shared) *cobra.Command {
	return &cobra.Command{
		Use: "status ID", Short: "Print what became of an order at each post", Args: cobra.ExactArgs(1),
		Long:    "Prints one JSON object a post: {device, number, state, code, done}. state is proposed, sent,\ndone, refused (code says why) or withdrawn.",
		Example: "  watchpost-central order status 1f0c... --state D",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := proposalID(args[0])
			if err != nil {
				return err
			}
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				all, err := s.OrderStates(cmd.Context(), id)
				if err != nil {
					return err
				}
				if len(all) == 0 {
					return store.ErrNotWaiting
				}
				for _, st := range all {
					if err := row(cmd, st); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}
