/* What the files of hardened text share: see text.h. */
#ifndef WN_CLASSIFIER_TEXT_INT_H
#define WN_CLASSIFIER_TEXT_INT_H

#include <stdbool.h>

#include <unicode/uchar.h>

#include "classifier/text.h"

/* --- characters --- */

/* By arithmetic: letters and digits come as they please. */
static inline bool
wn_text_ascii_letter(UChar32 c)
{
    return (uint32_t)((c | 32) - 'a') < 26;
}
static inline bool
wn_text_ascii_alnum(UChar32 c)
{
    return wn_text_ascii_letter(c) | ((uint32_t)(c - '0') < 10);
}
/* ICU's answers, which for ASCII would cost a call. */
static inline bool
wn_text_is_letter(UChar32 c)
{
    return c < 0x80 ? wn_text_ascii_letter(c) : u_isalpha(c);
}
static inline bool
wn_text_is_alnum(UChar32 c)
{
    return c < 0x80 ? wn_text_ascii_alnum(c) : u_isalnum(c);
}
/* Greek, Cyrillic, accented Latin and Han: neither space, mark, right-to-left
 * nor invisible. A shortcut past the property tables, nothing else. */
static inline bool
wn_text_is_plain(UChar32 c)
{
    return (c >= 0xC0 && c < 0x300) || (c >= 0x370 && c < 0x483) ||
           (c >= 0x3400 && c < 0xA000);
}
/* The same, and the letters of Arabic, which are right-to-left. */
static inline bool
wn_text_is_solid(UChar32 c)
{
    return wn_text_is_plain(c) || (c >= 0x620 && c < 0x64B) ||
           (c >= 0x671 && c < 0x6D4);
}
/* A combining mark, or anything that normalisation reorders. */
bool wn_text_is_mark(UChar32 c);
/* Of a mark: one that may stand on any letter, so that stacks are made of it.
 */
bool wn_text_is_loose_mark(UChar32 c);
/* Loose marks on one character: more are a stack. Greek writes three. */
static inline size_t
wn_text_loose_max(UChar32 base)
{
    return (base >= 0x370 && base < 0x400) || (base >= 0x1F00 && base < 0x2000)
               ? 3
               : 2;
}

/* --- text_filter.c: what it remembers while code points pass --- */

struct wn_text_filter {
    UChar32 prev; /* last one kept, -1 at the start              */
    UChar32 base; /* last one kept that is no mark               */
    enum { WN_LAST_KEPT, WN_LAST_SELECTOR, WN_LAST_OTHER } last;
    bool in_flag;     /* inside the tags of a flag                   */
    bool rtl;         /* a right-to-left letter was seen             */
    size_t soft_bidi; /* counted only if there was none              */
    size_t marks;     /* combining marks in a row                    */
    size_t loose;     /* loose ones among them                       */
    size_t phrases;   /* characters that stand for whole words       */
    size_t zero_width, bidi, tags, combining;
    /* UTF-16 units of marks kept since the base; what the caller takes back
     * because they turned out to be a stack. */
    size_t units, undo;
};
void wn_text_filter_init(struct wn_text_filter *f);
/* c, or U+FFFD for the thousands of a kind of which NFKC makes up to 18 letters
 * each: a text has a handful, and padding by them must cost no more than any.
 */
UChar32 wn_text_filter_bound(struct wn_text_filter *f, UChar32 c);
/* true where c stays; otherwise it was counted or forgiven. Then the caller
 * takes f->undo units back, and sets it to 0. */
bool wn_text_filter_keep(struct wn_text_filter *f, UChar32 c);
/* Adds the counts to t's. */
void wn_text_filter_finish(const struct wn_text_filter *f, struct wn_text *t);

/* --- text_style.c: styled letters, before NFKC --- */

