/*
 * The forward pass.
 *
 * Any number of threads share an encoder; each has its own workspace, sized
 * at birth, so a batch does not call malloc. The time goes into six matrix
 * products a layer, which OpenBLAS does with one thread: the service has one
 * scorer a core, and two levels of threads would only wait for each other.
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

enum wn_status
wn_encoder_open(struct wn_encoder **ret, const char *dir, struct wn_err *err)
{
    struct wn_encoder *e = calloc(1, sizeof(*e));
    char path[PATH_MAX];
    enum wn_status rc;

    pthread_once(&blas_once, blas_setup);
    if (e == NULL) {
        rc = wn_fail(err, WN_STOP, "encoder: out of memory");
        goto out;
    }
    e->ops = wn_ops_get();
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
    rc = wn_encoder_load(e, err);
    if (rc != WN_OK)
        goto out;

    *ret = e;
    e = NULL;
out:
    wn_encoder_free(e);
    return rc;
}

void
wn_encoder_free(struct wn_encoder *e)
{
    if (e == NULL)
        return;
    wn_safetensors_close(e->file);
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

const struct wn_safetensors *
wn_encoder_file(const struct wn_encoder *e)
{
    return e->file;
}

/* Hands out n floats of the block, a cache line apart; counts where the block
 * is not there yet. */
static float *
carve(float *block, size_t *at, size_t n)
{
    float *p = block == NULL ? NULL : block + *at;

    *at += (n + 15) & ~(size_t)15;
    return p;
}

static size_t
carve_all(struct wn_workspace *w, const struct wn_encoder_shape *s)
{
    size_t t = w->tokens_max, at = 0;
    size_t longest = t < s->positions ? t : s->positions;
    size_t width = s->labels > s->ffn ? s->labels : s->ffn;

    w->x = carve(w->block, &at, t * s->hidden);
    w->y = carve(w->block, &at, t * s->hidden);
    w->qkv = carve(w->block, &at, t * 3 * s->hidden);
    w->ffn = carve(w->block, &at, t * width);
    w->scores = carve(w->block, &at, longest * longest);
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
    n = carve_all(w, &e->conf.shape);
    w->block = aligned_alloc(64, n * sizeof(float));
    if (w->block == NULL) {
        free(w);
        return wn_fail(err, WN_STOP, "workspace: out of memory");
    }
    carve_all(w, &e->conf.shape);
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
multiply(const struct wn_linear *l, const float *x, float *y, size_t t)
{
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

/* x (T, H) through one layer */
static void
run_layer(const struct wn_encoder *e, const struct wn_layer *l,
    struct wn_workspace *w, const size_t *offsets, size_t n)
{
    size_t t = offsets[n], h = e->conf.shape.hidden;
    float eps = e->conf.norm_eps;

    multiply(&l->qkv, w->x, w->qkv, t);
    e->ops->add_bias(w->qkv, l->qkv.b, t, 3 * h);
    attend(e, w, offsets, n);
    /* qkv is done with: its first T * H floats take the projection. */
    multiply(&l->attn_out, w->y, w->qkv, t);
    e->ops->norm(w->x, w->qkv, l->attn_out.b, l->attn_norm.gamma,
        l->attn_norm.beta, eps, t, h);
    multiply(&l->ffn_in, w->x, w->ffn, t);
    activate(e, w->ffn, &l->ffn_in, t);
    multiply(&l->ffn_out, w->ffn, w->y, t);
    e->ops->norm(w->x, w->y, l->ffn_out.b, l->ffn_norm.gamma, l->ffn_norm.beta,
        eps, t, h);
}

/* pooled (n, H) */
static void
pool(const struct wn_encoder *e, const float *x, const size_t *offsets,
    size_t n, float *pooled)
{
    size_t h = e->conf.shape.hidden;

    for (size_t s = 0; s < n; s++, pooled += h) {
        size_t len = offsets[s + 1] - offsets[s];
        const float *row = x + offsets[s] * h;

        memcpy(pooled, row, h * sizeof(*pooled));
        if (e->conf.shape.pooling == WN_POOL_CLS)
            continue;
        for (size_t i = 1; i < len; i++)
            e->ops->add_bias(pooled, row + i * h, 1, h);
        for (size_t i = 0; i < h; i++)
            pooled[i] /= (float)len;
    }
}

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

void
wn_encoder_run(const struct wn_encoder *e, struct wn_workspace *w,
    const int32_t *ids, const size_t *offsets, size_t n, float *pooled,
    float *hidden_out)
{
    if (n == 0)
        return;
    check_batch(e, w, offsets, n);
    embed(e, ids, offsets, n, w->x);
    for (size_t i = 0; i < e->conf.shape.layers; i++)
        run_layer(e, &e->layers[i], w, offsets, n);
    pool(e, w->x, offsets, n, pooled);
    if (hidden_out != NULL)
        memcpy(hidden_out, w->x,
            offsets[n] * e->conf.shape.hidden * sizeof(*hidden_out));
}

/* y (n, H) = tanh of BERT's pooler or ReLU of DistilBERT's pre_classifier */
static void
run_pooler(const struct wn_encoder *e, const float *cls, float *y, size_t n)
{
    size_t h = e->conf.shape.hidden;

    multiply(&e->pooler, cls, y, n);
    if (e->conf.distil) {
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
    multiply(&e->classifier, w->y, logits, n);
    e->ops->add_bias(logits, e->classifier.b, n, e->classifier.out);
}
