/*
 * Letters set apart: "f r e e", "f.r.e.e", "f - r - e - e". A span is such
 * letters in a row with one kind of separator; it becomes words again, parted
 * where the separator is wider (spaces: more of them; points and the like: a
 * space).
 *
 * Ordinary text sets letters apart too. It keeps them where they are fewer
 * than four, and abbreviations: U.S.S.R., a.s.a.p.; the second view joins
 * those, and three letters. Both leave lists: A B C D, notes and grades
 * (E A D G), one letter again and again, and four one-letter words of
 * Cyrillic. Digits may be among letters, a third of them at most.
 *
 * Linear: of a span that is not joined everything but the last letter is
 * passed over, and what is shorter than four letters is looked at four times.
 */
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "classifier/text_int.h"

struct joiner {
    struct wn_text *t;
    const uint8_t *s;
    size_t n;
    struct wn_buf *out;
    bool view;
    struct wn_spots *spots;
};

struct span {
    UChar32 sep;    /* 0: white space alone                    */
    bool spaced;    /* the separator has spaces around it      */
    size_t narrow;  /* width of the space that parts letters   */
    size_t letters; /* of all words                            */
    size_t digits;  /* of those: 0 f f 3 r                     */
    size_t joints;  /* separators inside words                 */
    size_t last;    /* where the last letter begins            */
    size_t end;     /* behind it                               */
    bool dotted;    /* and the separator follows it once more  */
    /* Each letter: follows the one before in the alphabet; is that one again;
     * is A to G; is a word; is no small one. */
    bool alphabet, same, notes, words, capitals;
    UChar32 prev;
};

static UChar32
get(const struct joiner *j, size_t i)
{
    UChar32 c;

    if (i >= j->n)
        return ' ';
    U8_GET_UNSAFE(j->s, i, c);
    return c;
}

static bool
is_space(UChar32 c)
{
    return c == ' ' || c == '\n';
}

static bool
is_digit(UChar32 c)
{
    return c >= '0' && c <= '9';
}

static size_t
bytes(UChar32 c)
{
    return (size_t)U8_LENGTH(c);
}

/* Alphabets whose words are not of one letter; and digits for letters. */
static bool
may_stand_apart(UChar32 c)
{
    if (c < 0x80)
        return wn_text_ascii_alnum(c);
    return (c < 0x700 || (c >= 0x10A0 && c < 0x1100) ||
               (c >= 0x1E00 && c < 0x2000)) &&
           u_isalpha(c);
}

/* End of the letter at i with its marks, or i where there is none or another
 * letter or digit follows. */
static size_t
letter_end(const struct joiner *j, size_t i)
{
    UChar32 c = get(j, i);
    size_t end = i;

    if (i >= j->n || !may_stand_apart(c))
        return i;
    do {
        end += bytes(c);
        c = get(j, end);
    } while (end < j->n && c >= 0x80 && wn_text_is_mark(c));
    return end < j->n && wn_text_is_alnum(c) ? i : end;
}

/* Brackets, quotes and sentence marks around a word. */
static bool
opens(UChar32 c)
{
    return (c < 0x80 && c > ' ' && strchr("\"'([{<*!", c) != NULL) ||
           c == 0xAB || c == 0xA1 || c == 0xBF || (c >= 0x2018 && c <= 0x201F);
}

static bool
closes(UChar32 c)
{
    return (c < 0x80 && c > ' ' && strchr("\"')]}>*!?.,:;", c) != NULL) ||
           c == 0xBB || (c >= 0x2018 && c <= 0x201F) || c == 0x2026;
}

/* End of the closing marks at i where white space follows them, else SIZE_MAX:
 * the word goes on. */
static size_t
closing_end(const struct joiner *j, size_t i)
{
    while (i < j->n && closes(get(j, i)))
        i += bytes(get(j, i));
    return i == j->n || is_space((UChar32)j->s[i]) ? i : SIZE_MAX;
}

/* End of the white space at i; its width, a line feed among spaces counting
 * as wide. */
static size_t
space_end(const struct joiner *j, size_t i, size_t *width)
{
    *width = 0;
    if (i < j->n && is_space((UChar32)j->s[i])) {
        *width = j->s[i] == '\n' ? 1000 : 1;
        for (i++; i < j->n && j->s[i] == WN_TEXT_WIDER; i++)
            ++*width;
    }
    return i;
}

/* What may stand between letters; in the first view not what code, paths and
 * lists have between theirs. */
