/* Reading rows back: shared by report.c, review.c, decided.c and shadow.c. */
#ifndef WN_STORAGE_REPORT_INT_H
#define WN_STORAGE_REPORT_INT_H

#include "storage/store_int.h"

/*
 * A report reads one snapshot, and may read a whole table: it waits longer
 * than what a post waits for. wn_snapshot_end() restores what was, and is
 * called in any case.
 */
enum wn_status wn_snapshot_begin(
    struct wn_store *st, int *ret_timeout_ms, struct wn_err *err);
void wn_snapshot_end(struct wn_store *st, int timeout_ms);

/* SQL of a jsonb column `col` as one text: rule, category and reason of each,
 * ended by U+001F, which JSON text cannot hold unescaped as a separator. */
#define WN_REASONS_SQL(col)                                                    \
    "(SELECT string_agg(translate(coalesce(r->>'rule', ''), E'\\x1f', ' ') "   \
    "|| E'\\x1f' || translate(coalesce(r->>'category', ''), E'\\x1f', ' ') "   \
    "|| E'\\x1f' || translate(coalesce(r->>'reason', ''), E'\\x1f', ' ') "     \
    "|| E'\\x1f', '' ORDER BY n) FROM jsonb_array_elements(" col               \
    ") WITH ORDINALITY AS e(r, n))"

/* Reads what that column gave; returns how many. In `arena`. */
size_t wn_read_reasons(const PGresult *res, int row, int col,
    struct wn_arena *arena, struct wn_reason out[WN_REASONS_MAX]);

#endif
