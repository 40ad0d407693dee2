/*
 * Attacks on words, at the level of text: what is hardened of the attacked
 * post is what is hardened of the plain one, or its second view is, and the
 * attack is counted. And the table of look-alikes against ICU's.
 */
#include "classifier/text.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/uspoof.h>
#include <unicode/utf8.h>

#include "classifier/confusables.inc"
#include "tests/lib/test.h"

#define ROOM 8192

static struct wn_text text;
static struct wn_err err;

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

static const char *
harden(const char *in)
{
    assert_wn_ok(wn_text_harden(&text, in, strlen(in), &err), &err);
    return text.data;
}

/* The second view, which is the text where there is no other. */
static const char *
view_of(const char *in)
{
    harden(in);
    return text.view.len > 0 ? text.view.data : text.data;
}

static void
expect(const char *in, const char *out)
{
    if (strcmp(harden(in), out) != 0)
        fail_msg("\"%s\" -> \"%s\", not \"%s\"", in, text.data, out);
}

static void
expect_view(const char *in, const char *out)
{
    if (strcmp(view_of(in), out) != 0)
        fail_msg("\"%s\" -> view \"%s\", not \"%s\"", in, view_of(in), out);
}

/* --- making attacks --- */

static UChar32
next(const char *s, size_t *i)
{
    UChar32 c;

    U8_NEXT_UNSAFE((const uint8_t *)s, *i, c);
    return c;
}

static void
put(char *out, size_t *n, UChar32 c)
{
    U8_APPEND_UNSAFE((uint8_t *)out, *n, c);
    out[*n] = '\0';
}

/* Letters parted by `sep`, words by `gap`. */
static const char *
set_apart(const char *in, const char *sep, const char *gap)
{
    static char out[ROOM];
    size_t i = 0, n = 0;

    out[0] = '\0';
    while (in[i] != '\0') {
        UChar32 c = next(in, &i);

        if (c == ' ') {
            n += (size_t)sprintf(out + n, "%s", gap);
            continue;
        }
        put(out, &n, c);
        if (in[i] != '\0' && in[i] != ' ')
            n += (size_t)sprintf(out + n, "%s", sep);
    }
    return out;
}

/* Behind each letter `count` of what `from` and `to` are the bounds of. */
static const char *
pile_up(const char *in, UChar32 from, UChar32 to, size_t count, uint64_t *seed)
{
    static char out[ROOM];
    size_t i = 0, n = 0;

    out[0] = '\0';
    while (in[i] != '\0') {
        put(out, &n, next(in, &i));
        for (size_t k = 0; k < count; k++)
            put(out, &n,
                from + (UChar32)(wn_test_random(seed) %
                                 (uint64_t)(to - from + 1)));
    }
    return out;
}

/* ASCII letters moved to an alphabet that begins at `capital` and `small`, 0
 * where it has none. */
static const char *
restyle(const char *in, UChar32 capital, UChar32 small)
{
    static char out[ROOM];
    size_t n = 0;

    for (size_t i = 0; in[i] != '\0'; i++) {
        UChar32 c = in[i];

        if (c >= 'A' && c <= 'Z' && capital != 0)
            c = capital + (c - 'A');
        else if (c >= 'a' && c <= 'z' && small != 0)
            c = small + (c - 'a');
        put(out, &n, c);
    }
    return out;
}

/* --- letters set apart --- */

static const char *const spoken[] = { "claim your bonus money right now",
    "WIN CASH PRIZES EVERY DAY", "Gratis Geld f\u00FCr alle",
    "\u0441\u0440\u043E\u0447\u043D\u043E \u043F\u0440\u0438\u0437 "
    "\u0437\u0430\u0431\u0438\u0440\u0430\u0439",
    "\u03BA\u03AD\u03C1\u03B4\u03B9\u03C3\u03B5 \u03B4\u03CE\u03C1\u03B1 "
    "\u03C4\u03CE\u03C1\u03B1",
    "\u057E\u0573\u0561\u0580 \u0576\u057E\u0565\u0580",
    "\u05DB\u05E1\u05E3 \u05D7\u05D9\u05E0\u05DD \u05E2\u05DB\u05E9\u05D9"
    "\u05D5" };

