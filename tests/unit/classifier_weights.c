/*
 * Opening weights: what a good folder says of itself, and a clear error for
 * each way in which one can be wrong, cut off or hostile.
 */
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "classifier/classifier.h"
#include "tests/lib/test.h"
#include "tests/lib/weights.h"

static struct wn_err err;
static struct wn_joint joint;
static char dir[4200];

static const char *
path_in(const char *file)
{
    static char path[4300];

    snprintf(path, sizeof(path), "%s/%s", dir, file);
    return path;
}

static int
setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "%s/weights", wn_test_dir());
    mkdir(dir, 0700);
    wn_weights_joint(&joint);
    joint.head[WN_BAIT].threshold = 0.875;
    wn_weights_make(dir, &joint);
    return 0;
}

static char *
read_file(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "re");
    char *data = malloc(16u << 20);

    assert_non_null(f);
    assert_non_null(data);
    *ret_len = fread(data, 1, 16u << 20, f);
    fclose(f);
    return data;
}

static void
write_file(const char *path, const char *data, size_t len)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* Refused, with `says` and the folder in the text. */
static void
assert_refused(const char *says)
{
    struct wn_classifier *c = NULL;

    memset(&err, 0, sizeof(err));
    assert_int_equal(wn_classifier_open(&c, dir, NULL, &err), WN_REJECT);
    assert_null(c);
    if (strstr(err.text, says) == NULL || strstr(err.text, dir) == NULL)
        fail_msg("\"%s\" does not say \"%s\" of %s", err.text, says, dir);
}

static void
weights_say_their_thresholds(void **state)
{
    struct wn_classifier *c = NULL;

    (void)state;
    assert_wn_ok(wn_classifier_open(&c, dir, NULL, &err), &err);
    assert_true(wn_classifier_threshold(c, WN_SPAM) == 0.5);
    assert_true(wn_classifier_threshold(c, WN_BAIT) == 0.875);
    wn_classifier_free(c);
    wn_classifier_free(NULL);
}

static void
version_of(char out[64])
{
    struct wn_classifier *c = NULL;

    assert_wn_ok(wn_classifier_open(&c, dir, NULL, &err), &err);
    snprintf(out, 64, "%s", wn_classifier_version(c));
    wn_classifier_free(c);
}

/* Appends to a file that a score may depend on, asks, puts it back. */
static void
version_with(const char *name, const char *more, char out[64])
{
    size_t len, more_len = strlen(more);
    char *good = access(path_in(name), F_OK) == 0
                     ? read_file(path_in(name), &len)
                     : NULL;
    char *changed = malloc((good != NULL ? len : 0) + more_len);

    assert_non_null(changed);
    if (good != NULL)
        memcpy(changed, good, len);
    memcpy(changed + (good != NULL ? len : 0), more, more_len);
    write_file(path_in(name), changed, (good != NULL ? len : 0) + more_len);
    version_of(out);
    if (good != NULL)
        write_file(path_in(name), good, len);
    else
        unlink(path_in(name));
    free(changed);
    free(good);
}

static void
a_version_changes_with_every_file_that_a_score_depends_on(void **state)
{
    char own[64], again[64], config[64], settings[64];

    (void)state;
    version_of(own);
    assert_int_equal(strncmp(own, "winnow-test-1@", 14), 0);
    assert_int_equal(strlen(own), 14 + 16);
    version_with("config.json", "\n", config);
    version_with("tokenizer_config.json", "{\"do_lower_case\":true}", settings);
    version_of(again);
    assert_string_equal(own, again);
    assert_string_not_equal(own, config);
    assert_string_not_equal(own, settings);
    assert_string_not_equal(config, settings);
}

/* What the tests of this folder run on is what serves posts. */
static void
small_weights_run_in_int8(void **state)
{
    struct wn_classifier *c = NULL;

    (void)state;
    assert_wn_ok(wn_classifier_open(&c, dir, NULL, &err), &err);
    assert_non_null(strstr(wn_classifier_kernels(c), "int8"));
    wn_classifier_free(c);
}

/* --- config.json --- */

/* Sets the member at `path` ("heads.spam.a") of "winnow" to what `value` says
 * (JSON; NULL takes it out), opens, and puts the file back. */
static void
try_config(const char *path, const char *value, const char *says)
{
    size_t len;
    char *good = read_file(path_in("config.json"), &len);
    json_t *root = json_loadb(good, len, 0, NULL), *o = root;
    char names[64], *save = NULL, *name, *next;

    assert_non_null(root);
    snprintf(names, sizeof(names), "%s", path);
    name = strtok_r(names, ".", &save);
    while ((next = strtok_r(NULL, ".", &save)) != NULL) {
        o = json_object_get(o, name);
        name = next;
    }
    assert_true(json_is_object(o));
    if (value == NULL)
        assert_int_equal(json_object_del(o, name), 0);
    else
        assert_int_equal(json_object_set_new(
                             o, name, json_loads(value, JSON_DECODE_ANY, NULL)),
            0);
    assert_int_equal(json_dump_file(root, path_in("config.json"), 0), 0);
    json_decref(root);
    assert_refused(says);
    write_file(path_in("config.json"), good, len);
    free(good);
}

