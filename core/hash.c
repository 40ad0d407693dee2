/*
 * Hashes and randomness. All but wn_hash64() is libsodium's; wn_hash64() is
 * ours because its values are stored and must never change with a library.
 */
#include "core/hash.h"

#include <string.h>

#include <sodium.h>

#include "core/status.h"

void
wn_hash_setup(void)
{
    WN_ASSERT(sodium_init() >= 0);
}

void
wn_sha256(const void *p, size_t len, uint8_t out[WN_SHA256])
{
    crypto_hash_sha256(out, p, len);
}

void
wn_sha256_parts(const struct wn_part *parts, size_t n, uint8_t out[WN_SHA256])
{
    crypto_hash_sha256_state st;

    crypto_hash_sha256_init(&st);
    for (size_t i = 0; i < n; i++) {
        if (parts[i].len > 0)
            crypto_hash_sha256_update(&st, parts[i].p, parts[i].len);
    }
    crypto_hash_sha256_final(&st, out);
}

void
wn_hmac_sha256(const void *key, size_t key_len, const void *p, size_t len,
    uint8_t out[WN_SHA256])
{
    crypto_auth_hmacsha256_state st;

    crypto_auth_hmacsha256_init(&st, key, key_len);
    crypto_auth_hmacsha256_update(&st, p, len);
    crypto_auth_hmacsha256_final(&st, out);
    sodium_memzero(&st, sizeof(st));
}

void
wn_keyed_hash(const uint8_t key[WN_KEYED_HASH_KEY], const struct wn_part *parts,
    size_t n, void *out, size_t len)
{
    crypto_generichash_state st;

    crypto_generichash_init(&st, key, WN_KEYED_HASH_KEY, len);
    for (size_t i = 0; i < n; i++) {
        if (parts[i].len > 0)
            crypto_generichash_update(&st, parts[i].p, parts[i].len);
    }
    crypto_generichash_final(&st, out, len);
}

void
wn_random(void *p, size_t len)
{
    randombytes_buf(p, len);
}

void
wn_hex(const void *p, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = p;

    for (size_t i = 0; i < len; i++) {
        *out++ = digits[from[i] >> 4];
        *out++ = digits[from[i] & 15];
    }
    *out = '\0';
}

/* The finalizer of splitmix64: a bijection in which every input bit reaches
 * every output bit. */
static inline uint64_t
mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t
le64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static inline uint64_t
le32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return v;
}

/* 1 to 7 bytes as a little-endian word padded with zeros, without a loop: the
 * reads overlap and agree where they do. */
static inline uint64_t
le_tail(const uint8_t *p, size_t len)
{
    if (len >= 4)
        return le32(p) | le32(p + len - 4) << (8 * (len - 4));
    return (uint64_t)p[0] | (uint64_t)p[len / 2] << (8 * (len / 2)) |
           (uint64_t)p[len - 1] << (8 * (len - 1));
}

/*
 * h = mix(seed + 0x9e3779b97f4a7c15 * (len + 1)), then h = mix(h ^ word) for
 * each 8 bytes as a little-endian word, the last one padded with zeros. The
 * length in the start value tells a padded tail from real zeros.
 */
uint64_t
wn_hash64(const void *p, size_t len, uint64_t seed)
{
    const uint8_t *from = p;
    uint64_t h = mix(seed + UINT64_C(0x9e3779b97f4a7c15) * (len + 1));

    for (; len >= 8; len -= 8, from += 8)
        h = mix(h ^ le64(from));
    if (len > 0)
        h = mix(h ^ le_tail(from, len));
    return h;
}
