/* Named lists; see lists.h. */
#include "storage/lists.h"

#include <stdio.h>

#include "storage/review.h"
#include "storage/store_int.h"

static void
read_row(const PGresult *res, int row, struct wn_stored_list *l)
{
    l->version = wn_get_int(res, row, 0);
    snprintf(l->name, sizeof(l->name), "%s", PQgetvalue(res, row, 1));
    snprintf(l->kind, sizeof(l->kind), "%s", PQgetvalue(res, row, 2));
    snprintf(l->hash, sizeof(l->hash), "%s", PQgetvalue(res, row, 3));
    l->parts = (int32_t)wn_get_int(res, row, 4);
    l->entries = wn_get_int(res, row, 5);
}

enum wn_status
wn_stored_lists(struct wn_store *st,
    struct wn_stored_list ret[WN_STORED_LISTS_MAX], size_t *ret_n,
    struct wn_err *err)
{
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT DISTINCT ON (name) id, name, kind, hash, parts, entries "
            "FROM winnow.list_version ORDER BY name, id DESC",
            NULL, &res, err);
    if (rc != WN_OK)
        return rc;
    if (PQntuples(res) > WN_STORED_LISTS_MAX) {
        rc = wn_fail(err, WN_REJECT, "lists: the database has %d, at most %d",
            PQntuples(res), WN_STORED_LISTS_MAX);
    } else {
        *ret_n = (size_t)PQntuples(res);
        for (int row = 0; row < PQntuples(res); row++)
            read_row(res, row, &ret[row]);
    }
    PQclear(res);
    return rc;
}

enum wn_status
wn_stored_list_part(struct wn_store *st, int64_t version, int32_t n,
    struct wn_buf *out, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    wn_param_int(&p, version);
    wn_param_int(&p, n);
    if (rc == WN_OK)
        rc = wn_query_binary(st,
            "SELECT body FROM winnow.list_part WHERE version = $1::bigint "
            "AND n = $2::int",
            &p, &res, err);
    if (rc != WN_OK)
        return rc;
    if (PQntuples(res) == 1)
        wn_buf_add(out, PQgetvalue(res, 0, 0), (size_t)PQgetlength(res, 0, 0));
    else
        rc = wn_fail(err, WN_REJECT, "lists: version %lld has no part %d",
            (long long)version, n);
    PQclear(res);
    if (rc == WN_OK && out->failed)
        rc = wn_fail(err, WN_STOP, "lists: out of memory");
    return rc;
}

/* --- a new version --- */

enum wn_status
wn_stored_list_begin(
    struct wn_store *st, int64_t *ret_version, struct wn_err *err)
{
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    if (rc == WN_OK)
        rc = wn_query_simple(st, "BEGIN", err);
    if (rc == WN_OK)
        rc = wn_query(st, "SELECT nextval('winnow.list_version_id_seq')", NULL,
            &res, err);
    if (rc != WN_OK) {
        wn_rollback(st);
        return rc;
    }
    *ret_version = wn_get_int(res, 0, 0);
    PQclear(res);
    return WN_OK;
}

enum wn_status
wn_stored_list_add(struct wn_store *st, int64_t version, int32_t n,
    const void *part, size_t len, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    enum wn_status rc;

    wn_param_int(&p, version);
    wn_param_int(&p, n);
    wn_param_bytes(&p, part, len);
    rc = wn_query(st,
        "INSERT INTO winnow.list_part (version, n, body) "
        "VALUES ($1::bigint, $2::int, $3::bytea)",
        &p, NULL, err);
    if (rc != WN_OK)
        wn_rollback(st);
    return rc;
}

static enum wn_status
insert_version(struct wn_store *st, const struct wn_stored_list *l,
    const char *staff_id, const char *reason, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };

    wn_param_int(&p, l->version);
    wn_param_text(&p, l->name);
    wn_param_text(&p, l->kind);
    wn_param_int(&p, l->parts);
    wn_param_int(&p, l->entries);
    wn_param_text(&p, l->hash);
    wn_param_text(&p, staff_id);
    wn_param_text(&p, reason);
    return wn_query(st,
        "INSERT INTO winnow.list_version (id, name, kind, parts, entries, "
        "hash, staff_id, reason) VALUES ($1::bigint, $2, $3, $4::int, "
        "$5::bigint, $6, $7, $8)",
        &p, NULL, err);
}

enum wn_status
wn_stored_list_end(struct wn_store *st, const struct wn_stored_list *l,
    const char *staff_id, const char *reason, struct wn_err *err)
{
    enum wn_status rc = wn_review_check(staff_id, reason, err);

    if (rc == WN_OK)
        rc = insert_version(st, l, staff_id, reason, err);
    if (rc == WN_OK)
        rc = wn_query_simple(st, "COMMIT", err);
    if (rc != WN_OK)
        wn_rollback(st);
    return rc;
}

enum wn_status
wn_stored_lists_history(
    struct wn_store *st, int64_t n_max, struct wn_buf *out, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    wn_param_int(&p, n_max);
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT id, name || '.' || kind, hash, entries, "
            "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), "
            "staff_id, reason FROM winnow.list_version "
            "ORDER BY id DESC LIMIT $1::bigint",
            &p, &res, err);
    if (rc != WN_OK)
        return rc;
    for (int row = 0; row < PQntuples(res); row++)
        wn_buf_printf(out, "%6s  %-24s  %s  %10s  %s  %s  %s\n",
            PQgetvalue(res, row, 0), PQgetvalue(res, row, 1),
            PQgetvalue(res, row, 2), PQgetvalue(res, row, 3),
            PQgetvalue(res, row, 4), PQgetvalue(res, row, 5),
            PQgetvalue(res, row, 6));
    PQclear(res);
    return WN_OK;
}
