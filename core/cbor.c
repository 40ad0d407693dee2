/*
 * Deterministic CBOR. The writer knows one encoding of each value; the reader
 * accepts that one only, so bytes and values correspond one to one and a hash
 * of the bytes is a hash of the value. Stateless; any thread.
 */
#include "core/cbor.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/utf8.h"

enum major { UINT, NINT, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE };

#define FALSE_ 20
#define TRUE_ 21
#define NULL_ 22
#define HALF 25
#define SINGLE 26
#define DOUBLE 27
#define HALF_NAN 0x7e00

static void
put_be(struct wn_buf *b, enum major major, unsigned info, uint64_t v, int n)
{
    uint8_t p[9];

    p[0] = (uint8_t)((unsigned)major << 5 | info);
    for (int i = 0; i < n; i++)
        p[1 + i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    wn_buf_add(b, p, (size_t)n + 1);
}

static void
put_head(struct wn_buf *b, enum major major, uint64_t v)
{
    if (v < 24)
        put_be(b, major, (unsigned)v, 0, 0);
    else if (v <= UINT8_MAX)
        put_be(b, major, 24, v, 1);
    else if (v <= UINT16_MAX)
        put_be(b, major, 25, v, 2);
    else if (v <= UINT32_MAX)
        put_be(b, major, 26, v, 4);
    else
        put_be(b, major, 27, v, 8);
}

void
wn_cbor_uint(struct wn_buf *b, uint64_t v)
{
    put_head(b, UINT, v);
}

void
wn_cbor_int(struct wn_buf *b, int64_t v)
{
    if (v >= 0)
        put_head(b, UINT, (uint64_t)v);
    else
        put_head(b, NINT, ~(uint64_t)v); /* -1 - v in two's complement */
}

void
wn_cbor_bytes(struct wn_buf *b, const void *p, size_t len)
{
    put_head(b, BYTES, len);
    wn_buf_add(b, p, len);
}

void
wn_cbor_text(struct wn_buf *b, const char *p, size_t len)
{
    put_head(b, TEXT, len);
    wn_buf_add(b, p, len);
}

void
wn_cbor_array(struct wn_buf *b, uint64_t n)
{
    put_head(b, ARRAY, n);
}

void
wn_cbor_map(struct wn_buf *b, uint64_t pairs)
{
    put_head(b, MAP, pairs);
}

void
wn_cbor_bool(struct wn_buf *b, bool v)
{
    put_head(b, SIMPLE, v ? TRUE_ : FALSE_);
}

void
wn_cbor_null(struct wn_buf *b)
{
    put_head(b, SIMPLE, NULL_);
}

static uint32_t
bits_of_single(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof(u));
    return u;
}

/* The half with the value of the single, if there is one. */
static bool
half_of_single(uint32_t single, uint16_t *ret)
{
    uint32_t sign = single >> 16 & 0x8000, mantissa = single & 0x7fffff;
    int exponent = (int)(single >> 23 & 0xff) - 127, shift;

    if (exponent == 128 && mantissa == 0) { /* infinity */
        *ret = (uint16_t)(sign | 0x7c00);
        return true;
    }
    if ((single & 0x7fffffff) == 0) {
        *ret = (uint16_t)sign;
        return true;
    }
    if (exponent < -24 || exponent > 15)
        return false;
    if (exponent >= -14) {
        *ret =
            (uint16_t)(sign | (uint32_t)(exponent + 15) << 10 | mantissa >> 13);
        return (mantissa & 0x1fff) == 0;
    }
    /* A subnormal half: the leading 1 is written out. */
    mantissa |= 0x800000;
    shift = -1 - exponent;
    *ret = (uint16_t)(sign | mantissa >> shift);
    return (mantissa & ((1u << shift) - 1)) == 0;
}

