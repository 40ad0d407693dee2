/*
 * What a training came to: AUC of each reader alone and of both, with the
 * interval that resampling the texts gives, and what the shipped threshold
 * does. The seed fixes the resampling too.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/train_int.h"

#define RESAMPLES 1000

struct point {
    double score;
    int8_t label;
    uint16_t times; /* how often this resample drew it */
};

static int
by_score(const void *a, const void *b)
{
    double x = ((const struct point *)a)->score;
    double y = ((const struct point *)b)->score;

    return x < y ? -1 : x > y;
}

/* AUC of sorted points, each counted `times`; ties count half. NaN without
 * both classes. */
static double
auc_sorted(const struct point *p, size_t n)
{
    double below = 0, pos = 0, sum = 0;

    for (size_t i = 0, end; i < n; i = end) {
        double tied[2] = { 0, 0 };

        for (end = i; end < n && p[end].score == p[i].score; end++)
            tied[p[end].label] += p[end].times;
        sum += tied[1] * (below + tied[0] / 2);
        below += tied[0];
        pos += tied[1];
    }
    return pos > 0 && below > 0 ? sum / pos / below : NAN;
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The middle 95 % of the AUC over resamples; points are sorted by score. */
static void
interval(struct point *p, size_t n, uint64_t seed, double *low, double *high)
{
    static double auc[RESAMPLES];
    size_t kept = 0;

    for (size_t k = 0; k < RESAMPLES; k++) {
        double a;

        for (size_t i = 0; i < n; i++)
            p[i].times = 0;
        for (size_t i = 0; i < n; i++)
            p[wn_train_random(&seed) % n].times++;
        a = auc_sorted(p, n);
        if (!isnan(a))
            auc[kept++] = a;
    }
    qsort(auc, kept, sizeof(auc[0]), by_value);
    *low = kept > 0 ? auc[kept * 25 / 1000] : NAN;
    *high = kept > 0 ? auc[kept - 1 - kept * 25 / 1000] : NAN;
}

/* Sorted known points of one reader's scores; their number. */
static size_t
collect(struct point *p, const double *scores, const int8_t *labels, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (labels[i] >= 0)
            p[kept++] = (struct point){ scores[i], labels[i], 1 };
    qsort(p, kept, sizeof(*p), by_score);
    return kept;
}

struct scratch {
    double *scores;
    int8_t *labels;
    struct point *points;
};

static enum wn_status
measure_head(struct wn_train_figures *ret, struct scratch *k,
    const struct wn_train_model *m, const struct wn_train_set *s,
    const struct wn_train_logits *l, size_t h, uint64_t seed,
    struct wn_err *err)
{
    const double *mix = m->joint.head[h].mix;
    const double mixes[WN_READERS][3] = { { 1, 0, 0 }, { 0, 1, 0 },
        { mix[0], mix[1], mix[2] } };
    struct wn_measure at = { 0 };
    enum wn_status rc;

    for (size_t i = 0; i < WN_READERS; i++) {
        size_t n;

        wn_train_scores(s, l, mixes[i], h, k->scores, k->labels);
        n = collect(k->points, k->scores, k->labels, s->data.n);
        ret->auc[i] = auc_sorted(k->points, n);
        interval(k->points, n, seed, &ret->low[i], &ret->high[i]);
    }
    for (size_t i = 0; i < s->data.n; i++)
        k->scores[i] = wn_sigmoid(k->scores[i]);
    rc = wn_measure(
        k->scores, k->labels, s->data.n, m->joint.head[h].threshold, &at, err);
    ret->pos = at.pos;
    ret->neg = at.neg;
    ret->recall = at.recall;
    ret->fpr = at.fpr;
    return rc;
}

enum wn_status
wn_train_measure(struct wn_train_figures ret[WN_HEADS],
    const struct wn_train_model *m, const struct wn_train_set *s,
    const struct wn_features *f, uint64_t seed, struct wn_err *err)
{
    struct scratch k = {
        malloc((s->data.n + 1) * sizeof(*k.scores)),
        malloc(s->data.n + 1),
        malloc((s->data.n + 1) * sizeof(*k.points)),
    };
    struct wn_train_logits l = { NULL, NULL };
    enum wn_status rc = WN_OK;

    if (k.scores == NULL || k.labels == NULL || k.points == NULL)
        rc = wn_fail(err, WN_STOP, "train: out of memory");
    if (rc == WN_OK)
        rc = wn_train_logits(&l, m, s, f, m->heads.exits - 1, err);
    for (size_t h = 0; rc == WN_OK && h < WN_HEADS; h++)
        rc = measure_head(&ret[h], &k, m, s, &l, h, seed, err);
    wn_train_logits_release(&l);
    free(k.scores);
    free(k.labels);
    free(k.points);
    return rc;
}

static void
add_figure(struct wn_buf *out, double v, const char *fmt)
{
    if (isnan(v))
        wn_buf_str(out, "-");
    else if (strcmp(fmt, "%") == 0)
        wn_buf_printf(out, "%.1f %%", v * 100);
    else
        wn_buf_printf(out, "%.4f", v);
}

void
wn_train_table(
    struct wn_buf *out, const struct wn_train_figures figures[WN_HEADS])
{
    wn_buf_str(out,
        "| head | positive / negative | encoder alone | n-grams alone | both "
        "| recall | false positives |\n"
        "|---|---|---|---|---|---|---|\n");
    for (size_t h = 0; h < WN_HEADS; h++) {
        const struct wn_train_figures *g = &figures[h];

        wn_buf_printf(
            out, "| %s | %zu / %zu |", wn_head_names[h], g->pos, g->neg);
        for (size_t i = 0; i < WN_READERS; i++) {
            wn_buf_char(out, ' ');
            add_figure(out, g->auc[i], "");
            wn_buf_str(out, " (");
            add_figure(out, g->low[i], "");
            wn_buf_str(out, "-");
            add_figure(out, g->high[i], "");
            wn_buf_str(out, ") |");
        }
        wn_buf_char(out, ' ');
        add_figure(out, g->recall, "%");
        wn_buf_str(out, " | ");
        add_figure(out, g->fpr, "%");
        wn_buf_str(out, " |\n");
    }
}
