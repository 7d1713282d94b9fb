package knocks_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/hwtest/demo"
	"github.com/watchpost/watchpost/hwtest/passport"
	"github.com/watchpost/watchpost/sdk/client"
)

// TestNothingPersonalInLogs takes a listed person through the post with every
// kind of mistake on the way, all programs logging what they can, and looks
// for what they must not say.
func TestNothingPersonalInLogs(t *testing.T) {
	s := onStage(t)
	from := len(s.log.String())
	s.show(t, demo.Man.Name)
	torn := s.passport(t, demo.Man, passport.Fault{Kind: passport.KindTear, Step: "read:SOD"})
	holder := torn.Person()
	lift := s.lay(t, torn)
	p := s.arrive(t, true)

	// Mistakes first: errors are where data get into logs.
	if err := s.client.SignIn(t.Context(), s.world.Password, holder.Surname); code(err) != "officer.refused" {
		t.Errorf("a password typed as a name: %v", err)
	}
	if err := s.world.SignIn(t.Context(), s.client); err != nil {
		t.Fatal(err)
	}
	p.fails(p.read(holder.DocumentNumber+","+strings.ReplaceAll(holder.Born[2:], "-", "")+",991399"), "access.wrong_password")
	p.fails(p.read(holder.DocumentNumber+","+holder.Surname+",990101"), "key.form")
	p.fails(p.read(holder.Key()), "card.removed")
	lift()
	genuine := s.passport(t, demo.Man)
	lift = s.lay(t, genuine)
	lines, err := genuine.MRZ()
	if err != nil {
		t.Fatal(err)
	}
	p.fails(p.read(lines[0]+"\n"+strings.Replace(lines[1], lines[1][:9], "X12345678", 1)), "access.wrong_password")
	p.done(p.read(strings.Join(lines, "\n")))
	p.done(p.face())
	e := p.answered()
	if len(e.Candidates) != 1 {
		t.Fatalf("%d candidates, must be the one", len(e.Candidates))
	}
	const remark = "the scar above the left eye fits"
	if _, err := s.client.Adjudicate(t.Context(), p.id, e.Candidates[0], "same_person", remark); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.Decide(t.Context(), p.id, "referred", remark); err != nil {
		t.Fatal(err)
	}
	lift()

	// What ends a decode process says so when it has ended, after the outcome.
	for begun := time.Now(); !strings.Contains(s.log.String()[from:], "level=DEBUG") && time.Since(begun) < stepLimit; {
		time.Sleep(tryEvery)
	}
	said := s.log.String()[from:]
	// It has to be the log of this encounter, at its most talkative.
	for _, must := range []string{p.id, "key.form", "level=DEBUG"} {
		if !strings.Contains(said, must) {
			t.Errorf("the log does not hold %q, so that nothing follows from what else it does not hold", must)
		}
	}
	secret, err := os.ReadFile(s.world.Passphrase)
	if err != nil {
		t.Fatal(err)
	}
	forbidden := map[string]string{
		"surname": holder.Surname, "document number": holder.DocumentNumber,
		"birth date": holder.Born, "birth date of the zone": strings.ReplaceAll(holder.Born[2:], "-", ""),
		"expiry": holder.Expires, "first line": lines[0], "second line": lines[1],
		"password": s.world.Password, "passphrase": strings.TrimSpace(string(secret)),
		"name on the list": "LISTED", "remark": remark,
	}
	for i, given := range strings.Fields(holder.GivenNames) {
		forbidden[fmt.Sprintf("given name %d", i)] = given
	}
	for kind, v := range s.floats(t, demo.Man) {
		forbidden[kind] = v
	}
	if len(forbidden) < 200 { // two templates have 256 values, a few too short to look for
		t.Errorf("only %d things are looked for", len(forbidden))
	}
	lower := strings.ToLower(said)
	for kind, v := range forbidden {
		if len(v) < 3 {
			t.Errorf("%s %q is too short to look for", kind, v)
		}
		if strings.Contains(lower, strings.ToLower(v)) {
			t.Errorf("the log holds the %s", kind)
		}
	}
	if _, err := client.NewSocket(filepath.Join(s.world.State, "admin.sock")).Get(t.Context(), p.id); code(err) != "session.missing" {
		t.Errorf("an encounter without a session: %v", err)
	}
}

// floats are values of templates of the person, as a log would print them:
// the chip's portrait and the first frame of the scene.
func (s *stage) floats(t *testing.T, sitter demo.Sitter) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stepLimit)
	defer cancel()
	process, err := capture.Start(ctx, capture.Options{Role: capture.Decode, Binary: filepath.Join(s.bin, capture.Program)})
	if err != nil {
		t.Fatal(err)
	}
	defer process.Close()
	frame, err := os.ReadFile(filepath.Join(s.scenes[sitter.Name], "000.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	chip, err := demo.Portraits{Dir: demo.PortraitsDir()}.OnChip(sitter)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, picture := range map[string][]byte{"chip": chip, "frame": frame} {
		found, err := process.Decode().FaceTemplate(ctx, picture, 0)
		if err != nil {
			t.Fatal(err)
		}
		add(out, name, found.Template)
	}
	return out
}

// digits is how many significant digits of a value are looked for.
const digits = 5

func add(out map[string]string, name string, v template.Face) {
	for i, x := range v.Vector {
		if text := strings.TrimLeft(strconv.FormatFloat(float64(x), 'g', -1, 32), "-"); len(text) > digits+2 && !strings.Contains(text, "e") {
			out[fmt.Sprintf("value %d of the template of the %s", i, name)] = text[:digits+2]
		}
	}
}
