/*
 * What the files of `winnow model` share: model.c takes the arguments, and
 * each verb has a file. All return the exit status and print what is wrong.
 */
#ifndef WN_CMD_MODEL_INT_H
#define WN_CMD_MODEL_INT_H

#include "cmd/data.h"
#include "core/options.h"
#include "model/safetensors.h"

/* model_info.c: what is in a folder of weights. */
int wn_model_info(const char *dir, bool json);

/* model_compare.c: whether the second is not worse on labelled texts. */
struct wn_compare {
    const char *model[2];     /* folder of weights, or file of scores */
    const char *const *files; /* the texts */
    size_t files_n, threads;
    const struct wn_data *data; /* the texts, in place of files; or NULL */
    size_t neg_min; /* of a head, to call it tested; 0: as the help says */
    double kind_drop;
    const char *json; /* NULL: none */
};
int wn_model_compare(const struct wn_compare *c, const struct wn_options *o);

/* model_card.c: the tables of dir/README.md from dir/metrics.json. */
int wn_model_card(const char *dir, bool print);

/* model_export.c: the encoder of weights with a head of theirs as a folder
 * that the transformers library loads. */
struct wn_model_export {
    const char *dir, *out;
    enum wn_dtype dtype; /* WN_F32 or WN_F16 */
    size_t exit;         /* layers; 0: all   */
};
int wn_model_export(const struct wn_model_export *asked);

/* model_import.c: a folder of any family that we know as a base of `winnow
 * train`. map: a JSON file of names of tensors, or NULL. */
int wn_model_import(const char *dir, const char *out, const char *map);

/* model_prune.c: a base with fewer layers, or fewer words. */
struct wn_model_prune {
    const char *dir, *out;
    size_t layers;     /* that many from below; 0: unsaid   */
    const char *keep;  /* or these, "0,1,2"; NULL: unsaid   */
    const char **data; /* (data_n) texts that say which words stay; 0: all */
    size_t data_n, min_count, keep_first;
    bool keep_chars;
};
int wn_model_prune(const struct wn_model_prune *asked);

/* model_live.c: the weights that workers run. */
struct wn_model_live {
    const char *dir;            /* NULL: roll back                     */
    const char *staff, *reason; /* NULL: not said                      */
    size_t wait_s;              /* for the workers to say that they do */
    const struct wn_options *options;
};
int wn_model_activate(const struct wn_model_live *a);
int wn_model_history(const struct wn_options *o, size_t max, bool json);

/* model_shadow.c: how model.shadow's scores differ from those acted on. */
int wn_model_shadow(const struct wn_options *o, size_t examples_max, bool json);

#endif
