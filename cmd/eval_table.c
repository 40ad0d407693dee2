/* What was measured, for people; see eval_int.h. */
#include <math.h>
#include <string.h>

#include "cmd/attack.h"
#include "cmd/eval_int.h"
#include "cmd/tools.h"
#include "model/heads.h"

#define NAME_CHARS 25

/* --- fields --- */

static void
put_value(struct wn_buf *out, double v)
{
    if (isnan(v))
        wn_buf_printf(out, " %7s", "-");
    else
        wn_buf_printf(out, " %7.4f", v);
}

/* "0.9123 0.8912-0.9321", and "-" where there is none. */
static void
put_range(struct wn_buf *out, struct wn_range r)
{
    put_value(out, r.value);
    if (isnan(r.low) || isnan(r.value))
        wn_buf_printf(out, " %-13s", "");
    else
        wn_buf_printf(out, " %.4f-%.4f", r.low, r.high);
}

static void
put_point(struct wn_buf *out, const struct wn_eval_point *p)
{
    const char *of = p->of_data ? "data" : "dev";
    char what[40] = "own";

    if (!isnan(p->ask.fpr))
        snprintf(what, sizeof(what), "%.4g %% of %s", p->ask.fpr * 100, of);
    else if (!isnan(p->ask.precision))
        snprintf(what, sizeof(what), "p %.4g of %s", p->ask.precision, of);
    wn_buf_printf(out, "%-13s", what);
}

/* --- the head of the page --- */

static void
put_top(const struct wn_eval *e, struct wn_buf *out)
{
    struct wn_str dev = { e->dev, e->dev == NULL ? 0 : strlen(e->dev) };

    wn_buf_printf(out, "weights    %s\nrows       %zu\nthreshold ",
        e->scores.model, e->data.n);
    for (size_t h = 0; h < WN_HEADS; h++)
        wn_buf_printf(out, " %s %.4f", wn_head_names[h],
            wn_sigmoid(e->scores.at[h][0].logit));
    if (e->dev != NULL) {
        wn_buf_str(out, "\ndev        ");
        wn_cmd_plain(out, dev, 60);
        wn_buf_printf(out, ", %zu rows", e->dev_rows);
    }
    wn_buf_str(out,
        "\nintervals  95 %: of 1,000 resamples (auc, ap, brier), Wilson's of "
        "shares\n");
}

static void
put_heads(const struct wn_eval *e, struct wn_buf *out)
{
    wn_buf_printf(out, "\n%-8s %7s %7s %7s %-13s %7s %-13s %7s %-13s %7s",
        "head", "pos", "neg", "auc", "", "ap", "", "brier", "", "ece");
    if (e->parts)
        wn_buf_printf(out, " %7s %7s", "encoder", "n-grams");
    for (size_t h = 0; h < WN_HEADS; h++) {
        const struct wn_eval_cell *c = &e->all[h];

        wn_buf_printf(
            out, "\n%-8s %7zu %7zu", wn_head_names[h], c->q.pos, c->q.neg);
        put_range(out, c->q.auc);
        put_range(out, c->q.ap);
        put_range(out, c->q.brier);
        put_value(out, c->q.ece);
        if (e->parts) {
            put_value(out, c->encoder);
            put_value(out, c->ngram);
        }
    }
    wn_buf_char(out, '\n');
}

static void
put_rates(const struct wn_eval *e, struct wn_buf *out)
{
    wn_buf_printf(out, "\n%-8s %-13s %9s %7s %-13s %7s %-13s %s %g %%\n",
        "head", "threshold", "", "recall", "", "fpr", "", "precision at",
        e->prevalence * 100);
    for (size_t h = 0; h < WN_HEADS; h++)
        for (size_t k = 0; k < e->scores.points_n; k++) {
            const struct wn_eval_rates *r = &e->all[h].at[k];
            const struct wn_eval_point *p = &e->scores.at[h][k];

            wn_buf_printf(out, "%-8s ", k == 0 ? wn_head_names[h] : "");
            put_point(out, p);
            if (isnan(p->logit))
                wn_buf_printf(out, " %9s", "-");
            else
                wn_buf_printf(out, " %9.6f", wn_sigmoid(p->logit));
            put_range(out, r->recall);
            put_range(out, r->fpr);
            put_range(out, r->precision);
            wn_buf_char(out, '\n');
        }
}

