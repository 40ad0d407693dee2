/* Attacked texts; see attack.h. One thread at a time, no state. */
#include "cmd/attack.h"

#include <string.h>

#include "core/hash.h"
#include "core/utf8.h"

const char *const wn_attack_names[WN_ATTACKS] = { "spacing", "zero-width",
    "homoglyph", "styled", "leet", "suffix", "front-300", "behind-300",
    "front-3000", "behind-3000", "hashtags" };

/* --- chance --- */

struct chance {
    uint64_t seed, n;
};

/* 0 .. below - 1. */
static size_t
pick(struct chance *c, size_t below)
{
    c->n++;
    return (size_t)(wn_hash64(&c->n, sizeof(c->n), c->seed) % below);
}

/* --- letters of words --- */

#define ALWAYS 1 /* one in so many */

struct edit {
    enum wn_attack attack;
    struct chance *chance;
    size_t one_in; /* of the places where it could, it does */
    size_t choice; /* separator or style of this text       */
    struct wn_buf *out;
};

static bool
is_ascii_letter(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Latin, Greek or Cyrillic: what can be spelled with something in between. */
static bool
is_letter(uint32_t c)
{
    return is_ascii_letter(c) ||
           (c >= 0xc0 && c < 0x300 && c != 0xd7 && c != 0xf7) ||
           (c >= 0x370 && c < 0x530);
}

static void
put(struct wn_buf *out, uint32_t c)
{
    char bytes[4];

    wn_buf_add(out, bytes, wn_utf8_put(bytes, c));
}

/* One of the letter's twins; 0: it has none. */
static uint32_t
twin(const struct wn_twins *t, size_t n, uint32_t letter, struct chance *c)
{
    for (size_t i = 0; i < n; i++) {
        size_t twins = 0;

        if ((unsigned char)t[i].letter != letter)
            continue;
        while (twins < WN_TWINS_MAX && t[i].twin[twins] != 0)
            twins++;
        return t[i].twin[pick(c, twins)];
    }
    return 0;
}

static uint32_t
styled(const struct wn_style *s, uint32_t letter)
{
    return letter >= 'a' ? s->lower + (letter - 'a')
                         : s->upper + (letter - 'A');
}

/* What stands for the letter; the letter itself where nothing does. */
static uint32_t
replacement(const struct edit *e, uint32_t letter)
{
    uint32_t c = 0;

    if (!is_ascii_letter(letter))
        return letter;
    if (e->attack == WN_ATTACK_STYLED)
        return styled(&wn_attack_styles[e->choice], letter);
    if (e->attack == WN_ATTACK_HOMOGLYPH)
        c = twin(
            wn_attack_homoglyphs, wn_attack_homoglyphs_n, letter, e->chance);
    if (e->attack == WN_ATTACK_LEET)
        c = twin(wn_attack_leet, wn_attack_leet_n, letter | 0x20, e->chance);
    return c == 0 || pick(e->chance, e->one_in) != 0 ? letter : c;
}

/* What comes between two letters; 0: nothing. */
static uint32_t
between(const struct edit *e, bool spaced)
{
    if (e->attack == WN_ATTACK_SPACING && spaced)
        return wn_attack_separators[e->choice];
    if (e->attack == WN_ATTACK_ZERO_WIDTH && pick(e->chance, e->one_in) == 0)
        return wn_attack_invisible[pick(e->chance, wn_attack_invisible_n)];
    return 0;
}

static void
edit_word(const struct edit *e, struct wn_str word)
{
    bool spaced = word.len >= 4 && pick(e->chance, e->one_in) == 0;
    bool after_letter = false;

    for (size_t at = 0; at < word.len;) {
        size_t len = wn_utf8_len(word.p + at, word.len - at);
        uint32_t c = len == 0 ? 0 : wn_utf8_get(word.p + at, len);
        uint32_t gap;

        if (is_letter(c) && after_letter && (gap = between(e, spaced)) != 0)
            put(e->out, gap);
        if (is_letter(c))
            put(e->out, replacement(e, c));
        else
            wn_buf_add(e->out, word.p + at, len == 0 ? 1 : len);
        after_letter = is_letter(c);
        at += len == 0 ? 1 : len;
    }
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Links, handles, tags and mail addresses must work. */
static bool
is_plain(struct wn_str w)
{
    if (w.p[0] == '@' || w.p[0] == '#' || memchr(w.p, '@', w.len) != NULL)
        return false;
    if (w.len > 4 && strncasecmp(w.p, "www.", 4) == 0)
        return false;
    return memchr(w.p, '/', w.len) == NULL;
}

static void
edit_words(const struct edit *e, struct wn_str text)
{
    for (size_t at = 0, end; at < text.len; at = end) {
        struct wn_str word;

        for (end = at; end < text.len && is_space(text.p[end]); end++)
            wn_buf_char(e->out, text.p[end]);
        at = end;
        while (end < text.len && !is_space(text.p[end]))
            end++;
        word = (struct wn_str){ text.p + at, end - at };
        if (word.len > 0 && is_plain(word))
            edit_word(e, word);
        else
            wn_buf_add(e->out, word.p, word.len);
    }
}

static bool
edit_text(struct edit *e, struct wn_str text)
{
    size_t start = e->out->len;

    edit_words(e, text);
    return !e->out->failed && text.len > 0 &&
           (e->out->len - start != text.len ||
               memcmp(e->out->data + start, text.p, text.len) != 0);
}

/* Where chance left everything as it was, everything that can change does. */
static bool
edited(
    enum wn_attack a, struct wn_str text, struct chance *c, struct wn_buf *out)
{
    size_t start = out->len;
    struct edit e = { .attack = a, .chance = c, .one_in = 2, .out = out };

    if (a == WN_ATTACK_STYLED)
        e.choice = pick(c, wn_attack_styles_n);
    if (a == WN_ATTACK_SPACING)
        e.choice = pick(c, wn_attack_separators_n);
    if (edit_text(&e, text))
        return true;
    if (!out->failed)
        out->len = start;
    e.one_in = ALWAYS;
    return edit_text(&e, text);
}

/* --- words around the text --- */

static void
put_words(
    struct wn_buf *out, const struct wn_words *w, size_t n, struct chance *c)
{
    for (size_t i = 0; i < n; i++) {
        wn_buf_char(out, ' ');
        wn_buf_str(out, w->at[pick(c, w->n)]);
    }
}

/* Sentences, the last one cut, until there are n words. */
static void
put_passage(struct wn_buf *out, size_t n, struct chance *c)
{
    while (n > 0 && !out->failed) {
        const char *s = wn_attack_sentences.at[pick(c, wn_attack_sentences.n)];

        for (; n > 0 && *s != '\0'; n--) {
            size_t len = strcspn(s, " ");

            wn_buf_add(out, s, len);
            wn_buf_char(out, ' ');
            s += len + (s[len] == ' ');
        }
    }
}

static void
surround(struct wn_str text, size_t before, size_t after, struct chance *c,
    struct wn_buf *out)
{
    put_passage(out, before, c);
    if (before > 0)
        wn_buf_str(out, "\n\n");
    wn_buf_add(out, text.p, text.len);
    if (after > 0)
        wn_buf_str(out, "\n\n");
    put_passage(out, after, c);
}

bool
wn_attack_make(
    enum wn_attack a, struct wn_str text, uint64_t seed, struct wn_buf *out)
{
    struct chance c = { .seed = seed + (uint64_t)a };

    switch (a) {
    case WN_ATTACK_SUFFIX:
        wn_buf_add(out, text.p, text.len);
        put_words(out, &wn_attack_words, 1 + pick(&c, 10), &c);
        return true;
    case WN_ATTACK_HASHTAGS:
        wn_buf_add(out, text.p, text.len);
        put_words(out, &wn_attack_tags, 5 + pick(&c, 11), &c);
        return true;
    case WN_ATTACK_FRONT_300:
        surround(text, 300, 0, &c, out);
        return true;
    case WN_ATTACK_BEHIND_300:
        surround(text, 0, 300, &c, out);
        return true;
    case WN_ATTACK_FRONT_3000:
        surround(text, 3000, 0, &c, out);
        return true;
    case WN_ATTACK_BEHIND_3000:
        surround(text, 0, 3000, &c, out);
        return true;
    default:
        return edited(a, text, &c, out);
    }
}
