/*
 * The scorer on a small folder of weights (tests/lib/weights.h): a score is
 * what the two readers give for a text's highest window, whatever else is in
 * the batch; and what happens where there is nothing to score.
 */
#include <math.h>
#include <pthread.h>
#include <sys/stat.h>

#include "classifier/cache.h"
#include "classifier/classifier.h"
#include "classifier/parts.h"
#include "classifier/reader.h"
#include "core/metrics.h"
#include "model/heads.h"
#include "tests/lib/test.h"
#include "tests/lib/weights.h"

#define BOUND 1e-5
#define WINDOWS 4

static struct wn_err err;
static char dir[4200];
static struct wn_joint joint;
static struct wn_classifier *classifier;
static struct wn_scorer *scorer;

static int
setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "%s/weights", wn_test_dir());
    mkdir(dir, 0700);
    wn_weights_joint(&joint);
    joint.head[WN_SPAM].cal = (struct wn_calibration){ 0.7, 0.3 };
    joint.head[WN_SCAM].mix[0] = 0.5;
    joint.head[WN_BAIT].mix[2] = -0.25;
    joint.head[WN_SPAM].threshold = 0;
    joint.head[WN_SCAM].threshold = 1;
    joint.head[WN_AI_TEXT].threshold = 0;
    wn_weights_make(dir, &joint);
    if (wn_classifier_open(&classifier, dir, NULL, &err) != WN_OK ||
        wn_scorer_new(&scorer, classifier, WINDOWS, &err) != WN_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    wn_scorer_free(scorer);
    wn_classifier_free(classifier);
    return 0;
}

static struct wn_item *
item_of(const char *text, size_t len)
{
    struct wn_item *item = wn_item_new(4u << 20);

    assert_non_null(item);
    if (text != NULL) {
        item->post.text.p = wn_arena_strndup(&item->arena, text, len);
        item->post.text.len = len;
        assert_non_null(item->post.text.p);
    }
    return item;
}

static struct wn_item *
scored(const char *text)
{
    struct wn_item *item = item_of(text, text == NULL ? 0 : strlen(text));

    assert_wn_ok(wn_scorer_run(scorer, &item, 1, &err), &err);
    return item;
}

static double
score(const struct wn_item *item, size_t h)
{
    const struct wn_value *v = &item->sig.v[WN_SIG_SCORE_SPAM + h];

    assert_int_equal(v->kind, WN_VALUE_DOUBLE);
    return v->d;
}

static bool
flag(const struct wn_item *item, size_t h)
{
    const struct wn_value *v = &item->sig.v[WN_SIG_FLAG_SPAM + h];

    assert_int_equal(v->kind, WN_VALUE_BOOL);
    return v->b;
}

static int64_t
count(const struct wn_item *item, enum wn_signal signal)
{
    const struct wn_value *v = &item->sig.v[signal];

    if (v->kind != WN_VALUE_INT)
        fail_msg("%s is no integer", wn_signal_table[signal].name);
    return v->i;
}

static void
assert_unknown(
    const struct wn_item *item, enum wn_signal from, enum wn_signal to)
{
    for (int i = (int)from; i <= (int)to; i++)
        if (item->sig.v[i].kind != WN_VALUE_UNKNOWN)
            fail_msg("%s is known", wn_signal_table[i].name);
}

/* Words of letters, 1 to 400 of them. */
static size_t
random_text(uint64_t *seed, char *out, size_t room)
{
    size_t words = 1 + wn_test_random(seed) % 40, n = 0;

    if (wn_test_random(seed) % 8 == 0)
        words *= 10;
    for (size_t i = 0; i < words && n + 12 < room; i++) {
        size_t len = 1 + wn_test_random(seed) % 8;

        while (len-- > 0)
            out[n++] = (char)('a' + wn_test_random(seed) % 26);
        out[n++] = ' ';
    }
    return n;
}

/* --- scores --- */

#define ITEMS 300

