/*
 * The encoder: what packing may change, folders that do not fit together, and
 * the int8 file. On the small classifiers of tests/golden, so it runs in the
 * repository's root; that the numbers are right is tested there.
 */
#include "model/encoder.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/safetensors_int.h"
#include "tests/lib/test.h"

#define BERT "tests/golden/bert"
#define DISTIL "tests/golden/distilbert"
#define HALF "tests/golden/bert_tanh_f16"
#define TOKENS_MAX 2048
#define HIDDEN_MAX 32
#define TENSORS_MAX 128

static struct wn_encoder *
open_dir(const char *dir)
{
    struct wn_encoder *e;
    struct wn_err err;

    assert_wn_ok(wn_encoder_open(&e, dir, NULL, &err), &err);
    assert_true(wn_encoder_shape(e)->hidden <= HIDDEN_MAX);
    return e;
}

static struct wn_workspace *
new_workspace(const struct wn_encoder *e)
{
    struct wn_workspace *w;
    struct wn_err err;

    assert_wn_ok(wn_workspace_new(&w, e, TOKENS_MAX, &err), &err);
    return w;
}

struct batch {
    int32_t ids[TOKENS_MAX];
    size_t offsets[TOKENS_MAX + 1], n;
};

/* Sequences of every length up to all positions while there is room. */
static void
fill(const struct wn_encoder *e, struct batch *b)
{
    const struct wn_encoder_shape *s = wn_encoder_shape(e);
    uint64_t rnd = 3;
    size_t len = 1;

    b->n = 0;
    b->offsets[0] = 0;
    for (; len <= s->positions; len += 1 + b->n % 3) {
        size_t at = b->offsets[b->n];

        assert_true(at + len <= TOKENS_MAX);
        for (size_t i = 0; i < len; i++)
            b->ids[at + i] = (int32_t)(wn_test_random(&rnd) % s->vocab);
        b->offsets[++b->n] = at + len;
    }
    assert_true(b->n > 20);
}

static double
largest_difference(const float *a, const float *b, size_t n)
{
    double largest = 0;

    for (size_t i = 0; i < n; i++) {
        assert_true(isfinite(a[i]));
        assert_true(isfinite(b[i]));
        largest = fmax(largest, fabs((double)a[i] - b[i]));
    }
    return largest;
}

struct result {
    float pooled[TOKENS_MAX * HIDDEN_MAX];
    float hidden[TOKENS_MAX * HIDDEN_MAX];
    float logits[TOKENS_MAX * 3];
};

static void
run(const struct wn_encoder *e, const struct batch *b, struct result *r)
{
    struct wn_workspace *w = new_workspace(e);

    wn_encoder_run(e, w, b->ids, b->offsets, b->n, r->pooled, r->hidden);
    if (wn_encoder_shape(e)->labels > 0)
        wn_encoder_logits(e, w, r->hidden, b->offsets, b->n, r->logits);
    wn_workspace_free(w);
}

/* Big: kept off the stack. */
static struct batch batch, part;
static struct result whole, alone;

static void
check_packing(const char *dir)
{
    struct wn_encoder *e = open_dir(dir);
    size_t h = wn_encoder_shape(e)->hidden;
    struct wn_workspace *w = new_workspace(e);

    fill(e, &batch);
    run(e, &batch, &whole);
    for (size_t s = 0; s < batch.n; s++) {
        size_t at = batch.offsets[s], len = batch.offsets[s + 1] - at;

        part.n = 1;
        part.offsets[1] = len;
        memcpy(part.ids, batch.ids + at, len * sizeof(part.ids[0]));
        wn_encoder_run(
            e, w, part.ids, part.offsets, 1, alone.pooled, alone.hidden);
        assert_true(
            largest_difference(alone.pooled, whole.pooled + s * h, h) < 2e-5);
        assert_true(largest_difference(
                        alone.hidden, whole.hidden + at * h, len * h) < 2e-5);
    }
    wn_workspace_free(w);
    wn_encoder_free(e);
}

