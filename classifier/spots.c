/* Spots: a list that doubles the least distance whenever it is full. */
#include "classifier/spots.h"

#include "core/status.h"

void
wn_spots_reset(struct wn_spots *s)
{
    s->n = s->step = 0;
}

static size_t
thin(struct wn_spots *s)
{
    size_t kept = 1;

    s->step = s->step == 0 ? 1 : 2 * s->step;
    for (size_t i = 1; i < s->n; i++)
        if (s->at[i] - s->at[kept - 1] >= s->step)
            s->at[kept++] = s->at[i];
    return kept;
}

void
wn_spots_add(struct wn_spots *s, size_t at)
{
    WN_ASSERT(s->n == 0 || at > s->at[s->n - 1]);
    /* A quarter at a time, so that walking the list stays rare. */
    if (s->n == WN_SPOTS_MAX)
        while (s->n > WN_SPOTS_MAX - WN_SPOTS_MAX / 4)
            s->n = thin(s);
    if (s->n == 0 || at - s->at[s->n - 1] >= s->step)
        s->at[s->n++] = at;
}
