/* Labelled texts for training: read, chosen, cut, and counted. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "classifier/reader.h"
#include "cmd/train_int.h"

#define ARENA_BYTES (64u << 20)

static enum wn_status
hash_file(const char *path, uint8_t ret[WN_SHA256], struct wn_err *err)
{
    FILE *f = fopen(path, "rb");
    struct wn_buf all;
    char chunk[65536];
    size_t n;
    enum wn_status rc = WN_OK;

    if (f == NULL)
        return wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    wn_buf_init(&all, (size_t)8 << 30);
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        wn_buf_add(&all, chunk, n);
    if (ferror(f) || all.failed)
        rc = wn_fail(err, WN_REJECT, "%s: could not be read", path);
    else
        wn_sha256(all.data, all.len, ret);
    fclose(f);
    wn_buf_release(&all);
    return rc;
}

void
wn_train_set_init(struct wn_train_set *s)
{
    memset(s, 0, sizeof(*s));
    wn_data_init(&s->data);
}

enum wn_status
wn_train_set_read(struct wn_train_set *s, const char *dir, const char *name,
    struct wn_err *err)
{
    struct wn_train_file *f = &s->files[s->files_n];
    size_t before = s->data.n;
    enum wn_status rc;
    int n;

    if (s->files_n == WN_TRAIN_FILES_MAX)
        return wn_fail(
            err, WN_REJECT, "more than %d data files", WN_TRAIN_FILES_MAX);
    if (dir == NULL)
        n = snprintf(f->path, sizeof(f->path), "%s", name);
    else
        n = snprintf(f->path, sizeof(f->path), "%s/%s.jsonl.gz", dir, name);
    if (n < 0 || (size_t)n >= sizeof(f->path))
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", name);
    if (dir != NULL && access(f->path, R_OK) != 0)
        f->path[n - 3] = '\0'; /* without .gz */
    rc = wn_data_read(&s->data, f->path, err);
    if (rc == WN_OK && s->data.n == before)
        rc = wn_fail(err, WN_REJECT, "%s: no texts in it", f->path);
    if (rc == WN_OK)
        rc = hash_file(f->path, f->sha256, err);
    if (rc == WN_OK)
        s->files_n++;
    return rc;
}

static enum wn_status
leave_out_one(
    struct wn_train_set *s, const char *name, size_t len, struct wn_err *err)
{
    struct wn_data *d = &s->data;
    size_t source = 0, n = 0;

    while (source < d->sources_n &&
           (strlen(d->sources[source]) != len ||
               memcmp(d->sources[source], name, len) != 0))
        source++;
    if (source == d->sources_n)
        return wn_fail(
            err, WN_REJECT, "no text is of source '%.*s'", (int)len, name);
    for (size_t r = 0; r < d->n; r++)
        if (d->rows[r].source != source)
            d->rows[n++] = d->rows[r];
    d->n = n;
    return WN_OK;
}

enum wn_status
wn_train_set_leave_out(
    struct wn_train_set *s, const char *sources, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    for (const char *p = sources; rc == WN_OK && *p != '\0';) {
        size_t len = strcspn(p, ",");

        rc = leave_out_one(s, p, len, err);
        p += len + (p[len] == ',');
    }
    return rc;
}

void
wn_train_set_release(struct wn_train_set *s)
{
    wn_data_release(&s->data);
    free(s->first);
    free(s->offsets);
    free(s->rows);
    free(s->words);
    free(s->trust);
    free(s->picked);
    memset(s, 0, sizeof(*s));
}

