/*
 * The loops of bf16's products, for one instruction set; not for other folders.
 *
 * "In pairs" is a matrix x (rows, cols) packed so that what one instruction
 * multiplies lies together: panels of 32 columns, and in each the pairs of two
 * rows, one under the other: [cols / 32][rows / 2][32][2]. A panel begins
 * `stride` numbers behind the one before it.
 *
 * Numbers are rounded to the nearest bf16, ties to even; sums are fp32, in an
 * order that depends on the sizes alone. Any thread may call these.
 */
#ifndef WN_MODEL_TRAIN_BF16_INT_H
#define WN_MODEL_TRAIN_BF16_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WN_BF16_PANEL 32
#define WN_BF16_ROWS 8 /* of a block in registers */

struct wn_bf16_ops {
    /* to (n) = x, n a multiple of 32 */
    void (*round)(const float *x, size_t n, uint16_t *to);
    /* x (rows, cols), rows `width` apart, in pairs; an odd last row has zeros
     * below it. cols is a multiple of 32. */
    void (*pairs)(const float *x, size_t width, size_t rows, size_t cols,
        uint16_t *to, size_t stride);
    /* The transpose of x (rows, cols) in pairs: both are multiples of 32, and
     * panels lie back to back. */
    void (*turned)(const float *x, size_t rows, size_t cols, uint16_t *to);

    /* c (m, n) = a (m, k) b (k, n), or c += that. a is plain, b in pairs with
     * its panels back to back; k and n are multiples of 32. a has rows that
     * may be read up to the next multiple of 8. */
    void (*product)(size_t m, size_t n, size_t k, const uint16_t *a,
        const uint16_t *b, bool add, float *c);
    /* c (m, n) += a (k, m)^T b (k, n), both in pairs; m and n are multiples of
     * 32, k is any. */
    void (*product_t)(size_t m, size_t n, size_t k, const uint16_t *a,
        size_t a_stride, const uint16_t *b, size_t b_stride, float *c);
};

/* NULL where this CPU has no such instructions. */
const struct wn_bf16_ops *wn_bf16_get(void);

#ifdef __x86_64__
extern const struct wn_bf16_ops wn_bf16_avx512;
#endif

#endif
