/*
 * winnow model compare: whether one model may take the place of another. Both
 * are measured on the same texts, each at its own thresholds, and what counts
 * is the difference: its interval comes from resampling the texts for both at
 * once. The rules are in the help of model.c; their numbers are here.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/cmd.h"
#include "cmd/eval_int.h"
#include "cmd/files.h"
#include "cmd/model_int.h"
#include "cmd/tools.h"

#define POS_MIN 30
#define NEG_MIN 200
#define KIND_MIN 20
#define OUTPUT_BYTES_MAX (64u << 20)

/* A kind's rows that one head should flag, or that none should. */
struct kind {
    const char *name;
    size_t head; /* WN_HEADS: benign, by any */
    size_t n;
    double share[2];
    bool worse;
};

struct comparison {
    struct wn_data data;
    struct wn_classifier *classifier[2]; /* NULL: its scores are kept */
    struct wn_eval_scores scores[2];
    struct wn_pair head[WN_HEADS], benign; /* benign: fpr only */
    double recall[WN_HEADS][2], fpr[WN_HEADS][2], flagged[2];
    struct kind *kinds;
    size_t kinds_n;
    size_t neg_min;
    struct wn_buf reasons; /* a line each; none: B passes */
};

/* --- scores --- */

/* A folder is weights, a file is scores. What is wrong with either is known
 * before anything is scored. */
static int
open_model(struct comparison *k, const char *path, size_t m,
    const struct wn_options *o)
{
    struct wn_err err = { "" };
    struct stat sb;

    if (stat(path, &sb) != 0)
        return wn_cmd_fail(1, "model", "%s: %s", path, strerror(errno));
    if (S_ISDIR(sb.st_mode)) {
        if (wn_cmd_classifier(&k->classifier[m], path, o, &err) != WN_OK)
            return wn_cmd_fail(WN_EX_CONFIG, "model", "%s", err.text);
        return 0;
    }
    if (wn_eval_scores_read(&k->scores[m], &k->data, path, &err) != WN_OK)
        return wn_cmd_fail(1, "model", "%s", err.text);
    return 0;
}

static enum wn_status
score(struct comparison *k, size_t m, const struct wn_options *o,
    size_t threads, struct wn_err *err)
{
    const struct wn_eval_conf conf = { k->classifier[m],
        (size_t)wn_opt_int(o, WN_OPT_SCORE_WINDOWS),
        wn_eval_threads(o, threads) };

    if (k->classifier[m] == NULL)
        return WN_OK;
    return wn_eval_scores_make(
        &k->scores[m], &k->data, &conf, m == 0 ? "A" : "B", err);
}

/* --- comparing --- */

/* Names of the data come through wn_cmd_plain(): a reason is one line. */
static void __attribute__((format(printf, 2, 3)))
add_reason(struct comparison *k, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    wn_buf_printf(&k->reasons, "%s\n", line);
}

static void
add_kind_reason(struct comparison *k, const struct kind *f)
{
    struct wn_buf name;

    wn_buf_init(&name, 4096);
    wn_cmd_plain(&name, (struct wn_str){ f->name, strlen(f->name) }, 60);
    add_reason(k, "kind %s (%s): %.4f of %zu flagged, was %.4f",
        name.len == 0 ? "" : name.data,
        f->head == WN_HEADS ? "benign" : wn_head_names[f->head], f->share[1],
        f->n, f->share[0]);
    wn_buf_release(&name);
}

/* Shares of rows with that label at or over each model's threshold. */
static void
count_shares(struct comparison *k, size_t h, const int8_t *labels)
{
    for (size_t m = 0; m < 2; m++) {
        double n[2] = { 0, 0 }, hits[2] = { 0, 0 };

        for (size_t i = 0; i < k->data.n; i++) {
            if (labels[i] < 0)
                continue;
            n[labels[i]]++;
            hits[labels[i]] +=
                k->scores[m].logit[h][i] >= k->scores[m].at[h][0].logit;
        }
        k->recall[h][m] = n[1] > 0 ? hits[1] / n[1] : NAN;
        k->fpr[h][m] = n[0] > 0 ? hits[0] / n[0] : NAN;
    }
}

