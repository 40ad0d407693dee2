/*
 * ActivityStreams 2.0, as the fediverse speaks it: Create, Update or Delete.
 * The object is a Note, or one of the types that servers show as a post too
 * (a poll is a Question: choosing one must not buy silence). The text is what
 * a reader sees: title, content warning and content, without markup. A Delete
 * names its object by id, as a Tombstone, or whole.
 */
#include <string.h>

#include "ingest/parse_int.h"

#define HANDLE_MAX 1024

/* A type may be a list of types. */
static bool
has_type(const json_t *object, const char *type)
{
    const json_t *v = wn_member(object, "type"), *one;
    size_t i;

    if (json_is_string(v))
        return strcmp(json_string_value(v), type) == 0;
    json_array_foreach(v, i, one)
    {
        if (json_is_string(one) && strcmp(json_string_value(one), type) == 0)
            return true;
    }
    return false;
}

static bool
is_post(const json_t *object)
{
    static const char *const types[] = { "Note", "Question", "Article",
        "Page" };
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (has_type(object, types[i]))
            return true;
    return false;
}

/* An id: a string, an object with one, or a list whose first says it. */
static const json_t *
id_of(const json_t *v)
{
    if (json_is_array(v))
        v = json_array_get(v, 0);
    return json_is_object(v) ? wn_member(v, "id") : v;
}

static void
read_author(struct wn_parser *ps, const json_t *root, const json_t *object)
{
    const json_t *who = wn_member(object, "attributedTo");
    struct wn_str handle;

    if (who == NULL)
        who = wn_member(root, "actor");
    ps->item->post.author_id = wn_parser_id(ps, id_of(who), "author.id");
    if (!json_is_object(who))
        return;
    handle = wn_member_str(
        ps, who, "preferredUsername", "author.handle", HANDLE_MAX);
    if (handle.p != NULL)
        ps->item->sig.v[WN_SIG_AUTHOR_HANDLE] =
            wn_value_str(handle.p, handle.len);
    ps->author_created_us =
        wn_member_time(ps, who, "published", "author.created_at");
}

/* content, or of contentMap what stands first; its key is the language. */
static const json_t *
content_of(struct wn_parser *ps, const json_t *object)
{
    const json_t *content = wn_member(object, "content");
    json_t *map = json_object_get(object, "contentMap"), *v;
    const char *lang;

    json_object_foreach(map, lang, v)
    {
        json_t *tag;

        if (!json_is_string(v) || (content != NULL && !json_equal(v, content)))
            continue;
        tag = json_string(lang);
        wn_parser_lang(ps, tag);
        json_decref(tag);
        return content != NULL ? content : v;
    }
    return content;
}

static void
add_html(struct wn_parser *ps, struct wn_buf *text, const json_t *html)
{
    if (!json_is_string(html) || json_string_length(html) == 0)
        return;
    if (text->len > 0)
        wn_buf_char(text, '\n');
    wn_html_text(ps, text, json_string_value(html), json_string_length(html));
}

static void
read_text(struct wn_parser *ps, const json_t *object)
{
    const json_t *content = content_of(ps, object);
    const json_t *parts[] = { wn_member(object, "name"),
        wn_member(object, "summary"), content };
    struct wn_buf text;
    size_t i;
    bool given = false;

    if (content != NULL && !json_is_string(content))
        ps->text_bad = true;
    wn_buf_init(&text, ps->bytes_max * 4 + 64);
    for (i = 0; i < 3; i++) {
        given = given || json_is_string(parts[i]);
        add_html(ps, &text, parts[i]);
    }
    if (text.failed)
        wn_parser_dead(ps, "size: no memory for its text");
    else if (given)
        ps->item->post.text =
            wn_parser_copy(ps, text.len > 0 ? text.data : "", text.len);
    wn_buf_release(&text);
}

