/* What is shed while posts wait; see shed.h. */
#include "ingest/shed.h"

#include "core/status.h"

void
wn_shed_init(struct wn_shed *s, int64_t wait_us_max)
{
    *s = (struct wn_shed){ .wait_us_max = wait_us_max };
    WN_ASSERT(pthread_mutex_init(&s->lock, NULL) == 0);
}

void
wn_shed_release(struct wn_shed *s)
{
    pthread_mutex_destroy(&s->lock);
}

static void
shed_more(struct wn_shed *s, int64_t now_us, size_t most)
{
    if (s->exits >= most ||
        (s->exits > 0 && now_us - s->changed_us < WN_SHED_STEP_US))
        return;
    s->exits++;
    s->changed_us = now_us;
}

/* Nobody looks while nothing comes: then several steps are due at once. */
static void
shed_less(struct wn_shed *s, int64_t now_us)
{
    int64_t since = s->hot_us > s->changed_us ? s->hot_us : s->changed_us;

    while (s->exits > 0 && now_us - since >= WN_SHED_CALM_US) {
        s->exits--;
        since += WN_SHED_CALM_US;
        s->changed_us = since;
    }
}

size_t
wn_shed_look(struct wn_shed *s, int64_t now_us, int64_t waited_us, size_t most,
    bool *ret_changed)
{
    size_t before, exits;

    *ret_changed = false;
    if (s->wait_us_max == 0)
        return 0;
    pthread_mutex_lock(&s->lock);
    before = s->exits;
    if (s->exits > most) /* of other weights */
        s->exits = most;
    shed_less(s, now_us);
    if (waited_us > s->wait_us_max / 2)
        s->hot_us = now_us;
    if (waited_us > s->wait_us_max)
        shed_more(s, now_us, most);
    exits = s->exits;
    *ret_changed = exits != before;
    pthread_mutex_unlock(&s->lock);
    return exits;
}
