/*
 * AVX-512 with VNNI and bf16: queries, keys and values are kept in bf16, and
 * attention multiplies pairs of them (vdpbf16ps), summing in fp32. Twice the
 * products a cycle; scores have 8 bits, as have the codes around them. The
 * product of bf16 layers is on the same instruction.
 */
#include "model/kernels/kernels_avx512.inc"

INLINE void
store_bf16(uint16_t *p, vf x)
{
    _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh(x));
}

INLINE void
v_store_state(void *out, size_t at, vf x)
{
    store_bf16((uint16_t *)out + at, x);
}

INLINE __m512
dot_pairs(__m512 acc, __m512i x, __m512i y)
{
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(acc) : "v"(x), "v"(y));
    return acc;
}

INLINE __m512i
pair_at(const void *p)
{
    int32_t pair;

    memcpy(&pair, p, sizeof(pair));
    return _mm512_set1_epi32(pair);
}

#define OWN_ATTENTION
#define OWN_PRODUCT
#include "model/kernels/kernels_x86.inc"

/* --- the product --- */

struct b_rows {
    uint16_t x[B_ROWS][B_DEPTH];
};

INLINE void
b_put(struct b_rows *r, int i, size_t k, vf x)
{
    store_bf16(r->x[i] + k, x);
}

INLINE void
b_step(int rows, const struct b_rows *r, size_t k, const uint32_t *w,
    vf acc[B_ROWS][B_NV])
{
    __m512i pairs[B_NV];

    UNROLL for (int v = 0; v < B_NV; v++) pairs[v] =
        _mm512_load_si512(w + v * V);
    UNROLL for (int i = 0; i < rows; i++)
    {
        __m512i x = pair_at(r->x[i] + k);

        UNROLL for (int v = 0; v < B_NV; v++) acc[i][v] =
            dot_pairs(acc[i][v], x, pairs[v]);
    }
}

#include "model/kernels/kernels_bf16.inc"

/* --- attention --- */

#define QUERIES 8 /* rows of a block */

/* In 32-bit pairs: keys (D / 2, padded) of two neighbours in D; values
 * (padded / 2, D) of two neighbours in L; scores (QUERIES, padded) in fp32;
 * weights (QUERIES, padded / 2). */
struct scratch {
    uint32_t *keys, *values, *weights;
    float *s;
    size_t len, len_p, d;
};

INLINE size_t
padded(size_t len)
{
    return (len + V - 1) / V * V;
}

static size_t
attend_bytes(size_t len, size_t d)
{
    size_t p = padded(len);

    return (p * d / 2 + p / 2 * d + QUERIES * p + QUERIES * p / 2) * 4;
}

INLINE void
pack_keys(const struct scratch *w, const uint16_t *k, size_t stride)
{
    for (size_t j = 0; j < w->len_p; j += 16)
        for (size_t c = 0; c < w->d; c += 32)
            v_turn_any((const char *)(k + j * stride + c), stride * sizeof(*k),
                w->len > j ? w->len - j : 0, w->keys + c / 2 * w->len_p + j,
                w->len_p);
}

INLINE void
pack_values(const struct scratch *w, const uint16_t *v, size_t stride)
{
    const __m512i even =
        _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9,
            40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high = _mm512_add_epi16(even, _mm512_set1_epi16(16));

    for (size_t j = 0; j < w->len; j += 2)
        for (size_t c = 0; c < w->d; c += 32) {
            uint32_t *to = w->values + j / 2 * w->d + c;
            __m512i a = _mm512_loadu_si512(v + j * stride + c);
            __m512i b = j + 1 < w->len
                            ? _mm512_loadu_si512(v + (j + 1) * stride + c)
                            : _mm512_setzero_si512();

            _mm512_storeu_si512(to, _mm512_permutex2var_epi16(a, even, b));
            _mm512_storeu_si512(to + 16, _mm512_permutex2var_epi16(a, high, b));
        }
}

/* n vectors of keys, from key j on. */
INLINE void
scores_at(int rows, int n, const struct scratch *w, const uint16_t *q,
    size_t q_stride, size_t j)
{
    __m512 acc[QUERIES][2];

    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int v = 0; v < n; v++) acc[i][v] = v_set(0);
    }
    for (size_t c = 0; c < w->d / 2; c++) {
        __m512i k[2];

        UNROLL for (int v = 0; v < n; v++) k[v] =
            _mm512_loadu_si512(w->keys + c * w->len_p + j + (size_t)v * V);
        UNROLL for (int i = 0; i < rows; i++)
        {
            __m512i x = pair_at(q + (size_t)i * q_stride + 2 * c);

            UNROLL for (int v = 0; v < n; v++) acc[i][v] =
                dot_pairs(acc[i][v], x, k[v]);
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int v = 0; v < n; v++)
            v_store(w->s + (size_t)i * w->len_p + j + (size_t)v * V, acc[i][v]);
    }
}

