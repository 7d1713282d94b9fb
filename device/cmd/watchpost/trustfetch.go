package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/pkd"
)

// fetchRow is the form of one download.
type fetchRow struct {
	URL          string          `json:"url"`
	Kind         trust.FileKind  `json:"kind"`
	Entries      int             `json:"entries"`
	Unchanged    int             `json:"unchanged"`
	Fetched      int             `json:"fetched"`
	Gone         int             `json:"gone"`
	Referrals    int             `json:"referrals"`
	Certificates int             `json:"certificates"`
	Accepted     int             `json:"accepted"`
	Added        int             `json:"added"`
	Withdrawn    int             `json:"withdrawn"`
	Refused      []trust.Refusal `json:"refused"`
	Error        *rowError       `json:"error,omitempty"`
}

func trustFetchCommand() *cobra.Command {
	var store, url, roots, name, passwordFile string
	var anchors []string
	var timeout time.Duration
	var startTLS, full bool
	c := &cobra.Command{
		Use:   "fetch --ldap URL --store DIR [--anchor CERT]...",
		Short: "Bring a store up to date with a live directory (ICAO PKD by LDAP)",
		Long: `Download master lists, document signers, CRLs and deviation lists from an LDAP
directory in the shape of the ICAO Public Key Directory into a laboratory trust
store.

URL is ldap://HOST[:PORT][/BASE] or ldaps://...; without BASE it is
dc=data,dc=download,dc=pkd,dc=icao,dc=int. What does not conform to Doc 9303
lies in the ICAO PKD under dc=nc-data and is fetched by giving that as BASE.

The directory is asked what it has and of which version (pkdVersion, else
modifyTimestamp); only what is new or changed is fetched, unless --full. A
download that breaks is resumed by the next one; nothing is taken until all of
it is there. What comes is taken by the rules of "trust import" for LDIF:
list signers must be vouched for by --anchor, or by a CSCA held, which then
brings certificates of its own country alone (trust.foreign); older editions and
versions are refused (trust.rollback, pkd.rollback). Referrals are not
followed. A password is sent under TLS only.

Out: one JSON object {url, kind, entries, unchanged, fetched, gone, referrals,
certificates, accepted, added, withdrawn, refused: [{subject, reason}]}; a
download refused as a whole has error: {code} beside, and makes the exit
status 3.`,
		Example: `  watchpost trust fetch --ldap ldaps://pkddownload.example --bind-dn cn=reader,dc=example --password-file pw --store lab --anchor CSCA-UN.cer
  watchpost trust fetch --ldap ldap://localhost:1389/dc=data,dc=download,dc=pkd,dc=icao,dc=int --store lab --anchor CSCA07.cer`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := pkd.ParseURL(url)
			if err != nil {
				return fault.New("usage", "--ldap: %v", err)
			}
			r := pkd.Request{Target: target, Store: store, Full: full, Access: pkd.Access{StartTLS: startTLS, Name: name}}
			if r.Pins, err = readAnchors(anchors); err != nil {
				return err
			}
			if passwordFile != "" {
				raw, err := readLimited(passwordFile, 4<<10)
				if err != nil {
					return fault.Wrap("pkd.password_file", err)
				}
				r.Access.Password = strings.TrimRight(string(raw), "\r\n")
			}
			if (name == "") != (passwordFile == "") {
				return fault.New("usage", "--bind-dn and --password-file belong together")
			}
			if roots != "" {
				if r.Access.Roots, err = readRoots(roots); err != nil {
					return err
				}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			report, err := pkd.Fetch(ctx, r)
			out := newRows(cmd)
			row := newFetchRow(target, report)
			if err != nil {
				row.Error = &rowError{Code: fault.CodeOf(err)}
				out.Failed()
				fmt.Fprintf(out.errOut, "watchpost: %s: %v\n", target, err)
				if hint := fault.HintOf(err); hint != "" {
					fmt.Fprintf(out.errOut, "  %s\n", hint)
				}
			}
			if err := out.JSON(row); err != nil {
				return err
			}
			return out.End()
		},
	}
	c.Flags().StringVar(&url, "ldap", "", "directory (required)")
	c.Flags().StringVar(&store, "store", "", "folder of the trust store (required)")
	c.Flags().StringArrayVar(&anchors, "anchor", nil, "certificate that vouches for list signers: the CSCA over the signer, or the signer; repeatable")
	c.Flags().BoolVar(&startTLS, "starttls", false, "TLS on a connection of ldap://")
	c.Flags().StringVar(&roots, "ca", "", "PEM file of those who may vouch for the server, in place of the system's")
	c.Flags().StringVar(&name, "bind-dn", "", "name to sign in with")
	c.Flags().StringVar(&passwordFile, "password-file", "", "file that holds its password")
	c.Flags().DurationVar(&timeout, "timeout", 30*time.Minute, "give up after this time; the next download goes on")
	c.Flags().BoolVar(&full, "full", false, "fetch what is held, too")
	_ = c.MarkFlagRequired("ldap")
	_ = c.MarkFlagRequired("store")
	return c
}

func newFetchRow(t pkd.Target, r pkd.Report) fetchRow {
	row := fetchRow{
		URL: t.String(), Kind: trust.FileLDAP, Entries: r.Entries, Unchanged: r.Unchanged, Fetched: r.Fetched, Gone: r.Gone, Referrals: r.Referrals,
		Certificates: r.Result.Certificates, Accepted: r.Result.Accepted, Added: r.Result.Added, Withdrawn: r.Result.Withdrawn, Refused: r.Result.Refused,
	}
	if row.Refused == nil {
		row.Refused = []trust.Refusal{}
	}
	return row
}

// readAnchors reads the certificates given with --anchor.
func readAnchors(paths []string) ([]*pki.Certificate, error) {
	var pins []*pki.Certificate
	for _, path := range paths {
		p, err := trust.ReadCertificate(path)
		if err != nil {
			return nil, fmt.Errorf("--anchor %s: %w", path, err)
		}
		pins = append(pins, p)
	}
	return pins, nil
}

func readRoots(path string) (*x509.CertPool, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap("pkd.roots", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, fault.New("pkd.roots", "--ca holds no certificate in PEM")
	}
	return pool, nil
}