uint64_t
wn_train_random(uint64_t *s) /* splitmix64 */
{
    uint64_t z = *s += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

enum wn_status
wn_train_set_pick(struct wn_train_set *s, size_t per_source, uint64_t seed,
    size_t windows_max, struct wn_err *err)
{
    uint32_t *order = malloc(s->data.n * sizeof(*order));
    size_t taken[WN_DATA_SOURCES_MAX] = { 0 };

    s->features_windows = windows_max;
    free(s->picked);
    s->picked = calloc(s->data.n, sizeof(*s->picked));
    if (order == NULL || s->picked == NULL) {
        free(order);
        return wn_fail(err, WN_STOP, "train: out of memory");
    }
    for (size_t i = 0; i < s->data.n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = s->data.n; i > 1; i--) {
        size_t k = wn_train_random(&seed) % i;
        uint32_t t = order[i - 1];

        order[i - 1] = order[k];
        order[k] = t;
    }
    for (size_t i = 0; i < s->data.n; i++) {
        size_t *n = &taken[s->data.rows[order[i]].source];

        s->picked[order[i]] = per_source == 0 || (*n)++ < per_source;
    }
    free(order);
    return WN_OK;
}

enum wn_status
wn_train_set_features(struct wn_train_set *s, struct wn_features *f,
    size_t threads, struct wn_err *err)
{
    struct wn_features_ask *ask = malloc(s->data.n * sizeof(*ask));
    size_t n = 0;
    enum wn_status rc;

    if (ask == NULL)
        return wn_fail(err, WN_STOP, "train: out of memory");
    for (size_t i = 0; i < s->data.n; i++)
        if (s->picked[i])
            ask[n++] = (struct wn_features_ask){ s->data.rows[i].text,
                s->features_windows };
    fprintf(stderr, "features: %s, %zu of %zu texts\n", s->files[0].path, n,
        s->data.n);
    rc = wn_features_compute(f, ask, n, threads, err);
    free(ask);
    return rc;
}

/* Room for one more window and n more rows. */
static enum wn_status
grow(struct wn_train_set *s, size_t n, struct wn_err *err)
{
    size_t used = s->windows_n > 0 ? s->offsets[s->windows_n] : 0;
    void *p;

    if (s->windows_n + 2 > s->windows_cap) {
        size_t cap = s->windows_cap * 2 + s->data.n + 2;

        p = realloc(s->offsets, cap * sizeof(*s->offsets));
        if (p == NULL)
            return wn_fail(err, WN_STOP, "train: out of memory");
        s->offsets = p;
        p = realloc(s->trust, cap * sizeof(*s->trust));
        if (p == NULL)
            return wn_fail(err, WN_STOP, "train: out of memory");
        s->trust = p;
        s->offsets[0] = 0;
        s->windows_cap = cap;
    }
    if (used + n > s->rows_cap) {
        size_t cap = (used + n) * 2;

        p = realloc(s->rows, cap * sizeof(*s->rows));
        if (p == NULL)
            return wn_fail(err, WN_STOP, "train: out of memory");
        s->rows = p;
        s->rows_cap = cap;
    }
    return WN_OK;
}

/* --- n-grams of every window --- */

/* What is done with the windows of text i, which r holds. */
typedef enum wn_status take_windows(
    void *arg, struct wn_reading *r, size_t i, struct wn_err *err);

static enum wn_status
each_text(const struct wn_data *d, const struct wn_encoder *e,
    const struct wn_tokenizer *t, take_windows *take, void *arg,
    struct wn_err *err)
{
    struct wn_reading r;
    struct wn_arena arena;
    enum wn_status rc;

    wn_arena_init(&arena, 1u << 20, ARENA_BYTES);
    memset(&r, 0, sizeof(r));
    rc = wn_reading_init(&r, wn_encoder_shape(e), err);
    for (size_t i = 0; rc == WN_OK && i < d->n; i++) {
        struct wn_str text = d->rows[i].text;

        wn_arena_reset(&arena);
        rc = wn_reading_run(
            &r, t, &arena, text.p, text.len, NULL, 0, WN_TRAIN_WINDOWS, err);
        if (rc == WN_OK)
            rc = take(arg, &r, i, err);
    }
    wn_reading_release(&r);
    wn_arena_release(&arena);
    return rc;
}

static enum wn_status
learn_words(void *arg, struct wn_reading *r, size_t text, struct wn_err *err)
{
    (void)err;
    for (size_t i = 0; i < r->windows.n; i++)
        wn_ngram_words_add(arg, wn_reading_bag(r, i), (uint32_t)text + 1);
    return WN_OK;
}

enum wn_status
wn_train_set_words(const struct wn_train_set *s, const struct wn_encoder *e,
    const struct wn_tokenizer *t, struct wn_ngram_words *words,
    struct wn_err *err)
{
    if (words->seen == NULL)
        return WN_OK;
    return each_text(&s->data, e, t, learn_words, words, err);
}

struct adding {
    struct wn_train_set *set;
    struct wn_ngram known;
};

/* Appends the windows of a text. */
static enum wn_status
add_windows(void *arg, struct wn_reading *r, size_t text, struct wn_err *err)
{
    struct adding *a = arg;
    struct wn_train_set *s = a->set;

    for (size_t i = 0; i < r->windows.n; i++) {
        const struct wn_ngram_bag *bag = wn_reading_bag(r, i);
        enum wn_status rc = grow(s, bag->n, err);
        size_t at;

        if (rc != WN_OK)
            return rc;
        at = s->offsets[s->windows_n];
        if (bag->n > 0)
            memcpy(s->rows + at, bag->rows, bag->n * sizeof(*s->rows));
        s->trust[s->windows_n] = wn_ngram_trust(&a->known, bag);
        s->offsets[++s->windows_n] = at + bag->n;
    }
    s->first[text + 1] = s->windows_n;
    s->words[text] = (uint32_t)r->text.words;
    return WN_OK;
}

enum wn_status
wn_train_set_ngrams(struct wn_train_set *s, const struct wn_encoder *e,
    const struct wn_tokenizer *t, const struct wn_ngram_words *words,
    struct wn_err *err)
{
    struct adding a = { .set = s, .known = { .seen = words->seen } };
    enum wn_status rc = WN_OK;

    s->first = calloc(s->data.n + 1, sizeof(*s->first));
    s->words = calloc(s->data.n + 1, sizeof(*s->words));
    if (s->first == NULL || s->words == NULL)
        rc = wn_fail(err, WN_STOP, "train: out of memory");
    if (rc == WN_OK)
        rc = grow(s, 0, err);
    if (rc == WN_OK)
        rc = each_text(&s->data, e, t, add_windows, &a, err);
    fprintf(stderr, "n-grams: %s, %zu texts, %zu windows\n", s->files[0].path,
        s->data.n, s->windows_n);
    return rc;
}
