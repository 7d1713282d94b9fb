package wsq

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
)

// Markers (specification, table 2).
const (
	markerSOI = 0xA0 // start of image
	markerEOI = 0xA1
	markerSOF = 0xA2 // frame header
	markerSOB = 0xA3 // a block of coefficients
	markerDTT = 0xA4 // wavelet filters
	markerDQT = 0xA5 // quantiser
	markerDHT = 0xA6 // Huffman tables
	markerDRT = 0xA7 // restart interval
	markerCOM = 0xA8 // comment
)

const (
	maxTaps   = 31 // of one side of a filter; the one pair in use has five
	maxTables = 8  // Huffman tables, as the specification allows
	maxDPI    = 10000
)

// file is what parse has read.
type file struct {
	Info
	shift, scale float32
	filters      filters
	steps        [subbands]step
	centre       float64 // where in a bin its value is put, 0 to 1
	tree         *tree
	tables       [maxTables]*table
	coefficients []int32 // in the order of the file, where they were asked for
	blocks       int     // seen
	framed       bool
	quantised    bool
}

// parse walks the file; it decodes the coefficients where pixels is set.
func parse(b []byte, pixels bool) (*file, error) {
	if len(b) < 2 {
		return nil, truncated("its first marker")
	}
	if b[0] != 0xFF || b[1] != markerSOI {
		return nil, malformed("no start of image")
	}
	f := &file{filters: standard}
	p := 2
	for {
		if len(b)-p < 2 {
			return nil, truncated("the place of a marker")
		}
		if b[p] != 0xFF {
			return nil, malformed("no marker at offset %d", p)
		}
		m := b[p+1]
		p += 2
		if m == markerEOI {
			return f, f.end(pixels)
		}
		if len(b)-p < 2 {
			return nil, truncated("a segment's length")
		}
		n := int(binary.BigEndian.Uint16(b[p:]))
		if n < 2 {
			return nil, malformed("segment %02X of length %d", m, n)
		}
		if len(b)-p < n {
			return nil, truncated("a segment")
		}
		body := b[p+2 : p+n]
		p += n
		if m == markerSOB {
			used, err := f.block(body, b[p:], pixels)
			if err != nil {
				return nil, err
			}
			p += used
			continue
		}
		if err := f.segment(m, body); err != nil {
			return nil, err
		}
	}
}

func (f *file) segment(m byte, body []byte) error {
	s := &segment{b: body}
	switch m {
	case markerSOF:
		f.frame(s)
	case markerDTT:
		f.transform(s)
	case markerDQT:
		f.quantisation(s)
	case markerDHT:
		f.huffman(s)
	case markerCOM:
		f.comment(string(body))
	case markerDRT:
		return fault.New(ErrUnsupported.Code, "wsq with restart intervals")
	case markerSOI:
		return malformed("a second start of image")
	default:
		return malformed("unknown marker %02X", m)
	}
	return s.err
}

// frame reads SOF.
func (f *file) frame(s *segment) {
	if f.framed {
		s.fail("two frame headers")
		return
	}
	s.take(2) // black and white, which tell no decoder anything
	f.Height, f.Width = int(s.u16()), int(s.u16())
	f.shift, f.scale = float32(s.decimal().value()), float32(s.decimal().value())
	s.take(3) // the encoder's number and software
	switch {
	case s.err != nil:
	case f.Width < 1 || f.Height < 1:
		s.fail("an image of %dx%d pixels", f.Width, f.Height)
	case f.Width*f.Height > MaxPixels:
		s.err = tooLarge(f.Width, f.Height)
	case !finite(f.shift) || !finite(f.scale):
		s.fail("a scale that is no number")
	}
	f.framed = true
}

// transform reads DTT: the right halves of both analysis filters.
func (f *file) transform(s *segment) {
	low, high := s.u8(), s.u8()
	if s.err == nil && (low%2 == 0 || high%2 == 0) {
		s.err = fault.New(ErrUnsupported.Code, "wsq with filters of %d and %d taps", low, high)
	}
	f.filters = filters{low: s.taps(int(low)/2 + 1), high: s.taps(int(high)/2 + 1)}
}

// quantisation reads DQT.
func (f *file) quantisation(s *segment) {
	if f.blocks > 0 {
		s.fail("a quantiser after the first block")
	}
	f.centre = s.decimal().value()
	for k := range f.steps {
		f.steps[k] = step{width: s.decimal(), zero: s.decimal()}
		if s.err == nil && k >= sentBands && f.steps[k].width.mantissa != 0 {
			s.err = fault.New(ErrUnsupported.Code, "wsq with subband %d", k)
		}
	}
	f.quantised = true
}

// huffman reads DHT, which may hold several tables.
func (f *file) huffman(s *segment) {
	for s.err == nil && len(s.b) > 0 {
		id := s.u8()
		t := &table{}
		sum := 0
		for n := 1; n <= maxCode; n++ {
			t.counts[n] = int(s.u8())
			sum += t.counts[n]
		}
		if id >= maxTables || sum > 256 {
			s.fail("Huffman table %d of %d codes", id, sum)
			return
		}
		t.symbols = s.take(sum)
		if s.err == nil {
			s.err = t.check()
		}
		f.tables[id&(maxTables-1)] = t
	}
}

// comment looks for the resolution among NIST's comments: lines of a name and
// a value.
func (f *file) comment(text string) {
	if !strings.HasPrefix(text, "NIST_COM") {
		return
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n\x00"), " ")
		if name != "PPI" {
			continue
		}
		if v, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && v > 0 && v <= maxDPI {
			f.DPI = float64(v)
		}
	}
}

