/*
 * "Did you mean ...?": the nearest known name to one that is not known.
 *
 * Runs at load only. Names are short; longer input gets no suggestion, so the
 * cost is bounded by SUGGEST_LEN_MAX squared steps a candidate.
 */
#include <string.h>

#include "policies/cel_int.h"

#define SUGGEST_LEN_MAX 48

static size_t
min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* Levenshtein, one row at a time. Both at most SUGGEST_LEN_MAX long. */
static size_t
distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[SUGGEST_LEN_MAX + 1];

    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t above = row[j];
            size_t change = diagonal + (a[i - 1] != b[j - 1]);

            row[j] = min3(above + 1, row[j - 1] + 1, change);
            diagonal = above;
        }
    }
    return row[m];
}

const char *
wn_suggest(const char *p, size_t len,
    const char *(*name_at)(const void *names, size_t i), const void *names,
    size_t n)
{
    const char *best = NULL;
    size_t best_distance = len / 3 + 2; /* further away is no help */

    if (len == 0 || len > SUGGEST_LEN_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        const char *name = name_at(names, i);
        size_t name_len = strlen(name), d;

        if (name_len > SUGGEST_LEN_MAX)
            continue;
        d = distance(p, len, name, name_len);
        if (d < best_distance && d < name_len) {
            best_distance = d;
            best = name;
        }
    }
    return best;
}