#define HEAD "{\"a\": 1, \"b\": 0, \"threshold\": 0.5, \"mix\": [1, 1, 0]}"

static void
weights_with_a_wrong_config_are_refused(void **state)
{
    static const struct {
        const char *path, *value, *says;
    } wrong[] = {
        { "winnow", NULL, "no object \"winnow\"" },
        { "winnow.text_version", "1", "text version 1" },
        { "winnow.text_version", NULL, "winnow.text_version" },
        { "winnow.format", "2", "winnow.format is 2" },
        { "winnow.format", "\"1\"", "winnow.format" },
        { "winnow.name", NULL, "winnow.name" },
        { "winnow.name", "\"a b\"", "winnow.name" },
        { "winnow.name", "\"\"", "winnow.name" },
        { "winnow.pooling", "\"max\"", "pooling" },
        { "winnow.heads", NULL, "winnow.heads.spam" },
        { "winnow.heads.ai_text", NULL, "winnow.heads.ai_text" },
        { "winnow.heads.bait", "[]", "winnow.heads.bait" },
        { "winnow.heads.scam.a", "-1", "winnow.heads.scam" },
        { "winnow.heads.scam.a", "0", "winnow.heads.scam" },
        { "winnow.heads.scam.a", "null", "winnow.heads.scam" },
        { "winnow.heads.scam.b", NULL, "winnow.heads.scam" },
        { "winnow.heads.scam.threshold", "1.01", "threshold" },
        { "winnow.heads.scam.threshold", "-0.01", "threshold" },
        { "winnow.heads.scam.threshold", "\"0.5\"", "threshold" },
        { "winnow.heads.bait.kinds", "null", "winnow.heads.bait.kinds" },
        { "winnow.heads.bait.kinds", "1", "counts kinds" },
        { "winnow.heads.spam.mix", "[1, 1]", "mix" },
        { "winnow.heads.spam.mix", "[1, 1, 0, 0]", "mix" },
        { "winnow.heads.spam.mix", "[1, \"1\", 0]", "mix" },
        { "winnow.heads.spam.mix", NULL, "mix" },
        { "winnow.exits", "{}", "winnow.exits is not a list" },
        { "winnow.exits", "[{}, {}, {}, {}]", "at most 3" },
        { "winnow.exits", "[{\"after\": 0, \"stop\": -1}]", "1 .. 64" },
        { "winnow.exits", "[{\"after\": 65, \"stop\": -1}]", "1 .. 64" },
        { "winnow.exits", "[{\"after\": 1}]", "\"stop\" no number" },
        { "winnow.exits", "[{\"after\": 1, \"stop\": -1}]", "heads.spam" },
        { "winnow.exits",
            "[{\"after\": 1, \"stop\": -1, \"heads\": {\"spam\": " HEAD
            ", \"scam\": " HEAD ", \"bait\": " HEAD ", \"ai_text\": " HEAD
            "}}]",
            "winnow.exits are not those of model.safetensors" },
        { "vocab_size", "100", "word_embeddings" },
        { "hidden_size", "128", "model.safetensors" },
        { "max_position_embeddings", "8", "position" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        try_config(wrong[i].path, wrong[i].value, wrong[i].says);
}

static void
weights_with_a_number_beyond_all_bounds_are_refused(void **state)
{
    static const char huge[] =
        "{\"winnow\":{\"heads\":{\"spam\":{\"a\":1e999}}}}";
    size_t len;
    char *good = read_file(path_in("config.json"), &len);

    (void)state;
    write_file(path_in("config.json"), huge, sizeof(huge) - 1);
    assert_refused("config.json");
    write_file(path_in("config.json"), good, len);
    free(good);
}

static void
weights_that_give_no_finite_score_fail_their_trial(void **state)
{
    char bad[4300], good[4300];
    struct wn_classifier *c = NULL;
    struct wn_joint j = joint;

    (void)state;
    snprintf(good, sizeof(good), "%s", dir);
    assert_wn_ok(wn_classifier_open(&c, good, NULL, &err), &err);
    assert_wn_ok(wn_classifier_try(c, 4, &err), &err);
    wn_classifier_free(c);
    snprintf(bad, sizeof(bad), "%s/infinite", wn_test_dir());
    assert_int_equal(mkdir(bad, 0700), 0);
    j.head[WN_SCAM].cal.a = 1e300; /* a number, and what it makes is none */
    j.head[WN_SCAM].mix[0] = 1e300;
    wn_weights_make(bad, &j);
    assert_wn_ok(wn_classifier_open(&c, bad, NULL, &err), &err);
    assert_int_equal(wn_classifier_try(c, 4, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "head scam gave no finite number"));
    wn_classifier_free(c);
}

/* --- files --- */

static void
weights_that_lack_a_file_are_refused(void **state)
{
    static const char *const files[] = { "config.json", "vocab.txt",
        "model.safetensors" };
    char aside[4300];

    (void)state;
    snprintf(aside, sizeof(aside), "%s/aside", dir);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rename(path_in(files[i]), aside), 0);
        assert_refused(files[i]);
        assert_int_equal(rename(aside, path_in(files[i])), 0);
    }
}