/* A group holds 256 and a pack some twenty: both are crossed. */
static void
a_score_does_not_depend_on_the_batch(void **state)
{
    struct wn_item *all[ITEMS], *alone[ITEMS];
    uint64_t seed = wn_test_seed();
    double largest = 0;
    char text[4096];

    (void)state;
    for (size_t i = 0; i < ITEMS; i++) {
        size_t n = i % 50 == 49 ? 0 : random_text(&seed, text, sizeof(text));

        all[ITEMS - 1 - i] = item_of(text, n);
        alone[i] = item_of(text, n);
        assert_wn_ok(wn_scorer_run(scorer, &alone[i], 1, &err), &err);
    }
    assert_wn_ok(wn_scorer_run(scorer, all, ITEMS, &err), &err);
    for (size_t i = 0; i < ITEMS; i++) {
        struct wn_item *a = all[ITEMS - 1 - i], *b = alone[i];

        assert_int_equal(a->outcome, b->outcome);
        assert_int_equal(a->outcome == WN_SCORED, i % 50 != 49);
        for (size_t h = 0; h < WN_HEADS && a->outcome == WN_SCORED; h++)
            largest = fmax(largest, fabs(score(a, h) - score(b, h)));
        wn_item_free(a);
        wn_item_free(b);
    }
    print_message("batch against alone: largest difference %.2g\n", largest);
    assert_true(largest < BOUND);
}

struct by_hand {
    struct wn_encoder *encoder;
    struct wn_tokenizer *tokenizer;
    struct wn_workspace *work;
    struct wn_heads heads;
    struct wn_ngram ngram;
    struct wn_reading reading;
    struct wn_arena arena;
};

static void
open_by_hand(struct by_hand *b)
{
    static const struct wn_encoder_conf served = { WN_ISAS - 1, WN_INT8 };
    const struct wn_encoder_shape *shape;
    const struct wn_safetensors *file;

    assert_wn_ok(wn_encoder_open(&b->encoder, dir, &served, &err), &err);
    assert_wn_ok(wn_tokenizer_open(&b->tokenizer, dir, &err), &err);
    assert_wn_ok(wn_workspace_new(&b->work, b->encoder, 128, &err), &err);
    shape = wn_encoder_shape(b->encoder);
    file = wn_encoder_file(b->encoder);
    assert_wn_ok(
        wn_heads_open(&b->heads, file, shape->hidden, shape->layers, &err),
        &err);
    assert_wn_ok(wn_ngram_open(&b->ngram, file, &err), &err);
    assert_wn_ok(wn_reading_init(&b->reading, shape, &err), &err);
    wn_arena_init(&b->arena, 4096, 1u << 20);
}

static void
close_by_hand(struct by_hand *b)
{
    wn_reading_release(&b->reading);
    wn_heads_release(&b->heads);
    wn_workspace_free(b->work);
    wn_tokenizer_free(b->tokenizer);
    wn_encoder_free(b->encoder);
    wn_arena_release(&b->arena);
}

/* What window i gives each head; those of the second view follow the others. */
static void
window_by_hand(struct by_hand *b, size_t i, struct wn_parts *ret)
{
    struct wn_reading *r = &b->reading;
    size_t n = r->windows.n;
    const struct wn_window *w = i < n ? &r->windows.w[i] : &r->view.w[i - n];
    const struct wn_ngram_bag *bag =
        i < n ? wn_reading_bag(r, i) : wn_reading_view_bag(r, i - n);
    size_t offsets[2] = { 0, w->n };
    float pooled[1024], encoder[WN_OUTPUTS], ngram[WN_HEADS];

    wn_encoder_run(b->encoder, b->work, w->ids, offsets, 1, pooled, NULL);
    wn_heads_score(&b->heads, 0, pooled, encoder);
    wn_ngram_read(&b->ngram, bag, ngram);
    for (size_t h = 0; h < WN_HEADS; h++) {
        ret->encoder[h] = encoder[h];
        ret->ngram[h] = ngram[h];
    }
}

