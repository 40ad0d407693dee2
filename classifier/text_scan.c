/*
 * One pass over the emitted text: how many characters and words it has, and
 * whether there is anything for the steps that fold. Almost every post has
 * nothing and pays for this pass alone, so it takes 64 characters at a time:
 * a bit for each in a mask of letters, one of digits and so on, and what
 * stands beside what is told by shifting them. A character beyond ASCII is
 * looked up and stands for one bit like any other; marks have none.
 *
 * What it says is that something may be there: the steps look closely.
 */
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "classifier/text_int.h"

#define BLOCK 64

/* What a character beyond ASCII is; a mask of each kind is kept, in this
 * order. */
enum {
    LATIN = 1,   /* a letter of it                                */
    OTHER = 2,   /* of another alphabet that may have look-alikes */
    SINGLE = 4,  /* of one whose letters may be set apart         */
    ALNUM = 8,   /* a letter or digit                             */
    WORDY = 16,  /* one where spaces tell words                   */
    MONEY = 32,  /* no letter, but may stand for one              */
    NOTHING = 64 /* a mark: nothing stands for it                 */
};
#define KINDS 5
#define LATIN_LETTER (LATIN | SINGLE | ALNUM | WORDY)
#define OTHER_LETTER (OTHER | ALNUM | WORDY)

/* A mask of the block at hand, and of the one before. */
struct mask {
    uint64_t now, before;
};

struct scan {
    uint8_t block[8 + BLOCK]; /* the last of the block before come first */
    struct mask letter;       /* ASCII                                   */
    struct mask latin, other; /* that and beyond; other alphabets        */
    struct mask digit, space, same; /* same: as the character before     */
    struct mask single, alnum;      /* may be set apart; any             */
    struct mask three;              /* letters that come a third time    */
    uint64_t wordy;                 /* alnum where spaces tell words     */
    uint64_t beyond, kind[KINDS];   /* not ASCII, and what they are      */

    size_t chars, words, quarters, latins, others;
    bool in_word; /* the word at hand has a letter or digit */
    size_t alone, alone_most;
    bool not_alone; /* two side by side since the last alone */
    bool run, mixed, number, leet, odd;
    /* The last character beyond ASCII, where it ended, how often it came. */
    UChar32 last;
    size_t last_end, last_n;
};

/* --- characters beyond ASCII --- */

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

/* Small capitals and the letters of phonetics: Latin, but no language's. */
static bool
is_odd(UChar32 c)
{
    return (c >= 0x250 && c < 0x2B0) || (c >= 0x1D00 && c < 0x1DC0) ||
           (c >= 0xA730 && c < 0xA732);
}

/* Whether it may look like a letter of another alphabet. */
static bool
has_look_alikes(UChar32 c)
{
    return c < 0xE00 || (c >= 0x1000 && c < 0x3000) ||
           (c >= 0xA4D0 && c < 0xAC00) || (c >= 0x10000 && c < 0x20000);
}

/* What most of them are, without ICU: punctuation and emoji; letters of Latin,
 * Greek, Cyrillic and Arabic. -1: not that simple. */
static int
common_kind(UChar32 c)
{
    if (c < 0x250)
        return c < 0xC0 ? -1 : c == 0xD7 || c == 0xF7 ? 0 : LATIN_LETTER;
    if ((c >= 0x400 && c < 0x482) || (c >= 0x620 && c < 0x64B) ||
        (c >= 0x671 && c < 0x6D4) || (c >= 0x388 && c < 0x3F6))
        return OTHER_LETTER | SINGLE;
    if ((c >= 0x2000 && c < 0x2070) || (c >= 0x1F300 && c < 0x1FB00))
        return 0;
    return -1;
}

static int
kind_of(struct scan *s, UChar32 c)
{
    uint32_t gc = U_GET_GC_MASK(c);

    if ((gc & (U_GC_MN_MASK | U_GC_ME_MASK)) != 0) {
        s->odd = s->odd || c == 0x332;
        return NOTHING;
    }
    if ((gc & (U_GC_L_MASK | U_GC_ND_MASK)) == 0)
        return c == 0x20AC || c == 0xA3 ? MONEY : 0;
    if ((gc & U_GC_ND_MASK) != 0 || !has_look_alikes(c))
        return ALNUM | WORDY;
    s->odd = s->odd || is_odd(c);
    if (c < 0x370 || (c >= 0x1D00 && c < 0x1F00))
        return LATIN_LETTER;
    return c < 0x700 || (c >= 0x10A0 && c < 0x1100) ||
                   (c >= 0x1F00 && c < 0x2000)
               ? OTHER_LETTER | SINGLE
               : OTHER_LETTER;
}

