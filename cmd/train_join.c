/*
 * What joins the readers at an exit, chosen on dev for every head by itself:
 * whether what the kinds say counts, how much of the encoder and of the
 * n-grams goes into the sum, the probability it stands for, the threshold.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/train_int.h"
#include "model/heads_train.h"

/* Steps from the encoder alone to the plain sum, and as many from there to the
 * n-grams alone. */
#define MIX_STEPS 16
/* An encoder that ranks dev worse does not lead the sum. */
#define AUC_MIN 0.8

/* A source of so many positives, or negatives, says something of its own. */
#define SOURCE_POSITIVES 20
#define SOURCE_NEGATIVES 200
/* The most of a source's negatives that a threshold lets through. */
#define SOURCE_FPR 0.05

struct joining {
    struct wn_train_model *m;
    const struct wn_train_set *dev;
    const struct wn_features *f;
    size_t exit;
    struct wn_joint_head *heads; /* of the exit */
    struct wn_train_logits l;
    double *scores;
    int8_t *labels, *of_source;
};

static const double encoder_alone[3] = { 1, 0, 0 };
static const double ngrams_alone[3] = { 0, 1, 0 };

static enum wn_status
joining_init(struct joining *j, struct wn_err *err)
{
    size_t n = j->dev->data.n + 1;
    struct wn_joint *joint = &j->m->joint;

    j->heads =
        j->exit < joint->early_n ? joint->early[j->exit].head : joint->head;
    j->scores = malloc(n * sizeof(*j->scores));
    j->labels = malloc(n);
    j->of_source = malloc(n);
    if (j->scores == NULL || j->labels == NULL || j->of_source == NULL)
        return wn_fail(err, WN_STOP, "train: out of memory");
    return WN_OK;
}

static void
joining_release(struct joining *j)
{
    wn_train_logits_release(&j->l);
    free(j->scores);
    free(j->labels);
    free(j->of_source);
}

static enum wn_status
read_logits(struct joining *j, struct wn_err *err)
{
    wn_train_logits_release(&j->l);
    return wn_train_logits(&j->l, j->m, j->dev, j->f, j->exit, err);
}

/* Scores and labels of head h. */
static void
score(struct joining *j, size_t h, const double mix[3])
{
    wn_train_scores(j->dev, &j->l, mix, h, j->scores, j->labels);
}

/* Labels of the rows of one source alone; returns how many are `label`. */
static size_t
take_source(struct joining *j, size_t source, int8_t label)
{
    size_t n = 0;

    for (size_t r = 0; r < j->dev->data.n; r++) {
        bool is = j->dev->data.rows[r].source == source;

        j->of_source[r] = is ? j->labels[r] : -1;
        n += j->of_source[r] == label;
    }
    return n;
}

/* Mean of the sources' recall where a share WN_TRAIN_FPR of all negatives is
 * let through; NaN where no source counts. */
static enum wn_status
mean_recall(struct joining *j, size_t h, const double mix[3], double *ret,
    struct wn_err *err)
{
    size_t n = j->dev->data.n, sources = 0;
    struct wn_measure m = { 0 };
    double threshold, sum = 0;
    enum wn_status rc;

    score(j, h, mix);
    rc = wn_threshold_at_fpr(
        j->scores, j->labels, n, WN_TRAIN_FPR, &threshold, err);
    for (size_t s = 0; rc == WN_OK && s < j->dev->data.sources_n; s++) {
        if (take_source(j, s, 1) < SOURCE_POSITIVES)
            continue;
        rc = wn_measure(j->scores, j->of_source, n, threshold, &m, err);
        sum += m.recall;
        sources++;
    }
    *ret = sources > 0 ? sum / (double)sources : NAN;
    return rc;
}

/* --- kinds --- */

/* One threshold has to serve all that a head means; where one kind of it fills
 * the data, another never reaches it. The kinds' outputs may, raised or
 * lowered so that they earn most. */
static enum wn_status
choose_kinds(struct joining *j, struct wn_err *err)
{
    struct wn_joint_head *head = &j->heads[WN_BAIT];
    double best, recall, kept = NAN;
    enum wn_status rc;

    head->with_kinds = false;
    if (!j->m->heads.kinds)
        return WN_OK;
    rc = read_logits(j, err);
    if (rc == WN_OK)
        rc = mean_recall(j, WN_BAIT, encoder_alone, &best, err);
    head->with_kinds = true;
    for (int i = -12; rc == WN_OK && i <= 12; i++) {
        head->kinds = 0.5 * i;
        rc = read_logits(j, err);
        if (rc == WN_OK)
            rc = mean_recall(j, WN_BAIT, encoder_alone, &recall, err);
        if (rc == WN_OK && recall > best) {
            best = recall;
            kept = head->kinds;
        }
    }
    head->with_kinds = !isnan(kept);
    head->kinds = isnan(kept) ? 0 : kept;
    return rc;
}

/* --- the sum --- */

/* 1 / deviation of a reader's scores, so that the steps of the mix are even. */
static double
inverse_deviation(const double *x, const int8_t *labels, size_t n)
{
    double sum = 0, squares = 0, known = 0, var;

    for (size_t i = 0; i < n; i++)
        if (labels[i] >= 0) {
            sum += x[i];
            squares += x[i] * x[i];
            known++;
        }
    var = known > 0 ? squares / known - sum * sum / known / known : 0;
    return var > 1e-12 ? 1 / sqrt(var) : 1;
}

