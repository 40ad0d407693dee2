/*
 * Every table of kernels that this machine can run against the one in plain C:
 * sums of products to the bit, whatever the number of rows and columns, at the
 * extremes of codes and weights; floats within a stated bound. Prints how fast
 * the tables are beside one another.
 */
#include <math.h>
#include <time.h>

#include "model/kernels/kernels_int.h"
#include "tests/lib/test.h"

static uint64_t rng;

static float
draw(float reach)
{
    return reach *
           (float)((double)wn_test_random(&rng) / 9.223372036854775807e18 - 1);
}

static void *
bytes(size_t n)
{
    /* no room behind it, so that a sanitizer sees who goes there */
    void *p = aligned_alloc(64, (n + 63) / 64 * 64);

    assert_non_null(p);
    memset(p, 0xa5, (n + 63) / 64 * 64);
    return p;
}

static float *
floats(size_t n, float reach)
{
    float *p = bytes(n * sizeof(*p));

    for (size_t i = 0; i < n; i++)
        p[i] = draw(reach);
    return p;
}

static void
each_table(void (*fn)(const struct wn_kernels *k))
{
    rng = wn_test_seed();
    for (int isa = WN_ISA_REF; isa < WN_ISAS; isa++) {
        const struct wn_kernels *k = wn_kernels_of((enum wn_isa)isa);

        if (k == NULL) {
            print_message("# %s: not on this machine\n", wn_isa_names[isa]);
            continue;
        }
        fn(k);
    }
#ifdef __x86_64__
    /* What AVX-512 machines without bf16, and without AVX-VNNI, get can be run
     * with them too. */
    if (wn_kernels_of(WN_ISA_AVX512VNNI) == &wn_kernels_avx512bf16)
        fn(&wn_kernels_avx512vnni);
    if (wn_kernels_of(WN_ISA_AVX512VNNI) != NULL &&
        wn_kernels_of(WN_ISA_AVXVNNI) != &wn_kernels_avx512vl)
        fn(&wn_kernels_avx512vl);
#endif
}

/* --- packing --- */

static struct wn_q8
pack(const struct wn_kernels *k, unsigned depth, const float *w, const float *b,
    size_t out, size_t in, bool above, float low)
{
    struct wn_q8 q;
    struct wn_err err;

    assert_wn_ok(
        wn_q8_pack(&q, k, depth, w, b, out, in, above, low, &err), &err);
    return q;
}

/* The weight of channel c and input i, found again in its panel. */
static int
weight_at(const struct wn_q8 *q, size_t c, size_t i)
{
    return q->w[c / q->panel * q->panel * q->in + i / 4 * q->panel * 4 +
                c % q->panel * 4 + i % 4];
}

static void
check_packing(const struct wn_kernels *k)
{
    const size_t out = 128, in = 192;
    float *w = floats(out * in, 1), *b = floats(out, 1);

    for (size_t i = 0; i < in; i++) {
        w[i] = 0;               /* a channel of nothing */
        w[in + i] = 0.5f;       /* all the same: lanes are full */
        w[2 * in + i] = i == 7; /* one weight */
        w[3 * in + i] = i % 2 == 0 ? 1.0f : -1.0f;
    }
    for (unsigned depth = 1; depth <= 2; depth++) {
        struct wn_q8 q = pack(k, depth, w, b, out, in, false, 0);

        for (size_t c = 0; c < out; c++) {
            int32_t sum = 0;

            for (size_t i = 0; i < in; i++) {
                float back = q.scale[c] * (float)weight_at(&q, c, i);

                sum += weight_at(&q, c, i);
                assert_true(
                    fabsf(back - w[c * in + i]) <= 0.5001f * q.scale[c]);
            }
            assert_int_equal(q.start[c], -(int)WN_CODE_ZERO(q.code_max) * sum);
            assert_true(q.bias[c] == b[c]);
        }
        wn_q8_release(&q);
    }
    free(w);
    free(b);
}

static void
weights_are_within_half_a_step_of_their_scale(void **state)
{
    (void)state;
    each_table(check_packing);
}

