/* What is in force, who runs it, and what a second model said beside it. */
#include "tests/db/storage_kit.h"

#include "storage/activation.h"
#include "storage/shadow.h"

static struct wn_store *
console(struct kit *k)
{
    wn_pg_exec(k->pg, k->db,
        "DO $$ BEGIN CREATE ROLE clerk LOGIN; EXCEPTION WHEN "
        "duplicate_object THEN NULL; END $$; GRANT winnow_console TO clerk");
    return kit_store(k, wn_pg_conninfo(k->pg, k->db, "clerk"), "console");
}

static struct wn_activated
activate(struct wn_store *desk, const char *place, const char *version,
    int64_t after)
{
    struct wn_activate a = { "model", place, version, after, "ana", "better" };
    struct wn_activated ret;
    struct wn_err err;

    assert_wn_ok(wn_activate(desk, &a, &ret, &err), &err);
    return ret;
}

static void
activation_goes_back_step_by_step_and_every_step_is_audited(void **state)
{
    struct kit k;
    struct wn_store *desk, *st;
    struct wn_activated a, b, at;
    struct wn_activation_row *all;
    struct wn_arena arena;
    struct wn_err err;
    int64_t id;
    size_t n;

    (void)state;
    kit_open(&k);
    wn_arena_init(&arena, 65536, 1u << 20);
    desk = console(&k);
    st = kit_store(&k, k.worker, "w");
    assert_wn_ok(wn_activated(st, "model", &at, &err), &err);
    assert_int_equal(at.id, 0);
    a = activate(desk, "/models/a", "a@1", 0);
    b = activate(desk, "/models/b", "b@2", a.id);
    assert_true(b.id > a.id);
    assert_wn_ok(wn_activated(st, "model", &at, &err), &err);
    assert_string_equal(at.place, "/models/b");
    assert_string_equal(at.version, "b@2");
    assert_wn_ok(wn_activated(st, "policy", &at, &err), &err);
    assert_int_equal(at.id, 0); /* of another kind */
    assert_wn_ok(wn_activated_before(desk, "model", &at, &id, &err), &err);
    assert_string_equal(at.version, "a@1");
    assert_int_equal(id, b.id);
    at = activate(desk, NULL, NULL, b.id);
    assert_string_equal(at.place, "/models/a");
    at = activate(desk, NULL, NULL, at.id); /* before a: each worker's own */
    assert_string_equal(at.place, "");
    assert_int_equal(
        wn_activated_before(desk, "model", &at, &id, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "nothing to roll back to"));
    assert_wn_ok(
        wn_activations(desk, "model", 10, &arena, &all, &n, &err), &err);
    assert_int_equal(n, 4);
    assert_true(all[0].rollback);
    assert_true(all[1].rollback);
    assert_false(all[2].rollback);
    assert_string_equal(all[2].version.p, "b@2");
    assert_string_equal(all[2].staff_id.p, "ana");
    assert_string_equal(all[2].reason.p, "better");
    assert_int_equal(all[2].seq, 2);
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM winnow.audit a JOIN winnow.activation v "
            "ON v.seq = a.seq WHERE a.kind = 3 AND (v.version = '' OR "
            "position(convert_to(v.version, 'UTF8') IN a.body) > 0) "
            "AND position(convert_to('ana', 'UTF8') IN a.body) = 0"),
        4);
    kit_check_chains(&k);
    wn_arena_release(&arena);
    kit_close(&k);
}

