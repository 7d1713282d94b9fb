// Package policy holds the rules by which a post turns results into advice:
// which check weighs how much, how long each step may take, which error rates
// are budgeted, who may be searched, what is kept and for how long, and where
// a second officer is needed.
//
// A policy is signed by two and enters a post in a provisioning folder; a post
// never writes one. The form is published (policy.schema.json) and versioned:
// later versions add fields whose zero value keeps the meaning of old files.
package policy

import (
	"time"

	"github.com/watchpost/watchpost/device/biometric/calibration"
	"github.com/watchpost/watchpost/device/document/inspect"
)

// Version is the version of the policy form that this program reads.
const Version = 1

// Workplace is the kind of place at which a post works.
type Workplace string

// Workplaces of design section 5.
const (
	Desk  Workplace = "desk"
	Gate  Workplace = "gate"
	Field Workplace = "field"
)

// Severity is the weight of a check result.
type Severity string

// Severities, from none to the heaviest. A machine proposes: refer means that
// an officer has to look, never that a person is refused.
const (
	Ignore Severity = "ignore" // not shown among the reasons
	Notice Severity = "notice" // shown, does not hinder
	Refer  Severity = "refer"  // the encounter cannot be clear
)

// Policy is one signed set of rules. It is read once and then never changed;
// it is safe for concurrent use.
type Policy struct {
	Version   int       `yaml:"version" json:"version"`     // form version, 1
	Edition   int       `yaml:"edition" json:"edition"`     // rises with every change by the owner
	Owner     string    `yaml:"owner" json:"owner"`         // who answers for it
	Workplace Workplace `yaml:"workplace" json:"workplace"` // desk, gate or field

	Deadlines Deadlines `yaml:"deadlines" json:"deadlines"`
	Document  Document  `yaml:"document" json:"document"`
	// Severities weighs results per check code; a result not named there
	// falls back to DefaultSeverity.
	Severities map[inspect.Code]Weights `yaml:"severities" json:"severities"`
	Biometric  Biometric                `yaml:"biometric" json:"biometric"`
	// Presentation is how presentation attacks are looked for; absent is off.
	Presentation *Presentation `yaml:"presentation,omitempty" json:"presentation,omitempty"`
	Search       Search        `yaml:"search" json:"search"`
	Minors       Minors        `yaml:"minors" json:"minors"`
	Retention    Retention     `yaml:"retention" json:"retention"`
	Officers     Officers      `yaml:"officers" json:"officers"`
}

// Deadlines bound each step, counted from its start.
type Deadlines struct {
	ChipRead  Duration `yaml:"chip_read" json:"chip_read"`     // chip present to inspection
	Capture   Duration `yaml:"capture" json:"capture"`         // one capture, try included
	Answer    Duration `yaml:"answer" json:"answer"`           // last capture to answer (design section 10: 1 s); all of it but 0.3 s is central's
	Idle      Duration `yaml:"idle" json:"idle"`               // an open encounter without a command becomes abandoned
	LateHitBy Duration `yaml:"late_hit_by" json:"late_hit_by"` // how long a source may still answer after the deadline
}

// Document says how documents are judged.
type Document struct {
	// AllowSHA1 lets a SOD or certificate with SHA-1 pass sod.algorithm
	// (BSI TR-03105 profile DPRCTD-SHA1: an inspection system must still
	// validate them; whether they are trusted is policy).
	AllowSHA1 bool `yaml:"allow_sha1" json:"allow_sha1"`
	// CompareUnvouchedPortrait lets the live face be compared with a DG2
	// whose hash is not vouched for, so that the officer sees whose portrait
	// was put in. The decode process takes the risk; the verdict stays refer.
	CompareUnvouchedPortrait bool `yaml:"compare_unvouched_portrait" json:"compare_unvouched_portrait"`
	// MaxCRLAge is the age over which a revocation list no longer calls a
	// document signer good, though it is not out of date by its own word; zero
	// leaves it to the list.
	MaxCRLAge Duration `yaml:"max_crl_age,omitempty" json:"max_crl_age,omitempty"`
}

// Inspection is what of it bears on the results of checks.
func (d Document) Inspection() inspect.Policy {
	return inspect.Policy{AllowSHA1: d.AllowSHA1, MaxCRLAge: d.MaxCRLAge.Of()}
}

// Weights gives a severity to each result of one check. An empty field means
// DefaultSeverity.
type Weights struct {
	Fail          Severity `yaml:"fail,omitempty" json:"fail,omitempty"`
	NotAssessable Severity `yaml:"not_assessable,omitempty" json:"not_assessable,omitempty"`
	NotPerformed  Severity `yaml:"not_performed,omitempty" json:"not_performed,omitempty"`
}

