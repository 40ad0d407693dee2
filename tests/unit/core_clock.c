#include "tests/lib/test.h"

#include <time.h>

#include "core/clock.h"

#define DAY_US (INT64_C(86400) * 1000000)

static void
clock_shift_moves_the_wall_clock_only(void **state)
{
    int64_t now = wn_clock_now_us(), mono = wn_clock_mono_us();

    wn_clock_shift_us(90 * DAY_US);
    assert_true(wn_clock_now_us() - now >= 90 * DAY_US);
    assert_true(wn_clock_now_us() - now < 91 * DAY_US);
    assert_true(wn_clock_mono_us() - mono < DAY_US);
    wn_clock_shift_us(0);
    assert_true(wn_clock_now_us() - now < DAY_US);
    assert_true(wn_clock_mono_us() >= mono);
}

static void
assert_time(const char *text, int64_t us)
{
    int64_t got = -1;

    if (!wn_time_parse(text, strlen(text), &got))
        fail_msg("%s is a time", text);
    if (got != us)
        fail_msg("%s is %lld", text, (long long)got);
}

static void
clock_reads_rfc_3339_in_all_its_forms(void **state)
{
    assert_time("1970-01-01T00:00:00Z", 0);
    assert_time("1970-01-01t00:00:00z", 0);
    assert_time("1970-01-01T00:00:00-00:00", 0);
    assert_time("1969-12-31T23:59:59.999999Z", -1);
    assert_time("1970-01-01T01:00:00+01:00", 0);
    assert_time("1969-12-31T18:30:00-05:30", 0);
    assert_time("1970-01-02T00:00:00.5Z", DAY_US + 500000);
    assert_time("1970-01-01T00:00:00.1234569Z", 123456);
    assert_time("1970-01-01T00:00:00.00000000000000000000001Z", 0);
    assert_time("2026-11-24T05:02:32.123456Z", INT64_C(1795496552123456));
    assert_time("2000-02-29T00:00:00Z", INT64_C(951782400000000));
    assert_time("2016-12-31T23:59:60Z", INT64_C(1483228799000000));
    assert_time("0001-01-01T00:00:00Z", INT64_C(-62135596800000000));
    assert_time("9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999));
}

static void
clock_refuses_what_is_no_time_and_leaves_ret(void **state)
{
    static const char *const bad[] = { "", "2026", "2026-11-24",
        "2026-11-24T05:02:32", "2026-11-24 05:02:32Z", "2026-11-24T05:02Z",
        "2026-11-24T05:02:32.Z", "2026-11-24T05:02:32,5Z",
        "2026-13-24T05:02:32Z", "2026-00-24T05:02:32Z", "2026-11-31T05:02:32Z",
        "2026-11-00T05:02:32Z", "2026-02-29T05:02:32Z", "1900-02-29T00:00:00Z",
        "2026-11-24T24:02:32Z", "2026-11-24T05:60:32Z", "2026-11-24T05:02:61Z",
        "2026-11-24T05:02:32+24:00", "2026-11-24T05:02:32+05:60",
        "2026-11-24T05:02:32+0500", "2026-11-24T05:02:32+05",
        "2026-11-24T05:02:32Zz", "2026-11-24T05:02:32Z ",
        " 2026-11-24T05:02:32Z", "+026-11-24T05:02:32Z", "0000-12-31T00:00:00Z",
        "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z", "2026-1-24T05:02:32Z", "now" };
    int64_t ret = 77;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (wn_time_parse(bad[i], strlen(bad[i]), &ret))
            fail_msg("%s is no time", bad[i]);
    }
    assert_int_equal(ret, 77);
    /* the length counts, not a NUL */
    assert_false(wn_time_parse("1970-01-01T00:00:00Z", 19, &ret));
    assert_false(wn_time_parse("1970-01-01T00:00:00Z\0", 21, &ret));
}

static void
clock_writes_27_characters_with_six_digits(void **state)
{
    char text[WN_TIME_TEXT];

    wn_time_format(INT64_C(1795496552123456), text);
    assert_string_equal(text, "2026-11-24T05:02:32.123456Z");
    wn_time_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000000Z");
    wn_time_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
    wn_time_format(INT64_C(-62135596800000000), text);
    assert_string_equal(text, "0001-01-01T00:00:00.000000Z");
}

static void
clock_writes_the_ends_of_int64_within_the_room(void **state)
{
    char text[WN_TIME_TEXT];

    wn_time_format(INT64_MAX, text);
    assert_string_equal(text, "294247-01-10T04:00:54.775807Z");
    wn_time_format(INT64_MIN, text);
    assert_string_equal(text, "-290308-12-21T19:59:05.224192Z");
}

static void
clock_reads_what_it_writes_and_agrees_with_libc(void **state)
{
    const int64_t first = INT64_C(-62135596800000000);
    const uint64_t span = UINT64_C(315537897600000000);
    uint64_t seed = wn_test_seed();
    char text[WN_TIME_TEXT], date[WN_TIME_TEXT];
    int64_t us, got;
    struct tm tm;
    time_t t;

    for (int i = 0; i < 20000; i++) {
        us = first + (int64_t)(wn_test_random(&seed) % span);
        wn_time_format(us, text);
        assert_int_equal(strlen(text), 27);
        assert_true(wn_time_parse(text, 27, &got));
        assert_true(got == us);
        t = (time_t)((us - first) / 1000000 + first / 1000000);
        assert_non_null(gmtime_r(&t, &tm));
        strftime(date, sizeof(date), "-%m-%dT%H:%M:%S", &tm);
        assert_memory_equal(text + 4, date, strlen(date));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(clock_shift_moves_the_wall_clock_only),
    cmocka_unit_test(clock_reads_rfc_3339_in_all_its_forms),
    cmocka_unit_test(clock_refuses_what_is_no_time_and_leaves_ret),
    cmocka_unit_test(clock_writes_27_characters_with_six_digits),
    cmocka_unit_test(clock_writes_the_ends_of_int64_within_the_room),
    cmocka_unit_test(clock_reads_what_it_writes_and_agrees_with_libc),
};
WN_TEST_MAIN("core_clock", tests)
