/*
 * The encoder in int8, on the shipped weights, of however many layers: how far
 * it is from fp32 on every table of kernels, what company, early exits and a
 * last layer for the first rows alone may change, and what a folder may ask
 * for.
 */
#include <limits.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "model/encoder.h"
#include "tests/lib/test.h"

#define WEIGHTS "model/weights/winnow"
#define H 384
#define TOKENS 160
#define SEQUENCES 12

static struct wn_err err;

static struct wn_encoder *
open_as(const char *dir, enum wn_isa isa, enum wn_precision precision)
{
    const struct wn_encoder_conf conf = { isa, precision };
    struct wn_encoder *e;

    assert_wn_ok(wn_encoder_open(&e, dir, &conf, &err), &err);
    assert_int_equal(wn_encoder_shape(e)->hidden, H);
    return e;
}

/* The shipped weights under a config.json whose "winnow" has a member more or
 * another one; value NULL: none. */
static const char *
folder_with(const char *name, const char *value)
{
    static char dir[PATH_MAX];
    static int folders;
    char path[PATH_MAX + 32], real[PATH_MAX];
    json_t *root = json_load_file(WEIGHTS "/config.json", 0, NULL);

    assert_non_null(root);
    snprintf(dir, sizeof(dir), "%s/weights-%d", wn_test_dir(), ++folders);
    snprintf(path, sizeof(path), "mkdir '%s'", dir);
    assert_int_equal(system(path), 0);
    if (value != NULL)
        json_object_set_new(json_object_get(root, "winnow"), name,
            json_loads(value, JSON_DECODE_ANY, NULL));
    snprintf(path, sizeof(path), "%s/config.json", dir);
    assert_int_equal(json_dump_file(root, path, 0), 0);
    json_decref(root);
    assert_non_null(realpath(WEIGHTS "/model.safetensors", real));
    snprintf(path, sizeof(path), "%s/model.safetensors", dir);
    assert_int_equal(symlink(real, path), 0);
    return dir;
}

struct batch {
    int32_t ids[TOKENS];
    size_t offsets[SEQUENCES + 1], n;
};

static void
fill(struct batch *b)
{
    static const size_t lengths[SEQUENCES] = { 3, 1, 40, 17, 20, 2, 7, 33, 8, 5,
        1, 12 };
    uint64_t rnd = wn_test_seed();

    b->n = SEQUENCES;
    b->offsets[0] = 0;
    for (size_t s = 0; s < SEQUENCES; s++) {
        b->offsets[s + 1] = b->offsets[s] + lengths[s];
        for (size_t i = b->offsets[s]; i < b->offsets[s + 1]; i++)
            b->ids[i] = 1000 + (int32_t)(wn_test_random(&rnd) % 29000);
        b->ids[b->offsets[s]] = 101;
    }
}

static struct wn_workspace *
workspace(const struct wn_encoder *e)
{
    struct wn_workspace *w;

    assert_wn_ok(wn_workspace_new(&w, e, TOKENS, &err), &err);
    return w;
}

static void
run(const struct wn_encoder *e, const struct batch *b, float *pooled,
    float *hidden)
{
    struct wn_workspace *w = workspace(e);

    wn_encoder_run(e, w, b->ids, b->offsets, b->n, pooled, hidden);
    wn_workspace_free(w);
}

static double
cosine(const float *x, const float *y)
{
    double xy = 0, xx = 0, yy = 0;

    for (size_t i = 0; i < H; i++) {
        xy += (double)x[i] * y[i];
        xx += (double)x[i] * x[i];
        yy += (double)y[i] * y[i];
    }
    return xy / sqrt(xx * yy);
}

static double
largest_difference(const float *x, const float *y, size_t n)
{
    double most = 0;

    for (size_t i = 0; i < n; i++) {
        assert_true(isfinite(x[i]));
        most = fmax(most, fabs((double)x[i] - y[i]));
    }
    return most;
}

/* Kept off the stack. */
static struct batch batch, one;
static float want[SEQUENCES * H], got[SEQUENCES * H], hidden[TOKENS * H];

static double
least_cosine(const char *dir, enum wn_isa isa, enum wn_precision precision)
{
    struct wn_encoder *e = open_as(dir, isa, precision);
    double least = 1;

    run(e, &batch, got, NULL);
    for (size_t s = 0; s < batch.n; s++)
        least = fmin(least, cosine(got + s * H, want + s * H));
    wn_encoder_free(e);
    return least;
}

