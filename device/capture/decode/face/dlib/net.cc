#include "net.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace wp {

void activations::shape(int c, int n, int h, int w) {
	channels = c, views = n, rows = h, columns = w;
	v.resize(static_cast<std::size_t>(n) * (h + 2) * line());
	for (int view = 0; view < n; view++) {
		std::fill(at(view, -1, -1), at(view, 0, 0), 0.f);
		for (int y = 0; y < h; y++) std::fill(at(view, y, w), at(view, y + 1, 0), 0.f);
		std::fill(at(view, h, 0), at(view, h, w) + c, 0.f);
	}
}

namespace {

void max3(const activations &in, activations &out) {
	out.shape(in.channels, in.views, (in.rows - 3) / 2 + 1, (in.columns - 3) / 2 + 1);
	const int c = in.channels;
	for (int n = 0; n < in.views; n++)
		for (int y = 0; y < out.rows; y++)
			for (int x = 0; x < out.columns; x++) {
				const float *p = in.at(n, 2 * y, 2 * x);
				float *q = out.at(n, y, x);
				std::copy(p, p + c, q);
				for (int k = 1; k < 9; k++) {
					const float *r = p + (k / 3) * in.line() + (k % 3) * c;
					for (int i = 0; i < c; i++) q[i] = std::max(q[i], r[i]);
				}
			}
}

void mean2(const activations &in, activations &out) {
	out.shape(in.channels, in.views, in.rows / 2, in.columns / 2);
	const int c = in.channels;
	for (int n = 0; n < in.views; n++)
		for (int y = 0; y < out.rows; y++)
			for (int x = 0; x < out.columns; x++) {
				const float *p = in.at(n, 2 * y, 2 * x), *r = p + in.line();
				float *q = out.at(n, y, x);
				for (int i = 0; i < c; i++) q[i] = (p[i] + p[c + i] + r[i] + r[c + i]) * 0.25f;
			}
}

// add_relu returns max(0, a+b) in out; where one is smaller it counts as zero.
void add_relu(const activations &a, const activations &b, activations &out) {
	out.shape(std::max(a.channels, b.channels), a.views, std::max(a.rows, b.rows), std::max(a.columns, b.columns));
	for (int n = 0; n < out.views; n++)
		for (int y = 0; y < out.rows; y++)
			for (int x = 0; x < out.columns; x++) {
				float *q = out.at(n, y, x);
				std::fill(q, q + out.channels, 0.f);
				for (const activations *t : {&a, &b}) {
					if (y >= t->rows || x >= t->columns) continue;
					const float *p = t->at(n, y, x);
					for (int i = 0; i < t->channels; i++) q[i] += p[i];
				}
				for (int i = 0; i < out.channels; i++) q[i] = std::max(q[i], 0.f);
			}
}

} // namespace

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
	const int c = x_.channels;
	if (w.full.size() != static_cast<std::size_t>(c) * w.outputs) throw std::runtime_error("net: last layer does not fit");
	std::fill(out, out + static_cast<std::size_t>(x_.views) * w.outputs, 0.f);
	std::vector<float> mean(c);
	for (int v = 0; v < x_.views; v++) {
		std::fill(mean.begin(), mean.end(), 0.f);
		for (int y = 0; y < x_.rows; y++)
			for (int x = 0; x < x_.columns; x++)
				for (int i = 0; i < c; i++) mean[i] += x_.at(v, y, x)[i];
		for (int i = 0; i < c; i++) {
			mean[i] /= x_.rows * x_.columns;
			for (int o = 0; o < w.outputs; o++) out[v * w.outputs + o] += mean[i] * w.full[static_cast<std::size_t>(i) * w.outputs + o];
		}
	}
}

} // namespace wp
