package admin

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/sdk/central/approval"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Errors of what two decide.
var (
	errOtherPerson = &fault.Error{Code: "approve.other_person", Hint: "each person hands in their own signature, signed in by their own name"}
	errOtherID     = &fault.Error{Code: "approve.other_proposal", Hint: "this signature is for another proposal"}
	errCode        = &fault.Error{Code: "enrol.code", Hint: "type the code that the box shows; another one means that the request is not the box's"}
)

// mostDays is how long an order may wait for a post that is away.
const mostDays = 365

// said says what a proposal is in words: the deed, and the posts of an order.
func said(p store.Proposal) (what string, posts []string) {
	switch p.Kind {
	case store.KindEnrolment:
		return "enrol", nil
	case store.KindOrder:
		o, err := linkv1.ReadOrder(p.Content)
		if err != nil {
			return "", nil // Propose checked it
		}
		for _, t := range o.Targets {
			posts = append(posts, t.Post)
		}
		switch o.What.(type) {
		case *linkv1.Order_Lock:
			what = "lock"
		case *linkv1.Order_Wipe:
			what = "wipe"
		case *linkv1.Order_Unlock:
			what = "unlock"
		case *linkv1.Order_Recall:
			what = "recall"
		case *linkv1.Order_Rekey:
			what = "rekey"
		}
	}
	return what, posts
}

func (s *Server) proposals(c *call) (any, error) {
	found, err := s.o.Store.Proposals(c.Context(), c.URL.Query().Get("state"), proposalsShown)
	if err != nil {
		return nil, err
	}
	out := make([]approval.Row, 0, len(found))
	for _, p := range found {
		r, err := approval.RowOf(p)
		if err != nil {
			return nil, err
		}
		r.Content = "" // what is signed is fetched one by one
		out = append(out, r)
	}
	return struct {
		Proposals []approval.Row `json:"proposals"`
	}{out}, nil
}

// proposal answers the file that "watchpost-central proposal sign" reads.
func (s *Server) proposal(c *call) (any, error) {
	p, err := s.named(c)
	if err != nil {
		return nil, err
	}
	return approval.RowOf(p)
}

func (s *Server) named(c *call) (store.Proposal, error) {
	id, err := approval.ParseID(c.PathValue("id"))
	if err != nil {
		return store.Proposal{}, err
	}
	return s.o.Store.ProposalByID(c.Context(), id)
}

// approved is what handing in a signature has come to.
type approved struct {
	Approved bool `json:"approved"` // it was the last needed
}

// approve takes the signature of the person who is signed in: the file of
// "proposal sign", or a signed copy of a feed's metadata. With an enrolment goes
// the code that the person read from the box.
func (s *Server) approve(c *call) (any, error) {
	var in struct {
		Signature *approval.Signed `json:"signature"`
		Copy      json.RawMessage  `json:"copy"`
		Code      string           `json:"code"`
	}
	if err := read(c.Request, &in); err != nil {
		return nil, err
	}
	if (in.Signature == nil) == (in.Copy == nil) {
		return nil, fault.New(errForm.Code, "hand in a signature or a signed copy")
	}
	p, err := s.named(c)
	if err != nil {
		return nil, err
	}
	signature, err := s.signatureOf(c, p, in.Signature, in.Copy)
	if err != nil {
		return nil, err
	}
	if p.Kind == store.KindEnrolment && !sameCode(in.Code, string(p.Content)) {
		return nil, errCode
	}
	done, err := s.o.Store.Approve(c.Context(), p.ID, c.who.ID, signature, s.o.CertificateLife)
	return approved{done}, err
}

func (s *Server) signatureOf(c *call, p store.Proposal, in *approval.Signed, signed []byte) ([]byte, error) {
	if in == nil {
		return copied(p, signed, c.who.Key)
	}
	if in.By != c.who.ID {
		return nil, errOtherPerson
	}
	id, signature, err := in.Open()
	if err == nil && !bytes.Equal(id, p.ID) {
		err = errOtherID
	}
	return signature, err
}

// sameCode compares what a person typed with a request's code.
func sameCode(typed, request string) bool {
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r == '-' || r == ' ' {
				return -1
			}
			return r
		}, strings.ToUpper(s))
	}
	return plain(typed) == plain(linkv1.EnrolmentCode(request))
}

