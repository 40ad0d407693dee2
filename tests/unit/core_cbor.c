#include "tests/lib/test.h"

#include <math.h>

#include "core/cbor.h"
#include "core/hash.h"

static struct wn_buf b;

static void
assert_hex(const char *hex)
{
    char got[200];

    assert_false(b.failed);
    assert_true(b.len < sizeof(got) / 2);
    wn_hex(b.data, b.len, got);
    assert_string_equal(got, hex);
    wn_buf_reset(&b);
}

static int
begin(void **state)
{
    wn_buf_init(&b, 1 << 16);
    return 0;
}

static int
end(void **state)
{
    wn_buf_release(&b);
    return 0;
}

/* The examples of RFC 8949, appendix A. */
static void
cbor_integers_are_those_of_the_rfc(void **state)
{
    static const struct {
        int64_t v;
        const char *hex;
    } rows[] = { { 0, "00" }, { 1, "01" }, { 10, "0a" }, { 23, "17" },
        { 24, "1818" }, { 25, "1819" }, { 100, "1864" }, { 1000, "1903e8" },
        { 1000000, "1a000f4240" }, { 1000000000000, "1b000000e8d4a51000" },
        { -1, "20" }, { -10, "29" }, { -100, "3863" }, { -1000, "3903e7" },
        { 255, "18ff" }, { 256, "190100" }, { 65535, "19ffff" },
        { 65536, "1a00010000" }, { 4294967295, "1affffffff" },
        { 4294967296, "1b0000000100000000" },
        { INT64_MIN, "3b7fffffffffffffff" } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wn_cbor_int(&b, rows[i].v);
        assert_hex(rows[i].hex);
    }
    wn_cbor_uint(&b, UINT64_MAX);
    assert_hex("1bffffffffffffffff");
}

static void
cbor_floats_are_those_of_the_rfc(void **state)
{
    static const struct {
        double v;
        const char *hex;
    } rows[] = { { 0.0, "f90000" }, { -0.0, "f98000" }, { 1.0, "f93c00" },
        { 1.1, "fb3ff199999999999a" }, { 1.5, "f93e00" }, { 65504.0, "f97bff" },
        { 100000.0, "fa47c35000" }, { 3.4028234663852886e+38, "fa7f7fffff" },
        { 1.0e+300, "fb7e37e43c8800759c" }, { 5.960464477539063e-8, "f90001" },
        { 0.00006103515625, "f90400" }, { -4.0, "f9c400" },
        { -4.1, "fbc010666666666666" }, { INFINITY, "f97c00" },
        { NAN, "f97e00" }, { -INFINITY, "f9fc00" },
        /* around the edges of half and single */
        { 65505.0, "fa477fe100" }, { 65536.0, "fa47800000" },
        { 6.097555160522461e-05, "f903ff" },
        { 2.9802322387695312e-8, "fa33000000" },
        { 1.401298464324817e-45, "fa00000001" },
        { 7.006492321624085e-46, "fb3690000000000000" },
        { 3.4028235677973366e+38, "fb47effffff0000000" } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wn_cbor_double(&b, rows[i].v);
        assert_hex(rows[i].hex);
    }
    wn_cbor_double(&b, -NAN); /* there is one NaN */
    assert_hex("f97e00");
}

static void
cbor_strings_and_containers_are_those_of_the_rfc(void **state)
{
    wn_cbor_bytes(&b, "\x01\x02\x03\x04", 4);
    assert_hex("4401020304");
    wn_cbor_bytes(&b, NULL, 0);
    assert_hex("40");
    wn_cbor_text(&b, "IETF", 4);
    assert_hex("6449455446");
    wn_cbor_text(&b, "\xc3\xbc", 2);
    assert_hex("62c3bc");
    wn_cbor_bool(&b, false);
    wn_cbor_bool(&b, true);
    wn_cbor_null(&b);
    assert_hex("f4f5f6");
    wn_cbor_array(&b, 3); /* [1, [2, 3], [4, 5]] */
    wn_cbor_uint(&b, 1);
    wn_cbor_array(&b, 2);
    wn_cbor_uint(&b, 2);
    wn_cbor_uint(&b, 3);
    wn_cbor_array(&b, 2);
    wn_cbor_uint(&b, 4);
    wn_cbor_uint(&b, 5);
    assert_hex("8301820203820405");
    wn_cbor_map(&b, 2); /* {"a": 1, "b": [2, 3]} */
    wn_cbor_text(&b, "a", 1);
    wn_cbor_uint(&b, 1);
    wn_cbor_text(&b, "b", 1);
    wn_cbor_array(&b, 2);
    wn_cbor_uint(&b, 2);
    wn_cbor_uint(&b, 3);
    assert_hex("a26161016162820203");
    wn_cbor_array(&b, 25);
    assert_hex("9819");
}

