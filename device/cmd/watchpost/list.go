package main

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

func listCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "Make, sign, check and apply watchlists",
		Long: `A list travels in a provisioning folder. Its owner builds a sealed generation into
the folder, two persons sign it on machines of their own, and a post takes it in:

  list import   a foreign list → records
  list diff     what changed between two editions
  list build    records → DIR/files/lists/LIST and its key wrapped for devices
  list sign     a manifest of all files in DIR, and one person's signature
  list verify   what a post would say to the folder, without taking it
  list apply    into a post's state, whole or not at all
  list stat     what a post holds
  list schema   the JSON schema of a record

By a feed (device/listfeed/README.md) the same list, and all else that decides, travels
in sealed chunks by any way:

  list signkey  an approver's key under a passphrase
  list root     who may sign what at the top of a feed, for its keepers to sign
  list delegate who may sign for an owner
  list stage    a built generation, or a policy, anchors... → chunks, and metadata for two to sign
  list sign     METADATA.json: one person's signature
  list publish  what two have signed, in a folder, without central
  list fetch    a feed → a stick or folder
  list verify   --feed: whether a feed is whole and whose it is
  list apply    --feed: into a post, running or not`,
	}
	c.AddCommand(listImportCommand(), listDiffCommand(), listBuildCommand(), listSignCommand(), listVerifyCommand(), listApplyCommand(), listStatCommand(), listSchemaCommand(), listSignKeyCommand(), listStageCommand(),
		listRootCommand(), listDelegateCommand(), listPublishCommand(), listFetchCommand())
	return c
}

func listSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of a record",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), record.Schema())
			return fault.Wrap("output.write", err)
		},
	}
}

// listRow is what is said of a generation.
type listRow struct {
	List        string            `json:"list"`
	Owner       string            `json:"owner"`
	Generation  uint64            `json:"generation"`
	Created     time.Time         `json:"created"`
	Expires     time.Time         `json:"expires"`
	Records     int               `json:"records"`
	Documents   int               `json:"documents"`
	Faces       []store.FaceIndex `json:"faces"`
	Photographs int               `json:"photographs"`
	Bytes       int64             `json:"bytes"`
}

func listRowOf(m *store.Manifest) listRow {
	row := listRow{m.List, m.Owner, m.Generation, m.Created, m.Expires, m.Records, m.Documents, m.Faces, m.Photographs, 0}
	if row.Faces == nil {
		row.Faces = []store.FaceIndex{}
	}
	for _, f := range m.Files {
		row.Bytes += f.Size
	}
	return row
}

