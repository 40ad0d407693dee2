/* The service when its servers are away, full, slow or wrong: it waits, says
 * for what, loses nothing, and ends within 10 s of being told to. */
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <sys/wait.h>

#include "core/log.h"
#include "ingest/service_int.h"
#include "tests/kafka/service_kit.h"

/* --- the broker --- */

static void
a_broker_that_is_away_is_waited_for(void **state)
{
    struct bench b;
    struct svc s;

    bench_open(&b, 2);
    put_many(&b, "p", 50);
    wn_kafka_kill(kafka);
    svc_begin(&s, &b, NULL);
    wait_cause(&s, "no broker answers");
    svc_end(&s);
    svc_begin(&s, &b, NULL);
    wait_cause(&s, "no broker answers");
    wn_kafka_restart(kafka);
    wait_verdicts(&b, 50);
    wait_ready(&s);
    wn_kafka_kill(kafka); /* and in the middle */
    wait_cause(&s, "no broker answers");
    wn_kafka_restart(kafka);
    put_many(&b, "q", 50);
    wait_verdicts(&b, 100);
    assert_whole(&b, 100);
    wait_ready(&s);
    svc_end(&s);
    kit_close(&b.k);
}

static void
a_broker_that_hangs_does_not_hold_up_the_end(void **state)
{
    struct bench b;
    struct svc s;

    bench_open(&b, 2);
    put_many(&b, "p", 50);
    svc_begin(&s, &b, NULL);
    wait_verdicts(&b, 50);
    wn_kafka_freeze(kafka, true);
    svc_end(&s);
    wn_kafka_freeze(kafka, false);
    assert_whole(&b, 50);
    kit_close(&b.k);
}

static void
a_topic_that_is_missing_is_waited_for_and_not_made(void **state)
{
    struct bench b;
    struct svc s;

    bench_open(&b, 0);
    svc_begin(&s, &b, NULL);
    wait_cause(&s, "does not exist");
    sleep_ms(1500);
    assert_false(wn_kafka_exists(kafka, b.topic));
    svc_end(&s);
    svc_begin(&s, &b, NULL);
    wait_cause(&s, "does not exist");
    wn_kafka_create_topic(kafka, b.topic, 2);
    b.parts = 2;
    put_many(&b, "p", 20);
    wait_verdicts(&b, 20);
    wait_ready(&s);
    svc_end(&s);
    kit_close(&b.k);
}

/* Retention took what was not read: that partition stops, the other goes on. */
static void
offsets_that_are_gone_stop_their_partition_only(void **state)
{
    struct bench b;
    struct svc s;

    bench_open(&b, 2);
    put_many(&b, "p", 20);
    svc_begin(&s, &b, NULL);
    wait_verdicts(&b, 20);
    svc_end(&s);
    put_many(&b, "q", 20);
    wn_kafka_trim(kafka, b.topic, 0, 15);
    svc_begin(&s, &b, NULL);
    wait_cause(&s, "offsets 10 to 15 are gone");
    wait_verdicts(&b, 30);
    put_many(&b, "r", 20);
    wait_verdicts(&b, 40);
    assert_int_equal(wn_pg_number(b.k.pg, b.k.db,
                         "SELECT next_offset FROM winnow.source_cursor "
                         "WHERE part = 0"),
        10);
    svc_end(&s);
    /* An operator's word lets it go on. */
    wn_pg_exec(b.k.pg, b.k.db,
        "UPDATE winnow.source_cursor SET next_offset = 15 WHERE part = 0");
    svc_begin(&s, &b, NULL);
    wait_verdicts(&b, 55);
    wait_ready(&s);
    svc_end(&s);
    kit_close(&b.k);
}

