/* AVX-512 with VNNI, without bf16: attention in fp32. */
#include "model/kernels/kernels_avx512.inc"

INLINE void
v_store_state(void *out, size_t at, vf x)
{
    _mm512_storeu_ps((float *)out + at, x);
}

INLINE void
v_turn(
    const float *from, size_t stride, size_t rows, float *to, size_t to_stride)
{
    v_turn_any((const char *)from, stride * sizeof(*from), rows, to, to_stride);
}

#include "model/kernels/kernels_x86.inc"

const struct wn_kernels wn_kernels_avx512vnni = {
    .isa = WN_ISA_AVX512VNNI,
    .panel = PANEL,
    .state_bytes = sizeof(float),
    .depth_max = 0,
    .code_max = { 255, 255 },
    TABLE,
};
