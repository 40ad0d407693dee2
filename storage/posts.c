/*
 * What a batch does to the posts it speaks of. Items of one post form a
 * group; groups are handled in the order of their ids, so that two workers
 * never wait for each other in a circle.
 *
 * First every post is taken to be new and inserted; those that are not come
 * back missing, are locked and read, and are decided again from what was
 * there. New posts, which most are, so cost one statement.
 */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "storage/batch_int.h"

static int
by_post(const void *a, const void *b, void *arg)
{
    const struct wn_row *rows = arg;
    const struct wn_row *x = &rows[*(const size_t *)a];
    const struct wn_row *y = &rows[*(const size_t *)b];
    const struct wn_str *p = &x->item->post.id, *q = &y->item->post.id;
    int c = memcmp(p->p, q->p, p->len < q->len ? p->len : q->len);

    if (c == 0 && p->len != q->len)
        c = p->len < q->len ? -1 : 1;
    if (c != 0)
        return c;
    return x->item->rec.offset < y->item->rec.offset ? -1 : 1;
}

static bool
same_post(const struct wn_row *x, const struct wn_str *id)
{
    return x->item->post.id.len == id->len &&
           memcmp(x->item->post.id.p, id->p, id->len) == 0;
}

static void
make_groups(struct wn_batch *b)
{
    struct wn_group *g = NULL;
    const struct wn_row *row;
    size_t i, n = 0;

    for (i = 0; i < b->n; i++) {
        if (b->rows[i].item->post.id.p != NULL)
            b->order[n++] = i;
    }
    qsort_r(b->order, n, sizeof(*b->order), by_post, b->rows);
    b->groups_n = 0;
    for (i = 0; i < n; i++) {
        row = &b->rows[b->order[i]];
        if (g == NULL || !same_post(row, &g->post_id)) {
            g = &b->groups[b->groups_n++];
            memset(g, 0, sizeof(*g));
            g->post_id = row->item->post.id;
            g->first = i;
        }
        g->n++;
        g->alive = g->alive || !row->dead;
    }
}

/* The group's records so far: the mark that the next is held against. */
struct walk {
    struct wn_post_mark mark;
    bool known;          /* mark is set        */
    const uint8_t *salt; /* NULL while deleted */
    int64_t version;
};

/* A dead letter's commitments have a salt of their own, in its row. */
static void
walk_dead(struct wn_row *row, struct walk *w, const uint8_t *own)
{
    row->outcome = WN_DEAD;
    row->keep_content = !w->known || !w->mark.deleted;
    row->salt = own;
}

static void
walk_alive(
    struct wn_group *g, struct wn_row *row, struct walk *w, const uint8_t *own)
{
    struct wn_post_choice c =
        wn_post_decide(w->known ? &w->mark : NULL, &row->mark);

    row->outcome = c.outcome == WN_OUT_NONE ? row->item->outcome : c.outcome;
    row->keep_content = c.outcome == WN_OUT_NONE;
    if (c.newer) {
        wn_post_move(&w->mark, w->known, &row->mark);
        w->known = true;
        w->version++;
        g->changed = true;
        g->ts = row->ts;
    }
    if (c.outcome == WN_OUT_NONE) {
        if (w->salt == NULL)
            w->salt = own;
        g->judged = true;
        row->review = row->item->verdict.action == WN_REVIEW &&
                      row->outcome != WN_DEFERRED;
        row->version = w->version;
    }
    row->salt = w->salt != NULL ? w->salt : own;
    if (c.outcome == WN_ERASED) {
        g->erased = true;
        w->salt = NULL;
    }
}

/* Nothing that came before `end` in the group keeps content or an item. */
static void
forget_before(
    struct wn_batch *b, const struct wn_group *g, size_t end, bool content)
{
    size_t i;

    for (i = g->first; i < end; i++) {
        b->rows[b->order[i]].review = false;
        if (content)
            b->rows[b->order[i]].keep_content = false;
    }
}

