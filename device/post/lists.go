package post

import (
	"time"

	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/screening/local"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/device/uplink/command"
	"github.com/watchpost/watchpost/device/web"
)

// screener puts the local source, and central beside it where there is a link,
// under the policy's rules. Records that were recalled are found by neither.
func screener(rules *policy.Policy, now func() time.Time, link *uplink.Link, orders *command.Ledger, source screening.Source) (*screening.Screener, error) {
	sources := []screening.Source{source}
	if link != nil { // and with it the orders
		sources = []screening.Source{command.Source{Source: source, Ledger: orders}, command.Source{Source: link, Ledger: orders}}
	}
	return screening.New(screening.Rules{
		Required:      rules.Search.Required,
		Performed:     []screening.Modality{screening.Face, screening.Finger, screening.Document},
		MaxListAge:    rules.Search.MaxListAge.Of(),
		MaxCandidates: rules.Biometric.MaxCandidates,
		FPIR:          rules.Biometric.IdentificationFPIR,
		LateBy:        rules.Deadlines.LateHitBy.Of(),
	}, now, sources...)
}

// limits are the policy's for the local source.
func limits(rules *policy.Policy) local.Limits {
	return local.Limits{
		FPIR:           rules.Biometric.IdentificationFPIR,
		MaxCandidates:  rules.Biometric.MaxCandidates,
		AlarmMaxList:   rules.Biometric.FaceAlarmMaxList,
		AlarmMinFrames: rules.Biometric.FaceAlarmMinFrames,
		Faces:          rules.Biometric.FaceCurve(),
	}
}

// listStates is what the post says of its lists.
func (p *Post) listStates() []web.ListState {
	out := []web.ListState{}
	p.lists.Use(func(all []*local.List) {
		for _, l := range all {
			s := listState(l, p.applied.policy.Search.MaxListAge.Of(), p.now())
			s.Stale = s.Stale || p.feed != nil && p.lists.StaleFeed(s.List)
			out = append(out, s)
		}
	})
	return out
}

// listState is what the post says of a list.
func listState(l *local.List, maxAge time.Duration, now time.Time) web.ListState {
	m := l.Manifest()
	faces := 0
	for _, f := range m.Faces {
		faces += f.Templates
	}
	return web.ListState{
		List: m.List, Owner: m.Owner, Generation: m.Generation, Issued: m.Created, Records: m.Records, Documents: m.Documents, Faces: faces,
		AgeSeconds: int64(now.Sub(m.Created).Seconds()), MaxAgeSeconds: int64(maxAge.Seconds()),
		Stale: now.Sub(m.Created) > maxAge || !now.Before(m.Expires),
	}
}
