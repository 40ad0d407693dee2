/*
 * Depth on demand, on a small folder of weights with an exit after the first
 * of its layers: which windows stop there, what they then say, and that
 * neither company nor the cache changes it.
 */
#include <math.h>
#include <sys/stat.h>

#include "classifier/classifier.h"
#include "classifier/reader.h"
#include "model/heads.h"
#include "model/joint.h"
#include "tests/lib/test.h"
#include "tests/lib/weights.h"

#define ITEMS 200
#define EARLY 1

static struct wn_err err;
static char dir[4200];

/* Weights whose early exit stops under `stop`. */
static struct wn_classifier *
open_with(double stop, double threshold)
{
    struct wn_classifier *c = NULL;
    struct wn_joint j;

    snprintf(dir, sizeof(dir), "%s/depth", wn_test_dir());
    mkdir(dir, 0700);
    wn_weights_joint(&j);
    j.early_n = 1;
    j.early[0].after = EARLY;
    j.early[0].stop = stop;
    for (size_t h = 0; h < WN_HEADS; h++)
        j.head[h].mix[0] = j.head[h].mix[1] = 0.5;
    j.head[WN_BAIT].with_kinds = true;
    j.head[WN_BAIT].kinds = -4;
    memcpy(j.early[0].head, j.head, sizeof(j.head));
    for (size_t h = 0; h < WN_HEADS; h++) {
        j.head[h].threshold = threshold;
        j.early[0].head[h].mix[2] = 0.25;
        j.early[0].head[h].cal.b = -0.5;
    }
    wn_weights_make(dir, &j);
    assert_wn_ok(wn_classifier_open(&c, dir, NULL, &err), &err);
    return c;
}

/* Words of letters: text i of a sequence. */
static struct wn_item *
item_of(uint64_t i)
{
    struct wn_item *item = wn_item_new(1u << 20);
    uint64_t seed = i + 1;
    char text[2048];
    size_t words = 2 + i % 32, n = 0;

    assert_non_null(item);
    for (size_t w = 0; w < words; w++) {
        size_t len = 1 + wn_test_random(&seed) % 3;

        while (len-- > 0)
            text[n++] = (char)('a' + wn_test_random(&seed) % 26);
        text[n++] = ' ';
    }
    item->post.text.p = wn_arena_strndup(&item->arena, text, n);
    item->post.text.len = n;
    return item;
}

static int64_t
depth(const struct wn_item *item)
{
    assert_int_equal(item->sig.v[WN_SIG_SCORE_DEPTH].kind, WN_VALUE_INT);
    return item->sig.v[WN_SIG_SCORE_DEPTH].i;
}

static double
score(const struct wn_item *item, size_t h)
{
    return item->sig.v[WN_SIG_SCORE_SPAM + h].d;
}

static void
run_shed(
    struct wn_classifier *c, struct wn_item **items, size_t batch, size_t shed)
{
    struct wn_scorer *s;

    assert_wn_ok(wn_scorer_new(&s, c, 4, &err), &err);
    wn_scorer_shed(s, shed);
    for (size_t i = 0; i < ITEMS; i++)
        items[i] = item_of(i);
    for (size_t i = 0; i < ITEMS; i += batch)
        assert_wn_ok(wn_scorer_run(s, items + i, batch, &err), &err);
    wn_scorer_free(s);
}

static void
run_all(struct wn_classifier *c, struct wn_item **items, size_t batch)
{
    run_shed(c, items, batch, 0);
}

static void
free_all(struct wn_item **items)
{
    for (size_t i = 0; i < ITEMS; i++)
        wn_item_free(items[i]);
}

/* What each exit says of text i. */
struct by_hand {
    struct wn_encoder *e;
    struct wn_tokenizer *t;
    struct wn_workspace *w;
    struct wn_heads heads;
    struct wn_ngram ngram;
    struct wn_joint joint;
    struct wn_reading r;
    struct wn_arena arena;
    float early[1024];
};

