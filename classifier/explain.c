/*
 * Explanations by occlusion: see explain.h.
 *
 * A level is a way to read the window without a word, and each level reads
 * fewer words at a higher price: n-grams alone, the encoder to its first
 * exit, the encoder to the depth that counts. Sequences go through the
 * encoder in packs, as the scorer's do.
 */
#include "classifier/explain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "classifier/classifier_int.h"
#include "classifier/explain_int.h"
#include "classifier/reader.h"

#define PACK_TOKENS 256 /* of the sizes that are as fast, a small one */
#define PACK_WINDOWS 64
#define ARENA_MAX ((size_t)1 << 20) /* for 64 links of 2 KiB */

_Static_assert(
    WN_EXPLAIN_PLACES_MAX >= WN_WINDOW_TOKENS, "a place for each token");

/* A word, and what is known of the window without it. */
struct word {
    size_t number; /* in its places */
    float ngram[WN_HEADS];
    double logit, weight; /* at the level read last */
};

struct wn_explainer {
    const struct wn_classifier *c;
    struct wn_workspace *work;
    struct wn_reading reading;
    struct wn_arena arena; /* links */
    size_t windows_max;

    enum wn_head head;
    size_t window; /* that is explained, and its logit */
    double logit;
    float ngram[WN_WINDOWS_MAX][WN_HEADS]; /* of whole windows */
    struct wn_place place[WN_EXPLAIN_PLACES_MAX];
    size_t places_n;
    struct word word[WN_EXPLAIN_PLACES_MAX]; /* that are still in */
    size_t words_n;

    /* The pack: sequences, all to one exit, and where their logits go. */
    size_t exit;
    int32_t ids[PACK_TOKENS];
    size_t offsets[PACK_WINDOWS + 1], n;
    const float *with[PACK_WINDOWS]; /* its n-grams (WN_HEADS) */
    double *to[PACK_WINDOWS];
    float *pooled; /* (PACK_WINDOWS, H) */
};

enum wn_status
wn_explainer_new(struct wn_explainer **ret, const struct wn_classifier *c,
    size_t windows_max, struct wn_err *err)
{
    const struct wn_encoder_shape *shape = wn_encoder_shape(c->encoder);
    struct wn_explainer *x = calloc(1, sizeof(*x));
    enum wn_status rc;

    WN_ASSERT(windows_max >= 1);
    WN_ASSERT(windows_max <= WN_WINDOWS_MAX);
    if (x == NULL)
        return wn_fail(err, WN_STOP, "explainer: out of memory");
    x->c = c;
    x->windows_max = windows_max;
    wn_arena_init(&x->arena, 4096, ARENA_MAX);
    x->pooled = calloc(PACK_WINDOWS * shape->hidden, sizeof(*x->pooled));
    if (x->pooled == NULL)
        rc = wn_fail(err, WN_STOP, "explainer: out of memory");
    else
        rc = wn_reading_init(&x->reading, shape, err);
    if (rc == WN_OK)
        rc = wn_workspace_new(&x->work, c->encoder, PACK_TOKENS, err);
    if (rc != WN_OK) {
        wn_explainer_free(x);
        return rc;
    }
    *ret = x;
    return WN_OK;
}

void
wn_explainer_free(struct wn_explainer *x)
{
    if (x == NULL)
        return;
    wn_workspace_free(x->work);
    wn_reading_release(&x->reading);
    wn_arena_release(&x->arena);
    free(x->pooled);
    free(x);
}

static bool
is_true(const struct wn_value *v)
{
    return v->kind == WN_VALUE_BOOL && v->b;
}

enum wn_head
wn_explain_head(const struct wn_signals *sig)
{
    bool brief = is_true(&sig->v[WN_SIG_TEXT_INSUFFICIENT]);
    enum wn_head best = WN_HEADS;
    double most = 0;

    for (enum wn_head h = 0; h < WN_HEADS; h++) {
        const struct wn_value *score = &sig->v[WN_SIG_SCORE_SPAM + (int)h];
        bool flag = is_true(&sig->v[WN_SIG_FLAG_SPAM + (int)h]);
        double rank = score->d + (flag ? 1 : 0); /* a score is 1 at most */

        if (score->kind != WN_VALUE_DOUBLE ||
            (h == WN_AI_TEXT && brief && !flag))
            continue;
        if (best == WN_HEADS || rank > most) {
            best = h;
            most = rank;
        }
    }
    return best;
}

/* --- the pack --- */

/* wn_exits.ask: nobody goes on. */
static void
stop_all(void *arg, size_t layer, const float *pooled, const size_t *who,
    size_t n, bool *keep)
{
    memset(keep, 0, n * sizeof(*keep));
}