/* Decides every record of the group, from what is known of it. */
static void
decide_group(struct wn_batch *b, struct wn_group *g)
{
    struct walk w = { g->prev, g->known,
        g->known && g->prev_salted ? g->prev_salt : NULL, g->prev_version };
    struct wn_row *row;
    size_t i;

    g->changed = g->erased = g->judged = false;
    for (i = g->first; i < g->first + g->n; i++) {
        const uint8_t *own = b->salts + (b->salt_base + b->order[i]) * WN_SALT;

        row = &b->rows[b->order[i]];
        row->review = false;
        if (row->dead) {
            walk_dead(row, &w, own);
            continue;
        }
        walk_alive(g, row, &w, own);
        if (row->outcome == WN_ERASED || row->review || row->keep_content)
            forget_before(b, g, i, row->outcome == WN_ERASED);
    }
    g->mark = w.mark;
    g->version = w.version;
    g->salt = w.salt;
}

/* --- statements --- */

enum column {
    C_POST,
    C_REV,
    C_TIME,
    C_OFF,
    C_VERSION,
    C_TS,
    C_DELETED,
    C_HASH,
    COLUMNS
};

static void
columns_begin(struct wn_array *a)
{
    static const uint32_t oids[COLUMNS] = { WN_OID_TEXT, WN_OID_INT8,
        WN_OID_INT8, WN_OID_INT8, WN_OID_INT8, WN_OID_TIMESTAMPTZ, WN_OID_BOOL,
        WN_OID_BYTEA };
    int i;

    for (i = 0; i < COLUMNS; i++)
        wn_array_begin(&a[i], oids[i]);
}

static void
columns_add(struct wn_array *a, const struct wn_group *g)
{
    const struct wn_post_mark *m = &g->mark;

    wn_array_bytes(&a[C_POST], g->post_id.p, g->post_id.len);
    if (m->has_revision)
        wn_array_i64(&a[C_REV], m->revision);
    else
        wn_array_null(&a[C_REV]);
    wn_array_i64(&a[C_TIME], m->time_us);
    wn_array_i64(&a[C_OFF], m->off);
    wn_array_i64(&a[C_VERSION], g->version);
    wn_array_i64(&a[C_TS], g->ts - WN_PG_EPOCH_US);
    wn_array_bool(&a[C_DELETED], m->deleted);
    wn_array_bytes(&a[C_HASH], m->hash, sizeof(m->hash));
}

static enum wn_status
columns_params(
    struct wn_array *a, struct wn_params *p, int32_t source, struct wn_err *err)
{
    enum wn_status rc = WN_OK;
    int i;

    for (i = 0; i < COLUMNS && rc == WN_OK; i++)
        rc = wn_array_param(&a[i], p, err);
    wn_param_int(p, source);
    return rc;
}

static void
arrays_release(struct wn_array *a, int n)
{
    while (n > 0)
        wn_buf_release(&a[--n].buf);
}

#define UNNEST                                                                 \
    "unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], "      \
    "$6::timestamptz[], $7::bool[], $8::bytea[]) "                             \
    "AS u(post_id, revision, time_us, off, version, ts, deleted, hash)"

/* The rows that came back are ours: they come in the order we sent. */
static enum wn_status
mark_known(struct wn_batch *b, const PGresult *res, struct wn_err *err)
{
    int row = 0, n = PQntuples(res);
    struct wn_group *g;
    size_t i;

    for (i = 0; i < b->groups_n; i++) {
        g = &b->groups[i];
        g->known = true;
        if (g->alive && row < n &&
            (size_t)PQgetlength(res, row, 0) == g->post_id.len &&
            memcmp(PQgetvalue(res, row, 0), g->post_id.p, g->post_id.len) ==
                0) {
            g->known = false;
            row++;
        }
    }
    if (row != n)
        return wn_fail(err, WN_STOP, "posts: rows came back out of order");
    return WN_OK;
}

