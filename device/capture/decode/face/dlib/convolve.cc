// The convolution. A block of pixels of the result, times a block of its
// channels, stays in registers while a run of input numbers goes by: each is
// multiplied by as many weights as the block has channels. The weights lie in
// the order in which they are read, and are worked through in pieces that stay
// in the first cache while all pixels pass.
//
// One binary has the loop for three kinds of processor and chooses when weights
// are packed. Fused products round once where the others round twice; the
// results differ by that.

#include "net.h"

#include <algorithm>
#include <stdexcept>

namespace wp {

namespace {

// piece is how many input numbers of a run are worked through at a time: with
// 64 channels their weights take 32 KiB.
constexpr int piece = 128;

// job is a piece of a run for all pixels.
struct job {
	const float *const *from; // of each pixel the first number of its filter's corner
	float *const *to;         // of each pixel the first channel
	std::ptrdiff_t ahead;     // of the run's piece behind from
	int channel;              // first of the block
	int pixels;               // whole blocks of them
	const float *weights;     // [numbers][channels of the block]
	int numbers;
	const float *bias; // of the block's first channel where sums begin, else null
	bool relu;         // where sums end
};

template <int Floats> struct vector_of {
	typedef float type __attribute__((vector_size(Floats * sizeof(float)), aligned(sizeof(float)), may_alias));
};

// work does a job by blocks of Pixels times Vectors vectors of Floats numbers.
template <int Floats, int Vectors, int Pixels> inline __attribute__((always_inline)) void work(const job &j) {
	using vec = typename vector_of<Floats>::type;
	for (int first = 0; first < j.pixels; first += Pixels) {
		vec sum[Pixels][Vectors];
		const float *from[Pixels];
#pragma GCC unroll 16
		for (int p = 0; p < Pixels; p++) {
			from[p] = j.from[first + p] + j.ahead;
			const float *begin = j.bias ? j.bias : j.to[first + p] + j.channel;
#pragma GCC unroll 16
			for (int v = 0; v < Vectors; v++) sum[p][v] = *reinterpret_cast<const vec *>(begin + v * Floats);
		}
		const float *w = j.weights;
		for (int i = 0; i < j.numbers; i++, w += Vectors * Floats) {
			vec weight[Vectors];
#pragma GCC unroll 16
			for (int v = 0; v < Vectors; v++) weight[v] = *reinterpret_cast<const vec *>(w + v * Floats);
#pragma GCC unroll 16
			for (int p = 0; p < Pixels; p++) {
				const float x = from[p][i];
#pragma GCC unroll 16
				for (int v = 0; v < Vectors; v++) sum[p][v] += weight[v] * x;
			}
		}
#pragma GCC unroll 16
		for (int p = 0; p < Pixels; p++)
#pragma GCC unroll 16
			for (int v = 0; v < Vectors; v++) {
				vec s = sum[p][v];
				if (j.relu) s = s > 0 ? s : vec{};
				*reinterpret_cast<vec *>(j.to[first + p] + j.channel + v * Floats) = s;
			}
	}
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void work64(const job &j) { work<16, 4, 6>(j); }
__attribute__((target("avx512f"))) void work32(const job &j) { work<16, 2, 12>(j); }
__attribute__((target("avx2,fma"))) void work16(const job &j) { work<8, 2, 6>(j); }
#endif
void work8(const job &j) { work<4, 2, 4>(j); }

// loop is how a processor does a convolution.
struct loop {
	int vector;           // floats
	int channels, pixels; // of a block
	void (*work)(const job &);
};

// loops are all that are built, the fastest first.
const loop loops[] = {
#if defined(__x86_64__)
	{16, 64, 6, work64}, {16, 32, 12, work32}, {8, 16, 6, work16},
#endif
	{4, 8, 4, work8}};

// widest is how many floats a vector of this processor has.
int widest_vector() {
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f")) return 16;
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 8;
#endif
	return 4;
}

const loop &loop_of(int channels) {
	for (const loop &l : loops)
		if (l.channels == channels) return l;
	throw std::runtime_error("net: not packed");
}

} // namespace

void conv::pack(int widest) {
	const int most = widest_vector();
	if (widest == 0 || widest > most) widest = most;
	const loop *found = nullptr;
	for (const loop &l : loops)
		if (!found && l.vector <= widest && out % l.channels == 0) found = &l;
	if (!found) throw std::runtime_error("net: channels are no whole vectors");
	const loop &l = *found;
	together = l.channels;
	floats packed(w.size());
	float *to = packed.data();
	for (int o = 0; o < out; o += l.channels)
		for (int y = 0; y < size; y++)
			for (int x = 0; x < size; x++)
				for (int i = 0; i < in; i++)
					for (int k = 0; k < l.channels; k++) *to++ = w[((static_cast<std::size_t>(o + k) * in + i) * size + y) * size + x];
	w.swap(packed);
}

void forward::convolve(const conv &c, const activations &in, activations &out, bool relu) {
	if (in.channels != c.in || c.pad > 1) throw std::runtime_error("net: layers do not fit");
	const int h = (in.rows + 2 * c.pad - c.size) / c.stride + 1, w = (in.columns + 2 * c.pad - c.size) / c.stride + 1;
	if (in.rows + 2 * c.pad < c.size || in.columns + 2 * c.pad < c.size) throw std::runtime_error("net: input too small");
	out.shape(c.out, in.views, h, w);
	const loop &l = loop_of(c.together);
	from_.clear(), to_.clear();
	for (int n = 0; n < in.views; n++)
		for (int y = 0; y < h; y++)
			for (int x = 0; x < w; x++) {
				from_.push_back(in.at(n, y * c.stride - c.pad, x * c.stride - c.pad));
				to_.push_back(out.at(n, y, x));
			}
	spare_.resize(c.out); // takes what fills up the last block
	while (from_.size() % l.pixels != 0) {
		from_.push_back(from_.front());
		to_.push_back(spare_.data());
	}
	job j{};
	j.from = from_.data(), j.to = to_.data(), j.pixels = static_cast<int>(from_.size());
	j.weights = c.w.data();
	const int run = c.size * c.in;
	for (j.channel = 0; j.channel < c.out; j.channel += l.channels)
		for (int y = 0; y < c.size; y++)
			for (int done = 0; done < run; done += j.numbers) {
				j.numbers = std::min(piece, run - done);
				j.ahead = static_cast<std::ptrdiff_t>(y * in.line()) + done;
				j.bias = y == 0 && done == 0 ? c.b.data() + j.channel : nullptr;
				j.relu = relu && y == c.size - 1 && done + j.numbers == run;
				l.work(j);
				j.weights += static_cast<std::size_t>(j.numbers) * l.channels;
			}
}

} // namespace wp