static bool
parts_letters(const struct joiner *j, UChar32 c)
{
    if (c < 0x80)
        return c > ' ' && strchr(j->view ? ".-_*~,/|\\:'^+#" : ".-_*~", c);
    return c == 0xB7 || c == 0x2022 || c == 0x2027 || c == 0x2219 ||
           c == 0x22C5 || c == 0x30FB || (c >= 0x2010 && c <= 0x2015);
}

static bool
is_one_letter_word(UChar32 c)
{
    static const UChar words[] = { 0x430, 0x431, 0x432, 0x436, 0x437, 0x438,
        0x439, 0x43A, 0x43E, 0x441, 0x443, 0x44F, 0x454, 0x456, 0x45E };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (words[i] == c)
            return true;
    return false;
}

static void
see_letter(const struct joiner *j, struct span *p, size_t i)
{
    UChar32 c = get(j, i);
    UChar32 low = c < 0x80 ? c | (c >= 'A' && c <= 'Z' ? 32 : 0) : u_tolower(c);
    bool small = c < 0x80 ? c >= 'a' && c <= 'z' : c != u_toupper(c);

    p->alphabet = p->letters == 0 || (p->alphabet && low == p->prev + 1);
    p->same = p->letters == 0 || (p->same && low == p->prev);
    p->notes = (p->letters == 0 || p->notes) && c >= 'A' && c <= 'G';
    p->words = (p->letters == 0 || p->words) && is_one_letter_word(low);
    p->capitals = (p->letters == 0 || p->capitals) && !small;
    p->digits += is_digit(c);
    p->prev = low;
    p->letters++;
    p->last = i;
}

/* Letters that are not those of a word, in the first view or in any. */
static bool
is_list(const struct span *p)
{
    return p->alphabet || p->same || p->notes ||
           (p->words && p->letters <= WN_TEXT_APART_MIN);
}

/* --- letters that are whole words: white space, or a sign in it --- */

/* From the end of a letter to the next of the span, or SIZE_MAX; *width 0
 * where the separator is the sign. */
static size_t
next_apart(
    const struct joiner *j, const struct span *p, size_t end, size_t *width)
{
    size_t i = space_end(j, end, width), after, end_of_next;

    if (*width == 0)
        return SIZE_MAX;
    if (p->sep != 0 && get(j, i) == p->sep) {
        i = space_end(j, i + bytes(p->sep), &after);
        if (after == 0)
            return SIZE_MAX;
        *width = 0;
    }
    end_of_next = letter_end(j, i);
    if (end_of_next == i || closing_end(j, end_of_next) == SIZE_MAX)
        return SIZE_MAX;
    return i;
}

/* Letters alone from i on, whose first ends at `end`. Digits among them, none
 * behind them. */
static bool
measure_apart(const struct joiner *j, size_t i, size_t end, struct span *p)
{
    size_t width, after = space_end(j, end, &width);
    UChar32 c = get(j, after);
    struct span whole;

    if (after < j->n && parts_letters(j, c)) {
        p->sep = c;
        p->spaced = true;
    }
    p->narrow = p->sep != 0 ? 0 : SIZE_MAX;
    whole = *p;
    while (i != SIZE_MAX) {
        see_letter(j, p, i);
        p->end = letter_end(j, i);
        if (!is_digit(get(j, i)))
            whole = *p;
        i = next_apart(j, p, p->end, &width);
        if (i != SIZE_MAX && width < p->narrow)
            p->narrow = width;
    }
    *p = whole;
    return p->letters > 1;
}

/* Counts the joints. White space alone that makes fewer words than letters
 * alone, or leaves four of those in a row, parts no words: squeezed to single
 * spaces it would be joined the next time. */
static void
part_apart(const struct joiner *j, size_t i, struct span *p)
{
    size_t width, alone = 0, most = 0;
    bool joined = false;

    while (i != SIZE_MAX) {
        size_t end = letter_end(j, i);
        size_t next = end == p->end ? SIZE_MAX : next_apart(j, p, end, &width);

        if (next != SIZE_MAX && width == p->narrow) {
            p->joints++;
            joined = true;
        } else {
            alone = joined ? 0 : alone + 1;
            most = alone > most ? alone : most;
            joined = false;
        }
        i = next;
    }
    if (p->sep == 0 &&
        (most >= WN_TEXT_APART_MIN || 2 * p->joints < p->letters)) {
        p->narrow = SIZE_MAX;
        p->joints = p->letters - 1;
    }
}

/* --- letters with a sign between --- */

/* The word at i of letters that the sign parts; false where it is none, and p
 * as before. *more: white space follows it, so another may. */
