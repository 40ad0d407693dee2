/*
 * Explanations: on a small folder of weights every number is made again by
 * hand, from the two readers alone; on weights that know a few words, these
 * come first. And what any text may do to them, which is nothing.
 */
#include <math.h>
#include <sys/stat.h>

#include "classifier/explain.h"
#include "classifier/parts.h"
#include "classifier/windows.h"
#include "core/metrics.h"
#include "core/utf8.h"
#include "model/heads.h"
#include "model/ngram.h"
#include "model/tokenizer.h"
#include "tests/lib/test.h"
#include "tests/lib/weights.h"

#define BOUND 1e-4
#define WINDOWS 4
#define WORDS 20 /* of at most three tokens: one window holds them */
#define EARLY 1

static struct wn_err err;
static char plain[4200], exits[4200]; /* folders: without, and with one */
static char planted[4200];            /* n-grams of known[] alone       */

static const struct wn_weights_word known[] = { { WN_SCAM, "crypto" },
    { WN_SCAM, "airdrop" }, { WN_SPAM, "giveaway" },
    { WN_SPAM, "t.me/freecoins" } };

/* The n-grams decide: this encoder makes something of every word. */
static void
make_planted(void)
{
    struct wn_joint j;

    snprintf(planted, sizeof(planted), "%s/planted", wn_test_dir());
    mkdir(planted, 0700);
    wn_weights_joint(&j);
    for (size_t h = 0; h < WN_HEADS; h++) {
        j.head[h].mix[0] = 0.05;
        j.head[h].mix[1] = 5;
    }
    wn_weights_make_planted(
        planted, &j, known, sizeof(known) / sizeof(known[0]));
}

static int
setup(void **state)
{
    struct wn_joint j;

    (void)state;
    snprintf(plain, sizeof(plain), "%s/plain", wn_test_dir());
    snprintf(exits, sizeof(exits), "%s/exits", wn_test_dir());
    mkdir(plain, 0700);
    mkdir(exits, 0700);
    wn_weights_joint(&j);
    j.head[WN_SCAM].cal = (struct wn_calibration){ 0.7, 0.3 };
    j.head[WN_BAIT].mix[0] = 3;
    wn_weights_make(plain, &j);
    j.early_n = 1;
    j.early[0].after = EARLY;
    j.head[WN_BAIT].with_kinds = true;
    j.head[WN_BAIT].kinds = 0.25;
    memcpy(j.early[0].head, j.head, sizeof(j.head));
    j.early[0].head[WN_SCAM].mix[1] = 0.5;
    wn_weights_make(exits, &j);
    make_planted();
    return 0;
}

/* --- an explainer, and what it says --- */

struct desk {
    struct wn_classifier *c;
    struct wn_explainer *x;
    struct wn_explanation e;
};

static struct desk *
desk_open(const char *dir, const char *depth)
{
    struct desk *d = calloc(1, sizeof(*d));

    assert_non_null(d);
    assert_wn_ok(wn_classifier_open(&d->c, dir, NULL, &err), &err);
    assert_wn_ok(wn_classifier_depth(d->c, depth, &err), &err);
    assert_wn_ok(wn_explainer_new(&d->x, d->c, WINDOWS, &err), &err);
    return d;
}

static void
desk_close(struct desk *d)
{
    wn_explainer_free(d->x);
    wn_classifier_free(d->c);
    free(d);
}

static const struct wn_explanation *
explain_bytes(struct desk *d, enum wn_head head, const char *text, size_t len)
{
    struct wn_post post = { .text = { text, len } };

    assert_wn_ok(wn_explain_run(d->x, &post, head, &d->e, &err), &err);
    return &d->e;
}

static const struct wn_explanation *
explain(struct desk *d, enum wn_head head, const char *text)
{
    return explain_bytes(d, head, text, strlen(text));
}

