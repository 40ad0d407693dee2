/*
 * wn_store_commit(): finished items of one partition become rows, in one
 * transaction a run, with the cursor last.
 *
 *   BEGIN, posts decided and locked (posts.c)
 *   COPY of each table that has rows
 *   cursor_advance() and COMMIT in one flush: where the cursor raises, the
 *   COMMIT behind it is skipped by the server
 *
 * Nothing of the caller's changes before an answer to COMMIT: the claim and
 * the outcomes are moved on afterwards. When that answer is lost, the cursor
 * says what became of it, at the next call.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/metrics.h"
#include "storage/batch_int.h"

#define COPY_BYTES_MAX (512u << 20)
#define SLICE 64 /* rows encoded between two looks at the server */
#define BODY_BYTES_MAX (1u << 20)
#define JSON_BYTES_MAX (16u << 20)
#define ID_BYTES_MAX 1024 /* of a post that ingest takes */

static const char constraint[] = "constraint: ";

void
wn_batch_free(struct wn_batch *b)
{
    if (b == NULL)
        return;
    free(b->rows);
    free(b->order);
    free(b->groups);
    free(b->salts);
    wn_buf_release(&b->copy);
    wn_buf_release(&b->body);
    wn_buf_release(&b->json);
    wn_buf_release(&b->cbor);
    free(b);
}

static struct wn_batch *
batch_new(void)
{
    struct wn_batch *b = calloc(1, sizeof(*b));

    if (b == NULL)
        return NULL;
    wn_buf_init(&b->copy, COPY_BYTES_MAX);
    wn_buf_init(&b->body, BODY_BYTES_MAX);
    wn_buf_init(&b->json, JSON_BYTES_MAX);
    wn_buf_init(&b->cbor, JSON_BYTES_MAX);
    return b;
}

/* Room for n rows; WN_STOP without memory, and the old room is kept. */
static enum wn_status
make_room(struct wn_batch *b, size_t n, struct wn_err *err)
{
    void *rows, *order, *groups, *salts;

    if (n <= b->cap)
        return WN_OK;
    rows = calloc(n, sizeof(*b->rows));
    order = calloc(n, sizeof(*b->order));
    groups = calloc(n, sizeof(*b->groups));
    salts = calloc(n, WN_SALT);
    if (!rows || !order || !groups || !salts) {
        free(rows);
        free(order);
        free(groups);
        free(salts);
        return wn_fail(err, WN_STOP, "commit: out of memory");
    }
    free(b->rows);
    free(b->order);
    free(b->groups);
    free(b->salts);
    b->rows = rows;
    b->order = order;
    b->groups = groups;
    b->salts = salts;
    b->cap = n;
    b->items_n = 0; /* the salts are gone */
    return WN_OK;
}

/* The same items again get the same salts and the same time. */
static enum wn_status
begin_batch(struct wn_batch *b, const struct wn_claim *claim,
    struct wn_item **items, size_t n, struct wn_err *err)
{
    int64_t first = n > 0 ? items[0]->rec.offset : claim->next_offset;
    enum wn_status rc = make_room(b, n, err);

    if (rc != WN_OK)
        return rc;
    if (b->source == claim->source && b->epoch == claim->epoch &&
        b->first == first && b->items_n == n && n > 0)
        return WN_OK;
    b->source = claim->source;
    b->epoch = claim->epoch;
    b->first = first;
    b->items_n = n;
    b->made_us = wn_clock_now_us();
    if (n > 0)
        wn_random(b->salts, n * WN_SALT);
    return WN_OK;
}

/* --- settling --- */

/* Outcomes of items that a lost COMMIT did make durable. */
static enum wn_status
load_outcomes(struct wn_store *st, const struct wn_claim *claim, int64_t next,
    struct wn_item **items, size_t n, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc;
    size_t i = 0;
    int row;

    wn_param_int(&p, claim->source);
    wn_param_int(&p, claim->next_offset);
    wn_param_int(&p, next);
    rc = wn_query(st,
        "SELECT off, outcome FROM winnow.verdict WHERE source = $1::int AND "
        "off >= $2::bigint AND off < $3::bigint ORDER BY off",
        &p, &res, err);
    if (rc != WN_OK)
        return rc;
    for (row = 0; row < PQntuples(res); row++) {
        while (i < n && items[i]->rec.offset < wn_get_int(res, row, 0))
            i++;
        if (i < n && items[i]->rec.offset == wn_get_int(res, row, 0))
            items[i]->outcome = (enum wn_outcome)wn_get_int(res, row, 1);
    }
    PQclear(res);
    return WN_OK;
}

