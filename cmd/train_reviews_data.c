/*
 * Decisions as labelled texts. Copies of one text are one row, so that a flood
 * of them does not count as often as it was posted; where their labels differ,
 * the label is unknown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/train_reviews.h"
#include "storage/decided.h"

#define HELD_SEED UINT64_C(0x68656c64) /* "held" */
#define HELD_ONE_IN 7
#define CLASH (-2) /* copies said otherwise; unknown in the end */

void
wn_reviews_init(struct wn_reviews *r)
{
    memset(r, 0, sizeof(*r));
    wn_data_init(&r->data);
    r->first_us = r->last_us = WN_TIME_UNKNOWN;
}

void
wn_reviews_release(struct wn_reviews *r)
{
    wn_data_release(&r->data);
}

bool
wn_reviews_is_held(struct wn_str text)
{
    return wn_hash64(text.p, text.len, HELD_SEED) % HELD_ONE_IN == 0;
}

/* --- reading --- */

static void
note_time(struct wn_reviews *r, int64_t us)
{
    if (r->first_us == WN_TIME_UNKNOWN || us < r->first_us)
        r->first_us = us;
    if (r->last_us == WN_TIME_UNKNOWN || us > r->last_us)
        r->last_us = us;
}

/* Where the post is counted that teaches nothing; NULL: it teaches. */
static size_t *
passed_over(struct wn_reviews *r, const struct wn_decided *d)
{
    bool disputed = false;

    if (!d->has_content)
        return &r->gone;
    if (d->text.len == 0)
        return &r->textless;
    for (size_t h = 0; h < WN_HEADS; h++) {
        if (d->labels[h] != WN_LABEL_UNSAID)
            return NULL;
        disputed = disputed || d->disputed[h];
    }
    return disputed ? &r->disputed : &r->unsaid;
}

static enum wn_status
take(void *arg, const struct wn_decided *d, struct wn_err *err)
{
    struct wn_reviews *r = arg;
    struct wn_data_row row = { .id = d->post_id, .text = d->text };
    size_t *why = passed_over(r, d);

    r->posts++;
    note_time(r, d->at_us);
    if (why != NULL) {
        ++*why;
        return WN_OK;
    }
    for (size_t h = 0; h < WN_HEADS; h++)
        row.labels[h] = (int8_t)d->labels[h];
    /* what is no bait is none of its kinds */
    memset(row.baits, row.labels[WN_BAIT] == 0 ? 0 : -1, sizeof(row.baits));
    return wn_data_add(&r->data, &row, WN_REVIEWS_SOURCE, err);
}

/* --- copies --- */

static int
by_text(const void *a, const void *b)
{
    const struct wn_data_row *x = a, *y = b;
    size_t len = x->text.len < y->text.len ? x->text.len : y->text.len;
    int order = memcmp(x->text.p, y->text.p, len);

    if (order == 0)
        order = (x->text.len > y->text.len) - (x->text.len < y->text.len);
    return order != 0 ? order : strcmp(x->id.p, y->id.p);
}

static bool
same_text(const struct wn_data_row *x, const struct wn_data_row *y)
{
    return x->text.len == y->text.len &&
           memcmp(x->text.p, y->text.p, x->text.len) == 0;
}

static void
join_labels(int8_t *to, const int8_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (to[i] == -1)
            to[i] = from[i];
        else if (from[i] != -1 && from[i] != to[i])
            to[i] = CLASH;
}

static void
settle_labels(int8_t *labels, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (labels[i] == CLASH)
            labels[i] = -1;
}

/* Rows in the order of their texts, which no database changes. */
static void
join_copies(struct wn_reviews *r)
{
    struct wn_data *d = &r->data;
    size_t n = 0;

    qsort(d->rows, d->n, sizeof(*d->rows), by_text);
    for (size_t i = 0; i < d->n; i++) {
        if (n > 0 && same_text(&d->rows[n - 1], &d->rows[i])) {
            join_labels(d->rows[n - 1].labels, d->rows[i].labels, WN_HEADS);
            join_labels(d->rows[n - 1].baits, d->rows[i].baits, WN_BAITS);
            r->copies++;
        } else {
            d->rows[n++] = d->rows[i];
        }
    }
    d->n = n;
    for (size_t i = 0; i < n; i++) {
        settle_labels(d->rows[i].labels, WN_HEADS);
        settle_labels(d->rows[i].baits, WN_BAITS);
        r->held += wn_reviews_is_held(d->rows[i].text);
    }
}

static enum wn_status
hash_rows(struct wn_reviews *r, struct wn_err *err)
{
    struct wn_buf all;
    enum wn_status rc = WN_OK;

    wn_buf_init(&all, (size_t)WN_REVIEWS_MAX * 64);
    for (size_t i = 0; i < r->data.n; i++) {
        const struct wn_data_row *row = &r->data.rows[i];
        uint8_t text[WN_SHA256];

        wn_sha256(row->text.p, row->text.len, text);
        wn_buf_add(&all, text, sizeof(text));
        wn_buf_add(&all, row->labels, sizeof(row->labels));
    }
    if (all.failed)
        rc = wn_fail(err, WN_STOP, "decisions: out of memory");
    else
        wn_sha256(all.data, all.len, r->sha256);
    wn_buf_release(&all);
    return rc;
}

/* --- the whole --- */

static enum wn_status
check(const struct wn_reviews *r, struct wn_err *err)
{
    if (r->decisions == 0)
        return wn_fail(err, WN_REJECT,
            "no decisions in that time: staff makes them with `winnow review "
            "decide`, and `winnow review import` takes past ones in");
    if (r->data.n - r->held >= WN_REVIEWS_MIN)
        return WN_OK;
    return wn_fail(err, WN_REJECT,
        "%zu texts to learn from and %zu to hold back, at least %d and some "
        "are needed: of %zu decided posts %zu have no text any more, %zu never "
        "had one, %zu name no head "
        "(--label says what a post is), %zu are disputed, %zu are copies",
        r->data.n - r->held, r->held, WN_REVIEWS_MIN, r->posts, r->gone,
        r->textless, r->unsaid, r->disputed, r->copies);
}

enum wn_status
wn_reviews_read(struct wn_reviews *r, struct wn_store *st, int64_t since_us,
    struct wn_err *err)
{
    enum wn_status rc = wn_decided_each(
        st, since_us, WN_REVIEWS_MAX, take, r, &r->decisions, err);

    if (rc != WN_OK)
        return rc;
    join_copies(r);
    rc = hash_rows(r, err);
    return rc == WN_OK ? check(r, err) : rc;
}

enum wn_status
wn_reviews_add(const struct wn_reviews *r, bool held, struct wn_data *to,
    struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    for (size_t i = 0; rc == WN_OK && i < r->data.n; i++)
        if (wn_reviews_is_held(r->data.rows[i].text) == held)
            rc = wn_data_add(to, &r->data.rows[i], WN_REVIEWS_SOURCE, err);
    return rc;
}

enum wn_status
wn_reviews_add_set(const struct wn_reviews *r, bool held,
    struct wn_train_set *to, struct wn_err *err)
{
    struct wn_train_file *f = &to->files[to->files_n];

    if (to->files_n == WN_TRAIN_FILES_MAX)
        return wn_fail(err, WN_REJECT, "more than %d data files beside them",
            WN_TRAIN_FILES_MAX - 1);
    snprintf(f->path, sizeof(f->path), "database/%s", WN_REVIEWS_SOURCE);
    memcpy(f->sha256, r->sha256, sizeof(f->sha256));
    to->files_n++;
    return wn_reviews_add(r, held, &to->data, err);
}
