/*
 * What is measured: thresholds from dev, and for each head a cell on all rows
 * and one for each slice of them. A slice is a choice of rows, so its cell is
 * made from the same scores with the other rows' labels taken away.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/eval_int.h"

/* --- thresholds --- */

static enum wn_status
find_threshold(struct wn_eval_point *p, const double *scores,
    const int8_t *labels, size_t n, double prevalence, struct wn_err *err)
{
    if (p->neg == 0)
        return WN_OK;
    if (!isnan(p->ask.fpr))
        return wn_threshold_at_fpr(
            scores, labels, n, p->ask.fpr, &p->logit, err);
    return wn_threshold_at_precision(
        scores, labels, n, prevalence, p->ask.precision, &p->logit, err);
}

enum wn_status
wn_eval_points_add(struct wn_eval_scores *s, const struct wn_eval_ask *asks,
    size_t asks_n, double prevalence, const struct wn_data *d,
    const struct wn_eval_scores *of, struct wn_err *err)
{
    int8_t *labels = malloc(d->n + 1);
    enum wn_status rc = WN_OK;

    if (s->points_n + asks_n > WN_POINTS_MAX) {
        free(labels);
        return wn_fail(err, WN_REJECT,
            "--at: with those that the scores have already these are more "
            "than %d thresholds",
            WN_POINTS_MAX);
    }
    if (labels == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    for (size_t h = 0; rc == WN_OK && h < WN_HEADS; h++) {
        size_t neg = 0;

        for (size_t i = 0; i < d->n; i++) {
            labels[i] = d->rows[i].labels[h];
            neg += labels[i] == 0;
        }
        for (size_t k = 0; rc == WN_OK && k < asks_n; k++) {
            struct wn_eval_point *p = &s->at[h][s->points_n + k];

            *p = (struct wn_eval_point){ NAN, asks[k], of == s, neg };
            rc = find_threshold(p, of->logit[h], labels, d->n, prevalence, err);
        }
    }
    s->points_n += asks_n;
    free(labels);
    return rc;
}

/* --- slices --- */

const char *const wn_eval_by_names[WN_BYS] = { "source", "lang", "length",
    "kind", "sub" };

/* Words of the hardened text, [min, next row's min). */
static const struct {
    uint32_t min;
    const char *name;
} lengths[] = { { 0, "0-2" }, { 3, "3-9" }, { 10, "10-24" }, { 25, "25-59" },
    { 60, "60-149" }, { 150, "150+" } };
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

size_t
wn_eval_slices(const struct wn_eval *e, enum wn_eval_by by)
{
    const size_t n[WN_BYS] = { e->data.sources_n, e->data.langs_n, LENGTHS,
        e->data.kinds_n, WN_BAITS };

    return n[by];
}

const char *
wn_eval_slice_name(const struct wn_eval *e, enum wn_eval_by by, size_t slice)
{
    switch (by) {
    case WN_BY_SOURCE:
        return e->data.sources[slice];
    case WN_BY_LANG:
        return e->data.langs[slice];
    case WN_BY_LENGTH:
        return lengths[slice].name;
    case WN_BY_KIND:
        return e->data.kinds[slice];
    default:
        return wn_bait_names[slice];
    }
}

static bool
is_in(const struct wn_eval *e, enum wn_eval_by by, size_t slice, size_t row)
{
    const struct wn_data_row *r = &e->data.rows[row];
    uint32_t words = e->scores.words[row];

    switch (by) {
    case WN_BY_SOURCE:
        return r->source == slice;
    case WN_BY_LANG:
        return r->lang == slice;
    case WN_BY_LENGTH:
        return words >= lengths[slice].min &&
               (slice + 1 == LENGTHS || words < lengths[slice + 1].min);
    case WN_BY_KIND:
        return r->kind == slice;
    default:
        return r->baits[slice] == 1;
    }
}

/* --- cells --- */

/* labels: of one head, -1 where the row is not meant. */
static struct wn_eval_rates
rates(const struct wn_eval *e, size_t h, size_t point, const int8_t *labels)
{
    const struct wn_range none = { NAN, NAN, NAN };
    struct wn_eval_rates r = { none, none, none };
    double threshold = e->scores.at[h][point].logit;
    size_t n[2] = { 0, 0 }, hits[2] = { 0, 0 };

    if (isnan(threshold))
        return r;
    for (size_t i = 0; i < e->data.n; i++) {
        if (labels[i] < 0)
            continue;
        n[labels[i]]++;
        hits[labels[i]] += e->scores.logit[h][i] >= threshold;
    }
    r.recall = wn_wilson((double)hits[1], n[1]);
    r.fpr = wn_wilson((double)hits[0], n[0]);
    r.precision = wn_precision_at(e->prevalence, r.recall, r.fpr);
    return r;
}

static enum wn_status
reader_auc(const struct wn_eval *e, const double *scores, const int8_t *labels,
    double *ret, struct wn_err *err)
{
    struct wn_measure m = { .auc = NAN };
    enum wn_status rc = WN_OK;

    if (e->parts && scores != NULL)
        rc = wn_measure(scores, labels, e->data.n, 0, &m, err);
    *ret = m.auc;
    return rc;
}

static enum wn_status
make_cell(const struct wn_eval *e, size_t h, const int8_t *labels,
    struct wn_eval_cell *ret, struct wn_err *err)
{
    const struct wn_eval_scores *s = &e->scores;
    enum wn_status rc;

    rc = wn_quality(
        s->logit[h], labels, e->data.n, WN_ROUNDS, WN_EVAL_SEED, &ret->q, err);
    for (size_t k = 0; k < s->points_n; k++)
        ret->at[k] = rates(e, h, k, labels);
    if (rc == WN_OK)
        rc = reader_auc(e, s->encoder[h], labels, &ret->encoder, err);
    if (rc == WN_OK)
        rc = reader_auc(e, s->ngram[h], labels, &ret->ngram, err);
    return rc;
}

struct pass {
    int8_t *labels; /* scratch */
    struct wn_eval_progress progress;
    size_t done, all; /* cells */
};

static enum wn_status
measure_all(struct wn_eval *e, struct pass *p, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    for (size_t h = 0; h < WN_HEADS && rc == WN_OK; h++) {
        for (size_t i = 0; i < e->data.n; i++)
            p->labels[i] = e->data.rows[i].labels[h];
        rc = make_cell(e, h, p->labels, &e->all[h], err);
        wn_eval_show(&p->progress, "measuring", "cells", ++p->done, p->all);
    }
    return rc;
}

static enum wn_status
measure_by(
    struct wn_eval *e, enum wn_eval_by by, struct pass *p, struct wn_err *err)
{
    size_t n = wn_eval_slices(e, by);
    enum wn_status rc = WN_OK;

    e->by[by] = calloc(n * WN_HEADS + 1, sizeof(*e->by[by]));
    if (e->by[by] == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    for (size_t k = 0; k < n * WN_HEADS && rc == WN_OK; k++) {
        size_t slice = k / WN_HEADS, h = k % WN_HEADS;

        for (size_t i = 0; i < e->data.n; i++)
            p->labels[i] =
                is_in(e, by, slice, i) ? e->data.rows[i].labels[h] : -1;
        rc = make_cell(e, h, p->labels, &e->by[by][k], err);
        wn_eval_show(&p->progress, "measuring", "cells", ++p->done, p->all);
    }
    return rc;
}

/* --- benign rows --- */

bool
wn_eval_is_benign(const struct wn_data_row *row)
{
    bool negative = false;

    for (size_t h = 0; h < WN_HEADS; h++) {
        if (row->labels[h] == 1)
            return false;
        negative = negative || row->labels[h] == 0;
    }
    return negative;
}

bool
wn_eval_is_flagged(const struct wn_eval_scores *s, size_t row)
{
    for (size_t h = 0; h < WN_HEADS; h++)
        if (s->logit[h][row] >= s->at[h][0].logit &&
            (h != WN_AI_TEXT || s->words[row] >= WN_AI_TEXT_WORDS_MIN))
            return true;
    return false;
}

static void
count(struct wn_eval_benign *b, bool flagged)
{
    b->rows++;
    b->flagged += flagged;
    b->share = wn_wilson((double)b->flagged, b->rows);
}

static enum wn_status
measure_benign(struct wn_eval *e, struct wn_err *err)
{
    size_t n = e->data.kinds_n;

    e->benign.share = wn_wilson(0, 0);
    e->benign_kind = calloc(n + 1, sizeof(*e->benign_kind));
    if (e->benign_kind == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    for (size_t k = 0; k < n; k++)
        e->benign_kind[k].share = wn_wilson(0, 0);
    for (size_t i = 0; i < e->data.n; i++) {
        bool flagged = wn_eval_is_flagged(&e->scores, i);

        if (!wn_eval_is_benign(&e->data.rows[i]))
            continue;
        count(&e->benign, flagged);
        count(&e->benign_kind[e->data.rows[i].kind], flagged);
    }
    return WN_OK;
}

/* --- */

enum wn_status
wn_eval_measure(struct wn_eval *e, struct wn_err *err)
{
    struct pass p = { .labels = malloc(e->data.n + 1), .all = WN_HEADS };
    enum wn_status rc = WN_OK;

    if (p.labels == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    for (int by = 0; by < WN_BYS; by++)
        p.all += wn_eval_slices(e, (enum wn_eval_by)by) * WN_HEADS;
    rc = measure_all(e, &p, err);
    for (int by = 0; by < WN_BYS && rc == WN_OK; by++)
        rc = measure_by(e, (enum wn_eval_by)by, &p, err);
    if (rc == WN_OK)
        rc = measure_benign(e, err);
    free(p.labels);
    return rc;
}

void
wn_eval_release(struct wn_eval *e)
{
    wn_data_release(&e->data);
    wn_eval_scores_release(&e->scores);
    for (int by = 0; by < WN_BYS; by++)
        free(e->by[by]);
    free(e->benign_kind);
    free(e->attacked);
}

struct wn_eval_macro
wn_eval_macro(const struct wn_eval *e, enum wn_head h)
{
    struct wn_eval_macro m = { .recall_source = SIZE_MAX,
        .fpr_source = SIZE_MAX,
        .recall = NAN,
        .fpr = NAN };

    for (size_t s = 0; s < e->data.sources_n; s++) {
        const struct wn_eval_cell *c = &e->by[WN_BY_SOURCE][s * WN_HEADS + h];

        if (c->q.pos >= WN_EVAL_POS_MIN && c->q.neg >= WN_EVAL_POS_MIN) {
            m.n++;
            m.auc += c->q.auc.value;
            m.ap += c->q.ap.value;
        }
        if (c->q.pos >= WN_EVAL_POS_MIN &&
            !(c->at[0].recall.value >= m.recall)) {
            m.recall = c->at[0].recall.value;
            m.recall_source = s;
        }
        if (c->q.neg >= WN_EVAL_NEG_MIN && !(c->at[0].fpr.value <= m.fpr)) {
            m.fpr = c->at[0].fpr.value;
            m.fpr_source = s;
        }
    }
    m.auc = m.n > 0 ? m.auc / (double)m.n : NAN;
    m.ap = m.n > 0 ? m.ap / (double)m.n : NAN;
    return m;
}
