package dlib

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/fault"
)

const (
	// workSide is the longest side on which faces are looked for. A larger
	// image is halved until it fits: HOG's time grows with the pixels, and a
	// face of a document or of a person at the post fills far more than the
	// 80 of 1280 pixels that HOG needs.
	workSide = 1280
	// cnnPixels bounds the image given to the network, which takes some 600
	// bytes and 1.4 µs of one core for each pixel.
	cnnPixels = 1 << 20
	// finePixels bounds the finer images that are looked at when nothing was found:
	// HOG takes some 0.16 µs of one core for each pixel.
	finePixels = 1 << 25
	// smallestSide is that of an image in which a face can be: the network
	// finds faces of 40 pixels in the image enlarged twice.
	smallestSide = 32
	// detailWidth is the width of a face box, in pixels, above which a finer
	// image adds nothing to the 150-pixel chip.
	detailWidth = 200
)

// step is one try of the cascade: a detector, and the image's scale for it.
type step struct {
	by    face.Detector
	scale int // 2 = enlarged twice first
}

// steps are in the order of their time: about 1, 5, 9 and 36 times that of
// the first. Each begins only where those before it found nothing.
var steps = [...]step{{face.DetectorHOG, 1}, {face.DetectorHOGRelaxed, 1}, {face.DetectorCNN, 1}, {face.DetectorCNN, 2}}

// find returns the image and its halvings, the last being the one looked at,
// and the hits on that one, the one to take first. Where nobody is found on the
// image of workSide, somebody far away may stand in a large picture: the finer
// images are then looked at, the coarse ones first.
func (e *Engine) find(ctx context.Context, img face.Raster, effort face.Effort) ([]face.Raster, []hit, error) {
	if err := img.Check(); err != nil {
		return nil, nil, err
	}
	levels := []face.Raster{img}
	for last := img; max(last.Width, last.Height) > workSide && min(last.Width, last.Height) > 1; {
		last = last.Half()
		levels = append(levels, last)
	}
	work := levels[len(levels)-1]
	if min(work.Width, work.Height) < smallestSide {
		return levels, nil, nil
	}
	for i, s := range steps {
		if effort == face.Live && i > 0 {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, fault.Wrap("face.deadline", err)
		}
		hits, err := e.try(work, s)
		if err != nil || len(hits) > 0 {
			return levels, hits, err
		}
	}
	for fine := len(levels) - 1; fine > 0 && effort != face.Live; fine-- {
		at := levels[fine-1]
		if at.Width*at.Height > finePixels {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, fault.Wrap("face.deadline", err)
		}
		hits, err := e.try(at, steps[0])
		if err != nil || len(hits) > 0 {
			return levels[:fine], hits, err
		}
	}
	return levels, nil, nil
}

// try runs one step on img and returns its hits in img's pixels.
func (e *Engine) try(img face.Raster, s step) ([]hit, error) {
	k := 1 / float64(s.scale)
	if s.scale == 2 {
		img = img.Double()
	}
	if s.by == face.DetectorCNN && img.Width*img.Height > cnnPixels {
		if s.scale == 2 {
			return nil, nil // the step before has seen as much
		}
		img, k = img.Half(), 2
	}
	hits, err := e.detect(img, s.by)
	for i := range hits {
		hits[i] = grow(hits[i], k)
	}
	return hits, err
}

// alike is the ratio of widths up to which two boxes count as equally large:
// a step of the detectors' pyramids is 1.2, and a box is a step off easily.
const alike = 1.5

// order sorts hits by size, largest first, and then puts the one to take
// first: of those as large as the largest within alike, the one nearest to
// the image's centre, where people put the person a picture is of.
func order(hits []hit, width, height int) {
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.area(), a.area()) })
	take, nearest := 0, math.Inf(1)
	for i, h := range hits {
		if (h.right-h.left)*alike < hits[0].right-hits[0].left {
			break
		}
		d := math.Hypot((h.left+h.right-float64(width))/2, (h.top+h.bottom-float64(height))/2)
		if d < nearest {
			take, nearest = i, d
		}
	}
	if take > 0 {
		chosen := hits[take]
		copy(hits[1:take+1], hits[:take])
		hits[0] = chosen
	}
}
