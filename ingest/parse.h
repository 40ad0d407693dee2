/*
 * Bytes to a post. Four envelopes, told apart by their own marks or fixed
 * with ingest.format: native, CloudEvents 1.0 structured mode, ActivityStreams
 * 2.0 Create/Update/Delete of a Note, Bluesky Jetstream commits of
 * app.bsky.feed.post (DESIGN 2).
 *
 * Dead is only what nobody can read: not a JSON object, no id, a required
 * member of the wrong type, unknown type, over the size limit. Everything else
 * is judged: U+0000, lone surrogates and invalid UTF-8 become U+FFFD before the
 * JSON parser sees them (counted), an optional member of the wrong type is
 * unknown and named.
 */
#ifndef WN_INGEST_PARSE_H
#define WN_INGEST_PARSE_H

#include "core/item.h"

enum wn_format {
    WN_FORMAT_AUTO,
    WN_FORMAT_NATIVE,
    WN_FORMAT_CLOUDEVENTS,
    WN_FORMAT_ACTIVITYSTREAMS,
    WN_FORMAT_JETSTREAM,
};

/*
 * Reads item->rec.raw (or, for a Kafka tombstone, rec.key) into item->post and
 * the post.*, author.* and ingest.* signals that need no classifier, and
 * text.invalid. A record that is dead gets outcome WN_DEAD, a cause of the
 * form "class: text" (class as in the metric winnow_dlq_total), and as much of
 * post.id as could be read. rec.time_us is filled from the envelope or
 * created_at where the source gave none. Never fails; thread-safe.
 */
void wn_parse(
    struct wn_item *item, enum wn_format format, size_t post_bytes_max);

/* For `winnow score --jsonl`: every envelope, and bare {"id","text"}, where
 * nothing else is required. ingest.format does not count here. */
void wn_parse_loose(struct wn_item *item, size_t post_bytes_max);

#endif
