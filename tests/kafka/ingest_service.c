/* The whole service between a real Kafka and a real PostgreSQL: what comes out
 * of what goes in. */
#include "ingest/service_int.h"
#include "tests/kafka/service_kit.h"

static long long
outcome_of(struct bench *b, const char *id, int part, int64_t offset)
{
    char sql[256];

    snprintf(sql, sizeof(sql),
        "SELECT coalesce((SELECT v.outcome FROM winnow.verdict v JOIN "
        "winnow.source_cursor s ON s.id = v.source WHERE v.post_id = '%s' "
        "AND s.part = %d AND v.off = %lld), -1)",
        id, part, (long long)offset);
    return wn_pg_number(b->k.pg, b->k.db, sql);
}

static void
two_workers_over_four_partitions_judge_each_post_once(void **state)
{
    struct bench b;
    struct svc one, two;
    int i;

    bench_open(&b, 4);
    atomic_store(&stub_us, 500);
    put_many(&b, "early", 3000);
    svc_begin(&one, &b, NULL);
    wait_number(&b, 1, "SELECT (count(*) > 200)::int FROM winnow.verdict");
    svc_begin(&two, &b, NULL); /* takes two partitions while work is in hand */
    put_many(&b, "late", 3000);
    wait_verdicts(&b, 6000);
    wait_number(
        &b, 2, "SELECT count(DISTINCT owner) FROM winnow.source_cursor");
    assert_whole(&b, 6000);
    wait_ready(&one);
    wait_ready(&two);
    svc_end(&one);
    svc_end(&two);
    for (i = 0; i < 4; i++)
        assert_int_equal(wn_kafka_mirror(kafka, b.topic, b.topic, i), 1500);
    kit_close(&b.k);
}

/* A second run has nothing to do, and a released claim is not a death. */
static void
a_second_run_begins_where_the_first_ended(void **state)
{
    struct bench b;
    struct svc s;
    double careful = wn_metric_value(WN_M_CAREFUL, 0);
    int i;

    bench_open(&b, 2);
    for (i = 1; i <= 4; i++) {
        put_many(&b, "run", 100); /* repeats, from the second time on */
        svc_begin(&s, &b, NULL);
        wait_verdicts(&b, 100 * i);
        svc_end(&s);
    }
    assert_whole(&b, 400);
    wait_number(
        &b, 300, "SELECT count(*) FROM winnow.verdict WHERE outcome = 5");
    assert_true(wn_metric_value(WN_M_CAREFUL, 0) == careful);
    /* Only an encoder counts in its stage, and the stub is none. */
    assert_true(wn_metric_value(WN_M_STAGE_SECONDS, WN_STAGE_ENCODE) == 0);
    kit_close(&b.k);
}

/* What the second record of a post becomes, by the first. Sent to the one
 * partition, waited for, then to the other; `at` is in seconds. */
struct step {
    const char *type;
    int revision, at;
    const char *text;
    int outcome;
};
struct pair {
    const char *id;
    struct step first, second;
};

static void
step(struct bench *b, int part, const char *id, const struct step *st)
{
    int64_t until = wn_clock_mono_us() + SECONDS * INT64_C(1000000);
    int64_t offset = wn_kafka_end(kafka, b->topic, part);
    struct wn_kafka_bytes value = { NULL, 0 };
    char json[512];
    long long now;

    if (strcmp(st->type, "tombstone") != 0) {
        post_json(json, sizeof(json), st->type, id, st->revision, st->text);
        value = (struct wn_kafka_bytes){ json, strlen(json) };
    }
    wn_kafka_send(kafka, b->topic, part,
        (struct wn_kafka_bytes){ id, strlen(id) }, value,
        wn_clock_now_us() / 1000000 * 1000 - 3600000 + st->at * 1000000, 0);
    wn_kafka_flush(kafka);
    do {
        sleep_ms(5);
        now = outcome_of(b, id, part, offset);
    } while (now == -1 && wn_clock_mono_us() < until);
    if (now != st->outcome)
        fail_msg("%s, %s in partition %d: outcome %lld, not %d", id, st->type,
            part, now, st->outcome);
}

