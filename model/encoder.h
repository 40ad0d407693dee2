/*
 * A transformer encoder of the BERT shape: in int8 by our own kernels, or in
 * fp32 on OpenBLAS, which is what int8 is measured against.
 *
 * Loads any Hugging Face folder of BERT, MiniLM, DistilBERT, RoBERTa or XLM-R
 * (config.json + model.safetensors, fp32/fp16/bf16, or our own int8 with fp32
 * scales): sentence-embedding and sequence-classification. Weights are
 * read-only and shared; each thread has its own workspace.
 *
 * Rows are packed back to back without padding: a batch is n sequences in one
 * array of tokens, offsets[i] .. offsets[i + 1] being sequence i; attention is
 * block-diagonal. Shapes below: T tokens, H hidden.
 */
#ifndef WN_MODEL_ENCODER_H
#define WN_MODEL_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "model/kernels/kernels.h"
#include "model/safetensors.h"

enum wn_pooling { WN_POOL_MEAN, WN_POOL_CLS };

/* Of a layer's products, finest first. bf16 is fp32's flow with products of
 * inputs and weights rounded to bf16. Both int8 are the same where the CPU has
 * VNNI; on AVX2 alone the fine one has codes of 8 bits for 7, at five sixths
 * of the speed. A shape that the kernels do not fit runs in fp32. */
enum wn_precision {
    WN_FP32,
    WN_BFLOAT16,
    WN_INT8_FINE,
    WN_INT8,
    WN_PRECISIONS
};
extern const char *const wn_precision_names[WN_PRECISIONS];

struct wn_encoder_conf {
    enum wn_isa isa; /* at most */
    /* Of layers that the folder's "winnow": {"precision": [...]} does not
     * ask more for; WN_FP32: of all. */
    enum wn_precision precision;
};

struct wn_encoder_shape {
    size_t layers, hidden, heads, ffn, positions, types, vocab;
    size_t labels; /* of its own classification head; 0 where it has none */
    size_t vocab_lines; /* of vocab.txt, as training saw it; 0 where unsaid */
    enum wn_pooling pooling;
};

struct wn_encoder;
struct wn_workspace;

/* WN_REJECT: which file and member is wrong. Checks every shape. conf NULL: all
 * in fp32. */
enum wn_status wn_encoder_open(struct wn_encoder **ret, const char *dir,
    const struct wn_encoder_conf *conf, struct wn_err *err);
void wn_encoder_free(struct wn_encoder *e);
const struct wn_encoder_shape *wn_encoder_shape(const struct wn_encoder *e);
/* What it runs on: "avx512vnni int8", "fp32", ... At most 64 bytes. */
const char *wn_encoder_kernels(const struct wn_encoder *e);
/* The weight file, for tensors beside the encoder's (heads, n-grams). */
const struct wn_safetensors *wn_encoder_file(const struct wn_encoder *e);

/* Scratch for at most tokens_max tokens a call; wn_encoder_run() does not
 * call malloc. */
enum wn_status wn_workspace_new(struct wn_workspace **ret,
    const struct wn_encoder *e, size_t tokens_max, struct wn_err *err);
void wn_workspace_free(struct wn_workspace *w);

/*
 * ids (T), offsets (n + 1) with offsets[0] = 0 and offsets[n] = T <=
 * tokens_max, each sequence 1 .. positions tokens with its special ones.
 * pooled (n, H) gets the mean over rows or the first row. hidden_out (T, H)
 * may be NULL.
 */
void wn_encoder_run(const struct wn_encoder *e, struct wn_workspace *w,
    const int32_t *ids, const size_t *offsets, size_t n, float *pooled,
    float *hidden_out);

/*
 * The same for sequences that may be settled before the last layer. After each
 * layer l (from 0) with bit l of `after`, ask() gets the pooled rows (n, H) of
 * the sequences that are still in, who[i] being their number in the batch, and
 * clears keep[i] of those that are settled: what it saw is then their result,
 * and the layers that follow do not compute them.
 */
#define WN_EXIT_LAYER_MAX 64 /* bits of after */
struct wn_exits {
    uint64_t after;
    void (*ask)(void *arg, size_t layer, const float *pooled, const size_t *who,
        size_t n, bool *keep);
    void *arg;
};
void wn_encoder_run_exits(const struct wn_encoder *e, struct wn_workspace *w,
    const int32_t *ids, const size_t *offsets, size_t n,
    const struct wn_exits *exits, float *pooled);

/* Logits (n, labels) of the folder's own classification head from hidden
 * (T, H); labels > 0. */
void wn_encoder_logits(const struct wn_encoder *e, struct wn_workspace *w,
    const float *hidden, const size_t *offsets, size_t n, float *logits);

/* Copies the folder's encoder tensors as int8 per output channel with fp32
 * scales ("<name>" I8 and "<name>.scale" F32; vectors stay F32) to dir, with
 * `extra` tensors beside them (heads, n-grams), as model.safetensors. */
enum wn_status wn_encoder_write_int8(const struct wn_encoder *e,
    const char *dir, const struct wn_tensor *extra, size_t extra_n,
    struct wn_err *err);

#endif
