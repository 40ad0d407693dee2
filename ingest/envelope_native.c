/*
 * Winnow's own envelope: {"type":"post.created","post":{...}} (DESIGN 2).
 * Without a type it is a creation, since only ids and content are required.
 * The post object is also what CloudEvents carry.
 */
#include <string.h>

#include "ingest/parse_int.h"

#define SURFACE_MAX 64

bool
wn_event_find(struct wn_str type, enum wn_post_event *ret)
{
    static const char *const names[] = { "post.created", "post.updated",
        "post.deleted" };
    size_t i, n;

    for (i = 0; i < 3; i++) {
        n = strlen(names[i]);
        if (type.len < n || memcmp(type.p + type.len - n, names[i], n) != 0)
            continue;
        if (type.len > n && type.p[type.len - n - 1] != '.')
            continue;
        *ret = (enum wn_post_event)i;
        return true;
    }
    return false;
}

static void
count_signal(struct wn_parser *ps, const json_t *author, const char *key,
    const char *name, enum wn_signal id)
{
    int64_t n;

    if (!wn_member_int(ps, author, key, name, &n))
        return;
    if (n < 0)
        wn_parser_bad(ps, name);
    else
        ps->item->sig.v[id] = wn_value_int(n);
}

/* The loose form needs no author, so there one of another shape is only
 * unknown. */
static void
read_author_id(struct wn_parser *ps, const json_t *author)
{
    struct wn_post *post = &ps->item->post;

    if (ps->loose)
        post->author_id =
            wn_member_str(ps, author, "id", "author.id", WN_ID_MAX);
    else
        post->author_id =
            wn_parser_id(ps, json_object_get(author, "id"), "post.author.id");
}

static void
read_author(struct wn_parser *ps, const json_t *author)
{
    struct wn_str handle;

    if (author != NULL && !json_is_object(author)) {
        if (ps->loose)
            wn_parser_bad(ps, "post.author");
        else
            wn_parser_dead(ps, "type: post.author is not an object");
        return;
    }
    read_author_id(ps, author);
    handle = wn_member_str(ps, author, "handle", "author.handle", WN_ID_MAX);
    if (handle.p != NULL)
        ps->item->sig.v[WN_SIG_AUTHOR_HANDLE] =
            wn_value_str(handle.p, handle.len);
    ps->author_created_us =
        wn_member_time(ps, author, "created_at", "author.created_at");
    count_signal(
        ps, author, "followers", "author.followers", WN_SIG_AUTHOR_FOLLOWERS);
    count_signal(
        ps, author, "following", "author.following", WN_SIG_AUTHOR_FOLLOWING);
    count_signal(
        ps, author, "posts_1h", "author.posts_1h", WN_SIG_AUTHOR_POSTS_1H);
}

static void
read_links(struct wn_parser *ps, const json_t *links)
{
    const json_t *link;
    size_t i;

    if (links == NULL)
        return;
    if (!json_is_array(links)) {
        wn_parser_bad(ps, "post.links");
        return;
    }
    json_array_foreach(links, i, link)
    {
        if (json_is_string(link))
            wn_parser_link(
                ps, json_string_value(link), json_string_length(link));
        else
            wn_parser_bad(ps, "post.links");
    }
}

static struct wn_str
seen_member(struct wn_parser *ps, const json_t *medium, const char *key)
{
    const json_t *v = wn_member(medium, key);

    if (v != NULL && !json_is_string(v))
        wn_parser_bad(ps, "post.media");
    return wn_member_peek(medium, key);
}

static void
read_media(struct wn_parser *ps, const json_t *media)
{
    const json_t *m;
    size_t i;

    if (media == NULL)
        return;
    if (!json_is_array(media)) {
        ps->media_bad = true;
        return;
    }
    ps->has_media = true;
    json_array_foreach(media, i, m)
    {
        struct wn_seen seen;

        if (!json_is_object(m)) {
            wn_parser_bad(ps, "post.media");
            continue;
        }
        seen.id = seen_member(ps, m, "id");
        seen.type = seen_member(ps, m, "type");
        seen.url = seen_member(ps, m, "url");
        seen.data = seen_member(ps, m, "data");
        seen.path = seen_member(ps, m, "path");
        seen.alt = seen_member(ps, m, "alt");
        wn_parser_medium(ps, &seen);
    }
}

static void
read_reply(struct wn_parser *ps, const json_t *post)
{
    const json_t *v = wn_member(post, "reply_to");

    ps->item->post.reply_to =
        wn_member_str(ps, post, "reply_to", "post.reply_to", WN_ID_MAX);
    ps->reply_bad = v != NULL && ps->item->post.reply_to.p == NULL &&
                    (!json_is_string(v) || json_string_length(v) > 0);
}

void
wn_envelope_post(struct wn_parser *ps, const json_t *json)
{
    static const char *const known[] = { "id", "revision", "created_at", "lang",
        "surface", "text", "links", "reply_to", "media", "author", NULL };
    struct wn_post *post = &ps->item->post;

    post->id = wn_parser_id(
        ps, json_object_get(json, "id"), ps->loose ? "id" : "post.id");
    post->has_revision =
        wn_member_int(ps, json, "revision", "post.revision", &post->revision);
    post->created_us =
        wn_member_time(ps, json, "created_at", "post.created_at");
    if (post->event == WN_POST_DELETED)
        return;
    read_author(ps, wn_member(json, "author"));
    wn_parser_lang(ps, json_object_get(json, "lang"));
    post->surface =
        wn_member_str(ps, json, "surface", "post.surface", SURFACE_MAX);
    wn_parser_text(ps, json_object_get(json, "text"));
    read_links(ps, wn_member(json, "links"));
    read_media(ps, wn_member(json, "media"));
    read_reply(ps, json);
    wn_parser_extra(ps, json, known);
}

static const char no_post[] =
    "id: no \"post\" member: {\"type\":\"post.created\",\"post\":{\"id\":"
    "\"...\",\"text\":\"...\",\"author\":{\"id\":\"...\"}}}, see "
    "deploy/FORMATS.md";

void
wn_envelope_native(struct wn_parser *ps, const json_t *root)
{
    const json_t *type = json_object_get(root, "type");
    const json_t *post = wn_member(root, "post");
    struct wn_str name = wn_member_peek(root, "type");
    enum wn_post_event event = WN_POST_CREATED;

    if (type != NULL && (name.p == NULL || name.len != strlen("post.created") ||
                            !wn_event_find(name, &event)))
        wn_parser_dead(ps, "event: \"type\" is none of post.created, "
                           "post.updated, post.deleted");
    ps->item->post.event = event;
    if (post == NULL)
        wn_parser_dead(ps, no_post);
    else if (!json_is_object(post))
        wn_parser_dead(ps, "type: \"post\" is not an object");
    else
        wn_envelope_post(ps, post);
}