static void
records_of_one_post_through_two_partitions_in_both_orders(void **state)
{
    static const struct pair pairs[] = {
        { "repeat", { "created", 1, 1, "A", WN_SCORED },
            { "created", 1, 2, "A", WN_REPEAT } },
        { "edit", { "created", 1, 1, "A", WN_SCORED },
            { "updated", 2, 2, "B", WN_SCORED } },
        { "late", { "updated", 2, 2, "B", WN_SCORED },
            { "created", 1, 1, "A", WN_STALE } },
        { "bare-edit", { "created", -1, 1, "A", WN_SCORED },
            { "updated", -1, 2, "B", WN_SCORED } },
        { "bare-late", { "updated", -1, 2, "B", WN_SCORED },
            { "created", -1, 1, "A", WN_STALE } },
        { "bare-repeat", { "created", -1, 1, "A", WN_SCORED },
            { "updated", -1, 2, "A", WN_REPEAT } },
        { "deleted", { "created", 1, 1, "A", WN_SCORED },
            { "deleted", -1, 2, "", WN_ERASED } },
        { "deleted-late", { "deleted", -1, 2, "", WN_ERASED },
            { "created", 1, 1, "A", WN_STALE } },
        { "tombstone", { "created", 1, 1, "A", WN_SCORED },
            { "tombstone", -1, 2, "", WN_ERASED } },
        { "tombstone-late", { "tombstone", -1, 2, "", WN_ERASED },
            { "created", 1, 1, "A", WN_STALE } },
    };
    struct bench b;
    struct svc s;
    char id[64];
    size_t i;
    int order;

    bench_open(&b, 2);
    svc_begin(&s, &b, NULL);
    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        for (order = 0; order < 2; order++) {
            snprintf(id, sizeof(id), "%s-%d", pairs[i].id, order);
            step(&b, order, id, &pairs[i].first);
            step(&b, 1 - order, id, &pairs[i].second);
        }
    }
    assert_whole(&b, 4 * (long long)i);
    assert_int_equal(wn_pg_number(b.k.pg, b.k.db,
                         "SELECT count(*) FROM winnow.content WHERE post_id "
                         "LIKE '%deleted%' OR post_id LIKE '%tombstone%'"),
        0);
    svc_end(&s);
    kit_close(&b.k);
}

static void
what_nobody_can_read_is_kept_and_its_neighbours_go_on(void **state)
{
    struct bench b;
    struct svc s;
    static char large[3000];

    bench_open(&b, 1);
    put_post(&b, 0, "before", "A");
    wn_kafka_put(kafka, b.topic, 0, "k", "{\"type\": not json");
    wn_kafka_put(kafka, b.topic, 0, NULL, NULL);
    wn_kafka_put(kafka, b.topic, 0, "k", "");
    memset(large, ' ', sizeof(large) - 1);
    wn_kafka_put(kafka, b.topic, 0, "k", large);
    put_post(&b, 0, "after", "A");
    svc_begin(
        &s, &b, (const char *const[]){ "ingest.post_bytes_max", "1k", NULL });
    wait_verdicts(&b, 6);
    assert_int_equal(
        wn_pg_number(b.k.pg, b.k.db, "SELECT count(*) FROM winnow.dead_letter"),
        4);
    assert_int_equal(wn_pg_number(b.k.pg, b.k.db,
                         "SELECT count(*) FROM winnow.dead_letter "
                         "WHERE class = 'size' AND bytes = 2999"),
        1);
    assert_int_equal(outcome_of(&b, "before", 0, 0), WN_SCORED);
    assert_int_equal(outcome_of(&b, "after", 0, 5), WN_SCORED);
    wait_ready(&s);
    svc_end(&s);
    kit_close(&b.k);
}

/* 900 posts of 20 KB over two partitions, a scorer that hangs, and a small
 * budget: begins, and waits until consuming was paused. */
static void
begin_paused(struct bench *b, struct svc *s)
{
    static char text[20000], json[21000];
    double pauses = wn_metric_value(WN_M_PAUSES, 0);
    int i;

    bench_open(b, 2);
    memset(text, 'a', sizeof(text) - 1);
    for (i = 0; i < 900; i++) {
        snprintf(json, sizeof(json),
            "{\"post\":{\"id\":\"p%d\",\"text\":\"%s\",\"author\":{\"id\":"
            "\"a\"}}}",
            i, text);
        wn_kafka_send(kafka, b->topic, i % 2,
            (struct wn_kafka_bytes){ NULL, 0 },
            (struct wn_kafka_bytes){ json, strlen(json) }, 0, 0);
    }
    wn_kafka_flush(kafka);
    atomic_store(&stub_us, 1000000);
    /* Batches of four posts, so that room comes too seldom not to pause. */
    svc_begin(s, b,
        (const char *const[]){
            "ingest.bytes_max", "6m", "score.batch_tokens", "9000", NULL });
    wait_metric(WN_M_PAUSES, pauses + 1);
}

