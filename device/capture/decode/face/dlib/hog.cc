#include "hogloops.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace wp {

namespace {

int eights(int n) { return (n + 7) / 8 * 8; }

// margin are the empty cells before the features; behind them is one more.
constexpr int margin = (hog_taps - 1) / 2;

// room returns v's numbers, n at least; what is new is zero.
float *room(floats &v, std::size_t n) {
	if (v.size() < n) v.resize(n);
	return v.data();
}

void split(const std::uint8_t *rgb, int rows, int columns, std::size_t stride, planes &to) {
	to.shape(rows, columns);
	float *red = to.at(0), *green = to.at(1), *blue = to.at(2);
	for (int y = 0; y < rows; y++) {
		const std::uint8_t *p = rgb + y * stride;
		const std::ptrdiff_t line = static_cast<std::ptrdiff_t>(y) * to.stride;
		for (int x = 0; x < columns; x++, p += 3) red[line + x] = p[0], green[line + x] = p[1], blue[line + x] = p[2];
	}
}

} // namespace

void planes::shape(int r, int c) {
	rows = r, columns = c, stride = eights(c) + 8;
	room(v, 3 * static_cast<std::size_t>(rows) * stride);
}

hog::hog(int widest) : loops_(&hog_loops_of(widest)) {}

// reduce is libdlib's bilinear reduction: four columns at a time by single
// precision, where a position is the one before plus a step, and the last
// columns by double precision.
void hog::reduce(const planes &from, planes &to) {
	to.shape(static_cast<int>(5 * from.rows / 6 + 0.5), static_cast<int>(5 * from.columns / 6 + 0.5));
	if (to.rows == 0 || to.columns == 0) return;
	const double across = (from.columns - 1) / static_cast<double>(std::max(to.columns - 1, 1));
	const double down = (from.rows - 1) / static_cast<double>(std::max(to.rows - 1, 1));
	const int wide = eights(to.columns);
	left_.assign(wide, 0);
	float *share = room(gathered_, 13 * static_cast<std::size_t>(wide)), *gathered = share + wide;
	float lane[4];
	for (int k = 0; k < 4; k++) lane[k] = static_cast<float>(-4 * across + k * across);
	int four = 0;
	for (; four + 4 <= to.columns; four += 4) {
		for (int k = 0; k < 4; k++) {
			lane[k] += static_cast<float>(4 * across);
			left_[four + k] = static_cast<int>(lane[k]);
			share[four + k] = lane[k] - left_[four + k];
		}
		if (left_[four + 3] + 1 >= from.columns) break;
	}
	std::fill(left_.begin() + four, left_.end(), 0);

	int source[2] = {-1, -1}; // rows gathered
	double y = -down;
	for (int r = 0; r < to.rows; r++) {
		y += down;
		const int top = static_cast<int>(std::floor(y)), bottom = std::min(top + 1, from.rows - 1);
		const double low = y - top;
		float *neighbours[2];
		for (int want : {top, bottom}) {
			if (source[0] == want || source[1] == want) continue;
			const int slot = source[0] == (want == top ? bottom : top) ? 1 : 0;
			source[slot] = want;
			for (int k = 0; k < 3; k++) {
				const float *row = from.at(k) + static_cast<std::ptrdiff_t>(want) * from.stride;
				float *l = gathered + (slot * 6 + k * 2) * wide, *g = l + wide;
				for (int c = 0; c < four; c++) l[c] = row[left_[c]], g[c] = row[left_[c] + 1];
			}
		}
		neighbours[0] = gathered + (source[0] == top ? 0 : 6 * wide);
		neighbours[1] = gathered + (source[0] == bottom ? 0 : 6 * wide);
		for (int k = 0; k < 3; k++) {
			float *out = to.at(k) + static_cast<std::ptrdiff_t>(r) * to.stride;
			blend_job j{};
			j.top_left = neighbours[0] + k * 2 * wide, j.top_right = j.top_left + wide;
			j.bottom_left = neighbours[1] + k * 2 * wide, j.bottom_right = j.bottom_left + wide;
			j.right_share = share, j.bottom_share = static_cast<float>(low), j.top_share = static_cast<float>(1 - low);
			j.columns = eights(four), j.to = out;
			loops_->blend(j);
			const float *t = from.at(k) + static_cast<std::ptrdiff_t>(top) * from.stride;
			const float *b = from.at(k) + static_cast<std::ptrdiff_t>(bottom) * from.stride;
			double x = -across + four * across;
			for (int c = four; c < to.columns; c++) {
				x += across;
				const int left = static_cast<int>(std::floor(x)), right = std::min(left + 1, from.columns - 1);
				const double far = x - left;
				out[c] = static_cast<float>(static_cast<std::uint8_t>((1 - low) * ((1 - far) * t[left] + far * t[right]) +
					low * ((1 - far) * b[left] + far * b[right])));
			}
		}
	}
}