/* The kind of c, which stands at text[i, end). */
static int
beyond_ascii(struct scan *s, UChar32 c, size_t i, size_t end)
{
    unsigned per = wn_text_chars_per_word(c);
    int kind = per > 0 ? ALNUM : common_kind(c);

    s->quarters += per > 0 ? 4 / per : 0;
    if (kind < 0)
        kind = kind_of(s, c);
    s->odd = s->odd || c == 0x192;
    s->last_n = c == s->last && i == s->last_end ? s->last_n + 1 : 1;
    s->last = c;
    s->last_end = end;
    s->run = s->run || (s->last_n >= 3 && (kind & ALNUM) != 0);
    return kind;
}

#define EACH(byte) (0x0101010101010101u * (byte))

static uint64_t
load(const uint8_t *p)
{
    uint64_t v = 0;

    memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

/* ASCII from p[i] on into the block at n, eight at a time; how much. */
static size_t
fill_ascii(struct scan *s, const uint8_t *p, size_t len, size_t i, size_t n)
{
    size_t from = i;

    while (i + 8 <= len && n + 8 <= BLOCK) {
        uint64_t v = load(p + i), high = v & EACH(0x80);

        memcpy(s->block + 8 + n, p + i, 8);
        if (high != 0)
            return i + (size_t)__builtin_ctzll(high) / 8 - from;
        i += 8;
        n += 8;
    }
    while (i < len && n < BLOCK && p[i] < 0x80)
        s->block[8 + n++] = p[i++];
    return i - from;
}

/* The next characters from i on into the block, and spaces where the text
 * ends. Returns where the next block begins. */
static size_t
fill(struct scan *s, const uint8_t *p, size_t len, size_t i)
{
    size_t n = 0, run, start;
    UChar32 c;
    int kind;

    memcpy(s->block, s->block + BLOCK, 8);
    memset(s->kind, 0, sizeof(s->kind));
    s->beyond = 0;
    for (;;) {
        run = i < len && p[i] >= 0x80 ? 0 : fill_ascii(s, p, len, i, n);
        n += run;
        i += run;
        s->chars += run;
        if (n == BLOCK || i == len)
            break;
        start = i;
        U8_NEXT_UNSAFE(p, i, c);
        s->chars++;
        kind = beyond_ascii(s, c, start, i);
        if (kind == NOTHING)
            continue;
        for (unsigned k = 0; k < KINDS; k++)
            s->kind[k] |= (uint64_t)(kind >> k & 1) << n;
        s->block[8 + n] = kind == MONEY ? MONEY | 0x80 : 0x80;
        s->beyond |= (uint64_t)1 << n++;
    }
    memset(s->block + 8 + n, ' ', BLOCK - n);
    return i;
}

/* --- masks --- */

/* The high bits of eight bytes as eight bits. */
static uint64_t
gather(uint64_t high)
{
    return ((high & EACH(0x80)) >> 7) * 0x0102040810204080u >> 56;
}

/* High bits: which of eight bytes, all under 0x80, are first to last. */
static uint64_t
between(uint64_t v, unsigned first, unsigned last)
{
    return (v + EACH(0x80 - first)) & ~(v + EACH(0x7F - last));
}

/* High bits: which are zero. */
static uint64_t
zero(uint64_t v)
{
    return ~(((v & EACH(0x7F)) + EACH(0x7F)) | v);
}

static void
next(struct mask *m, uint64_t now)
{
    m->before = m->now;
    m->now = now;
}

/* Each bit where the one before it, or two before it, is set. */
static uint64_t
behind(struct mask m)
{
    return m.now << 1 | m.before >> 63;
}

static uint64_t
two_behind(struct mask m)
{
    return m.now << 2 | m.before >> 62;
}

static void
make_masks(struct scan *s)
{
    uint64_t letter = 0, digit = 0, space = 0, same = 0;

    for (unsigned i = 0; i < BLOCK; i += 8) {
        uint64_t v = load(s->block + 8 + i), ascii = ~v & EACH(0x80);
        uint64_t low = v & EACH(0x7F);

        letter |= gather(between(low | EACH(0x20), 'a', 'z') & ascii) << i;
        digit |= gather(between(low, '0', '9') & ascii) << i;
        space |= gather(zero(v ^ EACH(' ')) | zero(v ^ EACH('\n'))) << i;
        same |= gather(zero(v ^ load(s->block + 7 + i))) << i;
    }
    next(&s->letter, letter);
    next(&s->latin, letter | s->kind[0]);
    next(&s->other, s->kind[1]);
    next(&s->single, letter | digit | s->kind[2]);
    next(&s->alnum, letter | digit | s->kind[3]);
    next(&s->digit, digit);
    next(&s->space, space);
    next(&s->same, same);
    s->wordy = letter | digit | s->kind[4];
}

/* --- what the masks say --- */

/* Words: letters and digits are added to runs of what is no space, so each run
 * that has one carries into the space behind it, and none twice. */
static void
count_words(struct scan *s)
{
    uint64_t word = ~s->space.now, add = s->wordy, sum;

    s->words += s->in_word && (word & 1) == 0;
    add |= s->in_word ? word & 1 : 0;
    sum = word + add;
    s->in_word = sum < word;
    s->words += (size_t)__builtin_popcountll(sum & ~word);
}

/* Signs that are no letter but may stand for one: where they stand beside one,
 * which is rare, they are looked at. */
static void
look_at_signs(struct scan *s)
{
    uint64_t sign = ~(s->alnum.now | s->space.now) | s->beyond;
    uint64_t after = behind(s->letter) & sign;
    uint64_t before = s->letter.now >> 1 & sign;

    for (uint64_t left = after | before; left != 0; left &= left - 1) {
        uint8_t c = s->block[8 + __builtin_ctzll(left)];
        uint64_t bit = left & -left;

        s->leet = s->leet || c == '$' || c == (MONEY | 0x80) ||
                  (c == '@' && (after & bit) != 0) ||
                  ((c == '!' || c == '|') && (before & bit) != 0);
    }
    /* the last of a block has its neighbour in the next */
    if ((s->letter.now & 1) != 0 && memchr("$!|", s->block[7], 3) != NULL)
        s->leet = true;
}

/* Letters and digits alone: neither on both sides. The bit of one is that of
 * the character behind. */
static void
count_alone(struct scan *s)
{
    struct mask gap = { ~s->alnum.now, ~s->alnum.before };
    uint64_t alone = gap.now & behind(s->single) & two_behind(gap);
    uint64_t beside = s->alnum.now & behind(s->alnum), below = 0;

    for (uint64_t left = alone; left != 0; left &= left - 1) {
        uint64_t upto = left ^ (left - 1);

        if (s->not_alone || (beside & upto & ~below) != 0)
            s->alone = 0;
        s->not_alone = false;
        below = upto;
        s->alone++;
        s->alone_most = s->alone > s->alone_most ? s->alone : s->alone_most;
    }
    s->not_alone = s->not_alone || (beside & ~below) != 0;
}

/* Three of a letter, but not where they are all of a word: www, AAA, III. */
static void
look_for_runs(struct scan *s)
{
    struct mask beside = s->alnum;

    next(&s->three, s->letter.now & s->same.now & behind(s->same));
    s->run = s->run ||
             (s->three.now & (beside.now << 3 | beside.before >> 61)) != 0 ||
             (behind(s->three) & beside.now) != 0;
}

static void
look(struct scan *s)
{
    uint64_t d;

    make_masks(s);
    count_words(s);
    look_at_signs(s);
    count_alone(s);
    s->latins += (size_t)__builtin_popcountll(s->latin.now);
    s->others += (size_t)__builtin_popcountll(s->other.now);
    look_for_runs(s);
    s->mixed = s->mixed || ((behind(s->latin) & s->other.now) |
                               (behind(s->other) & s->latin.now)) != 0;
    s->leet = s->leet || ((behind(s->letter) & s->digit.now) |
                             (behind(s->digit) & s->letter.now)) != 0;
    /* Nine in a row are five in one of two blocks. */
    d = s->digit.now;
    s->number = s->number || (d & d << 1 & d << 2 & d << 3 & d << 4) != 0;
}

/* Nine digits: two blocks may have five and four of them. */
static bool
has_long_number(const struct wn_text *t)
{
    size_t digits = 0;

    for (size_t i = 0; i < t->len && digits < WN_TEXT_NUMBER_MIN; i++)
        digits = t->data[i] >= '0' && t->data[i] <= '9' ? digits + 1 : 0;
    return digits == WN_TEXT_NUMBER_MIN;
}

void
wn_text_scan(struct wn_text *t, struct wn_text_seen *ret)
{
    struct scan s = { .last = -1 };
    size_t i = 0;

    memset(s.block, ' ', sizeof(s.block));
    do {
        i = fill(&s, (const uint8_t *)t->data, t->len, i);
        look(&s);
    } while (i < t->len || s.block[8 + BLOCK - 1] != ' ');
    t->chars = s.chars;
    t->words = s.words + s.in_word + (s.quarters + 3) / 4;
    *ret = (struct wn_text_seen){
        .apart = s.alone_most,
        .run = s.run,
        .mixed = s.odd || s.mixed,
        .number = s.number && has_long_number(t),
        .leet = s.leet,
        .few = s.others > 0 && s.others < s.latins,
    };
}
