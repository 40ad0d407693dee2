/* What is in force, who said so, and who runs it; see activation.h. */
#include "storage/activation.h"

#include <stdio.h>
#include <string.h>

#include "core/cbor.h"
#include "core/clock.h"
#include "storage/activation_int.h"
#include "storage/review.h"

#define MICROS(t) "(extract(epoch FROM " t ") * 1000000)::bigint"
#define BODY_MAX 4096
#define CAUSE_MAX 4096

/* --- reading --- */

/* Columns from `col` on: id, place, version; nothing where there is no row. */
static void
read_activated(const PGresult *res, int col, struct wn_activated *a)
{
    a->id = 0;
    a->place[0] = a->version[0] = '\0';
    if (PQntuples(res) == 0 || PQgetisnull(res, 0, col))
        return;
    a->id = wn_get_int(res, 0, col);
    snprintf(a->place, sizeof(a->place), "%s", PQgetvalue(res, 0, col + 1));
    snprintf(a->version, sizeof(a->version), "%s", PQgetvalue(res, 0, col + 2));
}

enum wn_status
wn_activated(struct wn_store *st, const char *kind, struct wn_activated *ret,
    struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    wn_param_text(&p, kind);
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT id, place, version FROM winnow.activation "
            "WHERE kind = $1 ORDER BY id DESC LIMIT 1",
            &p, &res, err);
    if (rc != WN_OK)
        return rc;
    read_activated(res, 0, ret);
    PQclear(res);
    return WN_OK;
}

/* The newest, what was before it, and what was before that. */
struct newest {
    struct wn_activated now, before;
    int64_t before_that; /* 0: nothing */
};

static enum wn_status
read_newest(
    struct wn_store *st, const char *kind, struct newest *n, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc;

    wn_param_text(&p, kind);
    rc = wn_query(st,
        "SELECT a.id, a.place, a.version, b.id, b.place, b.version, b.prior "
        "FROM winnow.activation a LEFT JOIN winnow.activation b "
        "ON b.id = a.prior WHERE a.kind = $1 ORDER BY a.id DESC LIMIT 1",
        &p, &res, err);
    if (rc != WN_OK)
        return rc;
    read_activated(res, 0, &n->now);
    read_activated(res, 3, &n->before);
    n->before_that = PQntuples(res) == 0 || PQgetisnull(res, 0, 6)
                         ? 0
                         : wn_get_int(res, 0, 6);
    PQclear(res);
    return WN_OK;
}

static enum wn_status
check_before(const struct newest *n, const char *kind, struct wn_err *err)
{
    if (n->now.id == 0 || n->now.place[0] == '\0')
        return wn_fail(err, WN_REJECT,
            "there is nothing to roll back to: no %s is activated", kind);
    return WN_OK;
}

enum wn_status
wn_activated_before(struct wn_store *st, const char *kind,
    struct wn_activated *ret, int64_t *ret_id, struct wn_err *err)
{
    struct newest n;
    enum wn_status rc = wn_conn_ready(st, err);

    if (rc == WN_OK)
        rc = read_newest(st, kind, &n, err);
    if (rc == WN_OK)
        rc = check_before(&n, kind, err);
    if (rc != WN_OK)
        return rc;
    *ret = n.before;
    *ret_id = n.now.id;
    return WN_OK;
}

/* --- activating --- */

/* Numbers are stored: only ever add. Those under 48 are of decisions too. */
void
wn_activation_body(struct wn_buf *o, const struct wn_activation_body *b)
{
    wn_cbor_map(o, 12);
    wn_cbor_uint(o, 0);
    wn_cbor_uint(o, 1);
    wn_cbor_uint(o, 1);
    wn_cbor_uint(o, WN_AUDIT_ACTIVATION);
    wn_cbor_uint(o, 2);
    wn_cbor_uint(o, (uint64_t)b->source);
    wn_cbor_uint(o, 3);
    wn_cbor_uint(o, (uint64_t)b->seq);
    wn_cbor_uint(o, 5);
    wn_cbor_int(o, b->ts_us);
    wn_staff_commitment(o, 35, b->salt, WN_COMMIT_STAFF, b->staff_id);
    wn_staff_commitment(o, 36, b->salt, WN_COMMIT_REASON, b->reason);
    wn_cbor_uint(o, 48);
    wn_cbor_text(o, b->kind, strlen(b->kind));
    wn_cbor_uint(o, 49);
    wn_cbor_bool(o, b->rollback);
    wn_cbor_uint(o, 50);
    wn_cbor_int(o, b->id);
    wn_cbor_uint(o, 51);
    wn_cbor_text(o, b->version, strlen(b->version));
    wn_cbor_uint(o, 52);
    wn_cbor_text(o, b->before, strlen(b->before));
}