static void
every_table_is_near_to_fp32(void **state)
{
    static const char *const poolings[] = { "\"mean\"", "\"cls\"" };

    (void)state;
    fill(&batch);
    for (size_t p = 0; p < 2; p++) {
        const char *dir = folder_with("pooling", poolings[p]);
        struct wn_encoder *e = open_as(dir, WN_ISA_REF, WN_FP32);

        run(e, &batch, want, NULL);
        wn_encoder_free(e);
        for (int isa = WN_ISA_REF; isa < WN_ISAS; isa++) {
            double fast, fine, half;

            if (wn_kernels_of((enum wn_isa)isa) == NULL)
                continue;
            fast = least_cosine(dir, (enum wn_isa)isa, WN_INT8);
            fine = least_cosine(dir, (enum wn_isa)isa, WN_INT8_FINE);
            half = least_cosine(dir, (enum wn_isa)isa, WN_BFLOAT16);
            print_message("# %s pooling, %s: cosine at least %.5f, fine %.5f, "
                          "bf16 %.5f\n",
                poolings[p], wn_isa_names[isa], fast, fine, half);
            assert_true(fast > 0.97); /* of tokens drawn at random */
            assert_true(fine > 0.985);
            assert_true(half > 0.9995);
        }
    }
}

static void
each_table(void (*fn)(const struct wn_encoder *e), const char *dir)
{
    for (int isa = WN_ISA_REF; isa < WN_ISAS; isa++) {
        struct wn_encoder *e;

        if (wn_kernels_of((enum wn_isa)isa) == NULL)
            continue;
        e = open_as(dir, (enum wn_isa)isa, WN_INT8);
        fn(e);
        wn_encoder_free(e);
    }
}

static void
check_company(const struct wn_encoder *e)
{
    run(e, &batch, want, NULL);
    for (size_t s = 0; s < batch.n; s++) {
        one.n = 1;
        one.offsets[1] = batch.offsets[s + 1] - batch.offsets[s];
        memcpy(one.ids, batch.ids + batch.offsets[s],
            one.offsets[1] * sizeof(one.ids[0]));
        run(e, &one, got, NULL);
        assert_true(largest_difference(got, want + s * H, H) < 2e-5);
    }
}

static void
company_changes_nothing(void **state)
{
    (void)state;
    fill(&batch);
    each_table(check_company, WEIGHTS);
}

static void
check_first_rows(const struct wn_encoder *e)
{
    run(e, &batch, got, NULL); /* the last layer for the first rows */
    run(e, &batch, want, hidden);
    assert_true(largest_difference(got, want, batch.n * H) < 2e-5);
    for (size_t s = 0; s < batch.n; s++)
        assert_true(largest_difference(
                        want + s * H, hidden + batch.offsets[s] * H, H) == 0);
}

static void
first_rows_alone_are_what_they_are_among_all(void **state)
{
    (void)state;
    fill(&batch);
    each_table(check_first_rows, folder_with("pooling", "\"cls\""));
}

/* A layer whose FFN is narrower inside than outside, of random numbers. */
#define VOCAB 64
#define INSIDE 64

static const char *
narrow_folder(void)
{
    static const struct {
        const char *name;
        size_t rows, cols;
    } rows[] = {
        { "embeddings.word_embeddings.weight", VOCAB, H },
        { "embeddings.position_embeddings.weight", 4, H },
        { "embeddings.token_type_embeddings.weight", 1, H },
        { "embeddings.LayerNorm.weight", H, 0 },
        { "embeddings.LayerNorm.bias", H, 0 },
#define LAYER(part) "encoder.layer.0." part
        { LAYER("attention.self.query.weight"), H, H },
        { LAYER("attention.self.query.bias"), H, 0 },
        { LAYER("attention.self.key.weight"), H, H },
        { LAYER("attention.self.key.bias"), H, 0 },
        { LAYER("attention.self.value.weight"), H, H },
        { LAYER("attention.self.value.bias"), H, 0 },
        { LAYER("attention.output.dense.weight"), H, H },
        { LAYER("attention.output.dense.bias"), H, 0 },
        { LAYER("attention.output.LayerNorm.weight"), H, 0 },
        { LAYER("attention.output.LayerNorm.bias"), H, 0 },
        { LAYER("intermediate.dense.weight"), INSIDE, H },
        { LAYER("intermediate.dense.bias"), INSIDE, 0 },
        { LAYER("output.dense.weight"), H, INSIDE },
        { LAYER("output.dense.bias"), H, 0 },
        { LAYER("output.LayerNorm.weight"), H, 0 },
        { LAYER("output.LayerNorm.bias"), H, 0 },
#undef LAYER
    };
    enum { N = sizeof(rows) / sizeof(rows[0]) };
    static float numbers[H * H];
    static char dir[PATH_MAX];
    struct wn_tensor tensors[N];
    uint64_t rnd = wn_test_seed();
    char path[PATH_MAX + 32];
    FILE *f;

    for (size_t i = 0; i < H * H; i++)
        numbers[i] = (float)(wn_test_random(&rnd) % 401) / 1000.0f - 0.2f;
    for (size_t i = 0; i < N; i++)
        tensors[i] = (struct wn_tensor){ .name = rows[i].name,
            .dtype = WN_F32,
            .rank = rows[i].cols == 0 ? 1 : 2,
            .shape = { rows[i].rows, rows[i].cols },
            .n = rows[i].rows * (rows[i].cols == 0 ? 1 : rows[i].cols),
            .data = numbers };
    snprintf(dir, sizeof(dir), "%s/narrow", wn_test_dir());
    assert_int_equal(mkdir(dir, 0700), 0);
    snprintf(path, sizeof(path), "%s/model.safetensors", dir);
    assert_wn_ok(wn_safetensors_write(path, tensors, N, &err), &err);
    snprintf(path, sizeof(path), "%s/config.json", dir);
    f = fopen(path, "we");
    assert_non_null(f);
    fprintf(f,
        "{\"model_type\":\"bert\",\"num_hidden_layers\":1,"
        "\"hidden_size\":%d,\"num_attention_heads\":12,"
        "\"intermediate_size\":%d,\"max_position_embeddings\":4,"
        "\"vocab_size\":%d,\"type_vocab_size\":1,\"hidden_act\":\"gelu\","
        "\"layer_norm_eps\":1e-12,\"winnow\":{\"pooling\":\"cls\"}}",
        H, INSIDE, VOCAB);
    assert_int_equal(fclose(f), 0);
    return dir;
}

