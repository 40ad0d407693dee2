/*
 * Weights between an encoder's file and the network that learns.
 *
 * The encoder has added token type 0 to its positions; so has what is written,
 * and its own types are 0: nobody asks for another.
 */
#include "model/train/train.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "model/encoder_int.h"
#include "model/heads.h"
#include "model/train/net_math.h"

/* --- in --- */

static enum wn_status
check_encoder(const struct wn_encoder *e, const struct wn_train_shape *s,
    size_t layers, struct wn_err *err)
{
    if (layers > e->conf.shape.layers)
        return wn_fail(err, WN_REJECT,
            "train: the base has %zu layers, not %zu", e->conf.shape.layers,
            layers);
    if (e->conf.activation != WN_GELU_ERF)
        return wn_fail(err, WN_REJECT,
            "train: config.json: hidden_act is not \"gelu\", the only "
            "activation that can be trained");
    for (size_t i = 0; i < layers; i++)
        if (e->layers[i].precision != WN_FP32)
            return wn_fail(err, WN_REJECT,
                "train: the base's layer %zu is not in fp32", i);
    if (s->exits == 0 || s->exits > WN_NET_EXITS_MAX ||
        s->after[s->exits - 1] != layers)
        return wn_fail(err, WN_REJECT,
            "train: the last exit must come after layer %zu, the last", layers);
    return WN_OK;
}

static void
copy_layer(
    struct wn_net_layer *to, const struct wn_layer *from, size_t h, size_t f)
{
#define COPY(dst, src, n) memcpy(dst, src, (n) * sizeof(float))
    COPY(to->qkv_w, from->qkv.w, 3 * h * h);
    COPY(to->qkv_b, from->qkv.b, 3 * h);
    COPY(to->proj_w, from->attn_out.w, h * h);
    COPY(to->proj_b, from->attn_out.b, h);
    COPY(to->norm1_g, from->attn_norm.gamma, h);
    COPY(to->norm1_b, from->attn_norm.beta, h);
    COPY(to->up_w, from->ffn_in.w, f * h);
    COPY(to->up_b, from->ffn_in.b, f);
    COPY(to->down_w, from->ffn_out.w, h * f);
    COPY(to->down_b, from->ffn_out.b, h);
    COPY(to->norm2_g, from->ffn_norm.gamma, h);
    COPY(to->norm2_b, from->ffn_norm.beta, h);
}

static void
copy_words(struct wn_net *net, const struct wn_encoder *e)
{
    size_t h = net->shape.hidden;

    for (size_t id = 0; id < net->shape.vocab; id++) {
        float *row = net->words + id * h, scale = 1;

        wn_tensor_floats(e->words, id * h, h, row);
        if (e->words_scale == NULL)
            continue;
        wn_tensor_floats(e->words_scale, id, 1, &scale);
        for (size_t i = 0; i < h; i++)
            row[i] *= scale;
    }
}

/* The tensor "<base>.<part>" of n numbers, where the file has it. */
static bool
from_file(const struct wn_encoder *e, const char *base, const char *part,
    float *to, size_t n)
{
    const struct wn_tensor *t;
    char name[60];

    snprintf(name, sizeof(name), "%s.%s", base, part);
    t = wn_safetensors_find(wn_encoder_file(e), name);
    if (t == NULL || t->dtype != WN_F32 || t->n != n)
        return false;
    wn_tensor_floats(t, 0, n, to);
    return true;
}

/* The first outputs of the last exit, where the file has heads without
 * exits. */
static void
heads_from_file(struct wn_net *net, const struct wn_encoder *e)
{
    const struct wn_net_shape *s = &net->shape;
    size_t last = s->exits - 1;

    if (s->out >= WN_HEADS_OUT &&
        from_file(e, "heads", "weight", net->w.exit_w[last],
            WN_HEADS_OUT * s->hidden))
        from_file(e, "heads", "bias", net->w.exit_b[last], WN_HEADS_OUT);
}

/* About normal numbers of deviation 0.02: sums of four even ones. */
static void
draw_exit(float *w, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t r = wn_mix64(seed + i);
        double s = 0;

        for (size_t k = 0; k < 4; k++, r >>= 16)
            s += (double)(r & 0xffff) / 65536.0 - 0.5;
        w[i] = (float)(s * 0.02 * 1.7320508);
    }
}

static void
set_exits(struct wn_net *net, const struct wn_encoder *e, uint64_t seed)
{
    const struct wn_net_shape *s = &net->shape;

    for (size_t i = 0; i < s->exits; i++) {
        size_t n = s->out * s->hidden;
        char base[40];

        snprintf(base, sizeof(base), "exit.%zu", s->after[i]);
        if (from_file(e, base, "weight", net->w.exit_w[i], n) &&
            from_file(e, base, "bias", net->w.exit_b[i], s->out))
            continue;
        draw_exit(net->w.exit_w[i], n, wn_mix64(seed) + (i << 32));
        memset(net->w.exit_b[i], 0, s->out * sizeof(float));
        if (i + 1 == s->exits)
            heads_from_file(net, e);
    }
}

enum wn_status
wn_train_net(struct wn_net **ret, const struct wn_encoder *e,
    const struct wn_train_shape *shape, uint64_t seed, struct wn_pool *pool,
    struct wn_err *err)
{
    const struct wn_encoder_shape *es = wn_encoder_shape(e);
    size_t layers = shape->layers == 0 ? es->layers : shape->layers;
    struct wn_net_shape s = { .layers = layers,
        .hidden = es->hidden,
        .heads = es->heads,
        .ffn = es->ffn,
        .positions = es->positions,
        .vocab = es->vocab,
        .types = es->types > 0 ? es->types : 1, /* DistilBERT has none */
        .norm_eps = (double)e->conf.norm_eps,
        .out = shape->out,
        .exits = shape->exits,
        .tokens_max = shape->tokens_max };
    struct wn_net *net = NULL;
    enum wn_status rc = check_encoder(e, shape, layers, err);

