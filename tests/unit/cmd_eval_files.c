/*
 * winnow eval: what it reads and writes. Scores kept and read again, plots,
 * the table for people, and bad input of every kind.
 */
#include "tests/unit/cmd_eval_kit.h"

/* --- scores in a file --- */

static void
eval_reads_the_scores_that_it_kept(void **state)
{
    char args[20000], *first, *second;

    (void)state;
    snprintf(args, sizeof(args),
        "'%s' '%s' --scores '%s' --json - --weights '%s'", plain, gzipped, kept,
        weights);
    if (run(args) != 0)
        fail_msg("%s", output(".err"));
    copy_output(&first);
    snprintf(args, sizeof(args),
        "'%s' '%s' --from '%s' --json - --model.dir=/nowhere", plain, gzipped,
        kept);
    if (run(args) != 0)
        fail_msg("%s", output(".err"));
    copy_output(&second);
    assert_string_equal(first, second);
    free(first);
    free(second);
}

/* What `--from` says of the kept file after sed has changed it. */
static const char *
says_of_scores(const char *sed)
{
    char args[20000];

    snprintf(args, sizeof(args), "sed '%s' '%s' >'%s.bad'", sed, kept, kept);
    assert_int_equal(system(args), 0);
    snprintf(
        args, sizeof(args), "'%s' '%s' --from '%s.bad'", plain, gzipped, kept);
    assert_int_equal(run(args), 1);
    return output(".err");
}

static void
eval_refuses_scores_of_other_texts(void **state)
{
    char args[20000];

    (void)state;
    snprintf(args, sizeof(args), "'%s' '%s' --scores '%s' --weights '%s'",
        plain, gzipped, kept, weights);
    assert_int_equal(run(args), 0);
    assert_says(says_of_scores("5s/\"id\":\"r/\"id\":\"x/"),
        "scores.jsonl.bad:5: its id, source or text is not that of text 4");
    assert_says(says_of_scores("7s/\"source\":\"/&x/"), "of text 6");
    assert_says(says_of_scores("9s/\"text\":\"./&0/"), "of text 8");
    assert_says(says_of_scores("$d"), "scores of 229 texts, the data has 230");
    assert_says(says_of_scores("$p"), ":232: more lines");
    assert_says(says_of_scores("1s/230/231/"), ":1: scores of 231 texts");
    assert_says(says_of_scores("1d"), ":1: not the first line");
    assert_says(says_of_scores("1s/\"scam\":\\[/&1,/"), "heads.scam");
    assert_says(says_of_scores("3s/\"bait\":/&null,\"x\":/"), "logits.bait");
    assert_says(says_of_scores("3s/\"words\":/&-/"), "\"words\"");
    assert_says(says_of_scores("d"), "scores of 0 texts");
    snprintf(args, sizeof(args), "'%s' --from '%s'", plain, kept);
    assert_int_equal(run(args), 1);
    assert_says(output(".err"), "scores of 230 texts, the data has 115");
    snprintf(args, sizeof(args), "'%s' --from '%s' --weights x", plain, kept);
    assert_int_equal(run(args), 2);
}

/* --- plots --- */

static void
check_svg(const char *dir, const char *name)
{
    static char text[1 << 18];
    char path[4600];
    FILE *f;
    size_t open = 0, closed = 0;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "re");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    assert_memory_equal(text, "<svg xmlns=", 11);
    assert_string_equal(text + strlen(text) - 7, "</svg>\n");
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    assert_non_null(strstr(text, "prefers-color-scheme:dark"));
    for (const char *p = text; (p = strstr(p, "<g ")) != NULL; p++)
        open++;
    for (const char *p = text; (p = strstr(p, "</g>")) != NULL; p++)
        closed++;
    assert_int_equal(open, WN_HEADS);
    assert_int_equal(closed, WN_HEADS);
}

static void
eval_draws_plots(void **state)
{
    char args[20000], dir[4300];

    (void)state;
    snprintf(dir, sizeof(dir), "%s/plots", wn_test_dir());
    snprintf(args, sizeof(args), "'%s' '%s' --svg '%s' --weights '%s'", plain,
        gzipped, dir, weights);
    for (int again = 0; again < 2; again++)
        if (run(args) != 0)
            fail_msg("%s", output(".err"));
    check_svg(dir, "reliability.svg");
    check_svg(dir, "scores.svg");
    snprintf(args, sizeof(args), "'%s' --svg '%s' --weights '%s'", plain, plain,
        weights);
    assert_int_equal(run(args), 1);
    assert_says(output(".err"), "--svg: ");
}

