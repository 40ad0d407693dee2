/*
 * The forward pass, and its layers in floats (those in int8: encoder_int8.c).
 *
 * Any number of threads share an encoder; each has its own workspace, sized
 * at birth, so a batch does not call malloc. The service has one scorer a
 * core: one chunk of tokens goes through all layers on it, and two levels of
 * threads would only wait for each other. So OpenBLAS has one thread too.
 */
#include "model/encoder.h"

#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>

#include "model/encoder_int.h"

static pthread_once_t blas_once = PTHREAD_ONCE_INIT;

static void
blas_setup(void)
{
    openblas_set_num_threads(1);
}

const char *const wn_precision_names[WN_PRECISIONS] = {
    [WN_FP32] = "fp32",
    [WN_BFLOAT16] = "bf16",
    [WN_INT8_FINE] = "int8-fine",
    [WN_INT8] = "int8",
};

/* "avx2 int8", "fp32", "avx512vnni int8, 2 of 6 layers finer" */
static void
say_what_runs(struct wn_encoder *e)
{
    size_t n[WN_PRECISIONS] = { 0 }, layers = e->conf.shape.layers;
    size_t most = WN_FP32, len;

    for (size_t i = 0; i < layers; i++)
        n[e->layers[i].precision]++;
    for (size_t p = 0; p < WN_PRECISIONS; p++)
        if (n[p] > 0)
            most = p;
    len = (size_t)snprintf(e->runs_on, sizeof(e->runs_on), "%s%s%s",
        most == WN_FP32 ? "" : wn_isa_names[e->kernels->isa],
        most == WN_FP32 ? "" : " ", wn_precision_names[most]);
    if (n[most] < layers)
        snprintf(e->runs_on + len, sizeof(e->runs_on) - len,
            ", %zu of %zu layers finer", layers - n[most], layers);
}

enum wn_status
wn_encoder_open(struct wn_encoder **ret, const char *dir,
    const struct wn_encoder_conf *conf, struct wn_err *err)
{
    static const struct wn_encoder_conf plain = { WN_ISA_REF, WN_FP32 };
    struct wn_encoder *e = calloc(1, sizeof(*e));
    char path[PATH_MAX];
    enum wn_status rc;

    pthread_once(&blas_once, blas_setup);
    if (e == NULL) {
        rc = wn_fail(err, WN_STOP, "encoder: out of memory");
        goto out;
    }
    if (conf == NULL)
        conf = &plain;
    e->ops = wn_ops_get();
    e->kernels = wn_kernels_get(conf->isa);
    rc = wn_config_read(&e->conf, dir, err);
    if (rc != WN_OK)
        goto out;
    if ((size_t)snprintf(path, sizeof(path), "%s/model.safetensors", dir) >=
        sizeof(path)) {
        rc = wn_fail(err, WN_REJECT, "%.100s...: path too long", dir);
        goto out;
    }
    rc = wn_safetensors_open(&e->file, path, err);
    if (rc != WN_OK)
        goto out;
    rc = wn_encoder_load(e, conf->precision, err);
    if (rc != WN_OK)
        goto out;

    say_what_runs(e);
    *ret = e;
    e = NULL;
out:
    wn_encoder_free(e);
    return rc;
}

static void
release(struct wn_linear *l)
{
    wn_q8_release(&l->q);
    wn_b16_release(&l->h);
}

void
wn_encoder_free(struct wn_encoder *e)
{
    if (e == NULL)
        return;
    wn_safetensors_close(e->file);
    for (size_t i = 0; e->layers != NULL && i < e->conf.shape.layers; i++) {
        release(&e->layers[i].qkv);
        release(&e->layers[i].attn_out);
        release(&e->layers[i].ffn_in);
        release(&e->layers[i].ffn_out);
    }
    free(e->floats);
    free(e->layers);
    free(e->used);
    free(e);
}

const struct wn_encoder_shape *
wn_encoder_shape(const struct wn_encoder *e)
{
    return &e->conf.shape;
}

const char *
wn_encoder_kernels(const struct wn_encoder *e)
{
    return e->runs_on;
}

const struct wn_safetensors *
wn_encoder_file(const struct wn_encoder *e)
{
    return e->file;
}

/* Hands out n bytes of the block, a cache line apart; counts where the block is
 * not there yet. */
static void *
carve(char *block, size_t *at, size_t n)
{
    char *p = block == NULL ? NULL : block + *at;

    *at += (n + 63) & ~(size_t)63;
    return p;
}

