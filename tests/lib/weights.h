/*
 * A small folder of weights for tests: the golden BERT checkpoint as int8 with
 * heads and n-grams drawn from a seed. Its scores mean nothing, but every part
 * of a classifier is there. Runs in the repository's root.
 */
#ifndef WN_TESTS_LIB_WEIGHTS_H
#define WN_TESTS_LIB_WEIGHTS_H

#include "model/joint.h"

/* Heads as winnow's, mix 1, 1, 0, slope 1, thresholds 0.5. */
void wn_weights_joint(struct wn_joint *j);
/* Makes `dir` hold them, with exits where j->early says so; ends the program when that does not work. */
void wn_weights_make(const char *dir, const struct wn_joint *j);

#endif
