/*
 * The large products of a network that learns, in bf16: linear layers
 * y = x w^T, with w (out, in), x (T, in), y (T, out). Going forward y is made,
 * going back dx = dy w and dw += dy^T x. What goes into a product is rounded
 * to the nearest bf16; sums, and all that the caller sees, are fp32.
 *
 * Who owns the weights packs them here whenever they have changed. Calls work
 * on a part, so that each can be a task of a pool (pool.h); `thread` is the
 * pool's number of the thread that calls. None of them allocates, and none
 * gives other bits in another order or on another thread.
 */
#ifndef WN_MODEL_TRAIN_BF16_H
#define WN_MODEL_TRAIN_BF16_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

#define WN_BF16_BLOCK 128 /* largest part: rows of x, columns of dy */

struct wn_bf16_net; /* packed copies of weights and of x; see bf16.c */

struct wn_bf16_shape {
    size_t out, in;
};

/* Whether this CPU has bf16, and these sizes are multiples of 32. */
bool wn_bf16_fits(const struct wn_bf16_shape *shapes, size_t n);

/* n layers of these shapes, which fit; batches of up to tokens_max; `threads`
 * of the pool. Owns: the caller frees *ret. Fails: WN_STOP: out of memory. */
enum wn_status wn_bf16_net_new(struct wn_bf16_net **ret,
    const struct wn_bf16_shape *shapes, size_t n, size_t tokens_max,
    size_t threads, struct wn_err *err);
void wn_bf16_net_free(struct wn_bf16_net *net); /* accepts NULL */

/* Takes rows [row, row + WN_BF16_BLOCK) of w, or what there is of them. */
void wn_bf16_pack(
    struct wn_bf16_net *net, size_t layer, const float *w, size_t row);

/* Rows [first, first + n) of y from those of x, which are kept, rounded, for
 * dw. x and y are whole; first is a multiple of WN_BF16_BLOCK. */
void wn_bf16_forward(struct wn_bf16_net *net, size_t layer, size_t thread,
    size_t first, size_t n, const float *x, float *y);
/* n rows of dx from n of dy; add: on top of what is there. */
void wn_bf16_backward(struct wn_bf16_net *net, size_t layer, size_t thread,
    size_t n, const float *dy, bool add, float *dx);
/* Rows [col, col + WN_BF16_BLOCK) of dw, or what there is of them: those
 * columns of dy (T, out) times the x of the forward pass are added. dy and dw
 * are whole; col is a multiple of WN_BF16_BLOCK. */
void wn_bf16_gradient(struct wn_bf16_net *net, size_t layer, size_t thread,
    size_t col, size_t tokens, const float *dy, float *dw);

#endif
