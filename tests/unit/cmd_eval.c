/*
 * winnow eval: what it prints is what brute force says about the scores that
 * the classifier gives, in JSON and as a table, plain and gzip. Runs the
 * binary of this build on the small weights of tests/lib/weights.h.
 */
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>
#include <zlib.h>

#include "classifier/classifier.h"
#include "tests/lib/test.h"
#include "tests/lib/weights.h"

#define ROWS 230

struct row {
    char text[200];
    int label[WN_HEADS]; /* -1 unknown */
    int source;
    double score[WN_HEADS]; /* -1: no text */
};

static struct row rows[ROWS];
static struct wn_joint joint;
static char weights[4200], plain[4200], gzipped[4200], out[4200];
static const char *const labels[WN_HEADS] = { "spam", "scam", "bait", "ai" };

static void
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
        r->label[WN_BAIT] = -1; /* a head without labels */
    }
}

static void
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
        wn_item_free(item);
    }
    wn_scorer_free(s);
    wn_classifier_free(c);
}

/* The first half plain, the second gzip: both files are read. */
static void
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
static int
run(const char *args)
{
    const char *build = getenv("BUILD");
    char command[20000];
    int status;

    snprintf(command, sizeof(command), "'%s/winnow' eval %s >'%s' 2>'%s.err'",
        build == NULL || build[0] == '\0' ? "build" : build, args, out, out);
    status = system(command);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static const char *
output(const char *suffix)
{
    static char text[1 << 16];
    char path[4300];
    FILE *f;

    snprintf(path, sizeof(path), "%s%s", out, suffix);
    f = fopen(path, "re");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return text;
}

static int
setup(void **state)
{
    const char *dir = wn_test_dir();

    (void)state;
    snprintf(weights, sizeof(weights), "%s/weights", dir);
    snprintf(plain, sizeof(plain), "%s/a.jsonl", dir);
    snprintf(gzipped, sizeof(gzipped), "%s/b.jsonl.gz", dir);
    snprintf(out, sizeof(out), "%s/out", dir);
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

static void
assert_number(const json_t *cell, const char *name, double want)
{
    const json_t *v = json_object_get(cell, name);

    if (isnan(want)) {
        assert_true(json_is_null(v));
        return;
    }
    assert_true(json_is_number(v));
    if (fabs(json_number_value(v) - want) > 1e-4)
        fail_msg("%s is %f, not %f", name, json_number_value(v), want);
}

/* source -1: all. */
static void
check_cell(const json_t *cell, size_t h, int source)
{
    double t = joint.head[h].threshold, wins = 0;
    double n[2] = { 0, 0 }, hit[2] = { 0, 0 };

    for (size_t i = 0; i < ROWS; i++) {
        const struct row *p = &rows[i];

        if (p->label[h] < 0 || (source >= 0 && p->source != source))
            continue;
        n[p->label[h]]++;
        hit[p->label[h]] += p->score[h] >= t;
        for (size_t k = 0; k < ROWS && p->label[h] == 1; k++) {
            const struct row *q = &rows[k];

            if (q->label[h] == 0 && (source < 0 || q->source == source))
                wins += p->score[h] > q->score[h]    ? 1
                        : p->score[h] == q->score[h] ? 0.5
                                                     : 0;
        }
    }
    assert_number(cell, "pos", n[1]);
    assert_number(cell, "neg", n[0]);
    assert_number(
        cell, "auc", n[0] > 0 && n[1] > 0 ? wins / (n[0] * n[1]) : NAN);
    assert_number(cell, "recall", n[1] > 0 ? hit[1] / n[1] : NAN);
    assert_number(cell, "fpr", n[0] > 0 ? hit[0] / n[0] : NAN);
}

static void
eval_prints_what_brute_force_says(void **state)
{
    char args[13000];
    json_t *root;

    (void)state;
    snprintf(args, sizeof(args),
        "'%s' --json '%s' --weights '%s' --parts --score.threads=3", plain,
        gzipped, weights);
    if (run(args) != 0)
        fail_msg("%s", output(".err"));
    root = json_loads(output(""), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_int_equal(json_integer_value(json_object_get(root, "rows")), ROWS);
    assert_int_equal(
        json_object_size(json_object_get(root, "heads")), WN_HEADS);
    for (size_t h = 0; h < WN_HEADS; h++) {
        const json_t *head =
            json_object_get(json_object_get(root, "heads"), wn_head_names[h]);
        const json_t *sources = json_object_get(head, "sources");
        const json_t *all = json_object_get(head, "all");

        assert_number(head, "threshold", joint.head[h].threshold);
        check_cell(all, h, -1);
        check_cell(json_object_get(sources, "one"), h, 0);
        check_cell(json_object_get(sources, "two"), h, 1);
        assert_int_equal(json_object_size(sources), 2);
        assert_int_equal(
            json_is_null(json_object_get(all, "auc_encoder")), h == WN_BAIT);
        assert_int_equal(
            json_is_null(json_object_get(all, "auc_ngram")), h == WN_BAIT);
    }
    json_decref(root);
}

static void
eval_prints_a_table_for_people(void **state)
{
    char args[13000];
    const char *text;

    (void)state;
    snprintf(args, sizeof(args), "'%s' --model.dir='%s'", plain, weights);
    if (run(args) != 0)
        fail_msg("%s", output(".err"));
    text = output("");
    assert_non_null(strstr(text, "winnow-test-1@"));
    assert_non_null(strstr(text, "rows       115"));
    assert_non_null(strstr(text, "spam 0.6000"));
    assert_non_null(strstr(text, "\nai_text  (all) "));
    assert_null(strstr(text, "n-grams"));
    assert_null(strstr(text, "nan"));
}

static void
eval_says_what_is_wrong(void **state)
{
    char args[13000], bad[4300];
    FILE *f;

    (void)state;
    assert_int_equal(run(""), 2);
    assert_int_equal(run("--nonsense x"), 2);
    snprintf(args, sizeof(args), "'%s' --weights /nowhere", plain);
    assert_int_equal(run(args), 78);
    assert_non_null(strstr(output(".err"), "/nowhere"));
    snprintf(bad, sizeof(bad), "%s/bad.jsonl", wn_test_dir());
    f = fopen(bad, "we");
    assert_non_null(f);
    fputs("{\"text\":\"x\",\"labels\":{\"spam\":1}}\n"
          "{\"text\":\"x\",\"labels\":{\"spam\":2}}\n",
        f);
    fclose(f);
    snprintf(args, sizeof(args), "'%s' --weights '%s'", bad, weights);
    assert_int_equal(run(args), 1);
    assert_non_null(strstr(output(".err"), "bad.jsonl:2: label \"spam\""));
    snprintf(args, sizeof(args), "/nowhere.jsonl --weights '%s'", weights);
    assert_int_equal(run(args), 1);
    assert_string_equal(output(""), "");
}

static const char good[] = "{\"text\":\"x\",\"labels\":{\"spam\":1}}\n";

/* What `winnow eval` says of a file of these bytes, or of its first `cut`
 * bytes as gzip (0: plain). */
static const char *
says_of(const char *bytes, size_t len, size_t cut)
{
    char args[13000], path[4300];
    FILE *f;
    gzFile z;

    snprintf(path, sizeof(path), "%s/odd.jsonl", wn_test_dir());
    if (cut > 0) {
        z = gzopen(path, "wb");
        assert_non_null(z);
        assert_int_equal(gzwrite(z, bytes, (unsigned)len), len);
        assert_int_equal(gzclose(z), Z_OK);
        assert_int_equal(truncate(path, (off_t)cut), 0);
    } else {
        f = fopen(path, "we");
        assert_non_null(f);
        assert_int_equal(fwrite(bytes, 1, len, f), len);
        assert_int_equal(fclose(f), 0);
    }
    snprintf(args, sizeof(args), "'%s' --weights '%s'", path, weights);
    assert_int_equal(run(args), 1);
    return output(".err");
}

static void
assert_says(const char *text, const char *want)
{
    if (strstr(text, want) == NULL)
        fail_msg("'%s' does not say '%s'", text, want);
}

static void
eval_counts_lines_whatever_is_in_them(void **state)
{
    static char text[3 * sizeof(good) + 64];
    size_t n = strlen(good);

    (void)state;
    /* a zero byte ended the line for gzgets() and strlen() */
    memcpy(text, good, n);
    memcpy(text + n, "{\"text\":\"\0\"}\n", 14);
    memcpy(text + n + 14, good, n);
    assert_says(says_of(text, 2 * n + 14, 0), "odd.jsonl:2: ");
    /* blank lines are passed over and counted; no newline at the end */
    n = (size_t)snprintf(text, sizeof(text), "%s \t\r\n\n{", good);
    assert_says(says_of(text, n, 0), "odd.jsonl:4: ");
}

static void
eval_says_what_is_no_file_of_lines(void **state)
{
    size_t n = (size_t)17 << 20;
    char *text = malloc(n), args[13000];

    (void)state;
    assert_non_null(text);
    memset(text, 'x', n);
    assert_says(says_of(text, n, 0), "odd.jsonl:1: longer than 16777216");
    for (size_t i = 0; i + sizeof(good) < 9000; i += strlen(good))
        memcpy(text + i, good, strlen(good));
    assert_says(says_of(text, 9000, 60), "the gzip file is cut off");
    free(text);
    snprintf(args, sizeof(args), "'%s' --weights '%s'", wn_test_dir(), weights);
    assert_int_equal(run(args), 1);
    assert_says(output(".err"), ": is a directory");
}

static void
eval_reads_standard_input(void **state)
{
    char args[13000];

    (void)state;
    snprintf(args, sizeof(args), "- '%s' --weights '%s' <'%s'", gzipped,
        weights, plain);
    if (run(args) != 0)
        fail_msg("%s", output(".err"));
    assert_says(output(""), "rows       230");
    snprintf(args, sizeof(args), "- --weights '%s' <'%s'", weights, gzipped);
    assert_int_equal(run(args), 0);
    assert_says(output(""), "rows       115");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(eval_prints_what_brute_force_says),
    cmocka_unit_test(eval_prints_a_table_for_people),
    cmocka_unit_test(eval_says_what_is_wrong),
    cmocka_unit_test(eval_counts_lines_whatever_is_in_them),
    cmocka_unit_test(eval_says_what_is_no_file_of_lines),
    cmocka_unit_test(eval_reads_standard_input),
};

int
main(void)
{
    return wn_test_run(
        "cmd/eval", tests, sizeof(tests) / sizeof(tests[0]), setup, NULL);
}
