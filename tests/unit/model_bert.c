/*
 * An encoder written as a BERT is the same encoder: of every family, with
 * fewer layers, with fewer words. On the small classifiers of tests/golden.
 */
#include "model/bert.h"

#include <math.h>
#include <sys/stat.h>

#include "model/config.h"
#include "model/safetensors_int.h"
#include "tests/lib/test.h"

#define GOLDEN "tests/golden/"
#define T 40 /* tokens in two sequences */
#define H 32

static struct wn_err err;
static const char *const families[] = { "bert", "bert_tanh_f16", "distilbert",
    "roberta", "xlm_roberta" };
#define FAMILIES (sizeof(families) / sizeof(families[0]))

static struct wn_encoder *
open_encoder(const char *dir)
{
    struct wn_encoder *e = NULL;

    assert_wn_ok(wn_encoder_open(&e, dir, NULL, &err), &err);
    assert_int_equal(wn_encoder_shape(e)->hidden, H);
    return e;
}

static const char *
fresh_dir(void)
{
    static char path[4096];
    static int n;

    snprintf(path, sizeof(path), "%s/%d", wn_test_dir(), n++);
    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

/* e as b says, in a folder of its own. */
static struct wn_encoder *
rewrite(const char *name, const struct wn_encoder *e, const struct wn_bert *b,
    struct wn_bert_rest *rest)
{
    const char *dir = fresh_dir();
    char path[4200], from[64];
    json_t *config = NULL, *made;

    snprintf(from, sizeof(from), GOLDEN "%s", name);
    assert_wn_ok(
        wn_config_load_json(&config, from, "config.json", false, &err), &err);
    assert_wn_ok(wn_bert_write(e, dir, b, rest, &err), &err);
    made = wn_bert_config(e, config, b);
    assert_non_null(made);
    snprintf(path, sizeof(path), "%s/config.json", dir);
    assert_int_equal(json_dump_file(made, path, 0), 0);
    json_decref(made);
    json_decref(config);
    return open_encoder(dir);
}

/* Rows of tokens of two sequences. */
static void
run(const struct wn_encoder *e, const int32_t *ids, float rows[T][H])
{
    const size_t offsets[] = { 0, 13, T };
    struct wn_workspace *w = NULL;
    float pooled[2 * H];

    assert_wn_ok(wn_workspace_new(&w, e, T, &err), &err);
    wn_encoder_run(e, w, ids, offsets, 2, pooled, rows[0]);
    wn_workspace_free(w);
}

static void
draw_ids(int32_t *ids, const struct wn_encoder *e)
{
    uint64_t seed = wn_test_seed();

    for (size_t i = 0; i < T; i++)
        ids[i] = (int32_t)(wn_test_random(&seed) % wn_encoder_shape(e)->vocab);
}

static void
every_family_comes_out_the_same(void **state)
{
    const struct wn_bert all = { .prefix = "" };

    (void)state;
    for (size_t i = 0; i < FAMILIES; i++) {
        struct wn_bert_rest rest;
        struct wn_encoder *e, *made;
        float want[T][H], got[T][H];
        int32_t ids[T];
        char path[64];

        snprintf(path, sizeof(path), GOLDEN "%s", families[i]);
        e = open_encoder(path);
        made = rewrite(families[i], e, &all, &rest);
        draw_ids(ids, e);
        run(e, ids, want);
        run(made, ids, got);
        assert_memory_equal(want, got, sizeof(want));
        assert_int_equal(rest.n, 4); /* the classification head */
        assert_non_null(strstr(rest.example, "classifier"));
        wn_encoder_free(made);
        wn_encoder_free(e);
    }
}

static enum wn_dtype
words_dtype(const struct wn_encoder *e)
{
    const struct wn_tensor *t = wn_safetensors_find(
        wn_encoder_file(e), "embeddings.word_embeddings.weight");

    assert_non_null(t);
    return t->dtype;
}

static void
a_dtype_stays_unless_one_is_asked_for(void **state)
{
    static const enum wn_dtype f32 = WN_F32, f16 = WN_F16;
    static const struct {
        const char *family;
        const enum wn_dtype *asked;
        enum wn_dtype want;
        double bound;
    } cases[] = {
        { "bert", NULL, WN_F32, 0 },
        { "bert", &f32, WN_F32, 0 },
        { "bert", &f16, WN_F16, 0.05 },
        { "bert_tanh_f16", NULL, WN_F16, 0 },
        { "bert_tanh_f16", &f32, WN_F32, 0 },
        { "distilbert", &f16, WN_F16, 0.05 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct wn_bert b = { .prefix = "", .dtype = cases[i].asked };
        float want[T][H], got[T][H];
        struct wn_encoder *e, *made;
        double most = 0;
        int32_t ids[T];
        char path[64];

        snprintf(path, sizeof(path), GOLDEN "%s", cases[i].family);
        e = open_encoder(path);
        made = rewrite(cases[i].family, e, &b, NULL);
        assert_int_equal(words_dtype(made), cases[i].want);
        draw_ids(ids, e);
        run(e, ids, want);
        run(made, ids, got);
        for (size_t k = 0; k < T * H; k++)
            most = fmax(most, fabsf(want[k / H][k % H] - got[k / H][k % H]));
        assert_true(most <= cases[i].bound);
        wn_encoder_free(made);
        wn_encoder_free(e);
    }
}

/* --- a part of it --- */

struct seen {
    float pooled[2 * H];
    size_t layer;
};

static void
keep_pooled(void *arg, size_t layer, const float *pooled, const size_t *who,
    size_t n, bool *keep)
{
    struct seen *s = arg;

    assert_int_equal(n, 2);
    assert_int_equal(who[1], 1);
    keep[0] = keep[1] = true;
    s->layer = layer;
    memcpy(s->pooled, pooled, sizeof(s->pooled));
}

static void
the_first_layers_are_what_an_exit_sees(void **state)
{
    static const size_t layers[] = { 0 }, offsets[] = { 0, 13, T };
    const struct wn_bert b = { .prefix = "", .layers = layers, .layers_n = 1 };

    (void)state;
    for (size_t i = 0; i < FAMILIES; i++) {
        struct seen seen = { .layer = 9 };
        const struct wn_exits exits = { 1, keep_pooled, &seen };
        struct wn_workspace *w = NULL;
        struct wn_encoder *e, *made;
        float pooled[2 * H];
        int32_t ids[T];
        char path[64];

        snprintf(path, sizeof(path), GOLDEN "%s", families[i]);
        e = open_encoder(path);
        made = rewrite(families[i], e, &b, NULL);
        assert_int_equal(wn_encoder_shape(made)->layers, 1);
        draw_ids(ids, e);
        assert_wn_ok(wn_workspace_new(&w, e, T, &err), &err);
        wn_encoder_run_exits(e, w, ids, offsets, 2, &exits, pooled);
        assert_int_equal(seen.layer, 0);
        wn_workspace_free(w);
        assert_wn_ok(wn_workspace_new(&w, made, T, &err), &err);
        wn_encoder_run(made, w, ids, offsets, 2, pooled, NULL);
        for (size_t k = 0; k < 2 * H; k++)
            assert_true(fabsf(pooled[k] - seen.pooled[k]) < 1e-5f);
        wn_workspace_free(w);
        wn_encoder_free(made);
        wn_encoder_free(e);
    }
}

/* The last layer alone takes the number of the first. */
static void
another_layer_takes_the_number_of_one_that_went(void **state)
{
    static const size_t layers[] = { 1 };
    static const char name[] = "encoder.layer.%d.output.dense.weight";
    const struct wn_bert b = { .prefix = "", .layers = layers, .layers_n = 1 };
    struct wn_encoder *e = open_encoder(GOLDEN "roberta"), *made;
    const struct wn_tensor *was, *is;
    char path[100];

    (void)state;
    made = rewrite("roberta", e, &b, NULL);
    strcpy(path, "roberta.");
    snprintf(path + 8, sizeof(path) - 8, name, 1);
    was = wn_safetensors_find(wn_encoder_file(e), path);
    snprintf(path, sizeof(path), name, 0);
    is = wn_safetensors_find(wn_encoder_file(made), path);
    assert_non_null(was);
    assert_non_null(is);
    assert_int_equal(was->n, is->n);
    assert_memory_equal(was->data, is->data, is->n * 2);
    wn_encoder_free(made);
    wn_encoder_free(e);
}

static void
words_follow_their_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < FAMILIES; i++) {
        struct wn_encoder *e, *made;
        float want[T][H], got[T][H];
        int32_t kept[T], ids[T], row = 0;
        struct wn_bert b = { .prefix = "", .words = kept, .words_n = T };
        char path[64];

        snprintf(path, sizeof(path), GOLDEN "%s", families[i]);
        e = open_encoder(path);
        for (size_t k = 0; k < T; k++) {
            row += 1 + (int32_t)(k % 5);
            kept[k] = row;
            ids[k] = (int32_t)(T - 1 - k);
        }
        made = rewrite(families[i], e, &b, NULL);
        assert_int_equal(wn_encoder_shape(made)->vocab, T);
        run(made, ids, got);
        for (size_t k = 0; k < T; k++)
            ids[k] = kept[ids[k]];
        run(e, ids, want);
        assert_memory_equal(want, got, sizeof(want));
        wn_encoder_free(made);
        wn_encoder_free(e);
    }
}

