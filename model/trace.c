/* Text with the places its bytes came from; see trace.h. */
#include "model/trace.h"

#include <stdlib.h>
#include <string.h>

#include <unicode/utf8.h>

/* What a text may grow to, of each byte of its input: NFKC makes 11 at most,
 * BertNormalizer two of three, ByteLevel 2 of that. More is a tokenizer.json
 * that replaces its own replacements. */
#define TIMES_MAX 64
#define BYTES_MIN 4096

void
wn_trace_release(struct wn_trace *t)
{
    free(t->p);
    free(t->start);
    free(t->end);
    *t = (struct wn_trace){ 0 };
}

void
wn_trace_reset(struct wn_trace *t, const struct wn_trace *of)
{
    t->n = 0;
    t->max = of->max;
    t->failed = false;
}

static bool
grow(struct wn_trace *t, size_t n)
{
    size_t cap = 2 * (t->n + n) + 256;
    uint32_t *start, *end;
    char *p;

    p = realloc(t->p, cap);
    if (p != NULL)
        t->p = p;
    start = realloc(t->start, cap * sizeof(*start));
    if (start != NULL)
        t->start = start;
    end = realloc(t->end, cap * sizeof(*end));
    if (end != NULL)
        t->end = end;
    if (p == NULL || start == NULL || end == NULL) {
        t->failed = true;
        return false;
    }
    t->cap = cap;
    return true;
}

/* Is there room for n more bytes? */
static bool
has_room(struct wn_trace *t, size_t n)
{
    if (n > t->max - t->n)
        t->failed = true;
    return !t->failed && (n <= t->cap - t->n || grow(t, n));
}

void
wn_trace_put(
    struct wn_trace *t, const char *p, size_t n, uint32_t start, uint32_t end)
{
    if (!has_room(t, n))
        return;
    for (size_t i = 0; i < n; i++) {
        t->p[t->n + i] = p[i];
        t->start[t->n + i] = start;
        t->end[t->n + i] = end;
    }
    t->n += n;
}

void
wn_trace_put_char(struct wn_trace *t, int32_t c, uint32_t start, uint32_t end)
{
    char bytes[4];
    size_t n = 0;

    U8_APPEND_UNSAFE(bytes, n, c);
    wn_trace_put(t, bytes, n, start, end);
}

void
wn_trace_copy(
    struct wn_trace *t, const struct wn_trace *other, size_t at, size_t end)
{
    size_t n = end - at;

    if (n == 0 || !has_room(t, n))
        return;
    memcpy(t->p + t->n, other->p + at, n);
    memcpy(t->start + t->n, other->start + at, n * sizeof(*t->start));
    memcpy(t->end + t->n, other->end + at, n * sizeof(*t->end));
    t->n += n;
}

/* Input [at, end) is ASCII; there is room. */
static void
put_ascii(struct wn_trace *t, const char *input, size_t at, size_t end)
{
    size_t n = end - at;

    memcpy(t->p + t->n, input + at, n);
    for (size_t i = 0; i < n; i++) {
        t->start[t->n + i] = (uint32_t)(at + i);
        t->end[t->n + i] = (uint32_t)(at + i + 1);
    }
    t->n += n;
}

void
wn_trace_load(struct wn_trace *t, const char *input, size_t from, size_t to)
{
    const uint8_t *p = (const uint8_t *)input;

    t->n = 0;
    t->max = TIMES_MAX * (to - from) + BYTES_MIN;
    t->failed = false;
    while (from < to) {
        size_t at = from;
        int32_t next, c;

        while (at < to && p[at] < 0x80)
            at++;
        /* room for what is sure to follow, at once */
        if (!has_room(t, to - from + 2))
            return;
        put_ascii(t, input, from, at);
        if (at == to)
            return;
        next = (int32_t)at;
        U8_NEXT_OR_FFFD(p, next, (int32_t)to, c);
        wn_trace_put_char(t, c, (uint32_t)at, (uint32_t)next);
        from = (size_t)next;
    }
}

void
wn_trace_swap(struct wn_trace *a, struct wn_trace *b)
{
    struct wn_trace other = *a;

    *a = *b;
    *b = other;
}
