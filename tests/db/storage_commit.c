/* A batch in the database: outcomes, fence, bad rows, erasure. */
#include "tests/db/storage_kit.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <unistd.h>

static void
store_rows_of_every_table(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *it[3];
    struct wn_err err;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w1");
    c = kit_claim(st, 0);
    assert_true(c.fresh);
    assert_false(c.unclean);
    it[0] = kit_item(&k, &c, 5, "p1", "hello");
    it[1] = kit_dead(&k, &c, 7, "{\"a\"");
    it[2] = kit_item(&k, &c, 9, "p2", "buy now");
    it[2]->verdict.action = WN_REVIEW;
    assert_wn_ok(wn_store_commit(st, &c, it, 3, 10, &err), &err);
    assert_int_equal(it[0]->outcome, WN_SCORED);
    assert_int_equal(it[1]->outcome, WN_DEAD);
    assert_int_equal(c.next_offset, 10);
    assert_int_equal(c.chain_seq, 3);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.verdict"), 3);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.audit"), 3);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.content"), 2);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.outbox"), 3);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.post_salt"), 2);
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM winnow.dead_letter WHERE class = 'json' AND "
            "raw "
            "= convert_to('{\"a\"', 'UTF8') AND sha256 = sha256(raw)"),
        1);
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM winnow.review_item WHERE post_id = 'p2' AND "
            "priority = 0.75 AND state = 'open'"),
        1);
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM winnow.outbox WHERE kind = 1 AND "
            "(convert_from(value, 'UTF8')::jsonb)->'reasons'->0->>'rule' = "
            "'scam-link' AND (convert_from(value, "
            "'UTF8')::jsonb)->>'verdict_id' "
            "= verdict_id::text"),
        2);
    kit_check_chains(&k);
    kit_close(&k);
}

static void
store_second_claimant_fences_the_first(void **state)
{
    struct kit k;
    struct wn_store *a, *b;
    struct wn_claim ca, cb;
    struct wn_item *it;
    struct wn_err err;

    (void)state;
    kit_open(&k);
    a = kit_store(&k, k.worker, "a");
    b = kit_store(&k, k.worker, "b");
    ca = kit_claim(a, 0);
    cb = kit_claim(b, 0);
    assert_int_equal(cb.epoch, ca.epoch + 1);
    assert_true(cb.unclean);
    assert_int_equal(cb.stalled, 0); /* a is connected: not dead */
    it = kit_item(&k, &ca, 0, "p", "t");
    assert_int_equal(wn_store_commit(a, &ca, &it, 1, 1, &err), WN_FENCED);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.verdict"), 0);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.post_state"), 0);
    assert_int_equal(wn_store_release(a, &ca, &err), WN_FENCED);
    it = kit_item(&k, &cb, 0, "p", "t");
    assert_int_equal(kit_commit(b, &cb, it), WN_SCORED);
    kit_check_chains(&k);
    kit_close(&k);
}

static void
store_repeats_in_one_batch_and_the_next(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *it[4];
    struct wn_err err;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    it[0] = kit_item(&k, &c, 0, "p", "one");
    it[1] = kit_item(&k, &c, 1, "p", "one");
    it[2] = kit_item(&k, &c, 2, "p", "two");
    it[3] = kit_item(&k, &c, 3, "p", "two");
    it[0]->verdict.action = it[2]->verdict.action = WN_REVIEW;
    assert_wn_ok(wn_store_commit(st, &c, it, 4, 4, &err), &err);
    assert_int_equal(it[0]->outcome, WN_SCORED);
    assert_int_equal(it[1]->outcome, WN_REPEAT);
    assert_int_equal(it[2]->outcome, WN_SCORED);
    assert_int_equal(it[3]->outcome, WN_REPEAT);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.review_item WHERE off = 2"),
        1);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.review_item"), 1);
    assert_int_equal(
        kit_commit(st, &c, kit_item(&k, &c, 4, "p", "two")), WN_REPEAT);
    assert_int_equal(
        kit_commit(st, &c, kit_item(&k, &c, 5, "p", "three")), WN_SCORED);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.review_item "
                                   "WHERE state = 'closed' AND "
                                   "closed_why = 'superseded'"),
        1);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.outbox"), 3);
    kit_check_chains(&k);
    kit_close(&k);
}

