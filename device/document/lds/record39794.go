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
		images = append(images, newImage(data, "ISO/IEC 39794-"+k.part+":2019", 0, 0))
	}
	if len(images) == 0 {
		return nil, fault.New(ErrEmpty.Code, "%s data block without representation", k.name)
	}
	return images, nil
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
