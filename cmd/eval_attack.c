/*
 * What becomes of flags when texts are attacked (attack.h). On a sample that
 * does not depend on the order of the rows: of each class those with the
 * lowest hash of their text. Each attack is scored by itself, and only rows
 * that it changed count.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/attack.h"
#include "cmd/eval_int.h"
#include "core/hash.h"

#define TEXT_BYTES_MAX (16u << 20) /* as classifier/text.h reads */

/* --- the sample --- */

struct ticket {
    uint64_t hash;
    size_t row;
};

static int
by_hash(const void *a, const void *b)
{
    const struct ticket *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* h == WN_HEADS: of the benign rows. */
static bool
is_of(const struct wn_data_row *row, size_t h)
{
    return h == WN_HEADS ? wn_eval_is_benign(row) : row->labels[h] == 1;
}

static void
mark(const struct wn_data *d, size_t h, size_t rows_max, struct ticket *t,
    bool *chosen)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n; i++)
        if (is_of(&d->rows[i], h))
            t[n++] = (struct ticket){ wn_hash64(d->rows[i].text.p,
                                          d->rows[i].text.len, WN_EVAL_SEED),
                i };
    qsort(t, n, sizeof(*t), by_hash);
    for (size_t i = 0; i < n && i < rows_max; i++)
        chosen[t[i].row] = true;
}

static enum wn_status
choose(
    const struct wn_data *d, size_t rows_max, bool *chosen, struct wn_err *err)
{
    struct ticket *t = malloc((d->n + 1) * sizeof(*t));

    if (t == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    for (size_t h = 0; h <= WN_HEADS; h++)
        mark(d, h, rows_max, t, chosen);
    free(t);
    return WN_OK;
}

/* --- one attack --- */

/* The sample's rows that one attack changed, with their new texts; from[i] is
 * where row i was. */
struct variant {
    struct wn_data data;
    size_t *from;
};

static enum wn_status
add_row(struct variant *v, const struct wn_data *d, size_t row,
    enum wn_attack a, struct wn_buf *text, struct wn_err *err)
{
    const struct wn_data_row *r = &d->rows[row];
    uint64_t seed = wn_hash64(r->text.p, r->text.len, WN_EVAL_SEED);
    struct wn_data_row *made = &v->data.rows[v->data.n];

    wn_buf_reset(text);
    if (!wn_attack_make(a, r->text, seed, text) || text->failed)
        return WN_OK; /* too long to be read whole is not attacked */
    *made = *r;
    made->text.len = text->len;
    made->text.p = wn_arena_strndup(&v->data.arena, text->data, text->len);
    if (made->text.p == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    v->from[v->data.n++] = row;
    return WN_OK;
}

static void
variant_release(struct variant *v)
{
    wn_data_release(&v->data);
    free(v->from);
}

static enum wn_status
variant_make(struct variant *v, const struct wn_data *d, const bool *chosen,
    enum wn_attack a, struct wn_err *err)
{
    struct wn_buf text;
    enum wn_status rc = WN_OK;

    wn_data_init(&v->data);
    v->data.rows = malloc((d->n + 1) * sizeof(*v->data.rows));
    v->from = malloc((d->n + 1) * sizeof(*v->from));
    if (v->data.rows == NULL || v->from == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    wn_buf_init(&text, TEXT_BYTES_MAX);
    for (size_t i = 0; i < d->n && rc == WN_OK; i++)
        if (chosen[i])
            rc = add_row(v, d, i, a, &text, err);
    wn_buf_release(&text);
    return rc;
}

/* --- what became of it --- */

static void
count(struct wn_attacked_head *c, const struct wn_data_row *row, size_t h,
    bool before, bool after)
{
    if (row->labels[h] == 1) {
        c->pos++;
        c->pos_before += before;
        c->pos_after += after;
        c->pos_lost += before && !after;
    } else if (row->labels[h] == 0 && wn_eval_is_benign(row)) {
        c->neg++;
        c->neg_before += before;
        c->neg_after += after;
        c->neg_gained += !before && after;
    }
}

static enum wn_status
attack(struct wn_eval *e, const struct wn_eval_conf *conf, const bool *chosen,
    enum wn_attack a, struct wn_err *err)
{
    struct wn_attacked *ret = &e->attacked[a];
    struct wn_eval_scores s = { .n = 0 };
    struct variant v = { .from = NULL };
    char what[40];
    enum wn_status rc = variant_make(&v, &e->data, chosen, a, err);

    snprintf(what, sizeof(what), "attack %s", wn_attack_names[a]);
    if (rc == WN_OK)
        rc = wn_eval_scores_make(&s, &v.data, conf, what, err);
    ret->rows = v.data.n;
    for (size_t k = 0; rc == WN_OK && k < v.data.n * WN_HEADS; k++) {
        size_t i = k / WN_HEADS, h = k % WN_HEADS;
        double threshold = e->scores.at[h][0].logit;

        count(&ret->head[h], &v.data.rows[i], h,
            e->scores.logit[h][v.from[i]] >= threshold,
            s.logit[h][i] >= threshold);
    }
    wn_eval_scores_release(&s);
    variant_release(&v);
    return rc;
}

enum wn_status
wn_eval_attack(struct wn_eval *e, const struct wn_eval_conf *conf,
    size_t rows_max, struct wn_err *err)
{
    bool *chosen = calloc(e->data.n + 1, sizeof(*chosen));
    enum wn_status rc = WN_OK;

    e->attacked = calloc(WN_ATTACKS, sizeof(*e->attacked));
    if (chosen == NULL || e->attacked == NULL)
        rc = wn_fail(err, WN_STOP, "out of memory");
    if (rc == WN_OK)
        rc = choose(&e->data, rows_max, chosen, err);
    for (int a = 0; a < WN_ATTACKS && rc == WN_OK; a++)
        rc = attack(e, conf, chosen, (enum wn_attack)a, err);
    free(chosen);
    return rc;
}
