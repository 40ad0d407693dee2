/*
 * A batch as rows of each table. What a row may hold is decided here: content
 * of a post goes to `content` and `dead_letter` only, which erasure clears.
 */
#include <math.h>
#include <string.h>

#include "core/cbor.h"
#include "core/clock.h"
#include "storage/batch_int.h"

#define DAY_US INT64_C(86400000000)
#define HEAD_BYTES 4096 /* of a dead letter that go out to Kafka */

const char *const wn_table_copy[WN_TABLES] = {
    [WN_T_VERDICT] = "COPY winnow.verdict (ts, off, revision, time_raw, "
                     "made_at, verdict_id, source, flags, skipped, model, "
                     "policy, outcome, action, text_version, post_id, "
                     "author_id, reasons, notes, signals) FROM STDIN BINARY",
    [WN_T_AUDIT] = "COPY winnow.audit (ts, seq, off, source, kind, body, "
                   "leaf) FROM STDIN BINARY",
    [WN_T_CONTENT] = "COPY winnow.content (ts, off, source, post_id, raw, "
                     "text, signals) FROM STDIN BINARY",
    [WN_T_SALT] = "COPY winnow.post_salt (post_id, salt) FROM STDIN BINARY",
    [WN_T_DEAD] = "COPY winnow.dead_letter (ts, off, bytes, made_at, source, "
                  "class, cause, post_id, key, raw, sha256, salt) "
                  "FROM STDIN BINARY",
    [WN_T_OUTBOX] = "COPY winnow.outbox (day, off, source, kind, verdict_id, "
                    "post_id, value) FROM STDIN BINARY",
};

static bool
is_judged(const struct wn_row *row)
{
    return row->outcome == WN_SCORED || row->outcome == WN_DEGRADED;
}

unsigned
wn_row_flags(const struct wn_item *item)
{
    unsigned flags = 0;
    int h;

    for (h = 0; h < WN_HEADS; h++) {
        const struct wn_value *v = &item->sig.v[WN_SIG_FLAG_SPAM + h];

        if (v->kind == WN_VALUE_BOOL && v->b)
            flags |= 1u << h;
    }
    return flags;
}

double
wn_row_priority(const struct wn_item *item)
{
    double best = -1;
    int h;

    for (h = 0; h < WN_HEADS; h++) {
        const struct wn_value *v = &item->sig.v[WN_SIG_SCORE_SPAM + h];

        if (v->kind == WN_VALUE_DOUBLE && v->d > best)
            best = v->d;
    }
    return best;
}

void
wn_verdict_id(const struct wn_claim *c, int64_t offset, const char *model,
    const char *policy, uint8_t out[16])
{
    uint8_t hash[WN_SHA256], off[8];
    struct wn_part parts[4] = { { c->verdict_salt, sizeof(c->verdict_salt) },
        { off, sizeof(off) }, { model, strlen(model) + 1 },
        { policy, strlen(policy) } };
    int i;

    for (i = 0; i < 8; i++)
        off[i] = (uint8_t)((uint64_t)offset >> (56 - 8 * i));
    wn_sha256_parts(parts, 4, hash);
    memcpy(out, hash, 16);
}

static void
add_reason(struct wn_buf *b, const struct wn_reason *r, const char *text_name)
{
    wn_buf_str(b, "{\"rule\":");
    wn_text_add_json(b, r->rule);
    wn_buf_str(b, ",\"category\":");
    wn_text_add_json(b, r->category);
    wn_buf_printf(b, ",\"%s\":", text_name);
    wn_text_add_json(b, r->text);
    wn_buf_char(b, '}');
}

void
wn_reasons_json(struct wn_buf *json, const struct wn_verdict *v)
{
    size_t i;

    wn_buf_reset(json);
    wn_buf_char(json, '[');
    for (i = 0; i < v->reasons_n; i++) {
        if (i > 0)
            wn_buf_char(json, ',');
        add_reason(json, &v->reasons[i], "reason");
    }
    wn_buf_char(json, ']');
}

