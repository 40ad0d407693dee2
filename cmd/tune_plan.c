/* Which texts an epoch shows. A seed and an epoch give one order. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/train_int.h"

#define REPEATS_MAX 3
#define SHARE_LOW 0.35
#define SHARE_HIGH 0.65

/* Rows of one source and side, shuffled; taken round and round. */
struct side {
    uint32_t *rows;
    size_t n, taken;
};

static void
shuffle(uint32_t *rows, size_t n, uint64_t *seed)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = wn_train_random(seed) % i;
        uint32_t t = rows[i - 1];

        rows[i - 1] = rows[k];
        rows[k] = t;
    }
}

static bool
is_positive(const struct wn_data_row *r)
{
    for (size_t h = 0; h < WN_HEADS; h++)
        if (r->labels[h] == 1)
            return true;
    return false;
}

static double
weight_of(const struct wn_tune_conf *conf, const char *source)
{
    for (size_t i = 0; i < conf->weights_n; i++)
        if (strcmp(conf->weights[i].source, source) == 0)
            return conf->weights[i].by;
    return 1;
}

/* Texts of a source of n that an epoch may show. */
static double
most_of(const struct wn_tune_conf *conf, size_t n)
{
    double most = REPEATS_MAX * (double)n;

    return conf->source_rows > 0 ? fmin(most, (double)conf->source_rows) : most;
}

/* quota[s]: texts of source s, `rows` together as far as repeats allow: what
 * one source may not take the others share. */
static void
set_quotas(const struct wn_tune_conf *conf, const struct wn_data *d,
    const size_t *n, size_t rows, double *quota)
{
    bool full[WN_DATA_SOURCES_MAX] = { false };
    double left = (double)rows;

    for (bool again = true; again;) {
        double sum = 0, share;

        again = false;
        for (size_t s = 0; s < d->sources_n; s++)
            sum += full[s]
                       ? 0
                       : sqrt((double)n[s]) * weight_of(conf, d->sources[s]);
        for (size_t s = 0; s < d->sources_n && sum > 0; s++) {
            double most = most_of(conf, n[s]);

            if (full[s])
                continue;
            share = left * sqrt((double)n[s]) * weight_of(conf, d->sources[s]) /
                    sum;
            quota[s] = share;
            if (share > most) {
                quota[s] = most;
                left -= most;
                full[s] = again = true;
                break;
            }
        }
    }
}

/* Of a quota, how many with a label of 1. */
static size_t
positives_of(double quota, size_t pos, size_t neg)
{
    double share = (double)pos / (double)(pos + neg);

    if (pos > 0 && neg > 0)
        share = fmin(fmax(share, SHARE_LOW), SHARE_HIGH);
    share = fmin(share, REPEATS_MAX * (double)pos / quota);
    share = fmax(share, 1 - REPEATS_MAX * (double)neg / quota);
    return (size_t)lround(quota * share);
}

static void
take(struct wn_tune_plan *p, struct side *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p->rows[p->n++] = s->rows[s->taken++ % s->n];
}

/* sides[2 * source + positive]; all of them lie in `rows`. */
static void
split(const struct wn_data *d, struct side *sides, uint32_t *rows)
{
    for (size_t r = 0; r < d->n; r++)
        sides[2 * d->rows[r].source + is_positive(&d->rows[r])].n++;
    for (size_t s = 0; s < 2 * d->sources_n; s++) {
        sides[s].rows = rows;
        rows += sides[s].n;
        sides[s].n = 0;
    }
    for (size_t r = 0; r < d->n; r++) {
        struct side *s =
            &sides[2 * d->rows[r].source + is_positive(&d->rows[r])];

        s->rows[s->n++] = (uint32_t)r;
    }
}

enum wn_status
wn_tune_plan_make(struct wn_tune_plan *ret, const struct wn_tune_conf *conf,
    const struct wn_train_set *set, uint64_t epoch, struct wn_err *err)
{
    const struct wn_data *d = &set->data;
    struct side *sides = calloc(2 * d->sources_n + 1, sizeof(*sides));
    uint32_t *rows = malloc((d->n + 1) * sizeof(*rows));
    size_t n[WN_DATA_SOURCES_MAX] = { 0 }, all;
    double quota[WN_DATA_SOURCES_MAX] = { 0 };
    struct wn_tune_plan p = { NULL, 0 };
    uint64_t seed = conf->seed + 0x51ab * (epoch + 1);

    all = conf->epoch_rows == 0 ? d->n : conf->epoch_rows;
    p.rows = malloc((all + d->sources_n + 1) * sizeof(*p.rows));
    if (sides == NULL || rows == NULL || p.rows == NULL) {
        free(sides);
        free(rows);
        free(p.rows);
        return wn_fail(err, WN_STOP, "train: out of memory");
    }
    split(d, sides, rows);
    for (size_t s = 0; s < d->sources_n; s++)
        n[s] = sides[2 * s].n + sides[2 * s + 1].n;
    set_quotas(conf, d, n, all, quota);
    for (size_t s = 0; s < d->sources_n; s++) {
        struct side *neg = &sides[2 * s], *pos = &sides[2 * s + 1];
        size_t most = (size_t)quota[s], k;

        if (most == 0)
            continue;
        k = positives_of((double)most, pos->n, neg->n);
        shuffle(pos->rows, pos->n, &seed);
        shuffle(neg->rows, neg->n, &seed);
        take(&p, pos, k);
        take(&p, neg, most - k);
    }
    shuffle(p.rows, p.n, &seed);
    free(sides);
    free(rows);
    *ret = p;
    return WN_OK;
}

void
wn_tune_plan_release(struct wn_tune_plan *p)
{
    free(p->rows);
    *p = (struct wn_tune_plan){ NULL, 0 };
}
