/*
 * winnow eval: measures weights on labelled texts. Arguments and the order of
 * the work; see eval_int.h for who does it.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/eval_int.h"
#include "cmd/files.h"
#include "cmd/plot.h"
#include "cmd/tools.h"

#define OUTPUT_BYTES_MAX (256u << 20)
#define PREVALENCE 0.02
#define ATTACK_ROWS 200
#define THREADS_MAX 256

static const char usage[] =
    "Usage: winnow eval DATA... [--dev FILE] [--by WHAT] [--json FILE] "
    "[OPTIONS]\n"
    "\n"
    "Scores labelled texts and says how well each head does. DATA are JSON "
    "Lines,\n"
    "gzip or plain, - is standard input:\n"
    "  {\"id\",\"text\",\"labels\":{\"spam\",\"scam\",\"bait\",\"ai\"},"
    "\"lang\",\"source\",\"kind\"}\n"
    "A label is 1, 0 or null; null is left out. \"ai\" is the head ai_text; "
    "labels may\n"
    "hold bait_vote, bait_react, bait_share, bait_tag and bait_comment too.\n"
    "\n"
    "  --dev FILE      thresholds that let 1 % and 0.1 % of its negatives "
    "through are\n"
    "                  measured beside the weights' own\n"
    "  --at fpr=F      or precision=P: a threshold with the most recall at so "
    "many\n"
    "                  false positives, or at that precision, asked of --dev "
    "or else\n"
    "                  of DATA itself; may be given 4 times\n"
    "  --by WHAT       a table of source (the usual), lang, length (words), "
    "kind, sub\n"
    "                  (of bait), or several: source,length; kind and sub "
    "print the\n"
    "                  share flagged of each\n"
    "  --prevalence P  share of positives that precision is stated for (0.02)\n"
    "  --json FILE     everything as JSON; - prints it in place of the table\n"
    "  --svg DIR       DIR/reliability.svg and DIR/scores.svg\n"
    "  --attacks       how flags stand when texts are attacked: letters "
    "spaced,\n"
    "                  invisible, look-alike, styled or leet; harmless words "
    "(1-10,\n"
    "                  300, 3,000) or tags around the text\n"
    "  --attack-rows N of each head's positives and of benign rows at most so "
    "many\n"
    "                  (200), always the same ones\n"
    "  --scores FILE   keeps the logits of every text\n"
    "  --from FILE     takes them from there: no weights are read\n"
    "  --parts         the AUC of the encoder's head and of the n-grams alone "
    "too\n"
    "  --threads N     that score (one a core)\n"
    "  --weights DIR   measures these, as --model.dir does\n"
    "\n"
    "  auc        chance that a positive scores higher than a negative\n"
    "  ap         average precision, the area under precision and recall\n"
    "  brier      mean squared distance of the score from the label\n"
    "  ece        distance of scores from what came true, in 15 bins of equal "
    "mass\n"
    "  recall     share of positives at or over the threshold\n"
    "  fpr        share of negatives at or over it\n"
    "  precision  share of true ones among the flagged, at that prevalence\n"
    "\n"
    "A text is measured by its score alone: that ai_text never flags a text "
    "under\n"
    "25 words is applied only where benign rows flagged by any head are "
    "counted. A\n"
    "text that is empty after hardening has no score and counts as lower than "
    "any.\n"
    "\n"
    "Examples:\n"
    "  winnow eval test.jsonl.gz\n"
    "  winnow eval test.jsonl.gz --dev dev.jsonl.gz --json metrics.json\n"
    "  winnow eval test.jsonl.gz --dev dev.jsonl.gz --at precision=0.9\n"
    "  winnow eval feed.jsonl --by kind --attacks --svg plots\n";

struct conf {
    const char *weights, *dev, *json, *svg, *scores, *from;
    unsigned by_bits;
    double prevalence;
    struct wn_eval_ask asks[WN_EVAL_ASKS_MAX];
    size_t asks_n;
    size_t attack_rows, threads; /* threads 0: score.threads */
    bool attacks, parts;
};

/* --- arguments --- */