static size_t
carve_all(struct wn_workspace *w, const struct wn_encoder *e)
{
    const struct wn_encoder_shape *s = &e->conf.shape;
    size_t t = w->tokens_max, at = 0;
    size_t longest = t < s->positions ? t : s->positions;
    /* The last layer's queries of first rows lie in ffn too. */
    size_t width = s->hidden > s->ffn ? s->hidden : s->ffn;
    size_t square = longest * longest * sizeof(float);
    size_t attend = e->kernels->attend_bytes(longest, s->hidden / s->heads);

    w->x = carve(w->block, &at, t * s->hidden * sizeof(float));
    w->y = carve(w->block, &at, t * s->hidden * sizeof(float));
    w->qkv = carve(w->block, &at, t * 3 * s->hidden * sizeof(float));
    w->ffn = carve(w->block, &at, t * width * sizeof(float));
    w->scores = carve(w->block, &at, square > attend ? square : attend);
    w->codes = carve(w->block, &at, t * s->hidden);
    w->scales = carve(w->block, &at, t * sizeof(float));
    w->pooled = carve(w->block, &at, t * s->hidden * sizeof(float));
    w->offsets = carve(w->block, &at, (t + 1) * sizeof(size_t));
    w->who = carve(w->block, &at, t * sizeof(size_t));
    w->keep = carve(w->block, &at, t * sizeof(bool));
    return at;
}

enum wn_status
wn_workspace_new(struct wn_workspace **ret, const struct wn_encoder *e,
    size_t tokens_max, struct wn_err *err)
{
    struct wn_workspace *w;
    size_t n;

    if (tokens_max == 0 || tokens_max > 1 << 20)
        return wn_fail(err, WN_REJECT, "workspace: tokens not in 1..1048576");
    w = calloc(1, sizeof(*w));
    if (w == NULL)
        return wn_fail(err, WN_STOP, "workspace: out of memory");
    w->tokens_max = tokens_max;
    n = carve_all(w, e);
    w->block = aligned_alloc(64, n);
    if (w->block == NULL) {
        free(w);
        return wn_fail(err, WN_STOP, "workspace: out of memory");
    }
    carve_all(w, e);
    *ret = w;
    return WN_OK;
}

void
wn_workspace_free(struct wn_workspace *w)
{
    if (w == NULL)
        return;
    free(w->block);
    free(w);
}

/* y (T, out) = x (T, in) * w (out, in)^T; the bias is added by what follows,
 * which passes over y anyway. */
static void
multiply(const struct wn_encoder *e, const struct wn_linear *l, const float *x,
    float *y, size_t t)
{
    if (l->h.w != NULL) {
        e->kernels->multiply_bf16(&l->h, x, t, y);
        return;
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)t,
        (blasint)l->out, (blasint)l->in, 1.0f, x, (blasint)l->in, l->w,
        (blasint)l->in, 0.0f, y, (blasint)l->out);
}

/* x (H) = row `id` of the word table */
static void
read_word(const struct wn_encoder *e, int32_t id, float *x)
{
    size_t h = e->conf.shape.hidden;
    float scale;

    WN_ASSERT(id >= 0);
    WN_ASSERT((size_t)id < e->conf.shape.vocab);
    wn_tensor_floats(e->words, (size_t)id * h, h, x);
    if (e->words_scale == NULL)
        return;
    wn_tensor_floats(e->words_scale, (size_t)id, 1, &scale);
    for (size_t i = 0; i < h; i++)
        x[i] *= scale;
}

/* x (T, H) = LayerNorm(word + position + type 0) */
static void
embed(const struct wn_encoder *e, const int32_t *ids, const size_t *offsets,
    size_t n, float *x)
{
    size_t h = e->conf.shape.hidden;

    for (size_t s = 0; s < n; s++) {
        size_t len = offsets[s + 1] - offsets[s];

        for (size_t i = 0; i < len; i++) {
            float *row = x + (offsets[s] + i) * h;

            read_word(e, ids[offsets[s] + i], row);
            e->ops->add_bias(row, e->positions + i * h, 1, h);
        }
    }
    e->ops->norm(x, NULL, NULL, e->norm.gamma, e->norm.beta, e->conf.norm_eps,
        offsets[n], h);
}

/*
 * One head of one sequence: q, k, v and out are columns of wider rows.
 * scores (L, L) = softmax(q k^T / sqrt(D)); out (L, D) = scores * v
 */
static void
attend_head(const struct wn_encoder *e, float *scores, const float *q,
    size_t len, float *out)
{
    size_t h = e->conf.shape.hidden, d = h / e->conf.shape.heads;
    blasint l = (blasint)len, row = (blasint)(3 * h);

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, l, l, (blasint)d, 1.0f,
        q, row, q + h, row, 0.0f, scores, l);
    e->ops->softmax(scores, 1.0f / sqrtf((float)d), len, len);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, l, (blasint)d, l,
        1.0f, scores, l, q + 2 * h, row, 0.0f, out, (blasint)h);
}

