/*
 * Where records come from, behind one interface: Kafka (source_kafka.c) and
 * JSON Lines (source_jsonl.c). One thread (ingest's poll thread) calls all of
 * it but commit_mirror, which the same thread calls too, on the writer's word.
 *
 * A source claims its partitions in the store itself, since only it knows when
 * they come and go, and tells ingest through the callbacks, on the poll thread.
 */
#ifndef WN_INGEST_SOURCE_H
#define WN_INGEST_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/health.h"
#include "core/item.h"
#include "core/options.h"
#include "core/status.h"
#include "storage/store.h"

struct wn_source;

struct wn_source_events {
    void *arg;
    /* A partition is ours. Items of it carry generation; older generations of
     * the same source are void from here on. */
    void (*assigned)(
        void *arg, const struct wn_claim *claim, uint64_t generation);
    /* It is not ours any more, or will not be when this returns: drops what
     * is in hand, waits at most 2 s for a running commit. `lost`: somebody
     * else may have it already, so it is not released in the store. */
    void (*revoked)(void *arg, int32_t source, uint64_t generation, bool lost);
};

struct wn_source_conf {
    const struct wn_options *options;
    struct wn_health *health;
    struct wn_store *store; /* of the poll thread, for claims; may be NULL
                               for `winnow score` style reading: no cursor */
    struct wn_source_events events;
    const atomic_bool *stop;
};

struct wn_source_ops {
    /* Waits up to timeout_ms. OK with *ret an item holding rec and raw bytes
     * (unparsed), or *ret NULL when there is none yet. WN_STOP: never again. */
    enum wn_status (*poll)(struct wn_source *s, int timeout_ms,
        struct wn_item **ret, struct wn_err *err);
    /* Back-pressure by the byte budget. Polling goes on while paused. */
    void (*pause)(struct wn_source *s, bool paused);
    /* Up to `next` is committed in the store: mirror it for lag tools. */
    void (*committed)(struct wn_source *s, int32_t source, int64_t next);
    /* Stops using a partition that turned out to be fenced. */
    void (*fenced)(struct wn_source *s, int32_t source);
    /* Records behind the end over all partitions held; -1 if unknown. */
    int64_t (*lag)(struct wn_source *s);
    /* true once a source that can end (a file without follow) was read to its
     * end; its last items may still be in flight. */
    bool (*drained)(const struct wn_source *s);
    /* Lets go of every partition (revoked callbacks, releases), then frees. */
    void (*close)(struct wn_source *s);
};

struct wn_source {
    const struct wn_source_ops *ops;
};

/* Whether the options of a Kafka source are what librdkafka takes, without
 * asking any broker: WN_REJECT names where the wrong one was set. */
enum wn_status wn_source_kafka_check(
    const struct wn_options *o, struct wn_err *err);
enum wn_status wn_source_kafka_open(struct wn_source **ret,
    const struct wn_source_conf *conf, struct wn_err *err);
enum wn_status wn_source_jsonl_open(struct wn_source **ret,
    const struct wn_source_conf *conf, struct wn_err *err);

#endif
