/*
 * Macros, bindings and optionals of the expression language.
 */
#include "tests/unit/cel_kit.h"

/* clang-format off */
static void
macros_go_over_lists_and_maps(void **state)
{
    static const struct row rows[] = {
        { "post.links.all(l, l.startsWith('https'))", "true" },
        { "post.links.exists(l, l.endsWith('b.example'))", "true" },
        { "post.links.exists_one(l, l.contains('example'))", "false" },
        { "post.links.existsOne(l, l.contains('a.'))", "true" },
        { "post.links.filter(l, l.contains('b.')) == [post.links[1]]", "true" },
        { "post.links.map(l, size(l)) == [17, 17]", "true" },
        { "[1, 2, 3].map(x, x > 1, x * x) == [4, 9]", "true" },
        { "[].all(x, false)", "true" }, { "[].exists(x, true)", "false" },
        { "{'a': 1, 'b': 2}.exists(k, k == 'b')", "true" },
        { "{'a': 1, 'b': 2}.map(k, k) == ['a', 'b']", "true" },
        { "{'a': 1, 'b': 2}.filter(k, k == 'b') == ['b']", "true" },
        { "post.extra.exists(k, k == 'vip')", "true" },
        { "[[1], [2, 3]].map(l, l.map(x, x + size(l))) == [[2], [4, 5]]",
          "true" },
        { "[1, 2].exists(n, n == 2) && n == 5", "true" },
        { "[1].all(s, s == 1)", "true" },
        { "[{'n': 7}].exists(n, n.n == 7 && .n == 5)", "true" },
        { "[1].all(post, .post.links[0] == 'https://a.example')", "true" },
        { "post.extra.inner.all(k, k == 'lang')", "true" },
        { "dyn([1, 2]).exists(x, x == 2)", "true" },
        { "dyn(1).exists(x, true)",
          "error: an operator does not take this type" },
    };
    CHECK_ROWS(rows);
}

static void
macros_with_two_variables_have_the_index_or_the_key(void **state)
{
    static const struct row rows[] = {
        { "[5, 6].all(i, v, v == i + 5)", "true" },
        { "[5, 6].exists(i, v, i == 1 && v == 6)", "true" },
        { "[5, 6].existsOne(i, v, v > i)", "false" },
        { "{'a': 1, 'b': 2}.exists(k, v, k == 'b' && v == 2)", "true" },
        { "[5, 6].transformList(i, v, v * i) == [0, 6]", "true" },
        { "[5, 6].transformList(i, v, i == 1, v) == [6]", "true" },
        { "{'a': 1}.transformList(k, v, k) == ['a']", "true" },
        { "{'a': 1, 'b': 2}.transformMap(k, v, v + 1) == {'a': 2, 'b': 3}",
          "true" },
        { "{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v) == {'b': 2}", "true" },
        { "['x', 'y'].transformMap(i, v, v) == {0: 'x', 1: 'y'}", "true" },
        { "{'a': 1}.transformMapEntry(k, v, {v: k}) == {1: 'a'}", "true" },
        { "{'a': 1, 'b': 1}.transformMapEntry(k, v, {v: k})",
          "error: the map has a key twice" },
        { "post.extra.exists(k, v, k == 'age' && v == 17)", "true" },
    };
    CHECK_ROWS(rows);
}

static void
errors_and_unknown_count_only_where_nothing_settles_it(void **state)
{
    static const struct row rows[] = {
        { "[1, 2, 0].all(x, 2 / x == 9)", "false" },
        { "[0, 1].exists(x, 1 / x == 1)", "true" },
        { "[0, 1].all(x, 1 / x == 1)", "error: division by zero" },
        { "[0, 1].exists_one(x, 1 / x == 1)", "error: division by zero" },
        { "[0, 1].map(x, 1 / x)", "error: division by zero" },
        { "[0, 1].filter(x, 1 / x == 1)", "error: division by zero" },
        { "[1, 2].exists(x, gone.flag)", "unknown" },
        { "[1, 2].exists(x, gone.flag || x == 2)", "true" },
        { "[1, 2].all(x, gone.flag && x == 1)", "false" },
        { "[0, 1].all(x, gone.flag && 1 / x == 1)", "unknown" },
        { "[1, 2].exists_one(x, gone.flag)", "unknown" },
        { "[1].map(x, gone.number)", "unknown" },
        { "gone.map.exists(k, true)", "unknown" },
        { "post.links.exists(l, dyn(1))",
          "error: an operator does not take this type" },
    };
    CHECK_ROWS(rows);
}