static void
put_benign(const struct wn_eval *e, struct wn_buf *out)
{
    if (e->benign.rows == 0)
        return;
    wn_buf_printf(
        out, "\nof %zu benign rows flagged by any head:", e->benign.rows);
    put_range(out, e->benign.share);
    wn_buf_char(out, '\n');
}

/* --- slices --- */

static bool
worth_a_line(const struct wn_eval_cell *c)
{
    return (c->q.pos > 0 && c->q.neg > 0) || c->q.neg >= WN_EVAL_NEG_MIN;
}

static void
put_slice(struct wn_buf *out, const char *head, const char *name,
    const struct wn_eval_cell *c)
{
    wn_buf_printf(out, "%-8s ", head);
    wn_cmd_column(out, name, NAME_CHARS);
    wn_buf_printf(out, " %6zu %6zu", c->q.pos, c->q.neg);
    put_value(out, c->q.auc.value);
    put_value(out, c->q.ap.value);
    put_range(out, c->at[0].recall);
    put_range(out, c->at[0].fpr);
    wn_buf_char(out, '\n');
}

static void
put_worst(
    struct wn_buf *out, const char *what, double value, const char *source)
{
    struct wn_str name = { source, strlen(source) };

    wn_buf_printf(out, "%8s worst %-6s %.4f: ", "", what, value);
    wn_cmd_plain(out, name, NAME_CHARS);
    wn_buf_char(out, '\n');
}

static void
put_macro(const struct wn_eval *e, enum wn_head h, struct wn_buf *out)
{
    struct wn_eval_macro m = wn_eval_macro(e, h);

    if (m.n > 0) {
        wn_buf_printf(
            out, "%8s mean of %zu source%s: auc", "", m.n, m.n == 1 ? "" : "s");
        put_value(out, m.auc);
        wn_buf_str(out, ", ap");
        put_value(out, m.ap);
        wn_buf_char(out, '\n');
    }
    if (m.recall_source != SIZE_MAX)
        put_worst(out, "recall", m.recall, e->data.sources[m.recall_source]);
    if (m.fpr_source != SIZE_MAX)
        put_worst(out, "fpr", m.fpr, e->data.sources[m.fpr_source]);
}

static void
put_slices(const struct wn_eval *e, enum wn_eval_by by, struct wn_buf *out)
{
    wn_buf_printf(out,
        "\nby %s, at the weights' own thresholds (slices with both classes or "
        "%d negatives)\n%-8s %-25s %6s %6s %7s %7s %7s %-13s %7s\n",
        wn_eval_by_names[by], WN_EVAL_NEG_MIN, "head", wn_eval_by_names[by],
        "pos", "neg", "auc", "ap", "recall", "", "fpr");
    for (size_t h = 0; h < WN_HEADS; h++) {
        const char *head = wn_head_names[h];

        for (size_t s = 0; s < wn_eval_slices(e, by); s++) {
            const struct wn_eval_cell *c = &e->by[by][s * WN_HEADS + h];

            if (!worth_a_line(c))
                continue;
            put_slice(out, head, wn_eval_slice_name(e, by, s), c);
            head = "";
        }
        if (by == WN_BY_SOURCE)
            put_macro(e, (enum wn_head)h, out);
    }
}

/* --- kinds --- */

static void
put_share(struct wn_buf *out, const char *kind, const char *of, size_t n,
    struct wn_range share)
{
    wn_cmd_column(out, kind, NAME_CHARS);
    wn_buf_printf(out, " %-14s %6zu", of, n);
    put_range(out, share);
    wn_buf_char(out, '\n');
}

/* What is wanted of a kind: its positives flagged by their head; a benign one
 * flagged by none. */
