/*
 * Labelled texts: JSON Lines, gzip or plain, one object a line:
 *
 *   {"id","text","labels":{"spam","scam","bait","ai"},"lang","source","kind"}
 *
 * A label is 1, 0 or null (unknown: masked, never a negative). The data's "ai"
 * is the head ai_text. labels may tell the kind of bait too: "bait_vote",
 * "bait_react", "bait_share", "bait_tag", "bait_comment". "kind" is what a
 * text was written to be ("scam_nft"). All but text and labels may be missing;
 * unknown members are passed over.
 */
#ifndef WN_CMD_DATA_H
#define WN_CMD_DATA_H

#include "core/arena.h"
#include "core/item.h"
#include "core/status.h"

#define WN_DATA_SOURCES_MAX 256 /* and as many languages, and kinds */

/* "spam", ..., "ai": the members of labels, beside wn_bait_names. */
extern const char *const wn_data_label_names[WN_HEADS];

struct wn_data_row {
    struct wn_str id, text;
    int8_t labels[WN_HEADS]; /* 1, 0 or -1 for unknown        */
    int8_t baits[WN_BAITS];  /* the same; 0 where bait is     */
    uint16_t source;         /* index of sources              */
    uint16_t lang, kind;     /* of langs and kinds            */
};

/* Rows of one or several files. One thread. */
struct wn_data {
    struct wn_data_row *rows;
    size_t n, cap;
    /* Names in order of their first row; "" for rows that have none. */
    const char *sources[WN_DATA_SOURCES_MAX];
    const char *langs[WN_DATA_SOURCES_MAX];
    const char *kinds[WN_DATA_SOURCES_MAX];
    size_t sources_n, langs_n, kinds_n;
    struct wn_arena arena; /* every string */
};

void wn_data_init(struct wn_data *d);
void wn_data_release(struct wn_data *d);
/*
 * Calls `take` for each object of a file (gzip or plain, "-": standard input),
 * in order. WN_REJECT: "FILE:LINE: what is wrong", take's own words too.
 */
struct json_t;
typedef enum wn_status wn_data_take(
    void *arg, const struct json_t *o, struct wn_err *err);
enum wn_status wn_data_each(
    const char *path, wn_data_take *take, void *arg, struct wn_err *err);

/* Appends a file's rows ("-": of standard input); lines of blanks are passed
 * over. WN_REJECT: "FILE:LINE: what is wrong". */
enum wn_status wn_data_read(
    struct wn_data *d, const char *path, struct wn_err *err);
/* Appends one row: strings of it are copied, `source` takes the place of its
 * own, and it has neither language nor kind. */
enum wn_status wn_data_add(struct wn_data *d, const struct wn_data_row *row,
    const char *source, struct wn_err *err);
/* n > 0 files one after the other; WN_REJECT too where no text is in them. */
enum wn_status wn_data_read_all(
    struct wn_data *d, const char *const *files, size_t n, struct wn_err *err);

#endif
