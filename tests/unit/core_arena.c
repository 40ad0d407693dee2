#include "tests/lib/test.h"

#include "core/arena.h"
#include "core/asan.h"

static void
arena_allocates_nothing_before_it_is_asked(void **state)
{
    struct wn_arena a;

    wn_arena_init(&a, 1024, 4096);
    assert_int_equal(a.bytes, 0);
    wn_arena_reset(&a);
    wn_arena_release(&a);
    assert_int_equal(a.bytes, 0);
}

static void
arena_every_address_is_aligned_and_its_own(void **state)
{
    struct wn_arena a;
    unsigned char *p[200];
    uint64_t seed = wn_test_seed();
    size_t len[200];

    wn_arena_init(&a, 512, 1 << 20);
    for (size_t i = 0; i < 200; i++) {
        len[i] = wn_test_random(&seed) % 700; /* 0 and over a block, too */
        p[i] = wn_arena_alloc(&a, len[i]);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        memset(p[i], (int)i, len[i]);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t k = 0; k < len[i]; k++)
            assert_int_equal(p[i][k], i);
        for (size_t k = 0; k < i; k++)
            assert_ptr_not_equal(p[i], p[k]);
    }
    wn_arena_release(&a);
}

static void
arena_says_no_at_its_maximum_and_stays_usable(void **state)
{
    struct wn_arena a;
    size_t n = 0;

    wn_arena_init(&a, 1024, 4096);
    assert_null(wn_arena_alloc(&a, 4096)); /* the block's head counts */
    while (wn_arena_alloc(&a, 100) != NULL)
        n++;
    assert_true(n >= 24 && n <= 40);
    assert_true(a.bytes <= 4096);
    assert_null(wn_arena_alloc(&a, SIZE_MAX));
    assert_null(wn_arena_alloc(&a, SIZE_MAX - 20));
    wn_arena_reset(&a);
    assert_non_null(wn_arena_alloc(&a, 100));
    wn_arena_release(&a);
}

static void
arena_reset_keeps_the_first_block_only(void **state)
{
    struct wn_arena a;
    size_t one;
    void *first;

    wn_arena_init(&a, 1024, 1 << 20);
    first = wn_arena_alloc(&a, 64);
    one = a.bytes;
    for (int i = 0; i < 100; i++)
        assert_non_null(wn_arena_alloc(&a, 512));
    assert_true(a.bytes > one);
    wn_arena_reset(&a);
    assert_int_equal(a.bytes, one);
    assert_ptr_equal(wn_arena_alloc(&a, 64), first);
    assert_int_equal(a.bytes, one);
    wn_arena_release(&a);
}

static void
arena_a_block_larger_than_the_maximum_is_cut_to_it(void **state)
{
    struct wn_arena a;

    wn_arena_init(&a, 1 << 20, 1000);
    assert_non_null(wn_arena_alloc(&a, 500));
    assert_true(a.bytes <= 1000);
    wn_arena_release(&a);
}

static void
arena_arrays_check_their_product(void **state)
{
    struct wn_arena a;

    wn_arena_init(&a, 1024, SIZE_MAX);
    assert_null(wn_arena_array(&a, SIZE_MAX / 2, 3));
    assert_null(wn_arena_array(&a, (SIZE_MAX >> 4) + 2, 16));
    assert_non_null(wn_arena_array(&a, 10, 8));
    wn_arena_release(&a);
}

static void
arena_zalloc_clears_what_was_used_before(void **state)
{
    static const char zeros[300];
    struct wn_arena a;

    wn_arena_init(&a, 1024, 1 << 16);
    memset(wn_arena_alloc(&a, 300), 0xff, 300);
    wn_arena_reset(&a);
    assert_memory_equal(wn_arena_zalloc(&a, 300), zeros, 300);
    wn_arena_release(&a);
}

static void
arena_strings_are_copied_with_a_nul(void **state)
{
    struct wn_arena a;

    wn_arena_init(&a, 64, 1 << 16);
    assert_string_equal(wn_arena_strndup(&a, "winnow", 3), "win");
    assert_string_equal(wn_arena_strndup(&a, NULL, 0), "");
    assert_null(wn_arena_strndup(&a, "x", SIZE_MAX));
    assert_string_equal(
        wn_arena_printf(&a, "%s-%0100d", "long", 7) + 100, "00007");
    wn_arena_release(&a);
}

#ifdef WN_ASAN
static void
arena_under_asan_what_is_not_handed_out_is_off_limits(void **state)
{
    struct wn_arena a;
    char *p;

    wn_arena_init(&a, 1024, 1 << 16);
    p = wn_arena_alloc(&a, 20);
    wn_arena_alloc(&a, 20);
    assert_false(__asan_address_is_poisoned(p + 19));
    assert_true(__asan_address_is_poisoned(p + 20));
    assert_true(__asan_address_is_poisoned(p + 40)); /* red zone */
    wn_arena_reset(&a);
    assert_true(__asan_address_is_poisoned(p));
    wn_arena_release(&a);
}
#endif

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(arena_allocates_nothing_before_it_is_asked),
    cmocka_unit_test(arena_every_address_is_aligned_and_its_own),
    cmocka_unit_test(arena_says_no_at_its_maximum_and_stays_usable),
    cmocka_unit_test(arena_reset_keeps_the_first_block_only),
    cmocka_unit_test(arena_a_block_larger_than_the_maximum_is_cut_to_it),
    cmocka_unit_test(arena_arrays_check_their_product),
    cmocka_unit_test(arena_zalloc_clears_what_was_used_before),
    cmocka_unit_test(arena_strings_are_copied_with_a_nul),
#ifdef WN_ASAN
    cmocka_unit_test(arena_under_asan_what_is_not_handed_out_is_off_limits),
#endif
};
WN_TEST_MAIN("core_arena", tests)
