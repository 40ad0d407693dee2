/*
 * From a weight file's tensors to the encoder's arrays.
 *
 * Every tensor is found by its name as the family spells it, behind one of the
 * known prefixes, and its shape is compared with config.json's. What stays in
 * fp32 is converted into one block whose size is computed first; matrices of
 * other layers pass through scratch to be packed. A number that is NaN or
 * infinite is refused where it is read, but for those of a word table in
 * floats, of which a batch reads a few rows. Tensors that are not asked
 * for (position_ids, heads of other tasks) are left alone, but layers beyond
 * those of config.json are an error.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/encoder_int.h"

#define NAME_MAX_LEN WN_TENSOR_NAME_MAX

static float *
take(struct wn_encoder *e, size_t n)
{
    float *p = e->floats + e->floats_n;

    /* Rows of 16 floats: what follows begins on a cache line. */
    n = (n + 15) & ~(size_t)15;
    WN_ASSERT(n <= e->floats_max - e->floats_n);
    e->floats_n += n;
    return p;
}

static enum wn_status
bad(const struct wn_encoder *e, const char *name, const char *why,
    struct wn_err *err)
{
    return wn_fail(err, WN_REJECT, "%s: tensor '%s': %s",
        wn_safetensors_name(e->file), name, why);
}

/* The tensor of that name and shape; cols 0 means a vector. */
static enum wn_status
find(const struct wn_encoder *e, const char *name, size_t rows, size_t cols,
    const struct wn_tensor **ret, struct wn_err *err)
{
    const struct wn_tensor *t = wn_safetensors_find(e->file, name);

    if (t == NULL)
        return bad(e, name, "is missing", err);
    if (t->rank != (cols == 0 ? 1u : 2u) || t->shape[0] != rows ||
        (cols != 0 && t->shape[1] != cols))
        return bad(e, name, "shape is not what config.json says", err);
    if (t->dtype == WN_U8 || t->dtype == WN_I32 || t->dtype == WN_I64)
        return bad(e, name, "dtype is not one of weights", err);
    e->used[t - wn_safetensors_at(e->file, 0)] = true;
    *ret = t;
    return WN_OK;
}

static bool
are_finite(const float *x, size_t n)
{
    bool all = true;

    for (size_t i = 0; i < n; i++)
        all &= fabsf(x[i]) <= FLT_MAX;
    return all;
}

/* The scales of an I8 matrix: "<name>.scale", F32, one a row. */
static enum wn_status
find_scale(const struct wn_encoder *e, const char *name,
    const struct wn_tensor *t, const struct wn_tensor **ret, struct wn_err *err)
{
    char scale[NAME_MAX_LEN + 8];
    enum wn_status rc;
    float s;

    *ret = NULL;
    if (t->dtype != WN_I8)
        return WN_OK;
    if (t->rank != 2)
        return bad(e, name, "an I8 vector", err);
    snprintf(scale, sizeof(scale), "%s.scale", name);
    rc = find(e, scale, t->shape[0], 0, ret, err);
    if (rc == WN_OK && (*ret)->dtype != WN_F32)
        rc = bad(e, scale, "is not F32", err);
    for (size_t r = 0; rc == WN_OK && r < t->shape[0]; r++) {
        wn_tensor_floats(*ret, r, 1, &s);
        if (!are_finite(&s, 1))
            rc = bad(e, scale, "a number in it is NaN or infinite", err);
    }
    return rc;
}

static enum wn_status
load(const struct wn_encoder *e, const char *name, size_t rows, size_t cols,
    float *out, struct wn_err *err)
{
    const struct wn_tensor *t, *scale;
    enum wn_status rc;
    float s;

    rc = find(e, name, rows, cols, &t, err);
    if (rc == WN_OK)
        rc = find_scale(e, name, t, &scale, err);
    if (rc != WN_OK)
        return rc;
    wn_tensor_floats(t, 0, t->n, out);
    for (size_t r = 0; scale != NULL && r < rows; r++) {
        wn_tensor_floats(scale, r, 1, &s);
        for (size_t c = 0; c < cols; c++)
            out[r * cols + c] *= s;
    }
    if (!are_finite(out, t->n))
        return bad(e, name, "a number in it is NaN or infinite", err);
    return WN_OK;
}

