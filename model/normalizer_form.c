/*
 * Normal forms, from the characters' data alone: ICU's own functions know a
 * later Unicode than the reference does, and sort a run of marks in the square
 * of its length.
 *
 * A text falls into sequences that end before a character that nothing before
 * it changes with. Most are one character that stays; the others are
 * decomposed, put in canonical order and composed; where that changes one, all
 * that comes of it comes from all of it.
 */
#include "model/normalizer_int.h"

#include <stdlib.h>
#include <string.h>

#define FEW 12 /* marks in a row; more are counted, not compared */

static bool
grow(struct wn_normalizer_scratch *s, size_t n)
{
    size_t cap = 2 * n + 64;
    int32_t *p;

    if (n <= s->cap)
        return true;
    p = realloc(s->chars, cap * sizeof(*p));
    if (p == NULL)
        return false;
    s->chars = p;
    p = realloc(s->sorted, cap * sizeof(*p));
    if (p == NULL)
        return false;
    s->sorted = p;
    s->cap = cap;
    return true;
}

void
wn_normalizer_scratch_release(struct wn_normalizer_scratch *s)
{
    free(s->chars);
    free(s->sorted);
    *s = (struct wn_normalizer_scratch){ 0 };
}

/* The characters of in[from, to), decomposed. */
static bool
decompose(const struct wn_unicode_form *f, const struct wn_trace *in,
    size_t from, size_t to, struct wn_normalizer_scratch *s)
{
    s->n = 0;
    while (from < to) {
        int32_t c = wn_trace_next(in, &from);

        if (!grow(s, s->n + WN_DECOMPOSED_MAX))
            return false;
        s->n += wn_unicode_form_decompose(f, c, s->chars + s->n);
    }
    return true;
}

/* Both sorts are stable. */
static void
sort_few(int32_t *c, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        int32_t one = c[i];
        size_t at = i;

        for (; at > 0 && wn_unicode_class(c[at - 1]) > wn_unicode_class(one);
             at--)
            c[at] = c[at - 1];
        c[at] = one;
    }
}

static void
sort_many(int32_t *c, size_t n, int32_t *spare)
{
    size_t at[257] = { 0 };

    for (size_t i = 0; i < n; i++)
        at[wn_unicode_class(c[i]) + 1]++;
    for (size_t i = 1; i < 257; i++)
        at[i] += at[i - 1];
    for (size_t i = 0; i < n; i++)
        spare[at[wn_unicode_class(c[i])]++] = c[i];
    memcpy(c, spare, n * sizeof(*c));
}

static void
put_in_order(struct wn_normalizer_scratch *s)
{
    for (size_t i = 0; i < s->n;) {
        size_t from = i;

        while (i < s->n && wn_unicode_class(s->chars[i]) != 0)
            i++;
        if (i - from > FEW)
            sort_many(s->chars + from, i - from, s->sorted);
        else if (i - from > 1)
            sort_few(s->chars + from, i - from);
        i += i == from;
    }
}

/* Each character joins the starter before it, unless one that stands between
 * has its class or a higher one. */
static void
compose(const struct wn_unicode_form *f, struct wn_normalizer_scratch *s)
{
    size_t n = 0, starter = SIZE_MAX;
    uint8_t last = 0; /* class of what stands behind the starter */

    for (size_t i = 0; i < s->n; i++) {
        int32_t c = s->chars[i], both;
        uint8_t class = wn_unicode_class(c);
        bool blocked = starter == SIZE_MAX ||
                       (starter + 1 < n && (last == 0 || last >= class));

        both = blocked ? -1 : wn_unicode_form_compose(f, s->chars[starter], c);
        if (both >= 0) {
            s->chars[starter] = both;
            continue;
        }
        if (class == 0)
            starter = n;
        last = class;
        s->chars[n++] = c;
    }
    s->n = n;
}

/* Has nothing come of in[from, to) but itself? */
static bool
is_same(const struct wn_normalizer_scratch *s, const struct wn_trace *in,
    size_t from, size_t to)
{
    size_t i = 0;

    while (i < s->n && from < to && s->chars[i] == wn_trace_next(in, &from))
        i++;
    return i == s->n && from == to;
}

static void
put_sequence(const struct wn_unicode_form *f, const struct wn_trace *in,
    size_t from, size_t to, struct wn_trace *out,
    struct wn_normalizer_scratch *s)
{
    if (!decompose(f, in, from, to, s)) {
        out->failed = true;
        return;
    }
    put_in_order(s);
    compose(f, s);
    if (is_same(s, in, from, to)) {
        wn_trace_copy(out, in, from, to);
        return;
    }
    for (size_t i = 0; i < s->n; i++)
        wn_trace_put_char(out, s->chars[i], in->start[from], in->end[to - 1]);
}

/* The next sequence at or after `at` that may change: its start and *ret_end,
 * or in->n. */
static size_t
next_sequence(const struct wn_unicode_form *f, const struct wn_trace *in,
    size_t at, size_t *ret_end)
{
    size_t start = at, before = at;
    bool stays = true;

    while (at < in->n) {
        unsigned flags;

        before = at;
        if ((uint8_t)in->p[at] < 0x80) {
            flags = WN_FORM_SELF | WN_FORM_BOUNDARY;
            at++;
        } else {
            flags = wn_unicode_form_flags(f, wn_trace_next(in, &at));
        }
        if ((flags & WN_FORM_BOUNDARY) == 0) {
            stays = false;
            continue;
        }
        if (!stays) {
            *ret_end = before;
            return start;
        }
        start = before;
        stays = (flags & WN_FORM_SELF) != 0;
    }
    *ret_end = in->n;
    return stays ? in->n : start;
}

bool
wn_normalizer_form(const struct wn_unicode_form *f, const struct wn_trace *in,
    struct wn_trace *out, struct wn_normalizer_scratch *scratch)
{
    size_t at = 0, end, start = next_sequence(f, in, 0, &end);

    if (start == in->n)
        return false;
    while (start < in->n && !out->failed) {
        wn_trace_copy(out, in, at, start);
        put_sequence(f, in, start, end, out, scratch);
        at = end;
        start = next_sequence(f, in, at, &end);
    }
    wn_trace_copy(out, in, at, in->n);
    return true;
}