static void
a_topic_made_anew_is_not_taken_for_the_old_one(void **state)
{
    struct bench b;
    struct svc s;

    bench_open(&b, 1);
    put_many(&b, "p", 20);
    svc_begin(&s, &b, NULL);
    wait_verdicts(&b, 20);
    svc_end(&s);
    wn_kafka_delete(kafka, b.topic);
    while (wn_kafka_exists(kafka, b.topic))
        sleep_ms(50);
    wn_kafka_create_topic(kafka, b.topic, 1);
    put_many(&b, "q", 5);
    svc_begin(&s, &b, NULL);
    wait_cause(&s, "the topic was made anew or cut off");
    assert_int_equal(
        wn_pg_number(b.k.pg, b.k.db, "SELECT count(*) FROM winnow.verdict"),
        20);
    svc_end(&s);
    kit_close(&b.k);
}

static void
a_record_over_the_limit_of_a_response_raises_the_alarm(void **state)
{
    static char large[3 << 20];
    struct bench b;
    struct svc s;

    bench_open(&b, 0);
    b.parts = 1;
    wn_kafka_create_topic_with(kafka, b.topic, 1, "max.message.bytes=8388608");
    put_post(&b, 0, "before", "A");
    memset(large, 'a', sizeof(large) - 1);
    wn_kafka_send(kafka, b.topic, 0, (struct wn_kafka_bytes){ "k", 1 },
        (struct wn_kafka_bytes){ large, sizeof(large) - 1 }, 0, 0);
    wn_kafka_flush(kafka);
    put_post(&b, 0, "after", "A");
    svc_begin(&s, &b,
        (const char *const[]){ "kafka.fetch.max.bytes", "1000000",
            "kafka.receive.message.max.bytes", "1500000", NULL });
    wait_cause(&s, "larger than kafka.receive.message.max.bytes");
    wait_verdicts(&b, 1);
    svc_end(&s);
    svc_begin(&s, &b, NULL); /* with the limit raised it is a dead letter */
    wait_verdicts(&b, 3);
    assert_int_equal(wn_pg_number(b.k.pg, b.k.db,
                         "SELECT count(*) FROM winnow.dead_letter "
                         "WHERE class = 'size'"),
        1);
    wait_ready(&s);
    svc_end(&s);
    kit_close(&b.k);
}

/* --- the database --- */

static void
a_database_that_is_away_is_waited_for(void **state)
{
    struct bench b;
    struct svc s;

    bench_open(&b, 2);
    put_many(&b, "p", 500);
    wn_pg_halt(b.k.pg);
    svc_begin(&s, &b, NULL);
    wait_cause(&s, "\"database\":{\"ok\":false");
    svc_end(&s);
    svc_begin(&s, &b, NULL);
    wait_cause(&s, "\"database\":{\"ok\":false");
    wn_pg_restart(b.k.pg);
    atomic_store(&stub_us, 2000);
    wait_number(&b, 1, "SELECT (count(*) > 50)::int FROM winnow.verdict");
    wn_pg_kill(b.k.pg); /* and in the middle */
    wait_cause(&s, "\"database\":{\"ok\":false");
    atomic_store(&stub_us, 0);
    wn_pg_restart(b.k.pg);
    wait_verdicts(&b, 500);
    assert_whole(&b, 500);
    wait_ready(&s);
    wn_pg_halt(b.k.pg);
    put_many(&b, "q", 100);
    wait_cause(&s, "\"database\":{\"ok\":false");
    svc_end(&s);
    wn_pg_restart(b.k.pg);
    svc_begin(&s, &b, NULL);
    wait_verdicts(&b, 600);
    assert_whole(&b, 600);
    svc_end(&s);
    kit_close(&b.k);
}

/* make: SQL that breaks writing; mend: SQL that ends it. */
static void
through_refused_writes(const char *make, const char *mend, const char *cause)
{
    struct bench b;
    struct svc s;

    bench_open(&b, 2);
    put_many(&b, "p", 300);
    svc_begin(&s, &b, NULL);
    wait_verdicts(&b, 300);
    wn_pg_exec(b.k.pg, b.k.db, make);
    put_many(&b, "q", 300);
    wait_cause(&s, cause);
    sleep_ms(2000);
    assert_int_equal(
        wn_pg_number(b.k.pg, b.k.db, "SELECT count(*) FROM winnow.verdict"),
        300);
    svc_end(&s);
    svc_begin(&s, &b, NULL);
    wait_cause(&s, cause);
    wn_pg_exec(b.k.pg, b.k.db, mend);
    wait_verdicts(&b, 600);
    assert_whole(&b, 600);
    wait_ready(&s);
    svc_end(&s);
    kit_close(&b.k);
}

