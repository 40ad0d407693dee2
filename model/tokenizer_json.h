/*
 * A folder's tokenizer as one JSON document, to be changed and written again.
 * What is in it: tokenizer.json as Hugging Face tokenizers has it.
 */
#ifndef WN_MODEL_TOKENIZER_JSON_H
#define WN_MODEL_TOKENIZER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "core/status.h"

/*
 * The folder's tokenizer.json; where vocab.txt is there, with that vocabulary,
 * which is the one that wn_tokenizer_open() takes, and of vocab.txt and
 * tokenizer_config.json alone what they come to. What it takes for granted is
 * written out. The caller's json_decref().
 * Does not check what wn_tokenizer_open() does: open the folder first.
 */
enum wn_status wn_tokenizer_json_read(
    json_t **ret, const char *dir, struct wn_err *err);

/* "WordPiece", "Unigram", "BPE"; "" where it is none of them. */
const char *wn_tokenizer_json_model(const json_t *root);

/* pieces[id] for id < n: the document's own strings, of added tokens too, NULL
 * where there is none of that id. */
void wn_tokenizer_json_pieces(
    const json_t *root, const char **pieces, size_t n);

/* keep[id] becomes true for what has a part beside text: special and added
 * tokens, the unknown one, those around a text and of padding. */
enum wn_status wn_tokenizer_json_special(
    const json_t *root, bool *keep, size_t n, struct wn_err *err);

/* The id of a piece or an added token; -1 where there is none. */
int32_t wn_tokenizer_json_find(const json_t *root, const char *piece);
/* The unknown token; -1 where there is none. */
int32_t wn_tokenizer_json_unk(const json_t *root);

/* The piece of the lowest score of a Unigram model, which says what unknown
 * characters cost; -1 of other models. */
int32_t wn_tokenizer_json_least(const json_t *root);

/*
 * Gives every piece the id to[its id], for ids < n, and takes out those that
 * get -1, in all of the document. `to` rises over the ids that stay, and of the
 * model's own pieces they come to 0, 1, 2, ... WN_REJECT: of byte-level BPE, or
 * where a piece that has to stay is taken out.
 */
enum wn_status wn_tokenizer_json_renumber(
    json_t *root, const int32_t *to, size_t n, struct wn_err *err);

#endif
