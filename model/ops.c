/*
 * The arithmetic between the matrix products.
 *
 * Loops are written in blocks of LANES with a tail, without branches inside,
 * so that gcc and clang turn them into vector code; sums keep LANES partial
 * sums for the same reason, in one order whatever the vector width is. Every
 * body is inlined into one function for each instruction set.
 */
#include "model/ops.h"

#include <float.h>

#if defined(__GNUC__) && !defined(__clang__)
/* -O2 of gcc 12 leaves these loops scalar, and so does its care for
 * comparisons that may trap: nobody here unmasks those traps. */
#pragma GCC optimize("O3", "no-trapping-math")
#endif

#include "model/ops_int.h"

#define LANES 16
#define BODY WN_OPS_ONE

/* gelu(x) = max(x, 0) - |x| / 2 * erfc(|x| / sqrt 2): no branch for the
 * compiler, and no digits cancel for negative x. */
BODY float
gelu_erf_one(float x)
{
    float a = __builtin_fabsf(x);

    return 0.5f * (x + a - a * wn_erfc_up(a * 0.70710678118654752f));
}

/*
 * 0.5 x (1 + tanh u) = x / (1 + e^(-2u)), u having the sign of x; with
 * t = e^(-2|u|) that is (max(x, 0) + min(x, 0) t) / (1 + t).
 */
BODY float
gelu_tanh_one(float x)
{
    float a = __builtin_fabsf(x);
    float u = 0.79788456080286536f * (a + 0.044715f * a * a * a);
    float t = wn_exp_down(-2.0f * u);

    return 0.5f * (x + a + (x - a) * t) / (1.0f + t);
}

BODY float
relu_one(float x)
{
    return x > 0 ? x : 0;
}

BODY void
add_bias_body(float *x, const float *bias, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, x += n) {
        for (size_t i = 0; i < n; i++)
            x[i] += bias[i];
    }
}

#define MAP_BODY(name, one)                                                    \
    BODY void name(float *x, const float *bias, size_t rows, size_t n)         \
    {                                                                          \
        for (size_t r = 0; r < rows; r++, x += n) {                            \
            for (size_t i = 0; i < n; i++)                                     \
                x[i] = one(x[i] + bias[i]);                                    \
        }                                                                      \
    }
MAP_BODY(gelu_erf_body, gelu_erf_one)
MAP_BODY(gelu_tanh_body, gelu_tanh_one)
MAP_BODY(relu_body, relu_one)

BODY float
sum_lanes(const float *lanes)
{
    float s = 0;

    for (size_t j = 0; j < LANES; j++)
        s += lanes[j];
    return s;
}

BODY float
sum(const float *x, size_t n)
{
    float lanes[LANES] = { 0 };
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++)
            lanes[j] += x[i + j];
    }
    for (size_t j = 0; i < n; i++, j++)
        lanes[j] += x[i];
    return sum_lanes(lanes);
}

/* Sum of (x - mean)^2: two passes, because E[x^2] - mean^2 cancels. */
BODY float
sum_squares(const float *x, float mean, size_t n)
{
    float lanes[LANES] = { 0 };
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            float d = x[i + j] - mean;

            lanes[j] += d * d;
        }
    }
    for (size_t j = 0; i < n; i++, j++)
        lanes[j] += (x[i] - mean) * (x[i] - mean);
    return sum_lanes(lanes);
}

BODY void
norm_body(float *x, const float *y, const float *bias, const float *gamma,
    const float *beta, float eps, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, x += n) {
        float mean, inv;

        if (y != NULL) {
            for (size_t i = 0; i < n; i++)
                x[i] += y[i] + bias[i];
            y += n;
        }
        mean = sum(x, n) / (float)n;
        inv = 1.0f / __builtin_sqrtf(sum_squares(x, mean, n) / (float)n + eps);
        for (size_t i = 0; i < n; i++)
            x[i] = (x[i] - mean) * inv * gamma[i] + beta[i];
    }
}

BODY float
largest(const float *x, size_t n)
{
    float lanes[LANES], m;
    size_t i = 0;

    for (size_t j = 0; j < LANES; j++)
        lanes[j] = -FLT_MAX;
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++)
            lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
    }
    m = -FLT_MAX;
    for (; i < n; i++)
        m = x[i] > m ? x[i] : m;
    for (size_t j = 0; j < LANES; j++)
        m = lanes[j] > m ? lanes[j] : m;
    return m;
}

BODY void
softmax_body(float *x, float scale, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, x += n) {
        float m = largest(x, n), inv;

        for (size_t i = 0; i < n; i++)
            x[i] = wn_exp_down((x[i] - m) * scale);
        inv = 1.0f / sum(x, n);
        for (size_t i = 0; i < n; i++)
            x[i] *= inv;
    }
}

/* One function of each body for an instruction set, and their table. */
#define VARIANT(set, target)                                                   \
    target static void add_bias_##set(                                         \
        float *x, const float *bias, size_t rows, size_t n)                    \
    {                                                                          \
        add_bias_body(x, bias, rows, n);                                       \
    }                                                                          \
    target static void norm_##set(float *x, const float *y, const float *bias, \
        const float *gamma, const float *beta, float eps, size_t rows,         \
        size_t n)                                                              \
    {                                                                          \
        norm_body(x, y, bias, gamma, beta, eps, rows, n);                      \
    }                                                                          \
    target static void gelu_erf_##set(                                         \
        float *x, const float *bias, size_t rows, size_t n)                    \
    {                                                                          \
        gelu_erf_body(x, bias, rows, n);                                       \
    }                                                                          \
    target static void gelu_tanh_##set(                                        \
        float *x, const float *bias, size_t rows, size_t n)                    \
    {                                                                          \
        gelu_tanh_body(x, bias, rows, n);                                      \
    }                                                                          \
    target static void relu_##set(                                             \
        float *x, const float *bias, size_t rows, size_t n)                    \
    {                                                                          \
        relu_body(x, bias, rows, n);                                           \
    }                                                                          \
    target static void softmax_##set(                                          \
        float *x, float scale, size_t rows, size_t n)                          \
    {                                                                          \
        softmax_body(x, scale, rows, n);                                       \
    }                                                                          \
    static const struct wn_ops ops_##set = { add_bias_##set, norm_##set,       \
        gelu_erf_##set, gelu_tanh_##set, relu_##set, softmax_##set };

VARIANT(base, )
#if defined(__x86_64__)
VARIANT(avx2, __attribute__((target("avx2,fma"))))
#endif

const struct wn_ops *
wn_ops_base(void)
{
    return &ops_base;
}

const struct wn_ops *
wn_ops_get(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &ops_avx2;
#endif
    return &ops_base;
}