static bool
take_by(int *argc, char **argv, unsigned *ret)
{
    const char *s = wn_cmd_take(argc, argv, "--by");
    size_t len;

    *ret = s == NULL ? 1u << WN_BY_SOURCE : 0;
    for (; s != NULL; s = s[len] == ',' ? s + len + 1 : NULL) {
        int by = 0;

        len = strcspn(s, ",");
        while (by < WN_BYS && (strlen(wn_eval_by_names[by]) != len ||
                                  strncmp(s, wn_eval_by_names[by], len) != 0))
            by++;
        if (by == WN_BYS) {
            wn_cmd_usage("eval",
                "--by '%.*s' is not source, lang, length, kind or sub",
                len < 40 ? (int)len : 40, s);
            return false;
        }
        *ret |= 1u << by;
    }
    return true;
}

static bool
take_asks(int *argc, char **argv, struct conf *c)
{
    const char *s;

    while ((s = wn_cmd_take(argc, argv, "--at")) != NULL) {
        bool fpr = strncmp(s, "fpr=", 4) == 0;
        bool precision = strncmp(s, "precision=", 10) == 0;
        const char *number = strchr(s, '=');
        char *end = NULL;
        double x = number == NULL ? 0 : strtod(number + 1, &end);

        if (!(fpr || precision) || end == number + 1 || *end != '\0' ||
            !(x > 0) || !(x < 1) || c->asks_n == WN_EVAL_ASKS_MAX) {
            wn_cmd_usage("eval",
                "--at '%.40s' is not fpr=F or precision=P with a number "
                "between 0 and 1, or one of more than %d",
                s, WN_EVAL_ASKS_MAX);
            return false;
        }
        c->asks[c->asks_n++] =
            (struct wn_eval_ask){ fpr ? x : NAN, precision ? x : NAN };
    }
    return true;
}

static bool
take_all(int *argc, char **argv, struct conf *c)
{
    c->prevalence = PREVALENCE;
    c->attack_rows = ATTACK_ROWS;
    c->attacks = wn_cmd_take_switch(argc, argv, "--attacks");
    c->parts = wn_cmd_take_switch(argc, argv, "--parts");
    return wn_cmd_take_name(argc, argv, "--weights", &c->weights) &&
           wn_cmd_take_name(argc, argv, "--dev", &c->dev) &&
           wn_cmd_take_name(argc, argv, "--json", &c->json) &&
           wn_cmd_take_name(argc, argv, "--svg", &c->svg) &&
           wn_cmd_take_name(argc, argv, "--scores", &c->scores) &&
           wn_cmd_take_name(argc, argv, "--from", &c->from) &&
           wn_cmd_take_count(
               argc, argv, "--attack-rows", 1, 1000000, &c->attack_rows) &&
           wn_cmd_take_count(
               argc, argv, "--threads", 1, THREADS_MAX, &c->threads) &&
           wn_cmd_take_double(
               argc, argv, "--prevalence", 0, 1, &c->prevalence) &&
           take_asks(argc, argv, c) && take_by(argc, argv, &c->by_bits);
}

static enum wn_status
make_folder(const char *dir, struct wn_err *err)
{
    struct stat sb;

    if (mkdir(dir, 0777) == 0)
        return WN_OK;
    if (errno == EEXIST && stat(dir, &sb) == 0 && !S_ISDIR(sb.st_mode))
        errno = ENOTDIR;
    else if (errno == EEXIST && access(dir, W_OK | X_OK) == 0)
        return WN_OK;
    return wn_fail(err, WN_REJECT, "%s: %s", dir, strerror(errno));
}

/* What can be known before the work is; 0 or the exit status. */
static int
check(const struct conf *c, int argc)
{
    struct wn_err err = { "" };
    const char *outputs[] = { c->json, c->scores };

    if (argc < 2)
        return wn_cmd_usage("eval", "which DATA?");
    if (c->from != NULL && (c->weights != NULL || c->dev != NULL ||
                               c->scores != NULL || c->attacks || c->parts))
        return wn_cmd_usage("eval",
            "--from has the scores and thresholds already: it goes without "
            "--weights, --dev, --scores, --attacks and --parts");
    if (c->scores != NULL && strcmp(c->scores, "-") == 0)
        return wn_cmd_usage("eval", "--scores needs a file");
    for (size_t i = 0; i < 2; i++)
        if (outputs[i] != NULL && wn_file_may_write(outputs[i], &err) != WN_OK)
            return wn_cmd_fail(1, "eval", "%s", err.text);
    if (c->svg != NULL && make_folder(c->svg, &err) != WN_OK)
        return wn_cmd_fail(1, "eval", "--svg: %s", err.text);
    return 0;
}

