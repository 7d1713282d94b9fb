package shard

import (
	"testing"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/watchpost/watchpost/device/vault"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

// TestLimitsAreShared: parts together keep the error budget of the whole, and
// the worst group is held as at posts.
func TestLimitsAreShared(t *testing.T) {
	whole, part := limitsAt(Whole, 0), limitsAt(Place{3, 4}, 3.2)
	if part.FPIR*4 != whole.FPIR || part.AlarmMaxList*4 != whole.AlarmMaxList {
		t.Errorf("four parts have %v and alarm up to %d, the whole %v and %d", part.FPIR, part.AlarmMaxList, whole.FPIR, whole.AlarmMaxList)
	}
	if at, held := whole.Faces.ScoreAt(1e-4), part.Faces.ScoreAt(1e-4); held <= at {
		t.Errorf("a threshold of %v for the worst group, %v for all", held, at)
	}
}

// TestAttackSearch: a broker between central and workers neither makes an
// answer, nor passes one off as another's, nor has a question answered that is
// not central's.
func TestAttackSearch(t *testing.T) {
	ring := vault.NewRing()
	t.Cleanup(ring.Close)
	stolen, err := ring.Random()
	if err != nil {
		t.Fatal(err)
	}
	clear, err := proto.Marshal(&screeningv1.AskResponse{Coverage: []*screeningv1.Coverage{{List: "l", Records: 10, Shards: 1, Answered: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(key *vault.Key, at Place, direction, search string) []byte {
		out, err := seal(key, at, direction, search, clear)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	t.Run("a worker that names a list twice", func(t *testing.T) { // for the shard that is silent
		t.Parallel()
		nc := connect(t)
		twice, err := proto.Marshal(&screeningv1.AskResponse{Coverage: []*screeningv1.Coverage{{List: "l", Records: 10, Shards: 1, Answered: 1}, {List: "l", Records: 10, Shards: 1, Answered: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{subject(0), subjectAll(0)} {
			if _, err := nc.Subscribe(s, func(m *nats.Msg) {
				out, err := seal(testKey, Place{0, 2}, fromWorker, m.Header.Get(searchHeader), twice)
				if err == nil {
					_ = m.Respond(out) // the test fails without it
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		partial(t, nc)
	})
	for name, forge := range map[string]func(search string, question []byte) []byte{
		"an answer in the clear":         func(string, []byte) []byte { return clear },
		"an answer under another key":    func(search string, _ []byte) []byte { return sealed(stolen, Place{1, 2}, fromWorker, search) },
		"the answer of another shard":    func(search string, _ []byte) []byte { return sealed(testKey, Place{0, 2}, fromWorker, search) },
		"the answer of another split":    func(search string, _ []byte) []byte { return sealed(testKey, Place{1, 3}, fromWorker, search) },
		"the answer of another search":   func(string, []byte) []byte { return sealed(testKey, Place{1, 2}, fromWorker, "another") },
		"a word of presence":             func(search string, _ []byte) []byte { return sealed(testKey, Place{1, 2}, presence, search) },
		"the question sent back":         func(_ string, question []byte) []byte { return question },
		"an answer cut short":            func(search string, _ []byte) []byte { return sealed(testKey, Place{1, 2}, fromWorker, search)[:20] },
		"nothing, as if it were nothing": func(string, []byte) []byte { return []byte{0} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nc := connect(t)
			serve(t, nc, 0, 2, part{record: "a"})
			for _, s := range []string{subject(1), subjectAll(1)} {
				if _, err := nc.Subscribe(s, func(m *nats.Msg) {
					_ = m.Respond(forge(m.Header.Get(searchHeader), m.Data)) // the test fails without it
				}); err != nil {
					t.Fatal(err)
				}
			}
			partial(t, nc)
		})
	}
	t.Run("a question that is not central's", func(t *testing.T) {
		t.Parallel()
		nc := connect(t)
		serve(t, nc, 0, 1, part{record: "a"})
		refused(t, nc, 1, stolen, "call.invalid")
	})
}
