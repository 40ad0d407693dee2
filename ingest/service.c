/*
 * The service: starts the threads, watches the stop flag, ends the threads in
 * order. The calling thread does nothing else, so it can keep its word on time
 * whatever the others wait for.
 *
 * Ending: no more records (stopping) -> scorers end -> the writer commits what
 * is done -> the relay flushes -> the source lets go -> shadow and keeper.
 * After STOP_WAIT_US no thread waits for a server any more; at HARD_US the
 * process ends by itself. Nothing of it is needed for correctness: the next
 * owner goes on from the cursor.
 */
#include "ingest/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ingest/relay.h"
#include "ingest/relay_send.h"
#include "ingest/service_int.h"
#include "ingest/shadow.h"
#include "ingest/writer.h"

#define STOP_WAIT_US 5000000
#define RELAY_US 2000000
#define HARD_US 9500000
#define TICK_MS 20
#define PROGRESS_US 200000
#define STORE_MS 10000
#define WATCHDOG_US 60000000
#define ITEM_BYTES_LEAST 4096 /* what admission counts for any item */

static atomic_llong watchdog_us = WATCHDOG_US;

void
wn_service_watchdog_ms(int64_t ms)
{
    atomic_store(&watchdog_us, ms > 0 ? ms * 1000 : WATCHDOG_US);
}

int64_t
wn_service_watchdog_us(void)
{
    return atomic_load(&watchdog_us);
}

enum wn_status
wn_service_check(const struct wn_options *o, struct wn_err *err)
{
    enum wn_status rc = wn_store_check(wn_opt_str(o, WN_OPT_DATABASE_URL),
        wn_opt_where(o, WN_OPT_DATABASE_URL), err);

    if (rc == WN_OK &&
        strcmp(wn_opt_str(o, WN_OPT_INGEST_SOURCE), "kafka") == 0)
        rc = wn_source_kafka_check(o, err);
    if (rc == WN_OK && wn_relay_wanted(o))
        rc = wn_sender_check(o, err);
    return rc;
}

/* --- what the threads share --- */

void
wn_svc_fail(struct wn_svc *svc, enum wn_status rc, const struct wn_err *err)
{
    pthread_mutex_lock(&svc->lock);
    if (svc->failed == WN_OK) {
        svc->failed = rc;
        svc->failure = *err;
    }
    pthread_mutex_unlock(&svc->lock);
}

void
wn_svc_nap(const struct wn_svc *svc, int ms, bool until_hard)
{
    const int64_t until = wn_clock_mono_us() + (int64_t)ms * 1000;
    struct timespec ts = { 0, 0 };
    int64_t left;

    while (!(until_hard ? svc->hard_stop : svc->stopping)) {
        left = until - wn_clock_mono_us();
        if (left <= 0)
            return;
        ts.tv_nsec = (left < TICK_MS * 1000 ? left : TICK_MS * 1000) * 1000;
        nanosleep(&ts, NULL);
    }
    ts.tv_nsec = 1000000; /* a caller that waits for more must not spin */
    nanosleep(&ts, NULL);
}

int
wn_svc_backoff_ms(unsigned attempt)
{
    uint32_t draw;
    uint32_t most = attempt >= 7 ? 5000 : 50u << attempt;

    wn_random(&draw, sizeof(draw));
    return 50 + (int)(draw % (most > 5000 ? 5000 : most));
}

void
wn_svc_let_go(struct wn_svc *svc, struct wn_item *item)
{
    atomic_fetch_sub(&svc->bytes, item->bytes);
    atomic_fetch_sub(&svc->items, 1);
    wn_item_free(item);
}

