/* What the parts of the tokenizer share. */
#ifndef WN_MODEL_TOKENIZER_INT_H
#define WN_MODEL_TOKENIZER_INT_H

#include <jansson.h>

#include "model/normalizer.h"
#include "model/pretokenizer.h"
#include "model/tokenizer.h"
#include "model/unigram.h"

/* What tokens are made in; kept in wn_tokens from text to text. */
struct wn_token_scratch {
    struct wn_trace text, spare;
    struct wn_splits splits, spare_splits;
    struct wn_normalizer_scratch norm;
    struct wn_unigram_nodes nodes;
};

/* Appends a token. False without memory. */
bool wn_tokens_add(
    struct wn_tokens *tk, int32_t id, uint32_t start, uint32_t end);

/* WordPiece behind BertNormalizer and BertPreTokenizer, in one pass. */
struct wn_wordpiece;

/* From the folder: root is its tokenizer.json, NULL where it has none. */
enum wn_status wn_wordpiece_open(struct wn_wordpiece **ret, const char *dir,
    const json_t *root, struct wn_err *err);
void wn_wordpiece_free(struct wn_wordpiece *t);
/* -1 where there is no such piece. */
int32_t wn_wordpiece_find(const struct wn_wordpiece *t, const char *piece);
size_t wn_wordpiece_vocab(const struct wn_wordpiece *t);
/* Appends to tk. */
enum wn_status wn_wordpiece_run(const struct wn_wordpiece *t, const char *text,
    size_t len, struct wn_tokens *tk, struct wn_err *err);

#endif
