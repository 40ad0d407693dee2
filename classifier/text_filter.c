/*
 * Which characters are invisible, and which of those a text may have honestly.
 *
 * The set comes from Unicode's Default_Ignorable_Code_Point, never from a list
 * typed by hand: lists forget members. What is forgiven is decided by the
 * character before, so one joiner in an emoji costs nothing and the second in
 * a row is already evidence.
 */
#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include "classifier/text_int.h"

/* Combining marks in a row that normalisation is given: it sorts them by
 * insertion, so a run without bound would cost quadratic time. 30 is the limit
 * of Unicode's stream-safe format. */
#define MARKS_SORTED_MAX 30
#define PHRASES_MAX 1024

void
wn_text_filter_init(struct wn_text_filter *f)
{
    *f = (struct wn_text_filter){ .prev = -1, .base = -1 };
}

void
wn_text_filter_finish(const struct wn_text_filter *f, struct wn_text *t)
{
    t->zero_width += f->zero_width;
    t->bidi += f->bidi + (f->rtl ? 0 : f->soft_bidi);
    t->tags += f->tags;
    t->combining += f->combining;
}

bool
wn_text_is_mark(UChar32 c)
{
    return c >= 0x300 &&
           ((U_GET_GC_MASK(c) & (U_GC_MN_MASK | U_GC_ME_MASK)) != 0 ||
               u_getCombiningClass(c) != 0);
}

bool
wn_text_is_loose_mark(UChar32 c)
{
    return (c >= 0x300 && c < 0x370) || (c >= 0x1AB0 && c < 0x1B00) ||
           (c >= 0x1DC0 && c < 0x1E00) || (c >= 0x20D0 && c < 0x2100) ||
           (c >= 0xFE20 && c < 0xFE30) || c == 0x488 || c == 0x489;
}

/* Strokes and slashes through, lines over and under but for the one that some
 * alphabets write (U+0332), and what encloses but for the keycap. */
static bool
is_line(UChar32 c)
{
    return (c >= 0x334 && c <= 0x338) || c == 0x305 || c == 0x333 ||
           c == 0x33F || c == 0x488 || c == 0x489 ||
           (c >= 0x20D2 && c <= 0x20D3) || (c >= 0x20D8 && c <= 0x20DA) ||
           (c >= 0x20DD && c <= 0x20E2) || (c >= 0x20E4 && c <= 0x20E6) ||
           (c >= 0x20EA && c <= 0x20EB);
}

static UScriptCode
script_of(UChar32 c)
{
    UErrorCode ec = U_ZERO_ERROR;
    UScriptCode s;

    if (c < 0)
        return USCRIPT_COMMON;
    s = uscript_getScript(c, &ec);
    return U_FAILURE(ec) ? USCRIPT_COMMON : s;
}

static bool
script_joins(UScriptCode s)
{
    switch (s) {
    case USCRIPT_ARABIC:
    case USCRIPT_SYRIAC:
    case USCRIPT_NKO:
    case USCRIPT_MONGOLIAN:
    case USCRIPT_DEVANAGARI:
    case USCRIPT_BENGALI:
    case USCRIPT_GURMUKHI:
    case USCRIPT_GUJARATI:
    case USCRIPT_ORIYA:
    case USCRIPT_TAMIL:
    case USCRIPT_TELUGU:
    case USCRIPT_KANNADA:
    case USCRIPT_MALAYALAM:
    case USCRIPT_SINHALA:
    case USCRIPT_TIBETAN:
    case USCRIPT_MYANMAR:
    case USCRIPT_KHMER:
    case USCRIPT_JAVANESE:
    case USCRIPT_BALINESE:
        return true;
    default:
        return false;
    }
}

static bool
script_unspaced(UScriptCode s)
{
    return s == USCRIPT_THAI || s == USCRIPT_LAO || s == USCRIPT_KHMER ||
           s == USCRIPT_MYANMAR;
}

static bool
is_emoji(UChar32 c)
{
    return c >= 0 && u_hasBinaryProperty(c, UCHAR_EMOJI);
}

static bool
is_selector(UChar32 c)
{
    return (c >= 0xFE00 && c <= 0xFE0F) || (c >= 0xE0100 && c <= 0xE01EF) ||
           (c >= 0x180B && c <= 0x180D) || c == 0x180F;
}

static bool
is_tag(UChar32 c)
{
    return c >= 0xE0000 && c <= 0xE007F;
}

static bool
forgive_joiner(const struct wn_text_filter *f)
{
    if (f->last == WN_LAST_OTHER)
        return false;
    return is_emoji(f->prev) || script_joins(script_of(f->prev));
}

static bool
forgive_selector(const struct wn_text_filter *f)
{
    UScriptCode s;

    if (f->last != WN_LAST_KEPT)
        return false;
    s = script_of(f->prev);
    return is_emoji(f->prev) || s == USCRIPT_HAN || s == USCRIPT_MONGOLIAN;
}

