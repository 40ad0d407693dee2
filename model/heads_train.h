/*
 * Training of the two linear parts and of what joins them. Deterministic for a
 * seed: one thread, one order.
 *
 * Labels are (n, WN_HEADS_OUT) of 1, 0 or -1; -1 is masked: a row teaches a
 * head only what it knows. weight (n) scales a row's part in the loss.
 */
#ifndef WN_MODEL_HEADS_TRAIN_H
#define WN_MODEL_HEADS_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "model/heads.h"

struct wn_train_conf {
    size_t epochs;
    double rate; /* of AdaGrad                     */
    double l2;   /* on weights, never on biases    */
    uint64_t seed;
    /* Called after each epoch; may be NULL. loss: mean over known labels. */
    void (*progress)(void *arg, size_t epoch, double loss);
    void *arg;
};

/* Row i touches feature rows[offsets[i]] .. rows[offsets[i + 1] - 1], each with
 * value 1 / sqrt(their number). weights (features, WN_HEADS_OUT) and bias are
 * the start and the result. */
struct wn_sparse {
    const uint32_t *rows;
    const size_t *offsets;
    size_t n, features;
};
enum wn_status wn_train_sparse(const struct wn_sparse *x, const int8_t *labels,
    const float *weight, const struct wn_train_conf *conf, float *weights,
    float bias[WN_HEADS_OUT], struct wn_err *err);

/*
 * Corrects weights that are in use, where they are one part of a sum: a row's
 * logit is offset (n, WN_HEADS_OUT) + gain * trust (n) * (what the weights say
 * of it), and target (n, WN_HEADS_OUT) is what it should be: by side (n,
 * WN_HEADS_OUT) at least that (1), at most that (-1), or a logit to stay at
 * (0); NaN: unknown.
 *
 * A step at full error moves the logit of a trusted row by `rate`; a feature
 * that was moved often moves less. What no row is wrong about stays as it is,
 * and so does a head of gain <= 0. conf->l2 is not used; loss is the mean error
 * of rows with a side.
 */
struct wn_correction {
    const float *target, *offset, *weight; /* weight (n) */
    const float *trust;                    /* 0 .. 1; NULL: 1 everywhere */
    const int8_t *side;
    float gain[WN_HEADS_OUT];
};
enum wn_status wn_correct_sparse(const struct wn_sparse *x,
    const struct wn_correction *c, const struct wn_train_conf *conf,
    float *weights, struct wn_err *err);

/* Rows of `width` numbers; standardised inside, which is undone in the result:
 * weights (WN_HEADS_OUT, width) apply to x as it is. */
enum wn_status wn_train_dense(const float *x, size_t n, size_t width,
    const int8_t *labels, const float *weight, const struct wn_train_conf *conf,
    float *weights, float bias[WN_HEADS_OUT], struct wn_err *err);

/*
 * Logistic regression of one label on k <= 3 numbers a row by Newton's method
 * (ridge 1e-6): joins two readers' logits, and is Platt's calibration with
 * k = 1. labels: every `stride`-th. beta (k + 1), the constant last.
 */
#define WN_LOGISTIC_MAX 3
void wn_fit_logistic(const double *x, size_t n, size_t k, const int8_t *labels,
    size_t stride, const float *weight, double *beta);

#endif
