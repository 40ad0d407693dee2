/*
 * The audit trail's form, which is fixed from the first row on by the vector
 * in tests/unit/storage_audit.c:
 *
 *   leaf  = SHA-256(0x00 || body)             the leaf of RFC 6962
 *   h_0   = 32 zero bytes, h_n = SHA-256(h_(n-1) || leaf_n)
 *   commitment = HMAC-SHA-256(salt of the post, tag byte || value)
 *
 * body is deterministic CBOR, a map with the keys below. Whom it is about
 * enters as commitments only; the salt is in post_salt and is erased with the
 * post. A leaf cannot be taken for a node of the chain: a body begins with
 * 0x00 and the head of a map, and is never 64 bytes long (asserted).
 */
#include <math.h>
#include <string.h>

#include "core/cbor.h"
#include "storage/batch_int.h"

/* Keys of the body. Numbers are stored: only ever add. */
enum key {
    KEY_FORM = 0, /* 1 */
    KEY_KIND = 1,
    KEY_SOURCE = 2,
    KEY_SEQ = 3,
    KEY_OFFSET = 4,
    KEY_TIME = 5, /* of the message, clamped: microseconds since 1970 */
    KEY_OUTCOME = 6,
    KEY_ACTION = 7,
    KEY_VERDICT = 8,
    KEY_REVISION = 9,
    KEY_MODEL = 10,
    KEY_POLICY = 11,
    KEY_TEXT = 12,
    KEY_SKIPPED = 13,
    KEY_FLAGS = 14,
    KEY_RULES = 15,
    KEY_SCORES = 16,
    KEY_POST = 17,
    KEY_AUTHOR = 18,
    KEY_CONTENT = 19,
    KEY_RAW = 20,
    KEY_CLASS = 21,
};

void
wn_audit_leaf(const void *body, size_t len, uint8_t leaf[WN_SHA256])
{
    static const uint8_t zero = 0;
    struct wn_part parts[2] = { { &zero, 1 }, { body, len } };

    WN_ASSERT(len + 1 != 2 * WN_SHA256);
    wn_sha256_parts(parts, 2, leaf);
}

void
wn_audit_chain(uint8_t head[WN_SHA256], const uint8_t leaf[WN_SHA256])
{
    uint8_t both[2 * WN_SHA256];

    memcpy(both, head, WN_SHA256);
    memcpy(both + WN_SHA256, leaf, WN_SHA256);
    wn_sha256(both, sizeof(both), head);
}

void
wn_audit_commit(const uint8_t salt[WN_SALT], enum wn_commitment tag,
    const void *p, size_t len, uint8_t out[WN_SHA256])
{
    uint8_t buf[1 + 1024], hash[WN_SHA256];

    buf[0] = (uint8_t)tag;
    if (len > sizeof(buf) - 1) { /* long values enter by their hash */
        wn_sha256(p, len, hash);
        p = hash;
        len = sizeof(hash);
    }
    if (len > 0)
        memcpy(buf + 1, p, len);
    wn_hmac_sha256(salt, WN_SALT, buf, 1 + len, out);
}

static void
commitment(struct wn_buf *b, uint64_t key, const struct wn_row *row,
    enum wn_commitment tag, const void *p, size_t len)
{
    uint8_t out[WN_SHA256];

    wn_audit_commit(row->salt, tag, p, len, out);
    wn_cbor_uint(b, key);
    wn_cbor_bytes(b, out, sizeof(out));
}

static void
put_uint(struct wn_buf *b, enum key key, uint64_t v)
{
    wn_cbor_uint(b, key);
    wn_cbor_uint(b, v);
}

static bool
is_judged(const struct wn_row *row)
{
    return row->outcome == WN_SCORED || row->outcome == WN_DEGRADED;
}