INLINE void
scores(int rows, const struct scratch *w, const uint16_t *q, size_t q_stride)
{
    size_t j = 0;

    for (; j + 2 * V <= w->len_p; j += 2 * V)
        scores_at(rows, 2, w, q, q_stride, j);
    if (j < w->len_p)
        scores_at(rows, 1, w, q, q_stride, j);
}

/* Row i of scores into powers of two, as pairs; returns 1 / their sum. */
INLINE float
powers(const struct scratch *w, size_t i)
{
    float *s = w->s + i * w->len_p;
    uint16_t *to = (uint16_t *)(w->weights + i * w->len_p / 2);
    vf most = v_set(-1e30f), sum = v_set(0);

    for (size_t j = w->len / 16 * 16; j < w->len_p; j += 16) {
        __mmask16 there =
            j < w->len ? (__mmask16)((1u << (w->len - j)) - 1) : 0;

        v_store(
            s + j, _mm512_mask_blend_ps(there, v_set(-1e30f), v_load(s + j)));
    }
    for (size_t j = 0; j < w->len_p; j += 16)
        most = v_max(most, v_load(s + j));
    most = v_set(v_highest(most));
    for (size_t j = 0; j < w->len_p; j += 16) {
        vf e = v_exp2(v_load(s + j) - most);

        store_bf16(to + j, e);
        sum += e;
    }
    return 1.0f / v_sum(sum);
}

INLINE void
weigh(int rows, const struct scratch *w, const float *by, float *out,
    size_t out_stride)
{
    for (size_t c = 0; c < w->d; c += 32) {
        __m512 acc[QUERIES][2];

        UNROLL for (int i = 0; i < rows; i++) acc[i][0] = acc[i][1] = v_set(0);
        for (size_t j = 0; j < (w->len + 1) / 2; j++) {
            __m512i v0 = _mm512_loadu_si512(w->values + j * w->d + c);
            __m512i v1 = _mm512_loadu_si512(w->values + j * w->d + c + 16);

            UNROLL for (int i = 0; i < rows; i++)
            {
                __m512i x = pair_at(w->weights + (size_t)i * w->len_p / 2 + j);

                acc[i][0] = dot_pairs(acc[i][0], x, v0);
                acc[i][1] = dot_pairs(acc[i][1], x, v1);
            }
        }
        UNROLL for (int i = 0; i < rows; i++)
        {
            float *o = out + (size_t)i * out_stride + c;

            v_store(o, acc[i][0] * v_set(by[i]));
            v_store(o + 16, acc[i][1] * v_set(by[i]));
        }
    }
}

INLINE void
attend_rows(int rows, const struct scratch *w, const uint16_t *q,
    size_t q_stride, float *out, size_t out_stride)
{
    float by[QUERIES];

    scores(rows, w, q, q_stride);
    for (int i = 0; i < rows; i++)
        by[i] = powers(w, (size_t)i);
    weigh(rows, w, by, out, out_stride);
}

static void
attend(const void *q, size_t q_stride, size_t queries, const void *k,
    const void *v, size_t stride, size_t len, size_t d, float *out,
    size_t out_stride, void *memory)
{
    struct scratch w = { .keys = memory, .len = len, .d = d };
    const uint16_t *fq = q;
    size_t i = 0;

    w.len_p = padded(len);
    w.values = w.keys + w.len_p * d / 2;
    w.weights = w.values + w.len_p / 2 * d;
    w.s = (float *)(w.weights + QUERIES * w.len_p / 2);
    pack_keys(&w, k, stride);
    pack_values(&w, v, stride);
    for (; queries >= QUERIES && i < queries; i += QUERIES) {
        /* the last block begins early rather than end late: some rows are
         * computed twice, to the same */
        if (i > queries - QUERIES)
            i = queries - QUERIES;
        attend_rows(QUERIES, &w, fq + i * q_stride, q_stride,
            out + i * out_stride, out_stride);
    }
    if (i + 4 <= queries) {
        attend_rows(4, &w, fq + i * q_stride, q_stride, out + i * out_stride,
            out_stride);
        i += 4;
    }
    for (; i < queries; i++)
        attend_rows(1, &w, fq + i * q_stride, q_stride, out + i * out_stride,
            out_stride);
}

const struct wn_kernels wn_kernels_avx512bf16 = {
    .isa = WN_ISA_AVX512VNNI,
    .panel = PANEL,
    .state_bytes = sizeof(uint16_t),
    .depth_max = 0,
    .code_max = { 255, 255 },
    TABLE,
};
