/* Steps of the normalizer that have a file of their own. A step appends to out
 * and returns true; where it would change nothing it returns false and has
 * appended nothing. */
#ifndef WN_MODEL_NORMALIZER_INT_H
#define WN_MODEL_NORMALIZER_INT_H

#include "model/normalizer.h"
#include "model/unicode.h"

/* NFC, NFD, NFKC or NFKD. */
bool wn_normalizer_form(const struct wn_unicode_form *f,
    const struct wn_trace *in, struct wn_trace *out,
    struct wn_normalizer_scratch *scratch);

/* Replace: a string, or one character of a set a number of times. */
struct wn_replace;

enum wn_status wn_replace_read(
    struct wn_replace **ret, const json_t *json, struct wn_err *err);
void wn_replace_free(struct wn_replace *r);
bool wn_replace_run(const struct wn_replace *r, const struct wn_trace *in,
    struct wn_trace *out);

/* Precompiled: SentencePiece's character map. */
struct wn_charsmap;

enum wn_status wn_charsmap_read(
    struct wn_charsmap **ret, const json_t *json, struct wn_err *err);
void wn_charsmap_free(struct wn_charsmap *m);
bool wn_charsmap_run(const struct wn_charsmap *m, const struct wn_trace *in,
    struct wn_trace *out);

#endif
