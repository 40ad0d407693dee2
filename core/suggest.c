/* Levenshtein's distance, one row at a time, and the least of it. */
#include "core/suggest.h"

#include <stdint.h>
#include <string.h>

static size_t
min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

size_t
wn_edits(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t row[WN_SUGGEST_MAX + 1];

    if (a_len > WN_SUGGEST_MAX || b_len > WN_SUGGEST_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            size_t change = diagonal + (a[i - 1] != b[j - 1]);

            row[j] = min3(above + 1, row[j - 1] + 1, change);
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *
wn_suggest(const char *p, size_t len,
    const char *(*name_at)(const void *names, size_t i), const void *names,
    size_t n)
{
    const char *best = NULL;
    size_t best_distance = len / 3 + 2; /* further away is no help */

    if (len == 0)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        const char *name = name_at(names, i);
        size_t name_len = strlen(name), d;

        /* it takes at least as many edits as one is longer */
        if ((len > name_len ? len - name_len : name_len - len) >= best_distance)
            continue;
        d = wn_edits(p, len, name, name_len);
        if (d < best_distance && d < name_len) {
            best_distance = d;
            best = name;
        }
    }
    return best;
}