/* scratch: where weights are until they are packed, as int8 or bf16; NULL: they
 * stay as floats. */
static void
alloc_linear(struct wn_encoder *e, struct wn_linear *l, size_t out, size_t in,
    float *scratch)
{
    l->out = out;
    l->in = in;
    l->w = scratch != NULL ? scratch : take(e, out * in);
    l->b = take(e, out);
}

/* Rows [first, first + rows) of l are base.weight and base.bias. */
static enum wn_status
load_rows(const struct wn_encoder *e, struct wn_linear *l, size_t first,
    size_t rows, const char *base, struct wn_err *err)
{
    char name[NAME_MAX_LEN];
    enum wn_status rc;

    snprintf(name, sizeof(name), "%s.weight", base);
    rc = load(e, name, rows, l->in, l->w + first * l->in, err);
    if (rc != WN_OK)
        return rc;
    snprintf(name, sizeof(name), "%s.bias", base);
    return load(e, name, rows, 0, l->b + first, err);
}

static enum wn_status
load_linear(struct wn_encoder *e, struct wn_linear *l, size_t out, size_t in,
    const char *base, struct wn_err *err)
{
    alloc_linear(e, l, out, in, NULL);
    return load_rows(e, l, 0, out, base, err);
}

/* Old files say gamma and beta for weight and bias. */
static enum wn_status
load_norm(struct wn_encoder *e, struct wn_norm *norm, const char *base,
    struct wn_err *err)
{
    size_t h = e->conf.shape.hidden;
    char name[NAME_MAX_LEN];
    enum wn_status rc;
    bool old;

    norm->gamma = take(e, h);
    norm->beta = take(e, h);
    snprintf(name, sizeof(name), "%s.gamma", base);
    old = wn_safetensors_find(e->file, name) != NULL;
    if (!old)
        snprintf(name, sizeof(name), "%s.weight", base);
    rc = load(e, name, h, 0, norm->gamma, err);
    if (rc != WN_OK)
        return rc;
    snprintf(name, sizeof(name), "%s.%s", base, old ? "beta" : "bias");
    return load(e, name, h, 0, norm->beta, err);
}

