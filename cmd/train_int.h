/*
 * What the files of `winnow train` share.
 *
 *   train.c           the order of the work
 *   train_reviews*.c  the same from decisions of staff: see train_reviews.h
 *   train_args.c      arguments
 *   tune*.c           fine-tuning of the encoder: see tune.h
 *   train_features.c  the encoder's numbers of every window, kept in a file
 *   train_set.c       labelled texts, cut into windows, their n-grams
 *   train_fit.c       heads and n-grams
 *   train_join.c      what joins them, thresholds
 *   train_stops.c     where early exits stop
 *   train_report.c    what it came to, with intervals
 *   train_write.c     the folder of weights and its card
 *   train_folder.c    where it is made, and how it comes to its place
 */
#ifndef WN_CMD_TRAIN_INT_H
#define WN_CMD_TRAIN_INT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/data.h"
#include "cmd/train_features.h"
#include "cmd/tune.h"
#include "core/buf.h"
#include "core/hash.h"
#include "model/encoder.h"
#include "model/heads.h"
#include "model/joint.h"
#include "model/measure.h"
#include "model/ngram.h"
#include "model/tokenizer.h"

/* Windows of a text in training's eyes: option score.windows_max's default. */
#define WN_TRAIN_WINDOWS 4
#define WN_TRAIN_FPR 0.01 /* what the shipped thresholds allow on dev */

#define WN_TRAIN_FILES_MAX 8

struct wn_train_conf_cmd {
    const char *data_dirs[WN_TRAIN_FILES_MAX];
    size_t data_n;
    const char *base_dir, *out;
    const char *cache, *test, *about, *name;
    const char *left_out;     /* sources, with commas; or NULL */
    struct wn_buf about_text; /* what `about` holds                    */
    char out_dir[PATH_MAX];   /* `out`, by wn_train_folder_check()     */
    size_t rows_per_source, threads;
    uint64_t seed;
    bool heads_only;
    struct wn_tune_conf tune;
    /* With --from-reviews: see train_reviews.h. */
    bool from_reviews;
    int64_t since_us;
    const char *model_dir, *model_name; /* of the weights in use */
    const struct wn_buf *card; /* in place of the one that is made; or NULL */
};

/* Fills conf from the command line. 0, or the exit status of an error, which
 * is printed. */
int wn_train_arguments(int argc, char **argv, struct wn_train_conf_cmd *conf);
extern const char wn_train_usage[];
extern const char *const wn_train_reviews_flags[]; /* with --from-reviews */

/* conf->from_reviews; the exit status. */
struct wn_options;
int wn_train_from_reviews(
    struct wn_train_conf_cmd *conf, const struct wn_options *o);

/* Where tuning works: beside conf->out_dir. */
void wn_train_tune_paths(struct wn_train_conf_cmd *conf);

/*
 * One file of labelled texts. Row r has windows first[r] .. first[r + 1];
 * window w touches n-gram rows rows[offsets[w]] .. rows[offsets[w + 1]].
 */
struct wn_train_set {
    struct wn_data data;
    struct wn_train_file {
        char path[4096];
        uint8_t sha256[WN_SHA256];
    } files[WN_TRAIN_FILES_MAX];
    size_t files_n;
    size_t *first, *offsets;
    uint32_t *rows, *words; /* words (data.n): of the hardened text */
    float *trust;           /* (windows_n): what counts of the n-grams */
    size_t windows_n, windows_cap, rows_cap;
    bool *picked;            /* rows whose features were computed  */
    size_t features_windows; /* windows asked for there            */
};

/* The next of a sequence that its seed fixes. */
uint64_t wn_train_random(uint64_t *s);

void wn_train_set_init(struct wn_train_set *s);
/* Adds the rows of dir/name.jsonl.gz, or .jsonl; dir NULL: name as it is. */
enum wn_status wn_train_set_read(struct wn_train_set *s, const char *dir,
    const char *name, struct wn_err *err);
/* Away with the rows of those sources; names with commas. WN_REJECT: one is
 * not there. */
enum wn_status wn_train_set_leave_out(
    struct wn_train_set *s, const char *sources, struct wn_err *err);
void wn_train_set_release(struct wn_train_set *s);
/* Chooses at most per_source rows of each source by the seed; 0: all. */
enum wn_status wn_train_set_pick(struct wn_train_set *s, size_t per_source,
    uint64_t seed, size_t windows_max, struct wn_err *err);
enum wn_status wn_train_set_features(struct wn_train_set *s,
    struct wn_features *f, size_t threads, struct wn_err *err);
/* Adds the texts' words to those seen; nothing where words->seen is NULL. */
enum wn_status wn_train_set_words(const struct wn_train_set *s,
    const struct wn_encoder *e, const struct wn_tokenizer *t,
    struct wn_ngram_words *words, struct wn_err *err);
/* Cuts windows, counts their n-grams and what counts of them by `words`. */
enum wn_status wn_train_set_ngrams(struct wn_train_set *s,
    const struct wn_encoder *e, const struct wn_tokenizer *t,
    const struct wn_ngram_words *words, struct wn_err *err);