// block reads the coefficients behind an SOB and returns how many bytes they
// take.
func (f *file) block(body, b []byte, pixels bool) (used int, err error) {
	switch {
	case len(body) != 1:
		return 0, malformed("block header of %d bytes", len(body))
	case !f.framed || !f.quantised:
		return 0, malformed("coefficients before the frame header or the quantiser")
	case f.blocks == len(blockEnds):
		return 0, malformed("more than %d blocks", len(blockEnds))
	case body[0] >= maxTables || f.tables[body[0]] == nil:
		return 0, malformed("Huffman table %d is not there", body[0])
	}
	first := 0
	if f.blocks > 0 {
		first = blockEnds[f.blocks-1]
	}
	end := blockEnds[f.blocks]
	f.blocks++
	if !pixels {
		return skipBlock(b), nil
	}
	if f.tree == nil {
		f.tree = newTree(f.Width, f.Height)
	}
	want := 0
	for k := first; k < end; k++ {
		if f.steps[k].width.mantissa != 0 {
			want += f.tree.leaves[k].w * f.tree.leaves[k].h
		}
	}
	return f.decodeBlock(newDecoder(f.tables[body[0]]), b, want)
}

// skipBlock returns the offset of the next marker.
func skipBlock(b []byte) int {
	for i := 0; i+1 < len(b); i++ {
		if b[i] == 0xFF && b[i+1] != 0 {
			return i
		}
	}
	return len(b)
}

func (f *file) decodeBlock(d *decoder, b []byte, want int) (used int, err error) {
	r := &bits{b: b}
	for want > 0 {
		s, err := d.symbol(r)
		if err != nil {
			return 0, err
		}
		run, v := 0, 0
		switch {
		case s >= 1 && s <= symbolMaxRun:
			run = int(s)
		case s == symbolRun8:
			run, err = r.take(8)
		case s == symbolRun16:
			run, err = r.take(16)
		case s == symbolPlus8:
			v, err = r.take(8)
		case s == symbolMinus8:
			v, err = r.take(8)
			v = -v
		case s == symbolPlus16:
			v, err = r.take(16)
		case s == symbolMinus16:
			v, err = r.take(16)
			v = -v
		case s >= symbolLeast && s <= symbolGreatest:
			v = int(s) - symbolZero
		default:
			return 0, malformed("symbol %d", s)
		}
		if err != nil {
			return 0, err
		}
		if run > want {
			return 0, malformed("a run of zeros past the end of its block")
		}
		if run == 0 && s != symbolRun8 && s != symbolRun16 {
			f.coefficients = append(f.coefficients, int32(v))
			want--
			continue
		}
		f.coefficients = append(f.coefficients, make([]int32, run)...)
		want -= run
	}
	if r.fill(); r.have-r.fake >= 8 {
		return 0, malformed("a block with more coefficients than its subbands")
	}
	return r.p, nil
}

// end checks that all is there.
func (f *file) end(pixels bool) error {
	switch {
	case !f.framed:
		return malformed("no frame header")
	case !f.quantised:
		return malformed("no quantiser")
	case f.blocks < len(blockEnds):
		return malformed("%d blocks of coefficients, there are %d", f.blocks, len(blockEnds))
	case pixels && (len(f.filters.low) == 0 || len(f.filters.high) == 0):
		return malformed("no filters")
	}
	return nil
}

// dequantise puts the coefficients at their places in the plane (section
// 2.4.3).
func (f *file) dequantise(plane []float32) {
	in := f.coefficients
	for k, b := range f.tree.leaves[:sentBands] {
		if f.steps[k].width.mantissa == 0 {
			continue
		}
		width, half := f.steps[k].width.value(), f.steps[k].zero.value()/2
		for y := b.y; y < b.y+b.h; y++ {
			row := plane[y*f.Width+b.x:][:b.w]
			for x, v := range in[:b.w] {
				switch {
				case v > 0:
					row[x] = float32((float64(v)-f.centre)*width + half)
				case v < 0:
					row[x] = float32((float64(v)+f.centre)*width - half)
				}
			}
			in = in[b.w:]
		}
	}
}

func finite(v float32) bool {
	return !math.IsInf(float64(v), 0) && !math.IsNaN(float64(v))
}

// segment reads the fields of a marker segment; the first error stays.
type segment struct {
	b   []byte
	err error
}

func (s *segment) fail(format string, args ...any) {
	if s.err == nil {
		s.err = malformed(format, args...)
	}
}

// take returns the next n bytes, nil with err set where there are fewer.
func (s *segment) take(n int) []byte {
	if s.err != nil || len(s.b) < n {
		s.fail("a segment too short")
		return nil
	}
	out := s.b[:n]
	s.b = s.b[n:]
	return out
}

func (s *segment) u8() byte {
	if b := s.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (s *segment) u16() uint16 {
	if b := s.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (s *segment) decimal() decimal {
	e := s.u8()
	return decimal{exponent: e, mantissa: s.u16()}
}

// taps reads n coefficients of a filter: sign, exponent, 32-bit mantissa.
func (s *segment) taps(n int) []float32 {
	if n > maxTaps {
		s.fail("a filter of %d taps", 2*n-1)
		return nil
	}
	out := make([]float32, 0, n)
	for range n {
		sign, exponent, m := s.u8(), s.u8(), s.take(4)
		if s.err != nil {
			return nil
		}
		v := float64(binary.BigEndian.Uint32(m)) / math.Pow10(int(exponent))
		if sign != 0 {
			v = -v
		}
		out = append(out, float32(v))
	}
	return out
}