/* Part names of a layer in the two families. */
enum part {
    LAYER,
    QUERY,
    KEY,
    VALUE,
    ATTN_OUT,
    ATTN_NORM,
    FFN_IN,
    FFN_OUT,
    FFN_NORM
};
static const char *const parts[][2] = {
    [LAYER] = { "encoder.layer", "transformer.layer" },
    [QUERY] = { "attention.self.query", "attention.q_lin" },
    [KEY] = { "attention.self.key", "attention.k_lin" },
    [VALUE] = { "attention.self.value", "attention.v_lin" },
    [ATTN_OUT] = { "attention.output.dense", "attention.out_lin" },
    [ATTN_NORM] = { "attention.output.LayerNorm", "sa_layer_norm" },
    [FFN_IN] = { "intermediate.dense", "ffn.lin1" },
    [FFN_OUT] = { "output.dense", "ffn.lin2" },
    [FFN_NORM] = { "output.LayerNorm", "output_layer_norm" },
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static const char *
part_name(const struct wn_encoder *e, size_t layer, enum part part,
    char out[NAME_MAX_LEN])
{
    bool distil = e->conf.family == WN_DISTILBERT;

    snprintf(out, NAME_MAX_LEN, "%s%s.%zu.%s", e->prefix, parts[LAYER][distil],
        layer, parts[part][distil]);
    return out;
}

/* --- a name of the file, as BERT has it --- */

/* p behind `start` and a dot; NULL where it does not begin so. */
static const char *
behind(const char *p, const char *start)
{
    size_t len = strlen(start);

    return strncmp(p, start, len) == 0 && p[len] == '.' ? p + len + 1 : NULL;
}

/* "weight" and "bias", which old files call otherwise. */
static const char *
kind_name(const char *kind)
{
    if (strcmp(kind, "weight") == 0 || strcmp(kind, "gamma") == 0)
        return "weight";
    if (strcmp(kind, "bias") == 0 || strcmp(kind, "beta") == 0)
        return "bias";
    return NULL;
}

static bool
bert_layer_name(
    const char *rest, bool distil, char ret[NAME_MAX_LEN], size_t *ret_layer)
{
    char *end;
    unsigned long long layer = strtoull(rest, &end, 10);

    if (end == rest || *end != '.')
        return false;
    for (size_t p = QUERY; p < PARTS; p++) {
        const char *kind = behind(end + 1, parts[p][distil]);

        if (kind == NULL || (kind = kind_name(kind)) == NULL)
            continue;
        snprintf(ret, NAME_MAX_LEN, "%s.%llu.%s.%s", parts[LAYER][0], layer,
            parts[p][0], kind);
        *ret_layer = (size_t)layer;
        return true;
    }
    return false;
}

bool
wn_encoder_bert_name(const struct wn_encoder *e, const char *name,
    char ret[NAME_MAX_LEN], size_t *ret_layer)
{
    static const char *const tables[] = { "word_embeddings",
        "position_embeddings", "token_type_embeddings", "LayerNorm" };
    bool distil = e->conf.family == WN_DISTILBERT;
    const char *rest;

    if (strncmp(name, e->prefix, strlen(e->prefix)) != 0)
        return false;
    name += strlen(e->prefix);
    rest = behind(name, parts[LAYER][distil]);
    if (rest != NULL)
        return bert_layer_name(rest, distil, ret, ret_layer);
    rest = behind(name, "embeddings");
    for (size_t i = 0; rest != NULL && i < 4; i++) {
        const char *kind = behind(rest, tables[i]);

        if (kind == NULL || (kind = kind_name(kind)) == NULL)
            continue;
        snprintf(ret, NAME_MAX_LEN, "embeddings.%s.%s", tables[i], kind);
        *ret_layer = SIZE_MAX;
        return true;
    }
    return false;
}

/* --- a layer --- */

/* What loading a layer needs: its matrices pass through scratch one by one
 * where they are packed. */
struct loading {
    struct wn_encoder *e;
    struct wn_layer *l;
    size_t i;
    float *scratch; /* NULL: the layer stays in fp32 */
};

static enum wn_status
pack(const struct loading *in, struct wn_linear *l, bool after_activation,
    const char *name, struct wn_err *err)
{
    enum wn_status rc;

    if (in->scratch == NULL)
        return WN_OK;
    if (in->l->precision == WN_BFLOAT16)
        rc = wn_b16_pack(&l->h, l->w, l->out, l->in, err);
    else
        rc = wn_encoder_pack(in->e, l, in->l->precision, after_activation, err);
    l->w = NULL;
    return rc == WN_OK ? WN_OK : wn_fail_in(err, rc, "%s", name);
}

/* softmax by powers of two, of scores that the queries have scaled already */
static void
scale_queries(const struct wn_encoder *e, struct wn_linear *qkv)
{
    size_t h = e->conf.shape.hidden;
    float by =
        1.44269504088896340736f / sqrtf((float)(h / e->conf.shape.heads));

    for (size_t i = 0; i < h * h; i++)
        qkv->w[i] *= by;
    for (size_t i = 0; i < h; i++)
        qkv->b[i] *= by;
}

static enum wn_status
load_qkv(const struct loading *in, struct wn_err *err)
{
    static const enum part order[] = { QUERY, KEY, VALUE };
    struct wn_linear *qkv = &in->l->qkv;
    size_t h = in->e->conf.shape.hidden;
    char name[NAME_MAX_LEN];
    enum wn_status rc = WN_OK;

    alloc_linear(in->e, qkv, 3 * h, h, in->scratch);
    for (size_t i = 0; i < 3 && rc == WN_OK; i++)
        rc = load_rows(
            in->e, qkv, i * h, h, part_name(in->e, in->i, order[i], name), err);
    if (rc == WN_OK && in->l->precision > WN_BFLOAT16)
        scale_queries(in->e, qkv);
    return rc == WN_OK ? pack(in, qkv, false, name, err) : rc;
}

static enum wn_status
load_part(const struct loading *in, struct wn_linear *l, size_t out,
    size_t cols, enum part part, struct wn_err *err)
{
    char name[NAME_MAX_LEN];
    enum wn_status rc;

    alloc_linear(in->e, l, out, cols, in->scratch);
    part_name(in->e, in->i, part, name);
    rc = load_rows(in->e, l, 0, out, name, err);
    return rc == WN_OK ? pack(in, l, part == FFN_OUT, name, err) : rc;
}

static enum wn_status
load_layer(struct wn_encoder *e, size_t i, float *scratch, struct wn_err *err)
{
    struct wn_layer *l = &e->layers[i];
    struct loading in = { e, l, i, l->precision == WN_FP32 ? NULL : scratch };
    size_t h = e->conf.shape.hidden, f = e->conf.shape.ffn;
    char name[NAME_MAX_LEN];
    enum wn_status rc;

    rc = load_qkv(&in, err);
    if (rc == WN_OK)
        rc = load_part(&in, &l->attn_out, h, h, ATTN_OUT, err);
    if (rc == WN_OK)
        rc = load_norm(e, &l->attn_norm, part_name(e, i, ATTN_NORM, name), err);
    if (rc == WN_OK)
        rc = load_part(&in, &l->ffn_in, f, h, FFN_IN, err);
    if (rc == WN_OK)
        rc = load_part(&in, &l->ffn_out, h, f, FFN_OUT, err);
    if (rc == WN_OK)
        rc = load_norm(e, &l->ffn_norm, part_name(e, i, FFN_NORM, name), err);
    return rc;
}

/* What the folder asks for, at least what the caller does; fp32 where the
 * kernels do not fit the shape. */
static void
choose_precisions(struct wn_encoder *e, enum wn_precision asked)
{
    const struct wn_encoder_shape *s = &e->conf.shape;
    bool fit = wn_kernels_fit(s->hidden, s->heads, s->ffn);

    for (size_t i = 0; i < s->layers; i++) {
        enum wn_precision own = e->conf.precision[i];

        e->layers[i].precision = !fit ? WN_FP32 : own < asked ? own : asked;
    }
}

static enum wn_status
load_layers(struct wn_encoder *e, struct wn_err *err)
{
    size_t h = e->conf.shape.hidden, f = e->conf.shape.ffn;
    size_t most = f > 3 * h ? f * h : 3 * h * h;
    float *scratch = malloc(most * sizeof(*scratch));
    enum wn_status rc = WN_OK;

    if (scratch == NULL)
        return wn_fail(err, WN_STOP, "encoder: out of memory");
    for (size_t i = 0; i < e->conf.shape.layers && rc == WN_OK; i++)
        rc = load_layer(e, i, scratch, err);
    free(scratch);
    return rc;
}

static enum wn_status
find_prefix(struct wn_encoder *e, struct wn_err *err)
{
    static const char *const known[] = { "", "bert.", "distilbert.",
        "roberta." };
    char name[NAME_MAX_LEN];

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        snprintf(name, sizeof(name), "%sembeddings.word_embeddings.weight",
            known[i]);
        if (wn_safetensors_find(e->file, name) == NULL)
            continue;
        snprintf(e->prefix, sizeof(e->prefix), "%s", known[i]);
        return WN_OK;
    }
    return bad(e, "embeddings.word_embeddings.weight", "is missing", err);
}

