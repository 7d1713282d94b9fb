package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// virtualCard is a virtual passport in the place of a reader.
type virtualCard struct{ *passport.Chip }

func (v virtualCard) Transmit(_ context.Context, command []byte) ([]byte, error) {
	answer, err := v.Chip.Transmit(command)
	if err != nil {
		return nil, fault.Wrap("card.removed", err)
	}
	return answer, nil
}

func (virtualCard) MaxCommand() int  { return 65_544 }
func (virtualCard) MaxResponse() int { return 65_538 }

// runChip runs "chip read" on a virtual passport and returns its exit status
// and both outputs.
func runChip(t *testing.T, p passport.Profile, stdin string, args ...string) (status int, out, messages string) {
	t.Helper()
	open := func(context.Context, string, time.Duration, io.Writer) (emrtd.Channel, func(), error) {
		chip, err := passport.New(p)
		if err != nil {
			t.Fatal(err)
		}
		return virtualCard{chip}, func() {}, nil
	}
	root := &cobra.Command{Use: "watchpost", SilenceUsage: true, SilenceErrors: true}
	group := &cobra.Command{Use: "chip"}
	group.AddCommand(chipReadThrough(open))
	root.AddCommand(group)
	var stdout, stderr bytes.Buffer
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	root.SetIn(strings.NewReader(stdin))
	root.SetArgs(append([]string{"chip", "read"}, args...))
	return run(t.Context(), root), stdout.String(), stderr.String()
}

// inspection is the form of the output.
type inspection struct {
	Document map[string]any
	Access   struct{ Protocol string }
	Checks   []struct{ Code, Result, Reason, Clause string }
	Data     map[string]any
	Error    *struct{ Code string }
}

func parseInspection(t *testing.T, out string) (inspection, map[string]string) {
	t.Helper()
	if strings.Count(out, "\n") != 1 || !strings.HasSuffix(out, "\n") {
		t.Fatalf("not one line: %q", out)
	}
	var i inspection
	if err := json.Unmarshal([]byte(out), &i); err != nil {
		t.Fatal(err)
	}
	results := map[string]string{}
	for _, c := range i.Checks {
		results[c.Code] = c.Result
	}
	return i, results
}

func TestChipRead(t *testing.T) {
	p := passport.Profile{Seed: 5}
	lines, err := p.Person().MRZ("td3")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new", "folder")
	for name, args := range map[string][]string{
		"fields":       {"--mrz", p.Person().Key()},
		"fields, dump": {"--mrz", p.Person().Key(), "--dump", dir},
		"lines":        {"--mrz", strings.Join(lines, "\n")},
		"line a flag":  {"--mrz", lines[0], "--mrz", lines[1]},
		"one block":    {"--mrz", strings.Join(lines, "")},
		"input":        {"--mrz", "-"},
		"with a CAN":   {"--mrz", p.Person().Key(), "--can", "123456"},
	} {
		status, out, messages := runChip(t, p, strings.Join(lines, "\r\n")+"\n", args...)
		if status != exitOK {
			t.Fatalf("%s: exit %d: %s", name, status, messages)
		}
		i, results := parseInspection(t, out)
		if i.Access.Protocol == "" || results["chip.present"] != "pass" || results["access.protocol"] != "pass" || results["dg1.format"] != "pass" {
			t.Errorf("%s: %+v %v", name, i.Access, results)
		}
		whole := name != "fields" && name != "fields, dump" && name != "with a CAN"
		if (results["mrz.match"] == "pass") != whole {
			t.Errorf("%s: mrz.match %q", name, results["mrz.match"])
		}
		if !strings.Contains(messages, "read DG1") || strings.Contains(messages, p.Person().DocumentNumber) {
			t.Errorf("%s: progress %q", name, messages)
		}
	}
	doc, err := passport.Personalise(p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "EF_DG1.bin"))
	if err != nil || !bytes.Equal(got, doc.Files["DG1"]) {
		t.Errorf("dump: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, "EF_DG1.bin")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("dump: %v", info.Mode())
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.new-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestChipReadFails(t *testing.T) {
	p := passport.Profile{Seed: 5}
	torn := p
	torn.Faults = []passport.Fault{{Kind: passport.KindTear, Step: "read:SOD"}}
	dir := t.TempDir()
	for _, tc := range []struct {
		name   string
		p      passport.Profile
		args   []string
		status int
		code   string
	}{
		{"wrong zone", p, []string{"--mrz", "X0000000,700101,300101"}, exitFailed, "access.wrong_password"},
		{"CAN on a chip without PACE", p, []string{"--can", "123456"}, exitFailed, "access.no_password"},
		{"torn off", torn, []string{"--mrz", p.Person().Key(), "--dump", dir}, exitFailed, "card.removed"},
		{"no password", p, nil, exitUsage, ""},
		{"two fields", p, []string{"--mrz", "X,700101"}, exitUsage, ""},
		{"dates", p, []string{"--mrz", "X,1970-01-01,300101"}, exitUsage, ""},
		{"short lines", p, []string{"--mrz", "P<UTO"}, exitUsage, ""},
		{"visa", p, []string{"--mrz", "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL8988901C4XXX4009078F96121096ZE184226B<<<<<<"}, exitUsage, ""},
		{"CAN", p, []string{"--can", "12345"}, exitUsage, ""},
		{"argument", p, []string{"--can", "123456", "x"}, exitUsage, ""},
		{"no store", p, []string{"--mrz", p.Person().Key(), "--trust", filepath.Join(dir, "none")}, exitFailed, ""},
	} {
		status, out, messages := runChip(t, tc.p, "", tc.args...)
		if status != tc.status {
			t.Errorf("%s: exit %d: %s", tc.name, status, messages)
		}
		if tc.code == "" {
			if out != "" {
				t.Errorf("%s: output %q", tc.name, out)
			}
			continue
		}
		i, _ := parseInspection(t, out)
		if i.Error == nil || i.Error.Code != tc.code || len(i.Checks) != 0 {
			t.Errorf("%s: %q", tc.name, out)
		}
		if !strings.Contains(messages, tc.code) {
			t.Errorf("%s: messages %q", tc.name, messages)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "EF_DG1.bin")); err != nil {
		t.Error("what was read before the card was torn off is not dumped:", err)
	}
}

func TestChipReadNoReader(t *testing.T) {
	open := func(context.Context, string, time.Duration, io.Writer) (emrtd.Channel, func(), error) {
		return nil, nil, fault.New("reader.none", "no reader").WithHint("plug one in")
	}
	root := &cobra.Command{Use: "watchpost", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(chipReadThrough(open))
	var stdout, stderr bytes.Buffer
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	root.SetArgs([]string{"read", "--can", "123456"})
	if status := run(t.Context(), root); status != exitFailed || stdout.String() != "{\"error\":{\"code\":\"reader.none\"}}\n" ||
		!strings.Contains(stderr.String(), "plug one in") {
		t.Errorf("exit %d, %q, %q", status, stdout.String(), stderr.String())
	}
}
