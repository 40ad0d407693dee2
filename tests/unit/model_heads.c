/*
 * Heads: training finds what was planted, masks what is unknown and gives the
 * same weights for the same seed; calibration against formulas written
 * plainly.
 */
#include "model/heads_train.h"

#include <math.h>
#include <stdbool.h>

#include "model/measure.h"
#include "tests/lib/test.h"

#define N 600
#define WIDTH 12

static struct wn_err err;

static double
uniform(uint64_t *seed) /* -1 .. 1 */
{
    return (double)(wn_test_random(seed) % 2000001) / 1000000.0 - 1;
}

static struct wn_train_conf
conf_of(size_t epochs)
{
    return (struct wn_train_conf){
        .epochs = epochs, .rate = 0.1, .l2 = 1e-6, .seed = 3
    };
}

/* --- training --- */

struct dense {
    float x[N * WIDTH];
    int8_t labels[N * WN_HEADS_OUT];
    float weight[N];
};

/* Head h is positive where number h is over 3 plus number 4; column 5 lies far
 * from 0 and column 6 never changes, as real features do. Head 3 is unknown
 * everywhere. */
static void
plant(struct dense *d)
{
    uint64_t seed = 11;

    for (size_t i = 0; i < N; i++) {
        float *x = d->x + i * WIDTH;

        for (size_t k = 0; k < WIDTH; k++)
            x[k] = (float)uniform(&seed);
        x[5] = 1000 + x[5];
        x[6] = 4;
        d->weight[i] = 1;
        for (size_t h = 0; h < WN_HEADS_OUT; h++)
            d->labels[i * WN_HEADS_OUT + h] = h == 3 ? -1 : (x[h] > x[4]);
    }
}

static void
training_on_numbers_finds_what_was_planted(void **state)
{
    static struct dense d;
    struct wn_train_conf conf = conf_of(60);
    float w[WN_HEADS_OUT * WIDTH] = { 0 }, w2[WN_HEADS_OUT * WIDTH] = { 0 };
    float b[WN_HEADS_OUT] = { 0 }, b2[WN_HEADS_OUT] = { 0 };
    double scores[N];
    int8_t labels[N];

    (void)state;
    plant(&d);
    assert_wn_ok(
        wn_train_dense(d.x, N, WIDTH, d.labels, d.weight, &conf, w, b, &err),
        &err);
    for (size_t h = 0; h < 3; h++) {
        struct wn_measure m;

        for (size_t i = 0; i < N; i++) {
            double z = b[h];

            for (size_t k = 0; k < WIDTH; k++)
                z += (double)w[h * WIDTH + k] * d.x[i * WIDTH + k];
            scores[i] = z;
            labels[i] = d.labels[i * WN_HEADS_OUT + h];
        }
        assert_wn_ok(wn_measure(scores, labels, N, 0, &m, &err), &err);
        if (m.auc < 0.99 || m.recall < 0.9 || m.fpr > 0.1)
            fail_msg(
                "head %zu: auc %f recall %f fpr %f", h, m.auc, m.recall, m.fpr);
    }
    for (size_t k = 0; k < WIDTH; k++) /* masked: taught nothing */
        assert_true(w[3 * WIDTH + k] == 0);
    assert_wn_ok(
        wn_train_dense(d.x, N, WIDTH, d.labels, d.weight, &conf, w2, b2, &err),
        &err);
    assert_memory_equal(w, w2, sizeof(w));
    assert_memory_equal(b, b2, sizeof(b));
}

#define FEATURES 50

