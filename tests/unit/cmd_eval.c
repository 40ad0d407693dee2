/*
 * winnow eval: its numbers are what brute force says about the scores that the
 * classifier gives, on all rows and on each slice; thresholds from dev;
 * attacks.
 */
#include "tests/unit/cmd_eval_kit.h"

/* What a row says differs by less than this with what is scored beside it;
 * two scores that are nearer than twice that may change places. */
#define COMPANY 5e-5

static void
assert_between(const json_t *cell, const char *name, double low, double high)
{
    const json_t *v = json_object_get(cell, name);

    if (isnan(low)) {
        assert_true(json_is_null(v));
        return;
    }
    assert_true(json_is_number(v));
    if (json_number_value(v) < low - COMPANY ||
        json_number_value(v) > high + COMPANY)
        fail_msg(
            "%s is %f, not %f to %f", name, json_number_value(v), low, high);
}

static void
assert_number(const json_t *cell, const char *name, double want)
{
    assert_between(cell, name, want, want);
}

/* Rows that are meant, by a member of struct row. */
struct choice {
    enum { ALL, SOURCE, LANG, KIND, VOTE, LENGTH } by;
    long value, to; /* to: of LENGTH */
};

static bool
is_chosen(const struct row *r, struct choice c)
{
    switch (c.by) {
    case SOURCE:
        return r->source == c.value;
    case LANG:
        return r->lang == c.value;
    case KIND:
        return r->kind == c.value;
    case VOTE:
        return r->vote == 1;
    case LENGTH:
        return r->words >= c.value && r->words < c.to;
    default:
        return true;
    }
}

/* Rates at threshold t, "at"[point]. */
static void
check_rates(
    const json_t *cell, size_t point, size_t h, double t, struct choice c)
{
    const json_t *at = json_array_get(json_object_get(cell, "at"), point);
    double n[2] = { 0, 0 }, hit[2] = { 0, 0 }, recall, fpr;

    for (size_t i = 0; i < ROWS; i++) {
        const struct row *p = &rows[i];

        if (p->label[h] < 0 || !is_chosen(p, c))
            continue;
        n[p->label[h]]++;
        hit[p->label[h]] += p->score[h] >= t;
    }
    recall = n[1] > 0 ? hit[1] / n[1] : NAN;
    fpr = n[0] > 0 ? hit[0] / n[0] : NAN;
    assert_number(at, "recall", recall);
    assert_number(at, "fpr", fpr);
    assert_number(at, "precision",
        0.1 * recall + 0.9 * fpr > 0 ? 0.1 * recall / (0.1 * recall + 0.9 * fpr)
                                     : NAN);
}

/* What a pair of a positive's and a negative's score adds to the AUC, at least
 * and at most. */
static void
count_win(double positive, double negative, double *low, double *high)
{
    double d = positive - negative;
    bool may_swap = d != 0 && fabs(d) < 2 * COMPANY;
    double win = d > 0 ? 1 : d == 0 ? 0.5 : 0;

    *low += may_swap ? 0 : win;
    *high += may_swap ? 1 : win;
}

static void
check_cell(const json_t *cell, size_t h, struct choice c)
{
    double low = 0, high = 0, brier = 0, n[2] = { 0, 0 };

    for (size_t i = 0; i < ROWS; i++) {
        const struct row *p = &rows[i];
        double d = fmax(p->score[h], 0) - p->label[h];

        if (p->label[h] < 0 || !is_chosen(p, c))
            continue;
        n[p->label[h]]++;
        brier += d * d;
        for (size_t k = 0; k < ROWS && p->label[h] == 1; k++) {
            const struct row *q = &rows[k];

            if (q->label[h] == 0 && is_chosen(q, c))
                count_win(p->score[h], q->score[h], &low, &high);
        }
    }
    assert_number(cell, "pos", n[1]);
    assert_number(cell, "neg", n[0]);
    if (n[0] == 0 || n[1] == 0)
        low = NAN;
    assert_between(cell, "auc", low / (n[0] * n[1]), high / (n[0] * n[1]));
    assert_number(cell, "brier", n[0] + n[1] > 0 ? brier / (n[0] + n[1]) : NAN);
    check_rates(cell, 0, h, joint.head[h].threshold, c);
}

