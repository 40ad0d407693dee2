/*
 * winnow model export: the transformers library gives the logits of the
 * weights from the folder that it makes, by the lines of its README.md.
 *
 * What the library said of folders made of the small weights lies in
 * tests/golden/export, with the hash of the file that it said it of. Where
 * WN_TEST_PYTHON (or build/golden/venv) has the library it is asked again;
 * WN_TEST_WRITE_GOLDEN=1 keeps its answer. Runs in the repository's root.
 */
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "classifier/text.h"
#include "cmd/files.h"
#include "core/item.h"
#include "model/encoder.h"
#include "model/heads.h"
#include "model/safetensors_int.h"
#include "model/tokenizer.h"
#include "tests/lib/program.h"
#include "tests/lib/test.h"
#include "tests/lib/weights.h"

#define GOLDEN "tests/golden/export/"
#define TEXTS_FILE "tests/golden/texts.jsonl"
#define TEXTS 200
#define POSITIONS 64
#define H 32
#define BOUND 1e-4
/* Weights that are rounded to fp16 are other weights: what that comes to on
 * logits that go from -20 to 20. */
#define F16_BOUND 2e-2

static struct wn_err err;
static char dir[3000], weights[3100];
static json_t *texts[TEXTS];
static size_t cut[TEXTS]; /* tokens of each, with those around it, uncut */

struct logits {
    float at[TEXTS][WN_OUTPUTS];
};

static const struct made {
    const char *name, *flags;
    size_t layers; /* the head's */
    double bound;
} mades[] = {
    { "f32", "", 2, BOUND },
    { "f16", "--dtype f16", 2, F16_BOUND },
    { "exit1", "--exit 1", 1, BOUND },
};
#define MADES (sizeof(mades) / sizeof(mades[0]))

/* --- running it --- */

static int
run(const char *args)
{
    return wn_program_run(dir, args);
}

static const char *
content(const char *name)
{
    return wn_program_file(dir, name);
}

static void
make_folder(const struct made *m)
{
    char args[9000];

    snprintf(args, sizeof(args), "model export '%s/%s' --model.dir='%s' %s",
        dir, m->name, weights, m->flags);
    if (run(args) != 0)
        fail_msg("%s: %s", m->name, content("out.err"));
}

static int
make_weights(void **state)
{
    struct wn_joint j;
    char path[4096];
    FILE *f = fopen(TEXTS_FILE, "re");

    (void)state;
    snprintf(dir, sizeof(dir), "%s", wn_test_dir());
    snprintf(weights, sizeof(weights), "%s/weights", dir);
    assert_int_equal(mkdir(weights, 0777), 0);
    wn_weights_joint(&j);
    /* a score is the encoder's logit and nothing else */
    for (size_t h = 0; h < WN_HEADS; h++)
        j.head[h].mix[1] = 0;
    j.early_n = 1;
    j.early[0].after = 1;
    j.early[0].stop = -1e9;
    memcpy(j.early[0].head, j.head, sizeof(j.head));
    wn_weights_make_golden(weights, &j);
    assert_non_null(f);
    for (size_t i = 0; i < TEXTS; i++) {
        texts[i] =
            json_loadf(f, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, NULL);
        assert_non_null(texts[i]);
    }
    fclose(f);
    for (size_t i = 0; i < MADES; i++)
        make_folder(&mades[i]);
    snprintf(path, sizeof(path), "%s/here", dir);
    return mkdir(path, 0777);
}

static int
drop_weights(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEXTS; i++)
        json_decref(texts[i]);
    return 0;
}

/* --- what Winnow makes of the texts --- */

struct model {
    struct wn_encoder *e;
    struct wn_workspace *w;
    struct wn_tokenizer *t;
    struct wn_heads heads;
};

/* [CLS] text [SEP], as much as there are positions for. */
static size_t
ids_of(const struct model *m, struct wn_tokens *tk, size_t i,
    int32_t ids[POSITIONS])
{
    size_t n;

    assert_wn_ok(wn_tokenizer_run(m->t, json_string_value(texts[i]),
                     json_string_length(texts[i]), tk, &err),
        &err);
    cut[i] = tk->n + 2;
    n = tk->n < POSITIONS - 2 ? tk->n : POSITIONS - 2;
    ids[0] = wn_tokenizer_cls(m->t);
    memcpy(ids + 1, tk->ids, n * sizeof(*ids));
    ids[n + 1] = wn_tokenizer_sep(m->t);
    return n + 2;
}

struct seen {
    const struct wn_heads *heads;
    float *out;
};

