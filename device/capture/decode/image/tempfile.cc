// OpenCV 4.6 writes JPEG 2000 through a temporary file on disk and reads it
// back. The decode process may create no file, and a portrait has no business
// on a disk. This definition stands before OpenCV's own (an executable's
// symbols are found before those of libraries) and names a file that is
// memory only: /proc/self/fd/N of a memfd, which is opened by name like any
// other and gone when it is closed.

#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include "tempfile.h"

static int temporary = -1; // one at a time: the Go side holds a lock

extern "C" void wp_drop_temporary(void) {
	if (temporary >= 0) close(temporary);
	temporary = -1;
}

namespace cv {
__attribute__((visibility("default"))) std::string tempfile(const char *) {
	wp_drop_temporary();
	temporary = memfd_create("image", MFD_CLOEXEC);
	return "/proc/self/fd/" + std::to_string(temporary);
}
} // namespace cv