static void
the_highest_window_is_the_score_of_a_text(void **state)
{
    struct by_hand b = { 0 };
    uint64_t seed = wn_test_seed();
    char text[16384];
    int several = 0, views = 0;

    (void)state;
    open_by_hand(&b);
    for (int round = 0; round < 60; round++) {
        double best[WN_HEADS];
        struct wn_parts parts, most, w;
        struct wn_item *item;
        size_t n = 0;

        for (int k = 0; k <= round % 12; k++)
            n += random_text(&seed, text + n, sizeof(text) - n);
        item = item_of(text, n);
        assert_wn_ok(wn_scorer_run_parts(scorer, &item, 1, &parts, &err), &err);
        wn_arena_reset(&b.arena);
        assert_wn_ok(wn_reading_run(&b.reading, b.tokenizer, &b.arena, text, n,
                         NULL, 0, WINDOWS, &err),
            &err);
        assert_int_equal(count(item, WN_SIG_TEXT_WINDOWS), b.reading.windows.n);
        several += b.reading.windows.n > 1;
        for (size_t h = 0; h < WN_HEADS; h++)
            best[h] = most.encoder[h] = most.ngram[h] = -INFINITY;
        views += b.reading.view.n > 0;
        for (size_t i = 0; i < b.reading.windows.n + b.reading.view.n; i++) {
            window_by_hand(&b, i, &w);
            for (size_t h = 0; h < WN_HEADS; h++) {
                const double *m = joint.head[h].mix;

                best[h] = fmax(
                    best[h], m[0] * w.encoder[h] + m[1] * w.ngram[h] + m[2]);
                most.encoder[h] = fmax(most.encoder[h], w.encoder[h]);
                most.ngram[h] = fmax(most.ngram[h], w.ngram[h]);
            }
        }
        for (size_t h = 0; h < WN_HEADS; h++) {
            struct wn_calibration c = joint.head[h].cal;
            double p = 1 / (1 + exp(-(c.a * best[h] + c.b)));

            assert_true(fabs(score(item, h) - p) < BOUND);
            assert_true(fabs(parts.encoder[h] - most.encoder[h]) < 1e-4);
            assert_true(fabs(parts.ngram[h] - most.ngram[h]) < 1e-6);
        }
        wn_item_free(item);
    }
    assert_true(several > 20);
    assert_true(views > 10);
    close_by_hand(&b);
}

