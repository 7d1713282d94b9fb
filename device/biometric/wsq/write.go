package wsq

import (
	"encoding/binary"
	"fmt"
	"math"
)

// writer puts a file together.
type writer struct{ b []byte }

func (w *writer) marker(m byte) { w.b = append(w.b, 0xFF, m) }

// segment writes a marker, the length and the body.
func (w *writer) segment(m byte, body []byte) {
	w.marker(m)
	w.b = binary.BigEndian.AppendUint16(w.b, uint16(len(body)+2))
	w.b = append(w.b, body...)
}

func appendDecimal(b []byte, d decimal) []byte {
	return binary.BigEndian.AppendUint16(append(b, d.exponent), d.mantissa)
}

// comment writes size and resolution in the form of NIST's comments; its
// first line counts the lines. NBIS's readers want a resolution and take -1
// for an unknown one.
func (w *writer) comment(img Image) {
	ppi := math.Round(img.DPI)
	if !(ppi >= 1 && ppi <= maxDPI) {
		ppi = -1
	}
	w.segment(markerCOM, fmt.Appendf(nil, "NIST_COM 8\nPIX_WIDTH %d\nPIX_HEIGHT %d\nPIX_DEPTH 8\nPPI %.0f\nLOSSY 1\nCOLORSPACE GRAY\nCOMPRESSION WSQ\n",
		img.Width, img.Height, ppi))
}

// transform writes DTT.
func (w *writer) transform(f filters) {
	body := []byte{byte(2*len(f.low) - 1), byte(2*len(f.high) - 1)}
	for _, taps := range [][]float32{f.low, f.high} {
		for _, v := range taps {
			sign, m, exponent := byte(0), float64(v), byte(0)
			if m < 0 {
				sign, m = 1, -m
			}
			for m*10 < math.MaxUint32 && exponent < 20 {
				m *= 10
				exponent++
			}
			body = append(body, sign, exponent)
			body = binary.BigEndian.AppendUint32(body, uint32(math.Round(m)))
		}
	}
	w.segment(markerDTT, body)
}

// binCentre is C: where in a bin the decoder puts its value (annex C).
var binCentre = decimal{mantissa: 44, exponent: 2}

// quantisation writes DQT.
func (w *writer) quantisation(steps [subbands]step) {
	body := appendDecimal(nil, binCentre)
	for _, s := range steps {
		body = appendDecimal(appendDecimal(body, s.width), s.zero)
	}
	w.segment(markerDQT, body)
}

// encoderNumber is that of the filters and quantiser used here (annex C).
const encoderNumber = 2

// frame writes SOF.
func (w *writer) frame(img Image, shift, scale decimal) {
	body := []byte{0, 255}
	body = binary.BigEndian.AppendUint16(body, uint16(img.Height))
	body = binary.BigEndian.AppendUint16(body, uint16(img.Width))
	body = appendDecimal(appendDecimal(body, shift), scale)
	w.segment(markerSOF, append(body, encoderNumber, 0, 0))
}

// blocks writes the coefficients; the second and the third block share a
// table, as one of their own would not pay for its size.
func (w *writer) blocks(plane []float32, width int, leaves [subbands]band, steps [subbands]step) {
	var coded [len(blockEnds)][]token
	first := 0
	for i, end := range blockEnds {
		coded[i] = tokens(plane, width, leaves[first:end], steps[first:end])
		first = end
	}
	tables := [2]*table{tableOf(coded[0]), tableOf(coded[1], coded[2])}
	for i, ts := range coded {
		id := min(i, 1)
		if i == id {
			w.table(byte(id), tables[id])
		}
		w.segment(markerSOB, []byte{byte(id)})
		w.data(ts, tables[id])
	}
}

// table writes DHT.
func (w *writer) table(id byte, t *table) {
	body := []byte{id}
	for n := 1; n <= maxCode; n++ {
		body = append(body, byte(t.counts[n]))
	}
	w.segment(markerDHT, append(body, t.symbols...))
}

func tableOf(blocks ...[]token) *table {
	var often [256]int
	for _, ts := range blocks {
		for _, t := range ts {
			often[t.symbol]++
		}
	}
	return newTable(&often)
}

// token is a symbol and the number that follows it, if any.
type token struct {
	symbol byte
	size   byte // bits of the number
	number uint16
}

// tokens turns the subbands' coefficients into symbols.
func tokens(plane []float32, width int, bands []band, steps []step) []token {
	var out []token
	run := 0
	flush := func() {
		switch {
		case run == 0:
		case run <= symbolMaxRun:
			out = append(out, token{symbol: byte(run)})
		case run <= 255:
			out = append(out, token{symbolRun8, 8, uint16(run)})
		default:
			out = append(out, token{symbolRun16, 16, uint16(run)})
		}
		run = 0
	}
	for k, b := range bands {
		if steps[k].width.mantissa == 0 {
			continue
		}
		q, half := float32(steps[k].width.value()), float32(steps[k].zero.value()/2)
		for y := b.y; y < b.y+b.h; y++ {
			for _, v := range plane[y*width+b.x:][:b.w] {
				i := index(v, q, half)
				if i == 0 {
					if run++; run == math.MaxUint16 {
						flush()
					}
					continue
				}
				flush()
				out = append(out, tokenOf(i))
			}
		}
	}
	flush()
	return out
}

// tokenOf is the token of a bin other than zero. What no 16 bits hold, which
// no picture yields at a rate allowed, is put in the last bin.
func tokenOf(i int) token {
	switch {
	case i >= symbolLeast-symbolZero && i <= symbolGreatest-symbolZero:
		return token{symbol: byte(symbolZero + i)}
	case i > 255:
		return token{symbolPlus16, 16, uint16(min(i, math.MaxUint16))}
	case i > 0:
		return token{symbolPlus8, 8, uint16(i)}
	case i < -255:
		return token{symbolMinus16, 16, uint16(min(-i, math.MaxUint16))}
	}
	return token{symbolMinus8, 8, uint16(-i)}
}

// data writes tokens as bits, filled up with ones to a whole byte.
func (w *writer) data(ts []token, t *table) {
	code, length := t.codes()
	acc, have := uint64(0), 0
	put := func(v uint32, n int) {
		acc, have = acc<<n|uint64(v), have+n
		for have >= 8 {
			c := byte(acc >> (have - 8))
			have -= 8
			w.b = append(w.b, c)
			if c == 0xFF {
				w.b = append(w.b, 0)
			}
		}
	}
	for _, x := range ts {
		put(code[x.symbol], length[x.symbol])
		put(uint32(x.number), int(x.size))
	}
	if have > 0 {
		put(1<<(8-have)-1, 8-have)
	}
}
