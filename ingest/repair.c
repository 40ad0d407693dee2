/*
 * One pass over the bytes. What needs no repair is copied in runs: `run` is
 * where the pending run begins, and every rewrite flushes it first.
 *
 * Always holds: out never has an unpaired surrogate escape or ill-formed UTF-8
 * inside a string, and `at` moves forward with every step.
 */
#include "ingest/repair.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD"
/* Longest number token that is looked at; longer ones become strings. */
#define NUMBER_MAX 320

struct repair {
    struct wn_buf *out;
    const unsigned char *p;
    size_t len, at, run;
    size_t count;
};

static void
flush(struct repair *r)
{
    if (r->at > r->run)
        wn_buf_add(r->out, r->p + r->run, r->at - r->run);
}

/* Puts `with` in the place of the next `n` bytes. */
static void
rewrite(struct repair *r, size_t n, const char *with)
{
    flush(r);
    wn_buf_str(r->out, with);
    r->at += n;
    r->run = r->at;
}

static void
replace(struct repair *r, size_t n)
{
    rewrite(r, n, REPLACEMENT);
    r->count++;
}

/*
 * Length of the well-formed sequence at p, or of the maximal subpart of an
 * ill-formed one. The second byte's range tells overlong forms, surrogates and
 * what lies beyond U+10FFFF.
 */
static size_t
utf8_at(const unsigned char *p, size_t left, bool *ret_valid)
{
    unsigned lo = 0x80, hi = 0xBF;
    size_t need, i;

    *ret_valid = false;
    if (p[0] < 0x80) {
        *ret_valid = true;
        return 1;
    }
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 1;
    need = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (p[0] == 0xE0)
        lo = 0xA0;
    else if (p[0] == 0xED)
        hi = 0x9F;
    else if (p[0] == 0xF0)
        lo = 0x90;
    else if (p[0] == 0xF4)
        hi = 0x8F;
    for (i = 1; i < need; i++) {
        if (i == left || p[i] < lo || p[i] > hi)
            return i;
        lo = 0x80;
        hi = 0xBF;
    }
    *ret_valid = true;
    return need;
}

static void
multibyte(struct repair *r)
{
    bool valid;
    size_t n = utf8_at(r->p + r->at, r->len - r->at, &valid);

    if (valid)
        r->at += n;
    else
        replace(r, n);
}

/* The code unit of the \uXXXX at `at`, or -1 where there is none. */
static int
unit_at(const struct repair *r, size_t at)
{
    int unit = 0;
    size_t i;

    if (r->len < 6 || at > r->len - 6 || r->p[at] != '\\' ||
        r->p[at + 1] != 'u')
        return -1;
    for (i = 2; i < 6; i++) {
        unsigned char c = r->p[at + i];
        int v;

        if (c >= '0' && c <= '9')
            v = c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            v = (c | 0x20) - 'a' + 10;
        else
            return -1;
        unit = unit * 16 + v;
    }
    return unit;
}

static void
escape(struct repair *r)
{
    int unit = unit_at(r, r->at), next;

    if (unit < 0) {
        /* The byte after the backslash is never read as a quote or as
         * another backslash; one that is not ASCII is left to the next step. */
        r->at += r->at + 1 < r->len && r->p[r->at + 1] >= 0x20 &&
                         r->p[r->at + 1] < 0x80
                     ? 2
                     : 1;
        return;
    }
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        next = unit_at(r, r->at + 6);
        if (next >= 0xDC00 && next <= 0xDFFF)
            r->at += 12;
        else
            replace(r, 6);
    } else if (unit == 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) {
        replace(r, 6);
    } else {
        r->at += 6;
    }
}

static void
control(struct repair *r)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char c = r->p[r->at];
    char text[7] = "\\u0000";

    if (c == 0) {
        replace(r, 1);
        return;
    }
    text[4] = hex[c >> 4];
    text[5] = hex[c & 15];
    rewrite(r, 1, text);
}

/* -?digits(.digits)?([eE][+-]?digits)? as JSON has it. */
static bool
is_number(const char *s)
{
    s += *s == '-';
    if (*s == '0')
        s++;
    else if (*s >= '1' && *s <= '9')
        s += strspn(s, "0123456789");
    else
        return false;
    if (*s == '.') {
        if (s[1] < '0' || s[1] > '9')
            return false;
        s += 1 + strspn(s + 1, "0123456789");
    }
    if (*s == 'e' || *s == 'E') {
        s += 1 + (s[1] == '+' || s[1] == '-');
        if (*s < '0' || *s > '9')
            return false;
        s += strspn(s, "0123456789");
    }
    return *s == '\0';
}

/* false: some int64 or double holds it, or it is no number at all. */
static bool
too_large(const unsigned char *p, size_t n)
{
    char text[NUMBER_MAX + 1];
    double d;

    if (n > NUMBER_MAX)
        return true;
    memcpy(text, p, n);
    text[n] = '\0';
    if (!is_number(text))
        return false;
    errno = 0;
    if (strpbrk(text, ".eE") == NULL) {
        (void)strtoll(text, NULL, 10);
        return errno == ERANGE;
    }
    d = strtod(text, NULL);
    return !isfinite(d);
}

static void
number(struct repair *r)
{
    size_t n = 0;
    bool exponent = false;

    while (r->at + n < r->len) {
        unsigned char c = r->p[r->at + n];

        if ((c < '0' || c > '9') && c != '-' && c != '+' && c != '.' &&
            (c | 0x20) != 'e')
            break;
        exponent = exponent || (c | 0x20) == 'e';
        n++;
    }
    if ((n > 18 || exponent) && too_large(r->p + r->at, n)) {
        flush(r);
        wn_buf_char(r->out, '"');
        wn_buf_add(r->out, r->p + r->at, n);
        wn_buf_char(r->out, '"');
        r->run = r->at + n;
    }
    r->at += n;
}

size_t
wn_repair_json(struct wn_buf *out, const char *p, size_t len)
{
    struct repair r = { .out = out, .p = (const void *)p, .len = len };
    bool in_string = false;

    while (r.at < r.len) {
        unsigned char c = r.p[r.at];

        if (c == '"') {
            in_string = !in_string;
            r.at++;
        } else if (!in_string) {
            if (c == '-' || (c >= '0' && c <= '9'))
                number(&r);
            else
                r.at++;
        } else if (c == '\\') {
            escape(&r);
        } else if (c < 0x20) {
            control(&r);
        } else if (c >= 0x80) {
            multibyte(&r);
        } else {
            r.at++;
        }
    }
    flush(&r);
    return r.count;
}

size_t
wn_repair_text(struct wn_buf *out, const char *p, size_t len)
{
    struct repair r = { .out = out, .p = (const void *)p, .len = len };

    while (r.at < r.len) {
        if (r.p[r.at] == 0)
            replace(&r, 1);
        else
            multibyte(&r);
    }
    flush(&r);
    return r.count;
}