/* Every slice that the data has, and none where the head knows no row. */
static void
check_slices(const json_t *head, size_t h)
{
    static const struct {
        const char *by, *name;
        struct choice c;
    } slices[] = {
        { "source", "one", { SOURCE, 0, 0 } },
        { "source", "two", { SOURCE, 1, 0 } },
        { "lang", "en", { LANG, 0, 0 } },
        { "lang", "tr", { LANG, 1, 0 } },
        { "lang", "", { LANG, 2, 0 } },
        { "kind", "scam_nft", { KIND, 0, 0 } },
        { "kind", "news", { KIND, 1, 0 } },
        { "kind", "bait_poll", { KIND, 2, 0 } },
        { "kind", "", { KIND, 3, 0 } },
        { "sub", "bait_vote", { VOTE, 0, 0 } },
        { "length", "0-2", { LENGTH, 0, 3 } },
        { "length", "3-9", { LENGTH, 3, 10 } },
        { "length", "10-24", { LENGTH, 10, 25 } },
        { "length", "25-59", { LENGTH, 25, 60 } },
    };
    size_t known = 0, of_slice;

    for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++) {
        const json_t *cell = member(head, "by", slices[i].by, slices[i].name);

        of_slice = 0;
        for (size_t k = 0; k < ROWS; k++)
            of_slice +=
                rows[k].label[h] >= 0 && is_chosen(&rows[k], slices[i].c);
        assert_int_equal(cell == NULL, of_slice == 0);
        if (cell != NULL)
            check_cell(cell, h, slices[i].c);
        known += of_slice;
    }
    assert_true(known > ROWS / 4);
    assert_int_equal(json_object_size(member(head, "by", "sub", NULL)),
        h == WN_BAIT ? 1 : json_object_size(member(head, "by", "sub", NULL)));
}

static void
eval_prints_what_brute_force_says(void **state)
{
    char args[20000];
    json_t *root;

    (void)state;
    snprintf(args, sizeof(args),
        "'%s' --json - '%s' --weights '%s' --parts --threads 3 "
        "--prevalence 0.1",
        plain, gzipped, weights);
    root = json_of(args);
    assert_int_equal(json_integer_value(json_object_get(root, "rows")), ROWS);
    assert_int_equal(
        json_object_size(json_object_get(root, "heads")), WN_HEADS);
    assert_int_equal(json_array_size(json_object_get(root, "data")), 2);
    for (size_t h = 0; h < WN_HEADS; h++) {
        const json_t *head = member(root, "heads", wn_head_names[h], NULL);
        const json_t *all = json_object_get(head, "all");

        assert_number(head, "threshold", joint.head[h].threshold);
        check_cell(all, h, (struct choice){ ALL, 0, 0 });
        check_slices(head, h);
        assert_true(json_is_number(json_object_get(all, "auc_encoder")));
        assert_true(json_is_number(json_object_get(all, "auc_ngram")));
        assert_int_equal(
            json_array_size(json_object_get(head, "reliability")), 15);
    }
    json_decref(root);
}

/* Benign rows, and by kind; ai_text does not count under 25 words. */
static void
eval_counts_flags_of_benign_rows_as_the_service_does(void **state)
{
    char args[20000];
    size_t n[2] = { 0, 0 }, hits[2] = { 0, 0 }; /* all, news */
    const json_t *benign;
    json_t *root;

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *r = &rows[i];
        bool pos = false, neg = false, flagged = false;

        for (size_t h = 0; h < WN_HEADS; h++) {
            pos = pos || r->label[h] == 1;
            neg = neg || r->label[h] == 0;
            flagged = flagged || (r->score[h] >= joint.head[h].threshold &&
                                     (h != WN_AI_TEXT || r->words >= 25));
        }
        for (int k = 0; k < 2 && !pos && neg && (k == 0 || r->kind == 1); k++) {
            n[k]++;
            hits[k] += flagged;
        }
    }
    snprintf(args, sizeof(args), "'%s' '%s' --json - --weights '%s'", plain,
        gzipped, weights);
    root = json_of(args);
    benign = member(root, "benign", "all", NULL);
    assert_number(benign, "rows", (double)n[0]);
    assert_number(benign, "flagged", (double)hits[0] / (double)n[0]);
    benign = member(root, "benign", "kind", "news");
    assert_number(benign, "rows", (double)n[1]);
    assert_number(benign, "flagged", (double)hits[1] / (double)n[1]);
    assert_null(member(root, "benign", "kind", "bait_poll"));
    json_decref(root);
}

/* At most that share of dev's negatives is over, and more would be with the
 * next lower score. The rate on all rows is what lies over it. */
static void
check_point(const json_t *head, size_t k, size_t h, double fpr)
{
    const json_t *p = json_array_get(json_object_get(head, "points"), k);
    const json_t *at = json_array_get(member(head, "all", "at", NULL), k);
    double t = json_number_value(json_object_get(p, "threshold")), n = 0;
    double over = 0, next = -1, reached = 0, all = 0, least = 0, most = 0;

    for (size_t i = 0; i < ROWS; i++) {
        double score = rows[i].score[h];

        if (rows[i].label[h] != 0)
            continue;
        all++;
        least += score >= t + COMPANY;
        most += score >= t - COMPANY;
        if (i < ROWS / 2)
            continue;
        n++;
        over += score >= t + COMPANY;
        if (score < t - COMPANY)
            next = fmax(next, score);
    }
    for (size_t i = ROWS / 2; i < ROWS; i++)
        reached += rows[i].label[h] == 0 && rows[i].score[h] >= next;
    assert_number(p, "dev_fpr", fpr);
    assert_number(p, "dev_neg", n);
    assert_true(n > 10);
    assert_true(over <= floor(fpr * n));
    assert_true(reached > floor(fpr * n));
    assert_true(
        json_number_value(json_object_get(at, "fpr")) * all >= least - 1e-9);
    assert_true(
        json_number_value(json_object_get(at, "fpr")) * all <= most + 1e-9);
}

