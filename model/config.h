/*
 * config.json of a Hugging Face folder, and the small JSON files beside it:
 * bytes become structs here and nowhere else in model/ but the weight file
 * and the tokenizer's own settings.
 */
#ifndef WN_MODEL_CONFIG_H
#define WN_MODEL_CONFIG_H

#include <stdbool.h>

#include <jansson.h>

#include "core/status.h"
#include "model/encoder.h"
#include "model/kernels/kernels.h"

#define WN_LAYERS_MAX 128

/* Whose names the folder has. RoBERTa, and so XLM-R, is BERT with positions
 * that begin behind the padding's, and another head. */
enum wn_family { WN_BERT, WN_DISTILBERT, WN_ROBERTA };

struct wn_config {
    struct wn_encoder_shape shape; /* labels: of id2label, 0 where none */
    enum wn_activation activation;
    float norm_eps;
    /* "winnow": {"precision": [...]}, a word a layer: the least that each asks
     * for; WN_INT8 where nothing is said. */
    enum wn_precision precision[WN_LAYERS_MAX];
    enum wn_family family;
    size_t position_first; /* the row of the first token's position; the shape's
                              positions are those from there on */
};

/* WN_REJECT: which member is missing, wrong or not supported. */
enum wn_status wn_config_read(
    struct wn_config *ret, const char *dir, struct wn_err *err);

/*
 * dir/file parsed: an object or a list. *ret stays NULL where there is no
 * such file and `optional`; otherwise the caller's json_decref().
 */
enum wn_status wn_config_load_json(json_t **ret, const char *dir,
    const char *file, bool optional, struct wn_err *err);

#endif
