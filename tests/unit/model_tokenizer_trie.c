/* The double-array trie against a plain list of keys. */
#include "model/trie.h"

#include "tests/lib/test.h"

/* The value of the longest of n keys that text begins with, and its length. */
static int32_t
longest_of(const struct wn_trie_key *keys, size_t n, const char *text,
    size_t len, size_t *ret_len)
{
    int32_t found = -1;

    *ret_len = 0;
    for (size_t i = 0; i < n; i++) {
        const struct wn_trie_key *k = &keys[i];

        if (k->len == 0 || k->len > len || memcmp(k->p, text, k->len) != 0)
            continue;
        if (k->len > *ret_len || (k->len == *ret_len && k->value > found)) {
            *ret_len = k->len;
            found = k->value;
        }
    }
    return found;
}

static int32_t
longest_in(
    const struct wn_trie *t, const char *text, size_t len, size_t *ret_len)
{
    int32_t found = -1;
    uint32_t node = 0;

    *ret_len = 0;
    for (size_t i = 0; i < len && wn_trie_step(t, &node, (uint8_t)text[i]);) {
        i++;
        if (t->nodes[node].value < 0)
            continue;
        found = t->nodes[node].value;
        *ret_len = i;
    }
    return found;
}

static void
draw(uint64_t *rnd, char *out, size_t *len, size_t max, int letters)
{
    *len = wn_test_random(rnd) % (max + 1);
    for (size_t i = 0; i < *len; i++)
        out[i] = (char)(1 + wn_test_random(rnd) % (uint64_t)letters);
}

static void
keys_are_found_and_nothing_else(void **state)
{
    enum { N = 800 };
    static char bytes[N][8];
    struct wn_trie_key keys[N], same[N];
    uint64_t rnd = wn_test_seed();

    (void)state;
    for (int letters = 2; letters <= 255; letters += 23) {
        struct wn_trie t;
        struct wn_err err;

        for (size_t i = 0; i < N; i++) {
            draw(&rnd, bytes[i], &keys[i].len, 8, letters);
            keys[i].p = bytes[i];
            keys[i].value = (int32_t)i;
        }
        memcpy(same, keys, sizeof(keys));
        assert_wn_ok(wn_trie_build(&t, keys, N, &err), &err);
        for (int k = 0; k < 2000; k++) {
            size_t len, got_len, want_len;
            char text[12];
            int32_t want;

            draw(&rnd, text, &len, 12, letters);
            want = longest_of(same, N, text, len, &want_len);
            assert_int_equal(longest_in(&t, text, len, &got_len), want);
            assert_int_equal(got_len, want_len);
        }
        wn_trie_release(&t);
    }
}

static void
a_trie_may_be_empty(void **state)
{
    struct wn_trie_key none = { "", 0, 3 };
    struct wn_trie t;
    struct wn_err err;
    size_t len;

    (void)state;
    assert_wn_ok(wn_trie_build(&t, NULL, 0, &err), &err);
    assert_int_equal(longest_in(&t, "ab\xff", 3, &len), -1);
    wn_trie_release(&t);
    assert_wn_ok(wn_trie_build(&t, &none, 1, &err), &err);
    assert_int_equal(longest_in(&t, "ab", 2, &len), -1);
    wn_trie_release(&t);
}

static void
keys_are_bounded(void **state)
{
    static char bytes[WN_TRIE_KEY_MAX + 1];
    struct wn_trie_key key = { bytes, sizeof(bytes), 7 };
    struct wn_trie t;
    struct wn_err err;
    size_t len;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(wn_trie_build(&t, &key, 1, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "piece 7 has more than 512 bytes"));
    key.len--;
    assert_wn_ok(wn_trie_build(&t, &key, 1, &err), &err);
    assert_int_equal(longest_in(&t, bytes, sizeof(bytes), &len), 7);
    assert_int_equal(len, WN_TRIE_KEY_MAX);
    wn_trie_release(&t);
    bytes[2] = '\0';
    assert_int_equal(wn_trie_build(&t, &key, 1, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "piece 7 has a zero byte"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(keys_are_found_and_nothing_else),
    cmocka_unit_test(a_trie_may_be_empty),
    cmocka_unit_test(keys_are_bounded),
};

WN_TEST_MAIN("model tokenizer trie", tests)