/* In a workspace of just these tokens. */
static void
check_narrow(const struct wn_encoder *e)
{
    struct wn_workspace *w;
    uint64_t rnd = wn_test_seed();

    for (size_t i = 0; i < 2 * SEQUENCES; i++)
        batch.ids[i] = (int32_t)(wn_test_random(&rnd) % VOCAB);
    for (size_t s = 0; s <= SEQUENCES; s++)
        batch.offsets[s] = 2 * s;
    batch.n = SEQUENCES;
    assert_wn_ok(wn_workspace_new(&w, e, 2 * SEQUENCES, &err), &err);
    wn_encoder_run(e, w, batch.ids, batch.offsets, batch.n, got, NULL);
    wn_encoder_run(e, w, batch.ids, batch.offsets, batch.n, want, hidden);
    assert_true(largest_difference(got, want, batch.n * H) < 2e-5);
    wn_workspace_free(w);
}

static void
queries_of_first_rows_have_room_beside_a_narrow_ffn(void **state)
{
    (void)state;
    each_table(check_narrow, narrow_folder());
}

/* --- exits --- */

#define LAYERS_MAX 12

struct asked {
    bool settles[LAYERS_MAX][SEQUENCES]; /* after layer, sequence */
    float seen[LAYERS_MAX][SEQUENCES][H];
    size_t in[LAYERS_MAX]; /* how many were asked about */
};

static void
ask(void *arg, size_t layer, const float *pooled, const size_t *who, size_t n,
    bool *keep)
{
    struct asked *a = arg;

    a->in[layer] = n;
    for (size_t i = 0; i < n; i++) {
        assert_true(who[i] < SEQUENCES);
        assert_true(i == 0 || who[i] > who[i - 1]);
        memcpy(
            a->seen[layer][who[i]], pooled + i * H, sizeof(a->seen[layer][0]));
        keep[i] = !a->settles[layer][who[i]];
    }
}

/* Everything stays: what each layer gives. Then some leave, and each result is
 * what that sequence had where it left. */
static void
check_exits(const struct wn_encoder *e)
{
    static struct asked all, some;
    const size_t layers = wn_encoder_shape(e)->layers;
    const struct wn_exits look = { (UINT64_C(1) << layers) - 1, ask, &all };
    const struct wn_exits leave = { 1u << 0 | 1u << 2 | 1u << 4, ask, &some };
    struct wn_workspace *w = workspace(e);
    uint64_t rnd = wn_test_seed();

    assert_in_range(layers, 6, LAYERS_MAX);
    memset(&all, 0, sizeof(all));
    memset(&some, 0, sizeof(some));
    wn_encoder_run_exits(e, w, batch.ids, batch.offsets, batch.n, &look, want);
    run(e, &batch, got, NULL);
    assert_true(largest_difference(got, want, batch.n * H) == 0);
    assert_int_equal(all.in[layers - 2], SEQUENCES);
    assert_int_equal(all.in[layers - 1], 0); /* never after the last */
    for (size_t s = 0; s < batch.n; s++)
        for (size_t l = 0; l < 6; l += 2)
            some.settles[l][s] = wn_test_random(&rnd) % 3 == 0;
    wn_encoder_run_exits(e, w, batch.ids, batch.offsets, batch.n, &leave, got);
    for (size_t s = 0; s < batch.n; s++) {
        const float *right = want + s * H;

        for (size_t l = 6; l-- > 0;)
            if (some.settles[l][s])
                right = all.seen[l][s];
        assert_true(largest_difference(got + s * H, right, H) < 2e-5);
    }
    assert_true(some.in[2] < SEQUENCES);
    for (size_t s = 0; s < batch.n; s++)
        some.settles[0][s] = true; /* all at once */
    some.in[2] = 77;
    wn_encoder_run_exits(e, w, batch.ids, batch.offsets, batch.n, &leave, got);
    assert_int_equal(some.in[2], 77);
    assert_true(largest_difference(got, all.seen[0][0], batch.n * H) < 2e-5);
    wn_workspace_free(w);
}

