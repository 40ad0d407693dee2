/* The same 256-bit code in the encoding of AVX-512, for machines that have no
 * other: what option kernels.isa=avxvnni gives there. */
#define DPBUSD "vpdpbusd"
#define TABLE_NAME wn_kernels_avx512vl
#include "model/kernels/kernels_avxvnni.inc"
