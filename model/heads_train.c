/*
 * AdaGrad on masked binary cross-entropy for the sparse and the dense part,
 * Newton for the handful of numbers that join them.
 *
 * AdaGrad, because n-grams differ by five orders of magnitude in how often
 * they occur: a rare one must move far on its few occasions.
 */
#include "model/heads_train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OUT WN_HEADS_OUT
#define ADAGRAD_EPS 1e-6f

static uint64_t
next_random(uint64_t *s) /* splitmix64 */
{
    uint64_t z = *s += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static uint32_t *
new_order(size_t n)
{
    uint32_t *order = malloc((n + 1) * sizeof(*order));

    for (size_t i = 0; order != NULL && i < n; i++)
        order[i] = (uint32_t)i;
    return order;
}

static void
shuffle(uint32_t *order, size_t n, uint64_t *seed)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = next_random(seed) % i;
        uint32_t t = order[i - 1];

        order[i - 1] = order[j];
        order[j] = t;
    }
}

/* Gradient of the loss by each logit, 0 where the label is unknown; adds to
 * the sums that progress reports. */
static void
gradient(const float z[OUT], const int8_t y[OUT], float weight, float g[OUT],
    double *loss, double *known)
{
    for (size_t h = 0; h < OUT; h++) {
        double p = wn_sigmoid(z[h]);

        g[h] = 0;
        if (y[h] < 0)
            continue;
        g[h] = weight * (float)(p - y[h]);
        *loss -= weight * log(fmax(y[h] ? p : 1 - p, 1e-12));
        *known += weight;
    }
}

static void
step(float *w, float *g2, float g, float rate)
{
    *g2 += g * g;
    *w -= rate * g / (sqrtf(*g2) + ADAGRAD_EPS);
}

static void
report(
    const struct wn_train_conf *conf, size_t epoch, double loss, double known)
{
    if (conf->progress != NULL)
        conf->progress(conf->arg, epoch, known > 0 ? loss / known : 0);
}

/* One row of the sparse part: forward, then a step of what it touches. */
static void
sparse_row(const struct wn_sparse *x, size_t i, const int8_t *y, float weight,
    const struct wn_train_conf *conf, float *w, float *g2, float *bias,
    float *bias2, double *loss, double *known)
{
    const uint32_t *r = x->rows + x->offsets[i];
    size_t n = x->offsets[i + 1] - x->offsets[i];
    float v = n > 0 ? 1.0f / sqrtf((float)n) : 0;
    float z[OUT] = { 0 }, g[OUT], rate = (float)conf->rate;

    for (size_t k = 0; k < n; k++)
        for (size_t h = 0; h < OUT; h++)
            z[h] += w[(size_t)r[k] * OUT + h];
    for (size_t h = 0; h < OUT; h++)
        z[h] = z[h] * v + bias[h];
    gradient(z, y, weight, g, loss, known);
    for (size_t k = 0; k < n; k++)
        for (size_t h = 0; h < OUT; h++) {
            size_t at = (size_t)r[k] * OUT + h;

            if (y[h] >= 0)
                step(&w[at], &g2[at],
                    g[h] * v + (float)conf->l2 * weight * w[at], rate);
        }
    for (size_t h = 0; h < OUT; h++)
        if (y[h] >= 0)
            step(&bias[h], &bias2[h], g[h], rate);
}

enum wn_status
wn_train_sparse(const struct wn_sparse *x, const int8_t *labels,
    const float *weight, const struct wn_train_conf *conf, float *weights,
    float bias[OUT], struct wn_err *err)
{
    float *g2 = calloc(x->features * OUT, sizeof(*g2));
    uint32_t *order = new_order(x->n);
    uint64_t seed = conf->seed;
    float bias2[OUT] = { 0 };
    enum wn_status rc = WN_OK;

    if (g2 == NULL || order == NULL) {
        rc = wn_fail(err, WN_STOP, "training: out of memory");
        goto out;
    }
    for (size_t e = 0; e < conf->epochs; e++) {
        double loss = 0, known = 0;

        shuffle(order, x->n, &seed);
        for (size_t i = 0; i < x->n; i++) {
            size_t row = order[i];

            sparse_row(x, row, labels + row * OUT, weight[row], conf, weights,
                g2, bias, bias2, &loss, &known);
        }
        report(conf, e + 1, loss, known);
    }
out:
    free(g2);
    free(order);
    return rc;
}

/* --- correction --- */

/* Squared errors that a feature has seen before it slows down: words that
 * every text has would run away with the first rows otherwise. */
#define CORRECTION_PRIOR 1.0f

/* So far from its target a row with a side is wrong altogether. */
#define CORRECTION_FAR 2.0f

/* -1 .. 1: how wrong a logit is. */
static float
error_of(float z, float target, int8_t side)
{
    float by = (z - target) / CORRECTION_FAR;

    if (side == 0)
        return (float)(wn_sigmoid(z) - wn_sigmoid(target));
    return side > 0 ? fmaxf(-1, fminf(by, 0)) : fminf(1, fmaxf(by, 0));
}

