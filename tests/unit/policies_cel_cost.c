/*
 * The cost bound: computed when an expression is compiled, never exceeded,
 * and never in the way of what is below the largest there is.
 */
#include "tests/unit/cel_kit.h"

static struct wn_cel_run run;

/* Compiles and evaluates over values; the bound, or 0 where it is refused. */
static uint64_t
bound_over(
    const struct wn_value *values, const char *src, struct wn_cel_value *ret)
{
    struct wn_arena arena;
    const struct wn_cel_node *node = NULL;
    struct wn_err err = { "" };
    uint64_t bound = 0;
    size_t scans = 0;

    wn_arena_init(&arena, 4096, 64u << 20);
    if (wn_cel_compile(&node, &arena, src, strlen(src), "when", &env, &scans,
            &err) == WN_OK) {
        bound = node->steps_max;
        wn_cel_run_init(&run, values);
        *ret = wn_cel_eval(node, &run);
        if (run.steps > bound)
            fail_msg("%s: %llu steps, bound %llu", src,
                (unsigned long long)run.steps, (unsigned long long)bound);
        if (bound < WN_CEL_STEPS_MAX && run.spent)
            fail_msg("%s: the bound %llu is too low", src,
                (unsigned long long)bound);
        wn_cel_run_release(&run);
    }
    wn_arena_release(&arena);
    return bound;
}

static uint64_t
bound_of(const char *src, struct wn_cel_value *ret)
{
    struct wn_value values[VARS];

    fill(values);
    return bound_over(values, src, ret);
}

static void
small_expressions_have_small_bounds(void **state)
{
    struct wn_cel_value v;

    assert_in_range(bound_of("n > 3", &v), 3, 10);
    assert_in_range(bound_of("n in [1, 2, 3]", &v), 4, 20);
    assert_in_range(bound_of("[1, 2, 3].all(x, x > n)", &v), 10, 60);
    /* a text of 1 MiB takes 16,384 steps to read */
    assert_in_range(bound_of("s.contains('x')", &v), 16384, 17000);
    assert_int_equal(bound_of("s.matches('(a|b)*c')", &v), WN_CEL_STEPS_MAX);
    assert_int_equal(bound_of("post.extra == gone.map", &v), WN_CEL_STEPS_MAX);
}

static void
nested_loops_end_at_the_bound(void **state)
{
    struct wn_cel_value v;
    char *list = repeat("[", "0,", 500, "0]");
    char *src = malloc(5 * strlen(list) + 200);

    assert_non_null(src);
    sprintf(src, "%s.all(a, %s.all(b, %s.all(c, a + b + c == 0)))", list, list,
        list);
    assert_int_equal(bound_of(src, &v), WN_CEL_STEPS_MAX);
    assert_int_equal(v.kind, WN_CEL_ERROR);
    assert_string_equal(v.why, "the expression costs too much");
    sprintf(src, "%s.map(a, %s.map(b, [a, b]))", list, list);
    bound_of(src, &v);
    assert_int_equal(v.kind, WN_CEL_ERROR);
    free(src);
    free(list);
}

/* true || and && false take errors in, but not this one. */
static void
a_spent_run_is_an_error_whatever_stands_beside(void **state)
{
    struct wn_cel_value v;
    char *list = repeat("[", "0,", 800, "0]");
    char *src = malloc(4 * strlen(list) + 200);

    assert_non_null(src);
    sprintf(src, "%s.all(a, %s.all(b, %s.all(c, c == 0))) || true", list, list,
        list);
    bound_of(src, &v);
    assert_int_equal(v.kind, WN_CEL_ERROR);
    assert_string_equal(v.why, "the expression costs too much");
    free(src);
    free(list);
}

/* --- random expressions that mean something --- */

static void grow(uint64_t *seed, char **p, char *end, unsigned depth);

static void
put(char **p, char *end, const char *text)
{
    size_t n = strlen(text);

    if ((size_t)(end - *p) > n) {
        memcpy(*p, text, n + 1);
        *p += n;
    }
}

