#include "tests/lib/test.h"

#include <math.h>

#include "core/buf.h"

static void
buf_grows_up_to_its_maximum_to_the_byte(void **state)
{
    struct wn_buf b;

    wn_buf_init(&b, 1000);
    for (int i = 0; i < 1000; i++)
        wn_buf_char(&b, (char)('a' + i % 26));
    assert_false(b.failed);
    assert_int_equal(b.len, 1000);
    assert_int_equal(strlen(b.data), 1000);
    assert_int_equal(b.data[999], 'a' + 999 % 26);
    wn_buf_release(&b);
}

static void
buf_a_failed_append_changes_nothing_and_ends_all_others(void **state)
{
    struct wn_buf b;

    wn_buf_init(&b, 8);
    wn_buf_str(&b, "12345");
    wn_buf_str(&b, "6789");
    assert_true(b.failed);
    assert_string_equal(b.data, "12345");
    wn_buf_char(&b, 'x'); /* it would fit */
    wn_buf_printf(&b, "%d", 1);
    assert_null(wn_buf_reserve(&b, 1));
    assert_int_equal(b.len, 5);
    wn_buf_reset(&b);
    assert_false(b.failed);
    wn_buf_str(&b, "12345678");
    assert_false(b.failed);
    assert_string_equal(b.data, "12345678");
    wn_buf_release(&b);
}

static void
buf_lengths_near_the_end_of_size_t_are_refused(void **state)
{
    struct wn_buf b;

    wn_buf_init(&b, SIZE_MAX);
    wn_buf_char(&b, 'x');
    assert_null(wn_buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    wn_buf_release(&b);
}

static void
buf_printf_appends_texts_longer_than_its_room(void **state)
{
    struct wn_buf b;

    wn_buf_init(&b, 5000);
    wn_buf_printf(&b, "%d:", 42);
    wn_buf_printf(&b, "%03000d", 5);
    assert_int_equal(b.len, 3003);
    assert_memory_equal(b.data, "42:000", 6);
    assert_int_equal(b.data[3002], '5');
    wn_buf_printf(&b, "%03000d", 5);
    assert_true(b.failed);
    assert_int_equal(b.len, 3003);
    wn_buf_release(&b);
}

static void
buf_json_escapes_what_json_asks_for(void **state)
{
    static const char in[] = "a\"b\\c\n\r\t\b\f\x01\x1f\x7f\xc3\xa9/\0z";
    struct wn_buf b;

    wn_buf_init(&b, 1000);
    wn_buf_json(&b, in, sizeof(in) - 1);
    assert_string_equal(b.data,
        "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\xc3\xa9/\\u0000z\"");
    wn_buf_reset(&b);
    wn_buf_json(&b, NULL, 0);
    assert_string_equal(b.data, "\"\"");
    wn_buf_release(&b);
}

static void
assert_double(double v, const char *text)
{
    struct wn_buf b;

    wn_buf_init(&b, 64);
    wn_buf_double(&b, v);
    assert_string_equal(b.data, text);
    wn_buf_release(&b);
}

static void
buf_doubles_are_as_short_as_they_can_be(void **state)
{
    assert_double(0, "0");
    assert_double(-0.0, "-0");
    assert_double(0.1, "0.1");
    assert_double(0.1 + 0.2, "0.30000000000000004");
    assert_double(1e22, "1e+22");
    assert_double(1.0 / 3, "0.3333333333333333");
    assert_double(5e-324, "5e-324");
    assert_double(2.2250738585072014e-308, "2.2250738585072014e-308");
    assert_double(1.7976931348623157e308, "1.7976931348623157e+308");
    assert_double(123456789012.0, "123456789012");
    assert_double(NAN, "null");
    assert_double(INFINITY, "null");
    assert_double(-INFINITY, "null");
}

static void
buf_doubles_read_back_as_they_were(void **state)
{
    uint64_t seed = wn_test_seed(), bits;
    struct wn_buf b;
    double v;

    wn_buf_init(&b, 64);
    for (int i = 0; i < 20000; i++) {
        bits = wn_test_random(&seed);
        memcpy(&v, &bits, sizeof(v));
        if (!isfinite(v))
            continue;
        wn_buf_reset(&b);
        wn_buf_double(&b, v);
        assert_true(strtod(b.data, NULL) == v);
    }
    wn_buf_release(&b);
}

static void
buf_numbers_are_big_endian(void **state)
{
    struct wn_buf b;

    wn_buf_init(&b, 64);
    wn_buf_u16(&b, 0x0102);
    wn_buf_u32(&b, 0x03040506);
    wn_buf_u64(&b, UINT64_C(0x0708090a0b0c0dff));
    assert_int_equal(b.len, 14);
    assert_memory_equal(
        b.data, "\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\xff", 14);
    wn_buf_release(&b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(buf_grows_up_to_its_maximum_to_the_byte),
    cmocka_unit_test(buf_a_failed_append_changes_nothing_and_ends_all_others),
    cmocka_unit_test(buf_lengths_near_the_end_of_size_t_are_refused),
    cmocka_unit_test(buf_printf_appends_texts_longer_than_its_room),
    cmocka_unit_test(buf_json_escapes_what_json_asks_for),
    cmocka_unit_test(buf_doubles_are_as_short_as_they_can_be),
    cmocka_unit_test(buf_doubles_read_back_as_they_were),
    cmocka_unit_test(buf_numbers_are_big_endian),
};
WN_TEST_MAIN("core_buf", tests)
