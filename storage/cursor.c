/*
 * Who owns a partition: claims, releases, the attempt journal. Every change
 * names the epoch that it was made under, so a worker that lost its claim
 * changes nothing.
 *
 * A claim tells two kinds of unclean ends apart. An owner that is gone died;
 * an owner whose connection is still there was only frozen or slow, and that
 * counts neither as a death of the record in hand nor as a stall.
 */
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "storage/store_int.h"

#define CLAIM_TRIES 5 /* each waits up to a second for the row */

static void
name_params(struct wn_params *p, const struct wn_source_name *name)
{
    wn_param_text(p, name->kind);
    wn_param_text(p, name->cluster);
    wn_param_text(p, name->topic);
    wn_param_int(p, name->part);
}

enum wn_status
wn_store_known(struct wn_store *st, const struct wn_source_name *name,
    bool *ret_self, bool *ret_sister, char *ret_ident, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    name_params(&p, name);
    wn_param_text(&p, name->ident);
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT coalesce(bool_or(part = $4::int AND ident = $5), false), "
            "coalesce(bool_or(part <> $4::int OR ident <> $5), false), "
            "coalesce((array_agg(ident ORDER BY updated DESC, id DESC))[1], "
            "'') FROM winnow.source_cursor "
            "WHERE kind = $1 AND cluster = $2 AND topic = $3",
            &p, &res, err);
    if (rc != WN_OK)
        return rc;
    *ret_self = PQgetvalue(res, 0, 0)[0] == 't';
    *ret_sister = PQgetvalue(res, 0, 1)[0] == 't';
    if (ret_ident != NULL)
        snprintf(ret_ident, 96, "%s", PQgetvalue(res, 0, 2));
    PQclear(res);
    return WN_OK;
}

/* What every verdict id of this partition begins from. A file's rows hang on
 * its number, because its ident changes as it grows. */
static void
verdict_salt(const struct wn_source_name *name, struct wn_claim *c)
{
    char number[48];
    uint8_t hash[WN_SHA256];
    struct wn_part parts[4];

    snprintf(number, sizeof(number), "%d/%d", (int)name->part,
        strcmp(name->kind, "kafka") == 0 ? 0 : (int)c->source);
    parts[0] = (struct wn_part){ name->kind, strlen(name->kind) + 1 };
    parts[1] = (struct wn_part){ name->cluster, strlen(name->cluster) + 1 };
    parts[2] = (struct wn_part){ name->topic, strlen(name->topic) + 1 };
    parts[3] = (struct wn_part){ number, strlen(number) };
    wn_sha256_parts(parts, 4, hash);
    memcpy(c->verdict_salt, hash, sizeof(c->verdict_salt));
}

/*
 * The claim in one statement after the row is locked: the right-hand sides
 * see the row as it was. $5 whether the owner before us still has a
 * connection; it is asked in the same transaction.
 */
#define CLAIM_SQL                                                              \
    "UPDATE winnow.source_cursor c SET epoch = c.epoch + 1, owner = $2, "      \
    "stalled = CASE WHEN o.owner = '' THEN 0 WHEN o.alive THEN c.stalled "     \
    "WHEN c.next_offset = c.claimed_next THEN c.stalled + 1 ELSE 1 END, "      \
    "careful_until = CASE WHEN o.owner <> '' AND NOT o.alive AND "             \
    "c.next_offset = c.claimed_next AND c.stalled >= 1 THEN "                  \
    "greatest(c.careful_until, c.next_offset + $3::bigint) "                   \
    "ELSE c.careful_until END, "                                               \
    "attempt_deaths = c.attempt_deaths + CASE WHEN o.owner <> '' AND NOT "     \
    "o.alive AND c.attempt_live THEN 1 ELSE 0 END, attempt_live = false, "     \
    "claimed_next = c.next_offset, updated = clock_timestamp() "               \
    "FROM (SELECT owner, EXISTS (SELECT 1 FROM pg_stat_activity a "            \
    "WHERE a.application_name = s.owner AND a.datname = current_database() "   \
    "AND a.pid <> pg_backend_pid()) AS alive FROM winnow.source_cursor s "     \
    "WHERE id = $1::int) o WHERE c.id = $1::int "                              \
    "RETURNING c.id, c.epoch, c.next_offset, c.leader_epoch, c.chain_seq, "    \
    "c.chain_head, o.owner <> '', c.stalled, c.careful_until, "                \
    "c.attempt_offset, c.attempt_deaths"

