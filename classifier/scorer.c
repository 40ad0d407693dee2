/*
 * Scoring a batch. Items are read one after the other; their windows go into
 * a pack that the encoder takes whenever it is full, so one item's windows may
 * lie in two packs and a pack may hold many items. What a window says goes
 * into its item's maximum at once, so no window is kept.
 *
 * All scratch belongs to the scorer; what it reads with (text, tokens) grows
 * to the longest text seen and stays.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "classifier/cache.h"
#include "classifier/classifier_int.h"
#include "classifier/parts.h"
#include "classifier/reader.h"
#include "core/metrics.h"

/* Tokens in one call of the encoder: enough for its matrices to be large
 * against their overhead, few enough for the scratch to stay in the second
 * cache. A window of the shortest text has three, hence PACK_WINDOWS. */
#define PACK_TOKENS 192
#define PACK_WINDOWS 64
#define GROUP_ITEMS 256 /* items whose maxima are open at a time */

enum { STAGE_TEXT = 1, STAGE_ENCODE = 2 }; /* of WN_M_STAGE_SECONDS */

_Static_assert(WN_BAITS == WN_KINDS_OUT, "the model has our kinds of bait");
_Static_assert(PACK_TOKENS >= WN_WINDOW_TOKENS, "a pack takes any window");
_Static_assert(WN_ITEM_WEIGHT_MAX == WN_WINDOWS_MAX * WN_WINDOW_TOKENS,
    "no view of a text has more tokens for the encoder");

/* An item of the group: its windows' highest logits so far. */
struct open {
    struct wn_item *item;
    struct wn_parts *parts; /* NULL where nobody asked */
    size_t windows;
    bool brief; /* too short for ai_text to flag */
    struct wn_said best;
};

struct wn_scorer {
    const struct wn_classifier *c;
    struct wn_workspace *work;
    size_t windows_max, shed;
    struct wn_reading reading;

    struct open group[GROUP_ITEMS];
    /* The pack. */
    int32_t ids[PACK_TOKENS];
    size_t offsets[PACK_WINDOWS + 1], n;
    struct open *owner[PACK_WINDOWS];
    float ngram[PACK_WINDOWS][WN_HEADS];
    bool stopped[PACK_WINDOWS]; /* before the last layer */
    struct wn_said said[PACK_WINDOWS];
    float encoder[PACK_WINDOWS][WN_OUTPUTS]; /* of the exit it came to */
    uint8_t key[PACK_WINDOWS][WN_CACHE_KEY];
    float *pooled;     /* (PACK_WINDOWS, H) */
    int64_t encode_us; /* spent in flush(), so far */
};

enum wn_status
wn_scorer_new(struct wn_scorer **ret, const struct wn_classifier *c,
    size_t windows_max, struct wn_err *err)
{
    const struct wn_encoder_shape *shape = wn_encoder_shape(c->encoder);
    struct wn_scorer *s = calloc(1, sizeof(*s));
    enum wn_status rc;

    WN_ASSERT(windows_max >= 1);
    WN_ASSERT(windows_max <= WN_WINDOWS_MAX);
    if (s == NULL)
        return wn_fail(err, WN_STOP, "scorer: out of memory");
    s->c = c;
    s->windows_max = windows_max;
    s->pooled = calloc(PACK_WINDOWS * shape->hidden, sizeof(*s->pooled));
    if (s->pooled == NULL)
        rc = wn_fail(err, WN_STOP, "scorer: out of memory");
    else
        rc = wn_reading_init(&s->reading, shape, err);
    if (rc == WN_OK)
        rc = wn_workspace_new(&s->work, c->encoder, PACK_TOKENS, err);
    if (rc != WN_OK) {
        wn_scorer_free(s);
        return rc;
    }
    *ret = s;
    return WN_OK;
}

void
wn_scorer_free(struct wn_scorer *s)
{
    if (s == NULL)
        return;
    wn_workspace_free(s->work);
    wn_reading_release(&s->reading);
    free(s->pooled);
    free(s);
}

/* --- depth --- */