void hog::extract(const planes &img, features &to) {
	const int down = static_cast<int>(static_cast<float>(img.rows) / hog_cell + 0.5);
	const int across = static_cast<int>(static_cast<float>(img.columns) / hog_cell + 0.5);
	to.cells_down = std::max(down - 2, 0), to.cells_across = std::max(across - 2, 0);
	if (to.cells_down == 0 || to.cells_across == 0) {
		to.cells_down = to.cells_across = 0;
		return;
	}

	// Votes lie [row of cells][cell][bin], with a cell more at each end.
	const int line = (across + 2) * hog_bins;
	votes_.assign(static_cast<std::size_t>(down + 2) * line, 0.f);
	const int high = std::min(down * hog_cell, img.rows) - 1, wide = std::min(across * hog_cell, img.columns) - 1;
	left_.assign(eights(img.columns) + 8, 0);
	float *share = room(gathered_, left_.size());
	for (int x = 0; x < img.columns; x++) {
		const float at = (x + 0.5f) / hog_cell + 0.5f;
		left_[x] = static_cast<int>(at) * hog_bins;
		share[x] = at - static_cast<int>(at);
	}
	for (int y = 1; y < high; y++) {
		const float at = (y + 0.5f) / hog_cell + 0.5f;
		vote_job j{};
		for (int k = 0; k < 3; k++) {
			j.row[k] = img.at(k) + static_cast<std::ptrdiff_t>(y) * img.stride;
			j.above[k] = j.row[k] - img.stride, j.below[k] = j.row[k] + img.stride;
		}
		j.first = 1, j.last = 1 + std::max(wide - 1, 0) / 8 * 8;
		j.cell = left_.data(), j.right_share = share;
		j.lower_share = at - static_cast<int>(at);
		j.upper = votes_.data() + static_cast<std::ptrdiff_t>(static_cast<int>(at)) * line, j.lower = j.upper + line;
		loops_->vote(j);
		for (int x = j.last; x < wide; x++) {
			float gx = 0, gy = 0, length = -1;
			for (int k = 0; k < 3; k++) {
				const float kx = j.row[k][x + 1] - j.row[k][x - 1], ky = j.below[k][x] - j.above[k][x];
				if (kx * kx + ky * ky > length) gx = kx, gy = ky, length = kx * kx + ky * ky;
			}
			length = std::sqrt(length);
			const int at = left_[x] + strongest(gx, gy);
			const float right = share[x], left = 1 - right, lower = j.lower_share, upper = 1 - lower;
			j.upper[at] += upper * left * length, j.lower[at] += lower * left * length;
			j.upper[at + hog_bins] += upper * right * length, j.lower[at + hog_bins] += lower * right * length;
		}
	}

	// The same by bin, and how much there is in each cell.
	const int width = eights(across) + 16;
	float *values = room(cells_, static_cast<std::size_t>(down) * hog_values * width);
	float *energy = room(energy_, static_cast<std::size_t>(down) * width);
	for (int y = 0; y < down; y++) {
		float *row = values + static_cast<std::ptrdiff_t>(y) * hog_values * width;
		for (int x = 0; x < across; x++) {
			const float *v = votes_.data() + static_cast<std::ptrdiff_t>(y + 1) * line + (x + 1) * hog_bins;
			for (int o = 0; o < hog_bins; o++) row[o * width + x] = v[o];
			for (int o = 0; o < hog_bins / 2; o++) row[(hog_bins + o) * width + x] = v[o] + v[o + hog_bins / 2];
		}
		loops_->energy(row, width, eights(across), energy + static_cast<std::ptrdiff_t>(y) * width);
	}

	to.rows = to.cells_down + hog_taps - 1, to.columns = to.cells_across + hog_taps - 1;
	to.stride = eights(to.cells_across) + 16;
	const std::ptrdiff_t plane = static_cast<std::ptrdiff_t>(to.rows) * to.stride;
	room(to.v, hog_planes * plane);
	for (int k = 0; k < hog_planes; k++) {
		std::fill_n(to.at(k), static_cast<std::ptrdiff_t>(margin) * to.stride, 0.f);
		std::fill(to.at(k) + static_cast<std::ptrdiff_t>(margin + to.cells_down) * to.stride, to.at(k) + plane, 0.f);
	}
	for (int y = 0; y < to.cells_down; y++) {
		describe_job j{};
		for (int k = 0; k < 3; k++) j.energy[k] = energy + static_cast<std::ptrdiff_t>(y + k) * width;
		j.values = values + static_cast<std::ptrdiff_t>(y + 1) * hog_values * width, j.value_stride = width;
		j.columns = eights(to.cells_across), j.plane_stride = plane;
		j.to = to.at(0) + static_cast<std::ptrdiff_t>(y + margin) * to.stride + margin;
		loops_->describe(j);
		for (int k = 0; k < hog_planes; k++) { // after it: it wrote whole vectors
			float *row = to.at(k) + static_cast<std::ptrdiff_t>(y + margin) * to.stride;
			std::fill_n(row, margin, 0.f);
			std::fill(row + margin + to.cells_across, row + to.stride, 0.f);
		}
	}
}

