#include "tests/lib/test.h"

#include "core/item.h"

static void
signals_every_name_is_found_at_its_number(void **state)
{
    const char *name;

    for (int i = 0; i < WN_SIG_COUNT; i++) {
        name = wn_signal_table[i].name;
        assert_int_equal(wn_signal_find(name, strlen(name)), i);
        assert_non_null(strchr(name, '.'));
        assert_string_not_equal(wn_signal_table[i].meaning, "");
    }
}

static void
signals_other_names_are_not_found(void **state)
{
    assert_int_equal(wn_signal_find("score.spa", 9), WN_SIG_COUNT);
    assert_int_equal(wn_signal_find("score.spamx", 11), WN_SIG_COUNT);
    assert_int_equal(wn_signal_find("score.spam\0", 11), WN_SIG_COUNT);
    assert_int_equal(wn_signal_find("", 0), WN_SIG_COUNT);
    assert_int_equal(wn_signal_find("score.spamx", 10), WN_SIG_SCORE_SPAM);
}

/* Numbers are stored with verdicts: a row may only be added at the end. */
static void
signals_numbers_and_types_never_change(void **state)
{
    assert_int_equal(WN_SIG_SCORE_SPAM, 0);
    assert_int_equal(WN_SIG_SCORE_AI_TEXT, 3);
    assert_int_equal(WN_SIG_TEXT_CHARS, 8);
    assert_int_equal(WN_SIG_TEXT_LINKS_HIDDEN, 19);
    assert_int_equal(WN_SIG_POST_TEXT, 25);
    assert_int_equal(WN_SIG_INGEST_BAD_MEMBERS, 34);
    assert_int_equal(WN_SIG_SCORE_BAIT_VOTE, 35);
    assert_int_equal(WN_SIG_SCORE_DEPTH, 40);
    assert_int_equal(WN_SIG_TEXT_COMBINING, 41);
    assert_int_equal(WN_SIG_TEXT_REPEATS, 47);
    assert_int_equal(wn_signal_table[WN_SIG_POST_EXTRA].type, WN_TYPE_MAP);
    assert_int_equal(wn_signal_table[WN_SIG_POST_LINKS].type, WN_TYPE_LIST);
    assert_int_equal(
        wn_signal_table[WN_SIG_AUTHOR_AGE_DAYS].type, WN_TYPE_DOUBLE);
}

static void
signals_with_content_are_marked_so(void **state)
{
    static const enum wn_signal content[] = { WN_SIG_POST_TEXT,
        WN_SIG_POST_LINKS, WN_SIG_POST_EXTRA, WN_SIG_AUTHOR_ID,
        WN_SIG_AUTHOR_HANDLE };

    for (size_t i = 0; i < sizeof(content) / sizeof(content[0]); i++)
        assert_int_equal(wn_signal_table[content[i]].keep, WN_KEEP_CONTENT);
    assert_int_equal(wn_signal_table[WN_SIG_SCORE_SPAM].keep, WN_KEEP_VERDICT);
}

static void
signals_types_have_names(void **state)
{
    assert_string_equal(wn_signal_type_name(WN_TYPE_BOOL), "bool");
    assert_string_equal(wn_signal_type_name(WN_TYPE_INT), "int");
    assert_string_equal(wn_signal_type_name(WN_TYPE_DOUBLE), "double");
    assert_string_equal(wn_signal_type_name(WN_TYPE_STRING), "string");
    assert_string_equal(wn_signal_type_name(WN_TYPE_LIST), "list");
    assert_string_equal(wn_signal_type_name(WN_TYPE_MAP), "map");
    assert_string_equal(
        wn_signal_type_name((enum wn_signal_type)44), "unknown");
}

static void
item_is_new_empty_and_bounded(void **state)
{
    struct wn_item *item = wn_item_new(20000);

    assert_non_null(item);
    assert_int_equal(item->outcome, WN_OUT_NONE);
    assert_int_equal(item->sig.v[WN_SIG_POST_TEXT].kind, WN_VALUE_UNKNOWN);
    assert_int_equal(item->verdict.reasons_n, 0);
    assert_null(item->rec.raw.p);
    assert_non_null(wn_arena_alloc(&item->arena, 10000));
    assert_null(wn_arena_alloc(&item->arena, 10000));
    wn_item_free(item);
    wn_item_free(NULL);
}

static void
item_names_are_those_that_users_see(void **state)
{
    assert_string_equal(wn_head_names[WN_AI_TEXT], "ai_text");
    assert_string_equal(wn_action_names[WN_ALLOW], "allow");
    assert_string_equal(wn_action_names[WN_REMOVE], "remove");
    assert_string_equal(wn_outcome_names[WN_SCORED], "scored");
    assert_string_equal(wn_outcome_names[WN_ERASED], "erased");
    for (int i = 0; i < WN_HEADS; i++)
        assert_non_null(wn_head_names[i]);
    for (int i = 0; i < WN_ACTIONS; i++)
        assert_non_null(wn_action_names[i]);
    for (int i = 0; i < WN_OUTCOMES; i++)
        assert_non_null(wn_outcome_names[i]);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(signals_every_name_is_found_at_its_number),
    cmocka_unit_test(signals_other_names_are_not_found),
    cmocka_unit_test(signals_numbers_and_types_never_change),
    cmocka_unit_test(signals_with_content_are_marked_so),
    cmocka_unit_test(signals_types_have_names),
    cmocka_unit_test(item_is_new_empty_and_bounded),
    cmocka_unit_test(item_names_are_those_that_users_see),
};
WN_TEST_MAIN("core_signals", tests)
