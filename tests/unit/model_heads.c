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
    cmocka_unit_test(calibration_finds_the_line_that_made_the_labels),
    cmocka_unit_test(calibration_stays_finite_where_nothing_overlaps),
    cmocka_unit_test(probabilities_are_finite_at_both_ends),
};
WN_TEST_MAIN("model/heads", tests)
