/*
 * Letters in disguise, before NFKC. Mathematical, circled, squared, fullwidth,
 * raised and lowered letters NFKC makes plain; here they are counted. What it
 * leaves is made plain here: letters in a black disc or square, regional
 * indicators that are no flag, and letters in brackets, of which NFKC would
 * make "(f)(r)(e)(e)".
 *
 * What people use for what it says is not counted: digits in circles, emoji
 * that are letters (blood groups, P, M), one letter in brackets, and fullwidth
 * letters in a text that has Han, kana or Hangul.
 */
#include <unicode/uchar.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

#include "classifier/text_int.h"

#define INDICATORS_MAX 64 /* judged at a time */

static bool
is_indicator(UChar32 c)
{
    return c >= 0x1F1E6 && c <= 0x1F1FF;
}

static bool
is_flag(UChar32 a, UChar32 b)
{
    const UChar u[] = { U16_LEAD(a), U16_TRAIL(a), U16_LEAD(b), U16_TRAIL(b) };

    return u_stringHasBinaryProperty(u, 4, UCHAR_RGI_EMOJI_FLAG_SEQUENCE);
}

/* A run of regional indicators begins with c: is it one of flags? */
static void
judge_run(
    struct wn_text_style *st, UChar32 c, const uint8_t *rest, size_t rest_len)
{
    UChar32 run[INDICATORS_MAX] = { c };
    size_t n = 1;

    for (; n < INDICATORS_MAX && 4 * n <= rest_len; n++) {
        int32_t i = 0;

        U8_NEXT(rest + 4 * (n - 1), i, 4, run[n]);
        if (!is_indicator(run[n]))
            break;
    }
    st->left = n;
    st->flags = n % 2 == 0;
    for (size_t i = 0; i + 1 < n && st->flags; i += 2)
        st->flags = is_flag(run[i], run[i + 1]);
}

static UChar32
indicator(
    struct wn_text_style *st, UChar32 c, const uint8_t *rest, size_t rest_len)
{
    if (st->left == 0)
        judge_run(st, c, rest, rest_len);
    st->left--;
    if (st->flags)
        return c;
    st->letters++;
    return 'A' + (c - 0x1F1E6);
}

UChar32
wn_text_style_pair(UChar32 letter, UChar32 c)
{
    UChar32 first = 0x1F1E6 + (letter - 'A');

    return letter >= 'A' && letter <= 'Z' && is_indicator(c) &&
                   is_flag(first, c)
               ? first
               : 0;
}

/* The letter in brackets that c is, or 0. */
static UChar32
bracketed(UChar32 c)
{
    if (c >= 0x249C && c <= 0x24B5)
        return 'a' + (c - 0x249C);
    if (c >= 0x1F110 && c <= 0x1F129)
        return 'A' + (c - 0x1F110);
    return 0;
}

/* One alone counts items of a list; several spell. */
static UChar32
in_brackets(
    struct wn_text_style *st, UChar32 c, const uint8_t *rest, size_t rest_len)
{
    int32_t i = 0, n = rest_len > 4 ? 4 : (int32_t)rest_len;
    UChar32 next = -1;

    if (n > 0)
        U8_NEXT(rest, i, n, next);
    if (bracketed(st->prev) == 0 && bracketed(next) == 0)
        return c;
    st->letters++;
    return bracketed(c);
}

/* Black squares A, B, O, P and the circled M are emoji. */
static bool
is_letter_emoji(UChar32 c)
{
    return c == 0x1F170 || c == 0x1F171 || c == 0x1F17E || c == 0x1F17F ||
           c == 0x24C2;
}

/* Those that NFKC makes plain. */
static bool
is_plain_soon(UChar32 c)
{
    return (c >= 0x24B6 && c <= 0x24E9 && c != 0x24C2) ||
           (c >= 0x1D400 && c <= 0x1D7FF) || (c >= 0x1F130 && c <= 0x1F149) ||
           (c >= 0x1D2C && c <= 0x1D6A) || (c >= 0x1D9B && c <= 0x1DBF) ||
           (c >= 0x2090 && c <= 0x209C) || c == 0x2071 || c == 0x207F;
}

/* What NFKC would make something else of: raised small capitals letters of
 * phonetics, and lines that stand alone spaces with a line on them. */
static UChar32
before_nfkc(UChar32 c)
{
    switch (c) {
    case 0x1DA6:
        return 'i';
    case 0x1DAB:
        return 'l';
    case 0x1DB0:
        return 'n';
    case 0x1DB8:
        return 'u';
    case 0x2017:
        return '_';
    case 0x203E:
        return 0xAF;
    default:
        return c >= 0xFE49 && c <= 0xFE4C ? 0xAF : c;
    }
}

static UChar32
styled(
    struct wn_text_style *st, UChar32 c, const uint8_t *rest, size_t rest_len)
{
    if (is_indicator(c))
        return indicator(st, c, rest, rest_len);
    if (bracketed(c) != 0)
        return in_brackets(st, c, rest, rest_len);
    if ((c >= 0xFF21 && c <= 0xFF3A) || (c >= 0xFF41 && c <= 0xFF5A)) {
        st->wide++;
        return c;
    }
    if ((c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189)) {
        st->letters += !is_letter_emoji(c);
        return 'A' + (c - (c < 0x1F170 ? 0x1F150 : 0x1F170));
    }
    st->letters +=
        is_plain_soon(c) &&
        u_getIntPropertyValue(c, UCHAR_DECOMPOSITION_TYPE) != U_DT_NONE;
    return before_nfkc(c);
}

UChar32
wn_text_style(
    struct wn_text_style *st, UChar32 c, const uint8_t *rest, size_t rest_len)
{
    UChar32 to = c;

    st->cjk = st->cjk || (c >= 0x3041 && c < 0xD7B0);
    if ((c >= 0x1D2C && c < 0x2500) || (c >= 0xFE49 && c < 0x1F200))
        to = styled(st, c, rest, rest_len);
    st->prev = c;
    return to;
}

const char *
wn_text_style_word(UChar32 c)
{
    static const char *const words[] = { "CL", "COOL", "FREE", "ID", "NEW",
        "NG", "OK", "SOS", "UP!", "VS" };

    if (c == 0x1F18E)
        return "AB";
    return c >= 0x1F191 && c <= 0x1F19A ? words[c - 0x1F191] : NULL;
}