static void
what_leaves_early_changes_nothing_for_the_others(void **state)
{
    struct wn_encoder *e;

    (void)state;
    fill(&batch);
    each_table(check_exits, WEIGHTS);
    each_table(check_exits, folder_with("pooling", "\"cls\""));
    e = open_as(WEIGHTS, WN_ISA_REF, WN_FP32);
    check_exits(e);
    wn_encoder_free(e);
}

/* --- what a folder may ask for --- */

/* A precision for each of the shipped layers: those of first[], and int8. */
static const char *
precisions(const char *const *first, size_t n, size_t layers)
{
    static char text[32 * LAYERS_MAX];
    size_t len = 0;

    for (size_t i = 0; i < layers; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%c%s",
            i == 0 ? '[' : ',', i < n ? first[i] : "\"int8\"");
    snprintf(text + len, sizeof(text) - len, "]");
    return text;
}

static size_t
shipped_layers(void)
{
    struct wn_encoder *e = open_as(WEIGHTS, WN_ISA_REF, WN_INT8);
    size_t layers = wn_encoder_shape(e)->layers;

    wn_encoder_free(e);
    assert_in_range(layers, 6, LAYERS_MAX);
    return layers;
}

static void
layers_may_ask_for_more_precision(void **state)
{
    static const char *const first[] = { "\"int8\"", "\"fp32\"",
        "\"int8-fine\"", "\"int8\"", "\"bf16\"", "\"fp32\"" };
    size_t layers = shipped_layers();
    struct wn_encoder *e =
        open_as(folder_with("precision", precisions(first, 6, layers)),
            WN_ISA_AVX512VNNI, WN_INT8);
    char said[64];

    (void)state;
    fill(&batch);
    snprintf(said, sizeof(said), "int8, 4 of %zu layers finer", layers);
    assert_non_null(strstr(wn_encoder_kernels(e), said));
    run(e, &batch, got, NULL);
    wn_encoder_free(e);
    e = open_as(WEIGHTS, WN_ISA_REF, WN_FP32);
    assert_string_equal(wn_encoder_kernels(e), "fp32");
    run(e, &batch, want, NULL);
    wn_encoder_free(e);
    for (size_t s = 0; s < batch.n; s++)
        assert_true(cosine(got + s * H, want + s * H) > 0.985);
}

static void
check_refused(const char *value)
{
    struct wn_encoder *e = NULL;

    assert_int_equal(
        wn_encoder_open(&e, folder_with("precision", value), NULL, &err),
        WN_REJECT);
    assert_non_null(strstr(err.text, "winnow.precision"));
    assert_null(e);
}

static void
precisions_that_make_no_sense_are_refused(void **state)
{
    static const char *const bad[] = { "\"int8\"", "[]", "[\"int8\"]" };
    static const char *const none[] = { "\"int4\"", "8" };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_refused(bad[i]);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        check_refused(precisions(&none[i], 1, shipped_layers()));
    check_refused(precisions(NULL, 0, shipped_layers() + 1));
}

static void
a_shape_that_does_not_fit_runs_in_fp32(void **state)
{
    const struct wn_encoder_conf conf = { WN_ISA_AVX512VNNI, WN_INT8 };
    struct wn_encoder *e;

    (void)state;
    assert_wn_ok(wn_encoder_open(&e, "tests/golden/bert", &conf, &err), &err);
    assert_string_equal(wn_encoder_kernels(e), "fp32");
    wn_encoder_free(e);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_table_is_near_to_fp32),
    cmocka_unit_test(company_changes_nothing),
    cmocka_unit_test(first_rows_alone_are_what_they_are_among_all),
    cmocka_unit_test(queries_of_first_rows_have_room_beside_a_narrow_ffn),
    cmocka_unit_test(what_leaves_early_changes_nothing_for_the_others),
    cmocka_unit_test(layers_may_ask_for_more_precision),
    cmocka_unit_test(precisions_that_make_no_sense_are_refused),
    cmocka_unit_test(a_shape_that_does_not_fit_runs_in_fp32),
};

WN_TEST_MAIN("model/int8", tests)