static void
letters_apart_become_their_words(void **state)
{
    static const struct {
        const char *sep, *gap;
    } ways[] = { { " ", "   " }, { " ", "  " }, { "  ", "     " },
        { "\u00A0", "\u2003\u2003" }, { "-", " " }, { "_", "  " }, { "*", " " },
        { "\u00B7", " " }, { "\u2022", " " }, { "~", " " }, { " - ", "  " },
        { " . ", "  " }, { "\n", "\n\n" }, { "\u200B \u200B", "   " } };

    (void)state;
    for (size_t i = 0; i < sizeof(spoken) / sizeof(spoken[0]); i++)
        for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
            char plain[ROOM];
            const char *in = set_apart(spoken[i], ways[w].sep, ways[w].gap);

            snprintf(plain, sizeof(plain), "%s", harden(spoken[i]));
            for (char *p = plain; ways[w].sep[0] == '\n' && *p != '\0'; p++)
                *p = *p == ' ' ? '\n' : *p;
            expect(in, plain);
            assert_true(text.spaced_words > 0);
        }
}

/* Capitals with points are abbreviations, so those the second view reads. */
static void
points_between_letters_are_undone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(spoken) / sizeof(spoken[0]); i++) {
        char plain[ROOM];

        snprintf(plain, sizeof(plain), "%s", harden(spoken[i]));
        expect_view(set_apart(spoken[i], ".", " "), plain);
    }
    expect(set_apart("free money", ".", " "), "free money");
    expect(set_apart("get free money", ".", "   "), "get free money");
}

static void
words_apart_stand_in_sentences(void **state)
{
    (void)state;
    expect("get f r e e   m o n e y today!", "get free money today!");
    expect("(f r e e) and \"m.o.n.e.y\".", "(free) and \"money\".");
    expect("so *f*r*e*e* ok", "so *free* ok");
    expect("f r e e - m o n e y", "free - money");
    expect("s 0 f t w a r e", "s0ftware");
    expect_view("s 0 f t w a r e", "software");
    expect_view("w i n it", "win it");
    expect_view("h 0 l 1 d a y", "holiday");
    expect_view("b,u,y now", "buy now");
    expect_view("F.R.E.E. M.O.N.E.Y.", "FREE. MONEY.");
}

/* --- what cannot be seen, and what piles up --- */

static void
invisible_characters_hide_no_word(void **state)
{
    static const UChar32 hidden[] = { 0xAD, 0x34F, 0x61C, 0x115F, 0x17B4,
        0x180E, 0x200B, 0x200C, 0x200D, 0x200E, 0x202E, 0x2060, 0x2063, 0x2066,
        0x3164, 0xFE00, 0xFE0F, 0xFEFF, 0xFFA0, 0xE0001, 0xE0041, 0xE0100,
        0x1D173, 0x7 };
    uint64_t seed = wn_test_seed();

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < sizeof(hidden) / sizeof(hidden[0]); k++) {
            expect(
                pile_up(spoken[i], hidden[k], hidden[k], 1, &seed), spoken[i]);
            assert_true(text.zero_width + text.bidi + text.tags > 0);
        }
}

static void
stacks_of_marks_leave_the_letters(void **state)
{
    uint64_t seed = wn_test_seed();

    (void)state;
    for (size_t count = 4; count < 40; count += 5) {
        expect(pile_up(spoken[0], 0x300, 0x33B, count, &seed), spoken[0]);
        assert_true(text.combining > 100);
        expect(pile_up(spoken[3], 0x316, 0x32B, count, &seed), spoken[3]);
        expect(pile_up(spoken[4], 0x300, 0x315, count, &seed), spoken[4]);
        expect(pile_up(spoken[0], 0x1DC0, 0x1DE6, count, &seed), spoken[0]);
    }
}

