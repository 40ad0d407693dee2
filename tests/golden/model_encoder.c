/*
 * Logits and pooled features against the reference implementation, on the
 * 200 texts of texts.jsonl (made by make_golden.py and make_tokenizers.py).
 * Five small classifiers lie beside this file. all-MiniLM-L6-v2 itself is
 * compared where WN_TEST_MINILM_DIR names its folder, multilingual-e5-small
 * where WN_TEST_E5_DIR does. Runs in the repository's root.
 */
#include <math.h>
#include <stdlib.h>

#include <jansson.h>

#include "model/encoder.h"
#include "model/tokenizer.h"
#include "tests/lib/test.h"

#define GOLDEN "tests/golden/"
#define TEXTS 200
#define TOKENS_MAX 4096
#define BOUND 1e-4

struct model {
    struct wn_encoder *e;
    struct wn_workspace *w;
    struct wn_tokenizer *t;
    const struct wn_encoder_shape *shape;
};

/* A batch of texts, packed. */
struct batch {
    int32_t ids[TOKENS_MAX];
    size_t offsets[TEXTS + 1], n;
};

static void
open_model(struct model *m, const char *dir)
{
    struct wn_err err;

    assert_wn_ok(wn_encoder_open(&m->e, dir, NULL, &err), &err);
    assert_wn_ok(wn_tokenizer_open(&m->t, dir, &err), &err);
    assert_wn_ok(wn_workspace_new(&m->w, m->e, TOKENS_MAX, &err), &err);
    m->shape = wn_encoder_shape(m->e);
}

static void
close_model(struct model *m)
{
    wn_workspace_free(m->w);
    wn_tokenizer_free(m->t);
    wn_encoder_free(m->e);
}

static void
add_text(const struct model *m, struct wn_tokens *tk, const json_t *text,
    struct batch *b)
{
    size_t at = b->offsets[b->n], n;
    struct wn_err err;

    assert_wn_ok(wn_tokenizer_run(m->t, json_string_value(text),
                     json_string_length(text), tk, &err),
        &err);
    n = tk->n < m->shape->positions - 2 ? tk->n : m->shape->positions - 2;
    assert_true(at + n + 2 <= TOKENS_MAX);
    b->ids[at] = wn_tokenizer_cls(m->t);
    memcpy(b->ids + at + 1, tk->ids, n * sizeof(*tk->ids));
    b->ids[at + 1 + n] = wn_tokenizer_sep(m->t);
    b->offsets[++b->n] = at + n + 2;
}

static float *
read_floats(const char *path, size_t n)
{
    float *out = malloc(n * sizeof(*out));
    FILE *f = fopen(path, "re");

    if (f == NULL)
        fail_msg("%s: cannot open", path);
    assert_non_null(out);
    assert_int_equal(fread(out, sizeof(*out), n, f), n);
    assert_int_equal(fgetc(f), EOF);
    fclose(f);
    return out;
}

static json_t *
next_text(FILE *f)
{
    return json_loadf(f, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, NULL);
}

/* Calls `each` for packed batches of all texts, in order. */
static void
for_batches(const struct model *m, FILE *f,
    void (*each)(
        const struct model *m, const struct batch *b, size_t first, void *arg),
    void *arg)
{
    struct batch *b = calloc(1, sizeof(*b));
    struct wn_tokens tk;
    size_t first = 0;
    json_t *text;

    assert_non_null(b);
    wn_tokens_init(&tk);
    for (;;) {
        text = next_text(f);
        if (text != NULL)
            add_text(m, &tk, text, b);
        json_decref(text);
        if (b->n > 0 &&
            (text == NULL ||
                b->offsets[b->n] + m->shape->positions > TOKENS_MAX)) {
            each(m, b, first, arg);
            first += b->n;
            b->n = 0;
        }
        if (text == NULL)
            break;
    }
    assert_int_equal(first, TEXTS);
    wn_tokens_release(&tk);
    free(b);
}

struct compare {
    const float *want;
    double largest;
};

static void
keep_largest(struct compare *c, double got, double want)
{
    assert_true(isfinite(got));
    if (fabs(got - want) > c->largest)
        c->largest = fabs(got - want);
}

static void
compare_logits(
    const struct model *m, const struct batch *b, size_t first, void *arg)
{
    size_t h = m->shape->hidden, labels = m->shape->labels;
    float *hidden = malloc(b->offsets[b->n] * h * sizeof(*hidden));
    float *pooled = malloc(b->n * h * sizeof(*pooled));
    float *logits = malloc(b->n * labels * sizeof(*logits));
    struct compare *c = arg;

    assert_non_null(hidden);
    assert_non_null(pooled);
    assert_non_null(logits);
    wn_encoder_run(m->e, m->w, b->ids, b->offsets, b->n, pooled, hidden);
    wn_encoder_logits(m->e, m->w, hidden, b->offsets, b->n, logits);
    for (size_t i = 0; i < b->n * labels; i++)
        keep_largest(c, logits[i], c->want[first * labels + i]);
    free(hidden);
    free(pooled);
    free(logits);
}

