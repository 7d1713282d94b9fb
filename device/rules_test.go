package device_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/watchpost/watchpost/"

// pkg is what `go list -json` says of a package, as far as the rules ask.
type pkg struct {
	ImportPath string
	Dir        string
	Standard   bool
	CgoFiles   []string
	GoFiles    []string
	Imports    []string
	Deps       []string
	XTest      []string `json:"XTestGoFiles"`
	Test       []string `json:"TestGoFiles"`
}

// list returns every package of the module and all that they lean on.
func list(t *testing.T) map[string]*pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Dir,Standard,CgoFiles,GoFiles,Imports,Deps,XTestGoFiles,TestGoFiles",
		"./device/...", "./sdk/...", "./hwtest/...")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := make(map[string]*pkg)
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		p := new(pkg)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
	return all
}

// within reports whether path lies in one of the folders, given from the
// module's root.
func within(path string, folders ...string) bool {
	rest, ok := strings.CutPrefix(path, module)
	return ok && slices.ContainsFunc(folders, func(f string) bool { return rest == f || strings.HasPrefix(rest, f+"/") })
}

// TestWhoMayImportWhom holds the walls of DESIGN.md, section 2.
func TestWhoMayImportWhom(t *testing.T) {
	all := list(t)
	core := []string{"device/encounter", "device/document", "device/biometric", "device/watchlist", "device/screening", "device/vault", "device/audit", "device/clock"}
	network := []string{"net/http", "crypto/tls", "os/exec", "google.golang.org/grpc", "github.com/nats-io/nats.go", "github.com/nats-io/nats-server/v2", "github.com/go-ldap/ldap/v3", "github.com/gorilla/websocket"}

	for _, rule := range []struct {
		name    string
		applies func(path string) bool
		forbids func(dep string) bool
		why     string
	}{
		{
			"the core touches no network and starts nothing",
			func(p string) bool { return within(p, core...) },
			func(d string) bool {
				return slices.ContainsFunc(network, func(n string) bool { return d == n || strings.HasPrefix(d, n+"/") })
			},
			"whoever holds keys, lists and verdicts cannot leak them by mistake",
		},
		{
			"the core links no C",
			func(p string) bool { return within(p, core...) },
			func(d string) bool { return all[d] != nil && !all[d].Standard && len(all[d].CgoFiles) > 0 },
			"C never sees a key, the list or another person's data",
		},
		{
			"only watchpost-capture reaches devices and decoders",
			func(p string) bool {
				return !within(p, "device/cmd/watchpost-capture", "device/capture/driver", "device/capture/decode")
			},
			func(d string) bool { return within(d, "device/capture/driver", "device/capture/decode") },
			"devices and outside images live in other processes",
		},
		{
			"the contracts stand alone",
			func(p string) bool { return within(p, "sdk/proto", "sdk/driver", "sdk/client") },
			func(d string) bool { return within(d, "device") },
			"an integrator links the contract, not the appliance",
		},
		{
			"central takes engines and formats from the device, nothing else",
			func(p string) bool { return within(p, "sdk/central") },
			func(d string) bool {
				return within(d, "device") && !within(d, "device/biometric", "device/watchlist", "device/screening", "device/audit", "device/vault", "device/fault", "device/durable", "device/document/inspect",
					"device/listfeed/target", "device/listfeed/repo", "device/listfeed/carrier", // forms and ways of a feed, not who takes it
					"device/officer", "device/post/certificate", "device/web/throttle", // passwords, who guesses them, and the page's own certificate
					"device/cmd/program") // exit statuses and words of a command line
			},
			"the same matcher on both sides, no appliance inside central",
		},
		{
			"the device takes only the contracts from sdk",
			func(p string) bool {
				return within(p, "device") && !within(p, "device/cmd/watchpost-capture", "device/capture/driver", "device/capture/decode")
			},
			func(d string) bool { return within(d, "sdk") && !within(d, "sdk/proto") },
			"the kit is for drivers",
		},
		{
			"the encounter does not know the page",
			func(p string) bool { return within(p, "device/encounter") },
			func(d string) bool { return within(d, "device/web") },
			"the page renders events and sends commands, and knows nothing else",
		},
		{
			"the virtual passport shares no code with the reader",
			func(p string) bool { return within(p, "hwtest/passport", "hwtest/gen/pki") },
			func(d string) bool { return within(d, "device/document") },
			"shared code shares its bugs",
		},
	} {
		t.Run(rule.name, func(t *testing.T) {
			applied := 0
			for _, p := range all {
				if !strings.HasPrefix(p.ImportPath, module) || !rule.applies(p.ImportPath) {
					continue
				}
				applied++
				for _, d := range p.Deps {
					if rule.forbids(d) {
						t.Errorf("%s leans on %s: %s", p.ImportPath, d, rule.why)
					}
				}
			}
			if applied == 0 && rule.name != "central takes engines and formats from the device, nothing else" {
				t.Error("the rule applies to no package: has a folder moved?")
			}
		})
	}
}

// TestOnePackageComment holds that every package says once what it is.
func TestOnePackageComment(t *testing.T) {
	for _, p := range list(t) {
		if !strings.HasPrefix(p.ImportPath, module) || len(p.GoFiles)+len(p.CgoFiles) == 0 {
			continue
		}
		var commented []string
		for _, name := range append(slices.Clone(p.GoFiles), p.CgoFiles...) {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Errorf("%s: %v", p.ImportPath, err)
				continue
			}
			if f.Doc != nil && !isGenerated(f.Doc.Text()) {
				commented = append(commented, name)
			}
		}
		if len(commented) != 1 {
			t.Errorf("%s has %d package comments %v, want one", p.ImportPath, len(commented), commented)
		}
	}
}

func isGenerated(doc string) bool { return strings.Contains(doc, "DO NOT EDIT") }

// TestPureBuild holds that the daemon and the command line build without a C
// compiler, for the processors that the product runs on.
func TestPureBuild(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		for _, main := range []string{"watchpost", "watchpostd"} {
			cmd := exec.Command("go", "build", "-o", os.DevNull, "./cmd/"+main)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s for %s without C: %v\n%s", main, arch, err, out)
			}
		}
	}
}

// TestNoMachinePaths holds that no file names a place of the machine it was
// written on, and that none is a link, which would be such a name.
func TestNoMachinePaths(t *testing.T) {
	out, err := exec.Command("git", "ls-files", "-z", "..").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	for _, name := range strings.Split(strings.Trim(string(out), "\x00"), "\x00") {
		if strings.HasSuffix(name, "rules_test.go") {
			continue
		}
		if to, err := os.Readlink(name); err == nil {
			t.Errorf("%s is a link to %s", name, to)
			continue
		}
		raw, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // removed and not yet committed
		} else if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"/work/main", "/work/shared", "/root/", "deb.debian.org", "proxy.golang.org", "registry.npmjs.org"} {
			if bytes.Contains(raw, []byte(s)) {
				t.Errorf("%s names %s", name, s)
			}
		}
	}
}
