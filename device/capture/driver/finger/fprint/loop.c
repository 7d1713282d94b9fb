#include "loop.h"

#include <fprint.h>
#include <gio/gio.h>

#include "_cgo_export.h"

struct wp_library {
  uintptr_t handle; // of the Go side, for callbacks
  GMainLoop *loop;
  GPtrArray *contexts; // kept: a context that goes takes its bus with it
  GHashTable *slots;   // number -> slot, of the loop's thread
  unsigned next;
};

// slot is one device that was seen. It lives until the device has been closed.
typedef struct {
  wp_library *library;
  unsigned number;
  FpDevice *device;
  GCancellable *cancel; // of the capture that runs, NULL = none
  int open;
  int opening;
  int gone;
} slot;

typedef struct {
  wp_library *library;
  unsigned number;
  int fresh;
} request;

static void slot_free(gpointer data) {
  slot *s = data;
  g_signal_handlers_disconnect_by_data(s->device, s);
  g_clear_object(&s->cancel);
  g_object_unref(s->device);
  g_free(s);
}

static int failure(const GError *error) {
  if (error->domain == FP_DEVICE_ERROR)
    return WP_FAIL_ERROR;
  if (error->domain == FP_DEVICE_RETRY)
    return WP_FAIL_RETRY;
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return WP_FAIL_CANCELED;
  return WP_FAIL_OTHER;
}

static void failed(slot *s, const GError *error) {
  wpFailed(s->library->handle, s->number, failure(error), error->code, (char *)error->message);
}

static void closed(GObject *source, GAsyncResult *result, gpointer data) {
  slot *s = data;
  // A device that was pulled out says so here; there is nothing left to close.
  fp_device_close_finish(FP_DEVICE(source), result, NULL);
  g_hash_table_remove(s->library->slots, GUINT_TO_POINTER(s->number));
}

// drop forgets a device that has gone, once no call of it runs any more.
static void drop(slot *s) {
  if (s->cancel != NULL || s->opening)
    return; // captured and opened come back here
  if (s->open) {
    s->open = 0;
    fp_device_close(s->device, NULL, closed, s);
    return;
  }
  g_hash_table_remove(s->library->slots, GUINT_TO_POINTER(s->number));
}

static gboolean drop_later(gpointer data) {
  request *r = data;
  slot *s = g_hash_table_lookup(r->library->slots, GUINT_TO_POINTER(r->number));
  if (s != NULL && s->gone == 1) {
    s->gone = 2;
    wpGone(r->library->handle, r->number);
    drop(s);
  }
  return G_SOURCE_REMOVE;
}

static void post(wp_library *library, GSourceFunc call, unsigned number, int fresh) {
  request *r = g_new0(request, 1);
  r->library = library;
  r->number = number;
  r->fresh = fresh;
  // Not g_main_context_invoke: before the loop runs that would make the call
  // on the caller's thread.
  GSource *source = g_idle_source_new();
  g_source_set_priority(source, G_PRIORITY_DEFAULT);
  g_source_set_callback(source, call, r, g_free);
  g_source_attach(source, NULL);
  g_source_unref(source);
}

static void removed(FpDevice *device, gpointer data) {
  (void)device;
  slot *s = data;
  if (s->gone)
    return;
  s->gone = 1;
  // Out of the signal first: the library is in the middle of its own work.
  post(s->library, drop_later, s->number, 0);
}

static void finger(FpDevice *device, GParamSpec *what, gpointer data) {
  (void)what;
  slot *s = data;
  wpFinger(s->library->handle, s->number, fp_device_get_finger_status(device));
}

static void tell(slot *s) {
  wpDevice(s->library->handle, s->number, (char *)fp_device_get_driver(s->device), (char *)fp_device_get_name(s->device),
           fp_device_get_features(s->device), fp_device_get_scan_type(s->device) == FP_SCAN_TYPE_SWIPE);
}

static void opened(GObject *source, GAsyncResult *result, gpointer data) {
  slot *s = data;
  GError *error = NULL;
  s->opening = 0;
  if (fp_device_open_finish(FP_DEVICE(source), result, &error)) {
    s->open = 1;
    if (s->gone)
      drop(s);
    else
      tell(s);
    return;
  }
  wpUnopened(s->library->handle, (char *)fp_device_get_driver(s->device), (char *)error->message);
  // Tried anew: a virtual one as a new device, another at the next refresh.
  if (s->gone || g_str_has_prefix(fp_device_get_driver(s->device), "virtual_"))
    drop(s);
  g_error_free(error);
}

static void open_slot(slot *s) {
  if (s->open || s->opening || s->gone || !fp_device_has_feature(s->device, FP_DEVICE_FEATURE_CAPTURE))
    return;
  s->opening = 1;
  fp_device_open(s->device, NULL, opened, s);
}

