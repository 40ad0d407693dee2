/*
 * What an explanation costs, on one thread: a post of 40 words with the
 * shipped weights, or those in DIR.
 *
 *   classifier_explain [DIR]
 *
 * CPU time, so that other work on the machine is left out; the median of the
 * rounds for each head, and beside it what scoring the same post takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "classifier/explain.h"

#define WEIGHTS "model/weights/winnow"
#define ROUNDS 21
#define WINDOWS_MAX 4

static const char post[] =
    "Last night my neighbour told me about a new savings group on Telegram: "
    "you send them two hundred dollars in bitcoin, and within a week they pay "
    "you back double. Has anybody here tried it, or should I stay away?";

static void
must(enum wn_status rc, const struct wn_err *err)
{
    if (rc == WN_OK)
        return;
    fprintf(stderr, "bench-explain: %s\n", err->text);
    exit(1);
}

static double
cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
median(double *v)
{
    qsort(v, ROUNDS, sizeof(*v), by_size);
    return v[ROUNDS / 2];
}

static double
time_scores(const struct wn_classifier *c, struct wn_item *item)
{
    struct wn_scorer *s = NULL;
    double ms[ROUNDS];
    struct wn_err err;

    must(wn_scorer_new(&s, c, WINDOWS_MAX, &err), &err);
    for (size_t i = 0; i < ROUNDS; i++) {
        ms[i] = cpu_ms();
        must(wn_scorer_run(s, &item, 1, &err), &err);
        ms[i] = cpu_ms() - ms[i];
    }
    wn_scorer_free(s);
    return median(ms);
}

static double
time_head(struct wn_explainer *x, const struct wn_item *item, enum wn_head head,
    struct wn_explanation *ret)
{
    double ms[ROUNDS];
    struct wn_err err;

    for (size_t i = 0; i < ROUNDS; i++) {
        ms[i] = cpu_ms();
        must(wn_explain_run(x, &item->post, head, ret, &err), &err);
        ms[i] = cpu_ms() - ms[i];
    }
    return median(ms);
}

int
main(int argc, char **argv)
{
    struct wn_item *item = wn_item_new(1u << 20);
    struct wn_classifier *c = NULL;
    struct wn_explainer *x = NULL;
    struct wn_explanation e;
    struct wn_err err;

    must(
        wn_classifier_open(&c, argc > 1 ? argv[1] : WEIGHTS, NULL, &err), &err);
    must(wn_explainer_new(&x, c, WINDOWS_MAX, &err), &err);
    if (item == NULL)
        return 1;
    item->post.text = (struct wn_str){ post, sizeof(post) - 1 };
    printf("a post of 40 words, %s, %s\n", wn_classifier_version(c),
        wn_classifier_kernels(c));
    printf("  scored               %6.1f ms\n", time_scores(c, item));
    for (enum wn_head h = 0; h < WN_HEADS; h++) {
        double ms = time_head(x, item, h, &e);

        printf("  explained: %-8s  %6.1f ms, %zu words\n", wn_head_names[h], ms,
            e.words_n);
    }
    wn_explainer_free(x);
    wn_classifier_free(c);
    wn_item_free(item);
    return 0;
}
