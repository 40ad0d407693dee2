/*
 * Measures: against cases worked out by hand, against brute force, and
 * intervals against what they must be (a weighted count is a count of copies,
 * the same rows differ by nothing, a mean's interval is that of the normal
 * law). tests/golden/model_measure.c compares with scikit-learn.
 */
#include "model/measure.h"

#include <math.h>
#include <time.h>

#include "model/heads.h"
#include "model/measure_int.h"
#include "tests/lib/test.h"

static struct wn_err err;

static void
assert_near(double got, double want, double bound)
{
    if (!(fabs(got - want) <= bound))
        fail_msg("%.12f, not %.12f", got, want);
}

static double
logit(double p)
{
    return log(p / (1 - p));
}

/* --- by hand --- */

static void
a_small_case_is_what_the_pencil_says(void **state)
{
    /*        over it        R    P
     *  4 +   1 of 1        1/3   1
     *  3 -
     *  2 + - (tied)        2/3  2/4
     *  1 +                  1   3/5
     *  unknown: 9
     * auc: pairs won 2 + .5 (of tied +) + ... = (2) + (0.5 + 0) + (0) of 6:
     * + at 4 beats both -, + at 2 ties one and loses one, + at 1 loses both
     */
    double s[] = { 9, 4, 3, 2, 2, 1 };
    int8_t l[] = { -1, 1, 0, 1, 0, 1 };
    struct wn_quality q;
    struct wn_measure m;

    (void)state;
    assert_wn_ok(wn_quality(s, l, 6, 0, 1, &q, &err), &err);
    assert_int_equal(q.pos, 3);
    assert_int_equal(q.neg, 2);
    assert_near(q.auc.value, 2.5 / 6, 1e-15);
    assert_near(q.ap.value, (1 + 2.0 / 4 + 3.0 / 5) / 3, 1e-15);
    assert_true(isnan(q.auc.low));
    assert_wn_ok(wn_measure(s, l, 6, 2, &m, &err), &err);
    assert_near(m.auc, 2.5 / 6, 1e-15);
    assert_near(m.recall, 2.0 / 3, 0);
    assert_near(m.fpr, 1, 0);
    assert_wn_ok(wn_measure(s, l, 6, 2.5, &m, &err), &err);
    assert_near(m.recall, 1.0 / 3, 0);
    assert_near(m.fpr, 0.5, 0);
}

static void
probabilities_are_compared_with_what_came_true(void **state)
{
    double s[30];
    int8_t l[30];
    struct wn_quality q;

    (void)state;
    /* 15 bins of two rows; both say .25, one in two is true: off by .25;
     * ties over a bin's edge must not matter */
    for (int i = 0; i < 30; i++) {
        s[i] = logit(0.25);
        l[i] = (int8_t)(i < 15);
    }
    assert_wn_ok(wn_quality(s, l, 30, 0, 1, &q, &err), &err);
    assert_near(q.ece, 0.25, 1e-12);
    assert_near(q.brier.value, (0.75 * 0.75 + 0.25 * 0.25) / 2, 1e-12);
    for (int b = 0; b < WN_BINS; b++) {
        assert_int_equal(q.bins[b].n, 2);
        assert_near(q.bins[b].mean, 0.25, 1e-12);
        assert_near(q.bins[b].share, 0.5, 1e-12);
    }
    /* three rows in fifteen bins: twelve are empty */
    s[0] = logit(0.1), l[0] = 0;
    s[1] = logit(0.6), l[1] = 1;
    s[2] = logit(0.9), l[2] = 1;
    assert_wn_ok(wn_quality(s, l, 3, 0, 1, &q, &err), &err);
    assert_near(q.ece, (0.1 + 0.4 + 0.1) / 3, 1e-12);
    assert_int_equal(q.bins[0].n, 0);
    assert_true(isnan(q.bins[0].mean));
}