func listBuildCommand() *cobra.Command {
	var spec store.Spec
	var dir, records, keyFile, action string
	var days int
	var recipients []string
	c := &cobra.Command{
		Use:   "build --dir DIR --list LIST --generation N --records FILE --key FILE --for KEY...",
		Short: "Build a sealed generation of a list into a provisioning folder",
		Long: `Read records, one JSON object a line (see "list schema"), and write them as a sealed
generation below DIR/files/lists/LIST, with the list's key wrapped for each device.
Owner, legal basis, purpose, handling and expiry hold for every record that does not
state its own. A record that breaks a rule is named by line, field and code, and
nothing is built.

Photographs and images of prints (a path relative to the file, or base64) are made anew
by a private decode process, as by "list import"; a photograph lies sealed beside its
record, for the officer who adjudicates.

--key FILE keeps the list's key, 32 bytes in base64; it is made when it is not there.
Whoever has it can read the list. --for KEY is a device's public key in base64, as
"watchpost keys" prints it (recipient).

One JSON object comes out: {list, owner, generation, created, expires, records,
documents, faces: [{model, version, templates, persons}], photographs, bytes}.`,
		Example: `  watchpost list build --dir folder --list national --generation 1 --records records.jsonl \
    --owner "Ministry" --legal-basis "Border act" --purpose border_check \
    --key national.key --for 9jxW0V7x7YQy0m3q2q8m9bq7o2b3W8l0d0v1q2r3s4U=`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			spec.Handling.Action = record.Action(action)
			spec.Created = time.Now()
			spec.Expires = spec.Created.AddDate(0, 0, days)
			var to []vault.Recipient
			for _, r := range recipients {
				key, err := base64.StdEncoding.DecodeString(r)
				if err != nil {
					return fault.New("usage", "--for is not base64")
				}
				to = append(to, key)
			}
			ring := vault.NewRing()
			defer ring.Close()
			key, err := listKey(ring, keyFile)
			if err != nil {
				return err
			}
			in, err := openInput(cmd, records)
			if err != nil {
				return err
			}
			defer in.Close()
			photos, err := openListPictures(cmd, folderOf(records))
			if err != nil {
				return err
			}
			defer photos.Close()
			b, err := install.Build(dir, ring, key, spec, to...)
			if err != nil {
				return err
			}
			if err := b.AddAll(cmd.Context(), pictured(cmd.Context(), in, &photos.Maker)); err != nil {
				b.Abort()
				return err
			}
			m, err := b.Finish(cmd.Context())
			if err != nil {
				return err
			}
			out := newRows(cmd)
			if err := out.JSON(listRowOf(m)); err != nil {
				return err
			}
			return out.End()
		},
	}
	f := c.Flags()
	f.StringVar(&dir, "dir", "", "provisioning folder, made when it is not there")
	f.StringVar(&spec.List, "list", "", "identifier of the list: a-z, 0-9, '_', '.', '-'")
	f.Uint64Var(&spec.Generation, "generation", 0, "number of the generation, higher than any before")
	f.StringVar(&records, "records", "", "file of records, one JSON object a line; - for standard input")
	f.StringVar(&spec.Owner, "owner", "", "authority that answers for the list")
	f.StringVar(&spec.LegalBasis, "legal-basis", "", "act that allows the list")
	f.StringVar(&spec.Purpose, "purpose", "", "what the list may be searched for")
	f.StringVar(&action, "action", string(record.Refer), "what an officer does on a confirmed match")
	f.IntVar(&days, "days", 30, "days until the list runs out")
	f.StringVar(&keyFile, "key", "", "file of the list's key")
	f.StringArrayVar(&recipients, "for", nil, "public key of a device, base64")
	require(c, "dir", "list", "generation", "records", "key")
	return c
}

func require(c *cobra.Command, flags ...string) {
	for _, f := range flags {
		if err := c.MarkFlagRequired(f); err != nil {
			panic("watchpost: " + err.Error())
		}
	}
}

// openInput opens a file, or standard input for "-".
func openInput(cmd *cobra.Command, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(cmd.InOrStdin()), nil
	}
	f, err := os.Open(name)
	return f, fault.Wrap("input.read", err)
}

// readLines reads one record a line. What is wrong is said with the line.
func readLines(in io.Reader, do func(line int, r *record.Record) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), record.MaxSize)
	n := 0
	for lines.Scan() {
		n++
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		r, err := record.Parse(lines.Bytes())
		if err != nil {
			return fault.New("list.record", "line %d: %w", n, err)
		}
		if err := do(n, r); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fault.New("list.record", "after line %d: %w", n, err)
	}
	return nil
}

// listKey reads a list's key, or makes one where there is no file.
func listKey(ring *vault.Ring, name string) (*vault.Key, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return makeListKey(ring, name)
	}
	if err != nil {
		return nil, fault.Wrap("list.key", err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fault.New("list.key", "the list's key is not base64")
	}
	return ring.Import(raw)
}

func makeListKey(ring *vault.Ring, name string) (*vault.Key, error) {
	raw := make([]byte, vault.KeySize)
	if _, err := rand.Read(raw); err != nil {
		return nil, fault.Wrap("list.key", err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fault.Wrap("list.key", err)
	}
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fault.Wrap("list.key", err)
	}
	return ring.Import(raw)
}
