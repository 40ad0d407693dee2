/* The loop of fine-tuning: see tune.h. */
#include "cmd/train_int.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "classifier/classifier.h"
#include "core/clock.h"

#define PROGRESS_US 10000000
#define CHECKPOINT_US 240000000
#define WARM_UP 0.06 /* share of all texts over which the rate rises */
#define SMOOTH 0.98  /* of the loss that is shown */

void
wn_tune_defaults(struct wn_tune_conf *conf)
{
    *conf = (struct wn_tune_conf){
        .tokens = 2048,
        .threads = 1,
        .epochs = 2,
        .rate = 3e-4,
        .fall = 0.95,
        .dropout = 0.1,
        .mask = 0.1,
        .augment = 0.2,
        .seed = 1,
    };
}

static const struct wn_loss loss_conf = {
    .exit_weight = { 0.25, 0.35, 1, 1 },
    .out_weight = { 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5 },
    .smoothing = 0.03,
    .energy = 0.05,
    .energy_at = 6,
    .self = 0.5,
};

struct tuning {
    const struct wn_tune_conf *conf;
    const struct wn_train_set *set;
    struct wn_pool *pool;
    struct wn_net *net;
    struct wn_tune_batch *batch;
    struct wn_tune_plan plan;
    struct wn_loss loss;
    float *logits, *dlogits;
    uint8_t settings[WN_SHA256];
    char settings_hex[2 * WN_SHA256 + 1];
    size_t frozen; /* layers from below that stay as they are */
    struct wn_train_place place;
    int64_t started_us, told_us, saved_us;
    uint64_t begun_tokens; /* place.tokens when this process began */
};

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
    stop = number;
}

/* --- what a checkpoint belongs to --- */

/* Of the files, and of what was left out of them. */
static void
hash_data(const struct wn_train_set *set, uint8_t ret[WN_SHA256])
{
    struct wn_part parts[WN_TRAIN_FILES_MAX + 1];

    for (size_t i = 0; i < set->files_n; i++)
        parts[i] = (struct wn_part){ set->files[i].sha256, WN_SHA256 };
    parts[set->files_n] = (struct wn_part){ &set->data.n, sizeof(set->data.n) };
    wn_sha256_parts(parts, set->files_n + 1, ret);
}

/* Neither threads nor precision: a training may go on with others. */
static void
hash_settings(struct tuning *t, const struct wn_encoder *base)
{
    const struct wn_tune_conf *c = t->conf;
    uint8_t weights[WN_SHA256], data[WN_SHA256];
    const size_t taught = c->teacher == NULL ? 0 : t->set->data.n;
    char text[1024];
    int n;

    wn_safetensors_sha256(wn_encoder_file(base), weights);
    n = snprintf(text, sizeof(text),
        "%zu %zu %zu %zu %zu %zu %zu %zu %zu %zu %a %a %a %a %a %a %llu text "
        "%d",
        c->layers, c->exits, c->after[0], c->after[1], c->after[2], c->after[3],
        c->last_layers, c->epoch_rows, c->source_rows, c->tokens, c->epochs,
        c->rate, c->fall, c->dropout, c->mask, c->augment,
        (unsigned long long)c->seed, WN_TEXT_VERSION);
    if (taught > 0)
        n +=
            snprintf(text + n, sizeof(text) - (size_t)n, " teach %a", c->teach);
    for (size_t i = 0; i < c->weights_n && n < (int)sizeof(text); i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, " %s=%a",
            c->weights[i].source, c->weights[i].by);
    hash_data(t->set, data);
    const struct wn_part parts[] = { { text, strlen(text) },
        { weights, sizeof(weights) }, { data, sizeof(data) },
        { c->teacher, taught * WN_TUNE_OUT * sizeof(*c->teacher) } };
    wn_sha256_parts(parts, sizeof(parts) / sizeof(parts[0]), t->settings);
}

/* --- one step --- */

/* Rises over the first texts, then falls to nothing at the last. */
static double
rate_at(const struct tuning *t, double done)
{
    double rise = done / WARM_UP, fall = (1 - done) / (1 - WARM_UP);

    return t->conf->rate * fmax(0, rise < 1 ? rise : fall);
}

static double
share_done(const struct tuning *t)
{
    return ((double)t->place.epoch +
               (double)t->place.row / (double)(t->plan.n > 0 ? t->plan.n : 1)) /
           t->conf->epochs;
}

