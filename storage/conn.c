/*
 * The connection: made, watched and given up here. libpq is non-blocking
 * throughout, because its protocol has no read timeout of its own; poll() has
 * ours. Nothing of a statement or its data enters an error text: SQLSTATE and
 * the names of constraint and column only, where the server speaks of rows.
 */
#include "storage/store_int.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

/* Also how soon a stop flag is seen that was set without a signal to us. */
#define TICK_MS 50
#define PARAMETERS_MAX 64

enum wn_status
wn_sqlstate_status(const char *s)
{
    static const struct {
        const char *begins;
        enum wn_status status;
    } table[] = {
        { "MF001", WN_FENCED }, { "MF", WN_STOP },
        { "08", WN_RETRY },     /* connection                       */
        { "40", WN_RETRY },     /* serialization, deadlock          */
        { "53", WN_RETRY },     /* disk full, memory, connections   */
        { "57", WN_RETRY },     /* cancelled, shut down, starting   */
        { "58", WN_RETRY },     /* system error                     */
        { "55P03", WN_RETRY },  /* lock timeout                     */
        { "25006", WN_RETRY },  /* read only: a standby, for now    */
        { "25P03", WN_RETRY },  /* idle in transaction              */
        { "22", WN_REJECT },    /* data                             */
        { "23", WN_REJECT },    /* constraint                       */
        { "54000", WN_REJECT }, /* a value too long for its index  */
    };
    size_t i;

    if (s[0] == '\0')
        return WN_RETRY;
    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strncmp(s, table[i].begins, strlen(table[i].begins)) == 0)
            return table[i].status;
    }
    return WN_STOP;
}

void
wn_conn_drop(struct wn_store *st)
{
    PQfinish(st->conn);
    st->conn = NULL;
}

/* One line of a libpq message. */
static void
one_line(const char *s, char *out, size_t n)
{
    size_t i;

    snprintf(out, n, "%s", s);
    for (i = 0; out[i] != '\0'; i++) {
        if (out[i] == '\n' && out[i + 1] == '\0')
            out[i] = '\0';
        else if (out[i] == '\n' || out[i] == '\t')
            out[i] = ' ';
    }
}

enum wn_status
wn_conn_lost(struct wn_store *st, const char *what, struct wn_err *err)
{
    char why[256] = "";

    if (st->conn != NULL)
        one_line(PQerrorMessage(st->conn), why, sizeof(why));
    st->sqlstate[0] = '\0';
    wn_conn_drop(st);
    return wn_fail(err, WN_RETRY, "database: %s%s%s", what,
        why[0] != '\0' ? ": " : "", why);
}

/* What is wrong is whom we are, and that is told by no table's name. */
static enum wn_status
not_allowed(struct wn_store *st, const char *text, struct wn_err *err)
{
    return wn_fail(err, WN_STOP,
        "database: role %s may not do this; it needs winnow_worker (run), "
        "winnow_console (review, status, train --from-reviews), "
        "winnow_auditor (status) or, to migrate, the owner (deploy/README.md); "
        "SQLSTATE 42501: %s",
        PQuser(st->conn), text);
}

enum wn_status
wn_conn_failed(struct wn_store *st, const PGresult *res, struct wn_err *err)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    const char *cons = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);
    const char *column = PQresultErrorField(res, PG_DIAG_COLUMN_NAME);
    enum wn_status status;
    char line[256];

    if (state == NULL)
        return wn_conn_lost(st, "connection lost", err);
    snprintf(st->sqlstate, sizeof(st->sqlstate), "%s", state);
    /* a check that a table declares has a name; this one has none */
    st->no_partition = strcmp(state, "23514") == 0 && cons == NULL;
    status = wn_sqlstate_status(state);
    if (status == WN_REJECT) /* its message may quote the row */
        return wn_fail(err, status, "database: SQLSTATE %s%s%s", state,
            cons != NULL || column != NULL ? " " : "",
            cons != NULL     ? cons
            : column != NULL ? column
                             : "");
    one_line(text != NULL ? text : "", line, sizeof(line));
    if (strcmp(state, "42501") == 0)
        return not_allowed(st, line, err);
    wn_fail(err, status, "database: SQLSTATE %s: %s", state, line);
    if (strncmp(state, "57P", 3) == 0 || strncmp(state, "25P03", 5) == 0)
        wn_conn_drop(st); /* the server has ended the session */
    return status;
}