std::vector<hog_hit> hog::search(const std::uint8_t *rgb, int rows, int columns, std::size_t stride, int levels,
	const std::vector<hog_filter> &filters, double adjust) {
	pyramid_.resize(std::max<std::size_t>(pyramid_.size(), levels));
	features_.resize(std::max<std::size_t>(features_.size(), levels));
	split(rgb, rows, columns, stride, pyramid_[0]);
	for (int l = 0; l < levels; l++) {
		if (l > 0) reduce(pyramid_[l - 1], pyramid_[l]);
		extract(pyramid_[l], features_[l]);
	}
	std::vector<hog_hit> hits;
	for (std::size_t f = 0; f < filters.size(); f++) {
		const double least = filters[f].threshold + adjust;
		for (int l = 0; l < levels; l++) {
			const features &in = features_[l];
			if (in.cells_down == 0) continue;
			const int width = eights(in.cells_across);
			part_job j{};
			j.stride = in.stride, j.rows = in.cells_down, j.columns = in.cells_across, j.sum_stride = width;
			j.scratch = room(scratch_, static_cast<std::size_t>(in.rows) * width);
			sums_.assign(static_cast<std::size_t>(in.cells_down) * width, 0.f);
			j.sums = sums_.data();
			for (const hog_part &p : filters[f].parts) {
				j.part = &p, j.plane = in.at(p.plane);
				loops_->part(j);
			}
			for (int r = 0; r < in.cells_down; r++)
				for (int c = 0; c < in.cells_across; c++) {
					const float sum = j.sums[static_cast<std::ptrdiff_t>(r) * width + c];
					if (sum >= least) hits.push_back({l, static_cast<int>(f), r, c, sum});
				}
		}
	}
	return hits;
}

} // namespace wp
