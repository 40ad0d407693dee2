/* Hashed n-grams: the rows of a text, their stored numbers, and the sum. */
#include "model/ngram.h"

#include <math.h>
#include <stdbool.h>

#include "tests/lib/test.h"

static struct wn_ngram_bag bag;
static struct wn_err err;

static int
setup(void **state)
{
    (void)state;
    return wn_ngram_bag_init(&bag, &err) == WN_OK ? 0 : 1;
}

static int
teardown(void **state)
{
    (void)state;
    wn_ngram_bag_release(&bag);
    return 0;
}

static void
fill(const char *text)
{
    wn_ngram_bag_fill(&bag, text, strlen(text));
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The rows of text, sorted, in a copy that the caller frees. */
static uint32_t *
rows_of(const char *text, size_t *ret_n)
{
    uint32_t *rows;

    fill(text);
    rows = malloc((bag.n + 1) * sizeof(*rows));
    assert_non_null(rows);
    memcpy(rows, bag.rows, bag.n * sizeof(*rows));
    qsort(rows, bag.n, sizeof(*rows), by_value);
    *ret_n = bag.n;
    return rows;
}

static void
assert_same(const char *a, const char *b, bool same)
{
    size_t n, m;
    uint32_t *x = rows_of(a, &n), *y = rows_of(b, &m);
    bool equal = n == m && memcmp(x, y, n * sizeof(*x)) == 0;

    if (equal != same)
        fail_msg("\"%s\" and \"%s\": %s", a, b,
            equal ? "the same rows" : "different rows");
    free(x);
    free(y);
}

static void
n_grams_of_nothing_are_none(void **state)
{
    (void)state;
    fill("");
    assert_int_equal(bag.n, 0);
    fill(" \n  ");
    assert_int_equal(bag.n, 0);
}

/* Stored weights are found by these numbers: they never change. */
static void
n_grams_have_the_stored_rows(void **state)
{
    static const uint32_t stored[] = { 27992, 166429, 319031, 464899, 274848,
        397080, 276734, 363502, 371511, 482178, 300022, 124761, 231708, 11292,
        259894, 266061, 273164, 408839, 467004, 407424, 354380, 396912, 505745,
        273503, 315306, 483990, 10197, 225914, 183756, 161384, 441256, 334501,
        380641, 373582, 268035, 370497, 291340, 372166, 266416, 297758, 339583,
        457201, 123530, 204437, 321272, 444051, 380661, 446076, 521244, 520487,
        364807, 458046, 426838, 440727, 517680, 290127 };

    (void)state;
    fill("Win $500 now! \u00DCber");
    if (bag.n != sizeof(stored) / sizeof(stored[0]) ||
        memcmp(bag.rows, stored, sizeof(stored)) != 0) {
        for (size_t i = 0; i < bag.n; i++)
            print_message("%u, ", bag.rows[i]);
        fail_msg("%zu rows, not the stored ones", bag.n);
    }
}

static void
n_grams_pass_over_case_digits_and_white_space(void **state)
{
    (void)state;
    assert_same("FREE Money", "free mONEY", true);
    assert_same("\u00C4RGER", "\u00E4rger", true);
    assert_same("19.99", "24.50", true);
    assert_same("\u0663\u0664", "12", true); /* Arabic digits */
    assert_same("a b", "a\nb", true);
    assert_same(" a  b ", "a b", true);
    assert_same("free money", "money free", false);
    assert_same("free", "freed", false);
    assert_same("a.b", "a,b", false);
    assert_same("19.99", "190.99", false);
}

static void
n_grams_count_once_and_lie_in_their_table(void **state)
{
    size_t words = 0;

    (void)state;
    fill("aa");
    /* words: "aa" and (start, "aa"); characters: ^a aa a$ ^aa aa$ ^aa$ */
    assert_int_equal(bag.n, 2 + 6);
    for (size_t i = 0; i < bag.n; i++) {
        assert_true(bag.rows[i] < WN_NGRAM_ROWS);
        words += bag.rows[i] < WN_NGRAM_BUCKETS;
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(bag.rows[i], bag.rows[k]);
    }
    assert_int_equal(words, 2);
    fill("aa aa aa aa aa");
    assert_int_equal(bag.n, 3 + 6); /* and the pair ("aa", "aa") */
    fill("a");
    assert_int_equal(bag.n, 2 + 3);
    fill("abc");
    assert_int_equal(bag.n, 2 + 9);
    fill("abcd");
    assert_int_equal(bag.n, 2 + 12);
}

/* One word of as many characters as are read, no two alike: nearly every row
 * is a new one. */
static void
n_grams_of_the_longest_word_have_room(void **state)
{
    size_t len = 3 * WN_NGRAM_CHARS_MAX;
    char *text = malloc(len + 1);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < WN_NGRAM_CHARS_MAX; i++)
        snprintf(text + 3 * i, 4, "%c%c%c", (int)(0xe4 + i / 4096),
            (int)(0x80 + i / 64 % 64), (int)(0x80 + i % 64));
    wn_ngram_bag_fill(&bag, text, len);
    assert_true(bag.n > 5 * WN_NGRAM_CHARS_MAX / 2);
    assert_true(bag.n < bag.cap);
    free(text);
}