static enum wn_status
auc_of(struct joining *j, size_t h, const double mix[3], double *ret,
    struct wn_err *err)
{
    struct wn_measure m = { 0 };
    enum wn_status rc;

    score(j, h, mix);
    rc = wn_measure(j->scores, j->labels, j->dev->data.n, 0, &m, err);
    *ret = m.auc;
    return rc;
}

/*
 * Direction of the sum: where the sources of dev lose least, between the
 * encoder alone and the plain sum. Not the best order of dev as a whole: the
 * large sources would have it to themselves. And not beyond the plain sum: the
 * n-grams shine on the sources that they were trained on, which dev is made
 * of, and the encoder holds on those that nobody has seen. Where it knows
 * nothing the n-grams are all there is.
 */
static enum wn_status
choose_mix(struct joining *j, size_t h, double *auc, struct wn_err *err)
{
    size_t n = j->dev->data.n;
    double *mix = j->heads[h].mix, unit[2], now, best = NAN, kept[3] = { 0 };
    enum wn_status rc = auc_of(j, h, encoder_alone, auc, err);
    int last = *auc > AUC_MIN ? MIX_STEPS : 2 * MIX_STEPS;

    unit[0] = inverse_deviation(j->scores, j->labels, n);
    score(j, h, ngrams_alone);
    unit[1] = inverse_deviation(j->scores, j->labels, n);
    for (int k = 0; rc == WN_OK && k <= last; k++) {
        double angle = M_PI / 4 * k / MIX_STEPS;

        mix[0] = k == 2 * MIX_STEPS ? 0 : cos(angle) * unit[0];
        mix[1] = sin(angle) * unit[1];
        mix[2] = 0;
        rc = mean_recall(j, h, mix, &now, err);
        if (rc == WN_OK && isnan(now))
            rc = auc_of(j, h, mix, &now, err);
        if (k == 0 || now > best) {
            best = now;
            memcpy(kept, mix, sizeof(kept));
        }
    }
    memcpy(mix, kept, sizeof(kept));
    return rc == WN_OK ? auc_of(j, h, mix, auc, err) : rc;
}

/* --- probability and threshold --- */

/* The lowest at which a share WN_TRAIN_FPR of all negatives passes, and no
 * source has more than its own share of them. */
static enum wn_status
choose_threshold(struct joining *j, double *ret, struct wn_err *err)
{
    size_t n = j->dev->data.n;
    double own;
    enum wn_status rc =
        wn_threshold_at_fpr(j->scores, j->labels, n, WN_TRAIN_FPR, ret, err);

    for (size_t s = 0; rc == WN_OK && s < j->dev->data.sources_n; s++) {
        if (take_source(j, s, 0) < SOURCE_NEGATIVES)
            continue;
        rc = wn_threshold_at_fpr(
            j->scores, j->of_source, n, SOURCE_FPR, &own, err);
        if (rc == WN_OK && own > *ret) {
            fprintf(stderr, "threshold %.4f for %s, not %.4f\n", own,
                j->dev->data.sources[s], *ret);
            *ret = own;
        }
    }
    *ret = fmin(*ret, 1);
    return rc;
}

/* Scales the sum so that sigmoid of it is a probability, and sets the
 * threshold there. */
static enum wn_status
calibrate(struct joining *j, size_t h, struct wn_err *err)
{
    struct wn_joint_head *head = &j->heads[h];
    double *mix = head->mix, beta[2] = { 1, 0 };
    size_t n = j->dev->data.n;

    score(j, h, mix);
    wn_fit_logistic(j->scores, n, 1, j->labels, 1, NULL, beta);
    if (!(beta[0] > 0)) { /* no labels, or a head that learnt nothing */
        beta[0] = 1;
        beta[1] = 0;
    }
    mix[0] *= beta[0];
    mix[1] *= beta[0];
    mix[2] = beta[1];
    head->cal = (struct wn_calibration){ 1, 0 }; /* the mix is scaled */
    for (size_t i = 0; i < n; i++)
        j->scores[i] = wn_sigmoid(beta[0] * j->scores[i] + beta[1]);
    return choose_threshold(j, &head->threshold, err);
}

static void
say(const struct joining *j, size_t h, double auc)
{
    const struct wn_joint_head *head = &j->heads[h];
    char kinds[40] = "";

    if (head->with_kinds)
        snprintf(kinds, sizeof(kinds), " (or kinds %+.1f)", head->kinds);
    fprintf(stderr,
        "layer %zu: %s = %.3f encoder%s + %.3f n-grams + %.3f, AUC on dev "
        "%.4f, threshold %.4f\n",
        j->m->heads.after[j->exit], wn_head_names[h], head->mix[0], kinds,
        head->mix[1], head->mix[2], auc, head->threshold);
}

enum wn_status
wn_train_join(struct wn_train_model *m, const struct wn_train_set *dev,
    const struct wn_features *f, size_t exit, struct wn_err *err)
{
    struct joining j = { .m = m, .dev = dev, .f = f, .exit = exit };
    enum wn_status rc = joining_init(&j, err);
    double auc;

    if (rc == WN_OK)
        rc = choose_kinds(&j, err);
    if (rc == WN_OK)
        rc = read_logits(&j, err);
    for (size_t h = 0; rc == WN_OK && h < WN_HEADS; h++) {
        rc = choose_mix(&j, h, &auc, err);
        if (rc == WN_OK)
            rc = calibrate(&j, h, err);
        if (rc == WN_OK)
            say(&j, h, auc);
    }
    joining_release(&j);
    return rc;
}
