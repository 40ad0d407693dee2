/* Spots: all of few, a spread of many. */
#include "classifier/spots.h"

#include "tests/lib/test.h"

static void
spots_that_are_few_are_all_kept(void **state)
{
    struct wn_spots s;

    (void)state;
    wn_spots_reset(&s);
    for (size_t i = 0; i < WN_SPOTS_MAX; i++)
        wn_spots_add(&s, i * i);
    assert_int_equal(s.n, WN_SPOTS_MAX);
    for (size_t i = 0; i < WN_SPOTS_MAX; i++)
        assert_int_equal(s.at[i], i * i);
    wn_spots_reset(&s);
    assert_int_equal(s.n, 0);
    wn_spots_add(&s, 7);
    assert_int_equal(s.at[0], 7);
}

/* Of any rising sequence: each is kept, or one less than two steps before it,
 * and the step is no larger than the spread makes it. */
static void
spots_that_are_many_leave_none_far_away(void **state)
{
    static size_t all[100000];
    uint64_t seed = wn_test_seed();
    struct wn_spots s;

    (void)state;
    for (int round = 0; round < 60; round++) {
        size_t n = 1 + wn_test_random(&seed) % 100000, at = 0, k = 0;
        size_t gap = (size_t)1 << (wn_test_random(&seed) % 12);

        wn_spots_reset(&s);
        for (size_t i = 0; i < n; i++) {
            at += 1 + wn_test_random(&seed) % gap;
            if (wn_test_random(&seed) % 1000 == 0)
                at += 50000; /* and a lone one */
            all[i] = at;
            wn_spots_add(&s, at);
        }
        assert_in_range(s.n, 1, WN_SPOTS_MAX);
        assert_int_equal(s.at[0], all[0]);
        assert_true(s.step <= at / 24 + 1);
        for (size_t i = 0; i < n; i++) {
            while (k + 1 < s.n && s.at[k + 1] <= all[i])
                k++;
            assert_true(all[i] - s.at[k] <= 2 * s.step);
        }
        for (size_t i = 1; i < s.n; i++)
            assert_true(s.at[i] > s.at[i - 1]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(spots_that_are_few_are_all_kept),
    cmocka_unit_test(spots_that_are_many_leave_none_far_away),
};
WN_TEST_MAIN("classifier/spots", tests)
