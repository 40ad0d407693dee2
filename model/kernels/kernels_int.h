/* What the tables share; not for other folders. */
#ifndef WN_MODEL_KERNELS_INT_H
#define WN_MODEL_KERNELS_INT_H

#include "model/kernels/kernels.h"

#define WN_HEAD_MAX 128 /* of a head's size */
#define WN_HALF_MAX 65504.0f

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