static void
int8_comes_out_as_it_is_read(void **state)
{
    const struct wn_bert b = { .prefix = "" };
    struct wn_encoder *e = open_encoder(GOLDEN "bert"), *coded, *made;
    float want[T][H], got[T][H];
    const char *dir = fresh_dir();
    char command[9000], kept[4096];
    int32_t ids[T];

    (void)state;
    snprintf(kept, sizeof(kept), "%s", dir);
    assert_wn_ok(wn_encoder_write_int8(e, kept, NULL, 0, &err), &err);
    snprintf(
        command, sizeof(command), "cp " GOLDEN "bert/config.json '%s'", kept);
    assert_int_equal(system(command), 0);
    coded = open_encoder(kept);
    made = rewrite("bert", coded, &b, NULL);
    draw_ids(ids, e);
    run(coded, ids, want);
    run(made, ids, got);
    assert_memory_equal(want, got, sizeof(want));
    wn_encoder_free(made);
    wn_encoder_free(coded);
    wn_encoder_free(e);
}

/* --- what is refused --- */

/* The golden BERT with one number of the tensor set to v. */
static const char *
spoil(const char *tensor, float v)
{
    static char dir[4096];
    char path[4200];
    struct wn_safetensors *st = NULL;
    struct wn_tensor tensors[64];
    float *data;
    size_t n;

    snprintf(dir, sizeof(dir), "%s", fresh_dir());
    assert_wn_ok(
        wn_safetensors_open(&st, GOLDEN "bert/model.safetensors", &err), &err);
    n = wn_safetensors_n(st);
    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++)
        tensors[i] = *wn_safetensors_at(st, i);
    for (size_t i = 0; i < n; i++)
        if (strcmp(tensors[i].name, tensor) == 0) {
            data = malloc(tensors[i].n * sizeof(*data));
            assert_non_null(data);
            memcpy(data, tensors[i].data, tensors[i].n * sizeof(*data));
            data[tensors[i].n - 1] = v;
            tensors[i].data = data;
            snprintf(path, sizeof(path), "%s/model.safetensors", dir);
            assert_wn_ok(wn_safetensors_write(path, tensors, n, &err), &err);
            free(data);
        }
    wn_safetensors_close(st);
    snprintf(
        path, sizeof(path), "cp " GOLDEN "bert/config.json '%.4000s'", dir);
    assert_int_equal(system(path), 0);
    return dir;
}