static void
check_lanes(const struct wn_kernels *k)
{
    const size_t out = 64, in = 384;
    float *w = floats(out * in, 1), *b = floats(out, 0);

    for (size_t i = 0; i < in; i++)
        w[i] = 1, w[in + i] = -1;
    for (unsigned depth = 1; depth <= 2 && k->depth_max > 0; depth++) {
        struct wn_q8 q = pack(k, depth, w, b, out, in, false, 0);

        for (size_t c = 0; c < out; c++)
            for (size_t i = 0; i < in; i += 4 * depth)
                for (size_t half = 0; half < 4; half += 2) {
                    int up = 0, down = 0;

                    for (size_t j = 0; j < 2 * depth; j++) {
                        int x = weight_at(&q, c, i + j / 2 * 4 + half + j % 2);

                        up += x > 0 ? x : 0;
                        down += x < 0 ? x : 0;
                    }
                    assert_true(up * (int)q.code_max <= INT16_MAX);
                    assert_true(down * (int)q.code_max >= INT16_MIN);
                }
        wn_q8_release(&q);
    }
    free(w);
    free(b);
}

static void
no_lane_of_16_bits_can_overflow_with_any_codes(void **state)
{
    (void)state;
    each_table(check_lanes);
}

static void
weights_that_are_no_numbers_are_refused(void **state)
{
    float *w = floats(64 * 64, 1), *b = floats(64, 1);
    struct wn_q8 q;
    struct wn_err err;

    (void)state;
    w[77] = NAN;
    assert_int_equal(wn_q8_pack(&q, wn_kernels_of(WN_ISA_REF), 1, w, b, 64, 64,
                         false, 0, &err),
        WN_REJECT);
    w[77] = INFINITY;
    assert_int_equal(wn_q8_pack(&q, wn_kernels_of(WN_ISA_REF), 1, w, b, 64, 64,
                         false, 0, &err),
        WN_REJECT);
    free(w);
    free(b);
}

/* --- sums, to the bit --- */

enum fill { FILL_DRAWN, FILL_MOST, FILL_LEAST, FILL_TURNS };

static void
fill_codes(uint8_t *codes, size_t n, unsigned code_max, enum fill fill)
{
    for (size_t i = 0; i < n; i++) {
        switch (fill) {
        case FILL_DRAWN:
            codes[i] = (uint8_t)(wn_test_random(&rng) % (code_max + 1));
            break;
        case FILL_MOST:
            codes[i] = (uint8_t)code_max;
            break;
        case FILL_LEAST:
            codes[i] = 0;
            break;
        case FILL_TURNS:
            codes[i] = (uint8_t)(i % 2 * code_max);
            break;
        }
    }
}

/* What the definition of kernels.h says, from the packed weights. */
static int32_t
sum_of(const struct wn_q8 *q, size_t c, const uint8_t *codes)
{
    int32_t acc = q->start[c];

    for (size_t i = 0; i < q->in; i++)
        acc += codes[i] * weight_at(q, c, i);
    return acc;
}

static void
compare_sums(
    const struct wn_kernels *k, const struct wn_q8 *q, size_t t, enum fill fill)
{
    size_t stride = q->out + 3;
    uint8_t *codes = bytes(t * q->in);
    int32_t *out = bytes((t * stride + 1) * sizeof(*out));

    fill_codes(codes, t * q->in, q->code_max, fill);
    memset(out, 0x5a, (t * stride + 1) * sizeof(*out));
    for (size_t first = 0; first < q->out; first += 64)
        k->sums(q, first, 64, codes, t, out + first, stride);
    for (size_t r = 0; r < t; r++) {
        for (size_t c = 0; c < q->out; c++)
            if (out[r * stride + c] != sum_of(q, c, codes + r * q->in))
                fail_msg("%s depth %u: row %zu of %zu, column %zu: %d, not %d",
                    wn_isa_names[k->isa], q->depth, r, t, c,
                    out[r * stride + c], sum_of(q, c, codes + r * q->in));
        for (size_t c = q->out; c < stride; c++) /* beyond: untouched */
            assert_int_equal(out[r * stride + c], 0x5a5a5a5a);
    }
    free(codes);
    free(out);
}

