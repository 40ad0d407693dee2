/*
 * The host that a URL leads to, in one form, as browsers find it (the WHATWG
 * URL standard): whoever hides a host from a list must not reach it by it.
 */
#include <string.h>

#include <unicode/uidna.h>

#include "policies/list_int.h"

#define RAW_MAX 1024 /* bytes of a host as written */
/* What browsers do not mind. */
#define HYPHENS                                                                \
    (UIDNA_ERROR_LEADING_HYPHEN | UIDNA_ERROR_TRAILING_HYPHEN |                \
        UIDNA_ERROR_HYPHEN_3_4)

static bool
is_alpha(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool
is_slash(int c)
{
    return c == '/' || c == '\\';
}

static int
lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* http: and https: lead to a host without slashes too. */
static bool
is_web(const char *p, size_t len)
{
    static const char word[] = "https";

    if (len != 4 && len != 5)
        return false;
    for (size_t i = 0; i < len; i++)
        if (lower((unsigned char)p[i]) != word[i])
            return false;
    return true;
}

/* How much of p is a scheme with its colon and slashes, or slashes alone. */
static size_t
skip_scheme(const char *p, size_t len)
{
    size_t n = 0, end;

    while (n < len &&
           (is_alpha(p[n]) || (n > 0 && (is_digit(p[n]) || p[n] == '+' ||
                                            p[n] == '-' || p[n] == '.'))))
        n++;
    end = n > 0 && n < len && p[n] == ':' ? n + 1 : 0;
    if (end > 0 && !is_web(p, n) && !(end < len && is_slash(p[end])))
        return 0; /* a host and its port */
    while (end < len && is_slash(p[end]))
        end++;
    return end;
}

/* Cuts user name and port off. */
static void
cut_authority(const char **p, size_t *len)
{
    const char *at = memrchr(*p, '@', *len), *colon;
    size_t n;

    if (at != NULL) {
        *len -= (size_t)(at + 1 - *p);
        *p = at + 1;
    }
    n = *len;
    while (n > 0 && is_digit((*p)[n - 1]))
        n--;
    if (n == 0 || (*p)[n - 1] != ':')
        return;
    colon = memchr(*p, ':', *len);
    /* several colons: an IPv6 address, whose port stands behind a bracket */
    if (colon == *p + n - 1 || (n > 1 && (*p)[n - 2] == ']'))
        *len = n - 1;
}

static int
hex(int c)
{
    if (is_digit(c))
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX, tabs and line breaks resolved; the length, or SIZE_MAX if too long. */
static size_t
decode(const char *p, size_t len, char out[RAW_MAX], bool *ret_ascii)
{
    size_t n = 0;

    *ret_ascii = true;
    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)p[i];

        if (c == '\t' || c == '\n' || c == '\r')
            continue;
        if (c == '%' && len - i > 2 && hex((unsigned char)p[i + 1]) >= 0 &&
            hex((unsigned char)p[i + 2]) >= 0) {
            c = hex((unsigned char)p[i + 1]) << 4 |
                hex((unsigned char)p[i + 2]);
            i += 2;
        }
        if (n == RAW_MAX)
            return SIZE_MAX;
        *ret_ascii = *ret_ascii && c < 0x80;
        out[n++] = (char)lower(c);
    }
    return n;
}

/* Letters beyond ASCII: UTS 46, as browsers do. 0 where it is no host. */
static size_t
to_ascii(const char *p, size_t len, char out[WN_LIST_HOST_MAX + 1])
{
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    UErrorCode rc = U_ZERO_ERROR;
    UIDNA *idna = uidna_openUTS46(UIDNA_NONTRANSITIONAL_TO_ASCII, &rc);
    int32_t n = 0;

    if (U_SUCCESS(rc))
        n = uidna_nameToASCII_UTF8(
            idna, p, (int32_t)len, out, WN_LIST_HOST_MAX + 1, &info, &rc);
    uidna_close(idna);
    return U_FAILURE(rc) || (info.errors & ~(uint32_t)HYPHENS) != 0 ? 0
                                                                    : (size_t)n;
}

size_t
wn_list_host(const char *p, size_t len, char out[WN_LIST_HOST_MAX + 1])
{
    char raw[RAW_MAX];
    bool ascii;
    size_t n = 0;

    while (len > 0 && (unsigned char)*p <= ' ') {
        p++;
        len--;
    }
    while (len > 0 && (unsigned char)p[len - 1] <= ' ')
        len--;
    n = skip_scheme(p, len);
    p += n;
    len -= n;
    for (n = 0; n < len && !is_slash(p[n]) && p[n] != '?' && p[n] != '#';)
        n++;
    len = n;
    cut_authority(&p, &len);
    n = decode(p, len, raw, &ascii);
    if (n == SIZE_MAX)
        return 0;
    if (ascii && n <= WN_LIST_HOST_MAX + 1)
        memcpy(out, raw, n);
    else
        n = ascii ? 0 : to_ascii(raw, n, out);
    while (n > 0 && out[n - 1] == '.')
        n--;
    return n <= WN_LIST_HOST_MAX ? n : 0;
}

unsigned
wn_list_labels(const char *host, size_t len)
{
    unsigned labels = 1;
    size_t label = 0;
    bool digits = true; /* the last label is a number: an address */

    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)host[i];

        if (c == '.') {
            if (label == 0)
                return 0;
            labels++;
            label = 0;
            digits = true;
            continue;
        }
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '_')
            return 0;
        digits = digits && is_digit(c);
        if (++label > 63)
            return 0;
    }
    return label == 0 || digits ? 0 : labels;
}
