// The face engine over libdlib 19.24: frontal HOG detector, mmod detector,
// five-point alignment and the 29-layer residual net, with the model files of
// the dlib project. The net's layers are those with which the published
// weights were trained (dlib, dnn_face_recognition_ex and
// dnn_mmod_face_detection examples, public domain); a deviation would not
// deserialise.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <istream>
#include <memory>
#include <new>
#include <stdexcept>
#include <streambuf>
#include <vector>

#include <dlib/dnn.h>
#include <dlib/image_processing.h>

#include "doubled.h"
#include "engine.h"
#include "frontal.h"
#include "net.h"

namespace {

using pixels = dlib::matrix<dlib::rgb_pixel>;

// Recognition net.
template <int N, template <typename> class BN, int stride, typename SUB>
using pair_of = BN<dlib::con<N, 3, 3, 1, 1, dlib::relu<BN<dlib::con<N, 3, 3, stride, stride, SUB>>>>>;
template <int N, typename SUB>
using same = dlib::relu<dlib::add_prev1<pair_of<N, dlib::affine, 1, dlib::tag1<SUB>>>>;
template <int N, typename SUB>
using down = dlib::relu<dlib::add_prev2<dlib::avg_pool<2, 2, 2, 2,
	dlib::skip1<dlib::tag2<pair_of<N, dlib::affine, 2, dlib::tag1<SUB>>>>>>>;

template <typename SUB> using stem = dlib::max_pool<3, 3, 2, 2, dlib::relu<dlib::affine<dlib::con<32, 7, 7, 2, 2, SUB>>>>;
template <typename SUB> using stage32 = same<32, same<32, same<32, SUB>>>;
template <typename SUB> using stage64 = same<64, same<64, same<64, down<64, SUB>>>>;
template <typename SUB> using stage128 = same<128, same<128, down<128, SUB>>>;
template <typename SUB> using stage256 = same<256, same<256, down<256, SUB>>>;
template <typename SUB> using last256 = down<256, SUB>;

constexpr unsigned long chip_size = 150; // pixels a side, as trained
constexpr double chip_padding = 0.25;    // of the face's size, as trained

using recognition_net = dlib::loss_metric<dlib::fc_no_bias<wp_dims, dlib::avg_pool_everything<
	last256<stage256<stage128<stage64<stage32<stem<dlib::input_rgb_image_sized<chip_size>>>>>>>>>>;

// Detector net.
template <long N, typename SUB> using halve5 = dlib::relu<dlib::affine<dlib::con<N, 5, 5, 2, 2, SUB>>>;
template <long N, typename SUB> using keep5 = dlib::relu<dlib::affine<dlib::con<N, 5, 5, 1, 1, SUB>>>;

using detector_net = dlib::loss_mmod<dlib::con<1, 9, 9, 1, 1,
	keep5<45, keep5<45, keep5<45, halve5<32, halve5<32, halve5<16,
	dlib::input_rgb_image_pyramid<dlib::pyramid_down<6>>>>>>>>>>;

constexpr double relaxed_threshold = -0.3;

class memory_buffer : public std::streambuf {
public:
	explicit memory_buffer(wp_blob b) {
		char *p = reinterpret_cast<char *>(const_cast<uint8_t *>(b.data));
		setg(p, p, p + b.len);
	}
};

template <typename T> void load(T &into, wp_blob from) {
	memory_buffer buf(from);
	std::istream in(&buf);
	dlib::deserialize(into, in);
}

// gather_layers collects the weights of the recognition net. dlib visits the
// layers from the last to the first, so that an affine layer comes just before
// the convolution that feeds it, into which it is folded.
struct gather_layers {
	wp::net_weights *into;
	std::vector<wp::conv> *convs;
	dlib::affine_ **pending;