/* --- the table --- */

static void
eval_prints_a_table_for_people(void **state)
{
    char args[20000];
    const char *text;

    (void)state;
    snprintf(args, sizeof(args), "'%s' --model.dir='%s'", plain, weights);
    if (run(args) != 0)
        fail_msg("%s", output(".err"));
    text = output("");
    assert_non_null(strstr(text, "winnow-test-1@"));
    assert_non_null(strstr(text, "rows       115"));
    assert_non_null(strstr(text, "spam 0.6000"));
    assert_non_null(strstr(text, "by source"));
    assert_null(strstr(text, "by kind"));
    assert_null(strstr(text, "n-grams"));
    assert_null(strstr(text, "nan"));
    snprintf(args, sizeof(args),
        "'%s' '%s' --model.dir='%s' --by kind,sub,length --parts "
        "--attacks --attack-rows 3 --dev '%s'",
        plain, gzipped, weights, plain);
    if (run(args) != 0)
        fail_msg("%s", output(".err"));
    text = output("");
    assert_null(strstr(text, "by source"));
    assert_says(text, "by length");
    assert_says(text, "n-grams");
    assert_says(text, "0.1 % of dev");
    assert_says(text, "a.jsonl, 115 rows");
    assert_says(text, "\nnews                      benign, any");
    assert_says(text, "\nbait_poll                 bait");
    assert_says(text, "\nbait_vote                 bait");
    assert_says(text, "front-3000");
    assert_says(text, "recall after: worst ");
    assert_null(strstr(text, "nan"));
}

/* A name of the data may hold anything. */
static void
eval_prints_no_control_characters_of_the_data(void **state)
{
    char args[20000], odd[4300];
    FILE *f;

    (void)state;
    snprintf(odd, sizeof(odd), "%s/names.jsonl", wn_test_dir());
    f = fopen(odd, "we");
    assert_non_null(f);
    for (int i = 0; i < 2; i++)
        fprintf(f,
            "{\"text\":\"x y\",\"labels\":{\"spam\":%d},\"source\":"
            "\"a\\u001b[31m\\u202eb\",\"kind\":\"k\\n\"}\n",
            i);
    fclose(f);
    snprintf(args, sizeof(args), "'%s' --by source,kind --weights '%s'", odd,
        weights);
    if (run(args) != 0)
        fail_msg("%s", output(".err"));
    assert_says(output(""), "a\xc2\xb7[31m\xc2\xb7"
                            "b");
    assert_null(strchr(output(""), 0x1b));
}

/* --- what is wrong --- */

static const struct {
    const char *args, *says;
} misused[] = {
    { "--json", "--json: needs a value" },
    { "--json=", "--json needs a name" },
    { "--by words", "--by 'words' is not source" },
    { "--by source,", "--by '' is not source" },
    { "--prevalence 1", "--prevalence '1'" },
    { "--prevalence 0.1x", "--prevalence '0.1x'" },
    { "--prevalence nan", "--prevalence 'nan'" },
    { "--attack-rows 0", "--attack-rows '0'" },
    { "--at fpr=0", "--at 'fpr=0' is not" },
    { "--at fpr=0.1x", "--at 'fpr=0.1x' is not" },
    { "--at recall=0.5", "--at 'recall=0.5' is not" },
    { "--threads many", "--threads 'many'" },
    { "--threads 257", "from 1 to 256" },
    { "--scores -", "--scores needs a file" },
    { "--atacks", "did you mean --attacks?" },
};

