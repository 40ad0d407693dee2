/*
 * Changes to a text before it is read: how other people type (case, marks,
 * cut ends, slips) and how evaders do (spacing, letters that look alike,
 * digits for letters, nothing-characters, styled alphabets, benign company,
 * tails of hashtags). One change a text; the reader undoes some of them, which
 * is the point: training sees what scoring will.
 *
 * What evaluation attacks with is kept apart from what stands here.
 */
#include <string.h>

#include "cmd/train_int.h"

struct made {
    struct wn_buf *out;
    uint64_t random;
};

static uint64_t
draw(struct made *m, uint64_t n)
{
    return wn_train_random(&m->random) % n;
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Bytes of the character at p, which is valid UTF-8. */
static size_t
char_len(unsigned char c)
{
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static void
put(struct made *m, const char *p, size_t n)
{
    wn_buf_add(m->out, p, n);
}

/* --- how people type --- */

static void
lower(struct made *m, struct wn_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c + 32);
        put(m, &c, 1);
    }
}

static void
upper(struct made *m, struct wn_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (c >= 'a' && c <= 'z')
            c = (char)(c - 32);
        put(m, &c, 1);
    }
}

static void
without_marks(struct made *m, struct wn_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (strchr(".,;:!?'\"-", s.p[i]) == NULL)
            put(m, s.p + i, 1);
}

/* Up to a word's end in the second half. */
static void
cut(struct made *m, struct wn_str s)
{
    size_t end = s.len / 2 + draw(m, s.len / 2 + 1);

    while (end < s.len && s.p[end] != ' ')
        end++;
    put(m, s.p, end);
}

/* Letters dropped, doubled or swapped, about one in twenty. */
static void
slips(struct made *m, struct wn_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint64_t k = is_letter(s.p[i]) ? draw(m, 60) : 60;

        if (k == 0)
            continue;
        if (k == 1 && i + 1 < s.len && is_letter(s.p[i + 1])) {
            put(m, s.p + i + 1, 1);
            put(m, s.p + i++, 1);
            continue;
        }
        put(m, s.p + i, 1);
        if (k == 2)
            put(m, s.p + i, 1);
    }
}

/* --- how evaders do --- */

/* In words that a coin chooses, `fn` writes each letter. */
static void
in_words(struct made *m, struct wn_str s, uint64_t one_in,
    void (*fn)(struct made *m, char c, bool last))
{
    bool changed = false;

    for (size_t i = 0; i < s.len; i++) {
        bool letter = is_letter(s.p[i]);

        if (letter && (i == 0 || !is_letter(s.p[i - 1])))
            changed = draw(m, one_in) == 0;
        if (letter && changed)
            fn(m, s.p[i], i + 1 == s.len || !is_letter(s.p[i + 1]));
        else
            put(m, s.p + i, 1);
    }
}

static void
spaced(struct made *m, char c, bool last)
{
    put(m, &c, 1);
    if (!last)
        put(m, " ", 1);
}

static void
dotted(struct made *m, char c, bool last)
{
    put(m, &c, 1);
    if (!last)
        put(m, ".", 1);
}

static void
digits(struct made *m, char c, bool last)
{
    static const char from[] = "aeiostAEIOST", to[] = "431057431057";
    const char *p = strchr(from, c);

    (void)last;
    if (p != NULL && draw(m, 3) > 0)
        c = to[p - from];
    put(m, &c, 1);
}

/* Cyrillic letters of the same look. */
static void
alike(struct made *m, char c, bool last)
{
    static const char from[] = "aceopxyABEKMHOPCTX";
    static const char *const to[] = { "\u0430", "\u0441", "\u0435", "\u043e",
        "\u0440", "\u0445", "\u0443", "\u0410", "\u0412", "\u0415", "\u041a",
        "\u041c", "\u041d", "\u041e", "\u0420", "\u0421", "\u0422", "\u0425" };
    const char *p = strchr(from, c);

    (void)last;
    if (p != NULL && draw(m, 2) == 0)
        put(m, to[p - from], 2);
    else
        put(m, &c, 1);
}

static void
with_nothing(struct made *m, char c, bool last)
{
    put(m, &c, 1);
    if (!last && draw(m, 2) == 0)
        put(m, "\u200b", 3);
}

/* Mathematical bold: U+1D400 A .. Z, a .. z. */
static void
styled(struct made *m, char c, bool last)
{
    unsigned u = 0x1d400 + (unsigned)(c >= 'a' ? c - 'a' + 26 : c - 'A');
    const char out[] = { (char)0xf0, (char)(0x80 | (u >> 12 & 63)),
        (char)(0x80 | (u >> 6 & 63)), (char)(0x80 | (u & 63)) };

    (void)last;
    put(m, out, sizeof(out));
}

static void
hashtags(struct made *m, struct wn_str s)
{
    static const char *const tags[] = { " #monday", " #photooftheday",
        " #family", " #running", " #recipe", " #newmusic", " #garden",
        " #travel", " #books", " #weekend" };

    put(m, s.p, s.len);
    for (uint64_t n = 2 + draw(m, 6); n > 0; n--)
        wn_buf_str(m->out, tags[draw(m, sizeof(tags) / sizeof(tags[0]))]);
}

/* A part of another text before or behind; at most 600 bytes of it. */
static void
in_company(struct made *m, struct wn_str s, struct wn_str other)
{
    size_t n = 0;
    bool before = draw(m, 2) == 0;

    while (n < other.len && n < 600)
        n += char_len((unsigned char)other.p[n]);
    if (before) {
        put(m, other.p, n);
        put(m, " ", 1);
    }
    put(m, s.p, s.len);
    if (!before) {
        put(m, " ", 1);
        put(m, other.p, n);
    }
}

void
wn_tune_augment(struct wn_buf *out, struct wn_str text, struct wn_str other,
    uint64_t random, bool *mixed)
{
    static void (*const typed[])(struct made *, struct wn_str) = { lower, lower,
        upper, without_marks, without_marks, cut, slips, hashtags };
    static void (*const letters[])(struct made *, char, bool) = { spaced,
        dotted, digits, digits, alike, with_nothing, styled };
    enum { TYPED = 8, LETTERS = 7 };
    struct made m = { out, random };
    uint64_t which = draw(&m, 2 * TYPED + LETTERS + 4);

    *mixed = false;
    if (which < 2 * TYPED) {
        typed[which % TYPED](&m, text);
    } else if (which < 2 * TYPED + LETTERS) {
        in_words(&m, text, 1 + draw(&m, 4), letters[which - 2 * TYPED]);
    } else {
        in_company(&m, text, other);
        *mixed = true;
    }
}
