/*
 * The strings extension. Positions count code points; a position outside of
 * the text is an error. Texts are read where they lie: only what changes is
 * built anew.
 */
#include <string.h>

#include "core/utf8.h"
#include "policies/cel_fn.h"

static const char out_of_range[] = "a position is outside of the text";

/* Bytes of the character at p; broken ones are one byte each. */
static size_t
char_len(const char *p, size_t n)
{
    size_t len = wn_utf8_len(p, n);

    return len == 0 ? 1 : len;
}

/* The byte where code point i begins, or s.len where it is the end; false
 * where the text is shorter. */
static bool
offset_of(struct wn_str s, int64_t i, size_t *ret)
{
    size_t pos = 0;

    if (i < 0)
        return false;
    for (; i > 0; i--) {
        if (pos == s.len)
            return false;
        pos += char_len(s.p + pos, s.len - pos);
    }
    *ret = pos;
    return true;
}

static int64_t
count_chars(const char *p, size_t len)
{
    int64_t n = 0;

    for (size_t pos = 0; pos < len; n++)
        pos += char_len(p + pos, len - pos);
    return n;
}

WN_CEL_FN(char_at)
{
    struct wn_str s = args[0].s;
    size_t pos;

    if (!offset_of(s, args[1].i, &pos))
        return wn_cel_error(out_of_range);
    return wn_cel_string(
        s.p + pos, pos == s.len ? 0 : char_len(s.p + pos, s.len - pos));
}

/* --- looking --- */

/* The byte of the first occurrence from `from`; SIZE_MAX for none. */
static size_t
find(struct wn_str s, struct wn_str part, size_t from)
{
    const char *at;

    if (part.len == 0)
        return from;
    if (part.len > s.len - from)
        return SIZE_MAX;
    at = memmem(s.p + from, s.len - from, part.p, part.len);
    return at == NULL ? SIZE_MAX : (size_t)(at - s.p);
}

static struct wn_cel_value
position(struct wn_str s, size_t at)
{
    return wn_cel_int(at == SIZE_MAX ? -1 : count_chars(s.p, at));
}

WN_CEL_FN(index_of)
{
    return position(args[0].s, find(args[0].s, args[1].s, 0));
}

WN_CEL_FN(index_of_from)
{
    size_t from;

    if (!offset_of(args[0].s, args[2].i, &from))
        return wn_cel_error(out_of_range);
    return position(args[0].s, find(args[0].s, args[1].s, from));
}

/* The last occurrence that begins at byte `from` or before. Every place may
 * read all of part: that is charged. */
static struct wn_cel_value
find_last(
    struct wn_cel_run *run, struct wn_str s, struct wn_str part, size_t from)
{
    if (part.len > s.len)
        return wn_cel_int(-1);
    if (from > s.len - part.len)
        from = s.len - part.len;
    for (size_t at = from + 1; at-- > 0;) {
        if (part.len == 0 || memcmp(s.p + at, part.p, part.len) == 0)
            return position(s, at);
        if (!wn_cel_charge_bytes(run, part.len + WN_CEL_STEP_BYTES / 16) ||
            (at % 16 == 0 && !wn_cel_charge(run, 1)))
            return wn_cel_error(wn_cel_no_steps);
    }
    return wn_cel_int(-1);
}

WN_CEL_FN(last_index_of)
{
    return find_last(run, args[0].s, args[1].s, args[0].s.len);
}

WN_CEL_FN(last_index_of_from)
{
    size_t from;

    if (!offset_of(args[0].s, args[2].i, &from))
        return wn_cel_error(out_of_range);
    return find_last(run, args[0].s, args[1].s, from);
}

WN_CEL_FN(substring_to)
{
    struct wn_str s = args[0].s;
    size_t from, to;

    if (args[1].i > args[2].i || !offset_of(s, args[1].i, &from) ||
        !offset_of(s, args[2].i, &to))
        return wn_cel_error(out_of_range);
    return wn_cel_string(s.p + from, to - from);
}

WN_CEL_FN(substring)
{
    struct wn_str s = args[0].s;
    size_t from;

    if (!offset_of(s, args[1].i, &from))
        return wn_cel_error(out_of_range);
    return wn_cel_string(s.p + from, s.len - from);
}

/* White space as Unicode has it (property White_Space). */
static bool
is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static size_t
space_at(const char *p, size_t n)
{
    size_t len = n == 0 ? 0 : wn_utf8_len(p, n);

    return len > 0 && is_space(wn_utf8_get(p, len)) ? len : 0;
}

WN_CEL_FN(trim)
{
    struct wn_str s = args[0].s;
    size_t n;

    while ((n = space_at(s.p, s.len)) > 0) {
        s.p += n;
        s.len -= n;
    }
    while (s.len > 0) {
        n = 1;
        while (n < 4 && n < s.len &&
               ((unsigned char)s.p[s.len - n] & 0xc0) == 0x80)
            n++;
        if (space_at(s.p + s.len - n, n) != n)
            break;
        s.len -= n;
    }
    return wn_cel_string(s.p, s.len);
}

/* --- building --- */

static struct wn_cel_value
change_case(struct wn_cel_run *run, struct wn_str s, char from, int by)
{
    char *p = s.len > WN_CEL_BUILD_MAX ? NULL : wn_cel_scratch(run, s.len);

    if (p == NULL)
        return wn_cel_error(wn_cel_no_scratch);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        p[i] = c >= from && c < from + 26 ? (char)(c + by) : c;
    }
    return wn_cel_string(p, s.len);
}

WN_CEL_FN(lower_ascii)
{
    return change_case(run, args[0].s, 'A', 'a' - 'A');
}

WN_CEL_FN(upper_ascii)
{
    return change_case(run, args[0].s, 'a', 'A' - 'a');
}