/* Every row of every table of the schema as text, and heads of dead letters,
 * which are in base64: a canary must be gone. */
static long long
occurrences(struct kit *k, const char *canary)
{
    char sql[1024];

    snprintf(sql, sizeof(sql),
        "SELECT sum((xpath('/row/n/text()', query_to_xml(format('SELECT "
        "count(*) AS n FROM winnow.%%I t WHERE t::text LIKE %%L OR t::text "
        "LIKE %%L', c.relname, '%%%s%%', '%%' || encode(convert_to('%s', "
        "'UTF8'), 'hex') || '%%'), false, true, '')))[1]::text::int) FROM "
        "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
        "n.nspname = 'winnow' AND c.relkind = 'r'",
        canary, canary);
    return kit_count(k, sql) +
           kit_count(k, "SELECT count(*) FROM winnow.outbox WHERE kind = 2 AND "
                        "convert_from(value, 'UTF8')::jsonb->>'head' <> ''");
}

static void
store_deletion_erases_every_trace_of_content(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *it, *dead;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    it = kit_item(&k, &c, 0, "p", "the CANARY sings");
    it->verdict.action = WN_REVIEW;
    assert_int_equal(kit_commit(st, &c, it), WN_SCORED);
    dead = kit_dead(&k, &c, 1, "{\"CANARY\"");
    dead->post.id = kit_str(dead, "p");
    assert_int_equal(kit_commit(st, &c, dead), WN_DEAD);
    assert_true(occurrences(&k, "CANARY") >= 2);
    dead = kit_dead(&k, &c, 2, "CANARY"); /* its id was not read */
    dead->rec.key = kit_str(dead, "p");
    assert_int_equal(kit_commit(st, &c, dead), WN_DEAD);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.outbox WHERE kind = 2 AND "
                      "convert_from(value, 'UTF8')::jsonb->>'sha256' <> ''"),
        2);
    assert_int_equal(
        kit_commit(st, &c, kit_delete(&k, &c, 10, "p")), WN_ERASED);
    assert_int_equal(occurrences(&k, "CANARY"), 0);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.post_salt"), 0);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.review_item "
                                   "WHERE closed_why = 'erased'"),
        1);
    assert_int_equal(
        kit_commit(st, &c, kit_delete(&k, &c, 13, "p")), WN_REPEAT);
    dead = kit_dead(&k, &c, 14, "{\"CANARY\"");
    dead->post.id = kit_str(dead, "p");
    assert_int_equal(kit_commit(st, &c, dead), WN_DEAD);
    assert_int_equal(occurrences(&k, "CANARY"), 0);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.outbox WHERE kind = 2 AND "
                      "convert_from(value, 'UTF8')::jsonb->'sha256' = 'null' "
                      "AND (convert_from(value, 'UTF8')::jsonb->'bytes') IS "
                      "NOT NULL"),
        3);
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM winnow.dead_letter WHERE post_id = 'p' AND "
            "num_nonnulls(raw, key, sha256, salt) = 0"),
        3);
    kit_check_chains(&k);
    kit_close(&k);
}

/* HMAC-SHA-256 by the database, which has none: RFC 2104 with sha256(). */
#define HMAC                                                                   \
    "CREATE FUNCTION public.flip(k bytea, with_ int) RETURNS bytea LANGUAGE "  \
    "sql AS $$ SELECT string_agg(decode(lpad(to_hex(CASE WHEN i < length(k) "  \
    "THEN get_byte(k, i) ELSE 0 END # with_), 2, '0'), 'hex'), '' ORDER BY "   \
    "i) FROM generate_series(0, 63) i $$; CREATE FUNCTION public.hmac(k "      \
    "bytea, v bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT "                 \
    "sha256(public.flip(k, 92) || sha256(public.flip(k, 54) || v)) $$"