/*
 * Reads the cursor. OK: the claim is ours and stands where the cursor does;
 * what was committed without our knowing is known now.
 */
static enum wn_status
settle(struct wn_store *st, struct wn_claim *claim, struct wn_item **items,
    size_t n, int64_t next_offset, struct wn_err *err)
{
    struct wn_batch *b = st->batch;
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc;
    int64_t next;
    bool ours, moved;

    wn_param_int(&p, claim->source);
    rc = wn_query_binary(st,
        "SELECT epoch, next_offset, chain_seq, chain_head, leader_epoch "
        "FROM winnow.source_cursor WHERE id = $1::int",
        &p, &res, err);
    if (rc != WN_OK)
        return rc;
    ours = PQntuples(res) == 1 && wn_get_b64(res, 0, 0) == claim->epoch;
    next = ours ? wn_get_b64(res, 0, 1) : 0;
    moved = ours && next > claim->next_offset;
    if (b->commit_sent)
        wn_metric_add(WN_M_AMBIGUOUS, !ours ? 2 : moved ? 0 : 1, 1);
    b->commit_sent = false;
    if (!ours) {
        wn_metric_add(WN_M_FENCED, 0, 1);
        rc = wn_fail(err, WN_FENCED, "source %d: another owner has it",
            (int)claim->source);
    } else if (next < claim->next_offset || next > next_offset) {
        rc = wn_fail(err, WN_STOP, "source %d: the cursor is at %lld",
            (int)claim->source, (long long)next);
    } else if (moved) {
        rc = load_outcomes(st, claim, next, items, n, err);
        if (rc == WN_OK) {
            claim->next_offset = next;
            claim->chain_seq = wn_get_b64(res, 0, 2);
            memcpy(claim->chain_head, PQgetvalue(res, 0, 3), WN_SHA256);
            claim->leader_epoch = wn_get_b32(res, 0, 4);
            claim->attempt_offset = -1;
        }
    }
    PQclear(res);
    if (rc == WN_OK)
        b->unclear = false;
    return rc;
}

/* --- before the transaction --- */

static enum wn_status
load_name(struct wn_store *st, struct wn_batch *b, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc;

    if (b->name_source == b->source)
        return WN_OK;
    wn_param_int(&p, b->source);
    rc = wn_query(st,
        "SELECT cluster, topic, part FROM winnow.source_cursor "
        "WHERE id = $1::int",
        &p, &res, err);
    if (rc != WN_OK)
        return rc;
    if (PQntuples(res) == 1) {
        snprintf(b->cluster, sizeof(b->cluster), "%s", PQgetvalue(res, 0, 0));
        snprintf(b->topic, sizeof(b->topic), "%s", PQgetvalue(res, 0, 1));
        b->part = (int32_t)wn_get_int(res, 0, 2);
        b->name_source = b->source;
    }
    PQclear(res);
    return WN_OK;
}

static bool
is_constraint(const struct wn_item *item)
{
    return item->cause.len >= sizeof(constraint) - 1 &&
           memcmp(item->cause.p, constraint, sizeof(constraint) - 1) == 0;
}

static bool
is_id(struct wn_str s)
{
    return s.p != NULL && s.len > 0 && s.len <= ID_BYTES_MAX &&
           wn_text_clean(s.p, s.len);
}

/* A dead letter's id may be anything, or not have been read at all: then its
 * key is the id, since deletions name the post by it. */
static struct wn_str
dead_id(const struct wn_item *item)
{
    if (is_id(item->post.id))
        return item->post.id;
    return is_id(item->rec.key) ? item->rec.key : (struct wn_str){ NULL, 0 };
}

static enum wn_status
fill_row(struct wn_store *st, struct wn_batch *b, const struct wn_claim *claim,
    struct wn_row *row, struct wn_item *item, size_t i, struct wn_err *err)
{
    const struct wn_post *post = &item->post;
    enum wn_status rc;

