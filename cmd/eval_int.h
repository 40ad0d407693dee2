/* What winnow eval measures: the scores of all rows, by eval_score.c. */
#ifndef WN_CMD_EVAL_INT_H
#define WN_CMD_EVAL_INT_H

#include "classifier/classifier.h"
#include "cmd/data.h"

/* Each has one number a row; -INFINITY where the row has no text. */
struct wn_eval_scores {
    double *both[WN_HEADS];                      /* probabilities */
    double *encoder[WN_HEADS], *ngram[WN_HEADS]; /* of each reader */
};

/* Scores every row on `threads` threads; says on standard error how far it
 * is. WN_STOP without memory. */
enum wn_status wn_eval_scores_make(struct wn_eval_scores *ret,
    const struct wn_data *d, const struct wn_classifier *c, size_t windows_max,
    size_t threads, struct wn_err *err);
void wn_eval_scores_release(struct wn_eval_scores *s);

#endif
