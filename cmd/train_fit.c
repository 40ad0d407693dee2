/*
 * What is learnt from train, and what is chosen on dev.
 *
 * The two readers are trained on their own and joined on dev, where neither
 * has seen a text: training them in one go lets the n-grams, which can
 * remember every text of train, leave nothing for the encoder to explain.
 * Which of a few settings and epochs is best, and how much of each reader
 * goes into the sum, is asked of dev for every head by itself.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/train_int.h"
#include "model/heads_train.h"

/* power: a source of n rows counts as n^(1 - power) of them. */
struct setting {
    size_t epochs;
    double rate, l2, power;
};

static const struct setting ngram_settings[] = {
    { 6, 0.25, 3e-4, 0 },
    { 5, 0.6, 1e-4, 0 },
    { 6, 0.4, 1e-3, 0.3 },
};
static const struct setting dense_settings[] = {
    { 10, 0.02, 0, 0 },
    { 30, 0.05, 0, 0 },
    { 30, 0.02, 1e-4, 0.3 },
};
#define N(a) (sizeof(a) / sizeof((a)[0]))

/* --- scores of a set --- */

enum wn_status
wn_train_logits(struct wn_train_logits *ret, const struct wn_train_model *m,
    const struct wn_train_set *s, const struct wn_features *f, size_t exit,
    struct wn_err *err)
{
    const struct wn_joint_head *joint = wn_joint_at(&m->joint, exit);
    size_t hidden = m->heads.hidden, exits = m->heads.exits;
    float out[WN_OUTPUTS];
    struct wn_train_logits l = {
        .encoder = calloc((s->windows_n + 1) * WN_HEADS, sizeof(float)),
        .ngram = calloc((s->windows_n + 1) * WN_HEADS, sizeof(float)),
    };

    if (l.encoder == NULL || l.ngram == NULL) {
        wn_train_logits_release(&l);
        return wn_fail(err, WN_STOP, "train: out of memory");
    }
    for (size_t r = 0; r < s->data.n; r++) {
        struct wn_features_ask ask = { s->data.rows[r].text,
            s->features_windows };
        size_t n;
        const float *pooled = wn_features_find(f, ask, &n);

        for (size_t w = s->first[r]; w < s->first[r + 1]; w++) {
            const uint32_t *rows = s->rows + s->offsets[w];

            if (w - s->first[r] < n) {
                wn_heads_score(&m->heads, exit,
                    pooled + ((w - s->first[r]) * exits + exit) * hidden, out);
                for (size_t h = 0; h < WN_HEADS; h++)
                    l.encoder[w * WN_HEADS + h] =
                        wn_joint_encoder(&joint[h], h, out);
            }
            wn_ngram_score(&m->ngram, rows, s->offsets[w + 1] - s->offsets[w],
                l.ngram + w * WN_HEADS);
            for (size_t h = 0; h < WN_HEADS; h++)
                l.ngram[w * WN_HEADS + h] *= s->trust[w];
        }
    }
    *ret = l;
    return WN_OK;
}

void
wn_train_logits_release(struct wn_train_logits *l)
{
    free(l->encoder);
    free(l->ngram);
    memset(l, 0, sizeof(*l));
}

void
wn_train_scores(const struct wn_train_set *s, const struct wn_train_logits *l,
    const double mix[3], size_t h, double *scores, int8_t *labels)
{
    for (size_t r = 0; r < s->data.n; r++) {
        bool none = s->first[r] == s->first[r + 1] || !s->picked[r];
        double top = -INFINITY;

        for (size_t w = s->first[r]; w < s->first[r + 1]; w++)
            top = fmax(top, mix[0] * l->encoder[w * WN_HEADS + h] +
                                mix[1] * l->ngram[w * WN_HEADS + h] + mix[2]);
        scores[r] = none ? 0 : top;
        labels[r] = none ? -1 : s->data.rows[r].labels[h];
    }
}

/* --- settings tried on dev --- */

struct search {
    struct wn_train_model *m;
    const struct wn_train_set *dev;
    const struct wn_features *f;
    const char *what;
    size_t setting, epoch;
    double *scores;
    int8_t *labels;
    double best[WN_HEADS];
    float *now, *kept; /* n-gram weights: being trained, best by head */
    struct wn_err err;
};