/* The result; what a head's score is made of: model/joint.h. */
struct wn_train_model {
    struct wn_heads heads; /* weight is owned */
    int8_t *ngram_weight;
    struct wn_ngram_words words;
    struct wn_ngram ngram; /* its weights are ngram_weight, its words too */
    struct wn_joint joint;
};

/* Everything that is learnt or chosen, from train and dev alone. The heads of
 * m are there: those that were tuned stay, others (not kinds) are learnt. */
enum wn_status wn_train_fit(struct wn_train_model *m,
    const struct wn_train_set *train, const struct wn_train_set *dev,
    const struct wn_features *f, uint64_t seed, struct wn_err *err);
void wn_train_model_release(struct wn_train_model *m);

/* Logits of every window at an exit, (windows_n, WN_HEADS) each; the caller's
 * free(). */
struct wn_train_logits {
    float *encoder, *ngram;
};
enum wn_status wn_train_logits(struct wn_train_logits *ret,
    const struct wn_train_model *m, const struct wn_train_set *s,
    const struct wn_features *f, size_t exit, struct wn_err *err);
void wn_train_logits_release(struct wn_train_logits *l);
/* The highest of a row's windows; labels (n) gets head h's labels, -1 for a
 * text without words or features. */
void wn_train_scores(const struct wn_train_set *s,
    const struct wn_train_logits *l, const double mix[3], size_t h,
    double *scores, int8_t *labels);

/* --- train_join.c --- */

/* Chooses what joins the readers at an exit, on dev alone; prints it. */
enum wn_status wn_train_join(struct wn_train_model *m,
    const struct wn_train_set *dev, const struct wn_features *f, size_t exit,
    struct wn_err *err);

/* --- train_stops.c --- */

/* Sets where each early exit of m stops, so that of what dev's texts flag
 * after the last layer only a few are lost; prints what that comes to. */
enum wn_status wn_train_stops(struct wn_train_model *m,
    const struct wn_train_set *dev, const struct wn_features *f,
    struct wn_err *err);

enum wn_train_reader {
    WN_READER_ENCODER,
    WN_READER_NGRAM,
    WN_READER_BOTH,
    WN_READERS
};
struct wn_train_figures {
    size_t pos, neg;
    double auc[WN_READERS], low[WN_READERS], high[WN_READERS];
    double recall, fpr; /* both readers, at the shipped threshold */
};
struct wn_train_report {
    struct wn_train_figures dev[WN_HEADS], test[WN_HEADS];
    bool has_test;
};
enum wn_status wn_train_measure(struct wn_train_figures ret[WN_HEADS],
    const struct wn_train_model *m, const struct wn_train_set *s,
    const struct wn_features *f, uint64_t seed, struct wn_err *err);
/* As a Markdown table. */
void wn_train_table(
    struct wn_buf *out, const struct wn_train_figures figures[WN_HEADS]);

/*
 * Fills conf->out_dir. WN_REJECT where a folder cannot be put there or where
 * one stands that holds more than weights; touches nothing.
 */
enum wn_status wn_train_folder_check(
    struct wn_train_conf_cmd *conf, struct wn_err *err);
/* The work folder, empty. */
enum wn_status wn_train_folder_begin(
    const struct wn_train_conf_cmd *conf, struct wn_err *err);
/* Away with it, as far as it holds files of weights. */
void wn_train_folder_drop(const struct wn_train_conf_cmd *conf);
/*
 * The work folder takes the place of <out>, and what was there is removed.
 * Whoever opens <out> by its name finds one training whole; one who opens its
 * files one by one at this very moment may still see both.
 */
enum wn_status wn_train_folder_swap(
    const struct wn_train_conf_cmd *conf, struct wn_err *err);
const char *wn_train_work_dir(
    const struct wn_train_conf_cmd *conf, char *out, size_t out_bytes);

/* File i of a folder of weights; NULL after the last. */
const char *wn_train_file_name(size_t i);
/* Appends a whole file; *ret_found: there is one. */
enum wn_status wn_train_read_file(
    const char *path, struct wn_buf *out, bool *ret_found, struct wn_err *err);
/* Reads conf->about, if one was given; about_text is the caller's to release
 * in any case. */
enum wn_status wn_train_read_about(
    struct wn_train_conf_cmd *conf, struct wn_err *err);
/* Of what the base's features depend on beside model.safetensors. */
enum wn_status wn_train_base_sha256(const struct wn_train_conf_cmd *conf,
    uint8_t ret[WN_SHA256], struct wn_err *err);
/* Copies what the tokenizer needs. */
enum wn_status wn_train_copy_files(
    const char *from, const char *to, struct wn_err *err);
/* Begins the work folder: what the base's encoder becomes. */
enum wn_status wn_train_write_base(const struct wn_train_conf_cmd *conf,
    const struct wn_encoder *base, struct wn_err *err);
/* The rest of it, and into its place once winnow opens it. report is for the
 * card: NULL with conf->card. */
enum wn_status wn_train_write(const struct wn_train_conf_cmd *conf,
    const struct wn_encoder *e, const struct wn_tokenizer *t,
    const struct wn_train_model *m, const struct wn_train_set *const *sets,
    size_t sets_n, const struct wn_train_report *report, struct wn_err *err);

#endif
