/*
 * Named lists: what each kind takes for an entry, what it finds, and files.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <unistd.h>

#include "policies/list_int.h"

static struct wn_list *
list_of(enum wn_list_kind kind, const char *const *entries, size_t n)
{
    struct wn_list *l = NULL;
    struct wn_err err = { "" };

    assert_int_equal(wn_list_new(&l, "test", kind, &err), WN_OK);
    for (size_t i = 0; i < n; i++)
        if (wn_list_add(l, entries[i], strlen(entries[i]), &err) != WN_OK)
            fail_msg("%s: %s", entries[i], err.text);
    assert_int_equal(wn_list_finish(l, &err), WN_OK);
    return l;
}
#define LIST(kind, entries)                                                    \
    list_of(kind, entries, sizeof(entries) / sizeof((entries)[0]))

/* Exactly as long as it is, so that ASan sees a byte too far. */
static bool
has(const struct wn_list *l, const char *value)
{
    size_t len = strlen(value);
    char *p = malloc(len + 1);
    bool yes;

    assert_non_null(p);
    memcpy(p, value, len);
    yes = wn_list_has(l, p, len);
    free(p);
    return yes;
}

static void
check_values(const struct wn_list *l, const char *const *values, bool want)
{
    for (; *values != NULL; values++)
        if (has(l, *values) != want)
            fail_msg("'%s' is %sin the list", *values, want ? "not " : "");
}

static void
an_exact_list_holds_its_entries_byte_for_byte(void **state)
{
    static const char *const entries[] = { "Ann", "bob#1", "caf\xc3\xa9", "Ann",
        "x y" };
    static const char *const in[] = { "Ann", "bob#1", "caf\xc3\xa9", "x y",
        NULL };
    static const char *const out[] = { "ann", "bob", "Ann ", "cafe", "x", "",
        NULL };
    struct wn_list *l = LIST(WN_LIST_EXACT, entries);

    check_values(l, in, true);
    check_values(l, out, false);
    assert_int_equal(wn_list_entries(l), 4); /* one of them twice */
    wn_list_drop(l);
}

/* clang-format off */
static void
a_domain_holds_what_lies_under_it_however_it_is_written(void **state)
{
    static const char *const entries[] = { "Example.com", "*.bad.example.org",
        ".dot.test", "m\xc3\xbcnchen.example", "xn--bcher-kva.example",
        "one.two.three.four.test", "end.test." };
    static const char *const in[] = { "example.com", "EXAMPLE.com.",
        "a.b.example.com", "https://example.com/x?y#z",
        "http://user:pw@www.example.com:8080/", "HTTPS:\\\\example.com\\x",
        "https:example.com", "//example.com", "example.com:443", "example.com/a",
        "https://exam%70le.com", "https://ex\tam\nple.com/", "  example.com ",
        "https://a@b@example.com", "https://example.com?x=http://ok.test",
        "bad.example.org", "x.dot.test", "https://M\xc3\x9cnchen.example/",
        "xn--mnchen-3ya.example", "b\xc3\xbc" "cher.example",
        "http://\xef\xbd\x85xample.com", "example\xe3\x80\x82" "com",
        "x.one.two.three.four.test", "end.test", "ftp://example.com", NULL };
    static const char *const out[] = { "com", "notexample.com", "example.com.au",
        "example.org", "https://ok.test/example.com", "https://ok.test?example.com",
        "https://ok.test#example.com", "https://example.com@ok.test/",
        "https://ok.test\\example.com", "two.three.four.test", "", ".", "..",
        "https://", "a..example.co", "1.2.3.4", "https://[::1]/", "\xff.com",
        "mailto:", "example", NULL };
    struct wn_list *l = LIST(WN_LIST_DOMAIN, entries);

    check_values(l, in, true);
    check_values(l, out, false);
    wn_list_drop(l);
}

