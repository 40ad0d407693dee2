/*
 * CloudEvents 1.0, structured mode. data is a post, a native event, or another
 * envelope that has marks of its own; as a JSON object, as a string that holds
 * JSON, or in data_base64. The event's type ends in post.created, .updated or
 * .deleted; the type of a native event in data goes before it. `subject` names
 * the post where data has no id.
 */
#include <string.h>

#include "ingest/parse_int.h"

static int
base64_digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 with or without padding; line ends are passed over. */
static bool
base64_decode(struct wn_buf *out, const char *p, size_t len)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t i;

    while (len > 0 && p[len - 1] == '=')
        len--;
    for (i = 0; i < len; i++) {
        int v = base64_digit((unsigned char)p[i]);

        if (p[i] == '\r' || p[i] == '\n')
            continue;
        if (v < 0)
            return false;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            wn_buf_char(out, (char)(bits >> have & 0xFF));
        }
    }
    return have != 6 && !out->failed;
}

/* The object in data, owned by the caller; NULL: none, or dead. */
static json_t *
read_data(struct wn_parser *ps, const json_t *root)
{
    json_t *data = wn_member(root, "data"), *ret = NULL;
    const json_t *coded = wn_member(root, "data_base64");
    struct wn_buf bytes;

    if (json_is_object(data))
        return json_incref(data);
    if (json_is_string(data))
        return wn_parser_json(
            ps, json_string_value(data), json_string_length(data));
    if (data != NULL) {
        wn_parser_dead(ps, "type: data is not an object");
        return NULL;
    }
    if (coded == NULL)
        return NULL;
    if (!json_is_string(coded)) {
        wn_parser_dead(ps, "type: data_base64 is not a string");
        return NULL;
    }
    wn_buf_init(&bytes, json_string_length(coded) + 64);
    if (base64_decode(
            &bytes, json_string_value(coded), json_string_length(coded)))
        ret = wn_parser_json(ps, bytes.len > 0 ? bytes.data : "", bytes.len);
    else
        wn_parser_dead(ps, "json: data_base64 is not base64");
    wn_buf_release(&bytes);
    return ret;
}

/* A copy of the post with subject as its id, where it has none. */
static json_t *
with_subject(const json_t *data, const json_t *root)
{
    json_t *post =
        data != NULL ? json_copy((json_t *)(uintptr_t)data) /* reads it only */
                     : json_object();

    if (wn_member(post, "id") == NULL && wn_member(root, "subject") != NULL)
        (void)json_object_set(post, "id", wn_member(root, "subject"));
    return post;
}

static void
read_post(struct wn_parser *ps, const json_t *data, const json_t *root)
{
    json_t *post = with_subject(data, root);

    if (!wn_event_find(wn_member_peek(root, "type"), &ps->item->post.event))
        wn_parser_dead(ps, "event: unknown CloudEvents type");
    if (post == NULL)
        wn_parser_dead(ps, "size: no memory for its data");
    else
        wn_envelope_post(ps, post);
    json_decref(post);
}

/* {"type":…,"post":{…}}, or {"post":{…}} with the outer type. */
static void
read_event(struct wn_parser *ps, const json_t *data, const json_t *root)
{
    if (json_object_get(data, "type") != NULL)
        wn_envelope_native(ps, data);
    else if (json_is_object(wn_member(data, "post")))
        read_post(ps, wn_member(data, "post"), root);
    else
        wn_parser_dead(ps, "type: \"post\" is not an object");
}

void
wn_envelope_cloudevents(struct wn_parser *ps, const json_t *root)
{
    struct wn_str time = wn_member_peek(root, "time");
    json_t *data;
    enum wn_format inner;

    if (time.p != NULL)
        (void)wn_time_parse(time.p, time.len, &ps->time_us);
    data = read_data(ps, root);
    if (ps->item->outcome == WN_DEAD)
        goto out;
    inner = wn_envelope_find(data);
    if (inner == WN_FORMAT_CLOUDEVENTS)
        wn_parser_dead(ps, "event: CloudEvents inside CloudEvents");
    else if (inner != WN_FORMAT_NATIVE)
        wn_envelope_read(ps, data, inner);
    else if (json_object_get(data, "post") != NULL)
        read_event(ps, data, root);
    else
        read_post(ps, data, root);
out:
    json_decref(data);
}