static void
store_commitment_of_a_dead_letter_can_be_proven(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *dead;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    kit_commit(st, &c, kit_dead(&k, &c, 0, "{\"a\""));
    kit_commit(st, &c, kit_item(&k, &c, 1, "p", "t"));
    dead = kit_dead(&k, &c, 2, "{\"b\"");
    dead->post.id = kit_str(dead, "p");
    kit_commit(st, &c, dead);
    dead = kit_dead(&k, &c, 3, "{\"c\"");
    dead->rec.key = (struct wn_str){ "k\xff", 2 }; /* no id that text holds */
    kit_commit(st, &c, dead);
    wn_pg_exec(k.pg, k.db, HMAC);
    /* key 20 of the body: 0x14, then 32 bytes */
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM winnow.dead_letter d JOIN winnow.audit a "
            "USING (source, off) WHERE length(d.salt) = 32 AND "
            "position('\\x145820'::bytea || public.hmac(d.salt, "
            "'\\x04'::bytea || sha256(d.raw)) IN a.body) > 0"),
        3);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.dead_letter WHERE post_id "
                      "IS NULL AND off = 3"),
        1);
    kit_close(&k);
}

static void
store_late_records_through_two_partitions(void **state)
{
    struct kit k;
    struct wn_store *a, *b;
    struct wn_claim ca, cb;
    struct wn_item *it, *del;

    (void)state;
    kit_open(&k);
    a = kit_store(&k, k.worker, "a");
    b = kit_store(&k, k.worker, "b");
    ca = kit_claim(a, 0);
    cb = kit_claim(b, 1);
    /* deletion first: the create that comes late stores no content */
    del = kit_delete(&k, &ca, 0, "p1");
    assert_int_equal(kit_commit(a, &ca, del), WN_ERASED);
    it = kit_item(&k, &cb, 0, "p1", "CANARY");
    it->rec.time_us = del->rec.time_us - 5;
    assert_int_equal(kit_commit(b, &cb, it), WN_STALE);
    assert_int_equal(occurrences(&k, "CANARY"), 0);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.post_salt"), 0);
    /* revisions: the older one is stale whatever its time */
    it = kit_item(&k, &ca, 1, "p2", "new");
    it->post.has_revision = true;
    it->post.revision = 2;
    assert_int_equal(kit_commit(a, &ca, it), WN_SCORED);
    it = kit_item(&k, &cb, 1, "p2", "old");
    it->post.has_revision = true;
    it->post.revision = 1;
    it->rec.time_us += 500000;
    assert_int_equal(kit_commit(b, &cb, it), WN_STALE);
    /* an edit without revision, by time */
    it = kit_item(&k, &ca, 2, "p3", "second");
    assert_int_equal(kit_commit(a, &ca, it), WN_SCORED);
    it = kit_item(&k, &cb, 2, "p3", "first");
    it->rec.time_us -= 500000;
    assert_int_equal(kit_commit(b, &cb, it), WN_STALE);
    it = kit_item(&k, &cb, 3, "p3", "third");
    it->rec.time_us += 600000;
    assert_int_equal(kit_commit(b, &cb, it), WN_SCORED);
    kit_check_chains(&k);
    kit_close(&k);
}

static void
store_hostile_time_keeps_no_edit_and_no_deletion_out(void **state)
{
    struct kit k;
    struct wn_store *a, *b;
    struct wn_claim ca, cb;
    struct wn_item *it;

    (void)state;
    kit_open(&k);
    a = kit_store(&k, k.worker, "a");
    b = kit_store(&k, k.worker, "b");
    ca = kit_claim(a, 0);
    cb = kit_claim(b, 1);
    it = kit_item(&k, &ca, 0, "p", "CANARY");
    it->rec.time_us = INT64_C(7258118400000000); /* the year 2200 */
    assert_int_equal(kit_commit(a, &ca, it), WN_SCORED);
    it = kit_item(&k, &cb, 0, "p", "edited");
    it->rec.time_us = wn_clock_now_us();
    assert_int_equal(kit_commit(b, &cb, it), WN_SCORED);
    it = kit_item(&k, &ca, 1, "p", "CANARY");
    it->rec.time_us = INT64_C(7258118400000000);
    assert_int_equal(kit_commit(a, &ca, it), WN_SCORED);
    /* as a version before this one stored it */
    wn_pg_exec(
        k.pg, k.db, "UPDATE winnow.post_state SET time_us = 7258118400000000");
    it = kit_delete(&k, &cb, 1, "p");
    it->rec.time_us =
        wn_clock_now_us() - 60000000; /* a clock a minute behind */
    assert_int_equal(kit_commit(b, &cb, it), WN_ERASED);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.content"), 0);
    assert_int_equal(occurrences(&k, "CANARY"), 0);
    kit_check_chains(&k);
    kit_close(&k);
}

