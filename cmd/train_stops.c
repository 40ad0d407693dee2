/*
 * Where early exits stop. A window is settled at an exit when all its logits
 * are so far under the last layer's thresholds as `stop` says; a text is lost
 * when every window that would flag it is settled before. So a text is lost at
 * an exit exactly where the highest margin of those windows is under `stop`,
 * and the k-th lowest of these margins over the texts loses k of them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifier/classifier.h"
#include "cmd/train_int.h"

/* Of the texts that the last layer flags, what each exit may lose: half a
 * percent is the promise, and other texts than dev's come. */
#define LOSE 0.0015

struct stops {
    struct wn_train_model *m;
    const struct wn_train_set *dev;
    struct wn_train_logits at[WN_EXITS_MAX];
    bool *lost;
    double *margins;
    size_t flagged;
};

/* The highest of a window's logits over its threshold, of heads that count. */
static double
over(const struct stops *s, size_t exit, size_t w, bool brief)
{
    const struct wn_joint *j = &s->m->joint;
    const struct wn_joint_head *heads = wn_joint_at(j, exit);
    double most = -INFINITY;

    for (size_t h = 0; h < WN_HEADS; h++) {
        double z =
            wn_joint_logit(&heads[h], s->at[exit].encoder[w * WN_HEADS + h],
                s->at[exit].ngram[w * WN_HEADS + h]);

        if (h != WN_AI_TEXT || !brief)
            most = fmax(most, wn_joint_over(j, h, z));
    }
    return most;
}

static bool
is_brief(const struct stops *s, size_t row)
{
    return s->dev->words[row] < WN_AI_TEXT_WORDS_MIN;
}

/* The margin at an exit of row's windows that flag it; NaN: nothing does. */
static double
margin(const struct stops *s, size_t exit, size_t row)
{
    size_t last = s->m->heads.exits - 1;
    double most = NAN;

    for (size_t w = s->dev->first[row]; w < s->dev->first[row + 1]; w++)
        if (over(s, last, w, is_brief(s, row)) >= 0)
            most = fmax(most, over(s, exit, w, is_brief(s, row)));
    return most;
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void
set_stop(struct stops *s, size_t exit)
{
    size_t n = 0, may = (size_t)(LOSE * (double)s->flagged);
    double stop = 0;

    for (size_t r = 0; r < s->dev->data.n; r++) {
        double x = s->lost[r] ? NAN : margin(s, exit, r);

        if (!isnan(x))
            s->margins[n++] = x;
    }
    qsort(s->margins, n, sizeof(*s->margins), by_value);
    if (n > may)
        stop = fmin(0, s->margins[may]);
    s->m->joint.early[exit].stop = stop;
    for (size_t r = 0; r < s->dev->data.n; r++)
        s->lost[r] = s->lost[r] || margin(s, exit, r) < stop;
}

/* Layers that dev's windows go through, on the average. */
static double
mean_depth(const struct stops *s)
{
    const struct wn_heads *heads = &s->m->heads;
    double layers = 0;

    for (size_t r = 0; r < s->dev->data.n; r++)
        for (size_t w = s->dev->first[r]; w < s->dev->first[r + 1]; w++) {
            size_t e = 0;

            while (e + 1 < heads->exits &&
                   !(over(s, e, w, is_brief(s, r)) < s->m->joint.early[e].stop))
                e++;
            layers += (double)heads->after[e];
        }
    return layers / (double)s->dev->windows_n;
}

static void
set_stops(struct stops *s)
{
    size_t lost = 0, last = s->m->heads.exits - 1;

    for (size_t r = 0; r < s->dev->data.n; r++)
        s->flagged += !isnan(margin(s, last, r));
    for (size_t e = 0; e < last; e++)
        set_stop(s, e);
    for (size_t r = 0; r < s->dev->data.n; r++)
        lost += s->lost[r];
    for (size_t e = 0; e < last; e++)
        fprintf(stderr, "layer %zu: settled under %.3f\n", s->m->heads.after[e],
            s->m->joint.early[e].stop);
    fprintf(stderr,
        "exits: of %zu flagged texts of dev %zu are lost; %.2f layers a "
        "window\n",
        s->flagged, lost, mean_depth(s));
}

enum wn_status
wn_train_stops(struct wn_train_model *m, const struct wn_train_set *dev,
    const struct wn_features *f, struct wn_err *err)
{
    struct stops s = { .m = m, .dev = dev };
    enum wn_status rc = WN_OK;

    if (m->heads.exits == 1)
        return WN_OK;
    s.lost = calloc(dev->data.n + 1, sizeof(*s.lost));
    s.margins = malloc((dev->data.n + 1) * sizeof(*s.margins));
    if (s.lost == NULL || s.margins == NULL)
        rc = wn_fail(err, WN_STOP, "train: out of memory");
    for (size_t e = 0; rc == WN_OK && e < m->heads.exits; e++)
        rc = wn_train_logits(&s.at[e], m, dev, f, e, err);
    if (rc == WN_OK)
        set_stops(&s);
    for (size_t e = 0; e < m->heads.exits; e++)
        wn_train_logits_release(&s.at[e]);
    free(s.lost);
    free(s.margins);
    return rc;
}