struct wn_text_style {
    size_t letters, wide; /* styled; fullwidth ones apart       */
    bool cjk;             /* beside which fullwidth is ordinary */
    UChar32 prev;         /* the code point before, as it came  */
    size_t left;          /* regional indicators of a judged run */
    bool flags;           /* which is one of flags              */
};
/* The letter that c stands for, or c. rest: the bytes that follow it. */
UChar32 wn_text_style(
    struct wn_text_style *st, UChar32 c, const uint8_t *rest, size_t rest_len);
/* "FREE" for U+1F193 and its like; NULL for others. */
const char *wn_text_style_word(UChar32 c);
/* An entity names one character at a time, so a regional indicator of one is a
 * letter at first. The indicator that it becomes where c makes a flag of both;
 * otherwise 0. */
UChar32 wn_text_style_pair(UChar32 letter, UChar32 c);

/* --- text_entity.c --- */

/* The code point of "&name;" or "&#n;" that ends at the semicolon s[len - 1],
 * with *start where its & is; -1 where there is none. Looks at no more than 16
 * units. *bad: names no character. */
UChar32 wn_text_entity(const UChar *s, size_t len, size_t *start, bool *bad);

/* --- text_emit.c: steps 6 and 7 --- */

/* Stands behind a space or line feed that was wider, once for each character
 * more, where a letter stands alone before it: words of letters that are set
 * apart are told by it. Step 8 takes it out; no text has it. */
#define WN_TEXT_WIDER '\x1F'

/* From t->u16 to t->data. *wide: WN_TEXT_WIDER is in it. */
enum wn_status wn_text_emit(struct wn_text *t, bool *wide, struct wn_err *err);
/* Drops handles that open t->data, and "RT @user: ". */
void wn_text_drop_prefix(struct wn_text *t);

/* --- text_scan.c --- */

/* What is there to do: whether one of the steps may find anything. */
struct wn_text_seen {
    size_t apart; /* letters alone, one after the other, at most     */
    bool run;     /* a letter three times                            */
    bool mixed;   /* letters of two alphabets side by side, or odd   */
    bool number;  /* WN_TEXT_NUMBER_MIN digits                       */
    bool leet;    /* a letter beside a digit or a sign               */
    bool few;     /* letters that are not Latin, but fewer than are  */
};
/* Code points of scripts without spaces that make up one word; 0: spaces
 * tell. */
unsigned wn_text_chars_per_word(UChar32 c);
/* Also counts t->chars and t->words. */
void wn_text_scan(struct wn_text *t, struct wn_text_seen *ret);

/* --- steps 8 to 10, and the second view --- */

#define WN_TEXT_APART_MIN 4 /* letters; three in the second view */

/* Letters set apart, of in[0, len), to out, with room for len more. Counts
 * t->spaced_words, or where `view` is set adds to *spots what it changed. */
void wn_text_join(struct wn_text *t, const char *in, size_t len,
    struct wn_buf *out, bool view, struct wn_spots *spots);

/* A word: letters and marks in a row, each with how often it comes. */
#define WN_TEXT_WORD_RUNS 64
struct wn_text_word {
    struct wn_text_run {
        UChar32 c;
        size_t n;
    } run[WN_TEXT_WORD_RUNS];
    size_t runs;
    bool marks; /* has some */
};
/* text_fold.c: letters of a word by those that they look like. `few` as in
 * wn_text_seen. Counts, also in a view where `guarded`: what the first view
 * left for where it stands. true where it changed. */
bool wn_text_fold(struct wn_text *t, struct wn_text_word *w, bool view,
    bool few, bool guarded);

/* text_leet.c: the word in[0, len) with letters for its digits and signs, to
 * out (room for it); false, and nothing, where it is none of that kind. */
bool wn_text_leet(const char *in, size_t len, struct wn_buf *out);

#define WN_TEXT_NUMBER_MIN 9 /* digits of a telephone or an account */

/* text_words.c: all words of in[0, len) to out, with room for twice as much.
 * Where `view` is set adds to t->view_spots what it changed, and those that
 * `before` names. */
void wn_text_words(struct wn_text *t, const char *in, size_t len,
    struct wn_buf *out, bool view, bool few, const struct wn_spots *before);

#endif
