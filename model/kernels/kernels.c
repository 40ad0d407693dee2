/* Asks the CPU once which tables it runs. */
#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <pthread.h>

#include "model/kernels/kernels_int.h"

const char *const wn_isa_names[WN_ISAS] = {
    [WN_ISA_REF] = "ref",
    [WN_ISA_AVX2] = "avx2",
    [WN_ISA_AVXVNNI] = "avxvnni",
    [WN_ISA_AVX512VNNI] = "avx512vnni",
};

static const struct wn_kernels *tables[WN_ISAS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

#ifdef __x86_64__
/* __builtin_cpu_supports() has no names for these two. Whether the system saves
 * the wide registers is what it answers for AVX2. */
static bool
has_f16c(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 29 & 1) != 0;
}

static bool
has_avxvnni(void)
{
    unsigned a, b, c, d;

    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) != 0;
}

static void
ask_x86(void)
{
    bool avx2 = __builtin_cpu_supports("avx2") &&
                __builtin_cpu_supports("fma") && has_f16c();
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                  __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl") &&
                  __builtin_cpu_supports("avx512vnni");

    if (avx2)
        tables[WN_ISA_AVX2] = &wn_kernels_avx2;
    if (avx2 && has_avxvnni())
        tables[WN_ISA_AVXVNNI] = &wn_kernels_avxvnni;
    else if (avx512)
        tables[WN_ISA_AVXVNNI] = &wn_kernels_avx512vl;
    if (avx512)
        tables[WN_ISA_AVX512VNNI] = __builtin_cpu_supports("avx512bf16")
                                        ? &wn_kernels_avx512bf16
                                        : &wn_kernels_avx512vnni;
}
#endif

static void
ask(void)
{
    tables[WN_ISA_REF] = &wn_kernels_ref;
#ifdef __x86_64__
    ask_x86();
#endif
}

const struct wn_kernels *
wn_kernels_of(enum wn_isa isa)
{
    pthread_once(&once, ask);
    return tables[isa];
}

const struct wn_kernels *
wn_kernels_get(enum wn_isa cap)
{
    int isa = cap;

    while (wn_kernels_of((enum wn_isa)isa) == NULL)
        isa--; /* the reference is always there */
    return tables[isa];
}

bool
wn_kernels_fit(size_t hidden, size_t heads, size_t ffn)
{
    return hidden % 64 == 0 && ffn % 64 == 0 && hidden % heads == 0 &&
           hidden / heads % 32 == 0 && hidden / heads <= WN_HEAD_MAX;
}