static void
add_names(struct wn_buf *b, const char *name, const struct wn_str *v, size_t n)
{
    size_t i;

    wn_buf_printf(b, "%s\"%s\":[", b->len > 1 ? "," : "", name);
    for (i = 0; i < n; i++) {
        if (i > 0)
            wn_buf_char(b, ',');
        wn_text_add_json(b, v[i]);
    }
    wn_buf_char(b, ']');
}

/* What is seldom there: one column instead of four. false: nothing. */
static bool
notes_json(struct wn_buf *b, const struct wn_row *row)
{
    const struct wn_item *item = row->item;
    const struct wn_verdict *v = &item->verdict;

    wn_buf_reset(b);
    wn_buf_char(b, '{');
    if (v->skipped_n > 0 && is_judged(row))
        add_names(b, "rules_skipped", v->skipped, v->skipped_n);
    if (v->reasons_more > 0 && is_judged(row))
        wn_buf_printf(b, "%s\"reasons_more\":%zu", b->len > 1 ? "," : "",
            v->reasons_more);
    if (item->post.bad_members_n > 0)
        add_names(
            b, "bad_members", item->post.bad_members, item->post.bad_members_n);
    if (item->rec.time_us == WN_TIME_UNKNOWN)
        wn_buf_printf(b, "%s\"no_time\":true", b->len > 1 ? "," : "");
    wn_buf_char(b, '}');
    return b->failed || b->len > 2;
}

static void
cbor_value(struct wn_buf *b, const struct wn_value *v)
{
    size_t i;

    switch (v->kind) {
    case WN_VALUE_BOOL:
        wn_cbor_bool(b, v->b);
        break;
    case WN_VALUE_INT:
        wn_cbor_int(b, v->i);
        break;
    case WN_VALUE_DOUBLE:
        wn_cbor_double(b, v->d);
        break;
    case WN_VALUE_STRING:
        wn_cbor_text(b, v->s.p, v->s.len);
        break;
    case WN_VALUE_LIST:
        wn_cbor_array(b, v->list.n);
        for (i = 0; i < v->list.n; i++)
            cbor_value(b, &v->list.v[i]);
        break;
    case WN_VALUE_MAP: /* pairs in the order of the object, as an array */
        wn_cbor_array(b, 2 * v->map.n);
        for (i = 0; i < v->map.n; i++) {
            wn_cbor_text(b, v->map.keys[i].p, v->map.keys[i].len);
            cbor_value(b, &v->map.v[i]);
        }
        break;
    case WN_VALUE_UNKNOWN:
    case WN_VALUE_NULL:
        wn_cbor_null(b);
        break;
    }
}

/* The known signals of one kind, by number. The text has its own column. */
static size_t
signals_cbor(
    struct wn_buf *b, const struct wn_item *item, enum wn_signal_keep keep)
{
    size_t i, n = 0;
    uint8_t at[WN_SIG_COUNT];

    for (i = 0; i < WN_SIG_COUNT; i++) {
        if (wn_signal_table[i].keep == keep && i != WN_SIG_POST_TEXT &&
            item->sig.v[i].kind != WN_VALUE_UNKNOWN)
            at[n++] = (uint8_t)i;
    }
    wn_buf_reset(b);
    wn_cbor_map(b, n);
    for (i = 0; i < n; i++) {
        wn_cbor_uint(b, at[i]);
        cbor_value(b, &item->sig.v[at[i]]);
    }
    return n;
}

static void
copy_version(struct wn_buf *o, int32_t id)
{
    if (id != 0)
        wn_copy_i32(o, id);
    else
        wn_copy_null(o);
}

static size_t
verdict_row(struct wn_store *st, struct wn_batch *b, const struct wn_row *row,
    struct wn_buf *o)
{
    const struct wn_item *item = row->item;
    bool judged = is_judged(row);

