/* Decided posts, as training reads them. */
#include "tests/db/storage_kit.h"

#include "storage/decided.h"
#include "storage/review.h"

#define DAY INT64_C(86400000000)

/* What was read, in order. */
struct seen {
    struct wn_decided d[300];
    char id[300][64], text[300][64];
    size_t n, stop_at;
};

static enum wn_status
see(void *arg, const struct wn_decided *d, struct wn_err *err)
{
    struct seen *s = arg;

    if (s->stop_at > 0 && s->n + 1 == s->stop_at)
        return wn_fail(err, WN_REJECT, "enough");
    assert_true(s->n < 300);
    s->d[s->n] = *d;
    snprintf(s->id[s->n], 64, "%.*s", (int)d->post_id.len, d->post_id.p);
    snprintf(s->text[s->n], 64, "%.*s", (int)d->text.len,
        d->text.p == NULL ? "" : d->text.p);
    s->n++;
    return WN_OK;
}

static struct wn_store *
clerk(struct kit *k)
{
    wn_pg_exec(k->pg, k->db,
        "DO $$ BEGIN CREATE ROLE clerk LOGIN; EXCEPTION WHEN "
        "duplicate_object THEN NULL; END $$; GRANT winnow_console TO clerk");
    return kit_store(k, wn_pg_conninfo(k->pg, k->db, "clerk"), "console");
}

/* A past decision: labels as "y", "n" or "-" a head. */
static void
import(struct wn_store *st, const char *ref, const char *post, const char *text,
    const char *staff, const char *labels, int64_t at_us)
{
    struct wn_imported im = { .ref = ref,
        .post_id = post,
        .author_id = "a",
        .staff_id = staff,
        .reason = "",
        .text = { text, strlen(text) },
        .action = WN_REMOVE,
        .at_us = at_us };
    struct wn_err err;
    bool known;

    for (int h = 0; h < WN_HEADS; h++)
        im.labels[h] = labels[h] == '-'   ? WN_LABEL_UNSAID
                       : labels[h] == 'y' ? WN_LABEL_YES
                                          : WN_LABEL_NO;
    assert_wn_ok(wn_review_import(st, &im, &known, &err), &err);
    assert_false(known);
}

static void
read_all(struct wn_store *st, int64_t since_us, size_t max, struct seen *s,
    int64_t *ret_decisions)
{
    struct wn_err err;

    memset(s, 0, sizeof(*s));
    assert_wn_ok(
        wn_decided_each(st, since_us, max, see, s, ret_decisions, &err), &err);
}

/* The labels as they were given. */
static void
assert_labels(const struct wn_decided *d, const char *labels)
{
    for (int h = 0; h < WN_HEADS; h++) {
        enum wn_label want = labels[h] == 'y'   ? WN_LABEL_YES
                             : labels[h] == 'n' ? WN_LABEL_NO
                                                : WN_LABEL_UNSAID;

        assert_int_equal(d->labels[h], want);
        assert_int_equal(d->disputed[h], labels[h] == '!');
    }
}

static void
decided_last_of_a_person_counts_and_two_may_disagree(void **state)
{
    static struct seen s;
    struct kit k;
    struct wn_store *st;
    int64_t now = wn_clock_now_us(), n = 0;

    (void)state;
    kit_open(&k);
    st = clerk(&k);
    import(st, "1", "p", "words", "ana", "yy--", now - 3 * DAY);
    import(st, "2", "p", "words", "ben", "-nn-", now - 2 * DAY);
    import(st, "3", "p", "words", "ana", "ny-y", now - DAY);
    import(st, "4", "p", "words", "cleo", "-y--", now - 4 * DAY);
    import(st, "5", "q", "other words", "ana", "n---", now - DAY);
    read_all(st, 0, 100, &s, &n);
    assert_int_equal(n, 5);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.id[0], "p");
    assert_string_equal(s.text[0], "words");
    assert_labels(&s.d[0], "n!ny");
    assert_int_equal(s.d[0].people, 3);
    assert_int_equal(s.d[0].at_us, now - DAY);
    assert_true(s.d[0].imported);
    assert_string_equal(s.id[1], "q");
    assert_labels(&s.d[1], "n---");
    kit_close(&k);
}

static void
decided_says_nothing_of_a_text_that_came_later(void **state)
{
    static struct seen s;
    struct kit k;
    struct wn_store *st;
    int64_t now = wn_clock_now_us(), n = 0;

    (void)state;
    kit_open(&k);
    st = clerk(&k);
    import(st, "1", "p", "before the edit", "ana", "yyyy", now - 2 * DAY);
    import(st, "2", "p", "after the edit", "ben", "n---", now - DAY);
    read_all(st, 0, 100, &s, &n);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.text[0], "after the edit");
    assert_labels(&s.d[0], "n---");
    assert_int_equal(s.d[0].people, 1);
    kit_close(&k);
}

