package linkv1

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

// ends are both ends of one link.
type ends struct {
	post    *Post
	central *Central
	keys    map[string]ed25519.PublicKey
}

var errStranger = errors.New("not registered")

func newEnds(t testing.TB) *ends {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	centralPublic, centralPrivate, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	open, err := KEM().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return &ends{
		post: &Post{
			Name: "desk-1", Central: centralPublic, SealTo: open.PublicKey(),
			Sign: func(m []byte) ([]byte, error) { return ed25519.Sign(private, m), nil },
		},
		central: &Central{SignWith: centralPrivate, OpenWith: open},
		keys:    map[string]ed25519.PublicKey{"desk-1": public},
	}
}

func (e *ends) keyOf(post string) (ed25519.PublicKey, error) {
	if k := e.keys[post]; k != nil {
		return k, nil
	}
	return nil, errStranger
}

// Words that no ciphertext holds by chance, as a few bytes may be.
const (
	secretQuestion = "the encounter of this question"
	secretAnswer   = "the record of this answer"
)

func question(post string) *Call {
	return &Call{Post: post, Id: NewID(), PatienceMs: 700, What: &Call_Ask{Ask: &screeningv1.AskRequest{Encounter: secretQuestion, Purpose: "test"}}}
}

func TestRoundTrip(t *testing.T) {
	e := newEnds(t)
	subject := AskSubject("desk-1")
	call := question("desk-1")
	wire, pending, err := e.post.Seal(subject, call)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(wire, []byte(secretQuestion)) {
		t.Fatal("the broker can read the question")
	}
	got, respond, err := e.central.Open(subject, wire, e.keyOf)
	if err != nil || !proto.Equal(got, call) {
		t.Fatalf("Open = %v, %v", got, err)
	}
	reply, err := respond.Seal(&Answer{What: &Answer_Ask{Ask: &screeningv1.AskResponse{Candidates: []*screeningv1.Candidate{{Record: secretAnswer}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(reply, []byte(secretAnswer)) {
		t.Fatal("the broker can read the answer")
	}
	a, err := pending.Open(reply)
	if err != nil || a.GetAsk().GetCandidates()[0].Record != secretAnswer {
		t.Fatalf("answer = %v, %v", a, err)
	}
}

// TestHostileBroker is what a broker may try with calls and replies that it
// has seen.
func TestHostileBroker(t *testing.T) {
	e := newEnds(t)
	subject := AskSubject("desk-1")
	seal := func(call *Call, subject string) ([]byte, *Pending) {
		wire, pending, err := e.post.Seal(subject, call)
		if err != nil {
			t.Fatal(err)
		}
		return wire, pending
	}
	wire, pending := seal(question("desk-1"), subject)
	_, respond, err := e.central.Open(subject, wire, e.keyOf)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := respond.Seal(&Answer{Code: "source.busy"})
	if err != nil {
		t.Fatal(err)
	}
	flipped := func(raw []byte, at int) []byte {
		c := bytes.Clone(raw)
		c[(at+len(c))%len(c)] ^= 1
		return c
	}

	for name, c := range map[string]struct {
		subject string
		wire    []byte
		want    error
	}{
		"another post's subject": {AskSubject("desk-2"), wire, ErrForged},
		"question as outcome":    {DeliverSubject("desk-1"), wire, ErrForged},
		"changed body":           {subject, flipped(wire, -1), ErrForged},
		"changed key":            {subject, flipped(wire, 5), ErrForged},
		"cut":                    {subject, wire[:len(wire)-1], ErrForm},
		"empty":                  {subject, nil, ErrForged},
		"too large":              {subject, make([]byte, MaxMessage+1), ErrSize},
		"no subject of ours":     {"edge.desk-1", wire, ErrForm},
		"wildcard as a post":     {"edge.*.ask", wire, ErrForm},
	} {
		if _, _, err := e.central.Open(c.subject, c.wire, e.keyOf); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}

	// A registered post that speaks for another.
	liar, _ := seal(question("desk-2"), subject)
	if _, _, err := e.central.Open(subject, liar, e.keyOf); !errors.Is(err, ErrForm) {
		t.Errorf("a post in the name of another: %v", err)
	}
	// The right form, signed by a key that nobody registered.
	other := newEnds(t)
	other.post.SealTo = e.post.SealTo
	forged, _, err := other.post.Seal(subject, question("desk-1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.central.Open(subject, forged, e.keyOf); !errors.Is(err, ErrForged) {
		t.Errorf("a stranger's signature: %v", err)
	}
	if _, respond, err := e.central.Open(AskSubject("desk-9"), mustSeal(t, e.post, AskSubject("desk-9")), e.keyOf); !errors.Is(err, errStranger) || respond == nil {
		t.Errorf("an unregistered post: %v", err)
	}
	for name, call := range map[string]*Call{
		"short id":      {Post: "desk-1", Id: []byte{1}, What: question("").What},
		"no content":    {Post: "desk-1", Id: NewID()},
		"endless wait":  {Post: "desk-1", Id: NewID(), PatienceMs: MaxPatience + 1, What: question("").What},
		"without names": {Id: NewID(), What: question("").What},
	} {
		wire, _ := seal(call, subject)
		if _, _, err := e.central.Open(subject, wire, e.keyOf); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}

	// Replies.
	_, elsewhere := seal(question("desk-1"), subject)
	for name, c := range map[string]struct {
		pending *Pending
		wire    []byte
		want    error
	}{
		"reply to another question": {elsewhere, reply, ErrForged},
		"changed reply":             {pending, flipped(reply, -1), ErrForged},
		"cut reply":                 {pending, reply[:3], ErrForm},
		"empty reply":               {pending, nil, ErrForm},
		"too large":                 {pending, make([]byte, MaxMessage+1), ErrSize},
	} {
		if _, err := c.pending.Open(c.wire); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// Whoever holds central's sealing key alone cannot sign for it.
	thief := &Central{SignWith: other.central.SignWith, OpenWith: e.central.OpenWith}
	_, false1, err := thief.Open(subject, wire, e.keyOf)
	if err != nil {
		t.Fatal(err)
	}
	unsigned, err := false1.Seal(&Answer{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pending.Open(unsigned); !errors.Is(err, ErrForged) {
		t.Errorf("an answer that central did not sign: %v", err)
	}
}

func mustSeal(t *testing.T, p *Post, subject string) []byte {
	t.Helper()
	wire, _, err := p.Seal(subject, question("desk-9"))
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

func TestReceipt(t *testing.T) {
	e := newEnds(t)
	want := &Receipt{Post: "desk-1", Id: "e-1", RequestSha256: make([]byte, 32), CommittedMs: 7}
	text, signature, err := e.central.SignReceipt(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenReceipt(e.post.Central, text, signature)
	if err != nil || !proto.Equal(got, want) {
		t.Fatalf("OpenReceipt = %v, %v", got, err)
	}
	other, otherSignature, err := e.central.SignReceipt(&Receipt{Post: "desk-1", Id: "e-2"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key       ed25519.PublicKey
		text      string
		signature []byte
		want      error
	}{
		"another receipt's signature": {e.post.Central, text, otherSignature, ErrForged},
		"another receipt":             {e.post.Central, other, signature, ErrForged},
		"another signer":              {newEnds(t).post.Central, text, signature, ErrForged},
		"no base64":                   {e.post.Central, "!", signature, ErrForm},
		"too long":                    {e.post.Central, string(make([]byte, maxReceipt+1)), signature, ErrSize},
		"no signature":                {e.post.Central, text, nil, ErrForged},
	} {
		if _, err := OpenReceipt(c.key, c.text, c.signature); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// FuzzCentral feeds central what a broker could send.
func FuzzCentral(f *testing.F) {
	e := newEnds(f)
	wire, _, err := e.post.Seal(AskSubject("desk-1"), question("desk-1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("edge.desk-1.ask", wire)
	f.Add("edge..ask", []byte{})
	f.Fuzz(func(t *testing.T, subject string, raw []byte) {
		call, _, err := e.central.Open(subject, raw, e.keyOf)
		if err == nil && (subject != "edge.desk-1.ask" || call.Post != "desk-1") {
			t.Fatalf("%s was taken for %s", subject, call.Post)
		}
	})
}

// FuzzReply feeds a post what a broker could send.
func FuzzReply(f *testing.F) {
	e := newEnds(f)
	wire, pending, err := e.post.Seal(AskSubject("desk-1"), question("desk-1"))
	if err != nil {
		f.Fatal(err)
	}
	_, respond, err := e.central.Open(AskSubject("desk-1"), wire, e.keyOf)
	if err != nil {
		f.Fatal(err)
	}
	reply, err := respond.Seal(&Answer{Code: "source.busy"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(reply)
	f.Add([]byte{10, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := pending.Open(raw)
		if err == nil && a.Code != "source.busy" {
			t.Fatalf("a reply of the broker's making was taken: %v", a)
		}
	})
}
