/*
 * Heads on an encoder that was tuned for a short while. What they say of
 * everything drifts a little, and where the mix takes a weak head many times
 * that is much. So each output gets the line (a factor and a shift) that brings
 * what it says of replay nearest to what it said before.
 */
#include <math.h>
#include <string.h>

#include "cmd/train_reviews.h"

/* Sums for a line of least squares. */
struct line {
    double n, x, y, xx, xy;
};

static void
add_point(struct line *l, double x, double y)
{
    l->n++;
    l->x += x;
    l->y += y;
    l->xx += x * x;
    l->xy += x * y;
}

/* A shift alone where nothing varies; never upside down. */
static void
fit(const struct line *l, double *ret_factor, double *ret_shift)
{
    double var = l->xx - l->x * l->x / l->n, cov = l->xy - l->x * l->y / l->n;

    *ret_factor = var > 1e-9 * l->n ? fmax(0, cov / var) : 1;
    *ret_shift = (l->y - *ret_factor * l->x) / l->n;
}

/* One text at every exit. */
static void
add_text(struct line lines[WN_EXITS_MAX][WN_OUTPUTS],
    const struct wn_reviews_model *after, const struct wn_reviews_model *before,
    struct wn_features_ask ask)
{
    const struct wn_heads *heads = &after->m.heads;
    float was[WN_OUTPUTS] = { 0 }, is[WN_OUTPUTS] = { 0 };
    size_t n[2];
    const float *x = wn_features_find(before->features, ask, &n[0]);
    const float *y = wn_features_find(after->features, ask, &n[1]);

    for (size_t i = 0; i < n[0] * heads->exits && n[0] == n[1]; i++) {
        size_t e = i % heads->exits;

        wn_heads_score(&before->m.heads, e, x + i * heads->hidden, was);
        wn_heads_score(heads, e, y + i * heads->hidden, is);
        for (size_t o = 0; o < WN_OUTPUTS; o++)
            add_point(&lines[e][o], (double)is[o], (double)was[o]);
    }
}

static void
apply(struct wn_heads *heads, size_t exit, size_t output, const struct line *l)
{
    float *w = heads->weight + (exit * WN_OUTPUTS + output) * heads->hidden;
    double factor, shift;

    fit(l, &factor, &shift);
    for (size_t i = 0; i < heads->hidden; i++)
        w[i] *= (float)factor;
    heads->bias[exit][output] =
        (float)(factor * (double)heads->bias[exit][output] + shift);
}

void
wn_reviews_settle(struct wn_reviews_model *after,
    const struct wn_reviews_model *before, const struct wn_train_set *dev)
{
    struct line lines[WN_EXITS_MAX][WN_OUTPUTS];
    struct wn_heads *heads = &after->m.heads;

    memset(lines, 0, sizeof(lines));
    for (size_t r = 0; r < dev->data.n; r++) {
        struct wn_features_ask ask = { dev->data.rows[r].text,
            dev->features_windows };

        if (!wn_reviews_is_decided(dev, r))
            add_text(lines, after, before, ask);
    }
    for (size_t e = 0; e < heads->exits; e++)
        for (size_t o = 0; o < WN_OUTPUTS && lines[e][o].n > 0; o++)
            apply(heads, e, o, &lines[e][o]);
}