static void
check_sums(const struct wn_kernels *k)
{
    static const size_t ins[] = { 64, 128, 384, 1536 };

    for (size_t s = 0; s < sizeof(ins) / sizeof(ins[0]); s++)
        for (unsigned depth = 1; depth <= 2; depth++) {
            size_t in = ins[s], out = s % 2 == 0 ? 64 : 192;
            float *w = floats(out * in, 1), *b = floats(out, 1);
            struct wn_q8 q;

            for (size_t i = 0; i < in; i++) {
                w[i] = -1; /* 127 x 255 and its negative, all the way */
                w[in + i] = 1;
                w[2 * in + i] = i % 2 == 0 ? 1.0f : -1.0f;
            }
            q = pack(k, depth, w, b, out, in, s % 2 != 0, -0.17f);
            for (size_t t = 1; t <= 20; t++)
                compare_sums(k, &q, t, FILL_DRAWN);
            for (int fill = FILL_MOST; fill <= FILL_TURNS; fill++)
                compare_sums(k, &q, 13, (enum fill)fill);
            wn_q8_release(&q);
            free(w);
            free(b);
        }
}

static void
sums_of_every_table_are_those_of_the_definition(void **state)
{
    (void)state;
    each_table(check_sums);
}

/* The same weights and codes in two tables' own panels. */
static void
tables_with_the_same_weights_give_the_same_sums(void **state)
{
    const size_t out = 192, in = 384, t = 17;
    const struct wn_kernels *ref = wn_kernels_of(WN_ISA_REF);
    float *w, *b;
    uint8_t *codes = bytes(t * in);
    int32_t *want = bytes(t * out * sizeof(*want)),
            *got = bytes(t * out * sizeof(*got));

    (void)state;
    rng = wn_test_seed();
    w = floats(out * in, 1);
    b = floats(out, 1);
    for (int isa = WN_ISA_AVX2; isa < WN_ISAS; isa++) {
        const struct wn_kernels *k = wn_kernels_of((enum wn_isa)isa);
        struct wn_q8 q, r;

        if (k == NULL)
            continue;
        q = pack(k, 2, w, b, out, in, false, 0);
        r = pack(ref, 2, w, b, out, in, false, 0);
        fill_codes(codes, t * in, q.code_max, FILL_DRAWN);
        for (size_t c = 0; c < out; c++) { /* r gets the weights of q */
            r.start[c] = q.start[c];
            for (size_t i = 0; i < in; i++)
                r.w[c / r.panel * r.panel * in + i / 4 * r.panel * 4 +
                    c % r.panel * 4 + i % 4] = (int8_t)weight_at(&q, c, i);
        }
        k->sums(&q, 0, out, codes, t, got, out);
        ref->sums(&r, 0, out, codes, t, want, out);
        assert_memory_equal(got, want, t * out * sizeof(*got));
        wn_q8_release(&q);
        wn_q8_release(&r);
    }
    free(w);
    free(b);
    free(codes);
    free(want);
    free(got);
}

/* --- floats, within a bound --- */

static float
half_to_float(uint16_t h)
{
    float f = ldexpf((float)(h & 0x3ff) + ((h & 0x7c00) != 0 ? 1024 : 0),
        (h >> 10 & 31) - ((h & 0x7c00) != 0 ? 25 : 24));

    return (h & 0x8000) != 0 ? -f : f;
}

static float
state_at(const struct wn_kernels *k, const void *p, size_t i)
{
    return k->state_bytes == 4 ? ((const float *)p)[i]
                               : wn_bf16_float(((const uint16_t *)p)[i]);
}

static double
gelu(double x)
{
    return x * 0.5 * erfc(-x * 0.70710678118654752);
}

