/*
 * Models that change under two workers of one group on a real broker, while one
 * of them dies and its partitions move: every record has one verdict, of one
 * model whole. "high" flags every text and "low" none.
 */

#include "storage/activation.h"
#include "tests/kafka/service_kit.h"
#include "tests/lib/weights.h"

static char high[512], low[512], high_version[128], low_version[128];

static void
make_weights(char *dir, char *version, const char *name, double offset)
{
    struct wn_classifier *c;
    struct wn_err err;

    wn_weights_make_named(dir, name, (struct wn_calibration){ 1, offset });
    assert_wn_ok(wn_classifier_open(&c, dir, NULL, &err), &err);
    snprintf(version, 128, "%s", wn_classifier_version(c));
    wn_classifier_free(c);
}

static int
make_all(void **state)
{
    (void)state;
    make_weights(high, high_version, "high", 1000);
    make_weights(low, low_version, "low", -1000);
    return 0;
}

static enum wn_status
open_model(void *arg, const char *dir, bool shadow, struct wn_classifier **ret,
    struct wn_err *err)
{
    *ret = NULL;
    return shadow ? WN_OK
                  : wn_classifier_open(ret, dir != NULL ? dir : low, NULL, err);
}

static void *
model_thread(void *arg)
{
    struct svc *s = arg;
    struct wn_service_conf conf = { .options = s->options,
        .open_model = open_model,
        .policy = s->policy,
        .health = s->health,
        .stop = &s->stop };

    s->rc = open_model(NULL, NULL, false, &conf.classifier, &s->err);
    if (s->rc == WN_OK)
        s->rc = wn_service_run(&conf, &s->err);
    return NULL;
}

static void
begin(struct svc *s, struct bench *b)
{
    static const char *const more[] = { "score.batch_tokens", "200",
        "store.batch_rows", "50", NULL };

    svc_make(s, b->k.worker, b->topic, wn_kafka_bootstrap(kafka), more);
    assert_int_equal(pthread_create(&s->thread, NULL, model_thread, s), 0);
}

static int64_t
activate(struct bench *b, struct wn_store *desk, const char *dir,
    const char *version, int64_t after)
{
    struct wn_activate a = { "model", dir, version, after, "ana", "a test" };
    struct wn_activated done;
    struct wn_err err;

    assert_wn_ok(wn_activate(desk, &a, &done, &err), &err);
    return done.id;
}

static void
wait_taken(struct bench *b, int64_t id, int workers)
{
    char sql[200];

    snprintf(sql, sizeof(sql),
        "SELECT count(*) FROM winnow.running_now WHERE activation = %lld AND "
        "cause IS NULL",
        (long long)id);
    wait_number(b, workers, sql);
}

static void
models_change_under_a_rebalance_and_lose_nothing(void **state)
{
    struct wn_store *desk;
    struct bench b;
    struct svc one, two;
    int64_t id;

    (void)state;
    bench_open(&b, 2);
    wn_pg_exec(b.k.pg, b.k.db, "GRANT winnow_console TO worker");
    desk = kit_store(&b.k, b.k.worker, "desk");
    begin(&one, &b);
    begin(&two, &b);
    put_many(&b, "first", 300);
    wait_verdicts(&b, 300);
    put_many(&b, "second", 1000);
    id = activate(&b, desk, high, high_version, 0);
    put_many(&b, "third", 1000);
    wait_taken(&b, id, 2);
    put_many(&b, "fourth", 1000);
    id = activate(&b, desk, low, low_version, id);
    svc_end(&one); /* its partition goes to the other */
    put_many(&b, "fifth", 1000);
    wait_taken(&b, id, 1);
    put_many(&b, "sixth", 200);
    wait_verdicts(&b, 4500);
    wait_number(&b, 4500,
        "SELECT sum(next_offset) FROM winnow.source_cursor "
        "WHERE kind = 'kafka'");
    assert_int_equal(wn_pg_number(b.k.pg, b.k.db,
                         "SELECT count(DISTINCT (source, off)) FROM "
                         "winnow.audit WHERE kind = 1"),
        4500);
    assert_int_equal(
        wn_pg_number(b.k.pg, b.k.db, "SELECT count(*) FROM winnow.verdict"),
        4500);
    svc_end(&two);
    assert_int_equal(
        wn_pg_number(b.k.pg, b.k.db,
            "SELECT count(*) FROM winnow.verdict v LEFT JOIN winnow.version m "
            "ON m.id = v.model WHERE NOT (m.value LIKE 'high@%' AND v.flags & "
            "7 = 7 OR m.value LIKE 'low@%' AND v.flags = 0)"),
        0);
    assert_int_equal(wn_pg_number(b.k.pg, b.k.db,
                         "SELECT count(DISTINCT model) FROM winnow.verdict"),
        2);
    kit_close(&b.k);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(models_change_under_a_rebalance_and_lose_nothing),
};

int
main(void)
{
    return wn_test_run("ingest_models_kafka", tests,
        sizeof(tests) / sizeof(tests[0]), make_all, NULL);
}
