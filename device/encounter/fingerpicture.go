package encounter

import (
	"bytes"
	"image"
	"image/png"
	"math"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/tenprint"
	"github.com/watchpost/watchpost/device/fault"
)

// FingerPicture draws the person's finger beside the candidate's that it is
// most alike, their minutiae, and lines between those that lay on each other:
// PNG, the bytes are the caller's. Of the candidate's finger a list holds the
// minutiae only. ErrNoPicture where the encounter is not open, has no such
// candidate, or one of the two has no prints.
func (p *Post) FingerPicture(id, list, record string) ([]byte, error) {
	p.mu.Lock()
	a := p.open[id]
	if a == nil || p.Prints == nil || !slices.ContainsFunc(a.view.Candidates, func(c Candidate) bool { return c.List == list && c.Record == record }) {
		p.mu.Unlock()
		return nil, ErrNoPicture
	}
	var taken map[int]tenprint.Print
	if a.fingers != nil {
		taken = a.fingers.Prints()
	}
	p.mu.Unlock()
	views, err := p.Prints(list, record)
	if err != nil {
		return nil, err
	}
	var drawn *image.RGBA
	best := math.Inf(-1)
	m := finger.NewMatcher()
	for _, position := range tenprint.Plan(false) {
		probe, has := taken[position]
		if !has {
			continue
		}
		for _, v := range views {
			if v.Position != 0 && int(v.Position) != position {
				continue
			}
			if score, pairs := m.Match(probe.Template, v.Template); score > best {
				best = score
				drawn = finger.Draw(probe.Image, blank(v.Template), probe.Template, v.Template, pairs)
			}
		}
	}
	if drawn == nil {
		return nil, ErrNoPicture
	}
	var b bytes.Buffer
	if err := png.Encode(&b, drawn); err != nil {
		return nil, fault.Wrap("encounter.encode", err)
	}
	return b.Bytes(), nil
}

// blank is the white ground that a print without an image is drawn on.
func blank(t *finger.Template) *finger.Image {
	return &finger.Image{Pix: bytes.Repeat([]byte{0xff}, t.Width*t.Height), Width: t.Width, Height: t.Height, DPI: finger.DPI}
}