func (s *Server) withdraw(c *call) (any, error) {
	var in struct {
		Reason string `json:"reason"`
	}
	if err := read(c.Request, &in); err != nil {
		return nil, err
	}
	id, err := approval.ParseID(c.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if err := checkReason(in.Reason); err != nil {
		return nil, err
	}
	return nil, s.o.Store.Withdraw(c.Context(), id, c.who.ID, in.Reason)
}

// checkReason: nothing is done without saying why.
func checkReason(reason string) error {
	if strings.TrimSpace(reason) == "" || len(reason) > 256 {
		return fault.New("central.proposal", "a reason of 1 to 256 bytes is needed")
	}
	return nil
}

// order files an order for two signatures.
func (s *Server) order(c *call) (any, error) {
	var in struct {
		What    string            `json:"what"` // lock, unlock, wipe, recall, rekey
		Posts   []string          `json:"posts"`
		List    string            `json:"list"`
		Record  string            `json:"record"`
		Edition uint64            `json:"edition"`
		Wrapped map[string][]byte `json:"wrapped"` // recipient to the list's new key, wrapped for it
		Reason  string            `json:"reason"`
		Days    int               `json:"days"` // a post that comes back later refuses it
	}
	if err := read(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkReason(in.Reason); err != nil {
		return nil, err
	}
	if in.Days < 1 || in.Days > mostDays {
		return nil, fault.New("order.form", "an order holds for 1 to %d days", mostDays)
	}
	o := &linkv1.Order{Reason: in.Reason, ExpiresMs: s.o.Now().AddDate(0, 0, in.Days).UnixMilli()}
	subject := strings.Join(in.Posts, ",")
	switch in.What {
	case "lock":
		o.What = &linkv1.Order_Lock{Lock: &linkv1.LockPost{}}
	case "wipe":
		o.What = &linkv1.Order_Wipe{Wipe: &linkv1.WipePost{}}
	case "unlock":
		o.What = &linkv1.Order_Unlock{Unlock: &linkv1.UnlockPost{}}
	case "recall":
		o.What, subject = &linkv1.Order_Recall{Recall: &linkv1.RecallRecord{List: in.List, Record: in.Record, Edition: in.Edition}}, in.List+"/"+in.Record
	case "rekey":
		o.What, subject = &linkv1.Order_Rekey{Rekey: &linkv1.NewListKey{List: in.List, Wrapped: in.Wrapped}}, in.List
	default:
		return nil, fault.New("order.form", "an order is to lock, unlock, wipe, recall or rekey")
	}
	if in.What != "recall" && in.What != "rekey" && len(in.Posts) == 0 {
		return nil, fault.New("order.form", "name the posts: only lists are for all by leaving them out")
	}
	slices.Sort(in.Posts)
	p, err := s.o.Store.ProposeOrder(c.Context(), o, slices.Compact(in.Posts), subject, c.who.ID)
	if err != nil {
		return nil, err
	}
	return waitingOf(p, c.who.ID), nil
}

// enrol files a post's request. Who files it types the code that the box shows.
func (s *Server) enrol(c *call) (any, error) {
	var in struct {
		Request string `json:"request"`
		Code    string `json:"code"`
		Reason  string `json:"reason"`
	}
	if err := read(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkReason(in.Reason); err != nil {
		return nil, err
	}
	in.Request = strings.TrimSpace(in.Request)
	if _, err := linkv1.OpenEnrolmentRequest(in.Request); err != nil {
		return nil, fault.Wrap(store.ErrRequest.Code, err)
	}
	if !sameCode(in.Code, in.Request) {
		return nil, errCode
	}
	p, err := s.o.Store.ProposeEnrolment(c.Context(), in.Request, in.Reason, c.who.ID)
	if err != nil {
		return nil, err
	}
	return waitingOf(p, c.who.ID), nil
}

// metadata answers the metadata of a feed that "watchpost list sign" reads.
func (s *Server) metadata(c *call) (any, error) {
	p, err := s.named(c)
	if err == nil && p.Kind != store.KindList {
		err = errNowhere
	}
	return json.RawMessage(bytes.TrimSpace(p.Content)), err
}

// copied takes the signature by key out of a copy of a feed's metadata that
// "watchpost list sign" has signed.
func copied(p store.Proposal, raw, key []byte) ([]byte, error) {
	if p.Kind != store.KindList || !repo.SameText(p.Content, raw) {
		return nil, errOtherID
	}
	signature, err := repo.SignatureOf(raw, key)
	if err == nil && signature == nil {
		err = store.ErrSignature
	}
	return signature, err
}

func (s *Server) missing(c *call) (any, error) { return s.setMissing(c, true) }
func (s *Server) found(c *call) (any, error)   { return s.setMissing(c, false) }

func (s *Server) setMissing(c *call, missing bool) (any, error) {
	var in struct {
		Reason string `json:"reason"`
	}
	if err := read(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkReason(in.Reason); err != nil {
		return nil, err
	}
	return nil, s.o.Store.SetMissing(c.Context(), c.PathValue("id"), missing, c.who.ID, in.Reason)
}

// retire takes a post's rights for good.
func (s *Server) retire(c *call) (any, error) {
	var in struct {
		Reason string `json:"reason"`
	}
	if err := read(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkReason(in.Reason); err != nil {
		return nil, err
	}
	return nil, s.o.Store.RetireDevice(c.Context(), c.PathValue("id"), c.who.ID, in.Reason)
}
