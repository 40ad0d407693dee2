/*
 * A bounded queue of pointers between threads. What is inside belongs to the
 * queue; what was taken belongs to the taker. Any number of threads may put
 * and take. Bounded by items; what they weigh is the byte budget of ingest.
 */
#ifndef WN_CORE_QUEUE_H
#define WN_CORE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct wn_queue;

/* NULL without memory. */
struct wn_queue *wn_queue_new(size_t items_max);
/* The queue must be empty, or drop must free what is left (may be NULL). */
void wn_queue_free(struct wn_queue *q, void (*drop)(void *item));

/* Waits while full. false once closed: the item is still the caller's. */
bool wn_queue_put(struct wn_queue *q, void *item);
/* Waits while empty. NULL once closed and drained. */
void *wn_queue_take(struct wn_queue *q);
/*
 * Waits up to timeout_ms for the first, then takes what is there, at most n,
 * oldest first; timeout_ms 0 does not wait, -1 waits without end. 0 on a
 * time-out, or once closed and drained (see wn_queue_closed()).
 */
size_t wn_queue_take_many(
    struct wn_queue *q, void **items, size_t n, int timeout_ms);
/*
 * Waits for the first without end; takes at most n, oldest first, while their
 * weights together are within `most`, but one whatever it weighs; and no more
 * than one of `takers` equal parts, rounded up, of what waits, so that a burst
 * is shared. 0: closed and drained.
 */
size_t wn_queue_take_within(struct wn_queue *q, void **items, size_t n,
    size_t takers, size_t most, size_t (*weigh)(const void *item));
/* No more puts; takes go on until it is empty. Wakes everyone. */
void wn_queue_close(struct wn_queue *q);
bool wn_queue_closed(struct wn_queue *q);
size_t wn_queue_len(struct wn_queue *q);

#endif