static void
a_text_scores_the_same_in_any_company(void **state)
{
    (void)state;
    check_packing(BERT);
    check_packing(HALF);
    check_packing(DISTIL);
}

static void
neighbours_are_not_seen(void **state)
{
    struct wn_encoder *e = open_dir(BERT);
    size_t h = wn_encoder_shape(e)->hidden, mid, at, len;

    (void)state;
    fill(e, &batch);
    run(e, &batch, &whole);
    mid = batch.n / 2;
    at = batch.offsets[mid];
    len = batch.offsets[mid + 1] - at;
    for (size_t i = 0; i < batch.offsets[batch.n]; i++) {
        if (i < at || i >= at + len)
            batch.ids[i] = (batch.ids[i] + 1) % 5;
    }
    run(e, &batch, &alone);
    assert_memory_equal(
        alone.hidden + at * h, whole.hidden + at * h, len * h * sizeof(float));
    assert_true(largest_difference(alone.pooled, whole.pooled, h) > 1e-3);
    wn_encoder_free(e);
}

static void
pooled_is_the_first_row_or_the_mean(void **state)
{
    struct wn_encoder *e = open_dir(BERT);
    size_t h = wn_encoder_shape(e)->hidden;

    (void)state;
    assert_int_equal(wn_encoder_shape(e)->pooling, WN_POOL_CLS);
    fill(e, &batch);
    run(e, &batch, &whole);
    for (size_t s = 0; s < batch.n; s++)
        assert_memory_equal(whole.pooled + s * h,
            whole.hidden + batch.offsets[s] * h, h * sizeof(float));
    wn_encoder_free(e);
}

static void
an_empty_batch_is_no_work(void **state)
{
    struct wn_encoder *e = open_dir(BERT);
    struct wn_workspace *w = new_workspace(e);
    const size_t offsets[] = { 0 };
    float untouched = 7;

    (void)state;
    wn_encoder_run(e, w, NULL, offsets, 0, &untouched, &untouched);
    wn_encoder_logits(e, w, NULL, offsets, 0, &untouched);
    assert_true(untouched == 7);
    wn_workspace_free(w);
    wn_encoder_free(e);
}

static void
workspaces_are_bounded(void **state)
{
    struct wn_encoder *e = open_dir(BERT);
    struct wn_workspace *w = NULL;
    struct wn_err err;

    (void)state;
    assert_int_equal(wn_workspace_new(&w, e, 0, &err), WN_REJECT);
    assert_int_equal(wn_workspace_new(&w, e, (1 << 20) + 1, &err), WN_REJECT);
    assert_null(w);
    wn_encoder_free(e);
}

struct job {
    const struct wn_encoder *e;
    struct result *r;
};

static void *
run_often(void *arg)
{
    struct job *job = arg;

    for (int i = 0; i < 5; i++)
        run(job->e, &batch, job->r);
    return NULL;
}