static void
a_share_has_wilsons_interval(void **state)
{
    struct wn_range r = wn_wilson(8, 10); /* a textbook's: .490 to .943 */

    (void)state;
    assert_near(r.value, 0.8, 0);
    assert_near(r.low, 0.4901625, 1e-6);
    assert_near(r.high, 0.9433178, 1e-6);
    r = wn_wilson(0, 300);
    assert_near(r.low, 0, 0);
    assert_near(r.high, 0.0126430, 1e-6);
    r = wn_wilson(5, 5);
    assert_near(r.high, 1, 0);
    assert_near(r.low, 0.5655175, 1e-6);
    assert_true(isnan(wn_wilson(0, 0).value));
}

static void
precision_follows_the_prevalence(void **state)
{
    struct wn_range recall = { 0.9, 0.8, 1 }, fpr = { 0.01, 0.005, 0.02 }, p;

    (void)state;
    p = wn_precision_at(0.02, recall, fpr);
    assert_near(p.value, 0.018 / (0.018 + 0.0098), 1e-12);
    assert_near(p.low, 0.016 / (0.016 + 0.0196), 1e-12);
    assert_near(p.high, 0.02 / (0.02 + 0.0049), 1e-12);
    p = wn_precision_at(
        0.02, (struct wn_range){ 0, 0, 0.1 }, (struct wn_range){ 0, 0, 0.1 });
    assert_true(isnan(p.value));
    p = wn_precision_at(0.02, (struct wn_range){ NAN, NAN, NAN }, fpr);
    assert_true(isnan(p.value));
}

static void
what_does_not_exist_is_no_number(void **state)
{
    double s[3] = { 1, 2, -INFINITY };
    int8_t l[3] = { 0, 0, 0 };
    struct wn_quality q;
    struct wn_pair p;

    (void)state;
    assert_wn_ok(wn_quality(s, l, 0, 100, 1, &q, &err), &err);
    assert_int_equal(q.pos + q.neg, 0);
    assert_true(isnan(q.auc.value));
    assert_true(isnan(q.brier.value));
    assert_true(isnan(q.ece));
    /* one class: how well probabilities fit is there, an order is not */
    assert_wn_ok(wn_quality(s, l, 3, 100, 1, &q, &err), &err);
    assert_true(isnan(q.auc.value));
    assert_true(isnan(q.ap.value));
    assert_false(isnan(q.brier.value));
    assert_true(isnan(q.brier.low));
    assert_false(isnan(q.ece));
    assert_wn_ok(wn_pair(s, s, l, 3, 1, 2, 100, 1, &p, &err), &err);
    assert_true(isnan(p.auc.value));
    assert_true(isnan(p.recall.value));
    assert_near(p.fpr.value, -1.0 / 3, 1e-12);
}

/* --- by brute force --- */

static void
measures_are_what_brute_force_says(void **state)
{
    uint64_t seed = wn_test_seed();

    (void)state;
    for (int round = 0; round < 200; round++) {
        size_t n = wn_test_random(&seed) % 60, at[2] = { 0 }, hit[2] = { 0 };
        double s[60], wins = 0, t = (double)(wn_test_random(&seed) % 10);
        struct wn_measure m;
        int8_t l[60];

        for (size_t i = 0; i < n; i++) {
            s[i] = (double)(wn_test_random(&seed) % 10); /* many ties */
            l[i] = (int8_t)(wn_test_random(&seed) % 3) - 1;
            if (l[i] >= 0) {
                at[l[i]]++;
                hit[l[i]] += s[i] >= t;
            }
        }
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < n; k++)
                if (l[i] == 1 && l[k] == 0)
                    wins += s[i] > s[k] ? 1 : s[i] == s[k] ? 0.5 : 0;
        assert_wn_ok(wn_measure(s, l, n, t, &m, &err), &err);
        assert_int_equal(m.neg, at[0]);
        assert_int_equal(m.pos, at[1]);
        assert_int_equal(isnan(m.auc), at[0] == 0 || at[1] == 0);
        assert_int_equal(isnan(m.recall), at[1] == 0);
        assert_int_equal(isnan(m.fpr), at[0] == 0);
        if (at[0] > 0 && at[1] > 0)
            assert_true(fabs(m.auc - wins / (double)(at[0] * at[1])) < 1e-12);
        if (at[1] > 0)
            assert_true(m.recall == (double)hit[1] / (double)at[1]);
        if (at[0] > 0)
            assert_true(m.fpr == (double)hit[0] / (double)at[0]);
    }
}