/* What was fetched and thrown away comes again, once. */
static void
the_byte_budget_holds_and_loses_nothing(void **state)
{
    struct bench b;
    struct svc s;
    double most;

    begin_paused(&b, &s);
    most = wn_metric_value(WN_M_QUEUE_BYTES, 0);
    atomic_store(&stub_us, 0);
    wait_verdicts(&b, 900);
    assert_whole(&b, 900);
    assert_true(most > 4 << 20);
    assert_true(most < 6 << 20);
    svc_end(&s);
    kit_close(&b.k);
}

/* Another worker takes a partition while consuming is paused, and the group
 * still gives it to us: it is claimed again, and read again. */
static void
a_partition_fenced_while_paused_is_read_again(void **state)
{
    struct bench b;
    struct svc s;
    double fenced = wn_metric_value(WN_M_FENCED, 0);

    begin_paused(&b, &s);
    wn_pg_exec(b.k.pg, b.k.db,
        "UPDATE winnow.source_cursor SET epoch = epoch + 1 WHERE part = 0");
    atomic_store(&stub_us, 0);
    wait_metric(WN_M_FENCED, fenced + 1);
    wait_verdicts(&b, 900);
    assert_whole(&b, 900);
    svc_end(&s);
    kit_close(&b.k);
}

static void
ingest_start_is_for_the_first_subscription_only(void **state)
{
    struct bench b;
    struct svc s;
    const char *const end[] = { "ingest.start", "end", NULL };

    bench_open(&b, 2);
    put_many(&b, "old", 10);
    svc_begin(&s, &b, end);
    wait_number(&b, 2,
        "SELECT count(*) FROM winnow.source_cursor WHERE next_offset = 5");
    wait_ready(&s);
    put_many(&b, "new", 10);
    wait_verdicts(&b, 10);
    svc_end(&s);
    /* A partition that comes while nobody looks is read from its beginning. */
    wn_kafka_grow(kafka, b.topic, 3);
    put_post(&b, 2, "grown-1", "A");
    put_post(&b, 2, "grown-2", "A");
    svc_begin(&s, &b, end);
    wait_verdicts(&b, 12);
    wait_ready(&s);
    /* And so is one that comes while somebody does. */
    wn_kafka_grow(kafka, b.topic, 4);
    put_post(&b, 3, "grown-3", "A");
    wait_verdicts(&b, 13);
    svc_end(&s);
    kit_close(&b.k);
}

static void
ingest_start_may_be_a_time(void **state)
{
    struct bench b;
    struct svc s;
    int i;
    char id[16], json[128];

    bench_open(&b, 2);
    for (i = 0; i < 10; i++) { /* a minute apart, from 12:00 on */
        snprintf(id, sizeof(id), "t%d", i);
        snprintf(json, sizeof(json),
            "{\"post\":{\"id\":\"%s\",\"text\":\"A\",\"author\":{\"id\":"
            "\"a\"}}}",
            id);
        wn_kafka_send(kafka, b.topic, i % 2,
            (struct wn_kafka_bytes){ id, strlen(id) },
            (struct wn_kafka_bytes){ json, strlen(json) },
            wn_clock_now_us() / 86400000000 * 86400000 + i * 60000, 0);
    }
    wn_kafka_flush(kafka);
    wn_time_format(
        wn_clock_now_us() / 86400000000 * 86400000000 + 360000000, json);
    svc_begin(&s, &b, (const char *const[]){ "ingest.start", json, NULL });
    wait_verdicts(&b, 4);
    assert_int_equal(outcome_of(&b, "t6", 0, 3), WN_SCORED);
    assert_int_equal(outcome_of(&b, "t7", 1, 3), WN_SCORED);
    svc_end(&s);
    kit_close(&b.k);
}

static void
put_line(FILE *f, int i)
{
    fprintf(f,
        "{\"post\":{\"id\":\"line-%d\",\"text\":\"A\",\"author\":{\"id\":"
        "\"a\"}}}\n",
        i);
}

/* Nobody else would ever send them: a file that was rotated away, or standard
 * input, is not read again. */
