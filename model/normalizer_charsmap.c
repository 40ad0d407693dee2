/*
 * Precompiled: the character map inside a SentencePiece model, as base64.
 *
 * Little-endian: bytes of the trie; the trie, a double array of 32-bit units;
 * then strings that end in a zero byte, which the trie's values point to. A
 * unit has its label in bits 0-7 (bit 31 is set in a value), "a value follows"
 * in bit 8, and how far its children are in bits 10-31, times 256 with bit 9.
 *
 * The reference looks up each grapheme cluster of fewer than six bytes, takes
 * the shortest key that it begins with, and puts that key's string for all of
 * the cluster; where there is none, and in longer clusters, it looks up each
 * character.
 */
#include "model/normalizer_int.h"

#include <stdlib.h>
#include <string.h>

#include <unicode/utf8.h>

#include "model/grapheme.h"

#define CLUSTER_BYTES 6
#define MAP_BYTES_MAX ((size_t)16 << 20)

struct wn_charsmap {
    uint8_t *bytes; /* as decoded; units and strings lie in it */
    const uint8_t *units;
    size_t units_n;
    const char *strings;
    size_t strings_n; /* the last one ends in a zero byte too */
    bool ascii[128];  /* may a key begin with it? */
};

/* --- running --- */

static uint32_t
unit_at(const struct wn_charsmap *m, size_t i)
{
    const uint8_t *p = m->units + 4 * i;

    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static size_t
offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 0x200) >> 6);
}

/* The string at a value of the trie, and its length; NULL where it is none. */
static const char *
string_at(const struct wn_charsmap *m, uint32_t value, size_t *ret_len)
{
    const char *p = m->strings + value;

    if (value >= m->strings_n || ((uint8_t)*p & 0xc0) == 0x80)
        return NULL;
    *ret_len = strlen(p);
    return p;
}

/* What stands for the shortest key that p[0, len) begins with, or NULL. */
static const char *
transform(
    const struct wn_charsmap *m, const char *p, size_t len, size_t *ret_len)
{
    uint32_t unit = unit_at(m, 0);
    size_t at = offset_of(unit);

    for (size_t i = 0; i < len && p[i] != '\0'; i++) {
        uint8_t c = (uint8_t)p[i];

        at ^= c;
        if (at >= m->units_n)
            return NULL;
        unit = unit_at(m, at);
        if ((unit & 0x800000ff) != c)
            return NULL;
        at ^= offset_of(unit);
        if (at >= m->units_n)
            return NULL;
        if ((unit & 0x100) != 0)
            return string_at(m, unit_at(m, at) & 0x7fffffff, ret_len);
    }
    return NULL;
}

static bool
put_string(const struct wn_charsmap *m, const struct wn_trace *in, size_t from,
    size_t to, struct wn_trace *out)
{
    size_t len;
    const char *p = transform(m, in->p + from, to - from, &len);

    if (p == NULL)
        return false;
    wn_trace_put(out, p, len, in->start[from], in->end[to - 1]);
    return true;
}

static void
put_cluster(const struct wn_charsmap *m, const struct wn_trace *in, size_t from,
    size_t to, struct wn_trace *out)
{
    if (to - from < CLUSTER_BYTES && put_string(m, in, from, to, out))
        return;
    while (from < to) {
        size_t start = from;

        wn_trace_next(in, &from);
        if (!put_string(m, in, start, from, out))
            wn_trace_copy(out, in, start, from);
    }
}

/* Past the ASCII characters from `at` on that are no key and stand alone. */
static size_t
skip_plain(const struct wn_charsmap *m, const struct wn_trace *in, size_t at)
{
    size_t from = at;

    while (at < in->n && (uint8_t)in->p[at] < 0x80 &&
           !m->ascii[(uint8_t)in->p[at]])
        at++;
    /* the last one may begin a cluster */
    return at > from && at < in->n && (uint8_t)in->p[at] >= 0x80 ? at - 1 : at;
}

bool
wn_charsmap_run(const struct wn_charsmap *m, const struct wn_trace *in,
    struct wn_trace *out)
{
    size_t at = 0;

    while (at < in->n && !out->failed) {
        size_t plain = skip_plain(m, in, at), end;

        if (plain == in->n && at == 0)
            return false;
        if (plain > at) {
            wn_trace_copy(out, in, at, plain);
            at = plain;
            continue;
        }
        end = wn_grapheme_end(in, at);
        put_cluster(m, in, at, end, out);
        at = end;
    }
    return true;
}

/* --- reading --- */

static int
base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Into out (3/4 of len bytes); the number of bytes, or -1. */
static long
decode_base64(const char *p, size_t len, uint8_t *out)
{
    uint32_t bits = 0;
    int have = 0;
    long n = 0;

    while (len > 0 && p[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++) {
        int digit = base64_digit(p[i]);

        if (digit < 0)
            return -1;
        bits = (bits << 6 | (uint32_t)digit) & 0xffffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (uint8_t)(bits >> have);
        }
    }
    return n;
}

static bool
is_utf8(const char *p, size_t n)
{
    int32_t at = 0, c;

    while (at < (int32_t)n) {
        U8_NEXT((const uint8_t *)p, at, (int32_t)n, c);
        if (c < 0)
            return false;
    }
    return true;
}

/* Finds the parts of n bytes: is it a map? */
static bool
find_parts(struct wn_charsmap *m, size_t n)
{
    size_t trie;

    if (n < 8)
        return false;
    m->units = m->bytes;
    trie = unit_at(m, 0);
    if (trie < 4 || trie % 4 != 0 || trie > n - 4)
        return false;
    m->units = m->bytes + 4;
    m->units_n = trie / 4;
    m->strings = (const char *)m->bytes + 4 + trie;
    m->strings_n = n - 4 - trie;
    for (int c = 1; c < 0x80; c++) {
        size_t at = offset_of(unit_at(m, 0)) ^ (size_t)c;

        m->ascii[c] =
            at < m->units_n && (unit_at(m, at) & 0x800000ff) == (uint32_t)c;
    }
    /* a line's end is a cluster of two */
    m->ascii['\r'] = true;
    return m->strings_n > 0 && m->strings[m->strings_n - 1] == '\0' &&
           is_utf8(m->strings, m->strings_n);
}

enum wn_status
wn_charsmap_read(
    struct wn_charsmap **ret, const json_t *json, struct wn_err *err)
{
    const json_t *text = json_object_get(json, "precompiled_charsmap");
    size_t len = json_string_length(text);
    struct wn_charsmap *m;
    enum wn_status rc = WN_OK;
    long n;

    if (!json_is_string(text) || len > MAP_BYTES_MAX)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: normalizer: precompiled_charsmap is not a string "
            "of at most %zu MiB",
            MAP_BYTES_MAX >> 20);
    m = calloc(1, sizeof(*m));
    if (m != NULL)
        m->bytes = malloc(len + 1);
    if (m == NULL || m->bytes == NULL) {
        rc = wn_fail(err, WN_STOP, "tokenizer: out of memory");
        goto out;
    }
    n = decode_base64(json_string_value(text), len, m->bytes);
    if (n < 0 || !find_parts(m, (size_t)n)) {
        rc = wn_fail(err, WN_REJECT,
            "tokenizer.json: normalizer: precompiled_charsmap is not the "
            "base64 of a character map");
        goto out;
    }
    *ret = m;
    m = NULL;
out:
    wn_charsmap_free(m);
    return rc;
}

void
wn_charsmap_free(struct wn_charsmap *m)
{
    if (m == NULL)
        return;
    free(m->bytes);
    free(m);
}