/* The black flag, then tag letters, closed by the cancel tag. */
static bool
forgive_tag(struct wn_text_filter *f, UChar32 c)
{
    if (f->prev == 0x1F3F4 && f->last == WN_LAST_KEPT && !f->in_flag)
        f->in_flag = c != 0xE007F;
    else if (!f->in_flag)
        return false;
    else if (c == 0xE007F)
        f->in_flag = false;
    return true;
}

static void
drop_bidi(struct wn_text_filter *f, UChar32 c)
{
    if (c == 0x202D || c == 0x202E)
        f->bidi++;
    else
        f->soft_bidi++;
}

/* c is invisible: counts it under its kind unless its place is honest. */
static void
drop(struct wn_text_filter *f, UChar32 c)
{
    bool selector = is_selector(c);

    if (is_tag(c))
        f->tags += !forgive_tag(f, c);
    else if (selector)
        f->tags += !forgive_selector(f);
    else if (u_hasBinaryProperty(c, UCHAR_BIDI_CONTROL))
        drop_bidi(f, c);
    else if (c == 0x200C || c == 0x200D)
        f->zero_width += !forgive_joiner(f);
    else if (c == 0x200B)
        f->zero_width +=
            f->last == WN_LAST_OTHER || !script_unspaced(script_of(f->prev));
    else if (c == 0xFEFF)
        f->zero_width += f->prev >= 0 || f->last != WN_LAST_KEPT;
    else if (c == 0x180E)
        f->zero_width += script_of(f->prev) != USCRIPT_MONGOLIAN;
    else
        f->zero_width++;
    f->last = selector ? WN_LAST_SELECTOR : WN_LAST_OTHER;
}

static bool
is_space_control(UChar32 c)
{
    return (c >= 0x09 && c <= 0x0D) || c == 0x85;
}

static bool
is_invisible(UChar32 c)
{
    if (c < 0xA0)
        return (c < 0x20 || c >= 0x7F) && !is_space_control(c);
    return (c >= 0xFFF9 && c <= 0xFFFB) ||
           u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT);
}

static bool
is_rtl(UChar32 c)
{
    UCharDirection d;

    if (c < 0x590)
        return false;
    d = u_charDirection(c);
    return d == U_RIGHT_TO_LEFT || d == U_RIGHT_TO_LEFT_ARABIC;
}

UChar32
wn_text_filter_bound(struct wn_text_filter *f, UChar32 c)
{
    /* ligatures of Arabic phrases; words and units in a square */
    if ((c < 0x3300 || c > 0x33FF) && (c < 0xFDF0 || c > 0xFDFC))
        return c;
    return ++f->phrases > PHRASES_MAX ? 0xFFFD : c;
}

/* A stack is no letter's: all of it goes. */
static bool
drop_stack(struct wn_text_filter *f)
{
    f->combining += f->marks;
    f->undo = f->units;
    f->units = 0;
    f->prev = f->base;
    return false;
}

/* Through signs lines mean something: U+0338 crosses out an equals sign. Not
 * through what NFKC makes letters, digits and spaces of. */
static bool
takes_lines(UChar32 base)
{
    return base < 0 ||
           (U_GET_GC_MASK(base) & (U_GC_SM_MASK | U_GC_P_MASK)) == 0;
}

/* A line is one of a stack too, but goes where it is the only mark. */
static bool
keep_mark(struct wn_text_filter *f, UChar32 c)
{
    size_t most = wn_text_loose_max(f->base);
    bool loose = wn_text_is_loose_mark(c);
    bool line = loose && is_line(c) && takes_lines(f->base);

    if (f->loose > most || (!line && f->marks == MARKS_SORTED_MAX)) {
        f->combining++;
        return false;
    }
    f->loose += loose;
    if (f->loose > most || line) {
        f->combining++;
        return f->loose > most ? drop_stack(f) : false;
    }
    f->marks++;
    f->units += c < 0x10000 ? 1 : 2;
    return true;
}

static void
start_base(struct wn_text_filter *f, UChar32 c)
{
    f->base = c;
    f->marks = f->loose = f->units = 0;
}

bool
wn_text_filter_keep(struct wn_text_filter *f, UChar32 c)
{
    if ((c >= 0x20 && c < 0x7F) || wn_text_is_plain(c)) {
        start_base(f, c);
    } else if (is_invisible(c)) {
        drop(f, c);
        return false;
    } else if (wn_text_is_mark(c)) {
        if (!keep_mark(f, c))
            return false;
    } else {
        start_base(f, c);
        f->rtl = f->rtl || is_rtl(c);
    }
    f->prev = c;
    f->last = WN_LAST_KEPT;
    f->in_flag = false;
    return true;
}