enum wn_status
wn_svc_store_open(struct wn_svc *svc, struct wn_store **ret, int timeout_ms,
    struct wn_err *err)
{
    const struct wn_options *o = svc->conf->options;
    struct wn_store_conf conf = {
        .conninfo = wn_opt_str(o, WN_OPT_DATABASE_URL),
        .instance = svc->instance,
        .retention_days = wn_opt_int(o, WN_OPT_STORE_RETENTION),
        .want_verdicts = wn_opt_str(o, WN_OPT_OUTPUT_VERDICTS)[0] != '\0',
        .want_dead = wn_opt_str(o, WN_OPT_OUTPUT_DEAD)[0] != '\0',
        .timeout_ms = timeout_ms > 0 ? timeout_ms : STORE_MS,
        .stop = &svc->hard_stop,
    };
    enum wn_status rc;
    unsigned tries = 0;

    for (;;) {
        rc = wn_store_open(ret, &conf, err);
        if (rc != WN_RETRY || svc->stopping)
            return rc;
        if (timeout_ms == 0) /* the writer's: it speaks of the database */
            wn_health_set(svc->health, "database", false, err->text);
        wn_svc_nap(svc, wn_svc_backoff_ms(tries++), false);
    }
}

/* --- starting --- */

static enum wn_format
format_of(const char *name)
{
    static const char *const names[] = { "auto", "native", "cloudevents",
        "activitystreams", "jetstream" };
    unsigned i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return (enum wn_format)i;
    }
    return WN_FORMAT_AUTO;
}

static void
name_instance(struct wn_svc *svc)
{
    char host[32] = "";
    uint32_t draw;

    gethostname(host, sizeof(host) - 1);
    wn_random(&draw, sizeof(draw));
    snprintf(svc->instance, sizeof(svc->instance), "winnow/%s/%d/%08x", host,
        (int)getpid(), draw);
}

static size_t
scorers_wanted(const struct wn_options *o)
{
    int64_t n = wn_opt_int(o, WN_OPT_SCORE_THREADS);

    if (n == 0)
        n = sysconf(_SC_NPROCESSORS_ONLN);
    if (n < 1)
        n = 1;
    return n > WN_SCORERS_MAX ? WN_SCORERS_MAX : (size_t)n;
}

/* Takes the weights of conf, whatever comes of it. */
static enum wn_status
svc_init(
    struct wn_svc *svc, const struct wn_service_conf *conf, struct wn_err *err)
{
    const struct wn_options *o = conf->options;
    enum wn_status rc;

    memset(svc, 0, sizeof(*svc));
    svc->conf = conf;
    svc->health = conf->health;
    svc->format = format_of(wn_opt_str(o, WN_OPT_INGEST_FORMAT));
    svc->post_bytes_max = (size_t)wn_opt_int(o, WN_OPT_INGEST_POST_BYTES);
    svc->bytes_max = (size_t)wn_opt_int(o, WN_OPT_INGEST_BYTES);
    svc->scorers_n = scorers_wanted(o);
    atomic_store(&svc->lag, -1);
    name_instance(svc);
    pthread_mutex_init(&svc->lock, NULL);
    wn_shed_init(&svc->shed, 1000 * wn_opt_int(o, WN_OPT_SCORE_WAIT));
    rc = wn_models_new(&svc->models, conf, svc->scorers_n, err);
    if (rc == WN_OK)
        rc = wn_shadow_new(&svc->shadow, svc, err);
    if (rc != WN_OK)
        return rc;
    /* The byte budget is the bound; a queue is never full before it. */
    svc->to_score = wn_queue_new(svc->bytes_max / ITEM_BYTES_LEAST + 1);
    svc->to_write = wn_queue_new(svc->bytes_max / ITEM_BYTES_LEAST + 1);
    if (svc->to_score == NULL || svc->to_write == NULL)
        return wn_fail(err, WN_STOP, "service: out of memory");
    return WN_OK;
}

static void
drop_item(void *item)
{
    wn_item_free(item);
}

