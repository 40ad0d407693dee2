/* Claims, journal, outbox, partitions, migrations, waits. */
#include "tests/db/storage_kit.h"

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/metrics.h"
#include "storage/migrate_int.h"

#define DAY_US INT64_C(86400000000)

/* The owner is gone without a word: its connection ends, its claim stays. */
static void
lose(struct kit *k, struct wn_store **st, const char *instance)
{
    char sql[256];

    wn_store_free(*st);
    *st = NULL;
    snprintf(sql, sizeof(sql),
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = '%s'",
        instance);
    while (kit_count(k, sql) > 0)
        usleep(10000);
}

static void
store_deaths_without_progress_make_the_next_owner_careful(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_err err;
    int i, deaths;

    (void)state;
    kit_open(&k);
    for (i = 0; i < 3; i++) {
        char name[8];

        snprintf(name, sizeof(name), "w%d", i);
        st = kit_store(&k, k.worker, name);
        c = kit_claim(st, 0);
        assert_int_equal(c.stalled, i);
        assert_int_equal(c.unclean, i > 0);
        assert_int_equal(c.attempt_deaths, i);
        assert_wn_ok(wn_store_attempt(st, &c, 7, &deaths, &err), &err);
        assert_int_equal(deaths, i);
        k.stores_n--;
        lose(&k, &st, name);
    }
    st = kit_store(&k, k.worker, "w3");
    c = kit_claim(st, 0);
    assert_int_equal(c.attempt_deaths, 3);
    assert_int_equal(c.careful_until, WN_CAREFUL_RECORDS);
    kit_commit(st, &c, kit_item(&k, &c, 7, "p", "t")); /* progress */
    k.stores_n--;
    lose(&k, &st, "w3");
    st = kit_store(&k, k.worker, "w4");
    c = kit_claim(st, 0);
    assert_int_equal(c.stalled, 1);
    assert_int_equal(c.attempt_deaths, 0);
    assert_int_equal(c.attempt_offset, -1);
    assert_wn_ok(wn_store_release(st, &c, &err), &err);
    c = kit_claim(st, 0);
    assert_false(c.unclean);
    assert_int_equal(c.stalled, 0);
    kit_close(&k);
}

static void
store_a_fence_is_no_death(void **state)
{
    struct kit k;
    struct wn_store *a, *b;
    struct wn_claim ca, cb;
    struct wn_err err;
    int deaths;

    (void)state;
    kit_open(&k);
    a = kit_store(&k, k.worker, "a");
    b = kit_store(&k, k.worker, "b");
    ca = kit_claim(a, 0);
    assert_wn_ok(wn_store_attempt(a, &ca, 4, &deaths, &err), &err);
    cb = kit_claim(b, 0);
    assert_true(cb.unclean);
    assert_int_equal(cb.attempt_deaths, 0);
    assert_wn_ok(wn_store_attempt(b, &cb, 4, &deaths, &err), &err);
    assert_int_equal(deaths, 0);
    assert_int_equal(wn_store_attempt(a, &ca, 4, &deaths, &err), WN_FENCED);
    kit_close(&k);
}

static void
store_claim_ends_a_holder_that_sits_on_the_row(void **state)
{
    struct kit k;
    struct wn_store *st;
    PGconn *zombie;
    struct wn_claim c;
    int64_t t;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    zombie = PQconnectdb(k.worker);
    PQclear(PQexec(zombie, "BEGIN"));
    PQclear(PQexec(zombie, "SELECT winnow.cursor_attempt(1, 1, 0)"));
    t = wn_clock_mono_us();
    c = kit_claim(st, 0);
    assert_int_equal(c.epoch, 2);
    assert_true(wn_clock_mono_us() - t < 8000000);
    PQfinish(zombie);
    kit_close(&k);
}

