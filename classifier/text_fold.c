/*
 * Look-alikes in a word. Only a word of several alphabets is folded, and only
 * where it then is of one: where each letter of the others looks like one of
 * the alphabet that has the most letters in it, or else of the next. So words
 * of Cyrillic or Greek alone are left whatever they look like, and so are
 * Latin words with an ending of another alphabet that has other letters too.
 *
 * What people write themselves is left to the second view: an acronym in Latin
 * capitals with an ending in Cyrillic, a Greek letter of science at an end of
 * a word (TNF-alpha without the hyphen), and words of fewer than four letters
 * with Greek. That view also folds what looks alike from farther away, and
 * words of look-alikes alone in a text that is mostly Latin.
 *
 * The table is made of Unicode's confusables.txt (confusables.awk).
 */
#include <string.h>

#include <unicode/uchar.h>

#include "classifier/confusables.inc"
#include "classifier/text_int.h"

enum alphabet { LATIN, CYRILLIC, GREEK, OTHER, ALPHABETS };

struct look {
    UChar32 c;
    char letter;
};

#define X(code, letter) { code, letter },
static const struct look looks[] = { WN_LOOKS(X) };
#undef X
/* The letters of two alphabets that look like an ASCII one. */
#define X(code, letter) [letter] = code,
static const uint16_t cyrillic[128] = { WN_LOOKS_CYRILLIC(X) };
static const uint16_t greek[128] = { WN_LOOKS_GREEK(X) };
#undef X

/* Small capitals that nobody writes but for their looks; then those that
 * phonetics has too, which go with them. */
static const struct look small_capitals[] = { { 0x1D00, 'a' }, { 0x1D04, 'c' },
    { 0x1D05, 'd' }, { 0x1D07, 'e' }, { 0xA730, 'f' }, { 0x1D0A, 'j' },
    { 0x1D0B, 'k' }, { 0x1D0D, 'm' }, { 0x1D0F, 'o' }, { 0x1D18, 'p' },
    { 0xA731, 's' }, { 0x1D1B, 't' }, { 0x1D1C, 'u' }, { 0x1D20, 'v' },
    { 0x1D21, 'w' }, { 0x1D22, 'z' } };
static const struct look phonetic[] = { { 0x299, 'b' }, { 0x262, 'g' },
    { 0x29C, 'h' }, { 0x26A, 'i' }, { 0x29F, 'l' }, { 0x274, 'n' },
    { 0x1EB, 'q' }, { 0x280, 'r' }, { 0x28F, 'y' } };
/* Alike at a glance: too far for the first view. */
static const struct look distant[] = { { 0x192, 'f' }, { 0x251, 'a' },
    { 0x254, 'c' }, { 0x25B, 'e' }, { 0x261, 'g' }, { 0x269, 'i' },
    { 0x26F, 'w' }, { 0x28B, 'u' }, { 0x3B2, 'b' }, { 0x3B5, 'e' },
    { 0x3B7, 'n' }, { 0x3BA, 'k' }, { 0x3BC, 'u' }, { 0x3C4, 't' },
    { 0x3C7, 'x' }, { 0x3C9, 'w' }, { 0x432, 'b' }, { 0x438, 'u' },
    { 0x43A, 'k' }, { 0x43C, 'm' }, { 0x43D, 'h' }, { 0x43F, 'n' },
    { 0x442, 't' }, { 0x448, 'w' }, { 0x44C, 'b' }, { 0x44F, 'R' },
    { 0x451, 'e' }, { 0x454, 'e' }, { 0x457, 'i' } };
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char
in_list(const struct look *list, size_t n, UChar32 c)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].c == c)
            return list[i].letter;
    return 0;
}

