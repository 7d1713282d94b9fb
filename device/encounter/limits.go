package encounter

import (
	"encoding/json"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer/limit"
)

// limitsOf are the policy's limits of searches.
func limitsOf(o *policy.Officers) []limit.Rule {
	var rules []limit.Rule
	if o.SearchesPerHour > 0 {
		rules = append(rules, limit.Rule{Searches: o.SearchesPerHour, Window: time.Hour})
	}
	for _, l := range o.Limits {
		rules = append(rules, limit.Rule{Purpose: l.Purpose, Searches: l.Searches, Window: l.Window.Of()})
	}
	return rules
}

// linesBack is how many lines of the log are read at a time, from its end.
const linesBack = 512

// ledger returns who has searched within the limits' windows, as the audit log
// says: a restart gives nobody new searches.
func (p *Post) ledger() (*limit.Ledger, error) {
	l := limit.New(limitsOf(&p.Policy.Officers)...)
	if l.Window() == 0 {
		return l, nil
	}
	head, err := p.Store.AuditHead()
	if err != nil {
		return nil, err
	}
	for end := head.Lines; end > 0; {
		from := max(0, end-linesBack)
		raws, err := p.Store.AuditLines(from, int(end-from))
		if err != nil {
			return nil, err
		}
		for i, raw := range raws {
			var line audit.Line
			if err := json.Unmarshal(raw, &line); err != nil {
				return nil, fault.New("audit.changed_line", "line %d cannot be read", from+int64(i))
			}
			if line.Action == audit.EncounterOpened {
				l.Noted(line.Actor, line.Purpose, line.Time)
			}
			if i == 0 && p.Now().Sub(line.Time) >= l.Window() {
				from = 0 // what is before is older still
			}
		}
		end = from
	}
	return l, nil
}

// allowSearch counts a search against the policy's limits. What is refused is
// written down: somebody tries to use the post as an oracle.
func (p *Post) allowSearch(req OpenRequest) error {
	err := p.searches.Allow(req.Officer, req.Purpose, p.Now())
	if err == nil {
		return nil
	}
	line := audit.Line{Time: p.Now(), Actor: req.Officer, Action: audit.SearchLimited, Purpose: req.Purpose}
	if werr := p.Store.Commit(store.Change{Audit: []audit.Line{line}}); werr != nil {
		return werr
	}
	return err
}
