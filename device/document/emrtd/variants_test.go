package emrtd_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// variants are the forms of PACE beside the generic mapping over curves, with
// their chip keys: every mapping, every group, P-224 excepted where integrated
// mapping is not defined on it.
func variants() []passport.PACE {
	suites := []string{"3des", "aes128", "aes192", "aes256"}
	var all []passport.PACE
	for parameter := range 3 {
		for i, suite := range suites {
			all = append(all, passport.PACE{Suite: suite, Parameter: parameter})
			if i%2 == parameter%2 {
				all = append(all, passport.PACE{Mapping: passport.MappingIntegrated, Suite: suite, Parameter: parameter})
			}
		}
	}
	for parameter := 8; parameter <= 18; parameter++ {
		if parameter != 10 {
			all = append(all, passport.PACE{Mapping: passport.MappingIntegrated, Suite: suites[parameter%4], Parameter: parameter})
		}
		all = append(all, passport.PACE{Mapping: passport.MappingChip, Suite: suites[1+parameter%3], Parameter: parameter})
	}
	// Domain parameters of the chip's own, with and without a reference.
	return append(all,
		passport.PACE{Suite: "aes128", Parameter: 13, Explicit: true},
		passport.PACE{Suite: "aes256", Parameter: 16, Explicit: true, Reference: 32},
		passport.PACE{Mapping: passport.MappingIntegrated, Suite: "aes128", Parameter: 15, Explicit: true, Reference: 300},
		passport.PACE{Mapping: passport.MappingChip, Suite: "aes128", Parameter: 12, Explicit: true, Reference: 40},
		passport.PACE{Suite: "aes192", Parameter: 1, Explicit: true},
		passport.PACE{Mapping: passport.MappingIntegrated, Suite: "3des", Parameter: 0, Explicit: true, Reference: 33})
}

// TestEveryMapping reads chips with the integrated and the chip authentication
// mapping, over curves and over groups of numbers, without BAC to fall back to.
func TestEveryMapping(t *testing.T) {
	for i, offer := range variants() {
		key := chipKey
		if offer.Parameter < 8 {
			key = passport.ChipKey{Curve: fmt.Sprintf("dh-%d", offer.Parameter), Suite: offer.Suite, KeyID: i % 3}
		}
		p := strong(offer, key, nil, 0)
		p.Access.NoBAC = true
		r, err := read(t, newVirtual(t, p), p)
		if err != nil {
			t.Errorf("%+v: %v", offer, err)
			continue
		}
		sameFiles(t, r, p, "DG1", "SOD", "DG14")
		mapping := string(offer.Mapping)
		if mapping == "" {
			mapping = "gm"
		}
		reference := offer.Parameter
		if offer.Explicit {
			reference = offer.Reference
			if reference == 0 {
				reference = -1
			}
		}
		if r.Access.Mapping != mapping || r.Access.ParameterID != reference || r.Access.Downgrade != "" {
			t.Errorf("%+v: %+v", offer, r.Access)
		}
		if got := proof(r, emrtd.ProofChip); got.Outcome != emrtd.OutcomeProven {
			t.Errorf("%+v: %+v", offer, got)
		}
		cam := proof(r, emrtd.ProofCAM)
		if (offer.Mapping == passport.MappingChip) != (cam.Outcome == emrtd.OutcomeProven) {
			t.Errorf("%+v: %+v", offer, cam)
		}
	}
}