    memcpy(s.after, shape->after, sizeof(s.after));
    if (rc == WN_OK)
        rc = wn_net_new(&net, &s, pool, err);
    if (rc != WN_OK)
        return rc;
    COPY(net->w.positions, e->positions, es->positions * es->hidden);
    COPY(net->w.norm_g, e->norm.gamma, es->hidden);
    COPY(net->w.norm_b, e->norm.beta, es->hidden);
    for (size_t i = 0; i < layers; i++)
        copy_layer(&net->w.layer[i], &e->layers[i], es->hidden, es->ffn);
    copy_words(net, e);
    set_exits(net, e, seed);
    *ret = net;
    return WN_OK;
}

/* --- out --- */

struct list {
    struct wn_arena arena; /* names */
    struct wn_tensor *t;
    size_t n;
    bool failed;
};

/* rows 0: a vector of cols */
static void
put(struct list *l, const char *name, const float *data, size_t rows,
    size_t cols)
{
    const char *kept = wn_arena_printf(&l->arena, "%s", name);

    l->failed = l->failed || kept == NULL;
    l->t[l->n++] = (struct wn_tensor){ .name = kept,
        .dtype = WN_F32,
        .rank = rows == 0 ? 1 : 2,
        .shape = { rows == 0 ? cols : rows, rows == 0 ? 0 : cols },
        .n = (rows == 0 ? 1 : rows) * cols,
        .data = data };
}

static void
put_linear(struct list *l, const char *base, const float *w, const float *b,
    size_t out, size_t in)
{
    char name[120];

    snprintf(name, sizeof(name), "%s.weight", base);
    put(l, name, w, out, in);
    snprintf(name, sizeof(name), "%s.bias", base);
    put(l, name, b, 0, out);
}

static void
put_layer(
    struct list *l, size_t i, const struct wn_net_layer *w, size_t h, size_t f)
{
    static const char *const qkv[] = { "query", "key", "value" };
    char name[100];

#define NAME(part) snprintf(name, sizeof(name), "encoder.layer.%zu." part, i)
    for (size_t k = 0; k < 3; k++) {
        snprintf(name, sizeof(name), "encoder.layer.%zu.attention.self.%s", i,
            qkv[k]);
        put_linear(l, name, w->qkv_w + k * h * h, w->qkv_b + k * h, h, h);
    }
    NAME("attention.output.dense");
    put_linear(l, name, w->proj_w, w->proj_b, h, h);
    NAME("attention.output.LayerNorm.weight");
    put(l, name, w->norm1_g, 0, h);
    NAME("attention.output.LayerNorm.bias");
    put(l, name, w->norm1_b, 0, h);
    NAME("intermediate.dense");
    put_linear(l, name, w->up_w, w->up_b, f, h);
    NAME("output.dense");
    put_linear(l, name, w->down_w, w->down_b, h, f);
    NAME("output.LayerNorm.weight");
    put(l, name, w->norm2_g, 0, h);
    NAME("output.LayerNorm.bias");
    put(l, name, w->norm2_b, 0, h);
#undef NAME
}

static void
put_all(struct list *l, const struct wn_net *net, const float *types)
{
    const struct wn_net_shape *s = &net->shape;
    char name[40];

    put(l, "embeddings.word_embeddings.weight", net->words, s->vocab,
        s->hidden);
    put(l, "embeddings.position_embeddings.weight", net->w.positions,
        s->positions, s->hidden);
    put(l, "embeddings.token_type_embeddings.weight", types, s->types,
        s->hidden);
    put(l, "embeddings.LayerNorm.weight", net->w.norm_g, 0, s->hidden);
    put(l, "embeddings.LayerNorm.bias", net->w.norm_b, 0, s->hidden);
    for (size_t i = 0; i < s->layers; i++)
        put_layer(l, i, &net->w.layer[i], s->hidden, s->ffn);
    for (size_t e = 0; e < s->exits; e++) {
        snprintf(name, sizeof(name), "exit.%zu", s->after[e]);
        put_linear(
            l, name, net->w.exit_w[e], net->w.exit_b[e], s->out, s->hidden);
    }
}

enum wn_status
wn_train_save(const struct wn_net *net, const char *dir, struct wn_err *err)
{
    size_t most = 5 + 16 * net->shape.layers + 2 * net->shape.exits;
    struct list l = { .t = calloc(most, sizeof(*l.t)) };
    float *types =
        calloc(net->shape.types * net->shape.hidden + 1, sizeof(*types));
    char path[PATH_MAX];
    enum wn_status rc;

    wn_arena_init(&l.arena, 1u << 14, 1u << 20);
    if (l.t == NULL || types == NULL) {
        rc = wn_fail(err, WN_STOP, "training: out of memory");
        goto out;
    }
    put_all(&l, net, types);
    WN_ASSERT(l.n <= most);
    if (l.failed)
        rc = wn_fail(err, WN_STOP, "training: out of memory");
    else if ((size_t)snprintf(path, sizeof(path), "%s/model.safetensors",
                 dir) >= sizeof(path))
        rc = wn_fail(err, WN_REJECT, "%.100s...: path too long", dir);
    else
        rc = wn_safetensors_write(path, l.t, l.n, err);
out:
    wn_arena_release(&l.arena);
    free(types);
    free(l.t);
    return rc;
}