/* A config.json that says fewer layers than the file has would load, and be
 * another network without a word. */
static enum wn_status
check_layers(const struct wn_encoder *e, struct wn_err *err)
{
    char start[NAME_MAX_LEN];
    size_t len, layers = e->conf.shape.layers;

    len = (size_t)snprintf(start, sizeof(start), "%s%s.", e->prefix,
        parts[LAYER][e->conf.family == WN_DISTILBERT]);
    for (size_t i = 0; i < wn_safetensors_n(e->file); i++) {
        const char *name = wn_safetensors_at(e->file, i)->name;

        if (strncmp(name, start, len) != 0 || name[len] < '0' ||
            name[len] > '9' || strtoull(name + len, NULL, 10) < layers)
            continue;
        return wn_fail(err, WN_REJECT,
            "%s: tensor '%.100s': config.json says %zu layers",
            wn_safetensors_name(e->file), name, layers);
    }
    return WN_OK;
}

static enum wn_status
load_embeddings(struct wn_encoder *e, struct wn_err *err)
{
    const struct wn_encoder_shape *s = &e->conf.shape;
    size_t rows = e->conf.position_first + s->positions;
    char name[NAME_MAX_LEN], *end;
    enum wn_status rc;
    float *types;

    end = name + snprintf(name, sizeof(name), "%sembeddings.", e->prefix);
    strcpy(end, "word_embeddings.weight");
    rc = find(e, name, s->vocab, s->hidden, &e->words, err);
    if (rc == WN_OK)
        rc = find_scale(e, name, e->words, &e->words_scale, err);
    if (rc != WN_OK)
        return rc;
    strcpy(end, "position_embeddings.weight");
    e->positions = take(e, rows * s->hidden);
    rc = load(e, name, rows, s->hidden, e->positions, err);
    e->positions += e->conf.position_first * s->hidden;
    if (rc == WN_OK && e->conf.family != WN_DISTILBERT) {
        strcpy(end, "token_type_embeddings.weight");
        types = take(e, s->types * s->hidden);
        rc = load(e, name, s->types, s->hidden, types, err);
        /* Every token is of type 0: one sequence a row. */
        if (rc == WN_OK)
            e->ops->add_bias(e->positions, types, s->positions, s->hidden);
    }
    if (rc != WN_OK)
        return rc;
    strcpy(end, "LayerNorm");
    return load_norm(e, &e->norm, name, err);
}

