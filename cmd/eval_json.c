/* What was measured, whole, as JSON: what `winnow model card` reads and other
 * tools may. A number that does not exist is null. */
#include <math.h>
#include <string.h>

#include "cmd/attack.h"
#include "cmd/eval_int.h"
#include "cmd/files.h"
#include "cmd/tools.h"
#include "model/heads.h"

#define FORMAT 1

static void
put_number(struct wn_buf *out, const char *name, double v)
{
    wn_buf_printf(out, "\"%s\":", name);
    wn_buf_double(out, v);
}

/* "name":value,"name_ci":[low,high] */
static void
put_range(struct wn_buf *out, const char *name, struct wn_range r)
{
    put_number(out, name, r.value);
    wn_buf_printf(out, ",\"%s_ci\":[", name);
    wn_buf_double(out, r.low);
    wn_buf_char(out, ',');
    wn_buf_double(out, r.high);
    wn_buf_char(out, ']');
}

/* "name":, with a comma before all but the first. */
static void
put_key(struct wn_buf *out, const char *name, bool *first)
{
    wn_buf_str(out, *first ? "" : ",");
    wn_buf_json(out, name, strlen(name));
    wn_buf_char(out, ':');
    *first = false;
}

/* --- cells --- */

static void
put_rates(struct wn_buf *out, const struct wn_eval_rates *r)
{
    wn_buf_char(out, '{');
    put_range(out, "recall", r->recall);
    wn_buf_char(out, ',');
    put_range(out, "fpr", r->fpr);
    wn_buf_char(out, ',');
    put_range(out, "precision", r->precision);
    wn_buf_char(out, '}');
}

static void
put_cell(
    struct wn_buf *out, const struct wn_eval *e, const struct wn_eval_cell *c)
{
    wn_buf_printf(out, "{\"pos\":%zu,\"neg\":%zu,", c->q.pos, c->q.neg);
    put_range(out, "auc", c->q.auc);
    wn_buf_char(out, ',');
    put_range(out, "ap", c->q.ap);
    wn_buf_char(out, ',');
    put_range(out, "brier", c->q.brier);
    wn_buf_char(out, ',');
    put_number(out, "ece", c->q.ece);
    if (e->parts) {
        wn_buf_char(out, ',');
        put_number(out, "auc_encoder", c->encoder);
        wn_buf_char(out, ',');
        put_number(out, "auc_ngram", c->ngram);
    }
    wn_buf_str(out, ",\"at\":[");
    for (size_t k = 0; k < e->scores.points_n; k++) {
        wn_buf_str(out, k == 0 ? "" : ",");
        put_rates(out, &c->at[k]);
    }
    wn_buf_str(out, "]}");
}

/* Slices where the head knows a row. */
static void
put_slices(struct wn_buf *out, const struct wn_eval *e, size_t h)
{
    wn_buf_str(out, ",\"by\":{");
    for (int by = 0; by < WN_BYS; by++) {
        size_t n = wn_eval_slices(e, (enum wn_eval_by)by);
        bool first = true;

        wn_buf_printf(
            out, "%s\"%s\":{", by == 0 ? "" : ",", wn_eval_by_names[by]);
        for (size_t s = 0; s < n; s++) {
            const struct wn_eval_cell *c = &e->by[by][s * WN_HEADS + h];

            if (c->q.pos + c->q.neg == 0)
                continue;
            put_key(out, wn_eval_slice_name(e, (enum wn_eval_by)by, s), &first);
            put_cell(out, e, c);
        }
        wn_buf_char(out, '}');
    }
    wn_buf_char(out, '}');
}

/* --- a head --- */

static void
put_points(struct wn_buf *out, const struct wn_eval *e, size_t h)
{
    wn_buf_str(out, ",\"points\":[");
    for (size_t k = 0; k < e->scores.points_n; k++) {
        const struct wn_eval_point *p = &e->scores.at[h][k];

        wn_buf_str(out, k == 0 ? "{" : ",{");
        put_number(out, "threshold", wn_sigmoid(p->logit));
        wn_buf_char(out, ',');
        put_number(out, "logit", p->logit);
        wn_buf_char(out, ',');
        put_number(out, p->of_data ? "fpr" : "dev_fpr", p->ask.fpr);
        wn_buf_char(out, ',');
        put_number(
            out, p->of_data ? "precision" : "dev_precision", p->ask.precision);
        wn_buf_printf(
            out, ",\"%s\":%zu}", p->of_data ? "neg" : "dev_neg", p->neg);
    }
    wn_buf_char(out, ']');
}

static void
put_reliability(struct wn_buf *out, const struct wn_quality *q)
{
    wn_buf_str(out, ",\"reliability\":[");
    for (size_t b = 0; b < WN_BINS; b++) {
        wn_buf_printf(out, "%s{\"n\":%zu,", b == 0 ? "" : ",", q->bins[b].n);
        put_number(out, "mean", q->bins[b].mean);
        wn_buf_char(out, ',');
        put_number(out, "share", q->bins[b].share);
        wn_buf_char(out, '}');
    }
    wn_buf_char(out, ']');
}

static void
put_worst(struct wn_buf *out, const struct wn_eval *e, const char *name,
    double value, size_t source)
{
    wn_buf_char(out, ',');
    put_number(out, name, value);
    wn_buf_printf(out, ",\"%s_source\":", name);
    if (source == SIZE_MAX)
        wn_buf_str(out, "null");
    else
        wn_buf_json(
            out, e->data.sources[source], strlen(e->data.sources[source]));
}

