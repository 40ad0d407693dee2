/*
 * Hardened text, steps 6 and 7: white space, handles, mail addresses; what
 * stacks of marks normalisation and entities have left; UTF-16 in, UTF-8 out.
 * One pass forwards; the only look back is over the local part of a mail
 * address, which ends at the '@' before, so no byte is looked at more than
 * twice.
 */
#include <stdlib.h>
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

#include "classifier/text_int.h"

/* A longer "handle" is text that hides behind an @, and is read as such. */
#define HANDLE_MAX 64

struct emitter {
    struct wn_text *t;
    const UChar *s; /* t->u16 */
    size_t n, i;
    UChar32 prev;        /* last one written, -1 at the start   */
    UChar32 base;        /* the last one that is no mark        */
    size_t marks, loose; /* behind it, and which of them are  */
    bool in_url, wide;
};

static bool
is_space(UChar32 c)
{
    if (c < 0x80)
        return c == ' ' || (c >= 0x09 && c <= 0x0D);
    if (c < 0x1680 || c > 0x3000)
        return c == 0x85 || c == 0xA0;
    /* Braille's blank is no space to Unicode but looks like one. */
    return u_isUWhiteSpace(c) || c == 0x2800;
}

static bool
is_line_end(UChar32 c)
{
    return (c >= 0x0A && c <= 0x0D) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

static bool
local_char(unsigned char c)
{
    return wn_text_ascii_alnum(c) || (c != '\0' && strchr("._%+-", c) != NULL);
}

/* Units of the handle's character at i; 0 where it is none. Marks too: left
 * behind they would join "user". */
static size_t
handle_char(const struct emitter *e, size_t i)
{
    size_t j = i;
    UChar32 c;

    if (i == e->n)
        return 0;
    U16_NEXT_UNSAFE(e->s, j, c);
    if (wn_text_ascii_alnum(c) || c == '_' ||
        (c >= 0xC0 && c < 0x250 && c != 0xD7 && c != 0xF7) ||
        (!wn_text_is_solid(c) && wn_text_is_mark(c)))
        return j - i;
    return 0;
}

/* End of the labels that start at i, or i: dots between (at least one if
 * `dotted`), the last of two letters or more, in lower case if `lower`. */
static size_t
labels_end(const struct emitter *e, size_t i, bool lower, bool dotted)
{
    size_t end = i, letters = 0;

    while (end < e->n && end - i < 254 &&
           (wn_text_ascii_alnum(e->s[end]) || e->s[end] == '-' ||
               e->s[end] == '.')) {
        if (e->s[end] == '.' && (end == i || e->s[end - 1] == '.'))
            break;
        end++;
    }
    while (end > i && !wn_text_ascii_alnum(e->s[end - 1]))
        end--;
    while (end - letters > i && e->s[end - letters - 1] > '9' &&
           (!lower || e->s[end - letters - 1] >= 'a'))
        letters++;
    if (letters < 2 || (dotted && end - letters <= i + 1))
        return i;
    if (end - letters > i && e->s[end - letters - 1] != '.')
        return i;
    if (handle_char(e, end) > 0)
        return i;
    return end;
}

/* End of the handle whose @ is at i, or i: @name, @name.example.org,
 * @name@example.org. */
static size_t
handle_end(const struct emitter *e, size_t i)
{
    size_t j = i + 1, step, end;

    while (j - i <= HANDLE_MAX && (step = handle_char(e, j)) > 0)
        j += step;
    if (j == i + 1 || j - i > HANDLE_MAX)
        return i;
    /* What is asked here is only what follows the name, so that "@user" in
     * its place gets the same answer. */
    while (j < e->n && (e->s[j] == '@' || e->s[j] == '.')) {
        end = labels_end(e, j + 1, true, e->s[j] == '@');
        if (end == j + 1)
            break;
        j = end;
    }
    if (j < e->n && e->s[j] == '-')
        return labels_end(e, j, true, true);
    return j;
}

static void
start_base(struct emitter *e, UChar32 c)
{
    e->prev = e->base = c;
    e->marks = e->loose = 0;
}

static void
write_str(struct emitter *e, const char *s)
{
    size_t len = strlen(s);

    memcpy(e->t->data + e->t->len, s, len);
    e->t->len += len;
    start_base(e, (unsigned char)s[len - 1]);
}

/* What is left of stacks. Those that come first stay: they do not combine
 * anew, and nothing that they part comes together. */
static void
write_mark(struct emitter *e, UChar32 c)
{
    bool loose = wn_text_is_loose_mark(c);

    if (++e->marks > WN_TEXT_MARKS_MAX ||
        e->loose + loose > wn_text_loose_max(e->base)) {
        e->marks = WN_TEXT_MARKS_MAX;
        e->t->combining++;
        return;
    }
    e->loose += loose;
    U8_APPEND_UNSAFE((uint8_t *)e->t->data, e->t->len, c);
    e->prev = c;
}

static void
write_char(struct emitter *e, UChar32 c)
{
    if (c < 0x80) {
        e->t->data[e->t->len++] = (char)c;
    } else if (!wn_text_is_solid(c) && wn_text_is_mark(c)) {
        write_mark(e, c);
        return;
    } else {
        U8_APPEND_UNSAFE((uint8_t *)e->t->data, e->t->len, c);
    }
    start_base(e, c);
}

/* At an '@' at i: after a letter or digit it may be a mail's, whose domain is
 * read on; elsewhere a handle's. Never both, so the answer cannot change. */
static void
read_at(struct emitter *e)
{
    struct wn_text *t = e->t;
    size_t local = t->len, end;

    if (wn_text_ascii_alnum(e->prev) || e->prev == '_') {
        while (local > 0 && local_char((unsigned char)t->data[local - 1]))
            local--;
        if ((local == 0 || t->data[local - 1] != '@') &&
            labels_end(e, e->i + 1, false, true) > e->i + 1) {
            t->len = local;
            write_str(e, "user");
        }
    } else if (e->prev < 0x80 ? e->prev != '/' : e->prev >= 0x250) {
        end = handle_end(e, e->i);
        if (end > e->i) {
            write_str(e, "@user");
            e->i = end;
            return;
        }
    }
    write_char(e, '@');
    e->i++;
}

/* The text ends in a letter or digit with nothing like it before. */
static bool
ends_alone(const struct wn_text *t)
{
    const uint8_t *s = (const uint8_t *)t->data;
    size_t i = t->len;
    UChar32 c;

    do
        U8_PREV_UNSAFE(s, i, c);
    while (i > 0 && c >= 0x80 && wn_text_is_mark(c));
    if (!u_isalnum(c) || i == 0)
        return i == 0 && u_isalnum(c);
    U8_PREV_UNSAFE(s, i, c);
    return !u_isalnum(c);
}

/* At white space: the whole run becomes one character, none at the ends. */
static void
read_space(struct emitter *e)
{
    bool line = false, alone;
    UChar32 c, before = 0;
    size_t width = 0;

    /* Almost every run: one space, and a word of ASCII behind it. */
    if (e->s[e->i] == ' ' && e->i + 1 < e->n && e->s[e->i + 1] > ' ' &&
        e->s[e->i + 1] < 0x80) {
        e->in_url = false;
        e->i++;
        if (e->t->len > 0)
            write_char(e, ' ');
        return;
    }
    while (e->i < e->n) {
        size_t j = e->i;

        U16_NEXT_UNSAFE(e->s, j, c);
        if (!is_space(c))
            break;
        width += c != '\n' || before != '\r';
        before = c;
        line = line || is_line_end(c);
        e->i = j;
    }
    e->in_url = false;
    if (e->i == e->n || e->t->len == 0)
        return;
    alone = width > 1 && ends_alone(e->t);
    write_char(e, line ? '\n' : ' ');
    for (; alone && width > 1; width--)
        write_char(e, WN_TEXT_WIDER);
    e->wide = e->wide || alone;
}

static bool
at_scheme(const struct emitter *e)
{
    return e->i + 2 < e->n && e->s[e->i + 1] == '/' && e->s[e->i + 2] == '/';
}

#define EACH(unit) (0x0001000100010001u * (unit))

/* High bits: which of four units, all under 0x8000, are zero. */
static uint64_t
zero(uint64_t v)
{
    return ~(v + EACH(0x7FFF)) & EACH(0x8000);
}

/* Four units of visible ASCII that mean nothing here but themselves, and
 * single spaces between; `next` follows them. */
static bool
is_plain_four(uint64_t v, UChar next, uint64_t *space)
{
    uint64_t low;

    if ((v & EACH(0xFF80)) != 0)
        return false;
    low = ~(v + EACH(0x7FFF - ' ')) & EACH(0x8000);
    *space = zero(v ^ EACH(' '));
    if (((low ^ *space) | zero(v ^ EACH('@')) | zero(v ^ EACH(':')) |
            (*space & *space << 16)) != 0)
        return false;
    return *space >> 63 == 0 || (next > ' ' && next < 0x80);
}

/* Almost all that is ever copied, so four at a time. No space comes before:
 * what is behind one has been looked at. */
static void
copy_fours(struct emitter *e)
{
    const UChar *s = e->s;
    char *out = e->t->data;
    size_t i = e->i, o = e->t->len;
    uint64_t space;

    for (; o > 0 && i + 4 < e->n; i += 4, o += 4) {
        uint64_t v = (uint64_t)s[i] | (uint64_t)s[i + 1] << 16 |
                     (uint64_t)s[i + 2] << 32 | (uint64_t)s[i + 3] << 48;

        if (!is_plain_four(v, s[i + 4], &space))
            break;
        e->in_url = e->in_url && space == 0;
        for (size_t k = 0; k < 4; k++)
            out[o + k] = (char)s[i + k];
    }
    if (i == e->i)
        return;
    e->i = i;
    e->t->len = o;
    start_base(e, s[i - 1]);
}

/* The same for what is left of a word. */
static void
copy_ascii(struct emitter *e)
{
    size_t i, o;
    char *out = e->t->data;

    copy_fours(e);
    i = e->i;
    o = e->t->len;
    while (i < e->n && e->s[i] > ' ' && e->s[i] < 0x80 && e->s[i] != '@' &&
           e->s[i] != ':')
        out[o++] = (char)e->s[i++];
    if (i == e->i)
        return;
    e->i = i;
    e->t->len = o;
    start_base(e, e->s[i - 1]);
}

static void
emit_all(struct emitter *e)
{
    for (;;) {
        UChar32 c;

        copy_ascii(e);
        if (e->i == e->n)
            return;
        c = e->s[e->i];
        if (c >= 0x80) {
            size_t j = e->i;

            U16_NEXT_UNSAFE(e->s, j, c);
            if (is_space(c)) {
                read_space(e);
            } else {
                write_char(e, c);
                e->i = j;
            }
        } else if (c <= ' ') {
            read_space(e);
        } else if (c == '@' && !e->in_url) {
            read_at(e);
        } else {
            e->in_url = e->in_url || (c == ':' && at_scheme(e));
            write_char(e, c);
            e->i++;
        }
    }
}

static size_t
skip_spaces(const struct wn_text *t, size_t i)
{
    while (i < t->len && (t->data[i] == ' ' || t->data[i] == '\n'))
        i++;
    return i;
}

/* "@user " at i: after it; otherwise i. With `colon`, "@user: " too. */
static size_t
skip_handle(const struct wn_text *t, size_t i, bool colon)
{
    size_t j = i + 5;

    if (j > t->len || memcmp(t->data + i, "@user", 5) != 0)
        return i;
    if (colon && j < t->len && t->data[j] == ':')
        j++;
    if (j < t->len && t->data[j] != ' ' && t->data[j] != '\n')
        return i;
    return skip_spaces(t, j);
}

void
wn_text_drop_prefix(struct wn_text *t)
{
    size_t i = 0, j;

    for (;;) {
        j = skip_handle(t, i, false);
        if (j == i && i + 3 < t->len && memcmp(t->data + i, "RT", 2) == 0) {
            size_t k = skip_spaces(t, i + 2);

            j = k > i + 2 ? skip_handle(t, k, true) : i;
            if (j == k)
                j = i;
        }
        if (j == i)
            break;
        i = j;
    }
    if (i == 0)
        return;
    t->len -= i;
    memmove(t->data, t->data + i, t->len + 1);
}

enum wn_status
wn_text_emit(struct wn_text *t, bool *wide, struct wn_err *err)
{
    struct emitter e = {
        .t = t, .s = t->u16, .n = t->u16_len, .prev = -1, .base = -1
    };
    /* A unit makes at most 3 bytes; "@a" becomes "@user". */
    size_t need = t->u16_len * 3 + 8;

    if (need > t->cap) {
        char *p = realloc(t->data, need);

        if (p == NULL)
            return wn_fail(err, WN_STOP, "text: out of memory");
        t->data = p;
        t->cap = need;
    }
    emit_all(&e);
    t->data[t->len] = '\0';
    *wide = e.wide;
    return WN_OK;
}