/* Digits for letters lower no score: the words that they spell are read too. */
static void
a_second_view_can_only_raise_a_score(void **state)
{
    static const char *const pairs[][2] = {
        { "fr33 m0ney v1agra for all", "free money viagra for all" },
        { "get your c@sh or b u y it", "get your cash or buy it" },
        { "p\u0430y.now at pay.n\u043Ew", "pay.now at pay.now" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct wn_item *attacked = scored(pairs[i][0]);
        struct wn_item *plain = scored(pairs[i][1]);

        for (size_t h = 0; h < WN_HEADS; h++)
            assert_true(score(attacked, h) >= score(plain, h) - BOUND);
        assert_int_equal(count(attacked, WN_SIG_TEXT_WINDOWS), 1);
        wn_item_free(attacked);
        wn_item_free(plain);
    }
}

/* Of a long text the second view's windows are those where it differs. */
static void
a_second_view_shows_only_where_it_differs(void **state)
{
    static char text[16384];
    struct by_hand b = { 0 };
    size_t n = 0;

    (void)state;
    open_by_hand(&b);
    for (int i = 0; i < 30; i++)
        n +=
            (size_t)sprintf(text + n, "%s ", i == 15 ? "v1agra" : "plain word");
    for (int round = 0; round < 2; round++) {
        const struct wn_windows *w = &b.reading.view;
        size_t at;

        wn_arena_reset(&b.arena);
        assert_wn_ok(wn_reading_run(&b.reading, b.tokenizer, &b.arena, text, n,
                         NULL, 0, WINDOWS, &err),
            &err);
        at = (size_t)(strstr(b.reading.text.view.data, "viagra") -
                      b.reading.text.view.data);
        assert_int_equal(w->n, 1);
        assert_true(w->w[0].begin <= at && w->w[0].end > at);
        while (n < 14000) /* once more, in slices of a long text */
            n += (size_t)sprintf(text + n, "many plain words ");
    }
    close_by_hand(&b);
}

static void
flags_are_scores_at_or_over_their_threshold(void **state)
{
    static const char brief[] =
        "a b c d e f g h i j k l m n o p q r s t u v w x";
    char long_enough[128];
    struct wn_item *item = scored(brief);

    (void)state;
    assert_int_equal(count(item, WN_SIG_TEXT_WORDS), 24);
    assert_true(item->sig.v[WN_SIG_TEXT_INSUFFICIENT].b);
    assert_true(flag(item, WN_SPAM));  /* threshold 0 */
    assert_false(flag(item, WN_SCAM)); /* threshold 1 */
    assert_int_equal(flag(item, WN_BAIT), score(item, WN_BAIT) >= 0.5);
    assert_true(score(item, WN_AI_TEXT) > 0); /* the number is kept */
    assert_false(flag(item, WN_AI_TEXT));
    wn_item_free(item);

    snprintf(long_enough, sizeof(long_enough), "%s y", brief);
    item = scored(long_enough);
    assert_int_equal(count(item, WN_SIG_TEXT_WORDS), 25);
    assert_false(item->sig.v[WN_SIG_TEXT_INSUFFICIENT].b);
    assert_true(flag(item, WN_AI_TEXT));
    wn_item_free(item);
}

/* --- signals --- */

static void
counts_of_a_text_become_signals(void **state)
{
    static const struct wn_str given[] = { { "https://given.example", 21 } };
    const char *text = "fr\u200Bee \u202Emoney\u202C x\U000E0041 "
                       "hxxp://shop[.]example/a http://b.example/";
    struct wn_item *item = item_of(text, strlen(text));
    const struct wn_value *links = &item->sig.v[WN_SIG_POST_LINKS];

    (void)state;
    item->post.given_links = given;
    item->post.given_links_n = 1;
    item->sig.v[WN_SIG_TEXT_INVALID] = wn_value_int(5);
    assert_wn_ok(wn_scorer_run(scorer, &item, 1, &err), &err);
    assert_int_equal(item->outcome, WN_SCORED);
    assert_int_equal(count(item, WN_SIG_TEXT_ZERO_WIDTH), 1);
    assert_int_equal(count(item, WN_SIG_TEXT_BIDI), 2);
    assert_int_equal(count(item, WN_SIG_TEXT_TAGS), 1);
    assert_int_equal(count(item, WN_SIG_TEXT_INVALID), 5); /* as parsed */
    assert_int_equal(count(item, WN_SIG_TEXT_LINKS), 3);
    assert_int_equal(count(item, WN_SIG_TEXT_LINKS_HIDDEN), 1);
    assert_int_equal(count(item, WN_SIG_TEXT_WINDOWS), 1);
    assert_true(count(item, WN_SIG_TEXT_TOKENS) > 5);
    assert_true(count(item, WN_SIG_TEXT_CHARS) > 40);
    assert_true(item->sig.v[WN_SIG_TEXT_UNREAD_SHARE].d == 0);
    assert_int_equal(links->kind, WN_VALUE_LIST);
    assert_int_equal(links->list.n, 3);
    assert_memory_equal(links->list.v[0].s.p, "https://given.example", 21);
    assert_memory_equal(links->list.v[1].s.p, "http://shop.example/a", 21);
    wn_item_free(item);

    item = scored("caf\xC3 ok");
    assert_int_equal(count(item, WN_SIG_TEXT_INVALID), 1);
    assert_int_equal(item->sig.v[WN_SIG_POST_LINKS].kind, WN_VALUE_LIST);
    assert_int_equal(item->sig.v[WN_SIG_POST_LINKS].list.n, 0);
    wn_item_free(item);
}

static void
what_was_undone_in_a_text_becomes_signals(void **state)
{
    struct wn_item *item =
        scored("f r e e   m o n e y, b\u043Enus c\u043Eins and w\u0456n, "
               "\u24BB\u24C7\u24BA\u24BA "
               "z\u0336o\u0336o\u0336 fr33 m0ney v1agra c@sh coooool");

    (void)state;
    assert_int_equal(count(item, WN_SIG_TEXT_SPACED_WORDS), 2);
    assert_int_equal(count(item, WN_SIG_TEXT_CONFUSABLES), 3);
    assert_int_equal(count(item, WN_SIG_TEXT_MIXED_SCRIPT), 3);
    assert_int_equal(count(item, WN_SIG_TEXT_STYLED), 4);
    assert_int_equal(count(item, WN_SIG_TEXT_COMBINING), 3);
    assert_int_equal(count(item, WN_SIG_TEXT_LEET_WORDS), 4);
    assert_int_equal(count(item, WN_SIG_TEXT_REPEATS), 1);
    wn_item_free(item);
    item = scored(NULL);
    assert_unknown(item, WN_SIG_TEXT_COMBINING, WN_SIG_TEXT_REPEATS);
    wn_item_free(item);
}

static void
a_post_without_text_has_unknown_scores_and_says_so(void **state)
{
    struct wn_item *item = scored(NULL);

    (void)state;
    assert_int_equal(item->outcome, WN_DEGRADED);
    assert_int_equal(item->skipped, WN_SKIPPED_TEXT);
    assert_unknown(item, WN_SIG_SCORE_SPAM, WN_SIG_FLAG_AI_TEXT);
    assert_unknown(item, WN_SIG_TEXT_CHARS, WN_SIG_TEXT_TAGS);
    assert_int_equal(count(item, WN_SIG_TEXT_LINKS), 0);
    assert_int_equal(item->sig.v[WN_SIG_POST_LINKS].kind, WN_VALUE_LIST);
    wn_item_free(item);
}

static void
a_text_of_nothing_visible_is_degraded_but_counted(void **state)
{
    struct wn_item *item = scored("\u200B\u200B \u2060\n");

    (void)state;
    assert_int_equal(item->outcome, WN_DEGRADED);
    assert_int_equal(item->skipped, WN_SKIPPED_TEXT);
    assert_unknown(item, WN_SIG_SCORE_SPAM, WN_SIG_FLAG_AI_TEXT);
    assert_int_equal(count(item, WN_SIG_TEXT_ZERO_WIDTH), 3);
    assert_int_equal(count(item, WN_SIG_TEXT_CHARS), 0);
    assert_int_equal(count(item, WN_SIG_TEXT_WINDOWS), 0);
    assert_int_equal(count(item, WN_SIG_TEXT_TOKENS), 0);
    wn_item_free(item);
}

static void
media_that_nobody_looked_at_degrade_a_post(void **state)
{
    struct wn_item *items[2] = { item_of("hello there", 11), item_of(NULL, 0) };

    (void)state;
    items[0]->post.media_n = items[1]->post.media_n = 2;
    assert_wn_ok(wn_scorer_run(scorer, items, 2, &err), &err);
    assert_int_equal(items[0]->outcome, WN_DEGRADED);
    assert_int_equal(items[0]->skipped, WN_SKIPPED_IMAGE);
    assert_true(score(items[0], WN_SPAM) > 0);
    assert_int_equal(items[1]->outcome, WN_DEGRADED);
    assert_int_equal(items[1]->skipped, WN_SKIPPED_IMAGE | WN_SKIPPED_TEXT);
    wn_item_free(items[0]);
    wn_item_free(items[1]);
}

/* --- bounds --- */

/* Ordinary walls, and half links: what the pass for links once paid for. */
static const char *const walls[] = { "the quick brown fox ",
    "http://wall.example/x ", "\u0645\u0631\u062D\u0628\u0627 ",
    "\u4F60\u597D\uFF0C", "&amp;amp; ", "a\u200Bb\u202E ", "to @handle ",
    "\U0001F600", "\uFDFA", "x", ".", "e\u0301\u0302\u0303", "a.zz:", "a.zz?",
    "a.zz#", "a.zz:,", "www.a.b1:", "a.ru ", "a[.]b ", "http://a@", "&#65018;",
    "fr33 v1agra ", "a b ", "q w e ", "fr\u0435\u0435.x ", "\u2A74",
    "\uA730\u0280\u1D07 ", "z\u0336", "abbbc ", "\U0001F1E9" };

static void
fill(char *p, size_t len, const char *part)
{
    size_t n = strlen(part);

    for (size_t i = 0; i < len; i++)
        p[i] = part[i % n];
}

/* In steps and tokens, which no machine's load can change: what is encoded,
 * tokenised, and looked at for links. The times are for the reader. */
static void
a_mebibyte_costs_four_windows_a_view_and_little_more(void **state)
{
    size_t len = 1u << 20;
    char *text = malloc(len);
    struct by_hand b = { 0 };

    (void)state;
    assert_non_null(text);
    open_by_hand(&b);
    for (size_t i = 0; i < sizeof(walls) / sizeof(walls[0]); i++) {
        double tokens = wn_metric_value(WN_M_TOKENS, 0);
        struct wn_item *item;
        int64_t start, took;

        fill(text, len, walls[i]);
        item = item_of(text, len);
        start = wn_clock_mono_us();
        assert_wn_ok(wn_scorer_run(scorer, &item, 1, &err), &err);
        took = wn_clock_mono_us() - start;
        wn_arena_reset(&b.arena);
        start = wn_clock_mono_us();
        assert_wn_ok(wn_reading_run(&b.reading, b.tokenizer, &b.arena, text,
                         len, NULL, 0, WINDOWS, &err),
            &err);
        print_message("1 MiB of \"%s\": %6lld us, of which read again "
                      "%6lld us, %.1f steps a byte for links\n",
            walls[i], (long long)took, (long long)(wn_clock_mono_us() - start),
            (double)b.reading.links.steps / (double)b.reading.text.len);
        assert_true(count(item, WN_SIG_TEXT_WINDOWS) <= WINDOWS);
        assert_true(b.reading.view.n <= WINDOWS);
        assert_true(wn_metric_value(WN_M_TOKENS, 0) - tokens <=
                    (double)((WINDOWS + b.reading.view.n) * 64));
        assert_true(b.reading.windows.bytes <=
                    WINDOWS * (WN_SLICE_BYTES + 64) + WN_WHOLE_BYTES);
        assert_true(b.reading.text.len <= 12 * len);
        assert_true(b.reading.view.bytes <=
                    WINDOWS * (WN_SLICE_BYTES + 64) + WN_WHOLE_BYTES);
        assert_true(b.reading.links.steps <= 6 * b.reading.text.len);
        assert_int_equal(item->outcome, WN_SCORED);
        wn_item_free(item);
    }
    close_by_hand(&b);
    free(text);
}

/* Sixty-four plain links fill the list; what stands behind them is still
 * counted, and read. */
static void
a_disguised_link_is_seen_behind_a_wall_of_plain_ones(void **state)
{
    static const char disguised[] = "hxxp://evil[.]example/pay";
    static char text[64000];
    struct by_hand b = { 0 };
    struct wn_item *item;
    size_t n = 0, at;
    bool shown = false;

    (void)state;
    for (int i = 0; i < 64; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n,
            "and a look at http://shop.example/%02d which is worth it ", i);
    while (n < 20000)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "so many words ");
    at = n;
    n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ", disguised);
    while (n < 60000)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s",
            n < 50000 ? "and many more " : "or http://shop.example/00 ");
    item = scored(text);
    assert_int_equal(count(item, WN_SIG_TEXT_LINKS), 65);
    assert_int_equal(count(item, WN_SIG_TEXT_LINKS_HIDDEN), 1);
    assert_int_equal(item->sig.v[WN_SIG_POST_LINKS].list.n, WN_LINKS_MAX);
    wn_item_free(item);

    open_by_hand(&b);
    assert_wn_ok(wn_reading_run(&b.reading, b.tokenizer, &b.arena, text, n,
                     NULL, 0, WINDOWS, &err),
        &err);
    for (size_t i = 0; i < b.reading.windows.n; i++)
        shown = shown ||
                (b.reading.windows.w[i].begin <= at &&
                    b.reading.windows.w[i].end >= at + sizeof(disguised) - 1);
    assert_true(shown);
    close_by_hand(&b);
}

