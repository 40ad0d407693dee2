/*
 * Why a post scored as it did: for each word of it, how much a head's logit
 * falls without that word ("occlusion").
 *
 * Explained is the window where the head is highest, since that is the score.
 * Without a word is: its tokens are the mask for the encoder, and its n-grams
 * are gone from the other reader's, wherever the window has the word. Both go
 * into the logit that flags come from, of full depth or as option score.depth
 * says; a score that was settled at an early exit is of another.
 *
 *     weight = logit of the window - logit of the window without the word
 *
 * Weights need not add up: of two words that say the same neither is missed,
 * and two that only mean something together have the whole of it each.
 *
 * A word is what stands between white space; in scripts without spaces, a
 * token. It is the same word in capitals, or with other punctuation around
 * it. Read are at most WN_EXPLAIN_WORDS_MAX words: of more, those that the
 * n-grams would miss most. Weights with an exit before the depth that counts
 * read those to the exit, and the WN_EXPLAIN_DEEP_MAX that it would miss most
 * the whole way. All others are left out, and the explanation says which.
 *
 * The same text gives the same numbers. No cache is read or filled.
 */
#ifndef WN_CLASSIFIER_EXPLAIN_H
#define WN_CLASSIFIER_EXPLAIN_H

#include "classifier/classifier.h"

#define WN_EXPLAIN_WORDS_MAX 64
#define WN_EXPLAIN_DEEP_MAX 10
#define WN_EXPLAIN_PLACES_MAX 128
#define WN_EXPLAIN_LEFT_OUT SIZE_MAX

struct wn_explained_word {
    struct wn_str text; /* as it stands where it comes first           */
    double weight;      /* logit points; over 0 speaks for the head    */
    size_t times;       /* that the window has it                      */
};

/* Where a word stands. */
struct wn_explained_place {
    size_t begin, end; /* bytes of wn_explanation.text                  */
    size_t word;       /* number of its word, or WN_EXPLAIN_LEFT_OUT    */
};

struct wn_explanation {
    enum wn_head head;
    double logit;           /* of the window, at full depth; the score of
                               a text read so far is its sigmoid       */
    struct wn_str text;     /* of the window, hardened                  */
    size_t window, windows; /* its number from 0, and how many; windows
                               is 0 where there is no text, and so are
                               places and words                         */
    struct wn_explained_word words[WN_EXPLAIN_WORDS_MAX];
    size_t words_n; /* heaviest first, of either sign                   */
    struct wn_explained_place places[WN_EXPLAIN_PLACES_MAX];
    size_t places_n; /* in order of the text                            */
};

struct wn_explainer; /* scratch for one thread, some megabytes */

/* windows_max as option score.windows_max. WN_STOP without memory.
 * Owns: the caller frees *ret with wn_explainer_free(), before c. */
enum wn_status wn_explainer_new(struct wn_explainer **ret,
    const struct wn_classifier *c, size_t windows_max, struct wn_err *err);
void wn_explainer_free(struct wn_explainer *x); /* accepts NULL */

/* The head to explain where nobody named one: of those that are flagged the
 * one with the highest score; if none is, of all, but for ai_text where the
 * text is too short for it. WN_HEADS where there are no scores. */
enum wn_head wn_explain_head(const struct wn_signals *sig);

/*
 * Explains what a head says of post.text, read with post.given_links. Any
 * text. The strings in *ret are the explainer's, valid until its next call.
 * WN_STOP without memory, or where weights give no finite number.
 */
enum wn_status wn_explain_run(struct wn_explainer *x,
    const struct wn_post *post, enum wn_head head, struct wn_explanation *ret,
    struct wn_err *err);

#endif