static void
threads_share_an_encoder(void **state)
{
    struct wn_encoder *e = open_dir(DISTIL);
    struct job jobs[] = { { e, &whole }, { e, &alone } };
    size_t h = wn_encoder_shape(e)->hidden;
    pthread_t threads[2];

    (void)state;
    fill(e, &batch);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, run_often, &jobs[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_memory_equal(
        whole.pooled, alone.pooled, batch.n * h * sizeof(float));
    wn_encoder_free(e);
}

/* --- folders that do not fit together --- */

static void
make_dir(char out[4200])
{
    static int n;

    snprintf(out, 4200, "%s/%d", wn_test_dir(), n++);
    assert_int_equal(mkdir(out, 0700), 0);
}

/* The folder's config.json with `was` replaced by `is`; NULL: as it is. */
static void
copy_config(const char *from, const char *to, const char *was, const char *is)
{
    char path[4300], text[4096];
    size_t len, skip;
    const char *hit;
    FILE *f;

    snprintf(path, sizeof(path), "%s/config.json", from);
    f = fopen(path, "re");
    assert_non_null(f);
    len = fread(text, 1, sizeof(text) - 1, f);
    text[len] = '\0';
    fclose(f);
    hit = was == NULL ? text : strstr(text, was);
    assert_non_null(hit);
    skip = was == NULL ? 0 : strlen(was);
    snprintf(path, sizeof(path), "%s/config.json", to);
    f = fopen(path, "we");
    assert_non_null(f);
    fprintf(f, "%.*s%s%s", (int)(hit - text), text, is == NULL ? "" : is,
        hit + skip);
    assert_int_equal(fclose(f), 0);
}

/* A list of a folder's tensors, to change and write again. */
struct tensors {
    struct wn_safetensors *st;
    struct wn_tensor list[TENSORS_MAX];
    char names[TENSORS_MAX][100];
    size_t n;
};

static void
read_tensors(struct tensors *t, const char *dir)
{
    char path[4300];
    struct wn_err err;

    snprintf(path, sizeof(path), "%s/model.safetensors", dir);
    assert_wn_ok(wn_safetensors_open(&t->st, path, &err), &err);
    t->n = wn_safetensors_n(t->st);
    assert_true(t->n <= TENSORS_MAX);
    for (size_t i = 0; i < t->n; i++)
        t->list[i] = *wn_safetensors_at(t->st, i);
}

static struct wn_tensor *
tensor(struct tensors *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->list[i].name, name) == 0)
            return &t->list[i];
    }
    fail_msg("no tensor '%s'", name);
    return NULL;
}

static void
drop(struct tensors *t, const char *name)
{
    struct wn_tensor *at = tensor(t, name);

    *at = t->list[--t->n];
}

static void
write_tensors(struct tensors *t, const char *dir)
{
    char path[4300];
    struct wn_err err;

    snprintf(path, sizeof(path), "%s/model.safetensors", dir);
    assert_wn_ok(wn_safetensors_write(path, t->list, t->n, &err), &err);
    wn_safetensors_close(t->st);
}

static void
assert_rejects(const char *dir, const char *why)
{
    struct wn_encoder *e = NULL;
    struct wn_err err;

    assert_int_equal(wn_encoder_open(&e, dir, NULL, &err), WN_REJECT);
    if (strstr(err.text, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, why);
    assert_null(e);
}

static struct tensors tensors;

static void
config_and_weights_must_agree(void **state)
{
    static const struct {
        const char *was, *is, *why;
    } rows[] = {
        { "\"hidden_size\": 32", "\"hidden_size\": 64", "fewer numbers" },
        { "\"hidden_size\": 32", "\"hidden_size\": 16", "shape is not" },
        { "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1",
            "config.json says 1 layers" },
        { "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3",
            "fewer numbers" },
        { "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 128",
            "fewer numbers" },
        { "\"intermediate_size\": 96", "\"intermediate_size\": 95",
            "intermediate.dense.weight': shape is not" },
        { "\"intermediate_size\": 96", "\"intermediate_size\": 65536",
            "fewer numbers" },
        { "\"max_position_embeddings\": 64", "\"max_position_embeddings\": 63",
            "position_embeddings.weight': shape is not" },
        { "\"type_vocab_size\": 2", "\"type_vocab_size\": 1",
            "token_type_embeddings.weight': shape is not" },
        { "\"vocab_size\": ", "\"vocab_size\": 1",
            "fewer numbers" }, /* 1 in front of the digits */
        { "\"2\": \"LABEL_2\"", "\"2\": \"x\", \"3\": \"y\"",
            "rows are not the labels" },
        { "\"model_type\": \"bert\"", "\"model_type\": \"distilbert\"",
            "no 'n_layers'" },
    };
    char dir[4200];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        make_dir(dir);
        copy_config(BERT, dir, rows[i].was, rows[i].is);
        read_tensors(&tensors, BERT);
        write_tensors(&tensors, dir);
        assert_rejects(dir, rows[i].why);
    }
}

