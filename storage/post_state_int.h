/*
 * Which of two records of one post counts. A pure function: tests walk its
 * table without a database.
 */
#ifndef WN_STORAGE_POST_STATE_INT_H
#define WN_STORAGE_POST_STATE_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/item.h"

/* What is remembered of the newest record of a post. */
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

#endif
