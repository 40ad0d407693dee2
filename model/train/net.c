/* The network in single precision, and the choice of its arithmetic. */
#include "model/train/net_alloc.inc"

#define OPS wn_net_ops_base
#include "model/train/net.inc"

static const struct wn_net_ops *
ops(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &wn_net_ops_avx2;
#endif
    return &wn_net_ops_base;
}

/* --- bf16 --- */

static void
matrices_of(
    const struct wn_net_shape *s, struct wn_bf16_shape ret[WN_NET_MATRICES])
{
    ret[WN_NET_QKV] = (struct wn_bf16_shape){ 3 * s->hidden, s->hidden };
    ret[WN_NET_PROJ] = (struct wn_bf16_shape){ s->hidden, s->hidden };
    ret[WN_NET_UP] = (struct wn_bf16_shape){ s->ffn, s->hidden };
    ret[WN_NET_DOWN] = (struct wn_bf16_shape){ s->hidden, s->ffn };
}

bool
wn_net_bf16_fits(const struct wn_net_shape *shape)
{
    struct wn_bf16_shape m[WN_NET_MATRICES];

    matrices_of(shape, m);
    return wn_bf16_fits(m, WN_NET_MATRICES);
}

enum wn_status
wn_net_bf16(struct wn_net *net, struct wn_err *err)
{
    const struct wn_net_shape *s = &net->shape;
    size_t n = s->layers * WN_NET_MATRICES;
    struct wn_bf16_shape *all;
    enum wn_status rc;

    if (net->bf16 != NULL)
        return WN_OK;
    if (!wn_net_bf16_fits(s))
        return wn_fail(err, WN_REJECT,
            "training in bf16 needs a CPU with AVX512-BF16, and a network "
            "whose sizes (%zu, %zu) are multiples of 32; fp32 needs neither",
            s->hidden, s->ffn);
    all = calloc(n, sizeof(*all));
    if (all == NULL)
        return wn_fail(err, WN_STOP, "training: out of memory");
    for (size_t i = 0; i < n; i += WN_NET_MATRICES)
        matrices_of(s, all + i);
    rc = wn_bf16_net_new(
        &net->bf16, all, n, s->tokens_max, wn_pool_threads(net->pool), err);
    free(all);
    return rc;
}

/* --- the calls --- */

void
wn_net_forward(
    struct wn_net *net, const struct wn_net_batch *batch, REAL *logits)
{
    ops()->forward(net, batch, logits);
}

void
wn_net_backward(struct wn_net *net, const struct wn_net_batch *batch,
    const REAL *dlogits, size_t first)
{
    ops()->backward(net, batch, dlogits, first);
}

double
wn_net_step(struct wn_net *net, const struct wn_adamw *conf)
{
    return ops()->step(net, conf);
}