static void
ask(void *arg, size_t layer, const float *pooled, const size_t *who, size_t n,
    bool *keep)
{
    struct by_hand *b = arg;

    (void)who;
    (void)keep;
    assert_int_equal(layer, EARLY - 1);
    assert_int_equal(n, 1);
    memcpy(b->early, pooled, b->heads.hidden * sizeof(*pooled));
}

static void
open_by_hand(struct by_hand *b)
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
    assert_wn_ok(wn_reading_init(&b->r, s, &err), &err);
    wn_arena_init(&b->arena, 4096, 1u << 20);
}

static void
close_by_hand(struct by_hand *b)
{
    wn_reading_release(&b->r);
    wn_arena_release(&b->arena);
    wn_heads_release(&b->heads);
    wn_workspace_free(b->w);
    wn_tokenizer_free(b->t);
    wn_encoder_free(b->e);
}

static void
logits_by_hand(struct by_hand *b, const struct wn_item *item,
    double ret[2][WN_HEADS], double kinds[2][WN_BAITS])
{
    struct wn_exits exits = { 1u << (EARLY - 1), ask, b };
    const struct wn_window *w = &b->r.windows.w[0];
    const struct wn_ngram_bag *bag;
    float last[1024], out[WN_OUTPUTS], ngram[WN_HEADS];
    size_t offsets[2] = { 0 };

    wn_arena_reset(&b->arena);
    assert_wn_ok(wn_reading_run(&b->r, b->t, &b->arena, item->post.text.p,
                     item->post.text.len, NULL, 0, 4, &err),
        &err);
    assert_int_equal(b->r.windows.n, 1);
    bag = wn_reading_bag(&b->r, 0);
    wn_ngram_read(&b->ngram, bag, ngram);
    offsets[1] = w->n;
    wn_encoder_run_exits(b->e, b->w, w->ids, offsets, 1, &exits, last);
    for (size_t e = 0; e < 2; e++) {
        wn_heads_score(&b->heads, e, e == 0 ? b->early : last, out);
        for (size_t h = 0; h < WN_HEADS; h++)
            ret[e][h] = wn_joint_logit(&wn_joint_at(&b->joint, e)[h],
                wn_joint_encoder(&wn_joint_at(&b->joint, e)[h], h, out),
                ngram[h]);
        for (size_t k = 0; k < WN_BAITS; k++)
            kinds[e][k] = out[WN_HEADS + k];
    }
}

/* Every text of one window: settled exactly where all heads that count are
 * under the stop, and then it says what the early exit says. */
static void
a_text_stops_where_every_head_is_far_under_its_threshold(void **state)
{
    const double stop = -1, threshold = 0.9;
    struct wn_classifier *c = open_with(stop, threshold);
    struct wn_item *items[ITEMS];
    size_t early = 0, checked = 0, saved_by_brevity = 0;
    struct by_hand b;

    (void)state;
    open_by_hand(&b);
    run_all(c, items, 20);
    for (size_t i = 0; i < ITEMS; i++) {
        double z[2][WN_HEADS], kinds[2][WN_BAITS], most = -INFINITY, ai;
        bool brief = items[i]->sig.v[WN_SIG_TEXT_INSUFFICIENT].b;
        size_t exit;

        if (items[i]->sig.v[WN_SIG_TEXT_WINDOWS].i != 1)
            continue;
        logits_by_hand(&b, items[i], z, kinds);
        if (b.r.view.n > 0)
            continue; /* the higher of two counts */
        checked++;
        for (size_t h = 0; h < WN_HEADS; h++)
            if (h != WN_AI_TEXT)
                most = fmax(most, z[0][h] - log(0.9 / 0.1));
        ai = z[0][WN_AI_TEXT] - log(0.9 / 0.1);
        saved_by_brevity += brief && most < stop - 1e-4 && ai > stop + 1e-4;
        most = brief ? most : fmax(most, ai);
        if (fabs(most - stop) < 1e-4)
            continue; /* rounding decides */
        exit = most < stop ? 0 : 1;
        early += exit == 0;
        assert_int_equal(
            depth(items[i]), exit == 0 ? EARLY : (int64_t)b.heads.after[1]);
        for (size_t h = 0; h < WN_HEADS; h++) {
            bool flag = items[i]->sig.v[WN_SIG_FLAG_SPAM + h].b;

            assert_true(
                fabs(score(items[i], h) - wn_sigmoid(z[exit][h])) < 1e-4);
            if (exit == 0)
                assert_false(flag);
            else if (fabs(wn_sigmoid(z[1][h]) - threshold) > 1e-4)
                assert_int_equal(flag, wn_sigmoid(z[1][h]) > threshold &&
                                           !(h == WN_AI_TEXT && brief));
        }
        for (size_t k = 0; k < WN_BAITS; k++)
            assert_true(fabs(items[i]->sig.v[WN_SIG_SCORE_BAIT_VOTE + k].d -
                             wn_sigmoid(kinds[exit][k])) < 1e-4);
    }
    print_message("# %zu of %zu texts stop early\n", early, checked);
    assert_true(checked > 100);
    assert_true(early > 10);
    assert_true(early < checked - 10);
    assert_true(saved_by_brevity > 0);
    free_all(items);
    close_by_hand(&b);
    wn_classifier_free(c);
}

