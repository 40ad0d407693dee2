/*
 * What staff decided, as something to learn from: one row a post, with the
 * text that was decided about and a label a head.
 *
 * Of one person the last decision on a post counts, and it is about the text
 * that the post had then: where a post was edited and decided again, decisions
 * about older texts say nothing of the newer one. Where two people say
 * otherwise of a head, nobody knows.
 */
#ifndef WN_STORAGE_DECIDED_H
#define WN_STORAGE_DECIDED_H

#include "storage/review.h"

struct wn_decided {
    struct wn_str post_id;
    /* p NULL: there is none any more (the post was deleted, or its month left
     * with retention), or there never was. */
    struct wn_str text;
    bool has_content; /* false: what there was is gone */
    enum wn_label labels[WN_HEADS];
    bool disputed[WN_HEADS]; /* the label is unsaid for that reason   */
    size_t people;           /* whose decisions these are             */
    bool imported;           /* from a past moderation log            */
    int64_t at_us;           /* of the newest decision                */
};

/* Called for each post in the order of ids; what d holds is gone afterwards.
 * Another status than WN_OK ends the reading and is its result. */
typedef enum wn_status wn_decided_take(
    void *arg, const struct wn_decided *d, struct wn_err *err);

/*
 * Reads the newest decisions_max decisions made at or after since_us, in one
 * snapshot, a few posts at a time. *ret_decisions: how many there are, also of
 * those beyond decisions_max. For a role that may read content
 * (winnow_console, or the owner).
 */
enum wn_status wn_decided_each(struct wn_store *st, int64_t since_us,
    size_t decisions_max, wn_decided_take *take, void *arg,
    int64_t *ret_decisions, struct wn_err *err);

#endif
