// Calls into libfprint for package fprint. Everything but wp_new runs on the
// thread that is in wp_run; the posting calls may come from any thread.
#ifndef WATCHPOST_FPRINT_H
#define WATCHPOST_FPRINT_H

#include <stdint.h>

typedef struct wp_library wp_library;

// What a failed open or capture is, in place of GLib's domains.
enum {
  WP_FAIL_ERROR = 1,    // code is an FpDeviceError
  WP_FAIL_RETRY = 2,    // code is an FpDeviceRetry: the touch, not the device
  WP_FAIL_CANCELED = 3, // by wp_cancel
  WP_FAIL_OTHER = 4,
};

wp_library *wp_new(uintptr_t handle);
void wp_run(wp_library *library);
void wp_stop(wp_library *library);
// wp_refresh looks for devices: in a new context where fresh is set, as a
// virtual device shows up in no old one; and opens what is not open yet.
void wp_refresh(wp_library *library, int fresh);
void wp_capture(wp_library *library, unsigned number);
void wp_cancel(wp_library *library, unsigned number);

#endif