void
wn_cbor_double(struct wn_buf *b, double v)
{
    uint64_t bits;
    uint32_t single;
    uint16_t half;

    if (isnan(v)) {
        put_be(b, SIMPLE, HALF, HALF_NAN, 2);
        return;
    }
    if (isinf(v) || (fabs(v) <= FLT_MAX && (double)(float)v == v)) {
        single = bits_of_single((float)v);
        if (half_of_single(single, &half))
            put_be(b, SIMPLE, HALF, half, 2);
        else
            put_be(b, SIMPLE, SINGLE, single, 4);
        return;
    }
    memcpy(&bits, &v, sizeof(bits));
    put_be(b, SIMPLE, DOUBLE, bits, 8);
}

static double
value_of_half(uint64_t half)
{
    int exponent = (int)(half >> 10 & 31);
    double mantissa = (double)(half & 0x3ff), v;

    if (exponent == 0)
        v = ldexp(mantissa, -24);
    else if (exponent < 31)
        v = ldexp(mantissa + 1024, exponent - 25);
    else
        v = mantissa == 0 ? INFINITY : NAN;
    return half & 0x8000 ? -v : v;
}

static double
value_of_float(unsigned info, uint64_t bits)
{
    uint32_t u = (uint32_t)bits;
    float f;
    double d;

    if (info == HALF)
        return value_of_half(bits);
    if (info == SINGLE) {
        memcpy(&f, &u, sizeof(f));
        return f;
    }
    memcpy(&d, &bits, sizeof(d));
    return d;
}

/* Initial byte and argument, moved past. false where the input ends or the
 * argument is longer than it need be (floats: see read_float()). */
static bool
read_head(
    struct wn_cbor_reader *r, enum major *major, unsigned *info, uint64_t *v)
{
    static const uint64_t least[] = { 24, UINT64_C(1) << 8, UINT64_C(1) << 16,
        UINT64_C(1) << 32 };
    size_t n;

    if (r->p == r->end)
        return false;
    *major = (enum major)(*r->p >> 5);
    *info = *r->p++ & 31;
    *v = *info;
    if (*info < 24)
        return true;
    if (*info > 27)
        return false;
    n = (size_t)1 << (*info - 24);
    if ((size_t)(r->end - r->p) < n)
        return false;
    for (*v = 0; n > 0; n--)
        *v = *v << 8 | *r->p++;
    return *major == SIMPLE || *v >= least[*info - 24];
}

static bool
is_utf8(const char *p, size_t len)
{
    size_t k;

    for (; len > 0; p += k, len -= k) {
        k = wn_utf8_len(p, len);
        if (k == 0)
            return false;
    }
    return true;
}

static bool
read_string(struct wn_cbor_reader *r, struct wn_cbor_item *it)
{
    if (it->u > (uint64_t)(r->end - r->p))
        return false;
    it->p = (const char *)r->p;
    r->p += it->u;
    return it->kind == WN_CBOR_BYTES || is_utf8(it->p, (size_t)it->u);
}

/* false unless writing the value again gives the same head. */
static bool
read_float(struct wn_cbor_item *it, unsigned info, uint64_t bits)
{
    float single;
    uint16_t half;

    it->kind = WN_CBOR_DOUBLE;
    it->d = value_of_float(info, bits);
    if (isnan(it->d))
        return info == HALF && bits == HALF_NAN;
    if (info == HALF)
        return true;
    if (info == SINGLE)
        return !half_of_single((uint32_t)bits, &half);
    if (isinf(it->d) || fabs(it->d) > FLT_MAX)
        return isfinite(it->d);
    single = (float)it->d;
    return (double)single != it->d;
}

static bool
read_simple(struct wn_cbor_item *it, unsigned info, uint64_t v)
{
    switch (info) {
    case FALSE_:
    case TRUE_:
        it->kind = WN_CBOR_BOOL;
        it->u = info == TRUE_;
        return true;
    case NULL_:
        it->kind = WN_CBOR_NULL;
        it->u = 0;
        return true;
    case HALF:
    case SINGLE:
    case DOUBLE:
        it->u = 0;
        return read_float(it, info, v);
    default:
        return false;
    }
}

