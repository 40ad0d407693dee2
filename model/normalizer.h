/*
 * `normalizer` of tokenizer.json: a list of steps, each of which replaces
 * characters. Read-only once there: any number of threads, each with its own
 * texts.
 */
#ifndef WN_MODEL_NORMALIZER_H
#define WN_MODEL_NORMALIZER_H

#include <jansson.h>

#include "core/status.h"
#include "model/trace.h"

struct wn_normalizer;

/* Characters of a sequence that is being composed; grows and is kept. */
struct wn_normalizer_scratch {
    int32_t *chars, *sorted;
    size_t n, cap;
};
void wn_normalizer_scratch_release(struct wn_normalizer_scratch *s);

/* json may be NULL or null: no step. WN_REJECT: the member that is not
 * supported. */
enum wn_status wn_normalizer_read(
    struct wn_normalizer **ret, const json_t *json, struct wn_err *err);
void wn_normalizer_free(struct wn_normalizer *n);

/* Replaces t; what failed for want of memory is t->failed. */
void wn_normalizer_run(const struct wn_normalizer *n, struct wn_trace *t,
    struct wn_trace *spare, struct wn_normalizer_scratch *scratch);

#endif