static void
a_file_is_over_only_when_its_verdicts_are_out(void **state)
{
    struct bench b;
    struct svc s;
    char path[600], topic[64];
    FILE *f;
    int i;

    bench_open(&b, 1);
    snprintf(path, sizeof(path), "%s/posts.jsonl", wn_test_dir());
    snprintf(topic, sizeof(topic), "%s-out", b.topic);
    f = fopen(path, "w");
    assert_non_null(f);
    for (i = 0; i < 20; i++)
        put_line(f, i);
    assert_int_equal(fclose(f), 0);
    svc_begin(&s, &b,
        (const char *const[]){ "ingest.source", "jsonl", "ingest.path", path,
            "output.verdicts_topic", topic, NULL });
    wait_verdicts(&b, 20);
    wait_cause(&s, topic);
    sleep_ms(3000); /* longer than the relay has where it is told to end */
    wn_kafka_create_topic(kafka, topic, 1);
    pthread_join(s.thread, NULL); /* by itself */
    assert_wn_ok(s.rc, &s.err);
    assert_int_equal(wn_kafka_end(kafka, topic, 0), 20);
    wn_policy_free(s.policy);
    wn_health_free(s.health);
    wn_options_free(s.options);
    kit_close(&b.k);
}

/* The line that is still being written, and blank ones, are no lag. */
static void
a_followed_file_at_rest_has_no_lag(void **state)
{
    struct bench b;
    struct svc s;
    char path[600];
    double remade = wn_metric_value(WN_M_CONSUMER_REMADE, 0);
    FILE *f;

    bench_open(&b, 1);
    snprintf(path, sizeof(path), "%s/followed.jsonl", wn_test_dir());
    f = fopen(path, "w");
    assert_non_null(f);
    put_line(f, 1);
    fputs("\n  \n{\"post\":{\"id\":\"half", f);
    fflush(f);
    wn_service_watchdog_ms(500);
    svc_begin(&s, &b,
        (const char *const[]){ "ingest.source", "jsonl", "ingest.path", path,
            "ingest.follow", "true", NULL });
    wait_verdicts(&b, 1);
    while (atomic_load(&s.lag) != 0)
        sleep_ms(20);
    sleep_ms(1500);
    assert_true(wn_metric_value(WN_M_CONSUMER_REMADE, 0) == remade);
    fputs("\",\"text\":\"B\",\"author\":{\"id\":\"a\"}}}\n", f);
    assert_int_equal(fclose(f), 0);
    wait_verdicts(&b, 2);
    svc_end(&s);
    wn_service_watchdog_ms(0);
    kit_close(&b.k);
}

static void
a_bad_setting_ends_the_service_at_once(void **state)
{
    static const char *const bad[][3] = {
        { "kafka.no.such.setting", "1", NULL },
        { "kafka.session.timeout.ms", "soon", NULL },
        { "kafka.sasl.password", "", NULL },
    };
    struct bench b;
    struct svc s;
    size_t i;

    bench_open(&b, 1);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        svc_begin(&s, &b, bad[i]);
        if (i == 2) { /* what librdkafka takes is not ours to refuse */
            wait_ready(&s);
            svc_end(&s);
            continue;
        }
        pthread_join(s.thread, NULL);
        assert_int_equal(s.rc, WN_REJECT);
        assert_non_null(strstr(s.err.text, bad[i][0]));
        wn_policy_free(s.policy);
        wn_health_free(s.health);
        wn_options_free(s.options);
    }
    kit_close(&b.k);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(two_workers_over_four_partitions_judge_each_post_once),
    cmocka_unit_test(a_second_run_begins_where_the_first_ended),
    cmocka_unit_test(records_of_one_post_through_two_partitions_in_both_orders),
    cmocka_unit_test(what_nobody_can_read_is_kept_and_its_neighbours_go_on),
    cmocka_unit_test(the_byte_budget_holds_and_loses_nothing),
    cmocka_unit_test(a_partition_fenced_while_paused_is_read_again),
    cmocka_unit_test(ingest_start_is_for_the_first_subscription_only),
    cmocka_unit_test(ingest_start_may_be_a_time),
    cmocka_unit_test(a_file_is_over_only_when_its_verdicts_are_out),
    cmocka_unit_test(a_followed_file_at_rest_has_no_lag),
    cmocka_unit_test(a_bad_setting_ends_the_service_at_once),
};

WN_TEST_MAIN("service", tests)
