/*
 * The expression language by itself: literals and operators, what it refuses
 * and at which column, and its bounds.
 */
#include "tests/unit/cel_kit.h"

/* clang-format off */
static void
literals_are_what_they_say(void **state)
{
    static const struct row rows[] = {
        { "42", "42" }, { "0x2A", "42" }, { "-0x2a", "-42" },
        { "9223372036854775807", "9223372036854775807" },
        { "-9223372036854775808", "-9223372036854775808" },
        { "18446744073709551615u", "18446744073709551615u" },
        { "0xFFu", "255u" }, { "7U", "7u" },
        { "1.5", "1.5d" }, { ".5", "0.5d" }, { "2e3", "2000d" },
        { "-2.5E-1", "-0.25d" },
        { "true", "true" }, { "false", "false" }, { "null", "null" },
        { "'a\"b'", "'a\"b'" }, { "\"a'b\"", "'a'b'" },
        { "'\\n\\t\\\\\\'\\\"\\x41\\101\\u00e9\\U0001F431'",
          "'\n\t\\'\"AA\xc3\xa9\xf0\x9f\x90\xb1'" },
        { "r'\\d'", "'\\d'" }, { "R\"\\\"", "'\\'" },
        { "'''a'b\nc'''", "'a'b\nc'" }, { "\"\"\"x\"y\"\"\"", "'x\"y'" },
        { "''", "''" },
        { "b'a\\xff\\101' == b'a\\377A'", "true" },
        { "b'\\303\\251' == b'\xc3\xa9'", "true" },
        { "size(b'\xc3\xa9')", "2" }, { "bR'\\x' == b'\\\\x'", "true" },
        { "'\\ud83d\\udc31'", "'\xf0\x9f\x90\xb1'" },
        { "[]", "0 elements" }, { "[1, 2,]", "2 elements" },
        { "{'a': 1, 'b': 2}", "2 elements" }, { "{}", "0 elements" },
        { "1 // the rest is a comment", "1" },
        { " \t\n1\r\n", "1" },
    };
    CHECK_ROWS(rows);
}

static void
operators_follow_the_precedence_of_the_standard(void **state)
{
    static const struct row rows[] = {
        { "1 + 2 * 3", "7" }, { "(1 + 2) * 3", "9" },
        { "7 - 2 - 1", "4" }, { "2 * 7 / 4", "3" }, { "-7 / 2", "-3" },
        { "-7 % 3", "-1" }, { "-n", "-5" }, { "--5", "5" },
        { "1 + 1 == 2 && 2 < 3", "true" },
        { "true || false && false", "true" },
        { "!false && true", "true" }, { "!(b && false)", "true" },
        { "true ? 1 : false ? 2 : 3", "1" },
        { "false ? 1 : false ? 2 : 3", "3" },
        { "b ? 'x' : 'y'", "'x'" },
        { "1 in [1, 2] && true", "true" },
        { "'a' + 'b' == 'ab'", "true" },
        { "[1] + [2] == [1, 2]", "true" },
        { "[1, 2][1] + 1", "3" },
        { "{'k': {'m': 4}}.k.m", "4" },
        { "{'a b': 1}.`a b`", "1" },
        { "{'if': 1}.if", "1" },
    };
    CHECK_ROWS(rows);
}

static void
numbers_of_different_types_compare_by_value(void **state)
{
    static const struct row rows[] = {
        { "d < 3", "true" }, { "3 > d", "true" }, { "n == 5.0", "true" },
        { "n != 5u", "false" }, { "1u <= 1.5", "true" },
        { "-1 < 0u", "true" }, { "1 in [1.0, 2.0]", "true" },
        { "[1, 2u] == [1.0, 2]", "true" },
        { "0.0 / 0.0 == 0.0 / 0.0", "false" },
        { "0.0 / 0.0 < 1.0", "false" }, { "0.0 / 0.0 >= 1.0", "false" },
        { "9223372036854775807 < 9300000000000000000u", "true" },
        { "9223372036854775807 < 1e300", "true" },
        { "-9223372036854775808 < -1e300", "false" },
        { "{1: 'a'}[1u]", "'a'" },
    };
    CHECK_ROWS(rows);
}

