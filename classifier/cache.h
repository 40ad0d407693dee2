/*
 * What windows were said to mean, so that a text that comes again (copies are
 * what spam is made of) costs no encoder. Bounded; the oldest of a few
 * neighbours makes room. One for all scorers of a classifier.
 *
 * The key is a keyed hash of all that the readers see of a window. The key is
 * drawn at random for the process, so nobody can make a text that is taken for
 * another. A hit gives what was computed for the same bytes by the same
 * weights: it changes no score.
 */
#ifndef WN_CLASSIFIER_CACHE_H
#define WN_CLASSIFIER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/item.h"

#define WN_CACHE_KEY 16

struct wn_cache;

/* What a window says: logits of the heads and of bait's kinds, how many layers
 * it went through to say so, and whether it would have gone on (1) but for
 * wn_scorer_shed(). */
struct wn_said {
    float logits[WN_HEADS], kinds[WN_BAITS];
    uint16_t depth, cut;
};

/* Room for `entries` windows or more, up to twice as many (sets are a power of
 * two), 64 bytes each; NULL without memory. */
struct wn_cache *wn_cache_new(size_t entries);
void wn_cache_free(struct wn_cache *c); /* accepts NULL */
/* Forgets all. Nobody else may use it meanwhile. */
void wn_cache_clear(struct wn_cache *c);

/* The key of a window: its bytes, the tokens they were cut into, and whether
 * its text is brief, which decides how deep it is read. */
void wn_cache_key(const struct wn_cache *c, const char *text, size_t len,
    const int32_t *ids, size_t n, bool brief, uint8_t key[WN_CACHE_KEY]);

/* Any thread. */
bool wn_cache_get(
    struct wn_cache *c, const uint8_t key[WN_CACHE_KEY], struct wn_said *ret);
void wn_cache_put(struct wn_cache *c, const uint8_t key[WN_CACHE_KEY],
    const struct wn_said *said);

#endif