static bool
is(struct wn_str s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static void
assert_str(struct wn_str s, const char *text)
{
    if (!is(s, text))
        fail_msg("'%.*s' is not '%s'", (int)s.len, s.p, text);
}

static const struct wn_explained_word *
word_of(const struct wn_explanation *e, const char *text)
{
    for (size_t i = 0; i < e->words_n; i++)
        if (is(e->words[i].text, text))
            return &e->words[i];
    return NULL;
}

static struct wn_str
text_at(const struct wn_explanation *e, size_t place)
{
    const struct wn_explained_place *p = &e->places[place];

    return (struct wn_str){ e->text.p + p->begin, p->end - p->begin };
}

/* What holds of any explanation. */
static void
check(const struct wn_explanation *e)
{
    size_t times = 0, at = 0, left_out = 0;

    assert_true(e->words_n <= WN_EXPLAIN_WORDS_MAX);
    assert_true(e->places_n <= WN_EXPLAIN_PLACES_MAX);
    assert_true(e->words_n <= e->places_n);
    assert_true(e->window < e->windows || e->places_n == 0);
    for (size_t i = 0; i < e->words_n; i++) {
        assert_true(isfinite(e->words[i].weight));
        assert_true(
            i == 0 || fabs(e->words[i].weight) <= fabs(e->words[i - 1].weight));
        assert_true(e->words[i].times > 0);
        times += e->words[i].times;
    }
    for (size_t k = 0; k < e->places_n; k++) {
        const struct wn_explained_place *p = &e->places[k];
        struct wn_str s = text_at(e, k);

        assert_true(p->begin >= at && p->begin < p->end);
        assert_true(p->end <= e->text.len);
        at = p->end;
        assert_true(wn_utf8_len(s.p, s.len) > 0); /* whole characters */
        assert_null(memchr(s.p, ' ', s.len));
        assert_null(memchr(s.p, '\n', s.len));
        left_out += p->word == WN_EXPLAIN_LEFT_OUT;
        assert_true(p->word == WN_EXPLAIN_LEFT_OUT || p->word < e->words_n);
    }
    assert_int_equal(times + left_out, e->places_n);
}

/* --- by hand --- */

struct by_hand {
    struct wn_encoder *e;
    struct wn_tokenizer *t;
    struct wn_workspace *w;
    struct wn_heads heads;
    struct wn_ngram ngram;
    struct wn_joint joint;
    struct wn_ngram_bag bag;
    struct wn_tokens tk;
    float early[1024];
    char words[WORDS][4];
};

static void
open_by_hand(struct by_hand *b, const char *dir)
{
    static const struct wn_encoder_conf served = { WN_ISAS - 1, WN_INT8 };
    const struct wn_encoder_shape *s;

    memset(b, 0, sizeof(*b));
    assert_wn_ok(wn_encoder_open(&b->e, dir, &served, &err), &err);
    s = wn_encoder_shape(b->e);
    assert_wn_ok(wn_tokenizer_open(&b->t, dir, &err), &err);
    assert_wn_ok(wn_workspace_new(&b->w, b->e, 128, &err), &err);
    assert_wn_ok(wn_heads_open(&b->heads, wn_encoder_file(b->e), s->hidden,
                     s->layers, &err),
        &err);
    assert_wn_ok(wn_ngram_open(&b->ngram, wn_encoder_file(b->e), &err), &err);
    assert_wn_ok(wn_joint_read(&b->joint, dir, wn_head_names, &err), &err);
    assert_wn_ok(wn_ngram_bag_init(&b->bag, &err), &err);
    wn_tokens_init(&b->tk);
}

static void
close_by_hand(struct by_hand *b)
{
    wn_tokens_release(&b->tk);
    wn_ngram_bag_release(&b->bag);
    wn_heads_release(&b->heads);
    wn_workspace_free(b->w);
    wn_tokenizer_free(b->t);
    wn_encoder_free(b->e);
}

/* Some words come twice. No letter stands alone and none comes three times:
 * hardening leaves them as they are. */
static void
draw_words(struct by_hand *b, uint64_t *seed)
{
    for (size_t i = 0; i < WORDS; i++) {
        size_t len = 2 + wn_test_random(seed) % 2;

        for (size_t k = 0; k < len; k++) /* no letter twice in a row */
            b->words[i][k] =
                (char)('a' + 2 * (wn_test_random(seed) % 13) + k % 2);
        b->words[i][len] = '\0';
    }
    strcpy(b->words[WORDS - 1], b->words[2]);
}

static size_t
different_words(const struct by_hand *b)
{
    size_t n = 0;

    for (size_t i = 0; i < WORDS; i++) {
        size_t k = 0;

        while (strcmp(b->words[k], b->words[i]) != 0)
            k++;
        n += k == i;
    }
    return n;
}

/* The words as a text, but for one; without NULL: all. */
static size_t
join(const struct by_hand *b, const char *without, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < WORDS; i++)
        if (without == NULL || strcmp(b->words[i], without) != 0)
            n += (size_t)sprintf(out + n, "%s ", b->words[i]);
    out[n] = '\0';
    return n;
}