    (void)st;
    wn_copy_row(o, 19);
    wn_copy_time(o, row->ts);
    wn_copy_i64(o, item->rec.offset);
    if (item->post.has_revision)
        wn_copy_i64(o, item->post.revision);
    else
        wn_copy_null(o);
    if (item->rec.time_us != WN_TIME_UNKNOWN && item->rec.time_us != row->ts)
        wn_copy_i64(o, item->rec.time_us);
    else
        wn_copy_null(o);
    wn_copy_time(o, b->made_us);
    wn_copy_bytes(o, row->verdict_id, sizeof(row->verdict_id));
    wn_copy_i32(o, b->source);
    wn_copy_i32(o, judged ? (int32_t)wn_row_flags(item) : 0);
    wn_copy_i32(o, (int32_t)item->skipped);
    copy_version(o, row->model);
    copy_version(o, row->policy);
    wn_copy_i16(o, (int16_t)row->outcome);
    if (judged)
        wn_copy_i16(o, (int16_t)item->verdict.action);
    else
        wn_copy_null(o);
    wn_copy_i16(o, (int16_t)item->text_version);
    wn_copy_str(o, row->item->post.id);
    wn_copy_str(
        o, row->dead ? (struct wn_str){ NULL, 0 } : item->post.author_id);
    if (judged && item->verdict.reasons_n > 0) {
        wn_reasons_json(&b->json, &item->verdict);
        wn_copy_jsonb(o, &b->json);
    } else {
        wn_copy_null(o);
    }
    if (notes_json(&b->json, row))
        wn_copy_jsonb(o, &b->json);
    else
        wn_copy_null(o);
    if (!row->dead && signals_cbor(&b->cbor, item, WN_KEEP_VERDICT) > 0)
        wn_copy_buf(o, &b->cbor);
    else
        wn_copy_null(o);
    return 1;
}

static size_t
audit_row(struct wn_store *st, struct wn_batch *b, const struct wn_row *row,
    struct wn_buf *o)
{
    uint8_t leaf[WN_SHA256];

    (void)st;
    wn_audit_row(b, row, leaf);
    wn_copy_row(o, 7);
    wn_copy_time(o, row->ts);
    wn_copy_i64(o, b->seq);
    wn_copy_i64(o, row->item->rec.offset);
    wn_copy_i32(o, b->source);
    wn_copy_i16(o, WN_AUDIT_RECORD);
    wn_copy_buf(o, &b->body);
    wn_copy_bytes(o, leaf, sizeof(leaf));
    return 1;
}

static size_t
content_row(struct wn_store *st, struct wn_batch *b, const struct wn_row *row,
    struct wn_buf *o)
{
    const struct wn_item *item = row->item;

    (void)st;
    if (row->dead || !row->keep_content)
        return 0;
    wn_copy_row(o, 7);
    wn_copy_time(o, row->ts);
    wn_copy_i64(o, item->rec.offset);
    wn_copy_i32(o, b->source);
    wn_copy_str(o, item->post.id);
    wn_copy_str(o, item->rec.raw);
    if (item->post.text.p == NULL ||
        wn_text_clean(item->post.text.p, item->post.text.len)) {
        wn_copy_str(o, item->post.text);
    } else {
        wn_buf_reset(&b->json);
        wn_text_add_clean(&b->json, item->post.text);
        wn_copy_buf(o, &b->json);
    }
    if (signals_cbor(&b->cbor, item, WN_KEEP_CONTENT) > 0)
        wn_copy_buf(o, &b->cbor);
    else
        wn_copy_null(o);
    return 1;
}

static struct wn_str
class_of(struct wn_str cause)
{
    const char *colon = memchr(cause.p, ':', cause.len);

    if (colon != NULL)
        cause.len = (size_t)(colon - cause.p);
    return cause;
}

static size_t
dead_row(struct wn_store *st, struct wn_batch *b, const struct wn_row *row,
    struct wn_buf *o)
{
    const struct wn_item *item = row->item;
    uint8_t hash[WN_SHA256];

    (void)st;
    if (!row->dead)
        return 0;
    wn_copy_row(o, 12);
    wn_copy_time(o, row->ts);
    wn_copy_i64(o, item->rec.offset);
    wn_copy_i64(o, (int64_t)item->rec.raw.len);
    wn_copy_time(o, b->made_us);
    wn_copy_i32(o, b->source);
    wn_copy_str(o, class_of(item->cause));
    wn_copy_str(o, item->cause);
    wn_copy_str(o, row->item->post.id);
    if (row->keep_content) {
        wn_copy_str(o, item->rec.key);
        wn_copy_str(o, item->rec.raw);
        wn_sha256(item->rec.raw.p, item->rec.raw.len, hash);
        wn_copy_bytes(o, hash, sizeof(hash));
        wn_copy_bytes(o, row->salt, WN_SALT);
    } else {
        wn_copy_null(o);
        wn_copy_null(o);
        wn_copy_null(o);
        wn_copy_null(o);
    }
    return 1;
}

