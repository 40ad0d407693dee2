/* What an item weighs for the encoder. */
#include "core/item.h"
#include "tests/lib/test.h"

static size_t
weight(size_t len)
{
    struct wn_item item = { .rec = { .raw = { .len = len } } };

    return wn_item_weight(&item);
}

static void
an_item_weighs_a_token_for_four_bytes_within_bounds(void **state)
{
    (void)state;
    assert_int_equal(weight(0), 1);
    assert_int_equal(weight(3), 1);
    assert_int_equal(weight(400), 101);
    assert_int_equal(
        weight(4 * WN_ITEM_WEIGHT_MAX - 8), WN_ITEM_WEIGHT_MAX - 1);
    assert_int_equal(weight(4 * WN_ITEM_WEIGHT_MAX), WN_ITEM_WEIGHT_MAX);
    assert_int_equal(weight(SIZE_MAX), WN_ITEM_WEIGHT_MAX);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_item_weighs_a_token_for_four_bytes_within_bounds),
};
WN_TEST_MAIN("core/item", tests)