/* The exit that the deepest windows leave by, as score.depth says. */
static size_t
asked_exit(const struct wn_scorer *s)
{
    size_t exits = s->c->heads.exits;

    return s->c->depth < exits ? s->c->depth : exits - 1;
}

/* The same less what is shed: no window goes on after it. */
static size_t
last_exit(const struct wn_scorer *s)
{
    size_t asked = asked_exit(s);

    return asked > s->shed ? asked - s->shed : 0;
}

size_t
wn_scorer_sheds(const struct wn_scorer *s)
{
    return asked_exit(s);
}

void
wn_scorer_shed(struct wn_scorer *s, size_t exits)
{
    s->shed = exits;
}

/* The exit after so many layers. */
static size_t
exit_after(const struct wn_heads *heads, size_t layers)
{
    size_t e = 0;

    while (e < heads->exits && heads->after[e] != layers)
        e++;
    WN_ASSERT(e < heads->exits);
    return e;
}

/* --- the pack --- */

/* NaN, once in, stays: finish() must see it. */
static void
raise_one(float *best, float x, bool first)
{
    if (first || isnan(x) || x > *best)
        *best = x;
}

/* A window of the text says so much: the highest counts. */
static void
raise(struct open *o, const struct wn_said *said)
{
    bool first = o->windows++ == 0;

    for (size_t h = 0; h < WN_HEADS; h++)
        raise_one(&o->best.logits[h], said->logits[h], first);
    for (size_t k = 0; k < WN_BAITS; k++)
        raise_one(&o->best.kinds[k], said->kinds[k], first);
    if (first || said->depth > o->best.depth)
        o->best.depth = said->depth;
    o->best.cut |= said->cut;
}

static void
raise_parts(
    struct open *o, const float encoder[WN_HEADS], const float ngram[WN_HEADS])
{
    for (size_t h = 0; h < WN_HEADS; h++) {
        if (o->windows == 0 || encoder[h] > o->parts->encoder[h])
            o->parts->encoder[h] = encoder[h];
        if (o->windows == 0 || ngram[h] > o->parts->ngram[h])
            o->parts->ngram[h] = ngram[h];
    }
}

/* What exit e makes of window i. */
static void
read_exit(struct wn_scorer *s, size_t e, size_t i, const float *pooled)
{
    const struct wn_joint_head *heads = wn_joint_at(&s->c->joint, e);
    struct wn_said *ret = &s->said[i];
    float *encoder = s->encoder[i];

    wn_heads_score(&s->c->heads, e, pooled, encoder);
    for (size_t h = 0; h < WN_HEADS; h++) {
        encoder[h] = wn_joint_encoder(&heads[h], h, encoder);
        ret->logits[h] =
            (float)wn_joint_logit(&heads[h], encoder[h], s->ngram[i][h]);
    }
    for (size_t k = 0; k < WN_BAITS; k++)
        ret->kinds[k] = encoder[WN_HEADS + k];
    ret->depth = (uint16_t)s->c->heads.after[e];
    ret->cut = 0;
}

/* Whether nothing that a later layer may say could flag the text: a head far
 * enough under its threshold stays there. Of a depth that was asked for nobody
 * stops early. */
static bool
is_settled(const struct wn_scorer *s, size_t e, const struct open *o,
    const struct wn_said *said)
{
    const struct wn_joint *j = &s->c->joint;

    if (s->c->depth < s->c->heads.exits)
        return e == s->c->depth;
    for (size_t h = 0; h < WN_HEADS; h++) {
        double over = wn_joint_over(j, h, (double)said->logits[h]);

        if (h == WN_AI_TEXT && o->brief)
            continue;
        if (!(over < j->early[e].stop) || !(over < 0))
            return false;
    }
    return true;
}

/* wn_exits.ask: clears keep[] of windows that stop here. */
static void
ask_exit(void *arg, size_t layer, const float *pooled, const size_t *who,
    size_t n, bool *keep)
{
    struct wn_scorer *s = arg;
    const struct wn_heads *heads = &s->c->heads;
    size_t e = exit_after(heads, layer + 1);

    for (size_t i = 0; i < n; i++) {
        size_t w = who[i];
        bool settled;

        read_exit(s, e, w, pooled + i * heads->hidden);
        settled = is_settled(s, e, s->owner[w], &s->said[w]);
        s->said[w].cut = !settled && e == last_exit(s);
        s->stopped[w] = settled || s->said[w].cut;
        keep[i] = !s->stopped[w];
    }
}

