/* Heads and calibration. */
#include "model/heads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum wn_status
wn_heads_open(struct wn_heads *ret, const struct wn_safetensors *st,
    size_t hidden, struct wn_err *err)
{
    const struct wn_tensor *w = wn_safetensors_find(st, "heads.weight");
    const struct wn_tensor *b = wn_safetensors_find(st, "heads.bias");
    struct wn_heads h = { .hidden = hidden };

    if (w == NULL || b == NULL)
        return wn_fail(err, WN_REJECT,
            "model.safetensors: no tensor 'heads.weight' or 'heads.bias'");
    if (w->dtype != WN_F32 || w->rank != 2 || w->shape[0] != WN_HEADS_OUT ||
        w->shape[1] != hidden)
        return wn_fail(err, WN_REJECT,
            "model.safetensors: tensor 'heads.weight': not F32 (%d, %zu)",
            WN_HEADS_OUT, hidden);
    if (b->dtype != WN_F32 || b->rank != 1 || b->shape[0] != WN_HEADS_OUT)
        return wn_fail(err, WN_REJECT,
            "model.safetensors: tensor 'heads.bias': not F32 (%d)",
            WN_HEADS_OUT);
    h.weight = malloc(w->n * sizeof(*h.weight));
    if (h.weight == NULL)
        return wn_fail(err, WN_STOP, "heads: out of memory");
    memcpy(h.weight, w->data, w->n * sizeof(*h.weight));
    memcpy(h.bias, b->data, sizeof(h.bias));
    for (size_t i = 0; i < w->n + WN_HEADS_OUT; i++) {
        float v = i < w->n ? h.weight[i] : h.bias[i - w->n];

        if (!isfinite(v)) {
            wn_heads_release(&h);
            return wn_fail(err, WN_REJECT,
                "model.safetensors: tensor 'heads': not finite");
        }
    }
    *ret = h;
    return WN_OK;
}

void
wn_heads_release(struct wn_heads *h)
{
    free(h->weight);
    memset(h, 0, sizeof(*h));
}

void
wn_heads_score(
    const struct wn_heads *h, const float *pooled, float out[WN_HEADS_OUT])
{
    for (size_t o = 0; o < WN_HEADS_OUT; o++) {
        const float *w = h->weight + o * h->hidden;
        double sum = h->bias[o]; /* double: 4 x 384 products cost nothing */

        for (size_t i = 0; i < h->hidden; i++)
            sum += (double)w[i] * pooled[i];
        out[o] = (float)sum;
    }
}

double
wn_sigmoid(double z)
{
    double e;

    if (z >= 0)
        return 1.0 / (1.0 + exp(-z));
    e = exp(z);
    return e / (1.0 + e);
}

double
wn_calibrate(struct wn_calibration c, double logit)
{
    return wn_sigmoid(c.a * logit + c.b);
}