static void
a_database_that_is_read_only_is_waited_for(void **state)
{
    through_refused_writes(
        "ALTER ROLE worker SET default_transaction_read_only = on; "
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE usename = 'worker'",
        "ALTER ROLE worker RESET default_transaction_read_only; "
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE usename = 'worker'",
        "read-only");
}

static void
a_full_disk_is_waited_for(void **state)
{
    through_refused_writes(
        "CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN RAISE EXCEPTION 'no space left on device' "
        "USING ERRCODE = '53100'; END $$; "
        "CREATE TRIGGER full_disk BEFORE UPDATE OR INSERT ON "
        "winnow.source_cursor FOR EACH ROW EXECUTE FUNCTION "
        "public.full_disk()",
        "DROP FUNCTION public.full_disk() CASCADE", "no space left");
}

/* Somebody's session sits on the cursor: commits hang, the end does not. */
static void
a_commit_that_hangs_does_not_hold_up_the_end(void **state)
{
    struct bench b;
    struct svc s;
    PGconn *other;
    PGresult *r;

    bench_open(&b, 1);
    put_many(&b, "p", 10);
    svc_begin(&s, &b, NULL);
    wait_verdicts(&b, 10);
    other = PQconnectdb(b.k.admin);
    r = PQexec(other, "BEGIN; SELECT * FROM winnow.source_cursor FOR UPDATE");
    assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
    PQclear(r);
    put_many(&b, "q", 10);
    sleep_ms(1000);
    svc_end(&s);
    PQfinish(other);
    svc_begin(&s, &b, NULL);
    wait_verdicts(&b, 20);
    assert_whole(&b, 20);
    svc_end(&s);
    kit_close(&b.k);
}

static double
log_lines(void)
{
    double n = 0;
    unsigned level;

    for (level = WN_LOG_DEBUG; level <= WN_LOG_ERROR; level++)
        n += wn_metric_value(WN_M_LOG_LINES, level);
    return n;
}

/* Over many partitions, so that a line for each would be seen. */
static void
at_full_load_the_end_is_soon_and_the_log_is_quiet(void **state)
{
    struct bench b;
    struct svc s;
    long long begun;
    double lines;
    int64_t start;

    bench_open(&b, 48);
    atomic_store(&stub_us, 300);
    put_many(&b, "p", 20000);
    svc_begin(&s, &b, NULL);
    wait_number(&b, 1, "SELECT (count(*) > 2000)::int FROM winnow.verdict");
    svc_end(&s);
    begun = wn_pg_number(b.k.pg, b.k.db, "SELECT count(*) FROM winnow.verdict");
    assert_true(begun < 20000);
    lines = log_lines();
    start = wn_clock_mono_us();
    atomic_store(&stub_us, 100);
    svc_begin(&s, &b, NULL);
    wait_verdicts(&b, 20000);
    assert_whole(&b, 20000);
    /* starting is worth a dozen, then a line a second */
    lines = log_lines() - lines - (double)(wn_clock_mono_us() - start) / 1e6;
    print_message("# lines beyond one a second: %.0f\n", lines);
    assert_true(lines <= 15);
    svc_end(&s);
    kit_close(&b.k);
}

/* --- processes that die --- */

/* argv: --worker DATABASE TOPIC BOOTSTRAP PATH; PATH "" reads the topic */
static int
worker_main(char **argv)
{
    static struct svc s;

    svc_make(&s, argv[2], argv[3], argv[4],
        (const char *const[]){ "kafka.session.timeout.ms", "1500",
            "kafka.heartbeat.interval.ms", "300", NULL });
    if (argv[5][0] != '\0') {
        svc_set(&s, "ingest.source", "jsonl");
        svc_set(&s, "ingest.path", argv[5]);
    }
    svc_thread(&s);
    return s.rc == WN_OK ? 0 : 1;
}