/* Series 1 and 2 of the stages: text for each item, encode for each call. */
static void
a_batch_is_one_call_of_the_encoder_and_a_text_an_item(void **state)
{
    double texts = wn_metric_value(WN_M_STAGE_SECONDS, 1);
    double calls = wn_metric_value(WN_M_STAGE_SECONDS, 2);
    struct wn_item *items[3];

    (void)state;
    for (size_t i = 0; i < 3; i++)
        items[i] = item_of("a few words", 11);
    assert_wn_ok(wn_scorer_run(scorer, items, 3, &err), &err);
    assert_true(wn_metric_value(WN_M_STAGE_SECONDS, 1) == texts + 3);
    assert_true(wn_metric_value(WN_M_STAGE_SECONDS, 2) == calls + 1);
    for (size_t i = 0; i < 3; i++)
        wn_item_free(items[i]);
}

/* --- the cache --- */

static double
hits(void)
{
    return wn_metric_value(WN_M_SCORE_CACHE, 0);
}

static void
assert_same_scores(const struct wn_item *a, const struct wn_item *b)
{
    for (int sig = 0; sig < WN_SIG_COUNT; sig++) {
        assert_int_equal(a->sig.v[sig].kind, b->sig.v[sig].kind);
        if (a->sig.v[sig].kind == WN_VALUE_DOUBLE)
            assert_true(a->sig.v[sig].d == b->sig.v[sig].d);
        if (a->sig.v[sig].kind == WN_VALUE_INT)
            assert_true(a->sig.v[sig].i == b->sig.v[sig].i);
    }
}

