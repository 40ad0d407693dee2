/* What the files of hardened text share: see text.h. */
#ifndef WN_CLASSIFIER_TEXT_INT_H
#define WN_CLASSIFIER_TEXT_INT_H

#include <stdbool.h>

#include <unicode/utypes.h>

#include "classifier/text.h"

/* What text_filter.c remembers while code points pass. */
struct wn_text_filter {
    UChar32 prev; /* last one kept, -1 at the start              */
    enum { WN_LAST_KEPT, WN_LAST_SELECTOR, WN_LAST_OTHER } last;
    bool in_flag;     /* inside the tags of a flag                   */
    bool rtl;         /* a right-to-left letter was seen             */
    size_t soft_bidi; /* counted only if there was none              */
    size_t marks;     /* combining marks in a row                    */
    size_t phrases;   /* characters that stand for whole words       */
    size_t zero_width, bidi, tags;
};
void wn_text_filter_init(struct wn_text_filter *f);
/* c, or U+FFFD for the thousands of a kind of which NFKC makes up to 18 letters
 * each: a text has a handful, and padding by them must cost no more than any.
 */
UChar32 wn_text_filter_bound(struct wn_text_filter *f, UChar32 c);
/* true where c stays; otherwise it was counted or forgiven. */
bool wn_text_filter_keep(struct wn_text_filter *f, UChar32 c);
/* Adds the counts to t's. */
void wn_text_filter_finish(const struct wn_text_filter *f, struct wn_text *t);
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

/* text_entity.c: the code point of "&name;" or "&#n;" that ends at the
 * semicolon s[len - 1], with *start where its & is; -1 where there is none.
 * Looks at no more than 16 units. *bad: names no character. */
UChar32 wn_text_entity(const UChar *s, size_t len, size_t *start, bool *bad);

/* text_emit.c: steps 5 to 7, from t->u16 to t->data, and the counts of
 * characters and words. */
enum wn_status wn_text_emit(struct wn_text *t, struct wn_err *err);
/* Code points of scripts without spaces that make up one word; 0: spaces
 * tell. */
unsigned wn_text_chars_per_word(UChar32 c);

#endif