static void
check_outputs(const struct wn_kernels *k)
{
    const size_t out = 192, in = 128, t = 11;
    float *w = floats(out * in, 0.3f), *b = floats(out, 2);
    float *scales = floats(t, 0.01f), *x = floats(t * out, 3), *was;
    uint8_t *codes = bytes(t * in);
    uint16_t *half = bytes(t * out * sizeof(*half));
    void *stored = bytes(t * out * 4);
    struct wn_q8 q = pack(k, 2, w, b, out, in, false, 0);
    double worst_gelu = 0, worst_tanh = 0;

    for (size_t r = 0; r < t; r++)
        scales[r] = fabsf(scales[r]) + 1e-4f;
    fill_codes(codes, t * in, q.code_max, FILL_DRAWN);
    was = bytes(t * out * sizeof(*was));
    memcpy(was, x, t * out * sizeof(*was));
    k->store(&q, 64, 128, codes, scales, t, stored, 128);
    k->add(&q, codes, scales, t, x);
    for (size_t r = 0; r < t; r++)
        for (size_t c = 0; c < out; c++) {
            double y =
                (double)sum_of(&q, c, codes + r * in) * scales[r] * q.scale[c] +
                b[c];
            double bound = 2e-6 * fabs(y) + 1e-5;

            assert_true(
                fabs(x[r * out + c] - was[r * out + c] - y) < bound + 1e-5);
            if (c >= 64)
                assert_true(
                    fabs(state_at(k, stored, r * 128 + c - 64) - y) <
                    (k->state_bytes == 4 ? bound : fabs(y) / 256 + 1e-5));
        }
    for (int act = WN_GELU_ERF; act <= WN_RELU; act++) {
        k->activate(&q, (enum wn_activation)act, codes, scales, t, half);
        for (size_t r = 0; r < t; r++)
            for (size_t c = 0; c < out; c++) {
                double y = (double)sum_of(&q, c, codes + r * in) * scales[r] *
                               q.scale[c] +
                           b[c];
                double want = act == WN_RELU ? (y > 0 ? y : 0)
                              : act == WN_GELU_ERF
                                  ? gelu(y)
                                  : 0.5 * y *
                                        (1 + tanh(0.79788456 *
                                                  (y + 0.044715 * y * y * y)));
                double off = fabs(half_to_float(half[r * out + c]) - want);

                assert_true(off < 2e-4 + fabs(want) / 1024);
                off -= fabs(want) / 2048;
                if (act == WN_GELU_ERF)
                    worst_gelu = fmax(worst_gelu, off);
                else if (act == WN_GELU_TANH)
                    worst_tanh = fmax(worst_tanh, off);
            }
    }
    print_message("# %s: gelu off by %.1e at most, its tanh form by %.1e\n",
        wn_isa_names[k->isa], worst_gelu, worst_tanh);
    wn_q8_release(&q);
    free(w), free(b), free(scales), free(x), free(was), free(codes);
    free(half), free(stored);
}

static void
outputs_are_sums_in_floats(void **state)
{
    (void)state;
    each_table(check_outputs);
}

/* gelu over all of its argument: one weight of 1, the code is the value. */
static void
check_gelu_range(const struct wn_kernels *k)
{
    const size_t in = 64, out = 64;
    float *w = floats(out * in, 0), *b = floats(out, 0);
    uint8_t *codes = bytes(in);
    uint16_t half[64];
    double worst = 0;
    struct wn_q8 q;

    for (int step = 0; step < 4000; step++) {
        float x = (float)step / 100 - 20, scale = 0;

        for (size_t c = 0; c < out; c++)
            b[c] = x + (float)c / 6400;
        q = pack(k, 1, w, b, out, in, false, 0);
        memset(codes, 0, in);
        k->activate(&q, WN_GELU_ERF, codes, &scale, 1, half);
        for (size_t c = 0; c < out; c++)
            worst = fmax(worst, fabs(half_to_float(half[c]) - gelu(b[c])) -
                                    fabs(gelu(b[c])) / 2048);
        wn_q8_release(&q);
    }
    assert_true(worst < 2e-4);
    for (size_t c = 0; c < out; c++)
        b[c] = -30 * powf(1.2f, (float)c); /* to -3e6: nearly 0, never less */
    q = pack(k, 1, w, b, out, in, false, 0);
    k->activate(&q, WN_GELU_ERF, codes, &(float){ 0 }, 1, half);
    for (size_t c = 0; c < out; c++)
        assert_true(fabsf(half_to_float(half[c])) < 2e-4f);
    wn_q8_release(&q);
    for (size_t c = 0; c < out; c++)
        b[c] = 1e6f; /* beyond half precision: its largest, never infinity */
    q = pack(k, 1, w, b, out, in, false, 0);
    k->activate(&q, WN_GELU_ERF, codes, &(float){ 0 }, 1, half);
    assert_int_equal(half[0], 0x7bff);
    wn_q8_release(&q);
    free(w), free(b), free(codes);
}

