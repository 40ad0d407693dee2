/*
 * Training in bf16: each product against one over double of the same rounded
 * numbers, a network's gradients near those of fp32, and what holds in fp32:
 * the same bits with any number of threads, frozen layers, sums of batches.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/kernels/kernels_int.h"
#include "model/train/bf16.h"
#include "model/train/train.h"
#include "tests/lib/test.h"

#define N 7
#define TOKENS 301
#define OUT 3
#define EXITS 2
#define LOGITS (EXITS * N * OUT)

static const struct wn_net_shape shape = {
    .layers = 3,
    .hidden = 192,
    .heads = 6,
    .ffn = 448,
    .positions = 128,
    .vocab = 90,
    .norm_eps = 1e-12,
    .out = OUT,
    .exits = EXITS,
    .after = { 1, 3 },
    .tokens_max = TOKENS,
};
static const size_t offsets[] = { 0, 100, 101, 180, 181, 251, 300, 301 };
static const struct wn_adamw adamw = { .beta1 = 0.9,
    .beta2 = 0.999,
    .eps = 1e-8,
    .decay = 0.01,
    .rate = 1e-3,
    .fall = 0.9,
    .clip = 1,
    .words = true };
static int32_t ids[TOKENS];
static struct wn_err err;

static float
unit(uint64_t i)
{
    uint64_t s = i * 2654435761u + 4711;

    return (float)((double)wn_test_random(&s) / 9.223372036854775807e18 - 1);
}

static void
need_bf16(void)
{
    if (wn_net_bf16_fits(&shape))
        return;
    print_message("# this CPU has no AVX512-BF16\n");
    skip();
}

/* --- products --- */

#define T 269 /* three parts; odd, and no multiple of 8 behind the second */
static const struct wn_bf16_shape sizes[] = { { 192, 32 }, { 32, 416 },
    { 160, 800 }, { 448, 192 } };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static float *
numbers(size_t n, uint64_t seed)
{
    float *x = malloc(n * sizeof(*x));

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = unit(seed + i);
    return x;
}

static double
near(float x)
{
    return (double)wn_bf16_float(wn_bf16(x));
}

/* got = was + the sum over k of a[k * a_step] * b[k * b_step] */
static void
check_dot(size_t n, const float *a, size_t a_step, const float *b,
    size_t b_step, float was, float got)
{
    double want = (double)was, size = fabs(want);

    for (size_t k = 0; k < n; k++) {
        double p = near(a[k * a_step]) * near(b[k * b_step]);

        want += p;
        size += fabs(p);
    }
    if (!(fabs((double)got - want) <= 1e-6 * size))
        fail_msg("%.9g, not %.9g", (double)got, want);
}

struct problem {
    struct wn_bf16_net *net;
    size_t out, in, layer;
    float *w, *x, *y, *dy, *dx, *dw; /* was: dx and dw before the products */
    float *dx_was, *dw_was;
};

static struct problem
pose(struct wn_bf16_net *net, size_t layer)
{
    size_t out = sizes[layer].out, in = sizes[layer].in;
    struct problem p = { .net = net, .out = out, .in = in, .layer = layer };

    p.w = numbers(out * in, 1);
    p.x = numbers(T * in, 1u << 24);
    p.y = numbers(T * out, 3);
    p.dy = numbers(T * out, 1u << 25);
    p.dx = numbers(T * in, 5);
    p.dw = numbers(out * in, 6);
    p.dx_was = numbers(T * in, 5);
    p.dw_was = numbers(out * in, 6);
    return p;
}

static void
release(struct problem *p)
{
    float *all[] = { p->w, p->x, p->y, p->dy, p->dx, p->dw, p->dx_was,
        p->dw_was };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        free(all[i]);
}

static void
run_products(struct problem *p)
{
    for (size_t row = 0; row < p->out; row += WN_BF16_BLOCK)
        wn_bf16_pack(p->net, p->layer, p->w, row);
    for (size_t first = 0; first < T; first += WN_BF16_BLOCK) {
        size_t n = T - first < WN_BF16_BLOCK ? T - first : WN_BF16_BLOCK;

        wn_bf16_forward(p->net, p->layer, 1, first, n, p->x, p->y);
        wn_bf16_backward(p->net, p->layer, 0, n, p->dy + first * p->out,
            first > 0, p->dx + first * p->in);
    }
    for (size_t col = 0; col < p->out; col += WN_BF16_BLOCK)
        wn_bf16_gradient(p->net, p->layer, 2, col, T, p->dy, p->dw);
}

static void
check_products(const struct problem *p)
{
    for (size_t t = 0; t < T; t++)
        for (size_t o = 0; o < p->out; o++)
            check_dot(p->in, p->x + t * p->in, 1, p->w + o * p->in, 1, 0,
                p->y[t * p->out + o]);
    for (size_t t = 0; t < T; t++)
        for (size_t i = 0; i < p->in; i++)
            check_dot(p->out, p->dy + t * p->out, 1, p->w + i, p->in,
                t < WN_BF16_BLOCK ? 0 : p->dx_was[t * p->in + i],
                p->dx[t * p->in + i]);
    for (size_t o = 0; o < p->out; o++)
        for (size_t i = 0; i < p->in; i++)
            check_dot(T, p->dy + o, p->out, p->x + i, p->in,
                p->dw_was[o * p->in + i], p->dw[o * p->in + i]);
}

