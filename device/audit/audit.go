// Package audit keeps the record of who did what on a post in a form that
// shows any later change: a Merkle tree over numbered lines as in RFC 6962
// (June 2013), section 2, kept with golang.org/x/mod/sumdb/tlog.
//
// Lines carry ids and codes, never a name, a number of a document or a
// picture. The log lives in the same database and the same transaction as what
// it tells of, so that neither can be there without the other.
package audit

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/watchpost/watchpost/device/fault"
)

// Action names what was done. A published word keeps its meaning.
type Action string

// Actions.
const (
	PostStarted         Action = "post.started"
	PostStopped         Action = "post.stopped"
	KeysUnlocked        Action = "keys.unlocked"
	KeysLocked          Action = "keys.locked"         // fact "why": what locked them
	UnlockRefused       Action = "keys.unlock_refused" // fact "code"; written when the log is open again, fact "at": when it was
	Provisioned         Action = "post.provisioned"
	SignedIn            Action = "officer.signed_in"
	SignInFailed        Action = "officer.sign_in_failed"
	AccountsChanged     Action = "accounts.changed" // another edition came into force
	ListChanged         Action = "list.changed"     // another generation of list Object
	ListWithdrawn       Action = "list.withdrawn"
	OfficerShut         Action = "officer.shut" // too many wrong passwords for account Object
	SignedOut           Action = "officer.signed_out"
	PasskeyAdded        Action = "passkey.added"
	PasskeyUsed         Action = "passkey.used"
	PasskeyRemoved      Action = "passkey.removed"
	EncounterOpened     Action = "encounter.opened"
	SearchLimited       Action = "officer.limited" // as many were searched as policy allows
	EncounterResumed    Action = "encounter.resumed"
	StepSkipped         Action = "encounter.step_skipped"
	ChallengeDrawn      Action = "encounter.challenge_drawn"
	PresentationJudged  Action = "encounter.presentation_judged"
	Inspected           Action = "encounter.inspected"
	Searched            Action = "encounter.searched"
	SearchSuppressed    Action = "encounter.search_suppressed"
	CandidateFound      Action = "candidate.found"
	CandidateAdjudicate Action = "candidate.adjudicated"
	OutcomeRecorded     Action = "encounter.outcome"
	OutcomeDelivered    Action = "encounter.delivered" // central has signed for it
	LateHit             Action = "candidate.late"
	EncounterRemoved    Action = "encounter.removed"    // its time of keeping has run out
	ReportRead          Action = "report.read"          // numbers of searches by list and officer
	EncounterViewed     Action = "encounter.viewed"     // by another officer, or after its end
	EvidenceOpened      Action = "evidence.opened"      // for a purpose
	EvidenceShredded    Action = "evidence.shredded"    // its time of keeping has run out
	EvidenceListed      Action = "evidence.listed"      // of whom some is kept
	PhotographShown     Action = "candidate.photograph" // of record Object, to an officer
	AuditRead           Action = "audit.read"           // lines or heads, from number fact "from" on
	KeyMade             Action = "key.made"             // Object names it
	HeadLate            Action = "audit.head_late"      // a witness has not taken a head in time
	HeadRefused         Action = "audit.head_refused"
	CommandTaken        Action = "command.taken"      // from a distance, signed; facts "command", "number"
	CommandRefused      Action = "command.refused"    // signed, but not obeyed; fact "code"
	WitnessLost         Action = "audit.witness_lost" // a witness holds less than it took
	LinesCut            Action = "audit.cut"          // fact "lines": so many of the first, all told, are no longer kept
)

// Line is one line of the log. It holds no personal data.
type Line struct {
	Seq       int64             `json:"seq"` // from 0, without gaps
	Time      time.Time         `json:"time"`
	Actor     string            `json:"actor"` // officer id, or "post"
	Action    Action            `json:"action"`
	Encounter string            `json:"encounter,omitempty"` // encounter id
	Object    string            `json:"object,omitempty"`    // id of what was acted on
	Purpose   string            `json:"purpose,omitempty"`
	Facts     map[string]string `json:"facts,omitempty"` // codes and counts only
	// Cut, where only Seq stands beside it, is the hash of a line whose time of
	// keeping has run out; such a line has no time.
	Cut *tlog.Hash `json:"cut,omitempty"`
}

