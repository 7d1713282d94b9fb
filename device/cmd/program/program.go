// Package program is the frame of the command lines (watchpost,
// watchpost-central, hwtest): exit statuses, what a usage error says, and that
// Ctrl-C ends whatever a command waits for (device/DESIGN.md, section 12).
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/watchpost/watchpost/device/fault"
)

// Exit statuses of the contract.
const (
	OK     = 0
	Usage  = 2
	Failed = 3
)

// ErrSomeFailed ends a command whose failed rows have been reported in place.
var ErrSomeFailed = errors.New("some rows failed")

// Main runs a program and ends the process. The first Ctrl-C or SIGTERM lets the
// command end in order, the second ends it at once.
func Main(root *cobra.Command) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // from here on a signal does what it does by default
	os.Exit(Run(ctx, root, os.Stderr))
}

// Run runs a command, says on stderr what was wrong, and returns the exit
// status. Commands read standard input by cmd.InOrStdin, which ends with ctx.
func Run(ctx context.Context, root *cobra.Command, stderr io.Writer) int {
	root.SilenceUsage, root.SilenceErrors = true, true
	root.SetIn(&input{ctx: ctx, in: root.InOrStdin()})
	root.InitDefaultCompletionCmd() // made here so that it is prepared as well
	began := new(bool)
	prepare(root, began)
	ran, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return OK
	case errors.Is(err, ErrSomeFailed):
		return Failed
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintf(stderr, "%s: call.canceled: interrupted\n", root.Name())
		return Failed
	}
	var coded *fault.Error
	if errors.As(err, &coded) && coded.Code != "usage" {
		fmt.Fprintf(stderr, "%s: %v\n", root.Name(), err)
		tell(stderr, fault.HintOf(err))
		return Failed
	}
	if coded == nil && *began {
		// A failure at work that nobody gave a code: not the caller's flags.
		fmt.Fprintf(stderr, "%s: %v\n", root.Name(), err)
		return Failed
	}
	fmt.Fprintf(stderr, "%s: usage: %s\n", root.Name(), strings.TrimPrefix(err.Error(), "usage: "))
	tell(stderr, fault.HintOf(err))
	line := ran.UseLine()
	if ran.Annotations[group] != "" {
		line = ran.CommandPath() + " COMMAND"
	}
	tell(stderr, fmt.Sprintf("usage is: %s    (%s --help tells the rest)", line, ran.CommandPath()))
	return Usage
}

func tell(w io.Writer, hint string) {
	if hint != "" {
		fmt.Fprintf(w, "  %s\n", hint)
	}
}

// group marks a command that only holds others.
const group = "watchpost.group"

// prepare makes every command below c say what is wrong in the same words;
// *began is set when one begins its work.
func prepare(c *cobra.Command, began *bool) {
	for _, sub := range c.Commands() {
		prepare(sub, began)
	}
	if !c.HasParent() {
		c.SetFlagErrorFunc(flagError)
		// A group can be run only to refuse a word; its help does not show that.
		c.SetUsageTemplate(strings.Replace(c.UsageTemplate(), "{{if .Runnable}}",
			`{{if and .Runnable (not (index .Annotations "`+group+`"))}}`, 1))
	}
	if c.HasSubCommands() && !c.Runnable() {
		if c.Annotations == nil {
			c.Annotations = make(map[string]string)
		}
		c.Annotations[group] = "true"
		c.Args = cobra.ArbitraryArgs
		c.RunE = refuse
		return
	}
	if args := c.Args; args != nil {
		c.Args = func(cmd *cobra.Command, given []string) error { return checkArgs(args, cmd, given) }
	}
	if work := c.RunE; work != nil {
		c.RunE = func(cmd *cobra.Command, given []string) error {
			*began = true
			return work(cmd, given)
		}
	}
}

// likeness is how many letters may differ between a word and the command that is
// proposed for it.
const likeness = 2

// refuse prints a group's help, or refuses a word that is none of its
// commands, where cobra would print the help and succeed.
func refuse(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	err := fault.New("usage", "%q is no command of %s", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = likeness
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		return err.WithHint("did you mean " + strings.Join(like, " or ") + "?")
	}
	return err
}

// checkArgs has cobra's own checks say of a word too many what it is: cobra
// takes it for a command.
func checkArgs(check cobra.PositionalArgs, cmd *cobra.Command, given []string) error {
	err := check(cmd, given)
	if err == nil || cmd.HasSubCommands() || len(given) == 0 {
		return err
	}
	if check(cmd, nil) == nil && check(cmd, given[:1]) != nil {
		return fault.New("usage", "%q: only flags are taken here", given[0])
	}
	return err
}

// flagError gives cobra's complaint about a flag a code, and where it is a file
// name that looks like one, how to write that.
func flagError(_ *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	coded := fault.New("usage", "%w", err)
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "" {
		return coded.WithHint("a file whose name begins with - stands behind -- or is written ./-NAME")
	}
	return coded
}