static pid_t
worker_start(struct bench *b, const char *path)
{
    pid_t pid = fork();

    if (pid == 0) {
        execl("/proc/self/exe", "worker", "--worker", b->k.worker, b->topic,
            wn_kafka_bootstrap(kafka), path, (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

/* Workers one after the other until all is judged; how many died. */
static int
work_through(struct bench *b, const char *path, long long records)
{
    int64_t until = wn_clock_mono_us() + 120000000;
    int deaths = 0, status;
    pid_t pid = worker_start(b, path);

    while (wn_pg_number(b->k.pg, b->k.db,
               "SELECT count(*) FROM winnow.verdict") < records) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
            deaths++;
            pid = worker_start(b, path);
        }
        if (wn_clock_mono_us() > until) {
            kill(pid, SIGKILL);
            fail_msg("%d deaths and no end", deaths);
        }
        sleep_ms(50);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return deaths;
}

static const char one_crashed[] =
    "SELECT count(*) FROM winnow.dead_letter WHERE class = 'crash' AND cause "
    "LIKE 'crash: 3 workers died%'";
static const char scored[] =
    "SELECT count(*) FROM winnow.verdict WHERE outcome = 1";

/* Two deaths with many in hand, then three with it alone; then it is dead. */
static void
a_record_that_kills_is_quarantined_and_its_neighbours_go_on(void **state)
{
    struct bench b;

    bench_open(&b, 2);
    put_many(&b, "before", 40);
    put_post(&b, 0, "poison", "this post ends the process");
    put_many(&b, "after", 40);
    assert_in_range(work_through(&b, "", 81), 3, 6);
    assert_whole(&b, 81);
    assert_int_equal(wn_pg_number(b.k.pg, b.k.db, one_crashed), 1);
    assert_int_equal(
        wn_pg_number(b.k.pg, b.k.db, "SELECT off FROM winnow.dead_letter"), 20);
    assert_int_equal(wn_pg_number(b.k.pg, b.k.db, scored), 80);
    kit_close(&b.k);
}

/* Offsets of a file are bytes: what may have been in hand is far more of them
 * than of records. */
static void
a_line_that_kills_is_quarantined_however_far_into_a_file(void **state)
{
    struct bench b;
    char path[600], id[16], json[512];
    FILE *f;
    int i;

    bench_open(&b, 1);
    snprintf(path, sizeof(path), "%s/poison.jsonl", wn_test_dir());
    f = fopen(path, "w");
    assert_non_null(f);
    for (i = 0; i < 600; i++) {
        snprintf(id, sizeof(id), "line-%d", i);
        post_json(json, sizeof(json), "created", id, 1,
            i == 500 ? "this post ends the process"
                     : "a line of about two hundred bytes, so that the one "
                       "which kills stands a hundred thousand bytes behind "
                       "the first, and all of them are in hand at once");
        fprintf(f, "%s\n", json);
    }
    assert_int_equal(fclose(f), 0);
    assert_in_range(work_through(&b, path, 600), 3, 6);
    assert_int_equal(wn_pg_number(b.k.pg, b.k.db, one_crashed), 1);
    assert_int_equal(wn_pg_number(b.k.pg, b.k.db, scored), 599);
    kit_close(&b.k);
}

/* --- standing still --- */

static rd_kafka_t *
transaction_open(struct bench *b)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *rk;
    char why[256];

    rd_kafka_conf_set(
        conf, "bootstrap.servers", wn_kafka_bootstrap(kafka), why, sizeof(why));
    rd_kafka_conf_set(conf, "transactional.id", b->topic, why, sizeof(why));
    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    assert_non_null(rk);
    assert_null(rd_kafka_init_transactions(rk, 20000));
    assert_null(rd_kafka_begin_transaction(rk));
    return rk;
}

/*
 * An open transaction looks like a consumer that is stuck: there are records,
 * and none comes. Making the consumer anew does no harm to it.
 */
static void
a_consumer_without_progress_is_made_anew(void **state)
{
    struct bench b;
    struct svc s;
    rd_kafka_t *rk;
    char json[256];
    double remade = wn_metric_value(WN_M_CONSUMER_REMADE, 0);

    bench_open(&b, 1);
    put_many(&b, "p", 10);
    rk = transaction_open(&b);
    post_json(json, sizeof(json), "created", "in-transaction", 1, "A");
    assert_int_equal(
        rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(b.topic),
            RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE(json, strlen(json)),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
        RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(rk, 20000), RD_KAFKA_RESP_ERR_NO_ERROR);
    wn_service_watchdog_ms(1500);
    svc_begin(&s, &b, NULL);
    wait_verdicts(&b, 10);
    wait_metric(WN_M_CONSUMER_REMADE, remade + 1);
    wn_service_watchdog_ms(0);
    assert_null(rd_kafka_commit_transaction(rk, 20000));
    rd_kafka_destroy(rk);
    wait_verdicts(&b, 11);
    put_many(&b, "q", 10);
    wait_verdicts(&b, 21);
    wait_ready(&s);
    while (atomic_load(&s.lag) != 0) /* the marker is no record */
        sleep_ms(50);
    svc_end(&s);
    kit_close(&b.k);
}

/* Moves the clock of the whole process: the last case. */
static void
ninety_days_on_the_partitions_are_there(void **state)
{
    struct bench b;
    struct svc s;
    int64_t at;
    char sql[256], day[WN_TIME_TEXT];

    bench_open(&b, 0);
    b.parts = 1;
    wn_kafka_create_topic_with(kafka, b.topic, 1,
        "message.timestamp.after.max.ms=9223372036854775807");
    svc_begin(&s, &b, NULL);
    wait_ready(&s);
    wn_clock_shift_us(90 * INT64_C(86400000000));
    at = wn_clock_now_us();
    wn_time_format(at, day);
    snprintf(sql, sizeof(sql),
        "SELECT (to_regclass('winnow.verdict_%.4s_%.2s') IS NOT NULL)::int",
        day, day + 5);
    wait_number(&b, 1, sql);
    wn_kafka_send(kafka, b.topic, 0, (struct wn_kafka_bytes){ NULL, 0 },
        (struct wn_kafka_bytes){ "{", 1 }, at / 1000, 0);
    wn_kafka_flush(kafka);
    wait_verdicts(&b, 1);
    snprintf(sql, sizeof(sql),
        "SELECT count(*) FROM winnow.verdict WHERE ts > timestamptz '%s' - "
        "interval '1 minute'",
        day);
    wait_number(&b, 1, sql);
    assert_true(wn_metric_value(WN_M_PARTITIONS_AHEAD, 0) >= 2);
    wait_ready(&s);
    svc_end(&s);
    wn_clock_shift_us(0);
    kit_close(&b.k);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_broker_that_is_away_is_waited_for),
    cmocka_unit_test(a_broker_that_hangs_does_not_hold_up_the_end),
    cmocka_unit_test(a_topic_that_is_missing_is_waited_for_and_not_made),
    cmocka_unit_test(offsets_that_are_gone_stop_their_partition_only),
    cmocka_unit_test(a_topic_made_anew_is_not_taken_for_the_old_one),
    cmocka_unit_test(a_record_over_the_limit_of_a_response_raises_the_alarm),
    cmocka_unit_test(a_database_that_is_away_is_waited_for),
    cmocka_unit_test(a_database_that_is_read_only_is_waited_for),
    cmocka_unit_test(a_full_disk_is_waited_for),
    cmocka_unit_test(a_commit_that_hangs_does_not_hold_up_the_end),
    cmocka_unit_test(at_full_load_the_end_is_soon_and_the_log_is_quiet),
    cmocka_unit_test(
        a_record_that_kills_is_quarantined_and_its_neighbours_go_on),
    cmocka_unit_test(a_line_that_kills_is_quarantined_however_far_into_a_file),
    cmocka_unit_test(a_consumer_without_progress_is_made_anew),
    cmocka_unit_test(ninety_days_on_the_partitions_are_there),
};

int
main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "--worker") == 0)
        return worker_main(argv);
    return wn_test_run(
        "trouble", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
