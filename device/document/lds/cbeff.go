package lds

import (
	"errors"

	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// maxInstances bounds biometric instances in a group and images in a record:
// a hand has ten fingers, and records of many views stay far below.
const maxInstances = 64

// Biometrics is what DG2, DG3 or DG4 holds.
type Biometrics struct {
	Declared int // instances that the template says it holds
	Images   []Image
}

// kind is a biometric modality with its parsers.
type kind struct {
	name  string
	tag39 der.ID // application tag of its ISO/IEC 39794 block
	magic string // of its ISO/IEC 19794 record
	old   func([]byte) ([]Image, error)
	part  string // of the standards
	// placed: a representation of ISO/IEC 39794 begins with where the sample is from.
	placed bool
}

var (
	kindFace   = kind{"face", 0x65, "FAC\x00", faceRecords, "5", false}
	kindFinger = kind{"finger", 0x64, "FIR\x00", fingerRecords, "4", true}
	kindIris   = kind{"iris", 0x66, "IIR\x00", irisRecords, "6", true}
)

// ParseDG2 reads the face images of EF.DG2 (Doc 9303-10, clause 4.7.2). The
// images found before an error are returned with it.
func ParseDG2(raw []byte) (*Biometrics, error) { return biometrics(raw, tags[2], kindFace) }

// ParseDG3 reads the finger images of EF.DG3 (Doc 9303-10, clause 4.7.3). The
// images found before an error are returned with it. A group without instances
// is whole: many states leave it empty.
func ParseDG3(raw []byte) (*Biometrics, error) { return biometrics(raw, tags[3], kindFinger) }

// ParseDG4 reads the iris images of EF.DG4 (Doc 9303-10, clause 4.7.4), as
// ParseDG3 does.
func ParseDG4(raw []byte) (*Biometrics, error) { return biometrics(raw, tags[4], kindIris) }

// biometrics reads a biometric information group template: 7F61 { 02 count,
// 7F60 { A1 header, 5F2E or 7F2E data block }... } (ISO/IEC 19785-3, TLV-encoded
// patron format; ISO/IEC 7816-11).
func biometrics(raw []byte, tag der.ID, k kind) (*Biometrics, error) {
	b := &Biometrics{}
	file, err := open(raw, tag)
	if err != nil {
		return b, err
	}
	group, err := file.Reader().Expect(0x7F61)
	if err != nil {
		return b, malformed("biometric group template: %v", err)
	}
	r := group.Reader()
	count, err := r.Expect(der.Integer)
	if err != nil {
		return b, malformed("biometric instance count: %v", err)
	}
	if b.Declared, err = count.SmallInt(255); err != nil {
		return b, malformed("biometric instance count: %v", err)
	}
	var problems []error
	instances := 0
	for !r.Empty() {
		e, err := r.Next()
		if err != nil {
			problems = append(problems, malformed("biometric instance %d: %v", instances+1, err))
			break
		}
		if e.ID != 0x7F60 {
			continue // extended access tags the padding of an empty DG3 with 53
		}
		if instances++; instances > maxInstances {
			return b, fault.New(ErrTooLarge.Code, "over %d biometric instances", maxInstances)
		}
		images, err := instance(e, k)
		b.Images = append(b.Images, images...)
		if err != nil {
			problems = append(problems, err)
		}
	}
	if instances != b.Declared {
		problems = append(problems, malformed("%d biometric instances where %d are declared", instances, b.Declared))
	}
	if instances == 0 && k.name == kindFace.name {
		problems = append(problems, fault.New(ErrEmpty.Code, "no face in the group"))
	}
	return b, first(problems)
}

// instance reads one 7F60 template.
func instance(e der.Element, k kind) ([]Image, error) {
	for r := e.Reader(); !r.Empty(); {
		part, err := r.Next()
		if err != nil {
			return nil, malformed("biometric template: %v", err)
		}
		if part.ID == 0x5F2E || part.ID == 0x7F2E {
			images, err := record(part.Content, k)
			if err != nil {
				return images, err
			}
			for _, img := range images {
				if err := img.check(k.name); err != nil {
					return images, err
				}
			}
			return images, nil
		}
	}
	return nil, malformed("biometric template without data block")
}

// record reads one biometric data block, whichever standard it follows.
func record(b []byte, k kind) ([]Image, error) {
	if len(b) >= 4 && string(b[:4]) == k.magic {
		return k.old(b)
	}
	e, _, err := der.Parse(b)
	if err != nil {
		return nil, fault.New(ErrVersion.Code, "%s record of no known standard", k.name)
	}
	if e.ID == 0xA1 { // 7F2E { A1 { block } } as ICAO wraps it
		if e, _, err = der.Parse(e.Content); err != nil {
			return nil, malformed("%s data block: %v", k.name, err)
		}
	}
	if e.ID != k.tag39 {
		return nil, fault.New(ErrVersion.Code, "%s record of no known standard", k.name)
	}
	return block39794(e, k)
}

// first returns the first problem, joined with the others for engineers.
func first(problems []error) error {
	switch len(problems) {
	case 0:
		return nil
	case 1:
		return problems[0]
	}
	return fault.Wrap(fault.CodeOf(problems[0]), errors.Join(problems...))
}
