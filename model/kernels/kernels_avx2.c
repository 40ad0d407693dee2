/*
 * AVX2 without VNNI. vpmaddubsw multiplies codes with weights and adds pairs
 * of products in 16 bits. At depth 2 two of those are added in 16 bits too,
 * before vpmaddwd widens them: half the widening, so more products a cycle.
 * Neither can saturate, because pack.c raised the scale of every channel that
 * could, for the codes that this table asks for.
 */
#include "model/kernels/kernels_avx2.inc"

#define ROWS 4

INLINE vi
codes_at(const uint8_t *p)
{
    int32_t four;

    __builtin_memcpy(&four, p, sizeof(four));
    return _mm256_set1_epi32(four);
}

INLINE vi
weights_at(const int8_t *p)
{
    return _mm256_load_si256((const __m256i *)p);
}

INLINE void
dot_depth1(
    int rows, size_t in, const uint8_t *a, const int8_t *b, vi acc[ROWS][NV])
{
    const vi one = _mm256_set1_epi16(1);

    for (size_t k = 0; k < in; k += 4, b += 64) {
        vi b0 = weights_at(b), b1 = weights_at(b + 32);

        UNROLL for (int i = 0; i < rows; i++)
        {
            vi x = codes_at(a + (size_t)i * in + k);

            acc[i][0] = _mm256_add_epi32(
                acc[i][0], _mm256_madd_epi16(_mm256_maddubs_epi16(x, b0), one));
            acc[i][1] = _mm256_add_epi32(
                acc[i][1], _mm256_madd_epi16(_mm256_maddubs_epi16(x, b1), one));
        }
    }
}

INLINE void
dot_depth2(
    int rows, size_t in, const uint8_t *a, const int8_t *b, vi acc[ROWS][NV])
{
    const vi one = _mm256_set1_epi16(1);

    for (size_t k = 0; k < in; k += 8, b += 128) {
        vi b0 = weights_at(b), b1 = weights_at(b + 32);
        vi b2 = weights_at(b + 64), b3 = weights_at(b + 96);

        UNROLL for (int i = 0; i < rows; i++)
        {
            vi x = codes_at(a + (size_t)i * in + k);
            vi y = codes_at(a + (size_t)i * in + k + 4);

            acc[i][0] = _mm256_add_epi32(acc[i][0],
                _mm256_madd_epi16(_mm256_add_epi16(_mm256_maddubs_epi16(x, b0),
                                      _mm256_maddubs_epi16(y, b2)),
                    one));
            acc[i][1] = _mm256_add_epi32(acc[i][1],
                _mm256_madd_epi16(_mm256_add_epi16(_mm256_maddubs_epi16(x, b1),
                                      _mm256_maddubs_epi16(y, b3)),
                    one));
        }
    }
}

INLINE void
dot_block(int rows, const struct wn_q8 *w, const uint8_t *a, const int8_t *b,
    vi acc[ROWS][NV])
{
    if (w->depth == 2)
        dot_depth2(rows, w->in, a, b, acc);
    else
        dot_depth1(rows, w->in, a, b, acc);
}

#include "model/kernels/kernels_x86.inc"

const struct wn_kernels wn_kernels_avx2 = {
    .isa = WN_ISA_AVX2,
    .panel = PANEL,
    .state_bytes = sizeof(float),
    .depth_max = 2,
    .code_max = { 215, 127 },
    TABLE,
};