static void
refuses(const char *name, float v, const enum wn_dtype *dtype, const char *why)
{
    const struct wn_bert b = { .prefix = "", .dtype = dtype };
    struct wn_encoder *e = open_encoder(spoil(name, v));
    const char *dir = fresh_dir();
    char path[4200];
    struct stat sb;

    assert_int_equal(wn_bert_write(e, dir, &b, NULL, &err), WN_REJECT);
    assert_non_null(strstr(err.text, name + strlen("bert.")));
    if (strstr(err.text, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, why);
    snprintf(path, sizeof(path), "%s/model.safetensors", dir);
    assert_int_not_equal(stat(path, &sb), 0);
    wn_encoder_free(e);
}

static void
numbers_that_are_none_are_refused(void **state)
{
    static const enum wn_dtype f16 = WN_F16, f32 = WN_F32;
    static const char words[] = "bert.embeddings.word_embeddings.weight";
    static const char bias[] = "bert.encoder.layer.1.attention.self.key.bias";

    (void)state;
    refuses(words, NAN, NULL, "NaN or infinite");
    refuses(words, -INFINITY, &f32, "NaN or infinite");
    refuses(words, NAN, &f16, "NaN or infinite");
    refuses(bias, -65600, &f16, "-65600 is too large for F16");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_comes_out_the_same),
        cmocka_unit_test(a_dtype_stays_unless_one_is_asked_for),
        cmocka_unit_test(the_first_layers_are_what_an_exit_sees),
        cmocka_unit_test(another_layer_takes_the_number_of_one_that_went),
        cmocka_unit_test(words_follow_their_rows),
        cmocka_unit_test(int8_comes_out_as_it_is_read),
        cmocka_unit_test(numbers_that_are_none_are_refused),
    };

    return wn_test_run(
        "bert", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
