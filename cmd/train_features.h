/*
 * What the encoder says of texts: one row of numbers a window, computed once
 * and kept in a file that grows as it is computed. Work that was stopped goes
 * on where it was.
 *
 * The file belongs to one encoder and tokenizer (by the SHA-256 of weights and
 * settings) and one version of hardened text; a record is found by the hash of
 * its raw text and the number of windows asked for, whatever data set that text
 * came from.
 */
#ifndef WN_CMD_TRAIN_FEATURES_H
#define WN_CMD_TRAIN_FEATURES_H

#include <stddef.h>
#include <stdint.h>

#include "core/item.h"
#include "core/status.h"
#include "model/encoder.h"
#include "model/heads.h"
#include "model/tokenizer.h"

struct wn_features;

/* After how many layers to look, ascending; the last has all before it. */
struct wn_features_exits {
    size_t n, after[WN_EXITS_MAX];
};

/* path NULL: a file without a name, gone at the end. The encoder and the
 * tokenizer stay the caller's; settings is the SHA-256 of what else they are.
 * WN_REJECT: the file is of other weights. */
enum wn_status wn_features_open(struct wn_features **ret, const char *path,
    const struct wn_encoder *e, const struct wn_tokenizer *tokenizer,
    const struct wn_features_exits *exits, const uint8_t settings[32],
    struct wn_err *err);
void wn_features_free(struct wn_features *f);

struct wn_features_ask {
    struct wn_str text;
    size_t windows_max;
};
/* Computes what is missing on so many threads; progress goes to stderr, one
 * line every few seconds. What wn_features_find() gave before is gone. */
enum wn_status wn_features_compute(struct wn_features *f,
    const struct wn_features_ask *ask, size_t n, size_t threads,
    struct wn_err *err);

/* (*ret_windows, exits, hidden) of a text that was computed; it lies in the
 * file's mapping. NULL with 0 windows for what was not. */
const float *wn_features_find(const struct wn_features *f,
    struct wn_features_ask ask, size_t *ret_windows);

#endif
