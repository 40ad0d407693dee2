/*
 * Training's arithmetic in single precision: the same bits with any number of
 * threads, AdamW by its definition, the loss and its gradient, weights out and
 * in again, a checkpoint that goes on to the byte.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/train/loss.h"
#include "model/train/train.h"
#include "tests/lib/test.h"
#include "tests/lib/weights.h"

#define N 5
#define TOKENS 300
#define OUT 3
#define EXITS 2
#define DIR_ "build/tests/model_train"
#define H WN_WEIGHTS_HIDDEN

static const struct wn_net_shape shape = {
    .layers = 2,
    .hidden = 64,
    .heads = 2,
    .ffn = 128,
    .positions = 128,
    .vocab = 50,
    .norm_eps = 1e-5,
    .out = OUT,
    .exits = EXITS,
    .after = { 1, 2 },
    .tokens_max = TOKENS,
};
static const size_t offsets[] = { 0, 100, 101, 180, 181, 300 };
static int32_t ids[TOKENS];
static struct wn_err err;

static const struct wn_adamw adamw = { .beta1 = 0.9,
    .beta2 = 0.999,
    .eps = 1e-8,
    .decay = 0.01,
    .rate = 1e-3,
    .fall = 0.9,
    .clip = 1,
    .words = true };

static double
unit(uint64_t i)
{
    uint64_t s = i * 2654435761u + 12345;

    return (double)wn_test_random(&s) / 9.223372036854775807e18 - 1;
}

static void
fill(struct wn_net *net)
{
    for (size_t i = 0; i < net->w.n; i++)
        net->w.block[i] += (float)(0.1 * unit(i));
    for (size_t i = 0; i < shape.vocab * shape.hidden; i++)
        net->words[i] = (float)unit(i + 1000000);
    for (size_t i = 0; i < TOKENS; i++)
        ids[i] = (int32_t)(i * i % shape.vocab);
}

/* One step of learning that every logit be 0. */
static double
learn(struct wn_net *net, const struct wn_adamw *conf, uint64_t step)
{
    struct wn_net_batch b = {
        .ids = ids, .offsets = offsets, .n = N, .dropout = 0.1, .key = step
    };
    float logits[EXITS * N * OUT];

    wn_net_forward(net, &b, logits);
    wn_net_backward(net, &b, logits, conf->first);
    return wn_net_step(net, conf);
}

struct made {
    struct wn_pool *pool;
    struct wn_net *net;
};

static struct made
make(size_t threads)
{
    struct made m;

    assert_wn_ok(wn_pool_new(&m.pool, threads, &err), &err);
    assert_wn_ok(wn_net_new(&m.net, &shape, m.pool, &err), &err);
    fill(m.net);
    return m;
}

static void
unmake(struct made m)
{
    wn_net_free(m.net);
    wn_pool_free(m.pool);
}

static void
assert_same(const struct wn_net *a, const struct wn_net *b)
{
    size_t words = shape.vocab * shape.hidden * sizeof(float);

    assert_memory_equal(a->w.block, b->w.block, a->w.n * sizeof(float));
    assert_memory_equal(a->m.block, b->m.block, a->m.n * sizeof(float));
    assert_memory_equal(a->v.block, b->v.block, a->v.n * sizeof(float));
    assert_memory_equal(a->words, b->words, words);
    assert_memory_equal(a->words_v, b->words_v, words);
    assert_int_equal(a->steps, b->steps);
}

static void
threads_do_not_change_a_bit(void **state)
{
    struct made one = make(1), five = make(5);

    (void)state;
    for (uint64_t step = 0; step < 4; step++)
        assert_true(
            learn(one.net, &adamw, step) == learn(five.net, &adamw, step));
    assert_same(one.net, five.net);
    unmake(one);
    unmake(five);
}

/* --- AdamW --- */