static void
company_changes_neither_depth_nor_score(void **state)
{
    struct wn_classifier *c = open_with(-1, 0.9);
    struct wn_item *alone[ITEMS], *together[ITEMS], *again[ITEMS];

    (void)state;
    run_all(c, alone, 1);
    run_all(c, together, ITEMS);
    assert_wn_ok(wn_classifier_cache(c, 1000, &err), &err);
    run_all(c, again, 1);
    free_all(again);
    run_all(c, again, 50); /* all from the cache */
    for (size_t i = 0; i < ITEMS; i++) {
        assert_int_equal(depth(alone[i]), depth(together[i]));
        assert_int_equal(depth(alone[i]), depth(again[i]));
        for (size_t h = 0; h < WN_HEADS; h++) {
            assert_true(
                fabs(score(alone[i], h) - score(together[i], h)) < 1e-4);
            assert_true(fabs(score(alone[i], h) - score(again[i], h)) < 1e-6);
        }
    }
    free_all(alone);
    free_all(together);
    free_all(again);
    wn_classifier_free(c);
}

/* A stop that nothing is under reads every text whole; one that everything is
 * under still keeps what is over its threshold. */
static void
what_is_over_its_threshold_never_stops(void **state)
{
    struct wn_classifier *c = open_with(-1e6, 0.9);
    struct wn_item *items[ITEMS];
    size_t whole = 0;

    (void)state;
    run_all(c, items, 20);
    for (size_t i = 0; i < ITEMS; i++)
        assert_true(depth(items[i]) > EARLY);
    free_all(items);
    wn_classifier_free(c);

    c = open_with(1e6, 0.7);
    run_all(c, items, 20);
    for (size_t i = 0; i < ITEMS; i++) {
        whole += depth(items[i]) > EARLY;
        for (size_t h = 0; depth(items[i]) == EARLY && h < WN_HEADS; h++)
            if (h != WN_AI_TEXT)
                assert_true(score(items[i], h) < 0.7);
    }
    assert_true(whole > 10);
    assert_true(whole < ITEMS - 10);
    free_all(items);
    wn_classifier_free(c);
}

/* Every text leaves by the exit asked for, and its flags are of that exit's
 * thresholds. */
static void
check_asked_for(struct wn_classifier *c, const char *asked, double threshold)
{
    struct wn_item *items[ITEMS];
    size_t flags = 0;

    assert_wn_ok(wn_classifier_depth(c, asked, &err), &err);
    run_all(c, items, 20);
    for (size_t i = 0; i < ITEMS; i++) {
        bool brief = items[i]->sig.v[WN_SIG_TEXT_INSUFFICIENT].b;

        assert_int_equal(depth(items[i]), atoi(asked));
        for (size_t h = 0; h < WN_HEADS; h++) {
            bool flag = items[i]->sig.v[WN_SIG_FLAG_SPAM + h].b;

            flags += flag;
            assert_int_equal(flag,
                score(items[i], h) >= threshold && !(h == WN_AI_TEXT && brief));
        }
    }
    assert_true(flags > 10);
    free_all(items);
}