static void
addresses_are_found_in_the_networks_that_hold_them(void **state)
{
    static const char *const entries[] = { "192.0.2.0/24", "198.51.100.7",
        "10.1.2.3/8", "2001:db8::/32", "::ffff:203.0.113.1", "192.0.3.0/25",
        "192.0.3.128/25", "172.16.0.0/12", "172.16.5.0/24", "fe80::1" };
    static const char *const in[] = { "192.0.2.0", "192.0.2.255", "192.0.3.200",
        "198.51.100.7", "10.255.0.1", "2001:db8:ffff::1", "[2001:db8::1]",
        "203.0.113.1", "::ffff:192.0.2.9", "http://192.0.2.9/x",
        "http://user@192.0.2.9:80", "http://[2001:db8::1]:8080/", "172.31.255.255",
        "http://3221225993/", "http://0xc0000209/", "fe80::1", NULL };
    static const char *const out[] = { "192.0.1.255", "192.0.4.0", "198.51.100.8",
        "11.0.0.0", "9.255.255.255", "2001:db9::", "example.com", "", "192.0.2",
        "172.32.0.0", "192.0.2.1.5", "fe80::2", "x", "[", NULL };
    struct wn_list *l = LIST(WN_LIST_CIDR, entries);

    check_values(l, in, true);
    check_values(l, out, false);
    /* 192.0.2.0 to 192.0.3.255 is one range, 172.16.5.0 lies within one */
    assert_int_equal(wn_list_entries(l), 7);
    wn_list_drop(l);
}

