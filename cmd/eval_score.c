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

#define CHUNK 64
#define ITEM_BYTES_MAX (4u << 20) /* links of one text */

struct job {
    const struct wn_data *data;
    const struct wn_classifier *classifier;
    struct wn_eval_scores *scores;
    size_t windows_max;
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
        free(s->both[h]);
        free(s->encoder[h]);
        free(s->ngram[h]);
    }
    memset(s, 0, sizeof(*s));
}

static bool
allocate(struct wn_eval_scores *s, size_t n)
{
    bool ok = true;

    memset(s, 0, sizeof(*s));
    for (size_t h = 0; h < WN_HEADS; h++) {
        s->both[h] = calloc(n + 1, sizeof(double));
        s->encoder[h] = calloc(n + 1, sizeof(double));
        s->ngram[h] = calloc(n + 1, sizeof(double));
        ok = ok && s->both[h] != NULL && s->encoder[h] != NULL &&
             s->ngram[h] != NULL;
    }
    return ok;
}

static void
keep(struct wn_eval_scores *s, size_t row, const struct wn_item *item,
    const struct wn_parts *parts)
{
    for (size_t h = 0; h < WN_HEADS; h++) {
        const struct wn_value *v = &item->sig.v[WN_SIG_SCORE_SPAM + h];
        bool known = v->kind == WN_VALUE_DOUBLE;

        s->both[h][row] = known ? v->d : -INFINITY;
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

    rc = wn_scorer_new(&scorer, job->classifier, job->windows_max, err);
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

/* A line that is written over on a terminal; a line every ten seconds in a
 * log. */
static void
show_progress(struct job *job)
{
    const struct timespec nap = { 0, 100 * 1000 * 1000 };
    bool terminal = isatty(STDERR_FILENO) == 1;
    size_t every = terminal ? 5 : 100, all = job->data->n;

    for (size_t tick = 1; atomic_load(&job->alive) > 0; tick++) {
        nanosleep(&nap, NULL);
        if (tick % every == 0)
            fprintf(stderr, "%seval: %zu of %zu texts%s", terminal ? "\r" : "",
                atomic_load(&job->done), all, terminal ? "" : "\n");
    }
    if (terminal)
        fprintf(stderr, "\r%40s\r", "");
}

enum wn_status
wn_eval_scores_make(struct wn_eval_scores *ret, const struct wn_data *d,
    const struct wn_classifier *c, size_t windows_max, size_t threads,
    struct wn_err *err)
{
    struct job job = { .data = d,
        .classifier = c,
        .scores = ret,
        .windows_max = windows_max,
        .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t *started = calloc(threads, sizeof(*started));
    size_t n = 0;

    WN_ASSERT(threads > 0);
    if (!allocate(ret, d->n) || started == NULL) {
        free(started);
        wn_eval_scores_release(ret);
        return wn_fail(err, WN_STOP, "out of memory");
    }
    atomic_store(&job.alive, threads);
    while (n < threads && pthread_create(&started[n], NULL, work, &job) == 0)
        n++;
    if (n == 0) {
        atomic_store(&job.alive, 1);
        work(&job); /* no thread to be had: this one does it alone */
    } else {
        atomic_fetch_sub(&job.alive, threads - n);
        show_progress(&job);
    }
    for (size_t i = 0; i < n; i++)
        pthread_join(started[i], NULL);
    free(started);
    if (!atomic_load(&job.failed))
        return WN_OK;
    wn_eval_scores_release(ret);
    *err = job.err;
    return WN_STOP;
}
