// Plain C face of the dlib engine. No C++ type and no exception crosses it.
#ifndef WATCHPOST_FACE_DLIB_ENGINE_H
#define WATCHPOST_FACE_DLIB_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { wp_points = 5, wp_dims = 128, wp_text = 160 };

// Results of a call. Zero is never returned: it would read as success to a
// caller that forgot to look.
enum {
	wp_ok = 1,
	wp_corrupt = 2, // a model could not be deserialised
	wp_memory = 3,  // out of memory
	wp_failed = 4,  // anything else dlib threw; text says what
};

typedef struct wp_engine wp_engine;

// wp_blob is a model file's bytes, owned by the caller, read during wp_open.
typedef struct {
	const uint8_t *data;
	size_t len;
} wp_blob;

// wp_raster is 8-bit RGB, rows stride bytes apart, owned by the caller and
// only read.
typedef struct {
	const uint8_t *rgb;
	int width, height, stride;
} wp_raster;

// wp_face is one detection, in pixels of the raster given; right and bottom
// are exclusive. The box may reach over the raster's edge.
typedef struct {
	double left, top, right, bottom;
	double score;
	double x[wp_points], y[wp_points];
} wp_face;

// How a detector pass is made.
enum {
	wp_hog = 1,         // frontal HOG detector, threshold 0
	wp_hog_relaxed = 2, // threshold -0.3 on the raster enlarged twice
	wp_cnn = 3,         // mmod network
};

// wp_open makes an engine. Its loops work on vectors of at most widest floats,
// 0 is as many as the processor has.
int wp_open(wp_blob landmarks, wp_blob recognition, wp_blob detector, int widest, wp_engine **out, char *text);

int wp_clone(const wp_engine *from, wp_engine **out, char *text);
void wp_close(wp_engine *e);

// wp_detect looks for faces with one detector and places the five points of
// each. At most max are written; *found is the number seen.
int wp_detect(wp_engine *e, wp_raster img, int detector, wp_face *faces, int max, int *found, char *text);

// wp_frontal makes the search of wp_hog alone, with another threshold and no
// points, and if asked by libdlib's own loops: what tests hold ours to.
int wp_frontal(wp_engine *e, wp_raster img, double threshold, int libdlib, wp_face *faces, int max, int *found, char *text);

// wp_doubled writes by how much a channel of part of img at twice its size, as
// wp_align looks at it, differs at most from libdlib's: for tests. The part,
// of which right and bottom are inside, lies in img.
int wp_doubled(wp_raster img, int left, int top, int right, int bottom, int *most, char *text);

// wp_align places the five points inside the face's box anew.
int wp_align(wp_engine *e, wp_raster img, wp_face *face, char *text);

// wp_embed writes the net's raw answers for the face's aligned chip and for
// the mirror image of one that shows it some hundredths smaller.
int wp_embed(wp_engine *e, wp_raster img, const wp_face *face, float plain[wp_dims], float mirrored[wp_dims], char *text);

// wp_blas keeps OpenBLAS, where that is what is linked, to one thread and to
// the kernels that suit the processor, and returns the name of these, or NULL
// for another BLAS. To be called before the first net runs; later calls only
// return the name.
const char *wp_blas(void);

#ifdef __cplusplus
}
#endif
#endif
