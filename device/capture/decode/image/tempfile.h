#ifndef WATCHPOST_IMAGE_TEMPFILE_H
#define WATCHPOST_IMAGE_TEMPFILE_H
#ifdef __cplusplus
extern "C" {
#endif
// wp_drop_temporary frees the memory of the last temporary file.
void wp_drop_temporary(void);
#ifdef __cplusplus
}
#endif
#endif
