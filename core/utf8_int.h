/* Which bytes are UTF-8, for the files of this folder that must not pass on
 * what is not: log lines, JSON and CBOR texts. */
#ifndef WN_CORE_UTF8_INT_H
#define WN_CORE_UTF8_INT_H

#include <stddef.h>

/* Length of the valid sequence at p, which has n > 0 bytes; 0 if there is
 * none: overlong, a surrogate, beyond U+10FFFF, cut off. */
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

#endif
