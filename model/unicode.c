/*
 * Character tables of the reference tokenizer, out of ICU's.
 *
 * A category of Unicode 8.0 is today's category for a character of age 8.0 or
 * less, but for the few whose category was corrected later: those are listed.
 */
#include "model/unicode_int.h"

#include <pthread.h>

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>

enum wn_status
wn_unicode_get(const struct wn_unicode **ret, struct wn_err *err)
{
    UErrorCode why = U_ZERO_ERROR;
    const UNormalizer2 *nfd = unorm2_getNFDInstance(&why);

    if (U_FAILURE(why))
        return wn_fail(err, WN_STOP, "ICU: %s", u_errorName(why));
    *ret = (const struct wn_unicode *)nfd;
    return WN_OK;
}

static bool
is_newer_than(int32_t c, uint8_t major)
{
    UVersionInfo age;

    u_charAge(c, age);
    return age[0] > major || (age[0] == major && age[1] > 0);
}

/* Categories as of Unicode 8.0 (bits as ICU's U_GC_*_MASK). */
static uint32_t
category(int32_t c)
{
    switch (c) {
    case 0x166d:  /* a full stop; a symbol since 12.0 */
    case 0x111c9: /* punctuation; a mark since 11.0 */
        return U_GC_PO_MASK;
    case 0x1734: /* a mark without width; with one since 14.0 */
        return U_GC_MN_MASK;
    case 0x1885: /* letters; marks since 9.0 */
    case 0x1886:
        return U_GC_LO_MASK;
    case 0xa9bd: /* a mark with width; without since 11.0 */
        return U_GC_MC_MASK;
    default:
        return is_newer_than(c, 8) ? U_GC_CN_MASK : U_GET_GC_MASK(c);
    }
}

bool
wn_unicode_is_other(int32_t c)
{
    return (category(c) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK)) != 0;
}

bool
wn_unicode_is_space(int32_t c)
{
    return u_isUWhiteSpace(c);
}

bool
wn_unicode_is_punct(int32_t c)
{
    if (c < 0x80)
        return (c >= 0x21 && c <= 0x2f) || (c >= 0x3a && c <= 0x40) ||
               (c >= 0x5b && c <= 0x60) || (c >= 0x7b && c <= 0x7e);
    return (category(c) & U_GC_P_MASK) != 0;
}

bool
wn_unicode_is_mark(int32_t c)
{
    return c >= 0x300 && (category(c) & U_GC_MN_MASK) != 0;
}

