/* What loading, running and writing an encoder share. */
#ifndef WN_MODEL_ENCODER_INT_H
#define WN_MODEL_ENCODER_INT_H

#include "model/config.h"
#include "model/encoder.h"
#include "model/ops.h"
#include "model/safetensors_int.h"

/* A linear layer: y (T, out) = x (T, in) * w (out, in)^T + b (out). Of an int8
 * layer q is packed, of a bf16 layer h, and w is NULL. */
struct wn_linear {
    float *w, *b;
    size_t out, in;
    struct wn_q8 q;
    struct wn_b16 h;
};
struct wn_norm {
    float *gamma, *beta;
};
struct wn_layer {
    struct wn_linear qkv; /* query, key and value in one matrix (3H, H) */
    struct wn_linear attn_out, ffn_in, ffn_out;
    struct wn_norm attn_norm, ffn_norm;
    enum wn_precision precision;
};

struct wn_encoder {
    struct wn_config conf;
    struct wn_safetensors *file;
    bool *used;      /* of the file's tensors: is it one of this network? */
    char prefix[16]; /* "bert.", "distilbert.", ... before every name */
    const struct wn_ops *ops;
    const struct wn_kernels *kernels;
    char runs_on[64];

    /* The word table stays in the mapping, in its own type: a batch reads a
     * few of its rows. scale has one number a row where it is I8. */
    const struct wn_tensor *words, *words_scale;
    float *positions; /* (positions, H) with the row of token type 0 added;
                         before it position_first more, unused */
    struct wn_norm norm;
    struct wn_layer *layers;
    /* Classification: pooler (BERT), pre_classifier (DistilBERT) or dense
     * (RoBERTa), and what follows it. */
    struct wn_linear pooler, classifier;

    float *floats; /* every number above but the words and what is packed, one
                      allocation */
    size_t floats_n, floats_max;
};

struct wn_workspace {
    char *block;    /* the one allocation that the rest points into  */
    float *x;       /* (T, H)                                        */
    float *y;       /* (T, H): attention's and FFN's output          */
    float *qkv;     /* (T, 3H), of int8 layers in state_bytes        */
    float *ffn;     /* (T, F or H), of int8 layers half and codes    */
    float *scores;  /* (S, S), S the longest sequence; or attend()'s */
    uint8_t *codes; /* (T, H)                                       */
    float *scales;  /* (T)                                          */
    float *pooled;  /* (T, H) of exits                              */
    size_t tokens_max;
    /* The batch as it is now: what has left is not in it. */
    size_t *offsets, *who, n; /* (T + 1), (T) */
    bool *keep;               /* (T) */
    unsigned coded; /* code_max of the codes that are those of x; 0: none */
    bool rows;      /* x has one row a sequence, offsets are those of before */
};

#define WN_TENSOR_NAME_MAX 160 /* bytes of a name of ours, with its NUL */

/* What BERT calls this network's tensor `name`, without a prefix, and which
 * layer it is of, SIZE_MAX if of none. False: it is of no layer and no
 * embedding. */
bool wn_encoder_bert_name(const struct wn_encoder *e, const char *name,
    char ret[WN_TENSOR_NAME_MAX], size_t *ret_layer);

/* Fills e from e->conf and e->file. */
enum wn_status wn_encoder_load(
    struct wn_encoder *e, enum wn_precision precision, struct wn_err *err);

/* x (T, H) through an int8 layer; `last`: only the first row of each sequence
 * is asked for, so that x is (n, H) afterwards. */
void wn_encoder_run_int8(const struct wn_encoder *e, const struct wn_layer *l,
    struct wn_workspace *w, bool last);
/* Packs what was loaded into l->w (a part of the caller's scratch). */
enum wn_status wn_encoder_pack(const struct wn_encoder *e, struct wn_linear *l,
    enum wn_precision precision, bool after_activation, struct wn_err *err);

#endif
