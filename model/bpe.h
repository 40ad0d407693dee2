/*
 * Byte-pair encoding: a word's characters, joined pair by pair in the order
 * in which training found the pairs. Read-only once there: any number of
 * threads, each with its own scratch.
 */
#ifndef WN_MODEL_BPE_H
#define WN_MODEL_BPE_H

#include <jansson.h>

#include "model/tokenizer.h"
#include "model/trace.h"

struct wn_bpe;

struct wn_hidden;

/* `model` of tokenizer.json; no word is a hidden piece. */
enum wn_status wn_bpe_read(struct wn_bpe **ret, const json_t *model,
    const struct wn_hidden *hidden, struct wn_err *err);
void wn_bpe_free(struct wn_bpe *b);
/* One more than the largest id. */
size_t wn_bpe_size(const struct wn_bpe *b);
/* -1 where there is no such piece. */
int32_t wn_bpe_find(const struct wn_bpe *b, const char *piece);

/* A word on its way; grows and is kept. */
struct wn_bpe_scratch {
    struct wn_bpe_symbol *symbols;
    struct wn_bpe_merge *heap;
    size_t n, cap, heap_n;
};
void wn_bpe_scratch_release(struct wn_bpe_scratch *s);

/* Appends the tokens of t[from, to). False without memory. */
bool wn_bpe_run(const struct wn_bpe *b, const struct wn_trace *t, size_t from,
    size_t to, struct wn_bpe_scratch *s, struct wn_tokens *tk);

#endif
