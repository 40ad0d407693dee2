/*
 * Statements: parameters, results, pipelines, arrays. Parameters are always
 * bound; numbers go as text, strings and bytes in binary, so that no escaping
 * function is ever called.
 */
#include "storage/store_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_BYTES_MAX (256u << 20)

static void
param(struct wn_params *p, const char *v, size_t len, int format)
{
    WN_ASSERT(p->n < WN_PARAMS_MAX);
    WN_ASSERT(len <= INT32_MAX);
    p->v[p->n] = v;
    p->len[p->n] = (int)len;
    p->format[p->n++] = format;
}

void
wn_param_int(struct wn_params *p, int64_t v)
{
    WN_ASSERT(p->n < WN_PARAMS_MAX);
    snprintf(p->own[p->n], sizeof(p->own[0]), "%lld", (long long)v);
    param(p, p->own[p->n], 0, 0);
}

void
wn_param_text(struct wn_params *p, const char *s)
{
    param(p, s, 0, 0);
}

void
wn_param_str(struct wn_params *p, struct wn_str s)
{
    param(p, s.p, s.len, 1);
}

void
wn_param_bytes(struct wn_params *p, const void *v, size_t len)
{
    param(p, v, len, 1);
}

void
wn_param_time(struct wn_params *p, int64_t us)
{
    uint64_t v = (uint64_t)(us - WN_PG_EPOCH_US);
    int i;

    WN_ASSERT(p->n < WN_PARAMS_MAX);
    for (i = 0; i < 8; i++)
        p->own[p->n][i] = (char)(v >> (56 - 8 * i));
    param(p, p->own[p->n], 8, 1);
}

/* Takes results until the statement is through; keeps the last good one. */
static enum wn_status
collect(struct wn_store *st, PGresult **ret, struct wn_err *err)
{
    enum wn_status rc = WN_OK, one;
    PGresult *res, *kept = NULL;

    for (;;) {
        one = wn_conn_wait(st, err);
        if (one != WN_OK) {
            rc = one;
            break;
        }
        res = PQgetResult(st->conn);
        if (res == NULL)
            break;
        if (PQresultStatus(res) == PGRES_COMMAND_OK ||
            PQresultStatus(res) == PGRES_TUPLES_OK) {
            PQclear(kept);
            kept = res;
            continue;
        }
        if (rc == WN_OK)
            rc = wn_conn_failed(st, res, err);
        PQclear(res);
        if (st->conn == NULL)
            break;
    }
    if (rc == WN_OK && kept == NULL)
        rc = wn_conn_lost(st, "no result", err);
    if (rc == WN_OK && ret != NULL) {
        *ret = kept;
        kept = NULL;
    }
    PQclear(kept);
    return rc;
}

static enum wn_status
query(struct wn_store *st, const char *sql, const struct wn_params *p,
    int format, PGresult **ret, struct wn_err *err)
{
    int ok;

    if (st->conn == NULL)
        return wn_fail(err, WN_RETRY, "database: not connected");
    st->sqlstate[0] = '\0';
    ok = PQsendQueryParams(st->conn, sql, p != NULL ? p->n : 0, NULL,
        p != NULL ? p->v : NULL, p != NULL ? p->len : NULL,
        p != NULL ? p->format : NULL, format);
    if (!ok)
        return wn_conn_lost(st, "send", err);
    return collect(st, ret, err);
}

enum wn_status
wn_query(struct wn_store *st, const char *sql, const struct wn_params *p,
    PGresult **ret, struct wn_err *err)
{
    return query(st, sql, p, 0, ret, err);
}

enum wn_status
wn_query_binary(struct wn_store *st, const char *sql, const struct wn_params *p,
    PGresult **ret, struct wn_err *err)
{
    return query(st, sql, p, 1, ret, err);
}

enum wn_status
wn_query_simple(struct wn_store *st, const char *sql, struct wn_err *err)
{
    if (st->conn == NULL)
        return wn_fail(err, WN_RETRY, "database: not connected");
    st->sqlstate[0] = '\0';
    if (!PQsendQuery(st->conn, sql))
        return wn_conn_lost(st, "send", err);
    return collect(st, NULL, err);
}

void
wn_rollback(struct wn_store *st)
{
    struct wn_err err;
    char kept[sizeof(st->sqlstate)];

    if (st->conn == NULL || PQtransactionStatus(st->conn) == PQTRANS_IDLE)
        return;
    memcpy(kept, st->sqlstate, sizeof(kept));
    if (wn_query_simple(st, "ROLLBACK", &err) != WN_OK)
        wn_conn_drop(st); /* the server rolls back what it has of us */
    memcpy(st->sqlstate, kept, sizeof(kept));
}

void
wn_pipe_begin(struct wn_store *st, struct wn_pipe *pipe)
{
    memset(pipe, 0, sizeof(*pipe));
    st->sqlstate[0] = '\0';
    pipe->broken = st->conn == NULL || PQenterPipelineMode(st->conn) != 1;
}

void
wn_pipe_add(struct wn_store *st, struct wn_pipe *pipe, const char *sql,
    const struct wn_params *p, bool want)
{
    WN_ASSERT(pipe->n < WN_PIPE_MAX);
    if (pipe->broken)
        return;
    pipe->want[pipe->n++] = want;
    pipe->broken = PQsendQueryParams(st->conn, sql, p != NULL ? p->n : 0, NULL,
                       p != NULL ? p->v : NULL, p != NULL ? p->len : NULL,
                       p != NULL ? p->format : NULL, 1) != 1;
}