static size_t
ids_by_hand(struct by_hand *b, const char *without, int32_t *ids)
{
    size_t n = 0;

    ids[n++] = wn_tokenizer_cls(b->t);
    for (size_t i = 0; i < WORDS; i++) {
        const char *word = b->words[i];
        bool masked = without != NULL && strcmp(word, without) == 0;

        assert_wn_ok(
            wn_tokenizer_run(b->t, word, strlen(word), &b->tk, &err), &err);
        for (size_t k = 0; k < b->tk.n; k++)
            ids[n++] = masked ? wn_tokenizer_mask(b->t) : b->tk.ids[k];
    }
    ids[n++] = wn_tokenizer_sep(b->t);
    return n;
}

static void
ask(void *arg, size_t layer, const float *pooled, const size_t *who, size_t n,
    bool *keep)
{
    struct by_hand *b = arg;

    (void)layer;
    (void)who;
    (void)n;
    (void)keep;
    memcpy(b->early, pooled, b->heads.hidden * sizeof(*pooled));
}

/* What exit e says of the words without one. */
static double
logit_by_hand(
    struct by_hand *b, size_t e, enum wn_head head, const char *without)
{
    struct wn_exits all = { 1u << (EARLY - 1), ask, b };
    float last[1024], out[WN_OUTPUTS], ngram[WN_HEADS];
    char text[WORDS * 4 + 1];
    size_t offsets[2] = { 0 };
    int32_t ids[128];

    wn_ngram_bag_fill(&b->bag, text, join(b, without, text));
    wn_ngram_read(&b->ngram, &b->bag, ngram);
    offsets[1] = ids_by_hand(b, without, ids);
    wn_encoder_run_exits(b->e, b->w, ids, offsets, 1, &all, last);
    wn_heads_score(&b->heads, e, e + 1 < b->heads.exits ? b->early : last, out);
    return wn_joint_logit(&wn_joint_at(&b->joint, e)[head],
        wn_joint_encoder(&wn_joint_at(&b->joint, e)[head], head, out),
        ngram[head]);
}

static double
weight_by_hand(
    struct by_hand *b, size_t e, enum wn_head head, const char *without)
{
    return logit_by_hand(b, e, head, NULL) - logit_by_hand(b, e, head, without);
}

static const char *
text_by_hand(const struct by_hand *b)
{
    static char text[WORDS * 4 + 1];

    join(b, NULL, text);
    return text;
}

/* The words of an explanation have the weights of exit e. */
static void
assert_weights(
    struct by_hand *b, const struct wn_explanation *e, size_t exit, double *far)
{
    for (size_t i = 0; i < e->words_n; i++) {
        char word[4] = "";
        double d;

        assert_true(e->words[i].text.len < sizeof(word));
        memcpy(word, e->words[i].text.p, e->words[i].text.len);
        d = e->words[i].weight - weight_by_hand(b, exit, e->head, word);
        *far = fmax(*far, fabs(d));
    }
    assert_true(fabs(e->logit - logit_by_hand(b, exit, e->head, NULL)) < BOUND);
}

static void
a_weight_is_what_the_logit_loses_without_the_word(void **state)
{
    struct desk *d = desk_open(plain, "auto");
    uint64_t seed = wn_test_seed();
    struct by_hand b;
    double far = 0;

    (void)state;
    open_by_hand(&b, plain);
    for (int round = 0; round < 40; round++) {
        const struct wn_explanation *e;
        enum wn_head head = (enum wn_head)(round % WN_HEADS);

        draw_words(&b, &seed);
        e = explain(d, head, text_by_hand(&b));
        check(e);
        assert_int_equal(e->head, head);
        assert_int_equal(e->windows, 1);
        assert_int_equal(e->words_n, different_words(&b));
        assert_int_equal(e->places_n, WORDS);
        assert_true(fabs(e->words[0].weight) > 0.01);
        assert_weights(&b, e, 0, &far);
    }
    print_message("# by hand: largest difference %.2g\n", far);
    assert_true(far < BOUND);
    close_by_hand(&b);
    desk_close(d);
}

