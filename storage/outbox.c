/*
 * What goes out, in offset order, by the owner of the partition. Rows are
 * read and a small write is committed in one transaction: the log is flushed
 * in order, so what was seen is durable before it is published.
 */
#include <string.h>

#include "storage/store_int.h"

#define READ_BYTES_MAX (8u << 20)

static enum wn_status
read_rows(const PGresult *res, struct wn_arena *arena,
    struct wn_outbox_row **ret, size_t *ret_n, struct wn_err *err)
{
    size_t n = (size_t)PQntuples(res), i, bytes = 0;
    struct wn_outbox_row *rows, *r;

    rows = wn_arena_array(arena, n > 0 ? n : 1, sizeof(*rows));
    for (i = 0; rows != NULL && i < n; i++) {
        int at = (int)i;

        bytes += (size_t)PQgetlength(res, at, 5);
        if (i > 0 && bytes > READ_BYTES_MAX)
            break;
        r = &rows[i];
        memset(r, 0, sizeof(*r));
        r->offset = wn_get_b64(res, at, 0);
        r->kind = (enum wn_outbox_kind)wn_get_b16(res, at, 1);
        memcpy(r->day, PQgetvalue(res, at, 2), sizeof(r->day) - 1);
        memcpy(r->verdict_id, PQgetvalue(res, at, 3), sizeof(r->verdict_id));
        r->key = wn_get_str(res, at, 4, arena);
        r->value = wn_get_str(res, at, 5, arena);
        if (r->value.p == NULL)
            rows = NULL;
    }
    if (rows == NULL)
        return wn_fail(err, WN_FULL, "outbox: the arena is full");
    *ret = rows;
    *ret_n = i;
    return WN_OK;
}

enum wn_status
wn_store_outbox_read(struct wn_store *st, const struct wn_claim *claim,
    size_t rows_max, struct wn_arena *arena, struct wn_outbox_row **ret,
    size_t *ret_n, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    struct wn_pipe pipe;
    enum wn_status rc = wn_conn_ready(st, err);

    if (rc != WN_OK)
        return rc;
    wn_param_int(&p, claim->source);
    wn_param_int(&p, (int64_t)rows_max);
    wn_pipe_begin(st, &pipe);
    wn_pipe_add(st, &pipe, "BEGIN", NULL, false);
    /* the running sum keeps what is sent to us bounded as well */
    wn_pipe_add(st, &pipe,
        "SELECT off, kind, day::text, verdict_id, post_id, value FROM "
        "(SELECT o.*, sum(length(value)) OVER (ORDER BY off) - length(value) "
        "AS before FROM (SELECT * FROM winnow.outbox WHERE source = $1::int "
        "AND off >= coalesce((SELECT next_offset FROM winnow.relay_cursor "
        "WHERE source = $1::int), 0) ORDER BY off LIMIT $2::bigint) o) s "
        "WHERE before <= 8388608 ORDER BY off",
        &p, true);
    p.n = 1;
    wn_param_int(&p, claim->epoch);
    wn_pipe_add(
        st, &pipe, "SELECT winnow.relay_beat($1::int, $2::bigint)", &p, false);
    wn_pipe_add(st, &pipe, "COMMIT", NULL, false);
    rc = wn_pipe_end(st, &pipe, err);
    if (rc == WN_OK)
        rc = read_rows(pipe.res[1], arena, ret, ret_n, err);
    else
        wn_rollback(st);
    wn_pipe_clear(&pipe);
    return rc;
}

enum wn_status
wn_store_outbox_done(struct wn_store *st, const struct wn_claim *claim,
    int64_t offset, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    enum wn_status rc = wn_conn_ready(st, err);

    wn_param_int(&p, claim->source);
    wn_param_int(&p, claim->epoch);
    wn_param_int(&p, offset + 1);
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT winnow.relay_advance($1::int, $2::bigint, $3::bigint)", &p,
            NULL, err);
    return rc;
}

enum wn_status
wn_store_outbox_refused(struct wn_store *st, const struct wn_claim *claim,
    const struct wn_outbox_row *row, const char *why, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    struct wn_pipe pipe;
    enum wn_status rc = wn_conn_ready(st, err);

    if (rc != WN_OK)
        return rc;
    wn_pipe_begin(st, &pipe);
    wn_param_int(&p, claim->source);
    wn_param_int(&p, claim->epoch);
    wn_pipe_add(st, &pipe, "BEGIN", NULL, false);
    wn_pipe_add(
        st, &pipe, "SELECT winnow.relay_check($1::int, $2::bigint)", &p, false);
    p.n = 1;
    wn_param_int(&p, row->offset);
    wn_param_int(&p, row->kind);
    wn_param_text(&p, why);
    wn_pipe_add(st, &pipe,
        "INSERT INTO winnow.outbox_refused (source, off, kind, why) VALUES "
        "($1::int, $2::bigint, $3::smallint, $4) ON CONFLICT DO NOTHING",
        &p, false);
    wn_pipe_add(st, &pipe, "COMMIT", NULL, false);
    rc = wn_pipe_end(st, &pipe, err);
    wn_pipe_clear(&pipe);
    if (rc != WN_OK)
        wn_rollback(st);
    return rc;
}

enum wn_status
wn_store_outbox_waiting(struct wn_store *st, const struct wn_claim *claim,
    int64_t max, int64_t *ret, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    wn_param_int(&p, claim->source);
    wn_param_int(&p, max);
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT count(*) FROM (SELECT 1 FROM winnow.outbox WHERE source = "
            "$1::int AND off >= coalesce((SELECT next_offset FROM "
            "winnow.relay_cursor WHERE source = $1::int), 0) "
            "LIMIT $2::bigint) w",
            &p, &res, err);
    if (rc != WN_OK)
        return rc;
    *ret = wn_get_int(res, 0, 0);
    PQclear(res);
    return WN_OK;
}
