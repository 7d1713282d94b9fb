package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
)

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "The audit log: verify, list, export, report, witness",
		Long: `A post writes down who did what in a log whose every later change shows: a Merkle tree
over its lines, whose head the post signs every few minutes and shows to central and to a
witness that central's operator does not run. It holds ids, codes and counts, no person.

The log is read from a post's state folder while the daemon does not run (no key is
needed, nothing is changed), through its admin socket while it does (--officer: a
supervisor or an auditor), or from a file that "audit export" made (--log).`,
		Example: `  watchpost audit verify --state /var/lib/watchpost --central heads.jsonl --witness /media/stick
  watchpost audit list --since 24h --officer auditor --password-file pw`,
	}
	cmd.AddCommand(auditVerifyCommand(), auditListCommand(), auditExportCommand(), auditReportCommand(), auditKeyCommand(), auditWitnessCommand())
	return cmd
}

// auditLog is a log that commands read.
type auditLog interface {
	AuditLines(from int64, limit int) ([][]byte, error)
	Heads(from int64, limit int) ([][]byte, error)
	CheckAudit(r audit.Rules, sources ...audit.Evidence) (audit.Head, []audit.Finding, error)
}

// auditFlags say where a log is read.
type auditFlags struct {
	state, file, socket, officer, passwordFile string
}

func (a *auditFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.state, "state", "", "state folder of the post (default "+config.DefaultState()+")")
	f.StringVar(&a.file, "log", "", "a file of \"audit export\" instead of a state folder")
	f.StringVar(&a.officer, "officer", "", "read through the admin socket, signed in as this officer")
	f.StringVar(&a.passwordFile, "password-file", "", "with --officer: file with the password, - for standard input")
	f.StringVar(&a.socket, "socket", "", "with --officer: the admin socket (default admin.sock in the state folder)")
}

func (a *auditFlags) dir() string {
	if a.state == "" {
		return config.DefaultState()
	}
	return a.state
}

// with calls f with the log. pinned is the key that came with it: the post's
// own word for itself.
func (a *auditFlags) with(cmd *cobra.Command, f func(log auditLog, pinned string) error) error {
	switch {
	case a.file != "" && (a.officer != "" || a.state != ""):
		return fault.New("usage", "--log excludes --state and --officer")
	case a.officer == "" && (a.passwordFile != "" || a.socket != ""):
		return fault.New("usage", "--password-file and --socket go with --officer")
	case a.file != "":
		l, err := readExport(a.file)
		if err != nil {
			return err
		}
		return f(l, l.key)
	case a.officer != "":
		l, err := signInToPost(cmd, a)
		if err != nil {
			return err
		}
		defer l.signOut()
		return f(l, ownKey(a.dir()))
	}
	err := readState(a.dir(), func(l auditLog) error { return f(l, ownKey(a.dir())) })
	if fault.CodeOf(err) == "store.locked" {
		return fault.New("store.locked", "the daemon has post.db open").WithHint("read through it: --officer ID --password-file FILE; or end it first")
	}
	return err
}

// auditKeyText is a key as a person gives it, bare or as the row that "audit
// key" prints.
func auditKeyText(given string) string {
	var row struct {
		Key string `json:"key"`
	}
	if json.Unmarshal([]byte(given), &row) == nil {
		given = row.Key
	}
	return strings.TrimSpace(given)
}

// ownKey is the audit key that a post has written down beside its log, "" if
// none.
func ownKey(state string) string {
	raw, err := os.ReadFile(filepath.Join(state, checkpoint.PublicFile))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

// moment reads a point in time, or how long ago one was.
func moment(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fault.New("usage", "%q is no time: 2026-11-22T08:00:00Z, 2026-11-22 or 24h", s)
}

func auditKeyCommand() *cobra.Command {
	var state string
	c := &cobra.Command{
		Use:   "key",
		Short: "Print the public key that a post signs its audit heads with",
		Long: `Prints {key}, as the post wrote it down at its last start. Give it to the witness
(audit witness --log-key) and to whoever verifies (audit verify --key), by a way that is
not the post itself.`,
		Example: "  watchpost audit key --state /var/lib/watchpost",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if state == "" {
				state = config.DefaultState()
			}
			key := ownKey(state)
			if key == "" {
				return fault.New("audit.no_key", "the post has not signed a head yet").WithHint("start it once")
			}
			out := newRows(cmd)
			if err := out.JSON(map[string]string{"key": key}); err != nil {
				return err
			}
			return out.End()
		},
	}
	c.Flags().StringVar(&state, "state", "", "state folder of the post (default "+config.DefaultState()+")")
	return c
}
