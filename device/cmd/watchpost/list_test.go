package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/encounter/policy"
)

// bench is a post and two owners, all in a folder of the test.
type bench struct {
	t   *testing.T
	dir string
}

func (b bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b bench) write(name string, raw []byte) {
	b.t.Helper()
	if err := os.WriteFile(b.path(name), raw, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// run runs a command line, @ standing for the test's folder, and returns what
// it printed, its messages and its exit status.
func (b bench) run(line string) (string, int) {
	b.t.Helper()
	root := newRoot()
	var out, messages bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&messages)
	args := strings.Fields(line)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "@", b.dir)
	}
	root.SetArgs(args)
	status := run(b.t.Context(), root)
	return out.String(), status
}

func (b bench) must(line string) string {
	b.t.Helper()
	out, status := b.run(line)
	if status != exitOK {
		b.t.Fatalf("%s: exit %d", line, status)
	}
	return out
}

func newBench(t *testing.T) bench {
	t.Helper()
	b := bench{t, t.TempDir()}
	conf := config.Default(policy.Desk)
	conf.Post, conf.State = "post-1", b.path("state")
	for _, id := range []string{"anna", "boris", "mallory"} {
		key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte(id[:1]), ed25519.SeedSize))
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		b.write(id+".pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		if id != "mallory" {
			conf.Owners = append(conf.Owners, config.Owner{ID: id, PublicKey: base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))})
		}
	}
	raw, err := config.Encode(conf)
	if err != nil {
		t.Fatal(err)
	}
	b.write("post.yaml", raw)
	b.write("pass", []byte("correct horse\n"))
	return b
}

// records writes a list of n persons with a face and a document each.
func (b bench) records(n int) []float32 {
	b.t.Helper()
	var text bytes.Buffer
	var first []float32
	for i := range n {
		r := rand.New(rand.NewPCG(uint64(i), 3))
		v := make([]float32, 128)
		v[r.IntN(128)] = 1
		if first == nil {
			first = v
		}
		line, err := json.Marshal(map[string]any{
			"schema": 1, "id": fmt.Sprint("r", i), "edition": 1,
			"faces":     []any{map[string]any{"model": "m", "version": "1", "vector": v, "images": 1}},
			"documents": []any{map[string]any{"type": "P", "issuer": "UTO", "number": fmt.Sprint("X", i), "status": "stolen"}},
		})
		if err != nil {
			b.t.Fatal(err)
		}
		text.Write(append(line, '\n'))
	}
	b.write("records.jsonl", text.Bytes())
	return first
}

func (b bench) build(generation int) string {
	b.t.Helper()
	var keys struct{ Recipient string }
	if err := json.Unmarshal([]byte(b.must("keys --state @/state --passphrase-file @/pass")), &keys); err != nil {
		b.t.Fatal(err)
	}
	dir := fmt.Sprint("@/folder", generation)
	b.must(fmt.Sprintf("list build --dir %s --list national --generation %d --records @/records.jsonl --owner O --legal-basis B --purpose P --key @/list.key --for %s", dir, generation, keys.Recipient))
	b.must(fmt.Sprintf("list sign --dir %s --owner anna --key @/anna.pem --version %d --site post-1", dir, generation))
	b.must(fmt.Sprintf("list sign --dir %s --owner boris --key @/boris.pem", dir))
	return dir
}

