/*
 * The way of a record through the parser: size, repair, JSON, envelope,
 * finish. Any scorer thread, one record at a time; nothing is shared.
 *
 * Of a name that an object has twice the last one counts, as in the parsers
 * of most platforms; Winnow must not judge another text than they show.
 */
#include "ingest/parse.h"

#include <string.h>

#include "ingest/parse_int.h"
#include "ingest/repair.h"

/* Six bytes for one is the worst of wn_repair_json(). */
static bool
repair(struct wn_parser *ps, struct wn_buf *clean, const char *p, size_t len)
{
    struct wn_value *invalid = &ps->item->sig.v[WN_SIG_TEXT_INVALID];
    size_t count;

    if (len >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) {
        p += 3;
        len -= 3;
    }
    wn_buf_init(clean, len * 6 + 64);
    count = wn_repair_json(clean, p, len);
    if (invalid->kind == WN_VALUE_INT)
        count += (size_t)invalid->i;
    *invalid = wn_value_int((int64_t)count);
    return !clean->failed;
}

/* jansson's own texts quote the input, so the words are ours. */
static const char *
json_problem(const json_error_t *e)
{
    switch (json_error_code(e)) {
    case json_error_premature_end_of_input:
        return "it ends too early";
    case json_error_end_of_input_expected:
        return "bytes after its end";
    case json_error_stack_overflow:
        return "nested too deeply";
    case json_error_invalid_utf8:
        return "invalid UTF-8 outside strings";
    case json_error_out_of_memory:
        return "no memory for it";
    default:
        return "syntax";
    }
}

json_t *
wn_parser_json(struct wn_parser *ps, const char *p, size_t len)
{
    struct wn_buf clean;
    json_error_t e;
    json_t *root = NULL;
    char *cause;

    if (!repair(ps, &clean, p, len)) {
        wn_parser_dead(ps, "size: no memory to repair it");
        goto out;
    }
    root = json_loadb(clean.len > 0 ? clean.data : "", clean.len, 0, &e);
    if (root == NULL) {
        cause = wn_arena_printf(&ps->item->arena, "json: byte %d: %s",
            e.position, json_problem(&e));
        wn_parser_dead(ps, cause != NULL ? cause : "json: syntax");
        goto out;
    }
    if (!json_is_object(root)) {
        wn_parser_dead(ps, "json: not an object");
        json_decref(root);
        root = NULL;
    }
out:
    wn_buf_release(&clean);
    return root;
}

/* --- envelopes by their marks --- */

static bool
is_activity(const json_t *root)
{
    static const char *const verbs[] = { "Create", "Update", "Delete" };
    struct wn_str type = wn_member_peek(root, "type");
    size_t i;

    if (wn_member(root, "@context") != NULL)
        return true;
    for (i = 0; i < 3; i++)
        if (type.p != NULL && strcmp(type.p, verbs[i]) == 0)
            return wn_member(root, "object") != NULL;
    return false;
}

enum wn_format
wn_envelope_find(const json_t *root)
{
    if (wn_member_peek(root, "specversion").p != NULL)
        return WN_FORMAT_CLOUDEVENTS;
    if (is_activity(root))
        return WN_FORMAT_ACTIVITYSTREAMS;
    if (wn_member_peek(root, "did").p != NULL &&
        wn_member_peek(root, "kind").p != NULL)
        return WN_FORMAT_JETSTREAM;
    return WN_FORMAT_NATIVE;
}

void
wn_envelope_read(
    struct wn_parser *ps, const json_t *root, enum wn_format format)
{
    switch (format) {
    case WN_FORMAT_AUTO:
        wn_envelope_read(ps, root, wn_envelope_find(root));
        break;
    case WN_FORMAT_NATIVE:
        wn_envelope_native(ps, root);
        break;
    case WN_FORMAT_CLOUDEVENTS:
        wn_envelope_cloudevents(ps, root);
        break;
    case WN_FORMAT_ACTIVITYSTREAMS:
        wn_envelope_activity(ps, root);
        break;
    case WN_FORMAT_JETSTREAM:
        wn_envelope_jetstream(ps, root);
        break;
    }
}

/* --- entry --- */

