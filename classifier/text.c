/*
 * Hardened text, steps 1 to 4: from bytes to normalised UTF-16 without
 * invisible characters and entities. text_emit.c does the rest.
 *
 * ICU normalises UTF-16 only, so the text lives in UTF-16 between the first
 * and the last pass. Plain ASCII without '&' passes through both in a few
 * nanoseconds a byte and never meets the normaliser.
 */
#include "classifier/text.h"

#include <stdlib.h>
#include <string.h>

#include <unicode/unorm2.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

#include "classifier/text_int.h"

void
wn_text_init(struct wn_text *t)
{
    memset(t, 0, sizeof(*t));
}

void
wn_text_release(struct wn_text *t)
{
    free(t->data);
    free(t->u16);
    free(t->tmp);
    wn_text_init(t);
}

static enum wn_status
grow(uint16_t **p, size_t *cap, size_t need, struct wn_err *err)
{
    uint16_t *q;

    if (need <= *cap)
        return WN_OK;
    q = realloc(*p, need * sizeof(*q));
    if (q == NULL)
        return wn_fail(err, WN_STOP, "text: out of memory");
    *p = q;
    *cap = need;
    return WN_OK;
}

static void
swap(struct wn_text *t, size_t len)
{
    uint16_t *p = t->u16;
    size_t cap = t->u16_cap;

    t->u16 = t->tmp;
    t->u16_cap = t->tmp_cap;
    t->u16_len = len;
    t->tmp = p;
    t->tmp_cap = cap;
}

/* Copies the visible ASCII that s begins with; how much. The filter sees its
 * end only: one such character leaves it as a thousand do. */
static size_t
take_ascii(struct wn_text_filter *f, const uint8_t *s, size_t n, uint16_t *out)
{
    size_t i = 0;

    for (; i < n && s[i] >= 0x20 && s[i] < 0x7F; i++)
        out[i] = s[i];
    if (i > 0)
        wn_text_filter_keep(f, s[i - 1]);
    return i;
}

/* Steps 1 and 2. A UTF-8 byte makes at most one UTF-16 unit. */
static enum wn_status
decode(struct wn_text *t, const char *in, size_t len, struct wn_err *err)
{
    const uint8_t *s = (const uint8_t *)in;
    int32_t i = 0, n = (int32_t)len;
    struct wn_text_filter f;
    size_t o = 0;
    enum wn_status rc;

    rc = grow(&t->u16, &t->u16_cap, len + 1, err);
    if (rc != WN_OK)
        return rc;
    wn_text_filter_init(&f);
    while (i < n) {
        size_t run = take_ascii(&f, s + i, (size_t)(n - i), t->u16 + o);
        UChar32 c;

        o += run;
        i += (int32_t)run;
        if (i == n)
            break;
        U8_NEXT(s, i, n, c);
        if (c <= 0) {
            t->invalid++;
            c = 0xFFFD;
        }
        c = wn_text_filter_bound(&f, c);
        if (wn_text_filter_keep(&f, c))
            U16_APPEND_UNSAFE(t->u16, o, c);
    }
    t->u16_len = o;
    wn_text_filter_finish(&f, t);
    return WN_OK;
}

/* Step 3. Text that is normalised already is not copied. */
static enum wn_status
normalise(struct wn_text *t, struct wn_err *err)
{
    UErrorCode ec = U_ZERO_ERROR;
    const UNormalizer2 *nfkc = unorm2_getNFKCInstance(&ec);
    int32_t n = (int32_t)t->u16_len, got;
    enum wn_status rc;

    if (U_FAILURE(ec))
        return wn_fail(err, WN_STOP, "text: ICU: %s", u_errorName(ec));
    if (unorm2_spanQuickCheckYes(nfkc, t->u16, n, &ec) == n && U_SUCCESS(ec))
        return WN_OK;
    rc = grow(&t->tmp, &t->tmp_cap, t->u16_len + t->u16_len / 4 + 64, err);
    for (int tries = 0; rc == WN_OK && tries < 2; tries++) {
        ec = U_ZERO_ERROR;
        got =
            unorm2_normalize(nfkc, t->u16, n, t->tmp, (int32_t)t->tmp_cap, &ec);
        if (U_SUCCESS(ec)) {
            swap(t, (size_t)got);
            return WN_OK;
        }
        if (ec != U_BUFFER_OVERFLOW_ERROR)
            break;
        rc = grow(&t->tmp, &t->tmp_cap, (size_t)got + 1, err);
    }
    if (rc != WN_OK)
        return rc;
    return wn_fail(err, WN_STOP, "text: ICU: %s", u_errorName(ec));
}