static void
strings_compare_by_code_point_and_count_characters(void **state)
{
    static const struct row rows[] = {
        { "size(s)", "8" }, { "s.size()", "8" }, { "size('')", "0" },
        { "s.startsWith('caf')", "true" }, { "s.startsWith('now')", "false" },
        { "s.endsWith('now')", "true" }, { "s.endsWith('')", "true" },
        { "'a'.startsWith('ab')", "false" }, { "'a'.endsWith('ba')", "false" },
        { "s.contains('\\u00e9 n')", "true" }, { "s.contains('xyz')", "false" },
        { "'A' < 'a'", "true" }, { "'ab' < 'abc'", "true" },
        { "'' < 'a'", "true" }, { "'z' < '\\u00e1'", "true" },
        { "false < true", "true" },
    };
    CHECK_ROWS(rows);
}

static void
signals_lists_and_maps_are_read_where_they_lie(void **state)
{
    static const struct row rows[] = {
        { "size(post.links)", "2" },
        { "'https://a.example' in post.links", "true" },
        { "'https://c.example' in post.links", "false" },
        { "post.links[1].endsWith('b.example')", "true" },
        { "post.links[2]", "error: no such element" },
        { "post.links[-1]", "error: no such element" },
        { "post.links + ['x'] == ['https://a.example', "
          "'https://b.example', 'x']", "true" },
        { "post.extra.age > 16", "true" },
        { "post.extra['age'] + 1", "18" },
        { "post.extra.vip && b", "true" },
        { "post.extra.nothing == null", "true" },
        { "post.extra.inner.lang == 'en'", "true" },
        { "post.extra.inner == {'lang': 'en'}", "true" },
        { "'age' in post.extra", "true" },
        { "size(post.extra)", "4" },
        { "post.extra.missing", "error: no such key" },
        { "post.extra.age.deeper",
          "error: an operator does not take this type" },
        { "has(post.extra.age)", "true" },
        { "has(post.extra.missing)", "false" },
        { "has(post.extra.inner.lang)", "true" },
        { "double(n) / d", "2d" }, { "int(d)", "2" },
        { "int(1e30)", "error: the number does not fit an int" },
        { "int(0.0 / 0.0)", "error: the number does not fit an int" },
    };
    CHECK_ROWS(rows);
}

static void
arithmetic_that_leaves_its_type_is_an_error(void **state)
{
    static const struct row rows[] = {
        { "9223372036854775807 + 1", "error: a number leaves 64 bits" },
        { "-9223372036854775808 - 1", "error: a number leaves 64 bits" },
        { "5000000000 * 5000000000", "error: a number leaves 64 bits" },
        { "(-9223372036854775808) / -1", "error: a number leaves 64 bits" },
        { "(-9223372036854775808) % -1", "error: a number leaves 64 bits" },
        { "-(-9223372036854775808)", "error: a number leaves 64 bits" },
        { "0u - 1u", "error: a number leaves 64 bits" },
        { "1 / 0", "error: division by zero" },
        { "1 % 0", "error: division by zero" },
        { "1u / 0u", "error: division by zero" },
        { "1.0 / 0.0", "infd" },
        { "{n: 1, 5: 2}", "error: the map has a key twice" },
    };
    CHECK_ROWS(rows);
}

