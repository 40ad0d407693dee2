/*
 * The weights before and after, and what may change between them.
 *
 * What joins the two readers (the mix) and what makes it a probability stay:
 * they were chosen on more texts than are at hand here. The n-grams learn what
 * the whole got wrong, and a threshold only ever rises, as far as it must.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifier/classifier.h"
#include "cmd/train_reviews.h"
#include "model/heads_train.h"

/* --- a folder of weights --- */

/* The n-grams as they are, in memory of their own. */
static enum wn_status
copy_ngrams(
    struct wn_train_model *m, const struct wn_ngram *from, struct wn_err *err)
{
    size_t n = (size_t)WN_NGRAM_ROWS * WN_NGRAM_OUT;

    m->ngram = *from;
    if (from->seen != NULL && m->words.seen == NULL) {
        enum wn_status rc = wn_ngram_words_init(&m->words, err);

        if (rc != WN_OK)
            return rc;
        memcpy(m->words.seen, from->seen, WN_NGRAM_WORDS / 8);
    }
    m->ngram.seen = m->words.seen;
    m->ngram_weight = malloc(n);
    if (m->ngram_weight == NULL)
        return wn_fail(err, WN_STOP, "train: out of memory");
    memcpy(m->ngram_weight, from->weights, n);
    m->ngram.weights = m->ngram_weight;
    return WN_OK;
}

/* That winnow would score with it, said in its words. */
static enum wn_status
check(const char *dir, struct wn_err *err)
{
    struct wn_classifier *c = NULL;
    enum wn_status rc = wn_classifier_open(&c, dir, NULL, err);

    wn_classifier_free(c);
    return rc;
}

static enum wn_status
open_features(struct wn_reviews_model *w, struct wn_err *err)
{
    static const uint8_t settings[WN_SHA256]; /* the file is of this run */
    struct wn_features_exits exits = { .n = w->m.heads.exits };

    memcpy(exits.after, w->m.heads.after, sizeof(exits.after));
    return wn_features_open(
        &w->features, NULL, w->encoder, w->tokenizer, &exits, settings, err);
}

enum wn_status
wn_reviews_open(
    struct wn_reviews_model *ret, const char *dir, struct wn_err *err)
{
    static const struct wn_encoder_conf served = { WN_ISAS - 1, WN_INT8 };
    struct wn_reviews_model w = { .encoder = NULL };
    struct wn_ngram ngram = { .weights = NULL };
    enum wn_status rc = check(dir, err);

    if (rc == WN_OK)
        rc = wn_joint_read(&w.m.joint, dir, wn_head_names, err);
    if (rc == WN_OK)
        rc = wn_tokenizer_open(&w.tokenizer, dir, err);
    if (rc == WN_OK)
        rc = wn_encoder_open(&w.encoder, dir, &served, err);
    if (rc == WN_OK)
        rc = wn_heads_open(&w.m.heads, wn_encoder_file(w.encoder),
            wn_encoder_shape(w.encoder)->hidden,
            wn_encoder_shape(w.encoder)->layers, err);
    if (rc == WN_OK)
        rc = wn_ngram_open(&ngram, wn_encoder_file(w.encoder), err);
    if (rc == WN_OK)
        rc = copy_ngrams(&w.m, &ngram, err);
    if (rc == WN_OK)
        rc = open_features(&w, err);
    if (rc != WN_OK)
        wn_reviews_close(&w);
    else
        *ret = w;
    return rc;
}

enum wn_status
wn_reviews_open_after(struct wn_reviews_model *w,
    const struct wn_reviews_model *before, const char *dir, struct wn_err *err)
{
    static const struct wn_encoder_conf served = { WN_ISAS - 1, WN_INT8 };
    enum wn_status rc = wn_encoder_open(&w->encoder, dir, &served, err);

    w->m.joint = before->m.joint;
    if (rc == WN_OK)
        rc = wn_tokenizer_open(&w->tokenizer, dir, err);
    if (rc == WN_OK)
        rc = copy_ngrams(&w->m, &before->m.ngram, err);
    return rc == WN_OK ? open_features(w, err) : rc;
}

void
wn_reviews_close(struct wn_reviews_model *w)
{
    wn_features_free(w->features);
    wn_train_model_release(&w->m);
    wn_encoder_free(w->encoder);
    wn_tokenizer_free(w->tokenizer);
    memset(w, 0, sizeof(*w));
}

