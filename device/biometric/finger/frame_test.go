package finger

import "testing"

// framed puts an image into a frame of one grey level.
func framed(m Image, left, top, right, bottom int, level byte) Image {
	out := Image{Width: left + m.Width + right, Height: top + m.Height + bottom, DPI: m.DPI}
	for y := range out.Height {
		for x := range out.Width {
			v := level
			if u, w := x-left, y-top; u >= 0 && w >= 0 && u < m.Width && w < m.Height {
				v = m.Pix[w*m.Width+u]
			}
			out.Pix = append(out.Pix, v)
		}
	}
	return out
}

// A frame adds nothing that two prints have in common.
func TestFramesAreNoRidges(t *testing.T) {
	a, b := drawn(31, 240, 260), drawn(32, 240, 260)
	bare := NewMatcher().Score(extracted(t, a), extracted(t, b))
	plain := len(extracted(t, a).Minutiae)
	for name, f := range map[string]func(Image) Image{
		"black all round": func(m Image) Image { return framed(m, 25, 25, 25, 25, 0) },
		"black bars":      func(m Image) Image { return framed(m, 30, 0, 30, 0, 0) },
		"one white side":  func(m Image) Image { return framed(m, 0, 0, 0, 60, 255) },
		"white and wide":  func(m Image) Image { return framed(m, 100, 80, 120, 90, 255) },
	} {
		t.Run(name, func(t *testing.T) {
			fa, fb := extracted(t, f(a)), extracted(t, f(b))
			if s := NewMatcher().Score(fa, fb); s > bare+2.5 {
				t.Errorf("two prints score %.1f framed, %.1f as they are", s, bare)
			}
			if n := len(fa.Minutiae); n > plain*5/4+3 {
				t.Errorf("%d minutiae framed, %d as it is", n, plain)
			}
		})
	}
}

// What is no frame stays: a print on its own ground.
func TestUnframeLeavesPrintsAlone(t *testing.T) {
	m := drawn(33, 200, 220)
	for name, img := range map[string]Image{
		"print to the border":  m,
		"ground like the mean": framed(m, 40, 40, 40, 40, 128),
		"nothing but ground":   {Pix: make([]byte, 100*100), Width: 100, Height: 100, DPI: DPI},
	} {
		e := NewExtractor()
		e.load(&img)
		before := append([]float32(nil), e.src...)
		e.unframe()
		for i, v := range e.src {
			if v != before[i] {
				t.Errorf("%s: changed", name)
				break
			}
		}
	}
}
