package jmrtd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/capture/card"
	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/hwtest/bench"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// reading returns how long reading alone took, and its commands.
type reading func(t *testing.T, key string) (time.Duration, int, error)

// compared is one reader in one setting.
type compared struct {
	name string
	read reading

	short bool // by blocks of at most 256 octets
}

// short is a channel whose reader carries no extended length.
type short struct{ emrtd.Channel }

func (short) MaxCommand() int  { return 261 }
func (short) MaxResponse() int { return 258 }

// ourReading opens the card through the capture process, which runs already as
// at a post, and times the reading alone, as JMRTD's is timed.
func ourReading(client *capture.Client, reader string, wrap func(emrtd.Channel) emrtd.Channel) reading {
	return func(t *testing.T, key string) (time.Duration, int, error) {
		t.Helper()
		c, err := card.Open(t.Context(), client, reader, 5*time.Second)
		for tries := 1; err != nil && tries < 5; tries++ { // pcscd may still be letting the last reader's card go
			c, err = card.Open(t.Context(), client, reader, 5*time.Second)
		}
		if err != nil {
			return 0, 0, err
		}
		defer c.Close()
		part := strings.Split(key, ",")
		password, err := emrtd.FromMRZ(part[0], part[1], part[2])
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		r, err := emrtd.Read(t.Context(), wrap(c), emrtd.Options{Passwords: []emrtd.Password{password}})
		took := time.Since(begun)
		proven := slices.ContainsFunc(r.Proofs, func(p emrtd.Proof) bool { return p.Kind == emrtd.ProofChip && p.Outcome == emrtd.OutcomeProven })
		if err != nil || r.Files["DG2"] == nil || r.Files["SOD"] == nil || !proven {
			return 0, 0, fmt.Errorf("%v, unread %v", err, r.Unread)
		}
		return took, r.Traffic.Commands, nil
	}
}

// theirReading has JMRTD read with blocks of that size. With 16,000 octets and more
// JMRTD 0.8.6 reads no DG2 under the keys of Chip Authentication: it steps its
// block size down and has counted the command that it could not wrap, so that
// the chip refuses the next one (6988). Reading by short identifiers is left out:
// it sends the second READ BINARY of DG2 in plain (6982).
func theirReading(p *peer, block int) reading {
	return func(t *testing.T, key string) (time.Duration, int, error) {
		t.Helper()
		r := p.read(t, question{key: key, block: block})
		if r.error != "" || r.chip != "proven" || r.files["DG2"] == "" {
			return 0, 0, fmt.Errorf("JMRTD with blocks of %d: %s, chip %s", block, r.error, r.chip)
		}
		return r.took, r.commands, nil
	}
}