    WN_ASSERT(item->rec.source == claim->source);
    memset(row, 0, sizeof(*row));
    row->item = item;
    row->outcome = item->outcome;
    row->dead = item->outcome == WN_DEAD;
    row->keep_content = true;
    if (row->dead)
        item->post.id = dead_id(item);
    row->salt = b->salts + i * WN_SALT;
    row->ts = wn_time_clamp(st, b->made_us,
        item->rec.time_us == WN_TIME_UNKNOWN ? b->made_us : item->rec.time_us);
    row->mark = (struct wn_post_mark){ .has_revision = post->has_revision,
        .deleted = post->event == WN_POST_DELETED,
        .source = claim->source,
        .revision = post->revision,
        .time_us = wn_post_time(item->rec.time_us, b->made_us),
        .off = item->rec.offset };
    if (!row->mark.deleted)
        memcpy(row->mark.hash, post->content_hash, WN_SHA256);
    wn_verdict_id(claim, item->rec.offset,
        item->model_version != NULL ? item->model_version : "",
        item->policy_version != NULL ? item->policy_version : "",
        row->verdict_id);
    rc = wn_month_ready(st, row->ts, err);
    if (rc == WN_OK && (st->want_verdicts || st->want_dead))
        rc = wn_day_ready(st, b->made_us, err);
    if (rc == WN_OK && item->model_version != NULL)
        rc = wn_version_id(st, "model", item->model_version, &row->model, err);
    if (rc == WN_OK && item->policy_version != NULL)
        rc = wn_version_id(
            st, "policy", item->policy_version, &row->policy, err);
    if (rc == WN_OK && row->dead && st->want_dead)
        rc = load_name(st, b, err);
    return rc;
}

/* --- the transaction --- */

/* Waits until the server asks for the data of the next COPY. */
static enum wn_status
copy_ready(struct wn_store *st, struct wn_err *err)
{
    enum wn_status rc = wn_conn_wait(st, err);
    PGresult *res;
    ExecStatusType what;

    if (rc != WN_OK)
        return rc;
    res = PQgetResult(st->conn);
    what = PQresultStatus(res);
    if (what != PGRES_COPY_IN)
        rc = res == NULL ? wn_conn_lost(st, "copy", err)
                         : wn_conn_failed(st, res, err);
    PQclear(res);
    return rc;
}

/* Hands what is in buf to libpq, starts sending it, and empties buf. */
static enum wn_status
copy_put(struct wn_store *st, struct wn_buf *buf, struct wn_err *err)
{
    size_t at = 0, n;

    if (buf->failed)
        return wn_fail(err, WN_STOP, "commit: out of memory, or over %u bytes",
            COPY_BYTES_MAX);
    while (at < buf->len) {
        n = buf->len - at < (1u << 20) ? buf->len - at : 1u << 20;
        if (PQputCopyData(st->conn, buf->data + at, (int)n) != 1)
            return wn_conn_lost(st, "copy", err);
        at += n;
        if (PQflush(st->conn) < 0)
            return wn_conn_lost(st, "copy", err);
    }
    wn_buf_reset(buf);
    return WN_OK;
}

/* The answer to a COPY, and what follows up to the end of the statement. */
static enum wn_status
copy_done(struct wn_store *st, struct wn_err *err)
{
    enum wn_status rc = WN_OK, one;
    PGresult *res;

    for (;;) {
        one = wn_conn_wait(st, err);
        if (one != WN_OK)
            return one;
        res = PQgetResult(st->conn);
        if (res == NULL)
            return rc;
        if (PQresultStatus(res) != PGRES_COMMAND_OK && rc == WN_OK)
            rc = wn_conn_failed(st, res, err);
        PQclear(res);
        if (st->conn == NULL)
            return rc;
    }
}

/* Where encoding stands: a table, and how far in it. */
struct encoder {
    unsigned t;
    size_t at, rows;
};

/* Some more of the table; false at its end. */
static bool
encode_more(struct wn_store *st, struct wn_batch *b, struct encoder *e)
{
    size_t done = e->at;

    e->rows += wn_rows_encode(st, b, e->t, &e->at, SLICE, &b->copy);
    return e->at > done;
}

/* On to the next table that has a row; WN_TABLES when there is none. */
static void
encode_next(struct wn_store *st, struct wn_batch *b, struct encoder *e)
{
    for (; e->t < WN_TABLES; e->t++) {
        if ((st->tables & 1u << e->t) == 0)
            continue;
        e->at = e->rows = 0;
        wn_copy_begin(&b->copy);
        while (encode_more(st, b, e)) {
            if (e->rows > 0)
                return;
        }
    }
}

/* The server has not answered yet; keeps the connection moving. */
static bool
server_busy(struct wn_store *st)
{
    return PQflush(st->conn) >= 0 && PQconsumeInput(st->conn) != 0 &&
           PQisBusy(st->conn) != 0;
}

