/*
 * What the tests of the whole service share: wn_service_run() on a thread of
 * its own with a stub scorer, between a real PostgreSQL (a database a case)
 * and a real Kafka (a topic a case, the same broker for all).
 */
#ifndef WN_TESTS_KAFKA_SERVICE_KIT_H
#define WN_TESTS_KAFKA_SERVICE_KIT_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "core/metrics.h"
#include "ingest/service.h"
#include "tests/db/storage_kit.h"
#include "tests/lib/kafka.h"

#define SECONDS 30 /* that anything may take to come about */

static struct wn_kafka *kafka;
static atomic_int stub_us; /* a post */

struct bench {
    struct kit k;
    char topic[32];
    int parts;
};

struct svc {
    pthread_t thread;
    struct wn_options *options;
    struct wn_health *health;
    struct wn_policy *policy;
    atomic_bool stop;
    enum wn_status rc;
    struct wn_err err;
    atomic_llong lag;
};

static inline void
sleep_ms(int ms)
{
    struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

    nanosleep(&ts, NULL);
}

/* --- the broker and the topic --- */

static inline void
bench_open(struct bench *b, int parts)
{
    static const char *const properties[] = {
        "group.min.session.timeout.ms=1000", NULL
    };
    static int benches;

    if (kafka == NULL)
        kafka = wn_kafka_start(properties);
    memset(b, 0, sizeof(*b));
    kit_open(&b->k);
    b->parts = parts;
    snprintf(b->topic, sizeof(b->topic), "posts-%d-%d", (int)getpid() % 1000,
        ++benches);
    if (parts > 0)
        wn_kafka_create_topic(kafka, b->topic, parts);
    atomic_store(&stub_us, 0);
}

/* type: "created", "updated" or "deleted"; revision below 0: none. */
static inline void
post_json(char *out, size_t out_bytes, const char *type, const char *id,
    int revision, const char *text)
{
    char rev[32] = "";

    if (revision >= 0)
        snprintf(rev, sizeof(rev), "\"revision\":%d,", revision);
    snprintf(out, out_bytes,
        "{\"type\":\"post.%s\",\"post\":{\"id\":\"%s\",%s\"text\":\"%s\","
        "\"author\":{\"id\":\"a\"}}}",
        type, id, rev, text);
}

static inline int64_t
put_post(struct bench *b, int part, const char *id, const char *text)
{
    char json[1024];

    post_json(json, sizeof(json), "created", id, 1, text);
    return wn_kafka_put(kafka, b->topic, part, id, json);
}

/* n new posts over all partitions, ids "<prefix>-<number>". */
static inline void
put_many(struct bench *b, const char *prefix, int n)
{
    char json[256], id[64];
    int i;

    for (i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "%s-%d", prefix, i);
        snprintf(json, sizeof(json),
            "{\"type\":\"post.created\",\"post\":{\"id\":\"%s\",\"text\":"
            "\"Number %d of the day\",\"author\":{\"id\":\"a\"}}}",
            id, i);
        wn_kafka_send(kafka, b->topic, i % b->parts,
            (struct wn_kafka_bytes){ id, strlen(id) },
            (struct wn_kafka_bytes){ json, strlen(json) }, 0, 0);
    }
    wn_kafka_flush(kafka);
}

/* --- the service --- */

static inline enum wn_status
stub_score(struct wn_item **items, size_t n, struct wn_err *err)
{
    static const char poison[] = "this post ends the process";
    struct wn_str text;
    size_t i;

    for (i = 0; i < n; i++) {
        text = items[i]->post.text;
        if (text.p != NULL &&
            memmem(text.p, text.len, poison, strlen(poison)) != NULL)
            abort();
        items[i]->sig.v[WN_SIG_SCORE_SPAM] = wn_value_double(0.5);
        items[i]->sig.v[WN_SIG_FLAG_SPAM] = wn_value_bool(false);
        items[i]->outcome = WN_SCORED;
        items[i]->model_version = "stub";
        items[i]->text_version = WN_TEXT_VERSION;
    }
    usleep((useconds_t)atomic_load(&stub_us) * (useconds_t)n);
    return WN_OK;
}

static inline void
on_progress(void *arg, uint64_t committed, int64_t lag)
{
    struct svc *s = arg;

    atomic_store(&s->lag, lag);
}

static inline void *
svc_thread(void *arg)
{
    struct svc *s = arg;
    struct wn_service_conf conf = { .options = s->options,
        .score_instead = stub_score,
        .policy = s->policy,
        .health = s->health,
        .stop = &s->stop,
        .progress = on_progress,
        .progress_arg = s };

    s->rc = wn_service_run(&conf, &s->err);
    return NULL;
}

static inline void
svc_set(struct svc *s, const char *name, const char *value)
{
    struct wn_err err;

    assert_wn_ok(wn_options_set(s->options, name, value, "test", &err), &err);
}

