package quality

import "slices"

// Rule is what is known of a measure beforehand.
type Rule struct {
	Name     string  // as in Measure
	Standard string  // as ISO/IEC 29794-5's reference implementation writes it
	Low      float64 // least native value that is good, where Bounded
	High     float64 // greatest native value that is good, where Bounded
	Bounded  bool
	Source   string // of the bounds
	Advice   string // text key of what helps when a bound is not kept; of Low where two
	AdviceHi string // of High, where it differs
	Needs    string // why it cannot be assessed where it is absent
	// After are measures that have to keep their bounds before this one gives
	// advice: a dark picture has weak edges, too, and holding still mends nothing.
	After []string
}

// lit are the measures of how much light there is.
var lit = []string{"luminance_mean", "under_exposure_prevention", "over_exposure_prevention"}

// Why a measure is absent.
const (
	needsPoints     = "needs_points"           // the engine told none, or they lie outside the picture
	needsMargin     = "needs_more_background"  // too little beside the head
	needsPixels     = "needs_pixels"           // the face box holds too few
	needsLandmarks  = "needs_dense_landmarks"  // eyelids, lips, chin: five points have none
	needsParsing    = "needs_face_parsing"     // a network that tells skin, hair, cloth
	needsExpression = "needs_expression_model" // a network
	needsLens       = "needs_camera_model"     // of the lens; one face does not show it
	needsUnified    = "needs_trained_network"  // the standard's score is one
)

// Advice keys. Texts stand in the page's texts and in encounter's hints.
const (
	AdviceCloser     = "closer"
	AdviceFarther    = "farther"
	AdviceCentre     = "centre"
	AdviceUpright    = "upright"
	AdviceStraight   = "look_straight"
	AdviceAlone      = "alone"
	AdviceLight      = "more_light"
	AdviceLess       = "less_light"
	AdviceFront      = "light_from_front"
	AdviceStill      = "hold_still"
	AdviceColour     = "white_light"
	AdviceBackground = "plain_background"
	AdvicePicture    = "better_picture"
)

// Unbounded stands for a bound that there is not.
const Unbounded = 1e18

const (
	fromISO39794  = "ISO/IEC 39794-5:2019, Annex D.1.4"
	fromISO29794  = "ISO/IEC 29794-5:2025, middle of its mapping"
	fromOurs      = "ours: where the component falls under 50"
	fromDetection = "ISO/IEC 29794-5:2025, single face present"
	fromNet       = "ours: the recognition network sees 38 px"
)

// rules in the order of the standard.
var rules = [...]Rule{
	{Name: "unified_quality_score", Standard: "UnifiedQualityScore", Needs: needsUnified},
	{Name: "background_uniformity", Standard: "BackgroundUniformity", Low: 0, High: 112, Bounded: true, Source: fromOurs, Advice: AdviceBackground, Needs: needsMargin},
	{Name: "illumination_uniformity", Standard: "IlluminationUniformity", Low: 0.3, High: 1, Bounded: true, Source: "ours: component 70", Advice: AdviceFront, Needs: needsPoints},
	{Name: "luminance_mean", Standard: "LuminanceMean", Low: 0.2, High: 0.8, Bounded: true, Source: fromISO29794, Advice: AdviceLight, AdviceHi: AdviceLess, Needs: needsPixels},
	{Name: "luminance_variance", Standard: "LuminanceVariance", Low: 0.01, High: Unbounded, Bounded: true, Source: fromOurs, Advice: AdvicePicture, Needs: needsPixels, After: lit},
	{Name: "under_exposure_prevention", Standard: "UnderExposurePrevention", Low: 0, High: 0.15, Bounded: true, Source: fromOurs, Advice: AdviceLight, Needs: needsPixels},
	{Name: "over_exposure_prevention", Standard: "OverExposurePrevention", Low: 0, High: 0.15, Bounded: true, Source: fromOurs, Advice: AdviceLess, Needs: needsPixels},
	{Name: "dynamic_range", Standard: "DynamicRange", Low: 4, High: 8, Bounded: true, Source: fromOurs, Advice: AdviceLight, Needs: needsPixels, After: lit},
	{Name: "sharpness", Standard: "Sharpness", Low: 3.8, High: Unbounded, Bounded: true, Source: fromOurs, Advice: AdviceStill, Needs: needsPixels, After: lit},
	{Name: "compression_artifacts", Standard: "CompressionArtifacts", Low: 0, High: 2.3, Bounded: true, Source: fromOurs, Advice: AdvicePicture, Needs: needsPixels},
	{Name: "natural_colour", Standard: "NaturalColour", Low: 0, High: 11, Bounded: true, Source: fromOurs, Advice: AdviceColour, Needs: needsPoints},
	{Name: "single_face_present", Standard: "SingleFacePresent", Low: 1, High: 1, Bounded: true, Source: fromDetection, Advice: AdviceAlone, Needs: needsPixels},
	{Name: "eyes_open", Standard: "EyesOpen", Needs: needsLandmarks},
	{Name: "mouth_closed", Standard: "MouthClosed", Needs: needsLandmarks},
	{Name: "eyes_visible", Standard: "EyesVisible", Needs: needsParsing},
	{Name: "mouth_occlusion_prevention", Standard: "MouthOcclusionPrevention", Needs: needsParsing},
	{Name: "face_occlusion_prevention", Standard: "FaceOcclusionPrevention", Needs: needsParsing},
	{Name: "inter_eye_distance", Standard: "InterEyeDistance", Low: 38, High: Unbounded, Bounded: true, Source: fromNet, Advice: AdviceCloser, Needs: needsPoints},
	{Name: "head_size", Standard: "HeadSize", Low: 0.35, High: 1.15, Bounded: true, Source: fromOurs, Advice: AdviceCloser, AdviceHi: AdviceFarther, Needs: needsPoints},
	{Name: "leftward_crop_of_the_face_image", Standard: "LeftwardCropOfTheFaceImage", Low: 0.9, High: Unbounded, Bounded: true, Source: fromISO29794, Advice: AdviceCentre, Needs: needsPoints},
	{Name: "rightward_crop_of_the_face_image", Standard: "RightwardCropOfTheFaceImage", Low: 0.9, High: Unbounded, Bounded: true, Source: fromISO29794, Advice: AdviceCentre, Needs: needsPoints},
	{Name: "margin_above_of_the_face_image", Standard: "MarginAboveOfTheFaceImage", Low: 1.4, High: Unbounded, Bounded: true, Source: fromISO29794, Advice: AdviceCentre, Needs: needsPoints},
	{Name: "margin_below_of_the_face_image", Standard: "MarginBelowOfTheFaceImage", Low: 1.8, High: Unbounded, Bounded: true, Source: fromISO29794, Advice: AdviceCentre, Needs: needsPoints},
	{Name: "head_pose_yaw", Standard: "HeadPoseYaw", Low: -20, High: 20, Bounded: true, Source: "ours: five points tell it to some 10 degrees; " + fromISO39794 + " has 5", Advice: AdviceStraight, Needs: needsPoints},
	{Name: "head_pose_pitch", Standard: "HeadPosePitch", Needs: needsLandmarks},
	{Name: "head_pose_roll", Standard: "HeadPoseRoll", Low: 0, High: 8, Bounded: true, Source: fromISO39794, Advice: AdviceUpright, Needs: needsPoints},
	{Name: "expression_neutrality", Standard: "ExpressionNeutrality", Needs: needsExpression},
	{Name: "no_head_coverings", Standard: "NoHeadCoverings", Needs: needsParsing},
	{Name: "radial_distortion", Standard: "RadialDistortion", Needs: needsLens},
}

