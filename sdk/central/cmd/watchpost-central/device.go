package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/postgres"
	"github.com/watchpost/watchpost/sdk/central/registry"
	"github.com/watchpost/watchpost/sdk/central/store"
)

func deviceCommand(o *shared) *cobra.Command {
	var by, reason string
	cmd := &cobra.Command{
		Use:   "device",
		Short: "Register and retire posts",
		Long: `A post is known by its name and a public key that was made on the post (watchpost
keys link). It may publish and subscribe below edge.NAME. only. Retiring takes its
rights from the next call on; a retired name or key is never used again.

A post that is reported missing gets one answer to all it asks: that it is missing. It
then locks itself, gets no lease any more, and stays shut at its next start.

The database has to run: start "watchpost-central serve" first, or give --dsn.`,
		Example: `  watchpost-central device add desk-1 UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4
  watchpost-central device list
  watchpost-central device missing gate-7
  watchpost-central device retire desk-1`,
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "add NAME KEY", Short: "Register a post", Args: cobra.ExactArgs(2),
			Long:    "Registers the post NAME with its public nkey (U...) and prints it.",
			Example: "  watchpost-central device add desk-1 UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4",
			RunE: func(cmd *cobra.Command, args []string) error {
				return o.withStore(cmd.Context(), func(s *store.Store) error {
					if _, err := registry.ParseKey(args[1]); err != nil {
						return err
					}
					if err := s.AddDevice(cmd.Context(), args[0], args[1]); err != nil {
						return err
					}
					d, err := s.DeviceByID(cmd.Context(), args[0])
					if err != nil {
						return err
					}
					return row(cmd, d)
				})
			},
		},
		&cobra.Command{
			Use: "retire NAME", Short: "Take a post's rights", Args: cobra.ExactArgs(1),
			Long:    "Takes the rights of the post NAME for good.",
			Example: "  watchpost-central device retire desk-1",
			RunE: func(cmd *cobra.Command, args []string) error {
				return o.withStore(cmd.Context(), func(s *store.Store) error { return s.RetireDevice(cmd.Context(), args[0], by, reason) })
			},
		},
		missingCommand(o, "missing", "Report a post missing: it locks at its next contact", true, &by, &reason),
		missingCommand(o, "found", "Take the report back", false, &by, &reason),
		&cobra.Command{
			Use: "list", Short: "Print all posts", Args: cobra.NoArgs,
			Long:    "Prints one JSON object a post, retired ones too.",
			Example: "  watchpost-central device list",
			RunE: func(cmd *cobra.Command, _ []string) error {
				return o.withStore(cmd.Context(), func(s *store.Store) error {
					all, err := s.Devices(cmd.Context())
					if err != nil {
						return err
					}
					for _, d := range all {
						if err := row(cmd, d); err != nil {
							return err
						}
					}
					return nil
				})
			},
		},
	)
	for _, c := range cmd.Commands() {
		if c.Name() != "add" && c.Name() != "list" {
			c.Flags().StringVar(&by, "by", "admin", "who does this, for the history")
			c.Flags().StringVar(&reason, "reason", "", "why, for the history")
		}
	}
	return cmd
}

func missingCommand(o *shared, word, short string, missing bool, by, reason *string) *cobra.Command {
	return &cobra.Command{
		Use: word + " NAME", Short: short, Args: cobra.ExactArgs(1),
		Long:    short + ". Prints the post as it is registered now.",
		Example: "  watchpost-central device " + word + " gate-7",
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				if err := s.SetMissing(cmd.Context(), args[0], missing, *by, *reason); err != nil {
					return err
				}
				d, err := s.DeviceByID(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return row(cmd, d)
			})
		},
	}
}

// withStore opens the database that serve uses.
func (o *shared) withStore(ctx context.Context, f func(*store.Store) error) error {
	dsn := o.dsn
	if dsn == "" {
		dsn = postgres.DSN(central.PostgresDir(o.state))
	}
	s, err := store.Open(ctx, dsn)
	if err != nil {
		return err
	}
	defer s.Close()
	return f(s)
}
