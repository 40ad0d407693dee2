/*
 * Writing an encoder as a BERT; see bert.h.
 *
 * The tensors are gone through in the order of the file, F32 first in the new
 * one, so that each is aligned. Their numbers are made row by row while they
 * are written: nothing of the size of a table is held.
 */
#include "model/bert.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "model/encoder_int.h"

/* Where the numbers of a new tensor are. */
struct from {
    const struct wn_tensor *t, *scale; /* scale: of I8, one a row */
    const int32_t *rows;               /* NULL: those from `first` on */
    size_t first;
};

struct output {
    const struct wn_encoder *e;
    const struct wn_bert *b;
    struct wn_arena arena;
    struct wn_tensor *tensors; /* the new file's */
    struct from *from;         /* of each        */
    size_t n;
    float *part; /* (WN_TENSOR_PART), before they become F16 */
    struct wn_bert_rest rest;
};

static enum wn_status
no_memory(struct wn_err *err)
{
    return wn_fail(err, WN_STOP, "encoder: out of memory");
}

/* --- what there will be --- */

static size_t
layers_n(const struct wn_encoder *e, const struct wn_bert *b)
{
    return b->layers == NULL ? e->conf.shape.layers : b->layers_n;
}

static size_t
words_n(const struct wn_encoder *e, const struct wn_bert *b)
{
    return b->words == NULL ? e->conf.shape.vocab : b->words_n;
}

/* The place of layer `old` among those that stay; SIZE_MAX: it does not. */
static size_t
new_layer(const struct wn_bert *b, size_t old)
{
    if (b->layers == NULL)
        return old;
    for (size_t i = 0; i < b->layers_n; i++)
        if (b->layers[i] == old)
            return i;
    return SIZE_MAX;
}

static enum wn_dtype
new_dtype(const struct wn_bert *b, const struct wn_tensor *t)
{
    return b->dtype != NULL ? *b->dtype : t->dtype == WN_F16 ? WN_F16 : WN_F32;
}

static bool
is(const char *name, const char *table)
{
    return strcmp(name, table) == 0;
}

/* t as it will be; `rows` of its own count. */
static enum wn_status
add(struct output *o, const char *prefix, const char *name,
    const struct from *from, size_t rows, struct wn_err *err)
{
    const struct wn_tensor *t = from->t;
    struct wn_tensor *to = &o->tensors[o->n];

    *to = *t;
    to->dtype = new_dtype(o->b, t);
    to->shape[0] = rows;
    to->n = t->rank == 2 ? rows * t->shape[1] : rows;
    to->data = NULL;
    to->name = wn_arena_printf(&o->arena, "%s%s", prefix, name);
    o->from[o->n++] = *from;
    return to->name == NULL ? no_memory(err) : WN_OK;
}

static const struct wn_tensor *
scale_of(const struct wn_encoder *e, const struct wn_tensor *t)
{
    char name[WN_TENSOR_NAME_MAX + 8];

    if (t->dtype != WN_I8)
        return NULL;
    snprintf(name, sizeof(name), "%s.scale", t->name);
    return wn_safetensors_find(e->file, name);
}

/* "encoder.layer.5.output..." -> "encoder.layer.3.output..." */
static void
set_layer(char name[WN_TENSOR_NAME_MAX], size_t layer)
{
    static const char start[] = "encoder.layer.";
    char rest[WN_TENSOR_NAME_MAX];

    snprintf(rest, sizeof(rest), "%s", strchr(name + sizeof(start) - 1, '.'));
    snprintf(name, WN_TENSOR_NAME_MAX, "%s%zu%.120s", start, layer, rest);
}

