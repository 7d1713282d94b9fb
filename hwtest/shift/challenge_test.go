package shift_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/biometric/patch"
	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/provision"
	"github.com/watchpost/watchpost/hwtest/demo"
	"github.com/watchpost/watchpost/hwtest/gen/portrait"
	"github.com/watchpost/watchpost/hwtest/liveness"
	"github.com/watchpost/watchpost/sdk/client"
)

// slowMachine is how long a machine may see too few frames of every answer:
// such a challenge says nothing and is given again.
const slowMachine = 4 * time.Minute

// challengeDesk is a desk whose policy asks for challenges, with a simulated
// person before its camera. Detector, net, capture process, daemon and API are
// the product's own.
type challengeDesk struct {
	*desk
	player *liveness.Player
}

func newChallengeDesk(t *testing.T, kinds ...pad.Kind) *challengeDesk {
	t.Helper()
	picture, err := portrait.Load(filepath.Join(demo.PortraitsDir(), "astronaut.png"))
	skipWithout(t, err, "a portrait")
	// The eyes are where the engine finds them.
	sitter, err := liveness.NewSitter(picture, patch.Point{X: 203.25, Y: 102}, patch.Point{X: 246.5, Y: 104.25})
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, policy.Desk, []account{{"anna", "annas-pin", time.Now().Add(time.Hour)}}, func(c *config.Config) {
		c.Capture.Camera, c.Capture.Display = "face", "traveller"
	})
	p := policy.Default(policy.Desk)
	p.Owner, p.Presentation = "test", &policy.Presentation{Mode: policy.PresentationRequire, Challenges: kinds, Tries: 1}
	p.Officers.SearchesPerHour = 0 // one encounter after the other
	raw, err := policy.Encode(p)
	d.must(err)
	d.write(filepath.Join(d.provision, provision.FilesName, "policy.yaml"), raw)
	now := time.Now().UTC()
	_, err = provision.Publish(d.provision, provision.Header{Site: "post-1", Version: 2, Created: now.Add(-time.Minute), Expires: now.Add(time.Hour)}, provision.KindOf)
	d.must(err)
	for id, key := range d.owners {
		d.must(provision.Sign(d.provision, id, key))
	}
	made := filepath.Join(d.dir, "made")
	d.must(os.MkdirAll(made, 0o700))
	c := &challengeDesk{desk: d}
	c.player, err = liveness.NewPlayer(sitter, filepath.Join(d.dir, "camera"), made)
	d.must(err)
	d.ok("keys", "init", "--unlock", "tpm", "--tpm", d.chip.Address(), "--pin-file", filepath.Join(d.dir, "pin"))
	d.run("--pin-file", filepath.Join(d.dir, "pin"), "--provision", d.provision)
	d.wantAPI(d.client.SignIn(t.Context(), "anna", "annas-pin"), "")
	return c
}

// answer is how a Player answers a challenge.
type answer func(ctx context.Context, begin time.Time, c pad.Challenge) error

// challenged gives a person one challenge in an encounter of its own, has it
// answered, and returns the encounter as it is then. noFlash leaves flashes out.
func (c *challengeDesk) challenged(ctx context.Context, noFlash bool, answer answer) *client.Encounter {
	c.t.Helper()
	e, err := c.client.Open(ctx, "reception_registration", false, client.Declared{Age: "adult"})
	c.wantAPI(err, "")
	defer func() {
		_, err := c.client.Decide(context.WithoutCancel(ctx), e.ID, "abandoned", "the test is done with this person")
		c.wantAPI(err, "")
	}()
	_, err = c.client.CaptureFace(ctx, e.ID)
	c.wantAPI(err, "")
	asked := false
	c.must(c.client.Follow(ctx, 0, func(ev client.Event) (bool, error) {
		if ev.Encounter != e.ID {
			return true, nil
		}
		switch ev.Kind {
		case "step.changed":
			var st client.Step
			if err := json.Unmarshal(ev.Data, &st); err != nil {
				return false, err
			}
			if st.Name == "face" && st.State == "done" && !asked {
				asked = true
				_, err := c.client.Challenge(ctx, e.ID, noFlash)
				return true, err
			}
			if st.State == "failed" && st.Name != "presentation" {
				c.t.Fatalf("%s: %s (%s)", st.Name, st.Code, st.Hint)
			}
		case "challenge.drawn":
			var shown struct {
				pad.Challenge
				LeadMS int `json:"lead_ms"`
			}
			if err := json.Unmarshal(ev.Data, &shown); err != nil {
				return false, err
			}
			return true, answer(ctx, time.Now().Add(time.Duration(shown.LeadMS)*time.Millisecond), shown.Challenge)
		case "presentation.judged":
			return false, nil
		}
		return true, nil
	}))
	now, err := c.client.Get(ctx, e.ID)
	c.wantAPI(err, "")
	return now
}

