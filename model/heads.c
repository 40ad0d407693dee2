/* Heads and calibration. */
#include "model/heads.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/safetensors_int.h"

enum wn_status
wn_heads_init(
    struct wn_heads *h, size_t hidden, size_t exits, struct wn_err *err)
{
    memset(h, 0, sizeof(*h));
    h->hidden = hidden;
    h->exits = exits;
    h->weight = calloc(exits * WN_OUTPUTS * hidden + 1, sizeof(*h->weight));
    if (h->weight == NULL)
        return wn_fail(err, WN_STOP, "heads: out of memory");
    return WN_OK;
}

/* rows * cols finite numbers of the tensor to `to`; cols 0: a vector. */
static enum wn_status
read_tensor(const struct wn_safetensors *st, const char *name, size_t rows,
    size_t cols, float *to, struct wn_err *err)
{
    const struct wn_tensor *t = wn_safetensors_find(st, name);

    if (t == NULL)
        return wn_fail(
            err, WN_REJECT, "model.safetensors: no tensor '%s'", name);
    if (t->dtype != WN_F32 || t->rank != (cols == 0 ? 1u : 2u) ||
        t->shape[0] != rows || (cols != 0 && t->shape[1] != cols))
        return wn_fail(err, WN_REJECT,
            "model.safetensors: tensor '%s': not F32 (%zu, %zu)", name, rows,
            cols);
    wn_tensor_floats(t, 0, t->n, to);
    for (size_t i = 0; i < t->n; i++)
        if (!isfinite(to[i]))
            return wn_fail(err, WN_REJECT,
                "model.safetensors: tensor '%s': not finite", name);
    return WN_OK;
}

static enum wn_status
read_exit(struct wn_heads *h, const struct wn_safetensors *st, size_t exit,
    const char *base, struct wn_err *err)
{
    size_t outputs = h->kinds ? WN_OUTPUTS : WN_HEADS_OUT;
    char name[40];
    enum wn_status rc;

    snprintf(name, sizeof(name), "%s.weight", base);
    rc = read_tensor(st, name, outputs, h->hidden,
        h->weight + exit * WN_OUTPUTS * h->hidden, err);
    snprintf(name, sizeof(name), "%s.bias", base);
    if (rc == WN_OK)
        rc = read_tensor(st, name, outputs, 0, h->bias[exit], err);
    return rc;
}

/* Numbers of layers after which the file has an exit; 0: it has none. */
static size_t
find_exits(
    const struct wn_safetensors *st, size_t layers, size_t ret[WN_EXITS_MAX])
{
    size_t n = 0;

    for (size_t l = 1; l <= layers && n < WN_EXITS_MAX; l++) {
        char name[40];

        snprintf(name, sizeof(name), "exit.%zu.weight", l);
        if (wn_safetensors_find(st, name) != NULL)
            ret[n++] = l;
    }
    return n;
}

bool
wn_heads_are_there(const struct wn_safetensors *st, size_t layers)
{
    size_t after[WN_EXITS_MAX];

    return find_exits(st, layers, after) > 0;
}

enum wn_status
wn_heads_open(struct wn_heads *ret, const struct wn_safetensors *st,
    size_t hidden, size_t layers, struct wn_err *err)
{
    size_t after[WN_EXITS_MAX] = { layers }, n = find_exits(st, layers, after);
    struct wn_heads h;
    enum wn_status rc;

    if (n > 0 && after[n - 1] != layers)
        return wn_fail(err, WN_REJECT,
            "model.safetensors: no tensor 'exit.%zu.weight': the last layer "
            "has no exit",
            layers);
    rc = wn_heads_init(&h, hidden, n > 0 ? n : 1, err);
    memcpy(h.after, after, sizeof(h.after));
    h.kinds = n > 0;
    if (rc == WN_OK && n == 0)
        rc = read_exit(&h, st, 0, "heads", err);
    for (size_t e = 0; rc == WN_OK && e < n; e++) {
        char base[30];

        snprintf(base, sizeof(base), "exit.%zu", after[e]);
        rc = read_exit(&h, st, e, base, err);
    }
    if (rc != WN_OK)
        wn_heads_release(&h);
    else
        *ret = h;
    return rc;
}

void
wn_heads_release(struct wn_heads *h)
{
    free(h->weight);
    memset(h, 0, sizeof(*h));
}

void
wn_heads_score(const struct wn_heads *h, size_t exit, const float *pooled,
    float out[WN_OUTPUTS])
{
    for (size_t o = 0; o < WN_OUTPUTS; o++) {
        const float *w = h->weight + (exit * WN_OUTPUTS + o) * h->hidden;
        double sum = h->bias[exit][o]; /* double: 9 x 384 products are cheap */

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
