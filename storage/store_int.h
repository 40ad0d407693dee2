/*
 * What the files of storage share: the connection and how a statement is
 * sent. Everything here belongs to the one thread that opened the store.
 *
 * Every wait for the server is wn_conn_wait(): poll() with our own deadline
 * and the caller's stop flag. A connection that missed a deadline is closed;
 * the server ends what it was doing by statement_timeout and
 * client_connection_check_interval.
 */
#ifndef WN_STORAGE_STORE_INT_H
#define WN_STORAGE_STORE_INT_H

#include <libpq-fe.h>

#include "core/arena.h"
#include "core/buf.h"
#include "storage/store.h"

#define WN_MONTHS_MAX 160  /* months that a store knows to have partitions */
#define WN_VERSIONS_MAX 64 /* version strings kept with their numbers      */

struct wn_version {
    int32_t id;
    const char *kind; /* "model", "policy" */
    char *value;      /* malloc()ed        */
};

struct wn_store {
    PGconn *conn; /* NULL: not connected */
    const char *conninfo;
    unsigned host_first; /* of its list of hosts, the one to begin with */
    char instance[64];   /* application_name */
    int64_t retention_us;
    bool want_verdicts, want_dead, own_schema_check;
    int timeout_ms;
    const atomic_bool *stop;
    char sqlstate[6]; /* of the last failure; "" for a lost connection */
    int months[WN_MONTHS_MAX]; /* years * 12 + month - 1 */
    size_t months_n;
    int64_t day; /* since 1970: known to have its outbox partition; or -1 */
    /* The last failure was a row without a partition to go to: nothing that
     * the row could help. */
    bool no_partition;
    struct wn_version versions[WN_VERSIONS_MAX];
    size_t versions_n;
    unsigned tables; /* bits of enum wn_table that are written; all but in
                        tests/bench/storage_write.c */
    bool bare_rows;  /* leaves the state of posts alone: there only      */
    struct wn_batch *batch; /* scratch of wn_store_commit() */
};

/* --- the connection (conn.c) --- */

/* Connects unless connected. */
enum wn_status wn_conn_ready(struct wn_store *st, struct wn_err *err);
void wn_conn_drop(struct wn_store *st);
/* Waits until a result can be had without blocking; sends what is pending. */
enum wn_status wn_conn_wait(struct wn_store *st, struct wn_err *err);
/* Status of a failed result, with st->sqlstate and err filled in. */
enum wn_status wn_conn_failed(
    struct wn_store *st, const PGresult *res, struct wn_err *err);
/* The connection itself failed: closes it. Always WN_RETRY. */
enum wn_status wn_conn_lost(
    struct wn_store *st, const char *what, struct wn_err *err);
/* What a SQLSTATE tells the caller to do (STYLE 7). 22, 23 and 54, which are
 * about one row: WN_REJECT. "": the connection was lost. */
enum wn_status wn_sqlstate_status(const char *sqlstate);

/* --- statements (query.c) --- */

#define WN_PARAMS_MAX 16
struct wn_params {
    int n;
    const char *v[WN_PARAMS_MAX];
    int len[WN_PARAMS_MAX], format[WN_PARAMS_MAX];
    char own[WN_PARAMS_MAX][24];
};
void wn_param_int(struct wn_params *p, int64_t v);
void wn_param_text(struct wn_params *p, const char *s);  /* NULL: null */
void wn_param_str(struct wn_params *p, struct wn_str s); /* p NULL: null */
void wn_param_bytes(struct wn_params *p, const void *v, size_t len);
/* A PostgreSQL timestamp from our microseconds. */
void wn_param_time(struct wn_params *p, int64_t us);

/* One statement of its own. ret may be NULL; the caller clears *ret. Results
 * are text. */
enum wn_status wn_query(struct wn_store *st, const char *sql,
    const struct wn_params *p, PGresult **ret, struct wn_err *err);
/* The same with binary results. */
enum wn_status wn_query_binary(struct wn_store *st, const char *sql,
    const struct wn_params *p, PGresult **ret, struct wn_err *err);
