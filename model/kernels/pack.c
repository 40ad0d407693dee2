/*
 * Weights into panels, once at load.
 *
 * Where products are summed in 16 bits (vpmaddubsw, two of them added before
 * they are widened), a lane holds 2 * depth products code * weight. Codes are
 * never negative, so the extremes of a lane are code_max times the sum of its
 * positive weights, and of its negative ones. Both must fit 16 bits for every
 * lane of a channel; where they do not, the channel's scale is raised, which
 * makes its weights smaller, until they do. So no input can saturate.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/kernels/kernels_int.h"

/* How much the fullest lane of a channel holds for each step of code. */
static int
fullest_lane(const int8_t *q, size_t in, unsigned depth)
{
    int most = 0;

    for (size_t k = 0; k < in; k += 4 * depth)
        for (size_t half = 0; half < 4; half += 2) {
            int up = 0, down = 0;

            for (size_t d = 0; d < depth; d++)
                for (size_t e = 0; e < 2; e++) {
                    int x = q[k + 4 * d + half + e];

                    up += x > 0 ? x : 0;
                    down -= x < 0 ? x : 0;
                }
            most = up > most ? up : most;
            most = down > most ? down : most;
        }
    return most;
}

/* The nearest integer, as the instruction has it: no call, no errno. */
static inline int8_t
nearest(float x)
{
    float up = x + 12582912.0f; /* 1.5 * 2^23: integers are in the low bits */

    return (int8_t)(up - 12582912.0f);
}

/* q (in) = the channel in steps of *scale, the smallest that cannot
 * saturate. */
static void
round_channel(const struct wn_q8 *o, const float *w, int8_t *q, float *scale)
{
    float most = 0, s;

    for (size_t k = 0; k < o->in; k++) {
        float a = w[k] < 0 ? -w[k] : w[k];

        most = a > most ? a : most;
    }
    s = most > 1e-30f ? most / 127 : 1; /* else all round to 0 */
    for (;;) {
        float by = 1 / s;
        int full;

        for (size_t k = 0; k < o->in; k++)
            q[k] = nearest(w[k] * by);
        full = o->depth == 0
                   ? 0
                   : fullest_lane(q, o->in, o->depth) * (int)o->code_max;
        if (full <= INT16_MAX)
            break;
        /* not all of the way at once: rounding may do the rest */
        by = 0.995f * (float)full / INT16_MAX;
        s *= by > 1.002f ? by : 1.002f;
    }
    *scale = s;
}

static void
place_channel(struct wn_q8 *o, size_t c, const int8_t *q)
{
    int8_t *at = o->w + c / o->panel * o->panel * o->in + c % o->panel * 4;

    for (size_t k = 0; k < o->in; k += 4, at += 4 * o->panel)
        memcpy(at, q + k, 4);
}

static enum wn_status
pack_channel(struct wn_q8 *o, size_t c, const float *w, float low, int8_t *q,
    struct wn_err *err)
{
    int32_t sum = 0;

    for (size_t k = 0; k < o->in; k++)
        if (!isfinite(w[k]))
            return wn_fail(err, WN_REJECT, "a weight is not a finite number");
    round_channel(o, w, q, &o->scale[c]);
    place_channel(o, c, q);
    for (size_t k = 0; k < o->in; k++)
        sum += q[k];
    if (o->above)
        o->bias[c] += low * o->scale[c] * (float)sum;
    else
        o->start[c] = -(int32_t)WN_CODE_ZERO(o->code_max) * sum;
    return WN_OK;
}

static enum wn_status
alloc(struct wn_q8 *o, struct wn_err *err)
{
    o->w = aligned_alloc(64, o->out * o->in);
    o->start = aligned_alloc(64, o->out * sizeof(*o->start));
    o->scale = aligned_alloc(64, o->out * sizeof(*o->scale));
    o->bias = aligned_alloc(64, o->out * sizeof(*o->bias));
    if (o->w == NULL || o->start == NULL || o->scale == NULL || o->bias == NULL)
        return wn_fail(err, WN_STOP, "weights: out of memory");
    memset(o->start, 0, o->out * sizeof(*o->start));
    return WN_OK;
}

enum wn_status
wn_q8_pack(struct wn_q8 *ret, const struct wn_kernels *k, unsigned depth,
    const float *w, const float *b, size_t out, size_t in, bool above,
    float low, struct wn_err *err)
{
    struct wn_q8 o = {
        .in = in, .out = out, .panel = k->panel, .above = above
    };
    int8_t *q = malloc(in);
    enum wn_status rc;

    WN_ASSERT(in % 64 == 0);
    WN_ASSERT(out % 64 == 0);
    WN_ASSERT(depth == 1 || depth == 2);
    o.depth = k->depth_max == 0 ? 0 : depth;
    o.code_max = k->code_max[depth - 1];
    rc = alloc(&o, err);
    if (rc == WN_OK && q == NULL)
        rc = wn_fail(err, WN_STOP, "weights: out of memory");
    if (rc == WN_OK)
        memcpy(o.bias, b, out * sizeof(*b));
    for (size_t c = 0; c < out && rc == WN_OK; c++)
        rc = pack_channel(&o, c, w + c * in, low, q, err);
    free(q);
    if (rc != WN_OK)
        wn_q8_release(&o);
    else
        *ret = o;
    return rc;
}

void
wn_q8_release(struct wn_q8 *q)
{
    free(q->w);
    free(q->start);
    free(q->scale);
    free(q->bias);
    memset(q, 0, sizeof(*q));
}

enum wn_status
wn_b16_pack(struct wn_b16 *ret, const float *w, size_t out, size_t in,
    struct wn_err *err)
{
    struct wn_b16 b = { .in = in, .out = out };

    WN_ASSERT(in % 64 == 0);
    WN_ASSERT(out % 64 == 0);
    b.w = aligned_alloc(64, out * in * sizeof(*b.w));
    if (b.w == NULL)
        return wn_fail(err, WN_STOP, "weights: out of memory");
    for (size_t c = 0; c < out; c++)
        for (size_t k = 0; k < in; k++) {
            float x = w[c * in + k];

            if (!isfinite(x)) {
                wn_b16_release(&b);
                return wn_fail(err, WN_REJECT,
                    "channel %zu: a weight is not a finite number", c);
            }
            b.w[c / WN_B16_PANEL * WN_B16_PANEL * in +
                k / 2 * WN_B16_PANEL * 2 + c % WN_B16_PANEL * 2 + k % 2] =
                wn_bf16(x);
        }
    *ret = b;
    return WN_OK;
}

void
wn_b16_release(struct wn_b16 *b)
{
    free(b->w);
    memset(b, 0, sizeof(*b));
}