static double
auc_of(struct search *s, const struct wn_train_logits *l, const double mix[3],
    size_t h)
{
    struct wn_measure measure = { 0 };

    wn_train_scores(s->dev, l, mix, h, s->scores, s->labels);
    if (wn_measure(s->scores, s->labels, s->dev->data.n, 0, &measure,
            &s->err) != WN_OK)
        return NAN;
    return measure.auc;
}

/* Says what dev thinks of the model as it is; better[h] where it is the best
 * so far, or the first. */
static void
ask_dev(
    struct search *s, const double mix[3], double loss, bool better[WN_HEADS])
{
    struct wn_train_logits l;

    memset(better, 0, WN_HEADS * sizeof(*better));
    if (wn_train_logits(
            &l, s->m, s->dev, s->f, s->m->heads.exits - 1, &s->err) != WN_OK)
        return;
    fprintf(stderr, "%s: setting %zu, epoch %zu, loss %.4f, AUC on dev",
        s->what, s->setting + 1, s->epoch, loss);
    for (size_t h = 0; h < WN_HEADS; h++) {
        double auc = auc_of(s, &l, mix, h);

        better[h] = isnan(s->best[h]) || auc > s->best[h];
        if (better[h])
            s->best[h] = auc;
        fprintf(stderr, " %.4f%s", auc, better[h] ? "*" : "");
    }
    fputc('\n', stderr);
    wn_train_logits_release(&l);
}

static enum wn_status
search_init(struct search *s, const char *what, struct wn_train_model *m,
    const struct wn_train_set *dev, const struct wn_features *f,
    struct wn_err *err)
{
    memset(s, 0, sizeof(*s));
    s->what = what;
    s->m = m;
    s->dev = dev;
    s->f = f;
    s->scores = malloc(dev->data.n * sizeof(*s->scores));
    s->labels = malloc(dev->data.n * sizeof(*s->labels));
    for (size_t h = 0; h < WN_HEADS; h++)
        s->best[h] = NAN;
    if (s->scores == NULL || s->labels == NULL)
        return wn_fail(err, WN_STOP, "train: out of memory");
    return WN_OK;
}

static void
search_release(struct search *s)
{
    free(s->scores);
    free(s->labels);
    free(s->now);
    free(s->kept);
}

/* Loss weight of each row by its source, 1 on the average. */
static void
source_weights(
    const struct wn_data *d, const bool *picked, double power, float *by_source)
{
    size_t n[WN_DATA_SOURCES_MAX] = { 0 }, all = 0;
    double sum = 0;

    for (size_t r = 0; r < d->n; r++)
        if (picked == NULL || picked[r]) {
            n[d->rows[r].source]++;
            all++;
        }
    for (size_t i = 0; i < d->sources_n; i++)
        sum += n[i] > 0 ? pow((double)n[i], 1 - power) : 0;
    for (size_t i = 0; i < d->sources_n; i++)
        by_source[i] =
            n[i] == 0 ? 0
                      : (float)(pow((double)n[i], -power) * (double)all / sum);
}

/* --- the encoder's heads --- */

struct dense {
    float *x, *weight;
    int8_t *labels;
    uint16_t *source;
    size_t n;
};

static void
dense_release(struct dense *d)
{
    free(d->x);
    free(d->weight);
    free(d->labels);
    free(d->source);
}

/* The first window of every row that was picked. */
static enum wn_status
dense_collect(struct dense *d, const struct wn_train_set *train,
    const struct wn_features *f, size_t hidden, struct wn_err *err)
{
    size_t all = train->data.n;

    d->n = 0;
    d->x = malloc((all + 1) * hidden * sizeof(*d->x));
    d->weight = malloc((all + 1) * sizeof(*d->weight));
    d->labels = malloc((all + 1) * WN_HEADS);
    d->source = malloc((all + 1) * sizeof(*d->source));
    if (d->x == NULL || d->weight == NULL || d->labels == NULL ||
        d->source == NULL)
        return wn_fail(err, WN_STOP, "train: out of memory");
    for (size_t r = 0; r < all; r++) {
        const struct wn_data_row *row = &train->data.rows[r];
        struct wn_features_ask ask = { row->text, train->features_windows };
        size_t windows;
        const float *pooled;

        if (!train->picked[r])
            continue;
        pooled = wn_features_find(f, ask, &windows);
        if (windows == 0)
            continue;
        memcpy(d->x + d->n * hidden, pooled, hidden * sizeof(*pooled));
        memcpy(d->labels + d->n * WN_HEADS, row->labels, WN_HEADS);
        d->source[d->n++] = row->source;
    }
    return WN_OK;
}

