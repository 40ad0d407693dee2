/*
 * What the users of librdkafka share: the consumer (source_kafka.c,
 * kafka_assign.c) and the relay's producer. Nobody else includes its header.
 */
#ifndef WN_INGEST_KAFKA_INT_H
#define WN_INGEST_KAFKA_INT_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "core/options.h"
#include "ingest/source.h"

/* --- kafka_client.c --- */

/*
 * What a client's own threads tell us, and the opaque of all its callbacks;
 * `user` is for those that the client's owner adds. Any thread.
 */
struct wn_kafka_signs {
    void *user;
    atomic_bool down;          /* no broker answers; the owner clears it  */
    atomic_llong too_large_us; /* a response over our limit: when last,
                                  monotonic; 0: never                     */
    atomic_flag busy;          /* guards why                              */
    char why[256];             /* the last reason of a failed connection  */
};
void wn_kafka_signs_init(struct wn_kafka_signs *signs, void *user);
/* The last reason, without what changes from try to try; "" for none. */
void wn_kafka_why(struct wn_kafka_signs *signs, char *out, size_t out_bytes);

/* A name and value for librdkafka; a list ends with name NULL. */
struct wn_kafka_setting {
    const char *name, *value;
};

/*
 * A client: `ours` (what the library is too old for is passed over), then
 * kafka.*, then `last` (what the fence owns). Log and error callbacks are set;
 * `more` sets others and may be NULL. The opaque is `signs`, which must
 * outlive the client.
 *
 * Fails: WN_REJECT on a kafka.* option that librdkafka does not take.
 */
enum wn_status wn_kafka_client(rd_kafka_t **ret, rd_kafka_type_t type,
    const struct wn_options *o, const struct wn_kafka_setting *ours,
    const struct wn_kafka_setting *last, void (*more)(rd_kafka_conf_t *conf),
    struct wn_kafka_signs *signs, struct wn_err *err);
/* Destroys it, for at most ms: one that hangs (librdkafka#4160, #4884) is left
 * to itself. false then: what its callbacks use must not be freed. */
bool wn_kafka_destroy(rd_kafka_t *rk, int ms);

/* --- the consumer --- */

enum wn_kpart_state {
    WN_KPART_NONE,    /* not ours                                        */
    WN_KPART_CLAIMED, /* claimed in the store, not yet assigned          */
    WN_KPART_HELD,    /* records come                                    */
    WN_KPART_STOPPED, /* assigned to us, but going on would lose records */
    WN_KPART_FENCED,  /* assigned to us, but another worker has it       */
};

struct wn_kpart {
    enum wn_kpart_state state;
    struct wn_claim claim;
    uint64_t generation;
    int64_t expected;  /* no record before it is new           */
    int64_t committed; /* by the store                         */
    int64_t mirrored;  /* handed to Kafka                      */
    int64_t eof;       /* where the partition ended; -1: unknown */
    char why[160];     /* of STOPPED                           */
};

struct wn_ksource {
    struct wn_source source;
    struct wn_source_conf conf;
    rd_kafka_t *rk;
    struct wn_kafka_signs signs;
    const char *topic;
    char *cluster; /* of rd_kafka_clusterid(); NULL until known */
    struct wn_kpart *parts; /* by partition number */
    size_t parts_n;
    uint64_t generation;
    bool paused, closing;

    /* An assignment of the group that is not answered yet. */
    rd_kafka_topic_partition_list_t *pending;
    int pending_at;
    int64_t pending_retry_us;

    bool assigned;       /* the group has answered since we opened */
    bool topic_missing;
    int64_t checked_us;  /* broker and topic were asked for */
    int64_t mirrored_us;
    int64_t fenced_us;   /* the first fenced partition; 0: none */
};

/* --- kafka_assign.c: the group gives and takes partitions --- */

void wn_kassign_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t e,
    rd_kafka_topic_partition_list_t *list, void *opaque);
/* One more step of a pending assignment. WN_STOP only; all else waits. */
enum wn_status wn_kassign_step(struct wn_ksource *s, struct wn_err *err);
/* The partition is out of use: told to ingest, released in the store. */
void wn_kassign_stop_part(
    struct wn_ksource *s, int32_t part, const char *why);
/* Says in health which partitions are stopped. */
void wn_kassign_health(struct wn_ksource *s);
/* NULL where it is not in our table. */
struct wn_kpart *wn_kpart(struct wn_ksource *s, int32_t part);
/* Offsets committed in the store, to Kafka; errors are only counted. */
void wn_kmirror(struct wn_ksource *s);

#endif
