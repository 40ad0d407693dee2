/*
 * What the files of `winnow eval` and `winnow model compare` share.
 *
 *   eval.c          arguments, the order of the work, plots (plot.h)
 *   eval_score.c    the scores of all rows, on several threads
 *   eval_file.c     scores kept in a file, and read again
 *   eval_measure.c  thresholds; cells: what is known of a head on some rows
 *   eval_attack.c   attacked texts (attack.h) and what becomes of their flags
 *   eval_table.c    all of it for people
 *   eval_json.c     all of it as JSON
 */
#ifndef WN_CMD_EVAL_INT_H
#define WN_CMD_EVAL_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "classifier/classifier.h"
#include "cmd/data.h"
#include "core/buf.h"
#include "core/options.h"
#include "model/measure.h"

#define WN_EVAL_SEED 1

/* --- scores --- */

/* What a threshold is to be: the most recall at so many false positives, or at
 * such a precision; the other is NaN. */
struct wn_eval_ask {
    double fpr, precision;
};
#define WN_EVAL_ASKS_MAX 4

/* A threshold of a head: a row is flagged at or over it. */
struct wn_eval_point {
    double logit;           /* NaN: there is none                   */
    struct wn_eval_ask ask; /* both NaN: it is the weights' own     */
    bool of_data;           /* asked of what is measured, not of dev */
    size_t neg;             /* rows that were asked                 */
};
/* The weights' own, at 1 % and at 0.1 % of dev, and those asked for. */
#define WN_POINTS_MAX (3 + WN_EVAL_ASKS_MAX)

/* The weights' thresholds, and a number a row. A row without text has the
 * logit -INFINITY: lower than any. */
struct wn_eval_scores {
    size_t n;
    char model[96];          /* version of the weights                    */
    double *logit[WN_HEADS]; /* score = sigmoid(logit)                    */
    double *encoder[WN_HEADS], *ngram[WN_HEADS]; /* of each reader; NULL
                                                    where read from a file */
    uint32_t *words; /* of the hardened text                      */
    struct wn_eval_point at[WN_HEADS][WN_POINTS_MAX];
    size_t points_n;
};

/* Room for n rows, all 0; with_parts: encoder and ngram too. WN_STOP
 * without memory. */
enum wn_status wn_eval_scores_init(
    struct wn_eval_scores *s, size_t n, bool with_parts, struct wn_err *err);
void wn_eval_scores_release(struct wn_eval_scores *s);

struct wn_eval_conf {
    const struct wn_classifier *classifier;
    size_t windows_max, threads;
};
/* `asked` where it is not 0, else as option score.threads says. */
size_t wn_eval_threads(const struct wn_options *o, size_t asked);
/* Scores every row; says on standard error how far it is, as "eval: WHAT: n of
 * N". The points are the weights' own. WN_STOP: no memory, or broken weights.
 * Owns: the caller releases *ret. */
enum wn_status wn_eval_scores_make(struct wn_eval_scores *ret,
    const struct wn_data *d, const struct wn_eval_conf *conf, const char *what,
    struct wn_err *err);

/* Shows progress at most twice a second on a terminal, each ten seconds in a
 * log; done == all clears the terminal's line. */
struct wn_eval_progress {
    int64_t next_us;
};
void wn_eval_show(struct wn_eval_progress *p, const char *what,
    const char *unit, size_t done, size_t all);

/*
 * A file of scores is JSON Lines: first
 *   {"scores":1,"model","rows","heads":{HEAD:[{"logit","fpr","precision",
 *    "dev_neg"},..]}}
 * then for each row, in the data's order,
 *   {"id","source","text","words","logits":{HEAD:z}}, null without text
 * where "text" is a hash, so that scores of other texts are refused.
 */
enum wn_status wn_eval_scores_write(const struct wn_eval_scores *s,
    const struct wn_data *d, const char *path, struct wn_err *err);
/* WN_REJECT: "PATH:LINE: what is wrong". */
enum wn_status wn_eval_scores_read(struct wn_eval_scores *ret,
    const struct wn_data *d, const char *path, struct wn_err *err);

