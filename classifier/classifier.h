/*
 * What a post's text means: hardened text in, one calibrated score a label
 * out. Fills the text.*, score.* and flag.* signals and post.links.
 *
 * One wn_classifier holds the weights, read-only, shared by all threads; each
 * thread has its own wn_scorer with all scratch memory in it.
 */
#ifndef WN_CLASSIFIER_CLASSIFIER_H
#define WN_CLASSIFIER_CLASSIFIER_H

#include "core/item.h"
#include "core/status.h"

/* The version of the hardened-text function (classifier/text.h). Weights made
 * with another version are refused. */
#define WN_TEXT_VERSION 2
#define WN_AI_TEXT_WORDS_MIN 25 /* under it ai_text never flags */
#define WN_LINKS_MAX 64

struct wn_classifier;
struct wn_encoder_conf;
struct wn_scorer;

/*
 * Opens a folder of weights that `winnow train` made (config.json,
 * model.safetensors, vocab.txt). conf (model/encoder.h) says how the encoder
 * runs; NULL: in int8 on what the CPU has. WN_REJECT: what is wrong with which
 * file.
 * Owns: the caller frees *ret with wn_classifier_free(), after every scorer.
 */
enum wn_status wn_classifier_open(struct wn_classifier **ret, const char *dir,
    const struct wn_encoder_conf *conf, struct wn_err *err);
void wn_classifier_free(struct wn_classifier *c);

/* Keeps the scores of about so many windows for texts that come again; 0: of
 * none, which is how it is opened. Before any scorer is made. WN_STOP without
 * memory. */
enum wn_status wn_classifier_cache(
    struct wn_classifier *c, size_t entries, struct wn_err *err);

/* How many layers texts go through: "auto", each as many as it needs, which is
 * how it is opened; or a number that the weights have an exit after, everybody
 * as many. Before any scorer is made. WN_REJECT: which there are. */
enum wn_status wn_classifier_depth(
    struct wn_classifier *c, const char *depth, struct wn_err *err);

/* What makes a score, for verdicts: "winnow-1@<16 hex digits of a SHA-256>",
 * the hash being over every file of the folder that a score depends on; and
 * behind it, where it is not the usual, how they are read: "+depth=6" that
 * wn_classifier_depth() asked for, "+fp32" (a name of wn_precision_names). Not
 * the CPU: see wn_classifier_kernels(). Good until the next
 * wn_classifier_depth(). */
const char *wn_classifier_version(const struct wn_classifier *c);
/* How much of it names the weights, without how they are read. */
size_t wn_classifier_weights_len(const struct wn_classifier *c);
/* What the encoder runs on: "avx512vnni int8". */
const char *wn_classifier_kernels(const struct wn_classifier *c);
/* The shipped threshold of a head, a calibrated probability in [0, 1]. */
double wn_classifier_threshold(const struct wn_classifier *c, enum wn_head h);

/* Whether they score at all: a few texts of ours must get finite scores.
 * WN_REJECT: why not. For who is about to put them in place of others. */
enum wn_status wn_classifier_try(
    const struct wn_classifier *c, size_t windows_max, struct wn_err *err);

/* windows_max as option score.windows_max. */
enum wn_status wn_scorer_new(struct wn_scorer **ret,
    const struct wn_classifier *c, size_t windows_max, struct wn_err *err);
void wn_scorer_free(struct wn_scorer *s);

/*
 * Reads texts less deep from the next run on: to the exit that is so many
 * before the deepest that wn_classifier_depth() allows, or to the first. What
 * would have gone on behind it gets that exit's scores and flags, and
 * WN_DEGRADED with WN_SKIPPED_DEPTH; 0: nothing is shed, as at first.
 */
void wn_scorer_shed(struct wn_scorer *s, size_t exits);
/* How many there are to be shed at most. */
size_t wn_scorer_sheds(const struct wn_scorer *s);

/*
 * Scores n items as one batch: reads post.text and given_links, fills the
 * signals. An item without text, or whose text is empty after hardening, gets
 * unknown scores, item->outcome WN_DEGRADED and WN_SKIPPED_TEXT; every other
 * WN_SCORED. Media are not looked at yet: an item with media_n > 0 is
 * WN_DEGRADED with WN_SKIPPED_IMAGE. Does not fail on any text; WN_FULL and
 * WN_STOP are ours (memory).
 * A score does not depend on what else is in the batch.
 */
enum wn_status wn_scorer_run(
    struct wn_scorer *s, struct wn_item **items, size_t n, struct wn_err *err);

#endif
