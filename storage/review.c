/*
 * The review queue and decisions. A decision locks the post, then the item,
 * then the staff chain, in that order, which is also the order in which a
 * batch takes posts and items: no circle of waits.
 */
#include "storage/review.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cbor.h"
#include "core/clock.h"
#include "core/utf8.h"
#include "storage/report_int.h"
#include "storage/staff_int.h"

#define MICROS(t) "(extract(epoch FROM " t ") * 1000000)::bigint"
#define BODY_MAX 4096

/* From column 11 on; an item that nobody decided has nulls there. */
static void
read_said(const PGresult *res, int row, struct wn_arena *arena,
    struct wn_review_item *it)
{
    struct wn_review_said *said = &it->said;

    it->has_said = !PQgetisnull(res, row, 11);
    if (!it->has_said)
        return;
    said->action = (enum wn_action)wn_get_int(res, row, 11);
    said->staff_id = wn_get_str(res, row, 12, arena);
    said->reason = wn_get_str(res, row, 13, arena);
    said->at_us = wn_get_int(res, row, 14);
    for (int h = 0; h < WN_HEADS; h++)
        said->labels[h] = PQgetisnull(res, row, 15 + h)
                              ? WN_LABEL_UNSAID
                              : (enum wn_label)wn_get_int(res, row, 15 + h);
}

static void
read_item(const PGresult *res, int row, struct wn_arena *arena,
    struct wn_review_item *it)
{
    memset(it, 0, sizeof(*it));
    it->id = wn_get_int(res, row, 0);
    snprintf(it->state, sizeof(it->state), "%s", PQgetvalue(res, row, 1));
    it->post_id = wn_get_str(res, row, 2, arena);
    it->author_id = wn_get_str(res, row, 3, arena);
    it->text = wn_get_str(res, row, 4, arena);
    it->action = (enum wn_action)wn_get_int(res, row, 5);
    it->reasons_n = wn_read_reasons(res, row, 6, arena, it->reasons);
    it->priority = strtod(PQgetvalue(res, row, 7), NULL);
    it->time_us = wn_get_int(res, row, 8);
    it->created_us = wn_get_int(res, row, 9);
    it->version = wn_get_int(res, row, 10);
    read_said(res, row, arena, it);
}

/* clang-format off */
#define LIST_SQL                                                               \
    "SELECT i.id, i.state, i.post_id, i.author_id, c.text, i.action, "         \
    WN_REASONS_SQL("i.reasons") ", i.priority, " MICROS("i.ts") ", "           \
    MICROS("i.created_at") ", i.version, d.action, d.staff_id, d.reason, "     \
    MICROS("d.at") ", d.spam, d.scam, d.bait, d.ai_text "                      \
    "FROM (SELECT * FROM winnow.review_item WHERE state = $1 "                 \
    "ORDER BY priority DESC, id LIMIT $2::bigint) i "                          \
    "LEFT JOIN winnow.content c ON c.source = i.source AND c.off = i.off "     \
    "AND c.ts = i.ts "                                                         \
    "LEFT JOIN LATERAL (SELECT * FROM winnow.decision WHERE item = i.id "      \
    "ORDER BY id DESC LIMIT 1) d ON true "                                     \
    "ORDER BY i.priority DESC, i.id"
/* clang-format on */

enum wn_status
wn_review_list(struct wn_store *st, const char *state, size_t items_max,
    struct wn_arena *arena, struct wn_review_item **ret, size_t *ret_n,
    struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    struct wn_review_item *all;
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);
    int row, n;

    wn_param_text(&p, state != NULL ? state : "open");
    wn_param_int(&p, (int64_t)items_max);
    if (rc == WN_OK)
        rc = wn_query(st, LIST_SQL, &p, &res, err);
    if (rc != WN_OK)
        return rc;
    n = PQntuples(res);
    all = wn_arena_array(arena, (size_t)n + 1, sizeof(*all));
    for (row = 0; all != NULL && row < n; row++)
        read_item(res, row, arena, &all[row]);
    PQclear(res);
    if (all == NULL)
        return wn_fail(err, WN_FULL, "review: the arena is full");
    *ret = all;
    *ret_n = (size_t)n;
    return WN_OK;
}

/* --- decisions --- */

