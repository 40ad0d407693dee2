/*
 * The writer. A commit that has to be tried again is tried again with the same
 * items before anything else is written: the store knows one unclear COMMIT
 * at a time, and the same bytes go again. Meanwhile finished items are still
 * taken in, so the scorers never wait for the database; what is in hand is
 * bounded by bytes at admission.
 */
#include "ingest/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/service_int.h"
#include "storage/activation.h"

#define TAKE_MAX 1024
#define IDLE_MS 50
#define PING_US 2000000
#define HOUR_US INT64_C(3600000000)
#define DEAD_LOG_US 60000000
#define SAY_US 60000000

struct writer {
    struct wn_svc *svc;
    struct wn_store *store;
    size_t rows_max, bytes_max;
    int64_t age_us;
    struct wn_partition *again; /* its commit is to be tried again */
    unsigned attempt;
    int64_t retry_us;              /* not before, by the monotonic clock */
    int64_t spoke_us;              /* last answer of the database        */
    int64_t made_us, made_mono_us; /* partitions looked after */
    int64_t retain_us;             /* not before, by the monotonic clock */
    int64_t left_rows; /* since the last time nothing was left to do */
    int left_partitions;
    int64_t asked_us; /* when it last asked what is activated, monotonic */
    int64_t said_us;  /* when it last told what runs here, monotonic */
    bool word_due;    /* `word` has yet to be told */
    struct wn_models_word word;
    bool files;           /* offsets are bytes of a file */
    int64_t dead_us;      /* when it last spoke of dead letters, monotonic */
    uint64_t dead_new;    /* since then */
    struct wn_item **run; /* rows_max pointers */
};

/* --- what the database says --- */

static void
answered(struct writer *w)
{
    w->spoke_us = wn_clock_mono_us();
    w->attempt = 0;
    w->retry_us = 0;
    atomic_store(&w->svc->database_ok, true);
    wn_health_set(w->svc->health, "database", true, NULL);
}

static void
away(struct writer *w, const struct wn_err *err)
{
    w->retry_us =
        wn_clock_mono_us() + (int64_t)wn_svc_backoff_ms(w->attempt++) * 1000;
    atomic_store(&w->svc->database_ok, false);
    if (!w->svc->hard_stop)
        wn_health_set(w->svc->health, "database", false, err->text);
}

/* true: go on; false: it was no retry, and the service is ending. */
static bool
went(struct writer *w, enum wn_status rc, const struct wn_err *err)
{
    if (rc == WN_OK) {
        answered(w);
    } else if (rc == WN_RETRY) {
        away(w, err);
    } else {
        wn_svc_fail(w->svc, rc, err);
        return false;
    }
    return true;
}

/* --- time partitions --- */

static bool
hour_has_passed(const struct writer *w)
{
    int64_t wall = wn_clock_now_us() - w->made_us;

    return w->made_us == 0 || wall >= HOUR_US || wall <= -HOUR_US ||
           wn_clock_mono_us() - w->made_mono_us >= HOUR_US;
}

static enum wn_status
make_partitions(struct writer *w, struct wn_err *err)
{
    int64_t now = wn_clock_now_us();
    char cause[96];
    int ahead;
    enum wn_status rc;

    rc = wn_store_partitions(w->store, now, &ahead, err);
    if (rc != WN_OK)
        return rc;
    w->made_us = now;
    w->made_mono_us = wn_clock_mono_us();
    wn_metric_set(WN_M_PARTITIONS_AHEAD, 0, ahead);
    snprintf(cause, sizeof(cause),
        "only %d time partitions ahead, 2 are needed", ahead);
    wn_health_set(w->svc->health, "partitions", ahead >= 2, cause);
    return WN_OK;
}

/* Once a day, not in the first minutes: a start has better things to do. One
 * step a round, until nothing is left. A failure is not the database's: what
 * cannot be had without a wait is tried again after an hour. */
static void
retain(struct writer *w)
{
    struct wn_retained r;
    struct wn_err err = { "" };

    if (w->retain_us == 0)
        w->retain_us = wn_clock_mono_us() + HOUR_US / 6;
    if (wn_clock_mono_us() < w->retain_us)
        return;
    if (wn_store_retain(w->store, &r, &err) != WN_OK) {
        wn_log(WN_LOG_WARN, "store.retention_failed", "retry_min=60 cause=%s",
            err.text);
        w->retain_us = wn_clock_mono_us() + HOUR_US;
        return;
    }
    w->left_partitions += r.dropped;
    w->left_rows += r.rows;
    if (r.more)
        return;
    w->retain_us = wn_clock_mono_us() + 24 * HOUR_US;
    wn_log(WN_LOG_INFO, "store.retention",
        "dropped=%d rows=%lld kept_days=%lld", w->left_partitions,
        (long long)w->left_rows, (long long)r.days);
    w->left_partitions = 0;
    w->left_rows = 0;
}