/* Of weights with an exit: the words that it would miss most go the whole way,
 * and their weights are those of full depth. */
static void
the_first_exit_says_which_words_are_read_to_the_end(void **state)
{
    struct desk *d = desk_open(exits, "auto");
    uint64_t seed = wn_test_seed();
    struct by_hand b;
    double far = 0;

    (void)state;
    open_by_hand(&b, exits);
    for (int round = 0; round < 40; round++) {
        enum wn_head head = (enum wn_head)(round % WN_HEADS);
        const struct wn_explanation *e;
        double least = INFINITY, most = 0;

        draw_words(&b, &seed);
        e = explain(d, head, text_by_hand(&b));
        check(e);
        if (different_words(&b) > WN_EXPLAIN_DEEP_MAX)
            assert_int_equal(e->words_n, WN_EXPLAIN_DEEP_MAX);
        assert_weights(&b, e, 1, &far);
        for (size_t k = 0; k < e->places_n; k++) {
            double w = fabs(weight_by_hand(&b, 0, head, b.words[k]));

            if (e->places[k].word == WN_EXPLAIN_LEFT_OUT)
                most = fmax(most, w);
            else
                least = fmin(least, w);
        }
        assert_true(most <= least + BOUND);
        assert_true(most > 0);
    }
    assert_true(far < BOUND);
    close_by_hand(&b);
    desk_close(d);
}

/* Where texts all leave by one exit, that is the score that is explained. */
static void
a_fixed_depth_is_the_depth_of_its_explanation(void **state)
{
    struct desk *d = desk_open(exits, "1");
    uint64_t seed = wn_test_seed();
    struct by_hand b;
    double far = 0;

    (void)state;
    open_by_hand(&b, exits);
    for (int round = 0; round < 8; round++) {
        const struct wn_explanation *e;

        draw_words(&b, &seed);
        e = explain(d, WN_SCAM, text_by_hand(&b));
        check(e);
        assert_int_equal(e->words_n, different_words(&b));
        assert_weights(&b, e, 0, &far);
    }
    assert_true(far < BOUND);
    close_by_hand(&b);
    desk_close(d);
}

/* --- words --- */

static void
a_word_that_comes_again_is_one_word_whatever_its_case(void **state)
{
    struct desk *d = desk_open(plain, "auto");
    const struct wn_explanation *e =
        explain(d, WN_SPAM, "Free, river (free) FREE!!! freed !!! --- \"!!!\"");
    const struct wn_explained_word *w = word_of(e, "Free,");

    (void)state;
    check(e);
    assert_int_equal(e->places_n, 8);
    assert_int_equal(e->words_n, 6);
    assert_non_null(w);
    assert_int_equal(w->times, 3);
    assert_int_equal(e->places[2].word, (size_t)(w - e->words));
    assert_str(text_at(e, 2), "(free)");
    assert_non_null(word_of(e, "freed"));
    assert_int_equal(word_of(e, "!!!")->times, 1);
    assert_int_equal(word_of(e, "\"!!!\"")->times, 1);
    desk_close(d);
}

/* Where no space tells, a token is a word, with the punctuation behind it; but
 * never less than a token. */
static void
scripts_without_spaces_are_cut_between_tokens(void **state)
{
    struct desk *d = desk_open(plain, "auto");
    const struct wn_explanation *e =
        explain(d, WN_SPAM, "\u4F60\u597D\u3002abc\u4F60 x\u597D");
    static const char *const words[] = { "\u4F60", "\u597D\u3002", "abc",
        "\u4F60", "x", "\u597D" };

    (void)state;
    check(e);
    assert_int_equal(e->places_n, 6);
    for (size_t k = 0; k < 6; k++)
        assert_str(text_at(e, k), words[k]);
    assert_int_equal(e->words_n, 4);
    assert_int_equal(e->places[1].word, e->places[5].word);

    /* Thai, of which WordPiece makes one token a run */
    e = explain(d, WN_SPAM, "\u0E02\u0E2D\u0E07\u0E1F\u0E23\u0E35 abc");
    check(e);
    assert_int_equal(e->places_n, 2);
    desk_close(d);
}

