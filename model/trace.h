/*
 * Text on its way to tokens: its bytes as they are now, valid UTF-8, and for
 * each byte the bytes of the input that it came from.
 *
 * An append that finds no memory, or would make the text many times as long as
 * its input, sets `failed`, and every later one is a no-op: steps append freely
 * and the tokenizer asks once at the end. Memory is kept from text to text. One
 * thread at a time.
 */
#ifndef WN_MODEL_TRACE_H
#define WN_MODEL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wn_trace {
    char *p;
    uint32_t *start, *end; /* never falling from byte to byte */
    size_t n, cap, max;
    bool failed;
};

void wn_trace_release(struct wn_trace *t);
/* Empty, memory kept, and room for what comes of `of`. */
void wn_trace_reset(struct wn_trace *t, const struct wn_trace *of);
/* Replaces what t held by input[from, to), each broken byte as U+FFFD. */
void wn_trace_load(
    struct wn_trace *t, const char *input, size_t from, size_t to);
/* Appends n bytes, all from [start, end) of the input. */
void wn_trace_put(
    struct wn_trace *t, const char *p, size_t n, uint32_t start, uint32_t end);
void wn_trace_put_char(
    struct wn_trace *t, int32_t c, uint32_t start, uint32_t end);
/* Appends bytes [at, end) of another text. */
void wn_trace_copy(
    struct wn_trace *t, const struct wn_trace *other, size_t at, size_t end);
void wn_trace_swap(struct wn_trace *a, struct wn_trace *b);

/* The character at byte *at, which moves behind it. */
static inline int32_t
wn_trace_next(const struct wn_trace *t, size_t *at)
{
    const uint8_t *p = (const uint8_t *)t->p + *at;

    if (p[0] < 0x80) {
        *at += 1;
        return p[0];
    }
    if (p[0] < 0xe0) {
        *at += 2;
        return (p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    }
    if (p[0] < 0xf0) {
        *at += 3;
        return (p[0] & 0xf) << 12 | (p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    }
    *at += 4;
    return (p[0] & 7) << 18 | (p[1] & 0x3f) << 12 | (p[2] & 0x3f) << 6 |
           (p[3] & 0x3f);
}

#endif
