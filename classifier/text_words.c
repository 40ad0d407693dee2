/*
 * Word by word: look-alikes (text_fold.c), repeated letters, long numbers, and
 * in the second view digits for letters (text_leet.c).
 *
 * Left alone in both views: URLs. In the first also whatever may be part of a
 * link, a handle, a mail address or an entity: what stands with a dot, slash,
 * colon or @ before something, or between & and ;. So no link that a post has
 * is ever another than it wrote, and hardened text stays as it is when it is
 * hardened again. The second view folds there too; nobody takes links from it.
 *
 * Repeated letters: five and more are two, anywhere. Three and four are two at
 * the end of a word in small letters (freee); elsewhere ordinary words have
 * them (Schifffahrt, IEEE, www, AAA, XVIII), and only the second view squeezes
 * them, where other letters stand beside.
 */
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "classifier/text_int.h"

#define NUMBER_KEPT 4

struct folder {
    struct wn_text *t;
    const uint8_t *s;
    size_t n;
    struct wn_buf *out;
    bool view, few;
    bool guarded; /* the first view leaves what is here */
};

static UChar32
get(const struct folder *f, size_t i)
{
    UChar32 c;

    U8_GET_UNSAFE(f->s, i, c);
    return c;
}

static bool
is_space(UChar32 c)
{
    return c == ' ' || c == '\n';
}

static void
put(struct folder *f, UChar32 c)
{
    U8_APPEND_UNSAFE((uint8_t *)f->out->data, f->out->len, c);
}

static void
copy(struct folder *f, size_t from, size_t to)
{
    memcpy(f->out->data + f->out->len, f->s + from, to - from);
    f->out->len += to - from;
}

/* What is written from here on differs. */
static void
see_change(struct folder *f, size_t at)
{
    struct wn_spots *s = &f->t->view_spots;

    if (f->view && (s->n == 0 || s->at[s->n - 1] < at))
        wn_spots_add(s, at);
}

/* --- repeated letters --- */

static bool
has_case(UChar32 c)
{
    return u_islower(c) || u_isupper(c);
}

/* Of numerals alone: XVIII, viii. */
static bool
is_roman(const struct wn_text_word *w)
{
    for (size_t i = 0; i < w->runs; i++)
        if (w->run[i].c >= 0x80 ||
            strchr("ivxlcdmIVXLCDM", w->run[i].c) == NULL)
            return false;
    return true;
}

/* Three or four at i, with so many letters before it and in the word. */
static bool
squeezes_few(const struct folder *f, const struct wn_text_word *w, size_t i,
    size_t before, size_t letters)
{
    const struct wn_text_run *r = &w->run[i];

    if (r->n < 3 || !has_case(r->c) || letters - r->n < 2 || is_roman(w))
        return false;
    return f->view || (i + 1 == w->runs && before >= 2 && u_islower(r->c));
}

static bool
squeeze(struct folder *f, struct wn_text_word *w, bool whole)
{
    size_t letters = 0, before = 0, squeezed = 0;

    for (size_t i = 0; i < w->runs; i++)
        letters += wn_text_is_mark(w->run[i].c) ? 0 : w->run[i].n;
    for (size_t i = 0; i < w->runs; i++) {
        struct wn_text_run *r = &w->run[i];
        size_t n = r->n;

        if (wn_text_is_mark(r->c))
            continue;
        if (n >= 5 || (whole && squeezes_few(f, w, i, before, letters))) {
            r->n = 2;
            squeezed++;
        }
        before += n;
    }
    f->t->repeats += f->view ? 0 : squeezed;
    return squeezed > 0;
}

/* --- words --- */

/* The word at i, or as much of it as w holds; its end. */
static size_t
take_word(const struct folder *f, size_t i, struct wn_text_word *w)
{
    w->runs = 0;
    w->marks = false;
    while (i < f->n) {
        UChar32 c = get(f, i);
        bool mark = c >= 0x80 && !wn_text_is_solid(c) && wn_text_is_mark(c);

        if (!mark && !wn_text_is_letter(c))
            break;
        if (w->runs > 0 && w->run[w->runs - 1].c == c) {
            w->run[w->runs - 1].n++;
        } else if (w->runs == WN_TEXT_WORD_RUNS) {
            break;
        } else {
            w->run[w->runs++] = (struct wn_text_run){ c, 1 };
        }
        w->marks = w->marks || mark;
        i += (size_t)U8_LENGTH(c);
    }
    return i;
}

static bool
goes_on(const struct folder *f, size_t i)
{
    return i < f->n &&
           (wn_text_is_letter(get(f, i)) || wn_text_is_mark(get(f, i)));
}

/* The word at i to out; its end. One of more letters than are looked at is
 * taken in parts, of which only long runs are squeezed. */
static size_t
read_word(struct folder *f, size_t i, bool whole)
{
    struct wn_text_word w;
    size_t end = take_word(f, i, &w), at = f->out->len;
    bool changed = false;

    whole = whole && !goes_on(f, end);
    if (whole)
        changed = wn_text_fold(f->t, &w, f->view, f->few, f->guarded);
    changed = squeeze(f, &w, whole) || changed;
    if (!changed) {
        copy(f, i, end);
        return end;
    }
    for (size_t r = 0; r < w.runs; r++)
        for (size_t k = 0; k < w.run[r].n; k++)
            put(f, w.run[r].c);
    see_change(f, at);
    return end;
}