// TestCompareJMRTD times both readers on the same virtual passport, the same
// pcscd and the same model of the air, each in a process that has been running
// and has warmed up: from the connected card to the last file, both with PACE,
// Chip Authentication, EF.SOD, DG1, DG2 of 18 KB and DG14. Ours reads EF.COM
// and EF.ATR/INFO besides. The rounds of all settings take turns.
func TestCompareJMRTD(t *testing.T) {
	b, jmrtd := start(t, "WATCHPOST_COMPARE")
	t.Setenv("PCSCLITE_CSOCK_NAME", b.PCSCDSocket())
	client, err := capture.Start(t.Context(), capture.Options{
		Role: capture.Devices, Binary: filepath.Join(os.Getenv("WATCHPOST_BIN"), "watchpost-capture"), Stderr: os.Stderr,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	plain := func(c emrtd.Channel) emrtd.Channel { return c }
	settings := []compared{
		{"JMRTD 0.8.6, as it comes", theirReading(jmrtd, 0), true},
		{"JMRTD 0.8.6, blocks of 4,096", theirReading(jmrtd, 4096), false},
		{"ours, short length", ourReading(client, b.ReaderName(0), func(c emrtd.Channel) emrtd.Channel { return short{c} }), true},
		{"ours, as it chooses", ourReading(client, b.ReaderName(0), plain), false},
	}
	var beaten []string
	for _, air := range []passport.Air{{}, {KbitPerSecond: 106, CommandMillis: 3}, {KbitPerSecond: 424, CommandMillis: 3}, {KbitPerSecond: 848, CommandMillis: 2}} {
		beaten = append(beaten, compareOnAir(t, b, client, air, settings)...)
	}
	if len(beaten) == 0 {
		beaten = []string{"nowhere"}
	}
	t.Logf("JMRTD is faster: %s", strings.Join(beaten, "; "))
}

// again reads, once more where that fails: pcscd on a busy machine lets go of a
// card that answers late or that is laid down while the last reader's hold has
// not ended. The document is laid down anew, and the attempt does not count.
func again(t *testing.T, b *bench.Bench, doc *passport.Document, read func() error) {
	t.Helper()
	err := read()
	for tries := 1; err != nil && tries < 4; tries++ {
		t.Logf("  once more: %v", err)
		b.Remove(t.Context(), 0) // it may be gone already
		if err := b.InsertDocument(t.Context(), 0, doc); err != nil {
			t.Fatal(err)
		}
		err = read()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// takeAway removes the document and returns when pcscd has seen it go: one that
// is exchanged between two of its looks is taken for the old one, and lost at
// its first reset.
func takeAway(t *testing.T, b *bench.Bench, client *capture.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for event, err := range client.Events(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		switch event.Kind {
		case capture.Synced: // what is told from here on is new
			if err := b.Remove(ctx, 0); err != nil {
				t.Fatal(err)
			}
		case capture.CardRemoved:
			return
		}
	}
}

// comparedRounds are the rounds counted; as many as warm a JVM go before.
const comparedRounds, warmRounds = 5, 3

// comparedPassport is the passport that both read.
func comparedPassport(air passport.Air) passport.Profile {
	p := passport.Profile{Seed: 31, Air: air, Access: passport.Access{PACE: []passport.PACE{{Suite: "aes128", Parameter: 13}}},
		Authenticity: passport.Authenticity{ChipKeys: []passport.ChipKey{{Curve: "brainpoolP256r1", Suite: "aes128"}}}}
	p.PortraitData = make([]byte, 18_000)
	copy(p.PortraitData, []byte{0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 16, 0, 16, 1, 1, 0x11, 0, 0xFF, 0xDA})
	return p
}

// compareOnAir returns where JMRTD was faster.
func compareOnAir(t *testing.T, b *bench.Bench, client *capture.Client, air passport.Air, settings []compared) (beaten []string) {
	t.Helper()
	p := comparedPassport(air)
	doc, err := passport.Personalise(p)
	if err != nil {
		t.Fatal(err)
	}
	took := make([][]time.Duration, len(settings))
	commands := make([]int, len(settings))
	// The document stays where it lies: pcscd looks for cards twice a second, and
	// that is not what is compared.
	if err := b.InsertDocument(t.Context(), 0, doc); err != nil {
		t.Fatal(err)
	}
	for round := range warmRounds + comparedRounds {
		for i, s := range settings {
			var d time.Duration
			var n int
			again(t, b, doc, func() (err error) {
				d, n, err = s.read(t, p.Person().Key())
				return err
			})
			if commands[i] = n; round >= warmRounds {
				took[i] = append(took[i], d)
			}
		}
	}
	takeAway(t, b, client)
	best := time.Duration(0) // JMRTD's
	for i, s := range settings {
		slices.Sort(took[i])
		if m := took[i][comparedRounds/2]; strings.HasPrefix(s.name, "JMRTD") && (best == 0 || m < best) {
			best = m
		}
	}
	t.Logf("air %d kbit/s, %d ms a command: median of %d readings", air.KbitPerSecond, air.CommandMillis, comparedRounds)
	for i, s := range settings {
		m := took[i][comparedRounds/2]
		t.Logf("  %-40s %4d commands %8.1f ms, %.2f of JMRTD at its best", s.name, commands[i], float64(m.Microseconds())/1000, m.Seconds()/best.Seconds())
		rival := best
		if s.short {
			rival = took[0][comparedRounds/2] // JMRTD as it comes, whose blocks are short too
		}
		if strings.HasPrefix(s.name, "ours") && m > rival {
			beaten = append(beaten, fmt.Sprintf("than %s at %d kbit/s (%.2f)", s.name, air.KbitPerSecond, m.Seconds()/rival.Seconds()))
		}
	}
	return beaten
}
