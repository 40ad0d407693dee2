/*
 * winnow model: `compare` passes and refuses by each of its rules, on scores
 * that were made for it and on weights; `card` writes the numbers that it was
 * given and nothing else; `info` says what is in a folder.
 */
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "cmd/data.h"
#include "cmd/eval_int.h"
#include "tests/lib/program.h"
#include "tests/lib/test.h"
#include "tests/lib/weights.h"

#define ROWS 600

static struct wn_err err;
static char dir[3000], data_file[3100], a_file[3100], b_file[3100];
static char weights[3100];

/* --- running it --- */

static int
run(const char *args)
{
    return wn_program_run(dir, args);
}

/* A file of the test's folder. */
static const char *
content(const char *name)
{
    return wn_program_file(dir, name);
}

static void
assert_says(const char *name, const char *want)
{
    if (strstr(content(name), want) == NULL)
        fail_msg("%s: '%s' does not say '%s'", name, content(name), want);
}

static void
put_file(const char *name, const char *text)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* --- compare --- */

/* Even rows are positive for one head, of kind "bad-HEAD"; odd ones benign,
 * every second of kind "calm". */
static size_t
head_of(size_t row)
{
    return row % 2 == 0 ? row / 2 % WN_HEADS : WN_HEADS;
}

static void
write_data(void)
{
    static const char *const names[] = { "spam", "scam", "bait", "ai" };
    FILE *f = fopen(data_file, "we");

    assert_non_null(f);
    for (size_t i = 0; i < ROWS; i++) {
        size_t h = head_of(i);

        fprintf(f, "{\"id\":\"%zu\",\"text\":\"text of row %zu\",\"labels\":{",
            i, i);
        for (size_t k = 0; k < WN_HEADS; k++)
            fprintf(f, "%s\"%s\":%d", k == 0 ? "" : ",", names[k], k == h);
        fprintf(f, "},\"source\":\"feed\"");
        if (h < WN_HEADS)
            fprintf(f, ",\"kind\":\"bad-%s\"", names[h]);
        else if (i % 4 == 1)
            fprintf(f, ",\"kind\":\"calm\"");
        fprintf(f, "}\n");
    }
    assert_int_equal(fclose(f), 0);
}

/* Scores of both models: nine positives in ten are flagged and one negative in
 * a hundred; the threshold is 0. Texts are long. */
struct both {
    struct wn_data d;
    struct wn_eval_scores s[2];
};

static void
both_init(struct both *b)
{
    wn_data_init(&b->d);
    assert_wn_ok(wn_data_read(&b->d, data_file, &err), &err);
    assert_int_equal(b->d.n, ROWS);
    for (size_t m = 0; m < 2; m++) {
        struct wn_eval_scores *s = &b->s[m];

        assert_wn_ok(wn_eval_scores_init(s, ROWS, false, &err), &err);
        snprintf(s->model, sizeof(s->model), "model-%zu", m);
        s->points_n = 1;
        for (size_t k = 0; k < ROWS * WN_HEADS; k++) {
            size_t i = k / WN_HEADS, h = k % WN_HEADS;

            s->words[i] = 40;
            s->at[h][0] = (struct wn_eval_point){ .ask = { NAN, NAN } };
            if (head_of(i) == h)
                s->logit[h][i] = i / 8 % 10 == 9 ? -1 : 3;
            else
                s->logit[h][i] = (i + 37 * h) % 100 == 3 ? 1 : -4;
        }
    }
}

/* Writes both and compares them; the exit status. */
static int
both_compare(struct both *b, const char *flags)
{
    char args[16000];

    assert_wn_ok(wn_eval_scores_write(&b->s[0], &b->d, a_file, &err), &err);
    assert_wn_ok(wn_eval_scores_write(&b->s[1], &b->d, b_file, &err), &err);
    for (size_t m = 0; m < 2; m++)
        wn_eval_scores_release(&b->s[m]);
    wn_data_release(&b->d);
    snprintf(args, sizeof(args), "model compare '%s' '%s' '%s' %s", a_file,
        b_file, data_file, flags);
    return run(args);
}

/* The model's logit of the n-th flagged (or not) positive of a head. */
static void
turn(struct wn_eval_scores *s, size_t h, size_t n, double from, double to)
{
    for (size_t i = 0; i < ROWS && n > 0; i++)
        if (head_of(i) == h && s->logit[h][i] == from) {
            s->logit[h][i] = to;
            n--;
        }
    assert_int_equal(n, 0);
}