static void
each_tensor_of_the_network_is_needed(void **state)
{
    static const char *const needed[] = {
        "bert.embeddings.word_embeddings.weight",
        "bert.embeddings.position_embeddings.weight",
        "bert.embeddings.token_type_embeddings.weight",
        "bert.embeddings.LayerNorm.weight",
        "bert.embeddings.LayerNorm.bias",
        "bert.encoder.layer.0.attention.self.query.weight",
        "bert.encoder.layer.1.attention.self.key.bias",
        "bert.encoder.layer.1.attention.output.LayerNorm.bias",
        "bert.encoder.layer.0.output.dense.bias",
        "bert.pooler.dense.weight",
        "classifier.bias",
    };
    char dir[4200];

    (void)state;
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        make_dir(dir);
        copy_config(BERT, dir, NULL, NULL);
        read_tensors(&tensors, BERT);
        drop(&tensors, needed[i]);
        write_tensors(&tensors, dir);
        /* the word table is looked for under three names */
        assert_rejects(
            dir, i == 0 ? "word_embeddings.weight': is missing" : needed[i]);
    }
}

static void
tensors_of_another_shape_or_type_are_rejected(void **state)
{
    static const char query[] =
        "bert.encoder.layer.0.attention.self.query.weight";
    static const char bias[] = "bert.encoder.layer.0.output.dense.bias";
    struct wn_tensor *t;
    char dir[4200];

    (void)state;
    make_dir(dir);
    copy_config(BERT, dir, NULL, NULL);
    for (int i = 0; i < 7; i++) {
        static const char *const why[] = { "shape is not", "shape is not",
            "shape is not", "not one of weights",
            "query.weight.scale': is missing", "an I8 vector", "shape is not" };

        read_tensors(&tensors, BERT);
        t = tensor(&tensors, i < 5 ? query : bias);
        switch (i) {
        case 0: /* as many numbers, other sides */
            t->shape[0] = 64;
            t->shape[1] = 16;
            break;
        case 1: /* half of each row; the numbers are all there */
            t->shape[1] = 16;
            t->n = 512;
            tensors.list[tensors.n++] =
                (struct wn_tensor){ "rest", WN_F32, 1, { 512 }, 512, t->data };
            break;
        case 2: /* a vector */
            t->rank = 1;
            t->shape[0] = 1024;
            break;
        case 3:
            t->dtype = WN_I32;
            break;
        case 4:
        case 5:
            t->dtype = WN_I8;
            break;
        default: /* a matrix of one row */
            t->rank = 2;
            t->shape[0] = 1;
            t->shape[1] = 32;
        }
        write_tensors(&tensors, dir);
        assert_rejects(dir, why[i]);
    }
}

static void
folders_without_their_files_are_rejected(void **state)
{
    char dir[4200];

    (void)state;
    assert_rejects("/nonexistent", "config.json: No such file");
    make_dir(dir);
    copy_config(BERT, dir, NULL, NULL);
    assert_rejects(dir, "model.safetensors: No such file");
}

