/* Partitions held, and the window of finished items of each. */
#include <stdlib.h>
#include <string.h>

#include "ingest/service_int.h"

#define WINDOW_MIN 256

static struct wn_partition **
bucket(const struct wn_svc *svc, int32_t source)
{
    return (
        struct wn_partition **)&svc->parts[(uint32_t)source % WN_PART_BUCKETS];
}

struct wn_partition *
wn_part_find(const struct wn_svc *svc, int32_t source, uint64_t generation)
{
    struct wn_partition *p;

    for (p = *bucket(svc, source); p != NULL; p = p->next) {
        if (p->source == source && p->generation == generation)
            return p->gone ? NULL : p;
    }
    return NULL;
}

bool
wn_part_busy(const struct wn_svc *svc, int32_t source, uint64_t generation)
{
    const struct wn_partition *p;

    for (p = *bucket(svc, source); p != NULL; p = p->next) {
        if (p->source == source && p->generation == generation)
            return p->committing || p->relaying;
    }
    return false;
}

struct wn_partition *
wn_part_new(
    struct wn_svc *svc, const struct wn_claim *claim, uint64_t generation)
{
    struct wn_partition *p = calloc(1, sizeof(*p)), **at;

    if (p == NULL)
        return NULL;
    p->source = claim->source;
    p->generation = generation;
    p->epoch = claim->epoch;
    p->claim = *claim;
    p->committed = p->told = claim->next_offset;
    pthread_mutex_lock(&svc->lock);
    at = bucket(svc, p->source);
    p->next = *at;
    *at = p;
    svc->parts_n++;
    wn_metric_set(WN_M_PARTITIONS_HELD, 0, (double)svc->parts_n);
    pthread_mutex_unlock(&svc->lock);
    return p;
}

static void
part_free(struct wn_svc *svc, struct wn_partition *p)
{
    size_t i;

    for (i = 0; i < p->cap; i++) {
        if (p->window[i] == NULL)
            continue;
        wn_flow_move(p->window[i], WN_FLOW_DROPPED);
        wn_svc_let_go(svc, p->window[i]);
    }
    free(p->window);
    free(p);
}

/* Gone, and nobody else looks at it any more. */
static bool
is_left(const struct wn_svc *svc, const struct wn_partition *p)
{
    return p->gone && !p->relaying &&
           (p->relay_saw || !atomic_load(&svc->relay_on));
}

static void
sweep(struct wn_svc *svc, const struct wn_partition *keep, bool all)
{
    struct wn_partition **at, *p;
    size_t i;

    for (i = 0; i < WN_PART_BUCKETS; i++) {
        for (at = &svc->parts[i]; *at != NULL;) {
            p = *at;
            if (!all && (p == keep || !is_left(svc, p))) {
                at = &p->next;
                continue;
            }
            *at = p->next;
            part_free(svc, p);
        }
    }
}

void
wn_parts_sweep(struct wn_svc *svc, const struct wn_partition *keep)
{
    pthread_mutex_lock(&svc->lock);
    sweep(svc, keep, false);
    pthread_mutex_unlock(&svc->lock);
}

void
wn_parts_free(struct wn_svc *svc)
{
    sweep(svc, NULL, true);
}

/* A window twice the size, or the first; items keep their places by seq. */
static bool
grow(struct wn_partition *p)
{
    size_t cap = p->cap == 0 ? WINDOW_MIN : p->cap * 2, i;
    struct wn_item **window = calloc(cap, sizeof(*window));

    if (window == NULL)
        return false;
    for (i = 0; i < p->cap; i++) {
        if (p->window[i] != NULL)
            window[p->window[i]->seq & (cap - 1)] = p->window[i];
    }
    free(p->window);
    p->window = window;
    p->cap = cap;
    return true;
}

bool
wn_part_put(struct wn_partition *p, struct wn_item *item)
{
    WN_ASSERT(item->seq >= p->base);
    while (item->seq - p->base >= p->cap) {
        if (!grow(p))
            return false;
    }
    p->window[item->seq & (p->cap - 1)] = item;
    if (p->ready == 0 && item->seq == p->base)
        p->ready_us = wn_clock_mono_us();
    while (p->ready < p->cap &&
           p->window[(p->base + p->ready) & (p->cap - 1)] != NULL)
        p->ready++;
    return true;
}
