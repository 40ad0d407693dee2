/*
 * UTF-8, strictly: what is overlong, a surrogate, beyond U+10FFFF or cut off
 * is not UTF-8. For bytes of strangers; counting of what is broken and its
 * repair is ingest/repair.h.
 */
#ifndef WN_CORE_UTF8_H
#define WN_CORE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length of the valid sequence at p, which has n > 0 bytes; 0 if there is
 * none. */
static inline size_t
wn_utf8_len(const char *p, size_t n)
{
    const unsigned char *s = (const unsigned char *)p;
    unsigned char c = s[0];
    size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4 || n < len)
        return 0;
    if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) ||
        (c == 0xf0 && s[1] < 0x90) || (c == 0xf4 && s[1] > 0x8f))
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

/* The character at p, of which wn_utf8_len() said that it has len bytes. */
static inline uint32_t
wn_utf8_get(const char *p, size_t len)
{
    const unsigned char *s = (const unsigned char *)p;
    uint32_t c = len == 1 ? s[0] : s[0] & (0xffu >> (len + 1));

    for (size_t i = 1; i < len; i++)
        c = c << 6 | (s[i] & 0x3fu);
    return c;
}

/* Writes c, a code point that is no surrogate; returns the bytes it took. */
static inline size_t
wn_utf8_put(char out[4], uint32_t c)
{
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    uint32_t lead = len == 1 ? 0 : 0xf00u >> len & 0xff;

    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead | c);
    return len;
}

#endif
