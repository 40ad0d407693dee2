/* Links: what is one, what is none, which are the same. */
#include "classifier/links.h"

#include "core/clock.h"
#include "tests/lib/test.h"

static struct wn_links links;
static struct wn_err err;

static void
collect(struct wn_arena *arena, const char *text, const struct wn_str *given,
    size_t given_n)
{
    assert_wn_ok(wn_links_collect(
                     &links, arena, given, given_n, text, strlen(text), &err),
        &err);
}

static void
assert_url(size_t i, const char *url)
{
    assert_true(i < links.n);
    if (links.url[i].len != strlen(url) ||
        memcmp(links.url[i].p, url, links.url[i].len) != 0)
        fail_msg("link %zu is \"%.*s\", not \"%s\"", i, (int)links.url[i].len,
            links.url[i].p, url);
}

struct example {
    const char *text;
    const char *url; /* NULL: none */
    size_t hidden;
};

static void
check_all(const struct example *e, size_t n)
{
    struct wn_arena arena;

    wn_arena_init(&arena, 4096, 1u << 20);
    for (size_t i = 0; i < n; i++) {
        wn_arena_reset(&arena);
        collect(&arena, e[i].text, NULL, 0);
        if (links.n != (e[i].url != NULL) || links.hidden != e[i].hidden)
            fail_msg("\"%s\": %zu links (%.*s), %zu hidden", e[i].text, links.n,
                links.n > 0 ? (int)links.url[0].len : 0,
                links.n > 0 ? links.url[0].p : "", links.hidden);
        if (e[i].url != NULL)
            assert_url(0, e[i].url);
    }
    wn_arena_release(&arena);
}

#define CHECK(examples)                                                        \
    check_all(examples, sizeof(examples) / sizeof((examples)[0]))

static void
links_are_found_in_plain_writing(void **state)
{
    static const struct example examples[] = {
        { "see https://shop.example/a?b=c#d now",
            "https://shop.example/a?b=c#d", 0 },
        { "HTTP://Shop.Example/A", "http://Shop.Example/A", 0 },
        { "(http://shop.example/a)", "http://shop.example/a", 0 },
        { "http://shop.example/wiki_(x).", "http://shop.example/wiki_(x)", 0 },
        { "\"http://shop.example\"", "http://shop.example", 0 },
        { "www.shop.example!", "http://www.shop.example", 0 },
        { "go to shop.com now", "http://shop.com", 0 },
        { "bit.ly/Abc9", "http://bit.ly/Abc9", 0 },
        { "wordhttp://shop.example/a", "http://shop.example/a", 0 },
        { "http://192.0.2.7:8080/x", "http://192.0.2.7:8080/x", 0 },
        { "http://user:pw@shop.example/x", "http://user:pw@shop.example/x", 0 },
        { "http://[2001:db8::1]/x", "http://[2001:db8::1]/x", 0 },
        { "http://b\u00FCcher.example/", "http://b\u00FCcher.example/", 0 },
        { "\u8BF7\u770Bhttp://shop.example/a\u3002\u8C22",
            "http://shop.example/a", 0 },
    };

    (void)state;
    CHECK(examples);
}

static void
links_that_hide_are_found_and_counted(void **state)
{
    static const struct example examples[] = {
        { "hxxp://shop.example/a", "http://shop.example/a", 1 },
        { "hxxps://shop[.]example/a", "https://shop.example/a", 1 },
        { "HXXPS[:]//shop.example", "https://shop.example", 1 },
        { "shop[.]example", "http://shop.example", 1 },
        { "shop [.] example", "http://shop.example", 1 },
        { "shop(dot)example/pay", "http://shop.example/pay", 1 },
        { "a[dot]shop[dot]example", "http://a.shop.example", 1 },
        { "shop{.}example", "http://shop.example", 1 },
    };

    (void)state;
    CHECK(examples);
}

static void
links_are_not_seen_where_none_are(void **state)
{
    static const struct example examples[] = {
        { "", NULL, 0 },
        { "mail me at jane@shop.com please", NULL, 0 },
        { "user@mail.shop.com", NULL, 0 },
        { "the end.so we went", NULL, 0 },
        { "version 1.2.3, 3.14 or e.g. this", NULL, 0 },
        { "the dot com years", NULL, 0 },
        { "and/or, 24/7, a.m./p.m.", NULL, 0 },
        { "http:// nothing", NULL, 0 },
        { "://x", NULL, 0 },
        { "www.", NULL, 0 },
        { "see main.c and README.md", NULL, 0 },
        { "wait...what", NULL, 0 },
        { "[.] (dot) {.}", NULL, 0 },
    };

    (void)state;
    CHECK(examples);
}

static void
links_of_the_post_come_first_and_nothing_comes_twice(void **state)
{
    static const struct wn_str given[] = { { "https://Shop.Example/", 21 },
        { "", 0 }, { "http://shop.example", 19 },
        { "https://other.example/A", 23 } };
    struct wn_arena arena;
    const char *text = "www.shop.example http://other.example/a "
                       "https://OTHER.example/A http://other.example/a";

    (void)state;
    wn_arena_init(&arena, 4096, 1u << 20);
    collect(&arena, text, given, 4);
    assert_int_equal(links.n, 3);
    assert_url(0, "https://Shop.Example/");
    assert_url(1, "https://other.example/A");
    assert_url(2, "http://other.example/a");
    assert_int_equal(links.at_n, 3);
    assert_int_equal(links.at[0], 0);
    assert_int_equal(links.at[1], 17);
    assert_int_equal(links.at[2], 40);
    wn_arena_release(&arena);
}

