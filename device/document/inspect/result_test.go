package inspect

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestResultNumbersAndWords(t *testing.T) {
	published := map[string]Result{"unknown": 0, "pass": 1, "fail": 2, "not-assessable": 3, "not-performed": 4}
	for word, number := range published {
		out, err := json.Marshal(number)
		if err != nil || string(out) != `"`+word+`"` {
			t.Errorf("result %d is written %s (%v), want %q", number, out, err, word)
		}
		var back Result
		if err := json.Unmarshal(out, &back); err != nil || back != number {
			t.Errorf("%s reads back as %d (%v)", out, back, err)
		}
	}
	if Result(200).String() != "unknown" {
		t.Error("an unpublished number must read as unknown")
	}
}

func TestResultRefusesOtherWords(t *testing.T) {
	for _, bad := range []string{`"passed"`, `""`, `"PASS"`, `1`, `true`, `"not performed"`} {
		r := Fail
		if err := json.Unmarshal([]byte(bad), &r); err == nil {
			t.Errorf("%s was read as %v", bad, r)
		}
	}
}

func TestCodes(t *testing.T) {
	seen := map[Code]bool{}
	for _, c := range Codes() {
		if seen[c] || !c.Known() {
			t.Errorf("%s is listed twice or not known", c)
		}
		seen[c] = true
	}
	if len(seen) != 34+2*16 {
		t.Errorf("%d codes", len(seen))
	}
	for _, bad := range []Code{"", "dg0.hash", "dg17.hash", "dg01.hash", "dg1", "dg1.size", "dg.hash", "ds", "dg+1.hash"} {
		if bad.Known() {
			t.Errorf("%q counts as known", bad)
		}
	}
}

func TestNothingCheckedIsNotPassed(t *testing.T) {
	var i Inspection
	if i.Result(SODSignature) != NotPerformed {
		t.Error("a check that is not in the inspection must read as not performed")
	}
}

func TestNoPersonalDataInLogs(t *testing.T) {
	secret := "L898902C3ERIKSSON"
	i := Inspection{
		Document: Document{Number: secret},
		Checks:   []Check{{Code: SODSignature, Result: Pass}},
		Data:     Data{Person: map[string]string{"name": secret}},
	}
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	logger.Info("inspected", "inspection", i, "pointer", &i, "data", i.Data, "document", i.Document)
	fmt.Fprintf(&log, "%v %+v %s %v %v", i, i, i, i.Data, i.Document)
	if strings.Contains(log.String(), secret) {
		t.Errorf("personal data in the log: %s", log.String())
	}
	if !strings.Contains(log.String(), "sod.signature=pass") {
		t.Errorf("no result in the log: %s", log.String())
	}
}