static enum wn_status
insert_new(struct wn_store *st, struct wn_batch *b, struct wn_err *err)
{
    struct wn_array a[COLUMNS];
    struct wn_params p = { .n = 0 };
    struct wn_pipe pipe;
    enum wn_status rc;
    size_t i;

    columns_begin(a);
    for (i = 0; i < b->groups_n; i++) {
        if (b->groups[i].alive)
            columns_add(a, &b->groups[i]);
    }
    rc = columns_params(a, &p, b->source, err);
    if (rc == WN_OK) {
        wn_pipe_begin(st, &pipe);
        wn_pipe_add(st, &pipe, "BEGIN", NULL, false);
        wn_pipe_add(st, &pipe,
            "INSERT INTO winnow.post_state (post_id, revision, time_us, off, "
            "version, ts, deleted, content_hash, source) SELECT u.*, $9::int "
            "FROM " UNNEST " ON CONFLICT (post_id) DO NOTHING "
            "RETURNING post_id",
            &p, true);
        rc = wn_pipe_end(st, &pipe, err);
        if (rc == WN_OK)
            rc = mark_known(b, pipe.res[1], err);
        wn_pipe_clear(&pipe);
    }
    arrays_release(a, COLUMNS);
    return rc;
}

static void
read_known(struct wn_group *g, int64_t now_us, const PGresult *res, int row)
{
    g->known = true;
    g->prev.has_revision = !wn_get_null(res, row, 1);
    g->prev.revision = wn_get_b64(res, row, 1);
    g->prev.time_us = wn_post_time(wn_get_b64(res, row, 2), now_us);
    g->prev.source = wn_get_b32(res, row, 3);
    g->prev.off = wn_get_b64(res, row, 4);
    g->prev.deleted = PQgetvalue(res, row, 5)[0] != 0;
    g->prev_version = wn_get_b64(res, row, 6);
    if (PQgetlength(res, row, 7) == WN_SHA256)
        memcpy(g->prev.hash, PQgetvalue(res, row, 7), WN_SHA256);
}

static bool
is_of(const PGresult *res, int row, const struct wn_group *g)
{
    return row < PQntuples(res) &&
           (size_t)PQgetlength(res, row, 0) == g->post_id.len &&
           memcmp(PQgetvalue(res, row, 0), g->post_id.p, g->post_id.len) == 0;
}

/* Matches posts and salts, which come in the order of ids as groups do. */
static enum wn_status
match_known(struct wn_batch *b, const PGresult *posts, const PGresult *salts,
    struct wn_err *err)
{
    int row = 0, salt = 0;
    struct wn_group *g;
    size_t i;

    for (i = 0; i < b->groups_n; i++) {
        g = &b->groups[i];
        if (!g->known)
            continue;
        g->prev_salted =
            is_of(salts, salt, g) && PQgetlength(salts, salt, 1) == WN_SALT;
        if (g->prev_salted)
            memcpy(g->prev_salt, PQgetvalue(salts, salt, 1), WN_SALT);
        salt += is_of(salts, salt, g);
        if (is_of(posts, row, g))
            read_known(g, b->made_us, posts, row++);
        else if (g->alive) /* retention took it between two statements */
            return wn_fail(err, WN_RETRY, "posts: a row has just left");
        else
            g->known = false;
        decide_group(b, g);
    }
    if (row != PQntuples(posts) || salt != PQntuples(salts))
        return wn_fail(err, WN_STOP, "posts: rows came out of order");
    return WN_OK;
}