/* The last layer of the classification head, and the one before it. */
static const char *
classifier_name(const struct wn_encoder *e)
{
    return e->conf.family == WN_ROBERTA ? "classifier.out_proj" : "classifier";
}

static void
pooler_name(const struct wn_encoder *e, char out[NAME_MAX_LEN])
{
    switch (e->conf.family) {
    case WN_BERT:
        snprintf(out, NAME_MAX_LEN, "%spooler.dense", e->prefix);
        break;
    case WN_DISTILBERT:
        strcpy(out, "pre_classifier");
        break;
    case WN_ROBERTA:
        strcpy(out, "classifier.dense");
        break;
    }
}

/* Is there a layer between the first row and the classifier? One without it
 * judges tokens, not texts. */
static bool
has_pooler(const struct wn_encoder *e)
{
    char base[NAME_MAX_LEN], name[NAME_MAX_LEN + 8];
    bool found;

    pooler_name(e, base);
    snprintf(name, sizeof(name), "%s.weight", base);
    found = wn_safetensors_find(e->file, name) != NULL;
    snprintf(name, sizeof(name), "%s.bias", base);
    return found || wn_safetensors_find(e->file, name) != NULL;
}

/* config.json's labels count only where the file has a classifier. */
static enum wn_status
count_labels(struct wn_encoder *e, struct wn_err *err)
{
    const struct wn_tensor *t;
    char name[NAME_MAX_LEN];
    size_t said = e->conf.shape.labels;

    snprintf(name, sizeof(name), "%s.weight", classifier_name(e));
    t = wn_safetensors_find(e->file, name);
    e->conf.shape.labels = 0;
    if (t == NULL || !has_pooler(e))
        return WN_OK;
    if (t->rank != 2 || t->shape[0] == 0 || t->shape[0] > 4096 ||
        (said != 0 && said != t->shape[0]))
        return bad(e, name, "rows are not the labels of config.json", err);
    e->conf.shape.labels = t->shape[0];
    return WN_OK;
}

