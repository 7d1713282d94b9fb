package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/cvc"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	"github.com/watchpost/watchpost/hwtest/passport"
)

func passportMakeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "make",
		Short: "Write a passport's files and its issuer's certificates",
		Long: `Writes the files of the chip (EF.SOD, EF.COM, DG1, ...) to a folder, as
"watchpost document inspect --dir" takes them, and what its issuer publishes to
the folder pki inside it: CSCA.der, DS.der, CSCA.crl (of today, revoking nobody)
and masterlist.ml. "watchpost trust import" takes those. Where the profile has a
terminal, pki/is-key.pem is the inspection system's key with its certificates,
for "watchpost chip read --is-key".

Standard output is one line of JSON: the folder, the zone's lines, and the key
for "watchpost chip read --mrz". Files that are there already are replaced.`,
		Example: `  hwtest passport make --out /tmp/utopia
  watchpost trust import --store /tmp/store /tmp/utopia/pki/CSCA.der
  watchpost document inspect --dir /tmp/utopia --trust /tmp/store`,
		Args: cobra.NoArgs,
	}
	profile := profileFlag(cmd)
	out := cmd.Flags().String("out", "", "folder to write to, made if need be (required)")
	if err := cmd.MarkFlagRequired("out"); err != nil {
		panic("hwtest: " + err.Error())
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, err := loadProfile(*profile)
		if err != nil {
			return err
		}
		if err := writePassport(*out, p, time.Now().UTC().Truncate(24*time.Hour)); err != nil {
			return err
		}
		return describe(cmd, p, map[string]any{"dir": *out})
	}
	return cmd
}

// describe prints one line of JSON about a passport: what is given, the lines
// of its zone and its access key. The holder is invented.
func describe(cmd *cobra.Command, p passport.Profile, line map[string]any) error {
	lines, err := p.MRZ()
	if err != nil {
		return err
	}
	line["mrz"], line["key"] = lines, p.Person().Key()
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetEscapeHTML(false)
	return fault.Wrap(codeWrite, enc.Encode(line))
}

// writePassport writes files and certificates; the CRL is of this day.
func writePassport(dir string, p passport.Profile, day time.Time) error {
	doc, err := passport.Personalise(p)
	if err != nil {
		return err
	}
	spec, err := p.IssuerSpec()
	if err != nil {
		return err
	}
	issuer, err := pki.New(spec)
	if err != nil {
		return err
	}
	crl, err := issuer.CRL(day)
	if err != nil {
		return err
	}
	list, err := issuer.MasterList(issuer.CSCA.DER)
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"pki/CSCA.der": issuer.CSCA.DER, "pki/DS.der": issuer.DS.DER, "pki/CSCA.crl": crl, "pki/masterlist.ml": list,
	}
	if p.Terminal != nil && !p.Terminal.Unguarded {
		h, err := cvc.New(p.Terminal.Authority)
		if err != nil {
			return err
		}
		files["pki/is-key.pem"] = h.PEM()
	}
	for name, content := range doc.Files {
		if name == "CVCA" || name == "COM" || name == "SOD" || name == "CardAccess" || name == "CardSecurity" || name == "DIR" || name == "ATR_INFO" {
			name = "EF." + name
		}
		files[name+".bin"] = content
	}
	if err := os.MkdirAll(filepath.Join(dir, "pki"), 0o755); err != nil {
		return fault.Wrap(codeWrite, err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fault.Wrap(codeWrite, fmt.Errorf("%s: %w", name, err))
		}
	}
	return nil
}