/* The bits of rows seen are cleared: a text leaves nothing for the next. */
static void
n_grams_do_not_depend_on_the_text_before(void **state)
{
    size_t n, m;
    uint32_t *x = rows_of("limited offer, act now", &n), *y;

    (void)state;
    fill("offer limited \u4F60\u597D now now now act");
    y = rows_of("limited offer, act now", &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n * sizeof(*x));
    free(x);
    free(y);
}

static void
n_grams_read_a_bounded_part_of_a_text(void **state)
{
    uint64_t seed = wn_test_seed();
    size_t len = 1u << 20;
    char *text = malloc(len);
    size_t rows;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = wn_test_random(&seed) % 5 == 0
                      ? ' '
                      : (char)('!' + wn_test_random(&seed) % 94);
    wn_ngram_bag_fill(&bag, text, len);
    rows = bag.n;
    assert_true(rows > WN_NGRAM_CHARS_MAX);
    assert_true(rows <= bag.cap);
    wn_ngram_bag_fill(&bag, text, WN_NGRAM_CHARS_MAX);
    assert_int_equal(bag.n, rows);
    /* nothing but one-character words: the most rows a character */
    for (size_t i = 0; i < len; i += 2) {
        text[i] = (char)('!' + wn_test_random(&seed) % 94);
        text[i + 1] = (char)('!' + wn_test_random(&seed) % 94);
    }
    wn_ngram_bag_fill(&bag, text, len);
    assert_true(bag.n <= bag.cap);
    free(text);
}

/* Against a sum written plainly. */
static void
n_grams_are_scored_by_their_normalised_sum(void **state)
{
    int8_t *weights = malloc((size_t)WN_NGRAM_ROWS * WN_NGRAM_OUT);
    struct wn_ngram m = { .weights = weights };
    uint64_t seed = wn_test_seed();
    float got[WN_NGRAM_OUT];

    (void)state;
    assert_non_null(weights);
    for (size_t i = 0; i < (size_t)WN_NGRAM_ROWS * WN_NGRAM_OUT; i++)
        weights[i] = (int8_t)(wn_test_random(&seed) % 256 - 128);
    for (size_t i = 0; i < 2 * WN_NGRAM_OUT; i++)
        m.scale[i / WN_NGRAM_OUT][i % WN_NGRAM_OUT] = 0.01f * (float)(i + 1);
    fill("a wonderful chance to win: reply with your card number 1234");
    wn_ngram_score(&m, bag.rows, bag.n, got);
    for (size_t h = 0; h < WN_NGRAM_OUT; h++) {
        double want = 0;

        for (size_t i = 0; i < bag.n; i++)
            want += m.scale[bag.rows[i] / WN_NGRAM_BUCKETS][h] *
                    weights[(size_t)bag.rows[i] * WN_NGRAM_OUT + h];
        want /= sqrt((double)bag.n);
        assert_true(fabs(got[h] - want) < 1e-4);
    }
    wn_ngram_score(&m, NULL, 0, got);
    for (size_t h = 0; h < WN_NGRAM_OUT; h++)
        assert_true(got[h] == 0);
    free(weights);
}

static void
see(struct wn_ngram_words *w, const char *text, uint32_t number)
{
    fill(text);
    wn_ngram_words_add(w, &bag, number);
}

static float
trust(const struct wn_ngram *m, const char *text)
{
    fill(text);
    return wn_ngram_trust(m, &bag);
}