// TestMappingProofs: a chip that cannot show its static key is opened, and
// proves nothing.
func TestMappingProofs(t *testing.T) {
	offer := passport.PACE{Mapping: passport.MappingChip, Suite: "aes128", Parameter: 13}
	for name, tc := range map[string]struct {
		change func(*passport.Profile)
		want   emrtd.Outcome
		reason string
	}{
		"clone":       {func(p *passport.Profile) { p.Authenticity.Clone = true }, emrtd.OutcomeFailed, "pace.cam_proof"},
		"no data":     {func(p *passport.Profile) { p.Faults = []passport.Fault{{Kind: passport.KindNoChipData}} }, emrtd.OutcomeFailed, "pace.chip_data"},
		"wrong data":  {func(p *passport.Profile) { p.Faults = []passport.Fault{{Kind: passport.KindWrongChipData}} }, emrtd.OutcomeFailed, "pace.cam_proof"},
		"no security": {func(p *passport.Profile) { p.FileData = map[string][]byte{"CardSecurity": nil} }, emrtd.OutcomeNotPerformed, "file.missing"},
		"no keys":     {func(p *passport.Profile) { p.FileData = map[string][]byte{"CardSecurity": {0x30, 0}} }, emrtd.OutcomeFailed, "ca.key"},
	} {
		p := strong(offer, chipKey, nil, 0)
		p.Access.NoBAC = true
		tc.change(&p)
		r, err := read(t, newVirtual(t, p), p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := proof(r, emrtd.ProofCAM); got.Outcome != tc.want || string(got.Reason) != tc.reason {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestShortNonce: a nonce that cannot be a key ends the protocol, and nothing
// else.
func TestShortNonce(t *testing.T) {
	p := strong(passport.PACE{Mapping: passport.MappingIntegrated, Suite: "aes256", Parameter: 13}, chipKey, nil, 0)
	p.Faults = []passport.Fault{{Kind: passport.KindShortNonce}}
	r, err := read(t, newVirtual(t, p), p)
	if err != nil || r.Access.Downgrade != "pace.nonce" {
		t.Errorf("%v, %+v", err, r.Access)
	}
}

// TestProprietaryParameters: parameters of the chip's own are used where they
// are sound, told apart by their reference, and refused where one value is
// another's.
func TestProprietaryParameters(t *testing.T) {
	two := []passport.PACE{
		{Suite: "aes128", Parameter: 12, Explicit: true, Reference: 32},
		{Suite: "aes128", Parameter: 16, Explicit: true, Reference: 33},
	}
	p := strong(two[0], chipKey, nil, 0)
	p.Access.PACE = two
	r, err := read(t, newVirtual(t, p), p)
	if err != nil || r.Access.Protocol != emrtd.ProtocolPACE || r.Access.Domain != "P-256" || r.Access.ParameterID != 32 {
		t.Errorf("two sets: %+v, %v", r.Access, err)
	}
	// A twisted coefficient: the curve is no longer one that is known.
	p = strong(passport.PACE{Suite: "aes128", Parameter: 13, Explicit: true}, chipKey, nil, 0)
	sound := document(t, p).Files["CardAccess"]
	forged := bytes.Clone(sound)
	forged[bytes.Index(forged, []byte{0x26, 0xDC, 0x5C, 0x6C, 0xE9, 0x4A})] ^= 1 // b of brainpoolP256r1
	p.FileData = map[string][]byte{"CardAccess": forged}
	r, err = read(t, newVirtual(t, p), p)
	if err != nil || r.Access.Protocol != emrtd.ProtocolBAC || r.Access.Downgrade != emrtd.ErrUnsupported.Code {
		t.Errorf("forged: %+v, %v", r.Access, err)
	}
}

// TestShortKeys: numbers are unsigned integers, and a chip may leave their
// leading zeros out: the token is over what was sent.
func TestShortKeys(t *testing.T) {
	for parameter := range 3 {
		for _, mapping := range []passport.Mapping{"", passport.MappingIntegrated} {
			p := strong(passport.PACE{Mapping: mapping, Suite: "aes128", Parameter: parameter}, passport.ChipKey{Curve: fmt.Sprintf("dh-%d", parameter), Suite: "aes128"}, nil, 0)
			p.Access.NoBAC, p.NoPortrait = true, true
			p.Faults = []passport.Fault{{Kind: passport.KindShortKey, Step: "pace-3"}}
			r, err := read(t, newVirtual(t, p), p)
			if err != nil || r.Access.Protocol != emrtd.ProtocolPACE || proof(r, emrtd.ProofChip).Outcome != emrtd.OutcomeProven {
				t.Errorf("group %d %s: %v %+v", parameter, mapping, err, r.Access)
			}
		}
	}
}
