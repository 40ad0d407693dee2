/*
 * Digits and signs in the place of letters: fr33, v1agra, m0ney, c@sh, $cam.
 * Only for the second view: mp3, covid19 and R2D2 are words too, so what comes
 * out is never all that is read.
 *
 * A word is taken for one where a sign or one or two digits stand between
 * letters and all of those can be letters; then those at its ends are read as
 * letters too. Otherwise only $ before three small letters, 0 before three
 * letters, and two alike at the end (fr33, cla$$).
 */
#include <string.h>

#include "classifier/text_int.h"

#define WORD_MAX 32 /* bytes; longer ones are keys and hashes */

/* What it looks like; 1 is told by its neighbours. The euro sign is one byte
 * here, as wn_text_leet() reads it. */
#define EURO '\x01'
static char
letter_for(char c)
{
    static const char signs[] = "013457@$!|\x01", letters[] = "oieastasile";
    const char *at = c == '\0' ? NULL : strchr(signs, c);

    return at == NULL ? 0 : letters[at - signs];
}

static bool
is_letter(char c)
{
    return wn_text_ascii_letter((unsigned char)c);
}

static bool
is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool
is_vowel(char c)
{
    return c != '\0' && strchr("aeiouyAEIOUY", c) != NULL;
}

/* 1 in c1ick, a11, p1ease and 1ove is an l; elsewhere an i. */
static bool
is_l(const char *w, size_t n, size_t i)
{
    char before = i > 0 ? w[i - 1] : 0, after = i + 1 < n ? w[i + 1] : 0;

    if (before == '1' || after == '1' || after == 'i' || after == 'I')
        return true;
    if (before == 0)
        return is_vowel(after);
    return before != 0 && strchr("bcfgpsBCFGPS", before) != NULL &&
           is_vowel(after);
}

/* Between letters: groups of one or two, all of which stand for some. -1
 * where one does not. */
static int
inner_groups(const char *w, size_t n)
{
    size_t i = 0, groups = 0;

    while (i < n && !is_letter(w[i]))
        i++;
    while (i < n) {
        size_t k = i;

        if (is_letter(w[i])) {
            i++;
            continue;
        }
        while (k < n && !is_letter(w[k]) && letter_for(w[k]) != 0)
            k++;
        if (k == n)
            break;
        /* wow!great: a sentence mark, and only early in a word a letter */
        if (!is_letter(w[k]) || k - i > 2 || (w[i] == '!' && i > 3))
            return -1;
        groups++;
        i = k;
    }
    return (int)groups;
}

/* None between letters: at an end? */
static bool
at_an_end(const char *w, size_t n)
{
    size_t lower = 0, letters = 0;

    for (size_t i = 1; i < n; i++) {
        lower += is_letter(w[i]) && !is_upper(w[i]);
        letters += is_letter(w[i]);
    }
    if (w[0] == '$' || w[0] == '0')
        return letters == n - 1 && letters >= 3 &&
               (w[0] == '0' || lower == letters);
    return n >= 4 && is_letter(w[0]) && letters == n - 3 &&
           w[n - 1] == w[n - 2] && strchr("03$\x01", w[n - 1]) != NULL;
}

static bool
is_leet(const char *w, size_t n)
{
    size_t letters = 0, pairs = 0;
    bool bar = false;
    int groups;

    for (size_t i = 0; i < n; i++) {
        letters += is_letter(w[i]);
        pairs += i > 0 && is_letter(w[i]) && is_letter(w[i - 1]);
        bar = bar || w[i] == '|';
    }
    /* a|b|c is a list */
    if (n < 4 || letters < 2 || letters == n || 2 * letters < n ||
        (bar && pairs == 0))
        return false;
    groups = inner_groups(w, n);
    return groups > 0 || (groups == 0 && at_an_end(w, n));
}

/* Where the number begins that the word ends in: more than one or two alike;
 * n where it has none. */
static size_t
number_at_end(const char *w, size_t n)
{
    size_t i = n;

    while (i > 0 && !is_letter(w[i - 1]))
        i--;
    return n - i > 2 || (n - i == 2 && w[n - 1] != w[n - 2]) ? i : n;
}

static bool
has_small(const char *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_letter(w[i]) && !is_upper(w[i]))
            return true;
    return false;
}

bool
wn_text_leet(const char *in, size_t len, struct wn_buf *out)
{
    char w[WORD_MAX];
    size_t n = 0, number;
    bool capitals;

    for (size_t i = 0; i < len; i++) {
        if (n == WORD_MAX)
            return false;
        w[n++] = in[i];
        if (i + 2 < len && memcmp(in + i, "\u20AC", 3) == 0) {
            w[n - 1] = EURO;
            i += 2;
        }
    }
    if (!is_leet(w, n))
        return false;
    number = number_at_end(w, n);
    capitals = !has_small(w, n);
    for (size_t i = 0; i < n; i++) {
        char c = is_letter(w[i]) || i >= number ? 0 : letter_for(w[i]);

        if (c != 0 && w[i] == '1' && is_l(w, n, i))
            c = 'l';
        c = c == 0 ? w[i] : capitals ? (char)(c - 32) : c;
        if (c == EURO) {
            memcpy(out->data + out->len, "\u20AC", 3);
            out->len += 3;
        } else {
            out->data[out->len++] = c;
        }
    }
    return true;
}
