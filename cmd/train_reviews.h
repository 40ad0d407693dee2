/*
 * `winnow train --from-reviews`: weights in use learn what staff decided.
 *
 *   train_reviews.c         arguments, the order of the work
 *   train_reviews_data.c    decisions as labelled texts, and what is held back
 *   train_reviews_model.c   the weights before and after, thresholds
 *   train_reviews_heads.c   heads on an encoder that was tuned
 *   train_reviews_report.c  what it came to, and the card
 */
#ifndef WN_CMD_TRAIN_REVIEWS_H
#define WN_CMD_TRAIN_REVIEWS_H

#include "cmd/train_int.h"
#include "storage/store.h"

/* The source of rows that were decided. */
#define WN_REVIEWS_SOURCE "reviews"
/* Fewer texts, beside those that are held back, teach nothing. */
#define WN_REVIEWS_MIN 20
/* Decisions read, the newest. */
#define WN_REVIEWS_MAX 50000

/* --- train_reviews_data.c --- */

/* What became of the decisions, in posts. */
struct wn_reviews {
    struct wn_data data; /* one row a text: copies of one are joined */
    int64_t decisions;   /* made, in the time asked for              */
    size_t posts;
    size_t gone;     /* deleted, or left with retention: no text any more */
    size_t textless; /* media alone                                       */
    size_t unsaid;   /* no head was named                                 */
    size_t disputed; /* people said otherwise, of every head named        */
    size_t copies;   /* posts whose text another one has                  */
    size_t held;     /* of data.n                                         */
    int64_t first_us, last_us;
    uint8_t sha256[WN_SHA256]; /* of texts and labels */
};

void wn_reviews_init(struct wn_reviews *r);
void wn_reviews_release(struct wn_reviews *r);
/* WN_REJECT: too few to learn from; the text says what there is and what to
 * do. */
enum wn_status wn_reviews_read(struct wn_reviews *r, struct wn_store *st,
    int64_t since_us, struct wn_err *err);
/* Whether a text is never trained on, now or later: one in seven is not, by
 * a hash of it, so that copies stay together. */
bool wn_reviews_is_held(struct wn_str text);
/* Appends the rows that are held back, or the others. */
enum wn_status wn_reviews_add(const struct wn_reviews *r, bool held,
    struct wn_data *to, struct wn_err *err);
/* The same, with the file that the set names as where they come from. */
enum wn_status wn_reviews_add_set(const struct wn_reviews *r, bool held,
    struct wn_train_set *to, struct wn_err *err);

/* --- train_reviews_model.c --- */

/* A folder of weights, open: what they are, and what reads texts for them. */
struct wn_reviews_model {
    struct wn_encoder *encoder; /* as it is served */
    struct wn_tokenizer *tokenizer;
    struct wn_features *features;
    struct wn_train_model m;
};

enum wn_status wn_reviews_open(
    struct wn_reviews_model *ret, const char *dir, struct wn_err *err);
/* w has heads; the encoder is the work folder's, and the rest as before. */
enum wn_status wn_reviews_open_after(struct wn_reviews_model *w,
    const struct wn_reviews_model *before, const char *dir, struct wn_err *err);
void wn_reviews_close(struct wn_reviews_model *w);
/* Whether staff decided on a text of the set. */
bool wn_reviews_is_decided(const struct wn_train_set *s, size_t row);

/*
 * What both readers learn: of decided texts what staff said, and of all else,
 * replay and heads that nobody named, what the weights say already. So they
 * stay as they are where nobody asked for more.
 *
 * The n-grams of `to` from those of `from`, whose features of the set are
 * there.
 */
enum wn_status wn_reviews_ngrams(struct wn_train_model *to,
    const struct wn_reviews_model *from, const struct wn_train_set *set,
    uint64_t seed, struct wn_err *err);

/* The encoder's part of it, for wn_tune_conf; the caller's free(). */
enum wn_status wn_reviews_teacher(float **ret,
    const struct wn_reviews_model *from, const struct wn_train_set *set,
    struct wn_err *err);

/* One head on the texts of dev that were held back: [0] before, [1] after. */
struct wn_reviews_head {
    size_t pos, neg, found[2], wrong[2];
    double threshold[2];
};
/* Thresholds and stops of `to`, which has those of `from`: none loosens, and a
 * threshold rises as far as the highest of dev's negatives did. */
enum wn_status wn_reviews_thresholds(struct wn_reviews_model *to,
    const struct wn_reviews_model *from, const struct wn_train_set *dev,
    struct wn_reviews_head ret[WN_HEADS], struct wn_err *err);

/* --- train_reviews_heads.c --- */

/* After tuning: brings the outputs of `after` to the level and scale of those
 * of `before`, on replay of dev. Features of dev are there for both. */
void wn_reviews_settle(struct wn_reviews_model *after,
    const struct wn_reviews_model *before, const struct wn_train_set *dev);

/* --- train_reviews_report.c --- */

void wn_reviews_summary(struct wn_buf *out, const struct wn_reviews *r,
    const struct wn_reviews_head heads[WN_HEADS]);

/* What a model card says, before that of the weights it began from. */
enum wn_status wn_reviews_card(struct wn_buf *out,
    const struct wn_train_conf_cmd *conf, const struct wn_reviews *r,
    const struct wn_reviews_head heads[WN_HEADS], struct wn_err *err);

#endif
