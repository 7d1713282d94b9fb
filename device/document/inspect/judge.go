package inspect

import (
	"slices"
	"strconv"
	"time"

	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/document/mrz"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/trust"
)

// Trust is what the judge needs of a trust store. *trust.Store is one.
type Trust interface {
	// Chain looks for the anchor of a document signer; at judges the age of
	// revocation lists.
	Chain(ds *pki.Certificate, at time.Time) trust.Chain
}

// signerStore is a Trust that also holds certificates of document signers, as
// the ICAO directory publishes them: EF.SOD need not carry its own (Doc
// 9303-10:2021, appendix D.1).
type signerStore interface {
	Entries() []*trust.Entry
}

// Policy is what of a post's policy bears on the results of checks, and not
// on their weight. The zero value is the strict choice.
type Policy struct {
	// AllowSHA1 lets SHA-1 pass sod.algorithm. Signatures are judged either way.
	AllowSHA1 bool
	// MaxCRLAge is the age over which a revocation list no longer calls a signer
	// good; zero leaves it to the list's own next update.
	MaxCRLAge time.Duration
}

// Proof is how a protocol between chip and reader ended, as the reader of the
// chip saw it.
type Proof struct {
	Code    Code     // ChipAuthentication, ActiveAuthentication, PACECAM or TerminalAuth
	Result  Result   // Pass: the chip showed what was asked for
	Reason  string   // stable word where it did not pass
	KeyFile lds.File // file that held the public key, "" for TerminalAuth
}

// Input is what is known of a document before it is judged. Judge changes
// nothing of it.
type Input struct {
	Files  map[lds.File][]byte // as the chip gave them
	Unread map[lds.File]string // files that could not be read, and the reason's code
	At     time.Time           // time of judgement; zero where the clock cannot be relied on
	Trust  Trust               // nil where no store is given
	Policy Policy
	Lines  []string // optically read zone, nil where none was read
	Access *Access  // nil where the files came without a chip
	NoChip bool     // a chip was looked for and none answered
	Proofs []Proof
}

// Judge makes the inspection of a document. It never fails: what cannot be
// judged is a result. Every check code is in the inspection, those of data
// groups for DG1, DG2 and whichever groups are listed or present.
func Judge(in Input) Inspection {
	j := &judge{in: in, checks: map[Code]Check{}}
	for _, r := range slices.Concat(before, after) {
		j.checks[r.code] = Check{Code: r.code, Result: NotPerformed, Reason: r.reason, Clause: r.clause}
	}
	j.readZone()
	j.securityObject()
	j.signerCertificate()
	j.groups()
	j.index()
	j.opticalZone()
	j.expiry()
	j.access()
	j.proofs()
	j.announcements()
	j.chipExpected()
	j.deviations()
	i := Inspection{Document: j.document(), Access: Access{}, Checks: j.ordered(), Data: j.data}
	if in.Access != nil {
		i.Access = *in.Access
	}
	i.Document.Vouched = i.Vouched(1)
	return i
}

// Vouched reports whether data group n is what a trusted signer signed:
// signature, chain and hash have passed. Dates and revocation are not part of
// it; policy weighs them.
func (i *Inspection) Vouched(n int) bool {
	return i.Result(SODSignature) == Pass && i.Result(DSChain) == Pass && i.Result(GroupHash(n)) == Pass
}

// judge gathers the checks of one document. It is for one goroutine.
type judge struct {
	in     Input
	checks map[Code]Check
	data   Data

	zone   *mrz.Zone           // of DG1, nil where it cannot be read
	object *lds.SecurityObject // nil where EF.SOD cannot be read
	signer pki.SignerResult
	infos  []lds.SecurityInfo // of DG14
	dg1err error
}

// set replaces the result and reason of a check.
func (j *judge) set(code Code, result Result, reason string) {
	c := j.checks[code]
	c.Code, c.Result, c.Reason = code, result, reason
	j.checks[code] = c
}

// notPerformed gives several checks one reason.
func (j *judge) notPerformed(reason string, codes ...Code) {
	for _, code := range codes {
		j.set(code, NotPerformed, reason)
	}
}

// ordered returns the checks in the order of the contract.
func (j *judge) ordered() []Check {
	out := make([]Check, 0, len(j.checks))
	take := func(code Code) {
		if c, ok := j.checks[code]; ok {
			out = append(out, c)
		}
	}
	for _, r := range before {
		take(r.code)
	}
	for n := 1; n <= Groups; n++ {
		take(GroupHash(n))
		take(GroupFormat(n))
	}
	for _, r := range after {
		take(r.code)
	}
	return out
}

// document names the document by DG1, or by the optical zone where DG1 gives
// nothing.
func (j *judge) document() Document {
	z := j.zone
	if z == nil {
		var err error
		if z, err = mrz.Parse(j.in.Lines, j.in.now()); err != nil {
			return Document{}
		}
	}
	d := Document{Format: z.Format.String(), Type: z.DocumentCode, Issuer: z.Issuer, Number: z.DocumentNumber, Nationality: z.Nationality}
	d.Expiry = z.Fields()["expiry_date"]
	return d
}

// now is the time that decides centuries; without a clock it is a fixed one of
// this edition, which shifts no century of a holder alive.
func (in Input) now() time.Time {
	if in.At.IsZero() {
		return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return in.At.UTC()
}

// groupList names groups: "dg4 dg5".
func groupList(groups []int) string {
	var s []byte
	for i, n := range groups {
		if i > 0 {
			s = append(s, ' ')
		}
		s = strconv.AppendInt(append(s, "dg"...), int64(n), 10)
	}
	return string(s)
}
