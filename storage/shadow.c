/* Scores beside the verdicts; see shadow.h. */
#include "storage/shadow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "storage/report.h"
#include "storage/report_int.h"

#define MICROS(t) "(extract(epoch FROM " t ") * 1000000)::bigint"

/* --- writing --- */

/* Columns of the statement: numbers, then scores of the two. */
enum { COLS = 8, ALL = COLS + 2 * WN_HEADS };

_Static_assert(ALL <= WN_PARAMS_MAX, "one statement takes them");

static void
put_score(struct wn_array *a, double score)
{
    if (isnan(score))
        wn_array_null(a);
    else
        wn_array_f64(a, score);
}

static void
put_row(struct wn_array *a, const struct wn_shadow_row *r, int32_t model,
    int32_t live)
{
    wn_array_i32(&a[0], r->source);
    wn_array_i64(&a[1], r->offset);
    wn_array_i32(&a[2], model);
    wn_array_i32(&a[3], live);
    wn_array_i16(&a[4], (int16_t)r->shadow.flags);
    wn_array_i16(&a[5], (int16_t)r->was.flags);
    wn_array_i16(&a[6], (int16_t)r->shadow.action);
    wn_array_i16(&a[7], (int16_t)r->was.action);
    for (int h = 0; h < WN_HEADS; h++) {
        put_score(&a[COLS + h], r->shadow.scores[h]);
        put_score(&a[COLS + WN_HEADS + h], r->was.scores[h]);
    }
}

static enum wn_status
put_rows(struct wn_store *st, struct wn_array *a,
    const struct wn_shadow_row *rows, size_t n, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    for (size_t i = 0; i < n && rc == WN_OK; i++) {
        int32_t model, live;

        rc = wn_version_id(st, "model", rows[i].model, &model, err);
        if (rc == WN_OK)
            rc = wn_version_id(st, "model", rows[i].live, &live, err);
        if (rc == WN_OK)
            put_row(a, &rows[i], model, live);
    }
    return rc;
}

enum wn_status
wn_shadow_put(struct wn_store *st, const struct wn_shadow_row *rows, size_t n,
    struct wn_err *err)
{
    static const uint32_t oids[COLS] = { WN_OID_INT4, WN_OID_INT8, WN_OID_INT4,
        WN_OID_INT4, WN_OID_INT2, WN_OID_INT2, WN_OID_INT2, WN_OID_INT2 };
    struct wn_params p = { .n = 0 };
    struct wn_array a[ALL];
    enum wn_status rc = wn_conn_ready(st, err);

    WN_ASSERT(n <= WN_SHADOW_ROWS_MAX);
    for (int i = 0; i < ALL; i++)
        wn_array_begin(&a[i], i < COLS ? oids[i] : WN_OID_FLOAT8);
    if (rc == WN_OK)
        rc = put_rows(st, a, rows, n, err);
    for (int i = 0; i < ALL && rc == WN_OK; i++)
        rc = wn_array_param(&a[i], &p, err);
    if (rc == WN_OK)
        rc = wn_query(st,
            "INSERT INTO winnow.shadow_score (source, off, model, live, flags, "
            "live_flags, action, live_action, spam, scam, bait, ai_text, "
            "live_spam, live_scam, live_bait, live_ai_text) SELECT * FROM "
            "unnest($1::int[], $2::bigint[], $3::int[], $4::int[], "
            "$5::smallint[], $6::smallint[], $7::smallint[], $8::smallint[], "
            "$9::float8[], $10::float8[], $11::float8[], $12::float8[], "
            "$13::float8[], $14::float8[], $15::float8[], $16::float8[]) "
            "ON CONFLICT DO NOTHING",
            &p, NULL, err);
    for (int i = 0; i < ALL; i++)
        wn_buf_release(&a[i].buf);
    return rc;
}

/* --- how the two differ --- */

static double
get_double(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col) ? (double)NAN
                                      : strtod(PQgetvalue(res, row, col), NULL);
}