static void
products_are_those_of_the_rounded_numbers(void **state)
{
    struct wn_bf16_net *net;
    struct problem p[SIZES];

    (void)state;
    need_bf16();
    assert_wn_ok(wn_bf16_net_new(&net, sizes, SIZES, T, 3, &err), &err);
    for (size_t i = 0; i < SIZES; i++) {
        p[i] = pose(net, i);
        run_products(&p[i]);
    }
    for (size_t i = 0; i < SIZES; i++) {
        check_products(&p[i]);
        release(&p[i]);
    }
    wn_bf16_net_free(net);
}

/* What is not a number stays none: a broken weight is seen. */
static void
nan_stays_nan(void **state)
{
    struct wn_bf16_net *net;
    struct problem p;

    (void)state;
    need_bf16();
    assert_wn_ok(wn_bf16_net_new(&net, sizes, 1, T, 3, &err), &err);
    p = pose(net, 0);
    p.x[5] = NAN;
    p.w[31] = INFINITY;
    run_products(&p);
    assert_true(isnan(p.y[7]));
    assert_false(isfinite(p.y[3 * p.out]));
    assert_true(isfinite(p.y[3 * p.out + 1]));
    release(&p);
    wn_bf16_net_free(net);
}

static void
other_sizes_do_not_fit(void **state)
{
    struct wn_net_shape odd = shape;
    struct wn_pool *pool;
    struct wn_net *net;

    (void)state;
    odd.ffn = 100;
    assert_false(wn_net_bf16_fits(&odd));
    assert_wn_ok(wn_pool_new(&pool, 1, &err), &err);
    assert_wn_ok(wn_net_new(&net, &odd, pool, &err), &err);
    assert_int_equal(wn_net_bf16(net, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "(192, 100)"));
    wn_net_free(net);
    wn_pool_free(pool);
}

/* --- the network --- */

struct made {
    struct wn_pool *pool;
    struct wn_net *net;
};

static struct made
make(size_t threads, bool bf16)
{
    struct made m;

    assert_wn_ok(wn_pool_new(&m.pool, threads, &err), &err);
    assert_wn_ok(wn_net_new(&m.net, &shape, m.pool, &err), &err);
    if (bf16)
        assert_wn_ok(wn_net_bf16(m.net, &err), &err);
    for (size_t i = 0; i < m.net->w.n; i++)
        m.net->w.block[i] += 0.1f * unit(i);
    for (size_t i = 0; i < shape.vocab * shape.hidden; i++)
        m.net->words[i] = unit(i + (1u << 24));
    for (size_t i = 0; i < TOKENS; i++)
        ids[i] = (int32_t)(i * i % shape.vocab);
    return m;
}

static void
unmake(struct made m)
{
    wn_net_free(m.net);
    wn_pool_free(m.pool);
}

static void
pass(struct wn_net *net, uint64_t key, size_t first, float logits[LOGITS])
{
    struct wn_net_batch b = {
        .ids = ids, .offsets = offsets, .n = N, .dropout = 0.1, .key = key
    };

    wn_net_forward(net, &b, logits);
    wn_net_backward(net, &b, logits, first);
}

/* One step of learning that every logit be 0. */
static double
learn(struct wn_net *net, const struct wn_adamw *conf, uint64_t step)
{
    float logits[LOGITS];

    pass(net, step, conf->first, logits);
    return wn_net_step(net, conf);
}