/* --- what goes out --- */

static void
add_base64(struct wn_buf *b, const char *data, size_t len)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)data;
    size_t i, n;
    uint32_t v;
    char out[4];

    for (i = 0; i < len; i += 3) {
        n = len - i < 3 ? len - i : 3;
        v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
            (n > 2 ? p[i + 2] : 0u);
        out[0] = digits[v >> 18];
        out[1] = digits[v >> 12 & 63];
        out[2] = n > 1 ? digits[v >> 6 & 63] : '=';
        out[3] = n > 2 ? digits[v & 63] : '=';
        wn_buf_add(b, out, 4);
    }
}

static void
add_uuid(struct wn_buf *b, const uint8_t id[16])
{
    char hex[33];

    wn_hex(id, 16, hex);
    wn_buf_printf(b, "\"%.8s-%.4s-%.4s-%.4s-%.12s\"", hex, hex + 8, hex + 12,
        hex + 16, hex + 20);
}

static void
add_scores(struct wn_buf *b, const struct wn_item *item)
{
    int h;

    if (wn_row_priority(item) < 0) {
        wn_buf_str(b, "null");
        return;
    }
    for (h = 0; h < WN_HEADS; h++) {
        const struct wn_value *v = &item->sig.v[WN_SIG_SCORE_SPAM + h];

        wn_buf_printf(b, "%c\"%s\":", h == 0 ? '{' : ',', wn_head_names[h]);
        wn_buf_double(b, v->kind == WN_VALUE_DOUBLE ? v->d : (double)NAN);
    }
    wn_buf_char(b, '}');
}

static void
add_flags(struct wn_buf *b, const struct wn_item *item)
{
    unsigned flags = wn_row_flags(item);
    bool first = true;
    int h;

    wn_buf_char(b, '[');
    for (h = 0; h < WN_HEADS; h++) {
        if ((flags & 1u << h) == 0)
            continue;
        wn_buf_printf(b, "%s\"%s\"", first ? "" : ",", wn_head_names[h]);
        first = false;
    }
    wn_buf_char(b, ']');
}

static void
add_version(struct wn_buf *b, const char *name, const char *value)
{
    wn_buf_printf(b, ",\"%s\":", name);
    if (value != NULL)
        wn_buf_json(b, value, strlen(value));
    else
        wn_buf_str(b, "null");
}

static void
verdict_json(struct wn_buf *b, const struct wn_row *row)
{
    const struct wn_item *item = row->item;
    const struct wn_value *few = &item->sig.v[WN_SIG_TEXT_INSUFFICIENT];
    char time[WN_TIME_TEXT];
    size_t i;

    wn_buf_reset(b);
    wn_buf_str(b, "{\"verdict_id\":");
    add_uuid(b, row->verdict_id);
    wn_buf_str(b, ",\"post_id\":");
    wn_text_add_json(b, item->post.id);
    if (item->post.has_revision)
        wn_buf_printf(b, ",\"revision\":%lld", (long long)item->post.revision);
    else
        wn_buf_str(b, ",\"revision\":null");
    wn_buf_printf(b, ",\"outcome\":\"%s\",\"action\":\"%s\",\"reasons\":[",
        wn_outcome_names[row->outcome], wn_action_names[item->verdict.action]);
    for (i = 0; i < item->verdict.reasons_n; i++) {
        if (i > 0)
            wn_buf_char(b, ',');
        add_reason(b, &item->verdict.reasons[i], "reason");
    }
    wn_buf_str(b, "],\"scores\":");
    add_scores(b, item);
    wn_buf_str(b, ",\"flags\":");
    add_flags(b, item);
    if (few->kind == WN_VALUE_BOOL && few->b)
        wn_buf_str(b, ",\"insufficient_text\":true");
    add_version(b, "model", item->model_version);
    add_version(b, "policy", item->policy_version);
    wn_time_format(row->ts, time);
    wn_buf_printf(
        b, ",\"text_version\":%d,\"time\":\"%s\"}", item->text_version, time);
}

