/*
 * matches(): RE2's syntax, what it refuses, and that no pattern and no text
 * makes it slow.
 */
#include "tests/unit/cel_kit.h"

struct match {
    const char *pattern, *text;
    bool want;
};

static const char *
ask(const char *pattern, const char *text, size_t len, bool *ret)
{
    static struct wn_cel_run run;
    struct wn_arena arena;
    const char *why = NULL;
    const struct wn_cel_regex *re;
    struct wn_cel_value v;

    wn_arena_init(&arena, 4096, 16u << 20);
    re = wn_cel_regex_new(
        &arena, NULL, (struct wn_str){ pattern, strlen(pattern) }, &why);
    if (re != NULL) {
        wn_cel_run_init(&run, NULL);
        v = wn_cel_regex_match(re, &run, (struct wn_str){ text, len });
        why = v.kind == WN_CEL_BOOL ? NULL : v.why;
        *ret = v.kind == WN_CEL_BOOL && v.b;
        wn_cel_run_release(&run);
    }
    wn_arena_release(&arena);
    return why;
}

/* clang-format off */
static void
patterns_match_as_re2_has_them(void **state)
{
    static const struct match rows[] = {
        { "", "x", true }, { "b", "abc", true }, { "^b", "abc", false },
        { "c$", "abc", true }, { "^abc$", "abc", true },
        { "^b$", "a\nb", false }, { "(?m)^b$", "a\nb\nc", true },
        { "a$", "a\n", false }, { "\\Aa\\z", "a", true },
        { "a.c", "a\nc", false }, { "(?s)a.c", "a\nc", true },
        { "a[^b]c", "a\nc", true },
        { "^a|b$", "xb", true }, { "a||b", "", true }, { "(|a)b", "b", true },
        { "^(ab)*$", "ababab", true }, { "^(ab)+$", "", false },
        { "^a?b$", "b", true }, { "^a{2,3}$", "aaaa", false },
        { "^a{2,}$", "aaaa", true }, { "^a{3}$", "aaa", true },
        { "^a*?b+?$", "aab", true }, { "a{,2}", "a{,2}", true },
        { "a{x", "a{x", true }, { "(a*)*b", "b", true },
        { "^(a|b|cd)+$", "acdb", true },
        { "\\bnow\\b", "do it now!", true }, { "\\bow", "now", false },
        { "\\Bow", "now", true },
        { "^\\d+\\s\\w+$", "12 ab_", true }, { "\\D", "123", false },
        { "^[\\d-]+$", "1-2", true }, { "[^\\W]", "-", false },
        { "^[]a]$", "]", true }, { "^[a-c]+$", "abc", true },
        { "^[[:alpha:]]+[[:^alpha:]]$", "ab1", true },
        { "^\\x41\\x{e9}\\101\\n$", "A\xc3\xa9" "A\n", true },
        { "\\.", "a", false }, { "\\Qa.b\\E+", "a.bb", true },
        { "(?i)stra\xc3\x9f" "e", "STRA\xc3\x9f" "E", true },
        { "(?i)\xd0\xbf\xd1\x80\xd0\xb8", "\xd0\x9f\xd0\xa0\xd0\x98", true },
        { "(?i)[^k]", "K", false }, { "(?i)[k]", "\xe2\x84\xaa", true },
        { "(?i:a)b", "Ab", true }, { "(?i:a)b", "AB", false },
        { "a(?i)b", "aB", true }, { "(?i)a(?-i)b", "AB", false },
        { "(?P<x>a)(?<y>b)(?:c)", "abc", true },
        { "^\\pL+$", "a\xc3\xa9\xd0\xb1", true }, { "^\\PL$", "1", true },
        { "^\\p{Greek}$", "\xce\xb1", true }, { "^\\p{^Greek}$", "a", true },
        { "^\\p{Lu}$", "A", true }, { "^.$", "\xf0\x9f\x90\xb1", true },
        { "(a|aa)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false },
        { "(?i)^\\P{Lu}$", "a", false }, { "(?i)^\\P{Lu}$", "1", true },
        { "(?i)[^[:lower:]]", "AZaz", false },
        { "(?i)[^a-z]", "\xe2\x84\xaa", false },
        { "x*y|\\bz", "aab z", true }, { "x*", "", true },
        { "(^|b)c", "abc", true }, { "$", "abc", true },
        { "(\xc3\xa9|b)t", "aa\xc3\xa9t", true },
        { "(a|\\b)+c", "--c", true }, { "\\B-", "a--", true },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool got = false;
        const char *why =
            ask(rows[i].pattern, rows[i].text, strlen(rows[i].text), &got);

        if (why != NULL || got != rows[i].want)
            fail_msg("/%s/ on '%s': %s", rows[i].pattern, rows[i].text,
                why != NULL ? why : got ? "matches" : "does not match");
    }
}

static void
what_re2_lacks_is_refused_when_loaded(void **state)
{
    static const char *const patterns[] = { "(a)\\1", "\\k<x>", "a(?=b)",
        "a(?!b)", "(?<=a)b", "(?<!a)b", "(?>a)", "a*+", "a**", "a++", "*a",
        "a|*", "(?R)", "(?z)a", "(?)", "(", "(a", "a)", "[", "[a", "[z-a]",
        "[[:foo:]]", "\\", "\\q", "\\xg", "\\x{110000}", "\\p{Nope}", "\\C",
        "a{2,1}", "a{1001}", "(((a{1000}){1000}){1000})",
        "((((){1000}){1000}){1000})", "(?P<>a)", "(?P<a-b>a)", "\xff" };

    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        bool got = false;

        if (ask(patterns[i], "aab", 3, &got) == NULL)
            fail_msg("/%s/ was accepted", patterns[i]);
    }
}
/* clang-format on */

