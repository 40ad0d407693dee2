/* What reports read, at a size that a test can make. */
#include "storage/report.h"

#include "tests/db/storage_kit.h"

/* Thousands of the strongest action, flagged by the label of the highest bit,
 * do not push out the one with the highest score; and a scan that takes longer
 * than a post may wait is waited for. */
static void
report_of_a_large_database_is_right_and_has_time(void **state)
{
    struct wn_store_conf conf = {
        .instance = "status", .retention_days = 180, .timeout_ms = 400
    };
    struct kit k;
    struct wn_store *st, *status;
    struct wn_claim c;
    struct wn_report r;
    struct wn_severe *severe;
    struct wn_item *it;
    struct wn_arena arena;
    struct wn_err err;
    size_t n;

    (void)state;
    kit_open(&k);
    wn_arena_init(&arena, 65536, 1u << 20);
    st = kit_store(&k, k.worker, "w");
    c = kit_claim(st, 0);
    it = kit_item(&k, &c, 0, "worst", "t");
    it->verdict.action = WN_REMOVE;
    kit_commit(st, &c, it);
    wn_pg_exec(k.pg, k.db,
        "INSERT INTO winnow.verdict (ts, off, made_at, verdict_id, source, "
        "flags, skipped, outcome, action, text_version, post_id) SELECT ts + i "
        "* interval '1 us', 100 + i, made_at, verdict_id, source, 8, 0, "
        "outcome, action, text_version, 'ai' FROM winnow.verdict, "
        "generate_series(1, 3000) i; ALTER TABLE winnow.verdict RENAME TO "
        "verdicts; CREATE VIEW winnow.verdict AS SELECT v.* FROM (SELECT "
        "pg_sleep(0.8)) s, winnow.verdicts v; GRANT SELECT ON winnow.verdict "
        "TO worker");
    conf.conninfo = k.worker;
    assert_wn_ok(wn_store_open(&status, &conf, &err), &err);
    assert_wn_ok(wn_report_counts(status, &r, &err), &err);
    assert_int_equal(r.actions[WN_REMOVE], 3001);
    assert_wn_ok(wn_report_severe(status, 2, &arena, &severe, &n, &err), &err);
    assert_int_equal(n, 2);
    assert_string_equal(severe[0].post_id.p, "worst");
    assert_true(severe[0].scores[WN_SCAM] == 0.75);
    assert_string_equal(severe[1].post_id.p, "ai");
    wn_store_free(status);
    wn_arena_release(&arena);
    kit_close(&k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_of_a_large_database_is_right_and_has_time),
    };

    return wn_test_run(
        "storage_report", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