/* The ASCII letter that c looks like, or 0. */
static char
look_of(UChar32 c, bool far)
{
    size_t lo = 0, hi = COUNT(looks);

    if (c < 0x80)
        return wn_text_ascii_letter(c) ? (char)c : 0;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (looks[mid].c == c)
            return looks[mid].letter;
        if (looks[mid].c < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (!far)
        return 0;
    lo = (size_t)in_list(distant, COUNT(distant), c);
    return lo != 0 ? (char)lo : in_list(phonetic, COUNT(phonetic), c);
}

static enum alphabet
alphabet_of(UChar32 c)
{
    if (c < 0x370 || (c >= 0x1D00 && c < 0x1F00) || (c >= 0xA722 && c < 0xA800))
        return LATIN;
    if (c < 0x400 || (c >= 0x1F00 && c < 0x2000))
        return GREEK;
    if (c < 0x530 || (c >= 0x1C80 && c < 0x1C90) || (c >= 0xA640 && c < 0xA6A0))
        return CYRILLIC;
    return OTHER;
}

/* The letter of the alphabet that an ASCII one is taken for from far away. */
static UChar32
distant_of(size_t letter, enum alphabet to)
{
    for (size_t i = 0; i < COUNT(distant); i++)
        if ((size_t)distant[i].letter == letter &&
            alphabet_of(distant[i].c) == to)
            return distant[i].c;
    return 0;
}

/* The letter of the alphabet that c, of another, looks like; 0: none. */
static UChar32
counterpart(UChar32 c, enum alphabet to, bool far)
{
    size_t letter = (size_t)look_of(c, far);
    UChar32 as = to == CYRILLIC ? cyrillic[letter]
                 : to == GREEK  ? greek[letter]
                                : (UChar32)letter;

    return as == 0 && far && letter != 0 ? distant_of(letter, to) : as;
}

/* How many letters the word has of each alphabet. */
static size_t
count_alphabets(const struct wn_text_word *w, size_t count[ALPHABETS])
{
    size_t alphabets = 0;

    memset(count, 0, ALPHABETS * sizeof(*count));
    for (size_t i = 0; i < w->runs; i++)
        if (!wn_text_is_mark(w->run[i].c))
            count[alphabet_of(w->run[i].c)] += w->run[i].n;
    for (size_t a = 0; a < ALPHABETS; a++)
        alphabets += count[a] > 0;
    return alphabets;
}

/* Whether each letter of the others has its counterpart in this one. */
static bool
can_be(const struct wn_text_word *w, enum alphabet to, bool far)
{
    for (size_t i = 0; i < w->runs; i++) {
        UChar32 c = w->run[i].c;

        if (!wn_text_is_mark(c) && alphabet_of(c) != to &&
            counterpart(c, to, far) == 0)
            return false;
    }
    return true;
}

/* Returns the number of letters that changed. */
static size_t
become(struct wn_text_word *w, enum alphabet to, bool far)
{
    size_t changed = 0;

    for (size_t i = 0; i < w->runs; i++) {
        struct wn_text_run *r = &w->run[i];

        if (wn_text_is_mark(r->c) || alphabet_of(r->c) == to)
            continue;
        r->c = counterpart(r->c, to, far);
        changed += r->n;
    }
    return changed;
}

/* Of the three that have counterparts, the one with the most letters first. */
static void
by_count(const size_t count[ALPHABETS], enum alphabet order[3])
{
    order[0] = LATIN;
    order[1] = CYRILLIC;
    order[2] = GREEK;
    for (size_t i = 1; i < 3; i++)
        for (size_t k = i; k > 0 && count[order[k]] > count[order[k - 1]];
             k--) {
            enum alphabet a = order[k];

            order[k] = order[k - 1];
            order[k - 1] = a;
        }
}

/* Latin capitals, two or more, and small letters of another alphabet. */
static bool
is_inflected(const struct wn_text_word *w)
{
    size_t i = 0, capitals = 0;

    for (; i < w->runs && w->run[i].c >= 'A' && w->run[i].c <= 'Z'; i++)
        capitals += w->run[i].n;
    if (capitals < 2 || i == w->runs)
        return false;
    for (; i < w->runs; i++)
        if (alphabet_of(w->run[i].c) == LATIN || !u_islower(w->run[i].c))
            return false;
    return true;
}

/* Symbols of science: one Greek letter at an end, or a short word. */
static bool
is_symbol(const struct wn_text_word *w, const size_t count[ALPHABETS])
{
    size_t letters = count[LATIN] + count[CYRILLIC] + count[GREEK];

    if (count[GREEK] == 0)
        return false;
    return letters < 4 || (count[GREEK] == 1 &&
                              (alphabet_of(w->run[0].c) == GREEK ||
                                  alphabet_of(w->run[w->runs - 1].c) == GREEK));
}

/* A word of several alphabets to one of one. Returns the letters changed. */
static size_t
unmix(struct wn_text_word *w, const size_t count[ALPHABETS], bool far)
{
    enum alphabet order[3];

    by_count(count, order);
    for (size_t i = 0; i < 3 && count[order[i]] > 0; i++)
        if (can_be(w, order[i], far))
            return become(w, order[i], far);
    return 0;
}

/* Small capitals to letters, all in a word that has a sure one. */
static size_t
plain_capitals(struct wn_text_word *w)
{
    size_t sure = 0, changed = 0;

    for (size_t i = 0; i < w->runs; i++)
        sure +=
            in_list(small_capitals, COUNT(small_capitals), w->run[i].c) != 0;
    for (size_t i = 0; i < w->runs && sure > 0; i++) {
        struct wn_text_run *r = &w->run[i];
        char c = in_list(small_capitals, COUNT(small_capitals), r->c);

        if (c == 0)
            c = in_list(phonetic, COUNT(phonetic), r->c);
        if (c == 0)
            continue;
        r->c = c;
        changed += r->n;
    }
    return changed;
}

/* A low line under every letter goes; how many. */
static size_t
drop_lines(struct wn_text_word *w)
{
    size_t lines = 0, kept = 0;

    for (size_t i = 0; i < w->runs; i++)
        lines += w->run[i].c == 0x332;
    if (lines < 2 || 2 * lines != w->runs)
        return 0;
    for (size_t i = 0; i < w->runs; i++)
        if (w->run[i].c != 0x332)
            w->run[kept++] = w->run[i];
    w->runs = kept;
    w->marks = false;
    return lines;
}

/* Letters that came to be the same stand in one run. */
static void
merge_runs(struct wn_text_word *w)
{
    size_t kept = 0;

    for (size_t i = 0; i < w->runs; i++) {
        if (kept > 0 && w->run[kept - 1].c == w->run[i].c)
            w->run[kept - 1].n += w->run[i].n;
        else
            w->run[kept++] = w->run[i];
    }
    w->runs = kept;
}

/* The second view's own: from farther away, whole words in a Latin text, and
 * letters of phonetics among plain ones. */
static size_t
fold_far(struct wn_text_word *w, size_t alphabets,
    const size_t count[ALPHABETS], bool few)
{
    size_t changed = 0, plain = 0;

    if (alphabets > 1)
        return count[LATIN] > 0 ? unmix(w, count, true) : 0;
    if (count[LATIN] == 0)
        return few && count[OTHER] == 0 && w->runs > 2 &&
                       can_be(w, LATIN, false)
                   ? become(w, LATIN, false)
                   : 0;
    for (size_t i = 0; i < w->runs; i++)
        plain += w->run[i].c < 0x80;
    for (size_t i = 0; i < w->runs && plain > 0; i++) {
        struct wn_text_run *r = &w->run[i];
        char c = r->c == 0x1EB ? 0 : look_of(r->c, true);

        if (r->c < 0x80 || c == 0)
            continue;
        r->c = c;
        changed += r->n;
    }
    return changed;
}

static bool
is_ascii(const struct wn_text_word *w)
{
    for (size_t i = 0; i < w->runs; i++)
        if (w->run[i].c >= 0x80)
            return false;
    return true;
}

bool
wn_text_fold(struct wn_text *t, struct wn_text_word *w, bool view, bool few,
    bool guarded)
{
    size_t count[ALPHABETS], changed = 0, lines, capitals = 0;
    size_t alphabets;
    bool apart;

    if (is_ascii(w))
        return false;
    lines = drop_lines(w);
    if (!w->marks)
        capitals = plain_capitals(w);
    alphabets = count_alphabets(w, count);
    apart = is_inflected(w) || is_symbol(w, count);
    if (alphabets > 1 && !w->marks && !apart)
        changed = unmix(w, count, false);
    if (!view || guarded) {
        t->combining += lines;
        t->styled += capitals;
        t->confusables += changed;
        t->mixed_script_words += changed > 0;
    }
    if (view && changed == 0 && capitals == 0 &&
        (count[GREEK] == 0 || count[GREEK] + count[LATIN] >= 4))
        changed = fold_far(w, alphabets, count, few);
    if (changed + capitals + lines > 0)
        merge_runs(w);
    return changed + capitals + lines > 0;
}
