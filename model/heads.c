/* Heads, calibration and measures. */
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

struct scored {
    double score;
    int8_t label;
};

static int
by_score(const void *a, const void *b)
{
    double x = ((const struct scored *)a)->score;
    double y = ((const struct scored *)b)->score;

    return (x > y) - (x < y);
}

/* Known rows in order of score, lowest first. */
static enum wn_status
sorted(const double *scores, const int8_t *labels, size_t n,
    struct scored **ret, size_t *ret_n, struct wn_err *err)
{
    struct scored *s = malloc((n + 1) * sizeof(*s));
    size_t k = 0;

    if (s == NULL)
        return wn_fail(err, WN_STOP, "measures: out of memory");
    for (size_t i = 0; i < n; i++)
        if (labels[i] >= 0)
            s[k++] = (struct scored){ scores[i], labels[i] };
    qsort(s, k, sizeof(*s), by_score);
    *ret = s;
    *ret_n = k;
    return WN_OK;
}

enum wn_status
wn_measure(const double *scores, const int8_t *labels, size_t n,
    double threshold, struct wn_measure *ret, struct wn_err *err)
{
    struct wn_measure m = { 0 };
    struct scored *s;
    double wins = 0; /* pairs in the right order, ties half */
    size_t hit[2] = { 0, 0 };
    enum wn_status rc;

    rc = sorted(scores, labels, n, &s, &n, err);
    if (rc != WN_OK)
        return rc;
    for (size_t i = 0, j; i < n; i = j) {
        size_t tied[2] = { 0, 0 };

        for (j = i; j < n && s[j].score == s[i].score; j++)
            tied[s[j].label]++;
        wins += (double)tied[1] * ((double)m.neg + 0.5 * (double)tied[0]);
        m.neg += tied[0];
        m.pos += tied[1];
        if (s[i].score >= threshold) {
            hit[0] += tied[0];
            hit[1] += tied[1];
        }
    }
    free(s);
    m.auc =
        m.pos > 0 && m.neg > 0 ? wins / ((double)m.pos * (double)m.neg) : NAN;
    m.recall = m.pos > 0 ? (double)hit[1] / (double)m.pos : NAN;
    m.fpr = m.neg > 0 ? (double)hit[0] / (double)m.neg : NAN;
    *ret = m;
    return WN_OK;
}

enum wn_status
wn_threshold_at_fpr(const double *scores, const int8_t *labels, size_t n,
    double fpr, double *ret, struct wn_err *err)
{
    struct scored *s;
    size_t neg = 0, above = 0, allowed;
    double t;
    enum wn_status rc;

    rc = sorted(scores, labels, n, &s, &n, err);
    if (rc != WN_OK)
        return rc;
    for (size_t i = 0; i < n; i++)
        neg += s[i].label == 0;
    allowed = (size_t)(fpr * (double)neg);
    t = neg == 0 ? 0.5 : nextafter(s[n - 1].score, INFINITY);
    for (size_t i = n; neg > 0 && i > 0; i--) {
        above += s[i - 1].label == 0;
        if (above > allowed)
            break;
        if (i == 1 || s[i - 2].score != s[i - 1].score)
            t = s[i - 1].score;
    }
    free(s);
    *ret = t;
    return WN_OK;
}