static void
store_repeat_after_a_deletion_brings_nothing_back(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *it[5];
    struct wn_err err;
    int rev, i;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    for (i = 0; i < 5; i++) { /* 1, 2, deleted, 1 again, 3: in one batch too */
        static const int revs[] = { 1, 2, 0, 1, 3 };

        it[i] = revs[i] == 0 ? kit_delete(&k, &c, i, "p")
                             : kit_item(&k, &c, i, "p", "CANARY");
        it[i]->post.has_revision = revs[i] != 0;
        it[i]->post.revision = revs[i];
        it[i]->post.content_hash[0] = (uint8_t)revs[i];
    }
    assert_wn_ok(wn_store_commit(st, &c, it, 4, 4, &err), &err);
    assert_int_equal(it[2]->outcome, WN_ERASED);
    assert_int_equal(it[3]->outcome, WN_STALE);
    assert_int_equal(occurrences(&k, "CANARY"), 0);
    for (rev = 1; rev <= 2; rev++) {
        struct wn_item *again = kit_item(&k, &c, 3 + rev, "p", "CANARY");

        again->post.has_revision = true;
        again->post.revision = rev;
        assert_int_equal(
            kit_commit(st, &c, again), rev == 1 ? WN_STALE : WN_REPEAT);
    }
    assert_int_equal(occurrences(&k, "CANARY"), 0);
    it[4]->rec.offset = 6;
    assert_int_equal(kit_commit(st, &c, it[4]), WN_SCORED);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.content"), 1);
    kit_check_chains(&k);
    kit_close(&k);
}

static void
store_post_after_its_deletion_is_judged_again(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *it[3];
    struct wn_err err;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    it[0] = kit_item(&k, &c, 0, "p", "CANARY");
    it[1] = kit_delete(&k, &c, 1, "p");
    it[2] = kit_item(&k, &c, 2, "p", "again");
    assert_wn_ok(wn_store_commit(st, &c, it, 3, 3, &err), &err);
    assert_int_equal(it[0]->outcome, WN_SCORED);
    assert_int_equal(it[1]->outcome, WN_ERASED);
    assert_int_equal(it[2]->outcome, WN_SCORED);
    assert_int_equal(
        kit_count(
            &k, "SELECT count(*) FROM winnow.content WHERE text = 'again'"),
        1);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.content"), 1);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.post_salt"), 1);
    assert_int_equal(kit_commit(st, &c, kit_delete(&k, &c, 3, "p")), WN_ERASED);
    assert_int_equal(
        kit_commit(st, &c, kit_item(&k, &c, 4, "p", "third")), WN_SCORED);
    kit_check_chains(&k);
    kit_close(&k);
}

static void
store_bad_row_becomes_a_dead_letter_and_spares_its_neighbours(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *it[9];
    struct wn_err err;
    int i;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    for (i = 0; i < 9; i++) {
        char id[8];

        snprintf(id, sizeof(id), "p%d", i);
        it[i] = kit_item(&k, &c, i, id, "text");
    }
    it[4]->post.id = (struct wn_str){ "bad\xff", 4 };
    assert_wn_ok(wn_store_commit(st, &c, it, 9, 9, &err), &err);
    for (i = 0; i < 9; i++)
        assert_int_equal(it[i]->outcome, i == 4 ? WN_DEAD : WN_SCORED);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.dead_letter WHERE class = "
                      "'constraint' "
                      "AND cause = 'constraint: SQLSTATE 22021' AND off = 4"),
        1);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.verdict"), 9);
    assert_int_equal(c.next_offset, 9);
    kit_check_chains(&k);
    kit_close(&k);
}

struct job {
    struct wn_store *st;
    struct wn_claim *c;
    struct wn_item *it;
    enum wn_status rc;
};

static void *
job(void *arg)
{
    struct job *j = arg;
    struct wn_err err;

    j->rc =
        wn_store_commit(j->st, j->c, &j->it, 1, j->it->rec.offset + 1, &err);
    return NULL;
}

