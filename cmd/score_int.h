/*
 * What the two faces of `winnow score` share: score.c (people) and
 * score_jsonl.c (scripts). All of it is read-only once loaded.
 */
#ifndef WN_CMD_SCORE_INT_H
#define WN_CMD_SCORE_INT_H

#include "classifier/classifier.h"
#include "core/buf.h"
#include "core/item.h"
#include "policies/policy.h"

#define WN_SCORE_BATCH_MAX 1024 /* score.batch_posts is at most this */

struct wn_score {
    struct wn_classifier *classifier;
    struct wn_policy *policy;
    size_t threads, windows_max, batch_posts, bytes_max;
};

/* Parsed items (dead ones are passed over) get signals and a verdict. */
enum wn_status wn_score_items(const struct wn_score *s,
    struct wn_scorer *scorer, struct wn_item **items, size_t n,
    struct wn_err *err);

/* The contract's line with its newline; `line` counts from 1. `more` adds
 * what --json tells beside the contract: "skipped". */
void wn_score_json(
    struct wn_buf *out, const struct wn_item *item, uint64_t line, bool more);
void wn_score_json_error(struct wn_buf *out, uint64_t line, const char *text);

/* fd 0 to fd 1; returns the exit status. */
int wn_score_jsonl(const struct wn_score *s);

#endif
