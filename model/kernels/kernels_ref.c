/*
 * The kernels in plain C: the specification that the fast tables answer to,
 * and the fallback on any machine.
 */
#include <math.h>
#include <string.h>

#include "model/kernels/kernels_int.h"

#define PANEL 16

/* acc (PANEL) = the sums of the panel that column c is in, for one row */
static void
sum_panel(
    const struct wn_q8 *w, size_t c, const uint8_t *codes, int32_t acc[PANEL])
{
    size_t first = c / PANEL * PANEL;
    const int8_t *b = w->w + first * w->in;

    memcpy(acc, w->start + first, PANEL * sizeof(*acc));
    for (size_t k = 0; k < w->in; k += 4, b += 4 * PANEL)
        for (size_t i = 0; i < PANEL; i++)
            acc[i] += codes[k] * b[4 * i] + codes[k + 1] * b[4 * i + 1] +
                      codes[k + 2] * b[4 * i + 2] + codes[k + 3] * b[4 * i + 3];
}

/* y (PANEL) of that panel, for one row of codes and its scale */
static void
value_panel(const struct wn_q8 *w, size_t c, const uint8_t *codes, float scale,
    float y[PANEL])
{
    int32_t acc[PANEL];

    sum_panel(w, c, codes, acc);
    for (size_t i = 0; i < PANEL; i++)
        y[i] = (float)acc[i] * (scale * w->scale[c + i]) + w->bias[c + i];
}

static void
sums(const struct wn_q8 *w, size_t first, size_t n, const uint8_t *codes,
    size_t t, int32_t *out, size_t stride)
{
    for (size_t r = 0; r < t; r++)
        for (size_t c = 0; c < n; c += PANEL)
            sum_panel(w, first + c, codes + r * w->in, out + r * stride + c);
}

static void
store(const struct wn_q8 *w, size_t first, size_t n, const uint8_t *codes,
    const float *scales, size_t t, void *out, size_t stride)
{
    for (size_t r = 0; r < t; r++)
        for (size_t c = 0; c < n; c += PANEL)
            value_panel(w, first + c, codes + r * w->in, scales[r],
                (float *)out + r * stride + c);
}

static void
add(const struct wn_q8 *w, const uint8_t *codes, const float *scales, size_t t,
    float *x)
{
    float y[PANEL];

    for (size_t r = 0; r < t; r++)
        for (size_t c = 0; c < w->out; c += PANEL) {
            value_panel(w, c, codes + r * w->in, scales[r], y);
            for (size_t i = 0; i < PANEL; i++)
                x[r * w->out + c + i] += y[i];
        }
}

/* --- half precision: IEEE binary16, rounded to nearest even --- */

static uint16_t
half_of(float f)
{
    uint32_t bits, sign, rest, shift;

    memcpy(&bits, &f, sizeof(bits));
    sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    if (bits > 0x7f800000)
        return (uint16_t)(sign | 0x7e00); /* NaN */
    if (bits >= 0x477ff000)
        return (uint16_t)(sign | 0x7c00); /* rounds to infinity */
    if (bits >= 0x38800000) {             /* normal */
        bits -= 0x38000000;
        return (uint16_t)(sign | (bits + 0xfff + (bits >> 13 & 1)) >> 13);
    }
    if (bits < 0x33000000)
        return (uint16_t)sign;
    shift = 126 - (bits >> 23); /* 14 .. 24 */
    bits = (bits & 0x7fffff) | 0x800000;
    rest = bits & ((1u << shift) - 1);
    bits >>= shift;
    bits += rest > 1u << (shift - 1) ||
            (rest == 1u << (shift - 1) && (bits & 1) != 0);
    return (uint16_t)(sign | bits);
}

static float
float_of(uint16_t half)
{
    float f = ldexpf((float)(half & 0x3ff) + ((half & 0x7c00) != 0 ? 1024 : 0),
        (half >> 10 & 31) - ((half & 0x7c00) != 0 ? 25 : 24));

    if ((half & 0x7c00) == 0x7c00)
        f = (half & 0x3ff) != 0 ? NAN : INFINITY;
    return (half & 0x8000) != 0 ? -f : f;
}

