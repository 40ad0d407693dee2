/*
 * Bluesky Jetstream: commits of app.bsky.feed.post. The id is the post's AT
 * URI, the revision is the repository's rev (a TID: base 32, in order of
 * time). A link card's title and description are read as text, since a reader
 * sees them; its address is a link, like those of the facets.
 */
#include <string.h>

#include "ingest/parse_int.h"

#define COLLECTION "app.bsky.feed.post"

static const char *
type_of(const json_t *v)
{
    struct wn_str type = wn_member_peek(v, "$type");

    return type.p != NULL ? type.p : "";
}

/* 13 digits of base 32 make 65 bits; the first has no more than its half. */
static bool
tid(struct wn_str s, int64_t *ret)
{
    static const char digits[] = "234567abcdefghijklmnopqrstuvwxyz";
    uint64_t v = 0;
    size_t i;

    if (s.len != 13 || strchr("234567abcdefghij", s.p[0]) == NULL)
        return false;
    for (i = 0; i < s.len; i++) {
        const char *d = strchr(digits, s.p[i]);

        if (d == NULL || *d == '\0')
            return false;
        v = v << 5 | (uint64_t)(d - digits);
    }
    if (v > INT64_MAX)
        return false;
    *ret = (int64_t)v;
    return true;
}

static void
read_facets(struct wn_parser *ps, const json_t *record)
{
    const json_t *facet, *feature;
    size_t i, j;

    json_array_foreach(json_object_get(record, "facets"), i, facet)
    {
        json_array_foreach(json_object_get(facet, "features"), j, feature)
        {
            struct wn_str uri = wn_member_peek(feature, "uri");

            if (uri.p != NULL)
                wn_parser_link(ps, uri.p, uri.len);
        }
    }
}

static void
read_blob(struct wn_parser *ps, const json_t *blob, struct wn_str alt)
{
    struct wn_seen seen = { .alt = alt,
        .type = wn_member_peek(blob, "mimeType"),
        .id = wn_member_peek(json_object_get(blob, "ref"), "$link") };

    wn_parser_medium(ps, &seen);
}

static void
read_card(struct wn_parser *ps, const json_t *card, struct wn_buf *text)
{
    static const char *const keys[] = { "title", "description" };
    struct wn_str uri = wn_member_peek(card, "uri");
    size_t i;

    if (uri.p != NULL)
        wn_parser_link(ps, uri.p, uri.len);
    for (i = 0; i < 2; i++) {
        struct wn_str s = wn_member_peek(card, keys[i]);

        if (s.p == NULL)
            continue;
        if (text->len > 0)
            wn_buf_char(text, '\n');
        wn_buf_add(text, s.p, s.len);
    }
}

static void
read_embed(struct wn_parser *ps, const json_t *embed, struct wn_buf *text)
{
    const json_t *image;
    size_t i;

    /* A quoted post with media of its own is one level deep, no more. */
    if (strcmp(type_of(embed), "app.bsky.embed.recordWithMedia") == 0)
        embed = json_object_get(embed, "media");
    if (embed != NULL && !json_is_object(embed)) {
        wn_parser_bad(ps, "post.media");
        return;
    }
    json_array_foreach(json_object_get(embed, "images"), i, image) read_blob(
        ps, json_object_get(image, "image"), wn_member_peek(image, "alt"));
    if (json_is_object(json_object_get(embed, "video")))
        read_blob(
            ps, json_object_get(embed, "video"), wn_member_peek(embed, "alt"));
    read_card(ps, json_object_get(embed, "external"), text);
}

static void
read_text(struct wn_parser *ps, const json_t *record)
{
    const json_t *given = wn_member(record, "text");
    struct wn_buf text;

    ps->text_bad = given != NULL && !json_is_string(given);
    wn_buf_init(&text, ps->bytes_max * 4 + 64);
    if (json_is_string(given))
        wn_buf_add(&text, json_string_value(given), json_string_length(given));
    read_embed(ps, wn_member(record, "embed"), &text);
    if (text.failed)
        wn_parser_dead(ps, "size: no memory for its text");
    else if (text.len > 0 || json_is_string(given))
        ps->item->post.text =
            wn_parser_copy(ps, text.len > 0 ? text.data : "", text.len);
    wn_buf_release(&text);
}