/* Benign rows, of kind "calm" or not. */
static void
turn_benign(struct wn_eval_scores *s, size_t h, size_t n, bool calm)
{
    for (size_t i = 1; i < ROWS && n > 0; i += 2)
        if ((i % 4 == 1) == calm && s->logit[h][i] < 0) {
            s->logit[h][i] = 2;
            n--;
        }
    assert_int_equal(n, 0);
}

static void
compare_passes_the_same_model(void **state)
{
    struct both b;

    (void)state;
    both_init(&b);
    assert_int_equal(both_compare(&b, ""), 0);
    assert_says("out", "A     model-0\nB     model-1\nrows  600\n");
    assert_says("out", "B is not worse.");
    assert_says("out", "calm");
}

static void
compare_passes_a_better_model_and_what_chance_explains(void **state)
{
    struct both b;

    (void)state;
    both_init(&b);
    turn(&b.s[1], WN_SPAM, 5, -1, 2);
    turn(&b.s[1], WN_SCAM, 1, 3, -2);
    turn_benign(&b.s[1], WN_BAIT, 2, false);
    assert_int_equal(both_compare(&b, ""), 0);
    assert_says("out", "B is not worse.");
}

static void
compare_refuses_lower_recall(void **state)
{
    struct both b;
    json_t *root;
    const json_t *head;

    (void)state;
    both_init(&b);
    turn(&b.s[1], WN_SCAM, 12, 3, -2);
    assert_int_equal(both_compare(&b, "--json - --kind-drop 0.9"), 1);
    root = json_loads(content("out"), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_true(json_is_false(json_object_get(root, "passes")));
    assert_int_equal(json_array_size(json_object_get(root, "reasons")), 1);
    head = json_object_get(json_object_get(root, "heads"), "scam");
    assert_int_equal(json_integer_value(json_object_get(head, "pos")), 75);
    assert_true(fabs(json_number_value(json_object_get(head, "recall_change")) +
                     12.0 / 75) < 1e-12);
    assert_true(json_number_value(json_array_get(
                    json_object_get(head, "recall_change_ci"), 1)) < 0);
    json_decref(root);
    assert_string_equal(content("out.err"), "");
}

static void
compare_refuses_more_benign_flags(void **state)
{
    struct both b;

    (void)state;
    both_init(&b);
    turn_benign(&b.s[1], WN_SPAM, 10, false);
    assert_int_equal(both_compare(&b, ""), 1);
    assert_says("out", "B does not pass:\nspam: more negatives are flagged");
    assert_says("out", "\nmore benign rows are flagged");
    /* a little by each head: none stands out, all together do */
    both_init(&b);
    for (size_t h = 0, at = 3; h < WN_HEADS; h++)
        for (size_t k = 0; k < 2; k++, at += 4)
            b.s[1].logit[h][at] = 2;
    assert_int_equal(both_compare(&b, ""), 1);
    assert_says("out", "B does not pass:\nmore benign rows are flagged");
}

/* ai_text never flags under 25 words, so it is no harm there; its own head is
 * measured by the score alone. */
static void
compare_counts_no_flag_of_ai_text_on_short_texts(void **state)
{
    struct both b;

    (void)state;
    both_init(&b);
    turn_benign(&b.s[1], WN_AI_TEXT, 10, false);
    for (size_t i = 0; i < ROWS; i++)
        b.s[0].words[i] = b.s[1].words[i] = 24;
    assert_int_equal(both_compare(&b, ""), 1);
    assert_says("out", "ai_text: more negatives are flagged");
    assert_null(strstr(content("out"), "more benign rows"));
}

static void
compare_refuses_a_kind_that_drops(void **state)
{
    struct both b;

    (void)state;
    both_init(&b);
    turn(&b.s[1], WN_BAIT, 3, 3, -2); /* 4 % of 75 */
    assert_int_equal(both_compare(&b, ""), 0);
    both_init(&b);
    turn(&b.s[1], WN_BAIT, 3, 3, -2);
    assert_int_equal(both_compare(&b, "--kind-drop 0.04"), 0);
    both_init(&b);
    turn(&b.s[1], WN_BAIT, 3, 3, -2);
    assert_int_equal(both_compare(&b, "--kind-drop 0.03"), 1);
    assert_says("out", "B does not pass:\nkind bad-bait (bait): 0.8667 of 75 "
                       "flagged, was 0.9067\n");
    both_init(&b);
    turn_benign(&b.s[1], WN_SPAM, 3, true);
    assert_int_equal(both_compare(&b, "--kind-drop 0.01"), 1);
    assert_says("out", "B does not pass:\nkind calm (benign): ");
}

/* A gate that does not test a head lets nothing through. */
static void
compare_refuses_what_is_not_tested(void **state)
{
    char args[16000], few[4096];
    struct both b;

    (void)state;
    snprintf(few, sizeof(few), "%s/few.jsonl", dir);
    snprintf(args, sizeof(args), "sed 's/\"scam\":1/\"scam\":null/' '%s' >'%s'",
        data_file, few);
    assert_int_equal(system(args), 0);
    both_init(&b);
    assert_int_equal(both_compare(&b, ""), 0);
    snprintf(args, sizeof(args), "model compare '%s' '%s' '%s'", a_file, b_file,
        few);
    assert_int_equal(run(args), 1);
    assert_says("out", "scam is not tested: 0 positives and 525 negatives, 30 "
                       "and 200 are needed");
}

static void
compare_scores_weights_itself(void **state)
{
    char args[16000];

    (void)state;
    snprintf(args, sizeof(args), "eval '%s' --scores '%s' --weights '%s'",
        data_file, a_file, weights);
    if (run(args) != 0)
        fail_msg("%s", content("out.err"));
    snprintf(args, sizeof(args),
        "model compare '%s' '%s' '%s' --threads 2 --json '%s/compare.json'",
        a_file, weights, data_file, dir);
    if (run(args) != 0)
        fail_msg("%s%s", content("out"), content("out.err"));
    assert_says("out", "B is not worse.");
    assert_says("compare.json", "\"passes\":true,\"reasons\":[]}\n");
}

static void
compare_says_what_is_wrong(void **state)
{
    static const struct {
        const char *args;
        int status;
        const char *says;
    } cases[] = {
        { "", 2,
            "say info, compare, card, export, import, prune, activate, "
            "rollback, history or shadow" },
        { "compar", 2, "did you mean 'compare'?" },
        { "compare a b", 2, "compare needs A, B and DATA" },
        { "compare a b c --kind-drop 2", 2, "--kind-drop '2'" },
        { "compare a b c --print", 2, "--print: unknown flag" },
        { "compare /nowhere b data.jsonl", 1, "/nowhere: No such file" },
        { "compare data.jsonl b data.jsonl", 1, "data.jsonl:1: not the first" },
        { "compare . b data.jsonl", 78, "./config.json: No such file" },
        { "compare a b /nowhere", 1, "/nowhere: No such file" },
        { "compare a b data.jsonl --json .", 1, ".: is a directory" },
        { "info a b", 2, "info takes one DIR" },
        { "card", 2, "card needs one DIR" },
        { "card /nowhere", 1, "/nowhere/metrics.json: No such file" },
        { "info /nowhere", 78, "/nowhere/config.json: No such file" },
    };
    char here[4096], args[9000];

    (void)state;
    assert_non_null(getcwd(here, sizeof(here)));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int status;

        snprintf(args, sizeof(args),
            "cd '%s' && '%s/%s' model %s >out 2>out.err", dir, here,
            wn_program(), cases[i].args);
        status = system(args);
        if (WEXITSTATUS(status) != cases[i].status)
            fail_msg("%s: %d", cases[i].args, WEXITSTATUS(status));
        assert_says("out.err", cases[i].says);
    }
}

