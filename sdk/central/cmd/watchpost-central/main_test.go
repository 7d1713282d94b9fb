package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/cmd/program"
)

// TestAttackArguments: whatever is wrong with the arguments ends in "usage:"
// and 2 before anything is touched.
func TestAttackArguments(t *testing.T) {
	state := t.TempDir()
	for name, args := range map[string][]string{
		"no such command":             {"srve"},
		"no such flag":                {"serve", "--lst", "x"},
		"no such command of a group":  {"order", "nothing"},
		"too many":                    {"serve", "x"},
		"too few":                     {"device", "add", "desk-1"},
		"no duration":                 {"serve", "--heads-late", "soon"},
		"no passphrase file":          {"serve"},
		"feed served without a feed":  {"serve", "--feed-listen", "127.0.0.1:0"},
		"wipe of nobody":              {"order", "wipe", "--by", "anna", "--reason", "r"},
		"lock of two":                 {"order", "lock", "--post", "a", "--post", "b"},
		"unlock of nobody":            {"order", "unlock", "--by", "anna", "--reason", "r"},
		"new key without wrapped":     {"order", "rekey", "--list", "l", "--by", "anna", "--reason", "r"},
		"id of no proposal":           {"proposal", "show", "xyz"},
		"feed without a folder":       {"feed", "propose", "un", "--by", "anna", "--reason", "r"},
		"worker without a broker":     {"worker", "serve", "--shard", "0"},
		"split into none":             {"worker", "split", "--into", "0", "--lists", "x", "--out", "y"},
		"split without workers' keys": {"worker", "split", "--into", "2", "--lists", "x", "--out", "y"},
	} {
		t.Run(name, func(t *testing.T) {
			root := newCommand()
			root.SetArgs(append(args, "--state", state))
			root.SetOut(io.Discard)
			root.SetErr(io.Discard)
			var said bytes.Buffer
			if exit := program.Run(t.Context(), root, &said); exit != program.Usage || !strings.HasPrefix(said.String(), "watchpost-central: usage: ") {
				t.Errorf("exit %d, want 2 and usage:\n%s", exit, said.String())
			}
		})
	}
}
