package main

import (
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/feedtest"
)

// TestListByFeed goes from records to a device by the commands an owner and
// two approvers give, and what central does in between.
func TestListByFeed(t *testing.T) {
	dir := feedtest.Dir(t)
	w := feedtest.New(t, filepath.Join(dir, "feed"))
	w.Now = time.Now() // the commands read the machine's clock
	w.PublishRoot(feedtest.RootSpec(2, w.Now), "root-1", "root-2")
	w.Delegate(2, feedtest.Owners()...)
	d := w.Device()
	us, err := d.Keys.Recipient()
	if err != nil {
		t.Fatal(err)
	}
	words := writeTo(t, dir, "words", "correct horse battery\n")
	records := writeTo(t, dir, "records.jsonl", `{"schema":1,"id":"p1","edition":1,"list":"un-sc","owner":"o","legal_basis":"b","purpose":"p","handling":{"action":"refer","confirm":false},"documents":[{"type":"P","issuer":"UTO","number":"N1","status":"lost"}]}`+"\n")
	key, folder := filepath.Join(dir, "un.key"), filepath.Join(dir, "folder")
	public := base64.StdEncoding.EncodeToString(us)
	must := func(args ...string) string {
		t.Helper()
		out, messages, err := runListImport(t, args...)
		if err != nil {
			t.Fatalf("%v: %v %s", args, err, messages)
		}
		return out
	}
	must("build", "--dir", folder, "--list", "un-sc", "--generation", "1", "--records", records, "--owner", "o", "--legal-basis", "b", "--purpose", "p", "--key", key)
	must("stage", "--repo", w.Repo.Dir(), "--owner", "un", "--list", "un-sc", "--generation", "1", "--dir", filepath.Join(folder, "files/lists/un-sc"), "--key", key, "--for", public)
	staged := w.Repo.StagedName("un")
	for _, who := range []string{"dora", "emil"} {
		var made struct {
			Public []byte `json:"public_key"`
		}
		file := filepath.Join(dir, who+".key")
		if err := json.Unmarshal([]byte(must("signkey", "--name", who, "--out", file, "--passphrase-file", words)), &made); err != nil || len(made.Public) != 32 {
			t.Fatalf("%x, %v", made.Public, err)
		}
		must("sign", "--key", file, "--passphrase-file", words, staged)
	}
	if p, err := w.Repo.Progress("un"); err != nil || len(p.Signed) != 0 {
		t.Errorf("strangers count: %+v, %v", p, err)
	}
	for _, c := range []struct {
		args []string
		code fault.Code
	}{
		{[]string{"sign", "--key", filepath.Join(dir, "dora.key"), staged}, "usage"},
		{[]string{"sign", "--key", filepath.Join(dir, "dora.key"), "--passphrase-file", records, staged}, "signer.passphrase"},
		{[]string{"sign", "--key", filepath.Join(dir, "dora.key"), "--passphrase-file", words, records}, "listfeed.metadata"},
		{[]string{"sign", "--key", filepath.Join(dir, "dora.key"), "--dir", folder, staged}, "usage"},
		{[]string{"stage", "--repo", w.Repo.Dir(), "--owner", "../x", "--list", "un-sc", "--generation", "1", "--dir", folder, "--key", key, "--for", public}, "usage"},
	} {
		if _, _, err := runListImport(t, c.args...); fault.CodeOf(err) != c.code {
			t.Errorf("%v: %v, want %s", c.args, err, c.code)
		}
	}
	w.SignStaged("un", "anna", "boris")
	w.Publish()
	r, err := d.Refresh(t.Context(), feedtest.Folder(t, w.Repo.Dir()))
	if err != nil || r.Err() != nil || len(r.Changed) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
}
