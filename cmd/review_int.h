/* Between cmd/review.c and cmd/review_import.c. */
#ifndef WN_CMD_REVIEW_INT_H
#define WN_CMD_REVIEW_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/item.h"
#include "storage/store.h"

bool wn_review_head(const char *name, size_t len, enum wn_head *ret);
bool wn_review_action(const char *name, enum wn_action *ret);

/* Reads JSON Lines from `path` ("-": standard input); `staff` may be NULL.
 * Prints what was wrong by line and the counts; returns the exit status. */
int wn_review_import_file(
    struct wn_store *st, const char *path, const char *staff);

#endif
