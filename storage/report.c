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
#define CURSORS_MAX "10000"

static int64_t
count_one(const PGresult *res, int row)
{
    return wn_get_int(res, row, 0);
}

static void
add_counts(struct wn_report *r, const PGresult *res)
{
    int row, h;

    for (row = 0; row < PQntuples(res); row++) {
        int64_t n = count_one(res, row);
        int outcome = (int)wn_get_int(res, row, 1);
        int flags = (int)wn_get_int(res, row, 3);
        int action =
            wn_get_null(res, row, 2) ? -1 : (int)wn_get_int(res, row, 2);

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

static int64_t
time_at(const PGresult *res, int col)
{
    return wn_get_null(res, 0, col) ? WN_TIME_UNKNOWN : wn_get_int(res, 0, col);
}

#define MICROS(t) "(extract(epoch FROM " t ") * 1000000)::bigint"

enum wn_status
wn_report_counts(struct wn_store *st, struct wn_report *ret, struct wn_err *err)
{
    struct wn_report r;
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    memset(&r, 0, sizeof(r));
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT count(*), outcome, action, flags FROM winnow.verdict "
            "GROUP BY 2, 3, 4",
            NULL, &res, err);
    if (rc != WN_OK)
        return rc;
    add_counts(&r, res);
    PQclear(res);
    rc = wn_query(st,
        "SELECT (SELECT count(*) FROM winnow.audit), (SELECT count(*) FROM "
        "winnow.review_item WHERE state = 'open'), (SELECT count(*) FROM "
        "winnow.decision), (SELECT count(*) FROM winnow.dead_letter), "
        "(SELECT count(*) FROM winnow.outbox o LEFT JOIN winnow.relay_cursor "
        "c USING (source) WHERE o.off >= coalesce(c.next_offset, 0)), " MICROS(
            "min(ts)") ", " MICROS("max(ts)") " FROM winnow.verdict",
        NULL, &res, err);
    if (rc != WN_OK)
        return rc;
    r.audit_rows = wn_get_int(res, 0, 0);
    r.review_open = wn_get_int(res, 0, 1);
    r.decisions = wn_get_int(res, 0, 2);
    r.dead_letters = wn_get_int(res, 0, 3);
    r.outbox_waiting = wn_get_int(res, 0, 4);
    r.first_us = time_at(res, 5);
    r.last_us = time_at(res, 6);
    PQclear(res);
    *ret = r;
    return WN_OK;
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

static double
highest(const struct wn_severe *s)
{
    double best = -1;
    int h;

    for (h = 0; h < WN_HEADS; h++) {
        if (s->scores[h] > best)
            best = s->scores[h];
    }
    return best;
}

static int
by_severity(const void *a, const void *b)
{
    const struct wn_severe *x = a, *y = b;
    double p = highest(x), q = highest(y);

    if (x->action != y->action)
        return x->action > y->action ? -1 : 1;
    return p > q ? -1 : p < q;
}

#define SEVERE_POOL 2000 /* candidates whose scores are read */

enum wn_status
wn_report_severe(struct wn_store *st, size_t n_max, struct wn_arena *arena,
    struct wn_severe **ret, size_t *ret_n, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    struct wn_severe *all;
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);
    int row, n;

    wn_param_int(&p, SEVERE_POOL);
    if (rc == WN_OK)
        rc = wn_query_binary(st,
            "SELECT v.post_id, left(c.text, 200), v.action, "
            "v.signals, " WN_REASONS_SQL(
                "v.reasons") " FROM (SELECT * FROM winnow.verdict "
                             "WHERE action IS NOT NULL ORDER BY action DESC, "
                             "flags DESC, ts "
                             "DESC LIMIT $1::bigint) v LEFT JOIN "
                             "winnow.content c ON "
                             "c.source = v.source AND c.off = v.off AND c.ts = "
                             "v.ts",
            &p, &res, err);
    if (rc != WN_OK)
        return rc;
    n = PQntuples(res);
    all = wn_arena_array(arena, (size_t)n + 1, sizeof(*all));
    if (all == NULL) {
        PQclear(res);
        return wn_fail(err, WN_FULL, "report: the arena is full");
    }
    for (row = 0; row < n; row++) {
        struct wn_severe *s = &all[row];

        s->post_id = wn_get_str(res, row, 0, arena);
        s->text = wn_get_str(res, row, 1, arena);
        cut(&s->text);
        s->action = (enum wn_action)wn_get_b16(res, row, 2);
        read_scores(res, row, 3, s->scores);
        s->reasons_n = wn_read_reasons(res, row, 4, arena, s->reasons);
    }
    PQclear(res);
    qsort(all, (size_t)n, sizeof(*all), by_severity);
    *ret = all;
    *ret_n = (size_t)n < n_max ? (size_t)n : n_max;
    return WN_OK;
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
