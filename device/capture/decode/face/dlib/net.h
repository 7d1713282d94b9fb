// Forward pass of the recognition net. dlib's own pass on a processor spends
// more time in laying out its input for the matrix product, and in passes over
// the activations, than in the product; this one folds each affine layer into
// the convolution before it, lays rows out by whole-row copies and keeps the
// views of a face side by side. The numbers agree with dlib's to rounding.
#ifndef WATCHPOST_FACE_DLIB_NET_H
#define WATCHPOST_FACE_DLIB_NET_H

#include <cstddef>
#include <vector>

namespace wp {

// conv is a convolution with square filters; w is [out][in][size][size].
struct conv {
	int in = 0, out = 0, size = 0, stride = 0, pad = 0;
	std::vector<float> w, b;
};

// block is two convolutions whose result is added to their input, the latter
// averaged by 2x2 where the first has stride 2.
struct block {
	conv first, second;
};

struct net_weights {
	conv stem; // followed by a 3x3 maximum of stride 2
	std::vector<block> blocks;
	int outputs = 0;
	std::vector<float> full; // [last channels][outputs]
};

// activations are [channel][view][row][column].
struct activations {
	int channels = 0, views = 0, rows = 0, columns = 0;
	std::vector<float> v;
	void shape(int c, int n, int h, int w);
	float *plane(int c, int n) { return v.data() + (static_cast<std::size_t>(c) * views + n) * rows * columns; }
	const float *plane(int c, int n) const { return v.data() + (static_cast<std::size_t>(c) * views + n) * rows * columns; }
};

// forward holds the buffers of a pass. It is for one thread at a time.
class forward {
public:
	// run writes w.outputs numbers a view to out.
	void run(const net_weights &w, const activations &input, float *out);

private:
	void convolve(const conv &c, const activations &in, activations &out, bool relu);
	std::vector<float> columns_;
	activations x_, y_, z_;
};

} // namespace wp
#endif
