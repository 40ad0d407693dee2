/*
 * Members of JSON objects to fields of a post: what is absent, what is of the
 * wrong type, what kills the record. See parse_int.h.
 */
#include <math.h>
#include <string.h>

#include "ingest/parse_int.h"

void
wn_parser_dead(struct wn_parser *ps, const char *cause)
{
    struct wn_item *item = ps->item;

    if (item->outcome == WN_DEAD)
        return;
    item->outcome = WN_DEAD;
    item->cause = (struct wn_str){ cause, strlen(cause) };
}

void
wn_parser_dead_member(
    struct wn_parser *ps, const char *class, const char *name, const char *is)
{
    char *cause =
        wn_arena_printf(&ps->item->arena, "%s: %s %s", class, name, is);

    wn_parser_dead(ps, cause != NULL ? cause : class);
}

void
wn_parser_bad(struct wn_parser *ps, const char *name)
{
    size_t i;

    for (i = 0; i < ps->bad_n; i++)
        if (strcmp(ps->bad[i].p, name) == 0)
            return;
    if (ps->bad == NULL)
        ps->bad = wn_arena_array(
            &ps->item->arena, WN_BAD_MEMBERS_MAX, sizeof(*ps->bad));
    if (ps->bad == NULL || ps->bad_n == WN_BAD_MEMBERS_MAX)
        return;
    ps->bad[ps->bad_n++] = (struct wn_str){ name, strlen(name) };
}

struct wn_str
wn_parser_copy(struct wn_parser *ps, const char *p, size_t len)
{
    struct wn_str ret = { wn_arena_strndup(&ps->item->arena, p, len), len };

    if (ret.p == NULL) {
        wn_parser_dead(ps, "size: its parts take more memory than it may");
        ret.len = 0;
    }
    return ret;
}

struct wn_str
wn_parser_copy_json(struct wn_parser *ps, const json_t *string)
{
    return wn_parser_copy(
        ps, json_string_value(string), json_string_length(string));
}

json_t *
wn_member(const json_t *object, const char *key)
{
    json_t *v = json_object_get(object, key);

    return json_is_null(v) ? NULL : v;
}

struct wn_str
wn_member_peek(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);

    if (!json_is_string(v) || json_string_length(v) == 0)
        return (struct wn_str){ NULL, 0 };
    return (struct wn_str){ json_string_value(v), json_string_length(v) };
}

struct wn_str
wn_member_str(struct wn_parser *ps, const json_t *object, const char *key,
    const char *name, size_t len_max)
{
    const json_t *v = wn_member(object, key);
    struct wn_str none = { NULL, 0 };

    if (v == NULL)
        return none;
    if (!json_is_string(v) || json_string_length(v) > len_max) {
        wn_parser_bad(ps, name);
        return none;
    }
    return json_string_length(v) == 0 ? none : wn_parser_copy_json(ps, v);
}

bool
wn_member_int(struct wn_parser *ps, const json_t *object, const char *key,
    const char *name, int64_t *ret)
{
    const json_t *v = wn_member(object, key);
    double d;

    if (v == NULL)
        return false;
    if (json_is_integer(v)) {
        *ret = json_integer_value(v);
        return true;
    }
    /* 12.0 is what some languages make of 12. */
    d = json_is_real(v) ? json_real_value(v) : 0.5;
    if (fabs(d) < 9007199254740992.0 && d == floor(d)) {
        *ret = (int64_t)d;
        return true;
    }
    wn_parser_bad(ps, name);
    return false;
}

int64_t
wn_member_time(struct wn_parser *ps, const json_t *object, const char *key,
    const char *name)
{
    const json_t *v = wn_member(object, key);
    int64_t us = WN_TIME_UNKNOWN;

    if (v != NULL && (!json_is_string(v) || !wn_time_parse(json_string_value(v),
                                                json_string_length(v), &us)))
        wn_parser_bad(ps, name);
    return us;
}

/* What it is instead. A whole number is an id by all but its quotes: it is
 * shown as it has to be written. */