static enum wn_status
read_others(struct wn_store *st, struct wn_batch *b, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    struct wn_array a;
    struct wn_pipe pipe;
    enum wn_status rc;
    size_t i;

    wn_array_begin(&a, WN_OID_TEXT);
    for (i = 0; i < b->groups_n; i++) {
        if (b->groups[i].known)
            wn_array_bytes(
                &a, b->groups[i].post_id.p, b->groups[i].post_id.len);
    }
    if (a.n == 0) {
        wn_buf_release(&a.buf);
        return WN_OK;
    }
    rc = wn_array_param(&a, &p, err);
    if (rc == WN_OK) {
        wn_pipe_begin(st, &pipe);
        wn_pipe_add(st, &pipe,
            "SELECT post_id, revision, time_us, source, off, deleted, version, "
            "content_hash FROM winnow.post_state WHERE post_id = "
            "ANY($1::text[] COLLATE \"C\") ORDER BY post_id FOR UPDATE",
            &p, true);
        /* Apart: who waited for a lock sees its row as it is now, but what is
         * joined to it as it was before. */
        wn_pipe_add(st, &pipe,
            "SELECT post_id, salt FROM winnow.post_salt WHERE post_id = "
            "ANY($1::text[] COLLATE \"C\") ORDER BY post_id",
            &p, true);
        rc = wn_pipe_end(st, &pipe, err);
        if (rc == WN_OK)
            rc = match_known(b, pipe.res[0], pipe.res[1], err);
        wn_pipe_clear(&pipe);
    }
    wn_buf_release(&a.buf);
    return rc;
}

/* Adds `sql` with one array of the ids of the groups that `want` picks. */
static enum wn_status
add_for(struct wn_store *st, struct wn_batch *b, struct wn_pipe *pipe,
    bool (*want)(const struct wn_group *g), const char *const *sqls,
    struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    struct wn_array a;
    enum wn_status rc = WN_OK;
    size_t i;

    wn_array_begin(&a, WN_OID_TEXT);
    for (i = 0; i < b->groups_n; i++) {
        if (want(&b->groups[i]))
            wn_array_bytes(
                &a, b->groups[i].post_id.p, b->groups[i].post_id.len);
    }
    if (a.n > 0) {
        rc = wn_array_param(&a, &p, err);
        for (; rc == WN_OK && *sqls != NULL; sqls++)
            wn_pipe_add(st, pipe, *sqls, &p, false);
    }
    wn_buf_release(&a.buf);
    return rc;
}

static bool
is_erased(const struct wn_group *g)
{
    return g->erased;
}

static bool
is_superseded(const struct wn_group *g)
{
    return g->known && g->judged;
}

static const char *const erase_sql[] = {
    "DELETE FROM winnow.post_salt WHERE post_id = ANY($1::text[])",
    "DELETE FROM winnow.content WHERE post_id = ANY($1::text[])",
    "SELECT winnow.dead_erase($1::text[])",
    "UPDATE winnow.review_item SET state = 'closed', closed_why = 'erased', "
    "closed_at = clock_timestamp() WHERE state = 'open' AND "
    "post_id = ANY($1::text[])",
    NULL,
};

static const char *const supersede_sql[] = {
    "UPDATE winnow.review_item SET state = 'closed', closed_why = "
    "'superseded', closed_at = clock_timestamp() WHERE state = 'open' AND "
    "post_id = ANY($1::text[])",
    NULL,
};

static enum wn_status
add_update(struct wn_store *st, struct wn_batch *b, struct wn_pipe *pipe,
    struct wn_err *err)
{
    struct wn_array a[COLUMNS];
    struct wn_params p = { .n = 0 };
    enum wn_status rc = WN_OK;
    size_t i;

    columns_begin(a);
    for (i = 0; i < b->groups_n; i++) {
        if (b->groups[i].known && b->groups[i].changed)
            columns_add(a, &b->groups[i]);
    }
    if (a[0].n > 0)
        rc = columns_params(a, &p, b->source, err);
    if (rc == WN_OK && a[0].n > 0)
        wn_pipe_add(st, pipe,
            "UPDATE winnow.post_state p SET revision = u.revision, "
            "time_us = u.time_us, off = u.off, version = u.version, "
            "ts = u.ts, deleted = u.deleted, content_hash = u.hash, "
            "source = $9::int FROM " UNNEST " WHERE p.post_id = u.post_id "
            "COLLATE \"C\"",
            &p, false);
    arrays_release(a, COLUMNS);
    return rc;
}

enum {
    R_OFF,
    R_TS,
    R_POST,
    R_AUTHOR,
    R_ACTION,
    R_REASONS,
    R_PRIORITY,
    R_VERSION,
    R_COLUMNS
};