/* Everything but the thread; more: name, value, ..., NULL. */
static inline void
svc_make(struct svc *s, const char *database, const char *topic,
    const char *bootstrap, const char *const *more)
{
    static const char policy[] =
        "{\"policy\":\"kit\",\"version\":\"1\",\"rules\":[]}";
    struct wn_err err;

    memset(s, 0, sizeof(*s));
    s->options = wn_options_new();
    s->health = wn_health_new();
    assert_non_null(s->options);
    assert_non_null(s->health);
    assert_wn_ok(
        wn_policy_load(&s->policy, policy, strlen(policy), "kit", &err), &err);
    svc_set(s, "database.url", database);
    svc_set(s, "ingest.topic", topic);
    svc_set(s, "kafka.bootstrap.servers", bootstrap);
    svc_set(s, "kafka.group.id", topic);
    svc_set(s, "kafka.session.timeout.ms", "6000");
    svc_set(s, "score.threads", "1");
    for (; more != NULL && more[0] != NULL; more += 2)
        svc_set(s, more[0], more[1]);
}

static inline void
svc_begin(struct svc *s, struct bench *b, const char *const *more)
{
    svc_make(s, b->k.worker, b->topic, wn_kafka_bootstrap(kafka), more);
    assert_int_equal(pthread_create(&s->thread, NULL, svc_thread, s), 0);
}

/* As SIGTERM does. However the world is, it is within 10 s. */
static inline void
svc_end(struct svc *s)
{
    int64_t begin = wn_clock_mono_us(), took;

    s->stop = true;
    pthread_join(s->thread, NULL);
    took = wn_clock_mono_us() - begin;
    if (took > 10000000)
        fail_msg("it ended %.1f s after the stop", (double)took / 1e6);
    assert_wn_ok(s->rc, &s->err);
    wn_policy_free(s->policy);
    wn_health_free(s->health);
    wn_options_free(s->options);
}

/* --- waiting --- */

static inline void
wait_number(struct bench *b, long long want, const char *sql)
{
    int64_t until = wn_clock_mono_us() + SECONDS * INT64_C(1000000);
    long long n = wn_pg_number(b->k.pg, b->k.db, sql);

    while (n != want) {
        if (wn_clock_mono_us() > until)
            fail_msg("%lld, not %lld: %s", n, want, sql);
        sleep_ms(30);
        n = wn_pg_number(b->k.pg, b->k.db, sql);
    }
}

static inline void
wait_verdicts(struct bench *b, long long want)
{
    wait_number(b, want, "SELECT count(*) FROM winnow.verdict");
}

/* Health names this text among its causes. */
static inline void
wait_cause(struct svc *s, const char *text)
{
    int64_t until = wn_clock_mono_us() + SECONDS * INT64_C(1000000);
    struct wn_buf json;
    bool found;

    for (;;) {
        wn_buf_init(&json, 1u << 20);
        wn_health_json(s->health, &json);
        found = memmem(json.data, json.len, text, strlen(text)) != NULL;
        if (!found && wn_clock_mono_us() > until)
            fail_msg("health does not say \"%s\": %.*s", text, (int)json.len,
                (const char *)json.data);
        wn_buf_release(&json);
        if (found)
            break;
        sleep_ms(30);
    }
    assert_false(wn_health_ready(s->health));
    assert_true(wn_health_alive(s->health));
}

static inline void
wait_ready(struct svc *s)
{
    int64_t until = wn_clock_mono_us() + SECONDS * INT64_C(1000000);

    while (!wn_health_ready(s->health)) {
        if (wn_clock_mono_us() > until)
            fail_msg("not ready in time");
        sleep_ms(30);
    }
}

static inline void
wait_metric(enum wn_metric m, double at_least)
{
    int64_t until = wn_clock_mono_us() + SECONDS * INT64_C(1000000);

    while (wn_metric_value(m, 0) < at_least) {
        if (wn_clock_mono_us() > until)
            fail_msg("metric %d is %g", (int)m, wn_metric_value(m, 0));
        sleep_ms(30);
    }
}

/* One verdict and one audit row an offset; every cursor at its end. */
static inline void
assert_whole(struct bench *b, long long records)
{
    long long sum = 0;
    int i;

    for (i = 0; i < b->parts; i++)
        sum += wn_kafka_end(kafka, b->topic, i);
    assert_int_equal(sum, records);
    wait_number(b, sum, "SELECT sum(next_offset) FROM winnow.source_cursor");
    assert_int_equal(
        wn_pg_number(b->k.pg, b->k.db, "SELECT count(*) FROM winnow.verdict"),
        records);
    assert_int_equal(wn_pg_number(b->k.pg, b->k.db,
                         "SELECT count(DISTINCT (source, off)) "
                         "FROM winnow.verdict"),
        records);
    assert_int_equal(wn_pg_number(b->k.pg, b->k.db,
                         "SELECT count(DISTINCT (source, off)) "
                         "FROM winnow.audit WHERE kind = 1"),
        records);
}

#endif
