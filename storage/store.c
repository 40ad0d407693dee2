/*
 * A store: opened, asked for life, closed; and what is small: versions,
 * time partitions, retention. One thread, as store.h says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "storage/batch_int.h"
#include "storage/store_int.h"

#define DAY_US INT64_C(86400000000)
#define AHEAD_US INT64_C(3600000000)
#define TIMEOUT_MS 10000

enum wn_status
wn_store_open_bare(
    struct wn_store **ret, const struct wn_store_conf *conf, struct wn_err *err)
{
    struct wn_store *st = calloc(1, sizeof(*st));
    enum wn_status rc;

    if (st == NULL)
        return wn_fail(err, WN_STOP, "store: out of memory");
    st->conninfo = conf->conninfo;
    snprintf(st->instance, sizeof(st->instance), "%s",
        conf->instance != NULL ? conf->instance : "winnow");
    st->retention_us = conf->retention_days * DAY_US;
    st->want_verdicts = conf->want_verdicts;
    st->want_dead = conf->want_dead;
    st->timeout_ms = conf->timeout_ms > 0 ? conf->timeout_ms : TIMEOUT_MS;
    st->stop = conf->stop;
    st->tables = ~0u;
    wn_partitions_forget(st);
    rc = wn_conn_ready(st, err);
    if (rc != WN_OK) {
        wn_store_free(st);
        return rc;
    }
    *ret = st;
    return WN_OK;
}

enum wn_status
wn_store_open(
    struct wn_store **ret, const struct wn_store_conf *conf, struct wn_err *err)
{
    struct wn_store *st = NULL;
    enum wn_status rc;

    rc = wn_store_open_bare(&st, conf, err);
    if (rc != WN_OK)
        return rc;
    st->own_schema_check = true; /* from now on with every connection */
    wn_conn_drop(st);
    rc = wn_conn_ready(st, err);
    if (rc == WN_OK)
        *ret = st;
    else
        wn_store_free(st);
    return rc;
}

void
wn_store_free(struct wn_store *st)
{
    if (st == NULL)
        return;
    wn_conn_drop(st);
    wn_versions_forget(st);
    wn_batch_free(st->batch);
    free(st);
}

enum wn_status
wn_store_ping(struct wn_store *st, struct wn_err *err)
{
    PGresult *res = NULL;
    enum wn_status rc = wn_conn_ready(st, err);

    if (rc != WN_OK)
        return rc;
    /* a few bytes of log, flushed: what a full disk refuses */
    rc = wn_query(st,
        "SELECT current_setting('transaction_read_only'), "
        "pg_logical_emit_message(true, 'winnow', 'ping')",
        NULL, &res, err);
    if (rc == WN_OK && strcmp(PQgetvalue(res, 0, 0), "on") == 0)
        rc = wn_fail(err, WN_RETRY, "database: it is read-only");
    PQclear(res);
    return rc;
}

int64_t
wn_time_clamp(const struct wn_store *st, int64_t now_us, int64_t us)
{
    if (us < now_us - st->retention_us)
        return now_us - st->retention_us;
    return us > now_us + AHEAD_US ? now_us + AHEAD_US : us;
}

void
wn_versions_forget(struct wn_store *st)
{
    while (st->versions_n > 0)
        free(st->versions[--st->versions_n].value);
}

enum wn_status
wn_version_id(struct wn_store *st, const char *kind, const char *value,
    int32_t *ret, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc;
    size_t i;
    char *copy;

    for (i = 0; i < st->versions_n; i++) {
        if (strcmp(st->versions[i].value, value) == 0 &&
            strcmp(st->versions[i].kind, kind) == 0) {
            *ret = st->versions[i].id;
            return WN_OK;
        }
    }
    if (st->versions_n == WN_VERSIONS_MAX)
        wn_versions_forget(st);
    wn_param_text(&p, kind);
    wn_param_text(&p, value);
    rc = wn_query(st,
        "INSERT INTO winnow.version (kind, value) VALUES ($1, $2) "
        "ON CONFLICT DO NOTHING",
        &p, NULL, err);
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT id FROM winnow.version WHERE kind = $1 AND value = $2", &p,
            &res, err);
    if (rc != WN_OK)
        return rc;
    *ret = (int32_t)wn_get_int(res, 0, 0);
    PQclear(res);
    copy = strdup(value);
    if (copy == NULL)
        return wn_fail(err, WN_STOP, "store: out of memory");
    st->versions[st->versions_n++] =
        (struct wn_version){ .id = *ret, .kind = kind, .value = copy };
    return WN_OK;
}

/* Years * 12 + month - 1, by the calendar of core/clock.h. */
static int
month_of(int64_t us)
{
    char text[WN_TIME_TEXT];

    wn_time_format(us, text);
    return atoi(text) * 12 + atoi(text + 5) - 1;
}

enum wn_status
wn_month_ready(struct wn_store *st, int64_t ts_us, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    int month = month_of(ts_us);
    enum wn_status rc;
    size_t i;

    for (i = 0; i < st->months_n; i++) {
        if (st->months[i] == month)
            return WN_OK;
    }
    wn_param_time(&p, ts_us);
    rc = wn_query(
        st, "SELECT winnow.partitions_month($1::timestamptz)", &p, NULL, err);
    if (rc != WN_OK)
        return rc;
    if (st->months_n == WN_MONTHS_MAX)
        st->months_n = 0;
    st->months[st->months_n++] = month;
    return WN_OK;
}

enum wn_status
wn_day_ready(struct wn_store *st, int64_t us, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    enum wn_status rc;

    if (st->day == us / DAY_US)
        return WN_OK;
    wn_param_time(&p, us);
    rc = wn_query(
        st, "SELECT winnow.partitions_day($1::timestamptz)", &p, NULL, err);
    if (rc == WN_OK)
        st->day = us / DAY_US;
    return rc;
}

void
wn_partitions_forget(struct wn_store *st)
{
    st->months_n = 0;
    st->day = -1;
}

enum wn_status
wn_store_partitions(
    struct wn_store *st, int64_t now_us, int *ret_ahead, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    wn_param_time(&p, now_us);
    if (rc == WN_OK)
        rc = wn_query(st, "SELECT winnow.partitions_make($1::timestamptz)", &p,
            &res, err);
    if (rc != WN_OK)
        return rc;
    *ret_ahead = (int)wn_get_int(res, 0, 0);
    PQclear(res);
    return WN_OK;
}

enum wn_status
wn_store_retain(
    struct wn_store *st, struct wn_retained *ret, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    wn_param_int(&p, st->retention_us / DAY_US);
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT dropped, gone, more, days "
            "FROM winnow.retention_step($1::int)",
            &p, &res, err);
    if (rc != WN_OK)
        return rc;
    ret->dropped = (int)wn_get_int(res, 0, 0);
    ret->rows = wn_get_int(res, 0, 1);
    ret->more = PQgetvalue(res, 0, 2)[0] == 't';
    ret->days = wn_get_int(res, 0, 3);
    PQclear(res);
    return WN_OK;
}
