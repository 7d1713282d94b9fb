package finger

import "log/slog"

// Template is what comparisons work on. It is safe for concurrent use once
// made; nothing changes it.
type Template struct {
	Width, Height int // pixels at 500 dpi
	Minutiae      []Minutia
	Quality       int // 0 to 100, our own measure; -1 unknown

	cylinders []cylinder
	hull      [][2]float32 // of the minutiae
	order     order
	ridges    ridgeMap
	relief    relief

	// other is a second opinion on the same print: minutiae of the valleys
	// after the first filtering only. Its defects are not those of the first.
	// nil in a template that was read from a record.
	other *Template
}

// LogValue keeps templates out of logs.
func (*Template) LogValue() slog.Value { return slog.StringValue("finger template (redacted)") }

// String keeps templates out of the fmt verbs.
func (*Template) String() string { return "finger template (redacted)" }

// ridgeMap is the orientation and period of the ridges every 16 pixels. It is
// empty in a template that was read from a record.
type ridgeMap struct {
	w, h  int
	angle []uint8 // 0 to 255 for 0 to pi
	state []uint8 // 0 background, else 1 + confidence of 0 to 15
	per   []uint8 // index of the period times 8
}

const mapStep = 2 * block

// map16 copies the field into the template.
func (t *Template) map16(e *Extractor) {
	m := &t.ridges
	m.w, m.h = (e.bw+1)/2, (e.bh+1)/2
	n := m.w * m.h
	m.angle, m.state, m.per = make([]uint8, n), make([]uint8, n), make([]uint8, n)
	for y := range m.h {
		for x := range m.w {
			b := min(2*y, e.bh-1)*e.bw + min(2*x, e.bw-1)
			px, py := x*mapStep+block, y*mapStep+block
			if !e.inside(px, py) {
				continue
			}
			i := y*m.w + x
			m.angle[i] = uint8(int(e.field.angle(float32(px), float32(py))*(256/3.14159265)) & 255)
			m.state[i] = 1 + uint8(15*min(1, e.field.coh[b]))
			m.per[i] = uint8(min(255, max(0, e.period[b]*8)))
		}
	}
}

// quality is the print's own quality score: area, count and local quality of
// the minutiae, coherence of the ridges.
func (e *Extractor) quality(found []Minutia) int {
	area, coh := float32(0), float32(0)
	for i, in := range e.mask {
		if in {
			area++
			coh += e.field.coh[i]
		}
	}
	if area == 0 {
		return 0
	}
	coh /= area
	area *= block * block
	q := float32(0)
	for _, m := range found {
		q += float32(m.Quality)
	}
	q /= 100 * float32(len(found))
	v := min(1, area/60000) * min(1, float32(len(found))/30) * (0.5*min(1, coh/0.85) + 0.5*min(1, q/0.8))
	return int(100*v + 0.5)
}

// NewTemplate returns a template of minutiae at 500 dpi; those after the
// first 255 are left out. It takes the slice. Quality is unknown. Comparisons
// are by minutiae only.
func NewTemplate(width, height int, minutiae []Minutia) *Template {
	t := &Template{Width: width, Height: height, Quality: -1, Minutiae: minutiae[:min(len(minutiae), maxRecord)]}
	t.prepare()
	return t
}
