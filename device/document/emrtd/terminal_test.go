package emrtd_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/device/document/emrtd/termauth"
	"github.com/watchpost/watchpost/device/document/emrtd/termauth/labkey"
	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/hwtest/gen/cvc"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// guarded is a chip with fingers and irises that it gives to terminals alone.
func guarded(offer *passport.PACE, authority cvc.Spec) passport.Profile {
	p := passport.Profile{
		Seed: 5, NoPortrait: true, Groups: passport.Groups{Fingers: 2, Irises: 2},
		Authenticity: passport.Authenticity{ChipKeys: []passport.ChipKey{chipKey}},
		Terminal:     &passport.Terminal{Authority: authority},
	}
	if offer != nil {
		p.Access = passport.Access{PACE: []passport.PACE{*offer}, NoBAC: true}
	}
	return p
}

// signers keeps what signer has made: keys take time.
var signers sync.Map

// signer is the inspection system's key of that state, through its file.
func signer(t testing.TB, s cvc.Spec) *labkey.Key {
	t.Helper()
	if kept, ok := signers.Load(s); ok {
		return kept.(*labkey.Key)
	}
	h, err := cvc.New(s)
	if err != nil {
		t.Fatal(err)
	}
	k, err := labkey.Parse(h.PEM())
	if err != nil {
		t.Fatal(err)
	}
	signers.Store(s, k)
	return k
}

func withKey(k termauth.ISKey) func(*emrtd.Options) {
	return func(o *emrtd.Options) { o.ISKey = k }
}

