package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/fault"
)

func trustCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "trust",
		Short: "Keep the certificates that documents are judged by",
		Long: `Fill and show a laboratory trust store: a folder of CSCA and link certificates,
document signers, revocation lists and deviation lists, each with where it came
from. watchpostd refuses such a store: a post takes its anchors signed by two.`,
	}
	c.AddCommand(trustImportCommand(), trustFetchCommand(), trustListCommand(), trustDiffCommand(), trustCheckCommand(), trustPathCommand(), trustStatusCommand())
	return c
}

// importRow is the form of one imported file (design section 12).
type importRow struct {
	File         string          `json:"file"`
	Kind         trust.FileKind  `json:"kind"`
	Certificates int             `json:"certificates"`
	Accepted     int             `json:"accepted"`
	Refused      []trust.Refusal `json:"refused"`
	Error        *rowError       `json:"error,omitempty"`
}

func trustImportCommand() *cobra.Command {
	var store string
	var anchors []string
	c := &cobra.Command{
		Use:   "import --store DIR [--anchor CERT]... FILE...",
		Short: "Import certificates, master lists, CRLs, deviation lists and LDIF",
		Long: `Import files into a laboratory trust store, which is made when it does not exist.

A FILE is one of
  certificate     PEM or DER. A CSCA (self-signed, link or expired) becomes an
                  anchor because you gave it; a document signer is kept when an
                  anchor verifies it.
  master_list     CMS (.ml). Its signer must be given with --anchor, or be issued
                  by a CSCA given with --anchor or held, and be meant for signing
                  master lists. A newer edition replaces the publisher's older one;
                  an older one is refused (trust.rollback).
  crl             Must be signed by a CSCA held; an older one is refused.
  deviation_list  As a master list, with the deviation list usage.
  ldif            A collection as the ICAO PKD gives it; what it holds is taken by
                  the rules above, except that a CSCA in it is no anchor by itself, and
                  that a list whose signer only an anchor held vouches for brings
                  certificates of its own country alone (trust.foreign).

Files are taken in the order given, each as a whole or not at all, and written
together at the end. One JSON
object a file comes out: {file, kind, certificates, accepted, refused: [{subject,
reason}]}; a certificate already held counts as accepted. A file refused as a
whole has error: {code} beside, and makes the exit status 3.`,
		Example: `  watchpost trust import --store lab --anchor CSCA07.cer DE_ML_2025-03-05.ml
  watchpost trust import --store lab csca-utopia.pem utopia.crl icaopkd-001-complete-000123.ldif`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			pins, err := readAnchors(anchors)
			if err != nil {
				return err
			}
			im, err := trust.NewImporter(cmd.Context(), store, pins)
			if err != nil {
				return err
			}
			defer im.Close()
			out := newRows(cmd)
			var done []importRow
			for _, path := range files {
				r, err := im.File(cmd.Context(), path)
				reportImport(out.errOut, path, r, err)
				done = append(done, newImportRow(path, r, err))
			}
			// Nothing is said to be accepted before it is on disk.
			if err := im.Commit(); err != nil {
				return err
			}
			for _, row := range done {
				if row.Error != nil {
					out.Failed()
				}
				if err := out.JSON(row); err != nil {
					return err
				}
			}
			return out.End()
		},
	}
	c.Flags().StringVar(&store, "store", "", "folder of the trust store (required)")
	c.Flags().StringArrayVar(&anchors, "anchor", nil, "certificate that vouches for list signers: the CSCA over the signer, or the signer; repeatable")
	_ = c.MarkFlagRequired("store")
	return c
}

func newImportRow(path string, r trust.Result, err error) importRow {
	row := importRow{File: path, Kind: r.Kind, Certificates: r.Certificates, Accepted: r.Accepted, Refused: r.Refused}
	if row.Refused == nil {
		row.Refused = []trust.Refusal{}
	}
	if err != nil {
		row.Accepted, row.Error = 0, &rowError{Code: fault.CodeOf(err)}
	}
	return row
}

