/* What the tables say, for people. Reads only. */
#include "storage/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cbor.h"
#include "core/clock.h"
#include "storage/report_int.h"

#define TEXT_BYTES 200
#define PATIENCE_MS (5 * 60 * 1000)
#define CURSORS_MAX "10000"

enum wn_status
wn_snapshot_begin(struct wn_store *st, int *ret_timeout_ms, struct wn_err *err)
{
    enum wn_status rc = wn_conn_ready(st, err);
    char sql[160];

    *ret_timeout_ms = st->timeout_ms;
    if (rc != WN_OK)
        return rc;
    if (st->timeout_ms < PATIENCE_MS)
        st->timeout_ms = PATIENCE_MS;
    snprintf(sql, sizeof(sql),
        "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; "
        "SET LOCAL statement_timeout = %d",
        st->timeout_ms);
    return wn_query_simple(st, sql, err);
}

void
wn_snapshot_end(struct wn_store *st, int timeout_ms)
{
    wn_rollback(st);
    st->timeout_ms = timeout_ms;
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a == WN_TIME_UNKNOWN || b < a ? b : a;
}

static int64_t
later(int64_t a, int64_t b)
{
    return a == WN_TIME_UNKNOWN || b > a ? b : a;
}

static void
add_counts(struct wn_report *r, const PGresult *res)
{
    int row, h;

    r->first_us = r->last_us = WN_TIME_UNKNOWN;
    for (row = 0; row < PQntuples(res); row++) {
        int64_t n = wn_get_int(res, row, 0);
        int outcome = (int)wn_get_int(res, row, 1);
        int flags = (int)wn_get_int(res, row, 3);
        int action =
            wn_get_null(res, row, 2) ? -1 : (int)wn_get_int(res, row, 2);

        r->first_us = earlier(r->first_us, wn_get_int(res, row, 4));
        r->last_us = later(r->last_us, wn_get_int(res, row, 5));
        if (outcome >= 0 && outcome < WN_OUTCOMES)
            r->outcomes[outcome] += n;
        if (action < 0 || action >= WN_ACTIONS)
            continue;
        r->actions[action] += n;
        for (h = 0; h < WN_HEADS; h++) {
            if ((flags & 1 << h) == 0)
                continue;
            r->flags[h] += n;
            r->flags_by_action[action][h] += n;
        }
    }
}

#define MICROS(t) "(extract(epoch FROM " t ") * 1000000)::bigint"

/* One look at each verdict. The trail is as long as its chains say, each dead
 * letter has a verdict, and what waits is found by the index of its offsets. */
static enum wn_status
counts(struct wn_store *st, struct wn_report *r, struct wn_err *err)
{
    PGresult *res;
    enum wn_status rc;

    rc = wn_query(st,
        "SELECT count(*), outcome, action, flags, " MICROS(
            "min(ts)") ", " MICROS("max(ts)") " FROM winnow.verdict GROUP BY "
                                              "2, 3, 4",
        NULL, &res, err);
    if (rc != WN_OK)
        return rc;
    add_counts(r, res);
    PQclear(res);
    rc = wn_query(st,
        "SELECT (SELECT coalesce(sum(chain_seq), 0) FROM "
        "winnow.source_cursor), (SELECT count(*) FROM winnow.review_item "
        "WHERE state = 'open'), (SELECT count(*) FROM winnow.decision), "
        "(SELECT coalesce(sum(w.n), 0) FROM winnow.source_cursor c LEFT JOIN "
        "winnow.relay_cursor r ON r.source = c.id CROSS JOIN LATERAL (SELECT "
        "count(*) AS n FROM winnow.outbox o WHERE o.source = c.id AND o.off "
        ">= coalesce(r.next_offset, 0)) w)",
        NULL, &res, err);
    if (rc != WN_OK)
        return rc;
    r->audit_rows = wn_get_int(res, 0, 0);
    r->review_open = wn_get_int(res, 0, 1);
    r->decisions = wn_get_int(res, 0, 2);
    r->outbox_waiting = wn_get_int(res, 0, 3);
    r->dead_letters = r->outcomes[WN_DEAD];
    PQclear(res);
    return WN_OK;
}

