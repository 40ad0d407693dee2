/* The relay thread alone, between a real PostgreSQL and a real Kafka: the test
 * is poll thread and writer to it. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ingest/relay.h"
#include "ingest/relay_send.h"
#include "ingest/service_int.h"
#include "tests/db/storage_kit.h"
#include "tests/lib/kafka.h"

#define WAIT_US 30000000
#define ROWS_MAX 20000
#define LANES 2

struct lane {
    struct wn_claim claim;
    struct wn_partition *part; /* the relay's view of it */
};

struct bench {
    struct kit k;
    struct wn_options *o;
    struct wn_service_conf conf;
    struct wn_svc svc;
    struct wn_store *st;
    struct lane lanes[LANES];
    char verdicts[32], dead[32];
    pthread_t thread;
    double relayed0, dead0, refused0;
    /* what the topic holds */
    struct {
        int part; /* lane, by its post ids */
        int64_t offset;
        uint8_t id[16];
        char kind;
    } got[ROWS_MAX];
    size_t got_n;
};
static struct wn_kafka *kafka;
static int benches;

static void
sleep_ms(int ms)
{
    struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

    nanosleep(&ts, NULL);
}

static void
wait_for(bool (*is_so)(struct bench *b, double n), struct bench *b, double n,
    const char *what)
{
    int64_t until = wn_clock_mono_us() + WAIT_US;

    while (!is_so(b, n)) {
        if (wn_clock_mono_us() >= until)
            fail_msg("not in time: %s %g", what, n);
        sleep_ms(5);
    }
}
#define WAIT_FOR(is_so, b, n) wait_for(is_so, b, n, #is_so)

static bool
relayed(struct bench *b, double n)
{
    return wn_metric_value(WN_M_RELAYED, 0) - b->relayed0 >= n;
}

static bool
dead_relayed(struct bench *b, double n)
{
    return wn_metric_value(WN_M_RELAYED, 1) - b->dead0 >= n;
}

static bool
is_full(struct bench *b, double n)
{
    return atomic_load(&b->svc.outbox_full) == (n > 0);
}

static bool
is_ready(struct bench *b, double n)
{
    return wn_health_ready(b->svc.health) == (n > 0);
}

static bool
says(struct bench *b, const char *text)
{
    struct wn_buf out;
    bool found;

    wn_buf_init(&out, 1u << 16);
    wn_health_json(b->svc.health, &out);
    wn_buf_add(&out, "", 1);
    assert_false(out.failed);
    found = strstr(out.data, text) != NULL;
    wn_buf_release(&out);
    return found;
}

static bool
says_missing(struct bench *b, double n)
{
    (void)n;
    return says(b, "does not exist");
}

static bool
says_paused(struct bench *b, double n)
{
    (void)n;
    return says(b, "consuming is paused");
}

static void
set(struct bench *b, const char *name, const char *value)
{
    struct wn_err err;

    assert_wn_ok(wn_options_set(b->o, name, value, "test", &err), &err);
}

static void
bench_open(struct bench *b)
{
    int i;

    memset(b, 0, sizeof(*b));
    kit_open(&b->k);
    if (kafka == NULL)
        kafka = wn_kafka_start(NULL);
    b->o = wn_options_new();
    assert_non_null(b->o);
    snprintf(b->verdicts, sizeof(b->verdicts), "verdicts%d", ++benches);
    snprintf(b->dead, sizeof(b->dead), "dead%d", benches);
    set(b, "database.url", b->k.worker);
    set(b, "output.verdicts_topic", b->verdicts);
    set(b, "output.dead_topic", b->dead);
    set(b, "output.waiting_max", "1000");
    set(b, "kafka.bootstrap.servers", wn_kafka_bootstrap(kafka));
    b->st = kit_store(&b->k, b->k.worker, "the writer");
    for (i = 0; i < LANES; i++)
        b->lanes[i].claim = kit_claim(b->st, i);
}

static void
svc_begin(struct bench *b)
{
    int i;

    memset(&b->svc, 0, sizeof(b->svc));
    b->conf.options = b->o;
    b->svc.conf = &b->conf;
    b->svc.health = wn_health_new();
    assert_non_null(b->svc.health);
    snprintf(b->svc.instance, sizeof(b->svc.instance), "the relay");
    pthread_mutex_init(&b->svc.lock, NULL);
    for (i = 0; i < LANES; i++) {
        b->lanes[i].part = wn_part_new(&b->svc, &b->lanes[i].claim, 7);
        assert_non_null(b->lanes[i].part);
    }
    b->relayed0 = wn_metric_value(WN_M_RELAYED, 0);
    b->dead0 = wn_metric_value(WN_M_RELAYED, 1);
    b->refused0 = wn_metric_value(WN_M_RELAY_REFUSED, 0);
}