static void
flush(struct wn_explainer *x)
{
    const struct wn_heads *heads = &x->c->heads;
    const struct wn_joint_head *joint = wn_joint_at(&x->c->joint, x->exit);
    struct wn_exits exits = { 0, stop_all, NULL };
    float out[WN_OUTPUTS];

    if (x->exit + 1 < heads->exits)
        exits.after = UINT64_C(1) << (heads->after[x->exit] - 1);
    if (x->n > 0)
        wn_encoder_run_exits(x->c->encoder, x->work, x->ids, x->offsets, x->n,
            &exits, x->pooled);
    for (size_t i = 0; i < x->n; i++) {
        wn_heads_score(heads, x->exit, x->pooled + i * heads->hidden, out);
        *x->to[i] = wn_joint_logit(&joint[x->head],
            wn_joint_encoder(&joint[x->head], x->head, out),
            x->with[i][x->head]);
    }
    x->n = 0;
}

/* A window whose tokens may yet be masked: where they lie in the pack. */
static int32_t *
pack(struct wn_explainer *x, const struct wn_window *w, const float *ngram,
    double *logit)
{
    int32_t *ids;

    if (x->n == PACK_WINDOWS || x->offsets[x->n] + w->n > PACK_TOKENS)
        flush(x);
    ids = x->ids + x->offsets[x->n];
    memcpy(ids, w->ids, w->n * sizeof(*ids));
    x->with[x->n] = ngram;
    x->to[x->n++] = logit;
    x->offsets[x->n] = x->offsets[x->n - 1] + w->n;
    return ids;
}

/* --- levels --- */

static const struct wn_window *
window_of(const struct wn_explainer *x)
{
    return &x->reading.windows.w[x->window];
}

static void
pack_without(struct wn_explainer *x, struct word *word)
{
    const struct wn_window *w = window_of(x);
    int32_t mask = wn_tokenizer_mask(x->c->tokenizer);
    int32_t *ids = pack(x, w, word->ngram, &word->logit);

    for (size_t k = 0; k < x->places_n; k++)
        for (size_t i = 1; i + 1 < w->n && x->place[k].word == word->number;
             i++)
            if (wn_place_has(&x->place[k], w, i))
                ids[i] = mask;
}

static enum wn_status
check(const struct wn_explainer *x, double logit, struct wn_err *err)
{
    if (isfinite(logit))
        return WN_OK;
    return wn_fail(err, WN_STOP, "weights %s: head %s gave no finite number",
        x->c->version, wn_head_names[x->head]);
}

/* Reads the window to an exit without each word; whole: what it says there
 * with all of them. */
static enum wn_status
weigh(struct wn_explainer *x, size_t exit, double whole, struct wn_err *err)
{
    enum wn_status rc = check(x, whole, err);

    x->exit = exit;
    for (size_t i = 0; i < x->words_n; i++)
        pack_without(x, &x->word[i]);
    flush(x);
    for (size_t i = 0; i < x->words_n && rc == WN_OK; i++) {
        x->word[i].weight = whole - x->word[i].logit;
        rc = check(x, x->word[i].logit, err);
    }
    return rc;
}

static int
by_weight(const void *a, const void *b)
{
    const struct word *p = a, *q = b;
    double x = fabs(p->weight), y = fabs(q->weight);

    if (x != y)
        return x < y ? 1 : -1;
    return (p->number > q->number) - (p->number < q->number);
}

/* The heaviest, in order; at most n. */
static void
keep_heaviest(struct wn_explainer *x, size_t n)
{
    qsort(x->word, x->words_n, sizeof(x->word[0]), by_weight);
    if (x->words_n > n)
        x->words_n = n;
}

/* --- one text --- */

/* The exit that flags come from. */
static size_t
deepest(const struct wn_classifier *c)
{
    return c->depth < c->heads.exits ? c->depth : c->heads.exits - 1;
}

/* What n windows say whole at an exit. */
static void
read_whole(
    struct wn_explainer *x, size_t exit, size_t from, size_t n, double *ret)
{
    x->exit = exit;
    for (size_t i = 0; i < n; i++)
        pack(x, &x->reading.windows.w[from + i], x->ngram[from + i], &ret[i]);
    flush(x);
}

/* The window where the head is highest, the first of them. */
static void
find_window(struct wn_explainer *x)
{
    double logit[WN_WINDOWS_MAX];
    size_t n = x->reading.windows.n;

    for (size_t i = 0; i < n; i++) {
        const struct wn_ngram_bag *bag = wn_reading_bag(&x->reading, i);

        wn_ngram_read(&x->c->ngram, bag, x->ngram[i]);
    }
    read_whole(x, deepest(x->c), 0, n, logit);
    x->window = 0;
    for (size_t i = 1; i < n; i++)
        if (logit[i] > logit[x->window])
            x->window = i;
    x->logit = logit[x->window];
}

/* White space in all places of a word, or what stood there: kept, a copy of
 * the window's text. */