enum wn_status
wn_report_counts(struct wn_store *st, struct wn_report *ret, struct wn_err *err)
{
    struct wn_report r;
    int timeout_ms;
    enum wn_status rc = wn_snapshot_begin(st, &timeout_ms, err);

    memset(&r, 0, sizeof(r));
    if (rc == WN_OK)
        rc = counts(st, &r, err);
    wn_snapshot_end(st, timeout_ms);
    if (rc == WN_OK)
        *ret = r;
    return rc;
}

size_t
wn_read_reasons(const PGresult *res, int row, int col, struct wn_arena *arena,
    struct wn_reason out[WN_REASONS_MAX])
{
    struct wn_str all = wn_get_str(res, row, col, arena);
    size_t n = 0, at = 0;
    int part;

    while (all.p != NULL && n < WN_REASONS_MAX && at < all.len) {
        struct wn_str *parts[3] = { &out[n].rule, &out[n].category,
            &out[n].text };

        for (part = 0; part < 3; part++) {
            const char *end = memchr(all.p + at, '\x1f', all.len - at);

            if (end == NULL)
                return n;
            parts[part]->p = all.p + at;
            parts[part]->len = (size_t)(end - (all.p + at));
            at = (size_t)(end - all.p) + 1;
        }
        n++;
    }
    return n;
}

/* Scores from the signals of a verdict: a map of numbers to values, of which
 * the first are the four scores. */
static void
read_scores(const PGresult *res, int row, int col, double out[WN_HEADS])
{
    struct wn_cbor_reader r;
    struct wn_cbor_item key, value;
    struct wn_err ignored;
    uint64_t pairs;
    int h;

    for (h = 0; h < WN_HEADS; h++)
        out[h] = (double)NAN;
    if (PQgetisnull(res, row, col))
        return;
    r.p = (const uint8_t *)PQgetvalue(res, row, col);
    r.end = r.p + PQgetlength(res, row, col);
    if (wn_cbor_next(&r, &key, &ignored) != WN_OK || key.kind != WN_CBOR_MAP)
        return;
    for (pairs = key.u; pairs > 0; pairs--) {
        if (wn_cbor_next(&r, &key, &ignored) != WN_OK ||
            wn_cbor_next(&r, &value, &ignored) != WN_OK ||
            key.kind != WN_CBOR_UINT || key.u >= WN_HEADS)
            return; /* keys ascend: no score comes after */
        if (value.kind == WN_CBOR_DOUBLE)
            out[key.u] = value.d;
    }
}

/* Cut to TEXT_BYTES on a character. */
static void
cut(struct wn_str *s)
{
    if (s->len <= TEXT_BYTES)
        return;
    s->len = TEXT_BYTES;
    while (s->len > 0 && ((unsigned char)s->p[s->len] & 0xc0) == 0x80)
        s->len--;
}

/* A verdict that may be among the most severe. */
struct candidate {
    int32_t source;
    int64_t off, ts; /* ts as PostgreSQL counts */
    enum wn_action action;
    double scores[WN_HEADS], highest;
};

static int
by_severity(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->action != y->action)
        return x->action > y->action ? -1 : 1;
    if (x->highest != y->highest)
        return x->highest > y->highest ? -1 : 1;
    return x->ts > y->ts ? -1 : x->ts < y->ts;
}

static void
read_candidate(const PGresult *res, int row, struct candidate *c)
{
    int h;

    c->source = wn_get_b32(res, row, 0);
    c->off = wn_get_b64(res, row, 1);
    c->ts = wn_get_b64(res, row, 2);
    c->action = (enum wn_action)wn_get_b16(res, row, 3);
    read_scores(res, row, 4, c->scores);
    c->highest = -1;
    for (h = 0; h < WN_HEADS; h++) {
        if (c->scores[h] > c->highest)
            c->highest = c->scores[h];
    }
}

/* Scores are the first of the signals, so their beginning does: 4 of at most
 * 10 bytes behind the head of the map. free() *ret. */
