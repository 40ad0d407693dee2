/*
 * What was activated: of each kind ("model", "policy") the newest row is in
 * force for every worker. Rows are only ever inserted, each in one transaction
 * with its row in the audit chain of staff. Workers read the newest, and say
 * what they run.
 */
#ifndef WN_STORAGE_ACTIVATION_H
#define WN_STORAGE_ACTIVATION_H

#include "storage/store.h"

#define WN_PLACE_MAX 4096 /* bytes of a path, with its NUL */
#define WN_VERSION_TEXT 128

struct wn_activated {
    int64_t id;               /* 0: nothing ever was                      */
    char place[WN_PLACE_MAX]; /* absolute path; "": each worker's own     */
    char version[WN_VERSION_TEXT]; /* of what is there; "" with place ""  */
};

/* The newest of its kind. */
enum wn_status wn_activated(struct wn_store *st, const char *kind,
    struct wn_activated *ret, struct wn_err *err);
/* What a rollback of the newest would bring back; *ret_id: of the newest, 0
 * where there is none. WN_REJECT: there is nothing before it. */
enum wn_status wn_activated_before(struct wn_store *st, const char *kind,
    struct wn_activated *ret, int64_t *ret_id, struct wn_err *err);

struct wn_activate {
    const char *kind;
    const char *place, *version; /* NULL: roll back                       */
    int64_t after;               /* id of the newest as the caller saw it  */
    const char *staff_id, *reason;
};
/*
 * Puts it in force. WN_REJECT: wn_review_check(), an empty reason, another was
 * activated meanwhile, this version is in force already, there is nothing to
 * roll back to.
 */
enum wn_status wn_activate(struct wn_store *st, const struct wn_activate *a,
    struct wn_activated *ret, struct wn_err *err);

/* --- what workers run --- */

/* This worker's word of itself. cause NULL: it runs what is in force. */
enum wn_status wn_running_set(struct wn_store *st, const char *kind,
    int64_t activation, const char *version, const char *cause,
    struct wn_err *err);

struct wn_running {
    struct wn_str instance, version, cause; /* cause p NULL: none */
    int64_t activation, at_us;
};
/* Of the workers that are connected. In `arena`. */
enum wn_status wn_running(struct wn_store *st, const char *kind,
    struct wn_arena *arena, struct wn_running **ret, size_t *ret_n,
    struct wn_err *err);

struct wn_activation_row {
    int64_t id, at_us, seq; /* seq: of its row in the staff chain */
    bool rollback;
    struct wn_str place, version, staff_id, reason;
};
/* Newest first. In `arena`. */
enum wn_status wn_activations(struct wn_store *st, const char *kind,
    size_t n_max, struct wn_arena *arena, struct wn_activation_row **ret,
    size_t *ret_n, struct wn_err *err);

#endif