// Store is what the log needs of the database, within one transaction: hashes
// by tlog's storage index and lines by number.
type Store interface {
	Lines() (int64, error)            // number of lines held
	Line(seq int64) ([]byte, error)   // as written
	Hash(index int64) ([]byte, error) // 32 bytes
	PutLine(seq int64, raw []byte) error
	PutHash(index int64, hash []byte) error
}

// Append numbers line, writes it and the hashes it completes, and returns its
// number. It must run inside the transaction that writes what line tells of.
func Append(s Store, line Line) (int64, error) {
	n, err := s.Lines()
	if err != nil {
		return 0, fault.Wrap("audit.read", err)
	}
	line.Seq = n
	line.Time = line.Time.UTC().Round(0)
	raw, err := json.Marshal(line)
	if err != nil {
		return 0, fault.Wrap("audit.encode", err)
	}
	hashes, err := tlog.StoredHashes(n, raw, reader{s})
	if err != nil {
		return 0, fault.Wrap("audit.damaged", err)
	}
	first := tlog.StoredHashIndex(0, n)
	for i, h := range hashes {
		if err := s.PutHash(first+int64(i), h[:]); err != nil {
			return 0, fault.Wrap("audit.write", err)
		}
	}
	return n, fault.Wrap("audit.write", s.PutLine(n, raw))
}

// Head is the state of a log: how many lines and the hash over them all.
type Head struct {
	Lines int64  `json:"lines"`
	Root  string `json:"root"` // base64 of the 32-byte tree hash of RFC 6962
}

// HeadOf computes the head from the stored hashes.
func HeadOf(s Store) (Head, error) {
	n, err := s.Lines()
	if err != nil {
		return Head{}, fault.Wrap("audit.read", err)
	}
	h, err := tlog.TreeHash(n, reader{s})
	if err != nil {
		return Head{}, fault.Wrap("audit.damaged", err)
	}
	return Head{Lines: n, Root: base64.StdEncoding.EncodeToString(h[:])}, nil
}

// Verify reads every line again and reports the first that does not fit: a
// changed, missing, doubled or reordered line, or hashes that are not those of
// the lines. known are heads noted earlier elsewhere; a log that is no
// continuation of one of them has lost or changed its past.
func Verify(s Store, known ...Head) (Head, error) {
	n, err := s.Lines()
	if err != nil {
		return Head{}, fault.Wrap("audit.read", err)
	}
	roots := map[int64]tlog.Hash{}
	for _, k := range known {
		if k.Lines > n {
			return Head{}, fault.New("audit.truncated", "%d lines, a head noted earlier covers %d", n, k.Lines)
		}
		roots[k.Lines] = tlog.Hash{}
	}
	head, err := replay(s, roots, &timeline{})
	if err != nil {
		return Head{}, err
	}
	for _, k := range known {
		if root := roots[k.Lines]; base64.StdEncoding.EncodeToString(root[:]) != k.Root {
			return Head{}, fault.New("audit.rewritten", "the first %d lines are not those a head noted earlier covers", k.Lines)
		}
	}
	return head, nil
}

// reader gives tlog the stored hashes.
type reader struct{ s Store }

func (r reader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		raw, err := r.s.Hash(x)
		if err != nil {
			return nil, err
		}
		if len(raw) != tlog.HashSize {
			return nil, fmt.Errorf("hash %d has %d bytes", x, len(raw))
		}
		copy(out[i][:], raw)
	}
	return out, nil
}

// memory holds hashes computed anew.
type memory struct{ hashes []tlog.Hash }

func (m *memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x >= int64(len(m.hashes)) {
			return nil, fmt.Errorf("hash %d is not computed yet", x)
		}
		out[i] = m.hashes[x]
	}
	return out, nil
}