static void
lines_through_letters_go(void **state)
{
    static const UChar32 lines[] = { 0x334, 0x335, 0x336, 0x337, 0x338, 0x305,
        0x333, 0x33F, 0x489, 0x20DD, 0x20DE, 0x20E0, 0x20E5 };
    uint64_t seed = wn_test_seed();

    (void)state;
    for (size_t k = 0; k < sizeof(lines) / sizeof(lines[0]); k++) {
        expect(pile_up(spoken[0], lines[k], lines[k], 1, &seed), spoken[0]);
        assert_int_equal(text.combining, strlen(spoken[0]));
    }
    expect("f\u0332r\u0332e\u0332e\u0332 m\u0332o\u0332n\u0332e\u0332y\u0332",
        "free money");
}

/* --- other letters --- */

static void
styled_alphabets_are_plain_letters(void **state)
{
    static const struct {
        UChar32 capital, small;
    } alphabets[] = { { 0x1D400, 0x1D41A }, { 0x1D468, 0x1D482 },
        { 0x1D4D0, 0x1D4EA }, { 0x1D56C, 0x1D586 }, { 0x1D5A0, 0x1D5BA },
        { 0x1D5D4, 0x1D5EE }, { 0x1D608, 0x1D622 }, { 0x1D63C, 0x1D656 },
        { 0x1D670, 0x1D68A }, { 0x24B6, 0x24D0 }, { 0xFF21, 0xFF41 },
        { 0x1F130, 0 }, { 0x1F150, 0 }, { 0x1F170, 0 }, { 0x1F110, 0x249C } };

    (void)state;
    for (size_t a = 0; a < sizeof(alphabets) / sizeof(alphabets[0]); a++)
        for (size_t i = 0; i < 2; i++) {
            if (i == 0 && alphabets[a].small == 0)
                continue;
            expect(restyle(spoken[i], alphabets[a].capital, alphabets[a].small),
                spoken[i]);
            assert_true(text.styled > 12);
        }
}

static void
small_capitals_and_raised_letters_are_letters(void **state)
{
    (void)state;
    expect("\uA730\u0280\u1D07\u1D07 \u1D0D\u1D0F\u0274\u1D07\u028F",
        "free money");
    assert_int_equal(text.styled, 9);
    expect("\u1DA0\u02B3\u1D49\u1D49 \u1D4D\u1DA6\u1DA0\u1D57", "free gift");
    assert_true(text.styled >= 7);
}

static void
indicators_that_are_no_flag_are_letters(void **state)
{
    (void)state;
    expect("\U0001F1F2\U0001F1F4\U0001F1F3\U0001F1EA\U0001F1FE now",
        "MONEY now");                     /* five */
    expect("\U0001F1FC\U0001F1FC", "WW"); /* two, of no country */
    /* "free" is two flags, so who means the word keeps them apart */
    expect("\U0001F1EB \U0001F1F7 \U0001F1EA \U0001F1EA", "FREE");
    expect(
        "\U0001F1EB\u200B\U0001F1F7\u200B\U0001F1EA\u200B\U0001F1EA", "FREE");
    assert_int_equal(text.styled, 4);
    expect("\U0001F193 gift", "FREE gift");
    assert_int_equal(text.styled, 0);
    expect("&#127474;&#127476;&#127475;&#127466;&#127486;",
        "\U0001F1F2\U0001F1F4\U0001F1F3\U0001F1EAY");
}

/* --- look-alikes --- */

#define X(code, letter) { code, letter },
static const struct look {
    UChar32 c;
    char letter;
} looks[] = { WN_LOOKS(X) }, cyrillic[] = { WN_LOOKS_CYRILLIC(X) },
  greek[] = { WN_LOOKS_GREEK(X) };
