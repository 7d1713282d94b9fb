// Package dlib is the face engine over libdlib 19.24 (Debian libdlib-dev):
// detector cascade, five-point alignment, plain and mirrored view, of two
// sizes, averaged.
// All C++ is in engine.cc behind the few plain calls of engine.h.
//
// No -march flag: the same binary runs on every x86-64 and arm64 machine. The
// recognition net (net.h), the frontal detector (hog.h) and the BLAS behind the
// detector net choose their kernels at run time.
package dlib

// #cgo CXXFLAGS: -std=c++14 -O3 -DNDEBUG -Wall
// #cgo LDFLAGS: -ldlib -lblas -llapack
// #include "engine.h"
import "C"

import (
	"context"
	"image"
	"math"
	"runtime"
	"unsafe"

	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/fault"
)

// version names the recipe, not only the weights: a change of alignment,
// padding, views or their mean needs another one.
var model = face.Model{Name: "dlib-resnet-v1", Version: "5pt-150-mirror-2"}

const maxFaces = 64 // detections kept of one image

// Engine is one copy of the nets. It is for one goroutine at a time.
type Engine struct{ c *C.wp_engine }

var (
	_ face.Engine = (*Engine)(nil)
	_ face.Finder = (*Engine)(nil)
)

// Open deserialises verified models. The engine keeps no reference to them.
// It returns face.ErrModelCorrupt when one cannot be read.
func Open(m face.Models) (*Engine, error) { return open(m, 0) }

// open makes an engine whose loops work on vectors of at most widest floats: 4,
// 8 (AVX2) or 16 (AVX-512), and 0 for as many as the processor has.
func open(m face.Models, widest int) (*Engine, error) {
	C.wp_blas()
	var pin runtime.Pinner
	defer pin.Unpin()
	blob := func(b []byte) C.wp_blob {
		if len(b) == 0 {
			return C.wp_blob{}
		}
		pin.Pin(&b[0])
		return C.wp_blob{data: (*C.uint8_t)(&b[0]), len: C.size_t(len(b))}
	}
	var e Engine
	var text [C.wp_text]C.char
	rc := C.wp_open(blob(m.Landmarks), blob(m.Recognition), blob(m.Detector), C.int(widest), &e.c, &text[0])
	if err := status(rc, &text); err != nil {
		return nil, err
	}
	return &e, nil
}

// Clone returns a second engine with weights of its own, for another core.
func (e *Engine) Clone() (*Engine, error) {
	var other Engine
	var text [C.wp_text]C.char
	if err := status(C.wp_clone(e.c, &other.c, &text[0]), &text); err != nil {
		return nil, err
	}
	return &other, nil
}

// Close frees the nets. The engine must not be used afterwards.
func (e *Engine) Close() error {
	C.wp_close(e.c)
	e.c = nil
	return nil
}

// Model returns the name of the weights and the version of the recipe.
func (e *Engine) Model() face.Model { return model }

// BLAS names the OpenBLAS kernels in use ("Haswell"), "" for another BLAS,
// with which the detector net is several times slower.
func BLAS() string {
	s := C.wp_blas()
	if s == nil {
		return ""
	}
	return "OpenBLAS " + C.GoString(s)
}

// Template implements face.Engine.
func (e *Engine) Template(ctx context.Context, img face.Raster, effort face.Effort) (face.Template, error) {
	levels, found, err := e.find(ctx, img, effort)
	if err != nil {
		return face.Template{}, err
	}
	if len(found) == 0 {
		return face.Template{}, face.ErrNone
	}
	if err := ctx.Err(); err != nil {
		return face.Template{}, fault.Wrap("face.deadline", err)
	}
	t := face.Template{Faces: len(found), Model: model}
	work := len(levels) - 1
	at, chip := work, found[0]
	for at > 0 && chip.right-chip.left < detailWidth {
		at--
		chip = grow(chip, 2)
	}
	if at != work { // the points were placed on a coarser image
		if err := e.align(levels[at], &chip); err != nil {
			return face.Template{}, err
		}
	}
	t.Chosen = detection(chip, at, found[0].detector)
	var plain, mirrored [face.Dimensions]float32
	if err := e.embed(levels[at], chip, &plain, &mirrored); err != nil {
		return face.Template{}, err
	}
	if t.Vector, t.MirrorAgreement, err = average(plain, mirrored); err != nil {
		return face.Template{}, err
	}
	return t, nil
}

// Find implements face.Finder.
func (e *Engine) Find(ctx context.Context, img face.Raster, effort face.Effort) ([]face.Detection, error) {
	levels, found, err := e.find(ctx, img, effort)
	if err != nil {
		return nil, err
	}
	out := make([]face.Detection, 0, len(found))
	for _, f := range found {
		out = append(out, detection(f, len(levels)-1, f.detector))
	}
	return out, nil
}

// hit is a detection in pixels of one level.
type hit struct {
	left, top, right, bottom float64
	score                    float64
	points                   [5]face.Point
	detector                 face.Detector
}

func (h hit) area() float64 { return (h.right - h.left) * (h.bottom - h.top) }

// grow returns h in pixels of an image k times as large.
func grow(h hit, k float64) hit {
	h.left, h.top, h.right, h.bottom = h.left*k, h.top*k, h.right*k, h.bottom*k
	for i := range h.points {
		h.points[i].X *= k
		h.points[i].Y *= k
	}
	return h
}