static void
write_empty(const char *dir, const char *name)
{
    char path[4300];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static void
other_files_of_weights_are_named_with_the_way_from_there(void **state)
{
    char dir[4200];

    (void)state;
    make_dir(dir);
    copy_config(BERT, dir, NULL, NULL);
    write_empty(dir, "pytorch_model.bin");
    assert_rejects(dir, "pytorch_model.bin is: pickle files can run code");
    assert_rejects(dir, "safe_serialization=True");
    write_empty(dir, "model.safetensors.index.json");
    assert_rejects(dir, "model.safetensors.index.json is: shards are not");
    write_empty(dir, "model.safetensors");
    assert_rejects(dir, "model.safetensors: empty");
}

/* The folder's tensors under other names must give the same numbers. */
static void
check_names(const char *cut, const char *scale, const char *shift)
{
    struct wn_encoder *e = open_dir(BERT);
    char dir[4200];

    fill(e, &batch);
    run(e, &batch, &whole);
    wn_encoder_free(e);
    make_dir(dir);
    copy_config(BERT, dir, NULL, NULL);
    read_tensors(&tensors, BERT);
    for (size_t i = 0; i < tensors.n; i++) {
        const char *name = tensors.list[i].name;
        const char *norm = strstr(name, "LayerNorm.");
        size_t skip = strncmp(name, cut, strlen(cut)) == 0 ? strlen(cut) : 0;

        if (norm != NULL)
            snprintf(tensors.names[i], sizeof(tensors.names[i]), "%.*s%s",
                (int)(norm + 10 - name - skip), name + skip,
                strcmp(norm + 10, "weight") == 0 ? scale : shift);
        else
            snprintf(
                tensors.names[i], sizeof(tensors.names[i]), "%s", name + skip);
        tensors.list[i].name = tensors.names[i];
    }
    write_tensors(&tensors, dir);
    e = open_dir(dir);
    run(e, &batch, &alone);
    assert_memory_equal(
        whole.logits, alone.logits, batch.n * 3 * sizeof(float));
    wn_encoder_free(e);
}

static void
old_and_bare_names_are_known(void **state)
{
    (void)state;
    check_names("bert.", "weight", "bias");
    check_names("none", "gamma", "beta");
    check_names("bert.", "gamma", "beta");
}

static void
without_a_classifier_there_are_no_labels(void **state)
{
    struct wn_encoder *e;
    char dir[4200];

    (void)state;
    make_dir(dir);
    copy_config(BERT, dir, NULL, NULL);
    read_tensors(&tensors, BERT);
    drop(&tensors, "classifier.weight");
    drop(&tensors, "classifier.bias");
    drop(&tensors, "bert.pooler.dense.bias");
    write_tensors(&tensors, dir);
    e = open_dir(dir);
    assert_int_equal(wn_encoder_shape(e)->labels, 0);
    fill(e, &batch);
    run(e, &batch, &alone);
    wn_encoder_free(e);

    e = open_dir(BERT);
    run(e, &batch, &whole);
    assert_memory_equal(whole.pooled, alone.pooled,
        batch.n * wn_encoder_shape(e)->hidden * sizeof(float));
    wn_encoder_free(e);
}

/* One that judges tokens has nothing between them and the classifier. */
static void
a_classifier_of_tokens_is_none_of_texts(void **state)
{
    struct wn_encoder *e;
    char dir[4200];

    (void)state;
    make_dir(dir);
    copy_config(BERT, dir, NULL, NULL);
    read_tensors(&tensors, BERT);
    drop(&tensors, "bert.pooler.dense.weight");
    drop(&tensors, "bert.pooler.dense.bias");
    write_tensors(&tensors, dir);
    e = open_dir(dir);
    assert_int_equal(wn_encoder_shape(e)->labels, 0);
    wn_encoder_free(e);
}

static void
mean_pooling_is_the_mean_of_the_rows(void **state)
{
    struct wn_encoder *e;
    char dir[4200];
    size_t h;

    (void)state;
    make_dir(dir);
    copy_config(BERT, dir, "{", "{\"winnow\": {\"pooling\": \"mean\"},");
    read_tensors(&tensors, BERT);
    write_tensors(&tensors, dir);
    e = open_dir(dir);
    h = wn_encoder_shape(e)->hidden;
    assert_int_equal(wn_encoder_shape(e)->pooling, WN_POOL_MEAN);
    fill(e, &batch);
    run(e, &batch, &whole);
    for (size_t s = 0; s < batch.n; s++) {
        for (size_t c = 0; c < h; c++) {
            double sum = 0;

            for (size_t i = batch.offsets[s]; i < batch.offsets[s + 1]; i++)
                sum += whole.hidden[i * h + c];
            sum /= (double)(batch.offsets[s + 1] - batch.offsets[s]);
            assert_true(fabs(whole.pooled[s * h + c] - sum) < 1e-5);
        }
    }
    wn_encoder_free(e);
}

/* NaN is legal in a file, and an infinity: whichever tensor has one is named,
 * whatever the precision. */
static void
weights_that_are_not_numbers_are_refused(void **state)
{
    static const char *const names[] = {
        "bert.encoder.layer.0.attention.self.query.weight",
        "bert.encoder.layer.1.output.dense.bias",
        "bert.encoder.layer.1.attention.output.LayerNorm.weight",
        "bert.embeddings.position_embeddings.weight",
        "classifier.weight",
    };
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    static float numbers[HIDDEN_MAX * 128];
    struct wn_encoder *e = NULL;
    struct wn_err err;
    char dir[4200];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct wn_tensor *t;

        make_dir(dir);
        copy_config(BERT, dir, NULL, NULL);
        read_tensors(&tensors, BERT);
        t = tensor(&tensors, names[i]);
        assert_true(t->n <= sizeof(numbers) / sizeof(numbers[0]));
        wn_tensor_floats(t, 0, t->n, numbers);
        numbers[t->n - 1 - i] = bad[i % 3];
        t->data = numbers;
        write_tensors(&tensors, dir);
        assert_int_equal(wn_encoder_open(&e, dir, NULL, &err), WN_REJECT);
        assert_null(e);
        assert_non_null(strstr(err.text, names[i]));
        assert_non_null(strstr(err.text, "NaN or infinite"));
    }
}

