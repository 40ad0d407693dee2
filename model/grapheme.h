/* Grapheme clusters, as the reference tokenizer knows them: Unicode 17.0. */
#ifndef WN_MODEL_GRAPHEME_H
#define WN_MODEL_GRAPHEME_H

#include "model/trace.h"

/* The end of the cluster that starts at byte `at` of t, which is a start. */
size_t wn_grapheme_end(const struct wn_trace *t, size_t at);

#endif