static void
read_reply(struct wn_parser *ps, const json_t *record)
{
    const json_t *reply = wn_member(record, "reply");
    struct wn_str uri = wn_member_peek(json_object_get(reply, "parent"), "uri");

    if (reply == NULL)
        return;
    if (uri.p != NULL && uri.len <= WN_ID_MAX) {
        ps->item->post.reply_to = wn_parser_copy(ps, uri.p, uri.len);
        return;
    }
    ps->reply_bad = true;
    wn_parser_bad(ps, "post.reply_to");
}

static void
read_langs(struct wn_parser *ps, const json_t *record)
{
    const json_t *langs = wn_member(record, "langs");

    if (langs != NULL && !json_is_array(langs))
        wn_parser_bad(ps, "post.lang");
    else
        wn_parser_lang(ps, json_array_get(langs, 0));
}

static void
read_record(struct wn_parser *ps, const json_t *record)
{
    static const char *const known[] = { "$type", "text", "createdAt", "langs",
        "reply", "facets", NULL };

    ps->item->post.created_us =
        wn_member_time(ps, record, "createdAt", "post.created_at");
    read_langs(ps, record);
    read_text(ps, record);
    read_facets(ps, record);
    read_reply(ps, record);
    wn_parser_extra(ps, record, known);
}

static bool
read_operation(const json_t *commit, enum wn_post_event *ret)
{
    static const char *const names[] = { "create", "update", "delete" };
    struct wn_str operation = wn_member_peek(commit, "operation");
    size_t i;

    for (i = 0; i < 3; i++) {
        if (operation.p != NULL && strcmp(operation.p, names[i]) == 0) {
            *ret = (enum wn_post_event)i;
            return true;
        }
    }
    return false;
}

static void
read_ids(struct wn_parser *ps, const json_t *root, const json_t *commit)
{
    struct wn_post *post = &ps->item->post;
    struct wn_str did, rkey;
    char *uri;

    did = wn_parser_id(ps, json_object_get(root, "did"), "did");
    rkey = wn_parser_id(ps, json_object_get(commit, "rkey"), "commit.rkey");
    post->author_id = did;
    if (did.p == NULL || rkey.p == NULL)
        return;
    uri = wn_arena_printf(
        &ps->item->arena, "at://%s/" COLLECTION "/%s", did.p, rkey.p);
    if (uri == NULL || strlen(uri) > WN_ID_MAX)
        wn_parser_dead(ps, "id: its AT URI is over 1,024 bytes");
    else
        post->id = (struct wn_str){ uri, strlen(uri) };
}

static void
read_commit(struct wn_parser *ps, const json_t *root, const json_t *commit)
{
    struct wn_str collection = wn_member_peek(commit, "collection");
    struct wn_str rev = wn_member_peek(commit, "rev");
    const json_t *record = wn_member(commit, "record");
    struct wn_post *post = &ps->item->post;

    if (!read_operation(commit, &post->event))
        wn_parser_dead(ps, "event: unknown commit operation");
    if (collection.p == NULL || strcmp(collection.p, COLLECTION) != 0) {
        wn_parser_dead(ps, "event: a commit of another collection");
        return;
    }
    read_ids(ps, root, commit);
    post->has_revision = rev.p != NULL && tid(rev, &post->revision);
    if (post->event == WN_POST_DELETED)
        return;
    if (json_is_object(record))
        read_record(ps, record);
    else
        wn_parser_dead(ps, "type: commit.record is not an object");
}

void
wn_envelope_jetstream(struct wn_parser *ps, const json_t *root)
{
    struct wn_str kind = wn_member_peek(root, "kind");
    const json_t *commit = wn_member(root, "commit");
    int64_t us;

    if (wn_member_int(ps, root, "time_us", "time_us", &us) && us >= 0)
        ps->time_us = us;
    if (kind.p == NULL || strcmp(kind.p, "commit") != 0)
        wn_parser_dead(ps, "event: a Jetstream event that is no commit");
    else if (!json_is_object(commit))
        wn_parser_dead(ps, "type: commit is not an object");
    else
        read_commit(ps, root, commit);
}