static void
words_are_of_the_hardened_text(void **state)
{
    struct desk *d = desk_open(plain, "auto");
    const struct wn_explanation *e =
        explain(d, WN_SPAM, "RT @you: fr\u200Bee &amp; \uFF4Doney");

    (void)state;
    check(e);
    assert_str(e->text, "free & money");
    assert_int_equal(e->words_n, 3);
    assert_non_null(word_of(e, "free"));
    assert_non_null(word_of(e, "money"));
    desk_close(d);
}

/* --- windows --- */

/* The window that makes the score is the one that is explained. */
static void
the_highest_window_is_explained(void **state)
{
    struct desk *d = desk_open(plain, "auto");
    uint64_t seed = wn_test_seed();
    struct wn_scorer *scorer = NULL;
    size_t later = 0;

    (void)state;
    assert_wn_ok(wn_scorer_new(&scorer, d->c, WINDOWS, &err), &err);
    for (int round = 0; round < 30; round++) {
        struct wn_item *item = wn_item_new(1u << 20);
        const struct wn_explanation *e;
        struct wn_parts parts;
        char text[16384];
        size_t n = 0;

        for (int i = 0; i < 100 + 40 * round; i++)
            n += (size_t)sprintf(text + n, "%c%c ",
                (int)('a' + wn_test_random(&seed) % 26),
                (int)('a' + wn_test_random(&seed) % 26));
        item->post.text = (struct wn_str){ text, n };
        assert_wn_ok(wn_scorer_run_parts(scorer, &item, 1, &parts, &err), &err);
        e = explain_bytes(d, WN_BAIT, text, n);
        check(e);
        assert_true(e->windows > 1);
        assert_int_equal(e->windows, item->sig.v[WN_SIG_TEXT_WINDOWS].i);
        assert_true(fabs(e->logit - parts.logit[WN_BAIT]) < BOUND);
        assert_true(e->places_n > 15);
        assert_non_null(memmem(text, n, e->text.p, e->text.len));
        later += e->window > 0;
        wn_item_free(item);
    }
    assert_true(later > 5);
    wn_scorer_free(scorer);
    desk_close(d);
}

/* Eighty words in one window: the n-grams choose which are read, and a known
 * one at the end is not overlooked. */
static void
of_many_words_sixty_four_are_read_and_the_rest_is_named(void **state)
{
    static const char text[] =
        "the a an of to and in is you for on with this that it be are was have "
        "free now today please like friend good best new old first last day "
        "week year world people life work home help thank hello morning night "
        "dinner coffee weather rain sun train late team game book film story "
        "question reason because note yes no why what when where who how one "
        "two three paper dog cat garden crypto";
    struct desk *d = desk_open(planted, "auto");
    const struct wn_explanation *e = explain(d, WN_SCAM, text);
    size_t left_out = 0;

    (void)state;
    check(e);
    assert_int_equal(e->windows, 1);
    for (size_t k = 0; k < e->places_n; k++)
        left_out += e->places[k].word == WN_EXPLAIN_LEFT_OUT;
    assert_true(e->places_n > WN_EXPLAIN_WORDS_MAX);
    assert_true(left_out > 0);
    assert_str(e->words[0].text, "crypto");
    desk_close(d);
}

/* --- what it is for --- */

/* Texts about nothing of the kind, but for one word. */
static void
a_word_that_carries_the_score_comes_first(void **state)
{
    static const char *const texts[] = {
        "We sat in the sun today, then crypto and home.",
        "We walked by the river, then airdrop and home for tea.",
        "My sister baked and the house smelled of giveaway all day.",
        "The bus was late, so I read; t.me/freecoins and the rain stopped.",
    };
    struct desk *d = desk_open(planted, "auto");

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct wn_explanation *e = explain(d, known[i].head, texts[i]);

        check(e);
        assert_str(e->words[0].text, known[i].word);
        assert_true(e->words[0].weight > 0.5);
    }
    desk_close(d);
}

