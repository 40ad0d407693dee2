/* The chain of staff; see staff_int.h. */
#include "storage/staff_int.h"

#include <string.h>

#include "core/cbor.h"

enum wn_status
wn_staff_lock(
    struct wn_store *st, struct wn_staff_chain *ret, struct wn_err *err)
{
    PGresult *res;
    enum wn_status rc = wn_query_binary(st,
        "SELECT source, seq, head FROM winnow.staff_lock()", NULL, &res, err);

    if (rc != WN_OK)
        return rc;
    ret->source = wn_get_b32(res, 0, 0);
    ret->seq = wn_get_b64(res, 0, 1);
    memcpy(ret->head, PQgetvalue(res, 0, 2), WN_SHA256);
    PQclear(res);
    return WN_OK;
}

static enum wn_status
send_row(struct wn_store *st, const struct wn_params *row, struct wn_err *err)
{
    struct wn_pipe pipe;
    enum wn_status rc;

    wn_pipe_begin(st, &pipe);
    wn_pipe_add(st, &pipe,
        "SELECT winnow.staff_audit($1::timestamptz, $2::bigint, $3::smallint, "
        "$4::bytea, $5::bytea, $6::bytea)",
        row, false);
    wn_pipe_add(st, &pipe, "COMMIT", NULL, false);
    rc = wn_pipe_end(st, &pipe, err);
    wn_pipe_clear(&pipe);
    return rc;
}

enum wn_status
wn_staff_commit(struct wn_store *st, struct wn_staff_chain *c,
    enum wn_audit_kind kind, int64_t ts_us, struct wn_buf *body,
    struct wn_err *err)
{
    struct wn_params row = { .n = 0 };
    uint8_t leaf[WN_SHA256];
    enum wn_status rc;

    if (body->failed) {
        wn_buf_release(body);
        return wn_fail(err, WN_STOP, "audit: out of memory");
    }
    wn_audit_leaf(body->data, body->len, leaf);
    wn_audit_chain(c->head, leaf);
    wn_param_time(&row, ts_us);
    wn_param_int(&row, c->seq + 1);
    wn_param_int(&row, kind);
    wn_param_bytes(&row, body->data, body->len);
    wn_param_bytes(&row, leaf, sizeof(leaf));
    wn_param_bytes(&row, c->head, sizeof(c->head));
    rc = send_row(st, &row, err);
    wn_buf_release(body);
    return rc;
}

enum wn_status
wn_salt_ready(struct wn_store *st, const char *insert, const char *select,
    const char *id, uint8_t out[WN_SALT], struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    uint8_t fresh[WN_SALT];
    PGresult *res;
    enum wn_status rc;

    wn_random(fresh, sizeof(fresh));
    wn_param_text(&p, id);
    wn_param_bytes(&p, fresh, sizeof(fresh));
    rc = wn_query(st, insert, &p, NULL, err);
    p.n = 1;
    if (rc == WN_OK)
        rc = wn_query_binary(st, select, &p, &res, err);
    if (rc != WN_OK)
        return rc;
    if (PQntuples(res) == 1 && PQgetlength(res, 0, 0) == WN_SALT)
        memcpy(out, PQgetvalue(res, 0, 0), WN_SALT);
    else
        rc = wn_fail(err, WN_REJECT, "review: the post has no salt");
    PQclear(res);
    return rc;
}

enum wn_status
wn_staff_salt(struct wn_store *st, const char *staff_id, uint8_t out[WN_SALT],
    struct wn_err *err)
{
    return wn_salt_ready(st,
        "INSERT INTO winnow.staff_salt (staff_id, salt) VALUES ($1, $2) "
        "ON CONFLICT DO NOTHING",
        "SELECT salt FROM winnow.staff_salt WHERE staff_id = $1", staff_id, out,
        err);
}

void
wn_staff_commitment(struct wn_buf *body, uint64_t key,
    const uint8_t salt[WN_SALT], enum wn_commitment tag, const char *value)
{
    uint8_t out[WN_SHA256];

    wn_audit_commit(salt, tag, value, strlen(value), out);
    wn_cbor_uint(body, key);
    wn_cbor_bytes(body, out, sizeof(out));
}