static void
ask(void *arg, size_t layer, const float *pooled, const size_t *who, size_t n,
    bool *keep)
{
    const struct seen *s = arg;

    (void)who;
    assert_int_equal(n, 1);
    assert_int_equal(layer, 0);
    wn_heads_score(s->heads, 0, pooled, s->out);
    keep[0] = true;
}

/* The head after so many layers. */
static void
score(const struct model *m, struct wn_tokens *tk, size_t i, size_t layers,
    float out[WN_OUTPUTS])
{
    struct seen seen = { &m->heads, out };
    struct wn_exits exits = { .after = layers == 1, .ask = ask, .arg = &seen };
    int32_t ids[POSITIONS];
    size_t offsets[2] = { 0, ids_of(m, tk, i, ids) };
    float pooled[H];

    wn_encoder_run_exits(m->e, m->w, ids, offsets, 1, &exits, pooled);
    if (layers == 2)
        wn_heads_score(&m->heads, m->heads.exits - 1, pooled, out);
}

/* Of weights their heads; of a folder that was made, its classifier. */
static void
open_heads(struct model *m)
{
    const struct wn_safetensors *file = wn_encoder_file(m->e);
    const struct wn_tensor *w = wn_safetensors_find(file, "classifier.weight");
    const struct wn_tensor *b = wn_safetensors_find(file, "classifier.bias");

    if (wn_heads_are_there(file, 2)) {
        assert_wn_ok(wn_heads_open(&m->heads, file, H, 2, &err), &err);
        return;
    }
    assert_wn_ok(wn_heads_init(&m->heads, H, 1, &err), &err);
    assert_int_equal(w->n, WN_OUTPUTS * H);
    wn_tensor_floats(w, 0, w->n, m->heads.weight);
    wn_tensor_floats(b, 0, WN_OUTPUTS, m->heads.bias[0]);
}

static void
winnow_logits(struct logits *ret, const char *folder, size_t layers)
{
    struct wn_tokens tk;
    struct model m;

    assert_wn_ok(wn_encoder_open(&m.e, folder, NULL, &err), &err);
    assert_int_equal(wn_encoder_shape(m.e)->hidden, H);
    assert_wn_ok(wn_workspace_new(&m.w, m.e, POSITIONS, &err), &err);
    assert_wn_ok(wn_tokenizer_open(&m.t, folder, &err), &err);
    open_heads(&m);
    wn_tokens_init(&tk);
    for (size_t i = 0; i < TEXTS; i++)
        score(&m, &tk, i, layers, ret->at[i]);
    wn_tokens_release(&tk);
    wn_heads_release(&m.heads);
    wn_tokenizer_free(m.t);
    wn_workspace_free(m.w);
    wn_encoder_free(m.e);
}

/* --- what the library made of them --- */

static bool
read_logits(const char *path, struct logits *ret)
{
    FILE *f = fopen(path, "re");
    size_t n;

    if (f == NULL)
        return false;
    n = fread(ret->at, sizeof(ret->at), 1, f);
    assert_int_equal(fgetc(f), EOF);
    fclose(f);
    return n == 1;
}

static double
largest_difference(const struct logits *a, const struct logits *b)
{
    double most = 0;

    for (size_t i = 0; i < TEXTS; i++)
        for (size_t o = 0; o < WN_OUTPUTS; o++) {
            assert_true(isfinite(b->at[i][o]));
            most = fmax(most, fabs((double)a->at[i][o] - b->at[i][o]));
        }
    return most;
}

static void
assert_close(const struct made *m, const struct logits *theirs)
{
    struct logits ours;
    char path[4096];
    double most;

    winnow_logits(&ours, weights, m->layers);
    most = largest_difference(&ours, theirs);
    print_message("# %s: largest difference %.2g\n", m->name, most);
    assert_true(most <= m->bound);
    snprintf(path, sizeof(path), "%s/%s", dir, m->name);
    winnow_logits(&ours, path, 2);
    most = largest_difference(&ours, theirs);
    print_message("# %s, read by winnow: %.2g\n", m->name, most);
    assert_true(most <= BOUND);
}

static void
sha256_of(const struct made *m, char hex[2 * WN_SHA256 + 1])
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s/model.safetensors", dir, m->name);
    assert_wn_ok(wn_file_sha256(path, hex, NULL, &err), &err);
}

static void
logits_are_those_that_transformers_gave(void **state)
{
    (void)state;
    for (size_t i = 0; i < MADES; i++) {
        char path[256], hex[2 * WN_SHA256 + 1], want[2 * WN_SHA256 + 1] = "";
        struct logits theirs;
        FILE *f;

        snprintf(path, sizeof(path), GOLDEN "%s.f32", mades[i].name);
        if (!read_logits(path, &theirs))
            fail_msg("%s is not there or not whole", path);
        snprintf(path, sizeof(path), GOLDEN "%s.sha256", mades[i].name);
        f = fopen(path, "re");
        assert_non_null(f);
        assert_int_equal(fread(want, 1, sizeof(want) - 1, f), 2 * WN_SHA256);
        fclose(f);
        sha256_of(&mades[i], hex);
        assert_string_equal(hex, want);
        assert_close(&mades[i], &theirs);
    }
}

