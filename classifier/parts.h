/*
 * What a score is made of: for measuring (`winnow eval`). Nothing else needs
 * it.
 */
#ifndef WN_CLASSIFIER_PARTS_H
#define WN_CLASSIFIER_PARTS_H

#include "classifier/classifier.h"

/* The highest of a text's windows. All 0 where there is no text. */
struct wn_parts {
    double encoder[WN_HEADS], ngram[WN_HEADS]; /* good for ranks only */
    double logit[WN_HEADS]; /* of both, calibrated: score = sigmoid(logit) */
};

/* As wn_scorer_run(), with the parts of each item too. */
enum wn_status wn_scorer_run_parts(struct wn_scorer *s, struct wn_item **items,
    size_t n, struct wn_parts *parts, struct wn_err *err);

#endif
