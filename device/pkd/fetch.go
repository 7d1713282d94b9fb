package pkd

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/fault"
)

// Request is one download.
type Request struct {
	Target Target
	Access Access
	Limits Limits
	Store  string             // folder of the trust store, made when it does not exist
	Pins   []*pki.Certificate // who may vouch for list signers, as trust.NewImporter takes them
	Full   bool               // fetch what is held, too
}

// Report is what became of a download.
type Report struct {
	Entries   int // that the directory has
	Unchanged int // of those: held in the same version, not fetched
	Fetched   int // over the connection, or out of the spool of a broken download
	Gone      int // held before and no longer in the directory; what they brought stays
	Referrals int // continuation references, not followed
	Result    trust.Result
}

// fold makes distinguished names comparable: servers keep the case that they
// were given.
func fold(dn string) string { return strings.ToLower(dn) }

// Fetch brings a store up to date with a directory. An error leaves the store
// as it was, and what came of the download in the spool. Single entries that
// were refused are in Result.
func Fetch(ctx context.Context, r Request) (Report, error) {
	release, err := lock(r.Store)
	if err != nil {
		return Report{}, err
	}
	defer release()
	record, err := readState(r.Store)
	if err != nil {
		return Report{}, err
	}
	pool, err := openSpool(r.Store, r.Target)
	if err != nil {
		return Report{}, err
	}
	defer pool.close()
	d := &download{request: r, record: record.of(r.Target), spool: pool, listed: map[string]string{}}
	if err := d.run(ctx); err != nil {
		return d.report, err
	}
	if err := d.take(ctx); err != nil {
		return d.report, err
	}
	if err := record.save(r.Store); err != nil {
		return d.report, err
	}
	pool.drop()
	if d.report.Fetched > 0 && d.taken == 0 && d.first != nil {
		return d.report, d.first
	}
	return d.report, nil
}

// download is one download at work.
type download struct {
	request Request
	record  *directory
	spool   *spool
	listed  map[string]string // version by folded name
	due     []string          // names as the directory spells them
	stale   []trust.Refusal   // entries older than the ones held
	report  Report
	taken   int
	first   error // of the values that were refused
}

// run lists the directory and fetches what is due into the spool.
func (d *download) run(ctx context.Context) error {
	s, err := connect(ctx, d.request.Target, d.request.Access, d.request.Limits.withDefaults())
	if err != nil {
		return err
	}
	defer func() {
		d.report.Referrals = s.referrals
		s.close()
	}()
	if err := d.list(ctx, s); err != nil {
		return err
	}
	return d.fetch(ctx, s)
}

// list learns what there is and decides what is due.
func (d *download) list(ctx context.Context, s *session) error {
	retry := d.record.Anchors != d.anchors() // what was refused may now hang on an anchor
	highest := int64(0)
	err := s.all(ctx, filter(), versions, func(e *ldap.Entry) error {
		name, version := fold(e.DN), versionOf(e)
		if _, twice := d.listed[name]; twice {
			return fault.New(ErrEndless.Code, "an entry comes twice")
		}
		d.listed[name] = version
		n, counted := number(version)
		highest = max(highest, n)
		before, known := d.record.Entries[name]
		if b, ok := number(before.Version); ok && (!counted || n < b) {
			d.stale = append(d.stale, trust.Refusal{Subject: e.DN, Reason: ErrRollback.Code})
			return nil
		}
		if known && version != "" && version == before.Version && !d.request.Full && (before.Refused == "" || !retry) {
			d.report.Unchanged++
			return nil
		}
		d.due = append(d.due, e.DN)
		return nil
	})
	if err != nil {
		return err
	}
	d.report.Entries = len(d.listed)
	if highest < d.record.Highest {
		return fault.New(ErrRollback.Code, "the directory's newest version is %d, %d was seen before", highest, d.record.Highest)
	}
	d.record.Highest = highest
	for name := range d.record.Entries {
		if _, there := d.listed[name]; !there {
			d.report.Gone++
			delete(d.record.Entries, name)
		}
	}
	return nil
}