/* --- what is activated --- */

/* The database hears what runs here when that changes, and now and then. */
static enum wn_status
say(struct writer *w, struct wn_err *err)
{
    enum wn_status rc;

    if (!wn_models_wants(w->svc->models))
        return WN_OK;
    if (wn_models_say(w->svc->models, &w->word) ||
        (w->word.version != NULL && wn_clock_mono_us() - w->said_us >= SAY_US))
        w->word_due = true;
    if (!w->word_due)
        return WN_OK;
    rc = wn_running_set(w->store, "model", w->word.activation, w->word.version,
        w->word.cause[0] != '\0' ? w->word.cause : NULL, err);
    if (rc == WN_OK) {
        w->word_due = false;
        w->said_us = wn_clock_mono_us();
    }
    return rc;
}

/* A read: it says nothing of whether the database takes writes, so it stands
 * for no ping. */
static enum wn_status
ask_activated(struct writer *w, struct wn_err *err)
{
    struct wn_activated a;
    enum wn_status rc;

    if (!wn_models_wants(w->svc->models) ||
        (w->asked_us != 0 &&
            wn_clock_mono_us() - w->asked_us < WN_ACTIVATION_POLL_US))
        return WN_OK;
    rc = wn_activated(w->store, "model", &a, err);
    if (rc != WN_OK)
        return rc;
    w->asked_us = wn_clock_mono_us();
    wn_models_hear(w->svc->models, &a);
    return WN_OK;
}

static bool
look_after(struct writer *w)
{
    struct wn_err err = { "" };
    enum wn_status rc = WN_OK;
    bool asked = false;

    if (wn_clock_mono_us() < w->retry_us || w->again != NULL ||
        w->svc->stopping)
        return true;
    if (hour_has_passed(w)) {
        rc = make_partitions(w, &err);
        asked = true;
    }
    if (rc == WN_OK)
        rc = ask_activated(w, &err);
    if (rc == WN_OK)
        rc = say(w, &err);
    if (rc == WN_OK)
        retain(w);
    if (rc == WN_OK && wn_clock_mono_us() - w->spoke_us >= PING_US) {
        rc = wn_store_ping(w->store, &err);
        asked = true;
    }
    return rc == WN_OK && !asked ? true : went(w, rc, &err);
}

/* --- after a commit --- */

static unsigned
dead_class(const struct wn_item *item)
{
    static const char *const classes[] = { "json", "id", "type", "event",
        "size", "crash", "constraint" };
    const char *colon = item->cause.len > 0
                            ? memchr(item->cause.p, ':', item->cause.len)
                            : NULL;
    unsigned i;

    for (i = 0; colon != NULL && i < sizeof(classes) / sizeof(*classes); i++) {
        if (strlen(classes[i]) == (size_t)(colon - item->cause.p) &&
            memcmp(classes[i], item->cause.p, strlen(classes[i])) == 0)
            return i;
    }
    return 0; /* what has no class of its own was not readable */
}

/*
 * A stream of dead letters is mostly a producer with another format than ours:
 * it is said while it lasts, a line a minute, and at the end. The cause holds
 * no content.
 */
static void
tell_dead(struct writer *w, const struct wn_item *item)
{
    struct wn_service_end *e = &w->svc->end;
    const int64_t now = wn_clock_mono_us();
    char cause[400], quoted[800];

    snprintf(cause, sizeof(cause), "%.*s", (int)item->cause.len,
        item->cause.p != NULL ? item->cause.p : "");
    if (e->dead++ == 0)
        snprintf(e->first_dead, sizeof(e->first_dead), "%s %lld: %s",
            w->files ? "the line at byte" : "offset",
            (long long)item->rec.offset, cause);
    w->dead_new++;
    if (w->dead_us != 0 && now - w->dead_us < DEAD_LOG_US)
        return;
    wn_log(WN_LOG_WARN, "ingest.dead_letters",
        "item=%d/%lld new=%llu total=%llu cause=%s", (int)item->rec.source,
        (long long)item->rec.offset, (unsigned long long)w->dead_new,
        (unsigned long long)e->dead,
        wn_log_quote(cause, quoted, sizeof(quoted)));
    w->dead_us = now;
    w->dead_new = 0;
}

