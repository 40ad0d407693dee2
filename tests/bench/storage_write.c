/*
 * The write path of the database alone: rows as `winnow run` writes them, one
 * connection, durable commits, a private PostgreSQL with fsync on.
 *
 *   pairs     verdict and audit rows only
 *   whole     all that a scored post leaves: content, state and salt of the
 *             post, outbox too
 *   rows      the pairs again, one prepared INSERT a row and a round trip
 *             each, with one commit per same batch
 *
 * The three take turns in every round; medians of the rounds are printed and
 * written to $BUILD/bench/store.json (BUILD: build).
 */
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "storage/batch_int.h"
#include "tests/lib/pg.h"

#define BATCH_MAX 5000
#define ROUNDS 5
#define ROWS_A_TURN 10000 /* at least; a turn has whole batches */
#define WARM_TURNS 8
#define MODES 3

static const char *const mode_names[MODES] = { "pairs", "whole", "rows" };
static const int batches[] = { 1000, 2000, 5000 };
#define BATCHES (sizeof(batches) / sizeof(batches[0]))

static struct wn_pg *pg;
static struct wn_store *st;
static struct wn_claim claim;
static struct wn_item *items[BATCH_MAX];
static char ids[BATCH_MAX][24];
static PGconn *conn;
static PGresult *samples[2]; /* rows of verdict and audit, binary */
static int64_t serial;

static void
die(const char *what, const char *why)
{
    fprintf(stderr, "bench-store: %s: %s\n", what, why);
    exit(1);
}

static void
must(enum wn_status rc, const char *what, const struct wn_err *err)
{
    if (rc != WN_OK)
        die(what, err->text);
}

static double
now_s(void)
{
    return (double)wn_clock_mono_us() / 1e6;
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double
median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof(*v), by_value);
    return v[n / 2];
}

/* Milliseconds that this disk needs to make 8 KiB durable. */
static double
fdatasync_ms(void)
{
    char path[128], page[8192];
    double took[41], t;
    int fd, i;

    memset(page, 'w', sizeof(page));
    snprintf(path, sizeof(path), "%s/sync", wn_pg_host(pg));
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || posix_fallocate(fd, 0, 64 * 8192) != 0 || fsync(fd) != 0)
        die(path, strerror(errno));
    for (i = 0; i < 41; i++) {
        t = now_s();
        if (pwrite(fd, page, sizeof(page), i * 8192) < 0 || fdatasync(fd) != 0)
            die(path, strerror(errno));
        took[i] = (now_s() - t) * 1e3;
    }
    close(fd);
    unlink(path);
    return median(took, 41);
}

static struct wn_str
put(struct wn_item *it, const char *s)
{
    return (
        struct wn_str){ wn_arena_strndup(&it->arena, s, strlen(s)), strlen(s) };
}

/* The numbers that a scored post has; every seventh is flagged. */
static void
fill_signals(struct wn_item *it, int i)
{
    struct wn_value *v = it->sig.v;
    int s;

    for (s = WN_SIG_SCORE_SPAM; s <= WN_SIG_SCORE_AI_TEXT; s++)
        v[s] = wn_value_double((double)(i * 37 + s * 101) / 200000.0);
    for (s = WN_SIG_FLAG_SPAM; s <= WN_SIG_FLAG_AI_TEXT; s++)
        v[s] = wn_value_bool(i % 7 == 0 && s == WN_SIG_FLAG_SCAM);
    for (s = WN_SIG_TEXT_CHARS; s <= WN_SIG_TEXT_LINKS_HIDDEN; s++)
        v[s] = wn_value_int(i % 90);
    v[WN_SIG_TEXT_UNREAD_SHARE] = wn_value_double(0);
    v[WN_SIG_TEXT_INSUFFICIENT] = wn_value_bool(i % 3 == 0);
    v[WN_SIG_POST_LANG] = wn_value_str("en", 2);
    v[WN_SIG_POST_REPLY] = wn_value_bool(false);
    v[WN_SIG_POST_EDITED] = wn_value_bool(false);
    v[WN_SIG_POST_MEDIA] = wn_value_int(0);
    v[WN_SIG_AUTHOR_AGE_DAYS] = wn_value_double(i % 400 + 0.5);
    v[WN_SIG_AUTHOR_FOLLOWERS] = wn_value_int(i % 3000);
    v[WN_SIG_AUTHOR_FOLLOWING] = wn_value_int(i % 500);
    v[WN_SIG_INGEST_BAD_MEMBERS] = wn_value_int(0);
    v[WN_SIG_POST_TEXT] = wn_value_str(it->post.text.p, it->post.text.len);
    v[WN_SIG_AUTHOR_ID] =
        wn_value_str(it->post.author_id.p, it->post.author_id.len);
}

