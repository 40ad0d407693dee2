/* Tables of characters, for what ICU's data does not have. */
#ifndef WN_MODEL_UNICODE_INT_H
#define WN_MODEL_UNICODE_INT_H

#include "model/unicode.h"

struct wn_range {
    int32_t first, last;
};

/* Is c in one of n ranges, which rise? */
bool wn_unicode_in_ranges(const struct wn_range *ranges, size_t n, int32_t c);
#define WN_IN(table, c)                                                        \
    wn_unicode_in_ranges(table, sizeof(table) / sizeof(table[0]), c)

#endif