static void
join(struct wn_scorer *s, size_t i)
{
    const struct wn_heads *heads = &s->c->heads;
    struct open *o = s->owner[i];

    if (!s->stopped[i])
        read_exit(s, heads->exits - 1, i, s->pooled + i * heads->hidden);
    if (o->parts != NULL)
        raise_parts(o, s->encoder[i], s->ngram[i]);
    else if (s->c->cache != NULL)
        wn_cache_put(s->c->cache, s->key[i], &s->said[i]);
    raise(o, &s->said[i]);
}

/* What was cut short is no answer to who reads deeper now. */
static bool
could_go_on(const struct wn_scorer *s, const struct wn_said *said)
{
    return said->cut && said->depth < s->c->heads.after[last_exit(s)];
}

/* Whether the window was scored before; else its key is that of the next one
 * in the pack. Who asks for parts gets them made. */
static bool
is_known(struct wn_scorer *s, struct open *o, const char *text,
    const struct wn_window *w)
{
    struct wn_said said;
    bool hit;

    if (s->c->cache == NULL || o->parts != NULL)
        return false;
    wn_cache_key(s->c->cache, text + w->begin, w->end - w->begin, w->ids, w->n,
        o->brief, s->key[s->n]);
    hit = wn_cache_get(s->c->cache, s->key[s->n], &said) &&
          !could_go_on(s, &said);
    wn_metric_add(WN_M_SCORE_CACHE, hit ? 0 : 1, 1);
    if (hit)
        raise(o, &said);
    return hit;
}

/* Layers after which to ask: of all early exits up to the last that counts, or
 * of that one alone where a depth was asked for. */
static uint64_t
exits_asked(const struct wn_scorer *s)
{
    const struct wn_classifier *c = s->c;
    size_t last = last_exit(s);
    uint64_t after = 0;

    for (size_t e = 0; e < c->joint.early_n && e <= last; e++)
        if (c->depth == c->heads.exits || e == last)
            after |= UINT64_C(1) << (c->joint.early[e].after - 1);
    return after;
}

static void
flush(struct wn_scorer *s)
{
    struct wn_exits exits = { exits_asked(s), ask_exit, s };
    int64_t start = wn_clock_mono_us(), took;

    if (s->n == 0)
        return;
    memset(s->stopped, 0, sizeof(s->stopped));
    wn_encoder_run_exits(
        s->c->encoder, s->work, s->ids, s->offsets, s->n, &exits, s->pooled);
    for (size_t i = 0; i < s->n; i++)
        join(s, i);
    wn_metric_add(WN_M_TOKENS, 0, s->offsets[s->n]);
    took = wn_clock_mono_us() - start;
    wn_metric_observe(WN_M_STAGE_SECONDS, STAGE_ENCODE, (double)took / 1e6);
    s->encode_us += took;
    s->n = 0;
}

/* Window i of the text, or of its second view: what it says is one more thing
 * that the highest counts of. */
static void
pack(struct wn_scorer *s, struct open *o, size_t i, bool view)
{
    struct wn_reading *r = &s->reading;
    const struct wn_window *w = view ? &r->view.w[i] : &r->windows.w[i];
    const struct wn_ngram_bag *bag;
    size_t at;

    if (s->n == PACK_WINDOWS || s->offsets[s->n] + w->n > PACK_TOKENS)
        flush(s);
    if (is_known(s, o, view ? r->text.view.data : r->text.data, w))
        return;
    bag = view ? wn_reading_view_bag(r, i) : wn_reading_bag(r, i);
    at = s->offsets[s->n];
    memcpy(s->ids + at, w->ids, w->n * sizeof(*w->ids));
    wn_ngram_read(&s->c->ngram, bag, s->ngram[s->n]);
    s->owner[s->n] = o;
    s->offsets[++s->n] = at + w->n;
}