/* y (T, H) from qkv (T, 3H), each sequence seeing itself alone */
static void
attend(const struct wn_encoder *e, struct wn_workspace *w,
    const size_t *offsets, size_t n)
{
    size_t h = e->conf.shape.hidden, heads = e->conf.shape.heads;

    for (size_t s = 0; s < n; s++) {
        const float *q = w->qkv + offsets[s] * 3 * h;
        float *out = w->y + offsets[s] * h;

        for (size_t i = 0; i < heads; i++)
            attend_head(e, w->scores, q + i * (h / heads),
                offsets[s + 1] - offsets[s], out + i * (h / heads));
    }
}

static void
activate(
    const struct wn_encoder *e, float *x, const struct wn_linear *l, size_t t)
{
    switch (e->conf.activation) {
    case WN_GELU_ERF:
        e->ops->gelu_erf(x, l->b, t, l->out);
        break;
    case WN_GELU_TANH:
        e->ops->gelu_tanh(x, l->b, t, l->out);
        break;
    case WN_RELU:
        e->ops->relu(x, l->b, t, l->out);
        break;
    }
}

/* x (T, H) through one layer in fp32, its products in bf16 where they are */
static void
run_floats(const struct wn_encoder *e, const struct wn_layer *l,
    struct wn_workspace *w)
{
    size_t t = w->offsets[w->n], h = e->conf.shape.hidden;
    float eps = e->conf.norm_eps;

    multiply(e, &l->qkv, w->x, w->qkv, t);
    e->ops->add_bias(w->qkv, l->qkv.b, t, 3 * h);
    attend(e, w, w->offsets, w->n);
    /* qkv is done with: its first T * H floats take the projection. */
    multiply(e, &l->attn_out, w->y, w->qkv, t);
    e->ops->norm(w->x, w->qkv, l->attn_out.b, l->attn_norm.gamma,
        l->attn_norm.beta, eps, t, h);
    multiply(e, &l->ffn_in, w->x, w->ffn, t);
    activate(e, w->ffn, &l->ffn_in, t);
    multiply(e, &l->ffn_out, w->ffn, w->y, t);
    e->ops->norm(w->x, w->y, l->ffn_out.b, l->ffn_norm.gamma, l->ffn_norm.beta,
        eps, t, h);
    w->coded = 0;
}

/* pooled (n, H) of the batch as it is now */
static void
pool(const struct wn_encoder *e, const struct wn_workspace *w, float *pooled)
{
    size_t h = e->conf.shape.hidden;

    for (size_t s = 0; s < w->n; s++, pooled += h) {
        size_t len = w->offsets[s + 1] - w->offsets[s];
        const float *row = w->x + (w->rows ? s : w->offsets[s]) * h;

        memcpy(pooled, row, h * sizeof(*pooled));
        if (e->conf.shape.pooling == WN_POOL_CLS)
            continue;
        for (size_t i = 1; i < len; i++)
            e->ops->add_bias(pooled, row + i * h, 1, h);
        for (size_t i = 0; i < h; i++)
            pooled[i] /= (float)len;
    }
}

/* --- sequences that leave early --- */

static void
move_rows(const struct wn_encoder *e, struct wn_workspace *w, size_t to,
    size_t from, size_t n)
{
    size_t h = e->conf.shape.hidden;

    memmove(w->x + to * h, w->x + from * h, n * h * sizeof(*w->x));
    memmove(w->codes + to * h, w->codes + from * h, n * h);
    memmove(w->scales + to, w->scales + from, n * sizeof(*w->scales));
}

/* What keep[] says stays, back to back. */
static void
compact(const struct wn_encoder *e, struct wn_workspace *w)
{
    size_t n = 0, t = 0;

    for (size_t s = 0; s < w->n; s++) {
        size_t first = w->offsets[s], len = w->offsets[s + 1] - first;

        if (!w->keep[s])
            continue;
        if (t != first)
            move_rows(e, w, t, first, len);
        w->who[n] = w->who[s];
        w->offsets[n++] = t;
        t += len;
    }
    w->n = n;
    w->offsets[n] = t;
}

static void
ask_exits(const struct wn_encoder *e, struct wn_workspace *w, size_t layer,
    const struct wn_exits *exits, float *pooled)
{
    size_t h = e->conf.shape.hidden;
    bool all = true;

    pool(e, w, w->pooled);
    for (size_t s = 0; s < w->n; s++)
        w->keep[s] = true;
    exits->ask(exits->arg, layer, w->pooled, w->who, w->n, w->keep);
    for (size_t s = 0; s < w->n; s++) {
        if (w->keep[s])
            continue;
        memcpy(pooled + w->who[s] * h, w->pooled + s * h, h * sizeof(*pooled));
        all = false;
    }
    if (!all)
        compact(e, w);
}

