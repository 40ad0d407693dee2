#include "tests/lib/test.h"

#include "core/hash.h"

/* FIPS 180-2, example B.1 */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void
hash_sha256_of_abc_is_the_standards(void **state)
{
    uint8_t hash[WN_SHA256];
    char hex[2 * WN_SHA256 + 1];

    wn_sha256("abc", 3, hash);
    wn_hex(hash, sizeof(hash), hex);
    assert_string_equal(hex, ABC);
}

static void
hash_parts_count_as_one_string(void **state)
{
    const struct wn_part parts[] = { { "a", 1 }, { NULL, 0 }, { "bc", 2 } };
    uint8_t hash[WN_SHA256], whole[WN_SHA256];

    wn_sha256_parts(parts, 3, hash);
    wn_sha256("abc", 3, whole);
    assert_memory_equal(hash, whole, WN_SHA256);
}

static void
hash_hmac_is_that_of_rfc_4231(void **state)
{
    uint8_t key[131], hash[WN_SHA256];
    char hex[2 * WN_SHA256 + 1];

    /* cases 2 and 6: a short key, and one longer than a block */
    wn_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, hash);
    wn_hex(hash, sizeof(hash), hex);
    assert_string_equal(hex,
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    wn_hmac_sha256(key, sizeof(key),
        "Test Using Larger Than Block-Size Key - Hash Key First", 54, hash);
    wn_hex(hash, sizeof(hash), hex);
    assert_string_equal(hex,
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void
hash_random_bytes_differ(void **state)
{
    uint8_t a[16], b[16];

    wn_random(a, sizeof(a));
    wn_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

/* Weights hold these values: a change here is a change of format. */
static void
hash64_values_never_change(void **state)
{
    static const struct {
        const char *text;
        uint64_t seed, hash;
    } vectors[] = {
        { "", UINT64_C(0x0), UINT64_C(0xe220a8397b1dcdaf) },
        { "a", UINT64_C(0x0), UINT64_C(0x0386d66db423d8fa) },
        { "spam", UINT64_C(0x0), UINT64_C(0x35b06c8d535d0128) },
        { "seven77", UINT64_C(0x1), UINT64_C(0x96955d08cb480ff0) },
        { "eightxxx", UINT64_C(0x0), UINT64_C(0x42fe071e26e38ba2) },
        { "free money now!!", UINT64_C(0x2a), UINT64_C(0x85027ad900b027b0) },
        { "the quick brown fox jumps over", UINT64_C(0xffffffffffffffff),
            UINT64_C(0xbb12f5098bc7867c) },
    };

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        assert_true(wn_hash64(vectors[i].text, strlen(vectors[i].text),
                        vectors[i].seed) == vectors[i].hash);
}

static uint64_t
slow_mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* The documented formula, byte by byte. */
static uint64_t
slow_hash(const uint8_t *p, size_t len, uint64_t seed)
{
    uint64_t h = slow_mix(seed + UINT64_C(0x9e3779b97f4a7c15) * (len + 1));
    uint64_t word;

    for (size_t i = 0; i < len; i += 8) {
        word = 0;
        for (size_t k = 0; k < 8 && i + k < len; k++)
            word |= (uint64_t)p[i + k] << (8 * k);
        h = slow_mix(h ^ word);
    }
    return h;
}

static void
hash64_is_the_documented_formula_at_every_length(void **state)
{
    uint64_t seed = wn_test_seed();
    uint8_t *p;

    for (size_t len = 0; len < 70; len++) {
        p = malloc(len + 1); /* of just this size, for AddressSanitizer */
        for (size_t i = 0; i < len; i++)
            p[i] = (uint8_t)wn_test_random(&seed);
        assert_true(wn_hash64(p, len, len) == slow_hash(p, len, len));
        free(p);
    }
}

static void
hash64_every_bit_of_the_input_moves_half_of_the_output(void **state)
{
    uint64_t seed = wn_test_seed(), h, flips = 0, n = 0;
    uint8_t p[20];

    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < sizeof(p); i++)
            p[i] = (uint8_t)wn_test_random(&seed);
        h = wn_hash64(p, sizeof(p), 0);
        for (size_t bit = 0; bit < 8 * sizeof(p); bit++, n++) {
            p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            flips +=
                (uint64_t)__builtin_popcountll(h ^ wn_hash64(p, sizeof(p), 0));
            p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    assert_true(flips > n * 31 && flips < n * 33);
}

static void
hash64_tells_zeros_lengths_and_seeds_apart(void **state)
{
    static const uint8_t zeros[32];
    uint64_t h[33];

    for (size_t i = 0; i <= 32; i++) {
        h[i] = wn_hash64(zeros, i, 1);
        for (size_t k = 0; k < i; k++)
            assert_true(h[i] != h[k]);
        assert_true(h[i] != wn_hash64(zeros, i, 2));
    }
}

static void
hash_hex_is_lower_case_with_a_nul(void **state)
{
    char hex[9] = "........";

    wn_hex("\x00\x9f\xAB", 3, hex);
    assert_string_equal(hex, "009fab");
    wn_hex("", 0, hex);
    assert_string_equal(hex, "");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(hash_sha256_of_abc_is_the_standards),
    cmocka_unit_test(hash_parts_count_as_one_string),
    cmocka_unit_test(hash_hmac_is_that_of_rfc_4231),
    cmocka_unit_test(hash_random_bytes_differ),
    cmocka_unit_test(hash64_values_never_change),
    cmocka_unit_test(hash64_is_the_documented_formula_at_every_length),
    cmocka_unit_test(hash64_every_bit_of_the_input_moves_half_of_the_output),
    cmocka_unit_test(hash64_tells_zeros_lengths_and_seeds_apart),
    cmocka_unit_test(hash_hex_is_lower_case_with_a_nul),
};
WN_TEST_MAIN("core_hash", tests)
