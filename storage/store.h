/*
 * PostgreSQL, and nothing else: verdicts, audit trail, content, dead letters,
 * the state of each post, outbox, review items and decisions.
 *
 * The exactly-once effect is made here (DESIGN 7). A source partition (a Kafka
 * partition, a file) has one row in source_cursor. A worker claims it
 * (epoch + 1); a batch is one transaction over a contiguous run of one
 * partition that ends with cursor_advance(source, epoch, start, end), which
 * raises MF001 unless epoch and start are ours, in the same flush as COMMIT.
 *
 * A wn_store is one connection. The thread that opens a store is the only one
 * to use it. It connects again by itself: on WN_RETRY the caller waits and
 * makes the same call with the same arguments.
 */
#ifndef WN_STORAGE_STORE_H
#define WN_STORAGE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/item.h"
#include "core/status.h"

struct wn_store;

struct wn_store_conf {
    const char *conninfo;
    const char *instance;   /* this process: host/pid/start; one a process  */
    int64_t retention_days; /* older message times are clamped to it        */
    bool want_verdicts;     /* outbox rows for verdicts                     */
    bool want_dead;         /* outbox rows for dead letters                 */
    int timeout_ms;         /* of any one wait for the server; 0: 10,000    */
    /* Set by another thread or by a signal handler (C11 lets it set what is
     * lock-free): waits end early with WN_RETRY once true. May be NULL. */
    const atomic_bool *stop;
};

/* Whether libpq can read the connection string, without connecting: WN_REJECT
 * begins with `where`, and shows nothing of the string. */
enum wn_status wn_store_check(
    const char *conninfo, const char *where, struct wn_err *err);

/*
 * Fails: WN_RETRY when the server is unreachable, WN_STOP when the schema is
 * older or newer than this build (the text names the command to run).
 * conf's strings must outlive the store.
 */
enum wn_status wn_store_open(struct wn_store **ret,
    const struct wn_store_conf *conf, struct wn_err *err);
void wn_store_free(struct wn_store *st);
/* A round trip that writes: the database is there and takes writes. */
enum wn_status wn_store_ping(struct wn_store *st, struct wn_err *err);

/* --- migrations (storage/migrate.c) --- */

/* The schema this build was made for. */
int wn_schema_version(void);
/* Applies what is missing under an advisory lock; told of each step. */
enum wn_status wn_migrate(const char *conninfo,
    void (*step)(void *arg, int version, const char *name), void *arg,
    int *ret_applied, struct wn_err *err);

/* --- partitions of sources --- */

struct wn_source_name {
    const char *kind;    /* "kafka", "file" or "staff"                      */
    const char *cluster; /* Kafka's cluster id; "" for files                */
    const char *topic;   /* topic, or absolute path                         */
    int32_t part;        /* 0 for files                                     */
    const char *ident;   /* "" for Kafka; for files "<bytes hashed>:<hex>"  */
};

/* How much is handled alone after two unclean deaths in a row without progress:
 * about as many records as may have been in hand. Offsets of Kafka are records,
 * those of a file are bytes. */
#define WN_CAREFUL_RECORDS 4096
#define WN_CAREFUL_BYTES (4 << 20)

struct wn_claim {
    int32_t source; /* source_cursor.id: in every row written under it */
    int64_t epoch;
    int64_t next_offset; /* first offset not yet committed                  */
    int32_t leader_epoch;
    int64_t chain_seq; /* rows in the audit chain                         */
    uint8_t chain_head[WN_SHA256];
    bool fresh;            /* this claim made the row                         */
    bool unclean;          /* the owner before us did not release it          */
    int stalled;           /* unclean claims in a row without any progress    */
    int64_t careful_until; /* records before it are handled alone           */
    int64_t attempt_offset; /* record last journalled as alone in hand; -1  */
    int attempt_deaths; /* unclean deaths with it alone in hand            */
    uint8_t verdict_salt[16]; /* hash of cluster, topic, part: verdict ids  */
};

/* Whether this partition, or a sister of the same topic, has a cursor. For
 * files: *ret_ident (a buffer of 96) gets the newest ident of that path, ""
 * where there is none; may be NULL. */
enum wn_status wn_store_known(struct wn_store *st,
    const struct wn_source_name *name, bool *ret_self, bool *ret_sister,
    char *ret_ident, struct wn_err *err);

/*
 * Takes the partition: epoch + 1 and our name in it; a row is made at
 * start_offset where there is none. A holder that sits on the row's lock for
 * over 1 s is terminated (pg_terminate_backend) and the claim tried again.
 */