WN_CEL_FN(reverse)
{
    struct wn_str s = args[0].s;
    char *p = s.len > WN_CEL_BUILD_MAX ? NULL : wn_cel_scratch(run, s.len);

    if (p == NULL)
        return wn_cel_error(wn_cel_no_scratch);
    for (size_t pos = 0, n; pos < s.len; pos += n) {
        n = char_len(s.p + pos, s.len - pos);
        memcpy(p + s.len - pos - n, s.p + pos, n);
    }
    return wn_cel_string(p, s.len);
}

/* Where the next part is, from pos; an empty one is between any two
 * characters, and at both ends. SIZE_MAX for none. */
static size_t
next_part(struct wn_str s, struct wn_str part, size_t pos, bool first)
{
    if (part.len > 0)
        return find(s, part, pos);
    if (first)
        return 0;
    return pos < s.len ? pos + char_len(s.p + pos, s.len - pos) : SIZE_MAX;
}

/* At most n replacements; all for a negative n. */
static struct wn_cel_value
replace(struct wn_cel_run *run, struct wn_str s, struct wn_str part,
    struct wn_str with, int64_t n)
{
    struct wn_cel_text t = { .run = run };
    size_t pos = 0, search = 0;

    for (bool first = true; n != 0; first = false) {
        size_t at = next_part(s, part, search, first);

        if (at == SIZE_MAX || t.failed)
            break;
        wn_cel_text_add(&t, s.p + pos, at - pos);
        wn_cel_text_add(&t, with.p, with.len);
        pos = search = at + part.len;
        n -= n > 0;
        if (!wn_cel_charge(run, 1))
            return wn_cel_error(wn_cel_no_steps);
    }
    wn_cel_text_add(&t, s.p + pos, s.len - pos);
    return wn_cel_text_value(&t);
}

WN_CEL_FN(replace)
{
    return replace(run, args[0].s, args[1].s, args[2].s, -1);
}

WN_CEL_FN(replace_n)
{
    return replace(run, args[0].s, args[1].s, args[2].s, args[3].i);
}

/* How many pieces there will be, at most n. */
static size_t
count_pieces(struct wn_str s, struct wn_str by, int64_t n)
{
    size_t pieces = 1, at = 0;

    while (n < 0 || pieces < (uint64_t)n) {
        at = next_part(s, by, at, false);
        if (at == SIZE_MAX || (by.len == 0 && at == s.len))
            break;
        pieces++;
        at += by.len;
    }
    return pieces;
}

/* By nothing: into characters. */
static struct wn_cel_value
split(struct wn_cel_run *run, struct wn_str s, struct wn_str by, int64_t n)
{
    struct wn_cel_value *v;
    size_t pieces, pos = 0;

    if (n == 0 || (by.len == 0 && s.len == 0))
        return wn_cel_list(NULL, 0);
    pieces = count_pieces(s, by, n);
    v = pieces > WN_CEL_BUILD_MAX ? NULL
                                  : wn_cel_scratch(run, pieces * sizeof(*v));
    if (v == NULL || !wn_cel_charge(run, pieces))
        return wn_cel_error(run->spent ? wn_cel_no_steps : wn_cel_no_scratch);
    for (size_t i = 0; i + 1 < pieces; i++) {
        size_t at = next_part(s, by, pos, false);

        v[i] = wn_cel_string(s.p + pos, at - pos);
        pos = at + by.len;
    }
    v[pieces - 1] = wn_cel_string(s.p + pos, s.len - pos);
    return wn_cel_list(v, pieces);
}

WN_CEL_FN(split)
{
    return split(run, args[0].s, args[1].s, -1);
}

WN_CEL_FN(split_n)
{
    return split(run, args[0].s, args[1].s, args[2].i);
}

static struct wn_cel_value
join(
    struct wn_cel_run *run, const struct wn_cel_value *list, struct wn_str with)
{
    struct wn_cel_text t = { .run = run };

    for (size_t i = 0; i < list->seq.n; i++) {
        struct wn_cel_value v = wn_cel_at(list, i);

        if (v.kind != WN_CEL_STRING)
            return wn_cel_error(wn_cel_no_overload);
        if (!wn_cel_charge(run, 1))
            return wn_cel_error(wn_cel_no_steps);
        if (i > 0)
            wn_cel_text_add(&t, with.p, with.len);
        wn_cel_text_add(&t, v.s.p, v.s.len);
    }
    return wn_cel_text_value(&t);
}

WN_CEL_FN(join)
{
    return join(run, &args[0], (struct wn_str){ NULL, 0 });
}

WN_CEL_FN(join_with)
{
    return join(run, &args[0], args[1].s);
}

/* "In quotes", control characters as escapes, broken UTF-8 as U+FFFD. */
WN_CEL_FN(quote)
{
    static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
    struct wn_cel_text t = { .run = run };
    struct wn_str s = args[0].s;

    wn_cel_text_add(&t, "\"", 1);
    for (size_t pos = 0, n; pos < s.len && !t.failed; pos += n) {
        const char *p = s.p[pos] == '\0' ? NULL : strchr(from, s.p[pos]);
        char escape[2] = { '\\', p == NULL ? 0 : to[p - from] };

        n = char_len(s.p + pos, s.len - pos);
        if (p != NULL)
            wn_cel_text_add(&t, escape, 2);
        else if (wn_utf8_len(s.p + pos, s.len - pos) == 0)
            wn_cel_text_add(&t, "\xef\xbf\xbd", 3);
        else
            wn_cel_text_add(&t, s.p + pos, n);
    }
    wn_cel_text_add(&t, "\"", 1);
    return wn_cel_text_value(&t);
}
