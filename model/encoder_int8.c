/*
 * A layer in int8: four products on codes, and between them LayerNorm, GELU
 * and attention, each of which leaves the codes that the next product reads.
 *
 * What the queries carry (log2(e) / sqrt D, for softmax by powers of two) is
 * in their weights. The FFN's inside is kept in half precision: it is read
 * once, to be coded, when the largest of a row is known.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/encoder_int.h"

/* --- at load --- */

static bool
are_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

enum wn_status
wn_encoder_pack(const struct wn_encoder *e, struct wn_linear *l,
    enum wn_precision precision, bool after_activation, struct wn_err *err)
{
    float low = e->conf.activation == WN_RELU ? 0 : WN_GELU_LOW;

    if (!are_finite(l->b, l->out))
        return wn_fail(err, WN_REJECT, "a bias is not a finite number");
    return wn_q8_pack(&l->q, e->kernels, precision == WN_INT8 ? 2 : 1, l->w,
        l->b, l->out, l->in, after_activation, low, err);
}

/* --- the FFN's inside: (T, F) in half precision, and its codes --- */

static uint16_t *
inside(const struct wn_workspace *w)
{
    return (uint16_t *)w->ffn;
}

static uint8_t *
inside_codes(const struct wn_encoder *e, const struct wn_workspace *w)
{
    return (uint8_t *)w->ffn + 2 * w->tokens_max * e->conf.shape.ffn;
}

/* --- a layer --- */

static size_t
tokens(const struct wn_workspace *w)
{
    return w->offsets[w->n];
}

/* The first row of each sequence, of x and of its codes, to the front. */
static void
gather_first(const struct wn_encoder *e, struct wn_workspace *w)
{
    size_t h = e->conf.shape.hidden;

    for (size_t s = 1; s < w->n; s++) {
        size_t row = w->offsets[s];

        memmove(w->x + s * h, w->x + row * h, h * sizeof(*w->x));
        memmove(w->codes + s * h, w->codes + row * h, h);
        w->scales[s] = w->scales[row];
    }
}

/* y (rows, H) = attention of `queries` rows of each sequence (all: all) */
static void
attend(const struct wn_encoder *e, struct wn_workspace *w, const char *q,
    size_t q_stride, bool all)
{
    const struct wn_kernels *k = e->kernels;
    size_t h = e->conf.shape.hidden, d = h / e->conf.shape.heads;
    size_t bytes = k->state_bytes;

    for (size_t s = 0; s < w->n; s++) {
        size_t len = w->offsets[s + 1] - w->offsets[s];
        size_t row = all ? w->offsets[s] : s;
        const char *kv = (const char *)w->qkv + w->offsets[s] * 3 * h * bytes;

        for (size_t head = 0; head < h; head += d)
            k->attend(q + (row * q_stride + head) * bytes, q_stride,
                all ? len : 1, kv + (h + head) * bytes,
                kv + (2 * h + head) * bytes, 3 * h, len, d,
                w->y + row * h + head, h, w->scores);
    }
}

/* Keys and values of all rows, queries of the first of each sequence. */
static void
attend_first(const struct wn_encoder *e, const struct wn_layer *l,
    struct wn_workspace *w)
{
    const struct wn_kernels *k = e->kernels;
    size_t h = e->conf.shape.hidden;

    k->store(&l->qkv.q, h, 2 * h, w->codes, w->scales, tokens(w),
        (char *)w->qkv + h * k->state_bytes, 3 * h);
    gather_first(e, w);
    k->store(&l->qkv.q, 0, h, w->codes, w->scales, w->n, w->ffn, h);
    attend(e, w, (const char *)w->ffn, h, false);
}

static void
attend_all(const struct wn_encoder *e, const struct wn_layer *l,
    struct wn_workspace *w)
{
    size_t h = e->conf.shape.hidden;

    e->kernels->store(
        &l->qkv.q, 0, 3 * h, w->codes, w->scales, tokens(w), w->qkv, 3 * h);
    attend(e, w, (const char *)w->qkv, 3 * h, true);
}

static void
feed_forward(const struct wn_encoder *e, const struct wn_layer *l,
    struct wn_workspace *w, size_t t)
{
    const struct wn_kernels *k = e->kernels;
    float low = e->conf.activation == WN_RELU ? 0 : WN_GELU_LOW;

    k->activate(
        &l->ffn_in.q, e->conf.activation, w->codes, w->scales, t, inside(w));
    k->quantise_half(inside(w), low, t, e->conf.shape.ffn,
        l->ffn_out.q.code_max, inside_codes(e, w), w->scales);
    k->add(&l->ffn_out.q, inside_codes(e, w), w->scales, t, w->x);
}

void
wn_encoder_run_int8(const struct wn_encoder *e, const struct wn_layer *l,
    struct wn_workspace *w, bool last)
{
    const struct wn_kernels *k = e->kernels;
    size_t h = e->conf.shape.hidden, t = last ? w->n : tokens(w);
    unsigned code_max = l->qkv.q.code_max; /* the same in all of a layer */

    if (w->coded != code_max)
        k->quantise(w->x, tokens(w), h, code_max, w->codes, w->scales);
    if (last)
        attend_first(e, l, w);
    else
        attend_all(e, l, w);
    k->quantise(w->y, t, h, code_max, w->codes, w->scales);
    k->add(&l->attn_out.q, w->codes, w->scales, t, w->x);
    k->norm(w->x, l->attn_norm.gamma, l->attn_norm.beta, e->conf.norm_eps, t, h,
        code_max, w->codes, w->scales);
    feed_forward(e, l, w, t);
    k->norm(w->x, l->ffn_norm.gamma, l->ffn_norm.beta, e->conf.norm_eps, t, h,
        code_max, w->codes, w->scales);
    w->coded = code_max;
    w->rows = last;
}