/* A word table in floats is read as posts need it: then it comes out as NaN,
 * and not as a crash. */
static void
words_that_are_not_numbers_give_none(void **state)
{
    static float nan[292 * 32];
    struct wn_encoder *e;
    char dir[4200];

    (void)state;
    for (size_t i = 0; i < sizeof(nan) / sizeof(nan[0]); i++)
        nan[i] = i % 2 == 0 ? NAN : INFINITY;
    make_dir(dir);
    copy_config(BERT, dir, NULL, NULL);
    read_tensors(&tensors, BERT);
    tensor(&tensors, "bert.embeddings.word_embeddings.weight")->data = nan;
    write_tensors(&tensors, dir);
    e = open_dir(dir);
    fill(e, &batch);
    run(e, &batch, &whole);
    assert_true(isnan(whole.pooled[0]));
    assert_true(isnan(whole.logits[0]));
    wn_encoder_free(e);
}

/* --- int8 --- */

/* Each number of `name` is within half a step of its row's scale. */
static void
check_rounding(const struct wn_safetensors *was,
    const struct wn_safetensors *is, const struct wn_tensor *q)
{
    const struct wn_tensor *w = wn_safetensors_find(was, q->name), *scale;
    float a[128], b[128], s;
    char name[128];

    snprintf(name, sizeof(name), "%s.scale", q->name);
    scale = wn_safetensors_find(is, name);
    assert_non_null(w);
    assert_non_null(scale);
    assert_int_equal(scale->dtype, WN_F32);
    assert_int_equal(scale->n, q->shape[0]);
    assert_true(q->shape[1] <= 128);
    for (size_t r = 0; r < q->shape[0]; r++) {
        bool full = false;

        wn_tensor_floats(w, r * q->shape[1], q->shape[1], a);
        wn_tensor_floats(q, r * q->shape[1], q->shape[1], b);
        wn_tensor_floats(scale, r, 1, &s);
        for (size_t c = 0; c < q->shape[1]; c++) {
            assert_true(b[c] >= -127);
            full |= fabsf(b[c]) == 127;
            assert_true(fabs(a[c] - (double)b[c] * s) <= 0.5001 * s);
        }
        assert_true(full); /* no step is wasted */
    }
}

static size_t
check_int8_file(const char *was_dir, const char *dir)
{
    char path[4300];
    struct wn_safetensors *was, *is;
    struct wn_err err;
    size_t matrices = 0;

    snprintf(path, sizeof(path), "%s/model.safetensors", was_dir);
    assert_wn_ok(wn_safetensors_open(&was, path, &err), &err);
    snprintf(path, sizeof(path), "%s/model.safetensors", dir);
    assert_wn_ok(wn_safetensors_open(&is, path, &err), &err);
    for (size_t i = 0; i < wn_safetensors_n(is); i++) {
        const struct wn_tensor *t = wn_safetensors_at(is, i);

        if (t->dtype == WN_I8 && strcmp(t->name, "extra") != 0) {
            check_rounding(was, is, t);
            matrices++;
        } else if (t->dtype == WN_F32) {
            assert_int_equal((uintptr_t)t->data % 4, 0);
        }
    }
    wn_safetensors_close(was);
    wn_safetensors_close(is);
    return matrices;
}