static void
store_known_tells_files_and_sisters_apart(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_source_name f = { "file", "", "/x/posts", 0, "10:aa" };
    struct wn_source_name g = { "file", "", "/x/posts", 0, "99:bb" };
    struct wn_claim c;
    struct wn_err err;
    bool self, sister;
    char ident[96];

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    assert_wn_ok(wn_store_known(st, &f, &self, &sister, ident, &err), &err);
    assert_false(self);
    assert_false(sister);
    assert_string_equal(ident, "");
    assert_wn_ok(wn_store_claim(st, &f, 0, &c, &err), &err);
    assert_wn_ok(wn_store_known(st, &f, &self, &sister, ident, &err), &err);
    assert_true(self);
    assert_false(sister);
    assert_wn_ok(wn_store_reident(st, &c, "99:bb", &err), &err);
    assert_wn_ok(wn_store_known(st, &g, &self, &sister, ident, &err), &err);
    assert_true(self);
    assert_string_equal(ident, "99:bb");
    assert_wn_ok(wn_store_known(st, &f, &self, &sister, NULL, &err), &err);
    assert_false(self);
    assert_true(sister);
    kit_close(&k);
}

static void
store_outbox_gives_rows_in_order_past_the_watermark(void **state)
{
    struct kit k;
    struct wn_store *a, *b;
    struct wn_claim ca;
    struct wn_outbox_row *rows;
    struct wn_item *it[3];
    struct wn_arena arena;
    struct wn_err err;
    int64_t waiting;
    size_t n;

    (void)state;
    kit_open(&k);
    wn_arena_init(&arena, 65536, 1u << 20);
    a = kit_store(&k, k.worker, "a");
    b = kit_store(&k, k.worker, "b");
    ca = kit_claim(a, 0);
    it[0] = kit_item(&k, &ca, 0, "p0", "t");
    it[1] = kit_dead(&k, &ca, 1, "no json");
    it[2] = kit_item(&k, &ca, 2, "p2", "u");
    assert_wn_ok(wn_store_commit(a, &ca, it, 3, 3, &err), &err);
    assert_wn_ok(
        wn_store_outbox_read(a, &ca, 2, &arena, &rows, &n, &err), &err);
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].offset, 0);
    assert_int_equal(rows[0].kind, WN_OUTBOX_VERDICT);
    assert_memory_equal(rows[0].key.p, "p0", 2);
    assert_int_equal(rows[1].kind, WN_OUTBOX_DEAD);
    assert_memory_equal(rows[1].key.p, "x", 1); /* the record's */
    assert_non_null(memmem(rows[1].value.p, rows[1].value.len,
        "\"topic\":\"posts\",\"partition\":0,\"offset\":1}", 41));
    assert_non_null(memmem(
        rows[1].value.p, rows[1].value.len, "\"head\":\"bm8ganNvbg==\"", 21));
    assert_wn_ok(wn_store_outbox_done(a, &ca, 1, &err), &err);
    assert_wn_ok(wn_store_outbox_waiting(a, &ca, 10, &waiting, &err), &err);
    assert_int_equal(waiting, 1);
    assert_wn_ok(
        wn_store_outbox_read(a, &ca, 9, &arena, &rows, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].offset, 2);
    assert_wn_ok(
        wn_store_outbox_refused(a, &ca, &rows[0], "too large", &err), &err);
    kit_claim(b, 0); /* the owner changes */
    assert_int_equal(
        wn_store_outbox_read(a, &ca, 9, &arena, &rows, &n, &err), WN_FENCED);
    assert_int_equal(wn_store_outbox_done(a, &ca, 2, &err), WN_FENCED);
    assert_int_equal(
        kit_count(&k, "SELECT next_offset FROM winnow.relay_cursor"), 2);
    wn_arena_release(&arena);
    kit_close(&k);
}

static void
store_partitions_are_there_ninety_days_on(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_err err;
    int ahead = 0;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    assert_wn_ok(
        wn_store_partitions(st, wn_clock_now_us(), &ahead, &err), &err);
    assert_true(ahead >= 2);
    kit_commit(st, &c, kit_item(&k, &c, 0, "p0", "t"));
    wn_clock_shift_us(90 * DAY_US);
    assert_wn_ok(
        wn_store_partitions(st, wn_clock_now_us(), &ahead, &err), &err);
    assert_true(ahead >= 2);
    kit_commit(st, &c, kit_item(&k, &c, 1, "p1", "t"));
    wn_clock_shift_us(0);
    kit_close(&k);
}