static void
put_kinds(const struct wn_eval *e, enum wn_eval_by by, struct wn_buf *out)
{
    wn_buf_printf(out,
        "\nby %s, at the weights' own thresholds\n%-25s %-14s %6s %7s\n",
        wn_eval_by_names[by], wn_eval_by_names[by], "head", "rows", "flagged");
    for (size_t s = 0; s < wn_eval_slices(e, by); s++) {
        const char *name = wn_eval_slice_name(e, by, s);

        for (size_t h = 0; h < WN_HEADS; h++) {
            const struct wn_eval_cell *c = &e->by[by][s * WN_HEADS + h];

            if (c->q.pos > 0)
                put_share(
                    out, name, wn_head_names[h], c->q.pos, c->at[0].recall);
        }
        if (by == WN_BY_KIND && e->benign_kind[s].rows > 0)
            put_share(out, name, "benign, any", e->benign_kind[s].rows,
                e->benign_kind[s].share);
    }
}

/* --- attacks --- */

static void
put_attack(struct wn_buf *out, const char *head, const char *name,
    const struct wn_attacked_head *c)
{
    wn_buf_printf(out, "%-8s %-11s %6zu", head, name, c->pos);
    put_value(out, wn_wilson((double)c->pos_before, c->pos).value);
    put_range(out, wn_wilson((double)c->pos_after, c->pos));
    put_value(out, wn_wilson((double)c->pos_lost, c->pos).value);
    wn_buf_printf(out, " %6zu", c->neg);
    put_value(out, wn_wilson((double)c->neg_before, c->neg).value);
    put_range(out, wn_wilson((double)c->neg_after, c->neg));
    put_value(out, wn_wilson((double)c->neg_gained, c->neg).value);
    wn_buf_char(out, '\n');
}

static void
put_worst_attack(struct wn_buf *out, const struct wn_eval *e, size_t h)
{
    double sum = 0, worst = NAN;
    size_t n = 0, at = 0;

    for (size_t a = 0; a < WN_ATTACKS; a++) {
        const struct wn_attacked_head *c = &e->attacked[a].head[h];
        double recall = wn_wilson((double)c->pos_after, c->pos).value;

        if (isnan(recall))
            continue;
        sum += recall;
        n++;
        if (!(recall >= worst)) {
            worst = recall;
            at = a;
        }
    }
    if (n > 0)
        wn_buf_printf(out, "%8s recall after: worst %.4f (%s), mean %.4f\n", "",
            worst, wn_attack_names[at], sum / (double)n);
}

static void
put_attacks(const struct wn_eval *e, struct wn_buf *out)
{
    wn_buf_printf(out,
        "\nattacked texts, at the weights' own thresholds: lost, positives no "
        "longer flagged; gained,\nbenign rows newly flagged\n"
        "%-8s %-11s %6s %7s %7s %-13s %7s %6s %7s %7s %-13s %7s\n",
        "head", "attack", "pos", "recall", "after", "", "lost", "benign",
        "flagged", "after", "", "gained");
    for (size_t h = 0; h < WN_HEADS; h++) {
        for (size_t a = 0; a < WN_ATTACKS; a++)
            put_attack(out, a == 0 ? wn_head_names[h] : "", wn_attack_names[a],
                &e->attacked[a].head[h]);
        put_worst_attack(out, e, h);
    }
}

void
wn_eval_table(const struct wn_eval *e, unsigned by_bits, struct wn_buf *out)
{
    put_top(e, out);
    put_heads(e, out);
    put_rates(e, out);
    put_benign(e, out);
    for (int by = 0; by < WN_BYS; by++) {
        if ((by_bits & 1u << by) == 0)
            continue;
        if (by == WN_BY_KIND || by == WN_BY_SUB)
            put_kinds(e, (enum wn_eval_by)by, out);
        else
            put_slices(e, (enum wn_eval_by)by, out);
    }
    if (e->attacked != NULL)
        put_attacks(e, out);
}
