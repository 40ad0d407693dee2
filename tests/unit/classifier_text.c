/* Hardened text: what goes, what is counted, what ordinary text keeps. */
#include "classifier/text.h"

#include <time.h>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "tests/lib/test.h"

static struct wn_text text;
static struct wn_err err;

static const char *
harden(const char *in)
{
    assert_wn_ok(wn_text_harden(&text, in, strlen(in), &err), &err);
    return text.data;
}

struct trap {
    const char *in, *out;
    size_t zero_width, bidi, tags, invalid;
};

static void
check(const struct trap *t)
{
    assert_string_equal(harden(t->in), t->out);
    if (text.zero_width != t->zero_width || text.bidi != t->bidi ||
        text.tags != t->tags || text.invalid != t->invalid)
        fail_msg("\"%s\": zero_width %zu bidi %zu tags %zu invalid %zu", t->in,
            text.zero_width, text.bidi, text.tags, text.invalid);
}

static void
text_takes_out_and_counts_what_hides(void **state)
{
    static const struct trap traps[] = {
        { "fr\u200Bee mo\u200Cn\u200Dey", "free money", 3, 0, 0, 0 },
        { "soft\u00ADhyphen \u2060word\u2060joiner", "softhyphen wordjoiner", 3,
            0, 0, 0 },
        { "\u3164filler\u115F", "filler", 2, 0, 0, 0 },
        { "in\uFEFFside", "inside", 1, 0, 0, 0 },
        { "bell\a and esc\x1b[0m", "bell and esc[0m", 2, 0, 0, 0 },
        { "a\u202Eb\u202Dc", "abc", 0, 2, 0, 0 },
        { "a\u2066b\u2069c\u200E", "abc", 0, 3, 0, 0 },
        { "x\U000E0041\U000E0042y", "xy", 0, 0, 2, 0 },
        { "a\uFE0Fb\U000E0100", "ab", 0, 0, 2, 0 },
        { "\U0001F600\uFE0F\uFE0F\U000E0101", "\U0001F600", 0, 0, 2, 0 },
        { "\U0001F600\u200D\u200D\U0001F600", "\U0001F600\U0001F600", 1, 0, 0,
            0 },
        { "a\xff\xfe b\xc3", "a\uFFFD\uFFFD b\uFFFD", 0, 0, 0, 3 },
        { "\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD", 0, 0, 0, 3 },
        { "\xc0\xaf", "\uFFFD\uFFFD", 0, 0, 0, 2 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++)
        check(&traps[i]);
}

/* One character of three bytes is eighteen letters; a wall of them is not. */
static void
text_grows_by_a_bounded_number_of_whole_phrases(void **state)
{
    static const char *const kinds[] = { "\uFDFA", "\u3316", "&#65018;" };
    static char in[3000 * 8 + 1];

    (void)state;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        size_t one, n = 0;

        harden(kinds[k]);
        one = text.chars;
        assert_true(one >= 6);
        for (size_t i = 0; i < 3000; i++)
            n += (size_t)sprintf(in + n, "%s", kinds[k]);
        harden(in);
        assert_int_equal(text.chars, 1024 * one + (3000 - 1024));
        assert_non_null(strstr(text.data, "\uFFFD\uFFFD"));
    }
}

