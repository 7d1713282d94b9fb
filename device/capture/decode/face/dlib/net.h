// Forward pass of the recognition net. dlib's own pass on a processor spends
// more time in laying out its input for a general matrix product, and in passes
// over the activations, than in the product. Here each affine layer is folded
// into the convolution before it, and a convolution reads its input where it
// lies: the channels of a pixel are neighbours, and so are pixels of a row, so
// that what a row of a filter meets is one run of numbers. The numbers agree
// with dlib's to rounding.
#ifndef WATCHPOST_FACE_DLIB_NET_H
#define WATCHPOST_FACE_DLIB_NET_H

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

namespace wp {

// lines allocates whole cache lines, so that no vector lies on two.
template <typename T> struct lines {
	using value_type = T;
	lines() = default;
	template <typename U> lines(const lines<U> &) {}
	T *allocate(std::size_t n) {
		void *p = nullptr;
		if (posix_memalign(&p, 64, n * sizeof(T)) != 0) throw std::bad_alloc();
		return static_cast<T *>(p);
	}
	void deallocate(T *p, std::size_t) { std::free(p); }
	template <typename U> bool operator==(const lines<U> &) const { return true; }
	template <typename U> bool operator!=(const lines<U> &) const { return false; }
};

using floats = std::vector<float, lines<float>>;

// conv is a convolution with square filters.
struct conv {
	int in = 0, out = 0, size = 0, stride = 0, pad = 0; // pad 0 or 1
	floats w;                                           // [out][in][size][size]; after pack as convolve.cc reads it
	std::vector<float> b;
	int together = 0; // channels that are worked on at a time, once packed

	// pack lays w out for this processor, for vectors of at most widest floats
	// (0 is no limit). It throws where out is no multiple of eight.
	void pack(int widest);
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

// activations are [view][row][column][channel] with a border of one zero pixel.
struct activations {
	int channels = 0, views = 0, rows = 0, columns = 0;
	floats v;
	// shape sets the sizes and clears the border; the rest is undefined.
	void shape(int c, int n, int h, int w);
	std::size_t line() const { return static_cast<std::size_t>(columns + 2) * channels; } // from row to row
	// at returns the channels of a pixel; -1 is the border.
	const float *at(int view, int y, int x) const {
		return v.data() + (static_cast<std::size_t>(view) * (rows + 2) + y + 1) * line() + static_cast<std::size_t>(x + 1) * channels;
	}
	float *at(int view, int y, int x) { return const_cast<float *>(static_cast<const activations *>(this)->at(view, y, x)); }
};

// forward holds the buffers of a pass. It is for one thread at a time.
class forward {
public:
	// run writes w.outputs numbers a view to out.
	void run(const net_weights &w, const activations &input, float *out);

private:
	void convolve(const conv &c, const activations &in, activations &out, bool relu);
	std::vector<const float *> from_;
	std::vector<float *> to_;
	floats spare_;
	activations x_, y_, z_;
};

} // namespace wp
#endif