static enum wn_status
check(const struct wn_activate *a, const struct newest *n, struct wn_err *err)
{
    if (a->after != n->now.id)
        return wn_fail(err, WN_REJECT,
            "another %s was activated meanwhile: look at the history", a->kind);
    if (a->place == NULL)
        return check_before(n, a->kind, err);
    if (strcmp(n->now.place, a->place) == 0 &&
        strcmp(n->now.version, a->version) == 0)
        return wn_fail(
            err, WN_REJECT, "%s is activated already", n->now.version);
    return WN_OK;
}

/* What is to be in force, and what a rollback of it would bring back. */
static void
plan(const struct wn_activate *a, const struct newest *n,
    struct wn_activated *to, int64_t *prior)
{
    if (a->place == NULL) {
        *to = n->before;
        *prior = n->before_that;
        return;
    }
    snprintf(to->place, sizeof(to->place), "%s", a->place);
    snprintf(to->version, sizeof(to->version), "%s", a->version);
    *prior = n->now.id;
}

static enum wn_status
insert(struct wn_store *st, const struct wn_activate *a, int64_t prior,
    int64_t seq, struct wn_activated *to, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc;

    wn_param_text(&p, a->kind);
    wn_param_text(&p, a->place == NULL ? "rollback" : "activate");
    wn_param_text(&p, to->place);
    wn_param_text(&p, to->version);
    if (prior > 0)
        wn_param_int(&p, prior);
    else
        wn_param_text(&p, NULL);
    wn_param_text(&p, a->staff_id);
    wn_param_text(&p, a->reason);
    wn_param_int(&p, seq);
    rc = wn_query(st,
        "INSERT INTO winnow.activation (kind, act, place, version, prior, "
        "staff_id, reason, seq) VALUES ($1, $2, $3, $4, $5::bigint, $6, $7, "
        "$8::bigint) RETURNING id",
        &p, &res, err);
    if (rc != WN_OK)
        return rc;
    to->id = wn_get_int(res, 0, 0);
    PQclear(res);
    return WN_OK;
}

static enum wn_status
commit(struct wn_store *st, const struct wn_activate *a,
    struct wn_staff_chain *chain, const struct newest *n,
    const struct wn_activated *to, struct wn_err *err)
{
    uint8_t salt[WN_SALT];
    struct wn_activation_body b = { .source = chain->source,
        .seq = chain->seq + 1,
        .ts_us = wn_clock_now_us(),
        .id = to->id,
        .kind = a->kind,
        .version = to->version,
        .before = n->now.version,
        .rollback = a->place == NULL,
        .staff_id = a->staff_id,
        .reason = a->reason,
        .salt = salt };
    struct wn_buf body;
    enum wn_status rc = wn_staff_salt(st, a->staff_id, salt, err);

    if (rc != WN_OK)
        return rc;
    wn_buf_init(&body, BODY_MAX);
    wn_activation_body(&body, &b);
    return wn_staff_commit(st, chain, WN_AUDIT_ACTIVATION, b.ts_us, &body, err);
}

/* The chain's lock is held from here on: one activates at a time. */
static enum wn_status
activate(struct wn_store *st, const struct wn_activate *a,
    struct wn_activated *to, struct wn_err *err)
{
    struct wn_staff_chain chain;
    struct newest n;
    int64_t prior = 0;
    enum wn_status rc = wn_query_simple(st, "BEGIN", err);

    if (rc == WN_OK)
        rc = wn_staff_lock(st, &chain, err);
    if (rc == WN_OK)
        rc = read_newest(st, a->kind, &n, err);
    if (rc == WN_OK)
        rc = check(a, &n, err);
    if (rc == WN_OK) {
        plan(a, &n, to, &prior);
        rc = insert(st, a, prior, chain.seq + 1, to, err);
    }
    if (rc == WN_OK)
        rc = commit(st, a, &chain, &n, to, err);
    if (rc != WN_OK)
        wn_rollback(st);
    return rc;
}

static bool
is_place(const struct wn_activate *a)
{
    size_t len = strlen(a->place);

    return a->place[0] == '/' && len < WN_PLACE_MAX &&
           wn_text_clean(a->place, len) && strlen(a->version) < WN_VERSION_TEXT;
}

