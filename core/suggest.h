/*
 * "Did you mean ...?": the nearest known name to one that is not known, for
 * error texts. Costs at most WN_SUGGEST_MAX squared steps a name. Any thread.
 */
#ifndef WN_CORE_SUGGEST_H
#define WN_CORE_SUGGEST_H

#include <stddef.h>

#define WN_SUGGEST_MAX 128 /* bytes of a name; longer ones are near to none */

/* Edits (insert, delete, replace) that make one of the other; SIZE_MAX where
 * one is too long. */
size_t wn_edits(const char *a, size_t a_len, const char *b, size_t b_len);

/* The nearest of n names, or NULL where none is near. */
const char *wn_suggest(const char *p, size_t len,
    const char *(*name_at)(const void *names, size_t i), const void *names,
    size_t n);

#endif