static struct wn_item *
make_item(int i)
{
    static const char text[] =
        "Walked the old harbour this morning; the ferry was late again but "
        "the light on the water made up for it. Who else is out there today?";
    struct wn_item *it = wn_item_new(1u << 20);
    char author[32], raw[1024];

    if (it == NULL)
        die("item", "out of memory");
    snprintf(author, sizeof(author), "author-%d", i * 7919 % 50000);
    snprintf(raw, sizeof(raw),
        "{\"type\":\"post.created\",\"post\":{\"id\":\"p0000000000000\","
        "\"created_at\":\"2026-11-23T09:00:00Z\",\"lang\":\"en\",\"surface\":"
        "\"feed\",\"text\":\"%s\",\"author\":{\"id\":\"%s\",\"created_at\":"
        "\"2025-01-02T03:04:05Z\",\"followers\":12,\"following\":900}}}",
        text, author);
    it->rec.raw = put(it, raw);
    it->post.text = put(it, text);
    it->post.author_id = put(it, author);
    it->post.created_us = WN_TIME_UNKNOWN;
    fill_signals(it, i);
    if (i % 7 == 0) {
        it->verdict.action = WN_LABEL;
        it->verdict.reasons_n = 1;
        it->verdict.reasons[0] = (struct wn_reason){ put(it, "scam-words"),
            put(it, "scam"), put(it, "Scam wording, account 30 days old") };
    }
    it->model_version = "winnow-2026.11.0123456789ab";
    it->policy_version = "default/7 sha256:0123456789abcdef";
    it->text_version = 1;
    return it;
}

/* The next n posts of the partition, all new. */
static void
renew(int n)
{
    int i;

    for (i = 0; i < n; i++) {
        struct wn_item *it = items[i];

        /* ids of a platform come in no order of ours */
        snprintf(ids[i], sizeof(ids[i]), "p%015llx",
            (unsigned long long)((uint64_t)++serial *
                                     UINT64_C(0x9e3779b97f4a7c15) >>
                                 4));
        it->rec.source = claim.source;
        it->rec.offset = claim.next_offset + i;
        it->rec.next = it->rec.offset + 1;
        it->rec.time_us = wn_clock_now_us();
        it->rec.leader_epoch = 1;
        it->post.id = (struct wn_str){ ids[i], strlen(ids[i]) };
        it->outcome = WN_SCORED;
        memcpy(it->post.content_hash, &serial, sizeof(serial));
    }
}

static void
commit_batch(int n)
{
    struct wn_err err;

    must(wn_store_commit(
             st, &claim, items, (size_t)n, claim.next_offset + n, &err),
        "commit", &err);
}

/* One row again, at an offset of its own. */
static void
insert_row(int table, int row, int64_t off)
{
    static const char *const names[2] = { "v", "a" };
    /* columns that make the row another one: off; seq and off */
    const char *values[32];
    int lens[32], formats[32], i, fields = PQnfields(samples[table]);
    PGresult *res;
    char number[8];

    for (i = 0; i < 8; i++)
        number[i] = (char)((uint64_t)off >> (56 - 8 * i));
    for (i = 0; i < fields; i++) {
        bool null = PQgetisnull(samples[table], row, i) != 0;

        values[i] = null ? NULL : PQgetvalue(samples[table], row, i);
        lens[i] = PQgetlength(samples[table], row, i);
        formats[i] = 1;
        if (i == 1 || (table == 1 && i == 2))
            values[i] = number;
    }
    res = PQexecPrepared(conn, names[table], fields, values, lens, formats, 1);
    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        die("insert", PQerrorMessage(conn));
    PQclear(res);
}

static void
sql(const char *text)
{
    PGresult *res = PQexec(conn, text);

    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        die(text, PQerrorMessage(conn));
    PQclear(res);
}

static void
insert_batch(int n)
{
    int i;

    sql("BEGIN");
    for (i = 0; i < n; i++) {
        insert_row(0, i, ++serial + (INT64_C(1) << 40));
        insert_row(1, i, serial + (INT64_C(1) << 40));
    }
    sql("COMMIT");
}

/* Posts a second of one turn. */
static double
turn(int mode, int batch)
{
    double took = 0, t;
    int done = 0;

    st->bare_rows = mode != 1;
    st->want_verdicts = mode == 1;
    st->tables = mode == 1 ? ~0u : 1u << WN_T_VERDICT | 1u << WN_T_AUDIT;
    while (done < (mode == 2 ? ROWS_A_TURN / 2 : ROWS_A_TURN)) {
        renew(batch);
        t = now_s();
        if (mode == 2)
            insert_batch(batch);
        else
            commit_batch(batch);
        took += now_s() - t;
        done += batch;
    }
    return done / took;
}