static void
relay_begin(struct bench *b)
{
    svc_begin(b);
    assert_int_equal(
        pthread_create(&b->thread, NULL, wn_relay_thread, &b->svc), 0);
}

/* How long its end took. */
static int64_t
relay_end(struct bench *b)
{
    int64_t begin = wn_clock_mono_us();
    int i;

    wn_relay_end(&b->svc, 2000000);
    assert_int_equal(pthread_join(b->thread, NULL), 0);
    begin = wn_clock_mono_us() - begin;
    if (b->svc.failed != WN_OK)
        fail_msg("the relay failed: %s", b->svc.failure.text);
    wn_parts_free(&b->svc);
    wn_health_free(b->svc.health);
    pthread_mutex_destroy(&b->svc.lock);
    for (i = 0; i < LANES; i++)
        b->lanes[i].part = NULL;
    return begin;
}

static void
bench_close(struct bench *b)
{
    kit_close(&b->k);
    wn_options_free(b->o);
}

/* --- the writer's part --- */

static void
commit_items(struct bench *b, int lane)
{
    struct lane *l = &b->lanes[lane];
    struct wn_err err;
    size_t n = b->k.items_n;

    assert_wn_ok(wn_store_commit(b->st, &l->claim, b->k.items, n,
                     b->k.items[n - 1]->rec.next, &err),
        &err);
    while (b->k.items_n > 0)
        wn_item_free(b->k.items[--b->k.items_n]);
    if (l->part == NULL)
        return;
    pthread_mutex_lock(&b->svc.lock);
    l->part->committed = l->claim.next_offset;
    pthread_mutex_unlock(&b->svc.lock);
}

static struct wn_item *
add_item(struct bench *b, int lane, bool dead)
{
    const struct wn_claim *c = &b->lanes[lane].claim;
    int64_t offset = c->next_offset + (int64_t)b->k.items_n;
    struct wn_item *it;
    char id[32];

    snprintf(id, sizeof(id), "%d-%lld", lane, (long long)offset);
    it = dead ? kit_dead(&b->k, c, offset, id)
              : kit_item(&b->k, c, offset, id, id);
    return it;
}

static void
commit_rows(struct bench *b, int lane, int n)
{
    int i;

    while (n > 0) {
        for (i = 0; i < 2000 && n > 0; i++, n--)
            add_item(b, lane, false);
        commit_items(b, lane);
    }
}

/* --- what came out --- */

static void
on_record(void *arg, const struct wn_kafka_record *r)
{
    struct bench *b = arg;
    char key[32] = "";

    assert_true(b->got_n < ROWS_MAX);
    assert_int_equal(r->verdict_id.len, 16);
    assert_true(r->kind.len > 0);
    memcpy(b->got[b->got_n].id, r->verdict_id.p, 16);
    b->got[b->got_n].kind = *(const char *)r->kind.p;
    b->got[b->got_n].part = -1;
    if (r->key.len > 0 && r->key.len < sizeof(key)) {
        memcpy(key, r->key.p, r->key.len);
        b->got[b->got_n].part = key[0] - '0';
        b->got[b->got_n].offset = atoll(key + 2);
        assert_non_null(memmem(r->value.p, r->value.len, key, r->key.len));
    }
    b->got_n++;
}

static void
read_topic(struct bench *b, const char *topic)
{
    b->got_n = 0;
    wn_kafka_read(kafka, topic, on_record, b);
}

/* Every verdict of lane 0 from 0 to n - 1 came once, in order, but those in
 * `but` (-1: none), each with the id that the database has. */
static void
assert_all_once(struct bench *b, int64_t n, int64_t but)
{
    int64_t offset = 0;
    char sql[200], hex[33];
    size_t i, j;

    read_topic(b, b->verdicts);
    for (i = 0; i < b->got_n; i++) {
        offset += offset == but;
        assert_int_equal(b->got[i].part, 0);
        assert_int_equal(b->got[i].offset, offset);
        assert_int_equal(b->got[i].kind, 'v');
        offset++;
    }
    assert_int_equal(offset + (offset == but), n);
    for (i = 0; i < b->got_n; i += b->got_n / 3 + 1) {
        for (j = 0; j < 16; j++)
            snprintf(hex + 2 * j, 3, "%02x", b->got[i].id[j]);
        snprintf(sql, sizeof(sql),
            "SELECT count(*) FROM winnow.outbox WHERE source = %d AND off = "
            "%lld AND verdict_id = '%s'::uuid",
            (int)b->lanes[0].claim.source, (long long)b->got[i].offset, hex);
        assert_int_equal(kit_count(&b->k, sql), 1);
    }
}

