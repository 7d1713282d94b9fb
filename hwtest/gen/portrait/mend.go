package portrait

import "image"

// Mend fills the marked pixels of pix (3 bytes each, row by row, size.X by
// size.Y) from what surrounds them: round after round, a pixel beside known
// ones takes their mean. It suits thin lines; marked has one entry a pixel and
// is all false afterwards, unless every pixel was marked.
func Mend(pix []byte, size image.Point, marked []bool) {
	for {
		var filled []int
		left := false
		for i, m := range marked {
			if !m {
				continue
			}
			left = true
			var sum [3]int
			n := 0
			for _, d := range [4]image.Point{{X: -1}, {X: 1}, {Y: -1}, {Y: 1}} {
				at := image.Pt(i%size.X, i/size.X).Add(d)
				if !at.In(image.Rectangle{Max: size}) || marked[at.Y*size.X+at.X] {
					continue
				}
				for c := range sum {
					sum[c] += int(pix[3*(at.Y*size.X+at.X)+c])
				}
				n++
			}
			if n == 0 {
				continue
			}
			for c := range sum {
				pix[3*i+c] = byte(sum[c] / n)
			}
			filled = append(filled, i)
		}
		if !left || len(filled) == 0 {
			return
		}
		for _, i := range filled { // only now: a round looks at the round before alone
			marked[i] = false
		}
	}
}
