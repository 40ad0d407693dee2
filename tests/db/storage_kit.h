/* What the database tests of storage share: a migrated database each, items
 * made by hand, stores that connect as the worker role. */
#ifndef WN_TESTS_DB_STORAGE_KIT_H
#define WN_TESTS_DB_STORAGE_KIT_H

#include <math.h>

#include "core/clock.h"
#include "storage/store.h"
#include "tests/lib/pg.h"
#include "tests/lib/test.h"

struct kit {
    struct wn_pg *pg;
    char db[32];
    const char *admin, *worker;
    struct wn_store *stores[8];
    size_t stores_n;
    struct wn_item *items[4096];
    size_t items_n;
};
static struct wn_pg *kit_pg;
static int kit_dbs;

/* A fresh database with the whole schema, and a login role in the group. */
static inline void
kit_open(struct kit *k)
{
    struct wn_err err;
    int applied = 0;

    memset(k, 0, sizeof(*k));
    if (kit_pg == NULL) {
        kit_pg = wn_pg_start(true);
        wn_pg_exec(kit_pg, "postgres", "CREATE ROLE worker LOGIN");
    }
    k->pg = kit_pg;
    snprintf(k->db, sizeof(k->db), "t%d", ++kit_dbs);
    wn_pg_create_db(k->pg, k->db);
    k->admin = wn_pg_conninfo(k->pg, k->db, "admin");
    k->worker = wn_pg_conninfo(k->pg, k->db, "worker");
    assert_wn_ok(wn_migrate(k->admin, NULL, NULL, &applied, &err), &err);
    assert_true(applied > 0);
    wn_pg_exec(k->pg, k->db, "GRANT winnow_worker TO worker");
}

static inline struct wn_store *
kit_store(struct kit *k, const char *conninfo, const char *instance)
{
    struct wn_store_conf conf = { .conninfo = conninfo,
        .instance = instance,
        .retention_days = 180,
        .want_verdicts = true,
        .want_dead = true };
    struct wn_err err;

    assert_true(k->stores_n < 8);
    assert_wn_ok(wn_store_open(&k->stores[k->stores_n], &conf, &err), &err);
    return k->stores[k->stores_n++];
}

static inline void
kit_close(struct kit *k)
{
    while (k->stores_n > 0)
        wn_store_free(k->stores[--k->stores_n]);
    while (k->items_n > 0)
        wn_item_free(k->items[--k->items_n]);
}

static inline struct wn_claim
kit_claim(struct wn_store *st, int part)
{
    struct wn_source_name name = { "kafka", "cluster", "posts", part, "" };
    struct wn_claim c;
    struct wn_err err;

    assert_wn_ok(wn_store_claim(st, &name, 0, &c, &err), &err);
    return c;
}

static inline struct wn_str
kit_str(struct wn_item *item, const char *s)
{
    size_t len = strlen(s);

    return (struct wn_str){ wn_arena_strndup(&item->arena, s, len), len };
}

/* A scored post; the caller changes what its case is about. */
static inline struct wn_item *
kit_item(struct kit *k, const struct wn_claim *c, int64_t offset,
    const char *id, const char *text)
{
    struct wn_item *it = wn_item_new(1u << 20);

    assert_non_null(it);
    assert_true(k->items_n < 4096);
    k->items[k->items_n++] = it;
    it->rec = (struct wn_record){ .source = c->source,
        .offset = offset,
        .next = offset + 1,
        .time_us = wn_clock_now_us() - 1000000 + offset,
        .leader_epoch = 3 };
    it->rec.raw = kit_str(it, text);
    it->rec.key = kit_str(it, id);
    it->post.id = kit_str(it, id);
    it->post.author_id = kit_str(it, "author-1");
    it->post.text = kit_str(it, text);
    it->post.created_us = WN_TIME_UNKNOWN;
    wn_sha256(text, strlen(text), it->post.content_hash);
    it->sig.v[WN_SIG_SCORE_SPAM] = wn_value_double(0.25);
    it->sig.v[WN_SIG_SCORE_SCAM] = wn_value_double(0.75);
    it->sig.v[WN_SIG_FLAG_SCAM] = wn_value_bool(true);
    it->sig.v[WN_SIG_TEXT_WORDS] = wn_value_int(4);
    it->sig.v[WN_SIG_POST_TEXT] = wn_value_str(text, strlen(text));
    it->sig.v[WN_SIG_AUTHOR_HANDLE] =
        wn_value_str(it->post.text.p, it->post.text.len);
    it->verdict.action = WN_LABEL;
    it->verdict.reasons_n = 1;
    it->verdict.reasons[0] = (struct wn_reason){ kit_str(it, "scam-link"),
        kit_str(it, "scam"), kit_str(it, "Scam wording, \"4\" words") };
    it->outcome = WN_SCORED;
    it->model_version = "model-1";
    it->policy_version = "default/7";
    it->text_version = 1;
    return it;
}

