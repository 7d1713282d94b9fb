package encounter

import "bytes"

// Picture names a picture of an encounter.
type Picture string

// Pictures. Both live in memory only, until the outcome.
const (
	PictureProbe Picture = "probe" // the best live frame
	PictureChip  Picture = "chip"  // the portrait on the chip, encoded anew
)

// Picture returns a picture of an open encounter as JPEG; the bytes are the
// caller's. ErrNoPicture before there is one and once the encounter is closed.
func (p *Post) Picture(id string, which Picture) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.open[id]
	if a == nil {
		return nil, ErrNoPicture
	}
	var picture []byte
	switch {
	case which == PictureChip:
		picture = a.portrait
	case which == PictureProbe && a.probe != nil:
		picture = a.probe.Picture
	}
	if len(picture) == 0 {
		return nil, ErrNoPicture
	}
	return bytes.Clone(picture), nil
}
