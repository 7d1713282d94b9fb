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

	ours "github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/hwtest/bench"
	"github.com/watchpost/watchpost/hwtest/gen/cvc"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	"github.com/watchpost/watchpost/hwtest/passport"
	"github.com/watchpost/watchpost/hwtest/passport/lds"
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
	access, mapping, chip, terminal string
	files                           map[string]string // SHA-256 by name
	pictures                        []string          // SHA-256 of the images in DG2 to DG4
	commands                        int
	took                            time.Duration
	error                           string
}

// peer is a running Read.
type peer struct {
	in  io.WriteCloser
	out *bufio.Scanner
}

func startPeer(t *testing.T, b *bench.Bench, classPath string) *peer {
	t.Helper()
	libraries, err := filepath.Glob("/usr/lib/*/libpcsclite.so.1")
	if err != nil || len(libraries) == 0 {
		t.Fatal("libpcsclite1 is not installed")
	}
	c := exec.CommandContext(t.Context(), "java", "-Dsun.security.smartcardio.library="+libraries[0], "-cp", classPath, "Read", b.ReaderName(0))
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

// question is one document for JMRTD to read.
type question struct {
	key   string // "NUMBER,YYMMDD,YYMMDD"
	block int    // largest READ BINARY, 0 for its default of 223
	isKey string // file with the inspection system's key, "" for none
}

func (p *peer) read(t *testing.T, q question) result {
	t.Helper()
	block := ""
	if q.block > 0 {
		block = strconv.Itoa(q.block)
	}
	if _, err := fmt.Fprintf(p.in, "%s,%s,%s\n", q.key, block, q.isKey); err != nil {
		t.Fatal(err)
	}
	if !p.out.Scan() {
		t.Fatalf("JMRTD's program ended: %v", p.out.Err())
	}
	f := strings.SplitN(p.out.Text(), "|", 12)
	if len(f) != 12 {
		t.Fatalf("line %q", p.out.Text())
	}
	r := result{access: f[0], mapping: f[1], chip: f[4], terminal: f[5], error: f[11],
		files: map[string]string{"DG1": f[2], "DG2": f[3], "DG3": f[6], "DG4": f[7]}}
	if f[8] != "" {
		r.pictures = strings.Split(f[8], "+")
	}
	var err error
	if r.commands, err = strconv.Atoi(f[9]); err != nil {
		t.Fatal(err)
	}
	ms, err := strconv.ParseFloat(f[10], 64)
	if err != nil {
		t.Fatal(err)
	}
	r.took = time.Duration(ms * float64(time.Millisecond))
	return r
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
	return b, startPeer(t, b, build(t))
}

// profile is one passport and what JMRTD 0.8.6 is known to make of it.
type profile struct {
	name     string
	p        passport.Profile
	access   string
	chip     string // its word on Chip Authentication
	terminal string // its word on Terminal Authentication, "" where it is not asked
	differs  string // why JMRTD cannot read what our reader does, "" where it can
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
	return append(all, guardedProfiles(with)...)
}

// guardedProfiles are those whose fingers and irises are for terminals, in
// both encodings.
func guardedProfiles(with func(string, passport.ChipKey, ...passport.PACE) profile) []profile {
	chip := passport.ChipKey{Curve: "brainpoolP256r1", Suite: "aes128"}
	var all []profile
	for _, tc := range []struct {
		name  string
		spec  cvc.Spec
		offer []passport.PACE
	}{
		{"TA ECDSA", cvc.Spec{}, []passport.PACE{{Suite: "aes128", Parameter: 13}}},
		{"TA ECDSA by BAC", cvc.Spec{}, nil},
		{"TA ECDSA P-384", cvc.Spec{CVCA: pki.Scheme{Key: "secp384r1", Hash: "sha384"}}, []passport.PACE{{Suite: "aes256", Parameter: 15}}},
		{"TA RSA", cvc.Spec{CVCA: pki.Scheme{Key: "rsa-1536", Hash: "sha256"}}, []passport.PACE{{Suite: "aes128", Parameter: 13}}},
		{"TA RSA-PSS", cvc.Spec{CVCA: pki.Scheme{Key: "rsa-1536", Hash: "sha256", PSS: true}}, []passport.PACE{{Suite: "aes128", Parameter: 13}}},
	} {
		for _, encoding := range []lds.Encoding{lds.Encoding19794, lds.Encoding39794} {
			t := with(tc.name+" "+string(encoding), chip, tc.offer...)
			t.p.Groups = passport.Groups{Encoding: encoding, Fingers: 2, Irises: 2}
			t.p.Terminal = &passport.Terminal{Authority: tc.spec}
			t.terminal = "proven"
			all = append(all, t)
		}
	}
	linked := with("TA with link", chip, passport.PACE{Suite: "aes128", Parameter: 13})
	linked.p.Groups = passport.Groups{Fingers: 1, Irises: 1}
	linked.p.Terminal = &passport.Terminal{Authority: cvc.Spec{Linked: true}}
	linked.terminal = "CardServiceException: First certificate holds wrong authority"
	linked.differs = "JMRTD takes certificates of authorities out of the chain, so that a chip never sees the link to its verifier's authority"
	return append(all, linked)
}

// TestInteropJMRTD has JMRTD read the virtual passport in every profile that
// it supports, and compares what came: the files with the chip's, the pictures
// that JMRTD takes out of them with those that our own parser does.
func TestInteropJMRTD(t *testing.T) {
	b, jmrtd := start(t, "WATCHPOST_INTEROP")
	agreed, differing := 0, 0
	for _, tc := range profiles() {
		doc, err := passport.Personalise(tc.p)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.InsertDocument(t.Context(), 0, doc); err != nil {
			t.Fatal(err)
		}
		q := question{key: tc.p.Person().Key()}
		if tc.terminal != "" {
			q.isKey = isKeyFile(t, tc.p.Terminal.Authority)
		}
		got := jmrtd.read(t, q)
		t.Logf("%-24s access %-4s %-3s chip %-10.60s terminal %-10.60s %3d commands %6.1f ms %.160s", tc.name, got.access, got.mapping, got.chip, got.terminal, got.commands,
			float64(got.took.Microseconds())/1000, got.error)
		if got.access != tc.access || got.chip != tc.chip || !strings.HasPrefix(got.terminal, tc.terminal) || tc.terminal == "" && got.terminal != "" {
			t.Errorf("%s: access %q, chip %q, terminal %q, want %q, %q and %q", tc.name, got.access, got.chip, got.terminal, tc.access, tc.chip, tc.terminal)
		}
		if tc.differs != "" {
			t.Logf("%-24s differs: %s", "", tc.differs)
			differing++
			if err := b.Remove(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			continue
		}
		same := true
		for name, sum := range got.files {
			guarded := name == "DG3" || name == "DG4"
			if guarded && tc.terminal == "" {
				continue
			}
			if sum != digest(doc.Files[name]) {
				t.Errorf("%s: %s differs from the chip's", tc.name, name)
				same = false
			}
		}
		if want := pictures(t, doc.Files); !slices.Equal(got.pictures, want) {
			t.Errorf("%s: pictures %v, ours %v", tc.name, got.pictures, want)
			same = false
		}
		if same {
			agreed++
		}
		if err := b.Remove(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d profiles, files and pictures of %d read alike, %d with a difference that is explained", len(profiles()), agreed, differing)
}

// isKeyFile writes the inspection system's key of that state.
func isKeyFile(t *testing.T, s cvc.Spec) string {
	t.Helper()
	h, err := cvc.New(s)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "is-key.pem")
	if err := os.WriteFile(path, h.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pictures are the images that our own parser takes out of DG2 to DG4.
func pictures(t *testing.T, files map[string][]byte) []string {
	t.Helper()
	var all []string
	for _, group := range []struct {
		name  string
		parse func([]byte) (*ours.Biometrics, error)
	}{{"DG2", ours.ParseDG2}, {"DG3", ours.ParseDG3}, {"DG4", ours.ParseDG4}} {
		raw, there := files[group.name]
		if !there {
			continue
		}
		found, err := group.parse(raw)
		if err != nil {
			t.Errorf("%s: %v", group.name, err)
		}
		for _, image := range found.Images {
			all = append(all, digest(image.Data))
		}
	}
	return all
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
