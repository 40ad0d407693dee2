/* Which of two records of one post counts; see post_state_int.h. */
#include "storage/post_state_int.h"

#include <string.h>

#include "core/clock.h"

/* By how much two clocks may differ before a deletion is taken to be older
 * than what it deletes: who erases too much can send the post again. */
#define SKEW_US INT64_C(300000000)

static bool
is_newer(const struct wn_post_mark *prev, const struct wn_post_mark *next)
{
    if (prev->source == next->source)
        return next->off > prev->off;
    if (next->deleted && !prev->deleted && next->time_us != WN_TIME_UNKNOWN &&
        prev->time_us != WN_TIME_UNKNOWN)
        return next->time_us >= prev->time_us - SKEW_US;
    if (prev->time_us != WN_TIME_UNKNOWN && next->time_us != WN_TIME_UNKNOWN &&
        prev->time_us != next->time_us)
        return next->time_us > prev->time_us;
    /* The same moment, or no telling: a deletion holds, else who came last. */
    return !(prev->deleted && !next->deleted && prev->time_us == next->time_us);
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

int64_t
wn_post_time(int64_t time_us, int64_t now_us)
{
    return time_us != WN_TIME_UNKNOWN && time_us > now_us ? now_us : time_us;
}

void
wn_post_move(
    struct wn_post_mark *mark, bool known, const struct wn_post_mark *next)
{
    struct wn_post_mark m = *next;

    if (known && mark->has_revision && !next->has_revision) {
        m.has_revision = true;
        m.revision = mark->revision;
    }
    *mark = m;
}
