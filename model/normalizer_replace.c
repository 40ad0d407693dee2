/*
 * Replace: every place where a pattern matches becomes the content.
 *
 * A pattern is a string, or of regular expressions what tokenizers are shipped
 * with: one character, class or \s with an optional count, or a string.
 * Anything else is refused; so there is nothing to try again, and a text costs
 * one pass.
 */
#include "model/normalizer_int.h"

#include <stdlib.h>
#include <string.h>

#include <unicode/utf8.h>

#define RANGES_MAX 512
#define STRING_MAX 256
#define COUNT_MAX 65536

struct set {
    bool ascii[128];
    bool ascii_only; /* no other character is in it */
    bool space;      /* with all white space        */
    bool negated;
    struct {
        int32_t lo, hi;
    } ranges[RANGES_MAX]; /* of other characters */
    size_t n;
};

struct wn_replace {
    char *with;
    size_t with_len;
    char string[STRING_MAX]; /* string_len > 0: this; else the set */
    size_t string_len;
    struct set set;
    size_t min, max; /* so many of the set */
};

/* --- running --- */

static bool
in_ranges(const struct set *s, int32_t c)
{
    if (s->space && wn_unicode_is_space(c))
        return true;
    for (size_t i = 0; i < s->n; i++)
        if (c >= s->ranges[i].lo && c <= s->ranges[i].hi)
            return true;
    return false;
}

/* Is the character at *at in the set? *at moves behind it. */
static bool
takes(const struct set *s, const struct wn_trace *t, size_t *at)
{
    uint8_t byte = (uint8_t)t->p[*at];

    if (byte < 0x80) {
        *at += 1;
        return s->ascii[byte];
    }
    return in_ranges(s, wn_trace_next(t, at)) != s->negated;
}

/* The next match of the set at or after `at`, and its end; t->n without. */
static size_t
next_of_set(const struct wn_replace *r, const struct wn_trace *t, size_t at,
    size_t *ret_end)
{
    while (at < t->n) {
        size_t start = at, end = at, next = at, count = 0;

        if (r->set.ascii_only && (uint8_t)t->p[at] >= 0x80) {
            at++;
            continue;
        }
        while (count < r->max && next < t->n && takes(&r->set, t, &next)) {
            end = next;
            count++;
        }
        if (count >= r->min) {
            *ret_end = end;
            return start;
        }
        at = next;
    }
    return t->n;
}

static size_t
next_of_string(const struct wn_replace *r, const struct wn_trace *t, size_t at,
    size_t *ret_end)
{
    const char *p;

    if (at >= t->n)
        return t->n;
    p = memmem(t->p + at, t->n - at, r->string, r->string_len);
    if (p == NULL)
        return t->n;
    *ret_end = (size_t)(p - t->p) + r->string_len;
    return (size_t)(p - t->p);
}

static size_t
next_match(const struct wn_replace *r, const struct wn_trace *t, size_t at,
    size_t *ret_end)
{
    return r->string_len > 0 ? next_of_string(r, t, at, ret_end)
                             : next_of_set(r, t, at, ret_end);
}

bool
wn_replace_run(
    const struct wn_replace *r, const struct wn_trace *in, struct wn_trace *out)
{
    size_t at = 0, end, start = next_match(r, in, 0, &end);

    if (start == in->n)
        return false;
    while (start < in->n && !out->failed) {
        wn_trace_copy(out, in, at, start);
        wn_trace_put(
            out, r->with, r->with_len, in->start[start], in->end[end - 1]);
        at = end;
        start = next_match(r, in, at, &end);
    }
    wn_trace_copy(out, in, at, in->n);
    return true;
}

/* --- reading --- */

/* The rest of a regular expression. */
struct regex {
    const char *p;
    bool bad;
};

/* \x41 or \x{41}, behind the x */
static int32_t
read_hex(struct regex *x)
{
    bool braces = *x->p == '{';
    int32_t c = 0;
    int digits = 0;

    x->p += braces;
    for (; digits < (braces ? 8 : 2); digits++, x->p++) {
        char d = *x->p;

        if (d >= '0' && d <= '9')
            c = c * 16 + (d - '0');
        else if ((d | 32) >= 'a' && (d | 32) <= 'f')
            c = c * 16 + ((d | 32) - 'a' + 10);
        else
            break;
        if (c > 0x10ffff)
            x->bad = true;
        c &= 0x1fffff;
    }
    if (digits == 0 || (braces && *x->p++ != '}'))
        x->bad = true;
    return c;
}

/* Behind a backslash: a character, or -1 for \s. */
static int32_t
read_escape(struct regex *x)
{
    char c = *x->p;

    if (c == '\0' || (uint8_t)c >= 0x80) {
        x->bad = true;
        return 0;
    }
    x->p++;
    switch (c) {
    case 's':
        return -1;
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'f':
        return '\f';
    case 'v':
        return '\v';
    case 'x':
        return read_hex(x);
    default:
        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'))
            x->bad = true;
        return c;
    }
}

/* One character of the pattern, or -1 for \s. */
static int32_t
read_char(struct regex *x)
{
    int32_t at = 0, c;

    if (*x->p == '\\') {
        x->p++;
        return read_escape(x);
    }
    U8_NEXT((const uint8_t *)x->p, at, -1, c);
    x->p += at;
    return c;
}