static void
count_item(struct writer *w, const struct wn_item *item, int64_t now_us)
{
    if (item->outcome >= WN_SCORED)
        wn_metric_add(WN_M_POSTS, (unsigned)item->outcome - 1, 1);
    if (item->outcome == WN_DEAD) {
        wn_metric_add(WN_M_DEAD_LETTERS, dead_class(item), 1);
        tell_dead(w, item);
    }
    if (item->outcome == WN_SCORED || item->outcome == WN_DEGRADED)
        wn_metric_add(WN_M_ACTIONS, (unsigned)item->verdict.action, 1);
    for (unsigned s = 0; s < WN_SKIPPED_STAGES; s++)
        if (item->outcome == WN_DEGRADED && (item->skipped & 1u << s) != 0)
            wn_metric_add(WN_M_DEGRADED, s, 1);
    if (item->rec.time_us != WN_TIME_UNKNOWN && item->rec.time_us <= now_us)
        wn_metric_observe(
            WN_M_VERDICT_AGE, 0, (double)(now_us - item->rec.time_us) / 1e6);
}

/* The first n of the window leave it, stored. */
static void
finish_run(struct writer *w, struct wn_partition *p, size_t n)
{
    struct wn_svc *svc = w->svc;
    int64_t now = wn_clock_now_us(), time_us = 0;
    struct wn_item *item;
    size_t i;

    for (i = 0; i < n; i++) {
        item = p->window[p->base & (p->cap - 1)];
        p->window[p->base & (p->cap - 1)] = NULL;
        p->base++;
        wn_flow_move(item, WN_FLOW_STORED);
        count_item(w, item, now);
        time_us = item->rec.time_us;
        wn_svc_let_go(svc, item);
    }
    p->ready -= n;
    p->run = 0;
    p->ready_us = wn_clock_mono_us();
    pthread_mutex_lock(&svc->lock);
    p->committed = p->claim.next_offset;
    p->front_us = time_us == WN_TIME_UNKNOWN ? 0 : time_us;
    pthread_mutex_unlock(&svc->lock);
    atomic_fetch_add(&svc->committed, n);
    wn_metric_set(WN_M_BATCH_ROWS, 0, (double)n);
}

/* --- committing --- */

/* How many of the ready items go into the next transaction. */
static size_t
run_length(const struct writer *w, const struct wn_partition *p)
{
    size_t n = 0, bytes = 0;

    if (p->run > 0)
        return p->run; /* the same items again */
    while (n < p->ready && n < w->rows_max) {
        bytes += p->window[(p->base + n) & (p->cap - 1)]->bytes;
        if (n > 0 && bytes > w->bytes_max)
            break;
        n++;
    }
    return n;
}

static bool
is_due(const struct writer *w, const struct wn_partition *p, size_t n)
{
    return n >= w->rows_max || n < p->ready || p->run > 0 || w->svc->stopping ||
           atomic_load(&w->svc->items) == p->ready ||
           wn_clock_mono_us() - p->ready_us >= w->age_us;
}

/* false when it was revoked before we began. */
static bool
begin_commit(struct writer *w, struct wn_partition *p)
{
    bool ours;

    pthread_mutex_lock(&w->svc->lock);
    ours = !p->gone && !p->fenced;
    p->committing = ours;
    pthread_mutex_unlock(&w->svc->lock);
    return ours;
}

static void
end_commit(struct writer *w, struct wn_partition *p, bool fenced)
{
    pthread_mutex_lock(&w->svc->lock);
    p->committing = false;
    p->fenced = p->fenced || fenced;
    pthread_mutex_unlock(&w->svc->lock);
}

static bool
commit(struct writer *w, struct wn_partition *p, size_t n)
{
    struct wn_err err = { "" };
    int64_t begin = wn_clock_mono_us(), next;
    enum wn_status rc;
    size_t i;

    if (!begin_commit(w, p)) {
        w->again = NULL;
        return true;
    }
    for (i = 0; i < n; i++)
        w->run[i] = p->window[(p->base + i) & (p->cap - 1)];
    next = w->run[n - 1]->rec.next;
    rc = wn_store_commit(w->store, &p->claim, w->run, n, next, &err);
    if (rc == WN_OK) {
        wn_metric_observe(WN_M_STAGE_SECONDS, WN_STAGE_COMMIT,
            (double)(wn_clock_mono_us() - begin) / 1e6);
        finish_run(w, p, n);
    }
    end_commit(w, p, rc == WN_FENCED);
    w->again = NULL;
    if (rc == WN_FENCED) {
        wn_log(WN_LOG_WARN, "store.fenced",
            "source=%d epoch=%lld records=%zu total=%.0f", (int)p->source,
            (long long)p->epoch, n, wn_metric_value(WN_M_FENCED, 0));
        p->run = 0;
        return true;
    }
    if (rc == WN_RETRY) {
        p->run = n;
        w->again = p;
        wn_metric_add(WN_M_STORE_RETRIES, 0, 1);
    }
    return went(w, rc, &err);
}