	template <long N, long R, long C, int SY, int SX, int PY, int PX>
	void operator()(size_t, dlib::con_<N, R, C, SY, SX, PY, PX> &layer) {
		static_assert(R == C && SY == SX && PY == PX, "square filters only");
		const dlib::tensor &params = layer.get_layer_params();
		const size_t filter = static_cast<size_t>(R) * C, biases = params.size() % (N * filter);
		if (!*pending || params.size() < N * filter || (biases != 0 && biases != N)) throw std::runtime_error("net: unexpected convolution");
		wp::conv c;
		c.in = static_cast<int>((params.size() - biases) / (N * filter));
		c.out = N, c.size = R, c.stride = SY, c.pad = PY;
		const float *p = params.host();
		c.w.assign(p, p + params.size() - biases);
		c.b.assign(N, 0.f);
		if (biases) std::copy(p + params.size() - biases, p + params.size(), c.b.begin());
		// The affine layer does not show its numbers: its answers to 0 and 1
		// tell them.
		dlib::resizable_tensor probe(1, N, 1, 1), at0, at1;
		at0.copy_size(probe), at1.copy_size(probe);
		probe = 0;
		(*pending)->forward_inplace(probe, at0);
		probe = 1;
		(*pending)->forward_inplace(probe, at1);
		for (long o = 0; o < N; o++) {
			const float beta = at0.host()[o], gamma = at1.host()[o] - beta;
			float *w = &c.w[o * c.in * filter];
			for (size_t i = 0; i < c.in * filter; i++) w[i] *= gamma;
			c.b[o] = c.b[o] * gamma + beta;
		}
		*pending = nullptr;
		convs->push_back(std::move(c));
	}
	void operator()(size_t, dlib::affine_ &layer) { *pending = &layer; }
	template <unsigned long N, dlib::fc_bias_mode B>
	void operator()(size_t, dlib::fc_<N, B> &layer) {
		const dlib::tensor &params = layer.get_layer_params();
		into->outputs = N;
		into->full.assign(params.host(), params.host() + params.size());
	}
	template <typename T> void operator()(size_t, T &) {}
};

std::shared_ptr<const wp::net_weights> weights_of(recognition_net &net, int widest) {
	auto out = std::make_shared<wp::net_weights>();
	std::vector<wp::conv> convs;
	dlib::affine_ *pending = nullptr;
	dlib::visit_computational_layers(net, gather_layers{out.get(), &convs, &pending});
	std::reverse(convs.begin(), convs.end());
	if (convs.size() % 2 != 1 || out->outputs != wp_dims) throw std::runtime_error("net: unexpected layers");
	for (wp::conv &c : convs) c.pack(widest);
	out->stem = std::move(convs[0]);
	for (size_t i = 1; i < convs.size(); i += 2) out->blocks.push_back({std::move(convs[i]), std::move(convs[i + 1])});
	return out;
}

// put_views writes a chip and the mirror image of another as the net wants
// them: less the mean colour of the training pictures, over 256.
void put_views(const pixels &chip, const pixels &other, wp::activations &to) {
	to.shape(3, 2, chip_size, chip_size);
	for (int view = 0; view < 2; view++) {
		const pixels &from = view ? other : chip;
		for (unsigned long y = 0; y < chip_size; y++)
			for (unsigned long x = 0; x < chip_size; x++) {
				const dlib::rgb_pixel &p = from(y, x);
				float *at = to.at(view, static_cast<int>(y), static_cast<int>(view ? chip_size - 1 - x : x));
				at[0] = (p.red - 122.782f) / 256;
				at[1] = (p.green - 117.001f) / 256;
				at[2] = (p.blue - 104.298f) / 256;
			}
	}
}

pixels copy_in(wp_raster r) {
	pixels out(r.height, r.width);
	for (int y = 0; y < r.height; y++)
		std::memcpy(&out(y, 0), r.rgb + static_cast<size_t>(y) * r.stride, static_cast<size_t>(r.width) * 3);
	return out;
}

static_assert(sizeof(dlib::rgb_pixel) == 3, "rows are copied as bytes");

void say(char *text, const char *what) {
	std::strncpy(text, what, wp_text - 1);
	text[wp_text - 1] = 0;
}

// guarded runs f and turns whatever it throws into a result.
template <typename F> int guarded(char *text, F f) {
	try {
		f();
		return wp_ok;
	} catch (const dlib::serialization_error &e) {
		say(text, e.what());
		return wp_corrupt;
	} catch (const std::bad_alloc &) {
		say(text, "out of memory");
		return wp_memory;
	} catch (const std::exception &e) {
		say(text, e.what());
		return wp_failed;
	} catch (...) {
		say(text, "unknown exception");
		return wp_failed;
	}
}

} // namespace