/* Row i touches its features; head h is positive where feature h is there. */
static void
training_on_rows_finds_what_was_planted(void **state)
{
    static uint32_t rows[N * 8];
    static size_t offsets[N + 1];
    static int8_t labels[N * WN_HEADS_OUT];
    static float weight[N], w[FEATURES * WN_HEADS_OUT];
    float b[WN_HEADS_OUT] = { 0 };
    struct wn_train_conf conf = conf_of(40);
    struct wn_sparse x = { rows, offsets, N, FEATURES };
    uint64_t seed = 5;
    size_t n = 0, right = 0, known = 0;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        weight[i] = 1;
        for (size_t h = 0; h < WN_HEADS_OUT; h++) {
            bool there = wn_test_random(&seed) % 2 == 0;

            if (there)
                rows[n++] = (uint32_t)h;
            labels[i * WN_HEADS_OUT + h] =
                wn_test_random(&seed) % 5 == 0 ? -1 : there;
        }
        for (size_t k = 0; k < 4; k++) /* noise, different ones */
            rows[n++] = (uint32_t)(10 + 10 * k + wn_test_random(&seed) % 10);
        offsets[i + 1] = n;
    }
    assert_wn_ok(wn_train_sparse(&x, labels, weight, &conf, w, b, &err), &err);
    for (size_t i = 0; i < N; i++)
        for (size_t h = 0; h < WN_HEADS_OUT; h++) {
            double z = 0, len = (double)(offsets[i + 1] - offsets[i]);
            int label = labels[i * WN_HEADS_OUT + h];

            for (size_t k = offsets[i]; k < offsets[i + 1]; k++)
                z += w[rows[k] * WN_HEADS_OUT + h];
            z = z / sqrt(len) + b[h];
            known += label >= 0;
            right += label >= 0 && (z > 0) == label;
        }
    if ((double)right < 0.98 * (double)known)
        fail_msg("%zu of %zu right", right, known);
}

/* --- correction --- */

/* Rows of one or two features; `kept` stays at what it was, by side 0. */
enum { YES, NO, KEPT, FAR, CORRECTED };
static const uint32_t corrected_rows[] = { 1, 3, 2, 3, 3, 4, 5 };
static const size_t corrected_at[CORRECTED + 1] = { 0, 2, 4, 6, 7 };

static double
corrected(const struct wn_correction *c, const float *w, size_t i, size_t h)
{
    double z = 0, n = (double)(corrected_at[i + 1] - corrected_at[i]);

    for (size_t k = corrected_at[i]; k < corrected_at[i + 1]; k++)
        z += w[corrected_rows[k] * WN_HEADS_OUT + h];
    return c->offset[i * WN_HEADS_OUT + h] +
           c->gain[h] * c->trust[i] * z / sqrt(n);
}

static void
correction_moves_what_is_wrong_and_leaves_the_rest(void **state)
{
    const float weight[CORRECTED] = { 1, 1, 1, 1 };
    float w[FEATURES * WN_HEADS_OUT], was[FEATURES * WN_HEADS_OUT];
    float target[CORRECTED * WN_HEADS_OUT], offset[CORRECTED * WN_HEADS_OUT];
    int8_t side[CORRECTED * WN_HEADS_OUT] = { 0 };
    float trust[CORRECTED];
    struct wn_correction c = { target, offset, weight, trust, side,
        { 1, 0.5f, 1, 0 } };
    struct wn_train_conf conf = { .epochs = 300, .rate = 0.5, .seed = 3 };
    struct wn_sparse x = { corrected_rows, corrected_at, CORRECTED, FEATURES };
    uint64_t seed = 4;

    (void)state;
    for (size_t i = 0; i < CORRECTED; i++)
        trust[i] = 1 - 0.25f * (float)(i % 2);
    for (size_t i = 0; i < FEATURES * WN_HEADS_OUT; i++)
        w[i] = was[i] = (float)(wn_test_random(&seed) % 100) / 100;
    for (size_t i = 0; i < CORRECTED * WN_HEADS_OUT; i++) {
        offset[i] = -1;
        target[i] = NAN;
    }
    for (size_t h = 0; h < WN_HEADS_OUT; h++) {
        if (h == 2)
            continue; /* nobody said anything of it */
        target[YES * WN_HEADS_OUT + h] = 3;
        side[YES * WN_HEADS_OUT + h] = 1;
        target[NO * WN_HEADS_OUT + h] = -3;
        side[NO * WN_HEADS_OUT + h] = -1;
        target[KEPT * WN_HEADS_OUT + h] = (float)corrected(&c, w, KEPT, h);
        target[FAR * WN_HEADS_OUT + h] = -9; /* it is over that */
        side[FAR * WN_HEADS_OUT + h] = 1;
    }
    assert_wn_ok(wn_correct_sparse(&x, &c, &conf, w, &err), &err);
    for (size_t h = 0; h < 2; h++) {
        double kept = corrected(&c, w, KEPT, h);

        assert_true(corrected(&c, w, YES, h) > 2.5);
        assert_true(corrected(&c, w, YES, h) < 3.5); /* and no farther */
        assert_true(corrected(&c, w, NO, h) < -2.5);
        assert_true(corrected(&c, w, NO, h) > -3.5);
        assert_true(fabs(wn_sigmoid(kept) -
                         wn_sigmoid(target[KEPT * WN_HEADS_OUT + h])) < 0.05);
    }
    for (size_t i = 0; i < FEATURES; i++)
        for (size_t h = 0; h < WN_HEADS_OUT; h++)
            if (h >= 2 || i == 0 || i >= 5)
                assert_true(
                    w[i * WN_HEADS_OUT + h] == was[i * WN_HEADS_OUT + h]);
}