/* --- what is to be learnt --- */

/* How far over the threshold, as a logit, a text should come that staff said
 * yes to, or under it: far enough for its like, and no farther. */
#define MARGIN 3

static double
logit_of(double p)
{
    return log(fmax(p, 1e-12) / fmax(1 - p, 1e-12));
}

bool
wn_reviews_is_decided(const struct wn_train_set *s, size_t row)
{
    return strcmp(s->data.sources[s->data.rows[row].source],
               WN_REVIEWS_SOURCE) == 0;
}

/* --- n-grams --- */

#define PASSES 12
#define RATE 0.6
#define GAIN_MIN 0.1 /* of a head whose n-grams count for something */
#define NGRAM_N ((size_t)WN_NGRAM_ROWS * WN_NGRAM_OUT)

/* What is learnt from: one row a window. */
struct windows {
    float *target, *offset, *weight;
    int8_t *side;
    float *ngrams; /* the weights as numbers */
    struct wn_correction c;
};

static void
windows_release(struct windows *w)
{
    free(w->target);
    free(w->offset);
    free(w->weight);
    free(w->side);
    free(w->ngrams);
}

/* What staff said, and of all else what the weights say already. Logits are
 * taken from the threshold on, where holding on matters most. */
static void
fill_window(struct windows *to, const struct wn_train_model *m,
    const struct wn_train_set *s, const struct wn_train_logits *l, size_t row,
    size_t w)
{
    for (size_t h = 0; h < WN_HEADS; h++) {
        const struct wn_joint_head *head = &m->joint.head[h];
        int8_t label = s->data.rows[row].labels[h];
        size_t at = w * WN_HEADS + h;
        double at_zero = logit_of(head->threshold);
        double e = l->encoder[at], n = l->ngram[at];

        to->offset[at] = (float)(wn_joint_logit(head, e, 0) - at_zero);
        to->target[at] = (float)(wn_joint_logit(head, e, n) - at_zero);
        to->side[at] = 0;
        if (!wn_reviews_is_decided(s, row) || label < 0)
            continue;
        to->target[at] = label == 1 ? MARGIN : -MARGIN;
        to->side[at] = label == 1 ? 1 : -1;
    }
}

static void
fill_windows(struct windows *to, const struct wn_train_model *m,
    const struct wn_train_set *s, const struct wn_train_logits *l)
{
    for (size_t r = 0; r < s->data.n; r++)
        for (size_t w = s->first[r]; w < s->first[r + 1]; w++) {
            fill_window(to, m, s, l, r, w);
            to->weight[w] = 1 / (float)(s->first[r + 1] - s->first[r]);
        }
    to->c = (struct wn_correction){ .target = to->target,
        .offset = to->offset,
        .weight = to->weight,
        .trust = s->trust,
        .side = to->side };
    for (size_t h = 0; h < WN_HEADS; h++) {
        double gain = m->joint.head[h].cal.a * m->joint.head[h].mix[1];

        to->c.gain[h] = gain < GAIN_MIN ? 0 : (float)gain;
    }
}

static void
fill_ngrams(float *to, const struct wn_ngram *m)
{
    for (size_t row = 0; row < WN_NGRAM_ROWS; row++)
        for (size_t h = 0; h < WN_HEADS; h++)
            to[row * WN_HEADS + h] = m->scale[row >= WN_NGRAM_BUCKETS][h] *
                                     (float)m->weights[row * WN_NGRAM_OUT + h];
}

static enum wn_status
windows_init(struct windows *w, const struct wn_reviews_model *from,
    const struct wn_train_set *s, struct wn_err *err)
{
    struct wn_train_logits l = { NULL, NULL };
    size_t n = s->windows_n + 1;
    enum wn_status rc;

    w->target = malloc(n * WN_HEADS * sizeof(*w->target));
    w->offset = malloc(n * WN_HEADS * sizeof(*w->offset));
    w->weight = malloc(n * sizeof(*w->weight));
    w->side = malloc(n * WN_HEADS);
    w->ngrams = malloc(NGRAM_N * sizeof(*w->ngrams));
    if (w->target == NULL || w->offset == NULL || w->weight == NULL ||
        w->side == NULL || w->ngrams == NULL)
        return wn_fail(err, WN_STOP, "train: out of memory");
    rc = wn_train_logits(
        &l, &from->m, s, from->features, from->m.heads.exits - 1, err);
    if (rc == WN_OK) {
        fill_windows(w, &from->m, s, &l);
        fill_ngrams(w->ngrams, &from->m.ngram);
    }
    wn_train_logits_release(&l);
    return rc;
}

