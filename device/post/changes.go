package post

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/post/feeds"
)

// listsCursor keeps which lists were in force when the post last started.
const listsCursor = "lists.generations"

// lastEdition is the highest edition of accounts taken in, 0 for none.
func (p *Post) lastEdition() (int, error) { return feeds.Edition(p.store) }

// noteChanges writes down which accounts and lists came into force, or went,
// since the post last started.
func (p *Post) noteChanges() error {
	last, err := p.lastEdition()
	if err != nil {
		return err
	}
	if err := p.noteAccounts(p.Accounts().Edition, last); err != nil {
		return err
	}
	raw, err := p.store.Cursor(listsCursor)
	if err != nil {
		return err
	}
	before, now := map[string]uint64{}, map[string]uint64{}
	if raw != nil {
		if err := json.Unmarshal(raw, &before); err != nil {
			return fault.Wrap("store.damaged", err)
		}
	}
	for _, l := range p.applied.lists.Lists {
		now[l.Manifest().List] = l.Manifest().Generation
	}
	lines := listChanges(before, now)
	if len(lines) == 0 {
		return nil
	}
	for i := range lines {
		lines[i].Time = p.now()
	}
	for _, line := range lines[1:] {
		if err := p.Witnessed(line); err != nil {
			return err
		}
	}
	if raw, err = json.Marshal(now); err != nil {
		return fault.Wrap("store.failed", err)
	}
	return p.store.SetCursor(listsCursor, raw, lines[0]) // last: what was not noted is noted at the next start
}

func listChanges(before, now map[string]uint64) []audit.Line {
	var lines []audit.Line
	for _, list := range slices.Sorted(maps.Keys(now)) {
		if was, held := before[list]; !held || was != now[list] {
			lines = append(lines, audit.Line{Actor: "post", Action: audit.ListChanged, Object: list, Facts: map[string]string{"generation": strconv.FormatUint(now[list], 10)}})
		}
	}
	for _, list := range slices.Sorted(maps.Keys(before)) {
		if _, held := now[list]; !held {
			lines = append(lines, audit.Line{Actor: "post", Action: audit.ListWithdrawn, Object: list})
		}
	}
	return lines
}

// noteAccounts writes down that another edition of the accounts is in force.
func (p *Post) noteAccounts(now, last int) error {
	if now == last {
		return nil
	}
	line := audit.Line{Time: p.now(), Actor: "post", Action: audit.AccountsChanged, Facts: map[string]string{"edition": strconv.Itoa(now)}}
	return p.store.SetCursor(feeds.AccountsCursor, binary.BigEndian.AppendUint64(nil, uint64(max(0, now))), line)
}
