/* What the tables say, for people: `winnow status`, the end of `make run`. */
#ifndef WN_STORAGE_REPORT_H
#define WN_STORAGE_REPORT_H

#include "storage/store.h"

/*
 * Counts look once at every verdict that is kept, and wait up to five minutes
 * for it: on a large database `winnow status` takes as long as that scan.
 */
struct wn_report {
    int64_t outcomes[WN_OUTCOMES];
    int64_t actions[WN_ACTIONS];
    int64_t flags[WN_HEADS];
    int64_t flags_by_action[WN_ACTIONS][WN_HEADS];
    int64_t audit_rows; /* of all chains, with those that have left */
    int64_t review_open, decisions, dead_letters, outbox_waiting;
    int64_t first_us, last_us; /* message times; WN_TIME_UNKNOWN if none */
};
enum wn_status wn_report_counts(
    struct wn_store *st, struct wn_report *ret, struct wn_err *err);

struct wn_severe {
    /* text cut to 200 bytes on a character; p NULL where there is none, or
     * where the role may not read content */
    struct wn_str post_id, text;
    enum wn_action action;
    double scores[WN_HEADS]; /* NaN where unknown */
    struct wn_reason reasons[WN_REASONS_MAX];
    size_t reasons_n;
};
/* The most severe verdicts: strongest action, then highest score of any label,
 * then newest. Scores are compared among the newest WN_SEVERE_POOL verdicts
 * with the strongest actions; where more have the strongest, older ones are
 * not looked at. */
#define WN_SEVERE_POOL 50000
enum wn_status wn_report_severe(struct wn_store *st, size_t n_max,
    struct wn_arena *arena, struct wn_severe **ret, size_t *ret_n,
    struct wn_err *err);

/* Whether the role may read what posts say: an auditor may not. */
enum wn_status wn_report_may_read(
    struct wn_store *st, bool *ret, struct wn_err *err);

/* Dead letters of one class, the most frequent first. */
struct wn_report_dead {
    struct wn_str cls, cause, topic; /* cause and place of the newest */
    int32_t part;
    int64_t n, off, at_us; /* at_us: when the newest was recorded */
};
enum wn_status wn_report_dead(struct wn_store *st, struct wn_arena *arena,
    struct wn_report_dead **ret, size_t *ret_n, struct wn_err *err);

struct wn_report_cursor {
    struct wn_str kind, topic, owner; /* owner empty when released */
    int32_t part;
    int64_t epoch, next_offset, chain_seq, updated_us;
    char chain_head[65]; /* hex */
};
enum wn_status wn_report_cursors(struct wn_store *st, struct wn_arena *arena,
    struct wn_report_cursor **ret, size_t *ret_n, struct wn_err *err);

#endif
