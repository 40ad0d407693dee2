/*
 * How good scores are: measures over n scores (logits, or anything where
 * higher means more likely; never NaN) and n labels 1, 0 or -1 (unknown:
 * skipped). Numbers only: what a label means is not known here.
 *
 * Equal scores are one place in the order: every measure is the same whatever
 * the order of the rows. A measure that does not exist is NaN, never 0. The
 * same seed gives the same interval on every machine. WN_STOP without memory.
 * Any thread; nothing is kept between calls.
 */
#ifndef WN_MODEL_MEASURE_H
#define WN_MODEL_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* A value and its 95 % interval. */
struct wn_range {
    double value, low, high;
};

/* --- at a threshold --- */

struct wn_measure {
    size_t pos, neg;
    double auc;    /* ties count half; NaN without both classes */
    double recall; /* share of positives >= threshold; NaN without positives */
    double fpr;    /* share of negatives >= threshold; NaN without negatives */
};
enum wn_status wn_measure(const double *scores, const int8_t *labels, size_t n,
    double threshold, struct wn_measure *ret, struct wn_err *err);

/* The lowest score that at most a share `fpr` of the negatives reaches; over
 * every score where none does. 0.5 without negatives. */
enum wn_status wn_threshold_at_fpr(const double *scores, const int8_t *labels,
    size_t n, double fpr, double *ret, struct wn_err *err);

/* The lowest score at which the precision that wn_precision_at() states is at
 * least so much: the most recall at that precision. NaN where none is, or
 * without both classes. */
enum wn_status wn_threshold_at_precision(const double *scores,
    const int8_t *labels, size_t n, double prevalence, double precision,
    double *ret, struct wn_err *err);

/* Wilson's interval of a share of independent rows: it does not collapse at 0
 * or n hits, as resampling does. n 0: NaN. hits may lie between two counts. */
struct wn_range wn_wilson(double hits, size_t n);

/* Share of true ones among what is flagged, were a share `prevalence` of all
 * rows positive: p * recall / (p * recall + (1 - p) * fpr). The interval joins
 * the bad ends of both and the good ends of both, so it covers more than 95 %.
 */
struct wn_range wn_precision_at(
    double prevalence, struct wn_range recall, struct wn_range fpr);

/* --- of the whole order, and of probabilities --- */

#define WN_BINS 15

/* A bin of equal mass: rows floor(b * n / 15) .. floor((b + 1) * n / 15) in
 * order of score; rows of equal score share their label, so `share` does not
 * depend on which of them a bin's edge takes. */
struct wn_bin {
    size_t n;
    double mean;  /* of the probabilities */
    double share; /* of positives         */
};

struct wn_quality {
    size_t pos, neg;
    struct wn_range auc;   /* area under ROC, ties half               */
    struct wn_range ap;    /* average precision: sum over thresholds,
                              highest first, of (R - R before) * P    */
    struct wn_range brier; /* mean of (probability - label) squared   */
    /* Mean of |mean - share| over rows, by bins. No interval: resampling
     * makes it larger than it is. */
    double ece;
    struct wn_bin bins[WN_BINS];
};

/*
 * Scores are logits here: probabilities are wn_sigmoid() of them. Intervals of
 * auc, ap and brier are percentiles over `rounds` resamples of the rows (drawn
 * with replacement, both classes together; a round without both classes does
 * not count); rounds 0 or one class only: NaN.
 */
#define WN_ROUNDS 1000
enum wn_status wn_quality(const double *scores, const int8_t *labels, size_t n,
    size_t rounds, uint64_t seed, struct wn_quality *ret, struct wn_err *err);

/*
 * Two models on the same rows: second minus first, each at its own threshold.
 * A round draws the same rows for both, so what makes a row hard for both does
 * not widen the interval.
 */
struct wn_pair {
    size_t pos, neg;
    struct wn_range auc, ap, recall, fpr;
};
enum wn_status wn_pair(const double *first, const double *second,
    const int8_t *labels, size_t n, double threshold_first,
    double threshold_second, size_t rounds, uint64_t seed, struct wn_pair *ret,
    struct wn_err *err);

#endif