/* Of a long number the first digits say what kind it is; the others tell
 * somebody's. */
static size_t
read_number(struct folder *f, size_t i)
{
    size_t end = i, kept;

    while (end < f->n && f->s[end] >= '0' && f->s[end] <= '9')
        end++;
    kept = end - i < WN_TEXT_NUMBER_MIN || f->guarded ? end : i + NUMBER_KEPT;
    copy(f, i, kept);
    memset(f->out->data + f->out->len, '0', end - kept);
    f->out->len += end - kept;
    return end;
}

/* --- digits for letters --- */

static bool
is_sign(uint8_t c)
{
    return c == '$' || c == '@' || c == '!' || c == '|';
}

/* What may be one word with digits and signs in it; its end, or i. */
static size_t
leet_end(const struct folder *f, size_t i)
{
    size_t end = i, letter = i;

    for (; end < f->n; end++) {
        uint8_t c = f->s[end];

        if (end + 2 < f->n && memcmp(f->s + end, "\u20AC", 3) == 0)
            end += 2;
        else if (!wn_text_ascii_alnum(c) && !is_sign(c))
            break;
        if (c != '!' && c != '@' && c != '|')
            letter = end + 1;
    }
    /* Not a letter beyond ASCII behind it, which this cannot read, nor the
     * domain of a mail address. */
    if ((end < f->n && f->s[end] >= 0x80 && wn_text_is_alnum(get(f, end))) ||
        (end + 1 < f->n && f->s[end] == '.' &&
            wn_text_is_alnum(get(f, end + 1)) &&
            memchr(f->s + i, '@', end - i) != NULL))
        return i;
    return letter;
}

/* The word at i as text_leet.c reads it; its end, or i where it does not. */
static size_t
read_leet(struct folder *f, size_t i)
{
    size_t end, at = f->out->len;

    if (f->s[i] == '@' || f->s[i] == '!' || f->s[i] == '|')
        return i;
    end = leet_end(f, i);
    if (end == i || !wn_text_leet((const char *)f->s + i, end - i, f->out))
        return i;
    f->t->leet_words++;
    see_change(f, at);
    return end;
}

/* --- what stands between white space --- */

/* Whether it is a URL; whether the first view keeps out of it. */
static bool
look_at(struct folder *f, size_t i, size_t end)
{
    bool amp = false, sign = false;
    UChar32 c;

    f->guarded = false;
    for (; i < end; i += (size_t)U8_LENGTH(c)) {
        c = get(f, i);
        if (c == ':' && i + 2 < end && f->s[i + 1] == '/' && f->s[i + 2] == '/')
            return true;
        f->guarded = f->guarded || c == '@' || (amp && c == ';') ||
                     (sign && wn_text_is_alnum(c));
        sign = sign || c == '.' || c == '/' || c == ':' || c == '\\';
        amp = amp || c == '&';
    }
    return false;
}

/* The word, number or sign at i to out; its end. *part: the word goes on, so
 * what follows begins none. */
static size_t
read_next(struct folder *f, size_t i, bool *part)
{
    UChar32 c = get(f, i);
    size_t next;

    if (wn_text_is_letter(c) || (c >= 0x80 && wn_text_is_mark(c))) {
        next = read_word(f, i, !*part);
        *part = goes_on(f, next);
        return next;
    }
    *part = false;
    if (c >= '0' && c <= '9')
        return read_number(f, i);
    next = i + (size_t)U8_LENGTH(c);
    copy(f, i, next);
    return next;
}

static void
read_chunk(struct folder *f, size_t i, size_t end)
{
    bool part = false, inside = false; /* of a word; of one with digits */

    if (look_at(f, i, end) || (f->guarded && !f->view)) {
        copy(f, i, end);
        return;
    }
    while (i < end) {
        bool begins = f->view && !inside;
        size_t next;

        inside = wn_text_is_alnum(get(f, i)) || is_sign(f->s[i]);
        next = begins && inside ? read_leet(f, i) : i;
        i = next > i ? next : read_next(f, i, &part);
    }
}

void
wn_text_words(struct wn_text *t, const char *in, size_t len, struct wn_buf *out,
    bool view, bool few, const struct wn_spots *before)
{
    struct folder f = { .t = t,
        .s = (const uint8_t *)in,
        .n = len,
        .out = out,
        .view = view,
        .few = few };
    size_t i = 0, k = 0;

    while (i < len) {
        size_t end = i;

        while (end < len && !is_space((UChar32)f.s[end]))
            end++;
        for (; before != NULL && k < before->n && before->at[k] < end; k++)
            see_change(&f, out->len);
        read_chunk(&f, i, end);
        for (i = end; i < len && is_space((UChar32)f.s[i]);)
            i++;
        copy(&f, end, i);
    }
}