static void
wait_for_lock(struct kit *k)
{
    while (kit_count(k, "SELECT count(*) FROM pg_stat_activity WHERE datname = "
                        "current_database() AND wait_event_type = 'Lock'") == 0)
        usleep(5000);
}

/* `a` holds the post while b comes; then it does `then` and commits. */
static enum wn_outcome
while_another_holds_the_post(struct kit *k, struct wn_store *b,
    struct wn_claim *cb, const char *text, const char *then)
{
    struct job j = { b, cb, kit_item(k, cb, cb->next_offset, "p", text), 0 };
    PGconn *a = PQconnectdb(k->admin);
    pthread_t thread;
    PGresult *res;

    PQclear(PQexec(a, "BEGIN; SELECT 1 FROM winnow.post_state FOR UPDATE"));
    j.it->rec.time_us += 200000;
    assert_int_equal(pthread_create(&thread, NULL, job, &j), 0);
    wait_for_lock(k);
    res = PQexec(a, then);
    assert_int_equal(PQresultStatus(res), PGRES_COMMAND_OK);
    PQclear(res);
    PQclear(PQexec(a, "COMMIT"));
    pthread_join(thread, NULL);
    PQfinish(a);
    assert_int_equal(j.rc, WN_OK);
    return j.it->outcome;
}

static void
store_salt_is_read_after_the_post_is_locked(void **state)
{
    struct kit k;
    struct wn_store *a, *b;
    struct wn_claim ca, cb;

    (void)state;
    kit_open(&k);
    a = kit_store(&k, k.worker, "a");
    b = kit_store(&k, k.worker, "b");
    ca = kit_claim(a, 0);
    cb = kit_claim(b, 1);
    kit_commit(a, &ca, kit_item(&k, &ca, 0, "p", "first"));
    /* deleted meanwhile: the next life has a salt of its own */
    assert_int_equal(while_another_holds_the_post(&k, b, &cb, "second",
                         "UPDATE winnow.post_state SET deleted = true, version "
                         "= version + 1; DELETE FROM winnow.post_salt"),
        WN_SCORED);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.post_salt"), 1);
    assert_int_equal(
        kit_commit(a, &ca, kit_delete(&k, &ca, 1, "p")), WN_ERASED);
    /* begun again meanwhile: its salt is there, and no second one */
    assert_int_equal(
        while_another_holds_the_post(&k, b, &cb, "third",
            "UPDATE winnow.post_state SET deleted = false, version = version + "
            "1, content_hash = sha256('x'); INSERT INTO winnow.post_salt "
            "VALUES ('p', sha256('y'))"),
        WN_SCORED);
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM winnow.post_salt WHERE salt = sha256('y')"),
        1);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.dead_letter"), 0);
    kit_check_chains(&k);
    kit_close(&k);
}

/* What a row is refused for may be gone with the next transaction. */
static void
store_row_refused_alone_gets_a_second_transaction(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    wn_pg_exec(k.pg, k.db,
        "CREATE SEQUENCE winnow.tries; GRANT USAGE ON SEQUENCE winnow.tries TO "
        "worker; CREATE FUNCTION winnow.once() RETURNS trigger LANGUAGE "
        "plpgsql AS $$ BEGIN IF nextval('winnow.tries') = 1 THEN RAISE "
        "EXCEPTION 'x' USING ERRCODE = '23505'; END IF; RETURN NEW; END $$; "
        "CREATE TRIGGER once BEFORE INSERT ON winnow.post_salt FOR EACH ROW "
        "EXECUTE FUNCTION winnow.once()");
    assert_int_equal(
        kit_commit(st, &c, kit_item(&k, &c, 0, "p", "t")), WN_SCORED);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.dead_letter"), 0);
    kit_close(&k);
}