enum wn_status
wn_activate(struct wn_store *st, const struct wn_activate *a,
    struct wn_activated *ret, struct wn_err *err)
{
    struct wn_activated to;
    enum wn_status rc = wn_review_check(a->staff_id, a->reason, err);

    if (rc == WN_OK && (a->reason == NULL || a->reason[0] == '\0'))
        rc = wn_fail(err, WN_REJECT, "reason must say why");
    if (rc == WN_OK && a->place != NULL && !is_place(a))
        rc = wn_fail(
            err, WN_REJECT, "'%.200s' is no absolute path in UTF-8", a->place);
    if (rc == WN_OK)
        rc = wn_conn_ready(st, err);
    if (rc == WN_OK)
        rc = wn_month_ready(st, wn_clock_now_us(), err);
    if (rc == WN_OK)
        rc = activate(st, a, &to, err);
    if (rc == WN_OK)
        *ret = to;
    return rc;
}

/* --- what workers run --- */

enum wn_status
wn_running_set(struct wn_store *st, const char *kind, int64_t activation,
    const char *version, const char *cause, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    struct wn_buf clean; /* a cause may name any path, and may be cut */
    enum wn_status rc = wn_conn_ready(st, err);

    wn_buf_init(&clean, CAUSE_MAX);
    if (cause != NULL)
        wn_text_add_clean(&clean, (struct wn_str){ cause, strlen(cause) });
    wn_param_text(&p, st->instance);
    wn_param_text(&p, kind);
    wn_param_int(&p, activation);
    wn_param_text(&p, version);
    wn_param_str(
        &p, (struct wn_str){ cause == NULL ? NULL : clean.data, clean.len });
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT winnow.running_set($1, $2, $3::bigint, $4, $5)", &p, NULL,
            err);
    wn_buf_release(&clean);
    return rc;
}

enum wn_status
wn_running(struct wn_store *st, const char *kind, struct wn_arena *arena,
    struct wn_running **ret, size_t *ret_n, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    struct wn_running *all;
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    wn_param_text(&p, kind);
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT instance, activation, version, cause, " MICROS(
                "at") " FROM winnow.running_now WHERE kind = $1 ORDER BY "
                      "instance LIMIT 1000",
            &p, &res, err);
    if (rc != WN_OK)
        return rc;
    *ret_n = (size_t)PQntuples(res);
    all = wn_arena_array(arena, *ret_n + 1, sizeof(*all));
    for (int i = 0; all != NULL && i < PQntuples(res); i++)
        all[i] = (struct wn_running){ .instance = wn_get_str(res, i, 0, arena),
            .activation = wn_get_int(res, i, 1),
            .version = wn_get_str(res, i, 2, arena),
            .cause = wn_get_str(res, i, 3, arena),
            .at_us = wn_get_int(res, i, 4) };
    PQclear(res);
    *ret = all;
    return all != NULL ? WN_OK : wn_fail(err, WN_FULL, "the arena is full");
}

enum wn_status
wn_activations(struct wn_store *st, const char *kind, size_t n_max,
    struct wn_arena *arena, struct wn_activation_row **ret, size_t *ret_n,
    struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    struct wn_activation_row *all;
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    wn_param_text(&p, kind);
    wn_param_int(&p, (int64_t)n_max);
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT id, " MICROS("at") ", seq, (act = 'rollback')::int, place, "
                                       "version, staff_id, reason FROM "
                                       "winnow.activation WHERE kind = $1 "
                                       "ORDER BY id DESC LIMIT $2::bigint",
            &p, &res, err);
    if (rc != WN_OK)
        return rc;
    *ret_n = (size_t)PQntuples(res);
    all = wn_arena_array(arena, *ret_n + 1, sizeof(*all));
    for (int i = 0; all != NULL && i < PQntuples(res); i++)
        all[i] = (struct wn_activation_row){ .id = wn_get_int(res, i, 0),
            .at_us = wn_get_int(res, i, 1),
            .seq = wn_get_int(res, i, 2),
            .rollback = wn_get_int(res, i, 3) != 0,
            .place = wn_get_str(res, i, 4, arena),
            .version = wn_get_str(res, i, 5, arena),
            .staff_id = wn_get_str(res, i, 6, arena),
            .reason = wn_get_str(res, i, 7, arena) };
    PQclear(res);
    *ret = all;
    return all != NULL ? WN_OK : wn_fail(err, WN_FULL, "the arena is full");
}