static void
step(struct tuning *t)
{
    struct wn_adamw adamw = { .beta1 = 0.9,
        .beta2 = 0.999,
        .eps = 1e-8,
        .decay = 0.01,
        .rate = rate_at(t, share_done(t)),
        .fall = t->conf->fall,
        .clip = 1,
        .first = t->frozen,
        .words = t->frozen == 0 };
    struct wn_net_batch b = { .dropout = t->conf->dropout,
        .key = t->conf->seed * 1000003 + t->net->steps };
    struct wn_loss_rows rows;
    double last;

    wn_tune_batch_get(t->batch, &b, &rows);
    wn_net_forward(t->net, &b, t->logits);
    wn_loss(&t->loss, &t->net->shape, &rows, t->logits, t->dlogits, &last);
    wn_net_backward(t->net, &b, t->dlogits, adamw.first);
    wn_net_step(t->net, &adamw);
    t->place.loss = t->net->steps == 1
                        ? last
                        : SMOOTH * t->place.loss + (1 - SMOOTH) * last;
    t->place.tokens += b.offsets[b.n];
}

/* --- beside the work --- */

static void
tell(struct tuning *t, bool always)
{
    int64_t now = wn_clock_mono_us();
    double seconds = (double)(now - t->started_us) / 1e6, done = share_done(t);
    double tokens = (double)(t->place.tokens - t->begun_tokens);

    if (!always && now - t->told_us < PROGRESS_US)
        return;
    t->told_us = now;
    fprintf(stderr,
        "train: %5.1f %%, epoch %.2f of %g, step %llu, loss %.4f, %.0f "
        "tokens/s, %.0f min left\n",
        100 * done, done * t->conf->epochs, t->conf->epochs,
        (unsigned long long)t->net->steps, t->place.loss, tokens / seconds,
        tokens > 0 && done > 0 ? (1 - done) / done * (double)t->place.tokens /
                                     (tokens / seconds) / 60
                               : 0.0);
}

static enum wn_status
save_place(struct tuning *t, bool always, struct wn_err *err)
{
    int64_t now = wn_clock_mono_us();

    if (!always && now - t->saved_us < CHECKPOINT_US)
        return WN_OK;
    t->saved_us = now;
    return wn_checkpoint_write(
        t->net, t->conf->checkpoint, t->settings, &t->place, err);
}

/* --- the whole --- */

/* The exits asked for and the last layer's. */
static enum wn_status
shape_of(const struct wn_tune_conf *c, const struct wn_encoder *base,
    struct wn_train_shape *ret, struct wn_err *err)
{
    size_t has = wn_encoder_shape(base)->layers;

    *ret = (struct wn_train_shape){ .layers = c->layers > 0 ? c->layers : has,
        .exits = c->exits,
        .out = WN_TUNE_OUT,
        .tokens_max = c->tokens };
    memcpy(ret->after, c->after, sizeof(ret->after));
    if (c->exits > 0 && c->after[c->exits - 1] > ret->layers)
        return wn_fail(err, WN_REJECT, "an exit after layer %zu of %zu",
            c->after[c->exits - 1], ret->layers);
    if (c->last_layers > ret->layers)
        return wn_fail(err, WN_REJECT, "the last %zu layers of %zu",
            c->last_layers, ret->layers);
    if (c->exits == 0 || c->after[c->exits - 1] < ret->layers)
        ret->after[ret->exits++] = ret->layers;
    return WN_OK;
}

static enum wn_status
set_precision(struct tuning *t, struct wn_err *err)
{
    enum wn_tune_precision p = t->conf->precision;
    bool bf16 = p == WN_TUNE_BF16 ||
                (p == WN_TUNE_AUTO && wn_net_bf16_fits(&t->net->shape));
    enum wn_status rc = bf16 ? wn_net_bf16(t->net, err) : WN_OK;

    if (rc == WN_OK)
        fprintf(stderr, "train: in %s, %zu threads\n", bf16 ? "bf16" : "fp32",
            t->conf->threads);
    return rc;
}

static enum wn_status
make_net(struct tuning *t, const struct wn_encoder *base, struct wn_err *err)
{
    const struct wn_tune_conf *c = t->conf;
    struct wn_train_shape shape;
    size_t logits;
    enum wn_status rc = shape_of(c, base, &shape, err);

    if (rc == WN_OK)
        rc = wn_pool_new(&t->pool, c->threads, err);
    if (rc == WN_OK)
        rc = wn_train_net(&t->net, base, &shape, c->seed, t->pool, err);
    if (rc == WN_OK)
        rc = set_precision(t, err);
    if (rc != WN_OK)
        return rc;
    t->frozen = c->last_layers > 0 ? shape.layers - c->last_layers : 0;
    t->loss.exit_weight[shape.exits - 1] = 1; /* the last counts whole */
    t->loss.teach = c->teacher == NULL ? 0 : c->teach;
    logits = shape.exits * c->tokens * WN_TUNE_OUT;
    t->logits = malloc(logits * sizeof(*t->logits));
    t->dlogits = malloc(logits * sizeof(*t->dlogits));
    if (t->logits == NULL || t->dlogits == NULL)
        return wn_fail(err, WN_STOP, "train: out of memory");
    return wn_tune_batch_new(&t->batch, c, t->set, base, err);
}

