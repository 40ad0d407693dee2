/*
 * The relay's producer: outbox rows to the topics of their kinds. Idempotent,
 * acks of all replicas, a bounded queue. One thread.
 *
 * Topics are looked up before anything is sent to them, and never made: rows
 * of a topic that is missing, forbidden or out of reach wait, and
 * wn_sender_trouble() says why.
 */
#ifndef WN_INGEST_RELAY_SEND_H
#define WN_INGEST_RELAY_SEND_H

#include <stdbool.h>

#include "core/options.h"
#include "storage/store.h"

#define WN_SEND_MAX 1000 /* rows of one call */

struct wn_sender;

enum wn_sent {
    WN_SENT_WAITS,     /* not now: see wn_sender_trouble()         */
    WN_SENT_DELIVERED, /* acknowledged by all replicas             */
    WN_SENT_REFUSED,   /* for good: see wn_sender_why()            */
    WN_SENT_SKIPPED,   /* its kind has no topic any more           */
};

/* As wn_source_kafka_check(), of the producer. */
enum wn_status wn_sender_check(const struct wn_options *o, struct wn_err *err);
/* WN_REJECT: a kafka.* option that librdkafka does not take. o must outlive
 * the sender. */
enum wn_status wn_sender_open(
    struct wn_sender **ret, const struct wn_options *o, struct wn_err *err);
/* At once: what is not yet delivered is dropped. */
void wn_sender_free(struct wn_sender *s);

/* Whether rows of this kind can be sent. Asks the broker where it is not
 * known, at most 1 s, and not before its last failure is a while ago. */
bool wn_sender_ready(struct wn_sender *s, enum wn_outbox_kind kind);

/*
 * Sends n rows (at most WN_SEND_MAX) in order and waits for their reports; sent
 * gets one answer a row. After the first row that waits no later row is sent,
 * unless it was already on its way. go_on is asked every 50 ms: false gives
 * up waiting, and what was not reported waits.
 */
void wn_sender_send(struct wn_sender *s, const struct wn_outbox_row *rows,
    size_t n, enum wn_sent *sent, bool (*go_on)(void *arg), void *arg);
/* Why row i of the last wn_sender_send() was refused. */
void wn_sender_why(
    const struct wn_sender *s, size_t i, char *out, size_t out_bytes);

/* Why rows wait; "" for no reason. */
const char *wn_sender_trouble(const struct wn_sender *s);
/* Serves the client's own events; between calls of the above. */
void wn_sender_tick(struct wn_sender *s);

#endif
