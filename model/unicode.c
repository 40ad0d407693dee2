/*
 * Character tables of the reference tokenizer, out of ICU's.
 *
 * A category of Unicode 8.0 is today's category for a character of age 8.0 or
 * less, but for the few whose category was corrected later: those are listed.
 */
#include "model/unicode.h"

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
    return c >= 0x300 && !is_newer_than(c, 9) &&
           (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0;
}

bool
wn_unicode_is_cjk(int32_t c)
{
    static const struct {
        int32_t first, last;
    } blocks[] = {
        { 0x3400, 0x4dbf },
        { 0x4e00, 0x9fff },
        { 0xf900, 0xfaff },
        { 0x20000, 0x2a6df },
        { 0x2a700, 0x2b73f },
        { 0x2b740, 0x2b81f },
        { 0x2b920, 0x2ceaf },
        { 0x2f800, 0x2fa1f },
    };

    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        if (c < blocks[i].first)
            return false;
        if (c <= blocks[i].last)
            return true;
    }
    return false;
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
