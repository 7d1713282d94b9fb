package encounter

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestPersonalDataStaysOutOfLogs(t *testing.T) {
	var out bytes.Buffer
	e := Encounter{ID: "e1", Declared: Declared{Names: []string{"ERIKA"}}, Candidates: []Candidate{{Candidate: candidate()}}}
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("x", "encounter", e, "declared", e.Declared, "key", DocumentKey{MRZ: "ERIKA"}, "candidate", e.Candidates[0].Candidate)
	if s := out.String(); strings.Contains(s, "ERIKA") || strings.Contains(s, "LISTED") {
		t.Errorf("the log holds a name: %s", s)
	}
}
