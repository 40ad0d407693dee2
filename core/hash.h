/* Hashes and randomness, all by libsodium (chosen: small, audited, in Debian).
 */
#ifndef WN_CORE_HASH_H
#define WN_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define WN_SHA256 32

/* Call once before any thread starts; aborts where there is no entropy. */
void wn_hash_setup(void);

void wn_sha256(const void *p, size_t len, uint8_t out[WN_SHA256]);
/* SHA-256 over the parts in order, as if they were one string. */
struct wn_part {
    const void *p;
    size_t len;
};
void wn_sha256_parts(
    const struct wn_part *parts, size_t n, uint8_t out[WN_SHA256]);
void wn_hmac_sha256(const void *key, size_t key_len, const void *p, size_t len,
    uint8_t out[WN_SHA256]);
/* BLAKE2b over the parts, keyed with WN_KEYED_HASH_KEY bytes: whoever does not
 * have the key cannot make two inputs meet. len 16 to 64. */
#define WN_KEYED_HASH_KEY 32
void wn_keyed_hash(const uint8_t key[WN_KEYED_HASH_KEY],
    const struct wn_part *parts, size_t n, void *out, size_t len);
void wn_random(void *p, size_t len);
/* Lower-case hex and NUL: out has 2 * len + 1 bytes. */
void wn_hex(const void *p, size_t len, char *out);
/* A fast seeded 64-bit hash for tables and n-grams; not cryptographic. Its
 * values are stored in weights, so it never changes. */
uint64_t wn_hash64(const void *p, size_t len, uint64_t seed);

#endif