/* By head: 0 where the target is unknown or the weights have no part in it. */
static void
errors_of(const struct wn_correction *c, size_t i, const float z[OUT],
    float g[OUT], double *loss, double *known)
{
    for (size_t h = 0; h < OUT; h++) {
        float target = c->target[i * OUT + h];
        int8_t side = c->side[i * OUT + h];

        g[h] = 0;
        if (isnan(target) || !(c->gain[h] > 0))
            continue;
        g[h] = c->weight[i] * error_of(z[h], target, side);
        *loss += side != 0 ? fabsf(g[h]) : 0;
        *known += side != 0 ? c->weight[i] : 0;
    }
}

/* One row: what the sum says of it, then a step of what it touches. */
static void
correct_row(const struct wn_sparse *x, size_t i, const struct wn_correction *c,
    float rate, float *w, float *g2, double *loss, double *known)
{
    const uint32_t *r = x->rows + x->offsets[i];
    size_t n = x->offsets[i + 1] - x->offsets[i];
    float v = n > 0 ? 1.0f / sqrtf((float)n) : 0;
    float z[OUT] = { 0 }, g[OUT];

    if (c->trust != NULL)
        v *= c->trust[i];
    for (size_t k = 0; k < n; k++)
        for (size_t h = 0; h < OUT; h++)
            z[h] += w[(size_t)r[k] * OUT + h];
    for (size_t h = 0; h < OUT; h++)
        z[h] = c->offset[i * OUT + h] + c->gain[h] * v * z[h];
    errors_of(c, i, z, g, loss, known);
    for (size_t h = 0; h < OUT; h++) {
        float by = g[h] == 0 ? 0 : rate * g[h] * v / c->gain[h];

        for (size_t k = 0; by != 0 && k < n; k++) {
            size_t at = (size_t)r[k] * OUT + h;

            g2[at] += g[h] * g[h];
            w[at] -= by / sqrtf(1 + g2[at] / CORRECTION_PRIOR);
        }
    }
}

enum wn_status
wn_correct_sparse(const struct wn_sparse *x, const struct wn_correction *c,
    const struct wn_train_conf *conf, float *weights, struct wn_err *err)
{
    float *g2 = calloc(x->features * OUT, sizeof(*g2));
    uint32_t *order = new_order(x->n);
    uint64_t seed = conf->seed;
    enum wn_status rc = WN_OK;

    if (g2 == NULL || order == NULL) {
        rc = wn_fail(err, WN_STOP, "training: out of memory");
        goto out;
    }
    for (size_t e = 0; e < conf->epochs; e++) {
        double loss = 0, known = 0;

        shuffle(order, x->n, &seed);
        for (size_t i = 0; i < x->n; i++)
            correct_row(
                x, order[i], c, (float)conf->rate, weights, g2, &loss, &known);
        report(conf, e + 1, loss, known);
    }
out:
    free(g2);
    free(order);
    return rc;
}

/* Mean and 1 / deviation of each column. */
static void
standardise(const float *x, size_t n, size_t width, double *mean, double *inv)
{
    for (size_t k = 0; k < width; k++)
        mean[k] = inv[k] = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < width; k++) {
            mean[k] += x[i * width + k];
            inv[k] += (double)x[i * width + k] * x[i * width + k];
        }
    for (size_t k = 0; k < width; k++) {
        double m = n > 0 ? mean[k] / (double)n : 0;
        double var = n > 0 ? inv[k] / (double)n - m * m : 0;

        mean[k] = m;
        inv[k] = var > 1e-12 ? 1.0 / sqrt(var) : 0;
    }
}

struct dense {
    size_t width;
    double *mean, *inv;
    float *row; /* the standardised row */
    float *w, *g2;
};

static void
dense_row(struct dense *d, const float *x, const int8_t *y, float weight,
    const struct wn_train_conf *conf, float *bias, float *bias2, double *loss,
    double *known)
{
    float z[OUT], g[OUT], rate = (float)conf->rate;

    for (size_t k = 0; k < d->width; k++)
        d->row[k] = (float)((x[k] - d->mean[k]) * d->inv[k]);
    for (size_t h = 0; h < OUT; h++) {
        z[h] = bias[h];
        for (size_t k = 0; y[h] >= 0 && k < d->width; k++)
            z[h] += d->w[h * d->width + k] * d->row[k];
    }
    gradient(z, y, weight, g, loss, known);
    for (size_t h = 0; h < OUT; h++) {
        float *w = d->w + h * d->width, *g2 = d->g2 + h * d->width;

        if (y[h] < 0)
            continue;
        for (size_t k = 0; k < d->width; k++)
            step(&w[k], &g2[k],
                g[h] * d->row[k] + (float)conf->l2 * weight * w[k], rate);
        step(&bias[h], &bias2[h], g[h], rate);
    }
}

/* Puts the standardisation into the weights. */
static void
unstandardise(const struct dense *d, float *bias)
{
    for (size_t h = 0; h < OUT; h++)
        for (size_t k = 0; k < d->width; k++) {
            float *w = &d->w[h * d->width + k];

            *w = (float)(*w * d->inv[k]);
            bias[h] -= (float)(*w * d->mean[k]);
        }
}