struct wp_engine {
	explicit wp_engine(int widest) : hog(widest) {}
	wp::frontal hog;
	dlib::shape_predictor landmarks;
	std::shared_ptr<const wp::net_weights> recognition; // shared by clones
	wp::forward forward;
	wp::activations views;
	detector_net cnn;
};

namespace {

using wp::found_face;

std::vector<found_face> run_relaxed(wp_engine &e, const pixels &img) {
	pixels large = img;
	dlib::pyramid_up(large);
	std::vector<found_face> out = e.hog.find(large, relaxed_threshold);
	dlib::pyramid_down<2> halve;
	for (auto &f : out) f.box = halve.rect_down(f.box);
	return out;
}

// place_points finds the five points in box. The predictor answers in whole
// pixels, a fortieth of the eye distance in a small picture; it is therefore
// given the face at twice its size, and the points are kept to half a pixel.
void place_points(wp_engine &e, const pixels &img, const dlib::rectangle &box, wp_face &f) {
	dlib::rectangle area = dlib::grow_rect(box, box.width() / 2).intersect(dlib::get_rect(img));
	if (area.is_empty()) throw std::runtime_error("a box outside the image");
	dlib::rectangle there(2 * (box.left() - area.left()), 2 * (box.top() - area.top()),
		2 * (box.right() - area.left()) + 1, 2 * (box.bottom() - area.top()) + 1);
	dlib::full_object_detection s = e.landmarks(wp::doubled(img, area), there);
	if (s.num_parts() != wp_points) throw std::runtime_error("not a five-point predictor");
	for (int k = 0; k < wp_points; k++) {
		f.x[k] = (s.part(k).x() - 0.5) / 2 + area.left();
		f.y[k] = (s.part(k).y() - 0.5) / 2 + area.top();
	}
}

// The mirrored view shows the face a little smaller than the plain one, both
// by as much off the size of the training. Two views of one size share most of
// what a chip of that size gets wrong; the net was trained on crops that vary
// by more than this (dlib's random_cropper).
constexpr double plain_scale = 1.03, mirrored_scale = 0.97;

// chip_of says where the net's view of the face lies: the similarity that
// brings the five points to where they stand in an average face (the table of
// dlib's get_face_chip_details, which takes whole pixels only), scaled about
// the chip's centre.
dlib::chip_details chip_of(const wp_face &f, double scale) {
	static const double mean[wp_points][2] = {
		{0.8595674595992, 0.2134981538014}, {0.6460604764104, 0.2289674387677}, {0.1205750820789, 0.2137274526848},
		{0.3340850613712, 0.2290642403242}, {0.4901123135679, 0.6277975316475}};
	const dlib::dpoint centre(chip_size / 2., chip_size / 2.);
	std::vector<dlib::dpoint> chip, image;
	for (int k = 0; k < wp_points; k++) {
		dlib::dpoint at = dlib::dpoint(chip_padding + mean[k][0], chip_padding + mean[k][1]) / (2 * chip_padding + 1) * chip_size;
		chip.push_back(centre + (at - centre) * scale);
		image.emplace_back(f.x[k], f.y[k]);
	}
	return dlib::chip_details(chip, image, dlib::chip_dims(chip_size, chip_size));
}

dlib::rectangle box_of(const wp_face &f) {
	return dlib::rectangle(std::lround(f.left), std::lround(f.top), std::lround(f.right) - 1, std::lround(f.bottom) - 1);
}

void put_box(const found_face &from, wp_face &to) {
	to.left = from.box.left();
	to.top = from.box.top();
	to.right = from.box.right() + 1;
	to.bottom = from.box.bottom() + 1;
	to.score = from.score;
}

std::vector<found_face> run_cnn(wp_engine &e, const pixels &img) {
	std::vector<found_face> out;
	for (auto &d : e.cnn(img)) out.push_back({d.rect, d.detection_confidence});
	return out;
}

} // namespace

