/*
 * What `winnow model export`, `import` and `prune` share: the folder that they
 * read and the one that they make. One thread.
 */
#ifndef WN_CMD_MODEL_FOLDER_H
#define WN_CMD_MODEL_FOLDER_H

#include <limits.h>

#include <jansson.h>

#include "cmd/train_int.h"
#include "model/bert.h"
#include "model/encoder.h"
#include "model/tokenizer.h"

/* A folder that is read: its encoder in fp32. */
struct wn_model_source {
    struct wn_encoder *encoder;
    struct wn_tokenizer *tokenizer;
    json_t *config; /* config.json */
};

/* dir: of the tokenizer's files, weights_dir: of the others. WN_REJECT: what is
 * wrong with which file. Released in any case. */
enum wn_status wn_model_source_open(struct wn_model_source *s,
    const char *weights_dir, const char *dir, struct wn_err *err);
void wn_model_source_release(struct wn_model_source *s);
/* Prints what is wrong with dir; the exit status. */
int wn_model_fail_in(const char *dir, const struct wn_err *err);

/* A folder that is made: whole at its name, or not at all. */
struct wn_model_out {
    struct wn_train_conf_cmd place;
    char dir[PATH_MAX]; /* where it is made */
    bool begun;
};

/* WN_REJECT where something stands at `out` that is no empty folder. */
enum wn_status wn_model_out_begin(
    struct wn_model_out *o, const char *out, struct wn_err *err);
/* config.json, or another small file. */
enum wn_status wn_model_out_json(const struct wn_model_out *o, const char *name,
    const json_t *json, struct wn_err *err);
/* tokenizer.json, and what makes the transformers library take it as it is. */
enum wn_status wn_model_out_tokenizer(const struct wn_model_out *o,
    const json_t *tokenizer, size_t tokens_max, struct wn_err *err);
/* Opens what was made as any other folder, and puts it at its place. */
enum wn_status wn_model_out_end(struct wn_model_out *o, struct wn_err *err);
/* What was begun and not ended goes. */
void wn_model_out_release(struct wn_model_out *o);

/* "12 layers, width 384, 12 heads, ffn 1536, 512 positions, 77276 words" */
void wn_model_put_shape(
    struct wn_buf *b, const struct wn_encoder_shape *s, size_t layers);

#endif
