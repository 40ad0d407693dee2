/*
 * What the envelopes of parse share: one parser a record, on its thread's
 * stack. An envelope finds its members and hands them to the calls below,
 * which copy into the item's arena; wn_parser_finish() makes the signals.
 *
 * The first cause of death stays; later calls do no harm. Names given to
 * calls ("author.followers") are string literals and are never freed.
 */
#ifndef WN_INGEST_PARSE_INT_H
#define WN_INGEST_PARSE_INT_H

#include <jansson.h>

#include "core/buf.h"
#include "ingest/parse.h"

#define WN_ID_MAX 1024 /* bytes of an id, as storage keeps it      */
#define WN_BAD_MEMBERS_MAX 32
#define WN_GIVEN_LINKS_MAX 1024
#define WN_LINK_BYTES_MAX 8192
#define WN_MEDIA_MAX 1000 /* media that are hashed and counted        */
#define WN_EXTRA_NODES_MAX 512
#define WN_EXTRA_BYTES_MAX (64u << 10)
#define WN_EXTRA_DEPTH_MAX 8

struct wn_parser {
    struct wn_item *item;
    size_t bytes_max;
    bool loose;     /* no author, neither text nor media needed  */
    bool has_media; /* a list of media was given, be it empty    */
    bool text_bad;  /* text was given and is no string           */
    bool media_bad;
    bool reply_bad;
    int64_t time_us; /* of the envelope                           */
    int64_t author_created_us;
    struct wn_str *bad; /* WN_BAD_MEMBERS_MAX                        */
    size_t bad_n;
    struct wn_str *links; /* WN_GIVEN_LINKS_MAX, made with the first */
    size_t links_n;
    struct wn_buf media_seen; /* one digest a medium                 */
};

/* What a reader sees of one medium; absent parts have p NULL. */
struct wn_seen {
    struct wn_str id, type, url, data, path, alt;
};

/* cause: "class: text" without content; a literal, or in the arena. */
void wn_parser_dead(struct wn_parser *ps, const char *cause);
void wn_parser_dead_member(
    struct wn_parser *ps, const char *class, const char *name, const char *is);
/* An optional member of the wrong type: named once. */
void wn_parser_bad(struct wn_parser *ps, const char *name);
/* Into the arena. An arena that is full makes the record dead. */
struct wn_str wn_parser_copy(struct wn_parser *ps, const char *p, size_t len);
struct wn_str wn_parser_copy_json(struct wn_parser *ps, const json_t *string);

/* NULL for absent members and for null. */
json_t *wn_member(const json_t *object, const char *key);
/* A member that is a non-empty string, else p NULL; borrowed, not copied. */
struct wn_str wn_member_peek(const json_t *object, const char *key);
/* Optional members: absent and null are unknown, the wrong type is named. */
struct wn_str wn_member_str(struct wn_parser *ps, const json_t *object,
    const char *key, const char *name, size_t len_max);
bool wn_member_int(struct wn_parser *ps, const json_t *object, const char *key,
    const char *name, int64_t *ret);
int64_t wn_member_time(struct wn_parser *ps, const json_t *object,
    const char *key, const char *name);
/* A required id: 1 to WN_ID_MAX bytes, else the record is dead. */
struct wn_str wn_parser_id(
    struct wn_parser *ps, const json_t *value, const char *name);

void wn_parser_lang(struct wn_parser *ps, const json_t *value);
void wn_parser_text(struct wn_parser *ps, const json_t *value);
void wn_parser_link(struct wn_parser *ps, const char *p, size_t len);
void wn_parser_medium(struct wn_parser *ps, const struct wn_seen *seen);
/* Members of the post that are not in known[] become post.extra. */
void wn_parser_extra(
    struct wn_parser *ps, const json_t *post, const char *const *known);
/* What is required is there; content hash and signals. */
void wn_parser_finish(struct wn_parser *ps);

/* Repaired and parsed; NULL with the cause of death set. Counts into
 * text.invalid. The caller frees with json_decref(). */
json_t *wn_parser_json(struct wn_parser *ps, const char *p, size_t len);

/* --- envelopes: fill the item from the root of a record --- */

/* "post.created" and so on; any prefix may stand before it. */
bool wn_event_find(struct wn_str type, enum wn_post_event *ret);
void wn_envelope_native(struct wn_parser *ps, const json_t *root);
/* A bare native post: what stands under "post". */
void wn_envelope_post(struct wn_parser *ps, const json_t *post);
void wn_envelope_cloudevents(struct wn_parser *ps, const json_t *root);
void wn_envelope_activity(struct wn_parser *ps, const json_t *root);
void wn_envelope_jetstream(struct wn_parser *ps, const json_t *root);
/* By the marks of the root: never CloudEvents inside CloudEvents. */
enum wn_format wn_envelope_find(const json_t *root);
void wn_envelope_read(
    struct wn_parser *ps, const json_t *root, enum wn_format format);

/* HTML to what a reader sees of it; hrefs of anchors become links. Linear. */
void wn_html_text(
    struct wn_parser *ps, struct wn_buf *out, const char *html, size_t len);

#endif
