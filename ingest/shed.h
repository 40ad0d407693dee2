/*
 * How many exits of the encoder are shed, by how long posts wait for a scorer.
 *
 * It goes up by one while a post waited over the bound, no sooner than
 * WN_SHED_STEP_US after the last change, so that the step before can work; and
 * down by one for every WN_SHED_CALM_US in which none waited half as long. Time
 * is the caller's, by any clock that only grows. Any thread.
 */
#ifndef WN_INGEST_SHED_H
#define WN_INGEST_SHED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WN_SHED_STEP_US 1000000
#define WN_SHED_CALM_US 5000000

struct wn_shed {
    pthread_mutex_t lock; /* guards what follows but wait_us_max */
    int64_t wait_us_max;  /* 0: nothing is ever shed            */
    size_t exits;
    int64_t changed_us; /* when exits did             */
    int64_t hot_us;     /* the last wait over half of it */
};

void wn_shed_init(struct wn_shed *s, int64_t wait_us_max);
void wn_shed_release(struct wn_shed *s);
/* A scorer takes, at now_us, a post that waited for waited_us. Returns how many
 * exits are shed from now on, at most `most`, and whether that is a change. */
size_t wn_shed_look(struct wn_shed *s, int64_t now_us, int64_t waited_us,
    size_t most, bool *ret_changed);

#endif