static void
gelu_is_right_everywhere(void **state)
{
    (void)state;
    each_table(check_gelu_range);
}

static void
check_codes(const struct wn_kernels *k)
{
    static const unsigned maxima[] = { 127, 215, 255 };
    const size_t n = 384, t = 5;

    for (size_t m = 0; m < 3; m++) {
        float *x = floats(t * n, 4), scales[5];
        uint8_t *codes = bytes(t * n);
        uint16_t *half = bytes(t * n * sizeof(*half));
        int reach = (int)WN_CODE_REACH(maxima[m]),
            zero = (int)WN_CODE_ZERO(maxima[m]);

        for (size_t i = 0; i < n; i++)
            x[i] = 0; /* a row of nothing */
        k->quantise(x, t, n, maxima[m], codes, scales);
        for (size_t r = 0; r < t; r++)
            for (size_t i = 0; i < n; i++) {
                int code = codes[r * n + i] - zero;

                assert_true(code >= -reach && code <= reach);
                assert_true(fabsf((float)code * scales[r] - x[r * n + i]) <=
                            0.501f * scales[r] + 1e-7f);
            }
        for (size_t i = 0; i < t * n; i++)
            half[i] = (uint16_t)(wn_test_random(&rng) % 0x4400); /* 0 .. 4 */
        for (size_t i = 0; i < n; i++)
            half[i] = 0xb171; /* -0.17: all of a row at the lowest */
        k->quantise_half(half, WN_GELU_LOW, t, n, maxima[m], codes, scales);
        for (size_t r = 0; r < t; r++)
            for (size_t i = 0; i < n; i++) {
                float back = (float)codes[r * n + i] * scales[r] + WN_GELU_LOW;

                assert_true(codes[r * n + i] <= maxima[m]);
                assert_true(fabsf(back - half_to_float(half[r * n + i])) <=
                            0.501f * scales[r] + 1e-6f);
            }
        free(x), free(codes), free(half);
    }
}

static void
codes_are_within_half_a_step(void **state)
{
    (void)state;
    each_table(check_codes);
}

static void
check_norm(const struct wn_kernels *k)
{
    const size_t n = 384, t = 4;
    float *x = floats(t * n, 2), *gamma = floats(n, 1), *beta = floats(n, 1);
    float *was = bytes(t * n * sizeof(*was)), scales[4];
    uint8_t *codes = bytes(t * n);

    memcpy(was, x, t * n * sizeof(*was));
    k->norm(x, gamma, beta, 1e-12f, t, n, 255, codes, scales);
    for (size_t r = 0; r < t; r++) {
        double mean = 0, var = 0;

        for (size_t i = 0; i < n; i++)
            mean += was[r * n + i] / (double)n;
        for (size_t i = 0; i < n; i++)
            var += pow(was[r * n + i] - mean, 2) / (double)n;
        for (size_t i = 0; i < n; i++) {
            double y = (was[r * n + i] - mean) / sqrt(var + 1e-12) * gamma[i] +
                       beta[i];

            assert_true(fabs(x[r * n + i] - y) < 2e-5);
            assert_true(fabs((codes[r * n + i] - 128) * (double)scales[r] - y) <
                        0.501 * scales[r] + 2e-5);
        }
    }
    free(x), free(gamma), free(beta), free(was), free(codes);
}

