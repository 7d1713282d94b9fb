package post

import (
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/document/examine"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
)

// TestWithoutChip: a document that no chip answers for is judged by its zone;
// any other failure, or a key that is no zone, judges nothing.
func TestWithoutChip(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	d := &documents{rules: func() examine.Rules { return examine.Rules{At: at} }, now: func() time.Time { return at }}
	const zone = "P<D<<MUSTERMANN<<ERIKA<<<<<<<<<<<<<<<<<<<<<<\nC01X00T478D<<6408125F2702283<<<<<<<<<<<<<<<4"
	got, ok := d.WithoutChip(encounter.DocumentKey{MRZ: zone}, fault.Wrap("step.failed", capture.ErrCardNone))
	if !ok || got.Inspection.Result(inspect.ChipPresent) != inspect.Fail || got.Inspection.Result(inspect.ChipExpected) == inspect.NotPerformed || got.Vouched ||
		got.Document.Number != "C01X00T47" || got.Name.Primary != "MUSTERMANN" || got.Name.Vouched {
		t.Errorf("%t, present %s, expected %s", ok, got.Inspection.Result(inspect.ChipPresent), got.Inspection.Result(inspect.ChipExpected))
	}
	for name, tc := range map[string]struct {
		key   encounter.DocumentKey
		cause error
	}{
		"torn":         {encounter.DocumentKey{MRZ: zone}, fault.New("card.removed", "torn")},
		"reader gone":  {encounter.DocumentKey{MRZ: zone}, fault.New("reader.lost", "unplugged")},
		"three fields": {encounter.DocumentKey{MRZ: "C01X00T47,640812,270228"}, capture.ErrCardNone},
		"CAN":          {encounter.DocumentKey{CAN: "123456"}, capture.ErrCardNone},
		"half a zone":  {encounter.DocumentKey{MRZ: zone[:44]}, capture.ErrCardNone},
		"nothing":      {encounter.DocumentKey{}, capture.ErrCardNone},
	} {
		if got, ok := d.WithoutChip(tc.key, tc.cause); ok {
			t.Errorf("%s: %+v", name, got.Inspection.Checks)
		}
	}
}