/* Numbers of the two versions; none where there are no rows. */
static enum wn_status
find_pair(struct wn_store *st, struct wn_arena *arena, struct wn_params *pair,
    struct wn_shadow_report *r, struct wn_err *err)
{
    PGresult *res;
    enum wn_status rc = wn_query(st,
        "SELECT s.model, s.live, m.value, l.value FROM winnow.shadow_score s "
        "JOIN winnow.version m ON m.id = s.model JOIN winnow.version l ON "
        "l.id = s.live ORDER BY s.at DESC LIMIT 1",
        NULL, &res, err);

    if (rc != WN_OK)
        return rc;
    if (PQntuples(res) == 1) {
        wn_param_int(pair, wn_get_int(res, 0, 0));
        wn_param_int(pair, wn_get_int(res, 0, 1));
        r->model = wn_get_str(res, 0, 2, arena);
        r->live = wn_get_str(res, 0, 3, arena);
    }
    PQclear(res);
    return WN_OK;
}

/* clang-format off */
#define DIFFERENCE(head) "abs(live_" head " - " head ")"
#define HEAD_SQL(bit, head)                                                    \
    ", count(*) FILTER (WHERE (flags & live_flags & " bit ") <> 0), "          \
    "count(*) FILTER (WHERE (live_flags & ~flags & " bit ") <> 0), "           \
    "count(*) FILTER (WHERE (flags & ~live_flags & " bit ") <> 0), "           \
    "count(" DIFFERENCE(head) "), avg(" DIFFERENCE(head) "), "                 \
    "max(" DIFFERENCE(head) ")"
#define OF_PAIR "FROM winnow.shadow_score WHERE model = $1::int AND live = $2::int"
static const char counts_sql[] =
    "SELECT count(*), " MICROS("min(at)") ", " MICROS("max(at)")
    ", (SELECT count(*) FROM winnow.shadow_score) - count(*)"
    HEAD_SQL("1", "spam") HEAD_SQL("2", "scam") HEAD_SQL("4", "bait")
    HEAD_SQL("8", "ai_text") " " OF_PAIR;
#define EXAMPLES_SQL(text, join)                                               \
    "SELECT v.post_id, " text ", s.flags, s.live_flags, s.action, "            \
    "s.live_action, s.spam, s.scam, s.bait, s.ai_text, s.live_spam, "          \
    "s.live_scam, s.live_bait, s.live_ai_text FROM (SELECT *, greatest("       \
    DIFFERENCE("spam") ", " DIFFERENCE("scam") ", " DIFFERENCE("bait") ", "    \
    DIFFERENCE("ai_text") ") AS apart " OF_PAIR " AND (flags <> live_flags "   \
    "OR action <> live_action) ORDER BY apart DESC NULLS LAST, off "           \
    "LIMIT $3::bigint) s LEFT JOIN LATERAL (SELECT * FROM winnow.verdict "     \
    "WHERE source = s.source AND off = s.off LIMIT 1) v ON true " join         \
    "ORDER BY s.apart DESC NULLS LAST, s.off"
/* clang-format on */
static const char examples_sql[] = EXAMPLES_SQL("left(c.text, 200)",
    "LEFT JOIN winnow.content c ON c.source = v.source AND c.off = v.off AND "
    "c.ts = v.ts ");
static const char bare_examples_sql[] = EXAMPLES_SQL("NULL::text", "");

static enum wn_status
read_counts(struct wn_store *st, const struct wn_params *pair,
    struct wn_shadow_report *r, struct wn_err *err)
{
    PGresult *res;
    enum wn_status rc = wn_query(st, counts_sql, pair, &res, err);
    int col = 0;

    if (rc != WN_OK)
        return rc;
    r->posts = wn_get_int(res, 0, col++);
    r->first_us = wn_get_int(res, 0, col++);
    r->last_us = wn_get_int(res, 0, col++);
    r->other_posts = wn_get_int(res, 0, col++);
    for (int h = 0; h < WN_HEADS; h++) {
        struct wn_shadow_head *head = &r->head[h];

        head->both = wn_get_int(res, 0, col++);
        head->lost = wn_get_int(res, 0, col++);
        head->gained = wn_get_int(res, 0, col++);
        head->known = wn_get_int(res, 0, col++);
        head->mean = get_double(res, 0, col++);
        head->most = get_double(res, 0, col++);
    }
    PQclear(res);
    return WN_OK;
}