static void
add_range(struct set *s, int32_t lo, int32_t hi, struct regex *x)
{
    if (hi < lo || s->n == RANGES_MAX) {
        x->bad = true;
        return;
    }
    for (int32_t c = lo; c <= hi && c < 0x80; c++)
        s->ascii[c] = true;
    if (hi < 0x80)
        return;
    s->ranges[s->n].lo = lo < 0x80 ? 0x80 : lo;
    s->ranges[s->n++].hi = hi;
}

static void
add_char(struct set *s, int32_t c, struct regex *x)
{
    if (c >= 0) {
        add_range(s, c, c, x);
        return;
    }
    s->space = true;
    for (c = 0; c < 0x80; c++)
        s->ascii[c] = s->ascii[c] || wn_unicode_is_space(c);
}

/* Behind '['. */
static void
read_class(struct set *s, struct regex *x)
{
    s->negated = *x->p == '^';
    x->p += s->negated;
    while (!x->bad && *x->p != ']') {
        int32_t lo, hi;

        /* classes within, intersections and names */
        if (*x->p == '\0' || *x->p == '[' ||
            (x->p[0] == '&' && x->p[1] == '&')) {
            x->bad = true;
            return;
        }
        lo = read_char(x);
        if (x->p[0] != '-' || x->p[1] == ']' || lo < 0) {
            add_char(s, lo, x);
            continue;
        }
        x->p++;
        hi = read_char(x);
        add_range(s, lo, hi, x);
    }
    x->p++;
    for (int c = 0; c < 0x80; c++)
        s->ascii[c] = s->ascii[c] != s->negated;
}

static size_t
read_number(struct regex *x, size_t otherwise)
{
    size_t n = 0;

    if (*x->p < '0' || *x->p > '9')
        return otherwise;
    while (*x->p >= '0' && *x->p <= '9' && n <= COUNT_MAX)
        n = 10 * n + (size_t)(*x->p++ - '0');
    x->bad = x->bad || n > COUNT_MAX;
    return n;
}

/* +, {n}, {n,}, {n,m} or nothing. */
static void
read_count(struct wn_replace *r, struct regex *x)
{
    r->min = r->max = 1;
    if (*x->p == '+') {
        x->p++;
        r->max = SIZE_MAX;
    } else if (*x->p == '{') {
        x->p++;
        r->min = r->max = read_number(x, 0);
        if (*x->p == ',') {
            x->p++;
            r->max = read_number(x, SIZE_MAX);
        }
        x->bad = x->bad || *x->p != '}';
        x->p += !x->bad;
    }
    /* what matches nothing would match everywhere */
    x->bad = x->bad || r->min == 0 || r->max < r->min;
}

static bool
is_plain(int c)
{
    return c != '\0' && strchr(".^$*+?()[]{}|", c) == NULL;
}

/* A string without anything that repeats. */
static void
read_string(struct wn_replace *r, struct regex *x)
{
    while (!x->bad && *x->p != '\0') {
        bool plain = is_plain(*x->p);
        int32_t c = read_char(x);

        if (!plain || c < 0 || r->string_len + 4 > STRING_MAX) {
            x->bad = true;
            return;
        }
        U8_APPEND_UNSAFE(r->string, r->string_len, c);
    }
    x->bad = x->bad || r->string_len == 0;
}

static bool
read_regex(struct wn_replace *r, const char *pattern)
{
    struct regex x = { .p = pattern };

    if (*x.p == '[') {
        x.p++;
        read_class(&r->set, &x);
    } else if (is_plain(*x.p)) {
        add_char(&r->set, read_char(&x), &x);
    } else {
        return false;
    }
    if (!x.bad)
        read_count(r, &x);
    r->set.ascii_only = r->set.n == 0 && !r->set.space && !r->set.negated;
    if (!x.bad && *x.p == '\0')
        return true;
    x = (struct regex){ .p = pattern };
    read_string(r, &x);
    return !x.bad;
}

static enum wn_status
read_pattern(struct wn_replace *r, const json_t *json, struct wn_err *err)
{
    const json_t *pattern = json_object_get(json, "pattern");
    const char *string = json_string_value(json_object_get(pattern, "String"));
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));

    if (string != NULL && string[0] != '\0' && strlen(string) < STRING_MAX) {
        r->string_len = strlen(string);
        memcpy(r->string, string, r->string_len);
        return WN_OK;
    }
    if (regex != NULL && read_regex(r, regex))
        return WN_OK;
    return wn_fail(err, WN_REJECT,
        "tokenizer.json: normalizer: Replace's pattern '%.80s' is not "
        "supported (a string, or one character or class with a count)",
        regex != NULL ? regex : "");
}

enum wn_status
wn_replace_read(struct wn_replace **ret, const json_t *json, struct wn_err *err)
{
    const char *with = json_string_value(json_object_get(json, "content"));
    struct wn_replace *r;
    enum wn_status rc;

    if (with == NULL)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: normalizer: Replace has no 'content'");
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return wn_fail(err, WN_STOP, "tokenizer: out of memory");
    rc = read_pattern(r, json, err);
    if (rc == WN_OK) {
        r->with_len = strlen(with);
        r->with = strdup(with);
        if (r->with == NULL)
            rc = wn_fail(err, WN_STOP, "tokenizer: out of memory");
    }
    if (rc == WN_OK)
        *ret = r;
    else
        wn_replace_free(r);
    return rc;
}

void
wn_replace_free(struct wn_replace *r)
{
    if (r == NULL)
        return;
    free(r->with);
    free(r);
}
