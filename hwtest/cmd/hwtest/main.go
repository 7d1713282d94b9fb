// Command hwtest is the product's test bench: virtual passports behind a real
// reader stack, test documents and their issuers, and the demonstration.
//
// Standard output carries data only, messages go to standard error. Exit
// status: 0 done, 3 failed, 2 usage.
package main

import (
	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/cmd/program"
)

func main() { program.Main(newRoot()) }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "hwtest",
		Short: "Test bench: virtual passports, their issuers, and the demonstration",
	}
	root.AddCommand(commands()...)
	return root
}
