// Package approval is the form in which what waits for a second signature goes
// to an operator's own machine and the signature comes back, by file: the same
// for the command line and the administration page.
package approval

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// MaxBytes bounds either form as it is read.
const MaxBytes = 4 << 20

// Row is a proposal as it is shown and, from this, signed.
type Row struct {
	ID       string          `json:"id"`
	Kind     store.Kind      `json:"kind"`
	Subject  string          `json:"subject"`
	Reason   string          `json:"reason"`
	State    string          `json:"state"`
	MadeBy   string          `json:"made_by"`
	Made     time.Time       `json:"made"`
	Expires  time.Time       `json:"expires"`
	Approved []string        `json:"approved"`
	Code     string          `json:"code,omitempty"`  // of an enrolment: compare with the box
	Order    json.RawMessage `json:"order,omitempty"` // an order in words
	Content  string          `json:"content"`         // what is signed, base64
	Needed   int             `json:"needed"`          // so many different operators
	// Of a list that was approved: when it went out, or the code of why not.
	Published *time.Time `json:"published,omitempty"`
	Refused   string     `json:"refused,omitempty"`
}

// Signed is an operator's word for a proposal.
type Signed struct {
	ID        string `json:"id"`
	By        string `json:"by"`
	Signature string `json:"signature"` // base64
}

// RowOf is the form of a proposal.
func RowOf(p store.Proposal) (Row, error) {
	r := Row{
		ID: hex.EncodeToString(p.ID), Kind: p.Kind, Subject: p.Subject, Reason: p.Reason, State: p.State, MadeBy: p.MadeBy, Made: p.Made.UTC(),
		Expires: p.Expires.UTC(), Approved: p.Approved, Content: base64.StdEncoding.EncodeToString(p.Content),
		Needed: p.Needed, Published: p.Published,
	}
	if p.Refused != nil {
		r.Refused = *p.Refused
	}
	switch p.Kind {
	case store.KindEnrolment:
		r.Code = linkv1.EnrolmentCode(string(p.Content))
	case store.KindOrder:
		o, err := linkv1.ReadOrder(p.Content)
		if err != nil {
			return r, fault.Wrap("order.form", err)
		}
		if r.Order, err = protojson.Marshal(o); err != nil {
			return r, fault.Wrap("order.form", err)
		}
	}
	return r, nil
}

// ParseID reads the id of a proposal, 32 hexadecimal digits; proposal.form for
// another.
func ParseID(text string) ([]byte, error) {
	id, err := hex.DecodeString(text)
	if err != nil || len(id) != 16 {
		return nil, fault.New("proposal.form", "an id is 32 hexadecimal digits")
	}
	return id, nil
}

// Open returns the id and the signature of an operator's word; proposal.form
// where they cannot be read.
func (s Signed) Open() (id, signature []byte, err error) {
	if id, err = ParseID(s.ID); err != nil {
		return nil, nil, err
	}
	if signature, err = base64.StdEncoding.DecodeString(s.Signature); err != nil {
		return nil, nil, fault.New("proposal.form", "no signature in base64")
	}
	return id, signature, nil
}