/* Its ids would lie beyond the encoder's word table. */
static void
weights_with_more_pieces_than_words_are_refused(void **state)
{
    size_t len;
    char *good = read_file(path_in("vocab.txt"), &len), *more;

    (void)state;
    more = malloc(len + 16);
    assert_non_null(more);
    memcpy(more, good, len);
    memcpy(more + len, "onepiecemore\n", 13);
    write_file(path_in("vocab.txt"), more, len + 13);
    assert_refused("vocab.txt has 293 pieces");
    write_file(path_in("vocab.txt"), good, len);
    free(more);
    free(good);
}

static void
weights_that_are_cut_off_are_refused(void **state)
{
    size_t len;
    char *good = read_file(path_in("model.safetensors"), &len);
    uint64_t seed = wn_test_seed();

    (void)state;
    for (int round = 0; round < 40; round++) {
        size_t cut = round < 10    ? (size_t)round
                     : round == 10 ? len - 1
                                   : wn_test_random(&seed) % len;

        write_file(path_in("model.safetensors"), good, cut);
        assert_refused("model.safetensors");
    }
    write_file(path_in("model.safetensors"), good, len);
    free(good);
}

/* The file again with one name changed, or one tensor's first number. */
static void
try_tensor(const char *name, const char *renamed, bool poison, const char *says)
{
    size_t len;
    char *good = read_file(path_in("model.safetensors"), &len);
    struct wn_safetensors *st = NULL;
    static const float not_a_number = NAN;
    char *bad = malloc(len), *at;

    assert_non_null(bad);
    memcpy(bad, good, len);
    assert_wn_ok(
        wn_safetensors_open(&st, path_in("model.safetensors"), &err), &err);
    if (renamed != NULL) {
        assert_int_equal(strlen(name), strlen(renamed));
        at = memmem(bad, len, name, strlen(name));
        assert_non_null(at);
        memcpy(at, renamed, strlen(renamed));
    }
    if (poison) {
        const struct wn_tensor *t = wn_safetensors_find(st, name);

        assert_non_null(t);
        at = memmem(bad, len, t->data, t->n * 4);
        assert_non_null(at);
        memcpy(at, &not_a_number, sizeof(not_a_number));
    }
    wn_safetensors_close(st);
    write_file(path_in("model.safetensors"), bad, len);
    assert_refused(says);
    write_file(path_in("model.safetensors"), good, len);
    free(bad);
    free(good);
}

static void
weights_without_their_heads_or_n_grams_are_refused(void **state)
{
    (void)state;
    try_tensor("heads.weight", "heads.wxight", false, "heads.weight");
    try_tensor("heads.bias", "heads.bixs", false, "heads.bias");
    try_tensor("ngram.weight", "ngram.wxight", false, "ngram.weight");
    try_tensor("ngram.scale", "ngram.scxle", false, "ngram.scale");
    try_tensor("heads.weight", NULL, true, "not finite");
    try_tensor("ngram.scale", NULL, true, "not finite");
}

/* After all that the folder is as it was: none of the above was refused for
 * what the one before it left behind. */
static void
weights_are_good_in_the_end(void **state)
{
    struct wn_classifier *c = NULL;

    (void)state;
    assert_wn_ok(wn_classifier_open(&c, dir, NULL, &err), &err);
    wn_classifier_free(c);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(weights_say_their_thresholds),
    cmocka_unit_test(small_weights_run_in_int8),
    cmocka_unit_test(a_version_changes_with_every_file_that_a_score_depends_on),
    cmocka_unit_test(weights_with_a_wrong_config_are_refused),
    cmocka_unit_test(weights_with_a_number_beyond_all_bounds_are_refused),
    cmocka_unit_test(weights_that_give_no_finite_score_fail_their_trial),
    cmocka_unit_test(weights_that_lack_a_file_are_refused),
    cmocka_unit_test(weights_with_more_pieces_than_words_are_refused),
    cmocka_unit_test(weights_that_are_cut_off_are_refused),
    cmocka_unit_test(weights_without_their_heads_or_n_grams_are_refused),
    cmocka_unit_test(weights_are_good_in_the_end),
};

int
main(void)
{
    return wn_test_run("classifier/weights", tests,
        sizeof(tests) / sizeof(tests[0]), setup, NULL);
}