static void
unknown_and_errors_travel_until_they_do_not_matter(void **state)
{
    static const struct row rows[] = {
        { "gone.number > 1", "unknown" }, { "gone.flag", "unknown" },
        { "!gone.flag", "unknown" }, { "-gone.number", "unknown" },
        { "gone.flag && false", "false" }, { "false && gone.flag", "false" },
        { "gone.flag && true", "unknown" }, { "true && gone.flag", "unknown" },
        { "gone.flag || true", "true" }, { "true || gone.flag", "true" },
        { "gone.flag || false", "unknown" },
        { "1 / 0 > 1 || true", "true" }, { "1 / 0 > 1 && false", "false" },
        { "1 / 0 > 1 && true", "error: division by zero" },
        { "1 / 0 > 1 || gone.flag", "unknown" },
        { "gone.flag || 1 / 0 > 1", "unknown" },
        { "gone.number == 1 / 0", "unknown" },
        { "1 / 0 == gone.number", "unknown" },
        { "gone.flag ? 1 : 2", "unknown" }, { "b ? 1 : gone.number", "1" },
        { "[gone.number]", "unknown" }, { "{'a': gone.number}", "unknown" },
        { "size(gone.map)", "unknown" }, { "gone.map.x", "unknown" },
        { "has(gone.number)", "false" }, { "has(post.links)", "true" },
        { "has(gone.map.x)", "false" },
        { "has(gone.number) && gone.number > 3", "false" },
        { "dyn(1) && true", "error: an operator does not take this type" },
        { "dyn(1) ? 1 : 2", "error: an operator does not take this type" },
        { "dyn('a') < 1", "error: an operator does not take this type" },
        { "dyn('a') == 1", "false" }, { "null == dyn(1)", "false" },
        { "size(dyn(3))", "error: an operator does not take this type" },
        { "size(dyn([1, 2]))", "2" },
    };
    CHECK_ROWS(rows);
}

static void
syntax_errors_name_the_column(void **state)
{
    static const struct row rows[] = {
        { "", "refused: column 1 of when: ends where an expression is wanted" },
        { "1 +", "refused: column 4 of when: ends where an expression is wanted" },
        { "(1", "refused: column 3 of when: ends where ')' is wanted" },
        { "1 2", "refused: column 3 of when: a literal stands where an operator or the end is wanted" },
        { "b & b", "refused: column 3 of when: '&' alone is no operator: '&&'?" },
        { "n = 5", "refused: column 3 of when: '=' alone is no operator: '=='?" },
        { "b and b", "refused: column 3 of when: 'and' is no operator: '&&'?" },
        { "b OR b", "refused: column 3 of when: 'OR' is no operator: '||'?" },
        { "not b", "refused: column 1 of when: 'not' is no operator: '!'?" },
        { "b && not (b)", "refused: column 6 of when: 'not' is no operator: '!'?" },
        { "b # b", "refused: column 3 of when: unexpected character '#'" },
        { "'\xc3\xa9\xc3\xa9' == @", "refused: column 9 of when: unexpected character '@'" },
        { "n > 1 \xe2\x89\xa4", "refused: column 7 of when: unexpected byte 0xe2: only strings may hold other characters" },
        { "'abc", "refused: column 1 of when: the string is not closed" },
        { "'a\nb'", "refused: column 1 of when: the string is not closed" },
        { "'''a''", "refused: column 1 of when: the string is not closed" },
        { "'a\\", "refused: column 3 of when: bad escape: \\n \\t \\\" \\\\ and the like, \\xHH, \\ooo, \\uHHHH or \\UHHHHHHHH" },
        { "'\\q'", "refused: column 2 of when: bad escape: \\n \\t \\\" \\\\ and the like, \\xHH, \\ooo, \\uHHHH or \\UHHHHHHHH" },
        { "'\\ud800'", "refused: column 2 of when: the escape names no character" },
        { "'\\U00110000'", "refused: column 2 of when: the escape names no character" },
        { "9223372036854775808", "refused: column 1 of when: the number does not fit an int: 64 bits with sign" },
        { "18446744073709551616u", "refused: column 1 of when: the number is too large" },
        { "0x1FFFFFFFFFFFFFFFF", "refused: column 1 of when: the number is too large" },
        { "0x", "refused: column 1 of when: 0x wants hexadecimal digits" },
        { "1e999", "refused: column 1 of when: the number is too large" },
        { "12abc", "refused: column 1 of when: a number runs into a name" },
        { "if > 1", "refused: column 1 of when: 'if' is a reserved word" },
        { "n.1", "refused: column 2 of when: a literal stands where an operator or the end is wanted" },
        { "s.", "refused: column 3 of when: ends where a name is wanted" },
        { "s.in", "refused: column 3 of when: 'in' stands where a name is wanted" },
        { "[1 2]", "refused: column 4 of when: a literal stands where ',' or ']' is wanted" },
        { "{'a' 1}", "refused: column 6 of when: a literal stands where ':' is wanted" },
        { "b ? 1", "refused: column 6 of when: ends where ':' is wanted" },
        { "`n`", "refused: column 1 of when: 'n' stands where an expression is wanted" },
        { "b'\\u00e9'", "refused: column 3 of when: bad escape: \\n \\t \\\" \\\\ and the like, \\xHH, \\ooo, \\uHHHH or \\UHHHHHHHH (in a string only)" },
        { "'\\ud83d\\u0041'", "refused: column 2 of when: the escape names no character" },
        { ". + 1", "refused: column 3 of when: '+' stands where a name is wanted" },
        { "s.``", "refused: column 3 of when: the name in ` ` is empty" },
        { "s.`a", "refused: column 3 of when: the name in ` ` is not closed" },
    };
    CHECK_ROWS(rows);
}

