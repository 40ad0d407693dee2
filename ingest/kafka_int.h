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
/* Whether such a client could be made, without asking any broker: WN_REJECT
 * on what librdkafka does not take, or where no broker is named. */
enum wn_status wn_kafka_check(rd_kafka_type_t type, const struct wn_options *o,
    const struct wn_kafka_setting *ours, const struct wn_kafka_setting *last,
    struct wn_err *err);
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
    int64_t expected;  /* no record before it is new               */
    int64_t committed; /* by the store                             */
    int64_t mirrored;  /* handed to Kafka                          */
    int64_t eof;       /* where the partition ended; -1: unknown   */
    char why[256];     /* of STOPPED                               */
};

struct wn_ksource {
    struct wn_source source;
    struct wn_source_conf conf;
    rd_kafka_t *rk;
    struct wn_kafka_signs signs;
    const char *topic;
    const char *start;      /* ingest.start                          */
    int64_t start_us;       /* where it is a time                    */
    char *cluster;          /* of rd_kafka_clusterid(); NULL: unknown */
    struct wn_kpart *parts; /* by partition number */
    size_t parts_n;
    bool paused, closing;

    /* What the group gave us last, and the next of it to claim; with
     * wait_us set it did not work out, and is gone through again then. */
    rd_kafka_topic_partition_list_t *given;
    int given_at;
    bool claiming, unassigned; /* claimed ones are not handed to Kafka yet */
    int64_t wait_us;
    char claim_why[256]; /* what keeps one from being claimed; "": nothing */

    bool answered;     /* the group has answered since we opened      */
    char cause[320];   /* of "kafka" in health; "" where all is well  */
    char missing[160]; /* the topic cannot be read: why; "" if it can */
    int64_t checked_us, mirrored_us;
    struct wn_ksource *left_behind; /* the next one: see kafka_close() */
};

/* --- kafka_assign.c: the group gives and takes partitions --- */

void wn_kassign_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t e,
    rd_kafka_topic_partition_list_t *list, void *opaque);
/* One more step of claiming what the group gave; no long wait. WN_STOP only:
 * a database or broker that is away is asked again later. */
enum wn_status wn_kassign_step(struct wn_ksource *s, struct wn_err *err);
/* Going on with the partition would lose records: it is let go, and health
 * says why until the group takes it. */
void wn_kassign_stop_part(struct wn_ksource *s, int32_t part, const char *why);
/* Another worker has it: claimed again after a while, should the group still
 * say that it is ours. */
void wn_kassign_fenced(struct wn_ksource *s, int32_t part);
/* Lets go of everything: mirrored, told to ingest, released in the store. */
void wn_kassign_release(struct wn_ksource *s);
/* NULL where it is not in our table. */
struct wn_kpart *wn_kpart(struct wn_ksource *s, int32_t part);
/* All in a state, as a list for librdkafka; NULL where there is none. */
rd_kafka_topic_partition_list_t *wn_kparts_in(
    const struct wn_ksource *s, enum wn_kpart_state state);
/* Offsets committed in the store, to Kafka; errors are only counted. */
void wn_kmirror(struct wn_ksource *s);

#endif
