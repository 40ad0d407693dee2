/*
 * What this core can do at most: register-only loops over the instructions
 * that matrix products are made of. Prints one JSON line of G operations a
 * second (a multiply and an add are two), a member for each that the CPU has:
 *
 *   vpdpbusd_zmm, vpdpbusd_ymm (AVX-VNNI)  int8
 *   vdpbf16ps_zmm                          bf16
 *   vfmadd231ps_zmm, vfmadd231ps_ymm       fp32
 *   maddubs_depth1                         int8 on AVX2: vpmaddubsw widened
 *                                          by vpmaddwd at once
 *   maddubs_depth2                         two of them summed in 16 bits first
 *
 * Each is the best of ROUNDS short runs in CPU time, which take turns. Enough
 * accumulators hide every latency; assembler keeps the compiler from folding
 * or spilling. Operands are zero: they cost as much as others and no
 * denormal or overflow can come of them.
 */
#include <cpuid.h>
#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#define ROUNDS 7
#define RUN_STEPS 1000000

#define EACH_4(X, insn, from)                                                  \
    X(insn, from) X(insn, from + 1) X(insn, from + 2) X(insn, from + 3)
#define EACH_8(X, insn, from) EACH_4(X, insn, from) EACH_4(X, insn, from + 4)
#define EACH_12(X, insn) EACH_8(X, insn, 0) EACH_4(X, insn, 8)
#define EACH_24(X, insn)                                                       \
    EACH_8(X, insn, 0) EACH_8(X, insn, 8) EACH_8(X, insn, 16)

#define ONE(insn, i) __asm__ volatile(insn " %1,%1,%0" : "+v"(c[i]) : "v"(a));

#define PROBE(name, isa, type, n_acc, insn)                                    \
    __attribute__((target(isa))) static void name(void)                        \
    {                                                                          \
        type c[n_acc] = { 0 }, a = { 0 };                                      \
                                                                               \
        for (int i = 0; i < RUN_STEPS; i++) {                                  \
            EACH_##n_acc(ONE, insn)                                            \
        }                                                                      \
    }
PROBE(dpbusd_zmm, "avx512f", __m512i, 24, "vpdpbusd")
PROBE(dpbf16_zmm, "avx512f", __m512, 24, "vdpbf16ps")
PROBE(fma_zmm, "avx512f", __m512, 24, "vfmadd231ps")
PROBE(dpbusd_ymm, "avx2", __m256i, 12, "%{vex%} vpdpbusd")
PROBE(fma_ymm, "avx2", __m256, 12, "vfmadd231ps")

/* Two accumulators a step, interleaved: the order that is fastest on Zen 4. */
#define MADD_2(first, i)                                                       \
    __asm__ volatile(first "vpmaddwd %[ones],%[t],%[t]\n\t"                    \
                           "vpmaddwd %[ones],%[u],%[u]\n\t"                    \
                           "vpaddd %[t],%[c],%[c]\n\t"                         \
                           "vpaddd %[u],%[d],%[d]"                             \
                     : [c] "+x"(c[i]), [d] "+x"(c[i + 4]), [t] "=&x"(t),       \
                     [u] "=&x"(u), [v] "=&x"(v), [w] "=&x"(w)                  \
                     : [a] "x"(a), [b] "x"(b), [ones] "x"(ones));
#define DEPTH1                                                                 \
    "vpmaddubsw %[b],%[a],%[t]\n\t"                                            \
    "vpmaddubsw %[b],%[a],%[u]\n\t"
#define DEPTH2                                                                 \
    DEPTH1                                                                     \
    "vpmaddubsw %[b],%[a],%[v]\n\t"                                            \
    "vpmaddubsw %[b],%[a],%[w]\n\t"                                            \
    "vpaddw %[v],%[t],%[t]\n\t"                                                \
    "vpaddw %[w],%[u],%[u]\n\t"

#define PROBE_MADD(name, first)                                                \
    __attribute__((target("avx2"))) static void name(void)                     \
    {                                                                          \
        __m256i c[8] = { 0 }, a = { 0 }, b = { 0 }, ones = { 0 }, t, u, v, w;  \
                                                                               \
        for (int i = 0; i < RUN_STEPS; i++) {                                  \
            EACH_4(MADD_2, first, 0)                                           \
        }                                                                      \
    }
PROBE_MADD(madd_depth1, DEPTH1)
PROBE_MADD(madd_depth2, DEPTH2)

static const struct probe {
    const char *name;
    void (*run)(void);
    double ops; /* of one step */
} probes[] = {
    { "vpdpbusd_zmm", dpbusd_zmm, 24 * 128 },
    { "vdpbf16ps_zmm", dpbf16_zmm, 24 * 64 },
    { "vfmadd231ps_zmm", fma_zmm, 24 * 32 },
    { "vpdpbusd_ymm", dpbusd_ymm, 12 * 64 },
    { "vfmadd231ps_ymm", fma_ymm, 12 * 16 },
    { "maddubs_depth1", madd_depth1, 8 * 64 },
    { "maddubs_depth2", madd_depth2, 8 * 128 },
};
#define PROBES (sizeof(probes) / sizeof(probes[0]))

/* A bit of CPUID 7.1 EAX, which not every compiler knows by name. */
static bool
cpu_has_71(unsigned bit)
{
    unsigned eax, ebx, ecx, edx;

    return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && eax >> bit & 1;
}

static bool
cpu_has(const struct probe *p)
{
    if (p->run == dpbusd_zmm)
        return __builtin_cpu_supports("avx512vnni");
    if (p->run == dpbf16_zmm)
        return __builtin_cpu_supports("avx512f") && cpu_has_71(5);
    if (p->run == fma_zmm)
        return __builtin_cpu_supports("avx512f");
    if (p->run == dpbusd_ymm)
        return __builtin_cpu_supports("avx2") && cpu_has_71(4);
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static double
cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(void)
{
    double best[PROBES] = { 0 }, t;
    const char *before = "{";

    for (int r = 0; r < ROUNDS; r++) {
        for (size_t i = 0; i < PROBES; i++) {
            if (!cpu_has(&probes[i]))
                continue;
            t = cpu_s();
            probes[i].run();
            t = probes[i].ops * RUN_STEPS / (cpu_s() - t) / 1e9;
            if (t > best[i])
                best[i] = t;
        }
    }
    for (size_t i = 0; i < PROBES; i++) {
        if (best[i] > 0) {
            printf("%s\"%s\":%.1f", before, probes[i].name, best[i]);
            before = ",";
        }
    }
    printf("%s}\n", before[0] == '{' ? "{" : "");
    return 0;
}