static void
check_int8(const char *from, size_t matrices, double bound)
{
    static const int8_t numbers[] = { 1, 2, 3 };
    const struct wn_tensor extra = { "extra", WN_I8, 1, { 3 }, 3, numbers };
    struct wn_encoder *e = open_dir(from), *small;
    size_t h = wn_encoder_shape(e)->hidden;
    const struct wn_tensor *t;
    struct wn_err err;
    char dir[4200];

    make_dir(dir);
    copy_config(from, dir, NULL, NULL);
    assert_wn_ok(wn_encoder_write_int8(e, dir, &extra, 1, &err), &err);
    assert_int_equal(check_int8_file(from, dir), matrices);
    fill(e, &batch);
    run(e, &batch, &whole);
    small = open_dir(dir);
    run(small, &batch, &alone);
    /* LayerNorm makes hidden states of about 1 */
    assert_true(
        largest_difference(whole.pooled, alone.pooled, batch.n * h) < bound);
    assert_true(memcmp(whole.pooled, alone.pooled, h * sizeof(float)) != 0);
    t = wn_safetensors_find(wn_encoder_file(small), "extra");
    assert_non_null(t);
    assert_memory_equal(t->data, numbers, sizeof(numbers));
    wn_encoder_free(small);
    wn_encoder_free(e);
}

static void
refuses_to_write(const char *dir, const char *name)
{
    struct wn_encoder *e = open_dir(dir);
    char out[4200], path[4300];
    struct wn_err err;

    make_dir(out);
    assert_int_equal(wn_encoder_write_int8(e, out, NULL, 0, &err), WN_REJECT);
    if (strstr(err.text, name) == NULL)
        fail_msg("'%s' does not name '%s'", err.text, name);
    snprintf(path, sizeof(path), "%s/model.safetensors", out);
    assert_int_not_equal(access(path, F_OK), 0);
    wn_encoder_free(e);
}

/* NaN became 0, which is a weight like any other. (Other tensors do not come so
 * far.) */
static void
int8_refuses_what_is_no_number(void **state)
{
    static const char name[] = "bert.embeddings.word_embeddings.weight";
    static float numbers[292 * 32];
    const struct wn_tensor extra = { "heads.bias", WN_F32, 1, { 2 }, 2,
        numbers };
    struct wn_encoder *e = open_dir(BERT);
    struct wn_tensor *t;
    struct wn_err err;
    char dir[4200];

    (void)state;
    make_dir(dir);
    copy_config(BERT, dir, NULL, NULL);
    read_tensors(&tensors, BERT);
    t = tensor(&tensors, name);
    assert_true(t->n <= sizeof(numbers) / sizeof(numbers[0]));
    numbers[t->n - 1] = -INFINITY;
    t->data = numbers;
    write_tensors(&tensors, dir);
    refuses_to_write(dir, name);
    numbers[1] = NAN;
    make_dir(dir);
    assert_int_equal(wn_encoder_write_int8(e, dir, &extra, 1, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "heads.bias"));
    wn_encoder_free(e);
}

static void
int8_makes_0_of_a_row_without_an_inverse(void **state)
{
    static const char name[] = "bert.encoder.layer.1.output.dense.weight";
    static float tiny[32 * 96];
    struct wn_encoder *e;
    struct wn_err err;
    char dir[4200];

    (void)state;
    for (size_t i = 0; i < sizeof(tiny) / sizeof(tiny[0]); i++)
        tiny[i] = i % 3 == 0 ? 0 : 1e-42f;
    make_dir(dir);
    copy_config(BERT, dir, NULL, NULL);
    read_tensors(&tensors, BERT);
    assert_int_equal(tensor(&tensors, name)->n, sizeof(tiny) / sizeof(tiny[0]));
    tensor(&tensors, name)->data = tiny;
    write_tensors(&tensors, dir);
    e = open_dir(dir);
    make_dir(dir);
    copy_config(BERT, dir, NULL, NULL);
    assert_wn_ok(wn_encoder_write_int8(e, dir, NULL, 0, &err), &err);
    wn_encoder_free(e);
    e = open_dir(dir);
    for (size_t i = 0; i < sizeof(tiny) / sizeof(tiny[0]); i++)
        assert_int_equal(
            ((const int8_t *)wn_safetensors_find(wn_encoder_file(e), name)
                    ->data)[i],
            0);
    wn_encoder_free(e);
}