#undef X
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
each_look_alike_in_a_latin_word_is_folded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(looks); i++) {
        char in[64], out[64];
        size_t n = 0;

        n += (size_t)sprintf(in, "so hard");
        put(in, &n, looks[i].c);
        sprintf(in + n, "ly");
        sprintf(out, "so hard%cly", looks[i].letter);
        expect(in, out);
        assert_int_equal(text.confusables, 1);
        assert_int_equal(text.mixed_script_words, 1);
    }
}

static void
fold_into(const char *before, const char *after, const struct look *l, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char in[64], out[64];
        size_t len = (size_t)sprintf(out, "%s", before);

        sprintf(in, "%s%c%s", before, l[i].letter, after);
        put(out, &len, l[i].c);
        sprintf(out + len, "%s", after);
        expect(in, out);
        assert_int_equal(text.confusables, 1);
    }
}

static void
latin_letters_in_other_words_are_folded_too(void **state)
{
    (void)state;
    fold_into("\u0434\u0436", "\u0446\u0438\u044F", cyrillic, COUNT(cyrillic));
    fold_into("\u03B4\u03BB", "\u03B6\u03C8\u03C9", greek, COUNT(greek));
    expect("\u0434e\u043D\u044C\u0433\u0438", /* money, with a Latin e */
        "\u0434\u0435\u043D\u044C\u0433\u0438");
}

static void
look_alikes_hide_no_word(void **state)
{
    static const char *const plain = "Open a casino account, receive bonus "
                                     "coins";
    uint64_t seed = wn_test_seed();

    (void)state;
    for (int round = 0; round < 500; round++) {
        char in[ROOM] = "";
        size_t n = 0, folded = 0;

        for (size_t i = 0; plain[i] != '\0'; i++) {
            UChar32 c = plain[i];
            bool first = i == 0 || plain[i - 1] == ' ';

            /* the first letter stays, so no word is of one alphabet alone */
            for (size_t k = 0; k < COUNT(cyrillic) && !first; k++)
                if (cyrillic[k].letter == c && wn_test_random(&seed) % 2 == 0) {
                    c = cyrillic[k].c;
                    folded++;
                    break;
                }
            put(in, &n, c);
        }
        expect(in, plain);
        assert_int_equal(text.confusables, folded);
    }
}

static void
the_second_view_folds_where_the_first_does_not(void **state)
{
    (void)state;
    expect("fr\u0435\u0435.m\u043Eney", "fr\u0435\u0435.m\u043Eney");
    expect_view("fr\u0435\u0435.m\u043Eney", "free.money");
    assert_int_equal(text.mixed_script_words, 2);
    expect_view("p\u0430ypal.com/login", "paypal.com/login");
    expect_view("b\u043Eo\u043A\u0456ng", "booking");    /* a kind of k */
    expect_view("\u043A\u0440u\u043F\u0442o\u0439", /* Latin u for i */
        "\u043A\u0440\u0438\u043F\u0442\u043E\u0439");
    expect_view("fr\u0251nk \u0262oods", "frank goods"); /* phonetics */
    /* a word of look-alikes alone, in a Latin text */
    expect_view("buy it with \u0441\u043E\u0456\u0441\u0430 today, no fee",
        "buy it with coica today, no fee");
    /* but a URL is what it is */
    expect(
        "see http://p\u0430ypal.example/x", "see http://p\u0430ypal.example/x");
    assert_int_equal(text.view.len, 0);
}

/* --- digits for letters, and too many --- */

