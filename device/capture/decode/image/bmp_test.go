package image

import (
	"bytes"
	"errors"
	"testing"

	"github.com/watchpost/watchpost/device/capture/decode/header"
)

// bitmap is a file of two rows of three pixels in four greys.
var bitmap = []byte("BM\x4e\x00\x00\x00\x00\x00\x00\x00\x46\x00\x00\x00" +
	"\x28\x00\x00\x00\x03\x00\x00\x00\x02\x00\x00\x00\x01\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x50\x50\x50\x00\xa0\xa0\xa0\x00\xff\xff\xff\x00" +
	"\x00\x01\x02\x00\x03\x02\x01\x00")

func TestBMP(t *testing.T) {
	g, err := DecodeGrey(bitmap)
	if err != nil || g.Width != 3 || g.Height != 2 || !bytes.Equal(g.Pix, []byte{255, 0xa0, 0x50, 0, 0x50, 0xa0}) {
		t.Errorf("%+v %v", g, err)
	}
	if _, err := DecodeRGB(bitmap); err != nil {
		t.Error(err)
	}
	if _, err := DecodeGrey(bitmap[:len(bitmap)-1]); !errors.Is(err, header.ErrTruncated) {
		t.Errorf("cut short: %v", err)
	}
}