/* A word is seen once two texts have it; numbers and signs are no words; the
 * score counts from a quarter to a half of the words. */
static void
n_grams_count_by_the_words_that_training_saw(void **state)
{
    int8_t *weights = malloc((size_t)WN_NGRAM_ROWS * WN_NGRAM_OUT);
    struct wn_ngram m = { .weights = weights,
        .scale = { { 1, 1, 1, 1 }, { 1, 1, 1, 1 } } };
    float whole[WN_NGRAM_OUT], got[WN_NGRAM_OUT];
    struct wn_ngram_words w;

    (void)state;
    assert_non_null(weights);
    memset(weights, 3, (size_t)WN_NGRAM_ROWS * WN_NGRAM_OUT);
    assert_wn_ok(wn_ngram_words_init(&w, &err), &err);
    assert_true(trust(&m, "unheard of") == 1); /* no set: all are seen */
    m.seen = w.seen;
    see(&w, "good morning all, a good day", 1);
    see(&w, "what a MORNING: 15 all 15", 2);
    see(&w, "again again again 7", 3);
    assert_true(trust(&m, "Morning all") == 1);
    assert_true(trust(&m, "what day again") == 0); /* of one text each */
    assert_true(trust(&m, "15 ... 7 !") == 1);     /* nothing to go by */
    assert_true(trust(&m, "") == 1);
    assert_true(trust(&m, "all unheard") == 1);
    assert_true(trust(&m, "all all all unheard words") > 0.33f);
    assert_true(trust(&m, "all all all unheard words") < 0.34f);
    assert_true(trust(&m, "a morning nine eight seven six five four") == 0);

    fill("all unheard words");
    wn_ngram_score(&m, bag.rows, bag.n, whole);
    wn_ngram_read(&m, &bag, got);
    for (size_t h = 0; h < WN_NGRAM_OUT; h++)
        assert_true(got[h] == whole[h] * trust(&m, "all unheard words"));
    wn_ngram_words_release(&w);
    free(weights);
}

static void
n_grams_lose_less_than_half_a_step_as_int8(void **state)
{
    size_t n = (size_t)WN_NGRAM_ROWS * WN_NGRAM_OUT;
    const float gain[WN_NGRAM_OUT] = { 1, 2, 0.5f, -3 };
    float *weights = calloc(n, sizeof(*weights)), scale[2][WN_NGRAM_OUT];
    int8_t *q = malloc(n);
    uint64_t seed = wn_test_seed();

    (void)state;
    assert_non_null(weights);
    assert_non_null(q);
    for (size_t i = 0; i < n; i++) /* head 2 of the words stays all 0 */
        if (i >= n / 2 || i % WN_NGRAM_OUT != 2)
            weights[i] = (float)(wn_test_random(&seed) % 2001) / 1000 - 1;
    wn_ngram_quantise(weights, gain, q, scale);
    for (size_t i = 0; i < n; i++) {
        size_t h = i % WN_NGRAM_OUT;
        float s = scale[i >= n / 2][h];

        if (fabsf((float)q[i] * s - weights[i] * gain[h]) >
            fabsf(s) * 0.5001f + 1e-7f)
            fail_msg("weight %zu: %f became %d * %f", i, (double)weights[i],
                q[i], (double)s);
    }
    assert_true(scale[0][2] == 0);
    assert_true(fabsf(scale[1][1] - 2.0f / 127) < 1e-4f);
    free(weights);
    free(q);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(n_grams_of_nothing_are_none),
    cmocka_unit_test(n_grams_have_the_stored_rows),
    cmocka_unit_test(n_grams_pass_over_case_digits_and_white_space),
    cmocka_unit_test(n_grams_count_once_and_lie_in_their_table),
    cmocka_unit_test(n_grams_of_the_longest_word_have_room),
    cmocka_unit_test(n_grams_do_not_depend_on_the_text_before),
    cmocka_unit_test(n_grams_read_a_bounded_part_of_a_text),
    cmocka_unit_test(n_grams_are_scored_by_their_normalised_sum),
    cmocka_unit_test(n_grams_count_by_the_words_that_training_saw),
    cmocka_unit_test(n_grams_lose_less_than_half_a_step_as_int8),
};

int
main(void)
{
    return wn_test_run("model/ngram", tests, sizeof(tests) / sizeof(tests[0]),
        setup, teardown);
}
