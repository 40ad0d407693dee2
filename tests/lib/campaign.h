/*
 * A scam that nobody has seen, for tests of learning from decisions: refunds of
 * "water credits" by an office that does not exist. Every template is a text of
 * its own, written for this; names, sums and places in it vary. Beside them
 * honest posts about water, bills and refunds, which must not be caught.
 *
 * Templates are in two parts: those that staff decided on, and those that
 * nobody has (`fresh`), which tell whether a campaign was learnt or its texts
 * by heart.
 */
#ifndef WN_TESTS_LIB_CAMPAIGN_H
#define WN_TESTS_LIB_CAMPAIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many templates there are. */
size_t wn_campaign_n(bool scam, bool fresh);
/* The text of template i (taken round and round) with what varies chosen by
 * the seed; out_bytes 1,024 are enough. */
void wn_campaign_text(bool scam, bool fresh, size_t i, uint64_t seed, char *out,
    size_t out_bytes);

/* n decisions, as `winnow review import` takes them: four of seven are on the
 * scam ("scam": true), the others on honest posts (false). */
void wn_campaign_decisions(const char *path, size_t n, uint64_t seed);
/* Labelled texts, as `winnow eval` takes them: `each` of every fresh template;
 * "scam" is 1 or 0, sources are "campaign" and "honest". */
void wn_campaign_fresh(const char *path, size_t each, uint64_t seed);

#endif