// reportImport tells the operator what became of a file.
func reportImport(w io.Writer, path string, r trust.Result, err error) {
	if err == nil {
		fmt.Fprintf(w, "%s: %s, %d new, %d withdrawn\n", path, r.Kind, r.Added, r.Withdrawn)
		return
	}
	fmt.Fprintf(w, "watchpost: %s: %v\n", path, err)
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintf(w, "  %s\n", hint)
	}
}

// certificateRow is the form of one certificate held.
type certificateRow struct {
	Subject     string       `json:"subject"`
	Issuer      string       `json:"issuer"`
	Country     string       `json:"country"`
	Serial      string       `json:"serial"`
	NotBefore   string       `json:"not_before"`
	NotAfter    string       `json:"not_after"`
	Algorithm   string       `json:"algorithm"`
	Key         string       `json:"key"`
	Kind        trust.Kind   `json:"kind"`
	Fingerprint string       `json:"fingerprint"`
	Provenance  []provenance `json:"provenance"`
	Edition     string       `json:"edition"`

	Signature trust.Standing `json:"signature,omitempty"` // with --verify
}

type provenance struct {
	File    string         `json:"file"`
	Kind    trust.FileKind `json:"kind"`
	List    string         `json:"list,omitempty"`
	Edition string         `json:"edition,omitempty"`
}

func trustListCommand() *cobra.Command {
	var store string
	var verify bool
	c := &cobra.Command{
		Use:   "list --store DIR",
		Short: "List the certificates of a trust store",
		Long: `List every certificate of a laboratory trust store, one JSON object a line:
subject, issuer, country (two letters, upper case), serial (hexadecimal, with a
minus sign where it is negative), not_before and not_after (RFC 3339, UTC),
algorithm of its signature, key, kind (csca, link or ds), fingerprint (SHA-256),
provenance (the files and lists that brought it) and edition (signing time of
the newest list that holds it, empty for a certificate given by itself).

With --verify each certificate's own signature is checked, and signature says
self (its own key), issuer (a certificate held), no_issuer (the issuer, or the key
that it signed with, is not held) or broken (the issuer is held and does not
verify it).`,
		Example: `  watchpost trust list --store lab | jq -r 'select(.kind=="csca") | .country' | sort | uniq -c
  watchpost trust list --store lab --verify | jq -r .signature | sort | uniq -c`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := trust.Open(store)
			if err != nil {
				return err
			}
			out := newRows(cmd)
			for _, e := range s.Entries() {
				row := newCertificateRow(e)
				if verify {
					row.Signature = s.Verify(e)
				}
				if err := out.JSON(row); err != nil {
					return err
				}
			}
			return out.End()
		},
	}
	c.Flags().StringVar(&store, "store", "", "folder of the trust store (required)")
	c.Flags().BoolVar(&verify, "verify", false, "check each certificate's own signature and say how it stands")
	_ = c.MarkFlagRequired("store")
	return c
}

func newCertificateRow(e *trust.Entry) certificateRow {
	c := e.Certificate
	country := c.Subject.Country()
	if country == "" {
		country = c.Issuer.Country()
	}
	row := certificateRow{
		Subject: c.Subject.String(), Issuer: c.Issuer.String(), Country: country,
		Serial:    c.Serial.Text(16),
		NotBefore: day(c.NotBefore), NotAfter: day(c.NotAfter),
		Algorithm: c.Algorithm.String(), Key: c.PublicKey.String(),
		Kind: e.Kind, Fingerprint: e.Fingerprint, Provenance: []provenance{}, Edition: day(e.Edition()),
	}
	for _, p := range e.Provenance {
		row.Provenance = append(row.Provenance, provenance{File: p.File, Kind: p.Kind, List: p.List, Edition: day(p.Edition)})
	}
	return row
}

// day renders a time, "" for none.
func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
