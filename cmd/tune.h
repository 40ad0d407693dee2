/*
 * Fine-tuning: an encoder learns the labels of a set of texts, with exits of
 * its own after some layers. What comes out is a folder like the base's, in
 * fp32, with the exits beside the encoder's tensors.
 *
 *   tune.c          the loop: rate, checkpoints, progress
 *   tune_plan.c     which texts an epoch shows, in which order
 *   tune_batch.c    texts to tokens, labels to numbers
 *   tune_folder.c   what comes out
 *   tune_augment.c  a text as other hands, or an evader, would have typed it
 */
#ifndef WN_CMD_TUNE_H
#define WN_CMD_TUNE_H

#include <limits.h>

#include "core/buf.h"
#include "core/item.h"
#include "model/train/loss.h"
#include "model/train/train.h"

struct wn_train_set;

/* Outputs of an exit: the heads, then bait's kinds. */
#define WN_TUNE_OUT (WN_HEADS + WN_BAITS)
#define WN_TUNE_WEIGHTS_MAX 16

/* A source that counts `by` times what its size gives. */
struct wn_tune_weight {
    const char *source;
    double by;
};

/* Of the large products; a training may go on in another. */
enum wn_tune_precision {
    WN_TUNE_AUTO, /* bf16 where the CPU has it */
    WN_TUNE_FP32,
    WN_TUNE_BF16,
};

struct wn_tune_conf {
    const char *base_dir;
    char dir[PATH_MAX];        /* what comes out                           */
    char checkpoint[PATH_MAX]; /* removed at the end                       */
    size_t layers;             /* of the base, from below; 0: all          */
    size_t exits, after[WN_NET_EXITS_MAX]; /* but for the last layer's */
    size_t last_layers; /* that alone learn; 0: all                 */
    size_t epoch_rows;  /* texts shown in an epoch; 0: as many as there are */
    size_t source_rows; /* of one source at most; 0: no bound */
    size_t tokens;      /* of a batch                               */
    size_t threads;
    enum wn_tune_precision precision;
    double epochs, rate, fall, dropout, mask, augment;
    /* (texts of the set, WN_TUNE_OUT): logits to hold on to, in place of
     * labels; NaN: the label is to be learnt. NULL: all are. */
    const float *teacher;
    double teach; /* what they count for, beside labels */
    struct wn_tune_weight weights[WN_TUNE_WEIGHTS_MAX];
    size_t weights_n;
    uint64_t seed;
};

/* What silence means; threads and paths are the caller's. */
void wn_tune_defaults(struct wn_tune_conf *conf);

/* Trains, or goes on from the checkpoint; prints progress on standard error.
 * WN_RETRY: stopped by a signal, the checkpoint is written. */
enum wn_status wn_tune(const struct wn_tune_conf *conf,
    const struct wn_train_set *train, struct wn_err *err);

/* --- tune_plan.c --- */

/*
 * The texts of an epoch: a source of n texts counts as the root of n, times
 * its weight, and no text comes up more than three times; inside a source
 * those with a label of 1 are 35 to 65 % of what is shown where there are
 * enough of both.
 */
struct wn_tune_plan {
    uint32_t *rows; /* of the set */
    size_t n;
};
enum wn_status wn_tune_plan_make(struct wn_tune_plan *ret,
    const struct wn_tune_conf *conf, const struct wn_train_set *set,
    uint64_t epoch, struct wn_err *err);
void wn_tune_plan_release(struct wn_tune_plan *p);

/* --- tune_batch.c --- */

struct wn_tune_batch; /* one batch at a time, and what reading texts needs */

enum wn_status wn_tune_batch_new(struct wn_tune_batch **ret,
    const struct wn_tune_conf *conf, const struct wn_train_set *set,
    const struct wn_encoder *base, struct wn_err *err);
void wn_tune_batch_free(struct wn_tune_batch *b);
/* Takes texts of the plan from *at on until the batch has its tokens, and
 * moves *at. Texts without words are passed over: n may be 0 at the end. */
enum wn_status wn_tune_batch_fill(struct wn_tune_batch *b,
    const struct wn_tune_plan *plan, uint64_t epoch, uint64_t *at,
    struct wn_err *err);
void wn_tune_batch_get(const struct wn_tune_batch *b, struct wn_net_batch *net,
    struct wn_loss_rows *rows);

/* --- tune_folder.c --- */

/* settings: in hex, what it was made with. */
enum wn_status wn_tune_folder_write(const struct wn_tune_conf *conf,
    const struct wn_net *net, const char *settings, struct wn_err *err);
/* Whether the folder is there, whole, and of these settings. */
bool wn_tune_folder_is(const struct wn_tune_conf *conf, const char *settings);

/* --- tune_augment.c --- */

/* out = text with one change that `random` chooses; other: a benign text to
 * put before or behind it. *mixed: it was. */
void wn_tune_augment(struct wn_buf *out, struct wn_str text,
    struct wn_str other, uint64_t random, bool *mixed);

#endif
