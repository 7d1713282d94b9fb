package main

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	people "github.com/watchpost/watchpost/device/watchlist/fingers"
)

// readFinger reads a probe given as [POSITION=]FILE: a line of "finger
// template".
func readFinger(cmd *cobra.Command, text string) (screening.FingerProbe, error) {
	var p screening.FingerProbe
	name := text
	if before, after, ok := strings.Cut(text, "="); ok {
		n, err := strconv.Atoi(before)
		if err != nil || n < 0 || n > people.MaxPosition {
			return p, fault.New("usage", "--finger is [POSITION=]FILE, positions are 1, right thumb, to 10, left little finger; 0 is unknown")
		}
		p.Position, name = n, after
	}
	in, err := openInput(cmd, name)
	if err != nil {
		return p, err
	}
	defer in.Close()
	const most = 1 << 20
	var line struct {
		Template []byte `json:"template"`
		Quality  int    `json:"quality"`
	}
	if err := json.NewDecoder(io.LimitReader(in, most)).Decode(&line); err != nil || len(line.Template) == 0 {
		return p, fault.New("input.finger", "not a line of \"finger template\"")
	}
	if _, err := finger.ParseRecord(line.Template); err != nil {
		return p, fault.Wrap("input.finger", err)
	}
	p.Template, p.Quality = line.Template, min(100, max(0, line.Quality))
	return p, nil
}
