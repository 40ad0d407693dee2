/*
 * bf16's products with vdpbf16ps: 32 products and their sums an instruction,
 * of 16 pairs with a pair that is the same in all lanes.
 *
 * A block of 8 rows by 32 columns of c stays in 16 registers while DEPTH rows
 * of b go by. That part of b's panel stays in the first cache for all rows of
 * c. The instruction is written out because GCC 12, given its intrinsic, moves
 * sums to memory and back.
 */
#include <immintrin.h>

#include "model/kernels/kernels_int.h"
#include "model/train/bf16_int.h"

#define V 16
#define NV (WN_BF16_PANEL / V)
#define ROWS WN_BF16_ROWS
#define PAIRS                                                                  \
    ((size_t)2 * WN_BF16_PANEL) /* numbers of a panel's pair of rows */
#define DEPTH 384               /* of b, rows in plain a  */
#define DEPTH_T 256 /* where a is in pairs: half of each line of it is idle */

/* Two vectors of 16 in their order. */
INLINE __m512i
rounded(const float *x)
{
    return (__m512i)_mm512_cvtne2ps_pbh(
        _mm512_loadu_ps(x + V), _mm512_loadu_ps(x));
}

static void
round_all(const float *x, size_t n, uint16_t *to)
{
    for (size_t i = 0; i < n; i += 2 * V)
        _mm512_storeu_si512(to + i, rounded(x + i));
}

static void
pack_pairs(const float *x, size_t width, size_t rows, size_t cols, uint16_t *to,
    size_t stride)
{
    const __m512i even =
        _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9,
            40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high = _mm512_add_epi16(even, _mm512_set1_epi16(V));

    for (size_t c = 0; c < cols; c += WN_BF16_PANEL, to += stride) {
        uint16_t *out = to;

        for (size_t r = 0; r < rows; r += 2, out += PAIRS) {
            __m512i a = rounded(x + r * width + c);
            __m512i b = r + 1 < rows ? rounded(x + (r + 1) * width + c)
                                     : _mm512_setzero_si512();

            _mm512_storeu_si512(out, _mm512_permutex2var_epi16(a, even, b));
            _mm512_storeu_si512(
                out + 2 * V, _mm512_permutex2var_epi16(a, high, b));
        }
    }
}

/* Two neighbours of each of 8 rows. */
INLINE __m512
pairs_of_rows(const float *x, __m256i rows)
{
    return (__m512)_mm512_i32gather_epi64(rows, x, 4);
}

static void
pack_turned(const float *x, size_t rows, size_t cols, uint16_t *to)
{
    const __m256i at = _mm256_mullo_epi32(
        _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0), _mm256_set1_epi32((int)cols));

    for (size_t r = 0; r < rows; r += V) {
        const float *from = x + r * cols;
        uint16_t *out = to + r / WN_BF16_PANEL * WN_BF16_PANEL * cols +
                        r % WN_BF16_PANEL * 2;

        for (size_t c = 0; c < cols; c += 2, out += PAIRS)
            _mm512_storeu_si512(out, (__m512i)_mm512_cvtne2ps_pbh(
                                         pairs_of_rows(from + 8 * cols + c, at),
                                         pairs_of_rows(from + c, at)));
    }
}

INLINE __m512
dot_pairs(__m512 acc, __m512i x, __m512i y)
{
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(acc) : "v"(x), "v"(y));
    return acc;
}

INLINE __m512i
pair_at(const uint16_t *p)
{
    int32_t pair;

    memcpy(&pair, p, sizeof(pair));
    return _mm512_set1_epi32(pair);
}

/* c's block, `rows` of it, from `pairs` pairs. a's next row is `row` further
 * on, its next pair `next`. */
INLINE void
block(size_t rows, size_t pairs, const uint16_t *a, size_t row, size_t next,
    const uint16_t *b, bool add, float *c, size_t n)
{
    __m512 acc[ROWS][NV];

    UNROLL for (size_t i = 0; i < ROWS; i++)
    {
        UNROLL for (size_t v = 0; v < NV; v++) acc[i][v] =
            add && i < rows ? _mm512_loadu_ps(c + i * n + v * V)
                            : _mm512_setzero_ps();
    }
    for (size_t k = 0; k < pairs; k++, a += next, b += PAIRS) {
        __m512i y[NV];

        UNROLL for (size_t v = 0; v < NV; v++) y[v] =
            _mm512_loadu_si512(b + v * 2 * V);
        UNROLL for (size_t i = 0; i < ROWS; i++)
        {
            __m512i x = pair_at(a + i * row);

            UNROLL for (size_t v = 0; v < NV; v++) acc[i][v] =
                dot_pairs(acc[i][v], x, y[v]);
        }
    }
    UNROLL for (size_t i = 0; i < ROWS; i++)
    {
        if (i < rows) {
            UNROLL for (size_t v = 0; v < NV; v++)
                _mm512_storeu_ps(c + i * n + v * V, acc[i][v]);
        }
    }
}

INLINE size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void
product(size_t m, size_t n, size_t k, const uint16_t *a, const uint16_t *b,
    bool add, float *c)
{
    for (size_t col = 0; col < n; col += WN_BF16_PANEL, b += k * WN_BF16_PANEL)
        for (size_t at = 0; at < k; at += DEPTH)
            for (size_t i = 0; i < m; i += ROWS)
                block(least(m - i, ROWS), least(k - at, DEPTH) / 2,
                    a + i * k + at, k, 2, b + at * WN_BF16_PANEL, add || at > 0,
                    c + i * n + col, n);
}

static void
product_t(size_t m, size_t n, size_t k, const uint16_t *a, size_t a_stride,
    const uint16_t *b, size_t b_stride, float *c)
{
    size_t pairs = (k + 1) / 2;

    for (size_t col = 0; col < n; col += WN_BF16_PANEL, b += b_stride)
        for (size_t at = 0; at < pairs; at += DEPTH_T / 2)
            for (size_t i = 0; i < m; i += ROWS)
                block(ROWS, least(pairs - at, DEPTH_T / 2),
                    a + i / WN_BF16_PANEL * a_stride + at * PAIRS +
                        i % WN_BF16_PANEL * 2,
                    2, PAIRS, b + at * PAIRS, true, c + i * n + col, n);
}

const struct wn_bf16_ops wn_bf16_avx512 = {
    round_all,
    pack_pairs,
    pack_turned,
    product,
    product_t,
};
