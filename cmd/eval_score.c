/*
 * Scoring a whole data set: threads take chunks of rows from one counter, each
 * with a scorer of its own, and write where no other does. The calling thread
 * waits and shows progress.
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "classifier/parts.h"
#include "cmd/eval_int.h"
#include "core/clock.h"

#define CHUNK 64
#define ITEM_BYTES_MAX (4u << 20) /* links of one text */

struct job {
    const struct wn_data *data;
    const struct wn_eval_conf *conf;
    struct wn_eval_scores *scores;
    atomic_size_t next, done; /* rows */
    atomic_size_t alive;      /* threads */
    atomic_bool failed;
    pthread_mutex_t lock; /* of err */
    struct wn_err err;    /* the first failure */
};

void
wn_eval_scores_release(struct wn_eval_scores *s)
{
    for (size_t h = 0; h < WN_HEADS; h++) {
        free(s->logit[h]);
        free(s->encoder[h]);
        free(s->ngram[h]);
    }
    free(s->words);
    memset(s, 0, sizeof(*s));
}

enum wn_status
wn_eval_scores_init(
    struct wn_eval_scores *s, size_t n, bool with_parts, struct wn_err *err)
{
    bool ok;

    memset(s, 0, sizeof(*s));
    s->n = n;
    s->words = calloc(n + 1, sizeof(*s->words));
    ok = s->words != NULL;
    for (size_t h = 0; h < WN_HEADS; h++) {
        s->logit[h] = calloc(n + 1, sizeof(double));
        ok = ok && s->logit[h] != NULL;
        if (!with_parts)
            continue;
        s->encoder[h] = calloc(n + 1, sizeof(double));
        s->ngram[h] = calloc(n + 1, sizeof(double));
        ok = ok && s->encoder[h] != NULL && s->ngram[h] != NULL;
    }
    if (ok)
        return WN_OK;
    wn_eval_scores_release(s);
    return wn_fail(err, WN_STOP, "out of memory");
}

static void
keep(struct wn_eval_scores *s, size_t row, const struct wn_item *item,
    const struct wn_parts *parts)
{
    const struct wn_value *v = item->sig.v;
    bool known = v[WN_SIG_SCORE_SPAM].kind == WN_VALUE_DOUBLE;

    if (v[WN_SIG_TEXT_WORDS].kind == WN_VALUE_INT)
        s->words[row] = (uint32_t)v[WN_SIG_TEXT_WORDS].i;
    for (size_t h = 0; h < WN_HEADS; h++) {
        s->logit[h][row] = known ? parts->logit[h] : -INFINITY;
        s->encoder[h][row] = known ? parts->encoder[h] : -INFINITY;
        s->ngram[h][row] = known ? parts->ngram[h] : -INFINITY;
    }
}

static enum wn_status
score_chunk(struct job *job, struct wn_scorer *scorer, size_t from, size_t n,
    struct wn_err *err)
{
    struct wn_item *items[CHUNK] = { NULL };
    struct wn_parts parts[CHUNK];
    enum wn_status rc = WN_OK;

    for (size_t i = 0; i < n && rc == WN_OK; i++) {
        items[i] = wn_item_new(ITEM_BYTES_MAX);
        if (items[i] == NULL)
            rc = wn_fail(err, WN_STOP, "out of memory");
        else
            items[i]->post.text = job->data->rows[from + i].text;
    }
    if (rc == WN_OK)
        rc = wn_scorer_run_parts(scorer, items, n, parts, err);
    for (size_t i = 0; i < n; i++) {
        if (rc == WN_OK)
            keep(job->scores, from + i, items[i], &parts[i]);
        wn_item_free(items[i]);
    }
    return rc;
}

