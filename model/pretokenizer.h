/*
 * `pre_tokenizer` of tokenizer.json: cuts a text into what the model sees one
 * by one. Read-only once there: any number of threads, each with its own
 * texts.
 */
#ifndef WN_MODEL_PRETOKENIZER_H
#define WN_MODEL_PRETOKENIZER_H

#include <jansson.h>

#include "core/status.h"
#include "model/trace.h"

struct wn_pretokenizer;

/* Bytes [from, to) of a text, in order and not empty. */
struct wn_split {
    uint32_t from, to;
    int32_t id; /* the token that they are already; -1: none yet */
};
struct wn_splits {
    struct wn_split *p;
    size_t n, cap;
    bool failed; /* out of memory: what follows is a no-op */
};
void wn_splits_release(struct wn_splits *s);
void wn_splits_reset(struct wn_splits *s); /* none, memory kept */
void wn_splits_add(struct wn_splits *s, size_t from, size_t to, int32_t id);

/* json may be NULL or null: then texts stay whole. WN_REJECT: the member that
 * is not supported. */
enum wn_status wn_pretokenizer_read(
    struct wn_pretokenizer **ret, const json_t *json, struct wn_err *err);
void wn_pretokenizer_free(struct wn_pretokenizer *p);

/* Replaces t and s, which holds what the text falls into to begin with. */
void wn_pretokenizer_run(const struct wn_pretokenizer *p, struct wn_trace *t,
    struct wn_trace *spare, struct wn_splits *s,
    struct wn_splits *spare_splits);

#endif
