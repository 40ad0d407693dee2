/*
 * The end of every record: is what is required there, the content hash, and
 * the signals that need no classifier. Ages are counted from the message time,
 * never from now, so that a redo and a back-test agree.
 */
#include <string.h>

#include "ingest/parse_int.h"

static void
string_signal(struct wn_item *item, enum wn_signal id, struct wn_str s)
{
    if (s.p != NULL)
        item->sig.v[id] = wn_value_str(s.p, s.len);
}

/* One of text and media is required; of the wrong type, either is only
 * fatal where the other does not stand in for it. */
static void
require_content(struct wn_parser *ps)
{
    if (ps->text_bad && ps->has_media)
        wn_parser_bad(ps, "post.text");
    else if (ps->text_bad)
        wn_parser_dead(ps, "type: post.text is not a string");
    if (ps->media_bad && ps->item->post.text.p != NULL)
        wn_parser_bad(ps, "post.media");
    else if (ps->media_bad)
        wn_parser_dead(ps, "type: post.media is not a list");
    if (ps->item->post.text.p == NULL && !ps->has_media && !ps->loose)
        wn_parser_dead(ps, "type: neither post.text nor post.media");
}

/* Length before each part, so that no two contents look alike. */
static void
hash_content(struct wn_parser *ps)
{
    struct wn_post *post = &ps->item->post;
    const uint64_t text_len =
        post->text.p == NULL ? UINT64_MAX : post->text.len;
    struct wn_buf seen;
    struct wn_part parts[4];
    size_t i;

    wn_buf_init(&seen, WN_GIVEN_LINKS_MAX * (WN_LINK_BYTES_MAX + 8) + 64);
    for (i = 0; i < ps->links_n; i++) {
        wn_buf_u64(&seen, ps->links[i].len);
        wn_buf_add(&seen, ps->links[i].p, ps->links[i].len);
    }
    wn_buf_u64(&seen, ps->links_n);
    if (seen.failed || ps->media_seen.failed)
        wn_parser_dead(ps, "size: no memory for its content hash");
    parts[0] = (struct wn_part){ &text_len, sizeof(text_len) };
    parts[1] = (struct wn_part){ post->text.p, post->text.len };
    parts[2] = (struct wn_part){ seen.data, seen.len };
    parts[3] = (struct wn_part){ ps->media_seen.data, ps->media_seen.len };
    wn_sha256_parts(parts, 4, post->content_hash);
    wn_buf_release(&seen);
}

static void
message_time(struct wn_parser *ps)
{
    struct wn_record *rec = &ps->item->rec;

    if (rec->time_us == WN_TIME_UNKNOWN)
        rec->time_us = ps->time_us;
    if (rec->time_us == WN_TIME_UNKNOWN)
        rec->time_us = ps->item->post.created_us;
    if (rec->time_us == WN_TIME_UNKNOWN && rec->fallback_us != 0)
        rec->time_us = rec->fallback_us;
}

static void
author_age(struct wn_parser *ps)
{
    const int64_t at = ps->item->rec.time_us, born = ps->author_created_us;
    double days;

    if (at == WN_TIME_UNKNOWN || born == WN_TIME_UNKNOWN)
        return;
    days = ((double)at - (double)born) / 86400e6;
    ps->item->sig.v[WN_SIG_AUTHOR_AGE_DAYS] =
        wn_value_double(days > 0 ? days : 0);
}

static void
post_signals(struct wn_parser *ps)
{
    struct wn_item *item = ps->item;
    const struct wn_post *post = &item->post;

    string_signal(item, WN_SIG_POST_LANG, post->lang);
    string_signal(item, WN_SIG_POST_SURFACE, post->surface);
    string_signal(item, WN_SIG_POST_TEXT, post->text);
    string_signal(item, WN_SIG_AUTHOR_ID, post->author_id);
    item->sig.v[WN_SIG_POST_EDITED] =
        wn_value_bool(post->event == WN_POST_UPDATED);
    if (!ps->reply_bad)
        item->sig.v[WN_SIG_POST_REPLY] =
            wn_value_bool(post->reply_to.p != NULL);
    if (!ps->media_bad)
        item->sig.v[WN_SIG_POST_MEDIA] = wn_value_int((int64_t)post->media_n);
}

void
wn_parser_finish(struct wn_parser *ps)
{
    struct wn_item *item = ps->item;
    const bool deletion = item->post.event == WN_POST_DELETED;

    if (item->outcome != WN_DEAD && !deletion)
        require_content(ps);
    item->post.given_links = ps->links;
    item->post.given_links_n = ps->links_n;
    item->post.bad_members = ps->bad;
    item->post.bad_members_n = ps->bad_n;
    item->sig.v[WN_SIG_INGEST_BAD_MEMBERS] = wn_value_int((int64_t)ps->bad_n);
    message_time(ps);
    if (item->outcome == WN_DEAD || deletion)
        return;
    hash_content(ps);
    author_age(ps);
    post_signals(ps);
}