// guardedChip is the chip with its document.
func guardedChip(t testing.TB, p passport.Profile) (*virtual, *passport.Document) {
	t.Helper()
	doc := document(t, p)
	chip, err := passport.NewChip(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &virtual{Chip: chip, maxCommand: 65_544, maxResponse: 65_538}, doc
}

// TestTerminalAuthentication: DG3 and DG4 are read with every kind of key, by
// PACE and by BAC, with long commands and with chained short ones.
func TestTerminalAuthentication(t *testing.T) {
	dh := passport.PACE{Suite: "aes128", Parameter: 2}
	for name, tc := range map[string]struct {
		offer  *passport.PACE
		spec   cvc.Spec
		detail string
		change func(*passport.Profile)
		short  bool
	}{
		"ECDSA brainpool":     {offer: &brainpool, detail: "ECDSA SHA-256, DG3, DG4, until 2027-01-01"},
		"ECDSA by BAC":        {detail: "ECDSA SHA-256, DG3, DG4, until 2027-01-01"},
		"ECDSA P-384":         {offer: &brainpool, spec: cvc.Spec{CVCA: pki.Scheme{Key: "secp384r1", Hash: "sha384"}}, detail: "ECDSA SHA-384, DG3, DG4, until 2027-01-01"},
		"ECDSA P-521 SHA-512": {offer: &brainpool, spec: cvc.Spec{CVCA: pki.Scheme{Key: "secp521r1", Hash: "sha512"}}, detail: "ECDSA SHA-512, DG3, DG4, until 2027-01-01"},
		"ECDSA SHA-1":         {offer: &brainpool, spec: cvc.Spec{CVCA: pki.Scheme{Key: "brainpoolP224r1", Hash: "sha1"}}, detail: "ECDSA SHA-1, DG3, DG4, until 2027-01-01"},
		"ECDSA SHA-224":       {offer: &brainpool, spec: cvc.Spec{CVCA: pki.Scheme{Key: "brainpoolP224r1", Hash: "sha224"}}, detail: "ECDSA SHA-224, DG3, DG4, until 2027-01-01"},
		"RSA":                 {offer: &brainpool, spec: cvc.Spec{CVCA: pki.Scheme{Key: "rsa-1024", Hash: "sha256"}}, detail: "RSA SHA-256, DG3, DG4, until 2027-01-01"},
		"RSA SHA-1, chained":  {spec: cvc.Spec{CVCA: pki.Scheme{Key: "rsa-1024", Hash: "sha1"}}, detail: "RSA SHA-1, DG3, DG4, until 2027-01-01", short: true},
		"RSA SHA-512":         {spec: cvc.Spec{CVCA: pki.Scheme{Key: "rsa-1024", Hash: "sha512"}}, detail: "RSA SHA-512, DG3, DG4, until 2027-01-01"},
		"RSA-PSS, chained":    {offer: &brainpool, spec: cvc.Spec{CVCA: pki.Scheme{Key: "rsa-1024", Hash: "sha256", PSS: true}}, detail: "RSA-PSS SHA-256, DG3, DG4, until 2027-01-01", short: true},
		"RSA-PSS SHA-1":       {spec: cvc.Spec{CVCA: pki.Scheme{Key: "rsa-1024", Hash: "sha1", PSS: true}}, detail: "RSA-PSS SHA-1, DG3, DG4, until 2027-01-01"},
		"RSA-PSS SHA-512":     {spec: cvc.Spec{CVCA: pki.Scheme{Key: "rsa-1056", Hash: "sha512", PSS: true}}, detail: "RSA-PSS SHA-512, DG3, DG4, until 2027-01-01"},
		"link certificate":    {offer: &brainpool, spec: cvc.Spec{Linked: true}, detail: "ECDSA SHA-256, DG3, DG4, until 2027-01-01"},
		"RSA with link":       {offer: &brainpool, spec: cvc.Spec{CVCA: pki.Scheme{Key: "rsa-1024", Hash: "sha256"}, Linked: true}, detail: "RSA SHA-256, DG3, DG4, until 2027-01-01"},
		"verifier of another": {offer: &brainpool, spec: cvc.Spec{Foreign: true}, detail: "ECDSA SHA-256, DG3, DG4, until 2027-01-01"},
		"PACE over numbers":   {offer: &dh, detail: "ECDSA SHA-256, DG3, DG4, until 2027-01-01"},
		"chip key over numbers": {offer: &brainpool, detail: "ECDSA SHA-256, DG3, DG4, until 2027-01-01", change: func(p *passport.Profile) {
			p.Authenticity.ChipKeys[0] = passport.ChipKey{Curve: "dh-1", Suite: "aes256"}
		}},
		"3DES":                   {offer: nil, detail: "ECDSA SHA-256, DG3, DG4, until 2027-01-01", change: func(p *passport.Profile) { p.Authenticity.ChipKeys[0].Suite = "3des" }, short: true},
		"another file":           {offer: &brainpool, detail: "ECDSA SHA-256, DG3, DG4, until 2027-01-01", change: func(p *passport.Profile) { p.Terminal.File = 0x0120 }},
		"nothing said in DG14":   {offer: &brainpool, detail: "ECDSA SHA-256, DG3, DG4, until 2027-01-01", change: func(p *passport.Profile) { p.Terminal.NoInfo = true }},
		"39794":                  {offer: &brainpool, detail: "ECDSA SHA-256, DG3, DG4, until 2027-01-01", change: func(p *passport.Profile) { p.Groups.Encoding = "39794" }},
		"mapping with chip data": {offer: &passport.PACE{Mapping: passport.MappingChip, Suite: "aes128", Parameter: 13}, detail: "ECDSA SHA-256, DG3, DG4, until 2027-01-01"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := guarded(tc.offer, tc.spec)
			if tc.change != nil {
				tc.change(&p)
			}
			v, doc := guardedChip(t, p)
			if tc.short {
				v.maxCommand, v.maxResponse = 261, 258
			}
			r, err := read(t, v, p, withKey(signer(t, tc.spec)))
			if err != nil {
				t.Fatal(err)
			}
			got := proof(r, emrtd.ProofTerminal)
			if got.Outcome != emrtd.OutcomeProven || got.Detail != tc.detail || got.Reason != "" {
				t.Fatalf("%+v", got)
			}
			for _, n := range []string{"DG3", "DG4"} {
				if !slices.Equal(r.Files[n], doc.Files[n]) {
					t.Errorf("%s: %d octets, %v", n, len(r.Files[n]), r.Unread)
				}
			}
			b, err := lds.ParseDG3(r.Files["DG3"])
			if err != nil || len(b.Images) != 2 || b.Images[0].Position != 2 || b.Images[1].Position != 7 || b.Images[0].Width != 120 {
				t.Errorf("fingers: %d images, %v", len(b.Images), err)
			}
			b, err = lds.ParseDG4(r.Files["DG4"])
			if err != nil || len(b.Images) != 2 || b.Images[0].Position != 1 || b.Images[1].Position != 2 || b.Images[0].Height != 120 {
				t.Errorf("irises: %d images, %v", len(b.Images), err)
			}
		})
	}
}