static void
prepare_rows(void)
{
    static const char *const select[2] = {
        "SELECT ts, off, revision, time_raw, made_at, verdict_id, source, "
        "flags, skipped, model, policy, outcome, action, text_version, "
        "post_id, author_id, reasons, notes, signals FROM winnow.verdict "
        "ORDER BY off LIMIT 5000",
        "SELECT ts, seq, off, source, kind, body, leaf FROM winnow.audit "
        "ORDER BY seq LIMIT 5000",
    };
    int i;

    conn = PQconnectdb(wn_pg_conninfo(pg, "bench", "admin"));
    for (i = 0; i < 2; i++) {
        samples[i] =
            PQexecParams(conn, select[i], 0, NULL, NULL, NULL, NULL, 1);
        if (PQntuples(samples[i]) < BATCH_MAX)
            die(select[i], PQerrorMessage(conn));
    }
    PQclear(PQprepare(conn, "v",
        "INSERT INTO winnow.verdict (ts, off, revision, time_raw, made_at, "
        "verdict_id, source, flags, skipped, model, policy, outcome, action, "
        "text_version, post_id, author_id, reasons, notes, signals) VALUES "
        "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
        "$16, $17, $18, $19)",
        0, NULL));
    PQclear(PQprepare(conn, "a",
        "INSERT INTO winnow.audit (ts, seq, off, source, kind, body, leaf) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        0, NULL));
}

static void
set_up(void)
{
    struct wn_store_conf conf = {
        .instance = "bench", .retention_days = 180, .timeout_ms = 60000
    };
    struct wn_source_name name = { "kafka", "bench", "posts", 0, "" };
    struct wn_err err;
    int i;

    wn_hash_setup();
    pg = wn_pg_start(true);
    wn_pg_create_db(pg, "bench");
    conf.conninfo = wn_pg_conninfo(pg, "bench", "admin");
    must(wn_migrate(conf.conninfo, NULL, NULL, NULL, &err), "migrate", &err);
    must(wn_store_open(&st, &conf, &err), "open", &err);
    must(wn_store_claim(st, &name, 0, &claim, &err), "claim", &err);
    for (i = 0; i < BATCH_MAX; i++)
        items[i] = make_item(i);
    /* Rows to measure, and a log that is recycled rather than made, as in a
     * server that has run for a while. */
    for (i = 0; i < WARM_TURNS; i++)
        turn(1, BATCH_MAX);
    wn_pg_exec(pg, "bench", "CHECKPOINT");
}

static void
print_bytes(FILE *json)
{
    static const char *const tables[] = { "verdict", "audit", "content",
        "post_state", "post_salt", "outbox" };
    char query[256];
    size_t i;

    printf("mean bytes of a row:");
    fprintf(json, "\"mean_row_bytes\":{");
    for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        long long n;

        snprintf(query, sizeof(query),
            "SELECT round(avg(pg_column_size(t.*))) FROM winnow.%s t",
            tables[i]);
        n = wn_pg_number(pg, "bench", query);
        printf(" %s %lld", tables[i], n);
        fprintf(json, "%s\"%s\":%lld", i > 0 ? "," : "", tables[i], n);
    }
    printf("\n");
    fprintf(json, "},");
}

static FILE *
open_json(char *path, size_t n)
{
    const char *build = getenv("BUILD");
    FILE *f;

    build = build != NULL && build[0] != '\0' ? build : "build";
    mkdir(build, 0777);
    snprintf(path, n, "%s/bench", build);
    mkdir(path, 0777);
    snprintf(path, n, "%s/bench/store.json", build);
    f = fopen(path, "w");
    if (f == NULL)
        die(path, strerror(errno));
    return f;
}

int
main(void)
{
    double all[BATCHES][MODES][ROUNDS], med[MODES], sync_ms;
    char path[4096];
    FILE *json;
    size_t b;
    int m, r;

    set_up();
    json = open_json(path, sizeof(path));
    sync_ms = fdatasync_ms();
    printf("fdatasync of this disk: %.2f ms (median)\n", sync_ms);
    fprintf(json, "{\"fdatasync_ms\":%.3f,\"rounds\":%d,", sync_ms, ROUNDS);
    print_bytes(json);
    prepare_rows();
    for (r = 0; r < ROUNDS; r++) {
        for (b = 0; b < BATCHES; b++) {
            for (m = 0; m < MODES; m++)
                all[b][m][r] = turn(m, batches[b]);
        }
    }
    printf("%6s %12s %12s %12s %8s  posts/s, one connection, durable\n",
        "batch", mode_names[0], mode_names[1], mode_names[2], "ratio");
    fprintf(json, "\"posts_per_second\":{");
    for (b = 0; b < BATCHES; b++) {
        for (m = 0; m < MODES; m++)
            med[m] = median(all[b][m], ROUNDS);
        printf("%6d %12.0f %12.0f %12.0f %7.1fx\n", batches[b], med[0], med[1],
            med[2], med[0] / med[2]);
        fprintf(json, "%s\"%d\":{\"pairs\":%.0f,\"whole\":%.0f,\"rows\":%.0f}",
            b > 0 ? "," : "", batches[b], med[0], med[1], med[2]);
    }
    fprintf(json, "}}\n");
    fclose(json);
    printf("written to %s\n", path);
    PQclear(samples[0]);
    PQclear(samples[1]);
    PQfinish(conn);
    for (m = 0; m < BATCH_MAX; m++)
        wn_item_free(items[m]);
    wn_store_free(st);
    return 0;
}
