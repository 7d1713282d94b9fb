package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/report"
	"github.com/watchpost/watchpost/device/fault"
)

func auditListCommand() *cobra.Command {
	var flags auditFlags
	var since, until, actor, action, encounter string
	c := &cobra.Command{
		Use:   "list",
		Short: "Print lines of the log",
		Long: `Prints one JSON object a line, oldest first: {seq, time, actor, action, encounter, object,
purpose, facts}: ids, codes and counts. Which actions there are is in device/audit/README.md.`,
		Example: `  watchpost audit list --since 24h
  watchpost audit list --state /mnt/disk --action candidate.adjudicated --actor officer-7`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, to, err := span(since, until, time.Time{}, time.Time{})
			if err != nil {
				return err
			}
			return flags.with(cmd, func(log auditLog, _ string) error {
				out := newRows(cmd)
				for line, err := range logLines(log) {
					if err != nil {
						return err
					}
					if line.IsCut() || line.Time.Before(from) || !to.IsZero() && !line.Time.Before(to) ||
						actor != "" && line.Actor != actor || action != "" && string(line.Action) != action || encounter != "" && line.Encounter != encounter {
						continue
					}
					if err := out.JSON(line); err != nil {
						return err
					}
				}
				return out.End()
			})
		},
	}
	flags.register(c)
	f := c.Flags()
	f.StringVar(&since, "since", "", "lines at this time or later: a time, a date, or how long ago (24h)")
	f.StringVar(&until, "until", "", "lines before this time")
	f.StringVar(&actor, "actor", "", "lines of this officer, or of \"post\"")
	f.StringVar(&action, "action", "", "lines of this action")
	f.StringVar(&encounter, "encounter", "", "lines of this encounter")
	return c
}

// logLines yields the lines of a log through pages, and ends at its end even
// where reading adds to it.
func logLines(log auditLog) func(func(audit.Line, error) bool) {
	done := false
	return audit.Lines(func(from int64, _ int) ([][]byte, error) {
		if done {
			return nil, nil
		}
		some, err := log.AuditLines(from, auditPage)
		done = len(some) < auditPage
		return some, err
	})
}

// span reads two points in time, with what stands for those left out.
func span(since, until string, from, to time.Time) (time.Time, time.Time, error) {
	now := time.Now()
	for text, at := range map[string]*time.Time{since: &from, until: &to} {
		if text == "" {
			continue
		}
		t, err := moment(text, now)
		if err != nil {
			return from, to, err
		}
		*at = t
	}
	return from, to, nil
}

func auditExportCommand() *cobra.Command {
	var flags auditFlags
	var path string
	c := &cobra.Command{
		Use:   "export --out FILE",
		Short: "Copy the whole log with its heads to a file",
		Long: `Writes the log and its signed heads to a new file that "audit verify --log" and the other
commands read, one JSON object a row: {format, key}, then {head} and {line} in their order.
Lines stand as text, byte for byte as they were written: those bytes are what was signed.
Reading through the admin socket is audited.

Prints {file, lines, heads}.`,
		Example: "  watchpost audit export --state /var/lib/watchpost --out desk-1.jsonl",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.with(cmd, func(log auditLog, own string) error {
				heads, err := allOf(log.Heads)
				if err != nil {
					return err
				}
				lines, err := allOf(log.AuditLines)
				if err != nil {
					return err
				}
				if err := writeExport(path, own, heads, lines); err != nil {
					return err
				}
				out := newRows(cmd)
				if err := out.JSON(map[string]any{"file": path, "lines": len(lines), "heads": len(heads)}); err != nil {
					return err
				}
				return out.End()
			})
		},
	}
	flags.register(c)
	c.Flags().StringVar(&path, "out", "", "file to write; one that is there is not overwritten")
	require(c, "out")
	return c
}

func writeExport(path, key string, heads, lines [][]byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fault.New("audit.file", "%w", err)
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	err = enc.Encode(exported{Format: exportFormat, Key: key})
	for _, h := range heads {
		text := string(h)
		err = errors.Join(err, enc.Encode(exported{Head: &text}))
	}
	for _, l := range lines {
		text := string(l)
		err = errors.Join(err, enc.Encode(exported{Line: &text}))
	}
	if err := errors.Join(err, w.Flush(), f.Sync(), f.Close()); err != nil {
		return errors.Join(fault.New("audit.file", "%w", err), os.Remove(path))
	}
	return nil
}

func auditReportCommand() *cobra.Command {
	var flags auditFlags
	var since, until string
	c := &cobra.Command{
		Use:   "report",
		Short: "Count searches, hits, confirmed and false candidates by list and officer",
		Long: `Prints the supervisor's report, as GET /v1/reports/searches: {from, to, total, overrides,
by_list, by_officer, rows, lines}. A search counts by when it was made, its candidates by
their last finding. Without --from it covers the last day.`,
		Example: `  watchpost audit report --from 2026-11-01 --to 2026-12-01
  watchpost audit report --officer supervisor-2 --password-file pw --from 168h`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			from, to, err := span(since, until, time.Time{}, now)
			if err != nil {
				return err
			}
			if since == "" {
				from = to.Add(-24 * time.Hour)
			}
			return flags.with(cmd, func(log auditLog, _ string) error {
				r, err := report.Make(logLines(log), from, to)
				if err != nil {
					return err
				}
				out := newRows(cmd)
				if err := out.JSON(r); err != nil {
					return err
				}
				return out.End()
			})
		},
	}
	flags.register(c)
	f := c.Flags()
	f.StringVar(&since, "from", "", "searches at this time or later: a time, a date, or how long ago (24h)")
	f.StringVar(&until, "to", "", "searches before this time (default now)")
	return c
}