/* No more negatives than allowed; and any lower score would let in more. */
static void
a_threshold_is_the_lowest_that_keeps_the_rate(void **state)
{
    uint64_t seed = wn_test_seed();

    (void)state;
    for (int round = 0; round < 300; round++) {
        size_t n = 1 + wn_test_random(&seed) % 80;
        double s[80], fpr = (double)(wn_test_random(&seed) % 101) / 100, t;
        struct wn_measure m;
        int8_t l[80];

        for (size_t i = 0; i < n; i++) {
            s[i] = (double)(wn_test_random(&seed) % 25) / 25;
            l[i] = (int8_t)(wn_test_random(&seed) % 3) - 1;
        }
        assert_wn_ok(wn_threshold_at_fpr(s, l, n, fpr, &t, &err), &err);
        assert_wn_ok(wn_measure(s, l, n, t, &m, &err), &err);
        if (m.neg == 0) {
            assert_true(t == 0.5);
            continue;
        }
        assert_true(m.fpr <= fpr + 1e-12);
        for (size_t i = 0; i < n; i++) {
            if (l[i] < 0 || s[i] >= t)
                continue;
            assert_wn_ok(wn_measure(s, l, n, s[i], &m, &err), &err);
            assert_true(m.fpr > fpr - 1e-12);
        }
    }
}

/* At that precision; and any lower score would be less precise. */
static void
a_threshold_is_the_lowest_that_is_precise_enough(void **state)
{
    uint64_t seed = wn_test_seed();
    size_t found = 0;

    (void)state;
    for (int round = 0; round < 300; round++) {
        size_t n = 1 + wn_test_random(&seed) % 80;
        double s[80], t, best = NAN;
        double want = (double)(wn_test_random(&seed) % 99 + 1) / 100;
        double p = (double)(wn_test_random(&seed) % 99 + 1) / 100;
        int8_t l[80];

        for (size_t i = 0; i < n; i++) {
            s[i] = (double)(wn_test_random(&seed) % 25) / 25;
            l[i] = (int8_t)(wn_test_random(&seed) % 3) - 1;
        }
        for (size_t i = 0; i < n; i++) {
            struct wn_measure m;
            double hit, miss;

            assert_wn_ok(wn_measure(s, l, n, s[i], &m, &err), &err);
            hit = p * m.recall;
            miss = (1 - p) * m.fpr;
            if (l[i] >= 0 && hit + miss > 0 && hit >= want * (hit + miss))
                best = fmin(best, s[i]);
        }
        assert_wn_ok(
            wn_threshold_at_precision(s, l, n, p, want, &t, &err), &err);
        assert_true(isnan(best) ? isnan(t) : t == best);
        found += !isnan(t);
    }
    assert_in_range(found, 100, 300);
}

/* --- resampling --- */

static double
uniform(uint64_t *seed) /* 0 .. 1 */
{
    return (double)(wn_test_random(seed) >> 11) * 0x1p-53;
}

static void
a_row_that_counts_thrice_is_three_rows(void **state)
{
    uint64_t seed = wn_test_seed();

    (void)state;
    for (int round = 0; round < 100; round++) {
        double s[40], copies[160];
        int8_t l[40], copied[160];
        uint32_t times[40];
        struct wn_ranks r, flat;
        struct wn_count a, b;
        size_t n = 0;

        for (size_t i = 0; i < 40; i++) {
            s[i] = (double)(wn_test_random(&seed) % 15) / 4 - 2;
            l[i] = (int8_t)(wn_test_random(&seed) % 2);
            times[i] = (uint32_t)(wn_test_random(&seed) % 4);
            for (uint32_t k = 0; k < times[i]; k++, n++) {
                copies[n] = s[i];
                copied[n] = l[i];
            }
        }
        assert_wn_ok(wn_ranks_init(&r, s, l, 40, &err), &err);
        assert_wn_ok(wn_ranks_init(&flat, copies, copied, n, &err), &err);
        assert_wn_ok(wn_ranks_loss(&r, &err), &err);
        assert_wn_ok(wn_ranks_loss(&flat, &err), &err);
        wn_ranks_count(&r, times, wn_ranks_cut(&r, 0.5), &a);
        wn_ranks_count(&flat, NULL, wn_ranks_cut(&flat, 0.5), &b);
        assert_near(a.pos, b.pos, 0);
        assert_near(a.hit_pos, b.hit_pos, 0);
        assert_near(a.hit_neg, b.hit_neg, 0);
        assert_near(a.brier, b.brier, 1e-12);
        if (b.pos > 0 && b.neg > 0) {
            assert_near(a.auc, b.auc, 1e-12);
            assert_near(a.ap, b.ap, 1e-12);
        }
        wn_ranks_release(&r);
        wn_ranks_release(&flat);
    }
}

