/*
 * The arithmetic between the products: both instruction sets against doubles,
 * for lengths around the width of a vector.
 */
#include "model/ops.h"

#include <math.h>

#include "tests/lib/test.h"

#define ROWS 3
#define N_MAX 70

typedef void map_fn(float *x, const float *bias, size_t rows, size_t n);

static float
draw(uint64_t *rnd, double width)
{
    double u = (double)(wn_test_random(rnd) >> 11) / 9007199254740992.0;

    return (float)((2 * u - 1) * width);
}

static void
draw_all(uint64_t *rnd, double width, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = draw(rnd, width);
}

static const struct wn_ops *
set(int i)
{
    return i == 0 ? wn_ops_base() : wn_ops_get();
}

static double
gelu_erf(double x)
{
    return 0.5 * x * erfc(-x * sqrt(0.5));
}

static double
gelu_tanh(double x)
{
    double u = sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x);

    return 0.5 * x * (1 + tanh(u));
}

static double
relu(double x)
{
    return x > 0 ? x : 0;
}

static double
same(double x)
{
    return x;
}

/* Largest error over bits from 0 to 40, both signs; above 2 relative to x. */
static double
largest_error(map_fn *fn, double (*want)(double))
{
    static const float zero[64];
    double largest = 0;

    for (uint32_t bits = 0; bits < 0x42200000; bits += 64 * 1021) {
        float in[64], x[64];

        for (uint32_t i = 0; i < 64; i++) {
            uint32_t b = (bits + i * 1021) | i % 2 << 31;

            memcpy(&in[i], &b, sizeof(b));
        }
        memcpy(x, in, sizeof(x));
        fn(x, zero, 1, 64);
        for (size_t i = 0; i < 64; i++)
            largest = fmax(
                largest, fabs(x[i] - want(in[i])) / fmax(1, fabs(in[i]) / 2));
    }
    return largest;
}

static void
gelu_is_as_exact_as_it_says(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(largest_error(set(i)->gelu_erf, gelu_erf) < 3e-7);
        assert_true(largest_error(set(i)->gelu_tanh, gelu_tanh) < 3e-7);
    }
}

static void
check_map(map_fn *fn, double (*want)(double), size_t n, uint64_t *rnd)
{
    float x[ROWS * N_MAX + 1], in[ROWS * N_MAX + 1], bias[N_MAX];

    draw_all(rnd, 4, in, ROWS * n + 1);
    draw_all(rnd, 1, bias, n);
    memcpy(x, in, sizeof(x));
    fn(x, bias, ROWS, n);
    for (size_t i = 0; i < ROWS * n; i++)
        assert_true(fabs(x[i] - want((double)in[i] + bias[i % n])) < 1.5e-6);
    assert_true(x[ROWS * n] == in[ROWS * n]);
}

static void
maps_add_the_bias_and_keep_to_their_rows(void **state)
{
    uint64_t rnd = wn_test_seed();

    (void)state;
    for (int i = 0; i < 2; i++) {
        for (size_t n = 1; n <= N_MAX; n++) {
            check_map(set(i)->gelu_erf, gelu_erf, n, &rnd);
            check_map(set(i)->gelu_tanh, gelu_tanh, n, &rnd);
            check_map(set(i)->relu, relu, n, &rnd);
            check_map(set(i)->add_bias, same, n, &rnd);
        }
    }
}

static void
check_softmax(const struct wn_ops *ops, size_t n, float scale, uint64_t *rnd)
{
    float x[ROWS * N_MAX], in[ROWS * N_MAX];

    draw_all(rnd, 60, in, ROWS * n);
    memcpy(x, in, sizeof(x));
    ops->softmax(x, scale, ROWS, n);
    for (size_t r = 0; r < ROWS; r++) {
        double most = -INFINITY, sum = 0, got = 0;

        for (size_t i = 0; i < n; i++)
            most = fmax(most, in[r * n + i]);
        for (size_t i = 0; i < n; i++)
            sum += exp((in[r * n + i] - most) * scale);
        for (size_t i = 0; i < n; i++) {
            double want = exp((in[r * n + i] - most) * scale) / sum;

            assert_true(fabs(x[r * n + i] - want) < 1e-6);
            got += x[r * n + i];
        }
        assert_true(fabs(got - 1) < 1e-5);
    }
}