static void
check_errors_name_types_and_the_nearest_name(void **state)
{
    static const struct row rows[] = {
        { "post.lnks", "refused: column 1 of when: no such signal: post.lnks; did you mean post.links?" },
        { "b && post.link", "refused: column 6 of when: no such signal: post.link; did you mean post.links?" },
        { "zzzzzzzz > 1", "refused: column 1 of when: no such signal: zzzzzzzz" },
        { "s > 1", "refused: column 3 of when: '>' cannot compare string and int" },
        { "b == 1", "refused: column 3 of when: '==' cannot compare bool and int" },
        { "n == null", "refused: column 3 of when: '==' cannot compare int and null" },
        { "post.links < []", "refused: column 12 of when: '<' cannot compare list(string) and list(dyn)" },
        { "n + 1.0", "refused: column 3 of when: '+' cannot take int and double: write 30.0 for 30, or double(x) for x" },
        { "s - s", "refused: column 3 of when: '-' cannot take string and string" },
        { "d % d", "refused: column 3 of when: '%' cannot take double and double" },
        { "b + b", "refused: column 3 of when: '+' cannot take bool and bool" },
        { "n && b", "refused: column 1 of when: '&&' wants a bool, this is int" },
        { "!n", "refused: column 2 of when: '!' wants a bool, this is int" },
        { "-s", "refused: column 1 of when: '-' wants an int or a double, not string" },
        { "n ? 1 : 2", "refused: column 3 of when: '?' wants a bool before it, not int" },
        { "b ? 1 : 'a'", "refused: column 3 of when: '?' gives int or string: both sides are of one type" },
        { "1 in post.links", "refused: column 3 of when: 'in' cannot compare int and list(string)" },
        { "'a' in s", "refused: column 5 of when: 'in' wants a list or a map; for a part of a text write: text.contains(part)" },
        { "1 in n", "refused: column 3 of when: 'in' cannot look through int and int" },
        { "post.links['a']", "refused: column 11 of when: a list's index is an int, not string" },
        { "post.extra[1]", "refused: column 11 of when: the map has no key of type int" },
        { "n[0]", "refused: column 2 of when: int has no elements" },
        { "s.length", "refused: column 3 of when: string has no members" },
        { "sise(s)", "refused: column 1 of when: no such function: sise(); did you mean size()?" },
        { "frobnicate(s)", "refused: column 1 of when: no such function: frobnicate()" },
        { "size(n)", "refused: column 1 of when: size() does not take the argument int" },
        { "size(s, s)", "refused: column 1 of when: size() takes 1 argument" },
        { "size()", "refused: column 1 of when: size() takes 1 argument" },
        { "s.contains()", "refused: column 3 of when: contains() takes 1 argument" },
        { "contains(s, 'a')", "refused: column 1 of when: contains() is written a.contains(b)" },
        { "s.dyn()", "refused: column 3 of when: dyn() is written dyn(a)" },
        { "post.links.contains('a')", "refused: column 12 of when: contains() does not take list(string); for a list write: x in list" },
        { "has(n)", "refused: column 1 of when: has() takes one member: has(author.followers)" },
        { "has(gone.numbr)", "refused: column 5 of when: no such signal: gone.numbr; did you mean gone.number?" },
        { "{1.5: 2}", "refused: column 2 of when: a map's keys are strings, ints, uints or bools" },
        { "{'a': 1, 'a': 2}", "refused: column 10 of when: the map has this key already" },
    };
    CHECK_ROWS(rows);
}
/* clang-format on */