/* A short text and one of several windows, each twice, in a cache that holds
 * them: the second time nothing is encoded and nothing differs. */
static void
a_text_that_comes_again_costs_no_encoder_and_scores_the_same(void **state)
{
    static char longer[6000];
    const char *const texts[] = { "a text that comes twice", longer };
    double before, tokens;

    (void)state;
    for (size_t n = 0; n < 5000;)
        n += (size_t)sprintf(longer + n, "word number %zu of many ", n);
    assert_wn_ok(wn_classifier_cache(classifier, 1000, &err), &err);
    for (size_t i = 0; i < 2; i++) {
        struct wn_item *first = scored(texts[i]), *second;

        before = hits();
        tokens = wn_metric_value(WN_M_TOKENS, 0);
        second = scored(texts[i]);
        assert_true(
            hits() - before == (double)count(second, WN_SIG_TEXT_WINDOWS));
        assert_true(wn_metric_value(WN_M_TOKENS, 0) == tokens);
        assert_same_scores(first, second);
        wn_item_free(first);
        wn_item_free(second);
    }
    before = hits();
    wn_item_free(scored("a text that comes twicf")); /* one letter */
    assert_true(hits() == before);
    assert_wn_ok(wn_classifier_cache(classifier, 0, &err), &err);
    before = hits();
    wn_item_free(scored(texts[0]));
    assert_true(hits() == before);
}