// deafKey is a holder of the key that does not answer.
type deafKey struct {
	termauth.ISKey
	certificates, sign error
	chain              [][]byte
}

func (k deafKey) Certificates(ctx context.Context, a []string) ([][]byte, error) {
	if k.chain != nil || k.certificates != nil {
		return k.chain, k.certificates
	}
	return k.ISKey.Certificates(ctx, a)
}

func (k deafKey) Sign(ctx context.Context, data []byte) ([]byte, error) {
	if k.sign != nil {
		return nil, k.sign
	}
	return k.ISKey.Sign(ctx, data)
}

// TestTerminalRefused: what is wrong with terminal or chip is told apart, the
// rest of the chip is read all the same, and DG3 and DG4 stay shut.
func TestTerminalRefused(t *testing.T) {
	sound := cvc.Spec{}
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	spec := func(change func(*cvc.Spec)) cvc.Spec { s := sound; change(&s); return s }
	status := func(step, sw string) func(*passport.Profile) {
		return func(p *passport.Profile) {
			p.Faults = []passport.Fault{{Kind: passport.KindStatus, Step: step, Status: sw}}
		}
	}
	h, err := cvc.New(sound)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		key     func() termauth.ISKey
		change  func(*passport.Profile)
		outcome emrtd.Outcome
		reason  string
		status  string // in the words of the cause
	}{
		"no key":                    {key: func() termauth.ISKey { return nil }, outcome: emrtd.OutcomeNotPerformed, reason: "ta.no_key"},
		"another authority":         {key: func() termauth.ISKey { return signer(t, cvc.Spec{Country: "XX"}) }, outcome: emrtd.OutcomeNotPerformed, reason: "ta.no_chain"},
		"another authority's key":   {key: func() termauth.ISKey { return signer(t, cvc.Spec{Seed: "other"}) }, outcome: emrtd.OutcomeFailed, reason: "ta.certificate_refused"},
		"holder is away":            {key: func() termauth.ISKey { return deafKey{certificates: errors.New("no line")} }, outcome: emrtd.OutcomeNotPerformed, reason: "ta.key_failed"},
		"holder does not sign":      {key: func() termauth.ISKey { return deafKey{ISKey: signer(t, sound), sign: errors.New("no line")} }, outcome: emrtd.OutcomeNotPerformed, reason: "ta.key_failed"},
		"chain out of order":        {key: func() termauth.ISKey { return deafKey{chain: [][]byte{h.Terminal.Raw, h.DV.Raw}} }, outcome: emrtd.OutcomeNotPerformed, reason: "ta.chain"},
		"chain without terminal":    {key: func() termauth.ISKey { return deafKey{chain: [][]byte{h.DV.Raw}} }, outcome: emrtd.OutcomeNotPerformed, reason: "ta.chain"},
		"chain of nonsense":         {key: func() termauth.ISKey { return deafKey{chain: [][]byte{{0x7F, 0x21, 0}}} }, outcome: emrtd.OutcomeNotPerformed, reason: "ta.chain"},
		"verifier not certified":    {key: func() termauth.ISKey { return signer(t, spec(func(s *cvc.Spec) { s.Defects.ForeignDV = true })) }, outcome: emrtd.OutcomeFailed, reason: "ta.certificate_refused"},
		"terminal not certified":    {key: func() termauth.ISKey { return signer(t, spec(func(s *cvc.Spec) { s.Defects.ForeignTerminal = true })) }, outcome: emrtd.OutcomeFailed, reason: "ta.certificate_refused"},
		"terminal without verifier": {key: func() termauth.ISKey { return signer(t, spec(func(s *cvc.Spec) { s.Defects.SkipDV = true })) }, outcome: emrtd.OutcomeFailed, reason: "ta.certificate_refused"},
		"other key than certified":  {key: func() termauth.ISKey { return signer(t, spec(func(s *cvc.Spec) { s.Defects.OtherKey = true })) }, outcome: emrtd.OutcomeFailed, reason: "ta.signature_refused"},
		"terminal expired for chip": {key: func() termauth.ISKey { return signer(t, sound) }, change: func(p *passport.Profile) { p.Terminal.Date = day("2027-01-15") }, outcome: emrtd.OutcomeFailed, reason: "ta.certificate_refused"},
		"verifier expired for chip": {key: func() termauth.ISKey {
			return signer(t, spec(func(s *cvc.Spec) { s.Defects.DVUntil = day("2025-08-02") }))
		}, change: func(p *passport.Profile) { p.Terminal.Date = day("2025-08-03") }, outcome: emrtd.OutcomeFailed, reason: "ta.certificate_refused"},
		"authority expired for chip": {key: func() termauth.ISKey { return signer(t, sound) }, change: func(p *passport.Profile) { p.Terminal.Date = day("2029-01-15") }, outcome: emrtd.OutcomeFailed, reason: "ta.certificate_refused"},
		"clock moved by verifier": {key: func() termauth.ISKey {
			return signer(t, spec(func(s *cvc.Spec) { s.Defects.TerminalUntil = day("2025-07-01") }))
		}, outcome: emrtd.OutcomeFailed, reason: "ta.certificate_refused"},
		"DST refused":            {key: func() termauth.ISKey { return signer(t, sound) }, change: status("ta-dst", "6A88"), outcome: emrtd.OutcomeFailed, reason: "ta.authority_refused"},
		"key refused":            {key: func() termauth.ISKey { return signer(t, sound) }, change: status("ta-select", "6A88"), outcome: emrtd.OutcomeFailed, reason: "ta.key_refused"},
		"no challenge":           {key: func() termauth.ISKey { return signer(t, sound) }, change: status("ta-challenge", "6985"), outcome: emrtd.OutcomeFailed, reason: "ta.challenge"},
		"signature refused":      {key: func() termauth.ISKey { return signer(t, sound) }, change: status("ta-authenticate", "6300"), outcome: emrtd.OutcomeFailed, reason: "ta.signature_refused"},
		"EF.CVCA missing":        {key: func() termauth.ISKey { return signer(t, sound) }, change: func(p *passport.Profile) { p.FileData = map[string][]byte{"CVCA": nil} }, outcome: emrtd.OutcomeNotPerformed, reason: "ta.no_authority"},
		"EF.CVCA blank":          {key: func() termauth.ISKey { return signer(t, sound) }, change: func(p *passport.Profile) { p.FileData = map[string][]byte{"CVCA": make([]byte, 36)} }, outcome: emrtd.OutcomeNotPerformed, reason: "ta.no_authority"},
		"no chip authentication": {key: func() termauth.ISKey { return signer(t, sound) }, change: func(p *passport.Profile) { p.Authenticity.ChipKeys = nil }, outcome: emrtd.OutcomeNotPerformed, reason: "ta.no_chip_authentication"},
		"clone":                  {key: func() termauth.ISKey { return signer(t, sound) }, change: func(p *passport.Profile) { p.Authenticity.Clone = true }, outcome: emrtd.OutcomeNotPerformed, reason: "ta.no_chip_authentication"},
		"chip named otherwise":   {key: func() termauth.ISKey { return signer(t, sound) }, change: func(p *passport.Profile) { p.Terminal.NoPACEID = true }, outcome: emrtd.OutcomeFailed, reason: "ta.signature_refused"},
		"session dies in between": {key: func() termauth.ISKey { return signer(t, sound) }, change: func(p *passport.Profile) {
			p.Faults = []passport.Fault{{Kind: passport.KindWrongMAC, Step: "ta-verify", Times: 1}}
		}, outcome: emrtd.OutcomeFailed, reason: "sm.mac_wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := guarded(&brainpool, sound)
			if tc.change != nil {
				tc.change(&p)
			}
			v, doc := guardedChip(t, p)
			r, err := read(t, v, p, withKey(tc.key()))
			if err != nil {
				t.Fatal(err)
			}
			got := proof(r, emrtd.ProofTerminal)
			if got.Outcome != tc.outcome || string(got.Reason) != tc.reason {
				t.Errorf("%+v", got)
			}
			for _, n := range []string{"DG3", "DG4"} {
				if _, read := r.Files[n]; read || r.Unread[n] != emrtd.ErrFileDenied.Code {
					t.Errorf("%s: read %t, %q", n, read, r.Unread[n])
				}
			}
			if !slices.Equal(r.Files["DG14"], doc.Files["DG14"]) {
				t.Error("DG14 was lost")
			}
		})
	}
}

