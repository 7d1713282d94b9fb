// Package morph tells when the portrait of a document may be a mixture of two
// people (terms of ISO/IEC 20059:2025). It is differential: the portrait is
// compared with the live face, captured under the post's own eyes. A mixture
// lies between its contributors, so its score against either lies, more often
// than that of a person's own portrait, just above the threshold: that is the grey zone, and
// who falls into it is looked at by an officer. Nothing is refused by it.
package morph

// Zone is the range of scores that go to an officer: from the threshold of the
// comparison up to High, exclusive.
type Zone struct{ Low, High float64 }

// bounds are the cosines under which one in ten people's own portraits scored
// against the mean of so many live frames, by number of frames: dlib's model
// with the mirrored view, Labeled Faces in the Wild, folds 1 and 2, people
// with four pictures, one and three frames (TestSoakLFWMorph prints it anew); two
// frames were laid between. Press photographs of
// years differ more than a portrait and a live face do: a deploying authority
// has to measure its own.
var bounds = [...]float64{1: 0.935, 2: 0.950, 3: 0.957}

// ZoneOf returns the grey zone of a comparison at threshold with the mean of
// so many live frames. It is empty where the threshold lies above it, and for
// no frames.
func ZoneOf(threshold float64, frames int) Zone {
	if frames < 1 {
		return Zone{threshold, threshold}
	}
	return Zone{threshold, max(threshold, bounds[min(frames, len(bounds)-1)])}
}

// Suspicious reports whether a score goes to an officer. A score under the
// zone is no match, which is another finding.
func (z Zone) Suspicious(score float64) bool { return score >= z.Low && score < z.High }
