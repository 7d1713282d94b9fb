package program

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
)

// tree is a program with a group, a group in it, and commands that end in each
// way.
func tree(end error) *cobra.Command {
	root := &cobra.Command{Use: "prog"}
	group := &cobra.Command{Use: "group", Short: "a group"}
	inner := &cobra.Command{Use: "inner", Short: "a group in it"}
	work := func(*cobra.Command, []string) error { return end }
	plain := &cobra.Command{Use: "score --pairs F", Args: cobra.NoArgs, RunE: work}
	plain.Flags().String("pairs", "", "")
	plain.Flags().Int("n", 0, "")
	_ = plain.MarkFlagRequired("pairs") // defined above
	two := &cobra.Command{Use: "convert IN OUT", Args: cobra.ExactArgs(2), RunE: work}
	read := &cobra.Command{Use: "read", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		b, err := io.ReadAll(cmd.InOrStdin())
		if err == nil {
			_, err = cmd.OutOrStdout().Write(b)
		}
		return err
	}}
	inner.AddCommand(plain)
	group.AddCommand(two, inner)
	root.AddCommand(group, read)
	return root
}

func ends(t *testing.T, root *cobra.Command, args ...string) (status int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	root.SetArgs(args)
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	status = Run(t.Context(), root, &stderr)
	return status, stdout.String(), stderr.String()
}

func TestStatus(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		said   string
	}{
		"answered":         {nil, OK, ""},
		"some rows failed": {ErrSomeFailed, Failed, ""},
		"coded":            {fault.New("file.open", "not there"), Failed, "prog: file.open: not there\n"},
		"coded, with hint": {fault.New("file.open", "not there").WithHint("look"), Failed, "prog: file.open: not there\n  look\n"},
		"usage":            {fault.New("usage", "--a or --b"), Usage, "prog: usage: --a or --b\n  usage is: prog group convert IN OUT [flags]    (prog group convert --help tells the rest)\n"},
		"no code, at work": {errors.New("disk"), Failed, "prog: disk\n"},
		"canceled inside":  {fault.Wrap("db.read", context.Canceled), Failed, "prog: db.read: context canceled\n"},
	} {
		if status, out, said := ends(t, tree(c.err), "group", "convert", "a", "b"); status != c.status || said != c.said || out != "" {
			t.Errorf("%s: status %d, out %q, said %q", name, status, out, said)
		}
	}
}

// TestAttackUsage: whatever is wrong with the words ends in 2, with nothing on
// standard output and a line that says how it goes.
func TestAttackUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args, hint string
	}{
		"no such command":       {"grup", ""},
		"no such command below": {"group nothing", "usage is: prog group COMMAND"},
		"nearly a command":      {"group convrt", "did you mean convert?"},
		"and below that":        {"group inner scor", "did you mean score?"},
		"no such flag":          {"group inner score --pears x", "usage is: prog group inner score --pairs F"},
		"no number":             {"group inner score --pairs x --n many", "score --help"},
		"flag missing":          {"group inner score", "score --pairs F"},
		"value missing":         {"group inner score --pairs", "score --pairs F"},
		"word too many":         {"group inner score --pairs x more", "score --pairs F"},
		"too few":               {"group convert a", "convert IN OUT"},
		"too many":              {"group convert a b c", "convert IN OUT"},
		"no such shell":         {"completion foo", "prog completion COMMAND"},
		"file like a flag":      {"group convert -x.png b.png", "./-NAME"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, said := ends(t, tree(errors.New("ran")), strings.Fields(c.args)...)
			if status != Usage || out != "" || !strings.HasPrefix(said, "prog: usage: ") || !strings.Contains(said, c.hint) {
				t.Errorf("status %d, out %q, said %q", status, out, said)
			}
			if strings.Contains(said, `unknown command "more"`) {
				t.Errorf("a word too many is called a command: %q", said)
			}
		})
	}
}

func TestGroupHelp(t *testing.T) {
	status, out, _ := ends(t, tree(nil), "group")
	if status != OK || !strings.Contains(out, "prog group [command]") || strings.Contains(out, "prog group [flags]") {
		t.Errorf("status %d:\n%s", status, out)
	}
}

func TestInputWhole(t *testing.T) {
	want := strings.Repeat("0123456789", 3*readSize/10+1)
	root := tree(nil)
	root.SetIn(strings.NewReader(want))
	if status, out, said := ends(t, root, "read"); status != OK || out != want {
		t.Errorf("status %d, %d of %d bytes, %q", status, len(out), len(want), said)
	}
}

// TestInterrupted holds that a command that waits for standard input ends with
// its context.
func TestInterrupted(t *testing.T) {
	in, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer hold.Close()
	ctx, cancel := context.WithCancel(t.Context())
	root := tree(nil)
	root.SetIn(readerFunc(func(p []byte) (int, error) {
		cancel() // the command waits here now
		return in.Read(p)
	}))
	root.SetArgs([]string{"read"})
	var said bytes.Buffer
	if status := Run(ctx, root, &said); status != Failed || said.String() != "prog: call.canceled: interrupted\n" {
		t.Errorf("status %d, said %q", status, said.String())
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