/* A Kafka tombstone: its key is the post's id, as producers key posts. */
static void
tombstone(struct wn_parser *ps)
{
    const struct wn_str key = ps->item->rec.key;
    struct wn_buf clean;

    ps->item->post.event = WN_POST_DELETED;
    ps->item->sig.v[WN_SIG_TEXT_INVALID] = wn_value_int(0);
    if (key.p == NULL || key.len == 0) {
        wn_parser_dead(ps, "id: a tombstone without a key");
        return;
    }
    if (key.len > WN_ID_MAX) {
        wn_parser_dead(ps, "id: a tombstone's key is over 1,024 bytes");
        return;
    }
    wn_buf_init(&clean, key.len * 3 + 64);
    (void)wn_repair_text(&clean, key.p, key.len);
    if (clean.failed || clean.len > WN_ID_MAX)
        wn_parser_dead(ps, "id: a tombstone's key is not UTF-8");
    else
        ps->item->post.id = wn_parser_copy(ps, clean.data, clean.len);
    wn_buf_release(&clean);
}

static bool
begin(struct wn_parser *ps, struct wn_item *item, size_t post_bytes_max)
{
    char *cause;

    memset(ps, 0, sizeof(*ps));
    ps->item = item;
    ps->bytes_max = post_bytes_max;
    ps->time_us = WN_TIME_UNKNOWN;
    ps->author_created_us = WN_TIME_UNKNOWN;
    wn_buf_init(&ps->media_seen, WN_MEDIA_MAX * WN_SHA256);
    item->post.created_us = WN_TIME_UNKNOWN;
    if (item->rec.raw.p == NULL || item->rec.raw.len <= post_bytes_max)
        return true;
    cause = wn_arena_printf(&item->arena,
        "size: over ingest.post_bytes_max, which is %zu bytes", post_bytes_max);
    wn_parser_dead(
        ps, cause != NULL ? cause : "size: over ingest.post_bytes_max");
    return false;
}

static void
end(struct wn_parser *ps)
{
    wn_buf_release(&ps->media_seen);
}

void
wn_parse(struct wn_item *item, enum wn_format format, size_t post_bytes_max)
{
    struct wn_parser ps;
    json_t *root;

    if (!begin(&ps, item, post_bytes_max)) {
        end(&ps);
        return;
    }
    if (item->rec.raw.p == NULL) {
        tombstone(&ps);
    } else {
        root = wn_parser_json(&ps, item->rec.raw.p, item->rec.raw.len);
        if (root != NULL)
            wn_envelope_read(&ps, root, format);
        json_decref(root);
    }
    wn_parser_finish(&ps);
    end(&ps);
}

/* What an envelope brings: without it, its marks are a bare line's own
 * members. */
static bool
has_payload(const json_t *root)
{
    return wn_member(root, "data") != NULL ||
           wn_member(root, "data_base64") != NULL ||
           wn_member(root, "object") != NULL ||
           wn_member(root, "commit") != NULL;
}

/* A line without any envelope's mark is the post itself, and so is one with an
 * id and a text of its own that only happens to have such members. */
static bool
is_bare(const json_t *root)
{
    const json_t *post = wn_member(root, "post");

    if (json_is_object(post))
        return false;
    if (wn_envelope_find(root) == WN_FORMAT_NATIVE && post == NULL)
        return true;
    return json_is_string(json_object_get(root, "id")) &&
           json_is_string(json_object_get(root, "text")) &&
           (wn_envelope_find(root) == WN_FORMAT_NATIVE || !has_payload(root));
}

void
wn_parse_loose(struct wn_item *item, size_t post_bytes_max)
{
    struct wn_parser ps;
    json_t *root;

    if (!begin(&ps, item, post_bytes_max)) {
        end(&ps);
        return;
    }
    root = wn_parser_json(&ps, item->rec.raw.p, item->rec.raw.len);
    if (root != NULL) {
        ps.loose = is_bare(root);
        if (ps.loose)
            wn_envelope_post(&ps, root);
        else
            wn_envelope_read(&ps, root, WN_FORMAT_AUTO);
    }
    json_decref(root);
    wn_parser_finish(&ps);
    end(&ps);
}