static void
store_full_disk_and_read_only_database_are_waited_for(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *it;
    struct wn_err err;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    wn_pg_exec(k.pg, k.db,
        "CREATE FUNCTION winnow.full_disk() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END "
        "$$; CREATE TRIGGER full_disk BEFORE UPDATE ON winnow.source_cursor "
        "FOR EACH ROW EXECUTE FUNCTION winnow.full_disk()");
    it = kit_item(&k, &c, 0, "p", "t");
    assert_int_equal(wn_store_commit(st, &c, &it, 1, 1, &err), WN_RETRY);
    assert_int_equal(it->outcome, WN_SCORED);
    assert_int_equal(c.next_offset, 0);
    wn_pg_exec(k.pg, k.db, "DROP TRIGGER full_disk ON winnow.source_cursor");
    wn_pg_execf(k.pg, "postgres",
        "ALTER DATABASE %s SET default_transaction_read_only = on", k.db);
    wn_pg_execf(k.pg, "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
        "datname = '%s'",
        k.db);
    assert_int_equal(wn_store_commit(st, &c, &it, 1, 1, &err), WN_RETRY);
    assert_int_equal(wn_store_commit(st, &c, &it, 1, 1, &err), WN_RETRY);
    assert_int_equal(wn_store_ping(st, &err), WN_RETRY);
    wn_pg_execf(k.pg, "postgres",
        "ALTER DATABASE %s SET default_transaction_read_only = off", k.db);
    wn_pg_execf(k.pg, "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
        "datname = '%s'",
        k.db);
    wn_store_ping(st, &err); /* finds the connection gone */
    assert_int_equal(kit_commit(st, &c, it), WN_SCORED);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.verdict"), 1);
    kit_close(&k);
}

static void
store_survives_kill_of_the_server_without_doubling(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *it;
    struct wn_err err;
    enum wn_status rc;
    int i, tries;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    for (i = 0; i < 20; i++) {
        char id[8];

        snprintf(id, sizeof(id), "p%d", i);
        it = kit_item(&k, &c, i, id, "t");
        if (i == 10) {
            wn_pg_kill(k.pg);
            assert_int_equal(
                wn_store_commit(st, &c, &it, 1, i + 1, &err), WN_RETRY);
            wn_pg_restart(k.pg);
        }
        for (tries = 0; tries < 100; tries++) {
            rc = wn_store_commit(st, &c, &it, 1, i + 1, &err);
            if (rc != WN_RETRY)
                break;
        }
        assert_int_equal(rc, WN_OK);
    }
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.verdict"), 20);
    kit_check_chains(&k);
    kit_close(&k);
}

static void
store_hostile_times_are_clamped_and_unknown_ones_kept_apart(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *it[3];
    struct wn_err err;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    it[0] = kit_item(&k, &c, 0, "p0", "t");
    it[1] = kit_item(&k, &c, 1, "p1", "t");
    it[2] = kit_item(&k, &c, 2, "p2", "t");
    it[0]->rec.time_us = 0;
    it[1]->rec.time_us = INT64_C(7258118400000000); /* the year 2200 */
    it[2]->rec.time_us = WN_TIME_UNKNOWN;
    assert_wn_ok(wn_store_commit(st, &c, it, 3, 3, &err), &err);
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM winnow.verdict WHERE time_raw IN (0, "
            "7258118400000000) AND ts BETWEEN now() - interval '181 days' AND "
            "now() + interval '61 minutes'"),
        2);
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM winnow.verdict WHERE notes->>'no_time' = "
            "'true'"),
        1);
    kit_close(&k);
}

/* The relay's and the writer's clock jump under load, with every output on:
 * no post is refused for a partition that is not there. */
static void
store_clock_that_jumps_costs_no_post(void **state)
{
    static const int days[] = { 90, 0, -40, 400 };
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *it[4];
    struct wn_err err;
    int64_t off = 0;
    size_t d;
    int i;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    for (d = 0; d < sizeof(days) / sizeof(days[0]); d++) {
        wn_clock_shift_us(days[d] * INT64_C(86400000000));
        for (i = 0; i < 4; i++, off++) {
            char id[16];

            snprintf(id, sizeof(id), "p%d", (int)off);
            it[i] = kit_item(&k, &c, off, id, "good text");
        }
        assert_wn_ok(wn_store_commit(st, &c, it, 4, off, &err), &err);
        for (i = 0; i < 4; i++)
            assert_int_equal(it[i]->outcome, WN_SCORED);
    }
    wn_clock_shift_us(0);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.dead_letter"), 0);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.outbox"), 16);
    kit_check_chains(&k);
    kit_close(&k);
}

/* Between two batches, or two tries of one, its partitions leave; one comes
 * back gone as soon as it is made. */
