/* Functions of one float that compilers turn into vector code: no branch, no
 * call. Shared by ops.c and training. */
#ifndef WN_MODEL_OPS_INT_H
#define WN_MODEL_OPS_INT_H

#include <stdint.h>
#include <string.h>

#define WN_OPS_ONE static inline __attribute__((always_inline))

/*
 * e^x for x <= 0, to 2 ulp; below -87 it is about 1e-38, never a subnormal.
 * Adding 1.5 * 2^23 leaves the nearest integer in the low bits. ln 2 is taken
 * away in two parts, the first with few bits, so that n * part is exact.
 * One bound and not two, because gcc makes a jump of two; and n stays in its
 * float's bits, so that NaN is never converted but passed on.
 */
WN_OPS_ONE float
wn_exp_down(float x)
{
    const float magic = 12582912.0f;
    float t, n, r, p;
    uint32_t bits;

    x = x < -87.0f ? -87.0f : x;
    t = x * 1.44269504089f + magic;
    n = t - magic;
    r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    memcpy(&bits, &t, sizeof(bits));
    bits = (bits + 127) << 23; /* magic's own bits are shifted out */
    memcpy(&t, &bits, sizeof(t));
    return p * t;
}

/* erfc(z) for z >= 0 is poly(1 / (1 + p z)) * e^(-z z) to 1.5e-7 (Abramowitz
 * and Stegun, 7.1.26). */
WN_OPS_ONE float
wn_erfc_up(float z)
{
    float t = 1.0f / (1.0f + 0.3275911f * z);
    float q = 1.061405429f;

    q = q * t - 1.453152027f;
    q = q * t + 1.421413741f;
    q = q * t - 0.284496736f;
    q = q * t + 0.254829592f;
    return q * t * wn_exp_down(-z * z);
}

/* The share of the normal distribution below x: GELU is x times it. */
WN_OPS_ONE float
wn_normal_cdf(float x)
{
    float a = __builtin_fabsf(x);
    float tail = 0.5f * wn_erfc_up(a * 0.70710678118654752f);

    return x > 0 ? 1.0f - tail : tail;
}

#endif