static void
set_score(struct wn_signals *sig, enum wn_head h, double score, bool flag)
{
    sig->v[WN_SIG_SCORE_SPAM + (int)h] = wn_value_double(score);
    sig->v[WN_SIG_FLAG_SPAM + (int)h] = wn_value_bool(flag);
}

static void
the_head_is_a_flagged_one_if_there_is_one(void **state)
{
    static struct wn_signals sig;

    (void)state;
    assert_int_equal(wn_explain_head(&sig), WN_HEADS);
    set_score(&sig, WN_SPAM, 0.6, false);
    set_score(&sig, WN_SCAM, 0.2, false);
    set_score(&sig, WN_BAIT, 0.7, false);
    set_score(&sig, WN_AI_TEXT, 0.9, false);
    assert_int_equal(wn_explain_head(&sig), WN_AI_TEXT);
    sig.v[WN_SIG_TEXT_INSUFFICIENT] = wn_value_bool(true);
    assert_int_equal(wn_explain_head(&sig), WN_BAIT);
    set_score(&sig, WN_SCAM, 0.2, true); /* rare: a low threshold */
    assert_int_equal(wn_explain_head(&sig), WN_SCAM);
    set_score(&sig, WN_SPAM, 0.6, true);
    assert_int_equal(wn_explain_head(&sig), WN_SPAM);
}

/* --- what always holds --- */

/* Whatever was explained before, and with the cache on, which stays as it
 * was. */
static void
the_same_text_gives_the_same_numbers_and_no_cache_is_touched(void **state)
{
    static const char text[] = "some words that come twice, and some that do";
    struct desk *d = desk_open(exits, "auto");
    struct wn_explanation first, again;
    double hits, misses;

    (void)state;
    assert_wn_ok(wn_classifier_cache(d->c, 100, &err), &err);
    hits = wn_metric_value(WN_M_SCORE_CACHE, 0);
    misses = wn_metric_value(WN_M_SCORE_CACHE, 1);
    first = *explain(d, WN_SPAM, text);
    explain(d, WN_BAIT, "another text, of another length and with other words");
    again = *explain(d, WN_SPAM, text);
    assert_true(first.logit == again.logit);
    assert_int_equal(first.words_n, again.words_n);
    assert_int_equal(first.places_n, again.places_n);
    for (size_t i = 0; i < first.words_n; i++)
        assert_true(first.words[i].weight == again.words[i].weight);
    for (size_t k = 0; k < first.places_n; k++) {
        assert_int_equal(first.places[k].begin, again.places[k].begin);
        assert_int_equal(first.places[k].word, again.places[k].word);
    }
    assert_true(wn_metric_value(WN_M_SCORE_CACHE, 0) == hits);
    assert_true(wn_metric_value(WN_M_SCORE_CACHE, 1) == misses);
    desk_close(d);
}

static void
a_text_without_words_is_explained_by_none(void **state)
{
    struct desk *d = desk_open(plain, "auto");
    const struct wn_explanation *e = explain(d, WN_SPAM, "\u200B\u200B \n");

    (void)state;
    assert_int_equal(e->windows, 0);
    assert_int_equal(e->words_n + e->places_n, 0);
    e = explain_bytes(d, WN_SPAM, NULL, 0);
    assert_int_equal(e->windows, 0);

    e = explain(d, WN_SPAM, "\u0301 \u0301"); /* marks: no token */
    check(e);
    assert_int_equal(e->windows, 1);
    assert_int_equal(e->words_n + e->places_n, 0);

    e = explain(d, WN_SPAM, "\U0001F680\U0001F680 \U0001F680\U0001F680 !!!");
    check(e);
    assert_int_equal(e->words_n, 2);
    assert_int_equal(word_of(e, "\U0001F680\U0001F680")->times, 2);
    desk_close(d);
}

static const char *const walls[] = { "the quick brown fox ", "a ", "x", ".",
    "\u4F60", "\u4F60\u597D\uFF0C", "\u0E02\u0E2D", "\U0001F600", "\U0001F600 ",
    "\uFDFA", "e\u0301\u0302\u0303 ", "\u0301 ", "\u0301 a ", "a\u200Bb\u202E ",
    "http://wall.example/x ", "&amp;amp; ", "\xC3 ", "\xFF", "\n",
    "\u3000\u3042" };

