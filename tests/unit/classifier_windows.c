/* Windows: what is shown of a short, a long and a very long text. */
#include "classifier/windows.h"

#include <math.h>

#include "core/clock.h"
#include "tests/lib/test.h"

#define INNER (WN_WINDOW_TOKENS - 2)

static struct wn_tokenizer *tokenizer;
static struct wn_windows win;
static struct wn_err err;

static int
setup(void **state)
{
    (void)state;
    if (wn_tokenizer_open(&tokenizer, "tests/golden/bert", &err) != WN_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    wn_windows_init(&win, 512);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    wn_windows_release(&win);
    wn_tokenizer_free(tokenizer);
    return 0;
}

static struct wn_spots
spots_of(const size_t *at, size_t n)
{
    struct wn_spots s;

    wn_spots_reset(&s);
    for (size_t i = 0; i < n; i++)
        wn_spots_add(&s, at[i]);
    return s;
}

/* Plans, and checks what holds for every plan. */
static void
plan_spots(const char *text, size_t len, const struct wn_spots *hidden,
    const struct wn_spots *plain, size_t max)
{
    assert_wn_ok(
        wn_windows_plan(&win, tokenizer, text, len, hidden, plain, max, &err),
        &err);
    assert_in_range(win.n, 1, max);
    assert_true(win.unread_share >= 0);
    assert_true(win.unread_share <= 1);
    for (size_t i = 0; i < win.n; i++) {
        const struct wn_window *w = &win.w[i];

        assert_in_range(w->n, 2, win.inner + 2);
        assert_int_equal(w->ids[0], wn_tokenizer_cls(tokenizer));
        assert_int_equal(w->ids[w->n - 1], wn_tokenizer_sep(tokenizer));
        assert_true(w->begin <= w->end);
        assert_true(w->end <= len);
        /* n-grams take these bytes as UTF-8 without looking. */
        assert_true(
            w->begin == len || ((unsigned char)text[w->begin] & 0xC0) != 0x80);
        assert_true(
            w->end == len || ((unsigned char)text[w->end] & 0xC0) != 0x80);
        assert_true(i == 0 || w->begin >= win.w[i - 1].begin);
    }
}

static void
plan(const char *text, size_t len, const size_t *links, size_t links_n,
    size_t max)
{
    struct wn_spots none = spots_of(NULL, 0);
    struct wn_spots plain = spots_of(links, links_n);

    plan_spots(text, len, &none, &plain, max);
}

/* n words of one letter: one token each. */
static char *
letters(size_t n)
{
    char *text = malloc(2 * n + 1);

    assert_non_null(text);
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = (char)('a' + i % 26);
        text[2 * i + 1] = ' ';
    }
    text[2 * n] = '\0';
    return text;
}

static bool
shows(size_t byte)
{
    for (size_t i = 0; i < win.n; i++)
        if (byte >= win.w[i].begin && byte < win.w[i].end)
            return true;
    return false;
}

static void
windows_of_a_short_text_are_one(void **state)
{
    (void)state;
    plan("", 0, NULL, 0, 4);
    assert_int_equal(win.n, 1);
    assert_int_equal(win.tokens, 0);
    plan("a b c", 5, NULL, 0, 4);
    assert_int_equal(win.n, 1);
    assert_int_equal(win.tokens, 3);
    assert_int_equal(win.w[0].n, 5);
    assert_int_equal(win.w[0].begin, 0);
    assert_int_equal(win.w[0].end, 5);
    assert_true(win.unread_share == 0);
}

static void
windows_that_suffice_are_equal_and_leave_nothing_out(void **state)
{
    char *text = letters(4 * INNER);

    (void)state;
    for (size_t n = 1; n <= 4 * INNER; n++) {
        size_t k = (n + INNER - 1) / INNER, total = 0, low = n, high = 0;

        plan(text, 2 * n, NULL, 0, 4);
        assert_int_equal(win.n, k);
        for (size_t i = 0; i < win.n; i++) {
            size_t t = win.w[i].n - 2;

            total += t;
            low = t < low ? t : low;
            high = t > high ? t : high;
            assert_int_equal(
                win.w[i].end, i + 1 < k ? win.w[i + 1].begin : 2 * n);
        }
        assert_int_equal(win.w[0].begin, 0);
        assert_int_equal(total, n);
        assert_int_equal(win.tokens, n);
        assert_true(high - low <= 1);
        assert_true(win.unread_share == 0);
    }
    free(text);
}

