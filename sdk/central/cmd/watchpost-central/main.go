// Command watchpost-central is the service that posts ask and report to.
package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/cmd/program"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

func main() { program.Main(newCommand()) }

// shared are the flags of all commands.
type shared struct {
	state          string
	passphraseFile string
	dsn            string
	debug          bool
}

func newCommand() *cobra.Command {
	o := new(shared)
	cmd := &cobra.Command{
		Use:   "watchpost-central",
		Short: "The service that posts ask and report to",
		Long: `Central answers questions from lists that a post does not hold, and takes the
outcomes of encounters. Posts answer without it; it makes their answers better.

It is one program: an embedded NATS broker (no JetStream), a private PostgreSQL
behind a unix socket, started as an unprivileged user, and a worker that searches
lists. A broker cluster (--broker) and another database (--dsn) may be given.

What goes in: questions and outcomes of registered posts, sealed to central's key
and signed by theirs. What comes out: answers with their coverage, and receipts,
signed by central; a receipt is given only after PostgreSQL has the outcome on disk.

To set one up:
  1. watchpost-central init           makes the vault; prints keys for the posts
  2. watchpost-central serve          runs until it is told to end
  3. watchpost-central device add     registers a post's key (watchpost keys link)`,
		Example: `  watchpost-central init  --state /var/lib/watchpost-central --passphrase-file pass
  watchpost-central serve --state /var/lib/watchpost-central --passphrase-file pass --lists /srv/lists
  watchpost-central device add desk-1 UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4 --state /var/lib/watchpost-central`,
	}
	f := cmd.PersistentFlags()
	f.StringVar(&o.state, "state", "/var/lib/watchpost-central", "folder of keys, lists and the private database")
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "file with the vault's passphrase, - for standard input")
	f.StringVar(&o.dsn, "dsn", "", "PostgreSQL to use instead of the private one")
	f.BoolVar(&o.debug, "debug", false, "say more on standard error; never personal data")
	cmd.AddCommand(serveCommand(o), initCommand(o), keysCommand(o), deviceCommand(o), leaseCommand(o), headsCommand(o),
		operatorCommand(o), enrolCommand(o), proposalCommand(o), orderCommand(o), fleetCommand(o), calloutCommand(o), backupCommand(o), restoreCommand(o), feedCommand(o), workerCommand(o))
	return cmd
}

func (o *shared) log(w io.Writer) *slog.Logger {
	level := slog.LevelInfo
	if o.debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// maxPassphrase bounds the passphrase file in bytes.
const maxPassphrase = 4096

func (o *shared) passphrase(stdin io.Reader) (vault.Passphrase, error) {
	if o.passphraseFile == "" {
		return nil, fault.New("usage", "--passphrase-file is needed")
	}
	in := stdin
	if o.passphraseFile != "-" {
		f, err := os.Open(o.passphraseFile)
		if err != nil {
			return nil, fault.New("vault.passphrase_file", "%w", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxPassphrase))
	return vault.Passphrase(bytes.TrimRight(raw, "\r\n")), fault.Wrap("vault.passphrase_file", err)
}

// row writes one JSON object on one line of standard output.
func row(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetEscapeHTML(false)
	return fault.Wrap("output.write", enc.Encode(v))
}
