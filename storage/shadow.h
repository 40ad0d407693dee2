/*
 * What a second model said of a share of the posts (model.shadow): rows apart
 * from the verdicts, without content or names, gone after as many days. Written
 * by the worker, read by `winnow model shadow`.
 */
#ifndef WN_STORAGE_SHADOW_H
#define WN_STORAGE_SHADOW_H

#include "storage/store.h"

/* One of two models, on one post. */
struct wn_shadow_said {
    double scores[WN_HEADS]; /* NaN where unknown                         */
    unsigned flags;          /* bit n: flag of head n                     */
    enum wn_action action;   /* of the policy, on what this model said    */
};

struct wn_shadow_row {
    int32_t source; /* with offset: the verdict it is beside */
    int64_t offset;
    const char *model, *live; /* versions */
    struct wn_shadow_said shadow, was;
};

#define WN_SHADOW_ROWS_MAX 1000
/* One statement; what is there already stays. At most WN_SHADOW_ROWS_MAX. */
enum wn_status wn_shadow_put(struct wn_store *st,
    const struct wn_shadow_row *rows, size_t n, struct wn_err *err);

/* --- how the two differ --- */

struct wn_shadow_head {
    int64_t both, lost, gained; /* flagged by both, by the live model alone, by
                                   the shadow alone                        */
    int64_t known;              /* both have a score                      */
    double mean, most;          /* |difference| of the scores of those     */
};

struct wn_shadow_example {
    struct wn_str post_id, text; /* text as in struct wn_severe */
    struct wn_shadow_said shadow, was;
};

struct wn_shadow_report {
    struct wn_str model, live; /* model.p NULL: there are no rows          */
    int64_t posts, first_us, last_us;
    struct wn_shadow_head head[WN_HEADS];
    int64_t actions[WN_ACTIONS][WN_ACTIONS]; /* [live][shadow]             */
    bool may_read;                           /* what posts say             */
    struct wn_shadow_example *examples;      /* whose flags or action differ,
                                                the widest apart first     */
    size_t examples_n;
    int64_t other_posts; /* rows of other pairs of models                  */
};

/* Of the pair of models whose row is the newest, at most examples_max. In
 * `arena`. */
enum wn_status wn_shadow_report(struct wn_store *st, size_t examples_max,
    struct wn_arena *arena, struct wn_shadow_report *ret, struct wn_err *err);

#endif