static bool
stopping(const struct wn_store *st)
{
    return st->stop != NULL && *st->stop;
}

/* Waits for `events` on the socket until the deadline. */
static enum wn_status
poll_until(
    struct wn_store *st, short events, int64_t deadline_us, struct wn_err *err)
{
    struct pollfd pfd = { .fd = PQsocket(st->conn), .events = events };
    int64_t left;
    int n;

    for (;;) {
        if (stopping(st))
            return wn_conn_lost(st, "stopping", err);
        left = (deadline_us - wn_clock_mono_us()) / 1000;
        if (left <= 0)
            return wn_conn_lost(st, "no answer in time", err);
        n = poll(&pfd, 1, left < TICK_MS ? (int)left + 1 : TICK_MS);
        if (n > 0)
            return WN_OK;
        if (n < 0 && errno != EINTR)
            return wn_conn_lost(st, "poll", err);
    }
}

enum wn_status
wn_conn_wait(struct wn_store *st, struct wn_err *err)
{
    int64_t deadline = wn_clock_mono_us() + (int64_t)st->timeout_ms * 1000;
    enum wn_status rc;
    int pending;

    for (;;) {
        pending = PQflush(st->conn);
        if (pending < 0)
            return wn_conn_lost(st, "connection lost", err);
        if (pending == 0 && !PQisBusy(st->conn))
            return WN_OK;
        rc = poll_until(
            st, (short)(pending ? POLLIN | POLLOUT : POLLIN), deadline, err);
        if (rc != WN_OK)
            return rc;
        if (PQconsumeInput(st->conn) == 0)
            return wn_conn_lost(st, "connection lost", err);
    }
}

static void
no_notice(void *arg, const PGresult *res)
{
    (void)arg, (void)res;
}

struct settings {
    const char *key[PARAMETERS_MAX + 1], *value[PARAMETERS_MAX + 1];
    int n;
};

static void
setting(struct settings *s, const PQconninfoOption *given, const char *key,
    const char *value)
{
    const PQconninfoOption *o;

    for (o = given; o != NULL && o->keyword != NULL; o++) {
        if (strcmp(o->keyword, key) == 0 && o->val != NULL)
            return; /* the operator's own */
    }
    s->key[s->n] = key;
    s->value[s->n++] = value;
}

/* Every port of a list is a number, or libpq would fail for ever. */
static bool
ports_are_numbers(const PQconninfoOption *given)
{
    const PQconninfoOption *o;

    for (o = given; o->keyword != NULL; o++) {
        if (strcmp(o->keyword, "port") == 0 && o->val != NULL)
            return o->val[strspn(o->val, "0123456789, ")] == '\0';
    }
    return true;
}

enum wn_status
wn_store_check(const char *conninfo, const char *where, struct wn_err *err)
{
    PQconninfoOption *given;
    char *why = NULL;
    bool ports;

    given = PQconninfoParse(conninfo, &why);
    if (given == NULL) {
        PQfreemem(why); /* it may quote the string, and so a password */
        return wn_fail(err, WN_REJECT,
            "%s: database.url is not a connection string that libpq can read: "
            "postgresql://user@host:port/database or \"host=... dbname=...\"",
            where);
    }
    ports = ports_are_numbers(given);
    PQconninfoFree(given);
    return ports ? WN_OK
                 : wn_fail(err, WN_REJECT,
                       "%s: database.url: the port is not a number", where);
}

static unsigned
list_len(const char *list)
{
    unsigned n = 1;

    for (; *list != '\0'; list++)
        n += *list == ',';
    return n;
}

