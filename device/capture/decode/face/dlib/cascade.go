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
	// bytes a pixel of memory and 1.4 µs of one core.
	cnnPixels = 1 << 20
	// detailWidth is the width of a face box, in pixels, above which a finer
	// image adds nothing to the 150-pixel chip.
	detailWidth = 200
)

// find returns the image and its halvings, the last being the one looked at,
// and the hits on that one, largest first.
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
	steps := []face.Detector{face.DetectorHOG, face.DetectorHOGRelaxed, face.DetectorCNN}
	if effort == face.Live {
		steps = steps[:1]
	}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return nil, nil, fault.Wrap("face.deadline", err)
		}
		look, scale := work, 1.0
		if step == face.DetectorCNN && work.Width*work.Height > cnnPixels {
			look, scale = work.Half(), 2
		}
		hits, err := e.detect(look, step)
		if err != nil {
			return nil, nil, err
		}
		if len(hits) > 0 {
			for i := range hits {
				hits[i] = grow(hits[i], scale)
			}
			return levels, hits, nil
		}
	}
	return levels, nil, nil
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
