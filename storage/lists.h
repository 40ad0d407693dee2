/*
 * Named lists in the database: each version with its kind, author and reason.
 * Rows are only ever inserted; the newest of a name is in force. What the text
 * means, policies/list.h says; here it is bytes, in parts of whole lines.
 */
#ifndef WN_STORAGE_LISTS_H
#define WN_STORAGE_LISTS_H

#include "core/buf.h"
#include "storage/store.h"

#define WN_STORED_LISTS_MAX 64
#define WN_STORED_PART_MAX (4u << 20) /* bytes */

struct wn_stored_list {
    int64_t version;
    char name[65], kind[8], hash[17];
    int32_t parts;
    int64_t entries;
};

/* The newest version of each name. WN_REJECT: more than fit. */
enum wn_status wn_stored_lists(struct wn_store *st,
    struct wn_stored_list ret[WN_STORED_LISTS_MAX], size_t *ret_n,
    struct wn_err *err);
/* Appends part n, from 0. WN_REJECT: it is not there. */
enum wn_status wn_stored_list_part(struct wn_store *st, int64_t version,
    int32_t n, struct wn_buf *out, struct wn_err *err);

/* A new version, in one transaction: begin, parts in order, end. A failure
 * undoes all of it. */
enum wn_status wn_stored_list_begin(
    struct wn_store *st, int64_t *ret_version, struct wn_err *err);
enum wn_status wn_stored_list_add(struct wn_store *st, int64_t version,
    int32_t n, const void *p, size_t len, struct wn_err *err);
/* list->version from begin, list->parts: how many were added. */
enum wn_status wn_stored_list_end(struct wn_store *st,
    const struct wn_stored_list *list, const char *staff_id, const char *reason,
    struct wn_err *err);

/* Appends a table of all versions, newest first, at most n_max. */
enum wn_status wn_stored_lists_history(
    struct wn_store *st, int64_t n_max, struct wn_buf *out, struct wn_err *err);

#endif
