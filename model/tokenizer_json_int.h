/* What the two files of a tokenizer's document share. */
#ifndef WN_MODEL_TOKENIZER_JSON_INT_H
#define WN_MODEL_TOKENIZER_JSON_INT_H

#include "model/tokenizer_json.h"

/* WN_STOP, said. */
enum wn_status wn_tokenizer_json_no_memory(struct wn_err *err);
/* The model's vocabulary, NULL where there is none. */
const json_t *wn_tokenizer_json_vocab(const json_t *root);
/* Whether v is that string. */
bool wn_tokenizer_json_is(const json_t *v, const char *want);

#endif