static struct wn_cbor_item
next(struct wn_cbor_reader *r)
{
    struct wn_cbor_item it;
    struct wn_err err;

    assert_wn_ok(wn_cbor_next(r, &it, &err), &err);
    return it;
}

static void
cbor_reads_back_what_it_wrote(void **state)
{
    struct wn_cbor_reader r;
    struct wn_cbor_item it;

    wn_cbor_map(&b, 2);
    wn_cbor_int(&b, 3);
    wn_cbor_double(&b, 0.1);
    wn_cbor_int(&b, -500);
    wn_cbor_array(&b, 4);
    wn_cbor_text(&b, "text", 4);
    wn_cbor_bytes(&b, "\0\xff", 2);
    wn_cbor_bool(&b, true);
    wn_cbor_null(&b);
    r = (struct wn_cbor_reader){ (uint8_t *)b.data, (uint8_t *)b.data + b.len };
    it = next(&r);
    assert_int_equal(it.kind, WN_CBOR_MAP);
    assert_int_equal(it.u, 2);
    it = next(&r);
    assert_int_equal(it.kind, WN_CBOR_UINT);
    assert_int_equal(it.u, 3);
    it = next(&r);
    assert_int_equal(it.kind, WN_CBOR_DOUBLE);
    assert_true(it.d == 0.1);
    it = next(&r);
    assert_int_equal(it.kind, WN_CBOR_NINT);
    assert_int_equal(it.u, 499);
    it = next(&r);
    assert_int_equal(it.kind, WN_CBOR_ARRAY);
    assert_int_equal(it.u, 4);
    it = next(&r);
    assert_int_equal(it.kind, WN_CBOR_TEXT);
    assert_int_equal(it.u, 4);
    assert_memory_equal(it.p, "text", 4);
    it = next(&r);
    assert_int_equal(it.kind, WN_CBOR_BYTES);
    assert_memory_equal(it.p, "\0\xff", 2);
    it = next(&r);
    assert_int_equal(it.kind, WN_CBOR_BOOL);
    assert_int_equal(it.u, 1);
    assert_int_equal(next(&r).kind, WN_CBOR_NULL);
    assert_ptr_equal(r.p, r.end);
}

static void
cbor_any_double_survives_in_its_shortest_form(void **state)
{
    uint64_t seed = wn_test_seed(), bits;
    struct wn_cbor_reader r;
    struct wn_err err;
    double v, got;

    for (int i = 0; i < 50000; i++) {
        bits = wn_test_random(&seed);
        if (i % 3 == 1) /* as a single has it */
            bits &= ~UINT64_C(0) << 29;
        else if (i % 3 == 2) /* and as a half has it, near 1 */
            bits = (bits & UINT64_C(0x801ffc0000000000)) |
                   UINT64_C(0x3ee0000000000000);
        memcpy(&v, &bits, sizeof(v));
        wn_buf_reset(&b);
        wn_cbor_double(&b, v);
        r = (struct wn_cbor_reader){ (uint8_t *)b.data,
            (uint8_t *)b.data + b.len };
        assert_wn_ok(wn_cbor_check(b.data, b.len, &err), &err);
        got = next(&r).d;
        assert_true(got == v || (isnan(got) && isnan(v)));
        assert_int_equal(signbit(got), isnan(v) ? 0 : signbit(v));
    }
}

static size_t
unhex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    unsigned v;

    for (size_t i = 0; i < n; i++) {
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
        out[i] = (uint8_t)v;
    }
    return n;
}

static void
cbor_refuses_what_it_never_writes(void **state)
{
    static const char *const bad[] = {
        "1817",
        "190018",
        "1900ff",
        "1a0000ffff",
        "1b00000000ffffffff",
        "3817",
        "580161",
        "9801f6", /* longer heads than need be */
        "1c",
        "1d",
        "1e",
        "5f4101ff",
        "7f6161ff",
        "9f01ff",
        "bf0101ff",
        "ff", /* reserved and indefinite */
        "c11a514b67b0",
        "d81820",
        "c0", /* tags */
        "f7",
        "e0",
        "f0",
        "f8ff",
        "f820",
        "f814", /* other simple values */
        "fa3f800000",
        "fb3ff0000000000000",
        "fa7f800000",
        "fa7fc00000",
        "fb7ff0000000000000",
        "fb7ff8000000000000",
        "f97e01",
        "f9fe00",
        "fb47efffffe0000000", /* floats that have a shorter form */
        "62c328",
        "61ff",
        "63eda080",
        "62c080", /* texts that are no UTF-8 */
        "18",
        "19ff",
        "1a000000",
        "1b00000000000000",
        "f9",
        "fa000000",
        "4401",
        "64616263",
        "5bffffffffffffffff", /* cut off */
        "81",
        "9a00ffffff",
        "9bffffffffffffffff",
        "a101",
        "bbffffffffffffffff",
        "",
    };
    uint8_t bytes[32], *p;
    struct wn_err err;
    size_t len;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        len = unhex(bad[i], bytes);
        p = malloc(len + 1); /* its end is where ASan says */
        memcpy(p, bytes, len);
        err.text[0] = '\0';
        if (wn_cbor_check(p, len, &err) != WN_REJECT)
            fail_msg("%s is not as we write it", bad[i]);
        assert_memory_equal(err.text, "cbor: ", 6);
        free(p);
    }
}

