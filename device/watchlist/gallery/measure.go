package gallery

import (
	"runtime"
	"time"

	"github.com/watchpost/watchpost/device/biometric/kernel"
)

// Memory is what a gallery holds in memory, in bytes.
type Memory struct {
	Templates int64 `json:"templates"` // float32 values
	Codes     int64 `json:"codes"`     // what the filter reads
	Labels    int64 `json:"labels"`    // persons, deletions, chains of rows; without the map of persons
}

// Memory returns what the gallery's chunks hold.
func (g *Gallery) Memory() (m Memory) {
	for _, c := range g.load().chunks {
		m.Templates += int64(4 * len(c.rows))
		m.Codes += int64(len(c.codes) + 2*len(c.always))
		m.Labels += int64(8*len(c.persons) + 8*len(c.died) + 4*len(c.before))
	}
	return m
}

// ReadTime returns how long one core takes to read every template once: what
// no exact scan of them can go below. The best of several calls is meant.
func (g *Gallery) ReadTime() time.Duration {
	v := g.load()
	start := time.Now()
	for i, c := range v.chunks {
		kernel.Sum(c.rows[:v.used(i)*kernel.Dims])
	}
	took := time.Since(start)
	runtime.KeepAlive(v)
	return took
}
