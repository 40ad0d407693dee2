/* Links: what is one, what is none, which are the same. */
#include "classifier/links.h"

#include <unicode/utf8.h>

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
    assert_int_equal(links.different, 3);
    assert_int_equal(links.plain_spots.n, 3);
    assert_int_equal(links.plain_spots.at[0], 0);
    assert_int_equal(links.plain_spots.at[1], 17);
    assert_int_equal(links.plain_spots.at[2], 40);
    wn_arena_release(&arena);
}

/* n links in one text, the last of them again at its end. */
static size_t
many(char *text, size_t room, int n)
{
    size_t len = 0;

    for (int i = 0; i < n; i++)
        len += (size_t)snprintf(
            text + len, room - len, "http://shop.example/%d ", i);
    assert_true(len + 32 < room);
    return len + (size_t)snprintf(
                     text + len, room - len, "http://shop.example/%d ", n - 1);
}

static void
links_are_sixty_four_at_most_but_all_are_counted(void **state)
{
    struct wn_arena arena;
    char text[8192];
    struct wn_str given[100];

    (void)state;
    wn_arena_init(&arena, 4096, 1u << 20);
    many(text, sizeof(text), 100);
    collect(&arena, text, NULL, 0);
    assert_int_equal(links.n, WN_LINKS_MAX);
    assert_int_equal(links.different, 100);
    assert_url(63, "http://shop.example/63");
    for (int i = 0; i < 100; i++) {
        char *u = wn_arena_printf(&arena, "http://given.example/%d", i);

        given[i] = (struct wn_str){ u, strlen(u) };
    }
    collect(&arena, text, given, 100);
    assert_int_equal(links.n, WN_LINKS_MAX);
    assert_int_equal(links.different, 200);
    assert_url(63, "http://given.example/63");
    assert_true(links.plain_spots.n > WN_SPOTS_MAX / 2);
    wn_arena_release(&arena);
}

/* Behind as many plain ones as the list takes, and as the table does. */
static void
links_that_hide_behind_plain_ones_are_counted_and_placed(void **state)
{
    static const int walls[] = { 63, 64, 65, 1023, 1024, 1025, 3000 };
    struct wn_arena arena;
    size_t room = 100000, len;
    char *text = malloc(room);

    (void)state;
    assert_non_null(text);
    wn_arena_init(&arena, 4096, 1u << 20);
    for (size_t i = 0; i < sizeof(walls) / sizeof(walls[0]); i++) {
        len = many(text, room, walls[i]);
        snprintf(text + len, room - len, "pay at hxxp://evil[.]example/x");
        wn_arena_reset(&arena);
        collect(&arena, text, NULL, 0);
        assert_int_equal(links.hidden, 1);
        assert_int_equal(links.different,
            walls[i] < WN_LINKS_COUNT_MAX ? walls[i] + 1 : WN_LINKS_COUNT_MAX);
        assert_int_equal(links.hidden_spots.n, 1);
        assert_int_equal(links.hidden_spots.at[0], len + 7);
    }
    free(text);
    wn_arena_release(&arena);
}

/* What the post gives must not turn off what its text says. */
static void
links_of_the_text_count_however_many_the_post_gives(void **state)
{
    struct wn_arena arena;
    struct wn_str given[1500];

    (void)state;
    wn_arena_init(&arena, 4096, 1u << 20);
    for (int i = 0; i < 1500; i++) {
        char *u = wn_arena_printf(&arena, "http://given.example/%d", i);

        given[i] = (struct wn_str){ u, strlen(u) };
    }
    collect(&arena, "go to evil[.]example now", given, 64);
    assert_int_equal(links.n, 64);
    assert_int_equal(links.different, 65);
    assert_int_equal(links.hidden, 1);
    assert_int_equal(links.hidden_spots.at[0], 6);
    collect(&arena, "go to evil[.]example now", given, 1500);
    assert_int_equal(links.different, WN_LINKS_COUNT_MAX);
    assert_int_equal(links.hidden, 1);
    assert_int_equal(links.hidden_spots.n, 1);
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

    (void)state;
    assert_non_null(text);
    wn_arena_init(&arena, 4096, 1u << 20);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * (sizeof(one) - 1), one, sizeof(one) - 1);
    memcpy(text + len, last, sizeof(last));
    collect(&arena, text, NULL, 0);
    assert_int_equal(links.n, 2);
    assert_url(1, last);
    assert_int_equal(links.plain_spots.n, 2);
    assert_int_equal(links.plain_spots.at[1], len);
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