// assessed gives challenges until one of the kind was seen well enough to be
// judged; a machine that is too busy for that skips the test in so many words,
// and fails it in CI.
func (c *challengeDesk) assessed(t *testing.T, kind pad.Kind, answer answer) *client.Encounter {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < slowMachine; {
		e := c.challenged(t.Context(), kind != pad.Flash, answer)
		t.Logf("simulated: %s: %s, %s", e.Presentation.Kind, e.Presentation.Check.Result, e.Presentation.Check.Reason)
		if e.Presentation.Kind == kind.String() && e.Presentation.Check.Reason != pad.ReasonFewFrames {
			return e
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("in %v this machine never saw enough frames of a %v", slowMachine, kind)
	}
	t.Skipf("SKIPPED: in %v this machine never saw enough frames of a %v", slowMachine, kind)
	return nil
}

// A person who follows a flash passes each test that the camera can make, and is
// still not assessable: no bench with real instruments has run. A recording of
// the answer to another turn fails.
func TestAttackReplayBeforeCamera(t *testing.T) {
	c := newChallengeDesk(t, pad.Flash, pad.Turn)
	t.Run("followed, no attack", func(t *testing.T) {
		e := c.assessed(t, pad.Flash, c.player.Follow)
		if k := e.Presentation.Check; k.Result != "not-assessable" || k.Reason != pad.ReasonSimulated {
			t.Errorf("who follows is %s, %s", k.Result, k.Reason)
		}
		if e.Advice != nil && e.Advice.Clear {
			t.Error("and nothing speaks against admitting")
		}
	})
	t.Run("recorded turn", func(t *testing.T) {
		e := c.assessed(t, pad.Turn, c.player.Replay)
		k := e.Presentation.Check
		if k.Result != "fail" || !slices.Contains([]string{pad.ReasonOther, pad.ReasonFlat}, k.Reason) {
			t.Errorf("a recording is %s, %s", k.Result, k.Reason)
		}
	})
}

// TestSoakReplayedFlash is the same with a flash, which takes minutes to be drawn
// and seen well enough.
func TestSoakReplayedFlash(t *testing.T) {
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: WATCHPOST_SOAK is not set: the answer to another flash is not replayed")
	}
	c := newChallengeDesk(t, pad.Flash, pad.Turn)
	e := c.assessed(t, pad.Flash, c.player.Replay)
	if k := e.Presentation.Check; k.Result == "pass" || k.Reason == pad.ReasonSimulated {
		t.Errorf("a recording is %s, %s", k.Result, k.Reason)
	}
}

// TestSoakPrintsBeforeCamera holds a print before the camera after the person's
// face was taken, still and turned by hand: neither counts as a turn, and none shuts
// its eyes. A person who does is seen at the rate at which live faces come.
func TestSoakPrintsBeforeCamera(t *testing.T) {
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: WATCHPOST_SOAK is not set: no print is held before the camera")
	}
	c := newChallengeDesk(t, pad.Turn, pad.Blink)
	for _, a := range []struct {
		name    string
		kind    pad.Kind
		answer  answer
		results []string
		reasons []string
	}{
		{"print held still, turn", pad.Turn, c.player.HoldPrint, []string{"fail"}, []string{pad.ReasonOther, pad.ReasonFlat}},
		{"print turned by hand", pad.Turn, c.player.TurnPrint, []string{"fail", "not-assessable"}, []string{pad.ReasonOther, pad.ReasonFlat, pad.ReasonUnclear, pad.ReasonChanged, pad.ReasonNoIdentity}},
		{"print held still, eyes", pad.Blink, c.player.HoldPrint, []string{"fail"}, []string{pad.ReasonOther}},
		{"eyes shut as told, no attack", pad.Blink, c.player.Follow, []string{"not-assessable"}, []string{pad.ReasonSimulated}},
	} {
		t.Run(a.name, func(t *testing.T) {
			e := c.assessed(t, a.kind, a.answer)
			if k := e.Presentation.Check; !slices.Contains(a.results, k.Result) || !slices.Contains(a.reasons, k.Reason) {
				t.Errorf("%s, %s; want %v, %v", k.Result, k.Reason, a.results, a.reasons)
			}
		})
	}
}
