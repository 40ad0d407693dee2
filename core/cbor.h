/*
 * Deterministic CBOR (RFC 8949 section 4.2.1: shortest heads, definite
 * lengths; the caller writes map keys in ascending order, which
 * wn_cbor_check() tells) into a wn_buf, and a bounded reader for what we wrote.
 */
#ifndef WN_CORE_CBOR_H
#define WN_CORE_CBOR_H

#include "core/buf.h"
#include "core/status.h"

void wn_cbor_uint(struct wn_buf *b, uint64_t v);
void wn_cbor_int(struct wn_buf *b, int64_t v);
void wn_cbor_bytes(struct wn_buf *b, const void *p, size_t len);
void wn_cbor_text(struct wn_buf *b, const char *p, size_t len);
void wn_cbor_array(struct wn_buf *b, uint64_t n);
void wn_cbor_map(struct wn_buf *b, uint64_t pairs);
void wn_cbor_bool(struct wn_buf *b, bool v);
void wn_cbor_null(struct wn_buf *b);
/* The shortest of half, single, double that keeps the value; one NaN. */
void wn_cbor_double(struct wn_buf *b, double v);

enum wn_cbor_kind {
    WN_CBOR_UINT,
    WN_CBOR_NINT, /* u holds n of -1 - n */
    WN_CBOR_BYTES,
    WN_CBOR_TEXT,
    WN_CBOR_ARRAY,
    WN_CBOR_MAP,
    WN_CBOR_BOOL,
    WN_CBOR_NULL,
    WN_CBOR_DOUBLE,
};
struct wn_cbor_item {
    enum wn_cbor_kind kind;
    uint64_t u;    /* value, length, or number of elements (pairs) */
    double d;      /* WN_CBOR_DOUBLE                                */
    const char *p; /* bytes and text, inside the input              */
};
struct wn_cbor_reader {
    const uint8_t *p, *end;
};
/* Reads one head (and a string's bytes). WN_REJECT on what we never write. */
enum wn_status wn_cbor_next(
    struct wn_cbor_reader *r, struct wn_cbor_item *ret, struct wn_err *err);

/*
 * Whether p holds exactly one item as we write it: nothing after it, map keys
 * ascending by their encoded bytes and different, at most WN_CBOR_DEPTH_MAX
 * deep. WN_REJECT says at which byte it is not.
 */
#define WN_CBOR_DEPTH_MAX 16
enum wn_status wn_cbor_check(const void *p, size_t len, struct wn_err *err);

#endif