static void
eval_says_what_is_wrong(void **state)
{
    char args[20000], bad[4300];
    FILE *f;

    (void)state;
    assert_int_equal(run(""), 2);
    assert_int_equal(run("--nonsense x"), 2);
    for (size_t i = 0; i < sizeof(misused) / sizeof(misused[0]); i++) {
        snprintf(args, sizeof(args), "'%s' %s", plain, misused[i].args);
        assert_int_equal(run(args), 2);
        assert_says(output(".err"), misused[i].says);
    }
    snprintf(args, sizeof(args), "'%s' --json '%s' --weights '%s'", plain,
        wn_test_dir(), weights);
    assert_int_equal(run(args), 1);
    assert_says(output(".err"), "is a directory");
    snprintf(args, sizeof(args), "'%s' --scores /nowhere/x --weights '%s'",
        plain, weights);
    assert_int_equal(run(args), 1);
    assert_says(output(".err"), "/nowhere/x: No such file");
    snprintf(args, sizeof(args), "/dev/null --weights '%s'", weights);
    assert_int_equal(run(args), 1);
    assert_says(output(".err"), "/dev/null: no texts in it");
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

static void
eval_says_what_is_wrong_with_a_row(void **state)
{
    static const struct {
        const char *row, *says;
    } bad[] = {
        { "{\"labels\":{}}", "\"text\" is not a string" },
        { "{\"text\":\"x\"}", "\"labels\" is not an object" },
        { "{\"text\":\"x\",\"labels\":{},\"lang\":1}", "\"lang\" is not" },
        { "{\"text\":\"x\",\"labels\":{},\"kind\":[]}", "\"kind\" is not" },
        { "{\"text\":\"x\",\"labels\":{},\"source\":{}}", "\"source\" is" },
        { "{\"text\":\"x\",\"labels\":{\"bait_tag\":\"1\"}}",
            "label \"bait_tag\"" },
        { "{\"text\":\"x\",\"labels\":{\"ai\":true}}", "label \"ai\"" },
        { "[]", "not a JSON object" },
    };
    char args[20000], path[4300];

    (void)state;
    snprintf(path, sizeof(path), "%s/row.jsonl", wn_test_dir());
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        FILE *f = fopen(path, "we");

        assert_non_null(f);
        fprintf(f, "\n%s\n", bad[i].row);
        fclose(f);
        snprintf(args, sizeof(args), "'%s' --weights '%s'", path, weights);
        assert_int_equal(run(args), 1);
        assert_says(output(".err"), "row.jsonl:2: ");
        assert_says(output(".err"), bad[i].says);
    }
}

static void
eval_bounds_the_names(void **state)
{
    char args[20000], path[4300];
    FILE *f;

    (void)state;
    snprintf(path, sizeof(path), "%s/many.jsonl", wn_test_dir());
    f = fopen(path, "we");
    assert_non_null(f);
    for (int i = 0; i < 300; i++)
        fprintf(f, "{\"text\":\"x\",\"labels\":{},\"kind\":\"k%d\"}\n", i);
    fclose(f);
    snprintf(args, sizeof(args), "'%s' --weights '%s'", path, weights);
    assert_int_equal(run(args), 1);
    assert_says(
        output(".err"), "many.jsonl:257: more than 256 values of \"kind\"");
}

static const char good[] = "{\"text\":\"x\",\"labels\":{\"spam\":1}}\n";

/* What `winnow eval` says of a file of these bytes, or of its first `cut`
 * bytes as gzip (0: plain). */
static const char *
says_of(const char *bytes, size_t len, size_t cut)
{
    char args[20000], path[4300];
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
    char *text = malloc(n), args[20000];

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
    char args[20000];

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
    cmocka_unit_test(eval_reads_the_scores_that_it_kept),
    cmocka_unit_test(eval_refuses_scores_of_other_texts),
    cmocka_unit_test(eval_draws_plots),
    cmocka_unit_test(eval_prints_a_table_for_people),
    cmocka_unit_test(eval_prints_no_control_characters_of_the_data),
    cmocka_unit_test(eval_says_what_is_wrong),
    cmocka_unit_test(eval_says_what_is_wrong_with_a_row),
    cmocka_unit_test(eval_bounds_the_names),
    cmocka_unit_test(eval_counts_lines_whatever_is_in_them),
    cmocka_unit_test(eval_says_what_is_no_file_of_lines),
    cmocka_unit_test(eval_reads_standard_input),
};

int
main(void)
{
    return wn_test_run(
        "cmd/eval_files", tests, sizeof(tests) / sizeof(tests[0]), setup, NULL);
}