static bool
is_utf8(const char *p, size_t len)
{
    const uint8_t *s = (const uint8_t *)p;
    int32_t i = 0, c;

    while (i < (int32_t)len) {
        U8_NEXT(s, i, (int32_t)len, c);
        if (c < 0)
            return false;
    }
    return true;
}

/* Bounds are in bytes; a link that ends in half a character would be no
 * string for JSON, CBOR or PostgreSQL. */
static void
links_are_cut_between_characters(void **state)
{
    static const char *const heads[] = { "http://shop.example/",
        "http://shop.example?", "http://", "http://a@", "http://[", "",
        "x.com/", "hxxp://a[.]" };
    static const char *const chars[] = { "\u00E9", "\u0E01", "\U0001F600" };
    struct wn_arena arena;
    char text[6000];
    size_t n, found = 0;

    (void)state;
    wn_arena_init(&arena, 4096, 1u << 22);
    for (size_t k = 0; k < 8 * 3 * 4; k++) {
        const char *c = chars[k / 8 % 3];

        n = (size_t)snprintf(
            text, sizeof(text), "%s%.*s", heads[k % 8], (int)(k / 24), "aaa");
        while (n + 16 < sizeof(text))
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", c);
        snprintf(text + n, sizeof(text) - n, ".com");
        wn_arena_reset(&arena);
        collect(&arena, text, NULL, 0);
        found += links.n;
        for (size_t i = 0; i < links.n; i++)
            if (!is_utf8(links.url[i].p, links.url[i].len))
                fail_msg("half a character: %.20s..., link %zu", text, i);
    }
    assert_true(found > 90);
    wn_arena_release(&arena);
}

/* --- cost --- */

#define COST_BYTES ((size_t)1 << 15)

/* `period` over and over. A wall of the shortest links costs 4 and some. */
static void
assert_cheap(struct wn_arena *arena, const char *period, size_t n)
{
    static char text[COST_BYTES];

    for (size_t i = 0; i < COST_BYTES; i++)
        text[i] = period[i % n];
    wn_arena_reset(arena);
    assert_wn_ok(
        wn_links_collect(&links, arena, NULL, 0, text, COST_BYTES, &err), &err);
    if (links.steps > 6 * COST_BYTES)
        fail_msg("\"%.*s\" costs %.1f steps a byte", (int)n, period,
            (double)links.steps / COST_BYTES);
}

/* Half a link, over and over: each was read on for 2,048 bytes before it was
 * refused, or could be. */
static void
links_cost_a_small_multiple_of_any_text(void **state)
{
    static const char *const periods[] = { "a.zz:", "a.zz?", "a.zz#", "a.zz:,",
        "www.a.b1:", "www.a.b1/", "www.a:", "a.zz/", "a.zz/.", "a.zz/)",
        "a.zz/(", "a.zz/,", "a.zz/,http", "a.zz/,http://", "a.ru ", "a.ru,",
        "a.ru/", "a.ru:;", "a.ru?!", "(a.ru)", "a.ru]", "http://", "http://a",
        "http://a ", "http://a@", "http://a@ ", "http://[", "http://[::1] ",
        "http://a:", "http://a:b@c ", "hxxp://a ", "hxxp[:]//a,", "a[.]b ",
        "a[.]", "a[.", "a (dot) b ", "a(dot", "a (", "a{.}b{.}", "[.]",
        " (dot) ", "a.", "a.b.", "a-", "a%41.", "a@a.ru ", "@a.ru", "a@",
        "\u00E9.ru ", "\u00E9", "\u00E9.", "a.\u4E2D/", "xn--a.ru ", "www.",
        "www.a.", "http", "httphttp:", "x://", "http:/", ",http", ")", ".", "'",
        "]", "a.aaaaaaaaaaaaaaaaaaaaaaaa:", "a.aaaaaaaaaaaaaaaaaaaaaaaaa:",
        "1.1.1.1:", "a.info:", "a.Com/", "a.b/ " };
    struct wn_arena arena;

    (void)state;
    wn_arena_init(&arena, 1u << 16, 1u << 22);
    for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++)
        assert_cheap(&arena, periods[i], strlen(periods[i]));
    wn_arena_release(&arena);
}