/* One COPY; by its end the encoder stands in the next table. */
static enum wn_status
copy_table(struct wn_store *st, struct wn_batch *b, struct encoder *e,
    struct wn_err *err)
{
    enum wn_status rc = copy_ready(st, err);
    struct wn_err after;
    bool more = true;

    if (rc != WN_OK) {
        if (st->conn != NULL && copy_done(st, &after) == WN_RETRY)
            wn_conn_drop(st);
        return rc;
    }
    while (rc == WN_OK && more) {
        rc = copy_put(st, &b->copy, err);
        more = rc == WN_OK && encode_more(st, b, e);
    }
    wn_copy_end(&b->copy);
    if (rc == WN_OK)
        rc = copy_put(st, &b->copy, err);
    if (rc == WN_OK &&
        (PQputCopyEnd(st->conn, NULL) != 1 || PQflush(st->conn) < 0))
        rc = wn_conn_lost(st, "copy", err);
    if (rc != WN_OK) {
        wn_conn_drop(st); /* in the middle of a COPY: it cannot go on */
        return rc;
    }
    e->t++;
    encode_next(st, b, e);
    while (e->t < WN_TABLES && server_busy(st)) {
        if (!encode_more(st, b, e))
            break;
    }
    return copy_done(st, err);
}

/* Rows are encoded while the server works on those before: neither waits
 * for the other but at the ends of tables. */
static enum wn_status
copy_tables(struct wn_store *st, struct wn_batch *b, struct wn_err *err)
{
    struct encoder e = { 0, 0, 0 };
    enum wn_status rc;

    encode_next(st, b, &e);
    while (e.t < WN_TABLES) {
        st->sqlstate[0] = '\0';
        if (!PQsendQuery(st->conn, wn_table_copy[e.t]))
            return wn_conn_lost(st, "copy", err);
        rc = copy_table(st, b, &e, err);
        if (rc != WN_OK)
            return rc;
    }
    return WN_OK;
}

static enum wn_status
advance_and_commit(struct wn_store *st, struct wn_batch *b,
    const struct wn_claim *claim, int64_t end, int32_t leader_epoch,
    struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    struct wn_pipe pipe;
    enum wn_status rc;

    wn_param_int(&p, claim->source);
    wn_param_int(&p, claim->epoch);
    wn_param_int(&p, claim->next_offset);
    wn_param_int(&p, end);
    wn_param_int(&p, leader_epoch);
    wn_param_int(&p, b->seq);
    wn_param_bytes(&p, b->head, sizeof(b->head));
    wn_pipe_begin(st, &pipe);
    wn_pipe_add(st, &pipe,
        "SELECT winnow.cursor_advance($1, $2, $3, $4, $5, $6, $7)", &p, false);
    wn_pipe_add(st, &pipe, "COMMIT", NULL, false);
    b->commit_sent = true;
    rc = wn_pipe_end(st, &pipe, err);
    wn_pipe_clear(&pipe);
    if (st->conn != NULL) /* an answer came, whatever it says */
        b->commit_sent = false;
    return rc;
}

/* One transaction over items[0..n), the whole run up to `end`. */
static enum wn_status
commit_run(struct wn_store *st, struct wn_claim *claim, struct wn_item **items,
    size_t base, size_t n, int64_t end, struct wn_err *err)
{
    struct wn_batch *b = st->batch;
    int32_t leader = n > 0 && items[n - 1]->rec.leader_epoch >= 0
                         ? items[n - 1]->rec.leader_epoch
                         : claim->leader_epoch;
    enum wn_status rc;
    size_t i;

    b->n = 0;
    b->salt_base = base;
    b->seq = claim->chain_seq;
    memcpy(b->head, claim->chain_head, sizeof(b->head));
    for (i = 0; i < n; i++) {
        rc = fill_row(st, b, claim, &b->rows[i], items[i], base + i, err);
        if (rc != WN_OK)
            return rc;
        b->n++;
    }
    rc = st->bare_rows ? wn_query_simple(st, "BEGIN", err)
                       : wn_posts_settle(st, b, err);
    if (rc == WN_OK)
        rc = copy_tables(st, b, err);
    if (rc == WN_OK)
        rc = advance_and_commit(st, b, claim, end, leader, err);
    if (rc != WN_OK) {
        if (st->conn == NULL)
            b->unclear = true;
        else if (PQpipelineStatus(st->conn) != PQ_PIPELINE_OFF)
            wn_conn_drop(st);
        wn_rollback(st);
        return rc;
    }
    for (i = 0; i < n; i++)
        items[i]->outcome = b->rows[i].outcome;
    claim->next_offset = end;
    claim->chain_seq = b->seq;
    memcpy(claim->chain_head, b->head, sizeof(b->head));
    claim->leader_epoch = leader;
    claim->attempt_offset = -1;
    claim->attempt_deaths = 0;
    claim->stalled = 0;
    return WN_OK;
}