// Biometric holds the error budgets. Rates are probabilities, not per cent.
type Biometric struct {
	VerificationFMR float64 `yaml:"verification_fmr" json:"verification_fmr"` // 1:1, false match rate at most
	// IdentificationFPIR is the chance that a search of all lists names anybody
	// wrongly: a face alone is a candidate where its false match rate is at
	// most this divided by the number of templates searched.
	IdentificationFPIR float64 `yaml:"identification_fpir" json:"identification_fpir"`
	// FaceWorstGroup is how many times as often two strangers of the group of
	// people with the highest rate match as the calibration says ("factor" of
	// `watchpost face report`); every rate of faces is then held for that
	// group. 1 to 1000; absent or 0 counts as 1.
	FaceWorstGroup float64 `yaml:"face_worst_group,omitempty" json:"face_worst_group,omitempty"`
	// A face alone alarms only on lists of at most FaceAlarmMaxList records
	// and with at least FaceAlarmMinFrames frames (design section 10).
	FaceAlarmMaxList   int `yaml:"face_alarm_max_list" json:"face_alarm_max_list"`
	FaceAlarmMinFrames int `yaml:"face_alarm_min_frames" json:"face_alarm_min_frames"`
	MaxCandidates      int `yaml:"max_candidates" json:"max_candidates"`     // length of a candidate list, notes: 20 to 50
	FaceFrames         int `yaml:"face_frames" json:"face_frames"`           // frames of a burst whose templates are averaged
	MinFaceQuality     int `yaml:"min_face_quality" json:"min_face_quality"` // 0-100 on our own scale
	CaptureTries       int `yaml:"capture_tries" json:"capture_tries"`
}

// FaceCurve reads the error rates of faces as the policy wants them held.
func (b Biometric) FaceCurve() calibration.FaceCurve {
	return calibration.FaceCurve{Factor: b.FaceWorstGroup}
}

// Search says what may be asked and which answers count.
type Search struct {
	Purposes []string `yaml:"purposes" json:"purposes"` // an encounter names one of these
	// Required sources: without an answer of each the answer is not-verified.
	Required []string `yaml:"required" json:"required"`
	// MaxListAge: an older list turns clear into not-verified.
	MaxListAge Duration `yaml:"max_list_age" json:"max_list_age"`
}

// MinorRule says what is searched for a person of a given age class.
type MinorRule string

// Rules for minors and persons of unknown age.
const (
	No1N     MinorRule = "no_1n"  // no biometric search against lists
	Search1N MinorRule = "search" // searched as an adult
)

// Minors bounds what is done to persons who are not known to be adults.
type Minors struct {
	AdultAge   int       `yaml:"adult_age" json:"adult_age"`     // years
	Minor      MinorRule `yaml:"minor" json:"minor"`             // default no_1n
	AgeUnknown MinorRule `yaml:"age_unknown" json:"age_unknown"` // default no_1n
}

// Retention is how long each kind of data is kept. Zero keeps nothing.
// Biometrics without a match are never kept; there is no setting for that.
type Retention struct {
	Encounter Duration `yaml:"encounter" json:"encounter"` // outcome, check codes, ids
	Evidence  Duration `yaml:"evidence" json:"evidence"`   // of a failed check, candidate or referral
	// Audit is how long lines of the audit log are kept; 0 is for ever.
	Audit Duration `yaml:"audit" json:"audit"`
}

// Officers says where one officer is not enough.
type Officers struct {
	// SecondOfficer lists the acts that a second officer has to confirm.
	SecondOfficer []Act `yaml:"second_officer" json:"second_officer"`
	// SearchesPerHour limits searches per officer, so that the box is no
	// oracle (design section 6). 0 means no limit.
	SearchesPerHour int `yaml:"searches_per_hour" json:"searches_per_hour"`
	// Limits are further limits of an officer's searches, each for one purpose.
	Limits []SearchLimit `yaml:"limits,omitempty" json:"limits,omitempty"`
}

// SearchLimit allows an officer Searches for Purpose within any time of length
// Window.
type SearchLimit struct {
	Purpose  string   `yaml:"purpose" json:"purpose"`   // one of search.purposes
	Searches int      `yaml:"searches" json:"searches"` // 1 to 100,000
	Window   Duration `yaml:"window" json:"window"`     // a minute to a week
}

// Act is something an officer does that policy may want confirmed.
type Act string