func TestListFromRecordsToAnswer(t *testing.T) {
	b := newBench(t)
	const post = " --config @/post.yaml --passphrase-file @/pass"
	b.must("keys init --state @/state --passphrase-file @/pass")
	vector := b.records(5)
	face, err := json.Marshal(map[string]any{"model": "m/1", "vector": vector, "quality": 50})
	if err != nil {
		t.Fatal(err)
	}
	b.write("face.json", face)
	dir := b.build(2)
	if out := b.must("list verify --dir " + dir + " --config @/post.yaml"); !strings.Contains(out, `"version":2,`) {
		t.Errorf("verify: %s", out)
	}
	if _, status := b.run("list stat" + post); status != exitFailed {
		t.Errorf("stat before anything was applied: exit %d", status)
	}
	b.must("list apply --dir " + dir + post)
	if out := b.must("list stat --deep" + post); !strings.Contains(out, `"list":"national"`) || !strings.Contains(out, `"records":5,"documents":5,"faces":[{"model":"m","version":"1","templates":5,"persons":5}]`) {
		t.Errorf("stat: %s", out)
	}
	for ask, want := range map[string]string{
		"--doc P<,UTO,x0":                          `"answer":"candidates"`,
		"--doc P,UTO,Y9":                           `"answer":"clear"`,
		"--doc P,,X0":                              `"answer":"not-verified"`,
		"--face @/face.json":                       `"record":"r0"`,
		"--face @/face.json --doc P,UTO,Y9":        `"modality":"face","value":1,"fmr":1e-8`,
		"--doc P,UTO,X1 --doc P,UTO,X2 --frames 3": `"record":"r2"`,
	} {
		if out := b.must("screen " + ask + post); !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
			t.Errorf("screen %s: %s", ask, out)
		}
	}
	// An older folder does not come back.
	older := b.build(1)
	if _, status := b.run("list apply --dir " + older + post); status != exitFailed {
		t.Errorf("older folder: exit %d", status)
	}
	if out := b.must("list stat" + post); !strings.Contains(out, `"generation":2`) {
		t.Errorf("after the refusal: %s", out)
	}
}

func TestListRefusals(t *testing.T) {
	b := newBench(t)
	b.must("keys init --state @/state --passphrase-file @/pass")
	b.records(1)
	dir := b.build(1)
	b.write("bad", []byte("wrong horse\n"))
	b.write("broken.jsonl", []byte("{\"schema\":1,\"id\":\"x\",\"edition\":1,\"surprise\":1}\n"))
	b.write("face.json", []byte(`{"model":"m/1","vector":[1,2]}`))
	for line, want := range map[string]int{
		"list build":               exitUsage,
		"list verify --dir " + dir: exitUsage,
		"list build --dir @/f --list l --generation 1 --records @/broken.jsonl --key @/k --owner O --legal-basis B --purpose P": exitFailed,
		"list build --dir @/f --list ../l --generation 1 --records @/records.jsonl --key @/k":                                   exitFailed,
		"list build --dir @/f --list l --generation 0 --records @/records.jsonl --key @/k":                                      exitFailed,
		"list build --dir @/f --list l --generation 1 --records @/none --key @/k":                                               exitFailed,
		"list build --dir @/f --list l --generation 1 --records @/records.jsonl --key @/pass":                                   exitFailed,
		"list build --dir @/f --list l --generation 1 --records @/records.jsonl --key @/k --for !":                              exitUsage,
		"list sign --dir " + dir + " --owner anna --key @/pass":                                                                 exitFailed,
		"list sign --dir " + dir + " --owner anna --key @/anna.pem --version 3":                                                 exitUsage,
		"list apply --dir " + dir + " --config @/post.yaml --passphrase-file @/bad":                                             exitFailed,
		"list apply --dir @/nothing --config @/post.yaml --passphrase-file @/pass":                                              exitFailed,
		"screen --config @/post.yaml --passphrase-file @/pass":                                                                  exitUsage,
		"screen --config @/post.yaml --passphrase-file @/pass --doc P,UTO":                                                      exitUsage,
		"screen --config @/post.yaml --passphrase-file @/pass --face @/face.json":                                               exitFailed,
		"screen --config @/post.yaml --passphrase-file @/pass --doc P,UTO,X1":                                                   exitFailed,
	} {
		if out, status := b.run(line); status != want || out != "" {
			t.Errorf("%s: exit %d, want %d; printed %q", line, status, want, out)
		}
	}
	if left, _ := filepath.Glob(b.path("f/files/lists/*")); len(left) != 0 {
		t.Errorf("a refused build left %v", left)
	}
	b.must("list sign --dir " + dir + " --owner mallory --key @/mallory.pem")
	if _, status := b.run("list verify --dir " + dir + " --config @/post.yaml"); status != exitFailed {
		t.Error("a third, unknown signer was not noticed")
	}
}
