package admin_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central/admin"
	"github.com/watchpost/watchpost/sdk/central/centraltest"
	"github.com/watchpost/watchpost/sdk/central/postgres"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// tells has a post say what central would keep of its hello.
func (b *bench) tells(post string, ago time.Duration, lists string, waiting int) {
	b.t.Helper()
	b.exec(`INSERT INTO contacts (device, starts, run, told, count, version, lists, waiting) VALUES ($1, 1, '\x00', now() - $2::interval, 1, '1.1.0', $3, $4)`, post, ago, lists, waiting)
}

// TestPage is what people do at the page.
func TestPage(t *testing.T) {
	pg := centraltest.Postgres(t)
	for name, test := range map[string]func(*testing.T, *postgres.Instance){
		"fleet": fleet, "orders": orders, "posts": posts, "session_ends": sessionEnds, "every_call_is_refused_in_one_form": everyCall,
	} {
		t.Run(name, func(t *testing.T) { test(t, pg) })
	}
}

// fleet has every kind of trouble at a post of its own, and expects it by
// its code, the worst first.
func fleet(t *testing.T, pg *postgres.Instance) {
	shards := []admin.Shard{{Number: 0, Workers: []string{"w1", "w2"}, Lists: []admin.ShardList{{List: "central-only", Generation: 3, Records: 7, Whole: true}}}}
	b := newBench(t, pg, shards)
	for _, p := range []string{"good", "away", "never", "cloned", "missing", "expired", "renews", "stale", "busy", "forked", "late", "gone", "behind", "locked"} {
		b.post(p)
	}
	issued := time.Now().Add(-time.Hour).UnixMilli()
	held := func(generation int, stale string) string {
		return strings.NewReplacer("G", strconv.Itoa(generation), "I", strconv.FormatInt(issued, 10), "S", stale).Replace(`[{"list":"national","generation":G,"issued_ms":I,"stale":S}]`)
	}
	for _, p := range []string{"good", "cloned", "missing", "expired", "renews", "forked", "late", "locked"} {
		b.tells(p, time.Second, held(5, "false"), 0)
	}
	b.tells("away", time.Hour, held(5, "false"), 0)
	b.tells("stale", time.Second, held(4, "true"), 0)
	b.tells("behind", time.Second, held(4, "false"), 0)
	b.tells("busy", time.Second, "[]", 100)
	b.exec("UPDATE contacts SET rolled_back = now() WHERE device = 'cloned'")
	b.exec("UPDATE devices SET locked = 3 WHERE id = 'locked'")
	b.exec("UPDATE contacts SET workplace = 'gate' WHERE device = 'good'")
	b.exec("UPDATE devices SET missing = now() WHERE id = 'missing'")
	b.exec("UPDATE devices SET certificate = 1, expires = now() - interval '300 days' WHERE id = 'expired'")
	b.exec("UPDATE devices SET certificate = 1, expires = now() - interval '1 day' WHERE id = 'renews'")
	b.exec("INSERT INTO audit_alarms (device, code, head) VALUES ('forked', 'audit.fork', 'x'), ('forked', 'audit.fork', 'y')")
	b.exec("INSERT INTO audit_alarms (device, code) VALUES ('late', 'audit.head_late')")
	b.exec("INSERT INTO audit_alarms (device, code, ended) VALUES ('good', 'audit.head_late', now())")
	b.exec("INSERT INTO audit_heads (device, number, lines, signed, why, head, committed_ms) VALUES ('good', 4, 90, now(), 'interval', 'head', 0), ('busy', 4, 90, now(), 'interval', 'another', 0)")
	b.exec("UPDATE contacts SET audit_number = 4, audit_sha256 = sha256('head') WHERE device IN ('good', 'busy', 'away')")
	if err := b.store.RetireDevice(t.Context(), "gone", "test", ""); err != nil {
		t.Fatal(err)
	}
	s := b.as("dora").state()
	want := map[string]string{
		"good": "", "behind": "", "away": "post.away", "never": "post.never", "cloned": "post.counter", "missing": "link.missing", "expired": "link.expired", "renews": "post.renew",
		"stale": "list.stale", "busy": "audit.differs outbox.waiting", "forked": "audit.fork", "late": "audit.head_late", "locked": "post.locked",
	}
	if len(s.Posts) != len(want) {
		t.Fatalf("%d posts", len(s.Posts))
	}
	tones := []admin.Tone{}
	for _, p := range s.Posts {
		codes := []string{}
		for _, tr := range p.Troubles {
			codes = append(codes, tr.Code)
		}
		if got := strings.Join(codes, " "); got != want[p.ID] {
			t.Errorf("%s: %q, want %q", p.ID, got, want[p.ID])
		}
		if (p.Tone == admin.Go) != (want[p.ID] == "") {
			t.Errorf("%s: tone %s", p.ID, p.Tone)
		}
		tones = append(tones, p.Tone)
	}
	if !slices.IsSortedFunc(tones, func(a, b admin.Tone) int { return strings.Compare(worst(a), worst(b)) }) {
		t.Errorf("not the worst first: %v", tones)
	}
	at := func(id string) admin.Post {
		return s.Posts[slices.IndexFunc(s.Posts, func(p admin.Post) bool { return p.ID == id })]
	}
	if g := at("good"); !g.Connected || g.Head.Agreement != store.HeadAgrees || g.Head.Lines != 90 || g.Version != "1.1.0" || g.Workplace != "gate" {
		t.Errorf("%+v", g)
	}
	if a := at("away"); a.Connected || a.Head.Agreement != store.HeadAwaited {
		t.Errorf("%+v", a)
	}
	if at("missing").Connected || at("cloned").Connected {
		t.Error("who is refused is not connected")
	}
	if len(s.Retired) != 1 || s.Retired[0].ID != "gone" {
		t.Errorf("%+v", s.Retired)
	}
	if len(s.Lists) != 2 || s.Lists[0].List != "central-only" || !s.Lists[0].Central || s.Lists[1].Generation != 5 || s.Lists[1].Posts != 11 || s.Lists[1].Behind != 2 || s.Lists[1].Stale != 1 || s.Lists[1].Tone != admin.Look {
		t.Errorf("%+v", s.Lists)
	}
	if len(s.Shards) != 1 || len(s.Shards[0].Workers) != 2 {
		t.Errorf("%+v", s.Shards)
	}
	if s.Backup.Tone != admin.Look {
		t.Error("no backup is in order")
	}
	if err := b.store.AddBackup(t.Context(), store.Backup{At: time.Now(), File: "a.dump", Bytes: 9, SHA256: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if s := b.as("dora").state(); s.Backup.Tone != admin.Go || len(s.Backup.Last) != 1 {
		t.Errorf("%+v", s.Backup)
	}
	b.later(admin.DefaultBackupAfter + time.Hour)
	if s := b.as("dora").state(); s.Backup.Tone != admin.Look {
		t.Error("an old backup is in order")
	}
}

func worst(t admin.Tone) string {
	return map[admin.Tone]string{admin.Stop: "0", admin.Look: "1", admin.Go: "2"}[t]
}

// orders prepares each kind of order, has two sign it, and reads what
// became of it and who did what.
func orders(t *testing.T, pg *postgres.Instance) {
	b := newBench(t, pg, nil)
	b.post("desk-1")
	b.post("gate-7")
	anna, boris := b.as("anna"), b.as("boris")
	for what, o := range map[string]map[string]any{
		"lock":   {"posts": []string{"desk-1"}},
		"unlock": {"posts": []string{"desk-1"}},
		"wipe":   {"posts": []string{"gate-7", "gate-7"}},
		"recall": {"list": "national", "record": "N-17", "edition": 4},
		"rekey":  {"list": "national", "wrapped": map[string][]byte{"r1": []byte("wrapped")}},
	} {
		o["what"], o["reason"], o["days"] = what, "because of "+what, 2
		id := anna.call("POST", "/v1/orders", o).ok().field("id")
		s := boris.state()
		at := slices.IndexFunc(s.Queue, func(w admin.Waiting) bool { return w.ID == id })
		if at < 0 {
			t.Fatalf("%s does not wait: %+v", what, s.Queue)
		}
		w := s.Queue[at]
		wantCommand := "watchpost-central proposal sign proposal-" + id[:8] + ".json --by boris --key boris.pem > signature-" + id[:8] + ".json"
		if w.What != what || w.MadeBy != "anna" || w.Reason != "because of "+what || w.Needed != 2 || len(w.Approved) != 0 || w.Command != wantCommand {
			t.Errorf("%+v", w)
		}
		if all := what == "recall" || what == "rekey"; (len(w.Posts) == 2) != all {
			t.Errorf("%s is for %v", what, w.Posts)
		}
		if boris.signs(id, "") || !anna.signs(id, "") {
			t.Errorf("%s: not by two", what)
		}
	}
	s := anna.state()
	if len(s.Queue) != 0 || len(s.Orders) != 5 {
		t.Fatalf("%d wait, %d decided", len(s.Queue), len(s.Orders))
	}
	for _, o := range s.Orders {
		if o.State != "approved" || len(o.By) != 2 || o.Posts["sent"] == 0 || o.Tone != admin.Look {
			t.Errorf("%+v", o)
		}
	}
	b.exec("UPDATE order_targets SET state = 'done'")
	for _, o := range anna.state().Orders {
		if o.Tone != admin.Go || o.Posts["done"] == 0 {
			t.Errorf("%+v", o)
		}
	}
	var all struct{ History []store.Event }
	anna.call("GET", "/v1/history?subject=national", nil).ok().into(&all)
	if len(all.History) != 6 { // proposed and approved twice, for the list and for a record of it
		t.Errorf("%+v", all.History)
	}
	var rows struct {
		Proposals []struct{ State, Content string }
	}
	anna.call("GET", "/v1/proposals?state=approved", nil).ok().into(&rows)
	if len(rows.Proposals) != 5 || rows.Proposals[0].Content != "" {
		t.Errorf("%+v", rows)
	}
}

// posts reports a post missing and found, and revokes it.
func posts(t *testing.T, pg *postgres.Instance) {
	b := newBench(t, pg, nil)
	b.post("gate-7")
	why := map[string]string{"reason": "left open"}
	for _, who := range []string{"anna", "adam"} {
		p := b.as(who)
		p.call("PUT", "/v1/posts/gate-7/missing", why).ok()
		if s := p.state(); s.Posts[0].Troubles[0].Code != "link.missing" {
			t.Errorf("%+v", s.Posts)
		}
		p.call("DELETE", "/v1/posts/gate-7/missing", why).ok()
		if s := p.state(); s.Posts[0].Missing != nil {
			t.Errorf("%+v", s.Posts)
		}
	}
	adam := b.as("adam")
	adam.call("PUT", "/v1/posts/gate-8/missing", why).is(404, "link.device")
	adam.call("PUT", "/v1/posts/gate-7/missing", map[string]string{"reason": ""}).is(400, "central.proposal")
	adam.call("POST", "/v1/posts/gate-7/retire", why).ok()
	adam.call("POST", "/v1/posts/gate-7/retire", why).is(404, "link.device")
	var all struct{ History []store.Event }
	adam.call("GET", "/v1/history?subject=gate-7", nil).ok().into(&all)
	if len(all.History) != 5 || all.History[0].What != "device.retired" || all.History[0].Who != "adam" || all.History[0].Reason != "left open" {
		t.Errorf("%+v", all.History)
	}
}

// sessionEnds: by time without use, by its life, and not by the page's own looks.
func sessionEnds(t *testing.T, pg *postgres.Instance) {
	b := newBench(t, pg, nil)
	used, idle, looked := b.as("anna"), b.as("boris"), b.as("dora")
	for range 3 {
		b.later(10 * time.Minute)
		used.call("GET", "/v1/state", nil).ok()
		if r := looked.call("GET", "/v1/state?idle=1", nil); r.status != http.StatusOK {
			r.is(401, "session.expired")
		}
	}
	idle.call("GET", "/v1/session", nil).is(401, "session.expired")
	looked.call("GET", "/v1/session", nil).is(401, "session.expired")
	for range 60 {
		b.later(10 * time.Minute)
		if r := used.call("GET", "/v1/session", nil); r.status != http.StatusOK {
			r.is(401, "session.expired")
			return
		}
	}
	t.Fatal("a session that is used never ends")
}

// everyCall calls everything without a session, with a
// method that it does not have, and with a body that is none.
func everyCall(t *testing.T, pg *postgres.Instance) {
	b := newBench(t, pg, nil)
	anna, adam := b.as("anna"), b.as("adam")
	id := strings.Repeat("0", 32)
	for _, c := range []struct {
		method, path string
		who          *person
		missing      int // status for what is not there, 0 for nothing named
		code         string
	}{
		{"GET", "/v1/session", anna, 0, ""}, {"DELETE", "/v1/session", nil, 0, ""}, {"GET", "/v1/state", anna, 0, ""}, {"GET", "/v1/history", anna, 0, ""}, {"GET", "/v1/proposals", anna, 0, ""},
		{"GET", "/v1/proposals/" + id, anna, 409, "approve.not_waiting"}, {"GET", "/v1/proposals/" + id + "/metadata", anna, 409, "approve.not_waiting"},
		{"GET", "/v1/proposals/x", anna, 400, "proposal.form"},
		{"POST", "/v1/proposals/" + id + "/signatures", anna, 0, ""}, {"POST", "/v1/proposals/" + id + "/withdraw", anna, 0, ""},
		{"POST", "/v1/orders", anna, 0, ""}, {"POST", "/v1/enrolments", anna, 0, ""},
		{"PUT", "/v1/posts/p/missing", adam, 0, ""}, {"DELETE", "/v1/posts/p/missing", adam, 0, ""}, {"POST", "/v1/posts/p/retire", adam, 0, ""},
	} {
		b.stranger().call(c.method, c.path, nil).is(401, "session.missing")
		b.stranger().call(c.method, c.path, nil, "Cookie", admin.CookieName+"=x").is(401, "session.expired")
		r := anna.call("PATCH", c.path, nil)
		r.is(405, "request.method")
		if !strings.Contains(r.header.Get("Allow"), c.method) {
			t.Errorf("%s: Allow %q", c.path, r.header.Get("Allow"))
		}
		if c.missing != 0 {
			c.who.call(c.method, c.path, nil).is(c.missing, fault.Code(c.code))
		}
		if c.method != "GET" && c.who != nil {
			for _, body := range []string{"{", "[]", `{"no":"such"}`, `{"reason":1}`, ""} {
				c.who.call(c.method, c.path, body).is(400, "request.invalid")
			}
		}
	}
	b.stranger().call("POST", "/v1/session", "{").is(400, "request.invalid")
	anna.call("POST", "/", nil).is(405, "request.method")
	anna.call("POST", "/v1/enrolments", map[string]string{"request": "no request", "code": "x", "reason": "x"}).is(400, "enrol.request")
	anna.call("POST", "/v1/proposals/"+id+"/withdraw", map[string]string{"reason": "x"}).is(409, "approve.not_waiting")
}
