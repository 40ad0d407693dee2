/*
 * Hardened text: the order of its steps, and steps 1 to 5, from bytes to
 * normalised UTF-16 without invisible characters and entities.
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
    wn_buf_init(&t->view, SIZE_MAX);
    wn_buf_init(&t->spare, SIZE_MAX);
}

void
wn_text_release(struct wn_text *t)
{
    free(t->data);
    wn_buf_release(&t->view);
    wn_buf_release(&t->spare);
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

static size_t
put_word(UChar *out, const char *word)
{
    size_t n = 0;

    out[n++] = ' ';
    while (*word != '\0')
        out[n++] = (UChar)*word++;
    out[n++] = ' ';
    return n;
}

/* What steps 1 to 3 write, with their state. */
struct reader {
    struct wn_text_filter f;
    struct wn_text_style st;
    UChar *out;
    size_t len;
};

static void
keep(struct reader *r, UChar32 c)
{
    if (wn_text_filter_keep(&r->f, c)) {
        U16_APPEND_UNSAFE(r->out, r->len, c);
        return;
    }
    r->len -= r->f.undo;
    r->f.undo = 0;
}

/* A character beyond ASCII. None of the alphabets before U+1D2C is styled, nor
 * is Han, and of neither does NFKC make phrases. */
static void
take(struct reader *r, UChar32 c, const uint8_t *rest, size_t rest_len)
{
    const char *word;

    if (c < 0x1D2C || (c >= 0x3400 && c < 0xA000)) {
        r->st.cjk = r->st.cjk || c >= 0x3400;
        r->st.prev = c;
        keep(r, c);
        return;
    }
    word = wn_text_style_word(c);
    if (word != NULL) {
        r->len += put_word(r->out + r->len, word);
        wn_text_filter_keep(&r->f, ' ');
        r->st.prev = c;
        return;
    }
    c = wn_text_style(&r->st, c, rest, rest_len);
    keep(r, wn_text_filter_bound(&r->f, c));
}

/* Steps 1 to 3. A UTF-8 byte makes at most one and a half UTF-16 units. */
static enum wn_status
decode(struct wn_text *t, const char *in, size_t len, struct wn_err *err)
{
    const uint8_t *s = (const uint8_t *)in;
    int32_t i = 0, n = (int32_t)len;
    struct reader r = { .len = 0 };
    enum wn_status rc;

    rc = grow(&t->u16, &t->u16_cap, len + len / 2 + 8, err);
    if (rc != WN_OK)
        return rc;
    r.out = t->u16;
    wn_text_filter_init(&r.f);
    while (i < n) {
        size_t run = take_ascii(&r.f, s + i, (size_t)(n - i), r.out + r.len);
        UChar32 c;

        r.len += run;
        i += (int32_t)run;
        if (i == n)
            break;
        if (run > 0)
            r.st.prev = 0;
        U8_NEXT(s, i, n, c);
        if (c <= 0) {
            t->invalid++;
            c = 0xFFFD;
        }
        take(&r, c, s + i, (size_t)(n - i));
    }
    t->u16_len = r.len;
    wn_text_filter_finish(&r.f, t);
    t->styled += r.st.letters + (r.st.cjk ? 0 : r.st.wide);
    return WN_OK;
}

/* Step 4. Text that is normalised already is not copied. */
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

/* Where step 5 writes. */
struct decoder {
    struct wn_text *t;
    struct wn_text_filter f;
    struct wn_text_style st;
    const UNormalizer2 *nfkc;
    uint16_t *out;
    size_t len;
    size_t decoded;
    size_t half; /* where a letter ends that may be half a flag; 0: none */
};

/* The filter saw no more than what entities named: it is told what stands
 * before. */
static void
look_back(struct decoder *d)
{
    UChar32 c = -1;
    size_t at = d->len;

    if (at > 0)
        U16_PREV_UNSAFE(d->out, at, c);
    d->f.prev = c;
    if (wn_text_is_mark(c))
        return;
    d->f.base = c;
    d->f.marks = d->f.loose = d->f.units = 0;
}

/* The second half of a flag, whose first is a letter by now. */
static bool
close_flag(struct decoder *d, UChar32 c)
{
    UChar32 first = d->half > 0 && d->half == d->len
                        ? wn_text_style_pair(d->out[d->len - 1], c)
                        : 0;

    d->half = 0;
    if (first == 0)
        return false;
    d->len--;
    d->st.letters--;
    U16_APPEND_UNSAFE(d->out, d->len, first);
    U16_APPEND_UNSAFE(d->out, d->len, c);
    return true;
}

/* The character that the NFKC of c is, or -1 where it is none (not to be, or
 * appended as several, none of which is a semicolon). */