static bool
is_utf8(const char *s, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = wn_utf8_len(s + at, len - at);

        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

enum wn_status
wn_review_check(const char *staff_id, const char *reason, struct wn_err *err)
{
    size_t staff_len = staff_id == NULL ? 0 : strlen(staff_id);
    size_t reason_len = reason == NULL ? 0 : strlen(reason);

    if (staff_len == 0 || staff_len > WN_REVIEW_STAFF_MAX ||
        !is_utf8(staff_id, staff_len))
        return wn_fail(err, WN_REJECT, "staff must be 1 to %d bytes of UTF-8",
            WN_REVIEW_STAFF_MAX);
    if (reason_len > WN_REVIEW_REASON_MAX || !is_utf8(reason, reason_len))
        return wn_fail(err, WN_REJECT,
            "reason must be at most %d bytes of UTF-8", WN_REVIEW_REASON_MAX);
    return WN_OK;
}

/* What is decided about, with its row locked. */
struct subject {
    int64_t item, id; /* id: of the decision */
    const char *post_id, *staff_id, *reason;
    const enum wn_label *labels;
    enum wn_action action;
    int64_t at_us;
    uint8_t post_salt[WN_SALT], staff_salt[WN_SALT];
};

static enum wn_status
read_salts(struct wn_store *st, struct subject *s, struct wn_err *err)
{
    enum wn_status rc;

    rc = wn_staff_salt(st, s->staff_id, s->staff_salt, err);
    if (rc == WN_OK)
        rc = wn_salt_ready(st,
            "INSERT INTO winnow.post_salt (post_id, salt) VALUES ($1, $2) "
            "ON CONFLICT DO NOTHING",
            "SELECT salt FROM winnow.post_salt WHERE post_id = $1", s->post_id,
            s->post_salt, err);
    return rc;
}

/* Body of a decision's audit row; keys of their own from 32 on. */
static void
decision_body(struct wn_buf *o, const struct subject *s, int32_t source,
    int64_t seq, int64_t ts)
{
    int h;

    wn_cbor_map(o, 12);
    wn_cbor_uint(o, 0);
    wn_cbor_uint(o, 1);
    wn_cbor_uint(o, 1);
    wn_cbor_uint(o, WN_AUDIT_DECISION);
    wn_cbor_uint(o, 2);
    wn_cbor_uint(o, (uint64_t)source);
    wn_cbor_uint(o, 3);
    wn_cbor_uint(o, (uint64_t)seq);
    wn_cbor_uint(o, 5);
    wn_cbor_int(o, ts);
    wn_cbor_uint(o, 7);
    wn_cbor_uint(o, (uint64_t)s->action);
    wn_staff_commitment(o, 17, s->post_salt, WN_COMMIT_POST, s->post_id);
    wn_cbor_uint(o, 32);
    wn_cbor_int(o, s->item);
    wn_cbor_uint(o, 33);
    wn_cbor_int(o, s->id);
    wn_cbor_uint(o, 34);
    wn_cbor_array(o, WN_HEADS);
    for (h = 0; h < WN_HEADS; h++) {
        if (s->labels[h] == WN_LABEL_UNSAID)
            wn_cbor_null(o);
        else
            wn_cbor_bool(o, s->labels[h] == WN_LABEL_YES);
    }
    wn_staff_commitment(o, 35, s->staff_salt, WN_COMMIT_STAFF, s->staff_id);
    wn_staff_commitment(o, 36, s->post_salt, WN_COMMIT_REASON, s->reason);
}

static enum wn_status
insert_decision(
    struct wn_store *st, struct subject *s, const char *ref, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc;
    int h;

    wn_param_int(&p, s->item);
    wn_param_text(&p, s->staff_id);
    for (h = 0; h < WN_HEADS; h++) {
        if (s->labels[h] == WN_LABEL_UNSAID)
            wn_param_text(&p, NULL);
        else
            wn_param_int(&p, s->labels[h]);
    }
    wn_param_int(&p, s->action);
    wn_param_text(&p, s->reason);
    wn_param_text(&p, ref);
    wn_param_time(&p, s->at_us);
    rc = wn_query(st,
        "INSERT INTO winnow.decision (item, staff_id, spam, scam, bait, "
        "ai_text, action, reason, ref, at) VALUES ($1::bigint, $2, $3, $4, "
        "$5, $6, $7, $8, $9, $10::timestamptz) RETURNING id",
        &p, &res, err);
    if (rc != WN_OK)
        return rc;
    s->id = wn_get_int(res, 0, 0);
    PQclear(res);
    return WN_OK;
}

/* The audit row of a decision, the chain moved on, and COMMIT. */
static enum wn_status
audit_and_commit(struct wn_store *st, struct wn_staff_chain *c,
    const struct subject *s, struct wn_err *err)
{
    int64_t ts = wn_clock_now_us();
    struct wn_buf body;

    wn_buf_init(&body, BODY_MAX);
    decision_body(&body, s, c->source, c->seq + 1, ts);
    return wn_staff_commit(st, c, WN_AUDIT_DECISION, ts, &body, err);
}

/* Locks post and item, and holds them against what the person saw. */
static enum wn_status
check_item(struct wn_store *st, const struct wn_decision *d,
    struct wn_arena *arena, struct subject *s, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc;
    const char *state;

    wn_param_int(&p, d->item);
    rc = wn_query(st,
        "SELECT 1 FROM winnow.post_state WHERE post_id = (SELECT post_id "
        "FROM winnow.review_item WHERE id = $1::bigint) FOR UPDATE",
        &p, NULL, err);
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT i.state, i.version, i.post_id, coalesce(i.closed_why, "
            "''), coalesce(p.version, i.version) FROM winnow.review_item i "
            "LEFT JOIN winnow.post_state p USING (post_id) "
            "WHERE i.id = $1::bigint FOR UPDATE OF i",
            &p, &res, err);
    if (rc != WN_OK)
        return rc;
    state = PQntuples(res) == 1 ? PQgetvalue(res, 0, 0) : "";
    if (PQntuples(res) != 1)
        rc = wn_fail(err, WN_REJECT, "no such item");
    else if (strcmp(state, "decided") == 0)
        rc = wn_fail(err, WN_REJECT, "decided already");
    else if (strcmp(state, "closed") == 0)
        rc = wn_fail(err, WN_REJECT, "closed: %s", PQgetvalue(res, 0, 3));
    else if (wn_get_int(res, 0, 1) != wn_get_int(res, 0, 4) ||
             (d->version >= 0 && d->version != wn_get_int(res, 0, 1)))
        rc = wn_fail(err, WN_REJECT, "the post has changed since");
    else {
        s->post_id = wn_get_str(res, 0, 2, arena).p;
        if (s->post_id == NULL)
            rc = wn_fail(err, WN_STOP, "review: out of memory");
    }
    PQclear(res);
    return rc;
}

static enum wn_status
decide(struct wn_store *st, const struct wn_decision *d, struct wn_arena *arena,
    struct subject *s, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    struct wn_staff_chain chain;
    enum wn_status rc;

    rc = wn_query_simple(st, "BEGIN", err);
    if (rc == WN_OK)
        rc = check_item(st, d, arena, s, err);
    if (rc == WN_OK)
        rc = read_salts(st, s, err);
    if (rc == WN_OK)
        rc = insert_decision(st, s, NULL, err);
    wn_param_int(&p, d->item);
    if (rc == WN_OK)
        rc = wn_query(st,
            "UPDATE winnow.review_item SET state = 'decided', closed_at = "
            "clock_timestamp() WHERE id = $1::bigint",
            &p, NULL, err);
    if (rc == WN_OK)
        rc = wn_staff_lock(st, &chain, err);
    if (rc == WN_OK)
        rc = audit_and_commit(st, &chain, s, err);
    if (rc != WN_OK)
        wn_rollback(st);
    return rc;
}

enum wn_status
wn_review_decide(struct wn_store *st, const struct wn_decision *d,
    int64_t *ret_id, struct wn_err *err)
{
    struct subject s = { .item = d->item,
        .staff_id = d->staff_id,
        .reason = d->reason != NULL ? d->reason : "",
        .labels = d->labels,
        .action = d->action,
        .at_us = wn_clock_now_us() };
    struct wn_arena arena;
    enum wn_status rc = wn_review_check(s.staff_id, s.reason, err);

    wn_arena_init(&arena, 4096, 1u << 20);
    if (rc == WN_OK)
        rc = wn_conn_ready(st, err);
    if (rc == WN_OK)
        rc = wn_month_ready(st, s.at_us, err);
    if (rc == WN_OK)
        rc = decide(st, d, &arena, &s, err);
    if (rc == WN_OK && ret_id != NULL)
        *ret_id = s.id;
    wn_arena_release(&arena);
    return rc;
}

/* --- import --- */

/* The post gets a state older than any record, so that a live record of it
 * is still judged. WN_REJECT where it was deleted. */
static enum wn_status
import_post(struct wn_store *st, const struct wn_imported *im, int64_t ts,
    int64_t *ret_version, struct wn_err *err)
{
    static const uint8_t no_hash[WN_SHA256];
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc;

    wn_param_text(&p, im->post_id);
    wn_param_int(&p, WN_TIME_UNKNOWN);
    wn_param_time(&p, ts);
    wn_param_int(&p, 0); /* no source: no record is in line with it */
    wn_param_bytes(&p, no_hash, sizeof(no_hash));
    rc = wn_query(st,
        "INSERT INTO winnow.post_state (post_id, time_us, off, version, ts, "
        "source, deleted, content_hash) VALUES ($1, $2::bigint, -1, 0, "
        "$3::timestamptz, $4::int, false, $5::bytea) ON CONFLICT DO NOTHING",
        &p, NULL, err);
    p.n = 1;
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT deleted, version FROM winnow.post_state "
            "WHERE post_id = $1 FOR UPDATE",
            &p, &res, err);
    if (rc != WN_OK)
        return rc;
    if (PQntuples(res) != 1)
        rc = wn_fail(err, WN_RETRY, "import: the post has just left");
    else if (PQgetvalue(res, 0, 0)[0] == 't')
        rc = wn_fail(err, WN_REJECT, "the post was deleted");
    else
        *ret_version = wn_get_int(res, 0, 1);
    PQclear(res);
    return rc;
}

