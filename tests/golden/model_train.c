/*
 * Ten steps of training against PyTorch's, made by make_train.py: the losses,
 * the norms of the gradients, and every weight at the end. A small BERT with
 * two exits, the whole loss, AdamW with all of its settings; dropout is off.
 * Runs in the repository's root.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "model/train/loss.h"
#include "model/train/net_int.h"
#include "tests/lib/test.h"

#define GOLDEN "tests/golden/"
#define STEPS 10
#define TEXTS 12
#define POSITIONS 40
#define VOCAB 200
#define HIDDEN 64
#define OUT 5
#define EXITS 2
#define TOKENS_MAX (TEXTS * POSITIONS)
#define LOGITS (EXITS * TEXTS * OUT)
#define SEED 2024
#define BLOCK_REACH 0.2
#define WORDS_REACH 0.3
#define MOVE (1.0 / 16384)

#define RELATIVE_MAX 3e-6 /* of losses and norms */
#define WEIGHT_MAX 4e-5   /* of which storing them is 3.1e-5 */

static const struct wn_net_shape shape = {
    .layers = 3,
    .hidden = HIDDEN,
    .heads = 4,
    .ffn = 128,
    .positions = POSITIONS,
    .vocab = VOCAB,
    .norm_eps = 1e-12,
    .out = OUT,
    .exits = EXITS,
    .after = { 1, 3 },
    .tokens_max = TOKENS_MAX,
};

struct settings {
    struct wn_loss loss;
    struct wn_adamw adamw;
};
static const struct settings golden_settings = {
    .loss = { .exit_weight = { 0.3, 1 },
        .out_weight = { 1, 1, 2, 0.5, 0.5 },
        .smoothing = 0.1,
        .energy = 0.5,
        .energy_at = 0.25,
        .self = 0.5,
        .teach = 0.25 },
    .adamw = { .beta1 = 0.9,
        .beta2 = 0.999,
        .eps = 1e-6,
        .decay = 0.5,
        .rate = 1e-3,
        .fall = 0.8,
        .clip = 1.5,
        .words = true },
};

/* --- what is drawn, in the order of make_train.py --- */

static double
unit(uint64_t *rng)
{
    return (double)(wn_test_random(rng) >> 11) / 4503599627370496.0 - 1;
}

static size_t
below(uint64_t *rng, size_t n)
{
    return wn_test_random(rng) % n;
}

static void
draw_weights(struct wn_net *net, uint64_t *rng)
{
    for (size_t i = 0; i < net->w.n; i++)
        net->w.block[i] += (float)(BLOCK_REACH * unit(rng));
    for (size_t i = 0; i < VOCAB * HIDDEN; i++)
        net->words[i] = (float)(WORDS_REACH * unit(rng));
}

struct batch {
    int32_t ids[TOKENS_MAX];
    size_t offsets[TEXTS + 1];
    int8_t labels[TEXTS * OUT];
    float weight[TEXTS], teacher[TEXTS * OUT];
};

static void
draw_text(struct batch *b, size_t text, uint64_t *rng)
{
    size_t at = b->offsets[text], n = 1 + below(rng, POSITIONS);

    for (size_t i = at; i < at + n; i++)
        b->ids[i] = (int32_t)below(rng, 1 + below(rng, VOCAB));
    b->offsets[text + 1] = at + n;
    b->weight[text] = 0.25f * (float)(1 + below(rng, 8));
    for (size_t o = text * OUT; o < (text + 1) * OUT; o++)
        b->labels[o] = (int8_t)((int)below(rng, 3) - 1);
    for (size_t o = text * OUT; o < (text + 1) * OUT; o++)
        b->teacher[o] = below(rng, 4) > 0 ? (float)(2 * unit(rng)) : NAN;
}

static void
draw_batch(struct batch *b, uint64_t *rng)
{
    b->offsets[0] = 0;
    for (size_t i = 0; i < TEXTS; i++)
        draw_text(b, i, rng);
}

/* --- what is compared --- */

