package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/audit/witness"
	"github.com/watchpost/watchpost/device/fault"
)

// verified is one row of "audit verify": the log by itself, or one source of
// heads held against it.
type verified struct {
	Source string     `json:"source"` // log, post, central, witness:DIR
	Lines  int64      `json:"lines"`  // of the log; under the last head of a source
	Root   string     `json:"root,omitempty"`
	Heads  *int       `json:"heads,omitempty"` // of a source that are good
	Last   *time.Time `json:"last,omitempty"`  // when the last of them was signed
	Error  *rowError  `json:"error,omitempty"`
}

func auditVerifyCommand() *cobra.Command {
	var flags auditFlags
	var key, central string
	var witnesses []string
	var maxGap time.Duration
	c := &cobra.Command{
		Use:   "verify",
		Short: "Hold a log against its own hashes and against heads kept elsewhere",
		Long: `Reads every line again and compares: with the hashes stored beside the lines, with the
heads that the post signed, with those that central holds (--central: the output of
"watchpost-central heads export POST") and with those of witnesses (--witness: the medium's
folder, or the state folder of "audit witness"; may be given several times).

Without heads from elsewhere the post is believed on its own word: whoever has its disk
and its key could have written the whole log anew.

One row comes out for the log, one for each source of heads: {source, lines, heads, last}.
A row that failed has error: {code}, and the exit status is 3:
  audit.changed_line, audit.missing_line   a line was changed, swapped or taken out
  audit.truncated                          lines were taken off the end
  audit.rewritten                          the log is another than the one signed for
  audit.fork                               the source holds two heads of one number
  audit.head_missing                       no head, one left out, or lines that waited
                                           longer than --max-gap for one
  audit.head_key, audit.head_forged        signed by another key, or changed
  audit.head_origin, audit.head_form       of another post, or no head`,
		Example: `  watchpost audit verify --state /var/lib/watchpost --key "$(cat key-of-desk-1)" \
      --central heads.jsonl --witness /media/stick
  watchpost audit verify --log desk-1.jsonl --central heads.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if maxGap < 0 {
				return fault.New("usage", "--max-gap is not below zero")
			}
			return flags.with(cmd, func(log auditLog, own string) error {
				return verifyLog(cmd, log, verifySources{own: own, key: auditKeyText(key), central: central, witnesses: witnesses, maxGap: maxGap})
			})
		},
	}
	flags.register(c)
	f := c.Flags()
	f.StringVar(&key, "key", "", "the post's audit key (\"audit key\"), got by another way than from the post")
	f.StringVar(&central, "central", "", "file of heads that central holds")
	f.StringArrayVar(&witnesses, "witness", nil, "folder of heads that a witness holds")
	f.DurationVar(&maxGap, "max-gap", 30*time.Minute, "how long a line may have waited for a head; 0 does not ask")
	return c
}

// verifySources are what a log is held against.
type verifySources struct {
	own, key, central string
	witnesses         []string
	maxGap            time.Duration
}

func verifyLog(cmd *cobra.Command, log auditLog, s verifySources) error {
	out := newRows(cmd)
	key, err := s.chosen()
	if err != nil {
		return err
	}
	verifier, err := checkpoint.ParseKey(key)
	if err != nil {
		return err
	}
	rules := audit.Rules{Origin: verifier.Name(), Key: verifier, MaxGap: s.maxGap}
	heads, err := allOf(log.Heads)
	if err != nil {
		return err
	}
	sources := []audit.Evidence{{Source: "post", Heads: heads}}
	if s.central != "" {
		held, _, err := centralHeads(s.central, rules.Origin)
		if err != nil {
			return err
		}
		sources = append(sources, audit.Evidence{Source: "central", Heads: held})
	}
	for _, dir := range s.witnesses {
		folder, err := witness.OpenFolder(dir)
		if err != nil {
			return err
		}
		held, err := folder.Heads(rules.Origin)
		if err != nil {
			return err
		}
		sources = append(sources, audit.Evidence{Source: "witness:" + dir, Heads: held})
	}
	head, findings, err := log.CheckAudit(rules, sources...)
	if fault.CodeOf(err) != "" && !strings.HasPrefix(string(fault.CodeOf(err)), "audit.") {
		return err // it could not be read at all
	}
	if err := out.verified(verified{Source: "log", Lines: head.Lines, Root: head.Root}, err); err != nil {
		return err
	}
	for _, f := range findings {
		row := verified{Source: f.Source, Lines: f.Covers, Heads: &f.Heads}
		if !f.Last.IsZero() {
			row.Last = &f.Last
		}
		if err := out.verified(row, f.Err); err != nil {
			return err
		}
	}
	if s.key == "" && s.central == "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "watchpost: the key is the post's own word: give --key or --central")
	}
	return out.End()
}

// chosen is the key to verify with: the one that was given, else central's,
// else the post's own. Those that are known have to be one.
func (s *verifySources) chosen() (string, error) {
	key := s.key
	if s.central != "" {
		origin := ""
		for _, known := range []string{s.key, s.own} {
			if v, err := checkpoint.ParseKey(known); err == nil && origin == "" {
				origin = v.Name()
			}
		}
		_, pinned, err := centralHeads(s.central, origin)
		if err != nil {
			return "", err
		}
		if key != "" && pinned != "" && key != pinned {
			return "", fault.New(checkpoint.ErrKey.Code, "central holds another key of this post than --key")
		}
		if key == "" {
			key = pinned
		}
	}
	if key == "" {
		key = s.own
	}
	if key == "" {
		return "", fault.New("audit.no_key", "no key to verify heads with").WithHint("give --key, or --central")
	}
	return key, nil
}

// verified writes a row, with the reason of a failed one for people.
func (r *rows) verified(v verified, err error) error {
	if err != nil {
		v.Error = &rowError{fault.CodeOf(err)}
		r.Failed()
		fmt.Fprintf(r.errOut, "watchpost: %s: %v\n", v.Source, err)
	}
	return r.JSON(v)
}
