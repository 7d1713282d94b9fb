package web

import "github.com/watchpost/watchpost/device/encounter/policy"

// PolicyView is what the page has to know of the signed policy: what to ask
// for, and what the figures it shows are held against.
type PolicyView struct {
	Owner     string           `json:"owner"`
	Edition   int              `json:"edition"`
	Workplace policy.Workplace `json:"workplace" enum:"desk,gate,field"`
	Purposes  []string         `json:"purposes" nullable:"false" doc:"an encounter names one of these"`
	// SecondOfficer lists the acts that a second officer has to sign for.
	SecondOfficer []policy.Act `json:"second_officer" nullable:"false" enum:"confirm_candidate,override"`
	Required      []string     `json:"required_sources" nullable:"false" doc:"without an answer of each nothing is clear"`

	AdultAge   int              `json:"adult_age" doc:"years"`
	Minor      policy.MinorRule `json:"minor" enum:"no_1n,search" doc:"whether a minor's face is searched"`
	AgeUnknown policy.MinorRule `json:"age_unknown" enum:"no_1n,search"`

	VerificationFMR    float64 `json:"verification_fmr" doc:"false match rate that the live face must reach against the chip's portrait"`
	IdentificationFPIR float64 `json:"identification_fpir" doc:"chance that a search of all lists names somebody wrongly, at most"`
	FaceAlarmMaxList   int     `json:"face_alarm_max_list" doc:"a face alone alarms on lists up to this many records"`
	FaceAlarmMinFrames int     `json:"face_alarm_min_frames"`
	FaceFrames         int     `json:"face_frames" doc:"frames of one capture"`
	MinFaceQuality     int     `json:"min_face_quality" doc:"0 to 100"`
	CaptureTries       int     `json:"capture_tries"`

	MaxListAgeSeconds int64 `json:"max_list_age_seconds"`
	ChipReadMS        int64 `json:"chip_read_ms" doc:"deadline of reading a chip"`
	CaptureMS         int64 `json:"capture_ms" doc:"deadline of one capture"`
	AnswerMS          int64 `json:"answer_ms" doc:"deadline from last capture to answer"`
	IdleMS            int64 `json:"idle_ms" doc:"an encounter left alone is abandoned after this"`
	SearchesPerHour   int   `json:"searches_per_hour" doc:"of one officer, 0 is no limit"`
	KeepHours         int64 `json:"keep_hours" doc:"how long an encounter is kept"`
	KeepEvidenceHours int64 `json:"keep_evidence_hours" doc:"how long evidence of a failed check, candidate or referral is kept"`
}

type policyOutput struct{ Body PolicyView }

// viewOf picks from the policy; lists are never null.
func viewOf(p *policy.Policy) PolicyView {
	return PolicyView{
		Owner: p.Owner, Edition: p.Edition, Workplace: p.Workplace,
		Purposes: append([]string{}, p.Search.Purposes...), SecondOfficer: append([]policy.Act{}, p.Officers.SecondOfficer...),
		Required: append([]string{}, p.Search.Required...),
		AdultAge: p.Minors.AdultAge, Minor: p.Minors.Minor, AgeUnknown: p.Minors.AgeUnknown,
		VerificationFMR: p.Biometric.VerificationFMR, IdentificationFPIR: p.Biometric.IdentificationFPIR,
		FaceAlarmMaxList: p.Biometric.FaceAlarmMaxList, FaceAlarmMinFrames: p.Biometric.FaceAlarmMinFrames,
		FaceFrames: p.Biometric.FaceFrames, MinFaceQuality: p.Biometric.MinFaceQuality, CaptureTries: p.Biometric.CaptureTries,
		MaxListAgeSeconds: int64(p.Search.MaxListAge.Of().Seconds()),
		ChipReadMS:        p.Deadlines.ChipRead.Of().Milliseconds(), CaptureMS: p.Deadlines.Capture.Of().Milliseconds(),
		AnswerMS: p.Deadlines.Answer.Of().Milliseconds(), IdleMS: p.Deadlines.Idle.Of().Milliseconds(),
		SearchesPerHour: p.Officers.SearchesPerHour,
		KeepHours:       int64(p.Retention.Encounter.Of().Hours()), KeepEvidenceHours: int64(p.Retention.Evidence.Of().Hours()),
	}
}