bool
wn_unicode_is_combining(int32_t c)
{
    switch (c) {
    case 0x1cf2: /* marks; letters since 12.0 */
    case 0x1cf3:
        return true;
    case 0x111c9: /* punctuation; a mark since 11.0 */
        return false;
    default:
        return c >= 0x300 && !is_newer_than(c, 9) &&
               (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0;
    }
}

bool
wn_unicode_in_ranges(const struct wn_range *ranges, size_t n, int32_t c)
{
    size_t lo = 0;

    while (lo < n) {
        size_t mid = lo + (n - lo) / 2;

        if (c > ranges[mid].last)
            lo = mid + 1;
        else if (c < ranges[mid].first)
            n = mid;
        else
            return true;
    }
    return false;
}

/* Of Unicode 15.1 and 16.0. */
static bool
is_new_letter(int32_t c)
{
    static const struct wn_range letters[] = {
        { 0x1c89, 0x1c8a },
        { 0xa7cb, 0xa7cd },
        { 0xa7da, 0xa7dc },
        { 0x105c0, 0x105f3 },
        { 0x10d4a, 0x10d65 },
        { 0x10d6f, 0x10d85 },
        { 0x10ec2, 0x10ec4 },
        { 0x11380, 0x11389 },
        { 0x1138b, 0x1138b },
        { 0x1138e, 0x1138e },
        { 0x11390, 0x113b5 },
        { 0x113b7, 0x113b7 },
        { 0x113d1, 0x113d1 },
        { 0x113d3, 0x113d3 },
        { 0x11bc0, 0x11be0 },
        { 0x13460, 0x143fa },
        { 0x16100, 0x1611d },
        { 0x16d40, 0x16d6c },
        { 0x18cff, 0x18cff },
        { 0x1e5d0, 0x1e5ed },
        { 0x1e5f0, 0x1e5f0 },
        { 0x2ebf0, 0x2ee5d },
    };

    return WN_IN(letters, c);
}

static bool
is_new_number(int32_t c)
{
    static const struct wn_range numbers[] = {
        { 0x10d40, 0x10d49 },
        { 0x116d0, 0x116e3 },
        { 0x11bf0, 0x11bf9 },
        { 0x16130, 0x16139 },
        { 0x16d70, 0x16d79 },
        { 0x1ccf0, 0x1ccf9 },
        { 0x1e5f1, 0x1e5fa },
    };

    return WN_IN(numbers, c);
}

static bool
is_new_mark(int32_t c)
{
    static const struct wn_range marks[] = {
        { 0x897, 0x897 },
        { 0x10d69, 0x10d6d },
        { 0x10efc, 0x10efc },
        { 0x113b8, 0x113c0 },
        { 0x113c2, 0x113c2 },
        { 0x113c5, 0x113c5 },
        { 0x113c7, 0x113ca },
        { 0x113cc, 0x113d0 },
        { 0x113d2, 0x113d2 },
        { 0x113e1, 0x113e2 },
        { 0x11f5a, 0x11f5a },
        { 0x1611e, 0x1612f },
        { 0x1e5ee, 0x1e5ef },
    };

    return WN_IN(marks, c);
}

enum wn_word_class
wn_unicode_word_class(int32_t c)
{
    uint32_t mask = U_GET_GC_MASK(c);

    if ((mask & U_GC_L_MASK) != 0 && !is_newer_than(c, 15))
        return WN_LETTER;
    if ((mask & U_GC_N_MASK) != 0 && !is_newer_than(c, 15))
        return WN_NUMBER;
    if (wn_unicode_is_space(c))
        return WN_SPACE;
    return is_new_letter(c)   ? WN_LETTER
           : is_new_number(c) ? WN_NUMBER
                              : WN_OTHER;
}

bool
wn_unicode_is_word(int32_t c)
{
    uint32_t word = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;

    if (!is_newer_than(c, 15) &&
        ((U_GET_GC_MASK(c) & word) != 0 || u_isUAlphabetic(c) ||
            u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL)))
        return true;
    return is_new_letter(c) || is_new_number(c) || is_new_mark(c);
}

bool
wn_unicode_is_cjk(int32_t c)
{
    static const struct wn_range blocks[] = {
        { 0x3400, 0x4dbf },
        { 0x4e00, 0x9fff },
        { 0xf900, 0xfaff },
        { 0x20000, 0x2a6df },
        { 0x2a700, 0x2b73f },
        { 0x2b740, 0x2b81f },
        { 0x2b920, 0x2ceaf },
        { 0x2f800, 0x2fa1f },
    };

    return c >= 0x3400 && WN_IN(blocks, c);
}

/* Capitals of Unicode 16.0 and 17.0, which ICU 72 (15.0) does not know. */
static int32_t
lower_new(int32_t c)
{
    switch (c) {
    case 0x1c89:
    case 0xa7cc:
    case 0xa7ce:
    case 0xa7d2:
    case 0xa7d4:
    case 0xa7da:
        return c + 1;
    case 0xa7cb:
        return 0x264;
    case 0xa7dc:
        return 0x19b;
    default:
        if (c >= 0x10d50 && c <= 0x10d65)
            return c + 0x20;
        if (c >= 0x16ea0 && c <= 0x16eb8)
            return c + 0x1b;
        return c;
    }
}

