package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/bench"
	"github.com/watchpost/watchpost/hwtest/passport"
)

const codeWrite fault.Code = "hwtest.write"

func passportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "passport",
		Short: "Virtual passports: make their files, put one on a reader",
		Long: `Virtual passports are described by profiles in YAML. An empty profile is a
genuine passport of Utopia with an invented holder. Everything in it is a
function of the profile: the same profile gives the same keys and files.`,
	}
	cmd.AddCommand(passportMakeCommand(), passportServeCommand())
	return cmd
}

// profileFlag reads --profile; without it the profile is the empty one.
func profileFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("profile", "", "profile in YAML (default: a genuine passport of an invented holder)")
}

func loadProfile(path string) (passport.Profile, error) {
	if path == "" {
		return passport.Profile{}, nil
	}
	return passport.LoadProfile(path)
}

func passportServeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Put a virtual passport on a vpcd that is running already",
		Long: `Connects to a slot of vsmartcard's virtual reader and answers as the passport
of the profile, until Ctrl-C takes the card away. pcscd with vsmartcard-vpcd must
be running; "hwtest up" starts a private one instead.`,
		Example: `  hwtest passport serve --vpcd 127.0.0.1:35963
  hwtest passport serve --profile clone.yaml --vpcd 127.0.0.1:35964`,
		Args: cobra.NoArgs,
	}
	profile := profileFlag(cmd)
	addr := cmd.Flags().String("vpcd", "127.0.0.1:35963", "address of the slot")
	inside := cmd.Flags().String("inside", "", "folder of the bench that this process is a part of")
	if err := cmd.Flags().MarkHidden("inside"); err != nil { // only the bench starts it so
		panic("hwtest: " + err.Error())
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *inside != "" {
			return bench.Inside(cmd.Context(), *inside, cmd.InOrStdin(), cmd.OutOrStdout())
		}
		p, err := loadProfile(*profile)
		if err != nil {
			return err
		}
		chip, err := passport.New(p)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "card on %s; Ctrl-C takes it away\n", *addr)
		err = passport.ServeVPCD(cmd.Context(), *addr, chip)
		if errors.Is(err, passport.ErrTorn) {
			fmt.Fprintln(cmd.ErrOrStderr(), "the card tore itself off, as its profile says")
			return nil
		}
		return err
	}
	return cmd
}