static void
reject(struct wn_store *desk, const struct wn_activate *a, const char *why)
{
    struct wn_activated ret;
    struct wn_err err;

    assert_int_equal(wn_activate(desk, a, &ret, &err), WN_REJECT);
    if (strstr(err.text, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, why);
}

static void
activation_is_refused_where_it_is_not_what_was_meant(void **state)
{
    struct wn_activate a = { "model", "/m/a", "a@1", 0, "ana", "better" };
    struct kit k;
    struct wn_store *desk, *st;
    struct wn_activated at;
    struct wn_err err;

    (void)state;
    kit_open(&k);
    desk = console(&k);
    st = kit_store(&k, k.worker, "w");
    a.reason = "";
    reject(desk, &a, "why");
    a.reason = "better";
    a.staff_id = "";
    reject(desk, &a, "staff");
    a.staff_id = "ana";
    a.place = "m/a";
    reject(desk, &a, "absolute");
    a.place = "/m/\xff";
    reject(desk, &a, "UTF-8");
    a.place = "/m/a";
    a.after = 7; /* what the caller saw is not what is there */
    reject(desk, &a, "meanwhile");
    a.after = 0;
    assert_wn_ok(wn_activate(desk, &a, &at, &err), &err);
    a.after = at.id;
    reject(desk, &a, "already");
    /* a worker may read it and no more */
    a.version = "a@2";
    assert_int_not_equal(wn_activate(st, &a, &at, &err), WN_OK);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.activation"), 1);
    assert_int_equal(kit_count(&k, "SELECT chain_seq FROM winnow.source_cursor "
                                   "WHERE kind = 'staff'"),
        1);
    kit_check_chains(&k);
    kit_close(&k);
}

static void
running_names_those_that_are_connected(void **state)
{
    struct kit k;
    struct wn_store *st, *desk, *gone;
    struct wn_running *all;
    struct wn_arena arena;
    struct wn_err err;
    size_t n;

    (void)state;
    kit_open(&k);
    wn_arena_init(&arena, 65536, 1u << 20);
    desk = console(&k);
    gone = kit_store(&k, k.worker, "gone");
    st = kit_store(&k, k.worker, "w1");
    assert_wn_ok(wn_running_set(gone, "model", 1, "a@1", NULL, &err), &err);
    assert_wn_ok(wn_running_set(st, "model", 1, "a@1", NULL, &err), &err);
    assert_wn_ok(
        wn_running_set(st, "model", 2, "a@1", "/m/b\xff: no heads", &err),
        &err);
    assert_wn_ok(wn_running(desk, "model", &arena, &all, &n, &err), &err);
    assert_int_equal(n, 2);
    wn_store_free(gone);
    k.stores[1] = NULL;
    while (n != 1)
        assert_wn_ok(wn_running(desk, "model", &arena, &all, &n, &err), &err);
    assert_string_equal(all[0].instance.p, "w1");
    assert_int_equal(all[0].activation, 2);
    assert_non_null(strstr(all[0].cause.p, "no heads"));
    wn_pg_exec(
        k.pg, k.db, "UPDATE winnow.running SET at = at - interval '1 hour'");
    assert_wn_ok(wn_running_set(st, "model", 2, "b@1", NULL, &err), &err);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.running"), 1);
    wn_arena_release(&arena);
    kit_close(&k);
}

/* --- the shadow --- */

static struct wn_shadow_row
shadow_row(int32_t source, int64_t offset, double was, double now)
{
    struct wn_shadow_row r = { source, offset, "b@2", "model-1",
        { { now, 0.1, NAN, 0.1 }, now >= 0.5,
            now >= 0.5 ? WN_LIMIT : WN_ALLOW },
        { { was, 0.1, NAN, 0.1 }, was >= 0.5,
            was >= 0.5 ? WN_LIMIT : WN_ALLOW } };

    return r;
}

static void
shadow_report_counts_flips_and_shows_the_widest(void **state)
{
    struct kit k;
    struct wn_store *st, *desk;
    struct wn_claim c;
    struct wn_shadow_row rows[4];
    struct wn_shadow_report r;
    struct wn_arena arena;
    struct wn_err err;

    (void)state;
    kit_open(&k);
    wn_arena_init(&arena, 65536, 1u << 20);
    desk = console(&k);
    st = kit_store(&k, k.worker, "w");
    assert_wn_ok(wn_shadow_report(desk, 5, &arena, &r, &err), &err);
    assert_null(r.model.p);
    c = kit_claim(st, 0);
    kit_commit(st, &c, kit_item(&k, &c, 0, "p0", "first words"));
    kit_commit(st, &c, kit_item(&k, &c, 1, "p1", "other words"));
    rows[0] = shadow_row(c.source, 0, 0.9, 0.2); /* lost   */
    rows[1] = shadow_row(c.source, 1, 0.4, 0.6); /* gained */
    rows[2] = shadow_row(c.source, 2, 0.8, 0.8);
    rows[3] = shadow_row(c.source, 3, 0.1, 0.1);
    assert_wn_ok(wn_shadow_put(st, rows, 4, &err), &err);
    assert_wn_ok(wn_shadow_put(st, rows, 4, &err), &err); /* again: nothing */
    assert_wn_ok(wn_shadow_report(desk, 5, &arena, &r, &err), &err);
    assert_string_equal(r.model.p, "b@2");
    assert_string_equal(r.live.p, "model-1");
    assert_int_equal(r.posts, 4);
    assert_int_equal(r.other_posts, 0);
    assert_int_equal(r.head[WN_SPAM].both, 1);
    assert_int_equal(r.head[WN_SPAM].lost, 1);
    assert_int_equal(r.head[WN_SPAM].gained, 1);
    assert_int_equal(r.head[WN_SPAM].known, 4);
    assert_true(fabs(r.head[WN_SPAM].most - 0.7) < 1e-6);
    assert_true(fabs(r.head[WN_SPAM].mean - 0.225) < 1e-6);
    assert_int_equal(r.head[WN_BAIT].known, 0);
    assert_int_equal(r.actions[WN_LIMIT][WN_ALLOW], 1);
    assert_int_equal(r.actions[WN_ALLOW][WN_LIMIT], 1);
    assert_int_equal(r.actions[WN_ALLOW][WN_ALLOW], 1);
    assert_true(r.may_read);
    assert_int_equal(r.examples_n, 2);
    assert_string_equal(r.examples[0].post_id.p, "p0");
    assert_string_equal(r.examples[0].text.p, "first words");
    assert_int_equal(r.examples[0].was.flags, 1);
    assert_int_equal(r.examples[0].shadow.flags, 0);
    assert_true(isnan(r.examples[0].was.scores[WN_BAIT]));
    assert_string_equal(r.examples[1].post_id.p, "p1");
    wn_arena_release(&arena);
    kit_close(&k);
}

static void
shadow_rows_leave_with_age_and_hold_no_content(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_shadow_row row;
    struct wn_err err;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    row = shadow_row(1, 0, 0.9, 0.2);
    assert_wn_ok(wn_shadow_put(st, &row, 1, &err), &err);
    row.offset = 1;
    assert_wn_ok(wn_shadow_put(st, &row, 1, &err), &err);
    wn_pg_exec(k.pg, k.db,
        "UPDATE winnow.shadow_score SET at = at - interval '200 days' "
        "WHERE off = 0; SELECT winnow.retention_step_at(now(), 180, 5000)");
    assert_int_equal(kit_count(&k, "SELECT count(*) * 10 + max(off) FROM "
                                   "winnow.shadow_score"),
        11);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM information_schema.columns WHERE "
                      "table_name = 'shadow_score' AND data_type IN ('text', "
                      "'bytea', 'jsonb')"),
        0);
    kit_close(&k);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(
        activation_goes_back_step_by_step_and_every_step_is_audited),
    cmocka_unit_test(activation_is_refused_where_it_is_not_what_was_meant),
    cmocka_unit_test(running_names_those_that_are_connected),
    cmocka_unit_test(shadow_report_counts_flips_and_shows_the_widest),
    cmocka_unit_test(shadow_rows_leave_with_age_and_hold_no_content),
};

WN_TEST_MAIN("storage_activation", tests)