static void
text_counts_nothing_that_a_language_needs(void **state)
{
    static const struct trap traps[] = {
        /* family, heart on fire, keycap, flag of Wales */
        { "\U0001F468\u200D\U0001F469\u200D\U0001F467",
            "\U0001F468\U0001F469\U0001F467", 0, 0, 0, 0 },
        { "\u2764\uFE0F\u200D\U0001F525", "\u2764\U0001F525", 0, 0, 0, 0 },
        { "1\uFE0F\u20E3", "1\u20E3", 0, 0, 0, 0 },
        { "\U0001F3F4\U000E0067\U000E0062\U000E0077\U000E006C\U000E0073"
          "\U000E007F",
            "\U0001F3F4", 0, 0, 0, 0 },
        /* Persian, Hindi, Malayalam joiners; Khmer and Thai breaks */
        { "\u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645",
            "\u0645\u06CC\u062E\u0648\u0627\u0647\u0645", 0, 0, 0, 0 },
        { "\u0915\u094D\u200D\u0937", "\u0915\u094D\u0937", 0, 0, 0, 0 },
        { "\u1780\u200B\u1781", "\u1780\u1781", 0, 0, 0, 0 },
        { "\u0E01\u200B\u0E02", "\u0E01\u0E02", 0, 0, 0, 0 },
        /* Hebrew with marks and isolates */
        { "\u05E9\u05DC\u05D5\u05DD \u200Eabc\u200F \u2067x\u2069",
            "\u05E9\u05DC\u05D5\u05DD abc x", 0, 0, 0, 0 },
        /* an ideograph with a variation */
        { "\u845B\U000E0100", "\u845B", 0, 0, 0, 0 },
        { "\uFEFFstart", "start", 0, 0, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++)
        check(&traps[i]);
    check(&(struct trap){ "\u05E9\u202E\u05DC", "\u05E9\u05DC", 0, 1, 0, 0 });
}

static void
text_is_compatibility_normalised(void **state)
{
    (void)state;
    assert_string_equal(harden("\uFF26\uFF32\uFF25\uFF25"), "FREE");
    assert_string_equal(harden("\U0001D4D5\U0001D4FB\U0001D4EE"), "Fre");
    assert_string_equal(harden("e\u0301"), "\u00E9");
    assert_string_equal(harden("\u2460\uFB01"), "1fi");
    assert_string_equal(harden("\u0438\u0306"), "\u0439");
}

static void
text_decodes_entities_until_none_is_left(void **state)
{
    (void)state;
    assert_string_equal(harden("Fish &amp; chips &lt;3"), "Fish & chips <3");
    assert_string_equal(harden("&amp;amp;lt;b&gt;"), "<b>");
    assert_string_equal(harden("&#70;&#x52;&#X45;E"), "FREE");
    assert_string_equal(harden("caf&eacute; &#8364;5 &#150;"), "caf\u00E9 "
                                                               "\u20AC"
                                                               "5 \u2013");
    assert_string_equal(harden("e&#769;"), "\u00E9");
    assert_string_equal(harden("&#65318;"), "F");
    assert_string_equal(harden("&#59&#59;"), ";");
    assert_string_equal(harden("&\u200Bamp;x"), "&x");
    assert_string_equal(harden("&nosuch; &; &#; &#x; &#12a; a&b;"),
        "&nosuch; &; &#; &#x; &#12a; a&b;");
    check(&(struct trap){ "a&#8203;b&zwj;c&shy;", "abc", 3, 0, 0, 0 });
    check(&(struct trap){
        "&#0;&#xD800;&#9999999999999;", "\uFFFD\uFFFD\uFFFD", 0, 0, 0, 3 });
    check(&(struct trap){
        "\U0001F468&zwj;\U0001F469", "\U0001F468\U0001F469", 0, 0, 0, 0 });
}

static void
text_hides_handles_and_mail_names(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = {
        { "thanks @bob_1 and @Eve!", "thanks @user and @user!" },
        { "@bob @eve hello", "hello" },
        { "RT @bob: RT @eve hello", "hello" },
        { "@bob RT @eve: hi", "hi" },
        { "@bob", "" },
        { "@bob, hello", "@user, hello" },
        { "RT this", "RT this" },
        { "hi @a@social.example.org bye", "hi @user bye" },
        { "hi @al.bsky.social bye", "hi @user bye" },
        { "hi @al.Then bye", "hi @user.Then bye" },
        { "\u4F60\u597D@name \u597D", "\u4F60\u597D@user \u597D" },
        { "mail jo.e+x@example.co.uk.", "mail user@example.co.uk." },
        { "a@b c@d", "a@b c@d" },
        { "https://medium.com/@bob x", "https://medium.com/@bob x" },
        { "https://paypal.com@evil.example/x",
            "https://paypal.com@evil.example/x" },
        { "so\uFF20bob", "so@bob" },
        { "so \uFF20bob", "so @user" },
        { "@ home", "@ home" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        assert_string_equal(harden(t[i].in), t[i].out);
}

static void
text_longer_than_a_handle_does_not_hide_behind_an_at(void **state)
{
    char in[300] = "x @";

    (void)state;
    memset(in + 3, 'a', 200);
    assert_string_equal(harden(in), in);
}

static void
text_squeezes_space_and_keeps_lines(void **state)
{
    (void)state;
    assert_string_equal(
        harden("  a \t b \r\n\r\n c\u00A0\u3000d "), "a b\nc d");
    assert_string_equal(harden(" \n\u2028\u2800 "), "");
    assert_int_equal(text.chars, 0);
}

/* ASCII is taken a run at a time: what stands at the ends of one. */
static void
text_sees_what_follows_a_run_of_ascii(void **state)
{
    static const struct {
        const char *in, *out;
        size_t words, zero_width;
    } t[] = {
        { "see http://a.b/@bob @bob", "see http://a.b/@bob @user", 3, 0 },
        { "see http://a.b/@bob\t@bob", "see http://a.b/@bob @user", 3, 0 },
        { "see:@bob a:b@c.de", "see:@user a:user@c.de", 2, 0 },
        { "ab\u200Bcd\x01"
          "ef\x7Fg",
            "abcdefg", 1, 3 },
        { "abe\u0301@bob", "ab\u00E9@bob", 1, 0 },
        { "as \u00E9 be  c\nd \n", "as \u00E9 be c\nd", 5, 0 },
        { "ab \U0001F600a 1-2", "ab \U0001F600a 1-2", 3, 0 },
        { "[a] ` {z} @", "[a] ` {z} @", 2, 0 },
        { "~\xFFz", "~\uFFFDz", 1, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        assert_string_equal(harden(t[i].in), t[i].out);
        assert_int_equal(text.words, t[i].words);
        assert_int_equal(text.zero_width, t[i].zero_width);
    }
}

static void
text_bounds_stacks_of_marks(void **state)
{
    char in[4096] = "z";
    size_t len = 1;

    (void)state;
    while (len + 2 < sizeof(in)) {
        in[len++] = '\xCC';
        in[len++] = '\x96'; /* U+0316 */
    }
    assert_wn_ok(wn_text_harden(&text, in, len, &err), &err);
    assert_string_equal(text.data, "z");
    assert_int_equal(text.combining, (len - 1) / 2);

    /* points of Hebrew, which letters have several of */
    memcpy(in, "\u05D0", 2);
    for (len = 2; len < 60; len += 2)
        memcpy(in + len, "\u05B0", 2);
    assert_wn_ok(wn_text_harden(&text, in, len, &err), &err);
    assert_int_equal(text.chars, 1 + WN_TEXT_MARKS_MAX);
    assert_int_equal(text.combining, 29 - WN_TEXT_MARKS_MAX);
}

static void
text_counts_words_where_no_space_tells(void **state)
{
    (void)state;
    harden("One, two - three's \U0001F600 \u0434\u0432\u0430");
    assert_int_equal(text.words, 4);
    harden("\u4ECA\u5929\u5929\u6C14\u5F88\u597D");
    assert_int_equal(text.words, 3);
    harden("\u0E01\u0E02\u0E03\u0E04\u0E05\u0E06\u0E07\u0E08");
    assert_int_equal(text.words, 2);
}

static void
text_reads_every_byte_of_u0000(void **state)
{
    (void)state;
    assert_wn_ok(wn_text_harden(&text, "a\0b", 3, &err), &err);
    assert_string_equal(text.data, "a\uFFFD"
                                   "b");
    assert_int_equal(text.invalid, 1);
    assert_wn_ok(wn_text_harden(&text, NULL, 0, &err), &err);
    assert_string_equal(text.data, "");
}

static void
assert_idempotent(const char *in, size_t len)
{
    char *once;
    size_t once_len;

    assert_wn_ok(wn_text_harden(&text, in, len, &err), &err);
    once_len = text.len;
    once = malloc(once_len + 1);
    assert_non_null(once);
    memcpy(once, text.data, once_len + 1);
    assert_wn_ok(wn_text_harden(&text, once, once_len, &err), &err);
    if (text.len != once_len || memcmp(once, text.data, once_len) != 0)
        fail_msg("not idempotent: \"%.*s\" -> \"%s\" -> \"%s\"", (int)len, in,
            once, text.data);
    if (text.zero_width + text.bidi + text.tags + text.invalid +
            text.spaced_words + text.repeats !=
        0)
        fail_msg("hardened text still hides: \"%s\"", once);
    free(once);
}

/* Characters and words one by one, as text.h says what they are. */
static void
count_plainly(const char *p, size_t len, size_t *chars, size_t *words)
{
    size_t i = 0, quarters = 0;
    bool in_word = false;

    for (*chars = *words = 0; i < len; ++*chars) {
        UChar32 c;
        bool thai, han;

        U8_NEXT_UNSAFE((const uint8_t *)p, i, c);
        thai = (c >= 0xE00 && c < 0xF00) || (c >= 0x1000 && c < 0x10A0) ||
               (c >= 0x1780 && c < 0x1800);
        han = (c >= 0x3041 && c < 0x3100) || (c >= 0x3400 && c < 0xA000) ||
              (c >= 0xF900 && c < 0xFB00) || (c >= 0x20000 && c < 0x32000);
        quarters += thai ? 1 : han ? 2 : 0;
        if (c == ' ' || c == '\n') {
            in_word = false;
        } else if (!thai && !han && !in_word && u_isalnum(c)) {
            in_word = true;
            ++*words;
        }
    }
    *words += (quarters + 3) / 4;
}

/* Sixty-four characters are looked at together: so all lengths around it, and
 * what stands on the border. */
static void
text_counts_as_a_plain_loop_does(void **state)
{
    static const char *const bits[] = { "a", "b ", " ", "\n", ".", "1", "word ",
        "(x) ", "\u00E9", "\u0434\u0430 ", "\u4F60", "\u0E01", "\u2019",
        "\u0301", "\U0001F600", "- ", "\u0905", "\u0660", "another one, " };
    uint64_t seed = wn_test_seed();

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t n = wn_test_random(&seed) % 90, len = 0, chars, words;
        char in[2048];

        for (size_t i = 0; i < n; i++) {
            const char *b =
                bits[wn_test_random(&seed) % (sizeof(bits) / sizeof(bits[0]))];

            memcpy(in + len, b, strlen(b));
            len += strlen(b);
        }
        assert_wn_ok(wn_text_harden(&text, in, len, &err), &err);
        count_plainly(text.data, text.len, &chars, &words);
        if (text.chars != chars || text.words != words)
            fail_msg("\"%s\": %zu characters, %zu words; not %zu, %zu",
                text.data, text.chars, text.words, chars, words);
    }
}

static size_t
put_utf8(char *p, uint32_t c)
{
    if (c < 0x80) {
        p[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (char)(0xC0 | c >> 6);
        p[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (char)(0xE0 | c >> 12);
        p[1] = (char)(0x80 | (c >> 6 & 63));
        p[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    p[0] = (char)(0xF0 | c >> 18);
    p[1] = (char)(0x80 | (c >> 12 & 63));
    p[2] = (char)(0x80 | (c >> 6 & 63));
    p[3] = (char)(0x80 | (c & 63));
    return 4;
}

static void
text_hardened_again_does_not_change(void **state)
{
    static const char *const bits[] = { "&", "amp;", "#", "59;", "#59", "@",
        "a", "user", "RT ", ": ", ".", "b.co", " ", "\n", "://", "lt;",
        "\u200D", "\u0301", "\uFE0F", "\u0344", "\u1100\u1161", "\u037E",
        "\uFF20", "\uFF06", "\uFDFA", "\U0001F468", "\xff", "&#769;", "_", "-",
        "\u0345\u0300", "\u00E9", ";", "+", "\u4F60", "&zwj;", "b ", " c", "  ",
        "d.", "-f", "e", "eee", "\u0435", "\u043E\u043D", "\u03B1", "X",
        "\u0422", "\u0336", "\u0332", "\U0001F1E9", "\U0001F1EA", "\U0001F170",
        "\U0001F193", "\u249C", "&#127465;", "&#x1F1EA;", "&#x1F150;", "&ETH",
        "\u1D00", "\u0299", "\u1DA6", "0123456789", "\u05B0", "t t", "_" };
    uint64_t seed = wn_test_seed();
    char in[512];

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t len = 0, n = wn_test_random(&seed) % 24;

        for (size_t i = 0; i < n; i++) {
            uint64_t r = wn_test_random(&seed);

            if (r % 4 == 0) {
                len += put_utf8(in + len, (r >> 8) % 0x110000);
            } else {
                const char *b =
                    bits[(r >> 8) % (sizeof(bits) / sizeof(bits[0]))];

                memcpy(in + len, b, strlen(b));
                len += strlen(b);
            }
        }
        assert_idempotent(in, len);
    }
}

static void
text_of_every_single_character_is_stable(void **state)
{
    char in[8] = "x";

    (void)state;
    for (uint32_t c = 1; c < 0x110000; c++)
        assert_idempotent(in, 1 + put_utf8(in + 1, c));
}

static double
cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A megabyte of each hostile kind within a bound that a quadratic step would
 * leave far behind, also under sanitizers. */
static void
text_takes_linear_time_on_hostile_megabytes(void **state)
{
    static const char *const units[] = { "a", "&", ";", "&amp;", "&#59", "@",
        "@a ", "a@b.co", "user@", "\u0316\u0301", "&#769;", " ", "RT @a ",
        "\u200D", "\uFDFA", "\U000E0041", "\xff", "@a.", "a.", "x://", "a ",
        "a  ", "a\n", "q w e ", "q w", "a - ", "a-b ", "a.b.c.d, ", "f r 3 3 ",
        "A B C D E F G ", "x", "abbb", "fr33 ", "v1agra ", "a|b", "ab@c ", "1a",
        "\u0430b", "fr\u0435e ", "\u0430 \u044F ", "fr\u0435e.", "e\u0332",
        "z\u0336", "\U0001F1E9", "\U0001F1E9 ", "\U0001F150", "\u249C",
        "\uFF21", "\u1D00", "\uA730\u0280 ", "0123456789 ", "&#127465;",
        "\u2A74" };
    size_t n = 1u << 20;
    char *in = malloc(n + 16);

    (void)state;
    assert_non_null(in);
    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
        size_t k = strlen(units[u]), len = 0;
        double start;

        while (len + k <= n) {
            memcpy(in + len, units[u], k);
            len += k;
        }
        start = cpu_s();
        assert_wn_ok(wn_text_harden(&text, in, len, &err), &err);
        if (cpu_s() - start > 3)
            fail_msg("1 MiB of \"%s\" took seconds", units[u]);
        assert_true(text.len <= 12 * len);
        assert_true(text.view.len <= 2 * text.len);
    }
    free(in);
}

static int
start(void **state)
{
    (void)state;
    wn_text_init(&text);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    wn_text_release(&text);
    return 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(text_takes_out_and_counts_what_hides),
    cmocka_unit_test(text_grows_by_a_bounded_number_of_whole_phrases),
    cmocka_unit_test(text_counts_nothing_that_a_language_needs),
    cmocka_unit_test(text_is_compatibility_normalised),
    cmocka_unit_test(text_decodes_entities_until_none_is_left),
    cmocka_unit_test(text_hides_handles_and_mail_names),
    cmocka_unit_test(text_longer_than_a_handle_does_not_hide_behind_an_at),
    cmocka_unit_test(text_squeezes_space_and_keeps_lines),
    cmocka_unit_test(text_sees_what_follows_a_run_of_ascii),
    cmocka_unit_test(text_bounds_stacks_of_marks),
    cmocka_unit_test(text_counts_words_where_no_space_tells),
    cmocka_unit_test(text_counts_as_a_plain_loop_does),
    cmocka_unit_test(text_reads_every_byte_of_u0000),
    cmocka_unit_test(text_hardened_again_does_not_change),
    cmocka_unit_test(text_of_every_single_character_is_stable),
    cmocka_unit_test(text_takes_linear_time_on_hostile_megabytes),
};

int
main(void)
{
    return wn_test_run("classifier_text", tests,
        sizeof(tests) / sizeof(tests[0]), start, finish);
}