/* A tensor of the encoder. */
static enum wn_status
add_own(struct output *o, const struct wn_tensor *t,
    char name[WN_TENSOR_NAME_MAX], size_t layer, struct wn_err *err)
{
    const struct wn_config *conf = &o->e->conf;
    struct from from = { .t = t, .scale = scale_of(o->e, t) };
    size_t rows = t->shape[0];

    if (layer != SIZE_MAX) {
        layer = new_layer(o->b, layer);
        if (layer == SIZE_MAX)
            return WN_OK;
        set_layer(name, layer);
    } else if (is(name, "embeddings.word_embeddings.weight")) {
        rows = words_n(o->e, o->b);
        from.rows = o->b->words;
    } else if (is(name, "embeddings.position_embeddings.weight")) {
        rows = conf->shape.positions;
        from.first = conf->position_first;
    }
    return add(o, o->b->prefix, name, &from, rows, err);
}

static bool
is_scale(const char *name)
{
    size_t len = strlen(name);

    return len > 6 && strcmp(name + len - 6, ".scale") == 0;
}

static enum wn_status
add_file(struct output *o, enum wn_dtype dtype, struct wn_err *err)
{
    const struct wn_encoder *e = o->e;
    enum wn_status rc = WN_OK;

    for (size_t i = 0; i < wn_safetensors_n(e->file) && rc == WN_OK; i++) {
        const struct wn_tensor *t = wn_safetensors_at(e->file, i);
        char name[WN_TENSOR_NAME_MAX];
        size_t layer;

        if (new_dtype(o->b, t) != dtype)
            continue;
        if (e->used[i] && wn_encoder_bert_name(e, t->name, name, &layer)) {
            rc = add_own(o, t, name, layer, err);
        } else if (!e->used[i] || !is_scale(t->name)) {
            o->rest.n++;
            o->rest.example = t->name;
        }
    }
    return rc;
}

/* DistilBERT has no types: BERT's one is 0 then. */
static enum wn_status
add_types(struct output *o, struct wn_err *err)
{
    size_t h = o->e->conf.shape.hidden;
    float *zeros = wn_arena_zalloc(&o->arena, h * sizeof(*zeros));
    struct wn_tensor *t = wn_arena_alloc(&o->arena, sizeof(*t));

    if (zeros == NULL || t == NULL)
        return no_memory(err);
    *t = (struct wn_tensor){
        .dtype = WN_F32, .rank = 2, .shape = { 1, h }, .n = h, .data = zeros
    };
    return add(o, o->b->prefix, "embeddings.token_type_embeddings.weight",
        &(struct from){ .t = t }, 1, err);
}

static enum wn_status
add_all(struct output *o, struct wn_err *err)
{
    enum wn_status rc = add_file(o, WN_F32, err);

    if (rc == WN_OK && o->e->conf.family == WN_DISTILBERT)
        rc = add_types(o, err);
    for (size_t i = 0; rc == WN_OK && i < o->b->extra_n; i++) {
        const struct wn_tensor *t = &o->b->extra[i];

        rc = add(o, "", t->name, &(struct from){ .t = t }, t->shape[0], err);
    }
    return rc == WN_OK ? add_file(o, WN_F16, err) : rc;
}

/* --- the numbers --- */

/* Elements [first, first + n) of row `row` of the new tensor. */
static void
row_floats(const struct from *f, size_t row, size_t first, size_t n, float *out)
{
    size_t cols = f->t->rank == 2 ? f->t->shape[1] : 1;
    float scale;

    row = f->rows != NULL ? (size_t)f->rows[row] : f->first + row;
    wn_tensor_floats(f->t, row * cols + first, n, out);
    if (f->scale == NULL)
        return;
    wn_tensor_floats(f->scale, row, 1, &scale);
    for (size_t i = 0; i < n; i++)
        out[i] *= scale;
}

static void
floats(const struct from *f, size_t first, size_t n, float *out)
{
    size_t cols = f->t->rank == 2 ? f->t->shape[1] : 1;

    for (size_t done = 0, len; done < n; done += len) {
        size_t row = (first + done) / cols, at = (first + done) % cols;

        len = n - done < cols - at ? n - done : cols - at;
        row_floats(f, row, at, len, out + done);
    }
}