/* --- scores --- */

size_t
wn_eval_threads(const struct wn_options *o, size_t asked)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t option = wn_opt_int(o, WN_OPT_SCORE_THREADS);

    if (asked > 0)
        return asked;
    if (option > 0)
        return (size_t)option;
    return cores > 0 && cores <= THREADS_MAX ? (size_t)cores : 1;
}

/* dev without rows: there is none. */
static enum wn_status
add_dev(struct wn_eval *e, const struct conf *c,
    const struct wn_eval_conf *conf, const struct wn_data *dev,
    struct wn_err *err)
{
    static const struct wn_eval_ask usual[2] = { { 0.01, NAN },
        { 0.001, NAN } };
    struct wn_eval_scores s = { .n = 0 };
    enum wn_status rc;

    if (dev->n == 0)
        return WN_OK;
    rc = wn_eval_scores_make(&s, dev, conf, "dev", err);
    if (rc == WN_OK)
        rc = wn_eval_points_add(
            &e->scores, usual, 2, c->prevalence, dev, &s, err);
    if (rc == WN_OK)
        rc = wn_eval_points_add(
            &e->scores, c->asks, c->asks_n, c->prevalence, dev, &s, err);
    wn_eval_scores_release(&s);
    return rc;
}

static enum wn_status
score(struct wn_eval *e, const struct conf *c, const struct wn_eval_conf *conf,
    const struct wn_data *dev, struct wn_err *err)
{
    enum wn_status rc;

    rc = wn_eval_scores_make(&e->scores, &e->data, conf, "data", err);
    if (rc == WN_OK)
        rc = add_dev(e, c, conf, dev, err);
    if (rc == WN_OK && c->scores != NULL)
        rc = wn_eval_scores_write(&e->scores, &e->data, c->scores, err);
    if (rc == WN_OK && c->attacks)
        rc = wn_eval_attack(e, conf, c->attack_rows, err);
    return rc;
}

/* All that is read, before anything is scored. */
static enum wn_status
read_all(struct wn_eval *e, const struct conf *c, struct wn_data *dev,
    struct wn_err *err)
{
    enum wn_status rc = wn_data_read_all(&e->data, e->files, e->files_n, err);

    if (rc == WN_OK && c->dev != NULL)
        rc = wn_data_read_all(dev, &c->dev, 1, err);
    if (rc == WN_OK && c->from != NULL)
        rc = wn_eval_scores_read(&e->scores, &e->data, c->from, err);
    e->dev = c->dev;
    e->dev_rows = dev->n;
    return rc;
}

/* --- what is shown --- */

/* Labels of a head lie a row apart. */
static void
plot_scores(const struct wn_eval *e, struct wn_buf *out)
{
    struct wn_plot_scores panels[WN_HEADS];

    for (size_t h = 0; h < WN_HEADS; h++)
        panels[h] = (struct wn_plot_scores){ .title = wn_head_names[h],
            .logit = e->scores.logit[h],
            .labels = e->data.n == 0 ? NULL : &e->data.rows[0].labels[h],
            .n = e->data.n,
            .stride = sizeof(struct wn_data_row),
            .threshold = e->scores.at[h][0].logit };
    wn_plot_scores(out, panels, WN_HEADS);
}

static void
plot_reliability(const struct wn_eval *e, struct wn_buf *out)
{
    struct wn_plot_reliability panels[WN_HEADS];

    for (size_t h = 0; h < WN_HEADS; h++)
        panels[h] =
            (struct wn_plot_reliability){ wn_head_names[h], &e->all[h].q };
    wn_plot_reliability(out, panels, WN_HEADS);
}

