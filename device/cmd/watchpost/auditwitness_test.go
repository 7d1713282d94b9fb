package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/uplink/witness"
)

// TestAuditWitness runs the command, shows it a post's heads and verifies the
// post's disk against what it keeps.
func TestAuditWitness(t *testing.T) {
	dir, l := postState(t)
	state := filepath.Join(t.TempDir(), "witness")
	var known string // the witness's key, the same after a restart
	for round := range 2 {
		ctx, stop := context.WithCancel(t.Context())
		out, in := io.Pipe()
		root := newRoot()
		root.SetArgs([]string{"audit", "witness", "--state", state, "--listen", "127.0.0.1:0", "--log-key", l.KeyText()})
		root.SetOut(in)
		root.SetErr(io.Discard)
		ended := make(chan int, 1)
		go func() { ended <- run(ctx, root) }()
		line, err := bufio.NewReader(out).ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var said witnessing
		if err := json.Unmarshal(line, &said); err != nil {
			t.Fatal(err)
		}
		if round == 1 && said.Key != known {
			t.Error("the witness has another key after a restart")
		}
		known = said.Key
		key, err := checkpoint.ParseWitnessKey(said.Key)
		if err != nil {
			t.Fatal(err)
		}
		if round == 1 { // somebody who connects, asks nothing and stays does not make the end of the command a failure
			idle, err := net.Dial("tcp", strings.TrimPrefix(said.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer idle.Close()
		}
		client := witness.NewClient(said.URL, key, nil)
		from := int64(0)
		first, last := 0, 2
		if round == 1 {
			first, last, from = 2, 4, l.Checkpoint(t, 1).Lines
		}
		for n := first; n < last; n++ {
			if err := client.Show(t.Context(), l.Submission(t, n, from)); err != nil {
				t.Fatalf("round %d, head %d: %v", round, n, err)
			}
			from = l.Checkpoint(t, n).Lines
		}
		stop()
		if status := <-ended; status != exitOK {
			t.Errorf("status %d", status)
		}
	}
	if status, rows, errs := runAudit(t, "verify", "--state", dir, "--key", l.KeyText(), "--witness", state); status != exitOK || rows[2]["heads"] != 4.0 {
		t.Errorf("%d %v %s", status, rows, errs)
	}
}
