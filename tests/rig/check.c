/*
 * The checker of the fault rig. Plain and slow on purpose: sort, walk, count.
 */
#include "tests/rig/check.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
die(const char *what, const char *why)
{
    fprintf(stderr, "check: %s: %s\n", what, why);
    exit(3);
}

static void *
grow(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return p;
    *cap = *cap == 0 ? 1024 : *cap * 2;
    p = realloc(p, *cap * size);
    if (p == NULL)
        die("ledger", "out of memory");
    return p;
}

void
ledger_add(struct ledger *l, int32_t part, int64_t offset, uint64_t serial)
{
    l->rows = grow(l->rows, l->n, &l->cap, sizeof(*l->rows));
    l->rows[l->n++] = (struct ledger_row){ part, offset, serial };
}

void
ledger_free(struct ledger *l)
{
    free(l->rows);
    *l = (struct ledger){ 0 };
}

void
ids_add(struct ids *ids, const uint8_t id[16])
{
    ids->id = grow(ids->id, ids->n, &ids->cap, 16);
    memcpy(ids->id[ids->n++], id, 16);
}

void
ids_free(struct ids *ids)
{
    free(ids->id);
    *ids = (struct ids){ 0 };
}

static int
by_place(const void *a, const void *b)
{
    const struct ledger_row *x = a, *y = b;

    if (x->part != y->part)
        return x->part < y->part ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int
by_id(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static PGresult *
ask(PGconn *db, const char *sql, const char *arg, int format)
{
    const char *args[1] = { arg };
    PGresult *r = PQexecParams(
        db, sql, arg != NULL ? 1 : 0, NULL, args, NULL, NULL, format);

    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        die(sql, PQerrorMessage(db));
    return r;
}

static int64_t
number(PGresult *r, int row, int col)
{
    return strtoll(PQgetvalue(r, row, col), NULL, 10);
}

/* The row of the (sorted) ledger at a place, or NULL. */
static const struct ledger_row *
find(const struct ledger *l, int32_t part, int64_t offset)
{
    struct ledger_row key = { part, offset, 0 };

    return bsearch(&key, l->rows, l->n, sizeof(key), by_place);
}

/* Counts rows of (part, off) against the ledger: one each is right. */
static void
count_places(PGconn *db, const char *sql, const char *topic,
    const struct ledger *l, int64_t *missing, int64_t *doubled,
    int64_t *foreign)
{
    PGresult *r = ask(db, sql, topic, 0);
    uint8_t *seen = calloc(l->n + 1, 1);

    if (seen == NULL)
        die("count", "out of memory");
    for (int i = 0; i < PQntuples(r); i++) {
        const struct ledger_row *row =
            find(l, (int32_t)number(r, i, 0), number(r, i, 1));

        if (row == NULL)
            ++*foreign;
        else if (seen[row - l->rows]++ != 0)
            ++*doubled;
    }
    for (size_t i = 0; i < l->n; i++)
        *missing += seen[i] == 0;
    free(seen);
    PQclear(r);
}

/* Recomputes every leaf and the chain of one partition, and compares. Of rows
 * that left with their partition there is the leaf alone; a leaf that differs
 * from the one of a row still here comes twice and breaks the chain. */
static void
check_chain(PGconn *db, const char *source, const char *head, int64_t rows,
    struct findings *f)
{
    PGresult *r = ask(db,
        "SELECT seq, body, leaf FROM winnow.audit WHERE source = $1::int "
        "UNION ALL SELECT l.seq, NULL, l.leaf FROM winnow.audit_left l WHERE "
        "l.source = $1::int AND NOT EXISTS (SELECT 1 FROM winnow.audit a "
        "WHERE a.source = l.source AND a.seq = l.seq AND a.leaf = l.leaf) "
        "ORDER BY 1",
        source, 1);
    uint8_t h[32] = { 0 }, leaf[32], buf[65];
    char hex[65];
    bool holds = PQntuples(r) == rows;

    for (int i = 0; i < PQntuples(r); i++) {
        crypto_hash_sha256_state s;
        uint8_t zero = 0;

        crypto_hash_sha256_init(&s);
        crypto_hash_sha256_update(&s, &zero, 1);
        crypto_hash_sha256_update(&s, (uint8_t *)PQgetvalue(r, i, 1),
            (unsigned long long)PQgetlength(r, i, 1));
        crypto_hash_sha256_final(&s, leaf);
        if (PQgetlength(r, i, 2) != 32)
            f->broken_leaves++;
        else if (PQgetisnull(r, i, 1))
            memcpy(leaf, PQgetvalue(r, i, 2), 32);
        else if (memcmp(leaf, PQgetvalue(r, i, 2), 32) != 0)
            f->broken_leaves++;
        memcpy(buf, h, 32);
        memcpy(buf + 32, leaf, 32);
        crypto_hash_sha256(h, buf, 64);
    }
    sodium_bin2hex(hex, sizeof(hex), h, 32);
    if (strcmp(hex, head) != 0)
        holds = false;
    f->broken_chains += !holds;
    PQclear(r);
}

static void
check_cursors(PGconn *db, const char *topic, const int64_t *ends, size_t parts,
    struct findings *f)
{
    PGresult *r = ask(db,
        "SELECT id, part, next_offset, encode(chain_head, 'hex'), chain_seq "
        "FROM winnow.source_cursor WHERE kind = 'kafka' AND topic = $1",
        topic, 0);

    f->behind = (int64_t)parts;
    for (int i = 0; i < PQntuples(r); i++) {
        int64_t part = number(r, i, 1);

        if (part < (int64_t)parts && number(r, i, 2) >= ends[part])
            f->behind--;
        check_chain(
            db, PQgetvalue(r, i, 0), PQgetvalue(r, i, 3), number(r, i, 4), f);
    }
    PQclear(r);
}

/* Each verdict that goes out must be on the topic, and nothing else. */
static void
check_outputs(
    PGconn *db, const char *topic, struct ids *ids, struct findings *f)
{
    PGresult *r = ask(db,
        "SELECT v.verdict_id FROM winnow.verdict v JOIN winnow.source_cursor c"
        " ON c.id = v.source WHERE c.topic = $1 AND v.outcome IN (1, 2)",
        topic, 1);
    struct ids want = { 0 };
    size_t i = 0, k = 0;

    for (int row = 0; row < PQntuples(r); row++)
        ids_add(&want, (uint8_t *)PQgetvalue(r, row, 0));
    PQclear(r);
    if (want.n > 0)
        qsort(want.id, want.n, 16, by_id);
    if (ids->n > 0)
        qsort(ids->id, ids->n, 16, by_id);
    while (i < want.n || k < ids->n) {
        int c = i == want.n   ? 1
                : k == ids->n ? -1
                              : memcmp(want.id[i], ids->id[k], 16);

        f->outputs_missing += c < 0;
        f->outputs_foreign += c > 0;
        for (size_t first = k; c == 0 && k + 1 < ids->n &&
                               memcmp(ids->id[k + 1], ids->id[first], 16) == 0;
             k++)
            f->outputs_again++;
        i += c <= 0;
        k += c >= 0;
    }
    ids_free(&want);
}

void
check(PGconn *db, const char *topic, const struct ledger *l,
    const int64_t *ends, size_t parts, struct ids *ids, struct findings *ret)
{
    struct findings f = { .records = (int64_t)l->n };
    int64_t foreign_audit = 0;
    PGresult *r;

    qsort(l->rows, l->n, sizeof(*l->rows), by_place);
    count_places(db,
        "SELECT c.part, v.off FROM winnow.verdict v JOIN winnow.source_cursor "
        "c ON c.id = v.source WHERE c.kind = 'kafka' AND c.topic = $1",
        topic, l, &f.lost, &f.doubled_verdicts, &f.foreign);
    count_places(db,
        "SELECT c.part, a.off FROM winnow.audit a JOIN winnow.source_cursor c "
        "ON c.id = a.source WHERE c.kind = 'kafka' AND c.topic = $1",
        topic, l, &f.missing_audit, &f.doubled_audit, &foreign_audit);
    f.foreign += foreign_audit;
    r = ask(db,
        "SELECT count(*) FROM winnow.dead_letter WHERE cause LIKE 'crash%'",
        NULL, 0);
    f.quarantined = number(r, 0, 0);
    PQclear(r);
    check_cursors(db, topic, ends, parts, &f);
    if (ids != NULL)
        check_outputs(db, topic, ids, &f);
    *ret = f;
}

int64_t
check_print(const struct findings *f, bool deaths)
{
    const struct {
        const char *name;
        int64_t n;
        bool must_be_zero;
    } lines[] = {
        { "records in the ledger", f->records, false },
        { "lost", f->lost, true },
        { "doubled verdicts", f->doubled_verdicts, true },
        { "doubled audit rows", f->doubled_audit, true },
        { "missing audit rows", f->missing_audit, true },
        { "rows nobody sent", f->foreign, true },
        { "quarantined", f->quarantined, true },
        { "broken chains", f->broken_chains, true },
        { "broken leaves", f->broken_leaves, true },
        { "partitions behind", f->behind, true },
        { "output ids missing", f->outputs_missing, true },
        { "output ids nobody made", f->outputs_foreign, true },
        { "output messages repeated", f->outputs_again, !deaths },
    };
    int64_t bad = 0;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        printf("  %-26s %10" PRId64 "%s\n", lines[i].name, lines[i].n,
            lines[i].must_be_zero && lines[i].n != 0 ? "  <-- must be 0" : "");
        if (lines[i].must_be_zero)
            bad += lines[i].n;
    }
    return bad;
}
