/*
 * A vocabulary: a hash table from a piece to its id, made for the greedy
 * longest match of WordPiece. Filled once, then read by any thread.
 */
#ifndef WN_MODEL_VOCAB_H
#define WN_MODEL_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "core/status.h"

struct wn_vocab;

enum wn_status wn_vocab_new(struct wn_vocab **ret, struct wn_err *err);
void wn_vocab_free(struct wn_vocab *v);
/* "##x" is the continuation x. A piece that is there already gets the new id,
 * as in the reference. WN_REJECT for a piece or an id out of bounds. */
enum wn_status wn_vocab_add(struct wn_vocab *v, const char *piece, size_t len,
    int32_t id, struct wn_err *err);
/* Lines of vocab.txt, numbered from 0, white space at their end cut. */
enum wn_status wn_vocab_read(
    struct wn_vocab *v, const char *path, struct wn_err *err);
/* An object of pieces and ids, `model.vocab` of tokenizer.json. */
enum wn_status wn_vocab_read_json(
    struct wn_vocab *v, const json_t *pieces, struct wn_err *err);

/* -1 where there is no such piece. */
int32_t wn_vocab_find(const struct wn_vocab *v, const char *piece, size_t len);
/*
 * The longest piece that p[0 .. len) begins with, cut between characters:
 * its id and *ret_len, or -1. cont asks for a continuation.
 */
int32_t wn_vocab_longest(const struct wn_vocab *v, const char *p, size_t len,
    bool cont, size_t *ret_len);
/* One more than the largest id. */
size_t wn_vocab_size(const struct wn_vocab *v);
/* Calls each() for every piece, in no order; cont: it is a continuation, its
 * "##" cut. */
void wn_vocab_each(const struct wn_vocab *v,
    void (*each)(
        void *arg, int32_t id, const char *piece, size_t len, bool cont),
    void *arg);

#endif