static enum wn_status
import_rows(struct wn_store *st, const struct wn_imported *im, int64_t ts,
    const struct wn_staff_chain *c, int64_t version, struct subject *s,
    struct wn_err *err)
{
    struct wn_params item = { .n = 0 };
    PGresult *res;
    struct wn_buf text;
    enum wn_status rc;

    wn_param_int(&item, c->source);
    wn_param_int(&item, c->seq + 1);
    wn_param_time(&item, ts);
    wn_param_text(&item, im->post_id);
    wn_param_text(&item, im->author_id);
    wn_param_int(&item, im->action);
    wn_param_int(&item, version);
    rc = wn_query(st,
        "INSERT INTO winnow.review_item (source, off, ts, post_id, author_id, "
        "action, priority, version, state, closed_why, closed_at) VALUES "
        "($1::int, $2::bigint, $3::timestamptz, $4, $5, $6, 0, $7::bigint, "
        "'decided', 'imported', clock_timestamp()) RETURNING id",
        &item, &res, err);
    if (rc != WN_OK)
        return rc;
    s->item = wn_get_int(res, 0, 0);
    PQclear(res);
    wn_buf_init(&text, 64u << 20);
    wn_text_add_clean(&text, im->text);
    item.n = 4;
    wn_param_bytes(&item, text.len > 0 ? text.data : "", text.len);
    if (text.failed)
        rc = wn_fail(err, WN_STOP, "import: out of memory");
    if (rc == WN_OK)
        rc = wn_query(st,
            "INSERT INTO winnow.content (source, off, ts, post_id, text) "
            "VALUES ($1::int, $2::bigint, $3::timestamptz, $4, $5)",
            &item, NULL, err);
    wn_buf_release(&text);
    return rc;
}

