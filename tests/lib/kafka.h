/*
 * A private Apache Kafka for one test program: one KRaft node by plain java,
 * on free loopback ports, in a folder of its own, gone when the program ends.
 * Its jars are fetched by tests/kafka/pom.xml; WINNOW_KAFKA_LIBS names their
 * folder (default build/kafka/libs).
 *
 * Every call ends the program with a message when it does not work: a test
 * without its broker has no result. One broker a program, one thread.
 */
#ifndef WN_TESTS_LIB_KAFKA_H
#define WN_TESTS_LIB_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct wn_kafka;

/* properties: "name=value" beside ours, NULL-terminated; may be NULL. Waits
 * until it answers. */
struct wn_kafka *wn_kafka_start(const char *const *properties);
/* Ends it and removes its folder; done at exit by itself. */
void wn_kafka_stop(struct wn_kafka *k);
/* kill -9. */
void wn_kafka_kill(struct wn_kafka *k);
/* Starts it again on the same data and port; waits until it answers. */
void wn_kafka_restart(struct wn_kafka *k);
/* SIGSTOP and SIGCONT: it is there, and says nothing. */
void wn_kafka_freeze(struct wn_kafka *k, bool frozen);
/* "127.0.0.1:port"; the same after a restart. */
const char *wn_kafka_bootstrap(const struct wn_kafka *k);
pid_t wn_kafka_pid(const struct wn_kafka *k);

void wn_kafka_create_topic(struct wn_kafka *k, const char *topic, int parts);
/* config: "name=value". */
void wn_kafka_create_topic_with(
    struct wn_kafka *k, const char *topic, int parts, const char *config);
void wn_kafka_grow(struct wn_kafka *k, const char *topic, int parts);
void wn_kafka_delete(struct wn_kafka *k, const char *topic);
/* Removes what lies before an offset. */
void wn_kafka_trim(
    struct wn_kafka *k, const char *topic, int32_t part, int64_t before);
bool wn_kafka_exists(struct wn_kafka *k, const char *topic);
/* One after the last offset. */
int64_t wn_kafka_end(struct wn_kafka *k, const char *topic, int32_t part);
/* What the group committed to Kafka; -1001 where there is nothing. */
int64_t wn_kafka_mirror(
    struct wn_kafka *k, const char *group, const char *topic, int32_t part);

/* Bytes of a record; a NULL value is a tombstone, a NULL key none. */
struct wn_kafka_bytes {
    const void *p;
    size_t len;
};
/* Called for each acknowledged record, in wn_kafka_send() and _flush(). */
typedef void wn_kafka_acked(
    void *arg, int32_t part, int64_t offset, uint64_t serial);
/* Idempotent and batched; serial is handed to acked. time_ms 0: now. */
void wn_kafka_send(struct wn_kafka *k, const char *topic, int32_t part,
    struct wn_kafka_bytes key, struct wn_kafka_bytes value, int64_t time_ms,
    uint64_t serial);
void wn_kafka_on_ack(struct wn_kafka *k, wn_kafka_acked *acked, void *arg);
void wn_kafka_flush(struct wn_kafka *k);
/* One record of text, waited for; its offset. */
int64_t wn_kafka_put(struct wn_kafka *k, const char *topic, int32_t part,
    const char *key, const char *value);

struct wn_kafka_record {
    int32_t part;
    int64_t offset;
    struct wn_kafka_bytes key, value;
    struct wn_kafka_bytes verdict_id, kind; /* headers */
};
/* Everything on the topic from its beginning to its end now; how many. */
size_t wn_kafka_read(struct wn_kafka *k, const char *topic,
    void (*record)(void *arg, const struct wn_kafka_record *r), void *arg);

#endif
