/*
 * A ring of pointers under one mutex, with a condition for each of its two
 * waits. Waits are timed by CLOCK_MONOTONIC, so that a change of the wall
 * clock neither hurries nor stalls a stage.
 */
#include "core/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"
#include "core/status.h"

struct wn_queue {
    pthread_mutex_t lock; /* guards all that follows but items_max */
    pthread_cond_t not_empty, not_full;
    size_t items_max;
    size_t first, n; /* ring: items[first], n of them */
    bool closed;
    void *items[];
};

struct wn_queue *
wn_queue_new(size_t items_max)
{
    struct wn_queue *q;
    pthread_condattr_t attr;

    WN_ASSERT(items_max > 0);
    if (items_max > (SIZE_MAX - sizeof(*q)) / sizeof(q->items[0]))
        return NULL;
    q = calloc(1, sizeof(*q) + items_max * sizeof(q->items[0]));
    if (q == NULL)
        return NULL;
    q->items_max = items_max;
    WN_ASSERT(pthread_mutex_init(&q->lock, NULL) == 0);
    WN_ASSERT(pthread_condattr_init(&attr) == 0);
    WN_ASSERT(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    WN_ASSERT(pthread_cond_init(&q->not_empty, &attr) == 0);
    WN_ASSERT(pthread_cond_init(&q->not_full, &attr) == 0);
    pthread_condattr_destroy(&attr);
    return q;
}

/* The oldest; the caller holds the lock and knows that there is one. */
static void *
pop(struct wn_queue *q)
{
    void *item = q->items[q->first];

    q->first = q->first + 1 == q->items_max ? 0 : q->first + 1;
    q->n--;
    return item;
}

void
wn_queue_free(struct wn_queue *q, void (*drop)(void *item))
{
    if (q == NULL)
        return;
    WN_ASSERT(q->n == 0 || drop != NULL);
    while (q->n > 0)
        drop(pop(q));
    pthread_cond_destroy(&q->not_full);
    pthread_cond_destroy(&q->not_empty);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

bool
wn_queue_put(struct wn_queue *q, void *item)
{
    bool put;

    WN_ASSERT(item != NULL);
    pthread_mutex_lock(&q->lock);
    while (q->n == q->items_max && !q->closed)
        pthread_cond_wait(&q->not_full, &q->lock);
    put = !q->closed;
    if (put) {
        q->items[(q->first + q->n) % q->items_max] = item;
        q->n++;
        pthread_cond_signal(&q->not_empty);
    }
    pthread_mutex_unlock(&q->lock);
    return put;
}

void *
wn_queue_take(struct wn_queue *q)
{
    void *item = NULL;

    wn_queue_take_many(q, &item, 1, -1);
    return item;
}

static struct timespec
deadline_in(int timeout_ms)
{
    int64_t us = wn_clock_mono_us() + (int64_t)timeout_ms * 1000;

    return (struct timespec){
        .tv_sec = (time_t)(us / 1000000),
        .tv_nsec = (long)(us % 1000000) * 1000,
    };
}

/* Until there is an item, the end, or timeout_ms have passed. */
static void
wait_not_empty(struct wn_queue *q, int timeout_ms)
{
    struct timespec deadline;
    int rc = 0;

    if (q->n > 0 || q->closed || timeout_ms == 0)
        return;
    if (timeout_ms > 0)
        deadline = deadline_in(timeout_ms);
    while (q->n == 0 && !q->closed && rc != ETIMEDOUT) {
        if (timeout_ms < 0)
            rc = pthread_cond_wait(&q->not_empty, &q->lock);
        else
            rc = pthread_cond_timedwait(&q->not_empty, &q->lock, &deadline);
    }
}

/* `taken` places are free. */
static void
wake_putters(struct wn_queue *q, size_t taken)
{
    if (taken > 1)
        pthread_cond_broadcast(&q->not_full);
    else if (taken == 1)
        pthread_cond_signal(&q->not_full);
}

size_t
wn_queue_take_many(struct wn_queue *q, void **items, size_t n, int timeout_ms)
{
    size_t taken = 0;

    pthread_mutex_lock(&q->lock);
    wait_not_empty(q, timeout_ms);
    while (taken < n && q->n > 0)
        items[taken++] = pop(q);
    wake_putters(q, taken);
    pthread_mutex_unlock(&q->lock);
    return taken;
}

size_t
wn_queue_take_within(struct wn_queue *q, void **items, size_t n, size_t takers,
    size_t most, size_t (*weigh)(const void *item))
{
    size_t taken = 0, sum = 0, share;

    WN_ASSERT(takers > 0);
    pthread_mutex_lock(&q->lock);
    wait_not_empty(q, -1);
    share = q->n / takers + (q->n % takers != 0);
    if (n > share)
        n = share;
    while (taken < n) {
        sum += weigh(q->items[q->first]);
        if (taken > 0 && sum > most)
            break;
        items[taken++] = pop(q);
    }
    /* Another taker may have what is left. */
    if (q->n > 0)
        pthread_cond_signal(&q->not_empty);
    wake_putters(q, taken);
    pthread_mutex_unlock(&q->lock);
    return taken;
}

void
wn_queue_close(struct wn_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->not_empty);
    pthread_cond_broadcast(&q->not_full);
    pthread_mutex_unlock(&q->lock);
}

bool
wn_queue_closed(struct wn_queue *q)
{
    bool closed;

    pthread_mutex_lock(&q->lock);
    closed = q->closed;
    pthread_mutex_unlock(&q->lock);
    return closed;
}

size_t
wn_queue_len(struct wn_queue *q)
{
    size_t n;

    pthread_mutex_lock(&q->lock);
    n = q->n;
    pthread_mutex_unlock(&q->lock);
    return n;
}