static void
softmax_sums_to_one_and_does_not_overflow(void **state)
{
    uint64_t rnd = wn_test_seed();
    float huge[] = { 3e38f, -3e38f, 3e38f };

    (void)state;
    for (int i = 0; i < 2; i++) {
        for (size_t n = 1; n <= N_MAX; n++) {
            check_softmax(set(i), n, 0.2f, &rnd);
            check_softmax(set(i), n, 1, &rnd);
        }
        huge[0] = huge[2] = 3e38f;
        huge[1] = -3e38f;
        set(i)->softmax(huge, 1, 1, 3);
        assert_true(huge[0] == 0.5f && huge[1] < 1e-30f && huge[2] == 0.5f);
    }
}

static void
check_norm(const struct wn_ops *ops, size_t n, int with_y, uint64_t *rnd)
{
    float x[ROWS * N_MAX], in[ROWS * N_MAX], y[ROWS * N_MAX];
    float bias[N_MAX], gamma[N_MAX], beta[N_MAX];

    draw_all(rnd, 3, in, ROWS * n);
    draw_all(rnd, 3, y, ROWS * n);
    draw_all(rnd, 1, bias, n);
    draw_all(rnd, 2, gamma, n);
    draw_all(rnd, 1, beta, n);
    memcpy(x, in, sizeof(x));
    ops->norm(x, with_y ? y : NULL, with_y ? bias : NULL, gamma, beta, 1e-3f,
        ROWS, n);
    for (size_t r = 0; r < ROWS; r++) {
        double v[N_MAX], mean = 0, var = 0;

        for (size_t i = 0; i < n; i++) {
            v[i] = in[r * n + i];
            if (with_y)
                v[i] += (double)y[r * n + i] + bias[i];
            mean += v[i] / (double)n;
        }
        for (size_t i = 0; i < n; i++)
            var += (v[i] - mean) * (v[i] - mean) / (double)n;
        for (size_t i = 0; i < n; i++)
            assert_true(fabs(x[r * n + i] -
                             ((v[i] - mean) / sqrt(var + 1e-3) * gamma[i] +
                                 beta[i])) < 5e-5);
    }
}

static void
norm_is_that_of_doubles(void **state)
{
    uint64_t rnd = wn_test_seed();

    (void)state;
    for (int i = 0; i < 2; i++) {
        for (size_t n = 1; n <= N_MAX; n++) {
            check_norm(set(i), n, 0, &rnd);
            check_norm(set(i), n, 1, &rnd);
        }
    }
}

/* A broken weight must show in the score, not pass as a number. */
static void
nan_stays_nan(void **state)
{
    float bias[20] = { 0 }, x[20];

    (void)state;
    for (int i = 0; i < 2; i++) {
        map_fn *const maps[] = { set(i)->gelu_erf, set(i)->gelu_tanh,
            set(i)->add_bias };

        for (size_t m = 0; m < 3; m++) {
            for (size_t j = 0; j < 20; j++)
                x[j] = j % 3 == 0 ? NAN : 1;
            maps[m](x, bias, 1, 20);
            for (size_t j = 0; j < 20; j++)
                assert_int_equal(isnan(x[j]) != 0, j % 3 == 0);
        }
        for (size_t j = 0; j < 20; j++)
            x[j] = j == 7 ? NAN : 1;
        set(i)->softmax(x, 1, 1, 20);
        for (size_t j = 0; j < 20; j++)
            assert_true(isnan(x[j]));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(gelu_is_as_exact_as_it_says),
    cmocka_unit_test(maps_add_the_bias_and_keep_to_their_rows),
    cmocka_unit_test(softmax_sums_to_one_and_does_not_overflow),
    cmocka_unit_test(norm_is_that_of_doubles),
    cmocka_unit_test(nan_stays_nan),
};

WN_TEST_MAIN("model ops", tests)