static enum wn_status
check(
    const char *name, const float *p, size_t n, float most, struct wn_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(p[i]))
            return wn_fail(err, WN_REJECT,
                "tensor '%.100s': a number in it is NaN or infinite", name);
        if (fabsf(p[i]) > most)
            return wn_fail(err, WN_REJECT,
                "tensor '%.100s': %g is too large for F16: F32 is needed", name,
                (double)p[i]);
    }
    return WN_OK;
}

static enum wn_status
make(void *arg, size_t i, size_t first, size_t n, void *out, struct wn_err *err)
{
    const struct output *o = arg;
    bool half = o->tensors[i].dtype == WN_F16;
    float *p = half ? o->part : out;
    enum wn_status rc;

    floats(&o->from[i], first, n, p);
    rc = check(o->tensors[i].name, p, n, half ? 65504.0f : INFINITY, err);
    for (size_t k = 0; half && rc == WN_OK && k < n; k++)
        ((uint16_t *)out)[k] = wn_f16(p[k]);
    return rc;
}

enum wn_status
wn_bert_write(const struct wn_encoder *e, const char *dir,
    const struct wn_bert *b, struct wn_bert_rest *rest, struct wn_err *err)
{
    size_t most = wn_safetensors_n(e->file) + b->extra_n + 1;
    struct output o = { .e = e, .b = b };
    char path[PATH_MAX];
    enum wn_status rc;

    wn_arena_init(&o.arena, 1 << 16, SIZE_MAX);
    o.tensors = wn_arena_array(&o.arena, most, sizeof(*o.tensors));
    o.from = wn_arena_array(&o.arena, most, sizeof(*o.from));
    o.part = wn_arena_array(&o.arena, WN_TENSOR_PART, sizeof(*o.part));
    if (o.tensors == NULL || o.from == NULL || o.part == NULL)
        rc = no_memory(err);
    else if ((size_t)snprintf(path, sizeof(path), "%s/model.safetensors",
                 dir) >= sizeof(path))
        rc = wn_fail(err, WN_REJECT, "%.100s...: path too long", dir);
    else
        rc = add_all(&o, err);
    if (rc == WN_OK)
        rc = wn_safetensors_make(path, o.tensors, o.n, make, &o, err);
    if (rc == WN_OK && rest != NULL)
        *rest = o.rest;
    wn_arena_release(&o.arena);
    return rc;
}

/* --- config.json --- */

static void
set_size(json_t *o, const char *name, size_t n)
{
    json_object_set_new(o, name, json_integer((json_int_t)n));
}

/* `to` in the new file is `from` in the old one, where that has it. */
static void
copy(json_t *o, const char *to, const json_t *config, const char *from)
{
    json_t *v = json_object_get(config, from);

    if (v != NULL && !json_is_null(v))
        json_object_set(o, to, v);
}

json_t *
wn_bert_config(
    const struct wn_encoder *e, const json_t *config, const struct wn_bert *b)
{
    const struct wn_encoder_shape *s = &e->conf.shape;
    bool distil = e->conf.family == WN_DISTILBERT;
    json_t *o = json_pack("{s:[s], s:s, s:{s:s}}", "architectures", "BertModel",
        "model_type", "bert", "winnow", "pooling",
        s->pooling == WN_POOL_MEAN ? "mean" : "cls");

    copy(o, "hidden_act", config, distil ? "activation" : "hidden_act");
    set_size(o, "hidden_size", s->hidden);
    set_size(o, "num_hidden_layers", layers_n(e, b));
    set_size(o, "num_attention_heads", s->heads);
    set_size(o, "intermediate_size", s->ffn);
    set_size(o, "max_position_embeddings", s->positions);
    set_size(o, "type_vocab_size", distil ? 1 : s->types);
    set_size(o, "vocab_size", words_n(e, b));
    json_object_set_new(o, "layer_norm_eps", json_real(1e-12));
    copy(o, "layer_norm_eps", config, "layer_norm_eps");
    copy(o, "pad_token_id", config, "pad_token_id");
    return o;
}