static void
norm_is_layer_norm_and_its_codes(void **state)
{
    (void)state;
    each_table(check_norm);
}

/* --- attention --- */

static void
put_state(const struct wn_kernels *k, void *p, size_t i, float x)
{
    if (k->state_bytes == 4)
        ((float *)p)[i] = x;
    else
        ((uint16_t *)p)[i] = wn_bf16(x);
}

static void
compare_attention(
    const struct wn_kernels *k, size_t len, size_t queries, size_t d)
{
    size_t stride = 3 * d + 32;
    void *qkv = bytes((len + 1) * stride * 4), *scratch;
    float *out = floats(queries * d, 1);
    double s[600], sum, most;

    scratch = bytes(k->attend_bytes(len, d));
    for (size_t i = 0; i < len * stride; i++)
        put_state(k, qkv, i, draw(1.5f));
    k->attend(qkv, stride, queries, (char *)qkv + d * k->state_bytes,
        (char *)qkv + 2 * d * k->state_bytes, stride, len, d, out, d, scratch);
    for (size_t i = 0; i < queries; i++) {
        most = -1e30;
        sum = 0;
        for (size_t j = 0; j < len; j++) {
            s[j] = 0;
            for (size_t c = 0; c < d; c++)
                s[j] += state_at(k, qkv, i * stride + c) *
                        (double)state_at(k, qkv, j * stride + d + c);
            most = fmax(most, s[j]);
        }
        for (size_t j = 0; j < len; j++)
            sum += s[j] = exp2(s[j] - most);
        for (size_t c = 0; c < d; c++) {
            double y = 0;

            for (size_t j = 0; j < len; j++)
                y += s[j] / sum * state_at(k, qkv, j * stride + 2 * d + c);
            if (!(fabs(out[i * d + c] - y) <
                    (k->state_bytes == 4 ? 1e-4 : 8e-3)))
                fail_msg("%s: length %zu, head %zu, query %zu: %g, not %g",
                    wn_isa_names[k->isa], len, d, i, out[i * d + c], y);
        }
    }
    free(qkv), free(out), free(scratch);
}

static void
check_attention(const struct wn_kernels *k)
{
    static const size_t heads[] = { 32, 64, 128 };

    for (size_t h = 0; h < 3; h++) {
        for (size_t len = 1; len <= 70; len++)
            compare_attention(k, len, len, heads[h]);
        compare_attention(k, 512, 9, heads[h]);
        compare_attention(k, 100, 1, heads[h]);
    }
}

static void
attention_of_every_length_is_that_of_the_definition(void **state)
{
    (void)state;
    each_table(check_attention);
}

/* --- the product in bf16 --- */

/* 640 inputs: more than a block of them, and no multiple of it. */
static void
check_bf16(const struct wn_kernels *k)
{
    static const size_t rows[] = { 1, 2, 3, 7, 8, 9, 17 };
    const size_t out = 192, in = 640, most = 17;
    float *w = floats(out * in, 1), *x = floats(most * in, 3);
    float *want = bytes(most * out * sizeof(*want));
    struct wn_err err;
    struct wn_b16 b;

    x[0] = 0;
    x[1] = 1e30f;
    w[1] = 1e-30f;
    assert_wn_ok(wn_b16_pack(&b, w, out, in, &err), &err);
    for (size_t r = 0; r < most; r++)
        for (size_t c = 0; c < out; c++) {
            double sum = 0;

            for (size_t i = 0; i < in; i++)
                sum += (double)wn_bf16_float(wn_bf16(x[r * in + i])) *
                       wn_bf16_float(wn_bf16(w[c * in + i]));
            want[r * out + c] = (float)sum;
        }
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        float *y = bytes(most * out * sizeof(*y));

        k->multiply_bf16(&b, x, rows[n], y);
        for (size_t i = 0; i < rows[n] * out; i++)
            assert_true(
                fabsf(y[i] - want[i]) <= 1e-4f + 1e-5f * fabsf(want[i]));
        for (size_t i = rows[n] * out * sizeof(*y); i < most * out * sizeof(*y);
             i++)
            assert_int_equal(((uint8_t *)y)[i], 0xa5);
        free(y);
    }
    wn_b16_release(&b);
    w[5] = NAN;
    assert_int_equal(wn_b16_pack(&b, w, out, in, &err), WN_REJECT);
    free(want);
    free(x);
    free(w);
}