static void
what_is_no_entry_is_refused(void **state)
{
    static const struct { enum wn_list_kind kind; const char *entry, *want; } rows[] = {
        { WN_LIST_EXACT, "", "an entry has 1 to 1024 bytes, not 0" },
        { WN_LIST_DOMAIN, "two words", "'two words' is no domain" },
        { WN_LIST_DOMAIN, "https://example.com/x", "'https://example.com/x' is no domain" },
        { WN_LIST_DOMAIN, "example.com:80", "'example.com:80' is no domain" },
        { WN_LIST_DOMAIN, "\\example.com", "'\\example.com' is no domain" },
        { WN_LIST_DOMAIN, "example.com#x", "'example.com#x' is no domain" },
        { WN_LIST_DOMAIN, "ex%61mple.com", "'ex%61mple.com' is no domain" },
        { WN_LIST_DOMAIN, "a..b", "'a..b' is no domain" },
        { WN_LIST_DOMAIN, "192.0.2.1", "'192.0.2.1' is no domain" },
        { WN_LIST_DOMAIN, "*", "'*' is no domain" },
        { WN_LIST_DOMAIN, ".", "'.' is no domain" },
        { WN_LIST_DOMAIN, "ex*mple.com", "'ex*mple.com' is no domain" },
        { WN_LIST_CIDR, "192.0.2.0/33", "'192.0.2.0/33' is no address and no network such as 192.0.2.0/24" },
        { WN_LIST_CIDR, "192.0.2/24", "'192.0.2/24' is no address and no network such as 192.0.2.0/24" },
        { WN_LIST_CIDR, "::1/129", "'::1/129' is no address and no network such as 192.0.2.0/24" },
        { WN_LIST_CIDR, "::1/", "'::1/' is no address and no network such as 192.0.2.0/24" },
        { WN_LIST_CIDR, "example.com", "'example.com' is no address and no network such as 192.0.2.0/24" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wn_list *l = NULL;
        struct wn_err err = { "" };

        assert_int_equal(wn_list_new(&l, "test", rows[i].kind, &err), WN_OK);
        assert_int_equal(wn_list_add(l, rows[i].entry, strlen(rows[i].entry), &err), WN_REJECT);
        assert_string_equal(err.text, rows[i].want);
        wn_list_drop(l);
    }
}
/* clang-format on */

static void
a_name_is_short_and_plain(void **state)
{
    static const char *const names[] = { "", "A", "a b", ".a", "a/b",
        "\xc3\xa9",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
    struct wn_list *l = NULL;
    struct wn_err err;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(
            wn_list_new(&l, names[i], WN_LIST_EXACT, &err), WN_REJECT);
    assert_null(l);
}

/* Strings against an array that is searched from its start. */
static void
a_large_list_finds_every_entry_and_no_other(void **state)
{
    enum { N = 50000 };
    struct wn_list *l = NULL;
    struct wn_err err = { "" };
    char text[32];

    assert_int_equal(wn_list_new(&l, "test", WN_LIST_EXACT, &err), WN_OK);
    for (int i = 0; i < N; i++) {
        int len = snprintf(text, sizeof(text), "entry-%d", 2 * i);

        assert_int_equal(wn_list_add(l, text, (size_t)len, &err), WN_OK);
    }
    assert_int_equal(wn_list_finish(l, &err), WN_OK);
    assert_int_equal(wn_list_entries(l), N);
    for (int i = 0; i < 2 * N; i++) {
        int len = snprintf(text, sizeof(text), "entry-%d", i);

        assert_int_equal(wn_list_has(l, text, (size_t)len), i % 2 == 0);
    }
    wn_list_drop(l);
}

static void
random_networks_hold_what_a_plain_search_says(void **state)
{
    enum { NETWORKS = 200, PROBES = 20000 };
    uint64_t seed = wn_test_seed();
    struct wn_list_range range[NETWORKS];
    struct wn_list_ranges ranges = { NULL, 0, 0 };
    char text[64];

    for (int i = 0; i < NETWORKS; i++) {
        int len = snprintf(text, sizeof(text), "10.%u.%u.%u/%u",
            (unsigned)(wn_test_random(&seed) % 4),
            (unsigned)(wn_test_random(&seed) % 256),
            (unsigned)(wn_test_random(&seed) % 256),
            16 + (unsigned)(wn_test_random(&seed) % 17));

        assert_true(wn_list_network(text, (size_t)len, &range[i]));
        assert_true(wn_list_ranges_add(&ranges, range[i]));
    }
    wn_list_ranges_finish(&ranges);
    for (size_t i = 1; i < ranges.n; i++)
        assert_true(ranges.v[i - 1].to.low + 1 < ranges.v[i].from.low);
    for (int i = 0; i < PROBES; i++) {
        struct wn_list_address a = { 0,
            UINT64_C(0xffff0a000000) + wn_test_random(&seed) % (1u << 18) };
        bool want = false;

        for (int k = 0; k < NETWORKS; k++)
            want = want ||
                   (a.low >= range[k].from.low && a.low <= range[k].to.low);
        assert_int_equal(wn_list_ranges_has(&ranges, a), want);
    }
    free(ranges.v);
}

/* --- files --- */

static enum wn_status
open_text(struct wn_list **ret, enum wn_list_kind kind, const char *text,
    size_t len, struct wn_err *err)
{
    char path[] = "/tmp/winnow-list.XXXXXX";
    int fd = mkstemp(path);
    enum wn_status rc;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    close(fd);
    rc = wn_list_open(ret, "test", kind, path, err);
    unlink(path);
    return rc;
}

static void
files_have_a_line_an_entry_and_comments(void **state)
{
    static const char domains[] =
        "# known scams\r\n\r\n  example.com  \nexample.net # since May\n"
        "#example.org\n\texample.test";
    static const char handles[] = "#1fan\n bob #1 \nann\n";
    struct wn_list *l = NULL;
    struct wn_err err = { "" };

    assert_int_equal(
        open_text(&l, WN_LIST_DOMAIN, domains, sizeof(domains) - 1, &err),
        WN_OK);
    assert_int_equal(wn_list_entries(l), 3);
    assert_true(has(l, "example.net") && has(l, "example.test"));
    assert_false(has(l, "example.org"));
    assert_int_equal(strlen(wn_list_version(l)), 16);
    wn_list_drop(l);
    assert_int_equal(
        open_text(&l, WN_LIST_EXACT, handles, sizeof(handles) - 1, &err),
        WN_OK);
    assert_int_equal(wn_list_entries(l), 2);
    assert_true(has(l, "bob #1"));
    wn_list_drop(l);
    assert_int_equal(open_text(&l, WN_LIST_EXACT, "", 0, &err), WN_OK);
    assert_int_equal(wn_list_entries(l), 0);
    assert_false(has(l, "x"));
    wn_list_drop(l);
}

static void
a_wrong_line_is_named(void **state)
{
    static const char text[] = "example.com\n# a comment\nnot a domain\n";
    struct wn_list *l = NULL;
    struct wn_err err = { "" };
    char *wide = malloc(300000);

    assert_non_null(wide);
    assert_int_equal(
        open_text(&l, WN_LIST_DOMAIN, text, sizeof(text) - 1, &err), WN_REJECT);
    assert_non_null(strstr(err.text, ":3: 'not a domain' is no domain"));
    memset(wide, '#', 300000);
    assert_int_equal(
        open_text(&l, WN_LIST_EXACT, wide, 300000, &err), WN_REJECT);
    assert_non_null(strstr(err.text, ":1: a line of more than 262144 bytes"));
    memset(wide, 'x', 1025);
    wide[1025] = '\n';
    assert_int_equal(open_text(&l, WN_LIST_EXACT, wide, 1026, &err), WN_REJECT);
    assert_non_null(strstr(err.text, ":1: an entry has 1 to 1024 bytes"));
    assert_int_equal(
        wn_list_open(&l, "test", WN_LIST_EXACT, "/nowhere/x", &err), WN_REJECT);
    assert_string_equal(err.text, "/nowhere/x: No such file or directory");
    assert_int_equal(
        wn_list_open(&l, "test", WN_LIST_EXACT, "/tmp", &err), WN_REJECT);
    assert_string_equal(err.text, "/tmp is not a file");
    assert_null(l);
    free(wide);
}

/* Lines that cross the ends of the buffer. */
static void
a_long_file_is_read_whole(void **state)
{
    enum { N = 60000 };
    char *text = malloc(N * 16), *p = text;
    struct wn_list *l = NULL;
    struct wn_err err = { "" };

    assert_non_null(text);
    for (int i = 0; i < N; i++)
        p += sprintf(p, "h%d.example\n", i);
    assert_int_equal(
        open_text(&l, WN_LIST_DOMAIN, text, (size_t)(p - text), &err), WN_OK);
    assert_int_equal(wn_list_entries(l), N);
    assert_true(has(l, "h59999.example") && has(l, "h17.example"));
    assert_false(has(l, "h60000.example"));
    wn_list_drop(l);
    free(text);
}

static void
equal_entries_are_an_equal_version(void **state)
{
    static const char *const a[] = { "x.example", "y.example" };
    static const char *const b[] = { "x.example", "z.example" };
    struct wn_list *one = LIST(WN_LIST_DOMAIN, a);
    struct wn_list *two = LIST(WN_LIST_DOMAIN, a);
    struct wn_list *other = LIST(WN_LIST_DOMAIN, b);
    struct wn_list *exact = LIST(WN_LIST_EXACT, a);

    assert_string_equal(wn_list_version(one), wn_list_version(two));
    assert_string_not_equal(wn_list_version(one), wn_list_version(other));
    assert_string_not_equal(wn_list_version(one), wn_list_version(exact));
    wn_list_drop(one);
    wn_list_drop(two);
    wn_list_drop(other);
    wn_list_drop(exact);
}

/* Any bytes as entry and value: ASan and UBSan watch. */
static void
random_bytes_never_crash(void **state)
{
    static const char *const parts[] = { "a", ".", "example", "com", ":", "/",
        "\\", "@", "%41", "%", "[", "]", "1", "::", "http:", "//", "\xc3\xbc",
        "\xff", "#", "?", " ", "xn--", "-", "\t", "\xe3\x80\x82" };
    uint64_t seed = wn_test_seed();
    char text[256];

    for (int round = 0; round < 20000; round++) {
        enum wn_list_kind kind =
            (enum wn_list_kind)(wn_test_random(&seed) % WN_LIST_KINDS);
        struct wn_list *l = NULL;
        struct wn_err err = { "" };
        size_t len = 0, n = wn_test_random(&seed) % 10;

        for (size_t i = 0; i < n; i++)
            len += (size_t)sprintf(text + len, "%s",
                parts[wn_test_random(&seed) %
                      (sizeof(parts) / sizeof(parts[0]))]);
        text[len] = '\0';
        assert_int_equal(wn_list_new(&l, "test", kind, &err), WN_OK);
        if (wn_list_add(l, text, len, &err) != WN_OK) {
            assert_true(err.text[0] != '\0');
        } else {
            assert_int_equal(wn_list_finish(l, &err), WN_OK);
            if (kind != WN_LIST_CIDR && strchr(text, '*') == NULL &&
                text[0] != '.')
                assert_true(has(l, text));
            has(l, "http://a.example.com");
        }
        wn_list_drop(l);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_exact_list_holds_its_entries_byte_for_byte),
    cmocka_unit_test(a_domain_holds_what_lies_under_it_however_it_is_written),
    cmocka_unit_test(addresses_are_found_in_the_networks_that_hold_them),
    cmocka_unit_test(what_is_no_entry_is_refused),
    cmocka_unit_test(a_name_is_short_and_plain),
    cmocka_unit_test(a_large_list_finds_every_entry_and_no_other),
    cmocka_unit_test(random_networks_hold_what_a_plain_search_says),
    cmocka_unit_test(files_have_a_line_an_entry_and_comments),
    cmocka_unit_test(a_wrong_line_is_named),
    cmocka_unit_test(a_long_file_is_read_whole),
    cmocka_unit_test(equal_entries_are_an_equal_version),
    cmocka_unit_test(random_bytes_never_crash),
};
WN_TEST_MAIN("policies_list", tests)