static void
digits_and_signs_are_letters_in_the_second_view(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = { { "fr33 m0ney", "free money" }, { "v1agra", "viagra" },
        { "$cam", "scam" }, { "c@sh", "cash" }, { "ca$h", "cash" },
        { "cl1ck", "click" }, { "c1ick", "click" }, { "p1ease", "please" },
        { "fu11y", "fully" }, { "1nv3stment", "investment" },
        { "b1tc01n", "bitcoin" }, { "FR33 M0NEY", "FREE MONEY" },
        { "w!nner", "winner" }, { "0ffer", "offer" }, { "cla$$", "class" },
        { "ea5y", "easy" }, { "4cc0unt", "account" }, { "gif7s", "gifts" },
        { "fr\u20AC\u20AC", "free" }, { "m\u20ACga", "mega" },
        { "he|lo", "hello" }, { "(fr33!)", "(free!)" },
        { "fr33,m0ney", "free,money" } };

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        expect(t[i].in, t[i].in); /* never a replacement */
        expect_view(t[i].in, t[i].out);
        assert_true(text.leet_words > 0);
    }
}

static void
repeated_letters_are_two(void **state)
{
    static const char *const words[] = { "free", "refill", "class", "press" };

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++)
        for (size_t more = 1; more < 10; more++) {
            size_t len = strlen(words[i]);
            char in[64] = "so ", out[64];

            memcpy(in + 3, words[i], len);
            memset(in + 3 + len, words[i][len - 1], more);
            snprintf(out, sizeof(out), "so %s", words[i]);
            expect(in, out);
            assert_int_equal(text.repeats, 1);
        }
    expect("freeee moneyyyyyy cooooool", "free moneyy cool");
    assert_int_equal(text.repeats, 3);
    expect_view("FREEEE plllease", "FREE pllease");
    expect("\u0441\u043F\u0430\u0441\u0438\u0431\u043E\u043E\u043E\u043E\u043E",
        "\u0441\u043F\u0430\u0441\u0438\u0431\u043E\u043E");
}

/* --- all at once --- */

static void
attacks_on_top_of_each_other_are_undone(void **state)
{
    uint64_t seed = wn_test_seed();

    (void)state;
    /* look-alikes, set apart, with something invisible and lines */
    expect("fr \u0435 \u0435", "fr \u0435 \u0435");
    expect("f r \u0435 \u0435   m \u043E n \u0435 y", "free money");
    assert_int_equal(text.spaced_words, 2);
    assert_int_equal(text.confusables, 4);
    expect(pile_up(set_apart("claim your bonus", " ", "   "), 0x336, 0x336, 1,
               &seed),
        "claim your bonus");
    expect(pile_up(set_apart("claim your bonus", " ", "   "), 0x200B, 0x200B, 1,
               &seed),
        "claim your bonus");
    expect("\u24BB.\u24C7.\u24BA.\u24BA", "F.R.E.E");
    expect_view("\u24BB.\u24C7.\u24BA.\u24BA", "FREE");
    expect_view("f r 3 3   m 0 n e y", "free money");
    expect_view("fr\u200B33 m0\u0336n\u0435y", "free money");
}

/* A text whose second view differs in one place shows that place. */
static void
the_second_view_says_where_it_differs(void **state)
{
    (void)state;
    harden("one two three v1agra five");
    assert_int_equal(text.view_spots.n, 1);
    assert_int_equal(text.view_spots.at[0], 14);
    harden("b u y v1agra");
    assert_int_equal(text.view_spots.n, 2);
    harden("nothing to see here");
    assert_int_equal(text.view.len, 0);
    assert_int_equal(text.view_spots.n, 0);
}

/* --- the table against ICU --- */

static void
skeleton(const USpoofChecker *sc, UChar32 c, char out[64])
{
    char in[8] = "";
    size_t n = 0;
    UErrorCode ec = U_ZERO_ERROR;

    put(in, &n, c);
    uspoof_getSkeletonUTF8(sc, 0, in, (int32_t)n, out, 64, &ec);
    assert_true(U_SUCCESS(ec));
}