static void
nesting_is_bounded_whatever_it_is_made_of(void **state)
{
    expect_start(repeat("", "(", 60000, "1"),
        "refused: column 65 of when: nested deeper than 64");
    expect_start(repeat("", "[", 60000, ""),
        "refused: column 65 of when: nested deeper than 64");
    expect_start(repeat("", "!", 60000, "b"),
        "refused: column 64 of when: nested deeper than 64");
    expect_start(repeat("", "-", 60000, "n"),
        "refused: column 64 of when: nested deeper than 64");
    expect_start(repeat("", "b?1:", 10000, "1"),
        "refused: column 257 of when: nested deeper than 64");
    expect_start(repeat("n", "+n", 30000, ""),
        "refused: column 128 of when: nested deeper than 64");
    expect_start(repeat("s", ".a", 30000, ""),
        "refused: column 129 of when: nested deeper than 64");
    expect_start(repeat("s", "[0]", 20000, ""),
        "refused: column 191 of when: nested deeper than 64");
    expect_start(repeat("", "{1:", 20000, ""),
        "refused: column 191 of when: nested deeper than 64");
    expect_start(repeat("", "size(", 12000, ""),
        "refused: column 321 of when: nested deeper than 64");
}

static void
what_fits_the_bounds_is_accepted(void **state)
{
    expect_start(repeat("", "!", 32, "true"), "true");
    expect_start(repeat("", "-", 32, "n"), "5");
    expect_start(repeat("n", "+n", 60, ""), "305");
    expect_start(repeat("", "false || ", 5000, "true"), "true");
    expect_start(repeat("", "true && ", 5000, "false"), "false");
    expect_start(repeat("7 in [", "1,", 8000, "7]"), "true");
    expect_start(repeat("'", "x", 60000, "'.endsWith('x')"), "true");
}

static void
size_of_an_expression_is_bounded(void **state)
{
    expect_start(repeat("7 in [", "1,", 20000, "7]"),
        "refused: column 16389 of when: more than 8192 parts in one");
    expect_start(repeat("'", "x", 70000, "'"),
        "refused: when is longer than 65536 bytes");
}

/* A text that doubles with every step of a nest. */
static void
evaluation_builds_no_more_than_its_bound(void **state)
{
    char *nest = repeat("cel.bind(x, s,", "cel.bind(x, x + x,", 40, "size(x)");
    char got[600], *src = repeat(nest, ")", 41, "");

    run_expr(src, strlen(src), got, sizeof(got));
    assert_string_equal(got, "error: the expression builds too much");
    free(src);
    free(nest);
    expect_start(repeat("size([", "n,", 1000, "n]) > 0"), "true");
    expect_start(repeat("size([", "n,", 100, "n])"), "101");
}

/* A map of n keys in the other order costs n * n steps: refused at a bound. */
static void
comparing_hostile_maps_is_bounded(void **state)
{
    enum { N = 4000 };
    struct wn_str *keys = calloc(2 * N, sizeof(*keys));
    struct wn_value *zeros = calloc(N, sizeof(*zeros)), values[VARS];
    char(*text)[8] = calloc(N, sizeof(*text));
    const struct wn_cel_node *node = NULL;
    struct wn_cel_env two = { .vars = vars, .n = VARS };
    struct wn_arena arena;
    struct wn_cel_run run;
    struct wn_err err = { "" };
    struct wn_cel_value v;
    size_t scans = 0;

    assert_true(keys != NULL && zeros != NULL && text != NULL);
    for (int i = 0; i < N; i++) {
        zeros[i] = wn_value_int(0);
        keys[i] = (struct wn_str){ text[i],
            (size_t)snprintf(text[i], sizeof(text[i]), "k%d", i) };
        keys[2 * N - 1 - i] = keys[i];
    }
    fill(values);
    values[V_MAP].map.keys = keys;
    values[V_MAP].map.v = zeros;
    values[V_MAP].map.n = N;
    values[V_DEEP] = values[V_MAP];
    values[V_DEEP].map.keys = keys + N;
    wn_arena_init(&arena, 4096, 1u << 20);
    assert_wn_ok(wn_cel_compile(&node, &arena, "post.extra == gone.map", 22,
                     "when", &two, &scans, &err),
        &err);
    assert_int_equal(scans, 1);
    wn_cel_run_init(&run, values);
    v = wn_cel_eval(node, &run);
    assert_int_equal(v.kind, WN_CEL_ERROR);
    assert_string_equal(v.why, "the expression costs too much");
    wn_cel_run_release(&run);
    wn_arena_release(&arena);
    free(keys);
    free(zeros);
    free(text);
}

