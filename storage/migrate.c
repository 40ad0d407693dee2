/*
 * `winnow migrate`: brings a database to the schema of this build, one
 * transaction a step, under an advisory lock so that two at once are safe.
 * Runs as the owner of the schema, never as the worker.
 */
#include "storage/migrate_int.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "storage/store_int.h"

#define LOCK_KEY "7305811242"
#define STEP_TIMEOUT_MS (10 * 60 * 1000)
#define LOCK_TRIES 1200 /* of 50 ms: what another's steps may take */

int
wn_schema_version(void)
{
    return wn_migrations[wn_migrations_n - 1].version;
}

static enum wn_status
lock(struct wn_store *st, struct wn_err *err)
{
    struct timespec pause = { 0, 50000000 };
    enum wn_status rc;
    PGresult *res;
    bool got;
    int i;

    for (i = 0; i < LOCK_TRIES; i++) {
        rc = wn_query(
            st, "SELECT pg_try_advisory_lock(" LOCK_KEY ")", NULL, &res, err);
        if (rc != WN_OK)
            return rc;
        got = PQgetvalue(res, 0, 0)[0] == 't';
        PQclear(res);
        if (got)
            return WN_OK;
        nanosleep(&pause, NULL);
    }
    return wn_fail(
        err, WN_RETRY, "migrate: another migration holds the database");
}

/* The version that is there; 0 for an empty database. */
static enum wn_status
current(struct wn_store *st, int *ret, struct wn_err *err)
{
    PGresult *res;
    enum wn_status rc = wn_query_simple(st,
        "CREATE SCHEMA IF NOT EXISTS winnow;"
        "CREATE TABLE IF NOT EXISTS winnow.schema_version (version int "
        "PRIMARY KEY, name text NOT NULL, at timestamptz NOT NULL DEFAULT "
        "clock_timestamp())",
        err);

    if (rc != WN_OK)
        return rc;
    rc = wn_query(st,
        "SELECT coalesce(max(version), 0) FROM winnow.schema_version", NULL,
        &res, err);
    if (rc != WN_OK)
        return rc;
    *ret = (int)wn_get_int(res, 0, 0);
    PQclear(res);
    return WN_OK;
}

static enum wn_status
apply(struct wn_store *st, const struct wn_migration *m, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    enum wn_status rc;

    rc = wn_query_simple(
        st, "BEGIN; SET LOCAL search_path = winnow, pg_catalog", err);
    if (rc == WN_OK)
        rc = wn_query_simple(st, m->sql, err);
    wn_param_int(&p, m->version);
    wn_param_text(&p, m->name);
    if (rc == WN_OK)
        rc = wn_query(st,
            "INSERT INTO winnow.schema_version (version, name) "
            "VALUES ($1, $2)",
            &p, NULL, err);
    if (rc == WN_OK)
        rc = wn_query_simple(st, "COMMIT", err);
    if (rc == WN_OK)
        return WN_OK;
    wn_rollback(st);
    return wn_fail_in(
        err, rc == WN_REJECT ? WN_STOP : rc, "migrate %d", m->version);
}

static enum wn_status
apply_missing(struct wn_store *st,
    void (*step)(void *arg, int version, const char *name), void *arg,
    int *applied, struct wn_err *err)
{
    enum wn_status rc;
    size_t i;
    int have;

    rc = current(st, &have, err);
    if (rc != WN_OK)
        return rc;
    if (have > wn_schema_version())
        return wn_fail(err, WN_STOP,
            "migrate: schema %d is newer than this build's %d: install the "
            "winnow that made it",
            have, wn_schema_version());
    for (i = 0; i < wn_migrations_n; i++) {
        if (wn_migrations[i].version <= have)
            continue;
        rc = apply(st, &wn_migrations[i], err);
        if (rc != WN_OK)
            return rc;
        ++*applied;
        if (step != NULL)
            step(arg, wn_migrations[i].version, wn_migrations[i].name);
    }
    return wn_query_simple(st, "SELECT winnow.partitions_make(now())", err);
}

enum wn_status
wn_migrate(const char *conninfo,
    void (*step)(void *arg, int version, const char *name), void *arg,
    int *ret_applied, struct wn_err *err)
{
    struct wn_store_conf conf = { .conninfo = conninfo,
        .instance = "winnow migrate",
        .retention_days = 2,
        .timeout_ms = STEP_TIMEOUT_MS };
    struct wn_store *st = NULL;
    enum wn_status rc;
    int applied = 0;

    rc = wn_store_open_bare(&st, &conf, err);
    if (rc == WN_OK)
        rc = lock(st, err);
    if (rc == WN_OK)
        rc = apply_missing(st, step, arg, &applied, err);
    if (rc == WN_OK && ret_applied != NULL)
        *ret_applied = applied;
    wn_store_free(st); /* the lock goes with the connection */
    return rc;
}
