/* Two places, of which one is live; see live.h. */
#include "core/live.h"

#include <string.h>

#include "core/status.h"

void
wn_live_init(struct wn_live *l, void *thing)
{
    memset(l, 0, sizeof(*l));
    WN_ASSERT(pthread_mutex_init(&l->lock, NULL) == 0);
    WN_ASSERT(pthread_cond_init(&l->free, NULL) == 0);
    l->thing[0] = thing;
}

void *
wn_live_release(struct wn_live *l)
{
    WN_ASSERT(l->users[0] == 0);
    WN_ASSERT(l->users[1] == 0);
    pthread_cond_destroy(&l->free);
    pthread_mutex_destroy(&l->lock);
    return l->thing[l->now];
}

void *
wn_live_take(struct wn_live *l)
{
    void *thing;

    pthread_mutex_lock(&l->lock);
    l->users[l->now]++;
    thing = l->thing[l->now];
    pthread_mutex_unlock(&l->lock);
    return thing;
}

void
wn_live_drop(struct wn_live *l, void *taken)
{
    int i;

    pthread_mutex_lock(&l->lock);
    i = l->thing[0] == taken && l->users[0] > 0 ? 0 : 1;
    WN_ASSERT(l->thing[i] == taken);
    WN_ASSERT(l->users[i] > 0);
    if (--l->users[i] == 0)
        pthread_cond_broadcast(&l->free);
    pthread_mutex_unlock(&l->lock);
}

void *
wn_live_swap(struct wn_live *l, void *next)
{
    void *old;
    int i;

    pthread_mutex_lock(&l->lock);
    i = l->now;
    WN_ASSERT(l->users[!i] == 0);
    l->thing[!i] = next;
    l->now = !i;
    while (l->users[i] > 0)
        pthread_cond_wait(&l->free, &l->lock);
    old = l->thing[i];
    l->thing[i] = NULL;
    pthread_mutex_unlock(&l->lock);
    return old;
}