/* An error for each of thousands of names, none of which anybody reads: it
 * is written for none of them. */
static void
where_nothing_is_checked_no_error_is_written(void **state)
{
    const struct wn_cel_env unchecked = { vars, VARS, true };
    char *src = repeat("[", "optional.oNfonZeroValue(s.cafe()), ", 1500, "1]");
    const struct wn_cel_node *node = NULL;
    struct wn_err err = { "" };
    struct wn_arena arena;
    size_t scans = 0;

    wn_arena_init(&arena, 4096, 64u << 20);
    assert_int_equal(wn_cel_compile(&node, &arena, src, strlen(src), "when",
                         &unchecked, &scans, &err),
        WN_OK);
    assert_string_equal(err.text, "");
    assert_int_equal(node->kids[0]->op, WN_OP_FAIL);
    wn_arena_release(&arena);
    free(src);
}

/* Any bytes: refused or evaluated, never more. ASan and UBSan watch. */
static void
random_tokens_never_crash(void **state)
{
    static const char *const tokens[] = { "n", "s", "b", "d", "post.links",
        "post.extra", "gone.flag", "(", ")", "[", "]", "{", "}", ",", ":", "?",
        ".", "&&", "||", "!", "==", "<", "+", "-", "*", "/", "%", "in", "'x'",
        "1", "0u", "2.5", "size(", "has(", "true", "\xff", "'\\x" };
    uint64_t seed = wn_test_seed();
    char src[256], got[600];

    for (int round = 0; round < 20000; round++) {
        size_t len = 0, n = 1 + wn_test_random(&seed) % 14;

        for (size_t i = 0; i < n; i++)
            len += (size_t)sprintf(src + len, "%s ",
                tokens[wn_test_random(&seed) %
                       (sizeof(tokens) / sizeof(tokens[0]))]);
        got[0] = '\0';
        run_expr(src, len, got, sizeof(got));
        assert_true(got[0] != '\0');
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(literals_are_what_they_say),
    cmocka_unit_test(operators_follow_the_precedence_of_the_standard),
    cmocka_unit_test(numbers_of_different_types_compare_by_value),
    cmocka_unit_test(strings_compare_by_code_point_and_count_characters),
    cmocka_unit_test(signals_lists_and_maps_are_read_where_they_lie),
    cmocka_unit_test(arithmetic_that_leaves_its_type_is_an_error),
    cmocka_unit_test(unknown_and_errors_travel_until_they_do_not_matter),
    cmocka_unit_test(syntax_errors_name_the_column),
    cmocka_unit_test(check_errors_name_types_and_the_nearest_name),
    cmocka_unit_test(nesting_is_bounded_whatever_it_is_made_of),
    cmocka_unit_test(what_fits_the_bounds_is_accepted),
    cmocka_unit_test(size_of_an_expression_is_bounded),
    cmocka_unit_test(evaluation_builds_no_more_than_its_bound),
    cmocka_unit_test(comparing_hostile_maps_is_bounded),
    cmocka_unit_test(where_nothing_is_checked_no_error_is_written),
    cmocka_unit_test(random_tokens_never_crash),
};
WN_TEST_MAIN("policies_cel", tests)