static void
dead_json(
    struct wn_buf *b, const struct wn_batch *batch, const struct wn_row *row)
{
    const struct wn_item *item = row->item;
    size_t head = item->rec.raw.len;
    uint8_t hash[WN_SHA256];
    char hex[65];

    wn_buf_reset(b);
    wn_buf_str(b, "{\"source\":{\"cluster\":");
    wn_text_add_json(
        b, (struct wn_str){ batch->cluster, strlen(batch->cluster) });
    wn_buf_str(b, ",\"topic\":");
    wn_text_add_json(b, (struct wn_str){ batch->topic, strlen(batch->topic) });
    wn_buf_printf(b,
        ",\"partition\":%d,\"offset\":%lld},\"cause\":", (int)batch->part,
        (long long)item->rec.offset);
    wn_text_add_json(b, item->cause);
    wn_buf_str(b, ",\"class\":");
    wn_text_add_json(b, class_of(item->cause));
    if (!row->keep_content) { /* its post was deleted: no bytes of it */
        wn_buf_printf(b, ",\"sha256\":null,\"bytes\":%zu,\"head\":null}",
            item->rec.raw.len);
        return;
    }
    wn_sha256(item->rec.raw.p, item->rec.raw.len, hash);
    wn_hex(hash, sizeof(hash), hex);
    wn_buf_printf(b, ",\"sha256\":\"%s\",\"bytes\":%zu,\"head\":\"", hex,
        item->rec.raw.len);
    if (head > HEAD_BYTES)
        head = HEAD_BYTES;
    add_base64(b, item->rec.raw.p, head);
    wn_buf_str(b, "\"}");
}

static size_t
outbox_row(struct wn_store *st, struct wn_batch *b, const struct wn_row *row,
    struct wn_buf *o)
{
    bool dead = row->dead && st->want_dead;

    if (!dead && !(is_judged(row) && st->want_verdicts))
        return 0;
    wn_copy_row(o, 7);
    wn_copy_i32(o, (int32_t)((b->made_us - WN_PG_EPOCH_US) / DAY_US));
    wn_copy_i64(o, row->item->rec.offset);
    wn_copy_i32(o, b->source);
    wn_copy_i16(o, dead ? WN_OUTBOX_DEAD : WN_OUTBOX_VERDICT);
    wn_copy_bytes(o, row->verdict_id, sizeof(row->verdict_id));
    wn_copy_str(o, row->item->post.id);
    if (dead)
        dead_json(&b->json, b, row);
    else
        verdict_json(&b->json, row);
    wn_copy_buf(o, &b->json);
    return 1;
}

/* Salts are of posts, not of rows: those that are new after this batch. */
static size_t
salt_row(const struct wn_group *g, struct wn_buf *o)
{
    if (!g->alive || g->salt == NULL || g->salt == g->prev_salt)
        return 0;
    wn_copy_row(o, 2);
    wn_copy_str(o, g->post_id);
    wn_copy_bytes(o, g->salt, WN_SALT);
    return 1;
}

size_t
wn_rows_encode(struct wn_store *st, struct wn_batch *b, enum wn_table t,
    size_t *at, size_t max, struct wn_buf *o)
{
    static size_t (*const encode[WN_TABLES])(struct wn_store *,
        struct wn_batch *, const struct wn_row *, struct wn_buf *) = {
        [WN_T_VERDICT] = verdict_row,
        [WN_T_AUDIT] = audit_row,
        [WN_T_CONTENT] = content_row,
        [WN_T_DEAD] = dead_row,
        [WN_T_OUTBOX] = outbox_row,
    };
    size_t i, n = 0, all = t == WN_T_SALT ? b->groups_n : b->n;
    size_t end = all - *at < max ? all : *at + max;

    for (i = *at; i < end; i++)
        n += t == WN_T_SALT ? salt_row(&b->groups[i], o)
                            : encode[t](st, b, &b->rows[i], o);
    *at = end;
    return n;
}