/* --- card --- */

static void
measure_weights(void)
{
    char args[16000];

    snprintf(args, sizeof(args),
        "eval '%s' --dev '%s' --attacks --attack-rows 3 --weights '%s' --json "
        "'%s/metrics.json'",
        data_file, data_file, weights, weights);
    if (run(args) != 0)
        fail_msg("%s", content("out.err"));
}

static int
card(const char *flags)
{
    char args[16000];

    snprintf(args, sizeof(args), "model card '%s' %s", weights, flags);
    return run(args);
}

/* "| spam | 75 / 525 | 0.1234 (...": the numbers of metrics.json. */
static void
check_numbers(const char *card_text)
{
    json_t *m = json_loads(content("weights/metrics.json"), 0, NULL);

    assert_non_null(m);
    for (size_t h = 0; h < WN_HEADS; h++) {
        const json_t *head =
            json_object_get(json_object_get(m, "heads"), wn_head_names[h]);
        const json_t *all = json_object_get(head, "all");
        const json_t *ci = json_object_get(all, "auc_ci");
        char line[256];

        snprintf(line, sizeof(line), "\n| %s | %d / %d | %.4f (%.4f-%.4f) | ",
            wn_head_names[h], 75, 525,
            json_number_value(json_object_get(all, "auc")),
            json_number_value(json_array_get(ci, 0)),
            json_number_value(json_array_get(ci, 1)));
        if (strstr(card_text, line) == NULL)
            fail_msg("no '%s' in %s", line, card_text);
    }
    json_decref(m);
}