static void
calibration_finds_the_line_that_made_the_labels(void **state)
{
    size_t n = 40000;
    double *x = malloc(n * sizeof(*x)), beta[2] = { 0 };
    int8_t *labels = malloc(n);
    float *weight = malloc(n * sizeof(*weight));
    uint64_t seed = 9;

    (void)state;
    assert_non_null(x);
    assert_non_null(labels);
    assert_non_null(weight);
    for (size_t i = 0; i < n; i++) {
        x[i] = 4 * uniform(&seed);
        labels[i] = (uniform(&seed) + 1) / 2 < wn_sigmoid(1.5 * x[i] - 0.7);
        weight[i] = 1;
        if (i % 10 == 0) { /* unknown ones would spoil it */
            labels[i] = -1;
            x[i] = 1000;
        }
    }
    wn_fit_logistic(x, n, 1, labels, 1, weight, beta);
    if (fabs(beta[0] - 1.5) > 0.1 || fabs(beta[1] + 0.7) > 0.1)
        fail_msg("a %f, b %f", beta[0], beta[1]);
    free(x);
    free(labels);
    free(weight);
}

/* Separable data has no best line: the ridge keeps it finite. */
static void
calibration_stays_finite_where_nothing_overlaps(void **state)
{
    double x[40], beta[2] = { 0 };
    int8_t labels[40];
    float weight[40];

    (void)state;
    for (int i = 0; i < 40; i++) {
        x[i] = i - 19.5;
        labels[i] = i >= 20;
        weight[i] = 1;
    }
    wn_fit_logistic(x, 40, 1, labels, 1, weight, beta);
    assert_true(isfinite(beta[0]));
    assert_true(isfinite(beta[1]));
    assert_true(beta[0] > 0);
}

static void
probabilities_are_finite_at_both_ends(void **state)
{
    struct wn_calibration c = { 2, -1 };

    (void)state;
    assert_true(wn_sigmoid(0) == 0.5);
    assert_true(wn_sigmoid(1e6) == 1);
    assert_true(wn_sigmoid(-1e6) == 0);
    assert_true(fabs(wn_sigmoid(3) + wn_sigmoid(-3) - 1) < 1e-15);
    assert_true(wn_calibrate(c, 0.5) == 0.5);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(training_on_numbers_finds_what_was_planted),
    cmocka_unit_test(training_on_rows_finds_what_was_planted),
    cmocka_unit_test(correction_moves_what_is_wrong_and_leaves_the_rest),
    cmocka_unit_test(calibration_finds_the_line_that_made_the_labels),
    cmocka_unit_test(calibration_stays_finite_where_nothing_overlaps),
    cmocka_unit_test(probabilities_are_finite_at_both_ends),
};
WN_TEST_MAIN("model/heads", tests)