/* --- retention --- */

/* As the owner, who may say what time it is: steps of `rows` until nothing is
 * left. Returns how many partitions left. */
static int
retain_at(struct kit *k, int days_on, int rows)
{
    char sql[160];
    int dropped = 0, calls = 0;
    char *got;
    int n;

    snprintf(sql, sizeof(sql),
        "SELECT dropped || ' ' || more FROM winnow.retention_step_at(now() + "
        "interval '%d days', 180, %d)",
        days_on, rows);
    do {
        got = wn_pg_value(k->pg, k->db, sql);
        n = atoi(got);
        dropped += n;
        n = strstr(got, "true") != NULL;
        free(got);
        assert_true(++calls < 1000);
    } while (n != 0);
    return dropped;
}

/* As a worker does, until nothing is left. */
static int
retain(struct wn_store *st)
{
    struct wn_retained r = { .more = true };
    struct wn_err err;
    int dropped = 0;

    while (r.more) {
        assert_wn_ok(wn_store_retain(st, &r, &err), &err);
        dropped += r.dropped;
    }
    return dropped;
}

static void
store_retention_drops_what_is_old_and_records_it(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_err err;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    kit_commit(st, &c, kit_item(&k, &c, 0, "p0", "t"));
    kit_commit(st, &c, kit_item(&k, &c, 1, "p1", "t"));
    assert_wn_ok(wn_store_outbox_done(st, &c, 0, &err), &err);
    retain_at(&k, 90, 5000);
    /* row 1 has yet to go out: its day stays */
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.outbox"), 2);
    assert_wn_ok(wn_store_outbox_done(st, &c, 1, &err), &err);
    assert_true(retain_at(&k, 90, 5000) >= 1);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.outbox"), 0);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.verdict"), 2);
    assert_true(retain_at(&k, 250, 1) >= 4);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.verdict"), 0);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.post_state"), 0);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.post_salt"), 0);
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM winnow.partition_drop WHERE name LIKE "
            "'audit%' AND rows = 2 AND chains->'1' = '[1, 2, 2]'"),
        1);
    kit_check_chains(&k);
    kit_close(&k);
}

static void
store_retention_asked_by_a_worker_goes_by_server_and_owner(void **state)
{
    static const char *const forbidden[] = {
        "SELECT winnow.retention_step_at(now() + interval '1 year', 180, 99)",
        "SELECT winnow.posts_leave(now() + interval '1 year', 9)",
        "UPDATE winnow.retention_rule SET days = 2",
        "INSERT INTO winnow.audit_left VALUES (1, 1, '\\x00')",
        "SELECT winnow.partition_leave('audit')",
    };
    struct wn_store_conf conf = { .instance = "hasty", .retention_days = 2 };
    struct kit k;
    struct wn_store *st, *hasty;
    struct wn_claim c;
    struct wn_item *it;
    struct wn_err err;
    PGconn *conn;
    PGresult *res;
    size_t i;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    conf.conninfo = k.worker;
    assert_wn_ok(wn_store_open(&hasty, &conf, &err), &err);
    c = kit_claim(st, 0);
    it = kit_item(&k, &c, 0, "p0", "t");
    it->rec.time_us -= 100 * DAY_US;
    kit_commit(st, &c, it);
    wn_clock_shift_us(366 * DAY_US); /* the worker's own clock is wrong */
    retain(st);
    retain(hasty);
    wn_clock_shift_us(0);
    assert_int_equal(
        kit_count(&k,
            "SELECT (SELECT count(*) FROM winnow.verdict) + (SELECT count(*) "
            "FROM winnow.audit) + (SELECT count(*) FROM winnow.content) + "
            "(SELECT count(*) FROM winnow.post_state)"),
        4);
    conn = PQconnectdb(k.worker);
    for (i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        res = PQexec(conn, forbidden[i]);
        assert_string_equal(PQresultErrorField(res, PG_DIAG_SQLSTATE), "42501");
        PQclear(res);
    }
    PQfinish(conn);
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM pg_proc WHERE pronamespace = "
            "'winnow'::regnamespace AND has_function_privilege('public', oid, "
            "'EXECUTE')"),
        0);
    wn_pg_exec(k.pg, k.db, "UPDATE winnow.retention_rule SET days = 60");
    assert_true(retain(hasty) >= 4);
    kit_check_chains(&k);
    wn_store_free(hasty);
    kit_close(&k);
}

