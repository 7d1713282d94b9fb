package knocks_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/hwtest/demo"
	"github.com/watchpost/watchpost/hwtest/passport"
	"github.com/watchpost/watchpost/sdk/client"
)

// TestWrongKey gives keys that do not open the chip, then the right one.
func TestWrongKey(t *testing.T) {
	s := onStage(t)
	genuine := s.passport(t, demo.Astronaut)
	s.lay(t, genuine)
	s.show(t, "astronaut")
	p := s.arrive(t, true)
	holder := genuine.Person()
	p.fails(p.read(holder.DocumentNumber+",010101,330101"), "access.wrong_password")
	p.fails(p.read("no key at all"), "key.form")
	p.fails(p.read("P<UTO\nTOO<SHORT"), "key.form")
	p.done(p.read(holder.Key()))
	p.done(p.face())
	if e := p.answered(); e.Answer != "clear" || !e.Advice.Clear {
		t.Errorf("after the right key the answer is %s (%v, %+v)", e.Answer, e.Missing, e.Candidates)
	}
	if _, err := s.client.Decide(t.Context(), p.id, "admitted", ""); err != nil {
		t.Error(err)
	}
}

// TestCardGone tears the card off at different places, and lays it on again.
func TestCardGone(t *testing.T) {
	s := onStage(t)
	for _, step := range []string{"external-authenticate", "read:DG2", "read:SOD"} {
		t.Run(step, func(t *testing.T) {
			torn := s.passport(t, demo.Astronaut, passport.Fault{Kind: passport.KindTear, Step: step})
			lift := s.lay(t, torn)
			p := s.arrive(t, true)
			within(t, 5*time.Second, func() { p.fails(p.read(torn.Person().Key()), "card.removed") })
			lift()
			s.lay(t, s.passport(t, demo.Astronaut))
			p.done(p.read(torn.Person().Key()))
		})
	}
}

// TestNoCard reads where nothing lies.
func TestNoCard(t *testing.T) {
	s := onStage(t)
	p := s.arrive(t, true)
	key := s.passport(t, demo.Astronaut).Person().Key()
	// pcscd looks every 400 ms whether the last test's card is still there;
	// until it has seen that it is not, the code is card.removed.
	p.fails(again("card.removed", func() client.Step { return p.read(key) }), "card.none")
}

// TestWrongView shows the camera what gives no one face.
func TestWrongView(t *testing.T) {
	s := onStage(t)
	p := s.arrive(t, false)
	for _, k := range []struct{ scene, code string }{
		{"two", "face.several"},
		{"black", "camera.black"},
		{"wall", "face.none"},
	} {
		s.show(t, k.scene)
		p.fails(p.face(), k.code)
	}
	s.show(t, "astronaut")
	p.done(p.face())
	if e := p.answered(); e.Answer != "clear" {
		t.Errorf("with one face the answer is %s (%v, %+v)", e.Answer, e.Missing, e.Candidates)
	}
}

// TestNoReader reads at a post whose PC/SC service is not there; the officer
// goes on without the document, and the post does not call that clear.
func TestNoReader(t *testing.T) {
	s := onStage(t)
	s.capture(t, s.world.Capture, "PCSCLITE_CSOCK_NAME="+filepath.Join(t.TempDir(), "nobody"))
	s.show(t, "astronaut")
	p := s.arrive(t, true)
	p.fails(p.read(s.passport(t, demo.Astronaut).Person().Key()), "reader.none")
	if _, err := s.client.Skip(t.Context(), p.id, "document", ""); code(err) != "request.invalid" {
		t.Errorf("skipping without a reason: %v", err)
	}
	if _, err := s.client.Skip(t.Context(), p.id, "document", "the reader is broken"); err != nil {
		t.Fatal(err)
	}
	p.done(p.face())
	if e := p.answered(); e.Advice == nil || e.Advice.Clear {
		t.Errorf("a skipped document is advised as clear: %+v", e.Advice)
	}
}

// TestNoCamera takes a face without a camera, and with one that has gone.
func TestNoCamera(t *testing.T) {
	s := onStage(t)
	for _, k := range []struct{ name, config, code string }{
		{"none configured", "{}\n", "camera.none"},
		{"not there", "cameras:\n  - id: face\n    kind: images\n    path: /nowhere/at/all\n", "camera.none"},
		{"another one", "cameras:\n  - id: other\n    kind: images\n    path: " + s.world.Camera + "\n", "device.unknown"},
	} {
		t.Run(k.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "capture.yaml")
			if err := os.WriteFile(path, []byte(k.config), 0o600); err != nil {
				t.Fatal(err)
			}
			s.capture(t, path)
			p := s.arrive(t, false)
			p.fails(p.face(), k.code)
		})
	}
}

// TestCameraUnplugged takes the camera's source away and gives it back.
func TestCameraUnplugged(t *testing.T) {
	s := onStage(t)
	s.show(t, "astronaut")
	p := s.arrive(t, false)
	away := s.world.Camera + "-away"
	if err := os.Rename(s.world.Camera, away); err != nil {
		t.Fatal(err)
	}
	back := func() {
		if err := os.Rename(away, s.world.Camera); err != nil {
			t.Fatal(err)
		}
	}
	st := p.face()
	back()
	p.fails(st, "device.lost")
	// The driver looks for its source again every second or so; until then the
	// officer's tries fail in the same way.
	p.done(again("device.lost", p.face))
}

// TestCorruptModel takes a face with a model file that has been changed.
func TestCorruptModel(t *testing.T) {
	s := onStage(t)
	s.capture(t, s.world.Capture, "WATCHPOST_MODELS="+corruptModels(t))
	s.show(t, "astronaut")
	p := s.arrive(t, false)
	p.fails(p.face(), "models.corrupt")
}

// TestCaptureKilled ends the process of the devices by force, between steps
// and in the middle of a reading, and starts it again as a supervisor does.
func TestCaptureKilled(t *testing.T) {
	s := onStage(t)
	s.show(t, "astronaut")
	slow := s.passport(t, demo.Astronaut, slowly...)
	key := slow.Person().Key()
	s.lay(t, slow)
	p := s.arrive(t, true)

	if _, err := s.client.ReadDocument(t.Context(), p.id, key); err != nil {
		t.Fatal(err)
	}
	p.follow(func(ev client.Event) bool { return ev.Kind == "step.progress" })
	if err := s.post.KillCapture(); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Second, func() { p.fails(p.ended("document"), "capture.lost") })
	within(t, 5*time.Second, func() { p.fails(p.face(), "capture.lost") })
	s.supervise(t)
	p.done(p.read(key))
	p.done(p.face())
	if e := p.answered(); e.Answer != "clear" || !e.Advice.Clear {
		t.Errorf("after the restart the answer is %s (%v, %+v)", e.Answer, e.Missing, e.Candidates)
	}
}

// code is the code of an answer of the API.
func code(err error) string {
	var e *client.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