static void
svc_release(struct wn_svc *svc)
{
    wn_parts_free(svc);
    if (svc->to_score != NULL)
        wn_queue_free(svc->to_score, drop_item);
    if (svc->to_write != NULL)
        wn_queue_free(svc->to_write, drop_item);
    wn_shadow_free(svc->shadow);
    wn_models_free(svc->models);
    wn_shed_release(&svc->shed);
    pthread_mutex_destroy(&svc->lock);
}

struct threads {
    pthread_t poll, writer, relay, scorers[WN_SCORERS_MAX];
    bool poll_on, writer_on, relay_on;
    size_t scorers_n;
};

static enum wn_status
start(struct wn_svc *svc, struct threads *t, struct wn_err *err)
{
    enum wn_status rc = wn_models_start(svc->models, err);

    if (rc == WN_OK)
        rc = wn_shadow_start(svc->shadow, err);
    if (rc != WN_OK) {
        atomic_store(&svc->drain_done, true);
        return rc;
    }
    t->writer_on = pthread_create(&t->writer, NULL, wn_writer_thread, svc) == 0;
    if (!t->writer_on)
        atomic_store(&svc->drain_done, true);
    while (t->writer_on && t->scorers_n < svc->scorers_n &&
           pthread_create(
               &t->scorers[t->scorers_n], NULL, wn_score_thread, svc) == 0)
        t->scorers_n++;
    if (t->scorers_n == svc->scorers_n)
        t->poll_on = pthread_create(&t->poll, NULL, wn_poll_thread, svc) == 0;
    if (!t->poll_on)
        return wn_fail(err, WN_STOP, "service: a thread does not start");
    if (wn_relay_wanted(svc->conf->options)) {
        t->relay_on =
            pthread_create(&t->relay, NULL, wn_relay_thread, svc) == 0;
        if (!t->relay_on)
            return wn_fail(err, WN_STOP, "service: a thread does not start");
    }
    return WN_OK;
}

/* --- running --- */

/* Age of about the oldest record in hand. */
static double
lag_seconds(struct wn_svc *svc)
{
    int64_t oldest = 0;
    size_t i;
    struct wn_partition *p;

    if (atomic_load(&svc->items) == 0)
        return 0;
    pthread_mutex_lock(&svc->lock);
    for (i = 0; i < WN_PART_BUCKETS; i++) {
        for (p = svc->parts[i]; p != NULL; p = p->next) {
            if (!p->gone && p->front_us != 0 &&
                (oldest == 0 || p->front_us < oldest))
                oldest = p->front_us;
        }
    }
    pthread_mutex_unlock(&svc->lock);
    return oldest == 0 ? 0 : (double)(wn_clock_now_us() - oldest) / 1e6;
}

static void
tick(struct wn_svc *svc)
{
    const struct wn_service_conf *conf = svc->conf;

    wn_health_tick(svc->health);
    wn_metric_set(WN_M_QUEUE_BYTES, 0, (double)atomic_load(&svc->bytes));
    wn_metric_set(WN_M_LAG_SECONDS, 0, lag_seconds(svc));
    if (conf->progress != NULL)
        conf->progress(conf->progress_arg, atomic_load(&svc->committed),
            atomic_load(&svc->lag));
}

static bool
has_failed(struct wn_svc *svc)
{
    bool failed;

    pthread_mutex_lock(&svc->lock);
    failed = svc->failed != WN_OK;
    pthread_mutex_unlock(&svc->lock);
    return failed;
}

static void
sleep_tick(void)
{
    struct timespec ts = { 0, TICK_MS * 1000000L };

    nanosleep(&ts, NULL);
}

/* The source has ended, all of it is committed, and the relay has looked since
 * and found nothing left to send: nobody else might ever send it. */
static bool
is_over(struct wn_svc *svc, int64_t *ended_us)
{
    if (!atomic_load(&svc->ended))
        return false;
    if (*ended_us == 0)
        *ended_us = wn_clock_mono_us();
    return !wn_relay_wanted(svc->conf->options) ||
           atomic_load(&svc->relay_dry_us) > *ended_us;
}

