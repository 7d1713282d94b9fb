package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/sdk/central/store"
)

func enrolCommand(o *shared) *cobra.Command {
	var by, reason string
	c := &cobra.Command{
		Use: "enrol REQUEST --by NAME --reason TEXT", Short: "File a post's request; two have to approve it", Args: cobra.ExactArgs(1),
		Long: `Files the request that the box shows ("watchpost keys request") as a proposal and prints
it with its code: read the code from the box and compare. With the second approval the
post is registered and gets its certificate with its first contact.`,
		Example: `  watchpost-central enrol CkUKBmRlc2st... --by anna --reason "new desk, hall B"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				p, err := s.ProposeEnrolment(cmd.Context(), args[0], reason, by)
				return printProposal(cmd, p, err)
			})
		},
	}
	c.Flags().StringVar(&by, "by", "", "your name as operator")
	c.Flags().StringVar(&reason, "reason", "", "why, for the history")
	return c
}

func fleetCommand(o *shared) *cobra.Command {
	cmd := printAll(o, "fleet", "Print all posts with what they hold", (*store.Store).Fleet)
	cmd.Long = "Prints one JSON object a post in use: lists and their ages, version, last contact, last\nhead of the audit log, outcomes that wait, orders not receipted, certificate, marks."
	incidents := printAll(o, "incidents", "Print what operators have to look into", func(s *store.Store, cmd context.Context) ([]store.Incident, error) { return s.Incidents(cmd, 1000) })
	history := printAll(o, "history", "Print who did what, newest first", func(s *store.Store, cmd context.Context) ([]store.Event, error) { return s.History(cmd, 1000) })
	cmd.AddCommand(incidents, history)
	return cmd
}

// printAll is a command that prints what the store returns, one row each.
func printAll[T any](o *shared, use, short string, all func(*store.Store, context.Context) ([]T, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs, Long: short + ", one JSON object each.", Example: "  watchpost-central " + use + " --state D",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.withStore(cmd.Context(), func(s *store.Store) error {
				rows, err := all(s, cmd.Context())
				if err != nil {
					return err
				}
				for _, r := range rows {
					if err := row(cmd, r); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}