static void
no_string(struct wn_parser *ps, const json_t *value, const char *name)
{
    char *cause;

    if (json_is_integer(value))
        cause = wn_arena_printf(&ps->item->arena,
            "type: \"%s\" is a number: write it as a string, "
            "\"%" JSON_INTEGER_FORMAT "\"",
            name, json_integer_value(value));
    else
        cause = wn_arena_printf(&ps->item->arena,
            "type: \"%s\" is %s: write it as a string", name,
            json_is_real(value)     ? "a number"
            : json_is_object(value) ? "an object"
            : json_is_array(value)  ? "a list"
                                    : "true or false");
    wn_parser_dead(ps, cause != NULL ? cause : "type");
}

struct wn_str
wn_parser_id(struct wn_parser *ps, const json_t *value, const char *name)
{
    struct wn_str none = { NULL, 0 };

    if (value == NULL || json_is_null(value))
        wn_parser_dead_member(ps, "id", name, "is missing");
    else if (!json_is_string(value))
        no_string(ps, value, name);
    else if (json_string_length(value) == 0)
        wn_parser_dead_member(ps, "id", name, "is empty");
    else if (json_string_length(value) > WN_ID_MAX)
        wn_parser_dead_member(ps, "id", name, "is over 1,024 bytes");
    else
        return wn_parser_copy_json(ps, value);
    return none;
}

/* A BCP 47 tag: short, and kept with the verdict, so nothing else passes. */
void
wn_parser_lang(struct wn_parser *ps, const json_t *value)
{
    char tag[36];
    size_t i, n;

    if (value == NULL || json_is_null(value))
        return;
    n = json_is_string(value) ? json_string_length(value) : sizeof(tag);
    if (n == 0)
        return;
    if (n >= sizeof(tag)) {
        wn_parser_bad(ps, "post.lang");
        return;
    }
    for (i = 0; i < n; i++) {
        char c = json_string_value(value)[i];

        c = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c == '_' ? '-' : c;
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-') {
            wn_parser_bad(ps, "post.lang");
            return;
        }
        tag[i] = c;
    }
    ps->item->post.lang = wn_parser_copy(ps, tag, n);
}

void
wn_parser_text(struct wn_parser *ps, const json_t *value)
{
    if (value == NULL || json_is_null(value))
        return;
    if (json_is_string(value))
        ps->item->post.text = wn_parser_copy_json(ps, value);
    else
        ps->text_bad = true;
}

void
wn_parser_link(struct wn_parser *ps, const char *p, size_t len)
{
    if (len == 0)
        return;
    if (len > WN_LINK_BYTES_MAX || ps->links_n == WN_GIVEN_LINKS_MAX) {
        wn_parser_bad(ps, "post.links");
        return;
    }
    if (ps->links == NULL)
        ps->links = wn_arena_array(
            &ps->item->arena, WN_GIVEN_LINKS_MAX, sizeof(*ps->links));
    if (ps->links == NULL) {
        wn_parser_dead(ps, "size: its parts take more memory than it may");
        return;
    }
    ps->links[ps->links_n] = wn_parser_copy(ps, p, len);
    if (ps->links[ps->links_n].p != NULL)
        ps->links_n++;
}

/*
 * Parts as a reader sees them; the id counts only where nothing else says
 * which medium it is, since platforms give a new one with each upload.
 */
void
wn_parser_medium(struct wn_parser *ps, const struct wn_seen *seen)
{
    const bool named =
        seen->url.p != NULL || seen->data.p != NULL || seen->path.p != NULL;
    const struct wn_str parts[] = { seen->type, seen->url, seen->data,
        seen->path, seen->alt, named ? (struct wn_str){ NULL, 0 } : seen->id };
    struct wn_part hashed[12];
    uint64_t lens[6];
    uint8_t digest[WN_SHA256];
    size_t i;

    ps->has_media = true;
    if (ps->item->post.media_n == WN_MEDIA_MAX) {
        wn_parser_bad(ps, "post.media");
        return;
    }
    ps->item->post.media_n++;
    for (i = 0; i < 6; i++) {
        lens[i] = parts[i].p == NULL ? UINT64_MAX : parts[i].len;
        hashed[2 * i] = (struct wn_part){ &lens[i], sizeof(lens[i]) };
        hashed[2 * i + 1] = (struct wn_part){ parts[i].p, parts[i].len };
    }
    wn_sha256_parts(hashed, 12, digest);
    wn_buf_add(&ps->media_seen, digest, sizeof(digest));
}
