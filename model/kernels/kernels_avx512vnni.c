/* AVX-512 with VNNI, without bf16: attention in fp32. */
#include "model/kernels/kernels_avx512.inc"

/* To the nearest bf16, ties to even. */
INLINE vf
v_round_bf16(vf x)
{
    __m512i b = _mm512_castps_si512(x);
    __m512i odd =
        _mm512_and_si512(_mm512_srli_epi32(b, 16), _mm512_set1_epi32(1));

    b = _mm512_add_epi32(b, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    return _mm512_castsi512_ps(
        _mm512_and_si512(b, _mm512_set1_epi32((int)0xffff0000)));
}
/* The first and the second bf16 of each pair. */
INLINE vf
v_bf16_even(const uint32_t *p)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_load_si512(p), 16));
}
INLINE vf
v_bf16_odd(const uint32_t *p)
{
    return _mm512_castsi512_ps(_mm512_and_si512(
        _mm512_load_si512(p), _mm512_set1_epi32((int)0xffff0000)));
}

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
