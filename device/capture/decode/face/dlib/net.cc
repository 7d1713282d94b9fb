#include "net.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

// The Fortran name, which every BLAS has: matrices are stored by columns.
extern "C" void sgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k, const float *alpha,
	const float *a, const int *lda, const float *b, const int *ldb, const float *beta, float *c, const int *ldc);

namespace wp {

void activations::shape(int c, int n, int h, int w) {
	channels = c, views = n, rows = h, columns = w;
	v.resize(static_cast<size_t>(c) * n * h * w);
}

namespace {

int result_side(int side, int size, int stride, int pad) { return (side + 2 * pad - size) / stride + 1; }

// lay_row copies the pixels of one input row that a filter column dx meets.
void lay_row(const float *from, int width, int dx, int stride, float *to, int n) {
	int begin = dx < 0 ? (-dx + stride - 1) / stride : 0;
	int end = std::min(n, (width - 1 - dx) / stride + 1);
	end = std::max(end, begin);
	std::fill(to, to + begin, 0.f);
	if (stride == 1)
		std::memcpy(to + begin, from + begin + dx, sizeof(float) * (end - begin));
	else
		for (int i = begin; i < end; i++) to[i] = from[i * stride + dx];
	std::fill(to + end, to + n, 0.f);
}

void max3(const activations &in, activations &out) {
	int h = result_side(in.rows, 3, 2, 0), w = result_side(in.columns, 3, 2, 0);
	out.shape(in.channels, in.views, h, w);
	std::vector<float> tall(in.columns);
	for (int c = 0; c < in.channels; c++)
		for (int n = 0; n < in.views; n++) {
			const float *p = in.plane(c, n);
			float *q = out.plane(c, n);
			for (int y = 0; y < h; y++) {
				const float *r = p + static_cast<size_t>(2 * y) * in.columns;
				for (int x = 0; x < in.columns; x++) tall[x] = std::max(r[x], std::max(r[x + in.columns], r[x + 2 * in.columns]));
				for (int x = 0; x < w; x++) q[y * w + x] = std::max(tall[2 * x], std::max(tall[2 * x + 1], tall[2 * x + 2]));
			}
		}
}

void mean2(const activations &in, activations &out) {
	int h = in.rows / 2, w = in.columns / 2;
	out.shape(in.channels, in.views, h, w);
	for (int c = 0; c < in.channels; c++)
		for (int n = 0; n < in.views; n++) {
			const float *p = in.plane(c, n);
			float *q = out.plane(c, n);
			for (int y = 0; y < h; y++) {
				const float *r = p + static_cast<size_t>(2 * y) * in.columns, *s = r + in.columns;
				for (int x = 0; x < w; x++) q[y * w + x] = (r[2 * x] + r[2 * x + 1] + s[2 * x] + s[2 * x + 1]) * 0.25f;
			}
		}
}

// add_relu returns max(0, a+b) in out; where one is smaller it counts as zero.
void add_relu(const activations &a, const activations &b, activations &out) {
	out.shape(std::max(a.channels, b.channels), a.views, std::max(a.rows, b.rows), std::max(a.columns, b.columns));
	for (int c = 0; c < out.channels; c++)
		for (int n = 0; n < out.views; n++) {
			float *q = out.plane(c, n);
			std::fill(q, q + static_cast<size_t>(out.rows) * out.columns, 0.f);
			for (const activations *t : {&a, &b}) {
				if (c >= t->channels) continue;
				const float *p = t->plane(c, n);
				for (int y = 0; y < t->rows; y++)
					for (int x = 0; x < t->columns; x++) q[y * out.columns + x] += p[y * t->columns + x];
			}
			for (int i = 0; i < out.rows * out.columns; i++) q[i] = std::max(q[i], 0.f);
		}
}

} // namespace

void forward::convolve(const conv &c, const activations &in, activations &out, bool relu) {
	if (in.channels != c.in) throw std::runtime_error("net: layers do not fit");
	int h = result_side(in.rows, c.size, c.stride, c.pad), w = result_side(in.columns, c.size, c.stride, c.pad);
	if (h < 1 || w < 1) throw std::runtime_error("net: input too small");
	out.shape(c.out, in.views, h, w);
	int k = c.in * c.size * c.size, n = in.views * h * w;
	columns_.resize(static_cast<size_t>(k) * n);
	float *to = columns_.data();
	for (int i = 0; i < c.in; i++)
		for (int dy = 0; dy < c.size; dy++)
			for (int dx = 0; dx < c.size; dx++)
				for (int v = 0; v < in.views; v++) {
					const float *p = in.plane(i, v);
					for (int y = 0; y < h; y++, to += w) {
						int row = y * c.stride + dy - c.pad;
						if (row < 0 || row >= in.rows)
							std::fill(to, to + w, 0.f);
						else
							lay_row(p + static_cast<size_t>(row) * in.columns, in.columns, dx - c.pad, c.stride, to, w);
					}
				}
	// Row-major out = w times columns is column-major out' = columns' times w'.
	const float one = 1, zero = 0;
	sgemm_("N", "N", &n, &c.out, &k, &one, columns_.data(), &n, c.w.data(), &k, &zero, out.v.data(), &n);
	for (int o = 0; o < c.out; o++) {
		float *p = out.v.data() + static_cast<size_t>(o) * n, bias = c.b[o];
		if (relu)
			for (int i = 0; i < n; i++) p[i] = std::max(p[i] + bias, 0.f);
		else
			for (int i = 0; i < n; i++) p[i] += bias;
	}
}

void forward::run(const net_weights &w, const activations &input, float *out) {
	convolve(w.stem, input, y_, true);
	max3(y_, x_);
	for (const block &b : w.blocks) {
		convolve(b.first, x_, y_, true);
		convolve(b.second, y_, z_, false);
		if (b.first.stride == 2) {
			mean2(x_, y_);
			add_relu(z_, y_, x_);
		} else {
			add_relu(z_, x_, y_);
			std::swap(x_, y_);
		}
	}
	int area = x_.rows * x_.columns;
	if (w.full.size() != static_cast<size_t>(x_.channels) * w.outputs) throw std::runtime_error("net: last layer does not fit");
	std::fill(out, out + static_cast<size_t>(x_.views) * w.outputs, 0.f);
	for (int v = 0; v < x_.views; v++)
		for (int c = 0; c < x_.channels; c++) {
			const float *p = x_.plane(c, v);
			float mean = 0;
			for (int i = 0; i < area; i++) mean += p[i];
			mean /= area;
			for (int o = 0; o < w.outputs; o++) out[v * w.outputs + o] += mean * w.full[static_cast<size_t>(c) * w.outputs + o];
		}
}

} // namespace wp