static inline struct wn_item *
kit_delete(
    struct kit *k, const struct wn_claim *c, int64_t offset, const char *id)
{
    struct wn_item *it = kit_item(k, c, offset, id, "");

    it->post.event = WN_POST_DELETED;
    it->post.author_id = (struct wn_str){ NULL, 0 };
    it->post.text = (struct wn_str){ NULL, 0 };
    it->outcome = WN_OUT_NONE;
    memset(&it->sig, 0, sizeof(it->sig));
    memset(&it->verdict, 0, sizeof(it->verdict));
    return it;
}

static inline struct wn_item *
kit_dead(
    struct kit *k, const struct wn_claim *c, int64_t offset, const char *raw)
{
    struct wn_item *it = kit_item(k, c, offset, "x", raw);

    it->post = (struct wn_post){ .created_us = WN_TIME_UNKNOWN };
    it->outcome = WN_DEAD;
    it->cause = kit_str(it, "json: byte 3: a colon is missing");
    memset(&it->sig, 0, sizeof(it->sig));
    memset(&it->verdict, 0, sizeof(it->verdict));
    return it;
}

/* Commits one item that must go through. */
static inline enum wn_outcome
kit_commit(struct wn_store *st, struct wn_claim *c, struct wn_item *it)
{
    struct wn_err err;

    assert_wn_ok(
        wn_store_commit(st, c, &it, 1, it->rec.offset + 1, &err), &err);
    return it->outcome;
}

static inline long long
kit_count(struct kit *k, const char *sql)
{
    return wn_pg_number(k->pg, k->db, sql);
}

/* Chains that do not hold, recomputed by the database itself from bodies, and
 * from the leaves of rows that left: code that has nothing of ours. */
static inline long long
kit_broken_chains(struct kit *k)
{
    return kit_count(k,
        "WITH RECURSIVE r AS (SELECT source, seq, CASE WHEN leaf = "
        "sha256('\\x00'::bytea || body) THEN leaf END AS leaf FROM "
        "winnow.audit UNION SELECT source, seq, leaf FROM winnow.audit_left), "
        "a AS (SELECT source, seq, leaf, row_number() OVER (PARTITION BY "
        "source ORDER BY seq) AS n FROM r), h AS (SELECT id AS source, "
        "0::bigint AS n, decode(repeat('00', 32), 'hex') AS head FROM "
        "winnow.source_cursor UNION ALL SELECT a.source, a.n, sha256(h.head "
        "|| a.leaf) FROM h JOIN a ON a.source = h.source AND a.n = h.n + 1 "
        "AND a.seq = a.n) SELECT count(*) FROM winnow.source_cursor c WHERE "
        "NOT EXISTS (SELECT 1 FROM h WHERE h.source = c.id AND h.n = "
        "c.chain_seq AND h.head = c.chain_head) OR c.chain_seq <> (SELECT "
        "count(*) FROM r WHERE r.source = c.id)");
}

static inline void
kit_check_chains(struct kit *k)
{
    assert_int_equal(kit_broken_chains(k), 0);
}

#endif
