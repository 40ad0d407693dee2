/*
 * A small folder of weights for tests: an encoder, heads and n-grams drawn from
 * a seed. Its scores mean nothing, but every part of a classifier is there, and
 * it is of a width that runs in int8. Runs in the repository's root.
 */
#ifndef WN_TESTS_LIB_WEIGHTS_H
#define WN_TESTS_LIB_WEIGHTS_H

#include "core/item.h"
#include "model/joint.h"

#define WN_WEIGHTS_HIDDEN 64
#define WN_WEIGHTS_LAYERS 2
#define WN_WEIGHTS_POSITIONS 64

/* Heads as winnow's, mix 1, 1, 0, slope 1, thresholds 0.5. */
void wn_weights_joint(struct wn_joint *j);
/* Makes `dir` hold them, with exits where j->early says so; ends the program
 * when that does not work. */
void wn_weights_make(const char *dir, const struct wn_joint *j);

/* A folder of that name in the test's own, of weights of that name whose heads
 * all have this calibration; its path to dir. */
void wn_weights_make_named(
    char dir[512], const char *name, struct wn_calibration cal);

/* The same with the golden BERT for its encoder, whose numbers the reference
 * library knows: 32 wide, so it runs in fp32 alone. */
void wn_weights_make_golden(const char *dir, const struct wn_joint *j);

/* A word and the head that it speaks for. */
struct wn_weights_word {
    enum wn_head head;
    const char *word;
};
/* The same with positions for a whole window, and with n-grams that know these
 * words and nothing else. */
void wn_weights_make_planted(const char *dir, const struct wn_joint *j,
    const struct wn_weights_word *words, size_t n);

#endif