static bool
read_item(struct wn_cbor_reader *r, struct wn_cbor_item *it)
{
    static const enum wn_cbor_kind kinds[] = { WN_CBOR_UINT, WN_CBOR_NINT,
        WN_CBOR_BYTES, WN_CBOR_TEXT, WN_CBOR_ARRAY, WN_CBOR_MAP };
    enum major major;
    unsigned info;

    if (!read_head(r, &major, &info, &it->u))
        return false;
    if (major == SIMPLE)
        return read_simple(it, info, it->u);
    if (major == TAG)
        return false;
    it->kind = kinds[major];
    /* Each element has a byte at least: a count that cannot be is refused
     * before anybody allocates for it. */
    if (major == ARRAY)
        return it->u <= (uint64_t)(r->end - r->p);
    if (major == MAP)
        return it->u <= (uint64_t)(r->end - r->p) / 2;
    return major < BYTES || read_string(r, it);
}

enum wn_status
wn_cbor_next(
    struct wn_cbor_reader *r, struct wn_cbor_item *ret, struct wn_err *err)
{
    struct wn_cbor_reader at = *r;
    struct wn_cbor_item it = { .u = 0 };

    if (r->p == r->end)
        return wn_fail(err, WN_REJECT, "cbor: ends early");
    if (!read_item(&at, &it))
        return wn_fail(err, WN_REJECT,
            "cbor: 0x%02x, %zu bytes before the end, is not as we write it",
            *r->p, (size_t)(r->end - r->p));
    *r = at;
    *ret = it;
    return WN_OK;
}

struct span {
    const uint8_t *p;
    size_t len;
};

static bool
ascending(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = memcmp(a.p, b.p, n);

    return c < 0 || (c == 0 && a.len < b.len);
}

static enum wn_status check_value(
    struct wn_cbor_reader *r, int depth, struct wn_err *err);

static enum wn_status
check_map(
    struct wn_cbor_reader *r, uint64_t pairs, int depth, struct wn_err *err)
{
    struct span key, before = { NULL, 0 };
    enum wn_status rc = WN_OK;

    for (; pairs > 0 && rc == WN_OK; pairs--) {
        key.p = r->p;
        rc = check_value(r, depth, err);
        if (rc != WN_OK)
            break;
        key.len = (size_t)(r->p - key.p);
        if (before.p != NULL && !ascending(before, key))
            return wn_fail(err, WN_REJECT,
                "cbor: map key, %zu bytes before the end, is out of order",
                (size_t)(r->end - key.p));
        before = key;
        rc = check_value(r, depth, err);
    }
    return rc;
}

static enum wn_status
check_value(struct wn_cbor_reader *r, int depth, struct wn_err *err)
{
    struct wn_cbor_item it;
    enum wn_status rc;

    if (depth == WN_CBOR_DEPTH_MAX)
        return wn_fail(
            err, WN_REJECT, "cbor: deeper than %d", WN_CBOR_DEPTH_MAX);
    rc = wn_cbor_next(r, &it, err);
    if (rc == WN_OK && it.kind == WN_CBOR_MAP)
        rc = check_map(r, it.u, depth + 1, err);
    if (rc == WN_OK && it.kind == WN_CBOR_ARRAY) {
        for (; it.u > 0 && rc == WN_OK; it.u--)
            rc = check_value(r, depth + 1, err);
    }
    return rc;
}

enum wn_status
wn_cbor_check(const void *p, size_t len, struct wn_err *err)
{
    struct wn_cbor_reader r = { p, (const uint8_t *)p + len };
    enum wn_status rc = check_value(&r, 0, err);

    if (rc == WN_OK && r.p != r.end)
        return wn_fail(err, WN_REJECT, "cbor: %zu bytes after the item",
            (size_t)(r.end - r.p));
    return rc;
}
