// Package pace is Password Authenticated Connection Establishment, the
// inspection system's side (Doc 9303-11, 8th edition 2021, 4.4): generic,
// integrated and chip authentication mapping, over elliptic curves and over
// multiplicative groups, with the standardized domain parameters.
package pace

import (
	"fmt"

	"github.com/watchpost/watchpost/device/document/emrtd/sm"
)

// Mapping is how the nonce chooses the generator (Doc 9303-11, 4.4.3.3).
type Mapping uint8

// Mappings.
const (
	MappingUnknown Mapping = 0
	Generic        Mapping = 1
	Integrated     Mapping = 2
	ChipAuth       Mapping = 3 // generic, and the chip proves its static key
)

func (m Mapping) String() string {
	switch m {
	case Generic:
		return "gm"
	case Integrated:
		return "im"
	case ChipAuth:
		return "cam"
	}
	return "unknown"
}

// Variant is one protocol that a chip offers, with its domain parameters.
type Variant struct {
	OID         string // dotted decimal
	Mapping     Mapping
	Suite       sm.Suite
	ParameterID int // by which the chip names the domain parameters, -1 where by none
	group       group
}

// Domain names the curve or group.
func (v Variant) Domain() string { return v.group.name() }

// Elliptic reports whether v runs over an elliptic curve.
func (v Variant) Elliptic() bool {
	_, ok := v.group.(elliptic)
	return ok
}

func (v Variant) String() string {
	return fmt.Sprintf("PACE-%s %s %s", v.Mapping, v.Domain(), v.Suite)
}

// oidPACE is id-PACE (Doc 9303-11, 9.2.3); the mapping and agreement follow
// as one arc and the cipher as another.
const oidPACE = "0.4.0.127.0.7.2.2.4"

// Arcs under id-PACE. Arc 5 was given to a draft and is no protocol here.
var agreements = map[string]struct {
	mapping  Mapping
	elliptic bool
}{
	"1": {Generic, false},
	"2": {Generic, true},
	"3": {Integrated, false},
	"4": {Integrated, true},
	"6": {ChipAuth, true},
}

var suites = map[string]sm.Suite{"1": sm.TripleDES, "2": sm.AES128, "3": sm.AES192, "4": sm.AES256}

// IsPACE reports whether oid names any PACE protocol, supported or not.
func IsPACE(oid string) bool {
	return len(oid) > len(oidPACE)+1 && oid[:len(oidPACE)+1] == oidPACE+"."
}

// Lookup returns the variant of a PACEInfo with standardized domain
// parameters. ok is false for protocols and parameters that are not supported:
// proprietary ones (see Proprietary), 3DES with chip authentication mapping
// (never defined), an agreement that does not fit the parameters, and
// integrated mapping on P-224, whose prime the point encoding of Doc 9303-11,
// appendix B, does not admit.
func Lookup(oid string, parameterID int) (v Variant, ok bool) {
	g := standardGroup(parameterID)
	if g == nil {
		return Variant{}, false
	}
	return variantOf(oid, parameterID, g)
}

// variantOf joins protocol and group where they fit.
func variantOf(oid string, parameterID int, g group) (v Variant, ok bool) {
	if !IsPACE(oid) {
		return Variant{}, false
	}
	arcs := oid[len(oidPACE)+1:]
	if len(arcs) != 3 || arcs[1] != '.' {
		return Variant{}, false
	}
	a, known := agreements[arcs[:1]]
	suite, knownSuite := suites[arcs[2:]]
	if !known || !knownSuite || (a.mapping == ChipAuth && suite == sm.TripleDES) {
		return Variant{}, false
	}
	v = Variant{OID: oid, Mapping: a.mapping, Suite: suite, ParameterID: parameterID, group: g}
	if a.elliptic != v.Elliptic() || a.mapping == Integrated && !g.encodes() {
		return Variant{}, false
	}
	return v, true
}