/* The list with its first `by` elements at its end; malloc()ed. */
static char *
rotated(const char *list, unsigned by)
{
    size_t len = strlen(list);
    char *out = malloc(len + 2);
    const char *at = list;

    if (out == NULL)
        return NULL;
    for (by %= list_len(list); by > 0; by--)
        at = strchr(at, ',') + 1;
    snprintf(out, len + 2, "%s%s%.*s", at, at > list ? "," : "",
        at > list ? (int)(at - list - 1) : 0, list);
    return out;
}

static bool
is_list(const char *keyword)
{
    return strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0 ||
           strcmp(keyword, "port") == 0;
}

/* What conninfo gives, with its lists of hosts begun at st->host_first. */
static enum wn_status
take_given(struct wn_store *st, struct settings *s, PQconninfoOption *given,
    unsigned *ret_hosts, struct wn_err *err)
{
    PQconninfoOption *o;
    char *list;

    *ret_hosts = 1;
    for (o = given; o->keyword != NULL; o++) {
        if (o->val == NULL || s->n >= PARAMETERS_MAX - 10 ||
            strcmp(o->keyword, "application_name") == 0 ||
            strcmp(o->keyword, "client_encoding") == 0)
            continue;
        if (is_list(o->keyword)) {
            if (list_len(o->val) > *ret_hosts)
                *ret_hosts = list_len(o->val);
            list = rotated(o->val, st->host_first);
            if (list == NULL)
                return wn_fail(err, WN_STOP, "database: out of memory");
            PQfreemem(o->val);
            o->val = list; /* PQconninfoFree() ends in free() */
        }
        s->key[s->n] = o->keyword;
        s->value[s->n++] = o->val;
    }
    return WN_OK;
}

/* conninfo, our defaults where it is silent, and what must be ours. */
static enum wn_status
start(struct wn_store *st, unsigned *ret_hosts, struct wn_err *err)
{
    struct settings s = { .n = 0 };
    PQconninfoOption *given;
    char *why = NULL, millis[16];
    enum wn_status rc;

    given = PQconninfoParse(st->conninfo, &why);
    if (given == NULL) {
        PQfreemem(why); /* it may quote the string, and so a password */
        return wn_fail(err, WN_STOP,
            "database: the connection string is not one libpq can read");
    }
    rc = take_given(st, &s, given, ret_hosts, err);
    if (rc != WN_OK) {
        PQconninfoFree(given);
        return rc;
    }
    snprintf(millis, sizeof(millis), "%d", st->timeout_ms);
    setting(&s, given, "connect_timeout", "10");
    setting(&s, given, "keepalives_idle", "10");
    setting(&s, given, "keepalives_interval", "5");
    setting(&s, given, "keepalives_count", "3");
    setting(&s, given, "tcp_user_timeout", millis);
    setting(&s, NULL, "application_name", st->instance);
    setting(&s, NULL, "client_encoding", "UTF8");
    s.key[s.n] = s.value[s.n] = NULL;
    st->conn = PQconnectStartParams(s.key, s.value, 0);
    PQconninfoFree(given);
    if (st->conn == NULL)
        return wn_fail(err, WN_STOP, "database: out of memory");
    return WN_OK;
}

/* *ret_late: it was the deadline, which one host may have used up alone. */
static enum wn_status
finish_connect(
    struct wn_store *st, int wait_ms, bool *ret_late, struct wn_err *err)
{
    int64_t deadline = wn_clock_mono_us() + (int64_t)wait_ms * 1000;
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    enum wn_status rc;