static void
a_depth_that_is_asked_for_is_that_of_every_text(void **state)
{
    static const char *const unknown[] = { "", "0", "3", "1, 2", "Auto" };
    struct wn_classifier *c = open_with(-1, 0.9);
    struct wn_item *items[ITEMS];
    size_t early = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_int_equal(wn_classifier_depth(c, unknown[i], &err), WN_REJECT);
        assert_non_null(strstr(err.text, "auto and 1, 2 layers"));
    }
    check_asked_for(c, "1", 0.5);
    check_asked_for(c, "2", 0.9);
    assert_wn_ok(wn_classifier_depth(c, "auto", &err), &err);
    run_all(c, items, 20);
    for (size_t i = 0; i < ITEMS; i++)
        early += depth(items[i]) == EARLY;
    assert_true(early > 10);
    assert_true(early < ITEMS - 10);
    free_all(items);
    wn_classifier_free(c);
}

/* Weights that are read in another way are, for a verdict, other weights. */
static void
a_version_says_how_the_weights_are_read(void **state)
{
    static const struct wn_encoder_conf exact = { WN_ISAS - 1, WN_FP32 };
    struct wn_classifier *c = open_with(-1, 0.9), *d;
    char usual[96], want[128];

    (void)state;
    snprintf(usual, sizeof(usual), "%s", wn_classifier_version(c));
    assert_null(strchr(usual, '+'));
    assert_wn_ok(wn_classifier_depth(c, "1", &err), &err);
    snprintf(want, sizeof(want), "%s+depth=1", usual);
    assert_string_equal(wn_classifier_version(c), want);
    assert_wn_ok(wn_classifier_depth(c, "auto", &err), &err);
    assert_string_equal(wn_classifier_version(c), usual);
    wn_classifier_free(c);
    assert_wn_ok(wn_classifier_open(&d, dir, &exact, &err), &err);
    snprintf(want, sizeof(want), "%s+fp32", usual);
    assert_string_equal(wn_classifier_version(d), want);
    assert_wn_ok(wn_classifier_depth(d, "2", &err), &err);
    snprintf(want, sizeof(want), "%s+depth=2+fp32", usual);
    assert_string_equal(wn_classifier_version(d), want);
    wn_classifier_free(d);
}

static void
another_depth_forgets_what_was_said_at_the_last(void **state)
{
    struct wn_classifier *c = open_with(-1, 0.9);
    struct wn_item *items[ITEMS];

    (void)state;
    assert_wn_ok(wn_classifier_cache(c, 4 * ITEMS, &err), &err);
    run_all(c, items, 20);
    free_all(items);
    check_asked_for(c, "1", 0.5);
    check_asked_for(c, "2", 0.9);
    wn_classifier_free(c);
}

/* --- shedding --- */

static void
assert_same(const struct wn_item *a, const struct wn_item *b)
{
    assert_int_equal(depth(a), depth(b));
    assert_int_equal(a->outcome, b->outcome);
    for (size_t h = 0; h < WN_HEADS; h++) {
        assert_true(fabs(score(a, h) - score(b, h)) < 1e-6);
        assert_int_equal(
            a->sig.v[WN_SIG_FLAG_SPAM + h].b, b->sig.v[WN_SIG_FLAG_SPAM + h].b);
    }
}

/* What is settled anyway is what it was; the others get what the early exit
 * says, and say that it was not all. */
