/*
 * Conversions: int(), uint(), double(), bool(), string(), bytes() and base64.
 * What does not fit or does not read whole is an error.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/utf8.h"
#include "policies/cel_fn.h"

static const char no_int[] = "the number does not fit an int";
static const char no_uint[] = "the number does not fit a uint";

WN_CEL_FN(int_of_uint)
{
    if (args[0].u > INT64_MAX)
        return wn_cel_error(no_int);
    return wn_cel_int((int64_t)args[0].u);
}

/* Towards zero; the bounds are what a double can hold of an int64. */
WN_CEL_FN(int_of_double)
{
    if (!(args[0].d > -0x1p63 && args[0].d < 0x1p63))
        return wn_cel_error(no_int);
    return wn_cel_int((int64_t)args[0].d);
}

/* Decimal digits only, at least one, all of s. */
static bool
digits(struct wn_str s, uint64_t *ret)
{
    uint64_t u = 0;

    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] < '0' || s.p[i] > '9' ||
            __builtin_mul_overflow(u, (uint64_t)10, &u) ||
            __builtin_add_overflow(u, (uint64_t)(s.p[i] - '0'), &u))
            return false;
    *ret = u;
    return s.len > 0;
}

WN_CEL_FN(int_of_string)
{
    struct wn_str s = args[0].s;
    bool negative = s.len > 0 && s.p[0] == '-';
    uint64_t u;

    if (negative || (s.len > 0 && s.p[0] == '+')) {
        s.p++;
        s.len--;
    }
    if (!digits(s, &u) || u > (uint64_t)INT64_MAX + negative)
        return wn_cel_error("the text is no int");
    return wn_cel_int(negative ? (int64_t)-u : (int64_t)u);
}

WN_CEL_FN(int_of_time)
{
    return wn_cel_int(args[0].time.s);
}

WN_CEL_FN(int_of_duration) /* nanoseconds */
{
    return wn_cel_int(args[0].i);
}

WN_CEL_FN(uint_of_int)
{
    if (args[0].i < 0)
        return wn_cel_error(no_uint);
    return wn_cel_uint((uint64_t)args[0].i);
}

WN_CEL_FN(uint_of_double)
{
    if (!(args[0].d >= 0 && args[0].d < 0x1p64))
        return wn_cel_error(no_uint);
    return wn_cel_uint((uint64_t)args[0].d);
}

WN_CEL_FN(uint_of_string)
{
    uint64_t u;

    if (!digits(args[0].s, &u))
        return wn_cel_error("the text is no uint");
    return wn_cel_uint(u);
}

WN_CEL_FN(double_of_int)
{
    return wn_cel_double((double)args[0].i);
}

WN_CEL_FN(double_of_uint)
{
    return wn_cel_double((double)args[0].u);
}

/* NaN, inf and infinity, with a sign or none, in any case. */
static bool
named_double(const char *s, double *ret)
{
    bool negative = s[0] == '-';

    s += s[0] == '-' || s[0] == '+';
    if (strcasecmp(s, "nan") == 0)
        *ret = NAN;
    else if (strcasecmp(s, "inf") == 0 || strcasecmp(s, "infinity") == 0)
        *ret = negative ? -INFINITY : INFINITY;
    else
        return false;
    return true;
}

WN_CEL_FN(double_of_string)
{
    struct wn_str s = args[0].s;
    char text[400], *end;
    double d;

    if (s.len == 0 || s.len >= sizeof(text))
        return wn_cel_error("the text is no double");
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    if (named_double(text, &d))
        return wn_cel_double(d);
    /* strtod() takes more than numbers are: blanks, hexadecimal, nan(...) */
    if (strspn(text, "+-.0123456789eE") != s.len)
        return wn_cel_error("the text is no double");
    d = strtod(text, &end);
    if (end != text + s.len)
        return wn_cel_error("the text is no double");
    if (isinf(d))
        return wn_cel_error("the number does not fit a double");
    return wn_cel_double(d);
}

WN_CEL_FN(bool_of_string)
{
    static const char *const words[] = { "false", "False", "FALSE", "f", "F",
        "0", "true", "True", "TRUE", "t", "T", "1" };
    struct wn_str s = args[0].s;

    for (size_t i = 0; i < 12; i++)
        if (strlen(words[i]) == s.len && memcmp(words[i], s.p, s.len) == 0)
            return wn_cel_bool(i >= 6);
    return wn_cel_error("the text is no bool");
}

WN_CEL_FN(string_of)
{
    struct wn_cel_text t = { .run = run };

    if (!wn_cel_text_scalar(&t, &args[0], false))
        return wn_cel_error(wn_cel_no_overload);
    return wn_cel_text_value(&t);
}

WN_CEL_FN(string_of_bytes)
{
    struct wn_str s = args[0].s;

    for (size_t i = 0, n; i < s.len; i += n) {
        n = wn_utf8_len(s.p + i, s.len - i);
        if (n == 0)
            return wn_cel_error("the bytes are not UTF-8");
    }
    return wn_cel_string(s.p, s.len);
}

WN_CEL_FN(bytes_of_string)
{
    struct wn_cel_value v = args[0];

    v.kind = WN_CEL_BYTES;
    return v;
}

/* --- base64: the alphabet of RFC 4648, with padding or without --- */

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

WN_CEL_FN(base64_encode)
{
    struct wn_str s = args[0].s;
    size_t len = 0;
    char *p;

    if (s.len > WN_CEL_BUILD_MAX / 2)
        return wn_cel_error(wn_cel_no_scratch);
    p = wn_cel_scratch(run, (s.len + 2) / 3 * 4);
    if (p == NULL)
        return wn_cel_error(wn_cel_no_scratch);
    for (size_t i = 0; i < s.len; i += 3) {
        size_t n = s.len - i < 3 ? s.len - i : 3;
        uint32_t bits = 0;

        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < n ? (unsigned char)s.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            p[len++] = k <= n ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
    }
    return wn_cel_string(p, len);
}

/* The text without its padding; false where that is wrong. */
static bool
unpad(struct wn_str *s)
{
    size_t padding = 0;

    while (padding < 2 && s->len > padding && s->p[s->len - 1 - padding] == '=')
        padding++;
    if (padding > 0 && s->len % 4 != 0)
        return false;
    s->len -= padding;
    return s->len % 4 != 1;
}

WN_CEL_FN(base64_decode)
{
    struct wn_cel_value r = { .kind = WN_CEL_BYTES };
    struct wn_str s = args[0].s;
    uint32_t bits = 0;
    unsigned have = 0;
    char *p;

    if (!unpad(&s))
        return wn_cel_error("the text is no base64");
    p = wn_cel_scratch(run, s.len / 4 * 3 + 3);
    if (p == NULL)
        return wn_cel_error(wn_cel_no_scratch);
    for (size_t i = 0; i < s.len; i++) {
        const char *at = memchr(alphabet, s.p[i], 64);

        if (at == NULL)
            return wn_cel_error("the text is no base64");
        bits = bits << 6 | (uint32_t)(at - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            p[r.s.len++] = (char)(bits >> have & 0xff);
        }
    }
    r.s.p = p;
    return r;
}