static long long
watermark(struct bench *b, int lane)
{
    char sql[120];

    snprintf(sql, sizeof(sql),
        "SELECT next_offset FROM winnow.relay_cursor WHERE source = %d",
        (int)b->lanes[lane].claim.source);
    return kit_count(&b->k, sql);
}

/* --- cases --- */

static void
relay_missing_topic_waits_and_pauses_and_then_all_go_in_order(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b);
    relay_begin(&b);
    commit_rows(&b, 0, 900);
    WAIT_FOR(says_missing, &b, 0);
    assert_false(atomic_load(&b.svc.outbox_full));
    assert_false(wn_kafka_exists(kafka, b.verdicts)); /* nor made by asking */
    commit_rows(&b, 0, 600);
    WAIT_FOR(is_full, &b, 1);
    WAIT_FOR(says_paused, &b, 0);
    assert_true(wn_metric_value(WN_M_OUTBOX_WAITING, 0) > 1000);
    assert_false(wn_health_ready(b.svc.health));
    assert_false(wn_kafka_exists(kafka, b.verdicts));

    wn_kafka_create_topic(kafka, b.verdicts, 1);
    WAIT_FOR(relayed, &b, 1500);
    WAIT_FOR(is_full, &b, 0);
    WAIT_FOR(is_ready, &b, 1);
    assert_all_once(&b, 1500, -1);
    relay_end(&b);
    assert_int_equal(watermark(&b, 0), 1500);
    bench_close(&b);
}

static void
relay_row_too_large_for_the_topic_is_refused_and_the_next_go_on(void **state)
{
    struct bench b;
    struct wn_item *it;
    char *text = calloc(1, 3001);
    int i;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', 3000);
    bench_open(&b);
    /* far under a batch: whole batches are refused, and sorted out */
    wn_kafka_create_topic_with(kafka, b.verdicts, 1, "max.message.bytes=2500");
    for (i = 0; i < 60; i++) {
        it = add_item(&b, 0, false);
        if (i == 20)
            it->verdict.reasons[0].text = kit_str(it, text);
    }
    commit_items(&b, 0);
    relay_begin(&b);
    WAIT_FOR(relayed, &b, 59);
    assert_int_equal(relay_end(&b) < 2000000, 1);
    assert_int_equal(wn_metric_value(WN_M_RELAY_REFUSED, 0) - b.refused0, 1);
    assert_int_equal(
        kit_count(&b.k, "SELECT off FROM winnow.outbox_refused WHERE kind = "
                        "1 AND why LIKE '%too large%'"),
        20);
    assert_all_once(&b, 60, 20);
    assert_int_equal(watermark(&b, 0), 60);
    bench_close(&b);
    free(text);
}

static void
relay_row_over_the_clients_own_limit_is_refused(void **state)
{
    struct bench b;
    struct wn_item *it;
    char *text = calloc(1, 5001);
    int i;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', 5000);
    bench_open(&b);
    set(&b, "kafka.message.max.bytes", "4000");
    set(&b, "kafka.batch.size", "4000");
    wn_kafka_create_topic(kafka, b.verdicts, 1);
    for (i = 0; i < 30; i++) {
        it = add_item(&b, 0, false);
        if (i == 29)
            it->verdict.reasons[0].text = kit_str(it, text);
    }
    commit_items(&b, 0);
    relay_begin(&b);
    WAIT_FOR(relayed, &b, 29);
    relay_end(&b);
    assert_int_equal(
        kit_count(&b.k, "SELECT off FROM winnow.outbox_refused"), 29);
    assert_all_once(&b, 30, 29);
    assert_int_equal(watermark(&b, 0), 30);
    bench_close(&b);
    free(text);
}