static void
links_cost_no_more_for_any_period(void **state)
{
    static const char *const parts[] = { "a", "http", "://", "hxxps", "[.]",
        ".", "(dot)", "com", "zz", "/", "@", " ", ":", "?", "#", "[", ")", "(",
        "\u00E9", "\u4E2D", "www.", ",", ";", "[:]//", "1", "-", "'", "a.zz",
        "a.ru", "www.a.b1" };
    uint64_t seed = wn_test_seed();
    struct wn_arena arena;
    char period[64];

    (void)state;
    wn_arena_init(&arena, 1u << 16, 1u << 22);
    for (int round = 0; round < 3000; round++) {
        size_t n = 0, want = 1 + wn_test_random(&seed) % 6;

        while (want-- > 0)
            n += (size_t)snprintf(period + n, sizeof(period) - n, "%s",
                parts[wn_test_random(&seed) % 30]);
        assert_cheap(&arena, period, n);
    }
    wn_arena_release(&arena);
}

/* Links that share host and length are not compared with each other. */
static void
links_that_are_alike_cost_no_more(void **state)
{
    struct wn_arena arena;
    size_t n = 0, room = 1u << 16;
    char *text = malloc(room);

    (void)state;
    assert_non_null(text);
    wn_arena_init(&arena, 1u << 16, 1u << 22);
    while (n + 16 < room)
        n += (size_t)snprintf(
            text + n, room - n, "a.ru/%02zu ", n / 8 < 63 ? n / 8 : 63);
    collect(&arena, text, NULL, 0);
    assert_int_equal(links.different, 64);
    assert_true(links.steps < 8 * n);
    wn_arena_release(&arena);
    free(text);
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
        assert_int_equal(links.different, links.n);
        assert_int_equal(links.plain_spots.n + links.hidden_spots.n, links.n);
        assert_true(links.steps < 8 * n + 8);
        for (size_t i = 0; i < links.n; i++)
            assert_memory_equal(links.url[i].p, "http", 4);
        for (size_t i = 0; i < links.plain_spots.n; i++)
            assert_true(links.plain_spots.at[i] < n);
        for (size_t i = 0; i < links.hidden_spots.n; i++)
            assert_true(links.hidden_spots.at[i] < n);
    }
    wn_arena_release(&arena);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(links_are_found_in_plain_writing),
    cmocka_unit_test(links_that_hide_are_found_and_counted),
    cmocka_unit_test(links_are_not_seen_where_none_are),
    cmocka_unit_test(links_of_the_post_come_first_and_nothing_comes_twice),
    cmocka_unit_test(links_are_sixty_four_at_most_but_all_are_counted),
    cmocka_unit_test(links_that_hide_behind_plain_ones_are_counted_and_placed),
    cmocka_unit_test(links_of_the_text_count_however_many_the_post_gives),
    cmocka_unit_test(links_behind_a_wall_of_repeats_are_found),
    cmocka_unit_test(links_that_are_long_are_cut),
    cmocka_unit_test(links_are_cut_between_characters),
    cmocka_unit_test(links_cost_a_small_multiple_of_any_text),
    cmocka_unit_test(links_cost_no_more_for_any_period),
    cmocka_unit_test(links_that_are_alike_cost_no_more),
    cmocka_unit_test(links_say_when_the_arena_is_full),
    cmocka_unit_test(links_of_random_text_keep_their_bounds),
};

static int
setup(void **state)
{
    (void)state;
    wn_links_init(&links);
    return 0;
}

int
main(void)
{
    return wn_test_run("classifier/links", tests,
        sizeof(tests) / sizeof(tests[0]), setup, NULL);
}
