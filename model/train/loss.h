/*
 * The loss of a batch with exits: labels that may be unknown, and teachers.
 *
 *   D    = sum of weights over known labels
 *   L(e) = sum over known labels of weight * out_weight * (bce + energy) / D
 *   K(e) = sum over all of weight * bce(z, sigmoid(teacher)) / (O * weights)
 *   loss = sum over exits of exit_weight * (L + self * K(last exit) + teach *
 *          K(teacher))
 *
 * bce has labels smoothed to 1 - s/2 and s/2. energy is the penalty on very
 * negative logits of negatives, energy * max(0, -z - energy_at)^2: they need
 * not run away, and what looks like an attack keeps the top of the ranking.
 * The last exit learns from labels; the others from it as well (it gets no
 * gradient from that), and all from a teacher's logits where there are some.
 */
#ifndef WN_MODEL_TRAIN_LOSS_H
#define WN_MODEL_TRAIN_LOSS_H

#include "model/train/net.h"

struct wn_loss {
    double exit_weight[WN_NET_EXITS_MAX];
    double out_weight[WN_NET_OUT_MAX];
    double smoothing, energy, energy_at;
    double self, teach;
};

struct wn_loss_rows {
    const int8_t *labels; /* (n, O): 1, 0 or -1 for unknown  */
    const float *weight;  /* (n) */
    const float *teacher; /* (n, O) logits, NaN where none; or NULL */
    size_t n;
};

/* logits (exits, n, O); dlogits the same. Returns the loss; in *ret_last, if
 * not NULL, L of the last exit alone. */
double wn_loss(const struct wn_loss *conf, const struct wn_net_shape *shape,
    const struct wn_loss_rows *rows, const float *logits, float *dlogits,
    double *ret_last);

#endif
