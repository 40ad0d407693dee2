/*
 * Hardened text, steps 5 to 7: white space, handles, mail addresses, stacks of
 * marks; UTF-16 in, UTF-8 out. One pass forwards; the only look back is over
 * the local part of a mail address, which ends at the '@' before, so no byte
 * is looked at more than twice.
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
    UChar32 prev; /* last one written, -1 at the start */
    size_t marks;
    bool in_url;
};

/* By arithmetic: letters and digits come as they please. */
static inline bool
ascii_alnum(UChar32 c)
{
    return ((uint32_t)((c | 32) - 'a') < 26) | ((uint32_t)(c - '0') < 10);
}

static bool
is_space(UChar32 c)
{
    if (c < 0x80)
        return c == ' ' || (c >= 0x09 && c <= 0x0D);
    if (wn_text_is_solid(c))
        return false;
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
    return ascii_alnum(c) || (c != '\0' && strchr("._%+-", c) != NULL);
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
    if (ascii_alnum(c) || c == '_' ||
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
           (ascii_alnum(e->s[end]) || e->s[end] == '-' || e->s[end] == '.')) {
        if (e->s[end] == '.' && (end == i || e->s[end - 1] == '.'))
            break;
        end++;
    }
    while (end > i && !ascii_alnum(e->s[end - 1]))
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
write_str(struct emitter *e, const char *s)
{
    size_t len = strlen(s);

    memcpy(e->t->data + e->t->len, s, len);
    e->t->len += len;
    e->prev = (unsigned char)s[len - 1];
    e->marks = 0;
}

static void
write_char(struct emitter *e, UChar32 c)
{
    if (c >= 0x80) {
        e->marks =
            !wn_text_is_solid(c) && wn_text_is_mark(c) ? e->marks + 1 : 0;
        if (e->marks > WN_TEXT_MARKS_MAX)
            return;
        U8_APPEND_UNSAFE((uint8_t *)e->t->data, e->t->len, c);
    } else {
        e->marks = 0;
        e->t->data[e->t->len++] = (char)c;
    }
    e->prev = c;
}

/* At an '@' at i: after a letter or digit it may be a mail's, whose domain is
 * read on; elsewhere a handle's. Never both, so the answer cannot change. */
static void
read_at(struct emitter *e)
{
    struct wn_text *t = e->t;
    size_t local = t->len, end;

    if (ascii_alnum(e->prev) || e->prev == '_') {
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

/* At white space: the whole run becomes one character, none at the ends. */
static void
read_space(struct emitter *e)
{
    bool line = false;
    UChar32 c;

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
        line = line || is_line_end(c);
        e->i = j;
    }
    e->in_url = false;
    if (e->i < e->n && e->t->len > 0)
        write_char(e, line ? '\n' : ' ');
}

static bool
at_scheme(const struct emitter *e)
{
    return e->i + 2 < e->n && e->s[e->i + 1] == '/' && e->s[e->i + 2] == '/';
}

/* Copies ASCII that means nothing here but itself, from the unit at i on. */
static void
copy_ascii(struct emitter *e)
{
    size_t i = e->i, o = e->t->len;
    char *out = e->t->data;

    while (i < e->n && e->s[i] > ' ' && e->s[i] < 0x80 && e->s[i] != '@' &&
           e->s[i] != ':')
        out[o++] = (char)e->s[i++];
    if (i == e->i)
        return;
    e->prev = e->s[i - 1];
    e->marks = 0;
    e->i = i;
    e->t->len = o;
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

/* Handles that open the text, and "RT @user: ". */
static void
drop_prefix(struct wn_text *t)
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
    t->len -= i;
    memmove(t->data, t->data + i, t->len);
}

unsigned
wn_text_chars_per_word(UChar32 c)
{
    if (c < 0xE00)
        return 0;
    if (c < 0xF00 || (c >= 0x1000 && c < 0x10A0) || (c >= 0x1780 && c < 0x1800))
        return 4;
    if ((c >= 0x3041 && c < 0x3100) || (c >= 0x3400 && c < 0xA000) ||
        (c >= 0xF900 && c < 0xFB00) || (c >= 0x20000 && c < 0x32000))
        return 2;
    return 0;
}

static void
count_words(struct wn_text *t)
{
    const uint8_t *s = (const uint8_t *)t->data;
    size_t i = 0, quarters = 0;
    bool in_word = false;

    while (i < t->len) {
        unsigned per;
        UChar32 c;

        U8_NEXT_UNSAFE(s, i, c);
        t->chars++;
        if (c < 0x80) {
            t->words += ascii_alnum(c) & !in_word;
            in_word = (in_word | ascii_alnum(c)) & (c != ' ') & (c != '\n');
            continue;
        }
        per = wn_text_chars_per_word(c);
        if (per > 0)
            quarters += 4 / per;
        else if (!in_word && u_isalnum(c)) {
            in_word = true;
            t->words++;
        }
    }
    t->words += (quarters + 3) / 4;
}

enum wn_status
wn_text_emit(struct wn_text *t, struct wn_err *err)
{
    struct emitter e = { .t = t, .s = t->u16, .n = t->u16_len, .prev = -1 };
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
    drop_prefix(t);
    t->data[t->len] = '\0';
    count_words(t);
    return WN_OK;
}