static void
bf16_products_are_those_of_the_definition(void **state)
{
    (void)state;
    assert_int_equal(wn_bf16(1.00390625f), 0x3f80); /* ties to even: down */
    assert_int_equal(wn_bf16(1.01171875f), 0x3f82); /* and up             */
    assert_int_equal(wn_bf16(-1.004f), 0xbf81);
    each_table(check_bf16);
}

/* --- choosing --- */

static void
a_cap_is_kept_and_the_reference_is_always_there(void **state)
{
    (void)state;
    for (int cap = WN_ISA_REF; cap < WN_ISAS; cap++) {
        const struct wn_kernels *k = wn_kernels_get((enum wn_isa)cap);

        assert_true((int)k->isa <= cap);
        if (wn_kernels_of((enum wn_isa)cap) != NULL)
            assert_int_equal(k->isa, cap);
    }
    assert_int_equal(wn_kernels_get(WN_ISA_REF)->isa, WN_ISA_REF);
    assert_true(wn_kernels_fit(384, 12, 1536));
    assert_true(wn_kernels_fit(768, 12, 3072));
    assert_false(wn_kernels_fit(312, 12, 1200));
    assert_false(wn_kernels_fit(128, 8, 512));
}

/* --- speed: printed, never asserted --- */

static double
seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void
time_table(const struct wn_kernels *k)
{
    static double plain;
    const size_t in = 384, out = 384, t = 96;
    float *w = floats(out * in, 1), *b = floats(out, 1);
    float *x = floats(t * out, 1), *scales = floats(t, 1);
    uint8_t *codes = bytes(t * in);
    struct wn_q8 q = pack(k, 2, w, b, out, in, false, 0);
    double best = 1e9;

    fill_codes(codes, t * in, q.code_max, FILL_DRAWN);
    for (int r = 0; r < 5; r++) {
        double s = seconds();

        k->add(&q, codes, scales, t, x);
        best = fmin(best, seconds() - s);
    }
    if (k->isa == WN_ISA_REF)
        plain = best;
    print_message("# %-10s %7.1f GOP/s, %.0f times plain C\n",
        wn_isa_names[k->isa], 2e-9 * (double)(t * in * out) / best,
        plain / best);
    assert_true(best > 0);
    wn_q8_release(&q);
    free(w), free(b), free(x), free(scales), free(codes);
}

static void
tables_are_timed_beside_plain_c(void **state)
{
    (void)state;
    each_table(time_table);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(weights_are_within_half_a_step_of_their_scale),
    cmocka_unit_test(no_lane_of_16_bits_can_overflow_with_any_codes),
    cmocka_unit_test(weights_that_are_no_numbers_are_refused),
    cmocka_unit_test(sums_of_every_table_are_those_of_the_definition),
    cmocka_unit_test(tables_with_the_same_weights_give_the_same_sums),
    cmocka_unit_test(outputs_are_sums_in_floats),
    cmocka_unit_test(gelu_is_right_everywhere),
    cmocka_unit_test(codes_are_within_half_a_step),
    cmocka_unit_test(norm_is_layer_norm_and_its_codes),
    cmocka_unit_test(attention_of_every_length_is_that_of_the_definition),
    cmocka_unit_test(bf16_products_are_those_of_the_definition),
    cmocka_unit_test(a_cap_is_kept_and_the_reference_is_always_there),
    cmocka_unit_test(tables_are_timed_beside_plain_c),
};

WN_TEST_MAIN("model/kernels", tests)
