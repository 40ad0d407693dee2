/* Measures; see measure.h. Intervals by resampling are in measure_resample.c.
 */
#include "model/measure.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/heads.h"
#include "model/measure_int.h"

/* --- the order --- */

static int
by_score(const void *a, const void *b)
{
    const struct wn_ranked *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

enum wn_status
wn_ranks_init(struct wn_ranks *ret, const double *scores, const int8_t *labels,
    size_t n, struct wn_err *err)
{
    struct wn_ranked *at = malloc((n + 1) * sizeof(*at));
    size_t k = 0;

    WN_ASSERT(n <= UINT32_MAX);
    if (at == NULL)
        return wn_fail(err, WN_STOP, "measures: out of memory");
    for (size_t i = 0; i < n; i++) {
        if (labels[i] < 0)
            continue;
        WN_ASSERT(!isnan(scores[i]));
        at[k] = (struct wn_ranked){ scores[i], (uint32_t)k, labels[i] != 0, 0 };
        k++;
    }
    qsort(at, k, sizeof(*at), by_score);
    for (size_t i = 0; i < k; i++)
        at[i].closes = i + 1 == k || at[i + 1].score != at[i].score;
    *ret = (struct wn_ranks){ .at = at, .n = k };
    return WN_OK;
}

void
wn_ranks_release(struct wn_ranks *r)
{
    free(r->at);
    free(r->loss);
    memset(r, 0, sizeof(*r));
}

enum wn_status
wn_ranks_loss(struct wn_ranks *r, struct wn_err *err)
{
    r->loss = malloc((r->n + 1) * sizeof(*r->loss));
    if (r->loss == NULL)
        return wn_fail(err, WN_STOP, "measures: out of memory");
    for (size_t i = 0; i < r->n; i++) {
        double d = wn_sigmoid(r->at[i].score) - r->at[i].label;

        r->loss[i] = d * d;
    }
    return WN_OK;
}

size_t
wn_ranks_cut(const struct wn_ranks *r, double threshold)
{
    size_t low = 0, high = r->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->at[middle].score >= threshold)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- counting --- */

/*
 * One pass from the highest score down. A negative loses to every positive
 * over it and half to those beside it; precision after a group of equal scores
 * is what that group's positives are worth. The inner loop of every resample.
 */
void
wn_ranks_count(const struct wn_ranks *r, const uint32_t *times, size_t cut,
    struct wn_count *ret)
{
    struct wn_count c = { 0 };
    double wins = 0, sum = 0, loss = 0;
    uint64_t all[2] = { 0, 0 }, group[2] = { 0, 0 };

    for (size_t i = 0; i < r->n; i++) {
        const struct wn_ranked *at = &r->at[i];
        uint32_t k = times == NULL ? 1 : times[at->row];

        group[at->label] += k;
        if (r->loss != NULL)
            loss += k * r->loss[i];
        if (!at->closes)
            continue;
        wins += (double)group[0] * ((double)all[1] + 0.5 * (double)group[1]);
        all[0] += group[0];
        all[1] += group[1];
        if (group[1] > 0)
            sum +=
                (double)group[1] * (double)all[1] / (double)(all[0] + all[1]);
        if (i < cut) {
            c.hit_neg = (double)all[0];
            c.hit_pos = (double)all[1];
        }
        group[0] = group[1] = 0;
    }
    c.neg = (double)all[0];
    c.pos = (double)all[1];
    c.auc = c.pos > 0 && c.neg > 0 ? wins / c.pos / c.neg : NAN;
    c.ap = c.pos > 0 && c.neg > 0 ? sum / c.pos : NAN;
    c.brier =
        r->loss != NULL && c.pos + c.neg > 0 ? loss / (c.pos + c.neg) : NAN;
    *ret = c;
}

enum wn_status
wn_measure(const double *scores, const int8_t *labels, size_t n,
    double threshold, struct wn_measure *ret, struct wn_err *err)
{
    struct wn_ranks r;
    struct wn_count c;
    enum wn_status rc = wn_ranks_init(&r, scores, labels, n, err);

    if (rc != WN_OK)
        return rc;
    wn_ranks_count(&r, NULL, wn_ranks_cut(&r, threshold), &c);
    wn_ranks_release(&r);
    *ret = (struct wn_measure){ .pos = (size_t)c.pos,
        .neg = (size_t)c.neg,
        .auc = c.auc,
        .recall = c.pos > 0 ? c.hit_pos / c.pos : NAN,
        .fpr = c.neg > 0 ? c.hit_neg / c.neg : NAN };
    return WN_OK;
}

enum wn_status
wn_threshold_at_fpr(const double *scores, const int8_t *labels, size_t n,
    double fpr, double *ret, struct wn_err *err)
{
    struct wn_ranks r;
    size_t neg = 0, over = 0, allowed;
    double t;
    enum wn_status rc = wn_ranks_init(&r, scores, labels, n, err);

    if (rc != WN_OK)
        return rc;
    for (size_t i = 0; i < r.n; i++)
        neg += r.at[i].label == 0;
    allowed = (size_t)(fpr * (double)neg);
    t = neg == 0 ? 0.5 : nextafter(r.at[0].score, INFINITY);
    for (size_t i = 0; neg > 0 && i < r.n; i++) {
        over += r.at[i].label == 0;
        if (over > allowed)
            break;
        if (r.at[i].closes)
            t = r.at[i].score;
    }
    wn_ranks_release(&r);
    *ret = t;
    return WN_OK;
}

enum wn_status
wn_threshold_at_precision(const double *scores, const int8_t *labels, size_t n,
    double prevalence, double precision, double *ret, struct wn_err *err)
{
    struct wn_ranks r;
    double all[2] = { 0, 0 }, over[2] = { 0, 0 }, t = NAN;
    enum wn_status rc = wn_ranks_init(&r, scores, labels, n, err);

    if (rc != WN_OK)
        return rc;
    for (size_t i = 0; i < r.n; i++)
        all[r.at[i].label == 1]++;
    for (size_t i = 0; all[0] > 0 && all[1] > 0 && i < r.n; i++) {
        double hit, miss;

        over[r.at[i].label == 1]++;
        hit = prevalence * over[1] / all[1];
        miss = (1 - prevalence) * over[0] / all[0];
        if (r.at[i].closes && hit + miss > 0 && hit >= precision * (hit + miss))
            t = r.at[i].score;
    }
    wn_ranks_release(&r);
    *ret = t;
    return WN_OK;
}

/* --- shares --- */

#define Z95 1.959963984540054 /* of the normal distribution, two-sided */

struct wn_range
wn_wilson(double hits, size_t n)
{
    double p, z = Z95 * Z95, m = (double)n, middle, half;

    if (n == 0)
        return (struct wn_range){ NAN, NAN, NAN };
    p = hits / m;
    middle = (p + z / (2 * m)) / (1 + z / m);
    half = Z95 * sqrt(p * (1 - p) / m + z / (4 * m * m)) / (1 + z / m);
    return (struct wn_range){ .value = p,
        .low = hits <= 0 ? 0 : fmax(middle - half, 0),
        .high = hits >= m ? 1 : fmin(middle + half, 1) };
}

static double
precision(double prevalence, double recall, double fpr)
{
    double right = prevalence * recall, wrong = (1 - prevalence) * fpr;

    return right + wrong > 0 ? right / (right + wrong) : NAN;
}

struct wn_range
wn_precision_at(double prevalence, struct wn_range recall, struct wn_range fpr)
{
    return (struct wn_range){
        .value = precision(prevalence, recall.value, fpr.value),
        .low = precision(prevalence, recall.low, fpr.high),
        .high = precision(prevalence, recall.high, fpr.low),
    };
}

/* --- calibration --- */

/* Fills share[i], the label of place i, an equal score's being their mean. */
static void
share_labels(const struct wn_ranks *r, double *share)
{
    for (size_t i = 0, end; i < r->n; i = end) {
        size_t pos = 0;

        for (end = i; end == i || !r->at[end - 1].closes; end++)
            pos += r->at[end].label;
        for (size_t k = i; k < end; k++)
            share[k] = (double)pos / (double)(end - i);
    }
}

/* Bins from the lowest score up; what `at` holds is highest first. */
static double
fill_bins(
    const struct wn_ranks *r, const double *share, struct wn_bin bins[WN_BINS])
{
    double ece = 0;

    for (size_t b = 0; b < WN_BINS; b++) {
        size_t from = b * r->n / WN_BINS, to = (b + 1) * r->n / WN_BINS;
        struct wn_bin bin = { .n = to - from };

        for (size_t i = from; i < to; i++) {
            bin.mean += wn_sigmoid(r->at[r->n - 1 - i].score);
            bin.share += share[r->n - 1 - i];
        }
        ece += fabs(bin.mean - bin.share);
        bin.mean = bin.n > 0 ? bin.mean / (double)bin.n : NAN;
        bin.share = bin.n > 0 ? bin.share / (double)bin.n : NAN;
        bins[b] = bin;
    }
    return r->n > 0 ? ece / (double)r->n : NAN;
}

static enum wn_status
calibration(const struct wn_ranks *r, struct wn_quality *q, struct wn_err *err)
{
    double *share = malloc((r->n + 1) * sizeof(*share));

    if (share == NULL)
        return wn_fail(err, WN_STOP, "measures: out of memory");
    share_labels(r, share);
    q->ece = fill_bins(r, share, q->bins);
    free(share);
    return WN_OK;
}

enum wn_status
wn_quality(const double *scores, const int8_t *labels, size_t n, size_t rounds,
    uint64_t seed, struct wn_quality *ret, struct wn_err *err)
{
    struct wn_quality q = { 0 };
    struct wn_ranks r;
    struct wn_count c;
    enum wn_status rc = wn_ranks_init(&r, scores, labels, n, err);

    if (rc != WN_OK)
        return rc;
    rc = wn_ranks_loss(&r, err);
    if (rc == WN_OK)
        rc = calibration(&r, &q, err);
    if (rc == WN_OK) {
        wn_ranks_count(&r, NULL, 0, &c);
        q.pos = (size_t)c.pos;
        q.neg = (size_t)c.neg;
        q.auc = (struct wn_range){ c.auc, NAN, NAN };
        q.ap = (struct wn_range){ c.ap, NAN, NAN };
        q.brier = (struct wn_range){ c.brier, NAN, NAN };
        rc = wn_quality_resample(&r, rounds, seed, &q, err);
    }
    wn_ranks_release(&r);
    if (rc == WN_OK)
        *ret = q;
    return rc;
}