static void
store_partitions_that_leave_under_a_batch_are_made_again(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *it[3];
    struct wn_err err;
    int i;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    kit_commit(st, &c, kit_item(&k, &c, 0, "p0", "t"));
    wn_pg_exec(k.pg, k.db,
        "DO $$ DECLARE t text; BEGIN FOR t IN SELECT c.relname FROM pg_class c "
        "JOIN pg_inherits i ON i.inhrelid = c.oid WHERE c.relkind = 'r' AND "
        "c.relname ~ '^(outbox|content)_' LOOP EXECUTE 'DROP TABLE winnow.' || "
        "t; END LOOP; END $$");
    for (i = 0; i < 3; i++) {
        char id[8];

        snprintf(id, sizeof(id), "q%d", i);
        it[i] = kit_item(&k, &c, i + 1, id, "t");
    }
    assert_wn_ok(wn_store_commit(st, &c, it, 3, 4, &err), &err);
    for (i = 0; i < 3; i++)
        assert_int_equal(it[i]->outcome, WN_SCORED);
    wn_pg_exec(k.pg, k.db,
        "DROP TABLE winnow.outbox CASCADE; CREATE TABLE winnow.outbox (day "
        "date, off bigint, source int, kind smallint, verdict_id uuid, post_id "
        "text, value bytea) PARTITION BY RANGE (day); GRANT INSERT ON "
        "winnow.outbox TO winnow_worker; CREATE OR REPLACE FUNCTION "
        "winnow.partitions_day(at timestamptz) RETURNS void LANGUAGE sql AS "
        "''");
    it[0] = kit_item(&k, &c, 4, "r", "t");
    assert_int_equal(wn_store_commit(st, &c, it, 1, 5, &err), WN_RETRY);
    assert_int_equal(it[0]->outcome, WN_SCORED);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.dead_letter"), 0);
    kit_close(&k);
}

static void
store_worker_may_not_change_what_is_written(void **state)
{
    static const char *const forbidden[] = {
        "UPDATE winnow.audit SET kind = 9",
        "DELETE FROM winnow.audit",
        "TRUNCATE winnow.audit",
        "UPDATE winnow.verdict SET action = 0",
        "DELETE FROM winnow.verdict",
        "DELETE FROM winnow.decision",
        "INSERT INTO winnow.schema_version VALUES (99, 'x')",
        "UPDATE winnow.dead_letter SET cause = 'x'",
        "UPDATE winnow.dead_letter SET raw = NULL",
        "UPDATE winnow.outbox SET value = ''",
        "UPDATE winnow.source_cursor SET next_offset = 9",
        "UPDATE winnow.source_cursor SET chain_head = chain_head",
        "INSERT INTO winnow.source_cursor DEFAULT VALUES",
        "SELECT 1 FROM winnow.source_cursor FOR UPDATE",
        "UPDATE winnow.relay_cursor SET next_offset = 9",
        "SELECT winnow.staff_lock()",
        "CREATE TABLE winnow.x (i int)",
    };
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    PGconn *conn;
    PGresult *res;
    size_t i;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    kit_commit(st, &c, kit_item(&k, &c, 0, "p", "t"));
    conn = PQconnectdb(k.worker);
    for (i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        res = PQexec(conn, forbidden[i]);
        assert_string_equal(PQresultErrorField(res, PG_DIAG_SQLSTATE), "42501");
        PQclear(res);
    }
    PQfinish(conn);
    conn = PQconnectdb(k.admin); /* the owner is stopped by the triggers */
    for (i = 0; i < 3; i++) {
        res = PQexec(conn, forbidden[i]);
        assert_string_equal(PQresultErrorField(res, PG_DIAG_SQLSTATE), "MF002");
        PQclear(res);
    }
    PQfinish(conn);
    kit_close(&k);
}

/* `sql` as `user` ends with `sqlstate`. */
static void
refused(struct kit *k, const char *user, const char *sql, const char *sqlstate)
{
    PGconn *conn = PQconnectdb(wn_pg_conninfo(k->pg, k->db, user));
    PGresult *res = PQexec(conn, sql);
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    if (state == NULL || strcmp(state, sqlstate) != 0)
        fail_msg("%s: %s: %s", sql, state != NULL ? state : "no error",
            PQerrorMessage(conn));
    PQclear(res);
    PQfinish(conn);
}

