package post

import (
	"slices"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
)

// tries keeps the counts of wrong passwords in post.db.
type tries struct{ *store.Store }

const triesCursor = "officer.tries"

// Load implements lockout.Keeper.
func (t tries) Load() ([]byte, error) { return t.Cursor(triesCursor) }

// Save implements lockout.Keeper.
func (t tries) Save(raw []byte) error { return t.Note(triesCursor, raw) }

func (p *Post) isAccount(id string) bool {
	return slices.ContainsFunc(p.Accounts().Accounts, func(a officer.Account) bool { return a.ID == id })
}

// accountShut writes down that somebody guesses an officer's password. The id
// is one of ours here, not what somebody typed.
func (p *Post) accountShut(id string) {
	err := p.Witnessed(audit.Line{Time: p.now(), Actor: "post", Action: audit.OfficerShut, Object: id})
	if err != nil {
		p.log.Error("audit line of a shut account", "code", string(fault.CodeOf(err)))
	}
}