// detection returns h, found on the level halved level times, in pixels of
// the whole image.
func detection(h hit, level int, by face.Detector) face.Detection {
	h = grow(h, float64(int(1)<<level))
	return face.Detection{
		Box: image.Rect(int(math.Round(h.left)), int(math.Round(h.top)),
			int(math.Round(h.right)), int(math.Round(h.bottom))),
		Score: h.score, Detector: by, Points: h.points, HasPoints: true,
	}
}

// average returns the unit-length mean of the two views' unit vectors and the
// cosine between them.
func average(plain, mirrored [face.Dimensions]float32) (v [face.Dimensions]float32, agreement float64, err error) {
	if err := face.Unit(&plain); err != nil {
		return v, 0, err
	}
	if err := face.Unit(&mirrored); err != nil {
		return v, 0, err
	}
	for i := range v {
		agreement += float64(plain[i]) * float64(mirrored[i])
		v[i] = plain[i] + mirrored[i]
	}
	return v, agreement, face.Unit(&v)
}

// detect runs one detector and returns its hits, the one to take first.
func (e *Engine) detect(img face.Raster, by face.Detector) ([]hit, error) {
	var faces [maxFaces]C.wp_face
	var seen C.int
	var text [C.wp_text]C.char
	var pin runtime.Pinner
	defer pin.Unpin()
	rc := C.wp_detect(e.c, raster(img, &pin), C.int(by), &faces[0], maxFaces, &seen, &text[0])
	if err := status(rc, &text); err != nil {
		return nil, err
	}
	out := hits(faces[:min(int(seen), maxFaces)], by)
	order(out, img.Width, img.Height)
	return out, nil
}

// frontal makes the first step's search alone, best first, with another
// threshold and without points; reference is by libdlib's own loops.
func (e *Engine) frontal(img face.Raster, threshold float64, reference bool) ([]hit, error) {
	var faces [maxFaces]C.wp_face
	var seen, libdlib C.int
	if reference {
		libdlib = 1
	}
	var text [C.wp_text]C.char
	var pin runtime.Pinner
	defer pin.Unpin()
	rc := C.wp_frontal(e.c, raster(img, &pin), C.double(threshold), libdlib, &faces[0], maxFaces, &seen, &text[0])
	if err := status(rc, &text); err != nil {
		return nil, err
	}
	return hits(faces[:min(int(seen), maxFaces)], face.DetectorHOG), nil
}

// doubledApart returns by how much a channel of part of img at twice its size,
// as the points are looked for in it, differs at most from libdlib's. part lies
// in img.
func doubledApart(img face.Raster, part image.Rectangle) (int, error) {
	var most C.int
	var text [C.wp_text]C.char
	var pin runtime.Pinner
	defer pin.Unpin()
	rc := C.wp_doubled(raster(img, &pin), C.int(part.Min.X), C.int(part.Min.Y), C.int(part.Max.X-1), C.int(part.Max.Y-1), &most, &text[0])
	return int(most), status(rc, &text)
}

func hits(faces []C.wp_face, by face.Detector) []hit {
	out := make([]hit, 0, len(faces))
	for _, f := range faces {
		h := hit{left: float64(f.left), top: float64(f.top), right: float64(f.right), bottom: float64(f.bottom),
			score: float64(f.score), detector: by}
		for k := range h.points {
			h.points[k] = face.Point{X: float64(f.x[k]), Y: float64(f.y[k])}
		}
		out = append(out, h)
	}
	return out
}

// align places the five points of h anew on img.
func (e *Engine) align(img face.Raster, h *hit) error {
	f := toC(*h)
	var text [C.wp_text]C.char
	var pin runtime.Pinner
	defer pin.Unpin()
	if err := status(C.wp_align(e.c, raster(img, &pin), &f, &text[0]), &text); err != nil {
		return err
	}
	for k := range h.points {
		h.points[k] = face.Point{X: float64(f.x[k]), Y: float64(f.y[k])}
	}
	return nil
}

func (e *Engine) embed(img face.Raster, h hit, plain, mirrored *[face.Dimensions]float32) error {
	f := toC(h)
	var text [C.wp_text]C.char
	var pin runtime.Pinner
	defer pin.Unpin()
	rc := C.wp_embed(e.c, raster(img, &pin), &f, (*C.float)(&plain[0]), (*C.float)(&mirrored[0]), &text[0])
	return status(rc, &text)
}

func toC(h hit) C.wp_face {
	f := C.wp_face{left: C.double(h.left), top: C.double(h.top), right: C.double(h.right), bottom: C.double(h.bottom), score: C.double(h.score)}
	for k, p := range h.points {
		f.x[k], f.y[k] = C.double(p.X), C.double(p.Y)
	}
	return f
}

func raster(img face.Raster, pin *runtime.Pinner) C.wp_raster {
	p := unsafe.SliceData(img.Pix)
	pin.Pin(p)
	return C.wp_raster{rgb: (*C.uint8_t)(p), width: C.int(img.Width), height: C.int(img.Height), stride: C.int(img.Stride)}
}

// status maps a result of the C side to an error.
func status(rc C.int, text *[C.wp_text]C.char) error {
	switch rc {
	case C.wp_ok:
		return nil
	case C.wp_corrupt:
		return fault.New(face.ErrModelCorrupt.Code, "dlib: %s", C.GoString(&text[0]))
	case C.wp_memory:
		return fault.New("face.memory", "dlib: out of memory")
	}
	return fault.New("face.engine", "dlib: %s", C.GoString(&text[0]))
}
