/* What the files of explanations share: see explain.h. */
#ifndef WN_CLASSIFIER_EXPLAIN_INT_H
#define WN_CLASSIFIER_EXPLAIN_INT_H

#include <stdbool.h>

#include "classifier/windows.h"

/* Where a word of a window stands, in bytes of the hardened text. */
struct wn_place {
    size_t begin, end;
    size_t core, core_end; /* the same without punctuation around it */
    size_t word;           /* numbered from 0, as they first come    */
};

/* Whether token i, which is none of the special ones, came from there. */
static inline bool
wn_place_has(const struct wn_place *p, const struct wn_window *w, size_t i)
{
    return w->start[i] < p->end && w->stop[i] > p->begin;
}

/* explain_words.c: the places of a window's words, at most `max`, in order;
 * *ret_words is how many different ones there are. What made no token is no
 * word. */
size_t wn_places_find(struct wn_place *place, size_t max, const char *text,
    const struct wn_window *w, size_t *ret_words);

#endif