/* --- asking it again --- */

/* A Python that has the library. */
static bool
find_python(char *out, size_t n)
{
    const char *named = getenv("WN_TEST_PYTHON");
    char command[8000];

    snprintf(out, n, "%s",
        named != NULL && named[0] != '\0' ? named
                                          : "build/golden/venv/bin/python");
    snprintf(command, sizeof(command),
        "'%s' -c 'import torch, transformers' >'%s/out.err' 2>&1", out, dir);
    return system(command) == 0;
}

static void
keep_golden(const struct made *m, const struct logits *l)
{
    char path[256], hex[2 * WN_SHA256 + 1];
    FILE *f;

    if (getenv("WN_TEST_WRITE_GOLDEN") == NULL)
        return;
    snprintf(path, sizeof(path), GOLDEN "%s.f32", m->name);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(l->at, sizeof(l->at), 1, f), 1);
    assert_int_equal(fclose(f), 0);
    sha256_of(m, hex);
    snprintf(path, sizeof(path), GOLDEN "%s.sha256", m->name);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fprintf(f, "%s\n", hex) > 0);
    assert_int_equal(fclose(f), 0);
}

static void
transformers_gives_them_where_it_is_there(void **state)
{
    char python[4096];

    (void)state;
    if (!find_python(python, sizeof(python))) {
        print_message("# skipped: neither WN_TEST_PYTHON nor build/golden/venv "
                      "has the transformers library\n");
        skip();
    }
    for (size_t i = 0; i < MADES; i++) {
        char command[20000], path[4096];
        struct logits theirs;

        snprintf(path, sizeof(path), "%s/theirs", dir);
        snprintf(command, sizeof(command),
            "'%s' -B tests/golden/export_logits.py '%s/%s' " TEXTS_FILE
            " '%s' >'%s/out.err' 2>&1",
            python, dir, mades[i].name, path, dir);
        if (system(command) != 0 || !read_logits(path, &theirs))
            fail_msg("%s", content("out.err"));
        keep_golden(&mades[i], &theirs);
        assert_close(&mades[i], &theirs);
    }
}

/* --- and `winnow score` --- */

/* Nothing for hardening to change, and one window. */
static bool
is_plain(size_t i)
{
    const char *p = json_string_value(texts[i]);
    struct wn_text hard;
    bool plain;

    wn_text_init(&hard);
    assert_wn_ok(wn_text_harden(&hard, p, strlen(p), &err), &err);
    plain = strcmp(hard.data, p) == 0 && cut[i] <= POSITIONS;
    wn_text_release(&hard);
    return plain;
}

static void
put_posts(const char *path)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    for (size_t i = 0; i < TEXTS; i++)
        if (is_plain(i)) {
            json_t *post =
                json_pack("{s:i, s:O}", "id", (int)i, "text", texts[i]);

            json_object_set_new(post, "id", json_sprintf("%zu", i));
            assert_int_equal(json_dumpf(post, f, JSON_COMPACT), 0);
            fputc('\n', f);
            json_decref(post);
        }
    assert_int_equal(fclose(f), 0);
}

/* The largest difference of a line's scores, as logits. */
static double
line_difference(const char *line, const struct logits *theirs)
{
    json_t *o = json_loads(line, 0, NULL), *v;
    size_t i = strtoull(json_string_value(json_object_get(o, "id")), NULL, 10);
    double most = 0;

    assert_true(i < TEXTS);
    for (size_t h = 0; h < WN_HEADS; h++) {
        double p, want = theirs->at[i][h];

        v = json_object_get(json_object_get(o, "scores"), wn_head_names[h]);
        p = json_number_value(v);
        if (fabs(want) < 12) /* beyond, a double's 1 - p says little of p */
            most = fmax(most, fabs(log(p / (1 - p)) - want));
    }
    json_decref(o);
    return most;
}

