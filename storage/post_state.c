/* Which of two records of one post counts; see post_state_int.h. */
#include "storage/post_state_int.h"

#include <string.h>

#include "core/clock.h"

static bool
is_newer(const struct wn_post_mark *prev, const struct wn_post_mark *next)
{
    if (prev->source == next->source)
        return next->off > prev->off;
    if (prev->time_us != WN_TIME_UNKNOWN && next->time_us != WN_TIME_UNKNOWN &&
        prev->time_us != next->time_us)
        return next->time_us > prev->time_us;
    /* The same moment, or no telling: a deletion wins, else who came last. */
    if (prev->deleted != next->deleted && prev->time_us == next->time_us)
        return next->deleted;
    return true;
}

static struct wn_post_choice
moved_on(const struct wn_post_mark *prev, const struct wn_post_mark *next)
{
    enum wn_outcome out = WN_OUT_NONE;

    if (next->deleted)
        out = prev != NULL && prev->deleted ? WN_REPEAT : WN_ERASED;
    return (struct wn_post_choice){ out, true };
}

struct wn_post_choice
wn_post_decide(const struct wn_post_mark *prev, const struct wn_post_mark *next)
{
    const struct wn_post_choice repeat = { WN_REPEAT, false };
    const struct wn_post_choice stale = { WN_STALE, false };

    if (prev == NULL)
        return moved_on(prev, next);
    if (prev->has_revision && next->has_revision) {
        if (next->revision > prev->revision)
            return moved_on(prev, next);
        if (next->deleted && prev->deleted)
            return repeat;
        if (next->revision < prev->revision)
            return stale;
        return next->deleted ? moved_on(prev, next) : repeat;
    }
    if (!next->deleted && !prev->deleted &&
        memcmp(prev->hash, next->hash, sizeof(prev->hash)) == 0)
        return repeat;
    if (is_newer(prev, next))
        return moved_on(prev, next);
    return next->deleted && prev->deleted ? repeat : stale;
}