static void
links_are_sixty_four_at_most(void **state)
{
    struct wn_arena arena;
    char text[8192] = "";
    struct wn_str given[100];
    size_t n = 0;

    (void)state;
    wn_arena_init(&arena, 4096, 1u << 20);
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(
            text + n, sizeof(text) - n, "http://shop.example/%d ", i);
    collect(&arena, text, NULL, 0);
    assert_int_equal(links.n, WN_LINKS_MAX);
    assert_int_equal(links.at_n, WN_LINKS_MAX);
    assert_url(63, "http://shop.example/63");
    for (int i = 0; i < 100; i++) {
        char *u = wn_arena_printf(&arena, "http://given.example/%d", i);

        given[i] = (struct wn_str){ u, strlen(u) };
    }
    collect(&arena, text, given, 100);
    assert_int_equal(links.n, WN_LINKS_MAX);
    assert_url(63, "http://given.example/63");
    assert_int_equal(links.at_n, 0);
    wn_arena_release(&arena);
}

/* One link a hundred thousand times must not hide the one behind it. */
static void
links_behind_a_wall_of_repeats_are_found(void **state)
{
    static const char one[] = "http://wall.example/x ";
    static const char last[] = "http://last.example/y";
    size_t n = 50000, len = n * (sizeof(one) - 1);
    char *text = malloc(len + sizeof(last));
    struct wn_arena arena;
    int64_t start;

    (void)state;
    assert_non_null(text);
    wn_arena_init(&arena, 4096, 1u << 20);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * (sizeof(one) - 1), one, sizeof(one) - 1);
    memcpy(text + len, last, sizeof(last));
    start = wn_clock_mono_us();
    collect(&arena, text, NULL, 0);
    print_message("links: %zu bytes in %lld us\n", len,
        (long long)(wn_clock_mono_us() - start));
    assert_int_equal(links.n, 2);
    assert_url(1, last);
    assert_int_equal(links.at_n, 2);
    assert_int_equal(links.at[1], len);
    wn_arena_release(&arena);
    free(text);
}

static void
links_that_are_long_are_cut(void **state)
{
    struct wn_arena arena;
    char text[5000];

    (void)state;
    wn_arena_init(&arena, 4096, 1u << 20);
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    memcpy(text, "http://shop.example/", 20);
    collect(&arena, text, NULL, 0);
    assert_int_equal(links.n, 1);
    assert_int_equal(links.url[0].len, WN_LINK_BYTES_MAX);
    wn_arena_release(&arena);
}

static void
links_say_when_the_arena_is_full(void **state)
{
    struct wn_arena arena;

    (void)state;
    wn_arena_init(&arena, 16, 16);
    assert_int_equal(wn_links_collect(&links, &arena, NULL, 0,
                         "http://shop.example/a", 21, &err),
        WN_FULL);
    wn_arena_release(&arena);
}

/* Whatever stands in the text: bounds hold and the places are in order. */
static void
links_of_random_text_keep_their_bounds(void **state)
{
    static const char *const parts[] = { "http", "://", "hxxps", "[.]", ".",
        "(dot)", "com", "shop", "/", "@", " ", "\n", "[", ")", "\xC3\xA9",
        "\xE4\xB8\xAD", "www", "?", ",", "[:]//" };
    uint64_t seed = wn_test_seed();
    struct wn_arena arena;
    char text[512];

    (void)state;
    wn_arena_init(&arena, 1u << 16, 1u << 22);
    for (int round = 0; round < 20000; round++) {
        size_t n = 0, want = wn_test_random(&seed) % 60;

        text[0] = '\0';
        for (size_t i = 0; i < want && n < sizeof(text) - 16; i++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s",
                parts[wn_test_random(&seed) % 20]);
        wn_arena_reset(&arena);
        collect(&arena, text, NULL, 0);
        assert_true(links.hidden <= links.n);
        assert_int_equal(links.at_n, links.n);
        for (size_t i = 0; i < links.n; i++) {
            assert_true(links.at[i] < n);
            assert_true(i == 0 || links.at[i] > links.at[i - 1]);
            assert_memory_equal(links.url[i].p, "http", 4);
        }
    }
    wn_arena_release(&arena);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(links_are_found_in_plain_writing),
    cmocka_unit_test(links_that_hide_are_found_and_counted),
    cmocka_unit_test(links_are_not_seen_where_none_are),
    cmocka_unit_test(links_of_the_post_come_first_and_nothing_comes_twice),
    cmocka_unit_test(links_are_sixty_four_at_most),
    cmocka_unit_test(links_behind_a_wall_of_repeats_are_found),
    cmocka_unit_test(links_that_are_long_are_cut),
    cmocka_unit_test(links_say_when_the_arena_is_full),
    cmocka_unit_test(links_of_random_text_keep_their_bounds),
};
WN_TEST_MAIN("classifier/links", tests)