/* *done: there is nothing to do. */
static enum wn_status
prepare(struct tuning *t, bool *done, struct wn_err *err)
{
    const struct wn_tune_conf *c = t->conf;
    struct wn_encoder *base = NULL;
    bool found = false;
    enum wn_status rc = wn_encoder_open(&base, c->base_dir, NULL, err);

    if (rc != WN_OK)
        return rc;
    hash_settings(t, base);
    wn_hex(t->settings, WN_SHA256, t->settings_hex);
    *done = wn_tune_folder_is(c, t->settings_hex);
    if (!*done)
        rc = make_net(t, base, err);
    wn_encoder_free(base);
    if (*done || rc != WN_OK)
        return rc;
    rc = wn_checkpoint_read(
        t->net, c->checkpoint, t->settings, &t->place, &found, err);
    if (rc == WN_OK && found)
        fprintf(stderr, "train: goes on from %s, step %llu\n", c->checkpoint,
            (unsigned long long)t->net->steps);
    return rc;
}

static bool
is_done(const struct tuning *t)
{
    return (double)t->place.epoch +
               (t->plan.n == 0 ? 0
                               : (double)t->place.row / (double)t->plan.n) >=
           t->conf->epochs;
}

static enum wn_status
run_epoch(struct tuning *t, struct wn_err *err)
{
    enum wn_status rc =
        wn_tune_plan_make(&t->plan, t->conf, t->set, t->place.epoch, err);

    while (rc == WN_OK && t->place.row < t->plan.n && !is_done(t)) {
        struct wn_net_batch b;
        struct wn_loss_rows rows;

        rc = wn_tune_batch_fill(
            t->batch, &t->plan, t->place.epoch, &t->place.row, err);
        wn_tune_batch_get(t->batch, &b, &rows);
        if (rc != WN_OK || b.n == 0)
            break;
        step(t);
        tell(t, false);
        rc = save_place(t, stop != 0, err);
        if (rc == WN_OK && stop != 0)
            rc = wn_fail(err, WN_RETRY,
                "stopped; the same command goes on from %s",
                t->conf->checkpoint);
    }
    return rc;
}

static enum wn_status
run(struct tuning *t, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    t->started_us = t->told_us = t->saved_us = wn_clock_mono_us();
    t->begun_tokens = t->place.tokens;
    while (rc == WN_OK && !is_done(t)) {
        rc = run_epoch(t, err);
        if (rc == WN_OK && t->place.row >= t->plan.n) {
            t->place.epoch++;
            t->place.row = 0;
        }
        wn_tune_plan_release(&t->plan);
    }
    if (rc == WN_OK)
        tell(t, true);
    return rc;
}

enum wn_status
wn_tune(const struct wn_tune_conf *conf, const struct wn_train_set *train,
    struct wn_err *err)
{
    struct tuning t = { .conf = conf, .set = train, .loss = loss_conf };
    struct sigaction act = { .sa_handler = on_signal }, was[2];
    bool done = false;
    enum wn_status rc;

    stop = 0;
    sigaction(SIGINT, &act, &was[0]);
    sigaction(SIGTERM, &act, &was[1]);
    rc = prepare(&t, &done, err);
    if (rc == WN_OK && done)
        fprintf(stderr, "train: %s is tuned already\n", conf->dir);
    if (rc == WN_OK && !done) {
        fprintf(stderr,
            "train: %zu of %zu texts an epoch, %g epochs, %zu threads\n",
            conf->epoch_rows > 0 ? conf->epoch_rows : train->data.n,
            train->data.n, conf->epochs, conf->threads);
        rc = run(&t, err);
    }
    if (rc == WN_OK && !done)
        rc = wn_tune_folder_write(conf, t.net, t.settings_hex, err);
    if (rc == WN_OK)
        unlink(conf->checkpoint);
    sigaction(SIGINT, &was[0], NULL);
    sigaction(SIGTERM, &was[1], NULL);
    wn_tune_batch_free(t.batch);
    wn_net_free(t.net);
    wn_pool_free(t.pool);
    free(t.logits);
    free(t.dlogits);
    return rc;
}
