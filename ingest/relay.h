/*
 * The relay thread: outbox rows of the partitions held go to Kafka, in offset
 * order, by a store and an idempotent producer of its own.
 *
 * A row is sent at least once: what was sent and not yet marked when a worker
 * died is sent again, at most one chunk a partition, with the same verdict id.
 */
#ifndef WN_INGEST_RELAY_H
#define WN_INGEST_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/options.h"

struct wn_svc;

/* Whether there is a topic to send to. */
bool wn_relay_wanted(const struct wn_options *o);
void *wn_relay_thread(void *svc);
/* The writer has ended: the thread sends what is left, for at most us, and
 * ends. Harmless where there is no relay. */
void wn_relay_end(struct wn_svc *svc, int64_t us);

#endif
