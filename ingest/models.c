/*
 * Models that are live, and the keeper that replaces them; see models.h.
 *
 * The keeper alone opens, swaps and frees: `scorer`, `beside` and what follows
 * them in the struct are its own. It frees what it took out, so at most one
 * model more than those in use is in memory.
 */
#include "ingest/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"

#define RETRY_US 30000000
enum { SWAP_DONE, SWAP_REFUSED }; /* of WN_M_MODEL_SWAPS */

struct wn_models {
    const struct wn_service_conf *conf;
    size_t threads, windows_max;
    struct wn_live live, shadow; /* of struct wn_model */
    _Atomic(const char *) shadow_version;
    _Atomic double shadow_share;
    pthread_t thread;
    bool on;

    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t changed; /* by the monotonic clock */
    struct wn_activated wanted;
    bool heard; /* `wanted` is what the database said */
    bool ready; /* it was seen to once                */
    bool reload, stopping, unsaid;
    struct wn_models_word word;

    /* The keeper's. */
    struct wn_model *scorer, *beside; /* what it made live            */
    bool own;         /* `scorer` are the weights of the options     */
    int64_t seen;     /* the last activation it saw to; -1: none yet */
    int64_t retry_us; /* it failed: not before, monotonic; 0: it did not */
};

/* --- one model --- */

static void
model_free(struct wn_model *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->scorers_n; i++)
        wn_scorer_free(m->scorers[i]);
    free(m->scorers);
    wn_classifier_free(m->classifier);
    free(m);
}

/* Takes c, also where it fails. */
static enum wn_status
model_new(struct wn_model **ret, struct wn_classifier *c, size_t threads,
    size_t windows_max, struct wn_err *err)
{
    struct wn_model *m = calloc(1, sizeof(*m));
    enum wn_status rc = WN_OK;

    if (m == NULL) {
        wn_classifier_free(c);
        return wn_fail(err, WN_STOP, "model: out of memory");
    }
    m->classifier = c;
    m->version = wn_version_keep(wn_classifier_version(c));
    m->scorers = calloc(threads, sizeof(*m->scorers));
    if (m->version == NULL || m->scorers == NULL)
        rc = wn_fail(err, WN_STOP, "model: out of memory");
    while (rc == WN_OK && m->scorers_n < threads) {
        rc = wn_scorer_new(&m->scorers[m->scorers_n], c, windows_max, err);
        m->scorers_n += rc == WN_OK;
    }
    if (rc == WN_OK)
        *ret = m;
    else
        model_free(m);
    return rc;
}

/* --- all of them --- */

static void
tell_live(struct wn_models *m, int64_t activation)
{
    struct wn_health *h = m->conf->health;
    char from[48] = "options";

    if (activation > 0)
        snprintf(from, sizeof(from), "activation %lld", (long long)activation);
    wn_health_info(h, "model", m->scorer->version);
    wn_health_info(h, "kernels", wn_classifier_kernels(m->scorer->classifier));
    wn_health_info(h, "model_from", from);
}

static void
show_shadow(struct wn_models *m)
{
    const char *version = m->beside != NULL ? m->beside->version : NULL;

    atomic_store(&m->shadow_version, version);
    wn_health_info(
        m->conf->health, "shadow", version != NULL ? version : "none");
}

/* It is no condition: a worker without its shadow is as ready as any. */
static void
refuse_shadow(struct wn_models *m, const char *cause)
{
    char text[600], quoted[1024];

    snprintf(text, sizeof(text), "none: %s", cause);
    wn_health_info(m->conf->health, "shadow", text);
    wn_log(WN_LOG_ERROR, "shadow.refused", "cause=%s",
        wn_log_quote(cause, quoted, sizeof(quoted)));
}

static struct wn_models *
models_alloc(const struct wn_service_conf *conf, size_t threads)
{
    struct wn_models *m = calloc(1, sizeof(*m));
    pthread_condattr_t monotonic;

    if (m == NULL)
        return NULL;
    m->conf = conf;
    m->threads = threads;
    m->windows_max = (size_t)wn_opt_int(conf->options, WN_OPT_SCORE_WINDOWS);
    m->own = true;
    m->seen = -1;
    m->ready = conf->open_model == NULL;
    atomic_store(&m->shadow_share, conf->shadow_share);
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&m->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    wn_live_init(&m->live, NULL);
    wn_live_init(&m->shadow, NULL);
    return m;
}

