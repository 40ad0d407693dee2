/*
 * One thing that is in use and may be replaced while it is: weights, a policy.
 *
 * Who uses it takes what is live now, uses that until it is done, and drops
 * it; so a piece of work is done by one thing whole. Who replaces it gets the
 * old one back once nobody uses it, so at most two are there at a time.
 */
#ifndef WN_CORE_LIVE_H
#define WN_CORE_LIVE_H

#include <pthread.h>

struct wn_live {
    pthread_mutex_t lock; /* guards all that follows */
    pthread_cond_t free;  /* users of one came to 0  */
    void *thing[2];
    unsigned users[2];
    int now; /* which of the two is live */
};

/* thing: what is live first; may be NULL, as any later one. */
void wn_live_init(struct wn_live *l, void *thing);
/* Nobody uses it any more: gives what is live back. */
void *wn_live_release(struct wn_live *l);

/* Any thread; short waits only. What was taken is given to wn_live_drop(). */
void *wn_live_take(struct wn_live *l);
void wn_live_drop(struct wn_live *l, void *taken);

/* One thread at a time: makes `next` live at once, waits until nobody uses the
 * old one, and gives that back. next is not what is live already. */
void *wn_live_swap(struct wn_live *l, void *next);

#endif