static void
only_a_text_that_would_have_gone_on_is_degraded(void **state)
{
    struct wn_classifier *c = open_with(-1, 0.9);
    struct wn_item *whole[ITEMS], *shed[ITEMS], *early[ITEMS];
    size_t cut = 0, flags = 0;

    (void)state;
    run_all(c, whole, 20);
    run_shed(c, shed, 20, 1);
    assert_wn_ok(wn_classifier_depth(c, "1", &err), &err);
    run_all(c, early, 20);
    for (size_t i = 0; i < ITEMS; i++) {
        assert_int_equal(depth(shed[i]), EARLY);
        if (depth(whole[i]) == EARLY) {
            assert_same(whole[i], shed[i]);
            continue;
        }
        cut++;
        assert_int_equal(shed[i]->outcome, WN_DEGRADED);
        assert_int_equal(shed[i]->skipped, WN_SKIPPED_DEPTH);
        early[i]->outcome = WN_DEGRADED;
        assert_same(early[i], shed[i]);
        for (size_t h = 0; h < WN_HEADS; h++)
            flags += shed[i]->sig.v[WN_SIG_FLAG_SPAM + h].b;
    }
    assert_true(cut > 10 && cut < ITEMS - 10);
    assert_true(flags > 0);
    free_all(whole);
    free_all(shed);
    free_all(early);
    wn_classifier_free(c);
}

static void
a_depth_that_is_asked_for_is_shed_too(void **state)
{
    struct wn_classifier *c = open_with(-1, 0.9);
    struct wn_item *items[ITEMS];
    struct wn_scorer *s;

    (void)state;
    assert_wn_ok(wn_classifier_depth(c, "2", &err), &err);
    assert_wn_ok(wn_scorer_new(&s, c, 4, &err), &err);
    assert_int_equal(wn_scorer_sheds(s), 1);
    wn_scorer_free(s);
    run_shed(c, items, 20, 7); /* no more than there are */
    for (size_t i = 0; i < ITEMS; i++) {
        assert_int_equal(depth(items[i]), EARLY);
        assert_int_equal(items[i]->skipped, WN_SKIPPED_DEPTH);
    }
    free_all(items);
    assert_wn_ok(wn_classifier_depth(c, "1", &err), &err);
    run_shed(c, items, 20, 1);
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(items[i]->outcome, WN_SCORED);
    free_all(items);
    wn_classifier_free(c);
}

/* What was cut short is read again; what was read to its end stays known. */
static void
the_cache_gives_no_less_than_is_asked(void **state)
{
    struct wn_classifier *c = open_with(-1, 0.9);
    struct wn_item *whole[ITEMS], *items[ITEMS];

    (void)state;
    run_all(c, whole, 20);
    assert_wn_ok(wn_classifier_cache(c, 16 * ITEMS, &err), &err);
    for (int round = 0; round < 2; round++) { /* second: from the cache */
        run_shed(c, items, 20, 1);
        for (size_t i = 0; i < ITEMS; i++)
            assert_int_equal(
                items[i]->outcome == WN_DEGRADED, depth(whole[i]) != EARLY);
        free_all(items);
    }
    for (size_t shed = 0; shed < 2; shed++) {
        run_shed(c, items, 20, shed);
        for (size_t i = 0; i < ITEMS; i++)
            assert_same(whole[i], items[i]);
        free_all(items);
    }
    free_all(whole);
    wn_classifier_free(c);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_text_stops_where_every_head_is_far_under_its_threshold),
    cmocka_unit_test(company_changes_neither_depth_nor_score),
    cmocka_unit_test(what_is_over_its_threshold_never_stops),
    cmocka_unit_test(a_depth_that_is_asked_for_is_that_of_every_text),
    cmocka_unit_test(a_version_says_how_the_weights_are_read),
    cmocka_unit_test(another_depth_forgets_what_was_said_at_the_last),
    cmocka_unit_test(only_a_text_that_would_have_gone_on_is_degraded),
    cmocka_unit_test(a_depth_that_is_asked_for_is_shed_too),
    cmocka_unit_test(the_cache_gives_no_less_than_is_asked),
};
WN_TEST_MAIN("classifier_depth", tests)