enum wn_status
wn_models_new(struct wn_models **ret, const struct wn_service_conf *conf,
    size_t threads, struct wn_err *err)
{
    struct wn_classifier *shadow = conf->shadow;
    struct wn_models *m;
    enum wn_status rc;

    *ret = NULL;
    if (conf->score_instead != NULL)
        return WN_OK;
    m = models_alloc(conf, threads);
    if (m == NULL) {
        wn_classifier_free(conf->classifier);
        wn_classifier_free(shadow);
        return wn_fail(err, WN_STOP, "model: out of memory");
    }
    rc = model_new(&m->scorer, conf->classifier, threads, m->windows_max, err);
    if (rc == WN_OK && shadow != NULL) {
        rc = model_new(&m->beside, shadow, 1, m->windows_max, err);
        shadow = NULL;
    }
    wn_classifier_free(shadow);
    if (rc != WN_OK) {
        wn_models_free(m);
        return rc;
    }
    wn_live_swap(&m->live, m->scorer);
    if (m->beside != NULL)
        wn_live_swap(&m->shadow, m->beside);
    tell_live(m, 0);
    show_shadow(m);
    *ret = m;
    return WN_OK;
}

void
wn_models_free(struct wn_models *m)
{
    if (m == NULL)
        return;
    wn_live_release(&m->live);
    wn_live_release(&m->shadow);
    model_free(m->scorer);
    model_free(m->beside);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* --- who uses them --- */

struct wn_model *
wn_models_take(struct wn_models *m)
{
    if (m == NULL)
        return NULL;
    pthread_mutex_lock(&m->lock);
    while (!m->ready && !m->stopping)
        pthread_cond_wait(&m->changed, &m->lock);
    pthread_mutex_unlock(&m->lock);
    return wn_live_take(&m->live);
}

void
wn_models_drop(struct wn_models *m, struct wn_model *taken)
{
    if (m != NULL)
        wn_live_drop(&m->live, taken);
}

struct wn_model *
wn_models_take_shadow(struct wn_models *m)
{
    return wn_live_take(&m->shadow);
}

void
wn_models_drop_shadow(struct wn_models *m, struct wn_model *taken)
{
    wn_live_drop(&m->shadow, taken);
}

const char *
wn_models_shadow(struct wn_models *m, double *ret_share)
{
    *ret_share = atomic_load(&m->shadow_share);
    return atomic_load(&m->shadow_version);
}

void
wn_models_shadow_off(struct wn_models *m, const char *cause)
{
    atomic_store(&m->shadow_version, NULL);
    refuse_shadow(m, cause);
}

/* --- news for the keeper, and from it --- */

void
wn_models_reload(struct wn_models *m)
{
    if (m == NULL || !m->on)
        return;
    pthread_mutex_lock(&m->lock);
    m->reload = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

bool
wn_models_wants(const struct wn_models *m)
{
    return m != NULL && m->on;
}

void
wn_models_hear(struct wn_models *m, const struct wn_activated *a)
{
    pthread_mutex_lock(&m->lock);
    m->wanted = *a;
    m->heard = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

bool
wn_models_say(struct wn_models *m, struct wn_models_word *ret)
{
    bool unsaid;

    pthread_mutex_lock(&m->lock);
    unsaid = m->unsaid;
    if (unsaid)
        *ret = m->word;
    m->unsaid = false;
    pthread_mutex_unlock(&m->lock);
    return unsaid;
}

/* --- the keeper --- */

struct news {
    struct wn_activated wanted;
    bool reload;
};

/* The lock is held. */
static bool
is_due(const struct wn_models *m)
{
    return m->heard &&
           (m->reload || m->wanted.id != m->seen ||
               (m->retry_us != 0 && wn_clock_mono_us() >= m->retry_us));
}

static void
wait_for_change(struct wn_models *m)
{
    struct timespec until = { m->retry_us / 1000000,
        m->retry_us % 1000000 * 1000 };

    if (m->retry_us == 0)
        pthread_cond_wait(&m->changed, &m->lock);
    else
        pthread_cond_timedwait(&m->changed, &m->lock, &until);
}

/* The next thing to see to; false: it is to end. */
static bool
next_news(struct wn_models *m, struct news *ret)
{
    bool stopping;

    pthread_mutex_lock(&m->lock);
    while (!m->stopping && !is_due(m))
        wait_for_change(m);
    stopping = m->stopping;
    *ret = (struct news){ m->wanted, m->reload };
    m->reload = false;
    pthread_mutex_unlock(&m->lock);
    return !stopping;
}

/* Workers may read the same weights at another depth or precision. */
static bool
holds(const struct wn_classifier *c, const char *version)
{
    size_t len = wn_classifier_weights_len(c);

    return strlen(version) == len &&
           memcmp(wn_classifier_version(c), version, len) == 0;
}

/* Puts the weights of `dir` in place of those that score, unless they are
 * those. NULL: those of the options, whatever their version. */
static enum wn_status
replace(struct wn_models *m, const char *dir, const char *version,
    struct wn_err *err)
{
    const struct wn_service_conf *conf = m->conf;
    struct wn_classifier *c = NULL;
    struct wn_model *next = NULL;
    enum wn_status rc = conf->open_model(conf->model_arg, dir, false, &c, err);

    if (rc == WN_OK && dir != NULL && !holds(c, version))
        rc = wn_fail(err, WN_REJECT,
            "%.200s: it holds %s, and %s was activated: the folder was changed "
            "since",
            dir, wn_classifier_version(c), version);
    if (rc == WN_OK &&
        strcmp(wn_classifier_version(c), m->scorer->version) == 0) {
        wn_classifier_free(c);
        return WN_OK;
    }
    if (rc == WN_OK)
        rc = wn_classifier_try(c, m->windows_max, err);
    if (rc != WN_OK) {
        wn_classifier_free(c);
        return rc;
    }
    rc = model_new(&next, c, m->threads, m->windows_max, err);
    if (rc != WN_OK)
        return rc;
    m->scorer = next;
    model_free(wn_live_swap(&m->live, next));
    wn_metric_add(WN_M_MODEL_SWAPS, SWAP_DONE, 1);
    return WN_OK;
}

/* What is in force is live, or why not: for health, the log and the writer. */
static void
report(struct wn_models *m, const struct wn_activated *a, const char *cause)
{
    bool news = cause != NULL && (m->word.activation != a->id ||
                                     strcmp(m->word.cause, cause) != 0);
    char quoted[1024];

    if (cause == NULL) {
        tell_live(m, a->place[0] != '\0' ? a->id : 0);
        wn_log(WN_LOG_INFO, "model.live", "version=%s activation=%lld",
            m->scorer->version, (long long)a->id);
    } else {
        wn_metric_add(WN_M_MODEL_SWAPS, SWAP_REFUSED, 1);
    }
    if (news)
        wn_log(WN_LOG_ERROR, "model.refused",
            "activation=%lld stays=%s cause=%s", (long long)a->id,
            m->scorer->version, wn_log_quote(cause, quoted, sizeof(quoted)));
    wn_health_set(m->conf->health, "model", cause == NULL, cause);
    pthread_mutex_lock(&m->lock);
    m->word = (struct wn_models_word){ a->id, m->scorer->version, "" };
    if (cause != NULL)
        snprintf(m->word.cause, sizeof(m->word.cause), "%s", cause);
    m->unsaid = m->ready = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

/* Makes live what is in force. */
static void
see_to(struct wn_models *m, const struct news *n)
{
    const struct wn_activated *a = &n->wanted;
    bool own = a->place[0] == '\0';
    struct wn_err err = { "" };
    enum wn_status rc = WN_OK;

    if (own && (!m->own || n->reload))
        rc = replace(m, NULL, NULL, &err);
    else if (!own && !holds(m->scorer->classifier, a->version))
        rc = replace(m, a->place, a->version, &err);
    m->seen = a->id;
    m->retry_us = rc == WN_OK ? 0 : wn_clock_mono_us() + RETRY_US;
    m->own = own && rc == WN_OK;
    report(m, a, rc == WN_OK ? NULL : err.text);
}

/* Another shadow, or none, as the options say now. */
static enum wn_status
reload_shadow(struct wn_models *m, struct wn_err *err)
{
    const struct wn_service_conf *conf = m->conf;
    struct wn_classifier *c = NULL;
    struct wn_model *next = NULL;
    enum wn_status rc = conf->open_model(conf->model_arg, NULL, true, &c, err);

    if (rc != WN_OK)
        return rc;
    if (c != NULL && m->beside != NULL &&
        strcmp(wn_classifier_version(c), m->beside->version) == 0) {
        wn_classifier_free(c);
        return WN_OK;
    }
    if (c != NULL)
        rc = model_new(&next, c, 1, m->windows_max, err);
    if (rc != WN_OK || (next == NULL && m->beside == NULL))
        return rc;
    m->beside = next;
    model_free(wn_live_swap(&m->shadow, next));
    return WN_OK;
}

static void
reload(struct wn_models *m)
{
    const struct wn_service_conf *conf = m->conf;
    struct wn_err err = { "" };
    double share = 0;
    enum wn_status rc = conf->reload(conf->model_arg, &share, &err);

    wn_health_set(conf->health, "options", rc == WN_OK, err.text);
    if (rc != WN_OK)
        return;
    atomic_store(&m->shadow_share, share);
    rc = reload_shadow(m, &err);
    if (rc == WN_OK)
        show_shadow(m);
    else
        refuse_shadow(m, err.text);
    wn_log(WN_LOG_INFO, "options.reload", "shadow_share=%g", share);
}

static void *
keep(void *arg)
{
    struct wn_models *m = arg;
    struct news n;

    while (next_news(m, &n)) {
        if (n.reload)
            reload(m);
        see_to(m, &n);
    }
    return NULL;
}

enum wn_status
wn_models_start(struct wn_models *m, struct wn_err *err)
{
    if (m == NULL || m->conf->open_model == NULL)
        return WN_OK;
    m->on = pthread_create(&m->thread, NULL, keep, m) == 0;
    return m->on ? WN_OK
                 : wn_fail(err, WN_STOP, "service: a thread does not start");
}

void
wn_models_stop(struct wn_models *m)
{
    if (m == NULL)
        return;
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

bool
wn_models_thread(const struct wn_models *m, pthread_t *ret)
{
    if (m == NULL || !m->on)
        return false;
    *ret = m->thread;
    return true;
}