/* --- a batch --- */

/* The caller's own mistakes: batches are made by us, never read. */
static void
check_batch(const struct wn_encoder *e, const struct wn_workspace *w,
    const size_t *offsets, size_t n)
{
    WN_ASSERT(offsets[0] == 0);
    WN_ASSERT(offsets[n] <= w->tokens_max);
    for (size_t s = 0; s < n; s++) {
        WN_ASSERT(offsets[s] < offsets[s + 1]);
        WN_ASSERT(offsets[s + 1] - offsets[s] <= e->conf.shape.positions);
    }
}

static void
begin(const struct wn_encoder *e, struct wn_workspace *w, const int32_t *ids,
    const size_t *offsets, size_t n)
{
    check_batch(e, w, offsets, n);
    memcpy(w->offsets, offsets, (n + 1) * sizeof(*offsets));
    for (size_t s = 0; s < n; s++)
        w->who[s] = s;
    w->n = n;
    w->coded = 0;
    w->rows = false;
    embed(e, ids, offsets, n, w->x);
}

/* last_all: every row of the last layer is asked for. */
static void
run_layer(
    const struct wn_encoder *e, struct wn_workspace *w, size_t i, bool last_all)
{
    const struct wn_layer *l = &e->layers[i];
    bool first_rows = i + 1 == e->conf.shape.layers && !last_all &&
                      e->conf.shape.pooling == WN_POOL_CLS;

    if (l->precision <= WN_BFLOAT16)
        run_floats(e, l, w);
    else
        wn_encoder_run_int8(e, l, w, first_rows);
}

void
wn_encoder_run(const struct wn_encoder *e, struct wn_workspace *w,
    const int32_t *ids, const size_t *offsets, size_t n, float *pooled,
    float *hidden_out)
{
    if (n == 0)
        return;
    begin(e, w, ids, offsets, n);
    for (size_t i = 0; i < e->conf.shape.layers; i++)
        run_layer(e, w, i, hidden_out != NULL);
    pool(e, w, pooled);
    if (hidden_out != NULL)
        memcpy(hidden_out, w->x,
            offsets[n] * e->conf.shape.hidden * sizeof(*hidden_out));
}

void
wn_encoder_run_exits(const struct wn_encoder *e, struct wn_workspace *w,
    const int32_t *ids, const size_t *offsets, size_t n,
    const struct wn_exits *exits, float *pooled)
{
    size_t h = e->conf.shape.hidden, layers = e->conf.shape.layers;

    if (n == 0)
        return;
    begin(e, w, ids, offsets, n);
    for (size_t i = 0; i < layers && w->n > 0; i++) {
        run_layer(e, w, i, false);
        if (i + 1 < layers && i < WN_EXIT_LAYER_MAX &&
            (exits->after >> i & 1) != 0)
            ask_exits(e, w, i, exits, pooled);
    }
    pool(e, w, w->pooled);
    for (size_t s = 0; s < w->n; s++)
        memcpy(pooled + w->who[s] * h, w->pooled + s * h, h * sizeof(*pooled));
}

/* y (n, H) = tanh of the pooler, or ReLU of DistilBERT's pre_classifier */
static void
run_pooler(const struct wn_encoder *e, const float *cls, float *y, size_t n)
{
    size_t h = e->conf.shape.hidden;

    multiply(e, &e->pooler, cls, y, n);
    if (e->conf.family == WN_DISTILBERT) {
        e->ops->relu(y, e->pooler.b, n, h);
        return;
    }
    e->ops->add_bias(y, e->pooler.b, n, h);
    for (size_t i = 0; i < n * h; i++)
        y[i] = tanhf(y[i]);
}

void
wn_encoder_logits(const struct wn_encoder *e, struct wn_workspace *w,
    const float *hidden, const size_t *offsets, size_t n, float *logits)
{
    size_t h = e->conf.shape.hidden;

    WN_ASSERT(e->conf.shape.labels > 0);
    if (n == 0)
        return;
    check_batch(e, w, offsets, n);
    for (size_t s = 0; s < n; s++)
        memcpy(w->x + s * h, hidden + offsets[s] * h, h * sizeof(*hidden));
    run_pooler(e, w->x, w->y, n);
    multiply(e, &e->classifier, w->y, logits, n);
    e->ops->add_bias(logits, e->classifier.b, n, e->classifier.out);
}