    *ret_late = false;
    if (PQstatus(st->conn) == CONNECTION_BAD)
        return wn_conn_lost(st, "connect", err);
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED)
            return wn_conn_lost(st, "connect", err);
        rc = poll_until(st, next == PGRES_POLLING_READING ? POLLIN : POLLOUT,
            deadline, err);
        if (rc != WN_OK) {
            *ret_late = wn_clock_mono_us() >= deadline - 1000;
            return rc;
        }
        next = PQconnectPoll(st->conn);
    }
    PQsetNoticeReceiver(st->conn, no_notice, NULL);
    if (PQsetnonblocking(st->conn, 1) != 0)
        return wn_conn_lost(st, "connect", err);
    return WN_OK;
}

#define HOST_MS 1000

/*
 * libpq goes on to the next host where one refuses, but its connect_timeout is
 * for those who block: one that never answers would hold us for good. Each
 * host in turn is the first, for its share of our time.
 */
static enum wn_status
connect_some(struct wn_store *st, struct wn_err *err)
{
    enum wn_status rc = WN_OK;
    unsigned i, hosts = 1;
    bool late = true;
    int wait_ms;

    for (i = 0; i < hosts && late; i++) {
        rc = start(st, &hosts, err);
        if (rc != WN_OK)
            return rc;
        wait_ms = st->timeout_ms / (int)hosts;
        if (wait_ms < HOST_MS)
            wait_ms = st->timeout_ms < HOST_MS ? st->timeout_ms : HOST_MS;
        rc = finish_connect(st, wait_ms, &late, err);
        if (rc == WN_OK)
            return WN_OK;
        if (late)
            st->host_first++; /* the next time too */
    }
    return rc;
}

/* The session: what every statement of ours relies on. */
static enum wn_status
set_session(struct wn_store *st, struct wn_err *err)
{
    char sql[1024];

    snprintf(sql, sizeof(sql),
        "SET search_path = pg_catalog, winnow, pg_temp;"
        "SET timezone = 'UTC'; SET datestyle = ISO; SET jit = off;"
        "SET statement_timeout = %d; SET lock_timeout = %d;"
        "SET idle_in_transaction_session_timeout = '5s';"
        "SET client_connection_check_interval = '1s';"
        "SELECT set_config('synchronous_commit', 'on', false) WHERE "
        "current_setting('synchronous_commit') IN ('off', 'local')",
        st->timeout_ms, st->timeout_ms < 5000 ? st->timeout_ms : 5000);
    return wn_query_simple(st, sql, err);
}

static enum wn_status
check_schema(struct wn_store *st, struct wn_err *err)
{
    PGresult *res = NULL;
    enum wn_status rc;
    int have, want = wn_schema_version();

    rc = wn_query(
        st, "SELECT max(version) FROM winnow.schema_version", NULL, &res, err);
    if (rc != WN_OK && (strcmp(st->sqlstate, "42P01") == 0 ||
                           strcmp(st->sqlstate, "3F000") == 0))
        return wn_fail(err, WN_STOP,
            "database: it has no winnow schema: run `winnow migrate`");
    if (rc != WN_OK)
        return rc;
    have = (int)wn_get_int(res, 0, 0);
    PQclear(res);
    if (have < want)
        return wn_fail(err, WN_STOP,
            "database: schema %d is older than this build's %d: run `winnow "
            "migrate`",
            have, want);
    if (have > want)
        return wn_fail(err, WN_STOP,
            "database: schema %d is newer than this build's %d: install the "
            "winnow that ran `winnow migrate` on it",
            have, want);
    return WN_OK;
}

enum wn_status
wn_conn_ready(struct wn_store *st, struct wn_err *err)
{
    enum wn_status rc;

    if (stopping(st))
        return wn_fail(err, WN_RETRY, "database: stopping");
    if (st->conn != NULL && PQstatus(st->conn) == CONNECTION_OK)
        return WN_OK;
    wn_conn_drop(st);
    wn_versions_forget(st); /* it may be another database now */
    wn_partitions_forget(st);
    rc = connect_some(st, err);
    if (rc == WN_OK)
        rc = set_session(st, err);
    if (rc == WN_OK && st->own_schema_check)
        rc = check_schema(st, err);
    if (rc != WN_OK)
        wn_conn_drop(st);
    return rc;
}