static void *
hammer(void *arg)
{
    struct wn_cache *c = arg;
    uint64_t rnd = wn_test_seed();
    struct wn_said said = { .depth = 6 }, got;
    uint8_t key[WN_CACHE_KEY];

    for (int i = 0; i < 20000; i++) {
        uint64_t n = wn_test_random(&rnd) % 3000;

        wn_cache_key(c, (const char *)&n, sizeof(n), NULL, 0, false, key);
        for (int h = 0; h < WN_HEADS; h++)
            said.logits[h] = (float)(n * 10) + (float)h;
        said.kinds[0] = (float)n;
        if (!wn_cache_get(c, key, &got))
            wn_cache_put(c, key, &said);
        else if (memcmp(&got, &said, sizeof(got)) != 0)
            return c;
    }
    return NULL;
}

/* Fewer places than texts, several threads: what is found is right. */
static void
a_full_cache_forgets_and_never_confuses(void **state)
{
    struct wn_cache *c = wn_cache_new(1000);
    pthread_t threads[4];
    void *bad;

    (void)state;
    assert_non_null(c);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, hammer, c);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    wn_cache_free(c);
}

/* 512 places, 64 sets of 8: of a set's nine the one that was longest unused
 * goes. */
static void
the_longest_unused_of_a_set_makes_room(void **state)
{
    enum { SET = 8, MORE = 1 };
    struct wn_cache *c = wn_cache_new(1);
    struct wn_said said = { .depth = 6 }, got;
    uint8_t keys[SET + MORE][WN_CACHE_KEY], key[WN_CACHE_KEY];
    size_t n = 0;

    (void)state;
    assert_non_null(c);
    for (uint32_t i = 0; n < SET + MORE; i++) {
        wn_cache_key(c, (const char *)&i, sizeof(i), NULL, 0, false, key);
        if (key[0] % 64 == 0)
            memcpy(keys[n++], key, sizeof(key));
    }
    for (size_t i = 0; i < SET; i++)
        wn_cache_put(c, keys[i], &said);
    assert_true(wn_cache_get(c, keys[0], &got)); /* keys[1] is the oldest */
    said.depth = 3;
    wn_cache_put(c, keys[2], &said); /* again: takes no room */
    wn_cache_put(c, keys[SET], &said);
    assert_false(wn_cache_get(c, keys[1], &got));
    for (size_t i = 0; i < SET + MORE; i++)
        assert_true(i == 1 || wn_cache_get(c, keys[i], &got));
    assert_true(wn_cache_get(c, keys[2], &got));
    assert_int_equal(got.depth, 3);
    wn_cache_free(c);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_score_does_not_depend_on_the_batch),
    cmocka_unit_test(the_highest_window_is_the_score_of_a_text),
    cmocka_unit_test(a_second_view_can_only_raise_a_score),
    cmocka_unit_test(a_second_view_shows_only_where_it_differs),
    cmocka_unit_test(flags_are_scores_at_or_over_their_threshold),
    cmocka_unit_test(counts_of_a_text_become_signals),
    cmocka_unit_test(what_was_undone_in_a_text_becomes_signals),
    cmocka_unit_test(a_post_without_text_has_unknown_scores_and_says_so),
    cmocka_unit_test(a_text_of_nothing_visible_is_degraded_but_counted),
    cmocka_unit_test(media_that_nobody_looked_at_degrade_a_post),
    cmocka_unit_test(a_mebibyte_costs_four_windows_a_view_and_little_more),
    cmocka_unit_test(a_disguised_link_is_seen_behind_a_wall_of_plain_ones),
    cmocka_unit_test(
        a_text_that_comes_again_costs_no_encoder_and_scores_the_same),
    cmocka_unit_test(a_full_cache_forgets_and_never_confuses),
    cmocka_unit_test(the_longest_unused_of_a_set_makes_room),
    cmocka_unit_test(a_batch_is_one_call_of_the_encoder_and_a_text_an_item),
};

int
main(void)
{
    return wn_test_run("classifier/scorer", tests,
        sizeof(tests) / sizeof(tests[0]), setup, teardown);
}