static void
read_claim(const PGresult *res, struct wn_claim *c)
{
    c->source = wn_get_b32(res, 0, 0);
    c->epoch = wn_get_b64(res, 0, 1);
    c->next_offset = wn_get_b64(res, 0, 2);
    c->leader_epoch = wn_get_b32(res, 0, 3);
    c->chain_seq = wn_get_b64(res, 0, 4);
    memcpy(c->chain_head, PQgetvalue(res, 0, 5), WN_SHA256);
    c->unclean = PQgetvalue(res, 0, 6)[0] != 0;
    c->stalled = wn_get_b32(res, 0, 7);
    c->careful_until = wn_get_b64(res, 0, 8);
    c->attempt_offset = wn_get_b64(res, 0, 9);
    c->attempt_deaths = wn_get_b32(res, 0, 10);
}

/* Locks the row, making it where there is none; its number. */
static enum wn_status
lock_row(struct wn_store *st, const struct wn_source_name *name,
    int64_t start_offset, int32_t *ret, bool *fresh, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc;

    name_params(&p, name);
    wn_param_text(&p, name->ident);
    wn_param_int(&p, start_offset);
    rc = wn_query(st,
        "INSERT INTO winnow.source_cursor (kind, cluster, topic, part, ident, "
        "next_offset) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT DO NOTHING",
        &p, &res, err);
    if (rc != WN_OK)
        return rc;
    *fresh = strcmp(PQcmdTuples(res), "1") == 0;
    PQclear(res);
    p.n = 5;
    rc = wn_query(st,
        "SELECT id FROM winnow.source_cursor WHERE kind = $1 AND cluster = $2 "
        "AND topic = $3 AND part = $4 AND ident = $5 FOR UPDATE",
        &p, &res, err);
    if (rc != WN_OK)
        return rc;
    *ret = (int32_t)wn_get_int(res, 0, 0);
    PQclear(res);
    return WN_OK;
}

static enum wn_status
claim_once(struct wn_store *st, const struct wn_source_name *name,
    int64_t start_offset, struct wn_claim *c, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res = NULL;
    enum wn_status rc;
    int32_t id = 0;

    rc = wn_query_simple(st, "BEGIN; SET LOCAL lock_timeout = '1s'", err);
    if (rc == WN_OK)
        rc = lock_row(st, name, start_offset, &id, &c->fresh, err);
    if (rc == WN_OK) {
        wn_param_int(&p, id);
        wn_param_text(&p, st->instance);
        wn_param_int(&p, WN_CAREFUL_RUN);
        rc = wn_query_binary(st, CLAIM_SQL, &p, &res, err);
    }
    if (rc == WN_OK)
        read_claim(res, c);
    PQclear(res);
    if (rc == WN_OK)
        rc = wn_query_simple(st, "COMMIT", err);
    if (rc != WN_OK)
        wn_rollback(st);
    return rc;
}

/* Ends whoever sits on the row: the transaction in its xmax, or, where
 * several share it, what its owner has open. */
static void
end_holder(struct wn_store *st, const struct wn_source_name *name)
{
    struct wn_params p = { .n = 0 };
    struct wn_err ignored;

    name_params(&p, name);
    wn_param_text(&p, name->ident);
    wn_query(st,
        "SELECT pg_terminate_backend(l.pid) FROM winnow.source_cursor c "
        "JOIN pg_locks l ON l.locktype = 'transactionid' AND l.granted AND "
        "l.mode = 'ExclusiveLock' LEFT JOIN pg_stat_activity a USING (pid) "
        "WHERE c.kind = $1 AND c.cluster = $2 AND c.topic = $3 AND "
        "c.part = $4 AND c.ident = $5 AND l.pid <> pg_backend_pid() AND "
        "(l.transactionid = c.xmax OR (a.application_name = c.owner AND "
        "a.state LIKE 'idle in transaction%'))",
        &p, NULL, &ignored);
}