/* One setting: trains m->heads, keeps the heads that dev likes better. */
static enum wn_status
dense_try(struct search *s, const struct dense *d,
    const struct wn_train_set *train, const struct setting *set, uint64_t seed,
    float *kept, struct wn_err *err)
{
    static const double alone[3] = { 1, 0, 0 };
    struct wn_train_conf conf = {
        .epochs = set->epochs, .rate = set->rate, .l2 = set->l2, .seed = seed
    };
    struct wn_heads *heads = &s->m->heads;
    size_t hidden = heads->hidden;
    float by_source[WN_DATA_SOURCES_MAX] = { 0 };
    bool better[WN_HEADS];
    enum wn_status rc;

    source_weights(&train->data, train->picked, set->power, by_source);
    for (size_t i = 0; i < d->n; i++)
        d->weight[i] = by_source[d->source[i]];
    memset(heads->weight, 0, hidden * WN_HEADS * sizeof(float));
    memset(heads->bias, 0, sizeof(heads->bias));
    rc = wn_train_dense(d->x, d->n, hidden, d->labels, d->weight, &conf,
        heads->weight, heads->bias[0], err);
    if (rc != WN_OK)
        return rc;
    s->epoch = set->epochs;
    ask_dev(s, alone, 0, better);
    for (size_t h = 0; h < WN_HEADS; h++)
        if (better[h]) {
            memcpy(kept + h * hidden, heads->weight + h * hidden,
                hidden * sizeof(float));
            kept[WN_HEADS * hidden + h] = heads->bias[0][h];
        }
    return WN_OK;
}

static enum wn_status
fit_heads(struct wn_train_model *m, const struct wn_train_set *train,
    const struct wn_train_set *dev, const struct wn_features *f, uint64_t seed,
    struct wn_err *err)
{
    size_t n = m->heads.hidden * WN_HEADS;
    float *kept = calloc(n + WN_HEADS, sizeof(*kept)); /* and the biases */
    struct dense d = { 0 };
    struct search s;
    enum wn_status rc = search_init(&s, "heads", m, dev, f, err);

    if (rc == WN_OK && kept == NULL)
        rc = wn_fail(err, WN_STOP, "train: out of memory");
    if (rc == WN_OK)
        rc = dense_collect(&d, train, f, m->heads.hidden, err);
    for (; rc == WN_OK && s.setting < N(dense_settings); s.setting++)
        rc = dense_try(
            &s, &d, train, &dense_settings[s.setting], seed, kept, err);
    if (rc == WN_OK) {
        memcpy(m->heads.weight, kept, n * sizeof(*kept));
        memcpy(m->heads.bias[0], kept + n, WN_HEADS * sizeof(*kept));
    }
    free(kept);
    dense_release(&d);
    search_release(&s);
    return rc;
}

/* --- n-grams --- */

static const float gain[WN_NGRAM_OUT] = { 1, 1, 1, 1 };
#define NGRAM_N ((size_t)WN_NGRAM_ROWS * WN_NGRAM_OUT)

static void
use_ngrams(struct wn_train_model *m, const float *weights)
{
    wn_ngram_quantise(weights, gain, m->ngram_weight, m->ngram.scale);
    m->ngram.weights = m->ngram_weight;
}

/* After an epoch: as it would ship, rounded, on dev. */
static void
ngram_epoch(void *arg, size_t epoch, double loss)
{
    static const double alone[3] = { 0, 1, 0 };
    struct search *s = arg;
    bool better[WN_HEADS];

    s->epoch = epoch;
    use_ngrams(s->m, s->now);
    ask_dev(s, alone, loss, better);
    for (size_t h = 0; h < WN_HEADS; h++)
        for (size_t i = h; better[h] && i < NGRAM_N; i += WN_NGRAM_OUT)
            s->kept[i] = s->now[i];
}

