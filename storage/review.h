/*
 * The review queue and what staff decide. A decision is one transaction,
 * always with synchronous commit: compare-and-set on the item and on the
 * revision of its post, the decision row, its audit row in the staff chain.
 */
#ifndef WN_STORAGE_REVIEW_H
#define WN_STORAGE_REVIEW_H

#include "storage/store.h"

enum wn_label { WN_LABEL_UNSAID = -1, WN_LABEL_NO = 0, WN_LABEL_YES = 1 };

/* What a person said of an item; the machine's verdict stays as it was. */
struct wn_review_said {
    enum wn_action action;
    struct wn_str staff_id, reason;
    enum wn_label labels[WN_HEADS];
    int64_t at_us;
};

struct wn_review_item {
    int64_t id;
    char state[16]; /* open, decided, closed                               */
    struct wn_str post_id, author_id, text; /* text empty once erased      */
    enum wn_action action;                  /* the machine's               */
    struct wn_reason reasons[WN_REASONS_MAX];
    size_t reasons_n;
    double priority;
    int64_t time_us;    /* of the message                                  */
    int64_t created_us; /* of the item                                     */
    int64_t version;    /* of its post: changes with every edit            */
    bool has_said;
    struct wn_review_said said; /* the last decision                       */
};

/* Items of a state (NULL: open), highest priority first. In `arena`. */
enum wn_status wn_review_list(struct wn_store *st, const char *state,
    size_t items_max, struct wn_arena *arena, struct wn_review_item **ret,
    size_t *ret_n, struct wn_err *err);

#define WN_REVIEW_STAFF_MAX 256   /* bytes */
#define WN_REVIEW_REASON_MAX 4096 /* bytes */
/* WN_REJECT: what is wrong with who decides and why. Decisions and imports
 * are held against it; who takes arguments asks before it connects. */
enum wn_status wn_review_check(
    const char *staff_id, const char *reason, struct wn_err *err);

struct wn_decision {
    int64_t item;
    int64_t version;      /* as the deciding person saw it; -1: any        */
    const char *staff_id; /* who                                           */
    enum wn_label labels[WN_HEADS];
    enum wn_action action;
    const char *reason; /* may be "" */
};
/* WN_REJECT: wn_review_check(), no such item, decided already, closed, or the
 * post has changed since; the text says which. */
enum wn_status wn_review_decide(struct wn_store *st,
    const struct wn_decision *d, int64_t *ret_id, struct wn_err *err);

/* A decision from elsewhere (a past moderation log): item, content and
 * decision in one transaction. ref makes it idempotent: the same ref again
 * changes nothing, and *ret_known says so. */
struct wn_imported {
    const char *ref, *post_id, *author_id, *staff_id, *reason;
    struct wn_str text;
    enum wn_label labels[WN_HEADS];
    enum wn_action action;
    int64_t at_us;
};
enum wn_status wn_review_import(struct wn_store *st,
    const struct wn_imported *im, bool *ret_known, struct wn_err *err);

#endif