/* Where step 4 writes. */
struct decoder {
    struct wn_text *t;
    struct wn_text_filter f;
    const UNormalizer2 *nfkc;
    uint16_t *out;
    size_t len;
    size_t decoded;
};

/* A character that an entity named passes what the text itself has passed.
 * Returns it where it is one character afterwards, -1 where it was dropped or
 * appended as several (none of those is a semicolon). */
static UChar32
accept(struct decoder *d, UChar32 c)
{
    UErrorCode ec = U_ZERO_ERROR;
    UChar one[2], many[32];
    int32_t n = 0, got, i = 0;

    d->decoded++;
    d->f.prev = -1;
    if (d->len > 0) {
        size_t at = d->len;

        U16_PREV_UNSAFE(d->out, at, d->f.prev);
    }
    c = wn_text_filter_bound(&d->f, c);
    if (!wn_text_filter_keep(&d->f, c))
        return -1;
    U16_APPEND_UNSAFE(one, n, c);
    got = unorm2_normalize(d->nfkc, one, n, many, 32, &ec);
    if (U_FAILURE(ec) || got == 0)
        return -1;
    U16_NEXT_UNSAFE(many, i, c);
    if (i == got)
        return c;
    memcpy(d->out + d->len, many, (size_t)got * sizeof(*many));
    d->len += (size_t)got;
    return -1;
}

/* Appends c; a semicolon may close an entity, which is then taken back and
 * decoded, and may have named a semicolon that closes another. Each one
 * shortens the text, so the whole stays linear. */
static void
put(struct decoder *d, UChar32 c)
{
    while (c >= 0) {
        size_t start;
        bool bad = false;

        U16_APPEND_UNSAFE(d->out, d->len, c);
        if (c != ';')
            return;
        c = wn_text_entity(d->out, d->len, &start, &bad);
        if (c < 0)
            return;
        d->len = start;
        d->t->invalid += bad;
        c = accept(d, c);
    }
}

/* Step 4. */
static enum wn_status
decode_entities(struct wn_text *t, struct wn_err *err)
{
    UErrorCode ec = U_ZERO_ERROR;
    struct decoder d = { .t = t };
    size_t i = 0, n = t->u16_len;
    enum wn_status rc;

    if (memchr(t->u16, '&', n * sizeof(*t->u16)) == NULL)
        return WN_OK;
    d.nfkc = unorm2_getNFKCInstance(&ec);
    if (U_FAILURE(ec))
        return wn_fail(err, WN_STOP, "text: ICU: %s", u_errorName(ec));
    /* "&#65018;" is 8 units and stands for 18 once normalised. */
    rc = grow(&t->tmp, &t->tmp_cap, n * 3 + 64, err);
    if (rc != WN_OK)
        return rc;
    d.out = t->tmp;
    wn_text_filter_init(&d.f);
    while (i < n) {
        UChar32 c;

        U16_NEXT_UNSAFE(t->u16, i, c);
        put(&d, c);
    }
    if (d.decoded == 0)
        return WN_OK;
    swap(t, d.len);
    wn_text_filter_finish(&d.f, t);
    return normalise(t, err);
}

enum wn_status
wn_text_harden(
    struct wn_text *t, const char *in, size_t len, struct wn_err *err)
{
    enum wn_status rc;

    t->len = t->chars = t->words = 0;
    t->invalid = t->zero_width = t->bidi = t->tags = 0;
    if (len > WN_TEXT_BYTES_MAX)
        len = WN_TEXT_BYTES_MAX;
    rc = decode(t, in, len, err);
    if (rc == WN_OK)
        rc = normalise(t, err);
    if (rc == WN_OK)
        rc = decode_entities(t, err);
    if (rc == WN_OK)
        rc = wn_text_emit(t, err);
    return rc;
}