static void
eval_takes_thresholds_from_dev(void **state)
{
    char args[20000];
    json_t *root;

    (void)state;
    snprintf(args, sizeof(args),
        "'%s' '%s' --dev '%s' --json - --model.dir='%s' --prevalence=0.1",
        plain, gzipped, gzipped, weights);
    root = json_of(args);
    assert_string_equal(
        json_string_value(member(root, "dev", "file", NULL)), "b.jsonl.gz");
    assert_int_equal(
        strlen(json_string_value(member(root, "dev", "sha256", NULL))), 64);
    for (size_t h = 0; h < WN_HEADS; h++) {
        const json_t *head = member(root, "heads", wn_head_names[h], NULL);

        check_point(head, 1, h, 0.01);
        check_point(head, 2, h, 0.001);
    }
    json_decref(root);
    snprintf(args, sizeof(args), "'%s' --dev /nowhere --weights '%s'", plain,
        weights);
    assert_int_equal(run(args), 1);
}

/* Thresholds that are asked for, of dev and of the data themselves. */
static void
eval_finds_thresholds_that_are_asked_for(void **state)
{
    char args[20000], asked[4300];
    json_t *root;

    (void)state;
    snprintf(args, sizeof(args),
        "'%s' '%s' --dev '%s' --at fpr=0.2 --json - --weights '%s'", plain,
        gzipped, gzipped, weights);
    root = json_of(args);
    for (size_t h = 0; h < WN_HEADS; h++)
        check_point(member(root, "heads", wn_head_names[h], NULL), 3, h, 0.2);
    json_decref(root);

    snprintf(asked, sizeof(asked), "%s/asked.scores", wn_test_dir());
    snprintf(args, sizeof(args), "'%s' --scores '%s' --weights '%s' --json -",
        plain, asked, weights);
    json_decref(json_of(args));
    snprintf(args, sizeof(args),
        "'%s' --from '%s' --prevalence 0.3 --at precision=0.4 --json -", plain,
        asked);
    root = json_of(args);
    for (size_t h = 0; h < WN_HEADS; h++) {
        const json_t *head = member(root, "heads", wn_head_names[h], NULL);
        const json_t *p = json_array_get(json_object_get(head, "points"), 1);
        const json_t *at = json_array_get(member(head, "all", "at", NULL), 1);

        assert_number(p, "precision", 0.4);
        assert_null(json_object_get(p, "dev_fpr"));
        if (json_is_number(json_object_get(p, "logit")))
            assert_true(json_number_value(json_object_get(at, "precision")) >=
                        0.4 - 1e-9);
    }
    json_decref(root);
}

/* --- attacks --- */

static void
eval_attacks_a_sample(void **state)
{
    char args[20000], *again;
    const json_t *attacks;
    json_t *root;

    (void)state;
    snprintf(args, sizeof(args),
        "'%s' '%s' --attacks --attack-rows 6 --json - --weights '%s' "
        "--threads 2",
        plain, gzipped, weights);
    root = json_of(args);
    copy_output(&again);
    attacks = json_object_get(root, "attacks");
    assert_int_equal(json_object_size(attacks), 11);
    for (size_t h = 0; h < WN_HEADS; h++) {
        const json_t *c = json_object_get(
            member(attacks, "suffix", "heads", NULL), wn_head_names[h]);
        double pos = json_number_value(json_object_get(c, "pos"));
        double before = json_number_value(json_object_get(c, "recall_before"));
        double after = json_number_value(json_object_get(c, "recall"));
        double lost = json_number_value(json_object_get(c, "lost"));

        assert_true(pos >= 6 && pos <= 30);
        assert_true(json_number_value(json_object_get(c, "benign")) <= 6);
        assert_true(after >= before - lost - 1e-9);
    }
    assert_true(
        json_integer_value(member(attacks, "front-3000", "rows", NULL)) > 10);
    json_decref(root);
    /* the same rows and texts, whatever the threads */
    snprintf(args, sizeof(args),
        "'%s' '%s' --attacks --attack-rows 6 --json - --weights '%s' "
        "--threads 1",
        plain, gzipped, weights);
    assert_int_equal(run(args), 0);
    assert_string_equal(output(""), again);
    free(again);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(eval_prints_what_brute_force_says),
    cmocka_unit_test(eval_counts_flags_of_benign_rows_as_the_service_does),
    cmocka_unit_test(eval_takes_thresholds_from_dev),
    cmocka_unit_test(eval_finds_thresholds_that_are_asked_for),
    cmocka_unit_test(eval_attacks_a_sample),
};

int
main(void)
{
    return wn_test_run(
        "cmd/eval", tests, sizeof(tests) / sizeof(tests[0]), setup, NULL);
}
