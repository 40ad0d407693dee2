/*
 * `added_tokens` of tokenizer.json: strings that are a token wherever a text
 * has them, whatever the model would make of them. Special ones are not: they
 * must not be in the hand of who writes a text, and are text there. Read-only
 * once there.
 */
#ifndef WN_MODEL_ADDED_H
#define WN_MODEL_ADDED_H

#include <jansson.h>

#include "core/status.h"
#include "model/normalizer.h"
#include "model/pretokenizer.h"

struct wn_added;

/* json may be NULL; norm is what texts go through. */
enum wn_status wn_added_read(struct wn_added **ret, const json_t *json,
    const struct wn_normalizer *norm, struct wn_err *err);
void wn_added_free(struct wn_added *a);
/* Is there any that a text can have? */
bool wn_added_any(const struct wn_added *a);
/* One more than the largest id of those; 0 where there is none. */
size_t wn_added_size(const struct wn_added *a);

/* Appends what p[0, n) falls into: tokens, and what is between them. First the
 * input is cut so, then what the normalizer has made of each part. */
void wn_added_cut(const struct wn_added *a, bool normalized, const char *p,
    size_t n, struct wn_splits *out);

#endif