static void
a_binding_is_evaluated_for_its_body(void **state)
{
    static const struct row rows[] = {
        { "cel.bind(x, n + 1, x * x)", "36" },
        { "cel.bind(n, 1, n + n)", "2" },
        { "cel.bind(x, 1, cel.bind(x, x + 1, x + 1))", "3" },
        { "cel.bind(x, 1 / 0, true)", "true" },
        { "cel.bind(x, 1 / 0, x == 1)", "error: division by zero" },
        { "cel.bind(x, gone.flag, x || true)", "true" },
        { "cel.bind(x, [1, 2], x.all(y, y in x))", "true" },
    };
    CHECK_ROWS(rows);
}

static void
optionals_look_without_an_error(void **state)
{
    static const struct row rows[] = {
        { "post.extra.?age.orValue(0)", "17" },
        { "post.extra.?missing.orValue(7)", "7" },
        { "post.extra.?inner.lang.orValue('xx')", "'en'" },
        { "post.extra.?missing.lang.hasValue()", "false" },
        { "post.extra[?'age'].value()", "17" },
        { "post.extra.?missing.value()", "error: the optional has no value" },
        { "post.links[?1].hasValue()", "true" },
        { "post.links[?9].hasValue()", "false" },
        { "post.links[?-1].hasValue()", "false" },
        { "post.extra.?age.optMap(x, x + 1).value()", "18" },
        { "post.extra.?missing.optMap(x, x + 1).hasValue()", "false" },
        { "post.extra.?inner.optFlatMap(m, m.?lang).value()", "'en'" },
        { "optional.of(1).or(optional.of(1 / 0)).value()", "1" },
        { "optional.none().or(optional.of(2)).value()", "2" },
        { "optional.of(1).orValue(1 / 0)", "1" },
        { "optional.ofNonZeroValue('').hasValue()", "false" },
        { "optional.ofNonZeroValue(0.5).hasValue()", "true" },
        { "optional.of(1) == optional.of(1.0)", "true" },
        { "optional.none() == optional.of(1)", "false" },
        { "[?post.extra.?age, ?post.extra.?missing] == [17]", "true" },
        { "{?'a': post.extra.?age, ?'b': post.extra.?missing} == {'a': 17}",
          "true" },
        { "has(post.extra.?inner.lang)", "true" },
        { "has(post.extra.?missing.lang)", "false" },
        { "[optional.of(1), optional.none()].unwrapOpt() == [1]", "true" },
        { "gone.map.?x.orValue(1)", "unknown" },
        { "type(optional.none()) == optional_type", "true" },
        { "dyn(1).?x", "error: an operator does not take this type" },
        { "[?1]", "refused: column 3 of when: '?' wants an optional here, not int" },
        { "n.?x", "refused: column 4 of when: int has no members" },
        { "n.orValue(1)", "refused: column 1 of when: orValue() wants an optional here, not int" },
    };
    CHECK_ROWS(rows);
}

static void
macros_are_checked_when_loaded(void **state)
{
    static const struct row rows[] = {
        { "[1].all(x, y)", "refused: column 12 of when: no such signal: y" },
        { "[1].all(x, x) ", "refused: column 12 of when: all() wants a bool here, not int" },
        { "[1].filter(x, s)", "refused: column 15 of when: filter() wants a bool here, not string" },
        { "[1].map(x, s, x)", "refused: column 12 of when: map() wants a bool here, not string" },
        { "n.all(x, true)", "refused: column 3 of when: all() goes over lists and maps, not int" },
        { "[1].all(1, true)", "refused: column 9 of when: all() wants the name of a variable here" },
        { "[1].all(a.b, true)", "refused: column 11 of when: all() wants the name of a variable here" },
        { "[1].all(i, i, true)", "refused: column 12 of when: the variable i twice" },
        { "[1].all(x, x == 'a')", "refused: column 14 of when: '==' cannot compare int and string" },
        { "post.links.map(l, l + 1)", "refused: column 21 of when: '+' cannot take string and int" },
        { "{'a': 1}.all(k, v, v == 'a')", "refused: column 22 of when: '==' cannot compare int and string" },
        { "[1].all(x, true) && x", "refused: column 21 of when: no such signal: x" },
        { "cel.bind(x, y, 1)", "refused: column 13 of when: no such signal: y" },
    };
    CHECK_ROWS(rows);
}
/* clang-format on */

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(macros_go_over_lists_and_maps),
    cmocka_unit_test(macros_with_two_variables_have_the_index_or_the_key),
    cmocka_unit_test(errors_and_unknown_count_only_where_nothing_settles_it),
    cmocka_unit_test(a_binding_is_evaluated_for_its_body),
    cmocka_unit_test(optionals_look_without_an_error),
    cmocka_unit_test(macros_are_checked_when_loaded),
};
WN_TEST_MAIN("policies_cel_macros", tests)