static void
windows_of_a_long_text_show_head_tail_and_the_rest_evenly(void **state)
{
    size_t n = 2000;
    char *text = letters(n);

    (void)state;
    plan(text, 2 * n, NULL, 0, 4);
    assert_int_equal(win.n, 4);
    assert_int_equal(win.tokens, n);
    assert_int_equal(win.w[0].begin, 0);
    assert_int_equal(win.w[3].end, 2 * n - 1);
    for (size_t i = 0; i + 1 < 4; i++)
        assert_true(win.w[i + 1].begin > win.w[i].end + 300);
    assert_true(fabs(win.unread_share - (1 - 4.0 * INNER / (double)n)) < 1e-9);
    plan(text, 2 * n, NULL, 0, 1);
    assert_int_equal(win.w[0].begin, 0);
    assert_true(fabs(win.unread_share - (1 - INNER / (double)n)) < 1e-9);
    plan(text, 2 * n, NULL, 0, 2);
    assert_int_equal(win.w[1].end, 2 * n - 1);
    free(text);
}

/* In a text whose tokens are all made, and in one of slices. */
static void
windows_show_the_surroundings_of_links(void **state)
{
    static const size_t sizes[] = { 2000, 60000 };

    (void)state;
    for (size_t s = 0; s < 2; s++) {
        size_t n = sizes[s];
        char *text = letters(n);

        for (size_t at = 0; at < 2 * n; at += n / 40) {
            size_t link = at & ~(size_t)1;

            plan(text, 2 * n, &link, 1, 3);
            if (!shows(link) || (link + 20 < 2 * n && !shows(link + 20)))
                fail_msg("a link at %zu of %zu is not shown", link, 2 * n);
        }
        free(text);
    }
}

static void
windows_are_not_used_up_by_a_wall_of_links(void **state)
{
    size_t n = 4000, links[64];
    char *text = letters(n);

    (void)state;
    for (size_t i = 0; i < 63; i++)
        links[i] = 600 + 8 * i;
    links[63] = 6000;
    plan(text, 2 * n, links, 64, 4);
    assert_int_equal(win.n, 4);
    assert_int_equal(win.w[0].begin, 0);
    assert_int_equal(win.w[3].end, 2 * n - 1);
    assert_true(shows(links[63]));
    free(text);
}

/* However many plain links are farther away, in a text whose tokens are all
 * made and in one of slices. */
static void
windows_show_a_hidden_link_before_plain_ones(void **state)
{
    static const size_t sizes[] = { 4000, 60000 };

    (void)state;
    for (size_t s = 0; s < 2; s++) {
        size_t n = sizes[s], at[64], gap = 2 * n / 66, link = 23 * gap + 500;
        struct wn_spots plain, hidden = spots_of(&link, 1);
        char *text = letters(n);

        for (size_t i = 0; i < 64; i++)
            at[i] = i < 32 ? i * gap : 2 * n - (64 - i) * gap;
        plain = spots_of(at, 64);
        plan_spots(text, 2 * n, &hidden, &plain, 3);
        assert_int_equal(win.n, 3);
        assert_true(shows(link));
        plan_spots(text, 2 * n, &plain, &hidden, 4);
        assert_int_equal(win.n, 4);
        free(text);
    }
}

