// The order of every sum below is that of libdlib's loops, and no product is
// fused with a sum: hence AVX2 without FMA, and the same boxes and scores from
// each kind of x86-64 processor and from libdlib.

#include "hogloops.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace wp {

namespace {

// lanes are the vectors of a kind of processor.
template <int Floats> struct lanes {
	static constexpr int count = Floats;
	typedef float number __attribute__((vector_size(Floats * sizeof(float)), aligned(sizeof(float)), may_alias));
	typedef int mask __attribute__((vector_size(Floats * sizeof(float)), aligned(sizeof(float)), may_alias));
};

#define WP_INLINE inline __attribute__((always_inline))

template <typename L> WP_INLINE const typename L::number &at(const float *p) { return *reinterpret_cast<const typename L::number *>(p); }
template <typename L> WP_INLINE typename L::number &at(float *p) { return *reinterpret_cast<typename L::number *>(p); }

// root takes square roots, four at a time since all processors have those.
template <typename L> WP_INLINE void root(typename L::number &x) {
#if defined(__x86_64__)
	__m128 four[L::count / 4];
	std::memcpy(four, &x, sizeof x);
	for (__m128 &f : four) f = _mm_sqrt_ps(f);
	std::memcpy(&x, four, sizeof x);
#elif defined(__aarch64__)
	float32x4_t four[L::count / 4];
	std::memcpy(four, &x, sizeof x);
	for (float32x4_t &f : four) f = vsqrtq_f32(f);
	std::memcpy(&x, four, sizeof x);
#else
	for (int i = 0; i < L::count; i++) x[i] = __builtin_sqrtf(x[i]);
#endif
}

template <typename L> WP_INLINE void blend_by(const blend_job &j) {
	using number = typename L::number;
	using mask = typename L::mask;
	for (int c = 0; c < j.columns; c += L::count) {
		const number right = at<L>(j.right_share + c), left = 1.f - right;
		const number sum = (j.top_share * left) * at<L>(j.top_left + c) + (j.top_share * right) * at<L>(j.top_right + c) +
			(j.bottom_share * left) * at<L>(j.bottom_left + c) + (j.bottom_share * right) * at<L>(j.bottom_right + c);
		at<L>(j.to + c) = __builtin_convertvector(__builtin_convertvector(sum, mask), number);
	}
}

// direction are the unit vectors of the first half of the bins.
constexpr float direction[hog_bins / 2][2] = {{1.0000, 0.0000}, {0.9397, 0.3420}, {0.7660, 0.6428}, {0.500, 0.8660},
	{0.1736, 0.9848}, {-0.1736, 0.9848}, {-0.5000, 0.8660}, {-0.7660, 0.6428}, {-0.9397, 0.3420}};

template <typename L> WP_INLINE void vote_by(const vote_job &j) {
	using number = typename L::number;
	using mask = typename L::mask;
	for (int c = j.first; c < j.last; c += L::count) {
		// The colour that changes most.
		number x, y, length;
#pragma GCC unroll 3
		for (int k = 0; k < 3; k++) {
			const number kx = at<L>(j.row[k] + c + 1) - at<L>(j.row[k] + c - 1), ky = at<L>(j.below[k] + c) - at<L>(j.above[k] + c);
			const number k_length = kx * kx + ky * ky;
			if (k == 0) {
				x = kx, y = ky, length = k_length;
				continue;
			}
			const mask before = length > k_length;
			x = before ? x : kx, y = before ? y : ky, length = before ? length : k_length;
		}
		root<L>(length);

		number most{}, signed_most{};
		mask bin{};
#pragma GCC unroll 9
		for (int o = 0; o < hog_bins / 2; o++) {
			const number dot = x * direction[o][0] + y * direction[o][1];
			const number size = reinterpret_cast<number>(reinterpret_cast<mask>(dot) & 0x7fffffff);
			const mask more = size > most;
			most = more ? size : most, signed_most = more ? dot : signed_most;
			bin = more ? mask{} + o : bin;
		}
		bin += (signed_most < 0) & (hog_bins / 2);

		const number right = at<L>(j.right_share + c) * length, left = (1.f - at<L>(j.right_share + c)) * length;
		const float upper_share = 1.f - j.lower_share;
		float votes[4][L::count];
		at<L>(votes[0]) = upper_share * left, at<L>(votes[1]) = j.lower_share * left;
		at<L>(votes[2]) = upper_share * right, at<L>(votes[3]) = j.lower_share * right;
		int bins[L::count];
		const mask where = bin + *reinterpret_cast<const mask *>(j.cell + c);
		std::memcpy(bins, &where, sizeof bins);
#pragma GCC unroll 8
		for (int i = 0; i < L::count; i++) {
			float *upper = j.upper + bins[i], *lower = j.lower + bins[i];
			upper[0] += votes[0][i], lower[0] += votes[1][i];
			upper[hog_bins] += votes[2][i], lower[hog_bins] += votes[3][i];
		}
	}
}

template <typename L> WP_INLINE void energy_by(const float *values, std::ptrdiff_t stride, int columns, float *to) {
	using number = typename L::number;
	for (int c = 0; c < columns; c += L::count) {
		number sum{};
		for (int o = hog_bins; o < hog_values; o++) sum += at<L>(values + o * stride + c) * at<L>(values + o * stride + c);
		at<L>(to + c) = sum;
	}
}

template <typename L> WP_INLINE void describe_by(const describe_job &j) {
	using number = typename L::number;
	for (int c = 0; c < j.columns; c += L::count) {
		number e[3][3];
#pragma GCC unroll 3
		for (int r = 0; r < 3; r++)
#pragma GCC unroll 3
			for (int k = 0; k < 3; k++) e[r][k] = at<L>(j.energy[r] + c + k);
		// The four blocks of 2x2 cells that the cell is part of.
		number limit[4] = {e[1][1] + e[1][2] + e[2][1] + e[2][2], e[0][1] + e[0][2] + e[1][1] + e[1][2],
			e[1][0] + e[1][1] + e[2][0] + e[2][1], e[0][0] + e[0][1] + e[1][0] + e[1][1]};
		number scale[4], texture[4], three[4];
#pragma GCC unroll 4
		for (int k = 0; k < 4; k++) {
			limit[k] += 0.0001f;
			root<L>(limit[k]);
			limit[k] *= 0.2f;
			scale[k] = 0.1f / limit[k];
			texture[k] = number{};
		}
		for (int o = 0; o < hog_values; o++) {
			const number value = at<L>(j.values + o * j.value_stride + c + 1);
			number part[4];
#pragma GCC unroll 4
			for (int k = 0; k < 4; k++) part[k] = (value < limit[k] ? value : limit[k]) * scale[k];
			at<L>(j.to + o * j.plane_stride + c) = (part[0] + part[2]) + (part[1] + part[3]);
			if (o >= hog_bins) continue;
#pragma GCC unroll 4
			for (int k = 0; k < 4; k++) {
				three[k] = o % 3 == 0 ? part[k] : three[k] + part[k];
				if (o % 3 == 2) texture[k] += three[k];
			}
		}
#pragma GCC unroll 4
		for (int k = 0; k < 4; k++) at<L>(j.to + (hog_values + k) * j.plane_stride + c) = texture[k] * float(2 * 0.2357);
	}
}

// taps sums a filter's products over numbers step apart. libdlib takes three
// sums where number answers lie beside each other, and one at the end of a row.
template <bool Whole, typename L> WP_INLINE void taps(const float *from, std::ptrdiff_t step, const typename L::number (&filter)[hog_taps], typename L::number &sum) {
	using number = typename L::number;
	number a = number{} + at<L>(from) * filter[0];
	if (Whole) {
		number b = at<L>(from + step) * filter[1], c = at<L>(from + 2 * step) * filter[2];
#pragma GCC unroll 10
		for (int n = 3; n + 2 < hog_taps; n += 3) {
			a += at<L>(from + n * step) * filter[n];
			b += at<L>(from + (n + 1) * step) * filter[n + 1];
			c += at<L>(from + (n + 2) * step) * filter[n + 2];
		}
		static_assert(hog_taps % 3 == 1, "one tap is left");
		a += at<L>(from + (hog_taps - 1) * step) * filter[hog_taps - 1];
		sum = a + (b + c);
	} else {
#pragma GCC unroll 10
		for (int n = 1; n < hog_taps; n++) a += at<L>(from + n * step) * filter[n];
		sum = a;
	}
}

template <typename L> WP_INLINE void part_by(const part_job &j) {
	using number = typename L::number;
	const int whole = j.columns / 8 * 8;
	number filter[hog_taps], sum;
#pragma GCC unroll 10
	for (int n = 0; n < hog_taps; n++) filter[n] = number{} + j.part->row[n];
	for (int r = 0; r < j.rows + hog_taps - 1; r++) {
		const float *from = j.plane + r * j.stride;
		float *to = j.scratch + r * j.sum_stride;
		int c = 0;
		for (; c < whole; c += L::count) {
			taps<true, L>(from + c, 1, filter, sum);
			at<L>(to + c) = sum;
		}
		for (; c < j.columns; c += L::count) {
			taps<false, L>(from + c, 1, filter, sum);
			at<L>(to + c) = sum;
		}
	}
#pragma GCC unroll 10
	for (int n = 0; n < hog_taps; n++) filter[n] = number{} + j.part->column[n];
	for (int r = 0; r < j.rows; r++) {
		const float *from = j.scratch + r * j.sum_stride;
		float *to = j.sums + r * j.sum_stride;
		int c = 0;
		for (; c < whole; c += L::count) {
			taps<true, L>(from + c, j.sum_stride, filter, sum);
			at<L>(to + c) += sum;
		}
		for (; c < j.columns; c += L::count) {
			taps<false, L>(from + c, j.sum_stride, filter, sum);
			at<L>(to + c) += sum;
		}
	}
}

void blend_any(const blend_job &j) { blend_by<lanes<4>>(j); }
void vote_any(const vote_job &j) { vote_by<lanes<4>>(j); }
void energy_any(const float *v, std::ptrdiff_t s, int n, float *to) { energy_by<lanes<4>>(v, s, n, to); }
void describe_any(const describe_job &j) { describe_by<lanes<4>>(j); }
void part_any(const part_job &j) { part_by<lanes<4>>(j); }
const hog_loops any{blend_any, vote_any, energy_any, describe_any, part_any};

#if defined(__x86_64__)
#define WP_AVX2 __attribute__((target("avx2")))
WP_AVX2 void blend_avx2(const blend_job &j) { blend_by<lanes<8>>(j); }
WP_AVX2 void vote_avx2(const vote_job &j) { vote_by<lanes<8>>(j); }
WP_AVX2 void energy_avx2(const float *v, std::ptrdiff_t s, int n, float *to) { energy_by<lanes<8>>(v, s, n, to); }
WP_AVX2 void describe_avx2(const describe_job &j) { describe_by<lanes<8>>(j); }
WP_AVX2 void part_avx2(const part_job &j) { part_by<lanes<8>>(j); }
const hog_loops avx2{blend_avx2, vote_avx2, energy_avx2, describe_avx2, part_avx2};
#endif

} // namespace

const hog_loops &hog_loops_of(int widest) {
#if defined(__x86_64__)
	__builtin_cpu_init();
	if ((widest == 0 || widest >= 8) && __builtin_cpu_supports("avx2")) return avx2;
#endif
	(void)widest;
	return any;
}

int strongest(float x, float y) {
	float most = 0;
	int bin = 0;
	for (int o = 0; o < hog_bins / 2; o++) {
		const float dot = x * direction[o][0] + y * direction[o][1];
		if (dot > most) most = dot, bin = o;
		if (-dot > most) most = -dot, bin = o + hog_bins / 2;
	}
	return bin;
}

} // namespace wp
