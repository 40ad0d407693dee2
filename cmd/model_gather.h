/*
 * One model.safetensors from what a folder has: shards become one file, and
 * tensors get the names that they are known by.
 */
#ifndef WN_CMD_MODEL_GATHER_H
#define WN_CMD_MODEL_GATHER_H

#include <stdbool.h>

#include <jansson.h>

#include "core/status.h"

/*
 * A JSON object of names: {"their.name": "ours", "h.*.q": "layer.*.query"}.
 * One star on a side stands for the same part of the name on both; the first
 * row that fits counts. The caller's json_decref().
 */
enum wn_status wn_model_map_read(
    json_t **ret, const char *path, struct wn_err *err);

/* Has dir a model.safetensors.index.json, and no model.safetensors? */
bool wn_model_has_shards(const char *dir);

/*
 * Writes out_dir/model.safetensors from dir's, or from its shards; map may be
 * NULL. *ret_files: how many there were. WN_REJECT: which file, tensor or row
 * of the map is wrong.
 */
enum wn_status wn_model_gather(const char *dir, const char *out_dir,
    const json_t *map, size_t *ret_files, struct wn_err *err);

#endif
