package quality

import (
	"math"

	"github.com/watchpost/watchpost/device/biometric/patch"
)

// Proportions of an adult's head in distances between the eye centres (63 mm),
// with which five points stand for landmarks that are not there.
const (
	headHeight  = 4.0  // crown to chin
	chinBelow   = 1.85 // eye line to chin, the standard's T
	noseForward = 0.3  // base of the nose before the plane of the eye corners
)

// place adds what points alone tell: pose, size and margins.
func (in *FaceInput) place(a patch.Axes, add adder) {
	roll := math.Abs(math.Atan2(a.Right.Y, a.Right.X)) * 180 / math.Pi
	add("head_pose_roll", ofAngle(roll), roll, "degree")
	if in.HasNose {
		yaw := Yaw(a, patch.Point(in.Nose))
		add("head_pose_yaw", ofAngle(yaw), yaw, "degree")
	}
	if in.Width <= 0 || in.Height <= 0 {
		return
	}
	head := headHeight * a.Distance / float64(in.Height)
	// ISO/IEC 39794-5: the head takes 60 to 90 % of a portrait's height.
	add("head_size", min(ramp(head, 0.1, 0.6), ramp(1.4-head, 0, 0.5)), head, "ratio")
	chin := chinBelow * a.Distance
	left, right := a.Origin.X/a.Distance, (float64(in.Width)-a.Origin.X)/a.Distance
	above, below := a.Origin.Y/chin, (float64(in.Height)-a.Origin.Y)/chin
	add("leftward_crop_of_the_face_image", 100*logistic(left, 0.9, 0.1), left, "ratio")
	add("rightward_crop_of_the_face_image", 100*logistic(right, 0.9, 0.1), right, "ratio")
	add("margin_above_of_the_face_image", 100*logistic(above, 1.4, 0.1), above, "ratio")
	add("margin_below_of_the_face_image", 100*logistic(below, 1.8, 0.1), below, "ratio")
}

// Yaw estimates by how many degrees a head is turned, positive when the nose
// points to the right of the image, from the base of the nose alone: good to
// some 10 degrees, for noses and eyes differ.
func Yaw(a patch.Axes, nose patch.Point) float64 {
	x, _ := a.Place(nose)
	return math.Atan2(x, noseForward) * 180 / math.Pi
}

// ofAngle is the standard's mapping of a pose angle in degrees.
func ofAngle(degrees float64) float64 {
	c := max(0, math.Cos(degrees*math.Pi/180))
	return 100 * c * c
}