/* Adds the thresholds that are asked of these rows; of == s: of what is
 * measured itself. prevalence: that a precision is stated for. */
enum wn_status wn_eval_points_add(struct wn_eval_scores *s,
    const struct wn_eval_ask *asks, size_t asks_n, double prevalence,
    const struct wn_data *d, const struct wn_eval_scores *of,
    struct wn_err *err);

/* --- cells --- */

/* At one of the points. */
struct wn_eval_rates {
    struct wn_range recall, fpr, precision;
};

/* What is known of one head on some of the rows. */
struct wn_eval_cell {
    struct wn_quality q;
    struct wn_eval_rates at[WN_POINTS_MAX];
    double encoder, ngram; /* AUC of each reader; NaN where not known */
};

/* Ways to part the rows. A row may be in several slices of WN_BY_SUB, and in
 * none. */
enum wn_eval_by {
    WN_BY_SOURCE,
    WN_BY_LANG,
    WN_BY_LENGTH,
    WN_BY_KIND,
    WN_BY_SUB,
    WN_BYS
};
extern const char *const wn_eval_by_names[WN_BYS];

/* Rows without a positive label and with a negative one: how many the weights
 * flag, by any head, as the service would (ai_text not under 25 words). */
struct wn_eval_benign {
    size_t rows, flagged;
    struct wn_range share; /* Wilson */
};

/* Everything that was measured. */
struct wn_eval {
    struct wn_data data;
    struct wn_eval_scores scores;
    double prevalence;
    bool parts;
    struct wn_eval_cell all[WN_HEADS];
    struct wn_eval_cell *by[WN_BYS];            /* (slices, WN_HEADS) */
    struct wn_eval_benign benign, *benign_kind; /* (kinds) */
    struct wn_attacked *attacked; /* WN_ATTACKS of them; NULL: not asked */
    const char *const *files;     /* for the record */
    size_t files_n;
    const char *dev; /* NULL: none */
    size_t dev_rows;
};

size_t wn_eval_slices(const struct wn_eval *e, enum wn_eval_by by);
const char *wn_eval_slice_name(
    const struct wn_eval *e, enum wn_eval_by by, size_t slice);
/* Fills all, by, benign and benign_kind. WN_STOP without memory. */
enum wn_status wn_eval_measure(struct wn_eval *e, struct wn_err *err);
void wn_eval_release(struct wn_eval *e);
/* Whether row i is benign, and whether the weights flag it. */
bool wn_eval_is_benign(const struct wn_data_row *row);
bool wn_eval_is_flagged(const struct wn_eval_scores *s, size_t row);

/* Means and worst of a head over the sources that are large enough: 20 of
 * each class for the means, 20 positives for recall, 200 negatives for fpr. */
#define WN_EVAL_POS_MIN 20
#define WN_EVAL_NEG_MIN 200
struct wn_eval_macro {
    size_t n;       /* sources in the means; 0: they are NaN    */
    double auc, ap; /* means                                    */
    size_t recall_source, fpr_source; /* SIZE_MAX: none is large enough */
    double recall, fpr; /* of these sources, at the weights' own threshold */
};
struct wn_eval_macro wn_eval_macro(const struct wn_eval *e, enum wn_head h);

/* --- attacks --- */

/* One attack on one head: rows whose text it changed. */
struct wn_attacked_head {
    size_t pos, pos_before, pos_after; /* positives; flagged            */
    size_t neg, neg_before, neg_after; /* benign rows; flagged          */
    size_t pos_lost, neg_gained;       /* flags that turned             */
};
struct wn_attacked {
    size_t rows; /* whose text it changed */
    struct wn_attacked_head head[WN_HEADS];
};
/* Fills e->attacked on a sample: of each head's positives, and of the benign
 * rows, `rows_max`. e->scores are there. */
enum wn_status wn_eval_attack(struct wn_eval *e,
    const struct wn_eval_conf *conf, size_t rows_max, struct wn_err *err);

/* --- what is shown --- */

void wn_eval_table(
    const struct wn_eval *e, unsigned by_bits, struct wn_buf *out);
void wn_eval_json(const struct wn_eval *e, struct wn_buf *out);

#endif
