/*
 * The growable byte string. Room doubles, up to max and one byte for the NUL
 * that makes data a C string at any time.
 */
#include "core/buf.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP ((size_t)64)

void
wn_buf_init(struct wn_buf *b, size_t max)
{
    /* max + 1 must not wrap */
    *b = (struct wn_buf){ .max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2 };
}

void
wn_buf_release(struct wn_buf *b)
{
    free(b->data);
    *b = (struct wn_buf){ .max = b->max };
}

void
wn_buf_reset(struct wn_buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

/* Makes room for len more bytes and the NUL. */
static bool
grow(struct wn_buf *b, size_t len)
{
    size_t need, cap;
    char *data;

    if (b->failed)
        return false;
    if (len > b->max - b->len) {
        b->failed = true;
        return false;
    }
    need = b->len + len + 1;
    if (need <= b->cap)
        return true;
    cap = b->cap == 0 ? FIRST_CAP : b->cap;
    while (cap < need)
        cap *= 2;
    if (cap > b->max + 1)
        cap = b->max + 1;
    data = realloc(b->data, cap);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void *
wn_buf_reserve(struct wn_buf *b, size_t len)
{
    char *p;

    if (!grow(b, len))
        return NULL;
    p = b->data + b->len;
    b->len += len;
    b->data[b->len] = '\0';
    return p;
}

void
wn_buf_add(struct wn_buf *b, const void *p, size_t len)
{
    char *to;

    if (len == 0)
        return;
    to = wn_buf_reserve(b, len);
    if (to != NULL)
        memcpy(to, p, len);
}

void
wn_buf_str(struct wn_buf *b, const char *s)
{
    wn_buf_add(b, s, strlen(s));
}

void
wn_buf_char(struct wn_buf *b, char c)
{
    wn_buf_add(b, &c, 1);
}

void
wn_buf_printf(struct wn_buf *b, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0) {
        b->failed = true;
        return;
    }
    if (!grow(b, (size_t)len))
        return;
    va_start(ap, fmt);
    vsnprintf(b->data + b->len, (size_t)len + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)len;
}

/* The two-character escape of c, 0 where there is none. */
static char
short_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
        return c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

void
wn_buf_json(struct wn_buf *b, const char *s, size_t len)
{
    size_t from = 0;
    char esc;

    wn_buf_char(b, '"');
    for (size_t i = 0; i < len; i++) {
        esc = short_escape(s[i]);
        if (esc == 0 && (unsigned char)s[i] >= 0x20)
            continue;
        wn_buf_add(b, s + from, i - from);
        from = i + 1;
        if (esc != 0)
            wn_buf_add(b, (char[]){ '\\', esc }, 2);
        else
            wn_buf_printf(b, "\\u%04x", (unsigned char)s[i]);
    }
    wn_buf_add(b, s + from, len - from);
    wn_buf_char(b, '"');
}

void
wn_buf_double(struct wn_buf *b, double v)
{
    char text[40];
    int digits;

    if (!isfinite(v)) {
        wn_buf_str(b, "null");
        return;
    }
    /* Decimals of up to DBL_DIG digits survive a double, so only subnormal
     * numbers, which hold fewer, have to try fewer. */
    digits = v != 0 && fabs(v) < DBL_MIN ? 1 : DBL_DIG;
    for (; digits <= DBL_DECIMAL_DIG; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    wn_buf_str(b, text);
}

void
wn_buf_u16(struct wn_buf *b, uint16_t v)
{
    wn_buf_add(b, (uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

void
wn_buf_u32(struct wn_buf *b, uint32_t v)
{
    uint8_t p[4];

    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
    wn_buf_add(b, p, sizeof(p));
}

void
wn_buf_u64(struct wn_buf *b, uint64_t v)
{
    uint8_t p[8];

    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
    wn_buf_add(b, p, sizeof(p));
}
