// Package jmrtd reads the virtual passport with JMRTD, the open reader that
// most others are made from, through a real PC/SC stack. Nothing but tests is
// in it.
package jmrtd

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/hwtest/bench"
	"github.com/watchpost/watchpost/hwtest/passport"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "inside" { // the bench's helper, in namespaces of its own
		if err := bench.Inside(context.Background(), os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// build fetches JMRTD with Maven into the cache, compiles Read.java, and
// returns the class path.
func build(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "watchpost", "jmrtd")
	classes := filepath.Join(dir, "classes")
	if err := os.MkdirAll(classes, 0o755); err != nil {
		t.Fatal(err)
	}
	do := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	if jars, _ := filepath.Glob(filepath.Join(dir, "jmrtd-*.jar")); len(jars) == 0 {
		do("mvn", "-q", "-B", "-f", "pom.xml", "dependency:copy-dependencies", "-DoutputDirectory="+dir)
	}
	path := filepath.Join(dir, "*") + string(filepath.ListSeparator) + classes
	do("javac", "-nowarn", "-cp", path, "-d", classes, "Read.java")
	return path
}

// result is what JMRTD made of one document.
type result struct {
	access, mapping, dg1, dg2, chip, error string
	took                                   time.Duration
}

// peer is a running Read.
type peer struct {
	in  io.WriteCloser
	out *bufio.Scanner
}

func startPeer(t *testing.T, b *bench.Bench) *peer {
	t.Helper()
	libraries, err := filepath.Glob("/usr/lib/*/libpcsclite.so.1")
	if err != nil || len(libraries) == 0 {
		t.Fatal("libpcsclite1 is not installed")
	}
	c := exec.CommandContext(t.Context(), "java", "-Dsun.security.smartcardio.library="+libraries[0], "-cp", build(t), "Read", b.ReaderName(0))
	c.Env = append(os.Environ(), "PCSCLITE_CSOCK_NAME="+b.PCSCDSocket())
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		c.Wait() // its status says nothing that its lines have not said
	})
	return &peer{in, bufio.NewScanner(out)}
}

func (p *peer) read(t *testing.T, key string) result {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, key); err != nil {
		t.Fatal(err)
	}
	if !p.out.Scan() {
		t.Fatalf("JMRTD's program ended: %v", p.out.Err())
	}
	f := strings.SplitN(p.out.Text(), "|", 7)
	if len(f) != 7 {
		t.Fatalf("line %q", p.out.Text())
	}
	ms, err := strconv.Atoi(f[5])
	if err != nil {
		t.Fatal(err)
	}
	return result{f[0], f[1], f[2], f[3], f[4], f[6], time.Duration(ms) * time.Millisecond}
}