/* Message times alternate over months, so a month is no run of the chain. */
static void
store_chain_is_whole_after_a_month_left(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *it;
    int i;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    for (i = 0; i < 8; i++) {
        char id[8];

        snprintf(id, sizeof(id), "p%d", i);
        it = kit_item(&k, &c, i, id, "t");
        if (i % 2 == 0)
            it->rec.time_us -= 170 * DAY_US;
        kit_commit(st, &c, it);
        if (i != 5)
            continue;
        /* the old month begins to leave while rows still come to it */
        kit_count(&k, "SELECT dropped FROM winnow.retention_step_at(now() + "
                      "interval '60 days', 180, 2)");
        kit_count(&k, "SELECT dropped FROM winnow.retention_step_at(now() + "
                      "interval '60 days', 180, 2)");
        kit_check_chains(&k);
    }
    assert_true(retain_at(&k, 60, 2) >= 4);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.audit"), 4);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.audit_left"), 4);
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM winnow.partition_drop WHERE name LIKE "
            "'audit%' AND rows = 4 AND chains->'1' = '[1, 7, 4]'"),
        1);
    kit_check_chains(&k);
    assert_int_equal(kit_broken_chains(&k), 0);
    wn_pg_exec(k.pg, k.db,
        "ALTER TABLE winnow.audit_left DISABLE TRIGGER USER; UPDATE "
        "winnow.audit_left SET leaf = sha256(leaf) WHERE seq = 3; ALTER TABLE "
        "winnow.audit_left ENABLE TRIGGER USER");
    assert_int_equal(kit_broken_chains(&k), 1);
    kit_close(&k);
}

static void
store_retention_takes_bounded_steps_and_makes_nobody_wait(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_retained r = { .more = true };
    struct wn_err err;
    PGconn *reader;
    int64_t t;
    int steps = 0;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    wn_pg_exec(k.pg, k.db,
        "INSERT INTO winnow.post_state SELECT 'x' || i, NULL, 0, i, 1, now() - "
        "interval '300 days', 1, false, '\\x00' FROM generate_series(1, 12000) "
        "i; INSERT INTO winnow.post_salt SELECT 'x' || i, '\\x00' FROM "
        "generate_series(1, 12000) i; INSERT INTO winnow.review_item (source, "
        "off, ts, post_id, action, priority, version, state, closed_at) SELECT "
        "1, i, now(), 'x' || i, 3, 1, 1, 'closed', now() - interval '300 days' "
        "FROM generate_series(1, 6000) i; INSERT INTO winnow.decision (item, "
        "staff_id, action, reason, at) VALUES (7, 's', 0, 'r', now()); INSERT "
        "INTO winnow.relay_cursor VALUES (1, 50); INSERT INTO "
        "winnow.outbox_refused VALUES (1, 49, 1, 'w'), (1, 50, 1, 'w'); INSERT "
        "INTO winnow.source_cursor (kind, cluster, topic, part, ident, "
        "next_offset, updated) VALUES ('file', '', '-', 0, '0:ab', 0, now() - "
        "interval '300 days'), ('file', '', '/x', 0, '9:ab', 0, now() - "
        "interval '300 days')");
    while (r.more) {
        assert_wn_ok(wn_store_retain(st, &r, &err), &err);
        assert_true(r.rows <= 5000);
        assert_true(++steps < 100);
    }
    assert_int_equal(
        kit_count(&k,
            "SELECT (SELECT count(*) FROM winnow.post_state) + (SELECT "
            "count(*) FROM winnow.post_salt)"),
        0);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.review_item"), 1);
    assert_int_equal(
        kit_count(&k, "SELECT max(off) FROM winnow.outbox_refused"), 50);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.outbox_refused"), 1);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.source_cursor WHERE kind = "
                      "'file'"),
        1);
    /* somebody reads a partition that is due for long: a short wait, no drop */
    kit_commit(st, &c, kit_item(&k, &c, 0, "p0", "t"));
    wn_pg_exec(k.pg, k.db,
        "SELECT winnow.partitions_month(now() - interval '300 days')");
    reader = PQconnectdb(k.admin);
    PQclear(PQexec(reader, "BEGIN; SELECT count(*) FROM winnow.audit"));
    t = wn_clock_mono_us();
    for (r.more = true, steps = 0; r.more; steps++) {
        if (wn_store_retain(st, &r, &err) != WN_OK)
            break;
    }
    assert_true(r.more);
    assert_true(wn_clock_mono_us() - t < 3000000);
    kit_commit(st, &c, kit_item(&k, &c, 1, "p1", "t"));
    PQfinish(reader);
    assert_int_equal(retain(st), 4);
    kit_check_chains(&k);
    kit_close(&k);
}

