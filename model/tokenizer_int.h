/* What the parts of the tokenizer share. */
#ifndef WN_MODEL_TOKENIZER_INT_H
#define WN_MODEL_TOKENIZER_INT_H

#include <jansson.h>

#include "model/added.h"
#include "model/bpe.h"
#include "model/normalizer.h"
#include "model/pretokenizer.h"
#include "model/tokenizer.h"
#include "model/unigram.h"

/* Ids that no text may come to: those of special tokens. */
struct wn_hidden {
    bool *ids;
    size_t n;
};
static inline bool
wn_hidden_has(const struct wn_hidden *h, int32_t id)
{
    return (size_t)id < h->n && h->ids[id];
}

/* What tokens are made in; kept in wn_tokens from text to text. */
struct wn_token_scratch {
    struct wn_trace text, spare;
    struct wn_splits parts, splits, spare_splits;
    struct wn_normalizer_scratch norm;
    struct wn_unigram_nodes nodes;
    struct wn_bpe_scratch bpe;
};

bool wn_tokens_grow(struct wn_tokens *tk); /* false without memory */

/* Appends a token. False without memory. */
static inline bool
wn_tokens_add(struct wn_tokens *tk, int32_t id, uint32_t start, uint32_t end)
{
    if (tk->n == tk->cap && !wn_tokens_grow(tk))
        return false;
    tk->ids[tk->n] = id;
    tk->start[tk->n] = start;
    tk->end[tk->n++] = end;
    return true;
}

/* The WordPiece model; with BertNormalizer and BertPreTokenizer before it, all
 * three are one pass. */
struct wn_wordpiece;

/* From the folder: root is its tokenizer.json, NULL where it has none. hidden
 * is the caller's and stays. */
enum wn_status wn_wordpiece_open(struct wn_wordpiece **ret, const char *dir,
    const json_t *root, const struct wn_hidden *hidden, struct wn_err *err);
void wn_wordpiece_free(struct wn_wordpiece *t);
/* -1 where there is no such piece. */
int32_t wn_wordpiece_find(const struct wn_wordpiece *t, const char *piece);
size_t wn_wordpiece_vocab(const struct wn_wordpiece *t);
/* All three at once; appends to tk. */
enum wn_status wn_wordpiece_run(const struct wn_wordpiece *t, const char *text,
    size_t len, struct wn_tokens *tk, struct wn_err *err);
/* The model alone: appends the tokens of the word text[from, to). False without
 * memory. */
bool wn_wordpiece_cut(const struct wn_wordpiece *t, const struct wn_trace *text,
    size_t from, size_t to, struct wn_tokens *tk);

struct wn_tokenizer {
    bool one_pass; /* WordPiece, which needs none of the next three */
    struct wn_added *added;
    struct wn_normalizer *norm;
    struct wn_pretokenizer *pre;
    /* one of them: the model */
    struct wn_wordpiece *wordpiece;
    struct wn_unigram *unigram;
    struct wn_bpe *bpe;
    struct wn_hidden hidden;
    int32_t cls, sep, mask;
    size_t vocab;
};

/* Fills t, which is all zero, from the folder. */
enum wn_status wn_tokenizer_read(
    struct wn_tokenizer *t, const char *dir, struct wn_err *err);

#endif