// Acts that policy may want a second officer for.
const (
	ActConfirmCandidate Act = "confirm_candidate" // a finding of same person
	ActOverride         Act = "override"          // admitting against the advice
)

// SeverityOf weighs one result. Pass never weighs anything; Unknown always
// refers, for the zero value of a verdict lets nobody through.
func (p *Policy) SeverityOf(code inspect.Code, result inspect.Result) Severity {
	w := p.Severities[code]
	var s Severity
	switch result {
	case inspect.Pass:
		return Ignore
	case inspect.Fail:
		s = w.Fail
	case inspect.NotAssessable:
		s = w.NotAssessable
	case inspect.NotPerformed:
		s = w.NotPerformed
	default:
		return Refer
	}
	if s == "" {
		return DefaultSeverity(result)
	}
	return s
}

// DefaultSeverity is the weight of a result that a policy does not name: what
// failed or could not be judged is referred, what was not tried is shown.
func DefaultSeverity(result inspect.Result) Severity {
	switch result {
	case inspect.Pass:
		return Ignore
	case inspect.NotPerformed:
		return Notice
	default:
		return Refer
	}
}

// NeedsSecond reports whether act has to be confirmed by a second officer.
func (p *Policy) NeedsSecond(act Act) bool {
	for _, a := range p.Officers.SecondOfficer {
		if a == act {
			return true
		}
	}
	return false
}

// Default returns the policy of a workplace as it ships: the strict choice
// wherever a choice is open. A post runs on a signed copy of it, never on the
// built-in one.
func Default(w Workplace) *Policy {
	p := &Policy{
		Version:   Version,
		Edition:   1,
		Owner:     "default",
		Workplace: w,
		Deadlines: Deadlines{
			ChipRead:  Duration(20 * time.Second), // slow-chip profile with 10 s DG2 (notes: 5 to 10 s in the field)
			Capture:   Duration(15 * time.Second),
			Answer:    Duration(time.Second), // design section 10
			Idle:      Duration(15 * time.Minute),
			LateHitBy: Duration(30 * time.Second),
		},
		Document: Document{CompareUnvouchedPortrait: w != Gate},
		Severities: map[inspect.Code]Weights{
			// Every passport does not have every group; what a chip does not
			// offer is no fault of its holder.
			inspect.ChipPresent:    {NotPerformed: Notice},
			inspect.MRZMatch:       {NotPerformed: Notice},
			inspect.DSRevocation:   {NotAssessable: Notice, NotPerformed: Notice}, // few states publish CRLs reliably
			inspect.DSDocumentType: {NotAssessable: Notice},
			inspect.DSChain:        {NotPerformed: Refer},
			inspect.SODSignature:   {NotPerformed: Refer},
			inspect.PortraitMatch:  {NotPerformed: Refer},
			// A grey zone that some in ten fall into with their own portrait
			// (biometric/morph/README.md): the officer is told, nobody is held.
			inspect.PortraitMorph: {NotAssessable: Notice},
			inspect.GroupHash(1):  {NotPerformed: Refer},
			inspect.GroupHash(2):  {NotPerformed: Refer},
			// A DG3 or DG4 under Extended Access Control is listed and cannot
			// be read without terminal authentication.
			inspect.GroupHash(3): {NotPerformed: Notice},
			inspect.GroupHash(4): {NotPerformed: Notice},
		},
		Biometric: Biometric{
			VerificationFMR:    1e-3, // Frontex best practice for ABC gates asks for FAR 0.1 % (notes/face.md 3; from memory)
			IdentificationFPIR: 1e-3, // design section 10: false referrals at most 1 in 1,000
			FaceAlarmMaxList:   1000, // design section 10
			FaceAlarmMinFrames: 3,    // design section 10
			MaxCandidates:      20,
			FaceFrames:         3,
			MinFaceQuality:     30,
			CaptureTries:       3,
		},
		Search: Search{
			Purposes:   []string{"border_check", "reception_registration"},
			Required:   []string{"local"},
			MaxListAge: Duration(24 * time.Hour), // notes/watchlist.md 2.4: 24 h online, 72 h field
		},
		Minors:    Minors{AdultAge: 18, Minor: No1N, AgeUnknown: No1N},
		Retention: Retention{Encounter: Duration(30 * 24 * time.Hour), Evidence: Duration(72 * time.Hour), Audit: Duration(365 * 24 * time.Hour)},
		Officers:  Officers{SearchesPerHour: 120},
	}
	if w == Field {
		p.Search.MaxListAge = Duration(72 * time.Hour)
	}
	return p
}
