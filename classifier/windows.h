/*
 * What the readers get to see of a text: windows of at most WN_WINDOW_TOKENS
 * tokens. A text that fits in windows_max of them is cut into equal ones and
 * read whole; of a longer one they show its head, its tail, the surroundings
 * of links, and places spread over the rest. Each window is scored by itself
 * and the highest score counts, so padding hides nothing that a window shows.
 *
 * The cost is bounded before the tokenizer: of a text over WN_WHOLE_BYTES only
 * slices of WN_SLICE_BYTES are tokenised at all, and the number of its tokens
 * is estimated from them.
 */
#ifndef WN_CLASSIFIER_WINDOWS_H
#define WN_CLASSIFIER_WINDOWS_H

#include <stddef.h>
#include <stdint.h>

#include "classifier/spots.h"
#include "core/status.h"
#include "model/tokenizer.h"

#define WN_WINDOW_TOKENS 128 /* with [CLS] and [SEP] */
#define WN_WINDOWS_MAX 16
#define WN_WHOLE_BYTES 8192
#define WN_SLICE_BYTES 1536

struct wn_window {
    size_t begin, end; /* bytes of the hardened text: whole words of it, or what
                          the tokenizer cuts words into */
    size_t n;          /* tokens, 2 or more */
    int32_t ids[WN_WINDOW_TOKENS];
    /* Bytes of it that token i came from; none of the special ones. */
    uint32_t start[WN_WINDOW_TOKENS], stop[WN_WINDOW_TOKENS];
};

struct wn_windows {
    struct wn_window w[WN_WINDOWS_MAX];
    size_t n;            /* 1 or more, in order of the text         */
    size_t inner;        /* tokens of text in a window, at most     */
    size_t tokens;       /* of the whole text, without special ones */
    double unread_share; /* of those tokens, what no window covers  */
    size_t bytes;        /* of the text that were tokenised         */
    struct wn_tokens scratch;
};

/* tokens_max: of one window with its special ones, WN_WINDOW_TOKENS or less
 * where the encoder has fewer positions; 3 at least. */
void wn_windows_init(struct wn_windows *w, size_t tokens_max);
void wn_windows_release(struct wn_windows *w);
void wn_windows_reset(struct wn_windows *w); /* none; memory kept */

/* Replaces what w held. Of the windows that head and tail leave, `hidden` gets
 * what it needs and `plain` the rest: where links start that are disguised,
 * and that are not. windows_max 1 .. WN_WINDOWS_MAX. WN_STOP without memory. */
enum wn_status wn_windows_plan(struct wn_windows *w,
    const struct wn_tokenizer *t, const char *text, size_t len,
    const struct wn_spots *hidden, const struct wn_spots *plain,
    size_t windows_max, struct wn_err *err);

#endif
