package policy

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/fault"
)

var update = flag.Bool("update", false, "write golden files anew")

func TestDefaultsRoundTripToGolden(t *testing.T) {
	for _, w := range []Workplace{Desk, Gate, Field} {
		raw, err := Encode(Default(w))
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", string(w)+".yaml")
		if *update {
			if err := os.WriteFile(golden, raw, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(raw, want) {
			t.Errorf("%s: the form of a policy has changed; a new field needs a useful zero value, then -update", w)
		}
		back, err := Decode(want)
		if err != nil {
			t.Fatalf("%s: %v", w, err)
		}
		again, err := Encode(back)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, want) {
			t.Errorf("%s: decoding and encoding again changes the policy", w)
		}
	}
}

func TestZeroAndUnknownNeverPass(t *testing.T) {
	for _, p := range []*Policy{{}, Default(Desk)} {
		for _, code := range inspect.Codes() {
			if s := p.SeverityOf(code, inspect.Unknown); s != Refer {
				t.Errorf("%s unknown weighs %q", code, s)
			}
			if s := p.SeverityOf(code, inspect.Fail); s == Ignore {
				t.Errorf("%s fail is ignored by default", code)
			}
			if s := p.SeverityOf(code, inspect.Result(99)); s != Refer {
				t.Errorf("%s with a result from the future weighs %q", code, s)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good, err := Encode(Default(Desk))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, old, new string
		code           fault.Code
	}{
		{"unknown key", "owner:", "ownr:", "policy.format"},
		{"unknown nested key", "allow_sha1:", "allow_md5:", "policy.format"},
		{"another version", "version: 1", "version: 2", "policy.version"},
		{"no edition", "edition: 1", "edition: 0", "policy.edition"},
		{"workplace", "workplace: desk", "workplace: bar", "policy.workplace"},
		{"check code", "ds.chain:", "ds.chains:", "policy.check_code"},
		{"severity", "not_performed: refer", "not_performed: shoot", "policy.severity"},
		{"rate of one", "verification_fmr: 0.001", "verification_fmr: 1", "policy.rate"},
		{"rate not a number", "verification_fmr: 0.001", "verification_fmr: .nan", "policy.rate"},
		{"no candidates", "max_candidates: 20", "max_candidates: 0", "policy.range"},
		{"group better than all", "max_candidates: 20", "max_candidates: 20\n  face_worst_group: 0.5", "policy.range"},
		{"group far worse than any", "max_candidates: 20", "max_candidates: 20\n  face_worst_group: 1001", "policy.range"},
		{"group not a number", "max_candidates: 20", "max_candidates: 20\n  face_worst_group: .nan", "policy.range"},
		{"bare number as duration", "answer: 1s", "answer: 1", "policy.format"},
		{"negative deadline", "answer: 1s", "answer: -1s", "policy.duration"},
		{"audit shorter than what it tells of", "audit: 8760h0m0s", "audit: 719h0m0s", "policy.duration"},
		{"minors rule", "age_unknown: no_1n", "age_unknown: maybe", "policy.minors"},
		{"not yaml", "version: 1", "version: [", "policy.format"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := strings.Replace(string(good), c.old, c.new, 1)
			if bad == string(good) {
				t.Fatalf("%q does not occur in the good policy", c.old)
			}
			_, err := Decode([]byte(bad))
			if got := fault.CodeOf(err); got != c.code {
				t.Errorf("code %q, want %q (%v)", got, c.code, err)
			}
		})
	}
	if _, err := Decode(bytes.Repeat([]byte{'#'}, MaxBytes+1)); fault.CodeOf(err) != "policy.too_large" {
		t.Errorf("oversized policy: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	good, err := Encode(Default(Gate))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("version: 1\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := Decode(raw)
		if err == nil && p.SeverityOf(inspect.SODSignature, inspect.Unknown) != Refer {
			t.Error("a decoded policy lets an unknown result through")
		}
	})
}

// A policy that holds the worst group asks more of a score; one of before asks
// what it did.
func TestWorstGroupIsHeld(t *testing.T) {
	p := Default(Desk)
	before := p.Biometric.FaceCurve().ScoreAt(p.Biometric.VerificationFMR)
	raw, err := Encode(p)
	if err != nil || strings.Contains(string(raw), "face_worst_group") {
		t.Fatalf("the default names a factor: %v", err)
	}
	held, err := Decode([]byte(strings.Replace(string(raw), "max_candidates: 20", "max_candidates: 20\n  face_worst_group: 3.2", 1)))
	if err != nil {
		t.Fatal(err)
	}
	at := held.Biometric.FaceCurve().ScoreAt(held.Biometric.VerificationFMR)
	if at <= before || at > 1 || held.Biometric.FaceCurve().FMRAt(before) <= p.Biometric.FaceCurve().FMRAt(before) {
		t.Errorf("threshold %v, held to the worst group %v", before, at)
	}
}