enum wn_status wn_store_claim(struct wn_store *st,
    const struct wn_source_name *name, int64_t start_offset,
    struct wn_claim *ret, struct wn_err *err);
/* Lets go cleanly: the next claim is not `unclean`. WN_FENCED: it was not
 * ours any more, which is no trouble. */
enum wn_status wn_store_release(
    struct wn_store *st, const struct wn_claim *claim, struct wn_err *err);
/* A file that has grown: its ident over more bytes. Same row, fenced. */
enum wn_status wn_store_reident(struct wn_store *st,
    const struct wn_claim *claim, const char *ident, struct wn_err *err);

/* Journals, in a transaction of its own, that the record at `offset` is now
 * alone in hand; *ret_deaths: how often a process died with it so. */
enum wn_status wn_store_attempt(struct wn_store *st, struct wn_claim *claim,
    int64_t offset, int *ret_deaths, struct wn_err *err);

/* --- a batch --- */

/*
 * Commits n finished items (outcome SCORED, DEGRADED, DEFERRED or DEAD, or a
 * deletion), all of the claim's partition, in offset order, and moves the
 * cursor to next_offset. Rows by outcome: see storage/README.md.
 *
 * Settles an unclear COMMIT by reading the cursor. A row that the database
 * refuses (SQLSTATE 22, 23) is found by bisection and becomes a dead letter.
 *
 * OK: the claim is moved on and each item's outcome is final (REPEAT, STALE
 * and ERASED are found out here). WN_RETRY: call again with the same items.
 * WN_FENCED: drop the items, let the partition go.
 */
enum wn_status wn_store_commit(struct wn_store *st, struct wn_claim *claim,
    struct wn_item **items, size_t n, int64_t next_offset, struct wn_err *err);

/* --- time partitions --- */

/* Makes what is missing around now (a SECURITY DEFINER function), drops
 * nothing; *ret_ahead: whole partitions after the current one, least of all
 * tables. */
enum wn_status wn_store_partitions(
    struct wn_store *st, int64_t now_us, int *ret_ahead, struct wn_err *err);
/*
 * One bounded step of retention, by the server's clock: a partition past
 * retention (or of an outbox day whose rows are all relayed) begins to leave,
 * is walked, or is dropped; or rows of posts nobody heard of for so long go.
 * What is kept is the greater of retention_days and the owner's rule
 * (winnow.retention_rule), so no worker can drop more than the owner allows.
 *
 * Fails: with WN_RETRY when others would have had to wait for over 0.3 s, or
 * it took too long; nothing of the step was done, and it says nothing about
 * the health of the database.
 */
struct wn_retained {
    int dropped;  /* partitions that left                      */
    int64_t rows; /* rows that went on their own               */
    int64_t days; /* how long things are kept                  */
    bool more;    /* something is left: call again, not at once */
};
enum wn_status wn_store_retain(
    struct wn_store *st, struct wn_retained *ret, struct wn_err *err);

/* --- outbox --- */

enum wn_outbox_kind { WN_OUTBOX_VERDICT = 1, WN_OUTBOX_DEAD = 2 };
struct wn_outbox_row {
    int64_t offset;
    enum wn_outbox_kind kind;
    char day[11]; /* its partition: YYYY-MM-DD              */
    uint8_t verdict_id[16];
    struct wn_str key;   /* post id; len 0 where unknown           */
    struct wn_str value; /* JSON                                   */
};
/*
 * The next rows at or after the watermark of the partition, in offset order,
 * at most rows_max and 8 MiB; all durable (a tiny writing transaction with
 * synchronous_commit=on comes first). The rows lie in `arena`.
 */
enum wn_status wn_store_outbox_read(struct wn_store *st,
    const struct wn_claim *claim, size_t rows_max, struct wn_arena *arena,
    struct wn_outbox_row **ret, size_t *ret_n, struct wn_err *err);
/* Moves the watermark past `offset`, guarded by the claim's epoch. */
enum wn_status wn_store_outbox_done(struct wn_store *st,
    const struct wn_claim *claim, int64_t offset, struct wn_err *err);
/* Marks a row that the broker refuses for good. */
enum wn_status wn_store_outbox_refused(struct wn_store *st,
    const struct wn_claim *claim, const struct wn_outbox_row *row,
    const char *why, struct wn_err *err);
/* Rows beyond the watermark, counted up to `max`. */
enum wn_status wn_store_outbox_waiting(struct wn_store *st,
    const struct wn_claim *claim, int64_t max, int64_t *ret,
    struct wn_err *err);

#endif
