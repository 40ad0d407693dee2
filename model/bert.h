/*
 * An encoder written down as a BERT: one set of names, positions from 0, one
 * table of types, whatever family its folder is of. All of it or a part: some
 * layers, some words.
 *
 * Rows and layers are copied, not computed: what is written as F32 or in the
 * dtype that it has is the same number. int8 comes out as what
 * wn_encoder_open() reads from it in fp32.
 */
#ifndef WN_MODEL_BERT_H
#define WN_MODEL_BERT_H

#include <jansson.h>

#include "model/encoder.h"

struct wn_bert {
    const size_t *layers; /* (layers_n), ascending; NULL: all */
    size_t layers_n;
    const int32_t *words; /* (words_n): which rows of the word table; NULL:
                             all */
    size_t words_n;
    /* WN_F32 or WN_F16; NULL: F16 stays F16, all else becomes F32. */
    const enum wn_dtype *dtype;
    const char *prefix;            /* before every name of the encoder */
    const struct wn_tensor *extra; /* (extra_n) behind them, F32       */
    size_t extra_n;
};

/* What a file has that is not written: heads of other tasks, buffers. */
struct wn_bert_rest {
    size_t n;
    const char *example; /* the encoder's; NULL where n is 0 */
};

/*
 * Writes dir/model.safetensors; rest may be NULL. WN_REJECT: a number that is
 * none or does not fit the dtype, with its tensor's name.
 */
enum wn_status wn_bert_write(const struct wn_encoder *e, const char *dir,
    const struct wn_bert *b, struct wn_bert_rest *rest, struct wn_err *err);

/*
 * config.json of that file: sizes, and of the folder's own config.json what
 * else the network or its tokens depend on. The caller's json_decref(); NULL
 * without memory.
 */
json_t *wn_bert_config(
    const struct wn_encoder *e, const json_t *config, const struct wn_bert *b);

#endif
