/*
 * One text as both readers see it: hardened, its links found, its windows cut,
 * and those of the second view of it where there is one, the n-grams of each
 * window counted. Training, evaluation and scoring go
 * through this one path, so none of them meets a text that another would have
 * read differently.
 */
#ifndef WN_CLASSIFIER_READER_H
#define WN_CLASSIFIER_READER_H

#include "classifier/links.h"
#include "classifier/text.h"
#include "classifier/windows.h"
#include "model/encoder.h"
#include "model/ngram.h"

/* The last text read. One thread; its memory is kept between texts. */
struct wn_reading {
    struct wn_text text;
    struct wn_links links;
    struct wn_windows windows; /* n is 0 where the text is empty       */
    /* Of text.view, and only those that differ: at most as many. What is no
     * use of it but for scoring: tokens and unread_share. */
    struct wn_windows view;
    struct wn_ngram_bag bag; /* of the last wn_reading_bag()         */
};

/* shape: of the encoder that will read the windows. WN_STOP without memory. */
enum wn_status wn_reading_init(struct wn_reading *r,
    const struct wn_encoder_shape *shape, struct wn_err *err);
void wn_reading_release(struct wn_reading *r);

/*
 * Replaces what r held. text is any bytes; given_links may be NULL with
 * given_n 0. Found links lie in the arena: WN_FULL when it is full. WN_STOP
 * without memory.
 */
enum wn_status wn_reading_run(struct wn_reading *r,
    const struct wn_tokenizer *t, struct wn_arena *arena, const char *text,
    size_t len, const struct wn_str *given_links, size_t given_n,
    size_t windows_max, struct wn_err *err);

/* The n-grams of window i, or of the second view's; valid until the next call
 * of either. */
const struct wn_ngram_bag *wn_reading_bag(struct wn_reading *r, size_t i);
const struct wn_ngram_bag *wn_reading_view_bag(struct wn_reading *r, size_t i);

#endif