#define N 4000

static double first[N], second[N];
static int8_t labels[N];

/* Two noisy views of the same thing; the second is the better one. */
static void
draw_pair(uint64_t seed)
{
    for (size_t i = 0; i < N; i++) {
        double x = uniform(&seed) * 8 - 6;

        labels[i] = uniform(&seed) < wn_sigmoid(x);
        first[i] = x + 3 * (uniform(&seed) - 0.5);
        second[i] = x + 1 * (uniform(&seed) - 0.5);
    }
}

static void
an_interval_of_a_mean_is_that_of_the_normal_law(void **state)
{
    struct wn_quality q, again, other;
    double sum = 0, squares = 0, half;

    (void)state;
    draw_pair(3);
    assert_wn_ok(wn_quality(first, labels, N, 1000, 7, &q, &err), &err);
    for (size_t i = 0; i < N; i++) {
        double d = wn_sigmoid(first[i]) - labels[i];

        sum += d * d;
        squares += d * d * d * d;
    }
    half = 1.96 * sqrt((squares / N - sum / N * sum / N) / N);
    assert_near(q.brier.value, sum / N, 1e-12);
    assert_near(q.brier.high - q.brier.value, half, 0.12 * half);
    assert_near(q.brier.value - q.brier.low, half, 0.12 * half);
    assert_true(q.auc.low < q.auc.value && q.auc.value < q.auc.high);
    assert_true(q.ap.low < q.ap.value && q.ap.value < q.ap.high);
    assert_true(q.auc.high - q.auc.low < 0.04);
    assert_wn_ok(wn_quality(first, labels, N, 1000, 7, &again, &err), &err);
    assert_memory_equal(&q, &again, sizeof(q));
    assert_wn_ok(wn_quality(first, labels, N, 1000, 8, &other, &err), &err);
    assert_true(other.auc.low != q.auc.low);
    assert_true(other.auc.value == q.auc.value);
}

static void
the_same_rows_differ_by_nothing(void **state)
{
    static double stretched[N];
    struct wn_pair p;

    (void)state;
    draw_pair(4);
    for (size_t i = 0; i < N; i++)
        stretched[i] = 3 * first[i] + 1;
    assert_wn_ok(
        wn_pair(first, stretched, labels, N, 1, 4, 200, 1, &p, &err), &err);
    assert_near(p.auc.low, 0, 0);
    assert_near(p.auc.high, 0, 0);
    assert_near(p.ap.low, 0, 0);
    assert_near(p.recall.value, 0, 0);
    assert_near(p.fpr.high, 0, 0);
}

/* What makes a row hard for both cancels: the interval of the difference is
 * narrower than that of either. */