static enum wn_status
candidates(struct wn_store *st, struct candidate **ret, size_t *ret_n,
    struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    struct candidate *all;
    PGresult *res;
    enum wn_status rc;
    int row, n;

    wn_param_int(&p, WN_SEVERE_POOL);
    rc = wn_query_binary(st,
        "SELECT source, off, ts, action, substring(signals FOR 64) FROM "
        "winnow.verdict WHERE action IS NOT NULL ORDER BY action DESC, "
        "ts DESC LIMIT $1::bigint",
        &p, &res, err);
    if (rc != WN_OK)
        return rc;
    n = PQntuples(res);
    all = calloc((size_t)n + 1, sizeof(*all));
    for (row = 0; all != NULL && row < n; row++)
        read_candidate(res, row, &all[row]);
    PQclear(res);
    if (all == NULL)
        return wn_fail(err, WN_STOP, "report: out of memory");
    qsort(all, (size_t)n, sizeof(*all), by_severity);
    *ret = all;
    *ret_n = (size_t)n;
    return WN_OK;
}

static enum wn_status
may_read(struct wn_store *st, bool *ret, struct wn_err *err)
{
    PGresult *res;
    enum wn_status rc = wn_query(st,
        "SELECT has_column_privilege('winnow.content', 'text', 'SELECT')::int",
        NULL, &res, err);

    if (rc != WN_OK)
        return rc;
    *ret = wn_get_int(res, 0, 0) != 0;
    PQclear(res);
    return WN_OK;
}

enum wn_status
wn_report_may_read(struct wn_store *st, bool *ret, struct wn_err *err)
{
    enum wn_status rc = wn_conn_ready(st, err);

    return rc == WN_OK ? may_read(st, ret, err) : rc;
}

#define SHOW_SQL(text, join)                                                   \
    "SELECT v.post_id, " text ", " WN_REASONS_SQL(                             \
        "v.reasons") " FROM unnest($1::int[], $2::bigint[], "                  \
                     "$3::timestamptz[]) WITH ORDINALITY AS u(source, off, "   \
                     "ts, n) JOIN winnow.verdict v ON v.source = u.source "    \
                     "AND v.off = u.off AND v.ts = u.ts " join "ORDER BY u.n"
static const char show_sql[] = SHOW_SQL("left(c.text, 200)",
    "LEFT JOIN winnow.content c ON c.source = u.source AND c.off = u.off AND "
    "c.ts = u.ts ");
/* For who may not read content: the server looks at rights, not at rows. */
static const char show_bare_sql[] = SHOW_SQL("NULL::text", "");

/* What is shown of the first n of them, in their order. */
static enum wn_status
show(struct wn_store *st, const struct candidate *c, size_t n,
    struct wn_arena *arena, struct wn_severe *out, struct wn_err *err)
{
    static const uint32_t oids[3] = { WN_OID_INT4, WN_OID_INT8,
        WN_OID_TIMESTAMPTZ };
    struct wn_params p = { .n = 0 };
    struct wn_array a[3];
    PGresult *res = NULL;
    enum wn_status rc = WN_OK;
    bool whole = false;
    size_t i;
    int k;

    for (k = 0; k < 3; k++)
        wn_array_begin(&a[k], oids[k]);
    for (i = 0; i < n; i++) {
        wn_array_i32(&a[0], c[i].source);
        wn_array_i64(&a[1], c[i].off);
        wn_array_i64(&a[2], c[i].ts);
    }
    for (k = 0; k < 3 && rc == WN_OK; k++)
        rc = wn_array_param(&a[k], &p, err);
    if (rc == WN_OK)
        rc = may_read(st, &whole, err);
    if (rc == WN_OK)
        rc = wn_query_binary(
            st, whole ? show_sql : show_bare_sql, &p, &res, err);
    for (i = 0; rc == WN_OK && i < (size_t)PQntuples(res) && i < n; i++) {
        struct wn_severe *s = &out[i];

        s->post_id = wn_get_str(res, (int)i, 0, arena);
        s->text = wn_get_str(res, (int)i, 1, arena);
        cut(&s->text);
        s->action = c[i].action;
        memcpy(s->scores, c[i].scores, sizeof(s->scores));
        s->reasons_n = wn_read_reasons(res, (int)i, 2, arena, s->reasons);
    }
    PQclear(res);
    for (k = 0; k < 3; k++)
        wn_buf_release(&a[k].buf);
    return rc;
}

enum wn_status
wn_report_severe(struct wn_store *st, size_t n_max, struct wn_arena *arena,
    struct wn_severe **ret, size_t *ret_n, struct wn_err *err)
{
    struct candidate *all = NULL;
    struct wn_severe *out = NULL;
    size_t n = 0;
    int timeout_ms;
    enum wn_status rc = wn_snapshot_begin(st, &timeout_ms, err);

