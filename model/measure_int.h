/* What measure.c and measure_resample.c share. */
#ifndef WN_MODEL_MEASURE_INT_H
#define WN_MODEL_MEASURE_INT_H

#include "model/measure.h"

/* The known rows, highest score first; of equal ones the earlier row. Sorted
 * once and counted often. */
struct wn_ranked {
    double score;
    uint32_t row;   /* among the known rows, in the caller's order */
    uint8_t label;  /* 1 or 0                                      */
    uint8_t closes; /* the last of its score                       */
};
struct wn_ranks {
    struct wn_ranked *at;
    double *loss; /* (probability - label) squared, in the order of `at` */
    size_t n;
};

/* At most UINT32_MAX rows (asserted). */
enum wn_status wn_ranks_init(struct wn_ranks *ret, const double *scores,
    const int8_t *labels, size_t n, struct wn_err *err);
void wn_ranks_release(struct wn_ranks *r);
/* Fills loss; scores are logits. */
enum wn_status wn_ranks_loss(struct wn_ranks *r, struct wn_err *err);
/* The first place whose score is under the threshold. */
size_t wn_ranks_cut(const struct wn_ranks *r, double threshold);

/* What one pass sees. Row i counts times[i] times; NULL: once. */
struct wn_count {
    double pos, neg;         /* rows, counted                         */
    double hit_pos, hit_neg; /* before place `cut`                    */
    double auc, ap, brier;   /* NaN without both classes; brier without
                                rows or without loss                  */
};
void wn_ranks_count(const struct wn_ranks *r, const uint32_t *times, size_t cut,
    struct wn_count *ret);

/* Fills the intervals of *q, whose values are there. */
enum wn_status wn_quality_resample(const struct wn_ranks *r, size_t rounds,
    uint64_t seed, struct wn_quality *q, struct wn_err *err);

#endif
