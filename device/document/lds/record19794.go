package lds

import (
	"encoding/binary"

	"github.com/watchpost/watchpost/device/fault"
)

// cursor walks a record of fixed fields, big-endian. Past the end it yields
// zeros and remembers that it did.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.short, c.b = true, nil
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) uint(n int) int {
	var buf [8]byte
	copy(buf[8-n:], c.take(n))
	// No field has more than six octets, so the value fits.
	return int(binary.BigEndian.Uint64(buf[:]))
}

// header19794 takes magic and version; only the edition of 2005 ("010") is
// used in travel documents (Doc 9303-9).
func header19794(b []byte) (*cursor, error) {
	c := &cursor{b: b}
	c.take(4)
	version := c.take(4)
	if c.short {
		return nil, malformed("biometric record of %d bytes", len(b))
	}
	if string(version) != "010\x00" {
		return nil, fault.New(ErrVersion.Code, "biometric record of an edition that travel documents do not use")
	}
	return c, nil
}

// faceRecords reads a face record (ISO/IEC 19794-5:2005, clause 5).
func faceRecords(b []byte) ([]Image, error) {
	c, err := header19794(b)
	if err != nil {
		return nil, err
	}
	length, count := c.uint(4), c.uint(2)
	if c.short || length > len(b) {
		return nil, malformed("face record states %d bytes and has %d", length, len(b))
	}
	if count == 0 {
		return nil, fault.New(ErrEmpty.Code, "face record without a face")
	}
	if count > maxInstances {
		return nil, fault.New(ErrTooLarge.Code, "face record with %d faces", count)
	}
	var images []Image
	for n := range count {
		img, err := faceImage(c)
		if err != nil {
			return images, fault.New(fault.CodeOf(err), "face %d: %v", n+1, err)
		}
		images = append(images, img)
	}
	return images, nil
}

// faceImage takes facial information (20), feature points (8 each), image
// information (12) and the image (clauses 5.5 to 5.8).
func faceImage(c *cursor) (Image, error) {
	const information, point, imageInformation = 20, 8, 12
	blockLength := c.uint(4)
	points := c.uint(2)
	c.take(information - 6)
	size := blockLength - information - points*point - imageInformation
	if c.short || size <= 0 {
		return Image{}, malformed("facial record of %d bytes with %d feature points has no room for an image", blockLength, points)
	}
	c.take(points * point)
	c.take(2) // image type and declared data type; the image itself tells its format
	width, height := c.uint(2), c.uint(2)
	c.take(6)
	data := c.take(size)
	if c.short {
		return Image{}, malformed("facial record goes past the end")
	}
	return newImage(data, "ISO/IEC 19794-5:2005", width, height), nil
}

// fingerRecords reads a finger image record (ISO/IEC 19794-4:2005, clause 7).
func fingerRecords(b []byte) ([]Image, error) {
	c, err := header19794(b)
	if err != nil {
		return nil, err
	}
	length := c.uint(6)
	c.take(4) // capture device, acquisition level
	count := c.uint(1)
	c.take(10) // scale units, resolutions, depth
	compression := c.uint(1)
	c.take(2)
	if c.short || length > len(b) {
		return nil, malformed("finger record states %d bytes and has %d", length, len(b))
	}
	if count > maxInstances {
		return nil, fault.New(ErrTooLarge.Code, "finger record with %d fingers", count)
	}
	var images []Image
	// Each view of a finger is a block of its own, so the end tells their number.
	for len(c.b) > 0 && len(images) < maxInstances {
		const header = 14
		blockLength := c.uint(4)
		position := c.uint(1)
		c.take(4) // views, view, quality, impression
		width, height := c.uint(2), c.uint(2)
		c.take(1)
		data := c.take(blockLength - header)
		if c.short || len(data) == 0 {
			return images, malformed("finger image %d goes past the end or is empty", len(images)+1)
		}
		img := newImage(data, "ISO/IEC 19794-4:2005", width, height)
		img.Position = position
		if img.Format == ImageUnknown && compression <= 1 { // 0 raw, 1 raw and packed
			img.Format = ImageRaw
		}
		images = append(images, img)
	}
	if len(images) < count {
		return images, malformed("finger record with %d images of %d fingers", len(images), count)
	}
	return images, nil
}

// irisRecords reads an iris image record (ISO/IEC 19794-6:2005, clause 6).
func irisRecords(b []byte) ([]Image, error) {
	c, err := header19794(b)
	if err != nil {
		return nil, err
	}
	length := c.uint(4)
	c.take(2) // capture device
	eyes := c.uint(1)
	c.take(6) // header length, properties, diameter
	format := c.uint(2)
	width, height := c.uint(2), c.uint(2)
	c.take(18) // intensity depth, transformation, device
	if c.short || length > len(b) {
		return nil, malformed("iris record states %d bytes and has %d", length, len(b))
	}
	if eyes > 2 {
		return nil, malformed("iris record with %d eyes", eyes)
	}
	var images []Image
	for range eyes {
		position, count := c.uint(1), c.uint(2)
		if c.short || count > maxInstances {
			return images, malformed("iris record with %d images of one eye", count)
		}
		for n := range count {
			c.take(7) // number, quality, rotation and its uncertainty
			data := c.take(c.uint(4))
			if c.short || len(data) == 0 {
				return images, malformed("iris image %d goes past the end or is empty", n+1)
			}
			img := newImage(data, "ISO/IEC 19794-6:2005", width, height)
			img.Position = position
			if img.Format == ImageUnknown && (format == 2 || format == 4) { // raw, grey or colour
				img.Format = ImageRaw
			}
			images = append(images, img)
		}
	}
	return images, nil
}
