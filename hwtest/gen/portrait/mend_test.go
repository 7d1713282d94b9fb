package portrait

import (
	"image"
	"testing"
)

func TestMend(t *testing.T) {
	size := image.Pt(7, 5)
	grey := func() ([]byte, []bool) {
		pix := make([]byte, 3*size.X*size.Y)
		for i := range pix {
			pix[i] = byte(40 + 10*(i/3%size.X)) // brighter to the right
		}
		return pix, make([]bool, size.X*size.Y)
	}
	want, _ := grey()
	pix, marked := grey()
	for y := range size.Y { // a line of three from top to bottom
		for x := 2; x < 5; x++ {
			i := y*size.X + x
			pix[3*i], pix[3*i+1], pix[3*i+2], marked[i] = 0, 255, 0, true
		}
	}
	Mend(pix, size, marked)
	for i := range pix {
		if d := int(pix[i]) - int(want[i]); d < -15 || d > 15 {
			t.Fatalf("pixel %d is %d, its surroundings say %d", i/3, pix[i], want[i])
		}
	}
	for i, m := range marked {
		if m {
			t.Errorf("pixel %d was left", i)
		}
	}
	pix, marked = grey()
	for i := range marked {
		marked[i] = true
	}
	Mend(pix, size, marked) // nothing to take from: it ends
	if pix[0] != 40 {
		t.Errorf("a picture without a known pixel was changed")
	}
}