/* The way of a live post: judged, decided in the console, deleted. */
static void
decided_post_that_was_deleted_has_no_text(void **state)
{
    static struct seen s;
    struct kit k;
    struct wn_store *st, *desk;
    struct wn_claim c;
    struct wn_item *it;
    struct wn_err err;
    int64_t n = 0;
    struct wn_decision d = { .item = 1,
        .version = -1,
        .staff_id = "ana",
        .labels = { WN_LABEL_NO, WN_LABEL_YES, WN_LABEL_UNSAID,
            WN_LABEL_UNSAID },
        .action = WN_REMOVE,
        .reason = "" };

    (void)state;
    kit_open(&k);
    st = kit_store(&k, k.worker, "w");
    desk = clerk(&k);
    c = kit_claim(st, 0);
    it = kit_item(&k, &c, 0, "p", "live words");
    it->verdict.action = WN_REVIEW;
    kit_commit(st, &c, it);
    assert_wn_ok(wn_review_decide(desk, &d, NULL, &err), &err);
    read_all(desk, 0, 100, &s, &n);
    assert_int_equal(s.n, 1);
    assert_true(s.d[0].has_content);
    assert_false(s.d[0].imported);
    assert_string_equal(s.text[0], "live words");
    assert_labels(&s.d[0], "ny--");
    kit_commit(st, &c, kit_delete(&k, &c, 1, "p"));
    read_all(desk, 0, 100, &s, &n);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.id[0], "p");
    assert_false(s.d[0].has_content);
    assert_null(s.d[0].text.p);
    kit_close(&k);
}

/* More posts than one fetch holds. */
static void
decided_posts_come_in_order_and_the_newest_are_kept(void **state)
{
    static struct seen s;
    struct kit k;
    struct wn_store *st;
    struct wn_err err;
    int64_t now = wn_clock_now_us(), n = 0;

    (void)state;
    kit_open(&k);
    st = clerk(&k);
    for (int i = 0; i < 150; i++) {
        char ref[16], text[32];

        snprintf(ref, sizeof(ref), "p%03d", i);
        snprintf(text, sizeof(text), "text %d", i);
        import(st, ref, ref, text, "ana", i % 2 == 0 ? "y---" : "n---",
            now - (200 - i) * DAY);
    }
    read_all(st, 0, 1000, &s, &n);
    assert_int_equal(n, 150);
    assert_int_equal(s.n, 150);
    for (int i = 0; i < 150; i++) {
        char text[32];

        snprintf(text, sizeof(text), "text %d", i);
        assert_string_equal(s.text[i], text);
        assert_labels(&s.d[i], i % 2 == 0 ? "y---" : "n---");
    }
    read_all(st, 0, 10, &s, &n);
    assert_int_equal(n, 150); /* all there are */
    assert_int_equal(s.n, 10);
    assert_string_equal(s.id[0], "p140");
    read_all(st, now - 60 * DAY, 1000, &s, &n);
    assert_int_equal(n, 10);
    assert_int_equal(s.n, 10);
    memset(&s, 0, sizeof(s));
    s.stop_at = 7;
    assert_int_equal(
        wn_decided_each(st, 0, 1000, see, &s, &n, &err), WN_REJECT);
    assert_string_equal(err.text, "enough");
    assert_int_equal(s.n, 6);
    read_all(st, 0, 1000, &s, &n); /* the store is as before */
    assert_int_equal(s.n, 150);
    kit_close(&k);
}

/* Who judges posts has no business with what staff reads. */
static void
decided_is_for_who_may_read_decisions_and_content(void **state)
{
    static struct seen s;
    struct kit k;
    struct wn_err err;
    int64_t n = 0;

    (void)state;
    kit_open(&k);
    wn_pg_exec(k.pg, k.db,
        "DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN "
        "duplicate_object THEN NULL; END $$; GRANT winnow_auditor TO reader");
    memset(&s, 0, sizeof(s));
    assert_int_equal(
        wn_decided_each(
            kit_store(&k, wn_pg_conninfo(k.pg, k.db, "reader"), "auditor"), 0,
            100, see, &s, &n, &err),
        WN_STOP);
    assert_non_null(strstr(err.text, "role reader may not do this"));
    kit_close(&k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decided_last_of_a_person_counts_and_two_may_disagree),
        cmocka_unit_test(decided_says_nothing_of_a_text_that_came_later),
        cmocka_unit_test(decided_post_that_was_deleted_has_no_text),
        cmocka_unit_test(decided_posts_come_in_order_and_the_newest_are_kept),
        cmocka_unit_test(decided_is_for_who_may_read_decisions_and_content),
    };

    return wn_test_run(
        "storage_decided", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