static void
check_logits(const char *name)
{
    char path[256];
    struct compare c = { .largest = 0 };
    struct model m;
    float *want;
    FILE *f = fopen(GOLDEN "texts.jsonl", "re");

    assert_non_null(f);
    snprintf(path, sizeof(path), GOLDEN "%s/logits.f32", name);
    want = read_floats(path, TEXTS * 3);
    c.want = want;
    snprintf(path, sizeof(path), GOLDEN "%s", name);
    open_model(&m, path);
    assert_int_equal(m.shape->labels, 3);
    for_batches(&m, f, compare_logits, &c);
    print_message("# %s: largest difference %.2g\n", name, c.largest);
    assert_true(c.largest <= BOUND);
    close_model(&m);
    free(want);
    fclose(f);
}

static void
bert_logits_are_those_of_the_reference(void **state)
{
    (void)state;
    check_logits("bert");
}

static void
bert_in_half_precision_with_tanh_gelu_too(void **state)
{
    (void)state;
    check_logits("bert_tanh_f16");
}

static void
distilbert_logits_are_those_of_the_reference(void **state)
{
    (void)state;
    check_logits("distilbert");
}

static void
roberta_logits_are_those_of_the_reference(void **state)
{
    (void)state;
    check_logits("roberta");
}

static void
xlm_roberta_logits_are_those_of_the_reference(void **state)
{
    (void)state;
    check_logits("xlm_roberta");
}

#define PROJECTIONS 16

static void
compare_projections(
    const struct model *m, const struct batch *b, size_t first, void *arg)
{
    size_t h = m->shape->hidden;
    float *pooled = malloc(b->n * h * sizeof(*pooled));
    struct compare *c = arg;

    assert_non_null(pooled);
    wn_encoder_run(m->e, m->w, b->ids, b->offsets, b->n, pooled, NULL);
    for (size_t s = 0; s < b->n; s++) {
        uint64_t rnd = 16;

        for (size_t p = 0; p < PROJECTIONS; p++) {
            double sum = 0;

            for (size_t i = 0; i < h; i++)
                sum += wn_test_random(&rnd) >> 63 ? pooled[s * h + i]
                                                  : -pooled[s * h + i];
            keep_largest(c, sum / sqrt((double)h),
                c->want[(first + s) * PROJECTIONS + p]);
        }
    }
    free(pooled);
}

static void
check_features(const char *variable, const char *file, enum wn_pooling pooling)
{
    const char *dir = getenv(variable);
    struct compare c = { .largest = 0 };
    struct model m;
    float *want;
    FILE *f;

    if (dir == NULL || dir[0] == '\0') {
        print_message("# skipped: %s does not name its folder\n", variable);
        skip();
    }
    f = fopen(GOLDEN "texts.jsonl", "re");
    assert_non_null(f);
    want = read_floats(file, TEXTS * PROJECTIONS);
    c.want = want;
    open_model(&m, dir);
    assert_int_equal(m.shape->hidden, 384);
    assert_int_equal(m.shape->pooling, pooling);
    for_batches(&m, f, compare_projections, &c);
    print_message("# %s: largest difference %.2g\n", file, c.largest);
    assert_true(c.largest <= BOUND);
    close_model(&m);
    free(want);
    fclose(f);
}

static void
minilm_features_are_those_of_the_reference(void **state)
{
    (void)state;
    check_features("WN_TEST_MINILM_DIR", GOLDEN "minilm.f32", WN_POOL_MEAN);
}

static void
e5_features_are_those_of_the_reference(void **state)
{
    (void)state;
    check_features("WN_TEST_E5_DIR", GOLDEN "e5.f32", WN_POOL_CLS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bert_logits_are_those_of_the_reference),
        cmocka_unit_test(bert_in_half_precision_with_tanh_gelu_too),
        cmocka_unit_test(distilbert_logits_are_those_of_the_reference),
        cmocka_unit_test(roberta_logits_are_those_of_the_reference),
        cmocka_unit_test(xlm_roberta_logits_are_those_of_the_reference),
        cmocka_unit_test(minilm_features_are_those_of_the_reference),
        cmocka_unit_test(e5_features_are_those_of_the_reference),
    };

    return wn_test_run("golden encoder", tests, 7, NULL, NULL);
}