/* What a verdict rests on: only where there is one. */
static void
put_judged(struct wn_buf *b, const struct wn_row *row)
{
    const struct wn_item *item = row->item;
    const struct wn_verdict *v = &item->verdict;
    size_t i;

    wn_cbor_uint(b, KEY_TEXT);
    wn_cbor_int(b, item->text_version);
    put_uint(b, KEY_SKIPPED, item->skipped);
    put_uint(b, KEY_FLAGS, wn_row_flags(item));
    wn_cbor_uint(b, KEY_RULES);
    wn_cbor_array(b, v->reasons_n);
    for (i = 0; i < v->reasons_n; i++)
        wn_cbor_text(b, v->reasons[i].rule.p, v->reasons[i].rule.len);
    wn_cbor_uint(b, KEY_SCORES);
    wn_cbor_array(b, WN_HEADS);
    for (i = 0; i < WN_HEADS; i++) {
        const struct wn_value *s = &item->sig.v[WN_SIG_SCORE_SPAM + i];

        if (s->kind == WN_VALUE_DOUBLE)
            wn_cbor_double(b, s->d);
        else
            wn_cbor_null(b);
    }
}

static size_t
class_len(struct wn_str cause)
{
    const char *colon = memchr(cause.p, ':', cause.len);

    return colon != NULL ? (size_t)(colon - cause.p) : cause.len;
}

void
wn_audit_row(
    struct wn_batch *b, const struct wn_row *row, uint8_t leaf[WN_SHA256])
{
    const struct wn_item *item = row->item;
    const struct wn_record *rec = &item->rec;
    const struct wn_post *post = &item->post;
    bool judged = is_judged(row), id = post->id.p != NULL;
    bool hash = id && !row->dead && post->event != WN_POST_DELETED;
    uint8_t raw[WN_SHA256];
    struct wn_buf *o = &b->body;

    wn_buf_reset(o);
    wn_cbor_map(o, 8u + judged + post->has_revision + (row->model != 0) +
                       (row->policy != 0) + (judged ? 5u : 0u) + id +
                       (post->author_id.p != NULL) + hash +
                       (rec->raw.p != NULL) + row->dead);
    put_uint(o, KEY_FORM, 1);
    put_uint(o, KEY_KIND, WN_AUDIT_RECORD);
    put_uint(o, KEY_SOURCE, (uint64_t)rec->source);
    put_uint(o, KEY_SEQ, (uint64_t)++b->seq);
    wn_cbor_uint(o, KEY_OFFSET);
    wn_cbor_int(o, rec->offset);
    wn_cbor_uint(o, KEY_TIME);
    wn_cbor_int(o, row->ts);
    put_uint(o, KEY_OUTCOME, (uint64_t)row->outcome);
    if (judged)
        put_uint(o, KEY_ACTION, (uint64_t)item->verdict.action);
    wn_cbor_uint(o, KEY_VERDICT);
    wn_cbor_bytes(o, row->verdict_id, sizeof(row->verdict_id));
    if (post->has_revision) {
        wn_cbor_uint(o, KEY_REVISION);
        wn_cbor_int(o, post->revision);
    }
    if (row->model != 0) {
        wn_cbor_uint(o, KEY_MODEL);
        wn_cbor_text(o, item->model_version, strlen(item->model_version));
    }
    if (row->policy != 0) {
        wn_cbor_uint(o, KEY_POLICY);
        wn_cbor_text(o, item->policy_version, strlen(item->policy_version));
    }
    if (judged)
        put_judged(o, row);
    if (id)
        commitment(o, KEY_POST, row, WN_COMMIT_POST, post->id.p, post->id.len);
    if (post->author_id.p != NULL)
        commitment(o, KEY_AUTHOR, row, WN_COMMIT_AUTHOR, post->author_id.p,
            post->author_id.len);
    if (hash)
        commitment(o, KEY_CONTENT, row, WN_COMMIT_CONTENT, post->content_hash,
            WN_SHA256);
    if (rec->raw.p != NULL) {
        wn_sha256(rec->raw.p, rec->raw.len, raw);
        commitment(o, KEY_RAW, row, WN_COMMIT_RAW, raw, sizeof(raw));
    }
    if (row->dead) {
        wn_cbor_uint(o, KEY_CLASS);
        wn_cbor_text(o, item->cause.p, class_len(item->cause));
    }
    if (o->failed) { /* not whole: its leaf would be of something else */
        memset(leaf, 0, WN_SHA256);
        return;
    }
    wn_audit_leaf(o->data, o->len, leaf);
    wn_audit_chain(b->head, leaf);
}
