package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/document/trust"
)

// statusRow is one list that a store holds, with its age.
type statusRow struct {
	Kind         trust.FileKind `json:"kind"`    // master_list, deviation_list or crl
	List         string         `json:"list"`    // country that published it
	Edition      string         `json:"edition"` // signing time, or this update of a CRL; "" where there is none
	AgeDays      int            `json:"age_days"`
	NextUpdate   string         `json:"next_update,omitempty"` // of a CRL
	Stale        bool           `json:"stale"`                 // a CRL past its next update
	Certificates int            `json:"certificates"`          // that the list vouches for, or that the CRL names
	File         string         `json:"file"`
	Signer       string         `json:"signer"` // fingerprint
}

func trustStatusCommand() *cobra.Command {
	var store, at string
	c := &cobra.Command{
		Use:   "status --store DIR [--at TIME]",
		Short: "Show the lists of a trust store and how old they are",
		Long: `List the master lists, deviation lists and CRLs that a laboratory trust store
holds, one JSON object a line: {kind, list, edition, age_days, next_update,
stale, certificates, file, signer}. edition is the signing time of a list, or
this update of a CRL; stale says of a CRL that its next update has passed;
certificates counts those that the list vouches for, or that the CRL revokes.
TIME is the day that ages are counted for, now by default.`,
		Example: `  watchpost trust status --store lab | jq -r 'select(.stale) | .list'`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			if at != "" {
				var err error
				if now, err = parseTime(at); err != nil {
					return err
				}
			}
			s, err := trust.Open(store)
			if err != nil {
				return err
			}
			out := newRows(cmd)
			for _, row := range statusRows(s, now) {
				if err := out.JSON(row); err != nil {
					return err
				}
			}
			return out.End()
		},
	}
	c.Flags().StringVar(&store, "store", "", "folder of the trust store (required)")
	c.Flags().StringVar(&at, "at", "", "time that ages are counted for, RFC 3339 or a date")
	_ = c.MarkFlagRequired("store")
	return c
}

func statusRows(s *trust.Store, now time.Time) []statusRow {
	const aDay = 24 * time.Hour
	vouched := map[string]int{}
	for _, e := range s.Entries() {
		for _, p := range e.Provenance {
			vouched[p.Digest]++
		}
	}
	var rows []statusRow
	for _, l := range s.Lists() {
		row := statusRow{Kind: l.Kind, List: l.List, Edition: day(l.Edition), Certificates: vouched[l.Digest], File: l.File, Signer: l.Signer}
		if !l.Edition.IsZero() {
			row.AgeDays = int(now.Sub(l.Edition) / aDay)
		}
		rows = append(rows, row)
	}
	for _, l := range s.RevocationLists() {
		rows = append(rows, statusRow{Kind: trust.FileCRL, List: l.Country, Edition: day(l.ThisUpdate), AgeDays: int(now.Sub(l.ThisUpdate) / aDay),
			NextUpdate: day(l.NextUpdate), Stale: !l.NextUpdate.IsZero() && now.After(l.NextUpdate), Certificates: l.Revoked, File: l.File, Signer: l.Signer})
	}
	return rows
}
