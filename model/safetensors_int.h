/* What the weight file's reader, its writer and the encoder share. */
#ifndef WN_MODEL_SAFETENSORS_INT_H
#define WN_MODEL_SAFETENSORS_INT_H

#include "model/safetensors.h"

#define WN_SAFETENSORS_HEADER_MAX 100000000

const char *wn_dtype_name(enum wn_dtype dtype);
size_t wn_dtype_bytes(enum wn_dtype dtype); /* of one element */
/* Last part of the file's path, for messages. */
const char *wn_safetensors_name(const struct wn_safetensors *st);

/* Elements [first, first + n) of t as floats; t is F32, F16, BF16 or I8, the
 * last one without its scale. */
void wn_tensor_floats(
    const struct wn_tensor *t, size_t first, size_t n, float *out);

/* The nearest number of half precision, of two the even one; what is too large
 * becomes an infinity. */
uint16_t wn_f16(float v);

#endif
