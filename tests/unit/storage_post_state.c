/* Which of two records of one post counts: the whole table. */
#include "storage/post_state_int.h"
#include "tests/lib/test.h"

static struct wn_post_mark
mark(int source, int64_t off, int64_t time, int64_t revision, char hash)
{
    struct wn_post_mark m = { .source = source,
        .off = off,
        .time_us = time,
        .has_revision = revision >= 0,
        .revision = revision };

    memset(m.hash, hash, sizeof(m.hash));
    return m;
}

static struct wn_post_mark
gone(int source, int64_t off, int64_t time, int64_t revision)
{
    struct wn_post_mark m = mark(source, off, time, revision, 0);

    m.deleted = true;
    return m;
}

static void
check(const struct wn_post_mark *prev, struct wn_post_mark next,
    enum wn_outcome outcome, bool newer)
{
    struct wn_post_choice c = wn_post_decide(prev, &next);

    assert_int_equal(c.outcome, outcome);
    assert_int_equal(c.newer, newer);
}

static void
post_unknown_before_is_judged_or_remembered_as_gone(void **state)
{
    (void)state;
    check(NULL, mark(1, 0, 10, -1, 'a'), WN_OUT_NONE, true);
    check(NULL, gone(1, 0, 10, -1), WN_ERASED, true);
}

static void
post_revisions_beat_times_and_offsets(void **state)
{
    struct wn_post_mark prev = mark(1, 9, 100, 5, 'a');
    struct wn_post_mark dead = gone(1, 9, 100, 5);

    (void)state;
    check(&prev, mark(2, 0, 1, 6, 'a'), WN_OUT_NONE, true);
    check(&prev, mark(2, 0, 999, 5, 'b'), WN_REPEAT, false);
    check(&prev, mark(1, 10, 999, 4, 'b'), WN_STALE, false);
    check(&prev, gone(2, 0, 1, 5), WN_ERASED, true);
    check(&prev, gone(2, 0, 1, 6), WN_ERASED, true);
    check(&prev, gone(2, 0, 999, 4), WN_STALE, false);
    check(&dead, mark(2, 0, 999, 6, 'b'), WN_OUT_NONE, true);
    check(&dead, mark(2, 0, 999, 4, 'b'), WN_STALE, false);
    check(&dead, gone(2, 0, 999, 4), WN_REPEAT, false);
    check(&dead, gone(2, 0, 999, 6), WN_REPEAT, true);
}

static void
post_without_revision_same_content_is_a_repeat_in_any_order(void **state)
{
    struct wn_post_mark prev = mark(1, 9, 100, -1, 'a');

    (void)state;
    check(&prev, mark(1, 10, 200, -1, 'a'), WN_REPEAT, false);
    check(&prev, mark(2, 0, 1, -1, 'a'), WN_REPEAT, false);
    check(&prev, mark(2, 0, 1, 7, 'a'), WN_REPEAT, false);
}

static void
post_of_one_source_goes_by_offset_and_of_two_by_time(void **state)
{
    struct wn_post_mark prev = mark(1, 9, 100, -1, 'a');

    (void)state;
    check(&prev, mark(1, 10, 1, -1, 'b'), WN_OUT_NONE, true);
    check(&prev, mark(1, 8, 999, -1, 'b'), WN_STALE, false);
    check(&prev, mark(2, 99, 99, -1, 'b'), WN_STALE, false);
    check(&prev, mark(2, 0, 101, -1, 'b'), WN_OUT_NONE, true);
    check(&prev, mark(2, 0, 100, -1, 'b'), WN_OUT_NONE, true);
    check(&prev, mark(2, 0, WN_TIME_UNKNOWN, -1, 'b'), WN_OUT_NONE, true);
}

static void
post_deletion_wins_a_tie_and_holds_against_late_creates(void **state)
{
    struct wn_post_mark prev = mark(1, 9, 100, -1, 'a');
    struct wn_post_mark dead = gone(1, 9, 100, -1);

    (void)state;
    check(&prev, gone(2, 0, 100, -1), WN_ERASED, true);
    check(&dead, mark(2, 0, 100, -1, 'a'), WN_STALE, false);
    check(&dead, mark(2, 0, 99, -1, 'a'), WN_STALE, false);
    check(&dead, mark(2, 0, 101, -1, 'a'), WN_OUT_NONE, true);
    check(&dead, gone(2, 0, 99, -1), WN_REPEAT, false);
    check(&dead, gone(2, 0, 101, -1), WN_REPEAT, true);
}

#define MINUTE INT64_C(60000000)

static void
post_deletion_is_not_lost_to_two_clocks(void **state)
{
    struct wn_post_mark prev = mark(1, 9, 100 * MINUTE, -1, 'a');
    struct wn_post_mark dead = gone(1, 9, 100 * MINUTE, -1);

    (void)state;
    check(&prev, gone(2, 0, 95 * MINUTE, -1), WN_ERASED, true);
    check(&prev, gone(2, 0, 95 * MINUTE - 1, -1), WN_STALE, false);
    check(&prev, gone(1, 8, 100 * MINUTE, -1), WN_STALE, false);
    check(&prev, mark(2, 0, 99 * MINUTE, -1, 'b'), WN_STALE, false);
    check(&dead, mark(2, 0, 99 * MINUTE, -1, 'b'), WN_STALE, false);
    check(&prev, gone(2, 0, WN_TIME_UNKNOWN, -1), WN_ERASED, true);
    assert_int_equal(wn_post_time(7, 5), 5);
    assert_int_equal(wn_post_time(5, 7), 5);
    assert_int_equal(wn_post_time(WN_TIME_UNKNOWN, 5), WN_TIME_UNKNOWN);
}

static void
post_deletion_without_revision_keeps_the_one_before(void **state)
{
    struct wn_post_mark m = mark(1, 9, 100, 2, 'b'), next;

    (void)state;
    next = gone(1, 10, 101, -1);
    check(&m, next, WN_ERASED, true);
    wn_post_move(&m, true, &next);
    assert_true(m.deleted);
    assert_int_equal(m.off, 10);
    check(&m, mark(1, 11, 102, 1, 'a'), WN_STALE, false);
    check(&m, mark(1, 11, 102, 2, 'b'), WN_REPEAT, false);
    check(&m, mark(1, 11, 102, 3, 'c'), WN_OUT_NONE, true);
    next = mark(1, 12, 103, -1, 'd'); /* a new life without a revision */
    check(&m, next, WN_OUT_NONE, true);
    wn_post_move(&m, true, &next);
    assert_false(m.deleted);
    check(&m, mark(1, 13, 104, 1, 'a'), WN_STALE, false);
    next = mark(1, 14, 105, 7, 'e');
    wn_post_move(&m, true, &next);
    assert_int_equal(m.revision, 7);
    m.revision = 99;
    wn_post_move(&m, false, &next);
    assert_int_equal(m.revision, 7);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(post_unknown_before_is_judged_or_remembered_as_gone),
        cmocka_unit_test(post_revisions_beat_times_and_offsets),
        cmocka_unit_test(
            post_without_revision_same_content_is_a_repeat_in_any_order),
        cmocka_unit_test(post_of_one_source_goes_by_offset_and_of_two_by_time),
        cmocka_unit_test(
            post_deletion_wins_a_tie_and_holds_against_late_creates),
        cmocka_unit_test(post_deletion_is_not_lost_to_two_clocks),
        cmocka_unit_test(post_deletion_without_revision_keeps_the_one_before),
    };

    return wn_test_run("storage_post_state", tests,
        sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
