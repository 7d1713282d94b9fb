package driverv1_test

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// TestFingerCodes pins the positions to ISO/IEC 19794-4:2011, table 5: they go
// into records as they are.
func TestFingerCodes(t *testing.T) {
	want := map[driverv1.FingerPosition]int32{
		driverv1.FingerPosition_FINGER_POSITION_UNSPECIFIED:  0,
		driverv1.FingerPosition_FINGER_POSITION_RIGHT_THUMB:  1,
		driverv1.FingerPosition_FINGER_POSITION_RIGHT_LITTLE: 5,
		driverv1.FingerPosition_FINGER_POSITION_LEFT_THUMB:   6,
		driverv1.FingerPosition_FINGER_POSITION_LEFT_LITTLE:  10,
		driverv1.FingerPosition_FINGER_POSITION_RIGHT_FOUR:   13,
		driverv1.FingerPosition_FINGER_POSITION_LEFT_FOUR:    14,
		driverv1.FingerPosition_FINGER_POSITION_TWO_THUMBS:   15,
	}
	for position, number := range want {
		if int32(position) != number {
			t.Errorf("%s is %d, want %d", position, int32(position), number)
		}
	}
}

// TestZeroIsUnspecified: a field that was never set must not read as a value.
func TestZeroIsUnspecified(t *testing.T) {
	for _, file := range []protoreflect.FileDescriptor{
		driverv1.File_sdk_proto_driver_v1_driver_proto, driverv1.File_sdk_proto_driver_v1_image_proto,
		driverv1.File_sdk_proto_driver_v1_camera_proto, driverv1.File_sdk_proto_driver_v1_finger_proto,
		driverv1.File_sdk_proto_driver_v1_smartcard_proto, driverv1.File_sdk_proto_driver_v1_page_proto,
	} {
		enums := file.Enums()
		for i := range enums.Len() {
			zero := enums.Get(i).Values().ByNumber(0)
			if zero == nil {
				t.Errorf("%s has no zero", enums.Get(i).Name())
				continue
			}
			const suffix = "_UNSPECIFIED"
			name := string(zero.Name())
			if len(name) < len(suffix) || name[len(name)-len(suffix):] != suffix {
				t.Errorf("zero of %s is %s", enums.Get(i).Name(), name)
			}
		}
	}
}