/* --- migrations --- */

static void
apply_up_to(struct kit *k, size_t n)
{
    size_t i;

    wn_pg_exec(k->pg, k->db,
        "CREATE SCHEMA IF NOT EXISTS winnow; CREATE TABLE IF NOT EXISTS "
        "winnow.schema_version (version int PRIMARY KEY, name text NOT NULL, "
        "at timestamptz NOT NULL DEFAULT clock_timestamp())");
    for (i = 0; i < n; i++) {
        char *sql = NULL;

        assert_true(asprintf(&sql,
                        "SET search_path = winnow, pg_catalog; %s; INSERT "
                        "INTO schema_version VALUES (%d, 'x')",
                        wn_migrations[i].sql, wn_migrations[i].version) > 0);
        wn_pg_exec(k->pg, k->db, sql);
        free(sql);
    }
}

static void
migrate_each_step_keeps_the_data_of_the_one_before(void **state)
{
    struct kit k;
    struct wn_err err;
    size_t n;
    int applied;

    (void)state;
    kit_open(&k);
    for (n = 1; n <= wn_migrations_n; n++) {
        snprintf(k.db, sizeof(k.db), "m%zu", n);
        wn_pg_create_db(k.pg, k.db);
        apply_up_to(&k, n);
        wn_pg_exec(k.pg, k.db,
            "SELECT winnow.partitions_month(now()); INSERT INTO "
            "winnow.source_cursor (kind, cluster, topic, part, ident, "
            "next_offset) VALUES ('kafka', '', 't', 0, '', 5); INSERT INTO "
            "winnow.audit VALUES (now(), 1, 1, 1, 1, '\\x00', '\\x00'); "
            "INSERT INTO winnow.post_salt VALUES ('p', '\\x01'); INSERT INTO "
            "winnow.dead_letter (ts, off, bytes, made_at, source, class, "
            "cause, "
            "post_id, raw) VALUES (now(), 1, 1, now(), 1, 'json', 'json: x', "
            "'p', '\\x01'); INSERT INTO winnow.post_state VALUES ('p', NULL, "
            "0, 1, 1, now(), 1, false, '\\x00')");
        if (n >= 2)
            wn_pg_exec(k.pg, k.db,
                "INSERT INTO winnow.relay_cursor VALUES (1, 5); SELECT "
                "winnow.partitions_make(now()); INSERT INTO winnow.outbox "
                "VALUES (current_date, 1, 1, 2, gen_random_uuid(), 'p', "
                "'{\"head\":\"AQ==\",\"bytes\":1}')");
        if (n >= 3)
            wn_pg_exec(k.pg, k.db,
                "INSERT INTO winnow.review_item (source, off, ts, post_id, "
                "action, priority, version) VALUES (1, 1, now(), 'p', 3, 1, "
                "1)");
        applied = -1;
        assert_wn_ok(wn_migrate(wn_pg_conninfo(k.pg, k.db, "admin"), NULL, NULL,
                         &applied, &err),
            &err);
        assert_int_equal(applied, (int)(wn_migrations_n - n));
        assert_int_equal(
            kit_count(&k,
                "SELECT (SELECT count(*) FROM winnow.audit) + (SELECT count(*) "
                "FROM winnow.source_cursor) + (SELECT count(*) FROM "
                "winnow.post_salt) + (SELECT count(*) FROM "
                "winnow.relay_cursor) "
                "+ (SELECT count(*) FROM winnow.review_item)"),
            3 + (n >= 2) + (n >= 3));
        /* what this version does, it does with rows of that one */
        wn_pg_exec(k.pg, k.db, "SELECT winnow.dead_erase('{p}')");
        assert_int_equal(
            kit_count(&k,
                "SELECT (SELECT count(raw) FROM winnow.dead_letter) + (SELECT "
                "count(*) FROM winnow.outbox WHERE convert_from(value, "
                "'UTF8') LIKE '%AQ%')"),
            0);
        assert_true(retain_at(&k, 250, 1) >= 4);
        assert_int_equal(
            kit_count(&k, "SELECT (SELECT count(*) FROM winnow.audit) * 10 + "
                          "(SELECT count(*) FROM winnow.audit_leaf)"),
            1);
    }
    kit_close(&k);
}