static void
a_step_is_that_of_adamw(void **state)
{
    struct made a = make(1);
    struct wn_adamw conf = adamw;
    float *w = malloc(a.net->w.n * sizeof(*w));
    float *g = malloc(a.net->g.n * sizeof(*g)), logits[EXITS * N * OUT];
    struct wn_net_batch b = { .ids = ids, .offsets = offsets, .n = N };
    double norm = 0, said;

    (void)state;
    assert_non_null(w);
    assert_non_null(g);
    wn_net_forward(a.net, &b, logits);
    wn_net_backward(a.net, &b, logits, 0);
    memcpy(w, a.net->w.block, a.net->w.n * sizeof(*w));
    memcpy(g, a.net->g.block, a.net->g.n * sizeof(*g));
    for (size_t i = 0; i < a.net->g.n; i++)
        norm += (double)g[i] * (double)g[i];
    for (size_t i = 0; i < a.net->touched_n * shape.hidden; i++)
        norm += (double)a.net->words_g[i] * (double)a.net->words_g[i];
    norm = sqrt(norm);
    said = wn_net_step(a.net, &conf);
    assert_true(fabs(said - norm) < 1e-5 * norm);
    assert_true(norm > 1); /* so that clipping is seen */
    for (size_t p = 0; p < a.net->parts_n; p++) {
        const struct wn_net_part *part = &a.net->parts[p];
        double rate = 1e-3 * (part->depth >= 2      ? 1
                                 : part->depth == 1 ? 0.9
                                                    : 0.81);

        for (size_t i = part->at; i < part->at + part->n; i++) {
            double x = (double)g[i] / norm;
            double want = (double)w[i] * (1 - (part->decays ? rate * 0.01 : 0));

            want -= rate * x / (fabs(x) + 1e-8); /* moments corrected: x, x^2 */
            assert_true(fabs((double)a.net->w.block[i] - want) < 2e-6);
        }
    }
    assert_int_equal(a.net->touched_n, 0);
    free(w);
    free(g);
    unmake(a);
}

static void
what_is_frozen_does_not_move(void **state)
{
    struct made a = make(2), still = make(1);
    struct wn_adamw conf = adamw;

    (void)state;
    conf.first = 1;
    conf.words = false;
    for (uint64_t step = 0; step < 3; step++)
        learn(a.net, &conf, step);
    for (size_t p = 0; p < a.net->parts_n; p++) {
        const struct wn_net_part *part = &a.net->parts[p];
        bool same =
            memcmp(a.net->w.block + part->at, still.net->w.block + part->at,
                part->n * sizeof(float)) == 0;

        assert_int_equal(same, part->depth <= 1);
    }
    assert_memory_equal(a.net->words, still.net->words,
        shape.vocab * shape.hidden * sizeof(float));
    unmake(a);
    unmake(still);
}

static void
a_network_learns(void **state)
{
    struct made a = make(2);
    double first = learn(a.net, &adamw, 0), last = first;

    (void)state;
    for (uint64_t step = 1; step < 60; step++)
        last = learn(a.net, &adamw, step);
    assert_true(last < 0.5 * first);
    unmake(a);
}

/* --- the loss --- */

static const struct wn_loss loss = { .exit_weight = { 0.3, 1 },
    .out_weight = { 1, 2, 0.5 },
    .smoothing = 0.04,
    .energy = 0.05,
    .energy_at = 1,
    .self = 0.5,
    .teach = 0.25 };

static void
the_loss_has_the_gradient_it_says(void **state)
{
    int8_t labels[N * OUT];
    float weight[N], teacher[N * OUT], z[EXITS * N * OUT], dz[EXITS * N * OUT];
    float unused[EXITS * N * OUT];
    struct wn_loss_rows rows = { labels, weight, teacher, N };

    (void)state;
    for (size_t i = 0; i < N * OUT; i++) {
        labels[i] = (int8_t)((int)(i % 3) - 1);
        teacher[i] = i % 4 == 0 ? NAN : (float)(2 * unit(i + 7));
    }
    for (size_t i = 0; i < N; i++)
        weight[i] = 0.5f + (float)i;
    for (size_t i = 0; i < EXITS * N * OUT; i++)
        z[i] = (float)(4 * unit(i));
    wn_loss(&loss, &shape, &rows, z, dz, NULL);
    for (size_t i = 0; i < N * OUT; i++) { /* the first exit's: nothing else
                                              depends on them */
        const float step = 1e-2f;
        float was = z[i];
        double up, down;

        z[i] = was + step;
        up = wn_loss(&loss, &shape, &rows, z, unused, NULL);
        z[i] = was - step;
        down = wn_loss(&loss, &shape, &rows, z, unused, NULL);
        z[i] = was;
        assert_true(
            fabs((up - down) / (2 * (double)step) - (double)dz[i]) < 1e-4);
    }
}