static enum wn_status
find_ref(
    struct wn_store *st, const char *ref, bool *ret_known, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc;

    wn_param_text(&p, ref);
    rc = wn_query(
        st, "SELECT 1 FROM winnow.decision WHERE ref = $1", &p, &res, err);
    if (rc != WN_OK)
        return rc;
    *ret_known = PQntuples(res) > 0;
    PQclear(res);
    return WN_OK;
}

/* The post, then the chain, as in a decision. */
static enum wn_status
import(struct wn_store *st, const struct wn_imported *im, int64_t ts,
    struct subject *s, bool *ret_known, struct wn_err *err)
{
    struct wn_staff_chain chain;
    bool known = false;
    enum wn_status rc;
    int64_t version = 0;

    rc = wn_query_simple(st, "BEGIN", err);
    if (rc == WN_OK)
        rc = find_ref(st, im->ref, &known, err);
    if (rc == WN_OK && known) {
        wn_rollback(st);
        *ret_known = true;
        return WN_OK;
    }
    if (rc == WN_OK)
        rc = import_post(st, im, ts, &version, err);
    if (rc == WN_OK)
        rc = wn_staff_lock(st, &chain, err);
    if (rc == WN_OK)
        rc = import_rows(st, im, ts, &chain, version, s, err);
    if (rc == WN_OK)
        rc = read_salts(st, s, err);
    if (rc == WN_OK)
        rc = insert_decision(st, s, im->ref, err);
    if (rc == WN_OK)
        rc = audit_and_commit(st, &chain, s, err);
    if (rc == WN_OK)
        *ret_known = false;
    else
        wn_rollback(st);
    return rc;
}

enum wn_status
wn_review_import(struct wn_store *st, const struct wn_imported *im,
    bool *ret_known, struct wn_err *err)
{
    struct subject s = { .post_id = im->post_id,
        .staff_id = im->staff_id,
        .reason = im->reason != NULL ? im->reason : "",
        .labels = im->labels,
        .action = im->action,
        .at_us = im->at_us };
    int64_t now = wn_clock_now_us();
    enum wn_status rc = wn_review_check(s.staff_id, s.reason, err);
    int64_t ts;

    if (rc == WN_OK)
        rc = wn_conn_ready(st, err);
    if (rc != WN_OK)
        return rc;
    ts = wn_time_clamp(st, now, im->at_us == WN_TIME_UNKNOWN ? now : im->at_us);
    if (im->at_us == WN_TIME_UNKNOWN)
        s.at_us = now;
    rc = wn_month_ready(st, ts, err);
    if (rc == WN_OK)
        rc = wn_month_ready(st, now, err);
    if (rc == WN_OK)
        rc = import(st, im, ts, &s, ret_known, err);
    return rc;
}