static void
tell_epoch(void *arg, size_t epoch, double loss)
{
    (void)arg;
    fprintf(
        stderr, "n-grams: pass %zu, error on decisions %.4f\n", epoch, loss);
}

enum wn_status
wn_reviews_ngrams(struct wn_train_model *to,
    const struct wn_reviews_model *from, const struct wn_train_set *set,
    uint64_t seed, struct wn_err *err)
{
    static const float gain[WN_NGRAM_OUT] = { 1, 1, 1, 1 };
    struct wn_train_conf conf = {
        .epochs = PASSES, .rate = RATE, .seed = seed, .progress = tell_epoch
    };
    struct wn_sparse x = { set->rows, set->offsets, set->windows_n,
        WN_NGRAM_ROWS };
    struct windows w = { .target = NULL };
    enum wn_status rc = windows_init(&w, from, set, err);

    if (rc == WN_OK)
        rc = wn_correct_sparse(&x, &w.c, &conf, w.ngrams, err);
    if (rc == WN_OK)
        wn_ngram_quantise(w.ngrams, gain, to->ngram_weight, to->ngram.scale);
    windows_release(&w);
    return rc;
}

/* --- the encoder's teacher --- */

enum wn_status
wn_reviews_teacher(float **ret, const struct wn_reviews_model *from,
    const struct wn_train_set *set, struct wn_err *err)
{
    const struct wn_heads *heads = &from->m.heads;
    size_t n = set->data.n * WN_TUNE_OUT, last = heads->exits - 1;
    float *teacher = malloc((n + 1) * sizeof(*teacher));

    if (teacher == NULL)
        return wn_fail(err, WN_STOP, "train: out of memory");
    for (size_t i = 0; i < n; i++)
        teacher[i] = NAN;
    for (size_t r = 0; r < set->data.n; r++) {
        const struct wn_data_row *row = &set->data.rows[r];
        struct wn_features_ask ask = { row->text, set->features_windows };
        float *to = teacher + r * WN_TUNE_OUT;
        size_t windows;
        const float *pooled = wn_features_find(from->features, ask, &windows);

        if (windows == 0)
            continue;
        wn_heads_score(heads, last, pooled + last * heads->hidden, to);
        for (size_t o = heads->kinds ? WN_TUNE_OUT : WN_HEADS; o < WN_TUNE_OUT;
             o++)
            to[o] = NAN;
        for (size_t h = 0; wn_reviews_is_decided(set, r) && h < WN_HEADS; h++)
            if (row->labels[h] >= 0)
                to[h] = NAN;
    }
    *ret = teacher;
    return WN_OK;
}

/* --- thresholds --- */

/* Of dev's negatives those that tell how high they reach: more than what a
 * threshold lets through, or chance would set it. */
#define TAIL_ONE_IN 20
#define TAIL_MIN 10

/* Scores of dev's texts before and after: logits of the whole, of one head. */
struct scores {
    double *z[2];
    int8_t *labels;
    size_t n;
};

static void
score_head(struct scores *s, size_t which, const struct wn_joint_head *head,
    const struct wn_train_set *dev, const struct wn_train_logits *l, size_t h)
{
    double a = head->cal.a;
    const double mix[3] = { a * head->mix[0], a * head->mix[1],
        a * head->mix[2] + head->cal.b };

    wn_train_scores(dev, l, mix, h, s->z[which], s->labels);
}

static int
downwards(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

static size_t
count_flagged(const double *z, const int8_t *labels, size_t n, int8_t label,
    double threshold)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        k += labels[i] == label && z[i] >= threshold;
    return k;
}

/* Where the highest k of dev's negatives begin, and how far over that they are
 * on the average. */
struct tail {
    double from, mean;
};

static struct tail
tail_of(const double *z, const struct scores *s, size_t k, double *room)
{
    struct tail t = { 0, 0 };
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        if (s->labels[i] == 0)
            room[n++] = z[i];
    qsort(room, n, sizeof(*room), downwards);
    t.from = room[k - 1];
    for (size_t i = 0; i < k; i++)
        t.mean += (room[i] - t.from) / (double)k;
    return t;
}

