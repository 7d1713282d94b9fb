package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/officer"
)

func TestOfficerAccounts(t *testing.T) {
	b := newBench(t)
	b.write("pw", []byte("four words not of one kind\n"))
	b.write("easy", []byte("officer-7-officer-7\n"))
	var hashed struct{ ID, Password string }
	if err := json.Unmarshal([]byte(b.must("officer hash --id officer-7 --password-file "+b.path("pw"))), &hashed); err != nil || hashed.ID != "officer-7" {
		t.Fatalf("%+v %v", hashed, err)
	}
	if out, status := b.run("officer hash --id officer-7 --password-file " + b.path("easy")); status != exitFailed || out != "" {
		t.Errorf("an easy password: %d %s", status, out)
	}
	edition := func(n int) string {
		raw, err := json.Marshal(officer.Accounts{Version: 1, Edition: n, Accounts: []officer.Account{
			{ID: "officer-7", Name: "Ada Example", Roles: []officer.Role{officer.Officer}, Password: hashed.Password, Expires: time.Now().Add(time.Hour)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint("accounts-", n, ".json")
		b.write(name, raw)
		return b.path(name)
	}
	file, verify := b.path("signed"), "officer verify --config "+b.path("post.yaml")+" --file "
	sign := func(who string) string {
		return "officer sign --file " + file + " --owner " + who + " --key " + b.path(who+".pem")
	}
	b.must(sign("anna") + " --site post-1 --accounts " + edition(3))
	if _, status := b.run(verify + file); status != exitFailed {
		t.Errorf("one signature: %d", status)
	}
	b.must(sign("boris"))
	out := b.must(verify + file + " --last-edition 3")
	if !strings.Contains(out, `"officer-7"`) || strings.Contains(out, "Ada") || strings.Contains(out, "argon2id") {
		t.Errorf("%s", out)
	}
	for name, line := range map[string]string{
		"an older edition":     verify + file + " --last-edition 4",
		"a file that is none":  verify + b.path("pw"),
		"no file":              verify + b.path("none"),
		"accounts of no form":  sign("anna") + " --site post-1 --accounts " + b.path("pw"),
		"a key that is no key": "officer sign --file " + file + " --owner anna --key " + b.path("pw"),
	} {
		if _, status := b.run(line); status != exitFailed {
			t.Errorf("%s: %d", name, status)
		}
	}
	if _, status := b.run(sign("anna") + " --site post-1"); status != exitUsage {
		t.Errorf("a site without accounts: %d", status)
	}
	b.must(sign("mallory"))
	if _, status := b.run(verify + file); status != exitFailed {
		t.Errorf("a stranger's signature: %d", status)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
