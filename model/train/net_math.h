/*
 * Arithmetic of one number over REAL: the exact functions where REAL is double
 * (the tests), short polynomials that compilers turn into vector code where it
 * is float. And the random numbers of dropout.
 */
#ifndef WN_MODEL_TRAIN_NET_MATH_H
#define WN_MODEL_TRAIN_NET_MATH_H

#include <math.h>
#include <stdint.h>

#include "model/ops_int.h"
#include "model/train/net_int.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3", "no-trapping-math", "no-math-errno")
#endif

#ifdef REAL_IS_DOUBLE
#define GEMM cblas_dgemm
#define SQRT sqrt
#define wn_real_exp exp
#define wn_real_cdf(x) (0.5 * erfc(-(x) / sqrt(2.0)))
#define wn_real_density(x) (exp(-(x) * (x) / 2) / sqrt(2 * 3.14159265358979324))
#else
#define GEMM cblas_sgemm
#define SQRT __builtin_sqrtf
/* x <= 0 */
#define wn_real_exp wn_exp_down
#define wn_real_cdf wn_normal_cdf
#define wn_real_density(x)                                                     \
    (0.398942280401432678f * wn_exp_down(-0.5f * (x) * (x)))
#endif

/* splitmix64's last step: a number for each key. */
static inline uint64_t
wn_mix64(uint64_t z)
{
    z += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* A number for each place under a key: both halves of the key go in between
 * rounds of multiplying and folding, so that keys do not shift one sequence. */
static inline uint32_t
wn_mix32(uint32_t place, uint64_t key)
{
    uint32_t x = place ^ (uint32_t)key;

    x = (x ^ x >> 16) * UINT32_C(0x7FEB352D);
    x = (x ^ x >> 15) * UINT32_C(0x846CA68B);
    x ^= x >> 16 ^ (uint32_t)(key >> 32);
    x = (x ^ x >> 15) * UINT32_C(0x9E3779B1);
    return x ^ x >> 16;
}

#endif
