package lds

import (
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// block39794 reads a data block of ISO/IEC 39794-4, -5 or -6:2019: version
// block [0], then representation blocks [1]. In each representation the image
// is the largest primitive value that begins as an image does; that holds for
// all three parts, whose image fields differ in number only, and for their
// extensions.
func block39794(block der.Element, k kind) ([]Image, error) {
	r := block.Reader()
	if _, err := r.Expect(der.ContextConstructed(0)); err != nil {
		return nil, malformed("%s data block version: %v", k.name, err)
	}
	list, err := r.Expect(der.ContextConstructed(1))
	if err != nil {
		return nil, malformed("%s representations: %v", k.name, err)
	}
	var images []Image
	for entries := list.Reader(); !entries.Empty(); {
		representation, err := entries.Expect(der.Sequence)
		if err != nil {
			return images, malformed("%s representation: %v", k.name, err)
		}
		if len(images) == maxInstances {
			return images, fault.New(ErrTooLarge.Code, "over %d representations", maxInstances)
		}
		budget := maxElements
		data, err := findImage(representation, 0, &budget)
		if err != nil {
			return images, err
		}
		if data == nil {
			return images, fault.New(ErrImage.Code, "%s representation without an image of a known format", k.name)
		}
		img := newImage(data, "ISO/IEC 39794-"+k.part+":2019", 0, 0)
		if k.placed {
			img.Position = position39794(representation)
		}
		images = append(images, img)
	}
	if len(images) == 0 {
		return nil, fault.New(ErrEmpty.Code, "%s data block without representation", k.name)
	}
	return images, nil
}

// maxPosition is the highest code of a finger's position; codes of eyes are lower.
const maxPosition = 0x7F

// position39794 reads the first field of a finger's or an iris's
// representation: a choice of codes, or a code (parts 4 and 6, annex A). 0
// where it holds neither.
func position39794(representation der.Element) int {
	field, err := representation.Reader().Next()
	if err != nil || field.ID != der.Context(0) && field.ID != der.ContextConstructed(0) {
		return 0
	}
	if field.Constructed() {
		if field, err = field.Reader().Expect(der.Context(0)); err != nil {
			return 0
		}
	}
	if len(field.Content) != 1 || field.Content[0] > maxPosition {
		return 0
	}
	return int(field.Content[0])
}

// Limits of a representation: the fields of the standard nest nine deep and
// number a few hundred.
const (
	maxDepth    = 16
	maxElements = 4096
)

// findImage returns the largest primitive value under e that begins as an
// image does, nil where there is none.
func findImage(e der.Element, depth int, budget *int) ([]byte, error) {
	if !e.Constructed() {
		if formatOf(e.Content) == ImageUnknown {
			return nil, nil
		}
		return e.Content, nil
	}
	if depth == maxDepth {
		return nil, malformed("representation nests over %d deep", maxDepth)
	}
	var best []byte
	for r := e.Reader(); !r.Empty(); {
		if *budget--; *budget < 0 {
			return nil, fault.New(ErrTooLarge.Code, "representation of over %d elements", maxElements)
		}
		child, err := r.Next()
		if err != nil {
			return nil, malformed("representation: %v", err)
		}
		data, err := findImage(child, depth+1, budget)
		if err != nil {
			return nil, err
		}
		if len(data) > len(best) {
			best = data
		}
	}
	return best, nil
}