static float
act_of(enum wn_activation act, float x)
{
    switch (act) {
    case WN_GELU_ERF:
        return 0.5f * x * (1.0f + erff(x * 0.70710678f));
    case WN_GELU_TANH:
        return 0.5f * x *
               (1.0f + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
    case WN_RELU:
        return x > 0 ? x : 0;
    }
    return 0;
}

static void
activate(const struct wn_q8 *w, enum wn_activation act, const uint8_t *codes,
    const float *scales, size_t t, uint16_t *out)
{
    float y[PANEL];

    for (size_t r = 0; r < t; r++)
        for (size_t c = 0; c < w->out; c += PANEL) {
            value_panel(w, c, codes + r * w->in, scales[r], y);
            for (size_t i = 0; i < PANEL; i++)
                out[r * w->out + c + i] =
                    half_of(fminf(act_of(act, y[i]), WN_HALF_MAX));
        }
}

/* --- codes --- */

/* Round to nearest even; what is no number becomes the lowest code. */
static uint8_t
code_of(float x, float lowest, float highest)
{
    float r = rintf(x);

    if (!(r > lowest))
        return (uint8_t)lowest;
    return (uint8_t)(r < highest ? r : highest);
}

static void
quantise(const float *x, size_t t, size_t n, unsigned code_max, uint8_t *codes,
    float *scales)
{
    float reach = (float)WN_CODE_REACH(code_max);
    float zero = (float)WN_CODE_ZERO(code_max);

    for (size_t r = 0; r < t; r++, x += n, codes += n) {
        float most = 0, by;

        for (size_t i = 0; i < n; i++)
            most = fmaxf(most, fabsf(x[i]));
        by = most > 0 ? reach / most : 0;
        for (size_t i = 0; i < n; i++)
            codes[i] = code_of(x[i] * by + zero, zero - reach, zero + reach);
        scales[r] = most / reach;
    }
}

static void
quantise_half(const uint16_t *x, float low, size_t t, size_t n,
    unsigned code_max, uint8_t *codes, float *scales)
{
    for (size_t r = 0; r < t; r++, x += n, codes += n) {
        float most = low, by;

        for (size_t i = 0; i < n; i++)
            most = fmaxf(most, float_of(x[i]));
        by = most > low ? (float)code_max / (most - low) : 0;
        for (size_t i = 0; i < n; i++)
            codes[i] = code_of((float_of(x[i]) - low) * by, 0, (float)code_max);
        scales[r] = (most - low) / (float)code_max;
    }
}

static void
norm(float *x, const float *gamma, const float *beta, float eps, size_t t,
    size_t n, unsigned code_max, uint8_t *codes, float *scales)
{
    for (size_t r = 0; r < t; r++) {
        float *row = x + r * n, mean = 0, var = 0;

        for (size_t i = 0; i < n; i++)
            mean += row[i];
        mean /= (float)n;
        for (size_t i = 0; i < n; i++)
            var += (row[i] - mean) * (row[i] - mean);
        var = 1.0f / sqrtf(var / (float)n + eps);
        for (size_t i = 0; i < n; i++)
            row[i] = (row[i] - mean) * var * gamma[i] + beta[i];
    }
    quantise(x, t, n, code_max, codes, scales);
}

/* --- attention --- */

static size_t
attend_bytes(size_t len, size_t d)
{
    (void)d;
    return len * sizeof(float);
}

static void
attend(const void *q, size_t q_stride, size_t queries, const void *k,
    const void *v, size_t stride, size_t len, size_t d, float *out,
    size_t out_stride, void *scratch)
{
    const float *fq = q, *fk = k, *fv = v;
    float *s = scratch;

    for (size_t i = 0; i < queries; i++) {
        float most = -INFINITY, sum = 0;

        for (size_t j = 0; j < len; j++) {
            s[j] = 0;
            for (size_t c = 0; c < d; c++)
                s[j] += fq[i * q_stride + c] * fk[j * stride + c];
            most = fmaxf(most, s[j]);
        }
        for (size_t j = 0; j < len; j++) {
            s[j] = exp2f(s[j] - most);
            sum += s[j];
        }
        for (size_t c = 0; c < d; c++) {
            float acc = 0;

            for (size_t j = 0; j < len; j++)
                acc += s[j] * fv[j * stride + c];
            out[i * out_stride + c] = acc / sum;
        }
    }
}

/* --- the product in bf16 --- */

static void
multiply_bf16(const struct wn_b16 *w, const float *x, size_t t, float *y)
{
    for (size_t r = 0; r < t; r++)
        for (size_t c = 0; c < w->out; c++) {
            const uint16_t *col = w->w +
                                  c / WN_B16_PANEL * WN_B16_PANEL * w->in +
                                  c % WN_B16_PANEL * 2;
            float acc = 0;

            for (size_t k = 0; k < w->in; k++)
                acc += wn_bf16_float(wn_bf16(x[r * w->in + k])) *
                       wn_bf16_float(col[k / 2 * WN_B16_PANEL * 2 + k % 2]);
            y[r * w->out + c] = acc;
        }
}

const struct wn_kernels wn_kernels_ref = {
    .isa = WN_ISA_REF,
    .panel = PANEL,
    .state_bytes = sizeof(float),
    .depth_max = 0,
    .code_max = { 255, 255 },
    .sums = sums,
    .store = store,
    .add = add,
    .activate = activate,
    .norm = norm,
    .quantise = quantise,
    .quantise_half = quantise_half,
    .attend = attend,
    .attend_bytes = attend_bytes,
    .multiply_bf16 = multiply_bf16,
};