static void
store_cursors_and_chains_move_through_functions_alone(void **state)
{
    static const char *const worker[][2] = {
        { "SELECT winnow.cursor_advance(1, 1, 0, 9, 0, 9, sha256('x'))",
            "MF001" },
        { "SELECT winnow.cursor_release(1, 9)", "MF001" },
        { "SELECT winnow.cursor_reident(1, 9, 'x')", "MF001" },
        { "SELECT winnow.cursor_attempt(1, 9, 0)", "MF001" },
        { "SELECT winnow.cursor_claim('staff', '', 'staff', 0, '', 0, 'w', 1)",
            "MF003" },
        { "INSERT INTO winnow.audit VALUES (now(), 1, 1, 1, 2, 'x', "
          "sha256('\\x0078'))",
            "MF003" },
    };
    static const char *const clerk[][2] = {
        /* a row of a partition's chain, which would stop its owner */
        { "INSERT INTO winnow.audit VALUES (now(), 2, 2, 1, 1, 'x', "
          "sha256('\\x0078'))",
            "42501" },
        /* of staff's: a gap, another leaf, a record's kind, another head */
        { "SELECT winnow.staff_audit(now(), 2, 2::smallint, 'x', "
          "sha256('\\x0078'), 'h')",
            "MF001" },
        { "SELECT winnow.staff_audit(now(), 1, 2::smallint, 'x', sha256('x'), "
          "'h')",
            "MF003" },
        { "SELECT winnow.staff_audit(now(), 1, 1::smallint, 'x', "
          "sha256('\\x0078'), 'h')",
            "MF003" },
        { "SELECT winnow.staff_audit(now(), 1, 2::smallint, 'x', "
          "sha256('\\x0078'), 'h')",
            "MF001" },
        { "UPDATE winnow.source_cursor SET chain_seq = 9", "42501" },
    };
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    size_t i;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    kit_commit(st, &c, kit_item(&k, &c, 0, "p", "t"));
    wn_pg_exec(k.pg, k.db,
        "CREATE ROLE desk LOGIN IN ROLE winnow_console; SELECT "
        "winnow.staff_lock()");
    for (i = 0; i < sizeof(worker) / sizeof(worker[0]); i++)
        refused(&k, "worker", worker[i][0], worker[i][1]);
    for (i = 0; i < sizeof(clerk) / sizeof(clerk[0]); i++)
        refused(&k, "desk", clerk[i][0], clerk[i][1]);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.audit"), 1);
    kit_commit(st, &c, kit_item(&k, &c, 1, "q", "t"));
    kit_check_chains(&k);
    kit_close(&k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_rows_of_every_table),
        cmocka_unit_test(store_second_claimant_fences_the_first),
        cmocka_unit_test(store_repeats_in_one_batch_and_the_next),
        cmocka_unit_test(store_deletion_erases_every_trace_of_content),
        cmocka_unit_test(store_commitment_of_a_dead_letter_can_be_proven),
        cmocka_unit_test(store_late_records_through_two_partitions),
        cmocka_unit_test(store_hostile_time_keeps_no_edit_and_no_deletion_out),
        cmocka_unit_test(store_repeat_after_a_deletion_brings_nothing_back),
        cmocka_unit_test(store_post_after_its_deletion_is_judged_again),
        cmocka_unit_test(
            store_bad_row_becomes_a_dead_letter_and_spares_its_neighbours),
        cmocka_unit_test(store_salt_is_read_after_the_post_is_locked),
        cmocka_unit_test(store_row_refused_alone_gets_a_second_transaction),
        cmocka_unit_test(store_full_disk_and_read_only_database_are_waited_for),
        cmocka_unit_test(store_survives_kill_of_the_server_without_doubling),
        cmocka_unit_test(
            store_hostile_times_are_clamped_and_unknown_ones_kept_apart),
        cmocka_unit_test(store_clock_that_jumps_costs_no_post),
        cmocka_unit_test(
            store_partitions_that_leave_under_a_batch_are_made_again),
        cmocka_unit_test(store_worker_may_not_change_what_is_written),
        cmocka_unit_test(store_cursors_and_chains_move_through_functions_alone),
    };

    return wn_test_run(
        "storage_commit", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