static void
winnow_score_in_fp32_says_the_same(void **state)
{
    struct logits theirs, ours;
    char args[12000], line[4096];
    double most = 0;
    size_t n = 0;
    FILE *f;

    (void)state;
    winnow_logits(&ours, weights, 2); /* fills cut[] */
    assert_true(read_logits(GOLDEN "f32.f32", &theirs));
    snprintf(args, sizeof(args), "%s/posts", dir);
    put_posts(args);
    snprintf(args, sizeof(args),
        "score --jsonl --model.dir='%s' --model.precision=fp32 "
        "--score.depth=auto <'%s/posts'",
        weights, dir);
    if (run(args) != 0)
        fail_msg("%s", content("out.err"));
    snprintf(args, sizeof(args), "%s/out", dir);
    f = fopen(args, "re");
    assert_non_null(f);
    for (; fgets(line, sizeof(line), f) != NULL; n++)
        most = fmax(most, line_difference(line, &theirs));
    fclose(f);
    print_message("# %zu texts: largest difference %.2g\n", n, most);
    assert_true(n > 60);
    assert_true(most <= BOUND);
}

/* --- the folder --- */

static json_t *
load_json(const char *name)
{
    char path[4096];
    json_t *o;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    o = json_load_file(path, 0, NULL);
    assert_non_null(o);
    return o;
}

static void
the_folder_says_what_it_is(void **state)
{
    json_t *o = load_json("exit1/config.json");
    const char *kind = json_string_value(
        json_array_get(json_object_get(o, "architectures"), 0));

    (void)state;
    assert_string_equal(kind, "BertForTokenClassification");
    assert_int_equal(
        json_integer_value(json_object_get(o, "num_hidden_layers")), 1);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(o, "id2label"), "4")),
        "bait_vote");
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(o, "label2id"), "ai_text")),
        3);
    json_decref(o);
    o = load_json("f16/tokenizer_config.json");
    assert_int_equal(
        json_integer_value(json_object_get(o, "model_max_length")), 64);
    json_decref(o);
    assert_non_null(strstr(content("f16/README.md"), "in fp16"));
    assert_non_null(
        strstr(content("f16/README.md"), "mean of a text's tokens"));
}

/* It goes the whole way round: a base again, then weights. */
static void
winnow_imports_what_it_exports(void **state)
{
    char args[9000];

    (void)state;
    snprintf(
        args, sizeof(args), "model import '%s/f32' --out '%s/back'", dir, dir);
    if (run(args) != 0)
        fail_msg("%s", content("out.err"));
    assert_non_null(strstr(content("out"), "pooling    mean\n"));
    assert_non_null(
        strstr(content("out"), "left out   2 tensors of heads or buffers: "
                               "classifier."));
}

static void
export_says_what_is_wrong(void **state)
{
    static const struct {
        const char *args;
        int status;
        const char *says;
    } cases[] = {
        { "", 2, "export needs one OUT" },
        { "a b", 2, "export needs one OUT" },
        { "a --dtype bf16", 2, "--dtype 'bf16' is neither f32 nor f16" },
        { "a --exit 0", 2, "--exit '0' is not a whole number from 1 to 128" },
        { "a --layers 2", 2, "--layers: unknown flag" },
        { "a --exit 3", 78, "these weights have heads after 1, 2 layers" },
        { "a --model.dir=/nowhere", 78, "/nowhere/config.json: No such file" },
        { "a --model.dir=tests/golden/bert", 78,
            "tests/golden/bert: config.json: no object \"winnow\"" },
        { "tests", 1, "name a folder that is empty or not there" },
        { "Makefile", 1, "Makefile: Not a directory" },
        { "/nowhere/a", 1, "/nowhere: No such file" },
    };
    char args[9000];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool own = strstr(cases[i].args, "model.dir") != NULL;
        int status;

        snprintf(args, sizeof(args), "model export %s %s%s", cases[i].args,
            own ? "" : "--model.dir=", own ? "" : weights);
        status = run(args);
        if (status != cases[i].status)
            fail_msg("%s: %d, %s", args, status, content("out.err"));
        if (strstr(content("out.err"), cases[i].says) == NULL)
            fail_msg("%s: '%s'", args, content("out.err"));
        assert_int_not_equal(access("a", F_OK), 0);
        assert_int_not_equal(access("a.tmp", F_OK), 0);
    }
    /* an empty folder is taken, a full one is left as it is */
    snprintf(args, sizeof(args), "model export '%s/here' --model.dir='%s'", dir,
        weights);
    assert_int_equal(run(args), 0);
    assert_int_equal(run(args), 1);
    assert_non_null(strstr(content("here/README.md"), "winnow-test-1"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transformers_gives_them_where_it_is_there),
        cmocka_unit_test(logits_are_those_that_transformers_gave),
        cmocka_unit_test(winnow_score_in_fp32_says_the_same),
        cmocka_unit_test(the_folder_says_what_it_is),
        cmocka_unit_test(winnow_imports_what_it_exports),
        cmocka_unit_test(export_says_what_is_wrong),
    };

    return wn_test_run("model export", tests, sizeof(tests) / sizeof(tests[0]),
        make_weights, drop_weights);
}
