/*
 * The arithmetic between the matrix products: LayerNorm, GELU, softmax.
 *
 * One plain C body each, built for the baseline and for AVX2 with FMA; the
 * CPU is asked once (wn_ops_get()). Results of the two differ in rounding
 * only. All arrays are row-major, rows back to back.
 */
#ifndef WN_MODEL_OPS_H
#define WN_MODEL_OPS_H

#include <stddef.h>

struct wn_ops {
    /* x (rows, n) += bias (n) */
    void (*add_bias)(float *x, const float *bias, size_t rows, size_t n);
    /* x (rows, n) = LayerNorm(x + y + bias) * gamma + beta; y and bias may
     * both be NULL. */
    void (*norm)(float *x, const float *y, const float *bias,
        const float *gamma, const float *beta, float eps, size_t rows,
        size_t n);
    /* x (rows, n) = gelu(x + bias), with erf: absolute error < 1e-6 */
    void (*gelu_erf)(float *x, const float *bias, size_t rows, size_t n);
    /* The same with the tanh approximation of "gelu_new". */
    void (*gelu_tanh)(float *x, const float *bias, size_t rows, size_t n);
    void (*relu)(float *x, const float *bias, size_t rows, size_t n);
    /* Each row of x (rows, n) = softmax(scale * row). */
    void (*softmax)(float *x, float scale, size_t rows, size_t n);
};

/* The fastest set that this CPU can run. */
const struct wn_ops *wn_ops_get(void);
/* The set for any CPU: what the fast one is tested against. */
const struct wn_ops *wn_ops_base(void);

#endif