extern "C" {

int wp_open(wp_blob landmarks, wp_blob recognition, wp_blob detector, int widest, wp_engine **out, char *text) {
	*out = nullptr;
	wp_engine *e = nullptr;
	int rc = guarded(text, [&] {
		e = new wp_engine(widest);
		load(e->landmarks, landmarks);
		recognition_net net;
		load(net, recognition);
		e->recognition = weights_of(net, widest);
		load(e->cnn, detector);
	});
	if (rc != wp_ok) {
		delete e;
		return rc;
	}
	*out = e;
	return wp_ok;
}

int wp_clone(const wp_engine *from, wp_engine **out, char *text) {
	*out = nullptr;
	return guarded(text, [&] { *out = new wp_engine(*from); });
}

void wp_close(wp_engine *e) { delete e; }

int wp_detect(wp_engine *e, wp_raster r, int detector, wp_face *faces, int max, int *found, char *text) {
	*found = 0;
	return guarded(text, [&] {
		pixels img = copy_in(r);
		std::vector<found_face> hits;
		switch (detector) {
		case wp_hog: hits = e->hog.find(img, 0); break;
		case wp_hog_relaxed: hits = run_relaxed(*e, img); break;
		case wp_cnn: hits = run_cnn(*e, img); break;
		default: throw std::invalid_argument("unknown detector");
		}
		*found = static_cast<int>(hits.size());
		for (int i = 0; i < *found && i < max; i++) {
			put_box(hits[i], faces[i]);
			place_points(*e, img, hits[i].box, faces[i]);
		}
	});
}

int wp_frontal(wp_engine *e, wp_raster r, double threshold, int libdlib, wp_face *faces, int max, int *found, char *text) {
	*found = 0;
	return guarded(text, [&] {
		const pixels img = copy_in(r);
		const std::vector<found_face> hits = libdlib ? wp::find_by_libdlib(img, threshold) : e->hog.find(img, threshold);
		*found = static_cast<int>(hits.size());
		for (int i = 0; i < *found && i < max; i++) put_box(hits[i], faces[i]);
	});
}

int wp_doubled(wp_raster r, int left, int top, int right, int bottom, int *most, char *text) {
	*most = 0;
	return guarded(text, [&] {
		const pixels img = copy_in(r);
		const dlib::rectangle area(left, top, right, bottom);
		if (area.is_empty() || !dlib::get_rect(img).contains(area)) throw std::invalid_argument("a part outside the image");
		const wp::doubled ours(img, area);
		const pixels part = dlib::subm(img, area);
		pixels theirs(ours.rows(), ours.columns());
		dlib::resize_image(part, theirs);
		for (long y = 0; y < ours.rows(); y++)
			for (long x = 0; x < ours.columns(); x++) {
				const dlib::rgb_pixel a = ours.at(y, x), &b = theirs(y, x);
				*most = std::max({*most, std::abs(a.red - b.red), std::abs(a.green - b.green), std::abs(a.blue - b.blue)});
			}
	});
}

int wp_align(wp_engine *e, wp_raster r, wp_face *face, char *text) {
	return guarded(text, [&] { place_points(*e, copy_in(r), box_of(*face), *face); });
}

int wp_embed(wp_engine *e, wp_raster r, const wp_face *face, float plain[wp_dims], float mirrored[wp_dims], char *text) {
	return guarded(text, [&] {
		pixels img = copy_in(r);
		pixels chip, other;
		dlib::extract_image_chip(img, chip_of(*face, plain_scale), chip);
		dlib::extract_image_chip(img, chip_of(*face, mirrored_scale), other);
		put_views(chip, other, e->views);
		float answers[2 * wp_dims];
		e->forward.run(*e->recognition, e->views, answers);
		std::memcpy(plain, answers, wp_dims * sizeof(float));
		std::memcpy(mirrored, answers + wp_dims, wp_dims * sizeof(float));
	});
}

} // extern "C"