static void
card_writes_the_numbers_between_the_marks(void **state)
{
    static char first[1 << 18];

    (void)state;
    measure_weights();
    put_file("weights/README.md",
        "# Mine\n\nwords before\n\n<!-- figures -->\nold\n<!-- /figures -->\n\n"
        "words after\n");
    if (card("") != 0)
        fail_msg("%s", content("out.err"));
    snprintf(first, sizeof(first), "%s", content("weights/README.md"));
    assert_ptr_equal(
        strstr(first, "# Mine\n\nwords before\n\n<!-- figures -->\n"), first);
    assert_non_null(strstr(first, "\n<!-- /figures -->\n\nwords after\n"));
    assert_null(strstr(first, "old\n"));
    assert_null(strstr(first, "nan"));
    assert_non_null(strstr(first, "on 600 texts: data.jsonl (SHA-256 "));
    assert_non_null(strstr(first, "0.1 % of 525 negatives of dev"));
    assert_non_null(strstr(first, "\n| calm | benign, any | 150 | "));
    assert_non_null(strstr(first, "\n| bad-spam | spam | 75 | "));
    assert_non_null(strstr(first, "| behind-3000 | "));
    check_numbers(first);
    /* again: the same */
    assert_int_equal(card(""), 0);
    assert_string_equal(content("weights/README.md"), first);
}

static void
card_adds_to_a_card_without_marks(void **state)
{
    (void)state;
    measure_weights();
    put_file("weights/README.md", "# Mine\n");
    assert_int_equal(card(""), 0);
    assert_says(
        "weights/README.md", "# Mine\n\n## Figures\n\n<!-- figures -->\n");
    put_file("weights/README.md", "<!-- figures -->\n");
    assert_int_equal(card(""), 1);
    assert_says("out.err", "<!-- figures --> without <!-- /figures -->");
    assert_string_equal(content("weights/README.md"), "<!-- figures -->\n");
    assert_int_equal(card("--print"), 0);
    assert_says("out", "| head | positive / negative |");
    assert_string_equal(content("weights/README.md"), "<!-- figures -->\n");
}

/* A name of the data cannot close a cell, or be HTML. */
static void
card_escapes_names(void **state)
{
    char args[16000];

    (void)state;
    put_file("odd.jsonl", "");
    snprintf(args, sizeof(args),
        "sed 's/\"kind\":\"calm\"/\"kind\":\"a|<b>`\\\\n*\"/' '%s' "
        ">'%s/odd.jsonl'",
        data_file, dir);
    assert_int_equal(system(args), 0);
    snprintf(args, sizeof(args),
        "eval '%s/odd.jsonl' --weights '%s' --json '%s/metrics.json'", dir,
        weights, weights);
    assert_int_equal(run(args), 0);
    assert_int_equal(card("--print"), 0);
    assert_says("out", "\n| a\\|\\<b\\>\\` \\* | benign, any | 150 | ");
}

static void
card_refuses_numbers_of_other_weights(void **state)
{
    static const char *const bad[] = { "[]", "{\"format\":1}",
        "{\"format\":2,\"model\":\"x\",\"heads\":{}}", "{" };
    char args[16000];

    (void)state;
    measure_weights();
    snprintf(args, sizeof(args),
        "sed -i 's/winnow-test-1@./winnow-test-1@x/' '%s/metrics.json'",
        weights);
    assert_int_equal(system(args), 0);
    assert_int_equal(card(""), 1);
    assert_says("out.err", "metrics.json is of winnow-test-1@x");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put_file("weights/metrics.json", bad[i]);
        assert_int_equal(card("--print"), 1);
        assert_says("out.err", "metrics.json");
        assert_string_equal(content("out"), "");
    }
}