// start brings a bench and JMRTD up; the test is skipped loudly unless the
// variable asks for it.
func start(t *testing.T, variable string) (*bench.Bench, *peer) {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skipf("%s is not set: NOT RUN against JMRTD", variable)
	}
	b, err := bench.Start(t.Context(), bench.Options{Helper: []string{os.Args[0], "inside"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b, startPeer(t, b)
}

// profile is one passport and what JMRTD 0.8.6 is known to make of it.
type profile struct {
	name   string
	p      passport.Profile
	access string
	chip   string // its word on Chip Authentication
}

func profiles() []profile {
	chip := passport.ChipKey{Curve: "brainpoolP256r1", Suite: "aes128"}
	with := func(name string, key passport.ChipKey, offer ...passport.PACE) profile {
		p := passport.Profile{Seed: 31, Access: passport.Access{PACE: offer}, Authenticity: passport.Authenticity{ChipKeys: []passport.ChipKey{key}}}
		access := "pace"
		if len(offer) == 0 {
			access = "bac"
		}
		return profile{name: name, p: p, access: access, chip: "proven"}
	}
	all := []profile{with("BAC", chip)}
	suites := []string{"3des", "aes128", "aes192", "aes256"}
	for parameter := 8; parameter <= 18; parameter++ {
		all = append(all, with(fmt.Sprintf("PACE GM %d", parameter), chip, passport.PACE{Suite: suites[parameter%4], Parameter: parameter}))
	}
	for parameter := range 3 {
		all = append(all,
			with(fmt.Sprintf("PACE GM %d", parameter), chip, passport.PACE{Suite: suites[1+parameter], Parameter: parameter}),
			with(fmt.Sprintf("PACE IM %d", parameter), chip, passport.PACE{Mapping: passport.MappingIntegrated, Suite: "aes128", Parameter: parameter}))
	}
	for _, parameter := range []int{12, 13, 15, 16} {
		all = append(all,
			with(fmt.Sprintf("PACE IM %d", parameter), chip, passport.PACE{Mapping: passport.MappingIntegrated, Suite: "aes128", Parameter: parameter}),
			with(fmt.Sprintf("PACE CAM %d", parameter), chip, passport.PACE{Mapping: passport.MappingChip, Suite: "aes128", Parameter: parameter}))
	}
	for _, key := range []passport.ChipKey{{Curve: "secp384r1", Suite: "aes256", KeyID: 2}, {Curve: "secp256r1", Suite: "3des"}, {Curve: "dh-2", Suite: "aes128"}, {Curve: "dh-1", Suite: "3des"}} {
		all = append(all, with("CA "+key.Curve+" "+key.Suite, key, passport.PACE{Suite: "aes128", Parameter: 13}))
	}
	return all
}

// TestInteropJMRTD has JMRTD read the virtual passport in every profile that
// it supports, and compares what came.
func TestInteropJMRTD(t *testing.T) {
	b, jmrtd := start(t, "WATCHPOST_INTEROP")
	agreed := 0
	for _, tc := range profiles() {
		doc, err := passport.Personalise(tc.p)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.InsertDocument(t.Context(), 0, doc); err != nil {
			t.Fatal(err)
		}
		got := jmrtd.read(t, tc.p.Person().Key())
		t.Logf("%-24s access %-4s %-3s chip %-10.60s %4d ms %.160s", tc.name, got.access, got.mapping, got.chip, got.took.Milliseconds(), got.error)
		if got.access != tc.access || got.chip != tc.chip {
			t.Errorf("%s: access %q, chip %q, want %q and %q", tc.name, got.access, got.chip, tc.access, tc.chip)
		}
		if got.dg1 != digest(doc.Files["DG1"]) || got.dg2 != digest(doc.Files["DG2"]) {
			t.Errorf("%s: files differ from the chip's", tc.name)
		} else {
			agreed++
		}
		if err := b.Remove(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d profiles, the files of %d read as they are on the chip", len(profiles()), agreed)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// TestCompareJMRTD times JMRTD's reading in a warm JVM and our whole command,
// its processes started anew, on the same passport and reader: the
// median of some readings from connection to the last file.
func TestCompareJMRTD(t *testing.T) {
	b, jmrtd := start(t, "WATCHPOST_COMPARE")
	bin := filepath.Join(os.Getenv("WATCHPOST_BIN"), "watchpost")
	const rounds = 3
	for _, air := range []passport.Air{{}, {KbitPerSecond: 424, CommandMillis: 3}} {
		p := passport.Profile{Seed: 31, Air: air, Access: passport.Access{PACE: []passport.PACE{{Suite: "aes128", Parameter: 13}}},
			Authenticity: passport.Authenticity{ChipKeys: []passport.ChipKey{{Curve: "brainpoolP256r1", Suite: "aes128"}}}}
		doc, err := passport.Personalise(p)
		if err != nil {
			t.Fatal(err)
		}
		var theirs, ours []time.Duration
		for range rounds {
			lay := func() {
				if err := b.InsertDocument(t.Context(), 0, doc); err != nil {
					t.Fatal(err)
				}
			}
			lay()
			if got := jmrtd.read(t, p.Person().Key()); got.error != "" {
				t.Fatal(got.error)
			} else {
				theirs = append(theirs, got.took)
			}
			if err := b.Remove(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			lay()
			c := exec.CommandContext(t.Context(), bin, "chip", "read", "--mrz", p.Person().Key(), "--reader", b.ReaderName(0))
			c.Env = append(os.Environ(), "PCSCLITE_CSOCK_NAME="+b.PCSCDSocket())
			begun := time.Now()
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			ours = append(ours, time.Since(begun))
			if err := b.Remove(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(theirs)
		slices.Sort(ours)
		t.Logf("%d kbit/s, %d ms a command: JMRTD %d ms (reading alone, in a warm JVM), watchpost chip read %d ms (whole command, its start and judgement included)",
			air.KbitPerSecond, air.CommandMillis, theirs[rounds/2].Milliseconds(), ours[rounds/2].Milliseconds())
	}
}
