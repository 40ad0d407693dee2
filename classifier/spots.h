/*
 * Places of a text that somebody should look at, WN_SPOTS_MAX at most: all of
 * them while they are so few, then such a choice that each is one of them or
 * less than two steps behind one. The step grows with the text, never over a
 * twenty-fourth of it.
 */
#ifndef WN_CLASSIFIER_SPOTS_H
#define WN_CLASSIFIER_SPOTS_H

#include <stddef.h>

#define WN_SPOTS_MAX 64

struct wn_spots {
    size_t at[WN_SPOTS_MAX]; /* bytes, ascending */
    size_t n;
    size_t step; /* no two are nearer to each other */
};

void wn_spots_reset(struct wn_spots *s);
/* at: larger than every one before. */
void wn_spots_add(struct wn_spots *s, size_t at);

#endif