/* --- info --- */

static void
info_says_what_is_in_the_folder(void **state)
{
    char args[16000];
    const json_t *files;
    bool vocab = false;
    json_t *root;

    (void)state;
    snprintf(args, sizeof(args), "model info '%s'", weights);
    if (run(args) != 0)
        fail_msg("%s", content("out.err"));
    assert_says("out", "weights    winnow-test-1@");
    assert_says("out", "family     bert\n");
    assert_says("out", "WordPiece");
    assert_says("out", "text       version ");
    assert_says("out", "\nai_text    0.500000");
    snprintf(args, sizeof(args), "model info '%s' --json", weights);
    assert_int_equal(run(args), 0);
    root = json_loads(content("out"), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_true(json_is_null(json_object_get(root, "unusable")));
    assert_int_equal(json_object_size(json_object_get(root, "heads")), 4);
    files = json_object_get(root, "files");
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *f = json_array_get(files, i);
        struct stat sb;
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", weights,
            json_string_value(json_object_get(f, "name")));
        assert_int_equal(stat(path, &sb), 0);
        assert_int_equal(
            json_integer_value(json_object_get(f, "bytes")), sb.st_size);
        snprintf(args, sizeof(args), "test $(sha256sum <'%s' | cut -c-64) = %s",
            path, json_string_value(json_object_get(f, "sha256")));
        assert_int_equal(system(args), 0);
        vocab = vocab || strstr(path, "/vocab.txt") != NULL;
    }
    assert_true(vocab);
    json_decref(root);
}

/* Weights that this build cannot run are described all the same. */
static void
info_says_why_weights_are_of_no_use(void **state)
{
    char args[16000];

    (void)state;
    snprintf(args, sizeof(args),
        "rm -rf '%s/broken' && cp -r '%s' '%s/broken' && sed -i "
        "'s/\"text_version\": *[0-9]*/\"text_version\": 99/' "
        "'%s/broken/config.json'",
        dir, weights, dir, dir);
    assert_int_equal(system(args), 0);
    snprintf(args, sizeof(args), "model info '%s/broken'", dir);
    assert_int_equal(run(args), 78);
    assert_says("out", "text       version 99");
    assert_says("out.err", "these weights read text version 99");
    snprintf(args, sizeof(args), "model info '%s/broken' --json", dir);
    assert_int_equal(run(args), 78);
    assert_says("out", "\"unusable\":\"");
}

static int
setup(void **state)
{
    struct wn_joint joint;

    (void)state;
    snprintf(dir, sizeof(dir), "%s", wn_test_dir());
    snprintf(data_file, sizeof(data_file), "%s/data.jsonl", dir);
    snprintf(a_file, sizeof(a_file), "%s/a", dir);
    snprintf(b_file, sizeof(b_file), "%s/b", dir);
    snprintf(weights, sizeof(weights), "%s/weights", dir);
    mkdir(weights, 0700);
    unsetenv("WINNOW_CONFIG");
    unsetenv("WINNOW_MODEL_DIR");
    wn_weights_joint(&joint);
    wn_weights_make(weights, &joint);
    write_data();
    return 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(compare_passes_the_same_model),
    cmocka_unit_test(compare_passes_a_better_model_and_what_chance_explains),
    cmocka_unit_test(compare_refuses_lower_recall),
    cmocka_unit_test(compare_refuses_more_benign_flags),
    cmocka_unit_test(compare_counts_no_flag_of_ai_text_on_short_texts),
    cmocka_unit_test(compare_refuses_a_kind_that_drops),
    cmocka_unit_test(compare_refuses_what_is_not_tested),
    cmocka_unit_test(compare_scores_weights_itself),
    cmocka_unit_test(compare_says_what_is_wrong),
    cmocka_unit_test(card_writes_the_numbers_between_the_marks),
    cmocka_unit_test(card_adds_to_a_card_without_marks),
    cmocka_unit_test(card_escapes_names),
    cmocka_unit_test(card_refuses_numbers_of_other_weights),
    cmocka_unit_test(info_says_what_is_in_the_folder),
    cmocka_unit_test(info_says_why_weights_are_of_no_use),
};

int
main(void)
{
    return wn_test_run(
        "cmd/model", tests, sizeof(tests) / sizeof(tests[0]), setup, NULL);
}
