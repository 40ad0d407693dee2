/* The review queue, decisions, imports, and what reports read. */
#include "tests/db/storage_kit.h"

#include <pthread.h>

#include "storage/report.h"
#include "storage/review.h"

static struct wn_store *
console(struct kit *k)
{
    wn_pg_exec(k->pg, k->db,
        "DO $$ BEGIN CREATE ROLE clerk LOGIN; EXCEPTION WHEN "
        "duplicate_object THEN NULL; END $$; GRANT winnow_console TO clerk");
    return kit_store(k, wn_pg_conninfo(k->pg, k->db, "clerk"), "console");
}

static struct wn_decision
decision(int64_t item)
{
    return (struct wn_decision){ .item = item,
        .version = -1,
        .staff_id = "staff-7",
        .labels = { WN_LABEL_NO, WN_LABEL_YES, WN_LABEL_UNSAID,
            WN_LABEL_UNSAID },
        .action = WN_REMOVE,
        .reason = "a known scheme" };
}

static void
review_decision_is_made_once_and_only_on_what_was_seen(void **state)
{
    struct kit k;
    struct wn_store *st, *desk;
    struct wn_claim c;
    struct wn_item *it;
    struct wn_review_item *list;
    struct wn_decision d;
    struct wn_arena arena;
    struct wn_err err;
    int64_t id = 0;
    size_t n;

    (void)state;
    kit_open(&k);
    wn_arena_init(&arena, 65536, 1u << 20);
    st = kit_store(&k, k.worker, "w");
    desk = console(&k);
    c = kit_claim(st, 0);
    it = kit_item(&k, &c, 0, "p", "first words");
    it->verdict.action = WN_REVIEW;
    kit_commit(st, &c, it);
    assert_wn_ok(wn_review_list(desk, NULL, 10, &arena, &list, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_string_equal(list[0].text.p, "first words");
    assert_int_equal(list[0].reasons_n, 1);
    assert_string_equal(list[0].state, "open");
    assert_memory_equal(list[0].reasons[0].rule.p, "scam-link", 9);
    assert_memory_equal(
        list[0].reasons[0].text.p, "Scam wording, \"4\" words", 23);
    d = decision(list[0].id);
    d.version = list[0].version + 1;
    assert_int_equal(wn_review_decide(desk, &d, &id, &err), WN_REJECT);
    assert_string_equal(err.text, "the post has changed since");
    d.version = list[0].version;
    assert_wn_ok(wn_review_decide(desk, &d, &id, &err), &err);
    assert_true(id > 0);
    assert_false(list[0].has_said);
    assert_wn_ok(
        wn_review_list(desk, "decided", 10, &arena, &list, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_true(list[0].has_said);
    assert_int_equal(list[0].action, WN_REVIEW); /* the machine's stays */
    assert_int_equal(list[0].said.action, WN_REMOVE);
    assert_string_equal(list[0].said.staff_id.p, "staff-7");
    assert_string_equal(list[0].said.reason.p, "a known scheme");
    assert_int_equal(list[0].said.labels[WN_SPAM], WN_LABEL_NO);
    assert_int_equal(list[0].said.labels[WN_SCAM], WN_LABEL_YES);
    assert_int_equal(list[0].said.labels[WN_BAIT], WN_LABEL_UNSAID);
    assert_true(list[0].said.at_us > 0);
    assert_int_equal(wn_review_decide(desk, &d, &id, &err), WN_REJECT);
    assert_string_equal(err.text, "decided already");
    d.item = 12345;
    assert_int_equal(wn_review_decide(desk, &d, &id, &err), WN_REJECT);
    assert_string_equal(err.text, "no such item");
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM winnow.decision WHERE spam = 0 AND scam = 1 "
            "AND bait IS NULL AND action = 4"),
        1);
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM winnow.audit WHERE kind = 2 AND position("
            "convert_to('staff-7', 'UTF8') IN body) = 0"),
        1);
    kit_check_chains(&k);
    wn_arena_release(&arena);
    kit_close(&k);
}

static void
review_edit_or_deletion_closes_the_item(void **state)
{
    struct kit k;
    struct wn_store *st, *desk;
    struct wn_claim c;
    struct wn_item *it;
    struct wn_decision d = decision(1);
    struct wn_err err;

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    desk = console(&k);
    c = kit_claim(st, 0);
    it = kit_item(&k, &c, 0, "p", "first");
    it->verdict.action = WN_REVIEW;
    kit_commit(st, &c, it);
    kit_commit(st, &c, kit_item(&k, &c, 1, "p", "edited"));
    assert_int_equal(wn_review_decide(desk, &d, NULL, &err), WN_REJECT);
    assert_string_equal(err.text, "closed: superseded");
    it = kit_item(&k, &c, 2, "p", "edited again");
    it->verdict.action = WN_REVIEW;
    kit_commit(st, &c, it);
    kit_commit(st, &c, kit_delete(&k, &c, 3, "p"));
    d.item = 2;
    assert_int_equal(wn_review_decide(desk, &d, NULL, &err), WN_REJECT);
    assert_string_equal(err.text, "closed: erased");
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.decision"), 0);
    kit_close(&k);
}

static void
review_import_is_idempotent_and_does_not_hide_the_live_post(void **state)
{
    struct kit k;
    struct wn_store *st, *desk;
    struct wn_claim c;
    struct wn_err err;
    bool known = true;
    struct wn_imported im = { .ref = "log-1",
        .post_id = "p",
        .author_id = "a",
        .staff_id = "old-hand",
        .reason = "",
        .text = { "past \0words", 11 },
        .labels = { WN_LABEL_YES, WN_LABEL_NO, WN_LABEL_NO, WN_LABEL_UNSAID },
        .action = WN_REMOVE,
        .at_us = 1700000000000000 };

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    desk = console(&k);
    assert_wn_ok(wn_review_import(desk, &im, &known, &err), &err);
    assert_false(known);
    assert_wn_ok(wn_review_import(desk, &im, &known, &err), &err);
    assert_true(known);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.decision"), 1);
    c = kit_claim(st, 0);
    assert_int_equal(
        kit_commit(st, &c, kit_item(&k, &c, 0, "p", "past words")), WN_SCORED);
    assert_int_equal(kit_commit(st, &c, kit_delete(&k, &c, 1, "p")), WN_ERASED);
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.content"), 0);
    im.ref = "log-2";
    assert_int_equal(wn_review_import(desk, &im, &known, &err), WN_REJECT);
    assert_string_equal(err.text, "the post was deleted");
    assert_true(known); /* untouched */
    kit_check_chains(&k);
    kit_close(&k);
}

static void
review_bounds_who_decides_and_why(void **state)
{
    static char longest[WN_REVIEW_REASON_MAX + 2];
    struct kit k;
    struct wn_store *desk;
    struct wn_decision d = decision(1);
    struct wn_imported im = { .ref = "log-1",
        .post_id = "p",
        .author_id = "a",
        .text = { "words", 5 },
        .action = WN_REMOVE,
        .at_us = 1700000000000000 };
    struct wn_err err;
    bool known;

    (void)state;
    kit_open(&k);
    desk = console(&k);
    memset(longest, 'x', WN_REVIEW_REASON_MAX);
    d.reason = longest;
    assert_int_equal(wn_review_decide(desk, &d, NULL, &err), WN_REJECT);
    assert_string_equal(err.text, "no such item");
    longest[WN_REVIEW_REASON_MAX] = 'x';
    assert_int_equal(wn_review_decide(desk, &d, NULL, &err), WN_REJECT);
    assert_string_equal(err.text, "reason must be at most 4096 bytes of UTF-8");
    d.reason = "\xff";
    assert_int_equal(wn_review_decide(desk, &d, NULL, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "reason must be"));
    d.reason = "";
    d.staff_id = "bad\xff";
    assert_int_equal(wn_review_decide(desk, &d, NULL, &err), WN_REJECT);
    assert_string_equal(err.text, "staff must be 1 to 256 bytes of UTF-8");
    longest[WN_REVIEW_STAFF_MAX + 1] = '\0';
    for (int i = 0; i < 3; i++) {
        im.staff_id = i == 0 ? longest : i == 1 ? "" : NULL;
        assert_int_equal(wn_review_import(desk, &im, &known, &err), WN_REJECT);
        assert_string_equal(err.text, "staff must be 1 to 256 bytes of UTF-8");
    }
    longest[WN_REVIEW_STAFF_MAX] = '\0';
    im.staff_id = longest;
    assert_wn_ok(wn_review_import(desk, &im, &known, &err), &err);
    kit_close(&k);
}

/* Two workers of two partitions, the same posts in opposite orders. */
struct racer {
    struct kit *k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_item *items[400];
    size_t n;
    enum wn_status rc;
};

static void *
race(void *arg)
{
    struct racer *r = arg;
    struct wn_err err;
    size_t i;
    int tries;

    for (i = 0; i < r->n && r->rc == WN_OK; i += 20) {
        for (tries = 0; tries < 50; tries++) {
            r->rc = wn_store_commit(
                r->st, &r->c, r->items + i, 20, (int64_t)i + 20, &err);
            if (r->rc != WN_RETRY)
                break;
        }
    }
    return NULL;
}

static void
store_two_workers_on_the_same_posts_keep_one_state(void **state)
{
    struct kit k;
    struct racer r[2];
    pthread_t t[2];
    int w, i;

    (void)state;
    kit_open(&k);
    memset(r, 0, sizeof(r));
    for (w = 0; w < 2; w++) {
        r[w].k = &k;
        r[w].n = 400;
        r[w].st = kit_store(&k, k.worker, w == 0 ? "a" : "b");
        r[w].c = kit_claim(r[w].st, w);
        for (i = 0; i < 400; i++) {
            char id[16];
            int p = w == 0 ? i : 399 - i;

            snprintf(id, sizeof(id), "p%03d", p % 100);
            r[w].items[i] = p % 17 == 0 ? kit_delete(&k, &r[w].c, i, id)
                                        : kit_item(&k, &r[w].c, i, id,
                                              p % 3 == 0 ? "x" : "y");
            if (p % 5 == 0)
                r[w].items[i]->verdict.action = WN_REVIEW;
        }
    }
    for (w = 0; w < 2; w++)
        assert_int_equal(pthread_create(&t[w], NULL, race, &r[w]), 0);
    for (w = 0; w < 2; w++) {
        pthread_join(t[w], NULL);
        assert_int_equal(r[w].rc, WN_OK);
    }
    assert_int_equal(kit_count(&k, "SELECT count(*) FROM winnow.verdict"), 800);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.post_state"), 100);
    assert_int_equal(
        kit_count(&k, "SELECT count(*) FROM winnow.post_state p FULL JOIN "
                      "winnow.post_salt "
                      "s USING (post_id) WHERE (s.salt IS NULL) <> p.deleted"),
        0);
    assert_int_equal(
        kit_count(&k,
            "SELECT count(*) FROM winnow.content c JOIN winnow.post_state p "
            "USING (post_id) WHERE p.deleted"),
        0);
    kit_check_chains(&k);
    kit_close(&k);
}

static void
report_counts_what_is_there(void **state)
{
    struct kit k;
    struct wn_store *st;
    struct wn_claim c;
    struct wn_report r;
    struct wn_report_cursor *cursors;
    struct wn_severe *severe;
    struct wn_item *it;
    struct wn_arena arena;
    struct wn_err err;
    char big[301];
    size_t n, i;

    (void)state;
    kit_open(&k);
    wn_arena_init(&arena, 65536, 1u << 20);
    st = kit_store(&k, k.worker, "w");
    assert_wn_ok(wn_report_counts(st, &r, &err), &err);
    assert_true(r.first_us == WN_TIME_UNKNOWN);
    c = kit_claim(st, 0);
    for (i = 0; i < 300; i += 2)
        memcpy(big + i, "\xc3\xa9", 2);
    big[300] = '\0';
    big[0] = 'x'; /* so that 200 bytes end inside a character */
    big[1] = 'x';
    kit_commit(st, &c, kit_item(&k, &c, 0, "mild", "t"));
    it = kit_item(&k, &c, 1, "worst", big + 1);
    it->verdict.action = WN_REMOVE;
    kit_commit(st, &c, it);
    it = kit_item(&k, &c, 2, "bad", "t");
    it->verdict.action = WN_REMOVE;
    it->sig.v[WN_SIG_SCORE_SCAM] = wn_value_double(0.7);
    memset(&it->sig.v[WN_SIG_SCORE_BAIT], 0, sizeof(struct wn_value));
    kit_commit(st, &c, it);
    kit_commit(st, &c, kit_dead(&k, &c, 3, "x"));
    assert_wn_ok(wn_report_counts(st, &r, &err), &err);
    assert_int_equal(r.outcomes[WN_SCORED], 3);
    assert_int_equal(r.outcomes[WN_DEAD], 1);
    assert_int_equal(r.actions[WN_REMOVE], 2);
    assert_int_equal(r.flags[WN_SCAM], 3);
    assert_int_equal(r.flags_by_action[WN_LABEL][WN_SCAM], 1);
    assert_int_equal(r.audit_rows, 4);
    assert_int_equal(r.outbox_waiting, 4);
    assert_int_equal(r.dead_letters, 1);
    assert_true(r.first_us <= r.last_us);
    assert_wn_ok(wn_report_severe(st, 2, &arena, &severe, &n, &err), &err);
    assert_int_equal(n, 2);
    assert_string_equal(severe[0].post_id.p, "worst");
    assert_int_equal(severe[0].text.len, 199);
    assert_string_equal(severe[1].post_id.p, "bad");
    assert_true(severe[1].scores[WN_SCAM] == 0.7);
    assert_true(isnan(severe[1].scores[WN_BAIT]));
    assert_wn_ok(wn_report_cursors(st, &arena, &cursors, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_string_equal(cursors[0].owner.p, "w");
    assert_int_equal(cursors[0].next_offset, 4);
    assert_int_equal(strlen(cursors[0].chain_head), 64);
    wn_arena_release(&arena);
    kit_close(&k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            review_decision_is_made_once_and_only_on_what_was_seen),
        cmocka_unit_test(review_edit_or_deletion_closes_the_item),
        cmocka_unit_test(
            review_import_is_idempotent_and_does_not_hide_the_live_post),
        cmocka_unit_test(review_bounds_who_decides_and_why),
        cmocka_unit_test(store_two_workers_on_the_same_posts_keep_one_state),
        cmocka_unit_test(report_counts_what_is_there),
    };

    return wn_test_run(
        "storage_review", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
