/*
 * What joins the two readers and makes their sum a probability: the "winnow"
 * member of the weights' config.json.
 *
 *   "winnow":{"format":1,"name":"winnow-minilm-1","text_version":1,
 *     "pooling":"mean",
 *     "heads":{HEAD:{"a":..,"b":..,"threshold":..,"mix":[wE,wN,w0],
 *       "kinds":..},...},
 *     "exits":[{"after":3,"stop":..,"heads":{...}},...]}
 *
 * A window's logit of a head is a * (wE * encoder's head + wN * n-grams + w0)
 * + b; a text's is the highest of its windows, its probability the sigmoid of
 * that, and it is flagged at or over the threshold, a probability too. With
 * "kinds" the encoder's head is the highest output of a kind plus that number,
 * where this is higher than its own.
 * "heads" are those after the last layer. "exits" are those before: a window
 * whose logits are all more than -stop under the logit of the last layer's
 * thresholds is settled there. Numbers only: what a head means is not known
 * here, its names come from the caller.
 */
#ifndef WN_MODEL_JOINT_H
#define WN_MODEL_JOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"
#include "model/encoder.h"
#include "model/heads.h"

struct json_t; /* jansson's: only callers of wn_joint_json() need it */

#define WN_JOINT_FORMAT 1
#define WN_JOINT_NAME_MAX 63 /* bytes: letters, digits, '-', '_' and '.' */

/* Whether weights may be called so; s ends with a NUL, len 0 is no name. */
bool wn_joint_is_name(const char *s, size_t len);

struct wn_joint_head {
    double mix[3];             /* finite                          */
    struct wn_calibration cal; /* a > 0: order is kept            */
    double threshold;          /* 0 .. 1                          */
    bool with_kinds; /* the highest kind may stand for the encoder's head */
    double kinds;    /* then this is added to it; finite               */
};

struct wn_joint_exit {
    size_t after; /* layers before it */
    double stop;  /* finite           */
    struct wn_joint_head head[WN_HEADS_OUT];
};

struct wn_joint {
    char name[WN_JOINT_NAME_MAX + 1];
    int text_version;
    struct wn_joint_head head[WN_HEADS_OUT]; /* after the last layer */
    struct wn_joint_exit early[WN_EXITS_MAX - 1];
    size_t early_n;
};

/* names: of the WN_HEADS_OUT heads. WN_REJECT: which member is missing or
 * wrong. */
enum wn_status wn_joint_read(struct wn_joint *ret, const char *dir,
    const char *const *names, struct wn_err *err);

/* The member's value, the caller's json_decref(); NULL without memory. */
struct json_t *wn_joint_json(const struct wn_joint *j, enum wn_pooling pooling,
    const char *const *names);

/* The heads of exit e; early_n: of the last. */
const struct wn_joint_head *wn_joint_at(const struct wn_joint *j, size_t e);

/* What the encoder's outputs say of head h. */
float wn_joint_encoder(
    const struct wn_joint_head *head, size_t h, const float out[WN_OUTPUTS]);
/* The logit of one window. */
double wn_joint_logit(
    const struct wn_joint_head *head, double encoder, double ngram);
/* How far a logit at an exit is over the last layer's threshold, as a
 * logit. */
double wn_joint_over(const struct wn_joint *j, size_t h, double logit);

#endif
