/* What loading, running and writing an encoder share. */
#ifndef WN_MODEL_ENCODER_INT_H
#define WN_MODEL_ENCODER_INT_H

#include "model/config.h"
#include "model/encoder.h"
#include "model/ops.h"
#include "model/safetensors_int.h"

/* A linear layer: y (T, out) = x (T, in) * w (out, in)^T + b (out). */
struct wn_linear {
    float *w, *b;
    size_t out, in;
};
struct wn_norm {
    float *gamma, *beta;
};
struct wn_layer {
    struct wn_linear qkv; /* query, key and value in one matrix (3H, H) */
    struct wn_linear attn_out, ffn_in, ffn_out;
    struct wn_norm attn_norm, ffn_norm;
};

struct wn_encoder {
    struct wn_config conf;
    struct wn_safetensors *file;
    bool *used;      /* of the file's tensors: is it one of this network? */
    char prefix[16]; /* "bert.", "distilbert." or "" before every name */
    const struct wn_ops *ops;

    /* The word table stays in the mapping, in its own type: a batch reads a
     * few of its rows. scale has one number a row where it is I8. */
    const struct wn_tensor *words, *words_scale;
    float *positions; /* (positions, H) with the row of token type 0 added */
    struct wn_norm norm;
    struct wn_layer *layers;
    /* Classification: pooler (BERT) or pre_classifier (DistilBERT). */
    struct wn_linear pooler, classifier;

    float *floats; /* every number above but the words, one allocation */
    size_t floats_n, floats_max;
};

struct wn_workspace {
    float *block;  /* the one allocation that the rest points into */
    float *x;      /* (T, H)                                       */
    float *y;      /* (T, H): attention's and FFN's output         */
    float *qkv;    /* (T, 3H)                                      */
    float *ffn;    /* (T, F)                                       */
    float *scores; /* (S, S), S the longest sequence               */
    size_t tokens_max;
};

/* Fills e from e->conf and e->file. */
enum wn_status wn_encoder_load(struct wn_encoder *e, struct wn_err *err);

#endif