/* --- one item --- */

static void
set_int(struct wn_item *item, enum wn_signal signal, size_t n)
{
    item->sig.v[signal] = wn_value_int((int64_t)n);
}

/* post.links is never unknown: an empty list says that there are none. */
static enum wn_status
set_links(struct wn_item *item, const struct wn_links *l, struct wn_err *err)
{
    struct wn_value *list = NULL;

    if (l->n > 0) {
        list = wn_arena_array(&item->arena, l->n, sizeof(*list));
        if (list == NULL)
            return wn_fail(err, WN_FULL, "links: the item's memory is full");
    }
    for (size_t i = 0; i < l->n; i++)
        list[i] = wn_value_str(l->url[i].p, l->url[i].len);
    item->sig.v[WN_SIG_POST_LINKS] =
        (struct wn_value){ .kind = WN_VALUE_LIST, .list = { list, l->n } };
    set_int(item, WN_SIG_TEXT_LINKS, l->different);
    set_int(item, WN_SIG_TEXT_LINKS_HIDDEN, l->hidden);
    return WN_OK;
}

static void
set_counts(struct wn_item *item, const struct wn_reading *r)
{
    struct wn_value *v = item->sig.v;

    set_int(item, WN_SIG_TEXT_CHARS, r->text.chars);
    set_int(item, WN_SIG_TEXT_WORDS, r->text.words);
    set_int(item, WN_SIG_TEXT_TOKENS, r->windows.tokens);
    set_int(item, WN_SIG_TEXT_WINDOWS, r->windows.n);
    v[WN_SIG_TEXT_UNREAD_SHARE] = wn_value_double(r->windows.unread_share);
    v[WN_SIG_TEXT_INSUFFICIENT] =
        wn_value_bool(r->text.words < WN_AI_TEXT_WORDS_MIN);
    set_int(item, WN_SIG_TEXT_ZERO_WIDTH, r->text.zero_width);
    set_int(item, WN_SIG_TEXT_BIDI, r->text.bidi);
    set_int(item, WN_SIG_TEXT_TAGS, r->text.tags);
    set_int(item, WN_SIG_TEXT_COMBINING, r->text.combining);
    set_int(item, WN_SIG_TEXT_STYLED, r->text.styled);
    set_int(item, WN_SIG_TEXT_CONFUSABLES, r->text.confusables);
    set_int(item, WN_SIG_TEXT_MIXED_SCRIPT, r->text.mixed_script_words);
    set_int(item, WN_SIG_TEXT_SPACED_WORDS, r->text.spaced_words);
    set_int(item, WN_SIG_TEXT_LEET_WORDS, r->text.leet_words);
    set_int(item, WN_SIG_TEXT_REPEATS, r->text.repeats);
    /* Who parsed the post repaired its bytes before we could see them. */
    if (v[WN_SIG_TEXT_INVALID].kind == WN_VALUE_UNKNOWN)
        set_int(item, WN_SIG_TEXT_INVALID, r->text.invalid);
}

static enum wn_status
read_item(struct wn_scorer *s, struct wn_item *item, struct wn_err *err)
{
    const struct wn_post *post = &item->post;
    enum wn_status rc;

    rc = wn_reading_run(&s->reading, s->c->tokenizer, &item->arena,
        post->text.p == NULL ? "" : post->text.p, post->text.len,
        post->given_links, post->given_links_n, s->windows_max, err);
    if (rc == WN_OK)
        rc = set_links(item, &s->reading.links, err);
    if (rc != WN_OK)
        return rc;
    if (post->text.p != NULL)
        set_counts(item, &s->reading);
    return WN_OK;
}

/* Reads an item and packs its windows; what the encoder took in between is its
 * own stage. */
