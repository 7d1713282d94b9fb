// Part of a picture at twice its size, pixel by pixel as it is asked for: the
// landmark predictor looks at some thousands of the 130,000 pixels of a face.
// The pixels are those of dlib::resize_image.
#ifndef WATCHPOST_FACE_DLIB_DOUBLED_H
#define WATCHPOST_FACE_DLIB_DOUBLED_H

#include <algorithm>
#include <cmath>
#include <vector>

#include <dlib/geometry.h>
#include <dlib/image_processing/generic_image.h>
#include <dlib/matrix.h>
#include <dlib/pixel.h>

namespace wp {

// doubled refers to the picture that it is made of.
class doubled {
public:
	using pixels = dlib::matrix<dlib::rgb_pixel>;
	// area lies inside the picture.
	doubled(const pixels &img, const dlib::rectangle &area) : img_(img), area_(area), down_(2 * area.height()), across_(2 * area.width()) {
		const long w = static_cast<long>(area.width()), h = static_cast<long>(area.height());
		const double x_step = (w - 1) / static_cast<double>(std::max<long>(static_cast<long>(across_.size()) - 1, 1));
		const double y_step = (h - 1) / static_cast<double>(std::max<long>(static_cast<long>(down_.size()) - 1, 1));
		double y = -y_step;
		for (place &p : down_) {
			y += y_step;
			p.first = static_cast<long>(std::floor(y)), p.share = y - p.first;
		}
		// Four columns at a time by single precision, and the last ones by
		// double precision.
		float lane[4];
		for (int k = 0; k < 4; k++) lane[k] = static_cast<float>(-4 * x_step + k * x_step);
		for (singles_ = 0;; singles_ += 4) {
			for (float &l : lane) l += static_cast<float>(4 * x_step);
			if (static_cast<long>(lane[3]) + 1 >= w || singles_ + 4 > columns()) break;
			for (int k = 0; k < 4; k++) {
				place &p = across_[singles_ + k];
				p.first = static_cast<long>(lane[k]), p.single = lane[k] - p.first;
			}
		}
		double x = -x_step + singles_ * x_step;
		for (long c = singles_; c < columns(); c++) {
			x += x_step;
			across_[c].first = static_cast<long>(std::floor(x)), across_[c].share = x - across_[c].first;
		}
	}
	long rows() const { return static_cast<long>(down_.size()); }
	long columns() const { return static_cast<long>(across_.size()); }
	dlib::rgb_pixel at(long r, long c) const {
		const place &y = down_[r], &x = across_[c];
		const long top = area_.top() + y.first, bottom = std::min(top + 1, area_.bottom());
		const long left = area_.left() + x.first, right = std::min(left + 1, area_.right());
		const dlib::rgb_pixel &tl = img_(top, left), &tr = img_(top, right), &bl = img_(bottom, left), &br = img_(bottom, right);
		if (c >= singles_) {
			auto mix = [&](double tl, double tr, double bl, double br) {
				return static_cast<unsigned char>((1 - y.share) * ((1 - x.share) * tl + x.share * tr) + y.share * ((1 - x.share) * bl + x.share * br));
			};
			return dlib::rgb_pixel(mix(tl.red, tr.red, bl.red, br.red), mix(tl.green, tr.green, bl.green, br.green), mix(tl.blue, tr.blue, bl.blue, br.blue));
		}
		const float low = static_cast<float>(y.share), high = static_cast<float>(1 - y.share), near = 1 - x.single;
		const float a = high * near, b = high * x.single, d = low * near, e = low * x.single;
		auto mix = [&](float tl, float tr, float bl, float br) { return static_cast<unsigned char>(a * tl + b * tr + d * bl + e * br); };
		return dlib::rgb_pixel(mix(tl.red, tr.red, bl.red, br.red), mix(tl.green, tr.green, bl.green, br.green), mix(tl.blue, tr.blue, bl.blue, br.blue));
	}

private:
	// place is a position between two pixels, and the share of the second.
	struct place {
		long first = 0;
		double share = 0;
		float single = 0;
	};
	const pixels &img_;
	dlib::rectangle area_;
	std::vector<place> down_, across_;
	long singles_;
};

inline long num_rows(const doubled &img) { return img.rows(); }
inline long num_columns(const doubled &img) { return img.columns(); }

} // namespace wp

// What libdlib asks of an image that is only read.
namespace dlib {
template <> struct image_traits<wp::doubled> {
	typedef rgb_pixel pixel_type;
};
template <> class const_image_view<wp::doubled> {
public:
	explicit const_image_view(const wp::doubled &img) : img_(img) {}
	struct line {
		const wp::doubled &img;
		long row;
		rgb_pixel operator[](long column) const { return img.at(row, column); }
	};
	line operator[](long row) const { return {img_, row}; }

private:
	const wp::doubled &img_;
};
} // namespace dlib
#endif