static void
each_row_of_the_table_is_confusable_by_icu(void **state)
{
    UErrorCode ec = U_ZERO_ERROR;
    USpoofChecker *sc = uspoof_open(&ec);

    (void)state;
    assert_true(U_SUCCESS(ec));
    for (size_t i = 0; i < COUNT(looks); i++) {
        char a[64], b[64];

        skeleton(sc, looks[i].c, a);
        skeleton(sc, looks[i].letter, b);
        assert_string_equal(a, b);
        assert_true(i == 0 || looks[i].c > looks[i - 1].c);
    }
    uspoof_close(sc);
}

/* Beside Latin without a space, or from right to left, or Latin itself. */
static bool
is_left_out(UChar32 c)
{
    UErrorCode ec = U_ZERO_ERROR;
    UScriptCode s = uscript_getScript(c, &ec);
    UCharDirection d = u_charDirection(c);

    return s == USCRIPT_LATIN || s == USCRIPT_COMMON || s == USCRIPT_HAN ||
           s == USCRIPT_HANGUL || s == USCRIPT_HIRAGANA ||
           s == USCRIPT_KATAKANA || s == USCRIPT_BOPOMOFO ||
           s == USCRIPT_ETHIOPIC || c == 0x1D26 || s == USCRIPT_MYANMAR ||
           d == U_RIGHT_TO_LEFT || d == U_RIGHT_TO_LEFT_ARABIC;
}

static bool
in_table(UChar32 c)
{
    for (size_t i = 0; i < COUNT(looks); i++)
        if (looks[i].c == c)
            return true;
    return false;
}

static void
the_table_has_each_letter_that_icu_has(void **state)
{
    UErrorCode ec = U_ZERO_ERROR;
    USpoofChecker *sc = uspoof_open(&ec);
    const UNormalizer2 *nfkc = unorm2_getNFKCInstance(&ec);
    char ascii[128][64];

    (void)state;
    assert_true(U_SUCCESS(ec));
    for (UChar32 c = 'A'; c <= 'z'; c++)
        skeleton(sc, c, ascii[c]);
    for (UChar32 c = 0x80; c < 0x20000; c++) {
        char s[64];

        if (!u_isalpha(c) || is_left_out(c) ||
            unorm2_getDecomposition(nfkc, c, (UChar[32]){ 0 }, 32, &ec) >= 0)
            continue;
        skeleton(sc, c, s);
        for (UChar32 l = 'A'; l <= 'z'; l++)
            if (u_isalpha(l) && strcmp(s, ascii[l]) == 0 && !in_table(c))
                fail_msg("U+%04X looks like %c and is not in the table",
                    (unsigned)c, (char)l);
    }
    uspoof_close(sc);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(letters_apart_become_their_words),
    cmocka_unit_test(points_between_letters_are_undone),
    cmocka_unit_test(words_apart_stand_in_sentences),
    cmocka_unit_test(invisible_characters_hide_no_word),
    cmocka_unit_test(stacks_of_marks_leave_the_letters),
    cmocka_unit_test(lines_through_letters_go),
    cmocka_unit_test(styled_alphabets_are_plain_letters),
    cmocka_unit_test(small_capitals_and_raised_letters_are_letters),
    cmocka_unit_test(indicators_that_are_no_flag_are_letters),
    cmocka_unit_test(each_look_alike_in_a_latin_word_is_folded),
    cmocka_unit_test(latin_letters_in_other_words_are_folded_too),
    cmocka_unit_test(look_alikes_hide_no_word),
    cmocka_unit_test(the_second_view_folds_where_the_first_does_not),
    cmocka_unit_test(digits_and_signs_are_letters_in_the_second_view),
    cmocka_unit_test(repeated_letters_are_two),
    cmocka_unit_test(attacks_on_top_of_each_other_are_undone),
    cmocka_unit_test(the_second_view_says_where_it_differs),
    cmocka_unit_test(each_row_of_the_table_is_confusable_by_icu),
    cmocka_unit_test(the_table_has_each_letter_that_icu_has),
};

int
main(void)
{
    return wn_test_run("classifier/evasion", tests,
        sizeof(tests) / sizeof(tests[0]), start, finish);
}
