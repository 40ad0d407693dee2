/*
 * What the faces of `winnow score` share: score.c (people), score_jsonl.c
 * (scripts) and score_explain.c. All of it is read-only once loaded.
 */
#ifndef WN_CMD_SCORE_INT_H
#define WN_CMD_SCORE_INT_H

#include <pthread.h>

#include "classifier/classifier.h"
#include "classifier/explain.h"
#include "core/buf.h"
#include "core/item.h"
#include "policies/policy.h"

#define WN_SCORE_BATCH_MAX 1024 /* posts of a batch, however light */

struct wn_score {
    struct wn_classifier *classifier;
    struct wn_policy *policy;
    struct wn_lists *lists; /* of the policy */
    size_t threads, windows_max, batch_tokens, bytes_max;
    bool explain;
    enum wn_head explain_head; /* WN_HEADS: wn_explain_head()'s */
};

/* Parsed items (dead ones are passed over) get signals and a verdict. */
enum wn_status wn_score_items(const struct wn_score *s,
    struct wn_scorer *scorer, struct wn_item **items, size_t n,
    struct wn_err *err);

/* The contract's line with its newline; `line` counts from 1. `more` adds
 * what --json tells beside the contract: "skipped"; why, NULL where nobody
 * asked, "explain". */
void wn_score_json(struct wn_buf *out, const struct wn_item *item,
    uint64_t line, bool more, const struct wn_explanation *why);
void wn_score_json_error(struct wn_buf *out, uint64_t line, const char *text);

/* score_explain.c. Takes --explain[=HEAD] out of argv; false, and printed,
 * where HEAD is none. */
bool wn_score_take_explain(int *argc, char **argv, struct wn_score *s);
/* For one thread; *ret stays where nobody asked. */
enum wn_status wn_score_explainer(
    const struct wn_score *s, struct wn_explainer **ret, struct wn_err *err);
/* An item that was scored, or is dead; nothing is explained of one without
 * text. */
enum wn_status wn_score_explain(const struct wn_score *s,
    struct wn_explainer *x, const struct wn_item *item,
    struct wn_explanation *ret, struct wn_err *err);
/* The member "explain" with its comma. */
void wn_score_explain_json(struct wn_buf *out, const struct wn_explanation *e);
void wn_score_explain_print(const struct wn_explanation *e);

/* score_textless.c: lines without a text, and what they had instead. */
#define WN_TEXTLESS_NAMES 8
#define WN_TEXTLESS_NAME 41
struct wn_textless {
    pthread_mutex_t lock; /* of all below */
    uint64_t lines, without;
    char names[WN_TEXTLESS_NAMES][WN_TEXTLESS_NAME];
    size_t names_n;
    bool more; /* names than have a place */
};
void wn_textless_init(struct wn_textless *t);
void wn_textless_release(struct wn_textless *t);
/* After the item was parsed, while its record is there. */
void wn_textless_look(struct wn_textless *t, const struct wn_item *item);
/* One note on standard error, where there were any. */
void wn_textless_tell(struct wn_textless *t);

/* fd 0 to fd 1; returns the exit status. */
int wn_score_jsonl(const struct wn_score *s);

#endif