/* The largest differences of a run, as they are printed. */
struct apart {
    double loss, norm;         /* relative */
    double gradients, weights; /* norms of single tensors, relative */
    double weight;             /* of one weight */
};

struct golden {
    json_t *root;
    int8_t *moves;
    struct wn_net *net;
    float *first; /* weights before step 1: the block, then words */
    struct apart apart;
};

static double
number(const json_t *row, const char *key)
{
    const json_t *value = json_object_get(row, key);

    assert_true(json_is_number(value));
    return json_number_value(value);
}

static double
number_at(const json_t *row, const char *key, size_t i)
{
    const json_t *value = json_array_get(json_object_get(row, key), i);

    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void
keep_relative(double *largest, double got, double want)
{
    assert_true(isfinite(got));
    *largest = fmax(*largest, fabs(got / want - 1));
}

static double
length(const float *x, size_t n)
{
    double s = 0;

    for (size_t i = 0; i < n; i++)
        s += (double)x[i] * (double)x[i];
    return sqrt(s);
}

/* Norms of each part of `block` and of `words` beside those of the file. */
static void
compare_norms(const struct golden *g, double *largest, const float *block,
    const float *words, size_t words_n, const char *key, size_t at)
{
    const json_t *rows = json_object_get(g->root, "tensors");
    size_t parts = g->net->parts_n;

    assert_int_equal(json_array_size(rows), parts + 1);
    for (size_t i = 0; i < parts; i++) {
        const struct wn_net_part *p = &g->net->parts[i];
        const json_t *row = json_array_get(rows, i);

        assert_int_equal(number(row, "n"), p->n);
        keep_relative(
            largest, length(block + p->at, p->n), number_at(row, key, at));
    }
    keep_relative(largest, length(words, words_n),
        number_at(json_array_get(rows, parts), key, at));
}

static void
compare_gradients(struct golden *g, size_t at)
{
    compare_norms(g, &g->apart.gradients, g->net->g.block, g->net->words_g,
        g->net->touched_n * HIDDEN, "gradient_norm", at);
}

static void
compare_weights(struct golden *g, size_t at)
{
    compare_norms(g, &g->apart.weights, g->net->w.block, g->net->words,
        VOCAB * HIDDEN, "weight_norm", at);
}

static void
compare_moves(struct golden *g)
{
    size_t block = g->net->w.n;

    for (size_t i = 0; i < block + VOCAB * HIDDEN; i++) {
        double now =
            (double)(i < block ? g->net->w.block[i] : g->net->words[i - block]);
        double moved = now - (double)g->first[i];

        assert_true(isfinite(moved));
        g->apart.weight =
            fmax(g->apart.weight, fabs(moved - g->moves[i] * MOVE));
    }
}

/* --- a run --- */

static void
step(struct golden *g, const struct wn_net_ops *ops, struct settings how,
    const struct batch *b, size_t index)
{
    const json_t *want =
        json_array_get(json_object_get(g->root, "steps"), index);
    struct wn_net_batch batch = {
        .ids = b->ids, .offsets = b->offsets, .n = TEXTS
    };
    struct wn_loss_rows rows = { b->labels, b->weight, b->teacher, TEXTS };
    float logits[LOGITS], dlogits[LOGITS];
    double last;

    assert_int_equal(number(want, "tokens"), b->offsets[TEXTS]);
    ops->forward(g->net, &batch, logits);
    keep_relative(&g->apart.loss,
        wn_loss(&how.loss, &shape, &rows, logits, dlogits, &last),
        number(want, "loss"));
    keep_relative(&g->apart.loss, last, number(want, "last"));
    ops->backward(g->net, &batch, dlogits, 0);
    if (index == 0 || index == STEPS - 1)
        compare_gradients(g, index > 0);
    how.adamw.rate *= 1 - (double)index / STEPS;
    keep_relative(
        &g->apart.norm, ops->step(g->net, &how.adamw), number(want, "norm"));
}

static void
run(struct golden *g, const struct wn_net_ops *ops, const struct settings *how)
{
    uint64_t rng = SEED;
    struct batch b;
    size_t n = g->net->w.n;

    draw_weights(g->net, &rng);
    memcpy(g->first, g->net->w.block, n * sizeof(float));
    memcpy(g->first + n, g->net->words, VOCAB * HIDDEN * sizeof(float));
    compare_weights(g, 0);
    assert_true(g->apart.weights < 1e-12); /* both begin with the same */
    for (size_t i = 0; i < STEPS; i++) {
        draw_batch(&b, &rng);
        step(g, ops, *how, &b, i);
        if (i == 0)
            compare_weights(g, 1);
    }
    compare_weights(g, 2);
    compare_moves(g);
}

static void
read_golden(struct golden *g)
{
    size_t n = g->net->w.n + VOCAB * HIDDEN;
    FILE *f = fopen(GOLDEN "train_moves.i8", "re");

    assert_non_null(f);
    g->moves = malloc(n);
    g->first = malloc(n * sizeof(*g->first));
    assert_non_null(g->moves);
    assert_non_null(g->first);
    assert_int_equal(fread(g->moves, 1, n, f), n);
    assert_int_equal(fgetc(f), EOF);
    fclose(f);
    g->root = json_load_file(GOLDEN "train.json", 0, NULL);
    assert_non_null(g->root);
    assert_int_equal(json_array_size(json_object_get(g->root, "steps")), STEPS);
}

static struct apart
apart_with(const struct wn_net_ops *ops, const struct settings *how)
{
    struct golden g = { 0 };
    struct wn_pool *pool;
    struct wn_err err;

    assert_wn_ok(wn_pool_new(&pool, 2, &err), &err);
    assert_wn_ok(wn_net_new(&g.net, &shape, pool, &err), &err);
    read_golden(&g);
    run(&g, ops, how);
    json_decref(g.root);
    free(g.moves);
    free(g.first);
    wn_net_free(g.net);
    wn_pool_free(pool);
    return g.apart;
}

/* --- cases --- */

static bool
within(const struct apart *a)
{
    return a->loss <= RELATIVE_MAX && a->norm <= RELATIVE_MAX &&
           a->gradients <= RELATIVE_MAX && a->weights <= RELATIVE_MAX &&
           a->weight <= WEIGHT_MAX;
}

static void
check_run(const struct wn_net_ops *ops, const char *name)
{
    struct apart a = apart_with(ops, &golden_settings);

    print_message("%s: largest differences: loss %.1e, gradient's norm %.1e, "
                  "of a tensor %.1e, weights' norm %.1e (relative); a weight "
                  "%.1e\n",
        name, a.loss, a.norm, a.gradients, a.weights, a.weight);
    assert_true(within(&a));
}

static void
ten_steps_are_those_of_pytorch(void **state)
{
    (void)state;
    check_run(&wn_net_ops_base, "plain C");
}

static void
so_they_are_with_avx2(void **state)
{
    (void)state;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        check_run(&wn_net_ops_avx2, "AVX2");
        return;
    }
#endif
    skip();
}

/* With any one of the settings a little off, the cases above fail. */
static void
every_setting_shows(void **state)
{
    struct settings s = golden_settings;
    double *const values[] = { &s.loss.smoothing, &s.loss.energy,
        &s.loss.energy_at, &s.loss.self, &s.loss.teach, &s.loss.exit_weight[0],
        &s.loss.out_weight[3], &s.adamw.beta1, &s.adamw.beta2, &s.adamw.eps,
        &s.adamw.decay, &s.adamw.rate, &s.adamw.fall, &s.adamw.clip };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        double was = *values[i];
        struct apart a;

        *values[i] = 0.99 * was;
        a = apart_with(&wn_net_ops_base, &s);
        if (within(&a))
            fail_msg("setting %zu does not show", i);
        *values[i] = was;
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ten_steps_are_those_of_pytorch),
    cmocka_unit_test(so_they_are_with_avx2),
    cmocka_unit_test(every_setting_shows),
};
WN_TEST_MAIN("model_train_golden", tests)