// Rules returns what is known of every measure, in the order of the standard.
func Rules() []Rule { return slices.Clone(rules[:]) }

// RuleOf returns the rule of a measure, false for a name that is none.
func RuleOf(name string) (Rule, bool) {
	for _, r := range rules {
		if r.Name == name {
			return r, true
		}
	}
	return Rule{}, false
}

// NotAssessed returns the rules of the measures that are absent, in the order
// of the standard; Needs says why.
func NotAssessed(measures []Measure) []Rule {
	var out []Rule
	for _, r := range rules {
		if !slices.ContainsFunc(measures, func(m Measure) bool { return m.Name == r.Name }) {
			out = append(out, r)
		}
	}
	return out
}

// keeps reports whether m keeps the rule's bounds, or there are none.
func (r Rule) keeps(m Measure) bool {
	return !r.Bounded || m.Native >= r.Low && m.Native <= r.High
}

// AdviceFor returns the text key of what helps against m, one of all measures
// of a picture: "" where it keeps its bounds or has none, or where what it says
// comes of another measure that does not.
func (r Rule) AdviceFor(m Measure, all []Measure) string {
	if r.keeps(m) {
		return ""
	}
	for _, other := range all {
		if cause, ok := RuleOf(other.Name); ok && slices.Contains(r.After, other.Name) && !cause.keeps(other) {
			return ""
		}
	}
	if m.Native > r.High && r.AdviceHi != "" {
		return r.AdviceHi
	}
	return r.Advice
}

// live are the measures that a person at the post, or the officer, can mend at
// once, the first that matters first: light before pose, for points of a face in
// shadow stand at wrong places, and light from one side before too little of it,
// for it makes one half dark. Background, colour and compression are the room's
// and the camera's affair.
var live = [...]string{
	"single_face_present", "inter_eye_distance", "head_size",
	"illumination_uniformity", "under_exposure_prevention", "over_exposure_prevention", "luminance_mean",
	"head_pose_yaw", "head_pose_roll", "leftward_crop_of_the_face_image", "rightward_crop_of_the_face_image", "sharpness",
}

// Coach returns the text key of the one thing to do before the next picture,
// "" where nothing has to be done.
func Coach(measures []Measure) string {
	for _, name := range live {
		for _, m := range measures {
			if m.Name != name {
				continue
			}
			if r, ok := RuleOf(name); ok {
				if advice := r.AdviceFor(m, measures); advice != "" {
					return advice
				}
			}
		}
	}
	return ""
}

// keepShare is how far below the best frame of a burst another may be and
// still be averaged with it: half as good a picture makes the mean worse.
const keepShare = 0.6

// Best returns the frames of a burst to use, by their unified quality: the
// best first, then those not much worse, at most n.
func Best(unified []float64, n int) []int {
	order := make([]int, len(unified))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case unified[a] > unified[b]:
			return -1
		case unified[a] < unified[b]:
			return 1
		}
		return 0
	})
	for i, k := range order {
		if i == n || unified[k] < keepShare*unified[order[0]] {
			return order[:i]
		}
	}
	return order
}
