/* AVX-VNNI: the short (VEX) encoding, on machines without AVX-512 too. */
#define DPBUSD "%{vex%} vpdpbusd"
#define TABLE_NAME wn_kernels_avxvnni
#include "model/kernels/kernels_avxvnni.inc"
