/* The same arithmetic for CPUs with AVX2 and FMA: see the Makefile. */
#define OPS wn_net_ops_avx2
#include "model/train/net.inc"
