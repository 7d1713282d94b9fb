package target

import (
	"github.com/fxamacker/cbor/v2"

	"github.com/watchpost/watchpost/device/fault"
)

// Bundle is an urgent change with all that proves it, small enough for one
// message. What a post holds already is left out. It is carried as it comes:
// nothing in it is believed before the updater has checked it.
type Bundle struct {
	Roots     [][]byte          `cbor:"1,keyasint,omitempty"` // new ones, in order
	Timestamp []byte            `cbor:"2,keyasint"`
	Snapshot  []byte            `cbor:"3,keyasint"`
	Roles     map[string][]byte `cbor:"4,keyasint,omitempty"` // targets metadata by role: "targets", or an owner
	Objects   [][]byte          `cbor:"5,keyasint,omitempty"` // manifests, lists of devices, segments
}

// maxParts bounds roots, roles and objects of a bundle.
const maxParts = 256

// Encode returns the bundle in CBOR (RFC 8949, 2020).
func (b *Bundle) Encode() ([]byte, error) {
	raw, err := cbor.Marshal(b)
	if err != nil {
		return nil, fault.Wrap("listfeed.format", err)
	}
	if len(raw) > MaxBundle {
		return nil, fault.New("listfeed.too_large", "a bundle of %d bytes, at most %d: have it fetched instead", len(raw), MaxBundle)
	}
	return raw, nil
}

// DecodeBundle reads a bundle. It fails with listfeed.too_large or
// listfeed.format.
func DecodeBundle(raw []byte) (*Bundle, error) {
	if len(raw) > MaxBundle {
		return nil, fault.New("listfeed.too_large", "a bundle of %d bytes, at most %d", len(raw), MaxBundle)
	}
	mode, err := cbor.DecOptions{
		MaxArrayElements: maxParts, MaxMapPairs: maxParts, MaxNestedLevels: 4, DupMapKey: cbor.DupMapKeyEnforcedAPF,
		IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode()
	if err != nil {
		return nil, fault.Wrap("listfeed.format", err)
	}
	b := &Bundle{}
	if err := mode.Unmarshal(raw, b); err != nil {
		return nil, formatError("a bundle cannot be read")
	}
	if len(b.Timestamp) == 0 || len(b.Snapshot) == 0 {
		return nil, formatError("a bundle has a timestamp and a snapshot")
	}
	return b, nil
}