static enum wn_status
compare_head(struct comparison *k, size_t h, int8_t *labels, struct wn_err *err)
{
    const struct wn_eval_scores *s = k->scores;
    const struct wn_pair *p = &k->head[h];
    const char *name = wn_head_names[h];
    enum wn_status rc;

    for (size_t i = 0; i < k->data.n; i++)
        labels[i] = k->data.rows[i].labels[h];
    count_shares(k, h, labels);
    rc = wn_pair(s[0].logit[h], s[1].logit[h], labels, k->data.n,
        s[0].at[h][0].logit, s[1].at[h][0].logit, WN_ROUNDS, WN_EVAL_SEED,
        &k->head[h], err);
    if (rc != WN_OK)
        return rc;
    if (p->pos < POS_MIN || p->neg < k->neg_min)
        add_reason(k,
            "%s is not tested: %zu positives and %zu negatives, %d "
            "and %zu are needed",
            name, p->pos, p->neg, POS_MIN, k->neg_min);
    if (p->recall.high < 0)
        add_reason(k, "%s: recall is lower by %.4f (%.4f to %.4f)", name,
            -p->recall.value, -p->recall.high, -p->recall.low);
    if (p->fpr.low > 0)
        add_reason(k, "%s: more negatives are flagged by %.4f (%.4f to %.4f)",
            name, p->fpr.value, p->fpr.low, p->fpr.high);
    return WN_OK;
}

