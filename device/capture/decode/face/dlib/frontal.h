// libdlib's frontal face detector, whose filters are searched by hog.h.
#ifndef WATCHPOST_FACE_DLIB_FRONTAL_H
#define WATCHPOST_FACE_DLIB_FRONTAL_H

#include <vector>

#include <dlib/geometry.h>
#include <dlib/matrix.h>
#include <dlib/pixel.h>
#include <dlib/image_processing/box_overlap_testing.h>

#include "hog.h"

namespace wp {

struct found_face {
	dlib::rectangle box;
	double score;
};

// frontal is for one thread at a time. A copy has buffers of its own.
class frontal {
public:
	// widest is that of hog.
	explicit frontal(int widest);
	// find returns the faces whose score reaches the threshold, which is 0 as
	// trained, the best first, none of which overlaps a better one.
	std::vector<found_face> find(const dlib::matrix<dlib::rgb_pixel> &img, double threshold);

private:
	std::vector<hog_filter> filters_;
	dlib::test_box_overlap overlap_;
	hog hog_;
};

// find_by_libdlib is find by libdlib's own search.
std::vector<found_face> find_by_libdlib(const dlib::matrix<dlib::rgb_pixel> &img, double threshold);

} // namespace wp
#endif
