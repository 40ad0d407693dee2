/*
 * Heads on pooled features, and calibration. Numbers only: what a head means
 * is not known here.
 */
#ifndef WN_MODEL_HEADS_H
#define WN_MODEL_HEADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "model/safetensors.h"

#define WN_HEADS_OUT 4
#define WN_KINDS_OUT 5 /* labels beside them: what bait asks for */
#define WN_OUTPUTS (WN_HEADS_OUT + WN_KINDS_OUT)
#define WN_EXITS_MAX 4

/*
 * An exit reads what a number of layers leave: out = weight * pooled + bias.
 * In the file "exit.<layers>.weight" (outputs, hidden) and ".bias", F32; or
 * one exit after the last layer, "heads.weight" and "heads.bias", without
 * kinds.
 */
struct wn_heads {
    size_t hidden, exits;
    size_t after[WN_EXITS_MAX]; /* layers before each, ascending; the last has
                                   all before it */
    bool kinds;                 /* the outputs after the heads mean something */
    float *weight;              /* (exits, WN_OUTPUTS, hidden), own memory */
    float bias[WN_EXITS_MAX][WN_OUTPUTS];
};

/* Without exits: all 0. WN_STOP without memory. */
enum wn_status wn_heads_init(
    struct wn_heads *h, size_t hidden, size_t exits, struct wn_err *err);
/* Whether the file has exits of an encoder of so many layers. */
bool wn_heads_are_there(const struct wn_safetensors *st, size_t layers);
/* Finds the exits of an encoder of so many layers. WN_REJECT: what is
 * wrong. */
enum wn_status wn_heads_open(struct wn_heads *ret,
    const struct wn_safetensors *st, size_t hidden, size_t layers,
    struct wn_err *err);
void wn_heads_release(struct wn_heads *h);
void wn_heads_score(const struct wn_heads *h, size_t exit, const float *pooled,
    float out[WN_OUTPUTS]);

/* Platt: probability = sigmoid(a * logit + b). */
struct wn_calibration {
    double a, b;
};
double wn_sigmoid(double z);
double wn_calibrate(struct wn_calibration c, double logit);

#endif