static enum wn_status
score_chunks(struct job *job, struct wn_err *err)
{
    struct wn_scorer *scorer = NULL;
    size_t all = job->data->n, from;
    enum wn_status rc;

    rc = wn_scorer_new(
        &scorer, job->conf->classifier, job->conf->windows_max, err);
    while (rc == WN_OK && !atomic_load(&job->failed)) {
        size_t n;

        from = atomic_fetch_add(&job->next, CHUNK);
        if (from >= all)
            break;
        n = all - from < CHUNK ? all - from : CHUNK;
        rc = score_chunk(job, scorer, from, n, err);
        atomic_fetch_add(&job->done, n);
    }
    wn_scorer_free(scorer);
    return rc;
}

static void *
work(void *arg)
{
    struct job *job = arg;
    struct wn_err err = { "" };

    if (score_chunks(job, &err) != WN_OK) {
        pthread_mutex_lock(&job->lock);
        if (!atomic_exchange(&job->failed, true))
            job->err = err;
        pthread_mutex_unlock(&job->lock);
    }
    atomic_fetch_sub(&job->alive, 1);
    return NULL;
}

void
wn_eval_show(struct wn_eval_progress *p, const char *what, const char *unit,
    size_t done, size_t all)
{
    bool terminal = isatty(STDERR_FILENO) == 1;
    int64_t now = wn_clock_mono_us(), every = terminal ? 500000 : 10000000;

    if (p->next_us == 0)
        p->next_us = now + every;
    if (done >= all && terminal)
        fprintf(stderr, "\r%70s\r", "");
    if (done >= all || now < p->next_us)
        return;
    fprintf(stderr, "%seval: %s: %zu of %zu %s%s", terminal ? "\r" : "", what,
        done, all, unit, terminal ? "" : "\n");
    p->next_us = now + every;
}

static void
wait_and_show(struct job *job, const char *what)
{
    const struct timespec nap = { 0, 20 * 1000 * 1000 };
    struct wn_eval_progress p = { 0 };

    while (atomic_load(&job->alive) > 0) {
        wn_eval_show(&p, what, "texts", atomic_load(&job->done), job->data->n);
        nanosleep(&nap, NULL);
    }
    wn_eval_show(&p, what, "texts", 1, 1);
}

/* As many of the threads as can be had; none of them: this one alone. */
static void
run_job(struct job *job, pthread_t *started, size_t threads, const char *what)
{
    size_t n = 0;

    atomic_store(&job->alive, threads);
    while (n < threads && pthread_create(&started[n], NULL, work, job) == 0)
        n++;
    if (n == 0) {
        atomic_store(&job->alive, 1);
        work(job);
    } else {
        atomic_fetch_sub(&job->alive, threads - n);
        wait_and_show(job, what);
    }
    for (size_t i = 0; i < n; i++)
        pthread_join(started[i], NULL);
}

/* The weights' own thresholds are probabilities. */
static void
set_own(struct wn_eval_scores *s, const struct wn_classifier *c)
{
    snprintf(s->model, sizeof(s->model), "%s", wn_classifier_version(c));
    s->points_n = 1;
    for (size_t h = 0; h < WN_HEADS; h++) {
        double p = wn_classifier_threshold(c, (enum wn_head)h);

        s->at[h][0] = (struct wn_eval_point){ .logit = log(p / (1 - p)),
            .ask = { NAN, NAN } };
    }
}

enum wn_status
wn_eval_scores_make(struct wn_eval_scores *ret, const struct wn_data *d,
    const struct wn_eval_conf *conf, const char *what, struct wn_err *err)
{
    struct job job = { .data = d,
        .conf = conf,
        .scores = ret,
        .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t *started;
    enum wn_status rc;

    WN_ASSERT(conf->threads > 0);
    rc = wn_eval_scores_init(ret, d->n, true, err);
    if (rc != WN_OK)
        return rc;
    started = calloc(conf->threads, sizeof(*started));
    if (started == NULL) {
        wn_eval_scores_release(ret);
        return wn_fail(err, WN_STOP, "out of memory");
    }
    run_job(&job, started, conf->threads, what);
    free(started);
    set_own(ret, conf->classifier);
    if (!atomic_load(&job.failed))
        return WN_OK;
    wn_eval_scores_release(ret);
    *err = job.err;
    return WN_STOP;
}