static void
int8_is_within_half_a_step(void **state)
{
    (void)state;
    /* 6 a layer, 3 or 2 tables, pooler and classifier */
    check_int8(BERT, 2 * 6 + 3 + 2, 0.3);
    check_int8(HALF, 2 * 6 + 3 + 2, 0.3);
    check_int8(DISTIL, 2 * 6 + 2 + 2, 0.3);
}

static void
int8_written_again_is_the_same(void **state)
{
    struct wn_encoder *e = open_dir(BERT), *once;
    char first[4200], second[4200];
    uint8_t a[32], b[32];
    struct wn_err err;

    (void)state;
    make_dir(first);
    make_dir(second);
    copy_config(BERT, first, NULL, NULL);
    copy_config(BERT, second, NULL, NULL);
    assert_wn_ok(wn_encoder_write_int8(e, first, NULL, 0, &err), &err);
    once = open_dir(first);
    assert_wn_ok(wn_encoder_write_int8(once, second, NULL, 0, &err), &err);
    fill(e, &batch);
    run(once, &batch, &whole);
    wn_safetensors_sha256(wn_encoder_file(once), a);
    wn_encoder_free(once);
    once = open_dir(second);
    run(once, &batch, &alone);
    wn_safetensors_sha256(wn_encoder_file(once), b);
    assert_memory_equal(
        whole.logits, alone.logits, batch.n * 3 * sizeof(float));
    assert_memory_equal(a, b, sizeof(a));
    wn_encoder_free(once);
    wn_encoder_free(e);
}

static void
an_extra_tensor_may_not_take_a_name_of_the_network(void **state)
{
    static const float one[] = { 1 };
    const struct wn_tensor extra = { "classifier.bias", WN_F32, 1, { 1 }, 1,
        one };
    struct wn_encoder *e = open_dir(BERT);
    struct wn_err err;
    char dir[4200];

    (void)state;
    make_dir(dir);
    assert_int_equal(wn_encoder_write_int8(e, dir, &extra, 1, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "two tensors named 'classifier.bias'"));
    wn_encoder_free(e);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_text_scores_the_same_in_any_company),
    cmocka_unit_test(neighbours_are_not_seen),
    cmocka_unit_test(pooled_is_the_first_row_or_the_mean),
    cmocka_unit_test(mean_pooling_is_the_mean_of_the_rows),
    cmocka_unit_test(an_empty_batch_is_no_work),
    cmocka_unit_test(workspaces_are_bounded),
    cmocka_unit_test(threads_share_an_encoder),
    cmocka_unit_test(config_and_weights_must_agree),
    cmocka_unit_test(each_tensor_of_the_network_is_needed),
    cmocka_unit_test(tensors_of_another_shape_or_type_are_rejected),
    cmocka_unit_test(folders_without_their_files_are_rejected),
    cmocka_unit_test(other_files_of_weights_are_named_with_the_way_from_there),
    cmocka_unit_test(old_and_bare_names_are_known),
    cmocka_unit_test(without_a_classifier_there_are_no_labels),
    cmocka_unit_test(a_classifier_of_tokens_is_none_of_texts),
    cmocka_unit_test(weights_that_are_not_numbers_are_refused),
    cmocka_unit_test(words_that_are_not_numbers_give_none),
    cmocka_unit_test(int8_is_within_half_a_step),
    cmocka_unit_test(int8_refuses_what_is_no_number),
    cmocka_unit_test(int8_makes_0_of_a_row_without_an_inverse),
    cmocka_unit_test(int8_written_again_is_the_same),
    cmocka_unit_test(an_extra_tensor_may_not_take_a_name_of_the_network),
};

WN_TEST_MAIN("model encoder", tests)