static bool
measure_signed(const struct joiner *j, size_t i, struct span *p, bool *more)
{
    struct span before = *p;
    size_t end, closing;
    bool sign = true;

    while (sign && (end = letter_end(j, i)) > i) {
        see_letter(j, p, i);
        p->end = end;
        sign = get(j, end) == p->sep;
        p->joints += sign;
        i = end + bytes(p->sep);
    }
    p->dotted = sign;
    p->joints -= p->dotted;
    closing = closing_end(j, p->end + (p->dotted ? bytes(p->sep) : 0));
    if (closing == SIZE_MAX || p->letters < before.letters + 2) {
        *p = before;
        return false;
    }
    *more = closing == p->end;
    return true;
}

static bool
measure_words(const struct joiner *j, size_t i, size_t end, struct span *p)
{
    size_t width;
    bool more = true;

    p->sep = get(j, end);
    if (!parts_letters(j, p->sep))
        return false;
    while (more && measure_signed(j, i, p, &more))
        i = space_end(j, p->end, &width);
    return p->joints > 0;
}

/* --- what becomes of a span --- */

static bool
is_abbreviation(const struct span *p)
{
    return p->sep == '.' && !p->spaced &&
           (p->capitals || (p->dotted && p->letters == 4));
}

static bool
is_joined(const struct joiner *j, const struct span *p)
{
    size_t min = WN_TEXT_APART_MIN;

    if (j->view && p->sep != '.' && !p->spaced)
        min--;
    if (p->letters < min || (p->sep != 0 && p->joints < min - 1) ||
        (j->view ? 2 : 3) * p->digits > p->letters || is_list(p))
        return false;
    return j->view || !is_abbreviation(p);
}

static void
put(struct joiner *j, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (j->s[i] != WN_TEXT_WIDER)
            j->out->data[j->out->len++] = (char)j->s[i];
}

/* The span from its first letter at i on, as words. */
static void
put_words(struct joiner *j, const struct span *p, size_t i)
{
    size_t words = 1;

    if (j->view)
        wn_spots_add(j->spots, j->out->len);
    for (;;) {
        size_t end = letter_end(j, i), width;

        put(j, i, end);
        if (end == p->end)
            break;
        i = space_end(j, end, &width);
        if (width > 0 && p->sep != 0 && get(j, i) == p->sep) {
            i = space_end(j, i + bytes(p->sep), &width);
            width = 0;
        } else if (width == 0) {
            i += bytes(p->sep);
        }
        if (width > p->narrow) {
            put(j, end, end + 1);
            words++;
        }
    }
    j->t->spaced_words += j->view ? 0 : words;
}

/* A span that begins at the word at i. */
static bool
measure(const struct joiner *j, size_t i, struct span *p)
{
    size_t end = letter_end(j, i);

    if (end == i || is_digit(get(j, i)))
        return false;
    if (!is_space(get(j, end)))
        return measure_words(j, i, end, p);
    if (!measure_apart(j, i, end, p))
        return false;
    if (is_list(p))
        p->joints = p->letters - 1;
    else
        part_apart(j, i, p);
    return true;
}

/* Copies the word at i, up to white space, or the span that begins with it.
 * Returns where it goes on. */
static size_t
read_word(struct joiner *j, size_t i)
{
    struct span p = { .letters = 0 };
    size_t first = i, end;
    bool found;

    while (first < j->n && first - i < 8 && opens(get(j, first)))
        first += bytes(get(j, first));
    found = measure(j, first, &p);
    if (found && is_joined(j, &p)) {
        put(j, i, first);
        put_words(j, &p, first);
        i = p.end;
    } else if (found && p.letters >= WN_TEXT_APART_MIN &&
               p.joints >= WN_TEXT_APART_MIN - 1) {
        /* The last letter may begin another span, if it is a word. */
        end = p.sep == 0 || p.spaced ? p.last : p.end;
        put(j, i, end);
        if (end == p.last)
            return end;
        i = end;
    }
    for (end = i; end < j->n && !is_space((UChar32)j->s[end]);)
        end++;
    put(j, i, end);
    return end;
}

void
wn_text_join(struct wn_text *t, const char *in, size_t len, struct wn_buf *out,
    bool view, struct wn_spots *spots)
{
    struct joiner j = { .t = t,
        .s = (const uint8_t *)in,
        .n = len,
        .out = out,
        .view = view,
        .spots = spots };
    size_t i = 0;

    while (i < len) {
        if (is_space((UChar32)j.s[i]) || j.s[i] == WN_TEXT_WIDER) {
            put(&j, i, i + 1);
            i++;
        } else {
            i = read_word(&j, i);
        }
    }
}
