/*
 * The safetensors file format, read as hostile and written plainly
 * (huggingface/safetensors, README "Format"; the reference implementation's
 * rules of 2026-05: header begins with '{', at most 100,000,000 bytes, no
 * duplicate keys, no overlap, no holes, last end = end of file).
 */
#ifndef WN_MODEL_SAFETENSORS_H
#define WN_MODEL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

enum wn_dtype { WN_F32, WN_F16, WN_BF16, WN_I8, WN_U8, WN_I32, WN_I64 };

struct wn_tensor {
    const char *name;
    enum wn_dtype dtype;
    size_t rank;
    size_t shape[8];
    size_t n;         /* elements: product of shape                    */
    const void *data; /* in the read-only mapping, little-endian, maybe
                         not aligned                                   */
};

struct wn_safetensors; /* one read-only mapping and its checked index */

/* WN_REJECT: "model.safetensors: tensor 'x': ..." */
enum wn_status wn_safetensors_open(
    struct wn_safetensors **ret, const char *path, struct wn_err *err);
void wn_safetensors_close(struct wn_safetensors *st);
/* NULL where there is none of that name. */
const struct wn_tensor *wn_safetensors_find(
    const struct wn_safetensors *st, const char *name);
size_t wn_safetensors_n(const struct wn_safetensors *st);
const struct wn_tensor *wn_safetensors_at(
    const struct wn_safetensors *st, size_t i);
/* SHA-256 of the whole file, 32 bytes. */
void wn_safetensors_sha256(const struct wn_safetensors *st, uint8_t out[32]);

/* Writes a file from tensors in order, to path.tmp, fsync, rename. */
enum wn_status wn_safetensors_write(const char *path,
    const struct wn_tensor *tensors, size_t n, struct wn_err *err);

/*
 * The same for numbers that are made while they are written, at most
 * WN_TENSOR_PART at a time: make() puts elements [first, first + n) of tensor i
 * at out, in the tensor's dtype, and what it fails with ends the writing. The
 * file says {"format":"pt"}, which readers in Python may ask for.
 */
#define WN_TENSOR_PART 65536
typedef enum wn_status wn_tensor_make(
    void *arg, size_t i, size_t first, size_t n, void *out, struct wn_err *err);
enum wn_status wn_safetensors_make(const char *path,
    const struct wn_tensor *tensors, size_t n, wn_tensor_make *make, void *arg,
    struct wn_err *err);

#endif
