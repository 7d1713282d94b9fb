package web

import (
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// AuditState is how well the audit log is guarded.
type AuditState struct {
	Code        fault.Code     `json:"code,omitempty" doc:"what is wrong: audit.head_late, audit.fork...; absent if nothing is"`
	SignedLines int64          `json:"signed_lines" doc:"lines under the last signed head"`
	SignedAt    time.Time      `json:"signed_at" doc:"when it was signed"`
	Witnesses   []WitnessState `json:"witnesses" nullable:"false" doc:"who keeps the heads"`
}

// WitnessState is how one keeper of heads stands.
type WitnessState struct {
	Witness      string     `json:"witness" enum:"central,witness,medium"`
	State        string     `json:"state" enum:"unknown,ok,late,refused"`
	Code         fault.Code `json:"code,omitempty"`
	Heads        int64      `json:"heads" doc:"heads that it has taken"`
	Lines        int64      `json:"lines" doc:"lines under the last of them"`
	WaitingSince time.Time  `json:"waiting_since,omitzero" doc:"when the oldest head that it has not taken was signed"`
}
