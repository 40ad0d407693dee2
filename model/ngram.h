/*
 * The second reader: a linear model on hashed n-grams of a text.
 *
 * Features are the distinct word 1- and 2-grams and the distinct character 2-,
 * 3- and 4-grams inside a word's bounds, lower-cased, with digits read as one
 * class; each hashed to one of WN_NGRAM_BUCKETS buckets of its own table. All
 * features of a text weigh the same and have length 1 together (L2), so the
 * score is the sum of the buckets' weights divided by the root of their
 * number.
 *
 * Where training has not seen a language, its buckets hold what other
 * languages left there. So the score counts by how many of the text's words
 * were seen: not at all under a quarter of them, whole from a half on.
 *
 * Bucket numbers are stored in weights: the hash never changes (a test keeps a
 * vector). It is computed on code points here and not by wn_hash64() on bytes,
 * because the 2-, 3- and 4-gram at a place then share their work.
 */
#ifndef WN_MODEL_NGRAM_H
#define WN_MODEL_NGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "model/safetensors.h"

#define WN_NGRAM_BUCKETS (1u << 18) /* of one table: words, characters */
#define WN_NGRAM_ROWS (2u * WN_NGRAM_BUCKETS) /* words first */
#define WN_NGRAM_OUT 4            /* one weight a head and row       */
#define WN_NGRAM_CHARS_MAX 8192   /* code points read of a text      */
#define WN_NGRAM_WORDS (1u << 21) /* bits of the set of words seen   */

/* The distinct rows that a text touches. Scratch is kept between texts. */
struct wn_ngram_bag {
    uint32_t *rows; /* each < WN_NGRAM_ROWS, in order of appearance */
    size_t n;
    size_t cap;
    uint32_t *words; /* of its distinct words but numbers and signs, which
                        bit each has in the set, < WN_NGRAM_WORDS        */
    size_t words_n;
    int32_t *chars; /* of the word at hand, from [1] on */
    uint64_t *seen; /* a bit a row, all 0 between calls */
};

enum wn_status wn_ngram_bag_init(struct wn_ngram_bag *b, struct wn_err *err);
void wn_ngram_bag_release(struct wn_ngram_bag *b);
/* Replaces what b held. text is valid UTF-8. Does not call malloc. */
void wn_ngram_bag_fill(struct wn_ngram_bag *b, const char *text, size_t len);

struct wn_ngram {
    const int8_t *weights; /* (WN_NGRAM_ROWS, WN_NGRAM_OUT), in the file's
                              mapping                                     */
    float scale[2][WN_NGRAM_OUT]; /* of each table and head               */
    const uint8_t *seen; /* a bit a word of training, the lowest first; NULL:
                            every word counts as seen                     */
};

/* Finds "ngram.weight" I8, "ngram.scale" F32 and, where it is there,
 * "ngram.seen" U8. WN_REJECT: what is wrong. */
enum wn_status wn_ngram_open(
    struct wn_ngram *ret, const struct wn_safetensors *st, struct wn_err *err);
/* What counts of a text's score, 0 .. 1, by its words that were seen. */
float wn_ngram_trust(const struct wn_ngram *m, const struct wn_ngram_bag *b);
/* The score; 0 for an empty bag. */
void wn_ngram_read(const struct wn_ngram *m, const struct wn_ngram_bag *b,
    float out[WN_NGRAM_OUT]);
/* The same of rows alone, before trust. */
void wn_ngram_score(const struct wn_ngram *m, const uint32_t *rows, size_t n,
    float out[WN_NGRAM_OUT]);

/* Words of training, from texts one after the other: a word is seen once two
 * texts have it, so that names and typos of one text are not. */
struct wn_ngram_words {
    uint8_t *seen; /* WN_NGRAM_WORDS bits                          */
    uint32_t *in;  /* a text that has the word, from 1 on; 0: none */
};
enum wn_status wn_ngram_words_init(
    struct wn_ngram_words *w, struct wn_err *err);
void wn_ngram_words_release(struct wn_ngram_words *w);
/* text > 0 numbers the text that the bag is of. */
void wn_ngram_words_add(
    struct wn_ngram_words *w, const struct wn_ngram_bag *b, uint32_t text);

/* Rounds weights (WN_NGRAM_ROWS, WN_NGRAM_OUT) to int8 with a scale a table
 * and head. `gain` multiplies a head's weights. */
void wn_ngram_quantise(const float *weights, const float gain[WN_NGRAM_OUT],
    int8_t *ret_weights, float ret_scale[2][WN_NGRAM_OUT]);

#endif