static enum wn_status
take_item(struct wn_scorer *s, struct open *o, struct wn_err *err)
{
    int64_t begin = wn_clock_mono_us() - s->encode_us;
    enum wn_status rc = read_item(s, o->item, err);

    if (rc != WN_OK)
        return rc;
    o->brief = s->reading.text.words < WN_AI_TEXT_WORDS_MIN;
    for (size_t w = 0; w < s->reading.windows.n; w++)
        pack(s, o, w, false);
    for (size_t w = 0; w < s->reading.view.n; w++)
        pack(s, o, w, true);
    wn_metric_observe(WN_M_STAGE_SECONDS, STAGE_TEXT,
        (double)(wn_clock_mono_us() - s->encode_us - begin) / 1e6);
    return WN_OK;
}

static void
set_scores(const struct wn_scorer *s, const struct open *o)
{
    const struct wn_heads *heads = &s->c->heads;
    const struct wn_joint_head *joint =
        wn_joint_at(&s->c->joint, exit_after(heads, o->best.depth));
    struct wn_value *v = o->item->sig.v;
    bool full = o->best.cut || o->best.depth == heads->after[asked_exit(s)];

    for (size_t h = 0; h < WN_HEADS; h++) {
        double p = wn_sigmoid((double)o->best.logits[h]);
        bool flag = full && p >= joint[h].threshold;

        v[WN_SIG_SCORE_SPAM + h] = wn_value_double(p);
        v[WN_SIG_FLAG_SPAM + h] =
            wn_value_bool(flag && !(h == WN_AI_TEXT && o->brief));
    }
    for (size_t k = 0; k < WN_BAITS && s->c->heads.kinds; k++)
        v[WN_SIG_SCORE_BAIT_VOTE + k] =
            wn_value_double(wn_sigmoid((double)o->best.kinds[k]));
    set_int(o->item, WN_SIG_SCORE_DEPTH, o->best.depth);
}

static void
set_logits(const struct open *o)
{
    for (size_t h = 0; h < WN_HEADS; h++)
        o->parts->logit[h] = (double)o->best.logits[h];
}

static enum wn_status
finish(const struct wn_scorer *s, const struct open *o, struct wn_err *err)
{
    struct wn_item *item = o->item;

    for (size_t h = 0; h < WN_HEADS && o->windows > 0; h++)
        if (!isfinite(o->best.logits[h]))
            return wn_fail(err, WN_STOP,
                "weights %s: head %s gave no finite number", s->c->version,
                wn_head_names[h]);
    if (o->windows > 0)
        set_scores(s, o);
    if (o->windows > 0 && o->parts != NULL)
        set_logits(o);
    if (o->windows == 0)
        item->skipped |= WN_SKIPPED_TEXT;
    if (item->post.media_n > 0)
        item->skipped |= WN_SKIPPED_IMAGE;
    if (o->best.cut)
        item->skipped |= WN_SKIPPED_DEPTH;
    item->outcome = item->skipped != 0 ? WN_DEGRADED : WN_SCORED;
    return WN_OK;
}

static enum wn_status
run_group(struct wn_scorer *s, struct wn_item **items, size_t n,
    struct wn_parts *parts, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    s->n = 0;
    for (size_t i = 0; i < n && rc == WN_OK; i++) {
        struct open *o = &s->group[i];

        *o = (struct open){ .item = items[i] };
        if (parts != NULL) {
            o->parts = &parts[i];
            *o->parts = (struct wn_parts){ .encoder = { 0 } };
        }
        rc = take_item(s, o, err);
    }
    if (rc == WN_OK)
        flush(s);
    for (size_t i = 0; i < n && rc == WN_OK; i++)
        rc = finish(s, &s->group[i], err);
    return rc;
}

enum wn_status
wn_scorer_run_parts(struct wn_scorer *s, struct wn_item **items, size_t n,
    struct wn_parts *parts, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    for (size_t i = 0; i < n && rc == WN_OK; i += GROUP_ITEMS)
        rc = run_group(s, items + i, n - i < GROUP_ITEMS ? n - i : GROUP_ITEMS,
            parts == NULL ? NULL : parts + i, err);
    return rc;
}

enum wn_status
wn_scorer_run(
    struct wn_scorer *s, struct wn_item **items, size_t n, struct wn_err *err)
{
    return wn_scorer_run_parts(s, items, n, NULL, err);
}
