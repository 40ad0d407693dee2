/*
 * One batch on its way into the database: what is decided of each item, the
 * groups of items that speak of one post, and the rows made of them.
 */
#ifndef WN_STORAGE_BATCH_INT_H
#define WN_STORAGE_BATCH_INT_H

#include "core/buf.h"
#include "storage/post_state_int.h"
#include "storage/store_int.h"

#define WN_SALT 32

struct wn_row {
    struct wn_item *item;
    enum wn_outcome outcome; /* decided, not yet committed              */
    int64_t ts;              /* message time, clamped                   */
    int64_t version;         /* of its post, for a review item          */
    const uint8_t *salt;     /* of its commitments                      */
    int32_t model, policy;   /* numbers of the versions; 0: none        */
    bool dead;               /* no post: outcome DEAD                   */
    bool keep_content;       /* content, or a dead letter's raw bytes   */
    bool review;             /* a person should look at it              */
    uint8_t verdict_id[16];
    struct wn_post_mark mark;
};

/* Items of one post, in offset order. */
struct wn_group {
    struct wn_str post_id;
    size_t first, n; /* in batch->order                         */
    bool alive;      /* not dead letters only                   */
    bool known;      /* it has a row that others made           */
    bool changed, erased, judged;
    struct wn_post_mark prev, mark; /* before and after; prev if known    */
    int64_t prev_version, version, ts;
    bool prev_salted;
    uint8_t prev_salt[WN_SALT];
    const uint8_t *salt; /* after; NULL: none                       */
};

struct wn_batch {
    struct wn_row *rows;
    size_t n, cap;
    size_t *order; /* rows with a post, by post id and offset */
    struct wn_group *groups;
    size_t groups_n;
    uint8_t *salts; /* one a row, drawn once: a retry sends the
                       same bytes                              */
    /* The batch that salts and made_us belong to. */
    int32_t source;
    int64_t epoch, first, made_us;
    size_t items_n;
    size_t salt_base;       /* row 0 of a run is this item             */
    bool commit_sent;       /* an answer to COMMIT may be missing      */
    bool unclear;           /* read the cursor before anything else    */
    bool partitions_again;  /* missing ones were made once in this call */
    int64_t refused_offset; /* refused alone once: it gets a second try     */
    struct wn_buf copy;     /* COPY data not yet sent                  */
    struct wn_buf body, json, cbor;
    char cluster[256], topic[1024]; /* of name_source: for dead letters    */
    int32_t part, name_source;
    int64_t seq; /* chain as it will be                     */
    uint8_t head[WN_SHA256];
};

void wn_batch_free(struct wn_batch *b);

/* Outcomes of the posts, with their rows locked; inside the transaction
 * (posts.c). Ends with the statements that erase, close and open. */
enum wn_status wn_posts_settle(
    struct wn_store *st, struct wn_batch *b, struct wn_err *err);

/* --- COPY (copy.c) --- */

void wn_copy_begin(struct wn_buf *b);
void wn_copy_row(struct wn_buf *b, uint16_t fields);
void wn_copy_null(struct wn_buf *b);
void wn_copy_i16(struct wn_buf *b, int16_t v);
void wn_copy_i32(struct wn_buf *b, int32_t v);
void wn_copy_i64(struct wn_buf *b, int64_t v);
void wn_copy_time(struct wn_buf *b, int64_t us);
void wn_copy_bytes(struct wn_buf *b, const void *p, size_t len);
void wn_copy_str(struct wn_buf *b, struct wn_str s); /* p NULL: null */
/* What was built apart; b fails with it. */
void wn_copy_buf(struct wn_buf *b, const struct wn_buf *built);
void wn_copy_jsonb(struct wn_buf *b, const struct wn_buf *json);
void wn_copy_end(struct wn_buf *b);

/* --- rows (rows.c, audit.c) --- */

/* Tables that a batch is copied to, in this order. */
enum wn_table {
    WN_T_VERDICT,
    WN_T_AUDIT,
    WN_T_CONTENT,
    WN_T_SALT,
    WN_T_DEAD,
    WN_T_OUTBOX,
    WN_TABLES
};
extern const char *const wn_table_copy[WN_TABLES]; /* the COPY statements */
/* Appends the rows of up to max items of a table from *at on, which it moves;
 * returns how many rows. Nothing is left where *at stays. */
size_t wn_rows_encode(struct wn_store *st, struct wn_batch *b, enum wn_table t,
    size_t *at, size_t max, struct wn_buf *out);
/* Reasons as a JSON array into b->json (reset before). */
void wn_reasons_json(struct wn_buf *json, const struct wn_verdict *v);
/* Moves b->seq and b->head on; the row's body is in b->body, leaf out. Where
 * b->body has failed there is no row: the caller gives up the batch. */
void wn_audit_row(
    struct wn_batch *b, const struct wn_row *row, uint8_t leaf[WN_SHA256]);
/* Bits of the flags that are set. */
unsigned wn_row_flags(const struct wn_item *item);
void wn_verdict_id(const struct wn_claim *c, int64_t offset, const char *model,
    const char *policy, uint8_t out[16]);
/* Highest known score; -1 where none is known. */
double wn_row_priority(const struct wn_item *item);

/* --- the audit trail's own parts (audit.c) --- */

enum wn_audit_kind {
    WN_AUDIT_RECORD = 1,
    WN_AUDIT_DECISION = 2,
    WN_AUDIT_ACTIVATION = 3
};
void wn_audit_leaf(const void *body, size_t len, uint8_t leaf[WN_SHA256]);
void wn_audit_chain(uint8_t head[WN_SHA256], const uint8_t leaf[WN_SHA256]);
/* HMAC-SHA-256(salt, tag byte, value). */
enum wn_commitment {
    WN_COMMIT_POST = 1,
    WN_COMMIT_AUTHOR = 2,
    WN_COMMIT_CONTENT = 3,
    WN_COMMIT_RAW = 4,
    WN_COMMIT_STAFF = 5,
    WN_COMMIT_REASON = 6
};
void wn_audit_commit(const uint8_t salt[WN_SALT], enum wn_commitment tag,
    const void *p, size_t len, uint8_t out[WN_SHA256]);

/* --- text (text.c) --- */

/* Valid UTF-8 without U+0000. */
bool wn_text_clean(const char *p, size_t len);
/* Appends s with what PostgreSQL's text cannot hold as U+FFFD. */
void wn_text_add_clean(struct wn_buf *b, struct wn_str s);
/* Appends s as a JSON string that jsonb takes. */
void wn_text_add_json(struct wn_buf *b, struct wn_str s);

#endif
