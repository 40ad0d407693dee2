/*
 * winnow eval: measures weights on labelled texts, by head and by source of
 * the data. eval_score.c makes the scores; here they are counted and printed.
 */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/eval_int.h"
#include "cmd/tools.h"
#include "core/buf.h"
#include "model/measure.h"

#define OUTPUT_BYTES_MAX (64u << 20)

static const char usage[] =
    "Usage: winnow eval FILE... [--json] [--parts] [--weights DIR] "
    "[OPTIONS]\n"
    "\n"
    "Scores labelled texts and says how well each head does, on all of them "
    "and\n"
    "by their source. Files are JSON Lines, gzip or plain, - is standard "
    "input:\n"
    "  {\"id\",\"text\",\"labels\":{\"spam\",\"scam\",\"bait\",\"ai\"},"
    "\"source\"}\n"
    "A label is 1, 0 or null; null is left out. \"ai\" is the head ai_text.\n"
    "\n"
    "  --json         {\"rows\":n,\"heads\":{HEAD:{\"threshold\":t,\"all\":C,"
    "\n"
    "                 \"sources\":{NAME:C}}}} with C =\n"
    "                 {\"pos\",\"neg\",\"auc\",\"recall\",\"fpr\"}, null where "
    "undefined\n"
    "  --parts        the AUC of the encoder's head and of the n-grams alone "
    "too\n"
    "                 (with --json \"auc_encoder\" and \"auc_ngram\" in C)\n"
    "  --weights DIR  measures these, not model.dir\n"
    "\n"
    "  auc     chance that a positive scores higher than a negative\n"
    "  recall  share of positives at or over the weights' threshold\n"
    "  fpr     share of negatives at or over it\n"
    "\n"
    "A text is measured by its score alone: that ai_text never flags a text "
    "under\n"
    "25 words is not applied here. A text that is empty after hardening has "
    "no\n"
    "score and counts as lower than any.\n"
    "\n"
    "Example:\n"
    "  winnow eval test.jsonl.gz --parts\n";

/* What is known of one head on some of the rows. */
struct cell {
    struct wn_measure both;
    double encoder, ngram; /* AUC */
};

struct eval {
    struct wn_data data;
    struct wn_classifier *classifier;
    struct wn_eval_scores scores;
    int8_t *labels; /* scratch: of one head, on some rows */
    bool json, parts;
};

#define ALL_SOURCES SIZE_MAX

static enum wn_status
measure(struct eval *e, size_t h, size_t source, struct cell *ret,
    struct wn_err *err)
{
    const struct wn_data *d = &e->data;
    double threshold = wn_classifier_threshold(e->classifier, (enum wn_head)h);
    struct wn_measure m;
    enum wn_status rc;

    for (size_t i = 0; i < d->n; i++)
        e->labels[i] = source == ALL_SOURCES || d->rows[i].source == source
                           ? d->rows[i].labels[h]
                           : -1;
    rc = wn_measure(
        e->scores.both[h], e->labels, d->n, threshold, &ret->both, err);
    if (rc != WN_OK || !e->parts)
        return rc;
    rc = wn_measure(e->scores.encoder[h], e->labels, d->n, 0, &m, err);
    ret->encoder = m.auc;
    if (rc == WN_OK)
        rc = wn_measure(e->scores.ngram[h], e->labels, d->n, 0, &m, err);
    ret->ngram = m.auc;
    return rc;
}

/* --- JSON --- */

static void
json_number(struct wn_buf *out, const char *name, double v)
{
    wn_buf_printf(out, ",\"%s\":", name);
    wn_buf_double(out, v);
}

static void
json_cell(struct wn_buf *out, const struct cell *c, bool parts)
{
    wn_buf_printf(out, "{\"pos\":%zu,\"neg\":%zu", c->both.pos, c->both.neg);
    json_number(out, "auc", c->both.auc);
    json_number(out, "recall", c->both.recall);
    json_number(out, "fpr", c->both.fpr);
    if (parts) {
        json_number(out, "auc_encoder", c->encoder);
        json_number(out, "auc_ngram", c->ngram);
    }
    wn_buf_char(out, '}');
}

static enum wn_status
json_head(struct eval *e, size_t h, struct wn_buf *out, struct wn_err *err)
{
    struct cell c;
    enum wn_status rc = measure(e, h, ALL_SOURCES, &c, err);

    if (rc != WN_OK)
        return rc;
    wn_buf_printf(
        out, "%s\"%s\":{\"threshold\":", h == 0 ? "" : ",", wn_head_names[h]);
    wn_buf_double(out, wn_classifier_threshold(e->classifier, (enum wn_head)h));
    wn_buf_str(out, ",\"all\":");
    json_cell(out, &c, e->parts);
    wn_buf_str(out, ",\"sources\":{");
    for (size_t s = 0; s < e->data.sources_n; s++) {
        const char *name = e->data.sources[s];

        rc = measure(e, h, s, &c, err);
        if (rc != WN_OK)
            return rc;
        wn_buf_str(out, s == 0 ? "" : ",");
        wn_buf_json(out, name, strlen(name));
        wn_buf_char(out, ':');
        json_cell(out, &c, e->parts);
    }
    wn_buf_str(out, "}}");
    return WN_OK;
}

static enum wn_status
write_json(struct eval *e, struct wn_buf *out, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    wn_buf_printf(out, "{\"rows\":%zu,\"heads\":{", e->data.n);
    for (size_t h = 0; h < WN_HEADS && rc == WN_OK; h++)
        rc = json_head(e, h, out, err);
    wn_buf_str(out, "}}\n");
    return rc;
}

/* --- table --- */

