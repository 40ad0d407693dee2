/* What bf16's products keep: see bf16.h; the layout is bf16_int.h's. */
#include "model/train/bf16.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/train/bf16_int.h"

struct layer {
    size_t out, in;
    uint16_t *ahead; /* w's transpose in pairs: b of the forward product */
    uint16_t *back;  /* w in pairs: b of the backward one                */
    uint16_t *x;     /* (tokens, in) in pairs, of the batch at hand      */
};

struct wn_bf16_net {
    const struct wn_bf16_ops *ops;
    struct layer *layers;
    size_t x_stride; /* of a panel of x */
    uint16_t *block; /* all of the layers', then each thread's own */
    uint16_t *own;
    size_t own_n; /* of one thread */
};

const struct wn_bf16_ops *
wn_bf16_get(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vnni") &&
        __builtin_cpu_supports("avx512bf16"))
        return &wn_bf16_avx512;
#endif
    return NULL;
}

bool
wn_bf16_fits(const struct wn_bf16_shape *shapes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (shapes[i].out % WN_BF16_PANEL != 0 ||
            shapes[i].in % WN_BF16_PANEL != 0)
            return false;
    return wn_bf16_get() != NULL;
}

static uint16_t *
piece(uint16_t *block, size_t *at, size_t n)
{
    uint16_t *p = block == NULL ? NULL : block + *at;

    *at += (n + 31) & ~(size_t)31; /* lines of 64 bytes */
    return p;
}

/* Sizes first, then places: returns how many numbers there are. */
static size_t
carve(struct wn_bf16_net *net, size_t n, size_t threads)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        struct layer *l = &net->layers[i];

        l->ahead = piece(net->block, &at, l->out * l->in);
        l->back = piece(net->block, &at, l->out * l->in);
        l->x = piece(net->block, &at, l->in / WN_BF16_PANEL * net->x_stride);
    }
    net->own = piece(net->block, &at, threads * net->own_n);
    return at;
}

/* A thread's own holds a block of rows, or one of dy's columns in pairs. */
static void
set_sizes(struct wn_bf16_net *net, const struct wn_bf16_shape *shapes, size_t n,
    size_t tokens_max)
{
    size_t widest = tokens_max + 1;

    for (size_t i = 0; i < n; i++) {
        const struct wn_bf16_shape *s = &shapes[i];

        net->layers[i] = (struct layer){ .out = s->out, .in = s->in };
        widest = s->out > widest ? s->out : widest;
        widest = s->in > widest ? s->in : widest;
    }
    net->x_stride = (tokens_max + 1) / 2 * 2 * WN_BF16_PANEL;
    net->own_n = WN_BF16_BLOCK * widest;
}

enum wn_status
wn_bf16_net_new(struct wn_bf16_net **ret, const struct wn_bf16_shape *shapes,
    size_t n, size_t tokens_max, size_t threads, struct wn_err *err)
{
    struct wn_bf16_net *net = calloc(1, sizeof(*net));

    WN_ASSERT(wn_bf16_fits(shapes, n));
    if (net == NULL)
        goto out;
    net->ops = wn_bf16_get();
    net->layers = calloc(n, sizeof(*net->layers));
    if (net->layers == NULL)
        goto out;
    set_sizes(net, shapes, n, tokens_max);
    net->block = aligned_alloc(64, carve(net, n, threads) * sizeof(uint16_t));
    if (net->block == NULL)
        goto out;
    carve(net, n, threads);
    /* products read rows behind a part's last and do not use them */
    memset(net->own, 0, threads * net->own_n * sizeof(uint16_t));
    *ret = net;
    return WN_OK;
out:
    wn_bf16_net_free(net);
    return wn_fail(err, WN_STOP, "training: out of memory");
}

void
wn_bf16_net_free(struct wn_bf16_net *net)
{
    if (net == NULL)
        return;
    free(net->layers);
    free(net->block);
    free(net);
}

static size_t
part(size_t all, size_t first)
{
    return all - first < WN_BF16_BLOCK ? all - first : WN_BF16_BLOCK;
}

void
wn_bf16_pack(struct wn_bf16_net *net, size_t layer, const float *w, size_t row)
{
    struct layer *l = &net->layers[layer];
    size_t rows = part(l->out, row);

    w += row * l->in;
    net->ops->turned(w, rows, l->in, l->ahead + row * l->in);
    net->ops->pairs(w, l->in, rows, l->in, l->back + row * WN_BF16_PANEL,
        l->out * WN_BF16_PANEL);
}

void
wn_bf16_forward(struct wn_bf16_net *net, size_t layer, size_t thread,
    size_t first, size_t n, const float *x, float *y)
{
    struct layer *l = &net->layers[layer];
    uint16_t *own = net->own + thread * net->own_n;

    WN_ASSERT(n <= WN_BF16_BLOCK);
    x += first * l->in;
    net->ops->pairs(
        x, l->in, n, l->in, l->x + first * WN_BF16_PANEL, net->x_stride);
    net->ops->round(x, n * l->in, own);
    net->ops->product(
        n, l->out, l->in, own, l->ahead, false, y + first * l->out);
}

void
wn_bf16_backward(struct wn_bf16_net *net, size_t layer, size_t thread, size_t n,
    const float *dy, bool add, float *dx)
{
    struct layer *l = &net->layers[layer];
    uint16_t *own = net->own + thread * net->own_n;

    WN_ASSERT(n <= WN_BF16_BLOCK);
    net->ops->round(dy, n * l->out, own);
    net->ops->product(n, l->in, l->out, own, l->back, add, dx);
}

void
wn_bf16_gradient(struct wn_bf16_net *net, size_t layer, size_t thread,
    size_t col, size_t tokens, const float *dy, float *dw)
{
    struct layer *l = &net->layers[layer];
    uint16_t *own = net->own + thread * net->own_n;
    size_t cols = part(l->out, col);
    size_t stride = (tokens + 1) / 2 * 2 * WN_BF16_PANEL;

    net->ops->pairs(dy + col, l->out, tokens, cols, own, stride);
    net->ops->product_t(cols, l->in, tokens, own, stride, l->x, net->x_stride,
        dw + col * l->in);
}
