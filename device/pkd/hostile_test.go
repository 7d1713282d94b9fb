package pkd_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"

	"github.com/watchpost/watchpost/device/pkd"
	"github.com/watchpost/watchpost/hwtest/directory"
)

// Protocol operations of RFC 4511:2006, appendix B.
const (
	searchEntry     = 4
	searchDone      = 5
	searchReference = 19
)

// server answers each request by a script that gets the number of the message
// and how many requests came before.
func server(t *testing.T, script func(c net.Conn, message int64, request int)) pkd.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for n := 0; ; n++ {
					p, err := ber.ReadPacket(c)
					if err != nil || len(p.Children) < 2 {
						return
					}
					id, _ := p.Children[0].Value.(int64)
					script(c, id, n)
				}
			}()
		}
	}()
	target, err := pkd.ParseURL("ldap://" + l.Addr().String() + "/" + directory.Base)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func sequence(parts ...*ber.Packet) *ber.Packet {
	p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	for _, x := range parts {
		p.AppendChild(x)
	}
	return p
}

func number(n int64) *ber.Packet {
	return ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, n, "")
}

func text(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func operation(tag ber.Tag, parts ...*ber.Packet) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	for _, x := range parts {
		p.AppendChild(x)
	}
	return p
}

// entry is a SearchResultEntry of that name and version.
func entry(message int64, dn, version string) []byte {
	set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
	set.AppendChild(text(version))
	return sequence(number(message), operation(searchEntry, text(dn), sequence(sequence(text("pkdVersion"), set)))).Bytes()
}

// done is a SearchResultDone with a code and, where cookie is not nil, the
// control of the next page.
func done(message, code int64, cookie []byte) []byte {
	p := sequence(number(message), operation(searchDone,
		ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""), text(""), text("")))
	if cookie != nil {
		controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		controls.AppendChild(sequence(text("1.2.840.113556.1.4.319"), text(string(sequence(number(0), text(string(cookie))).Bytes()))))
		p.AppendChild(controls)
	}
	return p.Bytes()
}

func nested(depth int) []byte {
	var b []byte
	for range depth {
		n := len(b)
		b = append([]byte{0x30, 0x82, byte(n >> 8), byte(n)}, b...)
	}
	return b
}

// No server can hang a download, fill memory with it, or have half an answer
// taken for all of it.
func TestAttackServer(t *testing.T) {
	dn := func(n int) string { return "cn=" + strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		script func(c net.Conn, message int64, request int)
		want   error
	}{
		"entries without end": {func(c net.Conn, m int64, _ int) {
			for i := 0; ; i++ {
				if _, err := c.Write(entry(m, dn(1+i), "1")); err != nil {
					return
				}
			}
		}, pkd.ErrEndless},
		"the same page for ever": {func(c net.Conn, m int64, _ int) {
			_, _ = c.Write(append(entry(m, "cn=a", "1"), done(m, 0, []byte("again"))...))
		}, pkd.ErrEndless},
		"empty pages for ever": {func(c net.Conn, m int64, _ int) { _, _ = c.Write(done(m, 0, []byte("more"))) }, pkd.ErrEndless},
		"message of two gigabytes": {func(c net.Conn, _ int64, _ int) {
			_, _ = c.Write([]byte{0x30, 0x84, 0x7F, 0xFF, 0xFF, 0xFF, 0x02})
		}, pkd.ErrTooLarge},
		"message without a length": {func(c net.Conn, _ int64, _ int) { _, _ = c.Write([]byte{0x30, 0x80, 0x02, 0x01, 0x01}) }, pkd.ErrSearch},
		"length of five octets":    {func(c net.Conn, _ int64, _ int) { _, _ = c.Write([]byte{0x30, 0x85, 1, 1, 1, 1, 1}) }, pkd.ErrSearch},
		"more octets than allowed": {func(c net.Conn, m int64, _ int) {
			for i := 0; ; i++ {
				if _, err := c.Write(entry(m, dn(1+i), strings.Repeat("9", 60_000))); err != nil {
					return
				}
			}
		}, pkd.ErrTooLarge},
		"name of a megabyte":     {func(c net.Conn, m int64, _ int) { _, _ = c.Write(entry(m, dn(60_000), "1")) }, pkd.ErrTooLarge},
		"silence":                {func(net.Conn, int64, int) {}, pkd.ErrInterrupted},
		"silence after an entry": {func(c net.Conn, m int64, _ int) { _, _ = c.Write(entry(m, "cn=a", "1")) }, pkd.ErrInterrupted},
		"closed at once":         {func(c net.Conn, _ int64, _ int) { _ = c.Close() }, pkd.ErrInterrupted},
		"closed within an entry": {func(c net.Conn, m int64, _ int) { _, _ = c.Write(entry(m, "cn=a", "1")[:20]); _ = c.Close() }, pkd.ErrInterrupted},
		"closed before the end":  {func(c net.Conn, m int64, _ int) { _, _ = c.Write(entry(m, "cn=a", "1")); _ = c.Close() }, pkd.ErrInterrupted},
		"drop by drop":           {func(c net.Conn, m int64, _ int) { drip(c, entry(m, "cn=a", "1")) }, pkd.ErrInterrupted},
		"answer to nobody's question": {func(c net.Conn, m int64, _ int) {
			_, _ = c.Write(done(m+7, 0, nil))
		}, pkd.ErrInterrupted},
		"another protocol":        {func(c net.Conn, _ int64, _ int) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }, pkd.ErrSearch},
		"nested beyond all sense": {func(c net.Conn, _ int64, _ int) { _, _ = c.Write(nested(1500)) }, pkd.ErrInterrupted},
		"entry without attributes": {func(c net.Conn, m int64, _ int) {
			_, _ = c.Write(sequence(number(m), operation(searchEntry, text("cn=a"))).Bytes())
		}, pkd.ErrSearch},
		"refusal":           {func(c net.Conn, m int64, _ int) { _, _ = c.Write(done(m, 51, nil)) }, pkd.ErrSearch},
		"size limit":        {func(c net.Conn, m int64, _ int) { _, _ = c.Write(done(m, 4, nil)) }, pkd.ErrSearch},
		"referral":          {func(c net.Conn, m int64, _ int) { _, _ = c.Write(done(m, 10, nil)) }, pkd.ErrReferral},
		"no such base":      {func(c net.Conn, m int64, _ int) { _, _ = c.Write(done(m, 32, nil)) }, pkd.ErrBase},
		"listed, then gone": {func(c net.Conn, m int64, n int) { listedOnly(c, m, n) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := pkd.Request{Target: server(t, c.script), Store: t.TempDir(),
				Limits: pkd.Limits{MessageBytes: 100_000, TotalBytes: 1 << 20, Entries: 100, Stall: 10 * time.Second}}
			if errors.Is(c.want, pkd.ErrInterrupted) {
				r.Limits.Stall = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			report, err := pkd.Fetch(ctx, r)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, report %+v", err, report)
			}
			if _, err := os.Stat(filepath.Join(r.Store, "trust.json")); err == nil {
				t.Error("the store was written")
			}
		})
	}
}