/* Two rows, one output: numbers by hand. */
static void
the_loss_is_the_mean_over_known_labels(void **state)
{
    static const struct wn_net_shape one = { .out = 1, .exits = 1 };
    static const struct wn_loss plain = { .exit_weight = { 1 },
        .out_weight = { 1 } };
    const int8_t labels[] = { 1, -1, 0 };
    const float weight[] = { 1, 5, 3 }, z[] = { 0, 9, 0 };
    struct wn_loss_rows rows = { labels, weight, NULL, 3 };
    float dz[3];
    double last;

    (void)state;
    assert_true(
        fabs(wn_loss(&plain, &one, &rows, z, dz, &last) - log(2)) < 1e-12);
    assert_true(fabs(last - log(2)) < 1e-12);
    assert_true(fabs((double)dz[0] + 0.125) < 1e-7);
    assert_true(dz[1] == 0);
    assert_true(fabs((double)dz[2] - 0.375) < 1e-7);
}

/* Other exits are pulled to where the last one is, which is not pulled back. */
static void
the_deepest_exit_teaches_and_does_not_learn_from_that(void **state)
{
    static const struct wn_net_shape two = { .out = 1, .exits = 2 };
    static const struct wn_loss only = {
        .exit_weight = { 1, 1 }, .out_weight = { 1 }, .self = 1
    };
    const int8_t none[] = { -1 };
    const float weight[] = { 1 }, z[] = { -1, 2 };
    struct wn_loss_rows rows = { none, weight, NULL, 1 };
    float dz[2];

    (void)state;
    wn_loss(&only, &two, &rows, z, dz, NULL);
    assert_true(dz[0] < 0);
    assert_true(dz[1] == 0);
}

/* --- files --- */

static void
a_checkpoint_goes_on_to_the_byte(void **state)
{
    const uint8_t settings[32] = { 7 }, others[32] = { 8 };
    struct wn_train_place place = { 3, 4, 5, 0.25 }, got;
    const char *path = DIR_ "/checkpoint";
    struct made a = make(1), b = make(2);
    bool found;

    (void)state;
    assert_int_equal(system("mkdir -p " DIR_), 0);
    unlink(path);
    assert_wn_ok(
        wn_checkpoint_read(b.net, path, settings, &got, &found, &err), &err);
    assert_false(found);
    learn(a.net, &adamw, 0);
    learn(a.net, &adamw, 1);
    assert_wn_ok(
        wn_checkpoint_write(a.net, path, settings, &place, &err), &err);
    learn(a.net, &adamw, 2);
    assert_wn_ok(
        wn_checkpoint_read(b.net, path, settings, &got, &found, &err), &err);
    assert_true(found);
    assert_memory_equal(&got, &place, sizeof(got));
    learn(b.net, &adamw, 2);
    assert_same(a.net, b.net);
    assert_int_equal(
        wn_checkpoint_read(b.net, path, others, &got, &found, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "other settings"));
    assert_int_equal(truncate(path, 5000), 0);
    assert_int_equal(
        wn_checkpoint_read(b.net, path, settings, &got, &found, &err),
        WN_REJECT);
    assert_non_null(strstr(err.text, "cut off"));
    unlink(path);
    unmake(a);
    unmake(b);
}

/* The small weights of tests/lib, made once. */
static const char *
weights(void)
{
    static char dir[4200];
    struct wn_joint j;

    if (dir[0] != '\0')
        return dir;
    snprintf(dir, sizeof(dir), "%s/weights", wn_test_dir());
    assert_int_equal(mkdir(dir, 0700), 0);
    wn_weights_joint(&j);
    wn_weights_make(dir, &j);
    return dir;
}

