package emrtd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// virtual is a virtual passport as a Channel.
type virtual struct {
	*passport.Chip
	maxCommand, maxResponse int
	before                  func(n int, command []byte) ([]byte, error) // may answer in the chip's place
	commands                [][]byte
}

func (v *virtual) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v.commands = append(v.commands, command)
	if v.before != nil {
		if answer, err := v.before(len(v.commands), command); answer != nil || err != nil {
			return answer, err
		}
	}
	answer, err := v.Chip.Transmit(command)
	if errors.Is(err, passport.ErrTorn) {
		return nil, fault.Wrap("card.removed", err)
	}
	return answer, err
}

func (v *virtual) MaxCommand() int  { return v.maxCommand }
func (v *virtual) MaxResponse() int { return v.maxResponse }

func (v *virtual) Reset(context.Context) error {
	v.Chip.Reset()
	return nil
}

// noReset hides Reset, as a driver that cannot reset a card does.
type noReset struct{ emrtd.Channel }

// documents keeps what has been personalised: keys and signatures take time,
// and files must be the same again.
var documents sync.Map

// document personalises p. Profiles that differ in faults, limits and air time
// alone share files and keys.
func document(t testing.TB, p passport.Profile) *passport.Document {
	t.Helper()
	faults, limits, air := p.Faults, p.Limits, p.Air
	p.Faults, p.Limits, p.Air = nil, passport.Limits{}, passport.Air{}
	written, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	key := string(written)
	kept, ok := documents.Load(key)
	if !ok {
		doc, err := passport.Personalise(p)
		if err != nil {
			t.Fatal(err)
		}
		kept, _ = documents.LoadOrStore(key, doc)
	}
	doc := *kept.(*passport.Document)
	doc.Faults, doc.Limits, doc.Air = faults, limits, air
	return &doc
}

func newVirtual(t testing.TB, p passport.Profile) *virtual {
	t.Helper()
	chip, err := passport.NewChip(document(t, p))
	if err != nil {
		t.Fatal(err)
	}
	return &virtual{Chip: chip, maxCommand: 65_544, maxResponse: 65_538}
}

func mrzPassword(t testing.TB, key string) emrtd.Password {
	t.Helper()
	part := strings.Split(key, ",")
	pw, err := emrtd.FromMRZ(part[0], part[1], part[2])
	if err != nil {
		t.Fatal(err)
	}
	return pw
}

// read reads with the right password.
func read(t testing.TB, v emrtd.Channel, p passport.Profile, change ...func(*emrtd.Options)) (*emrtd.Reading, error) {
	t.Helper()
	o := emrtd.Options{Passwords: []emrtd.Password{mrzPassword(t, p.Person().Key())}}
	for _, c := range change {
		c(&o)
	}
	r, err := emrtd.Read(t.Context(), v, o)
	if r == nil {
		t.Fatal("no reading")
	}
	return r, err
}

// sameFiles compares the files read with those that the chip holds.
func sameFiles(t testing.TB, r *emrtd.Reading, p passport.Profile, names ...string) {
	t.Helper()
	doc := document(t, p)
	for _, name := range names {
		if !bytes.Equal(r.Files[name], doc.Files[name]) {
			t.Errorf("%s: %d octets read, the chip has %d; unread: %v", name, len(r.Files[name]), len(doc.Files[name]), r.Unread)
		}
	}
}

// portrait is a DG2 of about n octets, random enough that a block out of
// place shows.
func portrait(n int) []byte {
	value := make([]byte, n)
	for i := range value {
		value[i] = byte(i>>8) ^ byte(i)*31
	}
	return apdu.AppendTLV(nil, 0x75, value)
}