/* A flag is a score of 1 with the threshold 1. */
static enum wn_status
compare_benign(struct comparison *k, int8_t *labels, struct wn_err *err)
{
    size_t n = k->data.n, hits[2] = { 0, 0 };
    double *flags = calloc(2 * n + 1, sizeof(*flags));
    const struct wn_pair *p = &k->benign;
    enum wn_status rc;

    if (flags == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    for (size_t i = 0; i < n; i++) {
        labels[i] = wn_eval_is_benign(&k->data.rows[i]) ? 0 : -1;
        for (size_t m = 0; m < 2; m++) {
            flags[m * n + i] = wn_eval_is_flagged(&k->scores[m], i);
            hits[m] += labels[i] == 0 && flags[m * n + i] > 0;
        }
    }
    rc = wn_pair(flags, flags + n, labels, n, 1, 1, WN_ROUNDS, WN_EVAL_SEED,
        &k->benign, err);
    free(flags);
    for (size_t m = 0; m < 2; m++)
        k->flagged[m] = p->neg > 0 ? (double)hits[m] / (double)p->neg : NAN;
    if (rc == WN_OK && p->fpr.low > 0)
        add_reason(k, "more benign rows are flagged by %.4f (%.4f to %.4f)",
            p->fpr.value, p->fpr.low, p->fpr.high);
    return rc;
}

/* --- kinds --- */

static bool
is_meant(const struct wn_data_row *row, size_t kind, size_t h)
{
    return row->kind == kind &&
           (h == WN_HEADS ? wn_eval_is_benign(row) : row->labels[h] == 1);
}

static struct kind
count_kind(const struct comparison *k, size_t kind, size_t h)
{
    struct kind ret = { .name = k->data.kinds[kind], .head = h };
    size_t hits[2] = { 0, 0 };

    for (size_t i = 0; i < k->data.n; i++) {
        if (!is_meant(&k->data.rows[i], kind, h))
            continue;
        ret.n++;
        for (size_t m = 0; m < 2; m++) {
            const struct wn_eval_scores *s = &k->scores[m];

            hits[m] += h == WN_HEADS ? wn_eval_is_flagged(s, i)
                                     : s->logit[h][i] >= s->at[h][0].logit;
        }
    }
    for (size_t m = 0; m < 2 && ret.n > 0; m++)
        ret.share[m] = (double)hits[m] / (double)ret.n;
    return ret;
}

static enum wn_status
compare_kinds(struct comparison *k, double drop, struct wn_err *err)
{
    size_t all = k->data.kinds_n * (WN_HEADS + 1);

    k->kinds = calloc(all + 1, sizeof(*k->kinds));
    if (k->kinds == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    for (size_t i = 0; i < all; i++) {
        struct kind f = count_kind(k, i / (WN_HEADS + 1), i % (WN_HEADS + 1));
        double worse = f.head == WN_HEADS ? f.share[1] - f.share[0]
                                          : f.share[0] - f.share[1];

        if (f.name[0] == '\0' || f.n < KIND_MIN)
            continue;
        /* shares are ratios of small numbers: exactly P is not more than P */
        f.worse = worse > drop + 1e-9;
        k->kinds[k->kinds_n++] = f;
        if (f.worse)
            add_kind_reason(k, &f);
    }
    return WN_OK;
}

static enum wn_status
compare(struct comparison *k, double kind_drop, struct wn_err *err)
{
    int8_t *labels = malloc(k->data.n + 1);
    enum wn_status rc = WN_OK;

    if (labels == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    for (size_t h = 0; h < WN_HEADS && rc == WN_OK; h++)
        rc = compare_head(k, h, labels, err);
    if (rc == WN_OK)
        rc = compare_benign(k, labels, err);
    if (rc == WN_OK)
        rc = compare_kinds(k, kind_drop, err);
    free(labels);
    return rc;
}

/* --- for people --- */

static void
put_value(struct wn_buf *out, double v)
{
    if (isnan(v))
        wn_buf_printf(out, " %7s", "-");
    else
        wn_buf_printf(out, " %7.4f", v);
}

static void
put_change(struct wn_buf *out, struct wn_range r)
{
    if (isnan(r.value) || isnan(r.low))
        wn_buf_printf(out, " %-16s", "-");
    else
        wn_buf_printf(out, " %+.4f..%+.4f", r.low, r.high);
}

static void
put_heads(struct wn_buf *out, const struct comparison *k)
{
    wn_buf_printf(out, "\n%-8s %7s %7s %7s %7s %-16s %7s %7s %-16s %s\n",
        "head", "pos", "neg", "recall", "B", "B - A", "fpr", "B", "B - A",
        "auc, B - A");
    for (size_t h = 0; h < WN_HEADS; h++) {
        const struct wn_pair *p = &k->head[h];

        wn_buf_printf(out, "%-8s %7zu %7zu", wn_head_names[h], p->pos, p->neg);
        put_value(out, k->recall[h][0]);
        put_value(out, k->recall[h][1]);
        put_change(out, p->recall);
        put_value(out, k->fpr[h][0]);
        put_value(out, k->fpr[h][1]);
        put_change(out, p->fpr);
        put_change(out, p->auc);
        wn_buf_char(out, '\n');
    }
    wn_buf_printf(out, "%-8s %7s %7zu %7s %7s %-16s", "benign", "",
        k->benign.neg, "", "", "");
    put_value(out, k->flagged[0]);
    put_value(out, k->flagged[1]);
    put_change(out, k->benign.fpr);
    wn_buf_char(out, '\n');
}

static void
put_kinds(struct wn_buf *out, const struct comparison *k)
{
    if (k->kinds_n == 0)
        return;
    wn_buf_printf(out, "\n%-27s %-8s %6s %7s %7s\n", "kind", "head", "rows",
        "flagged", "B");
    for (size_t i = 0; i < k->kinds_n; i++) {
        const struct kind *f = &k->kinds[i];

        wn_cmd_column(out, f->name, 27);
        wn_buf_printf(out, " %-8s %6zu",
            f->head == WN_HEADS ? "(benign)" : wn_head_names[f->head], f->n);
        put_value(out, f->share[0]);
        put_value(out, f->share[1]);
        wn_buf_str(out, f->worse ? "  worse\n" : "\n");
    }
}

static void
put_table(struct wn_buf *out, const struct comparison *k)
{
    wn_buf_printf(out, "A     %s\nB     %s\nrows  %zu\n", k->scores[0].model,
        k->scores[1].model, k->data.n);
    put_heads(out, k);
    put_kinds(out, k);
    wn_buf_str(out,
        k->reasons.len == 0 ? "\nB is not worse.\n" : "\nB does not pass:\n");
    wn_buf_add(out, k->reasons.data, k->reasons.len);
}

/* --- for machines --- */

static void
put_change_json(struct wn_buf *out, const char *name, struct wn_range r)
{
    wn_buf_printf(out, ",\"%s_change\":", name);
    wn_buf_double(out, r.value);
    wn_buf_printf(out, ",\"%s_change_ci\":[", name);
    wn_buf_double(out, r.low);
    wn_buf_char(out, ',');
    wn_buf_double(out, r.high);
    wn_buf_char(out, ']');
}

static void
put_both_json(struct wn_buf *out, const char *name, const double at[2])
{
    wn_buf_printf(out, ",\"%s\":[", name);
    wn_buf_double(out, at[0]);
    wn_buf_char(out, ',');
    wn_buf_double(out, at[1]);
    wn_buf_char(out, ']');
}

static void
put_head_json(struct wn_buf *out, const struct comparison *k, size_t h)
{
    const struct wn_pair *p = &k->head[h];

    wn_buf_printf(out, "%s\"%s\":{\"pos\":%zu,\"neg\":%zu", h == 0 ? "" : ",",
        wn_head_names[h], p->pos, p->neg);
    put_both_json(out, "recall", k->recall[h]);
    put_change_json(out, "recall", p->recall);
    put_both_json(out, "fpr", k->fpr[h]);
    put_change_json(out, "fpr", p->fpr);
    put_change_json(out, "auc", p->auc);
    put_change_json(out, "ap", p->ap);
    wn_buf_char(out, '}');
}

static void
put_kinds_json(struct wn_buf *out, const struct comparison *k)
{
    wn_buf_str(out, ",\"kinds\":[");
    for (size_t i = 0; i < k->kinds_n; i++) {
        const struct kind *f = &k->kinds[i];

        wn_buf_str(out, i == 0 ? "{\"kind\":" : ",{\"kind\":");
        wn_buf_json(out, f->name, strlen(f->name));
        wn_buf_printf(out, ",\"head\":\"%s\",\"rows\":%zu",
            f->head == WN_HEADS ? "benign" : wn_head_names[f->head], f->n);
        put_both_json(out, "flagged", f->share);
        wn_buf_printf(out, ",\"worse\":%s}", f->worse ? "true" : "false");
    }
    wn_buf_char(out, ']');
}

static void
put_reasons_json(struct wn_buf *out, const struct comparison *k)
{
    const char *line = k->reasons.len == 0 ? "" : k->reasons.data;

    wn_buf_str(out, ",\"reasons\":[");
    for (size_t len; *line != '\0'; line += len + 1) {
        len = strcspn(line, "\n");
        wn_buf_str(out, line == k->reasons.data ? "" : ",");
        wn_buf_json(out, line, len);
    }
    wn_buf_char(out, ']');
}

static void
put_json(struct wn_buf *out, const struct comparison *k)
{
    wn_buf_str(out, "{\"models\":[");
    wn_buf_json(out, k->scores[0].model, strlen(k->scores[0].model));
    wn_buf_char(out, ',');
    wn_buf_json(out, k->scores[1].model, strlen(k->scores[1].model));
    wn_buf_printf(out, "],\"rows\":%zu,\"heads\":{", k->data.n);
    for (size_t h = 0; h < WN_HEADS; h++)
        put_head_json(out, k, h);
    wn_buf_printf(out, "},\"benign\":{\"rows\":%zu", k->benign.neg);
    put_both_json(out, "flagged", k->flagged);
    put_change_json(out, "flagged", k->benign.fpr);
    wn_buf_char(out, '}');
    put_kinds_json(out, k);
    wn_buf_printf(
        out, ",\"passes\":%s", k->reasons.len == 0 ? "true" : "false");
    put_reasons_json(out, k);
    wn_buf_str(out, "}\n");
}

/* --- */

static enum wn_status
report(const struct comparison *k, const char *json, struct wn_err *err)
{
    struct wn_buf out;
    enum wn_status rc = WN_OK;

    wn_buf_init(&out, OUTPUT_BYTES_MAX);
    if (json == NULL || strcmp(json, "-") != 0) {
        put_table(&out, k);
        rc = wn_file_write("-", &out, err);
        wn_buf_reset(&out);
    }
    if (rc == WN_OK && json != NULL) {
        put_json(&out, k);
        rc = wn_file_write(json, &out, err);
    }
    wn_buf_release(&out);
    return rc;
}

/* The exit status: 0 only where B passes. */
static int
run(struct comparison *k, const struct wn_compare *c,
    const struct wn_options *o)
{
    struct wn_err err = { "" };
    enum wn_status rc = WN_OK;
    int status = 0;

    if (c->json != NULL)
        rc = wn_file_may_write(c->json, &err);
    if (rc == WN_OK && c->data == NULL)
        rc = wn_data_read_all(&k->data, c->files, c->files_n, &err);
    for (size_t m = 0; m < 2 && rc == WN_OK && status == 0; m++)
        status = open_model(k, c->model[m], m, o);
    if (status != 0)
        return status;
    for (size_t m = 0; m < 2 && rc == WN_OK; m++)
        rc = score(k, m, o, c->threads, &err);
    if (rc == WN_OK)
        rc = compare(k, c->kind_drop, &err);
    if (rc == WN_OK && k->reasons.failed)
        rc = wn_fail(&err, WN_STOP, "out of memory");
    if (rc == WN_OK)
        rc = report(k, c->json, &err);
    if (rc != WN_OK)
        return wn_cmd_fail(1, "model", "%s", err.text);
    return k->reasons.len == 0 ? 0 : 1;
}

int
wn_model_compare(const struct wn_compare *c, const struct wn_options *o)
{
    struct comparison k = { .neg_min = c->neg_min > 0 ? c->neg_min : NEG_MIN };
    int status;

    wn_data_init(&k.data);
    if (c->data != NULL)
        k.data = *c->data; /* the caller's */
    wn_buf_init(&k.reasons, OUTPUT_BYTES_MAX);
    status = run(&k, c, o);
    for (size_t m = 0; m < 2; m++) {
        wn_classifier_free(k.classifier[m]);
        wn_eval_scores_release(&k.scores[m]);
    }
    free(k.kinds);
    wn_buf_release(&k.reasons);
    if (c->data == NULL)
        wn_data_release(&k.data);
    return status;
}