struct sparse {
    struct wn_sparse x;
    float *weight;
    int8_t *labels;
};

static enum wn_status
sparse_collect(
    struct sparse *p, const struct wn_train_set *train, struct wn_err *err)
{
    p->x = (struct wn_sparse){ train->rows, train->offsets, train->windows_n,
        WN_NGRAM_ROWS };
    p->weight = malloc((train->windows_n + 1) * sizeof(*p->weight));
    p->labels = malloc((train->windows_n + 1) * WN_HEADS);
    if (p->weight == NULL || p->labels == NULL)
        return wn_fail(err, WN_STOP, "train: out of memory");
    for (size_t r = 0; r < train->data.n; r++)
        for (size_t w = train->first[r]; w < train->first[r + 1]; w++)
            memcpy(
                p->labels + w * WN_HEADS, train->data.rows[r].labels, WN_HEADS);
    return WN_OK;
}

static enum wn_status
ngram_try(struct search *s, struct sparse *p, const struct wn_train_set *train,
    const struct setting *set, uint64_t seed, struct wn_err *err)
{
    struct wn_train_conf conf = { .epochs = set->epochs,
        .rate = set->rate,
        .l2 = set->l2,
        .seed = seed,
        .progress = ngram_epoch,
        .arg = s };
    float by_source[WN_DATA_SOURCES_MAX] = { 0 }, bias[WN_HEADS] = { 0 };

    source_weights(&train->data, NULL, set->power, by_source);
    for (size_t r = 0; r < train->data.n; r++)
        for (size_t w = train->first[r]; w < train->first[r + 1]; w++)
            p->weight[w] = by_source[train->data.rows[r].source] /
                           (float)(train->first[r + 1] - train->first[r]);
    memset(s->now, 0, NGRAM_N * sizeof(*s->now));
    return wn_train_sparse(
        &p->x, p->labels, p->weight, &conf, s->now, bias, err);
}

static enum wn_status
fit_ngrams(struct wn_train_model *m, const struct wn_train_set *train,
    const struct wn_train_set *dev, const struct wn_features *f, uint64_t seed,
    struct wn_err *err)
{
    struct sparse p = { .weight = NULL };
    struct search s;
    enum wn_status rc = search_init(&s, "n-grams", m, dev, f, err);

    s.now = calloc(NGRAM_N, sizeof(*s.now));
    s.kept = calloc(NGRAM_N, sizeof(*s.kept));
    if (rc == WN_OK && (s.now == NULL || s.kept == NULL))
        rc = wn_fail(err, WN_STOP, "train: out of memory");
    if (rc == WN_OK)
        rc = sparse_collect(&p, train, err);
    for (; rc == WN_OK && s.setting < N(ngram_settings); s.setting++)
        rc = ngram_try(&s, &p, train, &ngram_settings[s.setting], seed, err);
    if (rc == WN_OK)
        use_ngrams(m, s.kept);
    free(p.weight);
    free(p.labels);
    search_release(&s);
    return rc;
}

enum wn_status
wn_train_fit(struct wn_train_model *m, const struct wn_train_set *train,
    const struct wn_train_set *dev, const struct wn_features *f, uint64_t seed,
    struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    m->ngram_weight = calloc(NGRAM_N, 1);
    if (m->ngram_weight == NULL)
        rc = wn_fail(err, WN_STOP, "train: out of memory");
    m->ngram.weights = m->ngram_weight;
    m->joint.early_n = m->heads.exits - 1;
    for (size_t e = 0; e < m->joint.early_n; e++)
        m->joint.early[e].after = m->heads.after[e];
    if (rc == WN_OK && !m->heads.kinds)
        rc = fit_heads(m, train, dev, f, seed, err);
    if (rc == WN_OK)
        rc = fit_ngrams(m, train, dev, f, seed, err);
    for (size_t e = 0; rc == WN_OK && e < m->heads.exits; e++)
        rc = wn_train_join(m, dev, f, e, err);
    if (rc == WN_OK)
        rc = wn_train_stops(m, dev, f, err);
    return rc;
}

void
wn_train_model_release(struct wn_train_model *m)
{
    wn_heads_release(&m->heads);
    free(m->ngram_weight);
    wn_ngram_words_release(&m->words);
    memset(m, 0, sizeof(*m));
}
