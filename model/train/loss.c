#include "model/train/loss.h"

#include <math.h>
#include <string.h>

/* log(1 + e^z) without overflow */
static double
softplus(double z)
{
    return fmax(z, 0) + log1p(exp(-fabs(z)));
}

/* Cross-entropy of a logit with probability p as the truth. */
static double
bce(double z, double p)
{
    return softplus(z) - p * z;
}

static double
sigmoid(double z)
{
    return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

/* What one exit is asked. */
struct asked {
    const struct wn_loss *conf;
    const struct wn_loss_rows *rows;
    size_t out;
    double known, weights; /* D, and the sum of the weights */
};

static double
from_labels(const struct asked *a, const float *z, double by, float *dz)
{
    const struct wn_loss *c = a->conf;
    double loss = 0;

    for (size_t i = 0; i < a->rows->n * a->out; i++) {
        int8_t y = a->rows->labels[i];
        double w = (double)a->rows->weight[i / a->out] *
                   c->out_weight[i % a->out] / a->known;
        double p = y == 1 ? 1 - c->smoothing / 2 : c->smoothing / 2, over;

        if (y < 0)
            continue;
        over = y == 0 ? fmax(0, -(double)z[i] - c->energy_at) : 0;
        loss += w * (bce(z[i], p) + c->energy * over * over);
        dz[i] += (float)(by * w * (sigmoid(z[i]) - p - 2 * c->energy * over));
    }
    return loss;
}

static double
from_teacher(const struct asked *a, const float *teacher, const float *z,
    double by, float *dz)
{
    double loss = 0;

    for (size_t i = 0; i < a->rows->n * a->out; i++) {
        double w =
            (double)a->rows->weight[i / a->out] / (a->weights * (double)a->out);
        double p = sigmoid(teacher[i]);

        if (isnan(teacher[i]))
            continue;
        loss += w * bce(z[i], p);
        dz[i] += (float)(by * w * (sigmoid(z[i]) - p));
    }
    return loss;
}

static struct asked
ask(const struct wn_loss *conf, const struct wn_net_shape *shape,
    const struct wn_loss_rows *rows)
{
    struct asked a = { .conf = conf, .rows = rows, .out = shape->out };

    for (size_t i = 0; i < rows->n; i++) {
        a.weights += (double)rows->weight[i];
        for (size_t o = 0; o < a.out; o++)
            if (rows->labels[i * a.out + o] >= 0)
                a.known += (double)rows->weight[i];
    }
    /* Without one known label, or one row that counts: nothing to divide. */
    a.known = a.known > 0 ? a.known : 1;
    a.weights = a.weights > 0 ? a.weights : 1;
    return a;
}

double
wn_loss(const struct wn_loss *conf, const struct wn_net_shape *shape,
    const struct wn_loss_rows *rows, const float *logits, float *dlogits,
    double *ret_last)
{
    struct asked a = ask(conf, shape, rows);
    size_t size = rows->n * shape->out, last = shape->exits - 1;
    double loss = 0, labels = 0;

    memset(dlogits, 0, shape->exits * size * sizeof(*dlogits));
    for (size_t e = 0; e <= last; e++) {
        const float *z = logits + e * size;
        float *dz = dlogits + e * size;
        double by = conf->exit_weight[e];

        labels = from_labels(&a, z, by, dz);
        loss += by * labels;
        if (e < last && conf->self > 0)
            loss +=
                by * conf->self *
                from_teacher(&a, logits + last * size, z, by * conf->self, dz);
        if (rows->teacher != NULL && conf->teach > 0)
            loss += by * conf->teach *
                    from_teacher(&a, rows->teacher, z, by * conf->teach, dz);
    }
    if (ret_last != NULL)
        *ret_last = labels;
    return loss;
}
