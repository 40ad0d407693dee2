/*
 * The states of one post, as a table, and the one function that writes them.
 * Whichever thread holds the item moves it.
 */
#ifndef WN_INGEST_FLOW_H
#define WN_INGEST_FLOW_H

#include "core/buf.h"
#include "core/item.h"
#include "core/status.h"

enum wn_flow {
    WN_FLOW_READ = 0, /* as wn_item_new() leaves it */
    WN_FLOW_SCORED,
    WN_FLOW_DECIDED,
    WN_FLOW_DELETED,
    WN_FLOW_DEAD,
    WN_FLOW_STORED,
    WN_FLOW_DROPPED,
    WN_FLOW_STATES
};

/* A move that the table does not have is our mistake, and ends the process. */
void wn_flow_move(struct wn_item *item, enum wn_flow to);
const char *wn_flow_name(enum wn_flow state);
/* A line a move: from, to, why. */
void wn_flow_print(struct wn_buf *out);

#endif