static enum wn_status
write_plots(const struct wn_eval *e, const char *dir, struct wn_err *err)
{
    void (*const plots[])(const struct wn_eval *,
        struct wn_buf *) = { plot_reliability, plot_scores };
    static const char *const names[] = { "reliability.svg", "scores.svg" };
    enum wn_status rc = WN_OK;

    for (size_t i = 0; i < 2 && rc == WN_OK; i++) {
        char path[PATH_MAX];
        struct wn_buf out;

        wn_buf_init(&out, OUTPUT_BYTES_MAX);
        plots[i](e, &out);
        if (snprintf(path, sizeof(path), "%s/%s", dir, names[i]) >= PATH_MAX)
            rc = wn_fail(err, WN_REJECT, "%.100s...: path too long", dir);
        if (rc == WN_OK)
            rc = wn_file_write(path, &out, err);
        wn_buf_release(&out);
    }
    return rc;
}

static enum wn_status
write_output(const struct wn_eval *e, const struct conf *c, struct wn_err *err)
{
    struct wn_buf out;
    enum wn_status rc = WN_OK;

    wn_buf_init(&out, OUTPUT_BYTES_MAX);
    if (c->json == NULL || strcmp(c->json, "-") != 0) {
        wn_eval_table(e, c->by_bits, &out);
        rc = wn_file_write("-", &out, err);
        wn_buf_reset(&out);
    }
    if (rc == WN_OK && c->json != NULL) {
        wn_eval_json(e, &out);
        rc = wn_file_write(c->json, &out, err);
    }
    wn_buf_release(&out);
    if (rc == WN_OK && c->svg != NULL)
        rc = write_plots(e, c->svg, err);
    return rc;
}

/* --- */

static enum wn_status
measure(struct wn_eval *e, const struct conf *c, const struct wn_options *o,
    const struct wn_classifier *classifier, const struct wn_data *dev,
    struct wn_err *err)
{
    const struct wn_eval_conf conf = { classifier,
        (size_t)wn_opt_int(o, WN_OPT_SCORE_WINDOWS),
        wn_eval_threads(o, c->threads) };
    enum wn_status rc = WN_OK;

    if (classifier != NULL)
        rc = score(e, c, &conf, dev, err);
    if (rc == WN_OK && c->dev == NULL)
        rc = wn_eval_points_add(&e->scores, c->asks, c->asks_n, c->prevalence,
            &e->data, &e->scores, err);
    if (rc == WN_OK)
        rc = wn_eval_measure(e, err);
    return rc == WN_OK ? write_output(e, c, err) : rc;
}

static int
eval(struct wn_eval *e, const struct conf *c, const struct wn_options *o)
{
    struct wn_classifier *classifier = NULL;
    struct wn_err err = { "" };
    struct wn_data dev;
    enum wn_status rc;

    if (c->from == NULL &&
        wn_cmd_classifier(&classifier, c->weights, o, &err) != WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "eval", "%s", err.text);
    wn_data_init(&dev);
    rc = read_all(e, c, &dev, &err);
    if (rc == WN_OK)
        rc = measure(e, c, o, classifier, &dev, &err);
    wn_data_release(&dev);
    wn_classifier_free(classifier);
    return rc == WN_OK ? 0 : wn_cmd_fail(1, "eval", "%s", err.text);
}

int
wn_cmd_eval(int argc, char **argv)
{
    static const char *const prefixes[] = { "score.threads",
        "score.windows_max", "score.depth", "model.", "kernels.", NULL };
    static const char *const own[] = { "--dev=", "--at=", "--by=",
        "--prevalence=", "--json=", "--svg=", "--attacks",
        "--attack-rows=", "--scores=", "--from=", "--parts",
        "--threads=", "--weights=", NULL };
    struct wn_eval e = { .prevalence = 0 };
    struct conf c = { .weights = NULL };
    struct wn_options *o;
    int rc;

    if (wn_cmd_help(argc, argv, usage, prefixes))
        return 0;
    o = wn_cmd_options(&argc, argv, own);
    if (o == NULL)
        return WN_EX_CONFIG;
    rc = take_all(&argc, argv, &c) ? check(&c, argc) : 2;
    wn_data_init(&e.data);
    e.prevalence = c.prevalence;
    e.parts = c.parts;
    e.files = (const char *const *)argv + 1;
    e.files_n = argc > 1 ? (size_t)argc - 1 : 0;
    if (rc == 0)
        rc = eval(&e, &c, o);
    wn_eval_release(&e);
    wn_options_free(o);
    return rc;
}
