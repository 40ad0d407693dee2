/* How many exits are shed, by how long posts wait: up at once, down slowly. */
#include "ingest/shed.h"

#include "tests/lib/test.h"

#define MAX_US 1000000
#define MOST 2

static struct wn_shed shed;

static int
start(void **state)
{
    (void)state;
    wn_shed_init(&shed, MAX_US);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    wn_shed_release(&shed);
    return 0;
}

/* At that second a post that waited so long (in thousandths) is taken. */
static size_t
at(double second, int waited_ms)
{
    size_t before = shed.exits, now;
    bool changed;

    now = wn_shed_look(&shed, 1000000 + (int64_t)(second * 1e6),
        (int64_t)waited_ms * 1000, MOST, &changed);
    assert_int_equal(changed, now != before);
    return now;
}

static void
nothing_is_shed_while_posts_wait_less_than_the_bound(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(at(i, 1000), 0);
}

static void
each_step_has_a_second_to_work(void **state)
{
    (void)state;
    assert_int_equal(at(0, 1001), 1);
    assert_int_equal(at(0.5, 1500), 1);
    assert_int_equal(at(0.999, 1500), 1);
    assert_int_equal(at(1, 1500), 2);
    assert_int_equal(at(5, 9000), 2); /* there is no more to shed */
}

static void
it_comes_back_a_step_for_every_five_calm_seconds(void **state)
{
    (void)state;
    at(0, 2000);
    assert_int_equal(at(1, 2000), 2);
    assert_int_equal(at(2, 600), 2); /* over the half: not calm */
    assert_int_equal(at(6.9, 100), 2);
    assert_int_equal(at(7, 100), 1);
    assert_int_equal(at(8, 501), 1); /* calm begins again */
    assert_int_equal(at(12.9, 100), 1);
    assert_int_equal(at(13, 100), 0);
    assert_int_equal(at(14, 100), 0);
}

static void
a_pause_without_posts_is_calm(void **state)
{
    (void)state;
    at(0, 2000);
    assert_int_equal(at(1, 2000), 2);
    assert_int_equal(at(60, 1), 0);
    assert_int_equal(at(61, 2000), 1);
}

static void
a_pause_counts_before_the_wait_that_ends_it(void **state)
{
    (void)state;
    at(0, 2000);
    assert_int_equal(at(1, 2000), 2);
    assert_int_equal(at(60, 2000), 1);
}

static void
other_weights_may_have_fewer_exits(void **state)
{
    bool changed;

    (void)state;
    at(0, 2000);
    assert_int_equal(at(1, 2000), 2);
    assert_int_equal(wn_shed_look(&shed, 2100000, 2000000, 1, &changed), 1);
    assert_true(changed);
    assert_int_equal(wn_shed_look(&shed, 2200000, 2000000, 0, &changed), 0);
}

static void
a_bound_of_nothing_never_sheds(void **state)
{
    struct wn_shed off;
    bool changed;

    (void)state;
    wn_shed_init(&off, 0);
    assert_int_equal(wn_shed_look(&off, 1, INT64_MAX, 2, &changed), 0);
    assert_false(changed);
    wn_shed_release(&off);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, start, finish)
static const struct CMUnitTest tests[] = {
    CASE(nothing_is_shed_while_posts_wait_less_than_the_bound),
    CASE(each_step_has_a_second_to_work),
    CASE(it_comes_back_a_step_for_every_five_calm_seconds),
    CASE(a_pause_without_posts_is_calm),
    CASE(a_pause_counts_before_the_wait_that_ends_it),
    CASE(other_weights_may_have_fewer_exits),
    CASE(a_bound_of_nothing_never_sheds),
};
WN_TEST_MAIN("ingest/shed", tests)
