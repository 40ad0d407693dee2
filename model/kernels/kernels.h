/*
 * The inner loops of the encoder in int8 and bf16: one table of functions for
 * each instruction set, and weights packed for it.
 *
 * Codes. A row of activations is unsigned bytes 0 .. code_max with one fp32
 * scale, either around a middle (value = scale * (code - zero)) or above a
 * lowest value (value = scale * code + low), which suits what GELU gives.
 * Weights are signed bytes with one fp32 scale an output channel. Fed the same
 * codes and the same packed weights, every table gives the same integers:
 *
 *     acc (T, C) = start (C) + code (T, K) * w (C, K)^T
 *     y   (T, C) = acc * code scale (T) * w scale (C) + bias (C)
 *
 * Floats differ between tables in rounding only. Row-major arrays; hidden
 * sizes are multiples of 64, head sizes of 32. No function allocates, waits or
 * fails; each uses only what it is given, so any thread may call them.
 */
#ifndef WN_MODEL_KERNELS_H
#define WN_MODEL_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* Slowest first. */
enum wn_isa {
    WN_ISA_REF,        /* plain C: the specification                     */
    WN_ISA_AVX2,       /* AVX2, FMA, F16C                                */
    WN_ISA_AVXVNNI,    /* the same and vpdpbusd on 256 bits              */
    WN_ISA_AVX512VNNI, /* AVX-512 F BW DQ VL VNNI; bf16 where there is it */
    WN_ISAS
};
/* "ref", "avx2", "avxvnni", "avx512vnni": as option kernels.isa says them. */
extern const char *const wn_isa_names[WN_ISAS];

/*
 * A linear layer's weights, packed: y (T, out) = x (T, in) * w (out, in)^T + b.
 * Panels of columns, in groups of four inputs: [out / panel][in / 4][panel][4].
 */
struct wn_q8 {
    size_t in, out;    /* multiples of 64                                    */
    size_t panel;      /* columns of a panel                                 */
    unsigned depth;    /* groups whose products a 16-bit lane sums; 0: none   */
    unsigned code_max; /* of its input                                       */
    bool above;        /* its input is coded above a lowest value            */
    int8_t *w;
    int32_t *start; /* (out) -zero * the channel's sum; 0 where above */
    float *scale; /* (out)                                                   */
    float *bias;  /* (out) with low * the channel's sum, where above         */
};

/* The same in bf16, inputs in pairs: [out / 32][in / 2][32][2]. */
#define WN_B16_PANEL 32
struct wn_b16 {
    size_t in, out; /* multiples of 64 */
    uint16_t *w;
};

/* The middle code of codes 0 .. max, and the largest distance from it. */
#define WN_CODE_ZERO(max) (((max) + 1) / 2)
#define WN_CODE_REACH(max) (((max)-1) / 2)

/* The lowest value of GELU is -0.16997; of ReLU 0. */
#define WN_GELU_LOW (-0.171f)

enum wn_activation { WN_GELU_ERF, WN_GELU_TANH, WN_RELU };

struct wn_kernels {
    enum wn_isa isa;
    size_t panel;       /* what weights are packed for                       */
    size_t state_bytes; /* an element of what store() writes, attend() reads */
    /* For depth 1 and 2: 0 where products cannot saturate at any depth. */
    unsigned depth_max;
    unsigned code_max[2]; /* best code_max at depth 1 and 2                 */

    /* out (T, n) = the sums of columns [first, first + n) as integers, rows
     * `stride` apart. n and first are multiples of 64. What tests compare;
     * the encoder takes store(), add() and activate(). */
    void (*sums)(const struct wn_q8 *w, size_t first, size_t n,
        const uint8_t *codes, size_t t, int32_t *out, size_t stride);
    /* out (T, n) = y of columns [first, first + n), in state_bytes. */
    void (*store)(const struct wn_q8 *w, size_t first, size_t n,
        const uint8_t *codes, const float *scales, size_t t, void *out,
        size_t stride);
    /* x (T, out) += y */
    void (*add)(const struct wn_q8 *w, const uint8_t *codes,
        const float *scales, size_t t, float *x);
    /* out (T, out) = act(y) in half precision, at most 65504. GELU to 2e-4. */
    void (*activate)(const struct wn_q8 *w, enum wn_activation act,
        const uint8_t *codes, const float *scales, size_t t, uint16_t *out);

    /* x (T, n) = LayerNorm(x) * gamma + beta, then its codes. */
    void (*norm)(float *x, const float *gamma, const float *beta, float eps,
        size_t t, size_t n, unsigned code_max, uint8_t *codes, float *scales);
    /* Codes of x (T, n) around the middle. */
    void (*quantise)(const float *x, size_t t, size_t n, unsigned code_max,
        uint8_t *codes, float *scales);
    /* Codes of x (T, n) above `low`, under which nothing of x lies. */
    void (*quantise_half)(const uint16_t *x, float low, size_t t, size_t n,
        unsigned code_max, uint8_t *codes, float *scales);

    /*
     * One head of one sequence: out (Q, D) = softmax2(q k^T) v, where
     * softmax2 is 2^(s - max) over its sum: the queries carry log2(e) / sqrt D.
     * q (Q, D), k and v (L, D) are in state_bytes, rows `stride` apart.
     * scratch: attend_bytes(L, D), 64-byte aligned.
     */
    void (*attend)(const void *q, size_t q_stride, size_t queries,
        const void *k, const void *v, size_t stride, size_t len, size_t d,
        float *out, size_t out_stride, void *scratch);
    size_t (*attend_bytes)(size_t len, size_t d);

    /* y (T, out) = x (T, in), rounded to bf16, * w^T, summed in fp32. */
    void (*multiply_bf16)(
        const struct wn_b16 *w, const float *x, size_t t, float *y);
};

/* The fastest table that this CPU runs and cap allows. */
const struct wn_kernels *wn_kernels_get(enum wn_isa cap);
/* A table by its name, NULL where this CPU or this build has it not: tests. */
const struct wn_kernels *wn_kernels_of(enum wn_isa isa);

/* Whether an encoder of that shape can run in int8. */
bool wn_kernels_fit(size_t hidden, size_t heads, size_t ffn);

/*
 * Packs w (out, in) and b (out). depth 1 or 2: more precision or more speed
 * where the table's products can saturate. above: the input is coded above
 * `low`. Where a 16-bit lane of a channel could leave its range with codes up
 * to code_max, that channel's scale is raised until none can.
 *
 * Owns:  the caller releases it with wn_q8_release().
 * Fails: WN_REJECT: a weight is not finite; WN_STOP: out of memory.
 */
enum wn_status wn_q8_pack(struct wn_q8 *ret, const struct wn_kernels *k,
    unsigned depth, const float *w, const float *b, size_t out, size_t in,
    bool above, float low, struct wn_err *err);
void wn_q8_release(struct wn_q8 *q);
/* Rounds w (out, in) to the nearest bf16; otherwise the same. */
enum wn_status wn_b16_pack(struct wn_b16 *ret, const float *w, size_t out,
    size_t in, struct wn_err *err);
void wn_b16_release(struct wn_b16 *b);

#endif
