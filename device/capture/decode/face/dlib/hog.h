// Search of a picture by filters over gradient histograms (Felzenszwalb,
// Girshick, McAllester, Ramanan: Object Detection with Discriminatively Trained
// Part Based Models, IEEE PAMI 32(9), 2010): the features and filters of
// libdlib's frontal face detector, number for number, in a third of its time.
// Colours lie in planes of floats, so that eight pixels are a vector; on x86-64
// the loops are there twice, for AVX2 and for any processor, and round alike.
#ifndef WATCHPOST_FACE_DLIB_HOG_H
#define WATCHPOST_FACE_DLIB_HOG_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "net.h"

namespace wp {

constexpr int hog_cell = 8;    // pixels a side
constexpr int hog_planes = 31; // numbers a cell
constexpr int hog_taps = 10;   // cells a side of a filter

// hog_part is one product of a row and a column filter over one plane of the
// features.
struct hog_part {
	int plane;
	float row[hog_taps], column[hog_taps];
};

// hog_filter answers the sum of its parts, and speaks where that reaches the
// threshold.
struct hog_filter {
	std::vector<hog_part> parts;
	double threshold;
};

// hog_hit is a place at which a filter spoke: row and column of the cell of
// its first tap, counted over the features, which lack the picture's outermost
// cells and begin with a margin of empty ones.
struct hog_hit {
	int level, filter, row, column;
	float sum;
};

// planes are a picture's colours, 0 to 255, in rows of stride floats; a few
// numbers beyond a row's end may be read, but count for nothing.
struct planes {
	int rows = 0, columns = 0, stride = 0;
	floats v;
	void shape(int r, int c);
	float *at(int colour) { return v.data() + static_cast<std::size_t>(colour) * rows * stride; }
	const float *at(int colour) const { return v.data() + static_cast<std::size_t>(colour) * rows * stride; }
};

// features are the 31 planes of a picture with the margin on which filters
// reach over its edge.
struct features {
	int rows = 0, columns = 0, stride = 0; // of a plane, margin and all
	int cells_down = 0, cells_across = 0;  // places of a filter
	floats v;
	float *at(int plane) { return v.data() + static_cast<std::size_t>(plane) * rows * stride; }
	const float *at(int plane) const { return v.data() + static_cast<std::size_t>(plane) * rows * stride; }
};

// hog holds the buffers of a search. It is for one thread at a time.
class hog {
public:
	// widest is the most floats a vector may have: below 8 the loops for any
	// processor run, 0 is as many as the processor has.
	explicit hog(int widest = 0);
	// search looks for all filters on the picture and on levels-1 reductions
	// of it, each 5/6 of the one before, with their thresholds moved by adjust.
	// rgb is 8-bit, rows stride bytes apart. Hits come by filter, level, row
	// and column.
	std::vector<hog_hit> search(const std::uint8_t *rgb, int rows, int columns, std::size_t stride, int levels,
		const std::vector<hog_filter> &filters, double adjust);

private:
	void reduce(const planes &from, planes &to);
	void extract(const planes &img, features &to);
	const struct hog_loops *loops_;
	std::vector<planes> pyramid_;
	std::vector<features> features_;
	floats votes_, cells_, energy_, scratch_, sums_, gathered_;
	std::vector<int> left_;
};

} // namespace wp
#endif