/* The ready partition that has waited longest; NULL where none is due. */
static struct wn_partition *
most_due(struct writer *w, size_t *ret_n)
{
    struct wn_partition *p, *best = NULL;
    size_t i, n;

    pthread_mutex_lock(&w->svc->lock);
    for (i = 0; i < WN_PART_BUCKETS; i++) {
        for (p = w->svc->parts[i]; p != NULL; p = p->next) {
            if (p->gone || p->fenced || p->ready == 0)
                continue;
            n = run_length(w, p);
            if (is_due(w, p, n) &&
                (best == NULL || p->ready_us < best->ready_us)) {
                best = p;
                *ret_n = n;
            }
        }
    }
    pthread_mutex_unlock(&w->svc->lock);
    return best;
}

static bool
is_live(struct writer *w, const struct wn_partition *p)
{
    bool live;

    pthread_mutex_lock(&w->svc->lock);
    live = !p->gone && !p->fenced;
    pthread_mutex_unlock(&w->svc->lock);
    return live;
}

/* false: the service is ending by a failure. */
static bool
commit_due(struct writer *w)
{
    struct wn_partition *p;
    size_t n = 0;

    if (w->again != NULL && !is_live(w, w->again))
        w->again = NULL;
    while (wn_clock_mono_us() >= w->retry_us) {
        p = w->again;
        if (p != NULL)
            n = p->run;
        else
            p = most_due(w, &n);
        if (p == NULL)
            return true;
        if (!commit(w, p, n))
            return false;
    }
    return true;
}

/* --- the thread --- */

static void
take_in(struct writer *w, struct wn_item *item)
{
    struct wn_svc *svc = w->svc;
    struct wn_partition *p;
    struct wn_err err;

    pthread_mutex_lock(&svc->lock);
    p = wn_part_find(svc, item->rec.source, item->rec.generation);
    if (p != NULL && p->fenced)
        p = NULL;
    pthread_mutex_unlock(&svc->lock);
    if (p != NULL) {
        if (wn_part_put(p, item))
            return;
        wn_fail(&err, WN_STOP, "writer: out of memory");
        wn_svc_fail(svc, WN_STOP, &err);
    }
    wn_flow_move(item, WN_FLOW_DROPPED);
    wn_svc_let_go(svc, item);
}

/* Until something can be due: a batch's age, a retry, or news. */
static int
wait_ms(const struct writer *w)
{
    int64_t left = (w->retry_us - wn_clock_mono_us()) / 1000;
    int ms = (int)(w->age_us / 4000);

    if (left > 0)
        return left < IDLE_MS ? (int)left + 1 : IDLE_MS;
    if (ms < 1)
        ms = 1;
    return ms < IDLE_MS ? ms : IDLE_MS;
}

static void
work(struct writer *w)
{
    struct wn_svc *svc = w->svc;
    struct wn_item *items[TAKE_MAX];
    size_t n, i;

    while (!svc->hard_stop) {
        n = wn_queue_take_many(
            svc->to_write, (void **)items, TAKE_MAX, wait_ms(w));
        for (i = 0; i < n; i++)
            take_in(w, items[i]);
        /* the poll thread may take it away at any moment: it is not freed
         * before commit_due() has let go of it */
        wn_parts_sweep(svc, w->again);
        if (hour_has_passed(w) && !look_after(w))
            return; /* first: what is due needs its partitions */
        if (!commit_due(w) || !look_after(w))
            return;
        if (n == 0 && wn_queue_closed(svc->to_write) && w->again == NULL &&
            most_due(w, &n) == NULL)
            return;
    }
}

void *
wn_writer_thread(void *arg)
{
    struct writer w = { .svc = arg };
    const struct wn_options *o = w.svc->conf->options;
    struct wn_err err = { "" };
    enum wn_status rc;

    w.rows_max = (size_t)wn_opt_int(o, WN_OPT_STORE_ROWS);
    w.bytes_max = (size_t)wn_opt_int(o, WN_OPT_STORE_BYTES);
    w.age_us = wn_opt_int(o, WN_OPT_STORE_AGE) * 1000;
    w.files = strcmp(wn_opt_str(o, WN_OPT_INGEST_SOURCE), "jsonl") == 0;
    w.run = calloc(w.rows_max, sizeof(*w.run));
    rc = w.run == NULL ? wn_fail(&err, WN_STOP, "writer: out of memory")
                       : wn_svc_store_open(w.svc, &w.store, 0, &err);
    if (rc == WN_OK)
        work(&w);
    else if (rc != WN_RETRY)
        wn_svc_fail(w.svc, rc, &err);
    wn_store_free(w.store);
    free(w.run);
    atomic_store(&w.svc->drain_done, true);
    return NULL;
}