static enum wn_status
load_head(struct wn_encoder *e, struct wn_err *err)
{
    size_t h = e->conf.shape.hidden;
    char name[NAME_MAX_LEN];
    enum wn_status rc;

    if (e->conf.shape.labels == 0)
        return WN_OK;
    pooler_name(e, name);
    rc = load_linear(e, &e->pooler, h, h, name, err);
    if (rc != WN_OK)
        return rc;
    return load_linear(
        e, &e->classifier, e->conf.shape.labels, h, classifier_name(e), err);
}

/* An upper bound: all the sizes below plus 16 floats of rounding each. The
 * limits of config.c keep the products far below 2^64. */
static size_t
count_floats(const struct wn_encoder *e)
{
    const struct wn_encoder_shape *s = &e->conf.shape;
    size_t h = s->hidden, f = s->ffn;
    size_t rows = e->conf.position_first + s->positions + s->types + 2;
    size_t n = rows * h;

    n += h * h + h + s->labels * (h + 1) + 8 * 16;
    for (size_t i = 0; i < s->layers; i++) {
        n += 9 * h + f + 12 * 16;
        if (e->layers[i].precision == WN_FP32)
            n += 4 * h * h + 2 * h * f;
    }
    return n;
}

/* A config.json that promises more than the file holds must not make us
 * allocate for it: an element is at least one byte of the file. */
static enum wn_status
alloc_floats(
    struct wn_encoder *e, enum wn_precision precision, struct wn_err *err)
{
    const struct wn_encoder_shape *s = &e->conf.shape;
    size_t held = 0, layers, bytes;

    for (size_t i = 0; i < wn_safetensors_n(e->file); i++)
        held += wn_safetensors_at(e->file, i)->n;
    layers = s->layers * (4 * s->hidden * s->hidden + 2 * s->hidden * s->ffn);
    if (layers + (s->positions + s->vocab) * s->hidden > held)
        return wn_fail(err, WN_REJECT,
            "%s: holds fewer numbers than config.json says",
            wn_safetensors_name(e->file));
    e->layers = calloc(s->layers, sizeof(*e->layers));
    e->used = calloc(wn_safetensors_n(e->file), sizeof(*e->used));
    if (e->layers == NULL || e->used == NULL)
        return wn_fail(err, WN_STOP, "encoder: out of memory");
    choose_precisions(e, precision);
    e->floats_max = count_floats(e);
    bytes = (e->floats_max * sizeof(float) + 63) & ~(size_t)63;
    e->floats = aligned_alloc(64, bytes);
    if (e->floats == NULL)
        return wn_fail(err, WN_STOP, "encoder: out of memory");
    return WN_OK;
}

enum wn_status
wn_encoder_load(
    struct wn_encoder *e, enum wn_precision precision, struct wn_err *err)
{
    enum wn_status rc;

    rc = find_prefix(e, err);
    if (rc == WN_OK)
        rc = check_layers(e, err);
    if (rc == WN_OK)
        rc = count_labels(e, err);
    if (rc == WN_OK)
        rc = alloc_floats(e, precision, err);
    if (rc == WN_OK)
        rc = load_embeddings(e, err);
    if (rc == WN_OK)
        rc = load_layers(e, err);
    if (rc == WN_OK)
        rc = load_head(e, err);
    return rc;
}