enum wn_status
wn_store_claim(struct wn_store *st, const struct wn_source_name *name,
    int64_t start_offset, struct wn_claim *ret, struct wn_err *err)
{
    struct wn_claim c;
    enum wn_status rc = WN_OK;
    int tries;

    for (tries = 0; tries < CLAIM_TRIES; tries++) {
        memset(&c, 0, sizeof(c));
        rc = wn_conn_ready(st, err);
        if (rc == WN_OK)
            rc = claim_once(st, name, start_offset, &c, err);
        if (rc != WN_RETRY || strcmp(st->sqlstate, "55P03") != 0)
            break;
        end_holder(st, name);
    }
    if (rc != WN_OK)
        return rc == WN_REJECT ? wn_fail_in(err, WN_STOP, "claim") : rc;
    verdict_salt(name, &c);
    *ret = c;
    return WN_OK;
}

/* Runs an UPDATE that names id and epoch and must change one row. */
static enum wn_status
fenced_update(struct wn_store *st, const char *sql, const struct wn_params *p,
    PGresult **ret, struct wn_err *err)
{
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    if (rc == WN_OK)
        rc = wn_query(st, sql, p, &res, err);
    if (rc != WN_OK)
        return rc;
    if (strcmp(PQcmdTuples(res), "1") != 0) {
        PQclear(res);
        return wn_fail(
            err, WN_FENCED, "source %s: another owner has it", p->v[0]);
    }
    if (ret != NULL)
        *ret = res;
    else
        PQclear(res);
    return WN_OK;
}

enum wn_status
wn_store_release(
    struct wn_store *st, const struct wn_claim *claim, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };

    wn_param_int(&p, claim->source);
    wn_param_int(&p, claim->epoch);
    return fenced_update(st,
        "UPDATE winnow.source_cursor SET owner = '', attempt_live = false, "
        "stalled = 0, updated = clock_timestamp() "
        "WHERE id = $1::int AND epoch = $2::bigint",
        &p, NULL, err);
}

enum wn_status
wn_store_reident(struct wn_store *st, const struct wn_claim *claim,
    const char *ident, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };

    wn_param_int(&p, claim->source);
    wn_param_int(&p, claim->epoch);
    wn_param_text(&p, ident);
    return fenced_update(st,
        "UPDATE winnow.source_cursor SET ident = $3, "
        "updated = clock_timestamp() "
        "WHERE id = $1::int AND epoch = $2::bigint",
        &p, NULL, err);
}

enum wn_status
wn_store_cursor(struct wn_store *st, int32_t source, int64_t *ret_epoch,
    int64_t *ret_next, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    wn_param_int(&p, source);
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT epoch, next_offset FROM winnow.source_cursor "
            "WHERE id = $1::int",
            &p, &res, err);
    if (rc != WN_OK)
        return rc;
    if (PQntuples(res) != 1) {
        PQclear(res);
        return wn_fail(err, WN_STOP, "source %d: it has no cursor", source);
    }
    *ret_epoch = wn_get_int(res, 0, 0);
    *ret_next = wn_get_int(res, 0, 1);
    PQclear(res);
    return WN_OK;
}

enum wn_status
wn_store_attempt(struct wn_store *st, struct wn_claim *claim, int64_t offset,
    int *ret_deaths, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc;

    wn_param_int(&p, claim->source);
    wn_param_int(&p, claim->epoch);
    wn_param_int(&p, offset);
    rc = fenced_update(st,
        "UPDATE winnow.source_cursor SET attempt_live = true, "
        "attempt_offset = $3::bigint, attempt_deaths = CASE WHEN "
        "attempt_offset = $3::bigint THEN attempt_deaths ELSE 0 END "
        "WHERE id = $1::int AND epoch = $2::bigint RETURNING attempt_deaths",
        &p, &res, err);
    if (rc != WN_OK)
        return rc;
    claim->attempt_offset = offset;
    claim->attempt_deaths = (int)wn_get_int(res, 0, 0);
    *ret_deaths = claim->attempt_deaths;
    PQclear(res);
    return WN_OK;
}
