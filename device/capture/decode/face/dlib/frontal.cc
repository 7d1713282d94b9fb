#include "frontal.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <dlib/image_processing/frontal_face_detector.h>

namespace wp {

namespace {

constexpr int smallest = 64; // pixels a side of a picture that is reduced once more
using pyramid = dlib::pyramid_down<6>;

// levels_of says how many reductions of a picture are looked at, itself
// included, as libdlib counts.
int levels_of(dlib::rectangle all) {
	int levels = 0;
	do {
		all = pyramid().rect_down(all);
		levels++;
	} while (all.width() >= smallest && all.height() >= smallest);
	return levels;
}

} // namespace

frontal::frontal(int widest) : hog_(widest) {
	const dlib::frontal_face_detector from = dlib::get_frontal_face_detector();
	const auto &scanner = from.get_scanner();
	if (scanner.get_cell_size() != hog_cell || scanner.get_fhog_window_width() != hog_taps || scanner.get_fhog_window_height() != hog_taps ||
		scanner.get_padding() != 0 ||
		scanner.get_min_pyramid_layer_width() != smallest || scanner.get_min_pyramid_layer_height() != smallest)
		throw std::runtime_error("hog: not the detector known");
	overlap_ = from.get_overlap_tester();
	for (unsigned long d = 0; d < from.num_detectors(); d++) {
		const auto &weights = from.get_processed_w(d);
		const auto &bank = weights.get_detect_argument();
		hog_filter filter;
		filter.threshold = weights.w(scanner.get_num_dimensions());
		for (size_t plane = 0; plane < bank.row_filters.size(); plane++)
			for (size_t k = 0; k < bank.row_filters[plane].size(); k++) {
				const auto &row = bank.row_filters[plane][k], &column = bank.col_filters[plane][k];
				if (plane >= hog_planes || row.size() != hog_taps || column.size() != hog_taps) throw std::runtime_error("hog: unexpected filter");
				hog_part part;
				part.plane = static_cast<int>(plane);
				std::copy(row.begin(), row.end(), part.row);
				std::copy(column.begin(), column.end(), part.column);
				filter.parts.push_back(part);
			}
		filters_.push_back(std::move(filter));
	}
}

std::vector<found_face> frontal::find(const dlib::matrix<dlib::rgb_pixel> &img, double threshold) {
	const int rows = static_cast<int>(img.nr()), columns = static_cast<int>(img.nc());
	const std::vector<hog_hit> hits = hog_.search(reinterpret_cast<const std::uint8_t *>(&img(0, 0)), rows, columns, 3 * columns,
		levels_of(dlib::get_rect(img)), filters_, threshold);

	// Filters are tried in turn, each with its best first: what is equal keeps
	// libdlib's order.
	std::vector<dlib::rect_detection> found;
	std::vector<std::pair<double, dlib::rectangle>> of;
	for (size_t f = 0, h = 0; f < filters_.size(); f++) {
		of.clear();
		for (; h < hits.size() && hits[h].filter == static_cast<int>(f); h++) {
			const dlib::point at(hits[h].column + hog_taps / 2, hits[h].row + hog_taps / 2);
			const dlib::rectangle box = dlib::fhog_to_image(dlib::centered_rect(at, hog_taps, hog_taps), hog_cell, hog_taps, hog_taps);
			of.emplace_back(hits[h].sum, pyramid().rect_up(box, hits[h].level));
		}
		std::sort(of.rbegin(), of.rend(), dlib::impl::compare_pair_rect);
		for (const auto &p : of) {
			dlib::rect_detection d;
			d.detection_confidence = p.first - filters_[f].threshold, d.weight_index = f, d.rect = p.second;
			found.push_back(d);
		}
	}
	std::sort(found.rbegin(), found.rend());
	std::vector<found_face> out;
	for (const auto &d : found)
		if (std::none_of(out.begin(), out.end(), [&](const found_face &better) { return overlap_(better.box, d.rect); }))
			out.push_back({d.rect, d.detection_confidence});
	return out;
}

std::vector<found_face> find_by_libdlib(const dlib::matrix<dlib::rgb_pixel> &img, double threshold) {
	static const dlib::frontal_face_detector trained = dlib::get_frontal_face_detector(); // takes a second
	dlib::frontal_face_detector by = trained;
	std::vector<std::pair<double, dlib::rectangle>> hits;
	by(img, hits, threshold);
	std::vector<found_face> out;
	for (const auto &h : hits) out.push_back({h.second, h.first});
	return out;
}

} // namespace wp