/* Several statements in one string, none of which has parameters. */
enum wn_status wn_query_simple(
    struct wn_store *st, const char *sql, struct wn_err *err);
/* Ends a transaction that is open, whatever state it is in. */
void wn_rollback(struct wn_store *st);

/*
 * A pipeline: statements are queued and sent in one flush; wn_pipe_end()
 * waits for all and gives the result of the first failure. Results that
 * are wanted are kept in order of their statements.
 */
#define WN_PIPE_MAX 24
struct wn_pipe {
    int n;
    bool want[WN_PIPE_MAX];
    PGresult *res[WN_PIPE_MAX];
    bool broken;
};
void wn_pipe_begin(struct wn_store *st, struct wn_pipe *pipe);
void wn_pipe_add(struct wn_store *st, struct wn_pipe *pipe, const char *sql,
    const struct wn_params *p, bool want);
enum wn_status wn_pipe_end(
    struct wn_store *st, struct wn_pipe *pipe, struct wn_err *err);
void wn_pipe_clear(struct wn_pipe *pipe);

/* Fields of text results. */
int64_t wn_get_int(const PGresult *res, int row, int col);
bool wn_get_null(const PGresult *res, int row, int col);
/* Of binary results: big-endian numbers, bytes. */
int64_t wn_get_b64(const PGresult *res, int row, int col);
int32_t wn_get_b32(const PGresult *res, int row, int col);
int16_t wn_get_b16(const PGresult *res, int row, int col);
/* A copy in the arena; p NULL for null (or without memory). */
struct wn_str wn_get_str(
    const PGresult *res, int row, int col, struct wn_arena *arena);

/* PostgreSQL counts from 2000-01-01. */
#define WN_PG_EPOCH_US INT64_C(946684800000000)

/* Binary arrays for unnest(); one dimension, built element by element. */
struct wn_array {
    struct wn_buf buf;
    uint32_t n;
};
enum {
    WN_OID_BOOL = 16,
    WN_OID_BYTEA = 17,
    WN_OID_INT8 = 20,
    WN_OID_INT4 = 23,
    WN_OID_TEXT = 25,
    WN_OID_FLOAT8 = 701,
    WN_OID_INT2 = 21,
    WN_OID_TIMESTAMPTZ = 1184,
    WN_OID_JSONB = 3802
};
void wn_array_begin(struct wn_array *a, uint32_t oid);
void wn_array_i64(struct wn_array *a, int64_t v);
void wn_array_i32(struct wn_array *a, int32_t v);
void wn_array_i16(struct wn_array *a, int16_t v);
void wn_array_f64(struct wn_array *a, double v);
void wn_array_bool(struct wn_array *a, bool v);
void wn_array_bytes(struct wn_array *a, const void *p, size_t len);
void wn_array_null(struct wn_array *a);
/* Ends it and adds it to p; WN_STOP without memory. */
enum wn_status wn_array_param(
    struct wn_array *a, struct wn_params *p, struct wn_err *err);

/* --- used by several files --- */

/* The number of a version string; makes it where it is new. */
enum wn_status wn_version_id(struct wn_store *st, const char *kind,
    const char *value, int32_t *ret, struct wn_err *err);
void wn_versions_forget(struct wn_store *st);
/* Makes the month's partitions unless the store knows that they are there. */
enum wn_status wn_month_ready(
    struct wn_store *st, int64_t ts_us, struct wn_err *err);
/* Makes the outbox partition of the day unless it is known to be there. */
enum wn_status wn_day_ready(
    struct wn_store *st, int64_t us, struct wn_err *err);
/* Partitions may have left: the next ..._ready() asks again. */
void wn_partitions_forget(struct wn_store *st);
/* The message time held to [now - retention, now + 1 h]. */
int64_t wn_time_clamp(const struct wn_store *st, int64_t now_us, int64_t us);
/* A store without the schema check, for migrations. */
enum wn_status wn_store_open_bare(struct wn_store **ret,
    const struct wn_store_conf *conf, struct wn_err *err);

#endif