static void
table_number(struct wn_buf *out, double v)
{
    if (isnan(v))
        wn_buf_printf(out, " %8s", "-");
    else
        wn_buf_printf(out, " %8.4f", v);
}

static void
table_line(struct wn_buf *out, const char *head, const char *source,
    const struct cell *c, bool parts)
{
    struct wn_str name = { source, strlen(source) };
    size_t at;

    wn_buf_printf(out, "%-8s ", head);
    at = out->len;
    wn_cmd_plain(out, name, 24);
    while (!out->failed && out->len - at < 27)
        wn_buf_char(out, ' ');
    wn_buf_printf(out, " %7zu %7zu", c->both.pos, c->both.neg);
    table_number(out, c->both.auc);
    table_number(out, c->both.recall);
    table_number(out, c->both.fpr);
    if (parts) {
        table_number(out, c->encoder);
        table_number(out, c->ngram);
    }
    wn_buf_char(out, '\n');
}

static enum wn_status
table_head(struct eval *e, size_t h, struct wn_buf *out, struct wn_err *err)
{
    struct cell c;
    enum wn_status rc = measure(e, h, ALL_SOURCES, &c, err);

    if (rc == WN_OK)
        table_line(out, wn_head_names[h], "(all)", &c, e->parts);
    for (size_t s = 0; s < e->data.sources_n && rc == WN_OK; s++) {
        rc = measure(e, h, s, &c, err);
        if (rc == WN_OK && c.both.pos + c.both.neg > 0)
            table_line(out, "", e->data.sources[s], &c, e->parts);
    }
    return rc;
}

static enum wn_status
write_table(struct eval *e, struct wn_buf *out, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    wn_buf_printf(out, "weights    %s\nrows       %zu\nthreshold ",
        wn_classifier_version(e->classifier), e->data.n);
    for (size_t h = 0; h < WN_HEADS; h++)
        wn_buf_printf(out, " %s %.4f", wn_head_names[h],
            wn_classifier_threshold(e->classifier, (enum wn_head)h));
    wn_buf_printf(out, "\n\n%-8s %-27s %7s %7s %8s %8s %8s", "head", "source",
        "pos", "neg", "auc", "recall", "fpr");
    if (e->parts)
        wn_buf_printf(out, " %8s %8s", "encoder", "n-grams");
    wn_buf_char(out, '\n');
    for (size_t h = 0; h < WN_HEADS && rc == WN_OK; h++)
        rc = table_head(e, h, out, err);
    return rc;
}

/* --- */

static size_t
threads_of(const struct wn_options *o)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t asked = wn_opt_int(o, WN_OPT_SCORE_THREADS);

    if (asked > 0)
        return (size_t)asked;
    return cores > 0 && cores <= 256 ? (size_t)cores : 1;
}

static int
print(struct eval *e)
{
    struct wn_buf out;
    struct wn_err err = { "" };
    enum wn_status rc;
    int status = 0;

    wn_buf_init(&out, OUTPUT_BYTES_MAX);
    rc = e->json ? write_json(e, &out, &err) : write_table(e, &out, &err);
    if (rc != WN_OK)
        status = wn_cmd_fail(1, "eval", "%s", err.text);
    else if (out.failed)
        status = wn_cmd_fail(1, "eval", "out of memory");
    else if (fwrite(out.data, 1, out.len, stdout) != out.len ||
             fflush(stdout) != 0)
        status = wn_cmd_fail(1, "eval", "standard output: cannot write");
    wn_buf_release(&out);
    return status;
}

static int
eval(struct eval *e, const struct wn_options *o, const char *weights,
    char **files, size_t n)
{
    struct wn_err err = { "" };

    if (wn_cmd_classifier(&e->classifier, weights, o, &err) != WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "eval", "%s", err.text);
    for (size_t i = 0; i < n; i++)
        if (wn_data_read(&e->data, files[i], &err) != WN_OK)
            return wn_cmd_fail(1, "eval", "%s", err.text);
    e->labels = malloc(e->data.n + 1);
    if (e->labels == NULL)
        return wn_cmd_fail(1, "eval", "out of memory");
    if (wn_eval_scores_make(&e->scores, &e->data, e->classifier,
            (size_t)wn_opt_int(o, WN_OPT_SCORE_WINDOWS), threads_of(o),
            &err) != WN_OK)
        return wn_cmd_fail(1, "eval", "%s", err.text);
    return print(e);
}

int
wn_cmd_eval(int argc, char **argv)
{
    static const char *const prefixes[] = { "score.threads",
        "score.windows_max", "model.", "kernels.", NULL };
    static const char *const own[] = { "--json", "--parts",
        "--weights=", NULL };
    struct eval e = { .json = false };
    struct wn_options *o;
    const char *weights;
    int rc;

    if (wn_cmd_help(argc, argv, usage, prefixes))
        return 0;
    o = wn_cmd_options(&argc, argv, own);
    if (o == NULL)
        return WN_EX_CONFIG;
    e.json = wn_cmd_take_switch(&argc, argv, "--json");
    e.parts = wn_cmd_take_switch(&argc, argv, "--parts");
    weights = wn_cmd_take(&argc, argv, "--weights");
    wn_data_init(&e.data);
    if (weights != NULL && weights[0] == '\0')
        rc = wn_cmd_usage("eval", "--weights needs a folder");
    else if (argc < 2)
        rc = wn_cmd_usage("eval", "which FILE?");
    else
        rc = eval(&e, o, weights, argv + 1, (size_t)argc - 1);
    wn_eval_scores_release(&e.scores);
    free(e.labels);
    wn_data_release(&e.data);
    wn_classifier_free(e.classifier);
    wn_options_free(o);
    return rc;
}
