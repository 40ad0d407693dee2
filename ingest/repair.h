/*
 * Bytes that a JSON parser would refuse become bytes that it reads, before it
 * sees them: a byte must not buy silence (DESIGN 2).
 *
 * Inside strings, U+0000 (raw or \u0000), lone surrogate escapes and invalid
 * UTF-8 become U+FFFD and are counted; an ill-formed sequence counts once per
 * maximal subpart (Unicode 3.9, the practice of the W3C). Other raw control
 * characters become their escapes. Outside strings, a number that no int64 or
 * double holds becomes a string of itself, so that it costs one member and not
 * the record; everything else stays, and fails to parse as it should. Linear;
 * writes at most six bytes for one. Thread-safe.
 */
#ifndef WN_INGEST_REPAIR_H
#define WN_INGEST_REPAIR_H

#include "core/buf.h"

/* Appends the repaired JSON text to out; returns what became U+FFFD. */
size_t wn_repair_json(struct wn_buf *out, const char *p, size_t len);

/* The same for plain text: no strings, no escapes, only its bytes. */
size_t wn_repair_text(struct wn_buf *out, const char *p, size_t len);

#endif
