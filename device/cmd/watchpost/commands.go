package main

import "github.com/spf13/cobra"

// commands lists the command groups, one file each.
func commands() []*cobra.Command {
	return []*cobra.Command{
		auditCommand(),
		benchCommand(),
		chipCommand(),
		documentCommand(),
		faceCommand(),
		fingerCommand(),
		imageCommand(),
		keysCommand(),
		listCommand(),
		mrzCommand(),
		officerCommand(),
		screenCommand(),
		trustCommand(),
	}
}