/* The first chunk is delivered, and the worker dies before it is marked. */
static void
relay_killed_before_its_mark_repeats_one_chunk_with_the_same_ids(void **state)
{
    struct bench b;
    size_t i, repeats = 0;
    int64_t offset = 0;
    pid_t pid;
    int status;

    (void)state;
    bench_open(&b);
    wn_kafka_create_topic(kafka, b.verdicts, 1);
    commit_rows(&b, 0, 2500);
    wn_pg_exec(b.k.pg, b.k.db,
        "CREATE FUNCTION public.hang() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';"
        "CREATE TRIGGER hang BEFORE UPDATE ON winnow.relay_cursor FOR EACH "
        "ROW WHEN (NEW.next_offset > OLD.next_offset) EXECUTE FUNCTION "
        "public.hang()");
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        svc_begin(&b);
        wn_relay_thread(&b.svc);
        _exit(1);
    }
    while (wn_kafka_end(kafka, b.verdicts, 0) < WN_SEND_MAX)
        sleep_ms(20);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    wn_pg_exec(b.k.pg, b.k.db,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
        "usename = 'worker' AND query LIKE '%relay_advance%'");
    wn_pg_exec(b.k.pg, b.k.db, "DROP TRIGGER hang ON winnow.relay_cursor");

    relay_begin(&b);
    WAIT_FOR(relayed, &b, 2500);
    relay_end(&b);
    read_topic(&b, b.verdicts);
    for (i = 0; i < b.got_n; i++) {
        if (b.got[i].offset != offset) { /* back to the watermark */
            assert_int_equal(b.got[i].offset, 0);
            repeats = (size_t)offset;
            offset = 0;
        }
        if (repeats > 0 && i < 2 * repeats)
            assert_memory_equal(b.got[i].id, b.got[i - repeats].id, 16);
        offset++;
    }
    assert_int_equal(repeats, WN_SEND_MAX);
    assert_int_equal(b.got_n, 2500 + WN_SEND_MAX);
    assert_int_equal(offset, 2500);
    bench_close(&b);
}

static bool
says_kafka(struct bench *b, double n)
{
    (void)n;
    return says(b, "no answer from Kafka") || says(b, "cannot be reached");
}

static void
relay_broker_killed_and_restarted_gets_every_row_once(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b);
    set(&b, "output.waiting_max", "100000");
    wn_kafka_create_topic(kafka, b.verdicts, 1);
    commit_rows(&b, 0, 6000);
    relay_begin(&b);
    WAIT_FOR(relayed, &b, 1);
    wn_kafka_kill(kafka);
    commit_rows(&b, 0, 3000);
    WAIT_FOR(says_kafka, &b, 0);
    assert_false(wn_health_ready(b.svc.health));
    assert_false(relayed(&b, 9000));
    wn_kafka_restart(kafka);
    WAIT_FOR(relayed, &b, 9000);
    WAIT_FOR(is_ready, &b, 1);
    relay_end(&b);
    assert_all_once(&b, 9000, -1);
    assert_int_equal(watermark(&b, 0), 9000);
    bench_close(&b);
}

static void
relay_missing_dead_topic_holds_up_only_what_is_behind_its_rows(void **state)
{
    struct bench b;
    int64_t took;
    size_t i;

    (void)state;
    bench_open(&b);
    wn_kafka_create_topic(kafka, b.verdicts, 1);
    add_item(&b, 0, false);
    add_item(&b, 0, true);
    add_item(&b, 0, false);
    commit_items(&b, 0);
    relay_begin(&b);
    WAIT_FOR(says_missing, &b, 0);
    commit_rows(&b, 1, 1200);
    WAIT_FOR(relayed, &b, 1201);
    took = relay_end(&b); /* what cannot be sent is not waited for */
    assert_true(took < 1900000);
    assert_int_equal(watermark(&b, 0), 1);
    assert_int_equal(watermark(&b, 1), 1200);

    wn_kafka_create_topic(kafka, b.dead, 1);
    relay_begin(&b);
    WAIT_FOR(dead_relayed, &b, 1);
    WAIT_FOR(relayed, &b, 1);
    relay_end(&b);
    assert_int_equal(watermark(&b, 0), 3);
    read_topic(&b, b.dead);
    assert_int_equal(b.got_n, 1);
    assert_int_equal(b.got[0].kind, 'd');
    read_topic(&b, b.verdicts);
    assert_int_equal(b.got_n, 1202);
    for (i = 0; i < 1200; i++)
        assert_int_equal(b.got[i + 1].offset, i);
    assert_int_equal(b.got[1201].offset, 2);
    bench_close(&b);
}