/* The one row that the database refuses becomes a dead letter. */
static enum wn_status
refuse(const char *sqlstate, struct wn_item *item, struct wn_err *err)
{
    char *cause;

    if (is_constraint(item)) /* nothing of it is left to refuse */
        return wn_fail_in(err, WN_STOP, "a dead letter was refused");
    cause =
        wn_arena_printf(&item->arena, "%sSQLSTATE %s", constraint, sqlstate);
    if (cause == NULL)
        return wn_fail(err, WN_STOP, "commit: out of memory");
    item->outcome = WN_DEAD;
    item->cause = (struct wn_str){ cause, strlen(cause) };
    return WN_OK;
}

/* Items already committed, by a call before, are done. */
static size_t
done_before(const struct wn_claim *claim, struct wn_item **items, size_t n)
{
    size_t i = 0;

    while (i < n && items[i]->rec.offset < claim->next_offset)
        i++;
    return i;
}

static enum wn_status
commit_range(struct wn_store *st, struct wn_claim *claim,
    struct wn_item **items, size_t base, size_t n, int64_t end,
    struct wn_err *err)
{
    struct wn_batch *b = st->batch;
    char sqlstate[sizeof(st->sqlstate)];
    bool no_partition;
    enum wn_status rc;
    size_t done, half;

    rc = commit_run(st, claim, items, base, n, end, err);
    if (rc == WN_FENCED) {
        rc = settle(st, claim, items, n, end, err);
        if (rc == WN_OK && claim->next_offset != end)
            rc = wn_fail(err, WN_RETRY, "commit: the cursor has moved");
        return rc;
    }
    if (rc != WN_REJECT)
        return rc;
    /* A backend of ours that we lost may have committed these meanwhile. */
    memcpy(sqlstate, st->sqlstate, sizeof(sqlstate));
    no_partition = st->no_partition;
    rc = settle(st, claim, items, n, end, err);
    if (rc != WN_OK)
        return rc;
    done = done_before(claim, items, n);
    items += done;
    base += done;
    n -= done;
    if (n == 0 && claim->next_offset == end)
        return WN_OK;
    if (no_partition) { /* retention dropped it: no row is to blame */
        wn_partitions_forget(st);
        if (b->partitions_again)
            return wn_fail(err, WN_RETRY, "commit: a partition has just left");
        b->partitions_again = true;
        return commit_range(st, claim, items, base, n, end, err);
    }
    if (n == 0)
        return wn_fail(err, WN_STOP, "commit: a gap was refused");
    if (n == 1 && b->refused_offset != items[0]->rec.offset) {
        /* what others did meanwhile may be the cause: once more */
        b->refused_offset = items[0]->rec.offset;
        return commit_range(st, claim, items, base, n, end, err);
    }
    if (n == 1) {
        rc = refuse(sqlstate, items[0], err);
        return rc != WN_OK ? rc
                           : commit_range(st, claim, items, base, n, end, err);
    }
    half = n / 2;
    rc = commit_range(
        st, claim, items, base, half, items[half - 1]->rec.next, err);
    if (rc != WN_OK)
        return rc;
    return commit_range(
        st, claim, items + half, base + half, n - half, end, err);
}

enum wn_status
wn_store_commit(struct wn_store *st, struct wn_claim *claim,
    struct wn_item **items, size_t n, int64_t next_offset, struct wn_err *err)
{
    enum wn_status rc = wn_conn_ready(st, err);
    struct wn_batch *b;
    size_t done;

    if (rc != WN_OK)
        return rc;
    if (st->batch == NULL)
        st->batch = batch_new();
    b = st->batch;
    if (b == NULL)
        return wn_fail(err, WN_STOP, "commit: out of memory");
    rc = begin_batch(b, claim, items, n, err);
    if (rc == WN_OK && b->unclear)
        rc = settle(st, claim, items, n, next_offset, err);
    if (rc != WN_OK)
        return rc;
    done = done_before(claim, items, n);
    if (claim->next_offset == next_offset)
        return WN_OK;
    b->partitions_again = false;
    b->refused_offset = -1;
    return commit_range(
        st, claim, items + done, done, n - done, next_offset, err);
}