/*
 * The threshold that is as far out in the tail of dev's negatives as `before`
 * was. Counting those over it would say the same, but they are three or four:
 * the next one in the order would set it, by chance.
 */
static double
same_place(const struct scores *s, double before, double *room)
{
    size_t neg = 0, over, k;
    struct tail was, is;

    for (size_t i = 0; i < s->n; i++)
        neg += s->labels[i] == 0;
    over = count_flagged(s->z[0], s->labels, s->n, 0, before);
    k = neg / TAIL_ONE_IN > TAIL_MIN ? neg / TAIL_ONE_IN : TAIL_MIN;
    k = 2 * over > k ? 2 * over : k;
    if (k > neg / 2)
        return before;
    was = tail_of(s->z[0], s, k, room);
    is = tail_of(s->z[1], s, k, room);
    if (was.mean < 1e-6)
        return before;
    return is.from + (before - was.from) * is.mean / was.mean;
}

static void
set_threshold(struct scores *s, struct wn_joint_head *head, double *room,
    struct wn_reviews_head *ret)
{
    double before = logit_of(head->threshold);
    double after = same_place(s, before, room);

    ret->threshold[0] = head->threshold;
    if (after > before + 1e-6)
        head->threshold = fmin(wn_sigmoid(after), 1);
    ret->threshold[1] = head->threshold;
}

/* What was held back, at both thresholds. */
static void
count_held(const struct scores *s, const struct wn_train_set *dev,
    struct wn_reviews_head *ret)
{
    for (size_t i = 0; i < s->n; i++) {
        const char *source = dev->data.sources[dev->data.rows[i].source];

        if (s->labels[i] < 0 || strcmp(source, WN_REVIEWS_SOURCE) != 0)
            continue;
        ret->pos += s->labels[i] == 1;
        ret->neg += s->labels[i] == 0;
        for (size_t k = 0; k < 2; k++) {
            size_t *to = s->labels[i] == 1 ? ret->found : ret->wrong;

            to[k] += s->z[k][i] >= logit_of(ret->threshold[k]);
        }
    }
}

/* A stop may only be stricter than it was. */
static enum wn_status
set_stops(struct wn_reviews_model *to, const struct wn_reviews_model *from,
    const struct wn_train_set *dev, struct wn_err *err)
{
    enum wn_status rc = wn_train_stops(&to->m, dev, to->features, err);

    for (size_t e = 0; rc == WN_OK && e < to->m.joint.early_n; e++)
        to->m.joint.early[e].stop =
            fmin(to->m.joint.early[e].stop, from->m.joint.early[e].stop);
    return rc;
}

enum wn_status
wn_reviews_thresholds(struct wn_reviews_model *to,
    const struct wn_reviews_model *from, const struct wn_train_set *dev,
    struct wn_reviews_head ret[WN_HEADS], struct wn_err *err)
{
    const struct wn_reviews_model *models[2] = { from, to };
    struct wn_train_logits l[2] = { { NULL, NULL }, { NULL, NULL } };
    size_t n = dev->data.n + 1;
    struct scores s = { { malloc(n * sizeof(double)),
                            malloc(n * sizeof(double)) },
        malloc(n), dev->data.n };
    double *room = malloc(n * sizeof(*room));
    enum wn_status rc = WN_OK;

    memset(ret, 0, WN_HEADS * sizeof(*ret));
    if (s.z[0] == NULL || s.z[1] == NULL || s.labels == NULL || room == NULL)
        rc = wn_fail(err, WN_STOP, "train: out of memory");
    for (size_t k = 0; rc == WN_OK && k < 2; k++)
        rc = wn_train_logits(&l[k], &models[k]->m, dev, models[k]->features,
            models[k]->m.heads.exits - 1, err);
    for (size_t h = 0; rc == WN_OK && h < WN_HEADS; h++) {
        for (size_t k = 0; k < 2; k++)
            score_head(&s, k, &models[k]->m.joint.head[h], dev, &l[k], h);
        set_threshold(&s, &to->m.joint.head[h], room, &ret[h]);
        count_held(&s, dev, &ret[h]);
    }
    if (rc == WN_OK)
        rc = set_stops(to, from, dev, err);
    for (size_t k = 0; k < 2; k++) {
        wn_train_logits_release(&l[k]);
        free(s.z[k]);
    }
    free(s.labels);
    free(room);
    return rc;
}