/* "@" stands for another expression. */
static void
grow(uint64_t *seed, char **p, char *end, unsigned depth)
{
    static const char *const leaves[] = { "n", "d", "s", "b", "post.links",
        "post.extra", "gone.flag", "1", "'ab'", "b'x'", "2.5", "null", "[]",
        "x", "y", "post.extra.age", "duration('1s')", "timestamp(9)", "int",
        "optional.none()" };
    static const char *const forms[] = { "(@ + @)", "(@ == @)", "(@ in @)",
        "[@, @]", "{'k': @}", "(@ ? @ : @)", "(@ && @)", "(@ || @)",
        "@.map(x, @)", "@.filter(x, @)", "@.all(x, @)", "@.exists(x, y, @)",
        "dyn(@)", "@.transformMap(x, y, @)", "@.transformList(x, y, @, @)",
        "size(@)", "string(@)", "@.split(@)", "@.join('-')", "@.replace('', @)",
        "'%s'.format([@])", "@.contains(@)", "@.matches('(a|b)+')",
        "@.matches(@)", "cel.bind(x, @, @)", "optional.of(@)", "@.?k", "@[?0]",
        "@.optMap(x, @)", "@.orValue(@)", "[?@]", "@[0]", "@.lastIndexOf(@)",
        "@.reverse()", "math.greatest(@, @)", "type(@)", "(@ < @)",
        "@.lowerAscii()", "!@", "-@", "has(@.k)" };
    const char *form =
        forms[wn_test_random(seed) % (sizeof(forms) / sizeof(forms[0]))];

    if (depth == 0 || wn_test_random(seed) % 4 == 0) {
        put(p, end,
            leaves[wn_test_random(seed) %
                   (sizeof(leaves) / sizeof(leaves[0]))]);
        return;
    }
    for (; *form != '\0'; form++) {
        char c[2] = { *form, '\0' };

        if (*form == '@')
            grow(seed, p, end, depth - 1);
        else
            put(p, end, c);
    }
}

static void
random_expressions_stay_within_their_bounds(void **state)
{
    uint64_t seed = wn_test_seed();
    unsigned compiled = 0;
    char src[2048];

    for (int round = 0; round < 40000; round++) {
        struct wn_cel_value v;
        char *p = src;

        grow(&seed, &p, src + sizeof(src), 4);
        compiled += bound_of(src, &v) > 0;
    }
    assert_in_range(compiled, 1000, 40000);
}

/* As large as a post can be: a text of 1 MiB, a list and a map of 1 MiB. */
static void
the_largest_posts_stay_within_the_bounds(void **state)
{
    enum { N = 100000, KEYS = 50000 };
    struct wn_value values[VARS], *list = calloc(N, sizeof(*list));
    struct wn_str *keys = calloc(KEYS, sizeof(*keys));
    char *text = repeat("", "ab", 1u << 19, ""), src[2048];
    uint64_t seed = wn_test_seed();

    assert_true(list != NULL && keys != NULL);
    for (size_t i = 0; i < N; i++)
        list[i] = wn_value_str(text + i, 10);
    for (size_t i = 0; i < KEYS; i++)
        keys[i] = (struct wn_str){ text, i };
    fill(values);
    values[V_S] = wn_value_str(text, 1u << 20);
    values[V_LIST].list.v = list;
    values[V_LIST].list.n = N;
    values[V_MAP].map.keys = keys;
    values[V_MAP].map.v = list;
    values[V_MAP].map.n = KEYS;
    for (int round = 0; round < 1000; round++) {
        struct wn_cel_value v;
        char *p = src;

        grow(&seed, &p, src + sizeof(src), 3);
        bound_over(values, src, &v);
    }
    free(text);
    free(keys);
    free(list);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(small_expressions_have_small_bounds),
    cmocka_unit_test(nested_loops_end_at_the_bound),
    cmocka_unit_test(a_spent_run_is_an_error_whatever_stands_beside),
    cmocka_unit_test(random_expressions_stay_within_their_bounds),
    cmocka_unit_test(the_largest_posts_stay_within_the_bounds),
};
WN_TEST_MAIN("policies_cel_cost", tests)
