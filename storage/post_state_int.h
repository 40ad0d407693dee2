/*
 * Which of two records of one post counts. A pure function: tests walk its
 * table without a database.
 */
#ifndef WN_STORAGE_POST_STATE_INT_H
#define WN_STORAGE_POST_STATE_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/item.h"

/* What is remembered of the newest record of a post. The revision is the last
 * that any record had: one without, as deletions are, does not take it back,
 * or an old revision that is repeated would be news. */
struct wn_post_mark {
    bool has_revision, deleted;
    int32_t source;
    int64_t revision, time_us, off;
    uint8_t hash[WN_SHA256];
};
struct wn_post_choice {
    enum wn_outcome outcome; /* WN_OUT_NONE: judged, keeps its own */
    bool newer;              /* the mark moves on to this record   */
};

/* prev is NULL where nothing is known of the post. */
struct wn_post_choice wn_post_decide(
    const struct wn_post_mark *prev, const struct wn_post_mark *next);

/* The time of a mark: no later than when we saw it. A hostile clock, or one
 * that is ahead, would else make every edit and deletion that follows stale. */
int64_t wn_post_time(int64_t time_us, int64_t now_us);

/* What is remembered once `next` is the newest; `known`: mark is set. */
void wn_post_move(
    struct wn_post_mark *mark, bool known, const struct wn_post_mark *next);

#endif