static void
windows_cost_no_more_however_long_the_text(void **state)
{
    size_t n = 1u << 19;
    char *text = letters(n);
    int64_t start = wn_clock_mono_us();

    (void)state;
    plan(text, 2 * n, NULL, 0, 4);
    print_message(
        "windows of 1 MiB: %lld us\n", (long long)(wn_clock_mono_us() - start));
    assert_int_equal(win.n, 4);
    assert_true(win.bytes <= 4 * (WN_SLICE_BYTES + 64));
    assert_true(win.tokens > n * 9 / 10);
    assert_true(win.tokens < n * 11 / 10);
    assert_true(win.unread_share > 0.998);
    assert_true(shows(0));
    assert_int_equal(win.w[3].end, 2 * n - 1);
    plan(text, WN_WHOLE_BYTES, NULL, 0, 4);
    assert_int_equal(win.bytes, WN_WHOLE_BYTES);
    assert_int_equal(win.tokens, WN_WHOLE_BYTES / 2);
    free(text);
}

static void
windows_are_smaller_where_the_encoder_is(void **state)
{
    struct wn_windows big = win;
    char *text = letters(100);

    (void)state;
    wn_windows_init(&win, 16);
    plan(text, 200, NULL, 0, 16);
    assert_int_equal(win.n, 8);
    assert_int_equal(win.inner, 14);
    wn_windows_release(&win);
    win = big;
    free(text);
}

/* Any text, link places and bounds: plan() checks what always holds. */
static void
check_random_texts(int rounds)
{
    static const char *const parts[] = { "a ", "word ", "\n", "\u00E9",
        "\u4E2D", "\U0001F600", "http://x.example/y ", "longwordwithoutend",
        "\u0301", "\uFFFD", "!?", "42 " };
    uint64_t seed = wn_test_seed();
    char *text = malloc(70000);

    assert_non_null(text);
    for (int round = 0; round < rounds; round++) {
        size_t want = (size_t)1 << (wn_test_random(&seed) % 17), n = 0;
        size_t one = wn_test_random(&seed) % 24, max;
        struct wn_spots spots[2];

        wn_spots_reset(&spots[0]);
        wn_spots_reset(&spots[1]);

        while (n < want) {
            const char *p = parts[one < 12 ? one : wn_test_random(&seed) % 12];

            memcpy(text + n, p, strlen(p));
            n += strlen(p);
            if (wn_test_random(&seed) % 16 == 0)
                wn_spots_add(&spots[wn_test_random(&seed) % 2], n - strlen(p));
        }
        max = 1 + wn_test_random(&seed) % WN_WINDOWS_MAX;
        plan_spots(text, n, &spots[0], &spots[1], max);
    }
    free(text);
}

static void
windows_of_random_texts_keep_their_bounds(void **state)
{
    (void)state;
    check_random_texts(400);
}

/* Unigram and byte-level BPE: tokens that are parts of a word, or of a
 * character, and other special ones. */
static void
windows_keep_their_bounds_with_other_tokenizers(void **state)
{
    static const char *const dirs[] = { "tests/golden/xlm_roberta",
        "tests/golden/roberta" };
    struct wn_tokenizer *wordpiece = tokenizer;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_wn_ok(wn_tokenizer_open(&tokenizer, dirs[i], &err), &err);
        check_random_texts(200);
        plan("win a prize", 11, NULL, 0, 4);
        assert_int_equal(win.n, 1);
        assert_int_equal(win.w[0].ids[0], 0);
        assert_int_equal(win.w[0].ids[win.w[0].n - 1], 2);
        wn_tokenizer_free(tokenizer);
    }
    tokenizer = wordpiece;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(windows_of_a_short_text_are_one),
    cmocka_unit_test(windows_that_suffice_are_equal_and_leave_nothing_out),
    cmocka_unit_test(windows_of_a_long_text_show_head_tail_and_the_rest_evenly),
    cmocka_unit_test(windows_show_the_surroundings_of_links),
    cmocka_unit_test(windows_are_not_used_up_by_a_wall_of_links),
    cmocka_unit_test(windows_show_a_hidden_link_before_plain_ones),
    cmocka_unit_test(windows_cost_no_more_however_long_the_text),
    cmocka_unit_test(windows_are_smaller_where_the_encoder_is),
    cmocka_unit_test(windows_of_random_texts_keep_their_bounds),
    cmocka_unit_test(windows_keep_their_bounds_with_other_tokenizers),
};

int
main(void)
{
    return wn_test_run("classifier/windows", tests,
        sizeof(tests) / sizeof(tests[0]), setup, teardown);
}
