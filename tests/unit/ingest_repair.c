/* Repair of bytes: what becomes U+FFFD, how often, and what stays. */
#include "ingest/repair.h"

#include "tests/lib/test.h"

#define R "\xEF\xBF\xBD"

struct row {
    const char *in;
    size_t len; /* 0: strlen */
    const char *out;
    size_t count;
};

static void
check(const struct row *row,
    size_t (*repair)(struct wn_buf *, const char *, size_t))
{
    struct wn_buf out;
    size_t count, len = row->len > 0 ? row->len : strlen(row->in);

    wn_buf_init(&out, len * 6 + 64);
    count = repair(&out, row->in, len);
    assert_false(out.failed);
    assert_int_equal(out.len, strlen(row->out));
    assert_string_equal(out.data, row->out);
    assert_int_equal(count, row->count);
    wn_buf_release(&out);
}

static void
repair_leaves_good_json_alone(void **state)
{
    static const struct row rows[] = {
        { "{\"a\":\"b\\n\\\"\\\\\",\"c\":[1,-2.5e3,true,null]}", 0,
            "{\"a\":\"b\\n\\\"\\\\\",\"c\":[1,-2.5e3,true,null]}", 0 },
        { "\"\\ud83d\\ude00\"", 0, "\"\\ud83d\\ude00\"", 0 },
        { "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF\"", 0,
            "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF\"", 0 },
        { "\"\xEF\xBF\xBD\\ufffd\"", 0, "\"\xEF\xBF\xBD\\ufffd\"", 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i], wn_repair_json);
}

static void
repair_replaces_nul_and_lone_surrogates(void **state)
{
    static const struct row rows[] = {
        { "\"a\\u0000b\"", 0, "\"a" R "b\"", 1 },
        { "\"a\0b\"", 5, "\"a" R "b\"", 1 },
        { "\"\\ud800\"", 0, "\"" R "\"", 1 },
        { "\"\\uDC00\"", 0, "\"" R "\"", 1 },
        { "\"\\ude00\\ud83d\"", 0, "\"" R R "\"", 2 },
        { "\"\\ud83dx\\ude00\"", 0, "\"" R "x" R "\"", 2 },
        { "\"\\ud83d\\ud83d\\ude00\"", 0, "\"" R "\\ud83d\\ude00\"", 1 },
        { "\"\\ud83d\\u0041\"", 0, "\"" R "\\u0041\"", 1 },
        { "\"\\ud83d", 0, "\"" R, 1 },
        /* an escaped backslash makes what follows plain letters */
        { "\"\\\\u0000\"", 0, "\"\\\\u0000\"", 0 },
        { "\"\\\\\\u0000\"", 0, "\"\\\\" R "\"", 1 },
        { "\"\\\\ud800\"", 0, "\"\\\\ud800\"", 0 },
        { "\"\\\"\\u0000\"", 0, "\"\\\"" R "\"", 1 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i], wn_repair_json);
}

/* The sequences of Unicode 15, tables 3-8 to 3-11, and their neighbours. */
static void
repair_replaces_each_maximal_subpart(void **state)
{
    static const struct row rows[] = {
        { "\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", 0, R R R R R R R R "A", 8 },
        { "\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", 0, R R R R R R R R "A", 8 },
        { "\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", 0, R R R R R "A" R R "B", 7 },
        { "\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", 0, R R R R "A", 4 },
        { "a\xE2\x82", 0, "a" R, 1 },
        { "a\xF0\x9F\x98", 0, "a" R, 1 },
        { "\xF5\x80\x80\x80", 0, R R R R, 4 },
        { "\xFE\xFF", 0, R R, 2 },
        { "\xC3", 0, R, 1 },
        { "\xC3\xC3\xA9", 0, R "\xC3\xA9", 1 },
    };
    char in[32], want[64];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&rows[i], wn_repair_text);
        snprintf(in, sizeof(in), "\"%s\"", rows[i].in);
        snprintf(want, sizeof(want), "\"%s\"", rows[i].out);
        check(&(struct row){ in, 0, want, rows[i].count }, wn_repair_json);
    }
}

static void
repair_leaves_bytes_outside_strings(void **state)
{
    static const struct row rows[] = {
        { "{\xFF}", 0, "{\xFF}", 0 },
        { "\"a\"\xC3:\"\xC3\"", 0, "\"a\"\xC3:\"" R "\"", 1 },
        { "\\u0000", 0, "\\u0000", 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i], wn_repair_json);
}

static void
repair_escapes_other_control_characters(void **state)
{
    check(&(struct row){ "\"a\nb\tc\x1f\"", 0, "\"a\\u000ab\\u0009c\\u001f\"",
              0 },
        wn_repair_json);
    check(&(struct row){ "{\n\t}", 0, "{\n\t}", 0 }, wn_repair_json);
}

static void
repair_quotes_numbers_that_nothing_holds(void **state)
{
    static const struct row rows[] = {
        { "[9223372036854775807,-9223372036854775808]", 0,
            "[9223372036854775807,-9223372036854775808]", 0 },
        { "[9223372036854775808]", 0, "[\"9223372036854775808\"]", 0 },
        { "[-9223372036854775809,1]", 0, "[\"-9223372036854775809\",1]", 0 },
        { "[1e308,1e309,-1E999]", 0, "[1e308,\"1e309\",\"-1E999\"]", 0 },
        { "[1e-999]", 0, "[1e-999]", 0 },
        { "[0.1000000000000000000000001]", 0, "[0.1000000000000000000000001]",
            0 },
        { "[01e999]", 0, "[01e999]", 0 }, /* no number: fails to parse */
        { "\"9223372036854775808\"", 0, "\"9223372036854775808\"", 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i], wn_repair_json);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(repair_leaves_good_json_alone),
    cmocka_unit_test(repair_replaces_nul_and_lone_surrogates),
    cmocka_unit_test(repair_replaces_each_maximal_subpart),
    cmocka_unit_test(repair_leaves_bytes_outside_strings),
    cmocka_unit_test(repair_escapes_other_control_characters),
    cmocka_unit_test(repair_quotes_numbers_that_nothing_holds),
};

WN_TEST_MAIN("ingest_repair", tests)