static void
write_over(struct wn_explainer *x, const struct word *word, const char *kept)
{
    char *text = x->reading.text.data;
    size_t base = window_of(x)->begin;

    for (size_t k = 0; k < x->places_n; k++) {
        const struct wn_place *p = &x->place[k];

        if (p->word != word->number)
            continue;
        if (kept == NULL)
            memset(text + p->begin, ' ', p->end - p->begin);
        else
            memcpy(
                text + p->begin, kept + (p->begin - base), p->end - p->begin);
    }
}

/* What the n-grams say without each word, and how far that is from what they
 * say of the whole. */
static void
weigh_ngrams(struct wn_explainer *x)
{
    char kept[WN_WHOLE_BYTES];
    const struct wn_window *w = window_of(x);

    WN_ASSERT(w->end - w->begin <= sizeof(kept));
    memcpy(kept, x->reading.text.data + w->begin, w->end - w->begin);
    for (size_t i = 0; i < x->words_n; i++) {
        struct word *word = &x->word[i];
        const struct wn_ngram_bag *bag;

        word->number = i;
        write_over(x, word, NULL);
        bag = wn_reading_bag(&x->reading, x->window);
        wn_ngram_read(&x->c->ngram, bag, word->ngram);
        write_over(x, word, kept);
        word->weight =
            (double)(x->ngram[x->window][x->head] - word->ngram[x->head]);
    }
}

static void
give_places(const struct wn_explainer *x, struct wn_explanation *ret)
{
    size_t base = window_of(x)->begin;

    ret->places_n = x->places_n;
    for (size_t k = 0; k < x->places_n; k++) {
        const struct wn_place *p = &x->place[k];
        struct wn_explained_place *to = &ret->places[k];

        *to = (struct wn_explained_place){ p->begin - base, p->end - base,
            WN_EXPLAIN_LEFT_OUT };
        for (size_t i = 0; i < x->words_n; i++)
            if (x->word[i].number == p->word)
                to->word = i;
    }
}

static void
give_words(const struct wn_explainer *x, struct wn_explanation *ret)
{
    ret->words_n = x->words_n;
    for (size_t i = 0; i < x->words_n; i++)
        ret->words[i] =
            (struct wn_explained_word){ .weight = x->word[i].weight };
    for (size_t k = 0; k < ret->places_n; k++) {
        const struct wn_explained_place *p = &ret->places[k];

        if (p->word == WN_EXPLAIN_LEFT_OUT)
            continue;
        if (ret->words[p->word].times++ == 0)
            ret->words[p->word].text =
                (struct wn_str){ ret->text.p + p->begin, p->end - p->begin };
    }
}

/* Weighs fewer words at each level; those that are left are x->word, in
 * order. */
static enum wn_status
weigh_all(struct wn_explainer *x, struct wn_err *err)
{
    size_t deep = deepest(x->c);
    double shallow;
    enum wn_status rc = WN_OK;

    weigh_ngrams(x);
    keep_heaviest(x, WN_EXPLAIN_WORDS_MAX);
    if (deep > 0 && x->words_n > WN_EXPLAIN_DEEP_MAX) {
        read_whole(x, 0, x->window, 1, &shallow);
        rc = weigh(x, 0, shallow, err);
        if (rc == WN_OK)
            keep_heaviest(x, WN_EXPLAIN_DEEP_MAX);
    }
    if (rc == WN_OK)
        rc = weigh(x, deep, x->logit, err);
    if (rc == WN_OK)
        keep_heaviest(x, x->words_n);
    return rc;
}

static enum wn_status
explain_window(
    struct wn_explainer *x, struct wn_explanation *ret, struct wn_err *err)
{
    const struct wn_window *w = window_of(x);
    const char *text = x->reading.text.data;
    enum wn_status rc;

    x->places_n =
        wn_places_find(x->place, WN_EXPLAIN_PLACES_MAX, text, w, &x->words_n);
    rc = weigh_all(x, err);
    if (rc != WN_OK)
        return rc;
    ret->head = x->head;
    ret->logit = x->logit;
    ret->text = (struct wn_str){ text + w->begin, w->end - w->begin };
    ret->window = x->window;
    ret->windows = x->reading.windows.n;
    give_places(x, ret);
    give_words(x, ret);
    return WN_OK;
}

enum wn_status
wn_explain_run(struct wn_explainer *x, const struct wn_post *post,
    enum wn_head head, struct wn_explanation *ret, struct wn_err *err)
{
    enum wn_status rc;

    WN_ASSERT(head < WN_HEADS);
    x->head = head;
    wn_arena_reset(&x->arena);
    rc = wn_reading_run(&x->reading, x->c->tokenizer, &x->arena,
        post->text.p == NULL ? "" : post->text.p, post->text.len,
        post->given_links, post->given_links_n, x->windows_max, err);
    if (rc != WN_OK)
        return rc;
    if (x->reading.windows.n == 0) {
        *ret = (struct wn_explanation){ .head = head };
        return WN_OK;
    }
    find_window(x);
    return explain_window(x, ret, err);
}