func drip(c net.Conn, b []byte) {
	for i := range b {
		if _, err := c.Write(b[i : i+1]); err != nil {
			return
		}
		time.Sleep(40 * time.Millisecond)
	}
}

// listedOnly names an entry in the listing that is not there when it is asked for.
func listedOnly(c net.Conn, m int64, n int) {
	if n == 0 {
		_, _ = c.Write(entry(m, "cn=a", "1"))
	}
	_, _ = c.Write(done(m, 0, nil))
}

// A continuation reference is counted and nobody is asked there.
func TestAttackReferral(t *testing.T) {
	var asked atomic.Int32
	elsewhere := server(t, func(net.Conn, int64, int) { asked.Add(1) })
	target := server(t, func(c net.Conn, m int64, _ int) {
		_, _ = c.Write(sequence(number(m), operation(searchReference, text("ldap://"+elsewhere.Address+"/"+directory.Base))).Bytes())
		_, _ = c.Write(done(m, 0, nil))
	})
	report, err := pkd.Fetch(t.Context(), pkd.Request{Target: target, Store: t.TempDir()})
	if err != nil || report.Referrals == 0 || report.Entries != 0 || asked.Load() != 0 {
		t.Errorf("%v %+v, asked %d times", err, report, asked.Load())
	}
}

// cutter passes a connection on and breaks the first one after some octets.
type cutter struct {
	listener net.Listener
	to       string
	after    int64
	passed   []int64 // octets of the server's side, by connection
}

func (c *cutter) serve() {
	for n := 0; ; n++ {
		down, err := c.listener.Accept()
		if err != nil {
			return
		}
		up, err := net.Dial("tcp", c.to)
		if err != nil {
			_ = down.Close()
			return
		}
		go func() { _, _ = io.Copy(up, down); _ = up.Close() }()
		var from io.Reader = up
		if n == 0 {
			from = io.LimitReader(up, c.after)
		}
		copied, _ := io.Copy(down, from)
		c.passed = append(c.passed, copied)
		_ = down.Close()
		_ = up.Close()
	}
}

// What came before the connection broke is not fetched again.
func TestRealDirectoryResume(t *testing.T) {
	u, x := newState(t, "UT", "UTO"), newState(t, "XO", "XOM")
	d := directory.ForTest(t, nil, "UT", "XO")
	const signers = 40
	load(t, d, published(u, x, signers)...)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: l, to: d.Address(), after: 25_000}
	stopped := make(chan struct{})
	go func() { c.serve(); close(stopped) }()
	r := request(t, d, u.CSCA.DER)
	r.Target.Address = l.Addr().String()

	if _, err := pkd.Fetch(t.Context(), r); !errors.Is(err, pkd.ErrInterrupted) {
		t.Fatalf("cut: %v", err)
	}
	if _, err := os.Stat(filepath.Join(r.Store, "trust.json")); err == nil {
		t.Fatal("half a download is in the store")
	}
	spools, _ := filepath.Glob(filepath.Join(r.Store, "*.spool"))
	if len(spools) != 1 {
		t.Fatalf("%v", spools)
	}
	raw, err := os.ReadFile(spools[0])
	if err != nil {
		t.Fatal(err)
	}
	kept := bytes.Count(raw, []byte("\n"))
	if kept < 8 || kept >= signers {
		t.Fatalf("%d entries kept of a broken download", kept)
	}
	// A crash while writing leaves half a line behind it.
	if err := os.WriteFile(spools[0], append(raw, `{"dn":"cn=ha`...), 0o600); err != nil {
		t.Fatal(err)
	}
	report := fetch(t, r)
	if report.Fetched != signers+3 || len(report.Result.Refused) != 0 || report.Result.Accepted != signers+3 {
		t.Errorf("%+v", report)
	}
	if left, _ := filepath.Glob(filepath.Join(r.Store, "*.spool")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	_ = l.Close()
	<-stopped
	// 43 entries of some 650 octets; the second connection must not bring those
	// that were kept.
	if len(c.passed) != 2 || c.passed[1] > 32_000 {
		t.Errorf("octets by connection: %v", c.passed)
	}
	t.Logf("%d of %d entries came before the cut; octets by connection %v", kept, signers+3, c.passed)
}
