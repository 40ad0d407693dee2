/*
 * The words of a window, as a person sees them, on the tokens that the encoder
 * sees: a word is never less than a token.
 */
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "classifier/explain_int.h"
#include "classifier/text_int.h"

/* The search for words: what stands open, and the first token that starts at
 * or behind the character at hand. */
struct search {
    const char *text;
    const struct wn_window *w;
    struct wn_place *place;
    size_t n, max, words, token;
    size_t begin; /* of the open word */
    bool open;
    bool dense; /* it is of a script without spaces */
};

/* The character at *i, moved past it; folded, so that case tells nothing. */
static UChar32
next_folded(const char *text, size_t *i)
{
    const uint8_t *s = (const uint8_t *)text;
    UChar32 c;

    U8_NEXT_UNSAFE(s, *i, c);
    return u_foldCase(c, U_FOLD_CASE_DEFAULT);
}

/* What is left without punctuation around it; all of it, where it is nothing
 * else. */
static void
find_core(const char *text, struct wn_place *p)
{
    p->core = p->core_end = p->begin;
    for (size_t i = p->begin, at = i; i < p->end; at = i) {
        if (u_ispunct(next_folded(text, &i)))
            continue;
        if (p->core_end == p->begin)
            p->core = at;
        p->core_end = i;
    }
    if (p->core_end == p->begin)
        p->core_end = p->end;
}

static bool
is_same(const char *text, const struct wn_place *a, const struct wn_place *b)
{
    size_t x = a->core, y = b->core;

    while (x < a->core_end && y < b->core_end)
        if (next_folded(text, &x) != next_folded(text, &y))
            return false;
    return x == a->core_end && y == b->core_end;
}

static bool
has_token(const struct wn_window *w, const struct wn_place *p)
{
    for (size_t i = 1; i + 1 < w->n; i++)
        if (wn_place_has(p, w, i))
            return true;
    return false;
}

/* The number of the word that p is, which may be a new one. */
static size_t
number_of(struct search *s, const struct wn_place *p)
{
    for (size_t i = 0; i < s->n; i++)
        if (is_same(s->text, &s->place[i], p))
            return s->place[i].word;
    return s->words++;
}

static void
close_word(struct search *s, size_t end)
{
    struct wn_place p = { .begin = s->begin, .end = end };

    if (s->open && s->n < s->max && has_token(s->w, &p)) {
        find_core(s->text, &p);
        p.word = number_of(s, &p);
        s->place[s->n++] = p;
    }
    s->open = false;
}

/* Whether a token starts at `at`, which never falls from call to call. */
static bool
token_starts(struct search *s, size_t at)
{
    const struct wn_window *w = s->w;

    while (s->token + 1 < w->n && w->start[s->token] < at)
        s->token++;
    return s->token + 1 < w->n && w->start[s->token] == at;
}

/* The character c, which is no white space. */
static void
see(struct search *s, UChar32 c, size_t at)
{
    bool dense = wn_text_chars_per_word(c) > 0, punct = u_ispunct(c);
    bool starts = token_starts(s, at);

    if (s->open && starts && (dense || (s->dense && !punct)))
        close_word(s, at);
    if (!s->open)
        s->begin = at;
    s->dense = dense || (s->open && s->dense && punct);
    s->open = true;
}

size_t
wn_places_find(struct wn_place *place, size_t max, const char *text,
    const struct wn_window *w, size_t *ret_words)
{
    struct search s = {
        .text = text, .w = w, .place = place, .max = max, .token = 1
    };
    const uint8_t *bytes = (const uint8_t *)text;

    for (size_t i = w->begin, at = i; i < w->end; at = i) {
        UChar32 c;

        U8_NEXT_UNSAFE(bytes, i, c);
        if (c == ' ' || c == '\n')
            close_word(&s, at);
        else
            see(&s, c, at);
    }
    close_word(&s, w->end);
    *ret_words = s.words;
    return s.n;
}