static void
review_add(struct wn_array *a, const struct wn_row *row, struct wn_buf *json)
{
    const struct wn_item *item = row->item;

    wn_array_i64(&a[R_OFF], item->rec.offset);
    wn_array_i64(&a[R_TS], row->ts - WN_PG_EPOCH_US);
    wn_array_bytes(&a[R_POST], item->post.id.p, item->post.id.len);
    if (item->post.author_id.p != NULL)
        wn_array_bytes(
            &a[R_AUTHOR], item->post.author_id.p, item->post.author_id.len);
    else
        wn_array_null(&a[R_AUTHOR]);
    wn_array_i16(&a[R_ACTION], (int16_t)item->verdict.action);
    wn_reasons_json(json, &item->verdict);
    if (json->failed)
        a[R_REASONS].buf.failed = true;
    wn_array_bytes(&a[R_REASONS], json->data, json->len);
    wn_array_f64(&a[R_PRIORITY], wn_row_priority(item));
    wn_array_i64(&a[R_VERSION], row->version);
}

static enum wn_status
add_reviews(struct wn_store *st, struct wn_batch *b, struct wn_pipe *pipe,
    struct wn_err *err)
{
    static const uint32_t oids[R_COLUMNS] = { WN_OID_INT8, WN_OID_TIMESTAMPTZ,
        WN_OID_TEXT, WN_OID_TEXT, WN_OID_INT2, WN_OID_TEXT, WN_OID_FLOAT8,
        WN_OID_INT8 };
    struct wn_array a[R_COLUMNS];
    struct wn_params p = { .n = 0 };
    enum wn_status rc = WN_OK;
    size_t i;
    int k;

    for (k = 0; k < R_COLUMNS; k++)
        wn_array_begin(&a[k], oids[k]);
    for (i = 0; i < b->n; i++) {
        if (b->rows[i].review)
            review_add(a, &b->rows[i], &b->json);
    }
    if (a[0].n > 0) {
        wn_param_int(&p, b->source);
        for (k = 0; k < R_COLUMNS && rc == WN_OK; k++)
            rc = wn_array_param(&a[k], &p, err);
        if (rc == WN_OK)
            wn_pipe_add(st, pipe,
                "INSERT INTO winnow.review_item (source, off, ts, post_id, "
                "author_id, action, reasons, priority, version) SELECT "
                "$1::int, o, t, p, a, c, r::jsonb, y, v FROM "
                "unnest($2::int8[], $3::timestamptz[], $4::text[], "
                "$5::text[], $6::int2[], $7::text[], $8::float8[], "
                "$9::int8[]) AS u(o, t, p, a, c, r, y, v)",
                &p, false);
    }
    arrays_release(a, R_COLUMNS);
    return rc;
}

static enum wn_status
apply(struct wn_store *st, struct wn_batch *b, struct wn_err *err)
{
    struct wn_pipe pipe;
    enum wn_status rc, end;

    wn_pipe_begin(st, &pipe);
    rc = add_update(st, b, &pipe, err);
    if (rc == WN_OK)
        rc = add_for(st, b, &pipe, is_erased, erase_sql, err);
    if (rc == WN_OK)
        rc = add_for(st, b, &pipe, is_superseded, supersede_sql, err);
    if (rc == WN_OK)
        rc = add_reviews(st, b, &pipe, err);
    if (rc != WN_OK) { /* out of memory, half sent: start afresh */
        wn_conn_drop(st);
        return rc;
    }
    end = wn_pipe_end(st, &pipe, err);
    wn_pipe_clear(&pipe);
    return end;
}

enum wn_status
wn_posts_settle(struct wn_store *st, struct wn_batch *b, struct wn_err *err)
{
    enum wn_status rc;
    size_t i;

    make_groups(b);
    for (i = 0; i < b->groups_n; i++)
        decide_group(b, &b->groups[i]);
    if (b->groups_n == 0)
        return wn_query_simple(st, "BEGIN", err);
    rc = insert_new(st, b, err);
    if (rc == WN_OK)
        rc = read_others(st, b, err);
    if (rc == WN_OK)
        rc = apply(st, b, err);
    return rc;
}
