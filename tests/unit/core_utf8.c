#include "tests/lib/test.h"

#include "core/utf8.h"

static void
utf8_every_code_point_is_written_and_read_back(void **state)
{
    char p[4];

    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        size_t len = wn_utf8_put(p, c);

        if (c >= 0xd800 && c <= 0xdfff) {
            assert_int_equal(wn_utf8_len(p, len), 0);
            continue;
        }
        assert_int_equal(wn_utf8_len(p, len), len);
        assert_int_equal(wn_utf8_get(p, len), c);
        if (len > 1)
            assert_int_equal(wn_utf8_len(p, len - 1), 0);
    }
}

static void
utf8_lengths_change_where_the_standard_says(void **state)
{
    static const struct {
        uint32_t c;
        const char *is;
    } rows[] = { { 0x7f, "\x7f" }, { 0x80, "\xc2\x80" }, { 0x7ff, "\xdf\xbf" },
        { 0x800, "\xe0\xa0\x80" }, { 0xffff, "\xef\xbf\xbf" },
        { 0x10000, "\xf0\x90\x80\x80" }, { 0x10ffff, "\xf4\x8f\xbf\xbf" } };
    char p[4];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = wn_utf8_put(p, rows[i].c);

        assert_int_equal(len, strlen(rows[i].is));
        assert_memory_equal(p, rows[i].is, len);
    }
}

static void
utf8_what_is_ill_formed_has_no_length(void **state)
{
    static const char *const bad[] = { "\x80", "\xbf", "\xc0\x80", "\xc1\xbf",
        "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff", "\xc3(", "\xe2\x82(", "\xf0\x9f\x98(" };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(wn_utf8_len(bad[i], strlen(bad[i])), 0);
}

#define T(name) cmocka_unit_test(name)
static const struct CMUnitTest tests[] = {
    T(utf8_every_code_point_is_written_and_read_back),
    T(utf8_lengths_change_where_the_standard_says),
    T(utf8_what_is_ill_formed_has_no_length),
};
WN_TEST_MAIN("core/utf8", tests)