// TestTerminalRights: a chip gives what the whole chain may read, and no more.
func TestTerminalRights(t *testing.T) {
	for rights, want := range map[string][2]bool{"finger": {true, false}, "iris": {false, true}, "none": {false, false}} {
		s := cvc.Spec{Rights: rights}
		p := guarded(&brainpool, s)
		v, _ := guardedChip(t, p)
		r, err := read(t, v, p, withKey(signer(t, s)))
		if err != nil || proof(r, emrtd.ProofTerminal).Outcome != emrtd.OutcomeProven {
			t.Fatalf("%s: %v, %+v", rights, err, r.Proofs)
		}
		got := [2]bool{r.Files["DG3"] != nil, r.Files["DG4"] != nil}
		if got != want {
			t.Errorf("%s: %v, unread %v", rights, got, r.Unread)
		}
	}
}

// TestTerminalLinkOutlivesReset: a chip that has seen the link knows the new
// authority for good, and names both.
func TestTerminalLinkOutlivesReset(t *testing.T) {
	s := cvc.Spec{Linked: true}
	p := guarded(&brainpool, s)
	v, _ := guardedChip(t, p)
	var commands [2]int
	for i := range commands {
		v.Reset(t.Context())
		r, err := read(t, v, p, withKey(signer(t, s)))
		if err != nil || proof(r, emrtd.ProofTerminal).Outcome != emrtd.OutcomeProven {
			t.Fatalf("reading %d: %v, %+v", i+1, err, r.Proofs)
		}
		commands[i] = r.Traffic.Commands
	}
	if commands[1] != commands[0]-2 { // one MSE:Set DST and one PSO less: the link
		t.Errorf("%v commands", commands)
	}
}