// fetch reads what is due and not in the spool: entry by entry where it is
// little of the directory; else by the range of versions, where the directory
// can compare them; else all of it.
func (d *download) fetch(ctx context.Context, s *session) error {
	d.report.Fetched = len(d.due)
	missing := d.missing()
	few := func() bool { return len(missing)*10 <= len(d.listed) }
	take := func(e *ldap.Entry) error {
		if _, ok := missing[fold(e.DN)]; !ok {
			return nil
		}
		return d.keep(e)
	}
	if lowest, highest, ok := d.span(missing); ok && !few() && len(missing) < len(d.listed) {
		if err := s.all(ctx, between(lowest, highest), wanted(), take); err != nil {
			return err
		}
		missing = d.missing()
	}
	if !few() {
		return s.all(ctx, filter(), wanted(), take)
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		e, err := s.one(ctx, missing[name], wanted())
		if err != nil {
			return err
		}
		if e == nil {
			continue // left since the listing
		}
		if err := d.keep(e); err != nil {
			return err
		}
	}
	return nil
}

// missing are the names that are due and not in the spool in the version
// listed, as the directory spells them, by folded name.
func (d *download) missing() map[string]string {
	missing := map[string]string{}
	for _, dn := range d.due {
		name := fold(dn)
		if e := d.spool.entries[name]; e == nil || e.Version == "" || e.Version != d.listed[name] {
			missing[name] = dn
		}
	}
	return missing
}

// span is the range of the numbers of versions; ok is false where one has none.
func (d *download) span(names map[string]string) (lowest, highest int64, ok bool) {
	lowest = math.MaxInt64
	for name := range names {
		n, counted := number(d.listed[name])
		if !counted {
			return 0, 0, false
		}
		lowest, highest = min(lowest, n), max(highest, n)
	}
	return lowest, highest, len(names) > 0
}

// keep puts an entry into the spool.
func (d *download) keep(e *ldap.Entry) error {
	f := &fetched{Name: e.DN, Version: versionOf(e)}
	for _, a := range e.Attributes {
		base, _, _ := strings.Cut(a.Name, ";")
		if !slices.ContainsFunc(holding, func(h string) bool { return strings.EqualFold(h, base) }) {
			continue
		}
		for _, raw := range a.ByteValues {
			f.Values = append(f.Values, value{Attribute: base, Raw: raw})
		}
	}
	return d.spool.add(f)
}

// take imports what is due out of the spool and records it.
func (d *download) take(ctx context.Context) error {
	im, err := trust.NewImporter(ctx, d.request.Store, d.request.Pins)
	if err != nil {
		return err
	}
	defer im.Close()
	var values []trust.Value
	var owner []*fetched
	for _, dn := range d.due {
		f := d.spool.entries[fold(dn)]
		if f == nil {
			continue
		}
		for _, v := range f.Values {
			values = append(values, trust.Value{Entry: f.Name, Attribute: v.Attribute, Raw: v.Raw})
			owner = append(owner, f)
		}
		d.record.Entries[fold(dn)] = held{Version: f.Version}
	}
	result, refused := im.Directory(d.request.Target.String(), values)
	result.Refused = append(d.stale, result.Refused...)
	d.report.Result = result
	if err := im.Commit(); err != nil {
		return err
	}
	for i, err := range refused {
		if err == nil {
			d.taken++
			continue
		}
		d.first = cmp.Or(d.first, err)
		if errors.Is(err, trust.ErrForeign) {
			d.taken++
		}
		name := fold(owner[i].Name)
		h := d.record.Entries[name]
		h.Refused = fault.CodeOf(err)
		// An older edition than the one held will not get any newer.
		if errors.Is(err, trust.ErrRollback) {
			h.Refused = ""
		}
		d.record.Entries[name] = h
	}
	d.record.Anchors = d.anchors()
	return nil
}

// anchors is a digest of all that may vouch: the anchors held and the pins.
func (d *download) anchors() string {
	var all []string
	for _, p := range d.request.Pins {
		all = append(all, "pin "+p.Fingerprint())
	}
	if s, err := trust.Open(d.request.Store); err == nil {
		for _, e := range s.Entries() {
			if e.Anchor() {
				all = append(all, e.Fingerprint)
			}
		}
	}
	slices.Sort(all)
	sum := sha256.Sum256([]byte(strings.Join(all, " ")))
	return hex.EncodeToString(sum[:])
}