static void
cbor_a_refused_item_leaves_the_reader_and_ret(void **state)
{
    const uint8_t bytes[] = { 0x18, 0x01 };
    struct wn_cbor_reader r = { bytes, bytes + 2 };
    struct wn_cbor_item it = { .u = 77 };
    struct wn_err err;

    assert_int_equal(wn_cbor_next(&r, &it, &err), WN_REJECT);
    assert_ptr_equal(r.p, bytes);
    assert_int_equal(it.u, 77);
}

static enum wn_status
check_hex(const char *hex)
{
    uint8_t bytes[64];
    struct wn_err err;

    return wn_cbor_check(bytes, unhex(hex, bytes), &err);
}

static void
cbor_map_keys_must_ascend_and_differ(void **state)
{
    assert_int_equal(check_hex("a3010102021820f6"), WN_OK);
    assert_int_equal(check_hex("a201f620f6"), WN_OK); /* 1, -1: as bytes */
    assert_int_equal(check_hex("a26161f6626161f6"), WN_OK);
    assert_int_equal(check_hex("a220f601f6"), WN_REJECT);
    assert_int_equal(check_hex("a201f601f6"), WN_REJECT);
    assert_int_equal(check_hex("a2626161f66162f6"), WN_REJECT);
    assert_int_equal(check_hex("8101"), WN_OK);
    assert_int_equal(check_hex("0000"), WN_REJECT); /* a second item */
}

static void
cbor_depth_is_bounded(void **state)
{
    char bytes[100000];
    struct wn_err err;

    memset(bytes, 0x81, sizeof(bytes)); /* [[[[... */
    assert_int_equal(wn_cbor_check(bytes, sizeof(bytes), &err), WN_REJECT);
    assert_string_equal(err.text, "cbor: deeper than 16");
    bytes[WN_CBOR_DEPTH_MAX - 1] = 0;
    assert_wn_ok(wn_cbor_check(bytes, WN_CBOR_DEPTH_MAX, &err), &err);
}

static void
cbor_random_bytes_are_read_or_refused_and_then_written_the_same(void **state)
{
    uint64_t seed = wn_test_seed(), word;
    struct wn_cbor_reader r;
    struct wn_cbor_item it;
    struct wn_err err;
    uint8_t bytes[16];

    for (int i = 0; i < 100000; i++) {
        for (size_t k = 0; k < 16; k += 8) {
            word = wn_test_random(&seed);
            memcpy(bytes + k, &word, 8);
        }
        r = (struct wn_cbor_reader){ bytes, bytes + sizeof(bytes) };
        if (wn_cbor_next(&r, &it, &err) != WN_OK)
            continue;
        wn_buf_reset(&b);
        if (it.kind == WN_CBOR_UINT)
            wn_cbor_uint(&b, it.u);
        else if (it.kind == WN_CBOR_DOUBLE)
            wn_cbor_double(&b, it.d);
        else if (it.kind == WN_CBOR_TEXT)
            wn_cbor_text(&b, it.p, it.u);
        else if (it.kind == WN_CBOR_MAP)
            wn_cbor_map(&b, it.u);
        else
            continue;
        assert_int_equal(b.len, r.p - bytes);
        assert_memory_equal(b.data, bytes, b.len);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
static const struct CMUnitTest tests[] = {
    T(cbor_integers_are_those_of_the_rfc),
    T(cbor_floats_are_those_of_the_rfc),
    T(cbor_strings_and_containers_are_those_of_the_rfc),
    T(cbor_reads_back_what_it_wrote),
    T(cbor_any_double_survives_in_its_shortest_form),
    T(cbor_refuses_what_it_never_writes),
    T(cbor_a_refused_item_leaves_the_reader_and_ret),
    T(cbor_map_keys_must_ascend_and_differ),
    T(cbor_depth_is_bounded),
    T(cbor_random_bytes_are_read_or_refused_and_then_written_the_same),
};
WN_TEST_MAIN("core_cbor", tests)