static void *
migrate_thread(void *arg)
{
    struct wn_err err;
    int *applied = (int *)((char **)arg)[1];

    return wn_migrate(((char **)arg)[0], NULL, NULL, applied, &err) == WN_OK
               ? arg
               : NULL;
}

static void
migrate_two_at_once_and_again_change_nothing(void **state)
{
    struct kit k;
    struct wn_store_conf conf = { .instance = "w", .retention_days = 2 };
    struct wn_store *st = NULL;
    pthread_t t[2];
    char *args[2][2];
    int applied[2] = { 0, 0 }, i;
    struct wn_err err;
    void *ok;

    (void)state;
    kit_open(&k);
    snprintf(k.db, sizeof(k.db), "twice");
    wn_pg_create_db(k.pg, k.db);
    k.admin = wn_pg_conninfo(k.pg, k.db, "admin");
    conf.conninfo = k.admin;
    assert_int_equal(wn_store_open(&st, &conf, &err), WN_STOP);
    assert_non_null(strstr(err.text, "winnow migrate"));
    for (i = 0; i < 2; i++) {
        args[i][0] = (char *)k.admin;
        args[i][1] = (char *)&applied[i];
        assert_int_equal(
            pthread_create(&t[i], NULL, migrate_thread, args[i]), 0);
    }
    for (i = 0; i < 2; i++) {
        pthread_join(t[i], &ok);
        assert_non_null(ok);
    }
    assert_int_equal(applied[0] + applied[1], (int)wn_migrations_n);
    assert_wn_ok(wn_migrate(k.admin, NULL, NULL, &i, &err), &err);
    assert_int_equal(i, 0);
    wn_pg_exec(
        k.pg, k.db, "INSERT INTO winnow.schema_version VALUES (999, 'later')");
    assert_int_equal(wn_migrate(k.admin, NULL, NULL, &i, &err), WN_STOP);
    assert_int_equal(wn_store_open(&st, &conf, &err), WN_STOP);
    assert_non_null(strstr(err.text, "newer"));
    wn_pg_exec(k.pg, k.db,
        "DELETE FROM winnow.schema_version WHERE version = 999 OR version = "
        "(SELECT max(version) FROM winnow.schema_version WHERE version < 999)");
    assert_int_equal(wn_store_open(&st, &conf, &err), WN_STOP);
    assert_non_null(strstr(err.text, "older"));
    kit_close(&k);
}

/* --- a wire that breaks: between us and the server --- */

enum cut { CUT_NOTHING, CUT_BEFORE_COMMIT, CUT_AFTER_COMMIT };
struct proxy {
    char dir[64], to[128];
    int listener;
    _Atomic int cut; /* done once, then CUT_NOTHING again */
    pthread_t thread;
};

