/*
 * A growable byte string with a maximum given at birth.
 *
 * A failed append (maximum reached, or no memory) sets `failed`, changes
 * nothing else, and every later append is a no-op: writers append freely and
 * test once at the end. data is always NUL-terminated once len > 0.
 * One thread at a time.
 */
#ifndef WN_CORE_BUF_H
#define WN_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wn_buf {
    char *data;
    size_t len, cap, max;
    bool failed;
};

void wn_buf_init(struct wn_buf *b, size_t max);
void wn_buf_release(struct wn_buf *b);
void wn_buf_reset(struct wn_buf *b); /* empty, memory kept */
void wn_buf_add(struct wn_buf *b, const void *p, size_t len);
void wn_buf_str(struct wn_buf *b, const char *s);
void wn_buf_char(struct wn_buf *b, char c);
void wn_buf_printf(struct wn_buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Appends s as a JSON string with quotes. s must be valid UTF-8. */
void wn_buf_json(struct wn_buf *b, const char *s, size_t len);
/* Shortest decimal that reads back as v; "null" for NaN and infinities. */
void wn_buf_double(struct wn_buf *b, double v);
/* Big-endian, as in PostgreSQL's binary formats. */
void wn_buf_u16(struct wn_buf *b, uint16_t v);
void wn_buf_u32(struct wn_buf *b, uint32_t v);
void wn_buf_u64(struct wn_buf *b, uint64_t v);
/* Reserves len bytes and returns where they lie, or NULL after a failure. */
void *wn_buf_reserve(struct wn_buf *b, size_t len);

#endif
