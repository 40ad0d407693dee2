/*
 * The Unigram model: of all ways to cut a text into pieces the one whose
 * scores sum to the most, as in the reference to the last bit. Read-only once
 * there: any number of threads, each with its own nodes.
 */
#ifndef WN_MODEL_UNIGRAM_H
#define WN_MODEL_UNIGRAM_H

#include <jansson.h>

#include "model/tokenizer.h"
#include "model/trace.h"

struct wn_unigram;

struct wn_hidden;

/* `model` of tokenizer.json, without the pieces that are hidden. */
enum wn_status wn_unigram_read(struct wn_unigram **ret, const json_t *model,
    const struct wn_hidden *hidden, struct wn_err *err);
void wn_unigram_free(struct wn_unigram *u);
/* The number of pieces. */
size_t wn_unigram_size(const struct wn_unigram *u);
int32_t wn_unigram_unk(const struct wn_unigram *u);
/* Whether a special token is called so, in files that do not say which they
 * are. */
bool wn_unigram_is_special(const char *piece);

/* The best way to an end in the text; grows and is kept. */
struct wn_unigram_nodes {
    struct wn_unigram_node {
        double score;
        uint32_t from; /* where its last piece starts */
        int32_t id;
    } * p;
    size_t cap;
};

/* Appends the tokens of t[from, to). False without memory. */
bool wn_unigram_run(const struct wn_unigram *u, const struct wn_trace *t,
    size_t from, size_t to, struct wn_unigram_nodes *nodes,
    struct wn_tokens *tk);

#endif
