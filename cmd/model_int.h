/*
 * What the files of `winnow model` share: model.c takes the arguments, and
 * each verb has a file. All return the exit status and print what is wrong.
 */
#ifndef WN_CMD_MODEL_INT_H
#define WN_CMD_MODEL_INT_H

#include "core/options.h"

/* model_info.c: what is in a folder of weights. */
int wn_model_info(const char *dir, bool json);

/* model_compare.c: whether the second is not worse on labelled texts. */
struct wn_compare {
    const char *model[2];     /* folder of weights, or file of scores */
    const char *const *files; /* the texts */
    size_t files_n, threads;
    double kind_drop;
    const char *json; /* NULL: none */
};
int wn_model_compare(const struct wn_compare *c, const struct wn_options *o);

/* model_card.c: the tables of dir/README.md from dir/metrics.json. */
int wn_model_card(const char *dir, bool print);

#endif
