package main

import (
	"errors"
	"fmt"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/prints"
)

func printsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "prints", Short: "Invented fingerprints: nobody's, to try the engines on"}
	cmd.AddCommand(printsMakeCommand())
	return cmd
}

func printsMakeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "make --out DIR [--fingers N] [--impressions M] [--hard X] [--seed S]",
		Short: "Write impressions of invented fingers",
		Long: `Grows fingers and writes impressions of each as FINGER_IMPRESSION.png, grey,
500 dpi, dark ridges on a light ground. The same numbers give the same pictures.

--hard, 0 to 1, says how badly the fingers are laid on: shifted, turned, dry or
wet, smeared, in part. The prints show that an engine works and how fast; how it
does on people's fingers, only people's fingers show (hwtest/gen/prints/README.md).`,
		Example: "  hwtest prints make --out prints --fingers 10 --impressions 8 --hard 0.5",
		Args:    cobra.NoArgs,
	}
	out := cmd.Flags().String("out", "", "folder to write to, made if it is not there")
	fingers := cmd.Flags().Int("fingers", 1, "fingers, 1 to 10000")
	each := cmd.Flags().Int("impressions", 2, "impressions of each, 1 to 100")
	hard := cmd.Flags().Float64("hard", 0.3, "0 well laid on, 1 badly")
	seed := cmd.Flags().Uint64("seed", 1, "number of the first finger")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *out == "" || *fingers < 1 || *fingers > 10000 || *each < 1 || *each > 100 || !(*hard >= 0 && *hard <= 1) {
			return fault.New("usage", "--out DIR, --fingers 1 to 10000, --impressions 1 to 100, --hard 0 to 1")
		}
		if err := os.MkdirAll(*out, 0o755); err != nil {
			return fault.Wrap(codeWrite, err)
		}
		for f := range *fingers {
			m := prints.NewMaster(*seed + uint64(f))
			rng := rand.New(rand.NewPCG(*seed+uint64(f), 1))
			for i := range *each {
				if err := cmd.Context().Err(); err != nil {
					return fault.Wrap("hwtest.cancelled", err)
				}
				path := filepath.Join(*out, fmt.Sprintf("%d_%d.png", f+1, i+1))
				if err := writePrint(path, m, prints.Draw(rng, *hard), rng.Uint64()); err != nil {
					return fault.Wrap(codeWrite, err)
				}
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "finger %d of %d: %s\n", f+1, *fingers, m.Pattern)
		}
		return nil
	}
	return cmd
}

func writePrint(path string, m *prints.Master, c prints.Condition, seed uint64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(f, m.Impression(c, seed)), f.Close())
}