/* Weights in, out, and in again: the encoder says the same. */
static void
weights_come_back_as_they_went(void **state)
{
    static const struct wn_train_shape all = {
        .exits = 2, .after = { 1, 2 }, .out = 4, .tokens_max = 64
    };
    static const int32_t some[] = { 2, 123, 203, 3, 2, 99, 3 };
    const size_t at[] = { 0, 4, 7 };
    struct wn_encoder *e, *back;
    struct wn_workspace *w;
    struct wn_net *net, *again;
    struct wn_pool *pool;
    float want[2 * H], got[2 * H], logits[2 * 2 * 4];
    struct wn_net_batch b = { .ids = some, .offsets = at, .n = 2 };
    char copy[4300];

    (void)state;
    assert_wn_ok(wn_pool_new(&pool, 2, &err), &err);
    assert_wn_ok(wn_encoder_open(&e, weights(), NULL, &err), &err);
    assert_wn_ok(wn_train_net(&net, e, &all, 1, pool, &err), &err);
    snprintf(copy, sizeof(copy), "cp '%s/config.json' " DIR_, weights());
    assert_int_equal(system(copy), 0);
    assert_wn_ok(wn_train_save(net, DIR_, &err), &err);
    assert_wn_ok(wn_encoder_open(&back, DIR_, NULL, &err), &err);
    assert_wn_ok(wn_workspace_new(&w, e, 64, &err), &err);
    wn_encoder_run(e, w, some, at, 2, want, NULL);
    wn_encoder_run(back, w, some, at, 2, got, NULL);
    for (size_t i = 0; i < 2 * H; i++)
        assert_true(fabsf(want[i] - got[i]) < 1e-5f);

    /* The network's own forward pass, through its exit. */
    wn_net_forward(net, &b, logits);
    for (size_t s = 0; s < 2; s++)
        for (size_t o = 0; o < 4; o++) {
            double z = (double)net->w.exit_b[1][o];

            for (size_t i = 0; i < H; i++)
                z += (double)want[s * H + i] *
                     (double)net->w.exit_w[1][o * H + i];
            assert_true(fabs(z - (double)logits[8 + s * 4 + o]) < 1e-5);
        }

    /* Its exits come back too, whatever the seed. */
    assert_wn_ok(wn_train_net(&again, back, &all, 99, pool, &err), &err);
    assert_memory_equal(again->w.block, net->w.block, net->w.n * sizeof(float));
    wn_net_free(net);
    wn_net_free(again);
    wn_workspace_free(w);
    wn_encoder_free(e);
    wn_encoder_free(back);
    wn_pool_free(pool);
}

static void
shapes_that_do_not_fit_are_refused(void **state)
{
    static const struct wn_train_shape bad[] = {
        { .exits = 1, .after = { 1 }, .out = 4, .tokens_max = 64 },
        { .layers = 3, .exits = 1, .after = { 3 }, .out = 4, .tokens_max = 64 },
        { .exits = 0, .out = 4, .tokens_max = 64 },
    };
    struct wn_encoder_conf int8 = { WN_ISA_REF, WN_INT8 };
    struct wn_encoder *e;
    struct wn_net *net = NULL;
    struct wn_pool *pool;

    (void)state;
    assert_wn_ok(wn_pool_new(&pool, 1, &err), &err);
    assert_wn_ok(wn_encoder_open(&e, weights(), NULL, &err), &err);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(
            wn_train_net(&net, e, &bad[i], 1, pool, &err), WN_REJECT);
    wn_encoder_free(e);
    assert_wn_ok(wn_encoder_open(&e, weights(), &int8, &err), &err);
    assert_int_equal(wn_train_net(&net, e,
                         &(struct wn_train_shape){ .exits = 1,
                             .after = { WN_WEIGHTS_LAYERS },
                             .out = 4,
                             .tokens_max = 64 },
                         1, pool, &err),
        WN_REJECT);
    assert_non_null(strstr(err.text, "fp32"));
    assert_null(net);
    wn_encoder_free(e);
    wn_pool_free(pool);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(threads_do_not_change_a_bit),
    cmocka_unit_test(a_step_is_that_of_adamw),
    cmocka_unit_test(what_is_frozen_does_not_move),
    cmocka_unit_test(a_network_learns),
    cmocka_unit_test(the_loss_has_the_gradient_it_says),
    cmocka_unit_test(the_loss_is_the_mean_over_known_labels),
    cmocka_unit_test(the_deepest_exit_teaches_and_does_not_learn_from_that),
    cmocka_unit_test(a_checkpoint_goes_on_to_the_byte),
    cmocka_unit_test(weights_come_back_as_they_went),
    cmocka_unit_test(shapes_that_do_not_fit_are_refused),
};
WN_TEST_MAIN("model_train", tests)
