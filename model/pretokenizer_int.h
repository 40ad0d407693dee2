/* Steps of the pre-tokenizer that have a file of their own: each takes one
 * split of t, and appends what becomes of it. */
#ifndef WN_MODEL_PRETOKENIZER_INT_H
#define WN_MODEL_PRETOKENIZER_INT_H

#include "model/pretokenizer.h"

/* ByteLevel: t[from, to), with a space before it if it is to have one and has
 * none, cut by the pattern of GPT-2 or not, and each byte as a character. */
void wn_pretokenizer_bytes(const struct wn_trace *t, size_t from, size_t to,
    bool space_before, bool pattern, struct wn_trace *out,
    struct wn_splits *out_s);

#endif
