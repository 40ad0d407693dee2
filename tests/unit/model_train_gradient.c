/*
 * The network's gradients against differences of its loss, over double: every
 * number of a small network, with dropout and exits.
 */
#define REAL double
#define REAL_IS_DOUBLE 1
#define OPS net_ops_double
#include "model/train/net.inc"
#include "model/train/net_alloc.inc"

#include "tests/lib/test.h"

#define TOKENS 19
#define LOGITS (2 * 4 * 3)

static const struct wn_net_shape shape = {
    .layers = 3,
    .hidden = 8,
    .heads = 2,
    .ffn = 12,
    .positions = 9,
    .vocab = 11,
    .norm_eps = 1e-5,
    .out = 3,
    .exits = 2,
    .after = { 1, 3 },
    .tokens_max = TOKENS,
};
static const size_t offsets[] = { 0, 5, 6, 15, 19 };
static int32_t ids[TOKENS];
static struct wn_pool *pool;
static struct wn_net *net;
static uint64_t rng;

static double
draw(double reach)
{
    return reach * ((double)wn_test_random(&rng) / 9.223372036854775807e18 - 1);
}

static int
setup(void **state)
{
    struct wn_err err;

    (void)state;
    rng = wn_test_seed();
    assert_wn_ok(wn_pool_new(&pool, 2, &err), &err);
    assert_wn_ok(wn_net_new(&net, &shape, pool, &err), &err);
    for (size_t i = 0; i < net->w.n; i++)
        net->w.block[i] += draw(0.5);
    for (size_t i = 0; i < shape.vocab * shape.hidden; i++)
        net->words[i] = draw(1);
    for (size_t i = 0; i < TOKENS; i++)
        ids[i] = (int32_t)(wn_test_random(&rng) % (shape.vocab - 1));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    wn_net_free(net);
    wn_pool_free(pool);
    return 0;
}

static struct wn_net_batch
batch_with(double dropout)
{
    return (struct wn_net_batch){
        .ids = ids, .offsets = offsets, .n = 4, .dropout = dropout, .key = 77
    };
}

/* Half the squares of all logits: its gradient is the logits. */
static double
loss_of(const struct wn_net_batch *b, double logits[LOGITS])
{
    double s = 0;

    net_ops_double.forward(net, b, logits);
    for (size_t i = 0; i < LOGITS; i++)
        s += 0.5 * logits[i] * logits[i];
    return s;
}

/* What the loss does when *x moves. */
static double
difference(const struct wn_net_batch *b, double *x)
{
    const double step = 1e-5;
    double logits[LOGITS], was = *x, up, down;

    *x = was + step;
    up = loss_of(b, logits);
    *x = was - step;
    down = loss_of(b, logits);
    *x = was;
    return (up - down) / (2 * step);
}

static void
check_gradient(const struct wn_net_batch *b, double *x, double g, double size)
{
    double d = difference(b, x);

    if (!(fabs(d - g) <= 1e-6 * fmax(fabs(g), size)))
        fail_msg("gradient %.12g, difference %.12g", g, d);
}

static void
backward_from(const struct wn_net_batch *b, size_t first)
{
    double logits[LOGITS];

    wn_net_zero(net);
    loss_of(b, logits);
    net_ops_double.backward(net, b, logits, first);
}

static void
check_all(double dropout)
{
    struct wn_net_batch b = batch_with(dropout);
    size_t checked = 0;

    backward_from(&b, 0);
    for (size_t p = 0; p < net->parts_n; p++) {
        const struct wn_net_part *part = &net->parts[p];
        double size = 0;

        for (size_t i = part->at; i < part->at + part->n; i++)
            size = fmax(size, fabs(net->g.block[i]));
        assert_true(size > 0);
        for (size_t i = part->at; i < part->at + part->n; i++, checked++)
            check_gradient(&b, &net->w.block[i], net->g.block[i], size);
    }
    assert_int_equal(checked, net->w.n);
    for (size_t i = 0; i < net->touched_n; i++)
        for (size_t k = 0; k < shape.hidden; k++)
            check_gradient(&b,
                &net->words[(size_t)net->touched[i] * shape.hidden + k],
                net->words_g[i * shape.hidden + k], 1e-2);
    assert_int_equal(net->slot[shape.vocab - 1], -1); /* in no sequence */
}

static void
every_gradient_is_the_difference_of_the_loss(void **state)
{
    (void)state;
    check_all(0);
}

static void
so_it_is_with_dropout(void **state)
{
    (void)state;
    check_all(0.3);
}

static void
gradients_of_two_batches_add_up(void **state)
{
    struct wn_net_batch b = batch_with(0.1);
    double logits[LOGITS], *once = malloc(net->g.n * sizeof(*once));

    (void)state;
    assert_non_null(once);
    backward_from(&b, 1);
    memcpy(once, net->g.block, net->g.n * sizeof(*once));
    loss_of(&b, logits);
    net_ops_double.backward(net, &b, logits, 1);
    for (size_t i = 0; i < net->g.n; i++)
        assert_true(fabs(net->g.block[i] - 2 * once[i]) <= 1e-12);
    free(once);
}

/* With `first`, what is below gets nothing and what is above the same. */
static void
layers_below_the_first_get_no_gradient(void **state)
{
    struct wn_net_batch b = batch_with(0.1);
    double *all = malloc(net->g.n * sizeof(*all));

    (void)state;
    assert_non_null(all);
    backward_from(&b, 0);
    memcpy(all, net->g.block, net->g.n * sizeof(*all));
    for (size_t first = 1; first <= shape.layers; first++) {
        backward_from(&b, first);
        assert_int_equal(net->touched_n, 0);
        for (size_t p = 0; p < net->parts_n; p++)
            for (size_t i = 0; i < net->parts[p].n; i++) {
                size_t at = net->parts[p].at + i;

                assert_true(net->g.block[at] ==
                            (net->parts[p].depth > first ? all[at] : 0));
            }
    }
    free(all);
}

/* The dropped share is what was asked for, and other keys drop others. */
static void
dropout_drops_its_share(void **state)
{
    double x[4096], y[4096], z[4096];
    size_t gone = 0, same = 0;
    struct wn_net_batch b = batch_with(0.25);

    (void)state;
    for (size_t i = 0; i < 4096; i++)
        x[i] = 1;
    drop(drop_at(&b, 0, SITE_DOWN), 0, 4096, x, y);
    drop(drop_at(&b, 1, SITE_DOWN), 0, 4096, x, z);
    for (size_t i = 0; i < 4096; i++) {
        assert_true(y[i] == 0 || fabs(y[i] - 1 / 0.75) < 1e-12);
        gone += y[i] == 0;
        same += y[i] == z[i];
    }
    assert_in_range(gone, 900, 1150);  /* 1024 +- 5 deviations */
    assert_in_range(same, 2400, 2720); /* 2560: by chance alone */
    drop(drop_at(&b, 0, SITE_DOWN), 100, 50, x, z);
    assert_memory_equal(z, y + 100, 50 * sizeof(*z));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(
        every_gradient_is_the_difference_of_the_loss, setup, teardown),
    cmocka_unit_test_setup_teardown(so_it_is_with_dropout, setup, teardown),
    cmocka_unit_test_setup_teardown(
        gradients_of_two_batches_add_up, setup, teardown),
    cmocka_unit_test_setup_teardown(
        layers_below_the_first_get_no_gradient, setup, teardown),
    cmocka_unit_test(dropout_drops_its_share),
};
WN_TEST_MAIN("model_train_gradient", tests)