/* Result of one queued statement, and the NULL that ends it. */
static enum wn_status
pipe_take(struct wn_store *st, PGresult **ret, struct wn_err *err)
{
    enum wn_status rc = wn_conn_wait(st, err);
    PGresult *res;

    if (rc != WN_OK)
        return rc;
    *ret = PQgetResult(st->conn);
    if (*ret == NULL)
        return wn_conn_lost(st, "pipeline", err);
    if (PQresultStatus(*ret) == PGRES_PIPELINE_SYNC)
        return WN_OK;
    rc = wn_conn_wait(st, err);
    if (rc != WN_OK)
        return rc;
    res = PQgetResult(st->conn);
    if (res == NULL)
        return WN_OK;
    PQclear(res);
    return wn_conn_lost(st, "pipeline", err);
}

enum wn_status
wn_pipe_end(struct wn_store *st, struct wn_pipe *pipe, struct wn_err *err)
{
    enum wn_status rc = WN_OK, one;
    PGresult *res;
    int i;

    if (pipe->broken || PQpipelineSync(st->conn) != 1)
        return wn_conn_lost(st, "send", err);
    for (i = 0; i <= pipe->n; i++) { /* one more: the sync */
        res = NULL;
        one = pipe_take(st, &res, err);
        if (one != WN_OK) {
            PQclear(res);
            return one;
        }
        switch (PQresultStatus(res)) {
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK:
            if (pipe->want[i]) {
                pipe->res[i] = res;
                res = NULL;
            }
            break;
        case PGRES_PIPELINE_SYNC:
        case PGRES_PIPELINE_ABORTED: /* one before it failed */
            break;
        default:
            if (rc == WN_OK)
                rc = wn_conn_failed(st, res, err);
            break;
        }
        PQclear(res);
        if (st->conn == NULL)
            return rc;
    }
    if (PQexitPipelineMode(st->conn) != 1)
        return wn_conn_lost(st, "pipeline", err);
    return rc;
}

void
wn_pipe_clear(struct wn_pipe *pipe)
{
    int i;

    for (i = 0; i < WN_PIPE_MAX; i++) {
        PQclear(pipe->res[i]);
        pipe->res[i] = NULL;
    }
}

int64_t
wn_get_int(const PGresult *res, int row, int col)
{
    return strtoll(PQgetvalue(res, row, col), NULL, 10);
}

bool
wn_get_null(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col) != 0;
}

static uint64_t
big_endian(const PGresult *res, int row, int col, int bytes)
{
    const uint8_t *p = (const uint8_t *)PQgetvalue(res, row, col);
    uint64_t v = 0;
    int i;

    if (PQgetlength(res, row, col) != bytes)
        return 0; /* null */
    for (i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

int64_t
wn_get_b64(const PGresult *res, int row, int col)
{
    return (int64_t)big_endian(res, row, col, 8);
}

int32_t
wn_get_b32(const PGresult *res, int row, int col)
{
    return (int32_t)big_endian(res, row, col, 4);
}

int16_t
wn_get_b16(const PGresult *res, int row, int col)
{
    return (int16_t)big_endian(res, row, col, 2);
}

struct wn_str
wn_get_str(const PGresult *res, int row, int col, struct wn_arena *arena)
{
    size_t len = (size_t)PQgetlength(res, row, col);
    struct wn_str s = { NULL, 0 };

    if (PQgetisnull(res, row, col))
        return s;
    s.p = wn_arena_strndup(arena, PQgetvalue(res, row, col), len);
    s.len = s.p != NULL ? len : 0;
    return s;
}

void
wn_array_begin(struct wn_array *a, uint32_t oid)
{
    wn_buf_init(&a->buf, ARRAY_BYTES_MAX);
    a->n = 0;
    wn_buf_u32(&a->buf, 1); /* dimensions */
    wn_buf_u32(&a->buf, 1); /* may hold nulls */
    wn_buf_u32(&a->buf, oid);
    wn_buf_u32(&a->buf, 0); /* elements: known at the end */
    wn_buf_u32(&a->buf, 1); /* first index */
}

void
wn_array_i64(struct wn_array *a, int64_t v)
{
    a->n++;
    wn_buf_u32(&a->buf, 8);
    wn_buf_u64(&a->buf, (uint64_t)v);
}

void
wn_array_i32(struct wn_array *a, int32_t v)
{
    a->n++;
    wn_buf_u32(&a->buf, 4);
    wn_buf_u32(&a->buf, (uint32_t)v);
}

void
wn_array_i16(struct wn_array *a, int16_t v)
{
    a->n++;
    wn_buf_u32(&a->buf, 2);
    wn_buf_u16(&a->buf, (uint16_t)v);
}

void
wn_array_f64(struct wn_array *a, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    wn_array_i64(a, (int64_t)bits);
}

void
wn_array_bool(struct wn_array *a, bool v)
{
    a->n++;
    wn_buf_u32(&a->buf, 1);
    wn_buf_char(&a->buf, v ? 1 : 0);
}

void
wn_array_bytes(struct wn_array *a, const void *p, size_t len)
{
    a->n++;
    if (len > ARRAY_BYTES_MAX) { /* fails the buffer as well */
        a->buf.failed = true;
        return;
    }
    wn_buf_u32(&a->buf, (uint32_t)len);
    wn_buf_add(&a->buf, p, len);
}

void
wn_array_null(struct wn_array *a)
{
    a->n++;
    wn_buf_u32(&a->buf, UINT32_MAX);
}

enum wn_status
wn_array_param(struct wn_array *a, struct wn_params *p, struct wn_err *err)
{
    int i;

    if (a->buf.failed)
        return wn_fail(err, WN_STOP, "database: out of memory for an array");
    for (i = 0; i < 4; i++)
        a->buf.data[12 + i] = (char)(a->n >> (24 - 8 * i));
    wn_param_bytes(p, a->buf.data, a->buf.len);
    return WN_OK;
}
