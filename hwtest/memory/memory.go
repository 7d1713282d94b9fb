// Package memory reads the memory of a process as root could, for what ought
// to be there no more.
package memory

import (
	"fmt"
	"os"
	"strings"
)

const (
	step    = 1 << 20
	overlap = 64 // bytes that the next piece begins with again: the longest secret that is looked for

	// maxRegion leaves out what a race detector maps for itself, in bytes.
	maxRegion = 1 << 30
)

// Writable gives look all writable memory of a process, piece by piece; each
// begins with the last 64 bytes of the one before, so that nothing as short is
// cut. at is where a piece lies; the piece is look's until it returns. It fails
// with os.ErrPermission where this user may not read it.
func Writable(pid int, look func(at int64, piece []byte)) error {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return err
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return err
	}
	defer mem.Close()
	buf := make([]byte, step+overlap)
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") || to-from > maxRegion {
			continue
		}
		for at := from; at < to; at += step {
			n, _ := mem.ReadAt(buf[:min(step+overlap, to-at)], at) // pages that are only reserved do not read
			look(at, buf[:n])
		}
	}
	return nil
}
