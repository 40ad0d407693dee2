#include "tests/lib/test.h"

#include "core/suggest.h"

static const char *
name_at(const void *names, size_t i)
{
    return ((const char *const *)names)[i];
}

static const char *
near(const char *word)
{
    static const char *const names[] = { "status", "score", "run",
        "author.followers" };

    return wn_suggest(word, strlen(word), name_at, names, 4);
}

static void
suggest_edits_are_insertions_deletions_and_replacements(void **state)
{
    assert_int_equal(wn_edits("", 0, "", 0), 0);
    assert_int_equal(wn_edits("", 0, "abc", 3), 3);
    assert_int_equal(wn_edits("abc", 3, "", 0), 3);
    assert_int_equal(wn_edits("abc", 3, "abc", 3), 0);
    assert_int_equal(wn_edits("abc", 3, "axc", 3), 1);
    assert_int_equal(wn_edits("abcd", 4, "acd", 3), 1);
    assert_int_equal(wn_edits("kitten", 6, "sitting", 7), 3);
    assert_int_equal(wn_edits("abcdef", 3, "abcxyz", 3), 0);
}

static void
suggest_a_name_that_is_too_long_is_near_to_none(void **state)
{
    char word[WN_SUGGEST_MAX + 1];

    memset(word, 'a', sizeof(word));
    assert_int_equal(wn_edits(word, sizeof(word) - 1, word, 1), 127);
    assert_true(wn_edits(word, sizeof(word), "a", 1) == SIZE_MAX);
    assert_true(wn_edits("a", 1, word, sizeof(word)) == SIZE_MAX);
    assert_null(wn_suggest(word, sizeof(word), name_at, NULL, 0));
}

static void
suggest_the_nearest_name_is_taken_and_a_far_one_is_not(void **state)
{
    assert_string_equal(near("stats"), "status");
    assert_string_equal(near("scores"), "score");
    assert_string_equal(near("author.folowers"), "author.followers");
    assert_null(near("migrate"));
    assert_null(near("xyz")); /* all of it replaced is no likeness */
    assert_null(near(""));
}

#define T(name) cmocka_unit_test(name)
static const struct CMUnitTest tests[] = {
    T(suggest_edits_are_insertions_deletions_and_replacements),
    T(suggest_a_name_that_is_too_long_is_near_to_none),
    T(suggest_the_nearest_name_is_taken_and_a_far_one_is_not),
};
WN_TEST_MAIN("core/suggest", tests)