static int
unix_socket(const char *path, bool listening)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (listening ? bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
                        listen(fd, 8) != 0
                  : connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool
forward(int to, const char *p, ssize_t n)
{
    ssize_t sent;

    for (; n > 0; n -= sent, p += sent) {
        sent = send(to, p, (size_t)n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
    }
    return true;
}

/* Relays one connection until either side ends it, or the cut is due. */
static void
relay(struct proxy *x, int client, int server)
{
    struct pollfd p[2] = { { .fd = client, .events = POLLIN },
        { .fd = server, .events = POLLIN } };
    static char buf[1 << 16];
    bool drop_answer = false;
    ssize_t n;
    int from;

    while (poll(p, 2, 20000) > 0) {
        from = p[0].revents != 0 ? 0 : 1;
        n = recv(p[from].fd, buf, sizeof(buf), 0);
        if (n <= 0)
            return;
        if (from == 0 && x->cut != CUT_NOTHING &&
            memmem(buf, (size_t)n, "cursor_advance", 14) != NULL) {
            drop_answer = x->cut == CUT_AFTER_COMMIT;
            x->cut = CUT_NOTHING;
            if (!drop_answer)
                return;
        }
        if (from == 1 && drop_answer)
            return; /* it was committed, and nobody hears of it */
        if (!forward(p[!from].fd, buf, n))
            return;
    }
}

static void *
proxy_thread(void *arg)
{
    struct proxy *x = arg;
    int client, server;

    while ((client = accept(x->listener, NULL, NULL)) >= 0) {
        server = unix_socket(x->to, false);
        if (server >= 0) {
            relay(x, client, server);
            close(server);
        }
        close(client);
    }
    return NULL;
}

static void
proxy_start(struct proxy *x, struct wn_pg *pg)
{
    char path[128];

    memset(x, 0, sizeof(*x));
    snprintf(x->dir, sizeof(x->dir), "/tmp/wnpx.XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", x->dir);
    snprintf(x->to, sizeof(x->to), "%s/.s.PGSQL.5432", wn_pg_host(pg));
    x->listener = unix_socket(path, true);
    assert_true(x->listener >= 0);
    assert_int_equal(pthread_create(&x->thread, NULL, proxy_thread, x), 0);
}

static void
proxy_stop(struct proxy *x)
{
    char path[128];

    shutdown(x->listener, SHUT_RDWR);
    pthread_join(x->thread, NULL);
    close(x->listener);
    snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", x->dir);
    unlink(path);
    rmdir(x->dir);
}

static void
store_lost_answer_to_commit_is_settled_by_the_cursor(void **state)
{
    struct kit k;
    struct proxy x;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *it[2];
    struct wn_err err;
    char info[256];
    double done, again;

    (void)state;
    kit_open(&k);
    proxy_start(&x, k.pg);
    snprintf(info, sizeof(info), "host=%s dbname=%s user=worker", x.dir, k.db);
    st = kit_store(&k, info, "w");
    c = kit_claim(st, 0);
    done = wn_metric_value(WN_M_AMBIGUOUS, 0);
    again = wn_metric_value(WN_M_AMBIGUOUS, 1);

    it[0] = kit_item(&k, &c, 0, "p", "t");
    it[1] = kit_item(&k, &c, 1, "p", "t"); /* a repeat: found out in C */
    x.cut = CUT_AFTER_COMMIT;
    assert_int_equal(wn_store_commit(st, &c, it, 2, 2, &err), WN_RETRY);
    assert_int_equal(c.next_offset, 0);
    assert_int_equal(it[1]->outcome, WN_SCORED);
    assert_wn_ok(wn_store_commit(st, &c, it, 2, 2, &err), &err);
    assert_int_equal(c.next_offset, 2);
    assert_int_equal(c.chain_seq, 2);
    assert_int_equal(it[1]->outcome, WN_REPEAT);
    assert_true(wn_metric_value(WN_M_AMBIGUOUS, 0) == done + 1);

    it[0] = kit_item(&k, &c, 2, "q", "t");
    x.cut = CUT_BEFORE_COMMIT;
    assert_int_equal(wn_store_commit(st, &c, it, 1, 3, &err), WN_RETRY);
    assert_wn_ok(wn_store_commit(st, &c, it, 1, 3, &err), &err);
    assert_true(wn_metric_value(WN_M_AMBIGUOUS, 1) == again + 1);
    assert_wn_ok(wn_store_commit(st, &c, it, 1, 3, &err), &err);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.verdict"), 3);
    kit_check_chains(&k);
    kit_close(&k);
    proxy_stop(&x);
}

static void
store_waits_end_at_the_deadline_and_at_the_stop_flag(void **state)
{
    struct kit k;
    atomic_bool stop = false;
    struct wn_store_conf conf = {
        .instance = "w", .retention_days = 2, .timeout_ms = 1500, .stop = &stop
    };
    struct wn_store *st;
    struct wn_err err;
    int64_t t;

    (void)state;
    kit_open(&k);
    conf.conninfo = k.worker;
    assert_wn_ok(wn_store_open(&st, &conf, &err), &err);
    wn_pg_exec(k.pg, k.db,
        "CREATE FUNCTION winnow.slow() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN PERFORM pg_sleep(30); RETURN NEW; END $$; CREATE TRIGGER slow "
        "BEFORE INSERT ON winnow.source_cursor FOR EACH ROW EXECUTE FUNCTION "
        "winnow.slow()");
    t = wn_clock_mono_us();
    {
        struct wn_source_name name = { "kafka", "c", "t", 0, "" };
        struct wn_claim c;

        assert_int_equal(wn_store_claim(st, &name, 0, &c, &err), WN_RETRY);
    }
    assert_true(wn_clock_mono_us() - t < 5000000);
    stop = true;
    t = wn_clock_mono_us();
    assert_int_equal(wn_store_ping(st, &err), WN_RETRY);
    assert_true(wn_clock_mono_us() - t < 500000);
    wn_store_free(st);
    kit_close(&k);
}

/* The first host takes connections and never says a word. */
static void
store_host_that_never_answers_is_passed_over(void **state)
{
    struct wn_store_conf conf = {
        .instance = "w", .retention_days = 2, .timeout_ms = 3000
    };
    struct kit k;
    struct wn_store *st;
    struct wn_err err;
    char dir[64] = "/tmp/wnmute.XXXXXX", path[128], info[512];
    int mute;
    int64_t t;

    (void)state;
    kit_open(&k);
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", dir);
    mute = unix_socket(path, true);
    assert_true(mute >= 0);
    snprintf(info, sizeof(info),
        "host=%s,%s,/nowhere port=5432,5432,1 dbname=%s user=worker", dir,
        wn_pg_host(k.pg), k.db);
    conf.conninfo = info;
    t = wn_clock_mono_us();
    assert_wn_ok(wn_store_open(&st, &conf, &err), &err);
    assert_true(wn_clock_mono_us() - t < 3000000);
    assert_wn_ok(wn_store_ping(st, &err), &err);
    wn_store_free(st);
    snprintf(
        info, sizeof(info), "host=%s,%s dbname=%s user=worker", dir, dir, k.db);
    t = wn_clock_mono_us();
    assert_int_equal(wn_store_open(&st, &conf, &err), WN_RETRY);
    assert_true(wn_clock_mono_us() - t < 4000000);
    close(mute);
    unlink(path);
    rmdir(dir);
    kit_close(&k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            store_deaths_without_progress_make_the_next_owner_careful),
        cmocka_unit_test(store_a_fence_is_no_death),
        cmocka_unit_test(store_claim_ends_a_holder_that_sits_on_the_row),
        cmocka_unit_test(store_known_tells_files_and_sisters_apart),
        cmocka_unit_test(store_outbox_gives_rows_in_order_past_the_watermark),
        cmocka_unit_test(store_partitions_are_there_ninety_days_on),
        cmocka_unit_test(store_retention_drops_what_is_old_and_records_it),
        cmocka_unit_test(
            store_retention_asked_by_a_worker_goes_by_server_and_owner),
        cmocka_unit_test(store_chain_is_whole_after_a_month_left),
        cmocka_unit_test(
            store_retention_takes_bounded_steps_and_makes_nobody_wait),
        cmocka_unit_test(migrate_each_step_keeps_the_data_of_the_one_before),
        cmocka_unit_test(migrate_two_at_once_and_again_change_nothing),
        cmocka_unit_test(store_lost_answer_to_commit_is_settled_by_the_cursor),
        cmocka_unit_test(store_waits_end_at_the_deadline_and_at_the_stop_flag),
        cmocka_unit_test(store_host_that_never_answers_is_passed_over),
    };

    return wn_test_run(
        "storage_ops", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
