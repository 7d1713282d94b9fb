// The loops of hog.h, for each kind of processor that has its own.
#ifndef WATCHPOST_FACE_DLIB_HOGLOOPS_H
#define WATCHPOST_FACE_DLIB_HOGLOOPS_H

#include "hog.h"

namespace wp {

constexpr int hog_bins = 18;   // directions of a gradient
constexpr int hog_values = 27; // bins, and their sums over opposite directions

// blend_job makes a row of a reduction. The four neighbours of each pixel have
// been gathered.
struct blend_job {
	const float *top_left, *top_right, *bottom_left, *bottom_right;
	const float *right_share; // of each column
	float bottom_share, top_share;
	int columns; // a multiple of 8
	float *to;
};

// vote_job adds a row of pixels to the histograms of the cells around them.
struct vote_job {
	const float *above[3], *row[3], *below[3]; // of each colour, at column 0
	int first, last;                           // columns; last-first is a multiple of 8
	const int *cell;                           // of each column: where the histogram of the cell to its left begins
	const float *right_share;                  // of each column: that of the cell to its right
	float lower_share;                         // of the pixels' row: that of the cell below
	float *upper, *lower;                      // histograms of the two rows of cells
};

// describe_job makes a row of features. energy are three rows, the one of the
// features in the middle; values are the cells' histograms by bin. All begin
// one cell to the left of the features.
struct describe_job {
	const float *energy[3];
	const float *values; // [hog_values][value_stride]
	std::ptrdiff_t value_stride;
	int columns; // a multiple of 8
	float *to;   // [hog_planes] rows plane_stride apart
	std::ptrdiff_t plane_stride;
};

// part_job adds the answers of one part of a filter to sums.
struct part_job {
	const hog_part *part;
	const float *plane; // of the part
	std::ptrdiff_t stride;
	int rows, columns; // of the answers
	float *scratch;    // rows+hog_taps-1 rows, sum_stride apart
	float *sums;
	std::ptrdiff_t sum_stride; // a multiple of 8, at least columns
};

struct hog_loops {
	void (*blend)(const blend_job &);
	void (*vote)(const vote_job &);
	void (*energy)(const float *values, std::ptrdiff_t stride, int columns, float *to);
	void (*describe)(const describe_job &);
	void (*part)(const part_job &);
};

// hog_loops_of returns the loops for vectors of at most widest floats.
const hog_loops &hog_loops_of(int widest);

// strongest returns the direction of a gradient, 0 to 17.
int strongest(float x, float y);

} // namespace wp
#endif
