/* Decided posts, read for training; see decided.h. Reads only. */
#include "storage/decided.h"

#include <stdlib.h>
#include <string.h>

#include "storage/report_int.h"

#define MICROS(t) "(extract(epoch FROM " t ") * 1000000)::bigint"
/* Rows in hand at a time: each has a text, of at most a record's bytes. */
#define FETCH "FETCH 64 FROM decided"
#define TEXT_BYTES_MAX (64u << 20)

/* The last decision of each person on each post, the newest first, with the
 * text of the item that it was made on. */
/* clang-format off */
#define DECIDED_SQL                                                            \
    "DECLARE decided NO SCROLL CURSOR FOR "                                    \
    "SELECT s.post_id, c.post_id, c.text, " MICROS("s.at") ", "                \
    "coalesce(k.kind = 'staff', false), s.spam, s.scam, s.bait, s.ai_text "    \
    "FROM (SELECT DISTINCT ON (i.post_id, d.staff_id) i.post_id, i.source, "   \
    "i.off, i.ts, d.id, d.at, d.spam, d.scam, d.bait, d.ai_text "              \
    "FROM (SELECT * FROM winnow.decision WHERE at >= $1::timestamptz "         \
    "ORDER BY at DESC, id DESC LIMIT $2::bigint) d "                           \
    "JOIN winnow.review_item i ON i.id = d.item "                              \
    "ORDER BY i.post_id, d.staff_id, d.at DESC, d.id DESC) s "                 \
    "LEFT JOIN winnow.content c ON c.source = s.source AND c.off = s.off "     \
    "AND c.ts = s.ts "                                                         \
    "LEFT JOIN winnow.source_cursor k ON k.id = s.source "                     \
    "ORDER BY s.post_id, s.at DESC, s.id DESC"
/* clang-format on */

struct reading {
    struct wn_decided post; /* strings lie in the buffers below */
    struct wn_buf id, text;
    bool any;
    wn_decided_take *take;
    void *arg;
};

static struct wn_str
str_of(const struct wn_buf *b)
{
    return (struct wn_str){ b->len > 0 ? b->data : "", b->len };
}

/* What there is of a post goes to the taker. */
static enum wn_status
give(struct reading *r, struct wn_err *err)
{
    if (!r->any)
        return WN_OK;
    if (r->id.failed || r->text.failed)
        return wn_fail(err, WN_STOP, "decisions: out of memory");
    r->post.post_id = str_of(&r->id);
    if (r->post.text.p != NULL)
        r->post.text = str_of(&r->text);
    return r->take(r->arg, &r->post, err);
}

static enum wn_label
label_at(const PGresult *res, int row, int h)
{
    if (wn_get_null(res, row, 5 + h))
        return WN_LABEL_UNSAID;
    return wn_get_int(res, row, 5 + h) != 0 ? WN_LABEL_YES : WN_LABEL_NO;
}

/* The newest decision on a post: it says which text it is about. */
static void
begin_post(struct reading *r, const PGresult *res, int row)
{
    struct wn_decided *d = &r->post;

    memset(d, 0, sizeof(*d));
    wn_buf_reset(&r->id);
    wn_buf_reset(&r->text);
    wn_buf_add(
        &r->id, PQgetvalue(res, row, 0), (size_t)PQgetlength(res, row, 0));
    d->has_content = !wn_get_null(res, row, 1);
    if (!wn_get_null(res, row, 2)) {
        d->text.p = ""; /* there is one */
        wn_buf_add(&r->text, PQgetvalue(res, row, 2),
            (size_t)PQgetlength(res, row, 2));
    }
    d->at_us = wn_get_int(res, row, 3);
    d->imported = PQgetvalue(res, row, 4)[0] == 't';
    for (int h = 0; h < WN_HEADS; h++)
        d->labels[h] = label_at(res, row, h);
    d->people = 1;
    r->any = true;
}

static bool
same(const PGresult *res, int row, int col, const struct wn_buf *b)
{
    size_t len = (size_t)PQgetlength(res, row, col);

    return len == b->len &&
           (len == 0 || memcmp(PQgetvalue(res, row, col), b->data, len) == 0);
}

/* What another person said of the same text. */
static void
add_decision(struct reading *r, const PGresult *res, int row)
{
    struct wn_decided *d = &r->post;

    if (d->text.p == NULL || wn_get_null(res, row, 2) ||
        !same(res, row, 2, &r->text))
        return;
    d->people++;
    for (int h = 0; h < WN_HEADS; h++) {
        enum wn_label said = label_at(res, row, h);

        if (said == WN_LABEL_UNSAID || d->disputed[h])
            continue;
        d->disputed[h] =
            d->labels[h] != WN_LABEL_UNSAID && d->labels[h] != said;
        d->labels[h] = d->disputed[h] ? WN_LABEL_UNSAID : said;
    }
}

static enum wn_status
take_rows(struct reading *r, const PGresult *res, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    for (int row = 0; rc == WN_OK && row < PQntuples(res); row++) {
        if (r->any && same(res, row, 0, &r->id)) {
            add_decision(r, res, row);
            continue;
        }
        rc = give(r, err);
        begin_post(r, res, row);
    }
    return rc;
}

static enum wn_status
count(struct wn_store *st, int64_t since_us, int64_t *ret, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc;

    wn_param_time(&p, since_us);
    rc = wn_query(st,
        "SELECT count(*) FROM winnow.decision WHERE at >= $1::timestamptz", &p,
        &res, err);
    if (rc != WN_OK)
        return rc;
    *ret = wn_get_int(res, 0, 0);
    PQclear(res);
    return WN_OK;
}

static enum wn_status
read_all(struct wn_store *st, int64_t since_us, size_t decisions_max,
    struct reading *r, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    enum wn_status rc;

    wn_param_time(&p, since_us);
    wn_param_int(&p, (int64_t)decisions_max);
    rc = wn_query(st, DECIDED_SQL, &p, NULL, err);
    for (int n = 1; rc == WN_OK && n > 0;) {
        PGresult *res;

        rc = wn_query(st, FETCH, NULL, &res, err);
        if (rc != WN_OK)
            return rc;
        n = PQntuples(res);
        rc = take_rows(r, res, err);
        PQclear(res);
    }
    return rc == WN_OK ? give(r, err) : rc;
}

enum wn_status
wn_decided_each(struct wn_store *st, int64_t since_us, size_t decisions_max,
    wn_decided_take *take, void *arg, int64_t *ret_decisions,
    struct wn_err *err)
{
    struct reading r = { .take = take, .arg = arg };
    int timeout_ms;
    int64_t n = 0;
    enum wn_status rc = wn_snapshot_begin(st, &timeout_ms, err);

    wn_buf_init(&r.id, TEXT_BYTES_MAX);
    wn_buf_init(&r.text, TEXT_BYTES_MAX);
    if (rc == WN_OK)
        rc = count(st, since_us, &n, err);
    if (rc == WN_OK)
        rc = read_all(st, since_us, decisions_max, &r, err);
    wn_snapshot_end(st, timeout_ms);
    wn_buf_release(&r.id);
    wn_buf_release(&r.text);
    if (rc == WN_OK)
        *ret_decisions = n;
    return rc;
}