    if (rc == WN_OK)
        rc = candidates(st, &all, &n, err);
    if (n > n_max)
        n = n_max;
    if (rc == WN_OK) {
        out = wn_arena_array(arena, n + 1, sizeof(*out));
        if (out == NULL)
            rc = wn_fail(err, WN_FULL, "report: the arena is full");
    }
    if (rc == WN_OK)
        rc = show(st, all, n, arena, out, err);
    wn_snapshot_end(st, timeout_ms);
    free(all);
    if (rc == WN_OK) {
        *ret = out;
        *ret_n = n;
    }
    return rc;
}

/* One look at all of them, and one at each class for its newest. */
static const char dead_sql[] =
    "SELECT g.class, d.cause, c.topic, c.part, g.n, d.off, " MICROS(
        "g.at") " FROM (SELECT class, count(*) AS n, max(made_at) AS at FROM "
                "winnow.dead_letter GROUP BY class) g CROSS JOIN LATERAL "
                "(SELECT cause, source, off FROM winnow.dead_letter WHERE "
                "class = g.class AND made_at = g.at ORDER BY off DESC LIMIT 1) "
                "d LEFT JOIN winnow.source_cursor c ON c.id = d.source "
                "ORDER BY g.n DESC, g.class LIMIT 20";

enum wn_status
wn_report_dead(struct wn_store *st, struct wn_arena *arena,
    struct wn_report_dead **ret, size_t *ret_n, struct wn_err *err)
{
    struct wn_report_dead *all = NULL, *d;
    PGresult *res;
    int timeout_ms, row, n = 0;
    enum wn_status rc = wn_snapshot_begin(st, &timeout_ms, err);

    if (rc == WN_OK)
        rc = wn_query(st, dead_sql, NULL, &res, err);
    if (rc == WN_OK) {
        n = PQntuples(res);
        all = wn_arena_array(arena, (size_t)n + 1, sizeof(*all));
        for (row = 0; all != NULL && row < n; row++) {
            d = &all[row];
            d->cls = wn_get_str(res, row, 0, arena);
            d->cause = wn_get_str(res, row, 1, arena);
            d->topic = wn_get_str(res, row, 2, arena);
            d->part = (int32_t)wn_get_int(res, row, 3);
            d->n = wn_get_int(res, row, 4);
            d->off = wn_get_int(res, row, 5);
            d->at_us = wn_get_int(res, row, 6);
        }
        PQclear(res);
        if (all == NULL)
            rc = wn_fail(err, WN_FULL, "report: the arena is full");
    }
    wn_snapshot_end(st, timeout_ms);
    if (rc == WN_OK) {
        *ret = all;
        *ret_n = (size_t)n;
    }
    return rc;
}

enum wn_status
wn_report_cursors(struct wn_store *st, struct wn_arena *arena,
    struct wn_report_cursor **ret, size_t *ret_n, struct wn_err *err)
{
    struct wn_report_cursor *all, *c;
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);
    int row, n;

    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT kind, topic, owner, part, epoch, next_offset, "
            "chain_seq, " MICROS("updated") ", encode(chain_head, 'hex') FROM "
                                            "winnow.source_cursor ORDER BY "
                                            "kind, topic, part, id "
                                            "LIMIT " CURSORS_MAX,
            NULL, &res, err);
    if (rc != WN_OK)
        return rc;
    n = PQntuples(res);
    all = wn_arena_array(arena, (size_t)n + 1, sizeof(*all));
    for (row = 0; all != NULL && row < n; row++) {
        c = &all[row];
        c->kind = wn_get_str(res, row, 0, arena);
        c->topic = wn_get_str(res, row, 1, arena);
        c->owner = wn_get_str(res, row, 2, arena);
        c->part = (int32_t)wn_get_int(res, row, 3);
        c->epoch = wn_get_int(res, row, 4);
        c->next_offset = wn_get_int(res, row, 5);
        c->chain_seq = wn_get_int(res, row, 6);
        c->updated_us = wn_get_int(res, row, 7);
        snprintf(c->chain_head, sizeof(c->chain_head), "%s",
            PQgetvalue(res, row, 8));
    }
    PQclear(res);
    if (all == NULL)
        return wn_fail(err, WN_FULL, "report: the arena is full");
    *ret = all;
    *ret_n = (size_t)n;
    return WN_OK;
}
