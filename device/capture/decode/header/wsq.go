package header

import "github.com/watchpost/watchpost/device/biometric/wsq"

// readWSQ walks the segments of a WSQ file. Its errors have the codes of this
// package.
func readWSQ(b []byte) (Header, error) {
	h := Header{Format: WSQ, Components: 1, Depth: 8, MaxValue: maxValue(8)}
	info, err := wsq.Stat(b)
	h.Width, h.Height, h.DPI = info.Width, info.Height, info.DPI
	return h, err
}
