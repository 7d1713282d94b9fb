package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/path"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/fault"
)

// pathRow is the form of one certificate of "trust path".
type pathRow struct {
	File   string    `json:"file"`
	Valid  bool      `json:"valid"`
	Path   []string  `json:"path"` // subjects, from below the anchor to the certificate
	Reason string    `json:"reason,omitempty"`
	Error  *rowError `json:"error,omitempty"`
}

func trustPathCommand() *cobra.Command {
	var anchors, others, crls []string
	var at string
	c := &cobra.Command{
		Use:   "path --anchor CERT... [--with FILE]... [--crl FILE]... [--at TIME] CERT...",
		Short: "Validate certification paths by RFC 5280, to the letter",
		Long: `Say whether a certificate has a path to an anchor that stands by RFC 5280 to the
letter: signatures, names, dates, authorities, key usage, path length, policies,
name constraints, and revocation where --crl gives lists. Documents are not
judged by it ("document inspect" tolerates what states really issue and says
so); it tells where a path departs from the book.

--with gives certificates that may stand between (certificates, master lists,
LDIF). Out: one JSON object a certificate {file, valid, path, reason}; reason is
a code such as path.signature, path.validity, path.not_ca or path.revoked.`,
		Example: `  watchpost trust path --anchor CSCA07.cer --crl d.crl ds.cer
  watchpost trust path --anchor old-csca.cer --with links.pem --at 2025-03-01 ds.cer`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			in := path.Input{At: time.Now(), RequireCRL: len(crls) > 0}
			var err error
			if at != "" {
				if in.At, err = parseTime(at); err != nil {
					return err
				}
			}
			if in.Anchors, err = readAnchors(anchors); err != nil {
				return err
			}
			if len(others) > 0 {
				v, err := trust.Look(cmd.Context(), others...)
				if err != nil {
					return err
				}
				for _, e := range v.Entries {
					in.Intermediates = append(in.Intermediates, e.Certificate)
				}
			}
			for _, file := range crls {
				raw, err := readLimited(file, pki.MaxCRLBytes+1)
				if err != nil {
					return fault.Wrap("trust.file", err)
				}
				if blocks := pki.DecodePEM(raw); len(blocks) == 1 {
					raw = blocks[0].Bytes
				}
				l, err := pki.ParseCRL(raw)
				if err != nil {
					return err
				}
				in.CRLs = append(in.CRLs, l)
			}
			out := newRows(cmd)
			for _, file := range files {
				row := pathRow{File: file, Path: []string{}}
				end, err := trust.ReadCertificate(file)
				if err != nil {
					row.Error = &rowError{Code: fault.CodeOf(err)}
					out.Failed()
				} else if found, err := path.Verify(cmd.Context(), end, in); err != nil {
					row.Reason = string(fault.CodeOf(err))
				} else {
					row.Valid = true
					for _, c := range found {
						row.Path = append(row.Path, c.Subject.String())
					}
				}
				if err := out.JSON(row); err != nil {
					return err
				}
			}
			return out.End()
		},
	}
	c.Flags().StringArrayVar(&anchors, "anchor", nil, "certificate where a path may end; repeatable (required)")
	c.Flags().StringArrayVar(&others, "with", nil, "file of certificates that may stand between; repeatable")
	c.Flags().StringArrayVar(&crls, "crl", nil, "revocation list; repeatable. With one, every certificate needs a current list")
	c.Flags().StringVar(&at, "at", "", "time to judge for, RFC 3339 or a date; now by default")
	_ = c.MarkFlagRequired("anchor")
	return c
}