static void
deep_and_long_patterns_are_refused(void **state)
{
    char *deep = repeat("", "(", 5000, "a");
    char *wide = repeat("", "[a-z]", 2000, "");
    bool got = false;

    assert_string_equal(
        ask(deep, "a", 1, &got), "the pattern is nested too deeply");
    assert_string_equal(ask(wide, "a", 1, &got), "the pattern is too large");
    free(deep);
    free(wide);
}

/* A letter is folded once however often it stands there; what takes ICU long
 * is counted. */
static void
folding_is_shared_and_bounded(void **state)
{
    char *words = repeat("(?i)(", "alpha|Bravo|charlie|", 300, "end)");
    char *classes = repeat("(?i)", "\\pL", 100, "");
    bool got = false;

    assert_null(ask(words, "a BRAVO", 7, &got));
    assert_true(got);
    assert_null(ask(words, "a brav", 6, &got));
    assert_false(got);
    assert_string_equal(ask(classes, "a", 1, &got), "the pattern is too large");
    free(words);
    free(classes);
}

/* What costs a backtracking matcher centuries. */
static void
texts_cost_in_proportion_to_their_length(void **state)
{
    char *text = repeat("", "a", 20000, "!");
    bool got = true;

    assert_null(ask("^(a+)+$", text, 20001, &got));
    assert_false(got);
    assert_null(ask("(a|a)*b", text, 20001, &got));
    assert_false(got);
    assert_string_equal(ask("(a?){200}(a?){200}(a?){200}b", text, 20001, &got),
        "the expression costs too much");
    free(text);
}

static void
a_pattern_from_the_post_is_compiled_when_it_is_met(void **state)
{
    static const struct row rows[] = {
        { "s.matches('^caf')", "true" },
        { "matches(s, 'now$')", "true" },
        { "'a'.matches(string(n))", "false" },
        { "'a('.matches(s.substring(0, 0) + '(')",
            "error: the pattern has a ( or [ that is not closed" },
        { "s.matches('(')", "refused: column 11 of when: matches(): the "
                            "pattern has a ( or [ that is not closed" },
        { "gone.number > 1 || s.matches('f')", "true" },
    };
    CHECK_ROWS(rows);
}

/* Any bytes as pattern and text: an answer or a reason. ASan watches. */
static void
random_patterns_never_crash(void **state)
{
    static const char *const parts[] = { "a", "b", "(", ")", "[", "]", "|", "*",
        "+", "?", "{2,3}", "{", "^", "$", ".", "\\d", "\\b", "\\pL", "-",
        "(?i)", "(?:", "\\", "\xc3\xa9", "\xff", "[^", "[[:alpha:]]" };
    uint64_t seed = wn_test_seed();
    char pattern[256];

    for (int round = 0; round < 20000; round++) {
        size_t len = 0, n = wn_test_random(&seed) % 12;
        bool got = false;
        const char *why;

        for (size_t i = 0; i < n; i++)
            len += (size_t)sprintf(pattern + len, "%s",
                parts[wn_test_random(&seed) %
                      (sizeof(parts) / sizeof(parts[0]))]);
        pattern[len] = '\0';
        why = ask(pattern, "ab\xc3\xa9\n-\xff", 7, &got);
        assert_true(why == NULL || !got);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(patterns_match_as_re2_has_them),
    cmocka_unit_test(what_re2_lacks_is_refused_when_loaded),
    cmocka_unit_test(deep_and_long_patterns_are_refused),
    cmocka_unit_test(folding_is_shared_and_bounded),
    cmocka_unit_test(texts_cost_in_proportion_to_their_length),
    cmocka_unit_test(a_pattern_from_the_post_is_compiled_when_it_is_met),
    cmocka_unit_test(random_patterns_never_crash),
};
WN_TEST_MAIN("policies_cel_regex", tests)