static enum wn_status
read_actions(struct wn_store *st, const struct wn_params *pair,
    struct wn_shadow_report *r, struct wn_err *err)
{
    PGresult *res;
    enum wn_status rc = wn_query(st,
        "SELECT live_action, action, count(*) " OF_PAIR " GROUP BY 1, 2", pair,
        &res, err);

    if (rc != WN_OK)
        return rc;
    for (int i = 0; i < PQntuples(res); i++) {
        int64_t from = wn_get_int(res, i, 0), to = wn_get_int(res, i, 1);

        if (from >= 0 && from < WN_ACTIONS && to >= 0 && to < WN_ACTIONS)
            r->actions[from][to] = wn_get_int(res, i, 2);
    }
    PQclear(res);
    return WN_OK;
}

static enum wn_action
get_action(const PGresult *res, int row, int col)
{
    int64_t a = wn_get_int(res, row, col);

    return a >= 0 && a < WN_ACTIONS ? (enum wn_action)a : WN_ALLOW;
}

static void
read_example(const PGresult *res, int row, struct wn_arena *arena,
    struct wn_shadow_example *e)
{
    e->post_id = wn_get_str(res, row, 0, arena);
    e->text = wn_get_str(res, row, 1, arena);
    e->shadow.flags = (unsigned)wn_get_int(res, row, 2);
    e->was.flags = (unsigned)wn_get_int(res, row, 3);
    e->shadow.action = get_action(res, row, 4);
    e->was.action = get_action(res, row, 5);
    for (int h = 0; h < WN_HEADS; h++) {
        e->shadow.scores[h] = get_double(res, row, 6 + h);
        e->was.scores[h] = get_double(res, row, 6 + WN_HEADS + h);
    }
}

static enum wn_status
read_examples(struct wn_store *st, struct wn_params *pair, size_t max,
    struct wn_arena *arena, struct wn_shadow_report *r, struct wn_err *err)
{
    PGresult *res;
    enum wn_status rc = wn_report_may_read(st, &r->may_read, err);

    wn_param_int(pair, (int64_t)max);
    if (rc == WN_OK)
        rc = wn_query(st, r->may_read ? examples_sql : bare_examples_sql, pair,
            &res, err);
    if (rc != WN_OK)
        return rc;
    r->examples_n = (size_t)PQntuples(res);
    r->examples =
        wn_arena_array(arena, r->examples_n + 1, sizeof(*r->examples));
    for (size_t i = 0; r->examples != NULL && i < r->examples_n; i++)
        read_example(res, (int)i, arena, &r->examples[i]);
    PQclear(res);
    return r->examples != NULL ? WN_OK
                               : wn_fail(err, WN_FULL, "the arena is full");
}

enum wn_status
wn_shadow_report(struct wn_store *st, size_t examples_max,
    struct wn_arena *arena, struct wn_shadow_report *ret, struct wn_err *err)
{
    struct wn_shadow_report r;
    struct wn_params pair = { .n = 0 };
    int timeout_ms;
    enum wn_status rc = wn_snapshot_begin(st, &timeout_ms, err);

    memset(&r, 0, sizeof(r));
    if (rc == WN_OK)
        rc = find_pair(st, arena, &pair, &r, err);
    if (rc == WN_OK && r.model.p != NULL) {
        rc = read_counts(st, &pair, &r, err);
        if (rc == WN_OK)
            rc = read_actions(st, &pair, &r, err);
        if (rc == WN_OK)
            rc = read_examples(st, &pair, examples_max, arena, &r, err);
    }
    wn_snapshot_end(st, timeout_ms);
    if (rc == WN_OK)
        *ret = r;
    return rc;
}
