/* Lines out of chunks of any size, and what the bound keeps of a long one. */
#include "ingest/lines.h"

#include "tests/lib/test.h"

/* What lines there are, worked out the plain way. */
static void
check(const char *p, size_t len, size_t line_max, uint64_t *seed)
{
    struct wn_lines l;
    struct wn_line line;
    size_t fed = 0, at = 0;

    wn_lines_init(&l, line_max, 1000);
    for (;;) {
        size_t room, n, end;
        char *to;

        while (wn_lines_next(&l, &line) ||
               (fed == len && wn_lines_last(&l, &line))) {
            end = at;
            while (end < len && p[end] != '\n')
                end++;
            n = end - at > line_max ? line_max + 1 : end - at;
            assert_int_equal(line.len, n);
            assert_memory_equal(line.p, p + at, n);
            assert_int_equal(line.start, 1000 + at);
            at = end < len ? end + 1 : end;
            assert_int_equal(line.next, 1000 + at);
        }
        if (fed == len)
            break;
        to = wn_lines_room(&l, &room);
        assert_non_null(to);
        n = 1 + wn_test_random(seed) % 7;
        n = n > len - fed ? len - fed : n;
        n = n > room ? room : n;
        memcpy(to, p + fed, n);
        wn_lines_add(&l, n);
        fed += n;
    }
    assert_int_equal(at, len);
    wn_lines_release(&l);
}

static void
lines_are_the_same_for_any_chunks(void **state)
{
    uint64_t seed = wn_test_seed();
    char text[200];

    for (int round = 0; round < 5000; round++) {
        size_t len = wn_test_random(&seed) % sizeof(text);

        for (size_t i = 0; i < len; i++)
            text[i] = "ab\n\0"[wn_test_random(&seed) % 4];
        check(text, len, 1 + wn_test_random(&seed) % 20, &seed);
    }
}

/* 8 MiB in one line, at a bound of 1 KiB, in little more than one chunk. */
static void
lines_over_the_bound_take_no_memory(void **state)
{
    struct wn_lines l;
    struct wn_line line;
    size_t room, fed = 0;
    const size_t len = 8u << 20;
    char *to;

    wn_lines_init(&l, 1024, 0);
    while (fed < len) {
        to = wn_lines_room(&l, &room);
        assert_non_null(to);
        room = room > len - fed ? len - fed : room;
        memset(to, 'x', room);
        wn_lines_add(&l, room);
        fed += room;
        assert_false(wn_lines_next(&l, &line));
    }
    to = wn_lines_room(&l, &room);
    memcpy(to, "\nnext\n", 6);
    wn_lines_add(&l, 6);
    assert_true(wn_lines_next(&l, &line));
    assert_int_equal(line.len, 1025);
    assert_int_equal(line.next, len + 1);
    assert_true(wn_lines_next(&l, &line));
    assert_int_equal(line.len, 4);
    assert_memory_equal(line.p, "next", 4);
    assert_int_equal(line.start, len + 1);
    assert_true(l.cap < 512u << 10);
    wn_lines_release(&l);
}

static void
lines_are_blank_without_anything_but_white_space(void **state)
{
    static const char *const blank[] = { "", " ", "\t \r" };
    static const char *const full[] = { "x", " x", "\t.", "\v", "\xc2\xa0" };

    for (size_t i = 0; i < sizeof(blank) / sizeof(blank[0]); i++)
        assert_true(wn_line_is_blank(
            &(struct wn_line){ .p = blank[i], .len = strlen(blank[i]) }));
    for (size_t i = 0; i < sizeof(full) / sizeof(full[0]); i++)
        assert_false(wn_line_is_blank(
            &(struct wn_line){ .p = full[i], .len = strlen(full[i]) }));
    /* U+0000 is content: it is judged as U+FFFD */
    assert_false(wn_line_is_blank(&(struct wn_line){ .p = "", .len = 1 }));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(lines_are_blank_without_anything_but_white_space),
    cmocka_unit_test(lines_are_the_same_for_any_chunks),
    cmocka_unit_test(lines_over_the_bound_take_no_memory),
};

WN_TEST_MAIN("ingest_lines", tests)