/* url: a string, a Link with href, or a list of either. */
static struct wn_str
url_of(const json_t *object)
{
    const json_t *v = wn_member(object, "url");

    if (json_is_array(v))
        v = json_array_get(v, 0);
    if (json_is_string(v))
        return (struct wn_str){ json_string_value(v), json_string_length(v) };
    return wn_member_peek(json_is_object(v) ? v : object, "href");
}

static void
read_attachment(struct wn_parser *ps, const json_t *a)
{
    struct wn_seen seen = { .url = url_of(a) };

    if (!json_is_object(a)) {
        wn_parser_bad(ps, "post.media");
        return;
    }
    if (has_type(a, "Link")) {
        wn_parser_link(ps, seen.url.p, seen.url.len);
        return;
    }
    seen.id = wn_member_peek(a, "id");
    seen.type = wn_member_peek(a, "mediaType");
    seen.alt = wn_member_peek(a, "name");
    wn_parser_medium(ps, &seen);
}

static void
read_attachments(struct wn_parser *ps, const json_t *object)
{
    const json_t *v = wn_member(object, "attachment"), *a;
    size_t i;

    if (v == NULL)
        return;
    if (!json_is_array(v)) {
        read_attachment(ps, v);
        return;
    }
    ps->has_media = true;
    json_array_foreach(v, i, a) read_attachment(ps, a);
}

static void
read_reply(struct wn_parser *ps, const json_t *object)
{
    const json_t *id = id_of(wn_member(object, "inReplyTo"));

    if (id == NULL)
        return;
    if (json_is_string(id) && json_string_length(id) > 0 &&
        json_string_length(id) <= WN_ID_MAX) {
        ps->item->post.reply_to = wn_parser_copy_json(ps, id);
        return;
    }
    ps->reply_bad = true;
    wn_parser_bad(ps, "post.reply_to");
}

static void
read_object(struct wn_parser *ps, const json_t *root, const json_t *object)
{
    static const char *const known[] = { "@context", "id", "type", "name",
        "summary", "content", "contentMap", "attributedTo", "attachment",
        "inReplyTo", "published", "updated", NULL };
    struct wn_post *post = &ps->item->post;

    post->id = wn_parser_id(ps, json_object_get(object, "id"), "object.id");
    post->created_us =
        wn_member_time(ps, object, "published", "post.created_at");
    if (post->event == WN_POST_UPDATED)
        ps->time_us = wn_member_time(ps, object, "updated", "post.updated");
    read_author(ps, root, object);
    read_text(ps, object);
    read_attachments(ps, object);
    read_reply(ps, object);
    wn_parser_extra(ps, object, known);
}

static bool
read_verb(const json_t *root, enum wn_post_event *ret)
{
    static const char *const verbs[] = { "Create", "Update", "Delete" };
    size_t i;

    for (i = 0; i < 3; i++) {
        if (has_type(root, verbs[i])) {
            *ret = (enum wn_post_event)i;
            return true;
        }
    }
    return false;
}

void
wn_envelope_activity(struct wn_parser *ps, const json_t *root)
{
    const json_t *object = wn_member(root, "object");
    struct wn_post *post = &ps->item->post;
    struct wn_str time = wn_member_peek(root, "published");
    bool known = read_verb(root, &post->event);

    if (!known)
        wn_parser_dead(ps, "event: an activity that is no post's");
    if (object == NULL) {
        wn_parser_dead(ps, "id: no object");
    } else if (post->event == WN_POST_DELETED) {
        post->id = wn_parser_id(ps, id_of(object), "object.id");
    } else if (!json_is_object(object)) {
        wn_parser_dead(ps, "type: object is not an object");
    } else {
        if (!is_post(object))
            wn_parser_dead(ps, "event: an object that is no post");
        read_object(ps, root, object);
    }
    if (ps->time_us == WN_TIME_UNKNOWN && time.p != NULL)
        (void)wn_time_parse(time.p, time.len, &ps->time_us);
}