static UChar32
normalise_one(struct decoder *d, UChar32 c)
{
    UErrorCode ec = U_ZERO_ERROR;
    UChar one[2], many[32];
    int32_t n = 0, got, i = 0;

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

/* A character that an entity named passes what the text itself has passed.
 * Returns it where it is one character afterwards, -1 where it was dropped or
 * appended. */
static UChar32
accept(struct decoder *d, UChar32 c)
{
    const char *word = wn_text_style_word(c);
    UChar32 to;

    d->decoded++;
    if (word != NULL) {
        d->len += put_word(d->out + d->len, word);
        return -1;
    }
    if (close_flag(d, c))
        return -1;
    d->st.prev = 0;
    to = wn_text_style(&d->st, c, NULL, 0);
    if (to == 'A' + (c - 0x1F1E6))
        d->half = d->len + 1;
    look_back(d);
    to = wn_text_filter_bound(&d->f, to);
    /* (a stack of marks is left to step 7) */
    return wn_text_filter_keep(&d->f, to) ? normalise_one(d, to) : -1;
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

/* A mark of the text itself may stand on what an entity named. */
static bool
stays(struct decoder *d, UChar32 c)
{
    if (c < 0x300 || wn_text_is_solid(c) || !wn_text_is_mark(c))
        return true;
    look_back(d);
    return wn_text_filter_keep(&d->f, c);
}

/* Step 5. */
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
        if (stays(&d, c))
            put(&d, c);
    }
    if (d.decoded == 0)
        return WN_OK;
    swap(t, d.len);
    wn_text_filter_finish(&d.f, t);
    t->styled += d.st.letters + (d.st.cjk ? 0 : d.st.wide);
    return normalise(t, err);
}

/* Room for len bytes in b, which is emptied. */
static enum wn_status
make_room(struct wn_buf *b, size_t len, struct wn_err *err)
{
    wn_buf_reset(b);
    if (wn_buf_reserve(b, len) == NULL)
        return wn_fail(err, WN_STOP, "text: out of memory");
    wn_buf_reset(b);
    return WN_OK;
}

/* The spare buffer becomes the text. */
static void
take_spare(struct wn_text *t)
{
    char *p = t->data;
    size_t cap = t->cap;

    t->data = t->spare.data;
    t->len = t->spare.len;
    t->cap = t->spare.cap;
    t->data[t->len] = '\0';
    t->spare.data = p;
    t->spare.cap = cap;
}

/* Steps 8 to 10. */
static enum wn_status
fold(
    struct wn_text *t, bool wide, struct wn_text_seen *seen, struct wn_err *err)
{
    bool words = seen->run || seen->mixed || seen->number;
    enum wn_status rc;

    if (wide || seen->apart >= WN_TEXT_APART_MIN) {
        rc = make_room(&t->spare, t->len, err);
        if (rc != WN_OK)
            return rc;
        wn_text_join(t, t->data, t->len, &t->spare, false, NULL);
        take_spare(t);
        words = true; /* a word may have come out of it */
    } else if (!words) {
        return WN_OK;
    }
    rc = make_room(&t->spare, 2 * t->len, err);
    if (rc != WN_OK)
        return rc;
    wn_text_words(t, t->data, t->len, &t->spare, false, seen->few, NULL);
    take_spare(t);
    wn_text_drop_prefix(t);
    wn_text_scan(t, seen);
    return WN_OK;
}

/* The second view, if there may be one. */
static enum wn_status
view(struct wn_text *t, const struct wn_text_seen *seen, struct wn_err *err)
{
    struct wn_spots joined;
    enum wn_status rc;

    if (seen->apart < WN_TEXT_APART_MIN - 1 && !seen->run && !seen->mixed &&
        !seen->leet && !seen->few)
        return WN_OK;
    wn_spots_reset(&joined);
    rc = make_room(&t->spare, t->len, err);
    if (rc != WN_OK)
        return rc;
    wn_text_join(t, t->data, t->len, &t->spare, true, &joined);
    rc = make_room(&t->view, 2 * t->spare.len, err);
    if (rc != WN_OK)
        return rc;
    wn_text_words(
        t, t->spare.data, t->spare.len, &t->view, true, seen->few, &joined);
    t->view.data[t->view.len] = '\0';
    if (t->view_spots.n == 0)
        wn_buf_reset(&t->view);
    return WN_OK;
}

static void
reset(struct wn_text *t)
{
    t->len = t->chars = t->words = 0;
    t->invalid = t->zero_width = t->bidi = t->tags = t->combining = 0;
    t->styled = t->confusables = t->mixed_script_words = 0;
    t->spaced_words = t->leet_words = t->repeats = 0;
    wn_buf_reset(&t->view);
    wn_spots_reset(&t->view_spots);
}

enum wn_status
wn_text_harden(
    struct wn_text *t, const char *in, size_t len, struct wn_err *err)
{
    struct wn_text_seen seen;
    bool wide = false;
    enum wn_status rc;

    reset(t);
    if (len > WN_TEXT_BYTES_MAX)
        len = WN_TEXT_BYTES_MAX;
    rc = decode(t, in, len, err);
    if (rc == WN_OK)
        rc = normalise(t, err);
    if (rc == WN_OK)
        rc = decode_entities(t, err);
    if (rc == WN_OK)
        rc = wn_text_emit(t, &wide, err);
    if (rc != WN_OK)
        return rc;
    wn_text_drop_prefix(t);
    wn_text_scan(t, &seen);
    rc = fold(t, wide, &seen, err);
    if (rc == WN_OK)
        rc = view(t, &seen, err);
    return rc;
}