// meet takes a device in, unless it is known: by itself, or, where another
// context shows it again, by its driver.
static void meet(wp_library *library, FpDevice *device) {
  GHashTableIter all;
  gpointer value;
  g_hash_table_iter_init(&all, library->slots);
  while (g_hash_table_iter_next(&all, NULL, &value)) {
    slot *s = value;
    if (s->device == device || (s->gone == 0 && g_strcmp0(fp_device_get_driver(s->device), fp_device_get_driver(device)) == 0))
      return;
  }
  slot *s = g_new0(slot, 1);
  s->library = library;
  s->number = ++library->next;
  s->device = g_object_ref(device);
  g_hash_table_insert(library->slots, GUINT_TO_POINTER(s->number), s);
  g_signal_connect(device, "removed", G_CALLBACK(removed), s);
  g_signal_connect(device, "notify::finger-status", G_CALLBACK(finger), s);
  if (fp_device_has_feature(device, FP_DEVICE_FEATURE_CAPTURE))
    open_slot(s);
  else
    tell(s);
}

static void added(FpContext *context, FpDevice *device, gpointer data) {
  (void)context;
  meet(data, device);
}

static void take_out(FpContext *context, FpDevice *device, gpointer data) {
  (void)context;
  wp_library *library = data;
  GHashTableIter all;
  gpointer value;
  g_hash_table_iter_init(&all, library->slots);
  while (g_hash_table_iter_next(&all, NULL, &value)) {
    slot *s = value;
    if (s->device == device)
      removed(device, s);
  }
}

static FpContext *join(wp_library *library) {
  FpContext *context = fp_context_new();
  g_signal_connect(context, "device-added", G_CALLBACK(added), library);
  g_signal_connect(context, "device-removed", G_CALLBACK(take_out), library);
  g_ptr_array_add(library->contexts, context);
  return context;
}

static gboolean refresh(gpointer data) {
  request *r = data;
  wp_library *library = r->library;
  FpContext *context = g_ptr_array_index(library->contexts, 0);
  if (r->fresh) {
    // The first context holds the bus and stays; of the later ones only the
    // newest can know a device.
    if (library->contexts->len > 1)
      g_ptr_array_set_size(library->contexts, 1);
    context = join(library);
  }
  fp_context_enumerate(context);
  GPtrArray *devices = fp_context_get_devices(context);
  for (guint i = 0; i < devices->len; i++)
    meet(library, g_ptr_array_index(devices, i));
  GHashTableIter all;
  gpointer value;
  g_hash_table_iter_init(&all, library->slots);
  while (g_hash_table_iter_next(&all, NULL, &value))
    open_slot(value);
  return G_SOURCE_REMOVE;
}

// captured: the picture stands upright already, as the library searches it for
// minutiae before it hands it over; one without any is a rejected touch.
static void captured(GObject *source, GAsyncResult *result, gpointer data) {
  slot *s = data;
  GError *error = NULL;
  FpImage *image = fp_device_capture_finish(FP_DEVICE(source), result, &error);
  g_clear_object(&s->cancel);
  if (image != NULL) {
    gsize length = 0;
    const guchar *pixels = fp_image_get_data(image, &length);
    wpImage(s->library->handle, s->number, fp_image_get_width(image), fp_image_get_height(image), (void *)pixels, length);
    g_object_unref(image);
  } else {
    failed(s, error);
    g_error_free(error);
  }
  if (s->gone == 2)
    drop(s);
}

static gboolean capture(gpointer data) {
  request *r = data;
  slot *s = g_hash_table_lookup(r->library->slots, GUINT_TO_POINTER(r->number));
  if (s == NULL || s->gone || !s->open || s->cancel != NULL) {
    wpFailed(r->library->handle, r->number, WP_FAIL_ERROR,
             s == NULL || s->gone ? FP_DEVICE_ERROR_REMOVED : FP_DEVICE_ERROR_BUSY, (char *)"not to be had");
    return G_SOURCE_REMOVE;
  }
  s->cancel = g_cancellable_new();
  fp_device_capture(s->device, TRUE, s->cancel, captured, s);
  return G_SOURCE_REMOVE;
}

static gboolean cancel(gpointer data) {
  request *r = data;
  slot *s = g_hash_table_lookup(r->library->slots, GUINT_TO_POINTER(r->number));
  if (s != NULL && s->cancel != NULL)
    g_cancellable_cancel(s->cancel);
  return G_SOURCE_REMOVE;
}

static gboolean stop(gpointer data) {
  request *r = data;
  g_main_loop_quit(r->library->loop);
  return G_SOURCE_REMOVE;
}

wp_library *wp_new(uintptr_t handle) {
  wp_library *library = g_new0(wp_library, 1);
  library->handle = handle;
  library->loop = g_main_loop_new(NULL, FALSE);
  library->contexts = g_ptr_array_new_with_free_func(g_object_unref);
  library->slots = g_hash_table_new_full(NULL, NULL, NULL, slot_free);
  join(library);
  return library;
}

void wp_run(wp_library *library) { g_main_loop_run(library->loop); }
void wp_stop(wp_library *library) { post(library, stop, 0, 0); }
void wp_refresh(wp_library *library, int fresh) { post(library, refresh, 0, fresh); }
void wp_capture(wp_library *library, unsigned number) { post(library, capture, number, 0); }
void wp_cancel(wp_library *library, unsigned number) { post(library, cancel, number, 0); }
