package deviation

import (
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
)

// list makes a list with one deviation of the criteria given.
func list(criteria ...[]byte) []byte {
	description := der.Marshal(der.Sequence, der.Marshal(der.PrintableString, []byte("free text")), der.Marshal(der.ObjectID, []byte{0x67, 0x81, 8, 1, 1, 7, 2, 3}))
	deviation := der.Marshal(der.Sequence, der.Marshal(der.Sequence, criteria...), der.Marshal(der.Set, description))
	return der.Marshal(der.Sequence, der.Marshal(der.Integer, []byte{0}), der.Marshal(der.Set, deviation))
}

func text(s string) []byte { return der.Marshal(der.PrintableString, []byte(s)) }

func period(first, last string) []byte {
	return der.Marshal(der.ContextConstructed(4), der.Marshal(der.GeneralizedTime, []byte(first)), der.Marshal(der.GeneralizedTime, []byte(last)))
}

func TestFind(t *testing.T) {
	issuer := der.Marshal(der.Sequence)
	signer := &pki.Certificate{Raw: []byte("certificate"), RawIssuer: issuer, Serial: big.NewInt(7), SubjectKeyID: []byte{1, 2}}
	other := &pki.Certificate{Raw: []byte("other"), RawIssuer: issuer, Serial: big.NewInt(8), SubjectKeyID: []byte{1, 3}}
	bySerial := der.Marshal(der.ContextConstructed(1), issuer, der.Marshal(der.Integer, []byte{7}))
	byKey := der.Marshal(der.Context(2), []byte{1, 2})
	numbers := der.Marshal(der.ContextConstructed(5), text("B2"), text("A1<"), text("a9"))
	kind := der.Marshal(der.Context(0), []byte("P<"))
	issued := time.Date(2015, 6, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		list           []byte
		document       Document
		found, perhaps bool
	}{
		"number":                     {list(numbers), Document{Number: "A1<<"}, true, false},
		"number in small letters":    {list(numbers), Document{Number: "A9"}, true, false},
		"another number":             {list(numbers), Document{Number: "A2"}, false, false},
		"no number":                  {list(numbers), Document{}, false, false},
		"every document":             {list(), Document{Number: "X"}, true, false},
		"no numbers in the set":      {list(der.Marshal(der.ContextConstructed(5))), Document{Number: "X"}, false, false},
		"type":                       {list(kind, numbers), Document{Type: "P", Number: "B2"}, true, false},
		"type under one letter":      {list(kind, numbers), Document{Type: "PD", Number: "B2"}, true, false},
		"another type":               {list(kind, numbers), Document{Type: "ID", Number: "B2"}, false, false},
		"signer":                     {list(bySerial), Document{Signer: signer}, true, false},
		"another signer":             {list(bySerial), Document{Signer: other}, false, false},
		"signer that is not known":   {list(bySerial), Document{}, true, true},
		"signer by key":              {list(byKey), Document{Signer: signer}, true, false},
		"another signer by key":      {list(byKey), Document{Signer: other}, false, false},
		"digest of an odd length":    {list(der.Marshal(der.Context(3), []byte{1})), Document{Signer: signer}, false, false},
		"period":                     {list(period("20150101000000Z", "20151231000000Z")), Document{Issued: issued}, true, false},
		"after the period":           {list(period("20140101000000Z", "20141231000000Z")), Document{Issued: issued}, false, false},
		"before the period":          {list(period("20160101000000Z", "20161231000000Z")), Document{Issued: issued}, false, false},
		"issue that is not known":    {list(period("20140101000000Z", "20141231000000Z")), Document{}, true, true},
		"number right, signer wrong": {list(bySerial, numbers), Document{Number: "B2", Signer: other}, false, false},
	} {
		l, err := Parse(tc.list)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m, ok := l.Find(tc.document)
		if ok != tc.found || m.Possible != tc.perhaps || ok && Word(m.Types[0]) != "lds 2.23.136.1.1.7.2.3" {
			t.Errorf("%s: %v %+v", name, ok, m)
		}
	}
}

func TestWord(t *testing.T) {
	for oid, want := range map[string]string{"2.23.136.1.1.7.3": "mrz 2.23.136.1.1.7.3", "2.23.136.1.1.7.9.1": "2.23.136.1.1.7.9.1", "1.2.3": "1.2.3"} {
		if got := Word(oid); got != want {
			t.Errorf("%s: %s", oid, got)
		}
	}
}

func TestMalformed(t *testing.T) {
	whole := list(der.Marshal(der.ContextConstructed(5), text("A1")))
	for name, b := range map[string][]byte{
		"nothing":             nil,
		"no sequence":         {0x31, 0},
		"bytes after it":      append(append([]byte{}, whole...), 0),
		"cut off":             whole[:len(whole)-1],
		"another version":     der.Marshal(der.Sequence, der.Marshal(der.Integer, []byte{1}), der.Marshal(der.Set)),
		"no deviations":       der.Marshal(der.Sequence, der.Marshal(der.Integer, []byte{0})),
		"unknown criterion":   list(der.Marshal(der.Context(9), []byte{1})),
		"period backwards":    list(period("20160101000000Z", "20150101000000Z")),
		"period without end":  list(der.Marshal(der.ContextConstructed(4), der.Marshal(der.GeneralizedTime, []byte("20160101000000Z")))),
		"no date":             list(period("x", "y")),
		"number is no text":   list(der.Marshal(der.ContextConstructed(5), der.Marshal(der.Integer, []byte{1}))),
		"signer half named":   list(der.Marshal(der.ContextConstructed(1), der.Marshal(der.Sequence))),
		"deviation is no row": der.Marshal(der.Sequence, der.Marshal(der.Integer, []byte{0}), der.Marshal(der.Set, text("x"))),
	} {
		if _, err := Parse(b); !errors.Is(err, ErrList) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(list(der.Marshal(der.ContextConstructed(5), text("A1"))))
	f.Add(list(der.Marshal(der.Context(2), []byte{1}), period("20150101000000Z", "20151231000000Z")))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrList) {
				t.Fatal("not coded:", err)
			}
			return
		}
		if m, ok := l.Find(Document{Type: "P", Number: "A1"}); !ok && m.Types != nil {
			t.Fatal("types of nothing")
		}
	})
}