static void
any_text_of_any_length_is_explained(void **state)
{
    static const size_t lengths[] = { 1, 7, 100, 1000, 8192, 8193, 1u << 20 };
    struct desk *d = desk_open(exits, "auto");
    char *text = malloc(1u << 20);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof(walls) / sizeof(walls[0]); i++) {
        size_t n = strlen(walls[i]);

        for (size_t k = 0; k < 1u << 20; k++)
            text[k] = walls[i][k % n];
        for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++)
            check(explain_bytes(d, WN_SCAM, text, lengths[k]));
    }
    free(text);
    desk_close(d);
}

static void
random_bytes_are_explained(void **state)
{
    static const char *const parts[] = { "a", "Free", " ", " ", "\n", "!",
        "\u4F60", "\u0E02", "\u0301", "\U0001F680", "\xC3", "\u3042", "9",
        "\uFF0C", "@", "\u200D", "\u0130", "\u00DF", "\u1E9E", "http://a.b " };
    struct desk *d = desk_open(plain, "auto");
    uint64_t seed = wn_test_seed();
    char text[2048];

    (void)state;
    for (int round = 0; round < 300; round++) {
        size_t count = wn_test_random(&seed) % 150, n = 0;

        for (size_t i = 0; i < count; i++) {
            const char *part = parts[wn_test_random(&seed) %
                                     (sizeof(parts) / sizeof(parts[0]))];

            n += (size_t)sprintf(text + n, "%s", part);
        }
        check(explain_bytes(d, WN_SPAM, text, n));
    }
    desk_close(d);
}

/* A slope that takes a logit beyond all numbers. */
static void
weights_that_give_no_finite_number_stop(void **state)
{
    struct wn_post post = { .text = { "some words", 10 } };
    struct wn_explanation e = { .words_n = 7 };
    struct wn_joint j;
    struct desk *d;
    char dir[4200];

    (void)state;
    snprintf(dir, sizeof(dir), "%s/steep", wn_test_dir());
    mkdir(dir, 0700);
    wn_weights_joint(&j);
    j.head[WN_SPAM].cal.a = 1e308;
    j.head[WN_SPAM].mix[2] = 1e3;
    wn_weights_make(dir, &j);
    d = desk_open(dir, "auto");
    assert_int_equal(wn_explain_run(d->x, &post, WN_SPAM, &e, &err), WN_STOP);
    assert_non_null(strstr(err.text, "head spam gave no finite number"));
    assert_int_equal(e.words_n, 7); /* untouched */
    assert_wn_ok(wn_explain_run(d->x, &post, WN_SCAM, &e, &err), &err);
    desk_close(d);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_weight_is_what_the_logit_loses_without_the_word),
    cmocka_unit_test(the_first_exit_says_which_words_are_read_to_the_end),
    cmocka_unit_test(a_fixed_depth_is_the_depth_of_its_explanation),
    cmocka_unit_test(a_word_that_comes_again_is_one_word_whatever_its_case),
    cmocka_unit_test(scripts_without_spaces_are_cut_between_tokens),
    cmocka_unit_test(words_are_of_the_hardened_text),
    cmocka_unit_test(the_highest_window_is_explained),
    cmocka_unit_test(of_many_words_sixty_four_are_read_and_the_rest_is_named),
    cmocka_unit_test(a_word_that_carries_the_score_comes_first),
    cmocka_unit_test(the_head_is_a_flagged_one_if_there_is_one),
    cmocka_unit_test(
        the_same_text_gives_the_same_numbers_and_no_cache_is_touched),
    cmocka_unit_test(a_text_without_words_is_explained_by_none),
    cmocka_unit_test(any_text_of_any_length_is_explained),
    cmocka_unit_test(random_bytes_are_explained),
    cmocka_unit_test(weights_that_give_no_finite_number_stop),
};

int
main(void)
{
    return wn_test_run("classifier_explain", tests,
        sizeof(tests) / sizeof(tests[0]), setup, NULL);
}
