package main

import (
	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// errAlarms ends "heads alarms" where something is wrong.
var errAlarms = &fault.Error{Code: "audit.alarms"}

func headsCommand(o *shared) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "heads",
		Short: "Signed heads of the posts' audit logs",
		Long: `Each post shows central a signed head of its audit log every few minutes, with the
proof that it continues the last one. Central keeps them all. What is no continuation,
is signed by another key, or does not come at all, is an alarm.

The database has to run: start "watchpost-central serve" first, or give --dsn.`,
		Example: `  watchpost-central heads export desk-1 > heads.jsonl    # for: watchpost audit verify --central heads.jsonl
  watchpost-central heads alarms`,
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "export [POST]", Short: "Print the heads held, of one post or all", Args: cobra.MaximumNArgs(1),
			Long: `Prints one JSON object a head: {device, number, lines, signed, committed_ms, key, head},
where head is the signed note and key the post's audit key as it was first shown.`,
			Example: "  watchpost-central heads export desk-1 > heads.jsonl",
			RunE: func(cmd *cobra.Command, args []string) error {
				return o.withStore(cmd.Context(), func(s *store.Store) error {
					device := ""
					if len(args) == 1 {
						device = args[0]
					}
					return s.Heads(cmd.Context(), device, func(h store.Head) error { return row(cmd, h) })
				})
			},
		},
		&cobra.Command{
			Use: "alarms", Short: "Print what was ever wrong with heads", Args: cobra.NoArgs,
			Long: `Prints one JSON object an alarm, oldest first: {device, raised, code, ended, head}. Codes:
audit.head_late (no head in time; ended says when one came), audit.head_missing (a number
was left out), audit.fork, audit.replayed, audit.head_key, audit.head_forged,
audit.head_origin. Exit status 3 if an alarm that cannot end, or has not, is among them.`,
			Example: "  watchpost-central heads alarms",
			RunE: func(cmd *cobra.Command, _ []string) error {
				return o.withStore(cmd.Context(), func(s *store.Store) error {
					all, err := s.HeadAlarms(cmd.Context())
					if err != nil {
						return err
					}
					open := 0
					for _, a := range all {
						if a.Ended == nil {
							open++
						}
						if err := row(cmd, a); err != nil {
							return err
						}
					}
					if open > 0 {
						return errAlarms
					}
					return nil
				})
			},
		},
	)
	return cmd
}
