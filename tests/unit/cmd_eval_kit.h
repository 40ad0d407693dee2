/*
 * What the tests of `winnow eval` share: small weights (tests/lib/weights.h),
 * labelled rows with the scores that the classifier gives each, in a plain and
 * a gzip file, and the binary of this build to run on them.
 */
#ifndef WN_TESTS_UNIT_CMD_EVAL_KIT_H
#define WN_TESTS_UNIT_CMD_EVAL_KIT_H

#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>
#include <zlib.h>

#include "classifier/classifier.h"
#include "tests/lib/program.h"
#include "tests/lib/test.h"
#include "tests/lib/weights.h"

#define ROWS 230

struct row {
    char text[200];
    int label[WN_HEADS];          /* -1 unknown */
    int source, lang, kind, vote; /* vote: label bait_vote */
    long words;
    double score[WN_HEADS]; /* -1: no text */
};

static struct row rows[ROWS];
static struct wn_joint joint;
static char weights[4200], plain[4200], gzipped[4200], out[4200], kept[4200];
static const char *const labels[WN_HEADS] = { "spam", "scam", "bait", "ai" };
static const char *const langs[] = { "en", "tr", NULL };
static const char *const kinds[] = { "scam_nft", "news", "bait_poll", NULL };

static inline void
draw_rows(void)
{
    uint64_t seed = wn_test_seed();

    for (size_t i = 0; i < ROWS; i++) {
        struct row *r = &rows[i];
        size_t n = 1 + wn_test_random(&seed) % 180;

        for (size_t k = 0; k < n; k++)
            r->text[k] = wn_test_random(&seed) % 6 == 0
                             ? ' '
                             : (char)('a' + wn_test_random(&seed) % 26);
        if (i % 40 == 3)
            snprintf(r->text, sizeof(r->text), "   ");
        if (i % 40 == 5) /* ties */
            snprintf(r->text, sizeof(r->text), "the same words");
        r->source = (int)(wn_test_random(&seed) % 2);
        for (size_t h = 0; h < WN_HEADS; h++)
            r->label[h] = (int)(wn_test_random(&seed) % 3) - 1;
        if (r->source == 1) /* a source without positives of scam */
            r->label[WN_SCAM] = r->label[WN_SCAM] == 1 ? 0 : -1;
        r->label[WN_BAIT] = -1; /* a head without labels but those of a kind */
        r->lang = (int)(wn_test_random(&seed) % 3);
        r->kind = (int)(wn_test_random(&seed) % 4);
        r->vote = -1;
        for (size_t h = 0; h < WN_HEADS && r->kind == 1; h++)
            r->label[h] = 0; /* news is benign */
        if (r->kind == 2)
            r->label[WN_BAIT] = 1, r->vote = (int)(i % 2);
    }
}

static inline void
score_rows(void)
{
    struct wn_classifier *c = NULL;
    struct wn_scorer *s = NULL;
    struct wn_err err;

    assert_wn_ok(wn_classifier_open(&c, weights, NULL, &err), &err);
    assert_wn_ok(wn_scorer_new(&s, c, 4, &err), &err);
    for (size_t i = 0; i < ROWS; i++) {
        struct wn_item *item = wn_item_new(1u << 20);

        assert_non_null(item);
        item->post.text = (struct wn_str){ rows[i].text, strlen(rows[i].text) };
        assert_wn_ok(wn_scorer_run(s, &item, 1, &err), &err);
        for (size_t h = 0; h < WN_HEADS; h++) {
            const struct wn_value *v = &item->sig.v[WN_SIG_SCORE_SPAM + h];

            rows[i].score[h] = v->kind == WN_VALUE_DOUBLE ? v->d : -1;
        }
        rows[i].words = (long)item->sig.v[WN_SIG_TEXT_WORDS].i;
        wn_item_free(item);
    }
    wn_scorer_free(s);
    wn_classifier_free(c);
}

/* The first half plain, the second gzip: both files are read. */
static inline void
write_rows(void)
{
    FILE *f = fopen(plain, "we");
    gzFile z = gzopen(gzipped, "wb");

    assert_non_null(f);
    assert_non_null(z);
    for (size_t i = 0; i < ROWS; i++) {
        json_t *o = json_pack("{s:i, s:s, s:s, s:{}}", "id", (int)i, "text",
            rows[i].text, "source", rows[i].source == 0 ? "one" : "two",
            "labels");
        char *line;

        assert_non_null(o);
        json_object_set_new(o, "id", json_sprintf("r%zu", i));
        if (langs[rows[i].lang] != NULL)
            json_object_set_new(o, "lang", json_string(langs[rows[i].lang]));
        if (kinds[rows[i].kind] != NULL)
            json_object_set_new(o, "kind", json_string(kinds[rows[i].kind]));
        if (rows[i].vote >= 0)
            json_object_set_new(json_object_get(o, "labels"), "bait_vote",
                json_integer(rows[i].vote));
        for (size_t h = 0; h < WN_HEADS; h++)
            json_object_set_new(json_object_get(o, "labels"), labels[h],
                rows[i].label[h] < 0 ? json_null()
                                     : json_integer(rows[i].label[h]));
        line = json_dumps(o, JSON_COMPACT);
        assert_non_null(line);
        if (i < ROWS / 2)
            fprintf(f, "%s\n", line);
        else
            gzprintf(z, "%s\n", line);
        free(line);
        json_decref(o);
    }
    assert_int_equal(fclose(f), 0);
    assert_int_equal(gzclose(z), Z_OK);
}

/* The exit status; what it prints goes to the file `out`. */
static inline int
run(const char *args)
{
    char command[30000];
    int status;

    snprintf(command, sizeof(command), "'%s' eval %s >'%s' 2>'%s.err'",
        wn_program(), args, out, out);
    status = system(command);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static inline const char *
output(const char *suffix)
{
    static char text[1 << 20];
    char path[4300];
    FILE *f;

    snprintf(path, sizeof(path), "%s%s", out, suffix);
    f = fopen(path, "re");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return text;
}

static inline int
setup(void **state)
{
    const char *dir = wn_test_dir();

    (void)state;
    snprintf(weights, sizeof(weights), "%s/weights", dir);
    snprintf(plain, sizeof(plain), "%s/a.jsonl", dir);
    snprintf(gzipped, sizeof(gzipped), "%s/b.jsonl.gz", dir);
    snprintf(out, sizeof(out), "%s/out", dir);
    snprintf(kept, sizeof(kept), "%s/scores.jsonl", dir);
    mkdir(weights, 0700);
    unsetenv("WINNOW_CONFIG");
    unsetenv("WINNOW_MODEL_DIR");
    wn_weights_joint(&joint);
    joint.head[WN_SPAM].threshold = 0.6;
    wn_weights_make(weights, &joint);
    draw_rows();
    score_rows();
    write_rows();
    return 0;
}

static inline void
assert_says(const char *text, const char *want)
{
    if (strstr(text, want) == NULL)
        fail_msg("'%s' does not say '%s'", text, want);
}

static inline json_t *
json_of(const char *args)
{
    json_t *root;

    if (run(args) != 0)
        fail_msg("%s", output(".err"));
    root = json_loads(output(""), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    return root;
}

static inline const json_t *
member(const json_t *o, const char *a, const char *b, const char *c)
{
    o = json_object_get(o, a);
    o = b == NULL ? o : json_object_get(o, b);
    return c == NULL ? o : json_object_get(o, c);
}

static inline void
copy_output(char **ret)
{
    *ret = strdup(output(""));
    assert_non_null(*ret);
}

#endif
