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