// TestTerminalSessionLost: a session that dies while DG3 is read is opened
// anew, Chip and Terminal Authentication included.
func TestTerminalSessionLost(t *testing.T) {
	p := guarded(&brainpool, cvc.Spec{})
	p.Faults = []passport.Fault{{Kind: passport.KindWrongMAC, Step: "read:DG3", Times: 1}}
	v, doc := guardedChip(t, p)
	r, err := read(t, v, p, withKey(signer(t, cvc.Spec{})))
	if err != nil || !slices.Equal(r.Files["DG3"], doc.Files["DG3"]) || !slices.Equal(r.Files["DG4"], doc.Files["DG4"]) {
		t.Fatalf("%v, unread %v", err, r.Unread)
	}
	if r.Access.Sessions != 2 {
		t.Errorf("%d sessions", r.Access.Sessions)
	}
}

// TestTerminalNotAsked: a chip without guarded groups is not asked, and open
// ones are read without a key.
func TestTerminalNotAsked(t *testing.T) {
	p := guarded(&brainpool, cvc.Spec{})
	p.Groups = passport.Groups{}
	v, _ := guardedChip(t, p)
	r, err := read(t, v, p, withKey(signer(t, cvc.Spec{})))
	if err != nil || slices.ContainsFunc(r.Proofs, func(p emrtd.Proof) bool { return p.Kind == emrtd.ProofTerminal }) {
		t.Errorf("%v, %+v", err, r.Proofs)
	}
	p = guarded(&brainpool, cvc.Spec{})
	p.Terminal = &passport.Terminal{Unguarded: true}
	v, doc := guardedChip(t, p)
	r, err = read(t, v, p)
	if err != nil || !slices.Equal(r.Files["DG3"], doc.Files["DG3"]) {
		t.Errorf("%v, %v", err, r.Unread)
	}
	if s := fmt.Sprintf("%v %+v %#v", signer(t, cvc.Spec{}), signer(t, cvc.Spec{}), signer(t, cvc.Spec{})); len(s) > 200 {
		t.Error("a key prints itself")
	}
}
