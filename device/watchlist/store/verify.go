package store

import (
	"bytes"
	"context"
	"path/filepath"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/docnumber"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// Verify reads everything: file digests, every record and its rules, and that
// tables and records belong together. It fails with ErrDamaged.
func (g *Generation) Verify(ctx context.Context) error {
	for _, f := range g.m.Files {
		if err := ctx.Err(); err != nil {
			return fault.Wrap("store.cancelled", err)
		}
		size, sum, err := sumFile(filepath.Join(g.dir, f.Name))
		if err != nil {
			return err
		}
		if size != f.Size || !bytes.Equal(sum, f.SHA256) {
			return damaged("%s is not the file that was made", f.Name)
		}
	}
	faces, err := g.LoadFaces(ctx)
	if err != nil {
		return err
	}
	table, err := g.LoadDocuments(ctx)
	if err != nil {
		return err
	}
	printed, err := g.LoadFingers(ctx)
	if err != nil {
		return err
	}
	prints := map[RecordKey]bool{}
	for _, k := range printed.Records {
		prints[k] = true
	}
	templates := map[RecordKey]bool{}
	for _, f := range faces {
		for _, k := range f.Records {
			templates[k] = true
		}
	}
	photographs, records, listed := 0, 0, map[docnumber.Entry]bool{}
	err = g.Each(ctx, func(k RecordKey, r *record.Record) error {
		records++
		if err := r.Validate(); err != nil {
			return damaged("a record breaks its rules: %w", err)
		}
		if own, err := g.seal.recordKey(r.ID); err != nil || own != k {
			return damaged("a record stands under another's key")
		}
		if (len(r.Faces) > 0) != templates[k] {
			return damaged("a record's faces are not those of the gallery")
		}
		delete(templates, k)
		if !printed.Other && (len(r.Fingers) > 0) != prints[k] {
			return damaged("a record's fingers are not those of the index")
		}
		delete(prints, k)
		for n := range r.Photographs {
			if _, err := g.Photograph(r, n); err != nil {
				return err
			}
			photographs++
		}
		entries, err := documentEntries(g.seal.index, r, k)
		if err != nil {
			return err
		}
		for _, e := range entries {
			listed[e] = true
			if !containsLocator(table.Lookup(e.Hash), e.Record) {
				return damaged("a record's document is not in the table")
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if photographs != g.m.Photographs || records != g.m.Records || len(listed) != g.m.Documents || len(templates)+len(prints) != 0 {
		return damaged("the tables hold what no record has, or records are missing")
	}
	return nil
}

func containsLocator(in []docnumber.Locator, l docnumber.Locator) bool {
	for _, m := range in {
		if m == l {
			return true
		}
	}
	return false
}
