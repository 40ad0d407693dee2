/*
 * Who owns a partition: claims, releases, the attempt journal. Every change is
 * a function of the owner's (migrations/0006) that names the epoch it is made
 * under, so a worker that lost its claim changes nothing: MF001.
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
    c->fresh = PQgetvalue(res, 0, 11)[0] != 0;
}

static enum wn_status
claim_once(struct wn_store *st, const struct wn_source_name *name,
    int64_t start_offset, struct wn_claim *c, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc;

    name_params(&p, name);
    wn_param_text(&p, name->ident);
    wn_param_int(&p, start_offset);
    wn_param_text(&p, st->instance);
    wn_param_int(&p, strcmp(name->kind, "file") == 0 ? WN_CAREFUL_BYTES
                                                     : WN_CAREFUL_RECORDS);
    rc = wn_query_binary(st,
        "SELECT * FROM winnow.cursor_claim($1, $2, $3, $4::int, $5, "
        "$6::bigint, $7, $8::bigint)",
        &p, &res, err);
    if (rc != WN_OK)
        return rc;
    read_claim(res, c);
    PQclear(res);
    return WN_OK;
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

enum wn_status
wn_store_release(
    struct wn_store *st, const struct wn_claim *claim, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    enum wn_status rc = wn_conn_ready(st, err);

    wn_param_int(&p, claim->source);
    wn_param_int(&p, claim->epoch);
    if (rc == WN_OK)
        rc = wn_query(st, "SELECT winnow.cursor_release($1::int, $2::bigint)",
            &p, NULL, err);
    return rc;
}

enum wn_status
wn_store_reident(struct wn_store *st, const struct wn_claim *claim,
    const char *ident, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    enum wn_status rc = wn_conn_ready(st, err);

    wn_param_int(&p, claim->source);
    wn_param_int(&p, claim->epoch);
    wn_param_text(&p, ident);
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT winnow.cursor_reident($1::int, $2::bigint, $3)", &p, NULL,
            err);
    return rc;
}

enum wn_status
wn_store_attempt(struct wn_store *st, struct wn_claim *claim, int64_t offset,
    int *ret_deaths, struct wn_err *err)
{
    struct wn_params p = { .n = 0 };
    PGresult *res;
    enum wn_status rc = wn_conn_ready(st, err);

    wn_param_int(&p, claim->source);
    wn_param_int(&p, claim->epoch);
    wn_param_int(&p, offset);
    if (rc == WN_OK)
        rc = wn_query(st,
            "SELECT winnow.cursor_attempt($1::int, $2::bigint, $3::bigint)", &p,
            &res, err);
    if (rc != WN_OK)
        return rc;
    claim->attempt_offset = offset;
    claim->attempt_deaths = (int)wn_get_int(res, 0, 0);
    *ret_deaths = claim->attempt_deaths;
    PQclear(res);
    return WN_OK;
}