static double
cosine(const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;

    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

static void
gradients_are_near_those_of_fp32(void **state)
{
    float got[LOGITS], want[LOGITS];
    struct made a, b;
    double least = 1;

    (void)state;
    need_bf16();
    a = make(2, true);
    b = make(2, false);
    pass(a.net, 3, 0, got);
    pass(b.net, 3, 0, want);
    assert_true(cosine(got, want, LOGITS) > 0.9999);
    assert_true(memcmp(got, want, sizeof(got)) != 0);
    for (size_t p = 0; p < a.net->parts_n; p++) {
        const struct wn_net_part *part = &a.net->parts[p];
        double c = cosine(
            a.net->g.block + part->at, b.net->g.block + part->at, part->n);

        least = c < least ? c : least;
        if (!(c > 0.99))
            fail_msg("part %zu: cosine %.5f", p, c);
    }
    assert_true(cosine(a.net->words_g, b.net->words_g,
                    a.net->touched_n * shape.hidden) > 0.99);
    print_message("# least cosine of a tensor's gradients: %.5f\n", least);
    unmake(a);
    unmake(b);
}

static void
threads_do_not_change_a_bit_of_bf16(void **state)
{
    struct made one, five;
    size_t words = shape.vocab * shape.hidden * sizeof(float);

    (void)state;
    need_bf16();
    one = make(1, true);
    five = make(5, true);
    for (uint64_t step = 0; step < 4; step++)
        assert_true(
            learn(one.net, &adamw, step) == learn(five.net, &adamw, step));
    assert_memory_equal(
        one.net->w.block, five.net->w.block, one.net->w.n * sizeof(float));
    assert_memory_equal(one.net->words, five.net->words, words);
    unmake(one);
    unmake(five);
}

static void
a_network_learns_in_bf16(void **state)
{
    struct made a;
    double first, last;

    (void)state;
    need_bf16();
    a = make(2, true);
    first = last = learn(a.net, &adamw, 0);
    for (uint64_t step = 1; step < 40; step++)
        last = learn(a.net, &adamw, step);
    assert_true(last < 0.5 * first);
    unmake(a);
}

/* Two passes add up: in another order of sums than one, so not to the bit. */
static void
gradients_of_two_batches_add_up_in_bf16(void **state)
{
    float logits[LOGITS], *once;
    struct made a;

    (void)state;
    need_bf16();
    a = make(2, true);
    once = malloc(a.net->g.n * sizeof(*once));
    assert_non_null(once);
    pass(a.net, 1, 1, logits);
    memcpy(once, a.net->g.block, a.net->g.n * sizeof(*once));
    pass(a.net, 1, 1, logits);
    for (size_t p = 0; p < a.net->parts_n; p++) {
        const struct wn_net_part *part = &a.net->parts[p];
        float most = 0;

        for (size_t i = part->at; i < part->at + part->n; i++)
            most = fmaxf(most, fabsf(once[i]));
        for (size_t i = part->at; i < part->at + part->n; i++)
            assert_true(fabsf(a.net->g.block[i] - 2 * once[i]) <= 1e-4f * most);
    }
    free(once);
    unmake(a);
}

static void
what_is_frozen_does_not_move_in_bf16(void **state)
{
    struct wn_adamw conf = adamw;
    float logits[LOGITS];
    struct made a, all;

    (void)state;
    need_bf16();
    conf.first = 2;
    conf.words = false;
    a = make(2, true);
    all = make(1, true);
    pass(a.net, 9, conf.first, logits);
    pass(all.net, 9, 0, logits);
    for (size_t p = 0; p < a.net->parts_n; p++) {
        const struct wn_net_part *part = &a.net->parts[p];
        size_t bytes = part->n * sizeof(float);

        if (part->depth > conf.first)
            assert_memory_equal(
                a.net->g.block + part->at, all.net->g.block + part->at, bytes);
    }
    wn_net_step(a.net, &conf);
    learn(a.net, &conf, 10);
    for (size_t p = 0; p < a.net->parts_n; p++) {
        const struct wn_net_part *part = &a.net->parts[p];

        assert_int_equal(
            memcmp(a.net->w.block + part->at, all.net->w.block + part->at,
                part->n * sizeof(float)) == 0,
            part->depth <= conf.first);
    }
    unmake(a);
    unmake(all);
}

/* A checkpoint says nothing of precision: fp32 goes on in bf16 and learns. */
static void
a_checkpoint_goes_on_in_the_other_precision(void **state)
{
    const uint8_t settings[32] = { 7 };
    struct wn_train_place place = { 3, 4, 5, 0.25 }, got;
    char path[300];
    struct made a, b;
    bool found;

    (void)state;
    need_bf16();
    snprintf(path, sizeof(path), "%s/checkpoint", wn_test_dir());
    a = make(1, false);
    b = make(1, true);
    learn(a.net, &adamw, 0);
    assert_wn_ok(
        wn_checkpoint_write(a.net, path, settings, &place, &err), &err);
    assert_wn_ok(
        wn_checkpoint_read(b.net, path, settings, &got, &found, &err), &err);
    assert_true(found);
    learn(a.net, &adamw, 1);
    learn(b.net, &adamw, 1);
    assert_true(cosine(a.net->w.block, b.net->w.block, a.net->w.n) > 0.99999);
    assert_true(cosine(a.net->m.block, b.net->m.block, a.net->m.n) > 0.99);
    unmake(a);
    unmake(b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(products_are_those_of_the_rounded_numbers),
    cmocka_unit_test(nan_stays_nan),
    cmocka_unit_test(other_sizes_do_not_fit),
    cmocka_unit_test(gradients_are_near_those_of_fp32),
    cmocka_unit_test(threads_do_not_change_a_bit_of_bf16),
    cmocka_unit_test(a_network_learns_in_bf16),
    cmocka_unit_test(gradients_of_two_batches_add_up_in_bf16),
    cmocka_unit_test(what_is_frozen_does_not_move_in_bf16),
    cmocka_unit_test(a_checkpoint_goes_on_in_the_other_precision),
};
WN_TEST_MAIN("model_train_bf16", tests)
