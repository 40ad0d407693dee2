/*
 * The encoder as training sees it: the forward pass that keeps what the
 * backward pass needs, the gradients of every number in it, and AdamW.
 *
 * BERT's shape (post-norm, GELU by erf, mean pooling), with exits: after given
 * numbers of layers the mean over a sequence's rows goes through a linear head
 * of its own. Sequences are packed back to back, as in encoder.h.
 *
 * Work is cut into tasks whose sizes do not depend on the number of threads,
 * and every sum has one order: a seed gives the same weights to the bit,
 * whatever the number of threads. Shapes: T tokens, H hidden, F inside of the
 * feed-forward part, O outputs of an exit.
 *
 * The tests build the same source over double (REAL), to compare its gradients
 * with differences.
 */
#ifndef WN_MODEL_TRAIN_NET_H
#define WN_MODEL_TRAIN_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "model/train/pool.h"

#ifndef REAL
#define REAL float
#endif

#define WN_NET_EXITS_MAX 4
#define WN_NET_OUT_MAX 16

struct wn_net_shape {
    size_t layers, hidden, heads, ffn, positions, vocab;
    size_t types; /* of tokens: for the file alone */
    double norm_eps;
    size_t out; /* of each exit */
    /* Exit e reads what after[e] layers leave, ascending; the last reads all.
     */
    size_t exits, after[WN_NET_EXITS_MAX];
    size_t tokens_max; /* of a batch */
};

/* One set of numbers of the network: its weights, or their gradients. */
struct wn_net_layer {
    REAL *qkv_w, *qkv_b;     /* (3H, H): query, key, value */
    REAL *proj_w, *proj_b;   /* (H, H)                     */
    REAL *norm1_g, *norm1_b; /* (H)                        */
    REAL *up_w, *up_b;       /* (F, H)                     */
    REAL *down_w, *down_b;   /* (H, F)                     */
    REAL *norm2_g, *norm2_b;
};
struct wn_net_tensors {
    REAL *block; /* all below, back to back */
    size_t n;
    REAL *positions; /* (positions, H), token type 0 added */
    REAL *norm_g, *norm_b;
    struct wn_net_layer *layer;
    REAL *exit_w[WN_NET_EXITS_MAX]; /* (O, H) */
    REAL *exit_b[WN_NET_EXITS_MAX]; /* (O)    */
};

/* A tensor of the block, for who walks over all of them. */
struct wn_net_part {
    size_t at, n;
    size_t depth; /* 0: embeddings, i: layer i, layers + 1: exits */
    bool decays;  /* a matrix */
};

struct wn_net {
    struct wn_net_shape shape;
    struct wn_net_tensors w, g, m, v; /* m, v: AdamW's moments */
    struct wn_net_part *parts;
    size_t parts_n;
    /* The word table apart: a batch touches a few of its rows, so gradients
     * are kept for those alone. */
    REAL *words, *words_m, *words_v; /* (vocab, H)                        */
    REAL *words_g;                   /* (tokens_max, H), of touched[]     */
    int32_t *touched, *slot;         /* (tokens_max); (vocab), -1 if not  */
    size_t touched_n;
    uint64_t steps; /* of AdamW */
    struct wn_pool *pool;
    struct wn_net_scratch *scratch;
    struct wn_bf16_net *bf16; /* NULL: products are in fp32 */
};

struct wn_net_batch {
    const int32_t *ids;
    const size_t *offsets; /* (n + 1) */
    size_t n;
    double dropout; /* share, 0: none */
    uint64_t key;   /* of dropout's random numbers: another one each step */
};

/* All weights 0, all norms 1 and 0. The pool stays the caller's. */
enum wn_status wn_net_new(struct wn_net **ret, const struct wn_net_shape *shape,
    struct wn_pool *pool, struct wn_err *err);
void wn_net_free(struct wn_net *net); /* accepts NULL */

/* Whether this CPU has bf16 (AVX512-BF16) and the shape suits it: hidden and
 * ffn are multiples of 32. */
bool wn_net_bf16_fits(const struct wn_net_shape *shape);
/*
 * From now on what goes into the products with the layers' matrices is rounded
 * to bf16, forward and back, and summed in fp32. Weights, moments, gradients
 * and all between products stay fp32, so a checkpoint is the same file.
 *
 * Fails: WN_REJECT: it does not fit; WN_STOP: out of memory.
 */
enum wn_status wn_net_bf16(struct wn_net *net, struct wn_err *err);

/* logits (exits, n, O) */
void wn_net_forward(
    struct wn_net *net, const struct wn_net_batch *batch, REAL *logits);
/* After the forward pass of the same batch: adds the gradients of
 * sum(dlogits * logits) to net->g and words_g. Layers below `first` (and the
 * embeddings, unless first is 0) get none. */
void wn_net_backward(struct wn_net *net, const struct wn_net_batch *batch,
    const REAL *dlogits, size_t first);

struct wn_adamw {
    double beta1, beta2, eps;
    double decay; /* decoupled: w -= rate * decay * w, matrices alone */
    double rate;  /* of exits and the last layer */
    double fall;  /* rate * fall^k for what is k layers further down  */
    double clip;  /* largest norm of all gradients; 0: none           */
    size_t first; /* layers below stay as they are */
    bool words;   /* the word table learns too */
};
/* One step with the gradients at hand (AdamW, Loshchilov & Hutter 2019, with
 * bias correction), which are 0 afterwards. Returns their norm before
 * clipping. */
double wn_net_step(struct wn_net *net, const struct wn_adamw *conf);
void wn_net_zero(struct wn_net *net);

#endif
