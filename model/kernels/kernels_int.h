/* What the tables share; not for other folders. */
#ifndef WN_MODEL_KERNELS_INT_H
#define WN_MODEL_KERNELS_INT_H

#include <string.h>

#include "model/kernels/kernels.h"

#define WN_HEAD_MAX 128 /* of a head's size */
#define WN_HALF_MAX 65504.0f

/* To the nearest bf16, ties to even; x is finite. */
static inline uint16_t
wn_bf16(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof(bits));
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
static inline float
wn_bf16_float(uint16_t b)
{
    uint32_t bits = (uint32_t)b << 16;
    float x;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* For loops of constant length around registers. */
#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

extern const struct wn_kernels wn_kernels_ref;
#ifdef __x86_64__
extern const struct wn_kernels wn_kernels_avx2, wn_kernels_avxvnni,
    wn_kernels_avx512vl, wn_kernels_avx512vnni, wn_kernels_avx512bf16;
#endif

#endif
