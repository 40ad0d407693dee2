/*
 * Labelled texts: JSON Lines, gzip or plain, one object a line:
 *
 *   {"id","text","labels":{"spam","scam","bait","ai"},"lang","source"}
 *
 * A label is 1, 0 or null (unknown: masked, never a negative). The data's "ai"
 * is the head ai_text. "labels" may have bait's kinds too ("bait_vote", ...),
 * and a row "kind" and "lang". Other members are passed over.
 */
#ifndef WN_CMD_DATA_H
#define WN_CMD_DATA_H

#include "core/arena.h"
#include "core/item.h"
#include "core/status.h"

#define WN_DATA_SOURCES_MAX 256

struct wn_data_row {
    struct wn_str id, text;
    struct wn_str lang, kind; /* empty where not given */
    int8_t labels[WN_HEADS];  /* 1, 0 or -1 for unknown */
    int8_t baits[WN_BAITS];   /* the same; all 0 where bait is */
    uint16_t source;          /* index of sources       */
};

/* Rows of one or several files. One thread. */
struct wn_data {
    struct wn_data_row *rows;
    size_t n, cap;
    const char *sources[WN_DATA_SOURCES_MAX];
    size_t sources_n;
    struct wn_arena arena; /* every string */
};

void wn_data_init(struct wn_data *d);
void wn_data_release(struct wn_data *d);
/* Appends a file's rows ("-": of standard input); lines of blanks are passed
 * over. WN_REJECT: "FILE:LINE: what is wrong". */
enum wn_status wn_data_read(
    struct wn_data *d, const char *path, struct wn_err *err);

#endif
