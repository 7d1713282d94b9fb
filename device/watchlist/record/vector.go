package record

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
)

// Vector is a face template: float32 values of unit length. In JSON it is
// base64 of the little-endian values; an array of numbers is read as well.
type Vector []float32

// MaxVector is the largest number of values of a template.
const MaxVector = 4096

var errVector = errors.New("a vector is base64 of float32 values or an array of numbers")

// MarshalJSON implements json.Marshaler.
func (v Vector) MarshalJSON() ([]byte, error) {
	raw := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(x))
	}
	out := make([]byte, 0, 2+base64.StdEncoding.EncodedLen(len(raw)))
	out = append(out, '"')
	out = base64.StdEncoding.AppendEncode(out, raw)
	return append(out, '"'), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Vector) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		var values []float32
		if err := json.Unmarshal(text, &values); err != nil {
			return errVector
		}
		*v = values
		return nil
	}
	var raw []byte
	if err := json.Unmarshal(text, &raw); err != nil || len(raw)%4 != 0 {
		return errVector
	}
	values := make(Vector, len(raw)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	*v = values
	return nil
}

// unitTolerance is how far a template's length may be from 1: float32
// rounding of 128 values stays far below it.
const unitTolerance = 1e-3

func (v Vector) unitLength() bool {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Abs(math.Sqrt(sum)-1) <= unitTolerance // false for NaN and infinities
}
