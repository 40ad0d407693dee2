/*
 * Text that PostgreSQL can hold: UTF-8 without U+0000. The stages before have
 * repaired what they read; storage does not rely on it.
 */
#include <string.h>

#include "storage/batch_int.h"

/* Length of the sequence at p, or 0 where it is none. */
static size_t
sequence(const unsigned char *p, size_t len)
{
    size_t i, n;
    uint32_t c;

    if (p[0] < 0x80)
        return p[0] != 0;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n > len)
        return 0;
    c = p[0] & (0xffu >> (n + 1));
    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (n == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff)))
        return 0;
    return n == 4 && (c < 0x10000 || c > 0x10ffff) ? 0 : n;
}

/* Bytes from p that are clean. */
static size_t
clean_run(const char *p, size_t len)
{
    size_t i = 0, n;

    while (i < len) {
        n = sequence((const unsigned char *)p + i, len - i);
        if (n == 0)
            break;
        i += n;
    }
    return i;
}

bool
wn_text_clean(const char *p, size_t len)
{
    return clean_run(p, len) == len;
}

void
wn_text_add_clean(struct wn_buf *b, struct wn_str s)
{
    size_t n;

    while (s.len > 0) {
        n = clean_run(s.p, s.len);
        wn_buf_add(b, s.p, n);
        s.p += n;
        s.len -= n;
        if (s.len > 0) {
            wn_buf_str(b, "\xef\xbf\xbd");
            s.p++;
            s.len--;
        }
    }
}

void
wn_text_add_json(struct wn_buf *b, struct wn_str s)
{
    struct wn_buf tmp;

    if (wn_text_clean(s.p, s.len)) {
        wn_buf_json(b, s.p, s.len);
        return;
    }
    wn_buf_init(&tmp, b->max);
    wn_text_add_clean(&tmp, s);
    wn_buf_json(b, tmp.data, tmp.len);
    if (tmp.failed)
        b->failed = true;
    wn_buf_release(&tmp);
}
