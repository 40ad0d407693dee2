/*
 * The one chain of what people did: decisions, activations. Its lock is the
 * last that a transaction takes, and its row the last before COMMIT.
 */
#ifndef WN_STORAGE_STAFF_INT_H
#define WN_STORAGE_STAFF_INT_H

#include "storage/batch_int.h"

struct wn_staff_chain {
    int32_t source;
    int64_t seq; /* rows that are there */
    uint8_t head[WN_SHA256];
};

/* Locks the chain until the transaction ends. */
enum wn_status wn_staff_lock(
    struct wn_store *st, struct wn_staff_chain *ret, struct wn_err *err);
/* The row behind what was locked, made of `body` (freed here, WN_STOP where it
 * has failed), and COMMIT. */
enum wn_status wn_staff_commit(struct wn_store *st, struct wn_staff_chain *c,
    enum wn_audit_kind kind, int64_t ts_us, struct wn_buf *body,
    struct wn_err *err);

/* The salt of a person's commitments; made where there is none. */
enum wn_status wn_staff_salt(struct wn_store *st, const char *staff_id,
    uint8_t out[WN_SALT], struct wn_err *err);
/* The row of `id`, by these two statements; made where there is none. */
enum wn_status wn_salt_ready(struct wn_store *st, const char *insert,
    const char *select, const char *id, uint8_t out[WN_SALT],
    struct wn_err *err);

/* Appends key and commitment of a value to a body. */
void wn_staff_commitment(struct wn_buf *body, uint64_t key,
    const uint8_t salt[WN_SALT], enum wn_commitment tag, const char *value);

#endif