static void
a_better_model_is_told_from_a_worse_one(void **state)
{
    struct wn_pair p, back;
    struct wn_quality a, b;
    struct wn_measure ma, mb;

    (void)state;
    draw_pair(5);
    assert_wn_ok(wn_quality(first, labels, N, 1000, 1, &a, &err), &err);
    assert_wn_ok(wn_quality(second, labels, N, 1000, 1, &b, &err), &err);
    assert_wn_ok(wn_measure(first, labels, N, 0.5, &ma, &err), &err);
    assert_wn_ok(wn_measure(second, labels, N, 0.7, &mb, &err), &err);
    assert_wn_ok(
        wn_pair(first, second, labels, N, 0.5, 0.7, 1000, 1, &p, &err), &err);
    assert_int_equal(p.pos, a.pos);
    assert_int_equal(p.neg, a.neg);
    assert_near(p.auc.value, b.auc.value - a.auc.value, 1e-12);
    assert_near(p.ap.value, b.ap.value - a.ap.value, 1e-12);
    assert_near(p.recall.value, mb.recall - ma.recall, 1e-12);
    assert_near(p.fpr.value, mb.fpr - ma.fpr, 1e-12);
    assert_true(p.auc.low > 0);
    assert_true(p.auc.high - p.auc.low < a.auc.high - a.auc.low);
    assert_wn_ok(
        wn_pair(second, first, labels, N, 0.7, 0.5, 1000, 1, &back, &err),
        &err);
    assert_near(back.auc.low, -p.auc.high, 1e-12);
}

/* Of two models that differ by chance alone the interval holds 0, 19 times in
 * twenty: 95 of 100 such pairs, give or take. */
static void
an_interval_covers_what_it_says(void **state)
{
    uint64_t seed = 11;
    size_t inside = 0;

    (void)state;
    for (int k = 0; k < 100; k++) {
        double a[300], b[300];
        int8_t l[300];
        struct wn_pair p;

        for (size_t i = 0; i < 300; i++) {
            l[i] = (int8_t)(i % 3 == 0);
            a[i] = l[i] + 3 * uniform(&seed);
            b[i] = l[i] + 3 * uniform(&seed);
        }
        assert_wn_ok(wn_pair(a, b, l, 300, 2, 2, 300, 1, &p, &err), &err);
        inside += p.auc.low <= 0 && p.auc.high >= 0;
    }
    if (inside < 88 || inside > 100)
        fail_msg("%zu of 100", inside);
}

/* Prints how long the size that matters takes; the bound is for a machine that
 * is busy, under a sanitizer. */
static void
thirty_thousand_rows_take_a_second(void **state)
{
    enum { ROWS = 30000 };
    double *s = malloc(ROWS * sizeof(*s));
    int8_t *l = malloc(ROWS);
    struct timespec from, to;
    struct wn_quality q;
    uint64_t seed = 1;
    double took;

    (void)state;
    assert_non_null(s);
    assert_non_null(l);
    for (size_t i = 0; i < ROWS; i++) {
        s[i] = 10 * uniform(&seed) - 5;
        l[i] = uniform(&seed) < wn_sigmoid(s[i]);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    assert_wn_ok(wn_quality(s, l, ROWS, 1000, 1, &q, &err), &err);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    took = (double)(to.tv_sec - from.tv_sec) +
           (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    print_message("# 1,000 rounds of 30,000 rows: %.2f s\n", took);
    assert_true(took < 30);
    assert_true(q.ece < 0.02);
    free(s);
    free(l);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_small_case_is_what_the_pencil_says),
    cmocka_unit_test(probabilities_are_compared_with_what_came_true),
    cmocka_unit_test(a_share_has_wilsons_interval),
    cmocka_unit_test(precision_follows_the_prevalence),
    cmocka_unit_test(what_does_not_exist_is_no_number),
    cmocka_unit_test(measures_are_what_brute_force_says),
    cmocka_unit_test(a_threshold_is_the_lowest_that_keeps_the_rate),
    cmocka_unit_test(a_threshold_is_the_lowest_that_is_precise_enough),
    cmocka_unit_test(a_row_that_counts_thrice_is_three_rows),
    cmocka_unit_test(an_interval_of_a_mean_is_that_of_the_normal_law),
    cmocka_unit_test(the_same_rows_differ_by_nothing),
    cmocka_unit_test(a_better_model_is_told_from_a_worse_one),
    cmocka_unit_test(an_interval_covers_what_it_says),
    cmocka_unit_test(thirty_thousand_rows_take_a_second),
};
WN_TEST_MAIN("model/measure", tests)