static void
put_macro(struct wn_buf *out, const struct wn_eval *e, size_t h)
{
    struct wn_eval_macro m = wn_eval_macro(e, (enum wn_head)h);

    wn_buf_printf(out, ",\"sources\":{\"n\":%zu,", m.n);
    put_number(out, "auc", m.auc);
    wn_buf_char(out, ',');
    put_number(out, "ap", m.ap);
    put_worst(out, e, "worst_recall", m.recall, m.recall_source);
    put_worst(out, e, "worst_fpr", m.fpr, m.fpr_source);
    wn_buf_char(out, '}');
}

static void
put_head(struct wn_buf *out, const struct wn_eval *e, size_t h)
{
    wn_buf_printf(out, "%s\"%s\":{", h == 0 ? "" : ",\n", wn_head_names[h]);
    put_number(out, "threshold", wn_sigmoid(e->scores.at[h][0].logit));
    put_points(out, e, h);
    wn_buf_str(out, ",\n\"all\":");
    put_cell(out, e, &e->all[h]);
    put_macro(out, e, h);
    put_reliability(out, &e->all[h].q);
    put_slices(out, e, h);
    wn_buf_char(out, '}');
}

/* --- benign rows, attacks --- */

static void
put_flagged(struct wn_buf *out, const struct wn_eval_benign *b)
{
    wn_buf_printf(out, "{\"rows\":%zu,", b->rows);
    put_range(out, "flagged", b->share);
    wn_buf_char(out, '}');
}

static void
put_benign(struct wn_buf *out, const struct wn_eval *e)
{
    bool first = true;

    wn_buf_str(out, ",\n\"benign\":{\"all\":");
    put_flagged(out, &e->benign);
    wn_buf_str(out, ",\"kind\":{");
    for (size_t k = 0; k < e->data.kinds_n; k++) {
        if (e->benign_kind[k].rows == 0)
            continue;
        put_key(out, e->data.kinds[k], &first);
        put_flagged(out, &e->benign_kind[k]);
    }
    wn_buf_str(out, "}}");
}

static void
put_attacked(struct wn_buf *out, const struct wn_attacked_head *c)
{
    wn_buf_printf(out, "{\"pos\":%zu,", c->pos);
    put_range(out, "recall_before", wn_wilson((double)c->pos_before, c->pos));
    wn_buf_char(out, ',');
    put_range(out, "recall", wn_wilson((double)c->pos_after, c->pos));
    wn_buf_char(out, ',');
    put_range(out, "lost", wn_wilson((double)c->pos_lost, c->pos));
    wn_buf_printf(out, ",\"benign\":%zu,", c->neg);
    put_range(out, "flagged_before", wn_wilson((double)c->neg_before, c->neg));
    wn_buf_char(out, ',');
    put_range(out, "flagged", wn_wilson((double)c->neg_after, c->neg));
    wn_buf_char(out, ',');
    put_range(out, "gained", wn_wilson((double)c->neg_gained, c->neg));
    wn_buf_char(out, '}');
}

static void
put_attacks(struct wn_buf *out, const struct wn_eval *e)
{
    wn_buf_str(out, ",\n\"attacks\":");
    if (e->attacked == NULL) {
        wn_buf_str(out, "null");
        return;
    }
    for (size_t a = 0; a < WN_ATTACKS; a++) {
        wn_buf_printf(out, "%s\"%s\":{\"rows\":%zu,\"heads\":{",
            a == 0 ? "{" : ",\n", wn_attack_names[a], e->attacked[a].rows);
        for (size_t h = 0; h < WN_HEADS; h++) {
            wn_buf_printf(
                out, "%s\"%s\":", h == 0 ? "" : ",", wn_head_names[h]);
            put_attacked(out, &e->attacked[a].head[h]);
        }
        wn_buf_str(out, "}}");
    }
    wn_buf_char(out, '}');
}

/* --- */

/* Name without its folder, and hash; a pipe has none. A name may be no UTF-8.
 */
static void
put_file(struct wn_buf *out, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    char hex[2 * WN_SHA256 + 1];
    struct wn_buf plain;
    struct wn_err err;

    wn_buf_init(&plain, 4096);
    wn_cmd_plain(&plain, (struct wn_str){ name, strlen(name) }, 255);
    wn_buf_str(out, "{\"file\":");
    wn_buf_json(out, plain.len == 0 ? "" : plain.data, plain.len);
    wn_buf_release(&plain);
    if (wn_file_sha256(path, hex, NULL, &err) == WN_OK)
        wn_buf_printf(out, ",\"sha256\":\"%s\"}", hex);
    else
        wn_buf_str(out, ",\"sha256\":null}");
}

void
wn_eval_json(const struct wn_eval *e, struct wn_buf *out)
{
    wn_buf_printf(out, "{\"format\":%d,\"model\":", FORMAT);
    wn_buf_json(out, e->scores.model, strlen(e->scores.model));
    wn_buf_printf(out, ",\"rows\":%zu,\"data\":[", e->data.n);
    for (size_t i = 0; i < e->files_n; i++) {
        wn_buf_str(out, i == 0 ? "" : ",");
        put_file(out, e->files[i]);
    }
    wn_buf_str(out, "],\"dev\":");
    if (e->dev == NULL)
        wn_buf_str(out, "null");
    else
        put_file(out, e->dev);
    wn_buf_char(out, ',');
    put_number(out, "prevalence", e->prevalence);
    wn_buf_printf(out, ",\"rounds\":%d,\"seed\":%d,\n\"heads\":{", WN_ROUNDS,
        WN_EVAL_SEED);
    for (size_t h = 0; h < WN_HEADS; h++)
        put_head(out, e, h);
    wn_buf_char(out, '}');
    put_benign(out, e);
    put_attacks(out, e);
    wn_buf_str(out, "}\n");
}