static void
relay_partition_of_another_worker_is_left_to_it(void **state)
{
    struct bench b;
    struct wn_store *other;
    struct lane *l;

    (void)state;
    bench_open(&b);
    wn_kafka_create_topic(kafka, b.verdicts, 1);
    other = kit_store(&b.k, b.k.worker, "another");
    relay_begin(&b);
    commit_rows(&b, 0, 5);
    WAIT_FOR(relayed, &b, 5);
    l = &b.lanes[0];
    l->claim = kit_claim(other, 0);
    commit_rows(&b, 0, 5); /* by the new epoch: the relay has the old one */
    commit_rows(&b, 1, 5);
    WAIT_FOR(relayed, &b, 10);
    assert_true(relay_end(&b) < 1900000);
    assert_int_equal(watermark(&b, 0), 5);
    assert_int_equal(watermark(&b, 1), 5);
    read_topic(&b, b.verdicts);
    assert_int_equal(b.got_n, 10);
    bench_close(&b);
}

static void
relay_at_rest_asks_nothing_and_wakes_with_the_next_commit(void **state)
{
    static const char beats[] =
        "SELECT coalesce(sum(beat), 0) FROM winnow.relay_cursor";
    struct bench b;
    long long before;
    int64_t begin;

    (void)state;
    bench_open(&b);
    wn_kafka_create_topic(kafka, b.verdicts, 1);
    relay_begin(&b);
    commit_rows(&b, 0, 1);
    WAIT_FOR(relayed, &b, 1);
    sleep_ms(300); /* long enough for a relay that asks to have asked */
    before = kit_count(&b.k, beats);
    sleep_ms(500);
    assert_int_equal(kit_count(&b.k, beats), before);
    begin = wn_clock_mono_us();
    commit_rows(&b, 0, 1);
    WAIT_FOR(relayed, &b, 2);
    begin = wn_clock_mono_us() - begin;
    print_message("# commit to delivery: %lld ms\n", (long long)begin / 1000);
    assert_true(begin < 2000000);
    relay_end(&b);
    assert_all_once(&b, 2, -1);
    bench_close(&b);
}

static void
relay_sends_what_is_left_at_the_end(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b);
    wn_kafka_create_topic(kafka, b.verdicts, 1);
    relay_begin(&b);
    commit_rows(&b, 0, 1000);
    assert_true(relay_end(&b) < 2500000);
    assert_all_once(&b, 1000, -1);
    assert_int_equal(watermark(&b, 0), 1000);
    bench_close(&b);
}

/* A file has no next owner: its rows go though its partition was let go. */
static void
relay_rows_of_a_finished_file_go_out_after_it_was_let_go(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b);
    set(&b, "ingest.source", "jsonl");
    relay_begin(&b);
    commit_rows(&b, 0, 50);
    WAIT_FOR(says_missing, &b, 0);
    pthread_mutex_lock(&b.svc.lock);
    b.lanes[0].part->gone = true;
    pthread_mutex_unlock(&b.svc.lock);
    b.lanes[0].part = NULL;
    while (wn_part_busy(&b.svc, b.lanes[0].claim.source, 7))
        sleep_ms(1);
    wn_parts_sweep(&b.svc, NULL);
    wn_kafka_create_topic(kafka, b.verdicts, 1);
    WAIT_FOR(relayed, &b, 50);
    relay_end(&b);
    assert_all_once(&b, 50, -1);
    bench_close(&b);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            relay_missing_topic_waits_and_pauses_and_then_all_go_in_order),
        cmocka_unit_test(
            relay_row_too_large_for_the_topic_is_refused_and_the_next_go_on),
        cmocka_unit_test(relay_row_over_the_clients_own_limit_is_refused),
        cmocka_unit_test(
            relay_killed_before_its_mark_repeats_one_chunk_with_the_same_ids),
        cmocka_unit_test(
            relay_missing_dead_topic_holds_up_only_what_is_behind_its_rows),
        cmocka_unit_test(relay_partition_of_another_worker_is_left_to_it),
        cmocka_unit_test(
            relay_at_rest_asks_nothing_and_wakes_with_the_next_commit),
        cmocka_unit_test(relay_sends_what_is_left_at_the_end),
        cmocka_unit_test(
            relay_rows_of_a_finished_file_go_out_after_it_was_let_go),
        cmocka_unit_test(relay_broker_killed_and_restarted_gets_every_row_once),
    };

    return wn_test_run(
        "ingest_relay", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
