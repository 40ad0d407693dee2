/*
 * Heads on pooled features, and calibration. Numbers only: what a head means
 * is not known here.
 */
#ifndef WN_MODEL_HEADS_H
#define WN_MODEL_HEADS_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "model/safetensors.h"

#define WN_HEADS_OUT 4

/* out = weight * pooled + bias; in the file's mapping order (out, hidden). */
struct wn_heads {
    size_t hidden;
    float *weight; /* (WN_HEADS_OUT, hidden), own memory: aligned */
    float bias[WN_HEADS_OUT];
};

/* Finds "heads.weight" and "heads.bias", F32. WN_REJECT: what is wrong. */
enum wn_status wn_heads_open(struct wn_heads *ret,
    const struct wn_safetensors *st, size_t hidden, struct wn_err *err);
void wn_heads_release(struct wn_heads *h);
void wn_heads_score(
    const struct wn_heads *h, const float *pooled, float out[WN_HEADS_OUT]);

/* Platt: probability = sigmoid(a * logit + b). */
struct wn_calibration {
    double a, b;
};
double wn_sigmoid(double z);
double wn_calibrate(struct wn_calibration c, double logit);

#endif