enum wn_status
wn_train_dense(const float *x, size_t n, size_t width, const int8_t *labels,
    const float *weight, const struct wn_train_conf *conf, float *weights,
    float bias[OUT], struct wn_err *err)
{
    struct dense d = { .width = width, .w = weights };
    uint32_t *order = new_order(n);
    uint64_t seed = conf->seed;
    float bias2[OUT] = { 0 };
    enum wn_status rc = WN_OK;

    d.mean = malloc((width + 1) * sizeof(*d.mean));
    d.inv = malloc((width + 1) * sizeof(*d.inv));
    d.row = malloc((width + 1) * sizeof(*d.row));
    d.g2 = calloc(width * OUT + 1, sizeof(*d.g2));
    if (order == NULL || d.mean == NULL || d.inv == NULL || d.row == NULL ||
        d.g2 == NULL) {
        rc = wn_fail(err, WN_STOP, "training: out of memory");
        goto out;
    }
    standardise(x, n, width, d.mean, d.inv);
    for (size_t e = 0; e < conf->epochs; e++) {
        double loss = 0, known = 0;

        shuffle(order, n, &seed);
        for (size_t i = 0; i < n; i++)
            dense_row(&d, x + order[i] * width, labels + order[i] * OUT,
                weight[order[i]], conf, bias, bias2, &loss, &known);
        report(conf, e + 1, loss, known);
    }
    unstandardise(&d, bias);
out:
    free(order);
    free(d.mean);
    free(d.inv);
    free(d.row);
    free(d.g2);
    return rc;
}

#define BETAS (WN_LOGISTIC_MAX + 1)

/* Solves a (m, m) x = b in place by elimination with pivots; b becomes x. */
static void
solve(double a[BETAS][BETAS], double b[BETAS], size_t m)
{
    for (size_t c = 0; c < m; c++) {
        size_t p = c;

        for (size_t r = c + 1; r < m; r++)
            if (fabs(a[r][c]) > fabs(a[p][c]))
                p = r;
        for (size_t k = 0; k < m; k++) {
            double t = a[c][k];

            a[c][k] = a[p][k];
            a[p][k] = t;
        }
        double t = b[c];

        b[c] = b[p];
        b[p] = t;
        for (size_t r = 0; r < m; r++) {
            double f = r == c ? 0 : a[r][c] / a[c][c];

            for (size_t k = c; k < m; k++)
                a[r][k] -= f * a[c][k];
            b[r] -= f * b[c];
        }
    }
    for (size_t c = 0; c < m; c++)
        b[c] /= a[c][c];
}

/* Loss of beta; where asked, its gradient and Hessian. */
static double
newton_sums(const double *x, size_t n, size_t k, const int8_t *labels,
    size_t stride, const float *weight, const double *beta, double g[BETAS],
    double hess[BETAS][BETAS])
{
    double loss = 0;

    memset(g, 0, BETAS * sizeof(*g));
    memset(hess, 0, BETAS * sizeof(*hess));
    for (size_t i = 0; i < n; i++) {
        int8_t y = labels[i * stride];
        double v[BETAS], z = 0, p, w = weight == NULL ? 1 : weight[i];

        if (y < 0)
            continue;
        for (size_t j = 0; j <= k; j++) {
            v[j] = j < k ? x[i * k + j] : 1;
            z += beta[j] * v[j];
        }
        p = wn_sigmoid(z);
        loss -= w * log(fmax(y ? p : 1 - p, 1e-300));
        for (size_t j = 0; j <= k; j++) {
            g[j] += w * (p - y) * v[j];
            for (size_t l = 0; l <= k; l++)
                hess[j][l] += w * p * (1 - p) * v[j] * v[l];
        }
    }
    for (size_t j = 0; j <= k; j++) {
        g[j] += 1e-6 * beta[j];
        hess[j][j] += 1e-6;
        loss += 0.5e-6 * beta[j] * beta[j];
    }
    return loss;
}

void
wn_fit_logistic(const double *x, size_t n, size_t k, const int8_t *labels,
    size_t stride, const float *weight, double *beta)
{
    double g[BETAS], h[BETAS][BETAS], tried[BETAS], d[BETAS];

    memset(beta, 0, (k + 1) * sizeof(*beta));
    for (int it = 0; it < 50; it++) {
        double loss, now, size = 1, moved = 0;

        loss = newton_sums(x, n, k, labels, stride, weight, beta, g, h);
        memcpy(d, g, sizeof(d));
        solve(h, d, k + 1);
        do { /* half steps until the loss falls: separable data overshoots */
            double g_[BETAS], h_[BETAS][BETAS];

            for (size_t j = 0; j <= k; j++)
                tried[j] = beta[j] - size * d[j];
            now = newton_sums(x, n, k, labels, stride, weight, tried, g_, h_);
            size /= 2;
        } while (!(now <= loss) && size > 1e-6);
        if (!(now <= loss))
            return;
        for (size_t j = 0; j <= k; j++) {
            moved = fmax(moved, fabs(tried[j] - beta[j]));
            beta[j] = tried[j];
        }
        if (moved < 1e-9)
            return;
    }
}