static void
run(struct wn_svc *svc)
{
    int64_t ticked = 0, ended = 0, now;

    while (!*svc->conf->stop && !is_over(svc, &ended) && !has_failed(svc)) {
        now = wn_clock_mono_us();
        if (now - ticked >= PROGRESS_US) {
            tick(svc);
            ticked = now;
        }
        if (svc->conf->reload_asked != NULL &&
            atomic_exchange(svc->conf->reload_asked, false))
            wn_models_reload(svc->models);
        sleep_tick();
    }
}

/* --- ending --- */

struct ending {
    struct wn_svc *svc;
    int64_t begun_us;
};

/* What cannot be waited for any longer is left to the next owner. */
static void
end_hard(struct ending *e, const char *what)
{
    wn_log(WN_LOG_WARN, "service.stop_forced", "waiting_for=%s after_ms=%lld",
        what, (long long)((wn_clock_mono_us() - e->begun_us) / 1000));
    _exit(has_failed(e->svc) ? 1 : 0);
}

/* Joins, minding both limits; seconds of patience are the ending's, all in
 * all. */
static void
join(struct ending *e, pthread_t thread, const char *what)
{
    struct timespec ts;
    int64_t spent;

    for (;;) {
        spent = wn_clock_mono_us() - e->begun_us;
        if (spent >= STOP_WAIT_US)
            e->svc->hard_stop = true;
        if (spent >= HARD_US)
            end_hard(e, what);
        clock_gettime(CLOCK_REALTIME, &ts);
        ts.tv_nsec += TICK_MS * 1000000L;
        if (ts.tv_nsec >= 1000000000L) {
            ts.tv_sec++;
            ts.tv_nsec -= 1000000000L;
        }
        if (pthread_timedjoin_np(thread, NULL, &ts) != ETIMEDOUT)
            return;
        wn_health_tick(e->svc->health);
    }
}

static void
end(struct wn_svc *svc, struct threads *t)
{
    struct ending e = { svc, wn_clock_mono_us() };
    pthread_t keeper, shadow;
    size_t i;

    svc->stopping = true;
    wn_models_stop(svc->models);
    wn_queue_close(svc->to_score);
    for (i = 0; i < t->scorers_n; i++)
        join(&e, t->scorers[i], "scorers");
    wn_queue_close(svc->to_write);
    if (t->writer_on)
        join(&e, t->writer, "writer");
    wn_relay_end(svc, RELAY_US);
    if (t->poll_on)
        join(&e, t->poll, "source");
    if (t->relay_on)
        join(&e, t->relay, "relay");
    if (wn_shadow_thread(svc->shadow, &shadow))
        join(&e, shadow, "shadow");
    if (wn_models_thread(svc->models, &keeper))
        join(&e, keeper, "model");
}

enum wn_status
wn_service_run(const struct wn_service_conf *conf, struct wn_err *err)
{
    struct wn_svc svc;
    struct threads t = { .scorers_n = 0 };
    enum wn_status rc;

    rc = svc_init(&svc, conf, err);
    if (rc != WN_OK)
        goto out;
    wn_health_set(svc.health, "database", false, "not connected yet");
    rc = start(&svc, &t, err);
    if (rc == WN_OK)
        run(&svc);
    end(&svc, &t);
    tick(&svc);
    svc.end.records = atomic_load(&svc.committed);
    if (conf->ret_end != NULL)
        *conf->ret_end = svc.end;
    if (rc == WN_OK && svc.failed != WN_OK) {
        *err = svc.failure;
        rc = svc.failed;
    }
    wn_log(rc == WN_OK ? WN_LOG_INFO : WN_LOG_ERROR, "service.end",
        "status=%s committed=%llu", wn_status_name(rc),
        (unsigned long long)atomic_load(&svc.committed));
out:
    svc_release(&svc);
    return rc;
}
