/*
 * Texts made hard to read for a machine and easy for a person, as those who
 * are paid to get past a filter write them. For measuring only.
 *
 * Everything that is put into a text is in attack_data.c, and in no other
 * file: training must never see it (see there).
 */
#ifndef WN_CMD_ATTACK_H
#define WN_CMD_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/item.h"

enum wn_attack {
    WN_ATTACK_SPACING,    /* f r e e                                     */
    WN_ATTACK_ZERO_WIDTH, /* invisible characters inside words            */
    WN_ATTACK_HOMOGLYPH,  /* letters of other scripts that look the same  */
    WN_ATTACK_STYLED,     /* mathematical and enclosed alphabets          */
    WN_ATTACK_LEET,       /* fr33                                         */
    WN_ATTACK_SUFFIX,     /* 1 to 10 harmless words at the end            */
    WN_ATTACK_FRONT_300,  /* so many harmless words before the text       */
    WN_ATTACK_BEHIND_300, /* and behind it                                */
    WN_ATTACK_FRONT_3000,
    WN_ATTACK_BEHIND_3000,
    WN_ATTACK_HASHTAGS, /* 5 to 15 unrelated tags at the end            */
    WN_ATTACKS
};
extern const char *const wn_attack_names[WN_ATTACKS];

/*
 * Appends the attacked text; the same seed gives the same. Links, handles and
 * tags stay, since they must work. Whether it differs from the text: a text
 * without Latin letters has no homoglyphs of them. Bytes that are no UTF-8
 * stay as they are.
 */
bool wn_attack_make(
    enum wn_attack a, struct wn_str text, uint64_t seed, struct wn_buf *out);

/* --- attack_data.c --- */

#define WN_TWINS_MAX 4
struct wn_twins {
    char letter;                 /* ASCII */
    uint32_t twin[WN_TWINS_MAX]; /* code points, 0 after the last */
};
/* An alphabet: the code points of A and a; 0: it has none. */
struct wn_style {
    uint32_t upper, lower;
};
struct wn_words {
    const char *const *at;
    size_t n;
};
extern const struct wn_twins wn_attack_homoglyphs[], wn_attack_leet[];
extern const size_t wn_attack_homoglyphs_n, wn_attack_leet_n;
extern const struct wn_style wn_attack_styles[];
extern const size_t wn_attack_styles_n;
extern const uint32_t wn_attack_invisible[], wn_attack_separators[];
extern const size_t wn_attack_invisible_n, wn_attack_separators_n;
extern const struct wn_words wn_attack_words, wn_attack_sentences,
    wn_attack_tags;

#endif