size_t
wn_unicode_lower(int32_t c, int32_t out[2])
{
    if (c == 0x130) { /* the one capital with a lower case of two */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = u_tolower(c);
    if (out[0] == c)
        out[0] = lower_new(c);
    return 1;
}

/* What `by` decomposes c to. */
static size_t
decompose(const UNormalizer2 *by, int32_t c, int32_t out[WN_DECOMPOSED_MAX])
{
    UErrorCode why = U_ZERO_ERROR;
    UChar text[WN_DECOMPOSED_MAX];
    int32_t len, at = 0;
    size_t n = 0;

    len = unorm2_getDecomposition(by, c, text, WN_DECOMPOSED_MAX, &why);
    if (len < 0 || U_FAILURE(why) || is_newer_than(c, 9)) {
        out[0] = c;
        return 1;
    }
    for (; at < len; n++)
        U16_NEXT(text, at, len, out[n]);
    return n;
}

size_t
wn_unicode_decompose(
    const struct wn_unicode *u, int32_t c, int32_t out[WN_DECOMPOSED_MAX])
{
    return decompose((const UNormalizer2 *)u, c, out);
}

uint8_t
wn_unicode_class(int32_t c)
{
    return c < 0x300 || is_newer_than(c, 9) ? 0 : u_getCombiningClass(c);
}

/* --- normal forms --- */

#define FLAGS_N 0x20000 /* characters whose flags are looked up */

struct wn_unicode_form {
    const UNormalizer2 *by;
    UProperty quick_check;
    bool composes;
    uint8_t flags[FLAGS_N];
};
static struct wn_unicode_form forms[4];
static pthread_once_t forms_once[4] = { PTHREAD_ONCE_INIT, PTHREAD_ONCE_INIT,
    PTHREAD_ONCE_INIT, PTHREAD_ONCE_INIT };

static uint8_t
find_flags(const struct wn_unicode_form *f, int32_t c)
{
    uint8_t flags = 0;

    if (is_newer_than(c, 9))
        return WN_FORM_SELF | WN_FORM_BOUNDARY;
    if (u_getIntPropertyValue(c, f->quick_check) != UNORM_NO)
        flags |= WN_FORM_SELF;
    if (unorm2_hasBoundaryBefore(f->by, c))
        flags |= WN_FORM_BOUNDARY;
    return flags;
}

static void
fill_form(enum wn_form form)
{
    static const struct {
        const UNormalizer2 *(*get)(UErrorCode *);
        UProperty quick_check;
        bool composes;
    } rows[4] = {
        [WN_NFC] = { unorm2_getNFCInstance, UCHAR_NFC_QUICK_CHECK, true },
        [WN_NFD] = { unorm2_getNFDInstance, UCHAR_NFD_QUICK_CHECK, false },
        [WN_NFKC] = { unorm2_getNFKCInstance, UCHAR_NFKC_QUICK_CHECK, true },
        [WN_NFKD] = { unorm2_getNFKDInstance, UCHAR_NFKD_QUICK_CHECK, false },
    };
    struct wn_unicode_form *f = &forms[form];
    UErrorCode why = U_ZERO_ERROR;

    f->by = rows[form].get(&why);
    f->quick_check = rows[form].quick_check;
    f->composes = rows[form].composes;
    if (U_FAILURE(why)) {
        f->by = NULL;
        return;
    }
    for (int32_t c = 0; c < FLAGS_N; c++)
        f->flags[c] = find_flags(f, c);
}

static void
fill_nfc(void)
{
    fill_form(WN_NFC);
}

static void
fill_nfd(void)
{
    fill_form(WN_NFD);
}

static void
fill_nfkc(void)
{
    fill_form(WN_NFKC);
}

static void
fill_nfkd(void)
{
    fill_form(WN_NFKD);
}

enum wn_status
wn_unicode_get_form(
    const struct wn_unicode_form **ret, enum wn_form form, struct wn_err *err)
{
    static void (*const fill[4])(void) = { [WN_NFC] = fill_nfc,
        [WN_NFD] = fill_nfd,
        [WN_NFKC] = fill_nfkc,
        [WN_NFKD] = fill_nfkd };

    pthread_once(&forms_once[form], fill[form]);
    if (forms[form].by == NULL)
        return wn_fail(err, WN_STOP, "ICU: no data of normal forms");
    *ret = &forms[form];
    return WN_OK;
}

unsigned
wn_unicode_form_flags(const struct wn_unicode_form *f, int32_t c)
{
    return c < FLAGS_N ? f->flags[c] : find_flags(f, c);
}

size_t
wn_unicode_form_decompose(
    const struct wn_unicode_form *f, int32_t c, int32_t out[WN_DECOMPOSED_MAX])
{
    return decompose(f->by, c, out);
}

int32_t
wn_unicode_form_compose(const struct wn_unicode_form *f, int32_t a, int32_t b)
{
    int32_t c = f->composes ? unorm2_composePair(f->by, a, b) : -1;

    return c < 0 || is_newer_than(c, 9) ? -1 : c;
}
