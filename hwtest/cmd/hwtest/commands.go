package main

import "github.com/spf13/cobra"

// commands lists the command groups, one file each.
func commands() []*cobra.Command {
	return []*cobra.Command{demoCommand(), measureCommand(), padCommand(), passportCommand(), printsCommand(), slapsCommand(), upCommand()}
}
