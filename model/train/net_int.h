/* What the files of the network share. */
#ifndef WN_MODEL_TRAIN_NET_INT_H
#define WN_MODEL_TRAIN_NET_INT_H

#include "model/train/bf16.h"
#include "model/train/net.h"

/* tokens of a task, columns of a gradient's task */
#define WN_NET_ROWS WN_BF16_BLOCK
#define WN_NET_SLICE 65536 /* numbers of a task of AdamW */

/* The matrices of a layer. */
enum wn_net_matrix {
    WN_NET_QKV,
    WN_NET_PROJ,
    WN_NET_UP,
    WN_NET_DOWN,
    WN_NET_MATRICES
};

/* What a layer leaves for the backward pass. hat: a norm's input, centred and
 * scaled; inv: 1 / its deviation. */
struct wn_net_acts {
    REAL *qkv, *probs, *ctx;
    REAL *hat1, *inv1, *mid; /* mid: what the first norm gives */
    REAL *pre, *act;         /* (T, F): before and after GELU  */
    REAL *hat2, *inv2, *out;
};

struct wn_net_scratch {
    REAL *block;
    size_t block_n;
    REAL *emb_hat, *emb_inv, *emb; /* emb: what layer 0 reads */
    struct wn_net_acts *acts;
    REAL *pooled;  /* (exits, T, H) */
    REAL *dpooled; /* the same      */
    /* Of the layer at hand, going back. */
    REAL *dx, *dmid, *ddown, *dpre, *dproj, *dctx, *dqkv;
    REAL *norm_sums; /* (tasks, 4, H): of both norms, g and b */
    REAL *square;    /* (threads, 2, S, S) of attention        */
    size_t square_n, chunks_max, slices;
    double *slice_sums; /* (slices + tokens_max) */
    size_t *probs_at;   /* (T + 1): where a sequence's probs begin */
    uint32_t *place;    /* (T): place of a token in its sequence   */
    uint32_t *seq;      /* (T): which sequence it is in            */
};

/* The same three in plain C and for AVX2. */
struct wn_net_ops {
    void (*forward)(
        struct wn_net *net, const struct wn_net_batch *batch, REAL *logits);
    void (*backward)(struct wn_net *net, const struct wn_net_batch *batch,
        const REAL *dlogits, size_t first);
    double (*step)(struct wn_net *net, const struct wn_adamw *conf);
};
extern const struct wn_net_ops wn_net_ops_base;
#ifdef __x86_64__
extern const struct wn_net_ops wn_net_ops_avx2;
#endif

#endif
